/*
 * local.c: local activities: scheduled, tried again by a timer, cancelled.
 *
 * To the workflow's code they are activities that this worker runs within the task; they share the
 * numbers, the list of what is pending and the jobs of activities (activity.c), and their results
 * are read alike. Different is what comes with a long back-off: the engine says so instead of a
 * result, a timer of the run's is started, and when it fires the command is given again, with a new
 * number. For that the command stays with the future, in the run's arena.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/* What schedule() and encode_call() share, over the change of stacks. */
struct start {
	struct wf *wf;
	struct arguments arguments;
	struct wf_local_opts opts;
	struct command *command;
};

static bool encode_options(struct start *start)
{
	struct command_schedule_local_activity *local = &start->command->schedule_local_activity;
	struct arena *arena = &start->wf->arena;
	bool fine = options_headers(arena, &start->opts.headers, &local->headers);

	if (start->opts.retry) {
		local->retry_policy = options_retry(arena, start->opts.retry);
		fine = fine && local->retry_policy;
	}
	if (start->opts.summary) {
		start->command->user_metadata = options_summary(arena, start->opts.summary);
		fine = fine && start->command->user_metadata;
	}
	local->activity_id =
		arena_strdup(arena, start->opts.activity_id ? start->opts.activity_id : "");
	return fine && local->activity_id;
}

static void encode_call(void *arg)
{
	struct start *start = arg;

	if (!encode_options(start))
		start->arguments.err.code = TEMPORAL_NO_MEMORY;
	if (arguments_encode(&start->arguments))
		start->command->schedule_local_activity.arguments = start->arguments.out;
}

static void check_options(struct wf *wf, struct wf_local_opts *opts, const char *type)
{
	bool fine = options_ms(&opts->start_to_close_ms);

	fine = options_ms(&opts->schedule_to_close_ms) && fine;
	fine = options_ms(&opts->schedule_to_start_ms) && fine;
	fine = options_ms(&opts->retry_threshold_ms) && fine;
	if (!fine)
		run_fault(wf, "InvalidArgument", "local activity %s: a timeout is negative", type);
	if (!opts->start_to_close_ms && !opts->schedule_to_close_ms)
		run_fault(wf, "InvalidArgument",
			"local activity %s must have start_to_close_ms or schedule_to_close_ms",
			type);
	if ((unsigned)opts->cancellation > TEMPORAL_ABANDON)
		run_fault(wf, "InvalidArgument", "local activity %s: unknown cancellation type %d",
			type, (int)opts->cancellation);
}

/* The command once more, with the next number. False: no memory. Anywhere. */
static bool give(struct wf *wf, struct wf_future *future)
{
	struct command *command = run_command(wf, COMMAND_SCHEDULE_LOCAL_ACTIVITY);

	if (!command || !pending_put(&wf->activities, wf->activity_seq + 1, future))
		return false;
	future->seq = ++wf->activity_seq;
	*command = *future->command;
	command->schedule_local_activity.seq = future->seq;
	return true;
}

static struct wf_future *schedule(struct wf *wf, struct start *start, const char *type)
{
	static const enum activity_cancellation_type cancellation[] = {
		[TEMPORAL_TRY_CANCEL] = ACTIVITY_TRY_CANCEL,
		[TEMPORAL_WAIT_CANCELLATION_COMPLETED] = ACTIVITY_WAIT_CANCELLATION_COMPLETED,
		[TEMPORAL_ABANDON] = ACTIVITY_ABANDON,
	};

	check_options(wf, &start->opts, type);
	start->arguments.arena = &wf->arena;
	start->command = ARENA_NEW(&wf->arena, struct command);
	if (!start->command)
		run_lacks_memory(wf);
	start->command->kind = COMMAND_SCHEDULE_LOCAL_ACTIVITY;
	memory_on_thread(wf, encode_call, start);
	arguments_check(wf, &start->arguments, type);
	struct command_schedule_local_activity *local = &start->command->schedule_local_activity;
	local->activity_type = type;
	local->attempt = 1;
	local->start_to_close_ms = start->opts.start_to_close_ms;
	local->schedule_to_close_ms = start->opts.schedule_to_close_ms;
	local->schedule_to_start_ms = start->opts.schedule_to_start_ms;
	local->local_retry_threshold_ms = start->opts.retry_threshold_ms;
	local->cancellation_type = cancellation[start->opts.cancellation];
	struct wf_future *future = future_new(wf, FUTURE_LOCAL);
	if (!future)
		run_lacks_memory(wf);
	future->what = type;
	future->command = start->command;
	if (!give(wf, future))
		run_lacks_memory(wf);
	return future;
}

static struct wf_future *ask(struct wf *wf, struct wf_outbound *out, void *call)
{
	struct start *start = call;

	start->opts.headers = out->headers;
	arguments_replace(&start->arguments, out->arguments);
	return schedule(wf, start, out->name);
}

static struct wf_future *start_local(struct wf *wf, struct start *start, const char *type,
	const struct wf_local_opts *given, size_t opts_size)
{
	options_copy(&start->opts, sizeof(start->opts), given, opts_size);
	if (!intercepts(wf))
		return schedule(wf, start, type);
	start->arguments.arena = &wf->task;
	struct wf_outbound out = { .name = type,
		.headers = start->opts.headers,
		.arguments = start->arguments.raw,
		.local = &start->opts };
	return intercept_out(wf, INTERCEPTED(local), &out, ask, start, &start->arguments);
}

struct wf_future *wf_start_local_raw_(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_local_opts *opts, size_t opts_size)
{
	run_acts(wf, "wf_start_local_raw");
	const char *copy = arena_strdup(&wf->arena, type);

	if (!copy)
		run_lacks_memory(wf);
	struct start start = { .wf = wf, .arguments = { .raw = in } };
	return start_local(wf, &start, copy, opts, opts_size);
}

struct wf_future *wf_start_local_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_local_opts *opts, size_t opts_size)
{
	run_acts(wf, "wf_start_local");
	struct start start = { .wf = wf, .arguments = { .contract = contract, .in = in } };

	return start_local(wf, &start, contract->name, opts, opts_size);
}

const void *wf_local_(struct wf *wf, const struct temporal_contract *contract, const void *in,
	const struct wf_local_opts *opts, size_t opts_size)
{
	return result_and_recycle(wf, contract, wf_start_local_(wf, contract, in, opts, opts_size));
}

/* A job: it is to be tried again, later than the worker waits. Thread's stack. */
void local_back_off(struct wf *wf, struct wf_future *future, const struct resolution *resolution)
{
	struct wf_future *timer = future_new(wf, FUTURE_TIMER);
	struct command *command = timer ? run_command(wf, COMMAND_START_TIMER) : NULL;

	if (!command || !pending_put(&wf->timers, wf->timer_seq + 1, timer)) {
		run_out_of_memory(wf);
		return;
	}
	timer->seq = ++wf->timer_seq;
	timer->excused = true;
	timer->of = future;
	command->start_timer.seq = timer->seq;
	command->start_timer.start_to_fire_ns = resolution->backoff_ms * 1000000;
	future->timer = timer;
	future->command->schedule_local_activity.attempt = resolution->backoff_attempt;
	future->command->schedule_local_activity.original_schedule_ns =
		resolution->backoff_original_schedule_ns;
}

/* The timer has fired. */
void local_again(struct wf *wf, struct wf_future *timer)
{
	struct wf_future *future = timer->of;

	future->timer = NULL;
	if (!future->done && !give(wf, future))
		run_out_of_memory(wf);
	future_recycle(wf, timer);
}

/* While it waits for its timer, nothing runs that could be asked. */
void local_cancel(struct wf *wf, struct wf_future *future)
{
	struct wf_future *timer = future->timer;
	struct command *command;

	if (timer) {
		timer->of = NULL;
		future->timer = NULL;
		timer_cancel(wf, timer);
		future_settle(wf, future, failure_cancelled(wf, "Local activity cancelled"));
		return;
	}
	command = run_command(wf, COMMAND_REQUEST_CANCEL_LOCAL_ACTIVITY);
	if (command)
		command->request_cancel_local_activity.seq = future->seq;
	else
		run_out_of_memory(wf);
}
