/*
 * nexus.c: Nexus operations on the caller's side: scheduled, started, cancelled, resolved.
 *
 * As child.c, but that an operation takes one input and that its handler may be done at once: then
 * start and result come in one activation. Headers are texts; the data of the payloads that the
 * caller gives are taken as they are.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/* What schedule() and encode_call() share, over the change of stacks. */
struct start {
	struct wf *wf;
	struct arguments arguments;
	struct wf_nexus_opts opts;
	struct command command;
};

static bool encode_headers(struct start *start)
{
	const struct temporal_entries *from = &start->opts.headers;
	struct arena *arena = &start->wf->task;
	struct command_nexus_header *headers = arena_array(arena, from->count, sizeof(*headers));

	if (!headers)
		return false;
	for (size_t i = 0; i < from->count; i++) {
		const struct temporal_bytes *data = &from->items[i].value.data;

		headers[i].key = arena_strdup(arena, from->items[i].key);
		headers[i].value = arena_str(arena, (struct str){ data->data, data->len });
		if (!headers[i].key || !headers[i].value)
			return false;
	}
	start->command.schedule_nexus.headers = headers;
	start->command.schedule_nexus.n_headers = from->count;
	return true;
}

static bool encode_options(struct start *start)
{
	struct command_schedule_nexus *nexus = &start->command.schedule_nexus;
	struct arena *arena = &start->wf->task;

	nexus->endpoint = arena_strdup(arena, start->opts.endpoint);
	nexus->service = arena_strdup(arena, start->opts.service);
	if (start->opts.summary) {
		start->command.user_metadata = options_summary(arena, start->opts.summary);
		if (!start->command.user_metadata)
			return false;
	}
	return nexus->endpoint && nexus->service && encode_headers(start);
}

static void encode_call(void *arg)
{
	struct start *start = arg;

	if (!encode_options(start))
		start->arguments.err.code = TEMPORAL_NO_MEMORY;
	if (arguments_encode(&start->arguments) && start->arguments.out.count)
		start->command.schedule_nexus.input = start->arguments.out.items[0];
}

static void check_options(struct wf *wf, struct start *start, const char *operation)
{
	struct wf_nexus_opts *opts = &start->opts;
	bool fine = options_ms(&opts->schedule_to_close_ms);

	fine = options_ms(&opts->schedule_to_start_ms) && fine;
	fine = options_ms(&opts->start_to_close_ms) && fine;
	if (!fine)
		run_fault(wf, "InvalidArgument", "Nexus operation %s: a timeout is negative",
			operation);
	if (str_empty(opts->endpoint) || str_empty(opts->service))
		run_fault(wf, "InvalidArgument",
			"Nexus operation %s needs an endpoint and a service", operation);
	if ((unsigned)opts->cancellation > TEMPORAL_REMOTE_ABANDON)
		run_fault(wf, "InvalidArgument", "Nexus operation %s: unknown cancellation type %d",
			operation, (int)opts->cancellation);
	if (start->arguments.contract && start->arguments.contract->in.n_fields > 1)
		run_fault(wf, "InvalidArgument",
			"Nexus operation %s: its contract has more than one argument", operation);
}

static struct wf_future *schedule(struct wf *wf, struct start *start, const char *operation)
{
	static const enum nexus_cancellation_type cancellation[] = {
		[TEMPORAL_REMOTE_WAIT_COMPLETED] = NEXUS_WAIT_CANCELLATION_COMPLETED,
		[TEMPORAL_REMOTE_WAIT_REQUESTED] = NEXUS_WAIT_CANCELLATION_REQUESTED,
		[TEMPORAL_REMOTE_TRY_CANCEL] = NEXUS_TRY_CANCEL,
		[TEMPORAL_REMOTE_ABANDON] = NEXUS_ABANDON,
	};

	check_options(wf, start, operation);
	start->arguments.arena = &wf->task;
	memory_on_thread(wf, encode_call, start);
	arguments_check(wf, &start->arguments, operation);
	struct remote *remote = ARENA_NEW(&wf->arena, struct remote);
	struct wf_future *future = remote ? future_new(wf, FUTURE_NEXUS) : NULL;
	struct command *command = future ? run_command(wf, COMMAND_SCHEDULE_NEXUS) : NULL;
	if (!command || !pending_put(&wf->operations, wf->nexus_seq + 1, future))
		run_lacks_memory(wf);
	remote->id = remote->run_id = "";
	future->seq = ++wf->nexus_seq;
	future->what = operation;
	future->remote = remote;
	start->command.kind = COMMAND_SCHEDULE_NEXUS;
	start->command.schedule_nexus.seq = future->seq;
	start->command.schedule_nexus.operation = operation;
	start->command.schedule_nexus.schedule_to_close_ms = start->opts.schedule_to_close_ms;
	start->command.schedule_nexus.schedule_to_start_ms = start->opts.schedule_to_start_ms;
	start->command.schedule_nexus.start_to_close_ms = start->opts.start_to_close_ms;
	start->command.schedule_nexus.cancellation_type = cancellation[start->opts.cancellation];
	*command = start->command;
	return future;
}

static struct wf_future *ask(struct wf *wf, struct wf_outbound *out, void *call)
{
	struct start *start = call;

	start->opts.headers = out->headers;
	arguments_replace(&start->arguments, out->arguments);
	return schedule(wf, start, out->name);
}

static struct wf_future *start_operation(struct wf *wf, struct start *start, const char *operation,
	const struct wf_nexus_opts *given, size_t opts_size)
{
	options_copy(&start->opts, sizeof(start->opts), given, opts_size);
	if (!intercepts(wf))
		return schedule(wf, start, operation);
	start->arguments.arena = &wf->task;
	struct wf_outbound out = { .name = operation,
		.headers = start->opts.headers,
		.arguments = start->arguments.raw,
		.nexus = &start->opts };
	return intercept_out(wf, INTERCEPTED(nexus), &out, ask, start, &start->arguments);
}

struct wf_future *wf_start_nexus_raw_(struct wf *wf, const char *operation,
	const struct temporal_payload *in, const struct wf_nexus_opts *opts, size_t opts_size)
{
	struct temporal_payloads one = { in, in ? 1 : 0 };

	run_acts(wf, "wf_start_nexus_raw");
	const char *copy = arena_strdup(&wf->arena, operation);
	if (!copy)
		run_lacks_memory(wf);
	struct start start = { .wf = wf, .arguments = { .raw = &one } };
	return start_operation(wf, &start, copy, opts, opts_size);
}

struct wf_future *wf_start_nexus_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_nexus_opts *opts, size_t opts_size)
{
	run_acts(wf, "wf_start_nexus");
	struct start start = { .wf = wf, .arguments = { .contract = contract, .in = in } };

	return start_operation(wf, &start, contract->name, opts, opts_size);
}

const void *wf_nexus_(struct wf *wf, const struct temporal_contract *contract, const void *in,
	const struct wf_nexus_opts *opts, size_t opts_size)
{
	return result_and_recycle(wf, contract, wf_start_nexus_(wf, contract, in, opts, opts_size));
}

static const struct remote *operation_of(
	struct wf *wf, const struct wf_future *future, const char *verb)
{
	if (future->kind != FUTURE_NEXUS)
		run_fault(wf, "InvalidArgument", "%s: the future is not that of a Nexus operation",
			verb);
	return future->remote;
}

struct wf_future *(wf_nexus_started)(struct wf *wf, struct wf_future *operation)
{
	run_acts(wf, "wf_nexus_started");
	operation_of(wf, operation, "wf_nexus_started");
	return remote_started(wf, operation);
}

const char *wf_nexus_token(const struct wf *wf, const struct wf_future *operation)
{
	return operation_of(run_of(wf), operation, "wf_nexus_token")->run_id;
}

/* ---- jobs ---- */

static void not_found(struct wf *wf, uint32_t seq)
{
	run_break(wf, "InternalError", "Failed finding the Nexus operation of sequence number %u",
		seq);
}

void operation_started(struct wf *wf, const struct activation_job *job)
{
	uint32_t seq = job->resolve_nexus_start.seq;
	bool started = job->resolve_nexus_start.status != NEXUS_START_FAILED;
	struct wf_future *future =
		started ? pending_get(&wf->operations, seq) : pending_take(&wf->operations, seq);
	const struct temporal_failure *failure;

	if (!future) {
		not_found(wf, seq);
		return;
	}
	if (started) {
		future->remote->run_id =
			arena_strdup(&wf->arena, job->resolve_nexus_start.operation_token);
		if (!future->remote->run_id)
			run_out_of_memory(wf);
		remote_has_started(wf, future);
		return;
	}
	failure = convert_failure_from_api(&wf->arena, job->resolve_nexus_start.failure);
	if (failure)
		remote_not_started(wf, future, failure);
	else
		run_out_of_memory(wf);
}

void operation_resolve(struct wf *wf, uint32_t seq, const struct resolution *resolution)
{
	struct wf_future *future = pending_take(&wf->operations, seq);

	if (!future) {
		not_found(wf, seq);
		return;
	}
	result_settle(wf, future, resolution);
	if (!future->remote->started)
		remote_not_started(wf, future, future->failure);
}

void operation_cancel(struct wf *wf, struct wf_future *future)
{
	struct command *command = run_command(wf, COMMAND_REQUEST_CANCEL_NEXUS);

	if (command)
		command->request_cancel_nexus.seq = future->seq;
	else
		run_out_of_memory(wf);
}
