/*
 * activity.c: activities: scheduled, cancelled, resolved, and their results.
 *
 * Arguments and options are encoded on the thread's stack into the task's arena, which lives until
 * the engine has the commands. A result is decoded when it is asked for, into the arena of the
 * coroutine that asks. wf_activity_ gives its future to nobody and so recycles it: a loop of a
 * million activities needs no more bookkeeping than one.
 *
 *	wf_start_activity_ -> command, future in `activities` -> wf_await_ -> result_of
 *	                                   ^
 *	                          activity_resolve (a job)
 *
 * The command's number is fixed by the order of the calls alone, and everything that can be wrong
 * with a call is found before the number is taken.
 *
 * encode_call, decode_call and decode_raw_call run on the thread's stack; the functions of the API
 * on a coroutine's; activity_resolve and activity_cancel anywhere.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/* What start_activity() and encode_call() share, over the change of stacks. */
struct start {
	struct wf *wf;
	const char *type;
	struct arguments arguments;
	struct wf_activity_opts opts;
	struct command *command;
};

/* What the command points to is copied to the task's arena: the caller's options may go at once. */
static bool encode_options(
	struct wf *wf, const struct wf_activity_opts *opts, struct command *command)
{
	struct command_schedule_activity *schedule = &command->schedule_activity;
	bool fine = options_headers(&wf->task, &opts->headers, &schedule->headers);

	if (opts->retry) {
		schedule->retry_policy = options_retry(&wf->task, opts->retry);
		fine = fine && schedule->retry_policy;
	}
	if (opts->priority) {
		schedule->priority = options_priority(&wf->task, opts->priority);
		fine = fine && schedule->priority;
	}
	if (opts->summary) {
		command->user_metadata = options_summary(&wf->task, opts->summary);
		fine = fine && command->user_metadata;
	}
	if (!str_empty(opts->activity_id)) {
		schedule->activity_id = arena_strdup(&wf->task, opts->activity_id);
		fine = fine && schedule->activity_id;
	}
	schedule->task_queue = str_empty(opts->task_queue)
				       ? wf->info.task_queue
				       : arena_strdup(&wf->task, opts->task_queue);
	return fine && schedule->task_queue;
}

static void encode_call(void *arg)
{
	struct start *start = arg;

	if (!encode_options(start->wf, &start->opts, start->command))
		start->arguments.err.code = TEMPORAL_NO_MEMORY;
	if (arguments_encode(&start->arguments))
		start->command->schedule_activity.arguments = start->arguments.out;
}

/* All are converted (TEMPORAL_OFF to 0), also behind a bad one. */
static bool durations_are_fine(struct wf_activity_opts *opts)
{
	bool fine = options_ms(&opts->start_to_close_ms);

	fine = options_ms(&opts->schedule_to_close_ms) && fine;
	fine = options_ms(&opts->schedule_to_start_ms) && fine;
	return options_ms(&opts->heartbeat_ms) && fine;
}

/* As in the other SDKs, an activity without any limit is a mistake: the server would refuse it. */
static void check_options(struct wf *wf, struct start *start)
{
	struct wf_activity_opts *opts = &start->opts;

	if (!durations_are_fine(opts))
		run_fault(wf, "InvalidArgument", "activity %s: a timeout is negative", start->type);
	if (!opts->start_to_close_ms && !opts->schedule_to_close_ms)
		run_fault(wf, "InvalidArgument",
			"activity %s must have start_to_close_ms or schedule_to_close_ms",
			start->type);
	if ((unsigned)opts->cancellation > TEMPORAL_ABANDON)
		run_fault(wf, "InvalidArgument", "activity %s: unknown cancellation type %d",
			start->type, (int)opts->cancellation);
}

/*
 * Encodes first and takes number, future and command afterwards: arguments that cannot be encoded
 * fail the task, and must not leave a half-made command behind. The command is built on this stack,
 * since the array of commands may move.
 *
 * The cancellation types of the API have other numbers than the engine's.
 */
static struct wf_future *schedule(struct wf *wf, struct start *start)
{
	static const enum activity_cancellation_type cancellation[] = {
		[TEMPORAL_TRY_CANCEL] = ACTIVITY_TRY_CANCEL,
		[TEMPORAL_WAIT_CANCELLATION_COMPLETED] = ACTIVITY_WAIT_CANCELLATION_COMPLETED,
		[TEMPORAL_ABANDON] = ACTIVITY_ABANDON,
	};

	check_options(wf, start);
	struct command encoded = { .kind = COMMAND_SCHEDULE_ACTIVITY };
	const struct temporal_error *err = &start->arguments.err;
	start->command = &encoded;
	start->arguments.arena = &wf->task;
	memory_on_thread(wf, encode_call, start);
	if (err->code == TEMPORAL_NO_MEMORY)
		run_lacks_memory(wf);
	if (err->code)
		run_fault(wf, "BadPayload", "activity %s: %s", start->type, err->message);
	struct wf_future *future = future_new(wf, FUTURE_ACTIVITY);
	struct command *command = run_command(wf, COMMAND_SCHEDULE_ACTIVITY);
	if (!future || !command || !pending_put(&wf->activities, wf->activity_seq + 1, future))
		run_lacks_memory(wf);
	future->seq = ++wf->activity_seq;
	future->what = start->type;
	encoded.schedule_activity.seq = future->seq;
	encoded.schedule_activity.activity_type = start->type;
	encoded.schedule_activity.schedule_to_close_ms = start->opts.schedule_to_close_ms;
	encoded.schedule_activity.schedule_to_start_ms = start->opts.schedule_to_start_ms;
	encoded.schedule_activity.start_to_close_ms = start->opts.start_to_close_ms;
	encoded.schedule_activity.heartbeat_ms = start->opts.heartbeat_ms;
	encoded.schedule_activity.cancellation_type = cancellation[start->opts.cancellation];
	encoded.schedule_activity.do_not_eagerly_execute = start->opts.no_eager;
	*command = encoded;
	return future;
}

static struct wf_future *ask(struct wf *wf, struct wf_outbound *out, void *call)
{
	struct start *start = call;

	start->type = out->name;
	start->opts.headers = out->headers;
	arguments_replace(&start->arguments, out->arguments);
	return schedule(wf, start);
}

static struct wf_future *start_activity(
	struct wf *wf, struct start *start, const struct wf_activity_opts *given, size_t opts_size)
{
	options_copy(&start->opts, sizeof(start->opts), given, opts_size);
	if (!intercepts(wf))
		return schedule(wf, start);
	start->arguments.arena = &wf->task;
	struct wf_outbound out = { .name = start->type,
		.headers = start->opts.headers,
		.arguments = start->arguments.raw,
		.activity = &start->opts };
	return intercept_out(wf, INTERCEPTED(activity), &out, ask, start, &start->arguments);
}

/* The type is copied to the run's arena: the future names it for as long as it lives. */
struct wf_future *wf_start_activity_raw_(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_activity_opts *opts, size_t opts_size)
{
	run_acts(wf, "wf_start_activity_raw");
	const char *copy = arena_strdup(&wf->arena, type);

	if (!copy)
		run_lacks_memory(wf);
	struct start start = { .wf = wf, .type = copy, .arguments = { .raw = in } };
	return start_activity(wf, &start, opts, opts_size);
}

/* A contract is a constant of the program, so its name needs no copy. */
struct wf_future *wf_start_activity_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_activity_opts *opts, size_t opts_size)
{
	run_acts(wf, "wf_start_activity");
	struct start start = {
		.wf = wf, .type = contract->name, .arguments = { .contract = contract, .in = in }
	};

	return start_activity(wf, &start, opts, opts_size);
}

/* Waits with the result in mind; the failure does not return. */
static void await_result(struct wf *wf, struct wf_future *future, const char *verb)
{
	await_one(wf, future, verb);
	future_excuse(wf, future);
	if (future->failure)
		coroutine_raise(wf, future->failure);
}

struct decode {
	struct wf *wf;
	struct wf_future *future;
	const struct temporal_contract *contract;
	struct arena *arena;
	void *out;
	struct temporal_error err;
};

/* Into decode->arena; a failure leaves its rest there, but then the task fails. */
static void decode_call(void *arg)
{
	struct decode *decode = arg;

	decode->err.code = convert_decode_result(decode->arena, decode->contract,
		decode->future->payload, decode->out, &decode->err);
}

static bool has_result(const struct wf_future *future)
{
	return future->kind == FUTURE_ACTIVITY || future->kind == FUTURE_LOCAL ||
	       future->kind == FUTURE_CHILD || future->kind == FUTURE_NEXUS;
}

/*
 * Decoded once: a second await gets the same value. A result of another form fails the task and not
 * the run, since a worker with a corrected contract can go on from here.
 */
static const void *result_of(
	struct wf *wf, const struct temporal_contract *contract, struct wf_future *future)
{
	if (future->value && !future->raw)
		return future->value;
	if (future->value)
		run_fault(wf, "InvalidArgument",
			"wf_await of %s: wf_await_raw has taken the result before", contract->name);
	struct decode decode = {
		.wf = wf, .future = future, .contract = contract, .arena = run_arena(wf)
	};
	decode.out = arena_zalloc(decode.arena, contract->out_size);
	if (!decode.out)
		run_lacks_memory(wf);
	if (!has_result(future))
		run_fault(wf, "InvalidArgument", "wf_await of %s: the future has no result",
			contract->name);
	memory_on_thread(wf, decode_call, &decode);
	if (decode.err.code == TEMPORAL_NO_MEMORY)
		run_lacks_memory(wf);
	if (decode.err.code)
		run_fault(wf, "BadPayload", "Failed decoding the result of %s: %s", future->what,
			decode.err.message);
	future->value = decode.out;
	future->payload = NULL;
	return future->value;
}

/*
 * Compared by the wire's name: two contracts of one name, from two headers, are the same activity.
 */
const void *wf_await_(
	struct wf *wf, const struct temporal_contract *contract, struct wf_future *future)
{
	run_acts(wf, "wf_await");
	await_result(wf, future, "wf_await");
	if (future->what && !str_same(future->what, contract->name))
		run_fault(wf, "InvalidArgument", "wf_await: a result of %s is awaited as one of %s",
			future->what, contract->name);
	return result_of(wf, contract, future);
}

/* Nobody else knows the future, so it can be used again as soon as its value is out. */
const void *result_and_recycle(
	struct wf *wf, const struct temporal_contract *contract, struct wf_future *future)
{
	await_result(wf, future,
		future->kind == FUTURE_ACTIVITY ? "wf_activity"
		: future->kind == FUTURE_LOCAL  ? "wf_local"
		: future->kind == FUTURE_CHILD  ? "wf_child"
						: "wf_nexus");
	const void *value = result_of(wf, contract, future);
	future_recycle(wf, future);
	return value;
}

const void *wf_activity_(struct wf *wf, const struct temporal_contract *contract, const void *in,
	const struct wf_activity_opts *opts, size_t opts_size)
{
	return result_and_recycle(
		wf, contract, wf_start_activity_(wf, contract, in, opts, opts_size));
}

/* The payload as it is, copied out of the activation. */
static void decode_raw_call(void *arg)
{
	struct decode *decode = arg;

	decode->err.code =
		convert_payload_from_api(decode->arena, decode->future->payload, decode->out);
}

/*
 * NULL for an activity without a result. The future keeps the form that was asked for first; to ask
 * for the other one too is a mistake of the code, as both would share one place.
 */
const struct temporal_payload *(wf_await_raw)(struct wf *wf, struct wf_future *future)
{
	run_acts(wf, "wf_await_raw");
	await_result(wf, future, "wf_await_raw");
	if (future->value && !future->raw)
		run_fault(wf, "InvalidArgument",
			"wf_await_raw of %s: wf_await has taken the result before", future->what);
	if (future->value || !has_result(future) || !future->payload)
		return future->value;
	struct decode decode = { .wf = wf, .future = future, .arena = run_arena(wf) };
	decode.out = arena_zalloc(decode.arena, sizeof(struct temporal_payload));
	if (!decode.out)
		run_lacks_memory(wf);
	memory_on_thread(wf, decode_raw_call, &decode);
	if (decode.err.code)
		run_lacks_memory(wf);
	future->value = decode.out;
	future->raw = true;
	future->payload = NULL;
	return future->value;
}

/*
 * The payload is left where it is, in the activation: mostly the coroutine that this wakes decodes
 * it within the same call, and then it needs no copy. An unknown number means that engine and
 * language disagree, so the task fails; an activity that was abandoned is done already, by the job
 * that its cancellation brought.
 */
void activity_resolve(struct wf *wf, uint32_t seq, const struct resolution *resolution)
{
	struct wf_future *future = pending_take(&wf->activities, seq);

	if (future && resolution->status == RESOLUTION_BACKOFF)
		local_back_off(wf, future, resolution);
	else if (future)
		result_settle(wf, future, resolution);
	else
		run_break(wf, "InternalError", "Failed finding the activity of sequence number %u",
			seq);
}

void result_settle(struct wf *wf, struct wf_future *future, const struct resolution *resolution)
{
	const struct temporal_failure *failure = NULL;

	if (resolution->status == RESOLUTION_COMPLETED) {
		future->payload = resolution->result;
		future->fresh = true;
		future->next = wf->fresh;
		wf->fresh = future;
	} else {
		failure = resolution->failure
				  ? convert_failure_from_api(&wf->arena, resolution->failure)
				  : failure_cancelled(wf, "Cancelled");
		if (!failure)
			run_out_of_memory(wf);
	}
	future_settle(wf, future, failure);
}

/*
 * Only asks. The future stays pending and is settled by a job, at once or later, by the activity's
 * cancellation type: the engine knows which, and whether the command was sent at all.
 */
void activity_cancel(struct wf *wf, struct wf_future *future)
{
	struct command *command = run_command(wf, COMMAND_REQUEST_CANCEL_ACTIVITY);

	if (!command)
		run_out_of_memory(wf);
	else
		command->request_cancel_activity.seq = future->seq;
}
