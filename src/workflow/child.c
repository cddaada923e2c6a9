/*
 * child.c: child workflows: started, signalled, cancelled, resolved, and their results.
 *
 *	wf_start_child -> command, future in `children` -> child_started, child_resolve (jobs)
 *	    -> wf_await
 *
 * The id is made here if the caller gives none, from the run's random numbers, so that a replay has
 * the same. The future stays in `children` until the child has ended, or could not be started.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/* What start_child() and encode_call() share, over the change of stacks. */
struct start {
	struct wf *wf;
	struct arguments arguments;
	struct wf_child_opts opts;
	struct command command;
};

/* To the task's arena: the caller's options may go at once. */
static bool encode_options(struct start *start)
{
	const struct wf_child_opts *opts = &start->opts;
	struct command_start_child *child = &start->command.start_child;
	struct arena *arena = &start->wf->task;
	bool fine = options_headers(arena, &opts->headers, &child->headers) &&
		    options_memo(arena, &opts->memo, &child->memo);

	if (opts->search_attributes.count) {
		child->search_attributes =
			options_search_attributes(arena, &opts->search_attributes);
		fine = fine && child->search_attributes;
	}
	if (opts->retry) {
		child->retry_policy = options_retry(arena, opts->retry);
		fine = fine && child->retry_policy;
	}
	if (opts->priority) {
		child->priority = options_priority(arena, opts->priority);
		fine = fine && child->priority;
	}
	if (opts->versioning_override) {
		child->versioning_override = options_versioning(arena, opts->versioning_override);
		fine = fine && child->versioning_override;
	}
	if (opts->summary) {
		start->command.user_metadata = options_summary(arena, opts->summary);
		fine = fine && start->command.user_metadata;
	}
	child->task_queue = arena_strdup(arena, opts->task_queue ? opts->task_queue : "");
	child->cron_schedule = arena_strdup(arena, opts->cron_schedule ? opts->cron_schedule : "");
	return fine && child->task_queue && child->cron_schedule;
}

static void encode_call(void *arg)
{
	struct start *start = arg;

	if (!encode_options(start))
		start->arguments.err.code = TEMPORAL_NO_MEMORY;
	if (arguments_encode(&start->arguments))
		start->command.start_child.input = start->arguments.out;
}

static void check_versioning(
	struct wf *wf, const struct temporal_versioning_override *override, const char *type)
{
	if (!override)
		return;
	if (!override->deployment != !override->build_id ||
		override->auto_upgrade == !!override->build_id)
		run_fault(wf, "InvalidArgument",
			"child %s: versioning_override: expected either deployment and build_id, "
			"or "
			"auto_upgrade",
			type);
}

static void check_options(struct wf *wf, struct wf_child_opts *opts, const char *type)
{
	bool fine = options_ms(&opts->execution_timeout_ms);

	fine = options_ms(&opts->run_timeout_ms) && fine;
	fine = options_ms(&opts->task_timeout_ms) && fine;
	if (!fine)
		run_fault(wf, "InvalidArgument", "child %s: a timeout is negative", type);
	if ((unsigned)opts->parent_close > TEMPORAL_PARENT_CLOSE_REQUEST_CANCEL ||
		(unsigned)opts->id_reuse_policy > TEMPORAL_ID_REUSE_REJECT_DUPLICATE ||
		(unsigned)opts->cancellation > TEMPORAL_REMOTE_ABANDON)
		run_fault(wf, "InvalidArgument", "child %s: an option is none of its enum", type);
	check_versioning(wf, opts->versioning_override, type);
}

/* The numbers of the API's policies are the engine's; its cancellation types are not. */
static void fill_command(struct start *start, const char *type, const char *id)
{
	static const enum child_cancellation_type cancellation[] = {
		[TEMPORAL_REMOTE_WAIT_COMPLETED] = CHILD_WAIT_CANCELLATION_COMPLETED,
		[TEMPORAL_REMOTE_WAIT_REQUESTED] = CHILD_WAIT_CANCELLATION_REQUESTED,
		[TEMPORAL_REMOTE_TRY_CANCEL] = CHILD_TRY_CANCEL,
		[TEMPORAL_REMOTE_ABANDON] = CHILD_ABANDON,
	};
	const struct wf_child_opts *opts = &start->opts;
	struct command_start_child *child = &start->command.start_child;

	child->namespace_ = start->wf->info.namespace_;
	child->workflow_id = id;
	child->workflow_type = type;
	child->execution_timeout_ms = opts->execution_timeout_ms;
	child->run_timeout_ms = opts->run_timeout_ms;
	child->task_timeout_ms = opts->task_timeout_ms;
	child->parent_close_policy = (Enums__ParentClosePolicy)opts->parent_close;
	child->workflow_id_reuse_policy = (Enums__WorkflowIdReusePolicy)opts->id_reuse_policy;
	child->cancellation_type = cancellation[opts->cancellation];
}

/* Number, future and command are taken when nothing of the call can be wrong any more. */
static struct wf_future *schedule(struct wf *wf, struct start *start, const char *type)
{
	check_options(wf, &start->opts, type);
	start->arguments.arena = &wf->task;
	memory_on_thread(wf, encode_call, start);
	arguments_check(wf, &start->arguments, type);
	struct remote *remote = ARENA_NEW(&wf->arena, struct remote);
	const char *id = str_empty(start->opts.id) ? (wf_uuid4)(wf)
						   : arena_strdup(&wf->arena, start->opts.id);
	struct wf_future *future = remote && id ? future_new(wf, FUTURE_CHILD) : NULL;
	struct command *command = future ? run_command(wf, COMMAND_START_CHILD) : NULL;
	if (!command || !pending_put(&wf->children, wf->child_seq + 1, future))
		run_lacks_memory(wf);
	remote->id = id;
	remote->run_id = "";
	future->seq = ++wf->child_seq;
	future->what = type;
	future->remote = remote;
	fill_command(start, type, id);
	start->command.kind = COMMAND_START_CHILD;
	start->command.start_child.seq = future->seq;
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

static struct wf_future *start_child(struct wf *wf, struct start *start, const char *type,
	const struct wf_child_opts *given, size_t opts_size)
{
	options_copy(&start->opts, sizeof(start->opts), given, opts_size);
	if (!intercepts(wf))
		return schedule(wf, start, type);
	start->arguments.arena = &wf->task;
	struct wf_outbound out = { .name = type,
		.headers = start->opts.headers,
		.arguments = start->arguments.raw,
		.child = &start->opts };
	return intercept_out(wf, INTERCEPTED(child), &out, ask, start, &start->arguments);
}

struct wf_future *wf_start_child_raw_(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_child_opts *opts, size_t opts_size)
{
	run_acts(wf, "wf_start_child_raw");
	const char *copy = arena_strdup(&wf->arena, type);

	if (!copy)
		run_lacks_memory(wf);
	struct start start = { .wf = wf, .arguments = { .raw = in } };
	return start_child(wf, &start, copy, opts, opts_size);
}

struct wf_future *wf_start_child_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_child_opts *opts, size_t opts_size)
{
	run_acts(wf, "wf_start_child");
	struct start start = { .wf = wf, .arguments = { .contract = contract, .in = in } };

	return start_child(wf, &start, contract->name, opts, opts_size);
}

const void *wf_child_(struct wf *wf, const struct temporal_contract *contract, const void *in,
	const struct wf_child_opts *opts, size_t opts_size)
{
	return result_and_recycle(wf, contract, wf_start_child_(wf, contract, in, opts, opts_size));
}

/* A future of another kind has no child: the code is wrong, and the task fails. */
static const struct remote *child_of(
	struct wf *wf, const struct wf_future *future, const char *verb)
{
	if (future->kind != FUTURE_CHILD)
		run_fault(wf, "InvalidArgument", "%s: the future is not that of a child", verb);
	return future->remote;
}

struct wf_future *(wf_child_started)(struct wf *wf, struct wf_future *child)
{
	run_acts(wf, "wf_child_started");
	child_of(wf, child, "wf_child_started");
	return remote_started(wf, child);
}

const char *wf_child_id(const struct wf *wf, const struct wf_future *child)
{
	return child_of(run_of(wf), child, "wf_child_id")->id;
}

const char *wf_child_run_id(const struct wf *wf, const struct wf_future *child)
{
	return child_of(run_of(wf), child, "wf_child_run_id")->run_id;
}

/* ---- jobs ---- */

/* Why the server has not started it, as a child's failure with that as its cause. */
static const struct temporal_failure *not_started(
	struct wf *wf, const struct activation_resolve_child_start *job)
{
	static const char *const texts[] = { "it could not be started",
		"a workflow of that id runs already, or has run and may not run again",
		"its namespace does not exist", "its versioning override is not valid" };
	static const char *const types[] = { "ChildNotStarted", "WorkflowAlreadyStarted",
		"NamespaceNotFound", "InvalidVersioningOverride" };
	size_t n = (size_t)job->cause < sizeof(texts) / sizeof(texts[0]) ? (size_t)job->cause : 0;
	struct temporal_failure cause = {
		.type = types[n], .message = texts[n], .non_retryable = true
	};
	struct temporal_failure failure = {
		.kind = TEMPORAL_FAILURE_CHILD_WORKFLOW,
		.message = "Child workflow not started",
		.workflow_id = job->workflow_id,
		.workflow_type = job->workflow_type,
		.namespace_ = wf->info.namespace_,
		.cause = &cause,
	};

	return convert_failure_copy(&wf->arena, &failure);
}

void child_started(struct wf *wf, const struct activation_resolve_child_start *job)
{
	bool started = job->status == CHILD_START_SUCCEEDED;
	struct wf_future *future = started ? pending_get(&wf->children, job->seq)
					   : pending_take(&wf->children, job->seq);
	const struct temporal_failure *failure;

	if (!future) {
		run_break(wf, "InternalError", "Failed finding the child of sequence number %u",
			job->seq);
		return;
	}
	if (started) {
		future->remote->run_id = arena_strdup(&wf->arena, job->run_id);
		if (!future->remote->run_id)
			run_out_of_memory(wf);
		remote_has_started(wf, future);
		return;
	}
	failure = job->status == CHILD_START_FAILED
			  ? not_started(wf, job)
			  : convert_failure_from_api(&wf->arena, job->failure);
	if (failure)
		remote_not_started(wf, future, failure);
	else
		run_out_of_memory(wf);
}

/* One that ends without having started was given up. */
void child_resolve(struct wf *wf, uint32_t seq, const struct resolution *resolution)
{
	struct wf_future *future = pending_take(&wf->children, seq);

	if (!future) {
		run_break(
			wf, "InternalError", "Failed finding the child of sequence number %u", seq);
		return;
	}
	result_settle(wf, future, resolution);
	if (!future->remote->started)
		remote_not_started(wf, future, future->failure);
}

/* Only asks, as with activities: the engine knows when the workflow is to be told. */
void child_cancel(struct wf *wf, struct wf_future *future)
{
	struct command *command = run_command(wf, COMMAND_CANCEL_CHILD);

	if (!command) {
		run_out_of_memory(wf);
		return;
	}
	command->cancel_child.seq = future->seq;
	command->cancel_child.reason = wf->cancel_reason ? wf->cancel_reason : "";
}
