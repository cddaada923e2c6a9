/*
 * step.c: what the engine says next. step_settle() is the heart: it applies history until the
 * workflow has something to do, a page is missing, or all is done and the answer can go.
 *
 *	jobs have come                       --> ACTIVATE
 *	the next sequence is not in hand     --> FETCH_HISTORY
 *	history is used up, queries unasked  --> ACTIVATE (queries alone)
 *	history is used up                   --> RESPOND_COMPLETED, or IDLE with nobody to tell
 *	anything has failed                  --> RESPOND_FAILED, RESPOND_QUERY, or fail the run
 *
 * Order matters: commands are made into messages before a step leaves (the workflow's memory is
 * only borrowed), and queries are asked only when the workflow has seen all of history, since they
 * must show the run as it is after it.
 *
 * The thread that owns the run.
 *
 * A task ends in step_idle() or step_evict(), which free it; but for a replay, which ends in
 * conclude(), and a task whose answer brings the next one (task.c). A wish to evict
 * (run_want_eviction) may come up at any time; it is kept and obeyed only when the answer is out,
 * since the server must hear first.
 */
#include <stdio.h>

#include "engine/task.h"

/*
 * The message is copied into the run: the task's arena, where it mostly comes from, is freed before
 * the workflow reads it. The newest wish counts; it is the better informed.
 */
void run_want_eviction(struct engine_run *run, enum eviction_reason reason, const char *message)
{
	run->evicting = true;
	run->evict_reason = reason;
	snprintf(run->evict_message, sizeof(run->evict_message), "%s", text_or_empty(message));
}

/* Without even a task to say it with. The server lets the task time out. */
struct engine_step step_no_memory(struct engine_run *run)
{
	run->evicting = true;
	run->evict_reason = EVICTION_FATAL;
	snprintf(run->evict_message, sizeof(run->evict_message), "out of memory");
	run->outstanding = RESPONSE_OUT;
	return (struct engine_step){
		.action = ENGINE_RESPOND_FAILED,
		.failure_text = "out of memory",
	};
}

/*
 * Then the activation counts as replay: a query may see, but must not do, anything. It also keeps a
 * query from being logged as news, and its activation from being taken for the run's own progress.
 */
static bool only_queries(const struct task *task)
{
	for (size_t i = 0; i < task->n_jobs; i++)
		if (task->jobs[i].kind != JOB_QUERY_WORKFLOW)
			return false;
	return true;
}

/*
 * A task that is new is this worker's; of one that is replayed, history says whose it was. So a
 * workflow that asks for its build id gets the same answer on every replay, whoever replays.
 */
static void fill_activation(struct engine_run *run, struct activation *activation)
{
	const struct task *task = run->task;
	bool replaying = run->replaying || only_queries(task);
	const char *name = run->deployment_name, *build_id = run->build_id;

	if (!replaying) {
		name = run->config->deployment_name;
		build_id = run->config->build_id;
	}
	*activation = (struct activation){
		.run_id = run->run_id,
		.time_ns = run->time_ns,
		.is_replaying = replaying,
		.history_length = (uint32_t)run->last_event_id,
		.history_size_bytes = run->history_size_bytes,
		.continue_as_new_suggested = run->continue_as_new_suggested,
		.continue_as_new_reasons = run->continue_as_new_reasons,
		.n_continue_as_new_reasons = run->n_continue_as_new_reasons,
		.internal_flags = run->flags.lang.items,
		.n_internal_flags = run->flags.lang.count,
		.deployment_name = text_or_empty(name),
		.build_id = text_or_empty(build_id),
		.last_sdk_version = text_or_empty(run->flags.sdk_version),
		.target_deployment_version_changed = run->target_version_changed,
		.jobs = task->jobs,
		.n_jobs = task->n_jobs,
	};
}

/*
 * Hands the jobs that have come together to the workflow. False: the run has failed. Sorting comes
 * last, since jobs come in the order of history but are applied by kind (job.c).
 */
static bool step_activate(struct engine_run *run, enum outstanding what, struct engine_step *step)
{
	struct activation *activation = ARENA_NEW(run_activation_arena(run), struct activation);

	if (!activation)
		return run_no_memory(run);
	if (!jobs_sort(run))
		return false;
	fill_activation(run, activation);
	run->outstanding = what;
	run->activated = true;
	run->activation_index += what == ACTIVATION_OUT;
	*step = (struct engine_step){ .action = ENGINE_ACTIVATE, .activation = activation };
	return true;
}

/*
 * The job to go; or EVICT at once, if no workflow was ever made.
 *
 * The task is ended first and a fresh one made, for nothing but the arena of this last activation.
 * Without memory for it the workflow is not told: its instance must survive to be freed without the
 * job anyway.
 */
struct engine_step step_evict(struct engine_run *run)
{
	struct engine_step step = { .action = ENGINE_EVICT };

	task_end(run);
	run->outstanding = EVICTION_OUT;
	if (!run->activated || !task_new(run, NULL))
		return step;

	struct activation_job *job = job_add(run, JOB_REMOVE_FROM_CACHE);

	if (!job)
		return step;
	job->remove_from_cache.message = run->evict_message;
	job->remove_from_cache.reason = run->evict_reason;
	if (!step_activate(run, EVICTION_OUT, &step))
		return (struct engine_step){ .action = ENGINE_EVICT };
	return step;
}

/* Does nondeterminism fail the run, rather than its task? */
static bool fails_run(const struct engine_run *run)
{
	const char *const *types = run->config->fail_types_on_nondeterminism;

	while (types && *types && !str_same(*types, text_or_empty(run->workflow_type)))
		types++;
	return run->config->fail_run_on_nondeterminism || (types && *types);
}

/*
 * A query hears why it gets no answer, unless another worker may have one: a worker that could not
 * fetch history, or whose run is behind, leaves the query to time out and be asked again elsewhere.
 *
 * Whether the run goes as well depends on what failed. An answer that was too large harms nobody; a
 * query that has expired says that the run has gone on, which is fine if the workflow exists.
 */
static struct engine_step fail_query(struct engine_run *run, struct engine_step step)
{
	const struct run_failure *why = &run->task->failure;
	const Failure__Failure *failure;

	if (!run->task->too_large && (why->reason != EVICTION_UNSPECIFIED || !run->activated))
		run_want_eviction(run, why->reason, why->text);
	if (why->reason == EVICTION_UNSPECIFIED ||
		why->reason == EVICTION_PAGINATION_OR_HISTORY_FETCH)
		return step;
	failure = respond_failure_of(run);
	if (failure)
		step.query = respond_query(run, NULL, failure, why->cause);
	if (step.query)
		step.action = ENGINE_RESPOND_QUERY;
	return step;
}

/*
 * The task cannot be done. The server hears of it on the first attempt alone: reported again, the
 * task would be handed out again at once; left to time out, it is tried at the pace of the task's
 * timeout, while somebody mends the code. Nondeterminism may, if configured so, fail the run
 * instead.
 */
struct engine_step step_fail(struct engine_run *run)
{
	struct task *task = run->task;
	const struct run_failure *why = &task->failure;
	struct engine_step step = {
		.action = ENGINE_RESPOND_FAILED,
		.failure_text = why->text,
	};

	run->outstanding = RESPONSE_OUT;
	if (task->legacy_query)
		return fail_query(run, step);
	run_want_eviction(run, why->reason, why->text);
	if (task->attempt > 1 || !task->token.len)
		return step;
	if (why->reason == EVICTION_NONDETERMINISM && fails_run(run)) {
		task->forced_completion = true;
		step.completed = respond_completed(run);
		if (step.completed)
			step.action = ENGINE_RESPOND_COMPLETED;
		return step;
	}
	step.failed = respond_failed(run);
	return step;
}

struct engine_step engine_run_give_up(struct engine_run *run, const Failure__Failure *failure)
{
	run->task->failure = (struct run_failure){
		.set = true,
		.cause = TASK_FAILED(WORKFLOW_WORKER_UNHANDLED_FAILURE),
		.reason = EVICTION_LANG_FAIL,
		.text = failure->message,
		.failure = failure,
	};
	return step_fail(run);
}

/* An empty token asks for history from its start. */
static struct engine_step step_fetch(struct engine_run *run)
{
	run->outstanding = FETCH_OUT;
	return (struct engine_step){
		.action = ENGINE_FETCH_HISTORY,
		.page_token = run->task->page_token,
	};
}

/* Are there commands that no answer has taken along? The run is then not what history says. */
static bool has_unsent(const struct engine_run *run)
{
	for (uint32_t i = run->queue.head; i < run->queue.count; i++)
		if (!run->queue.items[i].sent)
			return true;
	return false;
}

/*
 * The task is over. The order of the reasons is from the most to the least telling: the run may
 * qualify for several, and the first that is set stays.
 */
struct engine_step step_idle(struct engine_run *run)
{
	if (has_unsent(run) && !run->evicting)
		run_want_eviction(
			run, EVICTION_UNSPECIFIED, "the run has commands that cannot be sent");
	if (run->finished && !run->evicting)
		run_want_eviction(run, EVICTION_WORKFLOW_EXECUTION_ENDING, "the run has ended");
	if (!run->config->sticky_queue && !run->evicting)
		run_want_eviction(run, EVICTION_CACHE_FULL, "nothing is cached");
	if (run->evicting)
		return step_evict(run);
	task_end(run);
	run->outstanding = NOTHING_OUT;
	return (struct engine_step){ .action = ENGINE_IDLE };
}

/*
 * A legacy query is the only one of its task, and is answered by a call of its own. The jobs were
 * made when the task began (job.c) and are copied: the activation's arena is new.
 */
static bool ask_queries(struct engine_run *run, struct engine_step *step)
{
	struct task *task = run->task;

	for (size_t i = 0; i < task->n_queries; i++) {
		struct activation_job *job = job_add(run, JOB_QUERY_WORKFLOW);

		if (!job)
			return false;
		*job = task->queries[i];
	}
	task->queries_asked = true;
	return step_activate(run, task->legacy_query ? LEGACY_QUERY_OUT : QUERIES_OUT, step);
}

/* The lists are in the task's arena; a next step begins new ones. */
static void wait_locals(struct engine_run *run, struct engine_step *step)
{
	struct task *task = run->task;

	*step = (struct engine_step){
		.action = ENGINE_WAIT_LOCALS,
		.locals = (const struct local_request *const *)task->locals,
		.n_locals = task->n_locals,
		.cancels = (const struct local_request *const *)task->cancels,
		.n_cancels = task->n_cancels,
	};
	task->n_locals = task->n_cancels = 0;
	run->outstanding = LOCALS_OUT;
}

/*
 * History is used up and the workflow waits: ask what was asked, then answer. False: the run has
 * failed.
 *
 * A closed run has nothing to complete: it was handed out for its queries alone, and the server
 * knows no task of it. Unless there are answers to bring, nothing is sent.
 */
static bool conclude(struct engine_run *run, struct engine_step *step)
{
	struct task *task = run->task;

	if (task->n_queries && !task->queries_asked)
		return ask_queries(run, step);
	if (!task->response) { /* the replay of a history */
		task_end(run);
		run->outstanding = NOTHING_OUT;
		*step = (struct engine_step){ .action = ENGINE_IDLE };
		return true;
	}
	if (run->seen_final_event && !task->n_query_results) {
		*step = step_idle(run);
		return true;
	}
	if (run->n_locals && !run->finished && !run->seen_final_event && !task->heartbeat) {
		wait_locals(run, step);
		return true;
	}
	*step = (struct engine_step){
		.action = ENGINE_RESPOND_COMPLETED,
		.completed = respond_completed(run),
	};
	run->outstanding = RESPONSE_OUT;
	return step->completed;
}

/*
 * Applies history until the workflow has something to do or history ends. False: the run has
 * failed.
 *
 * A sequence may give no job (its events concern only machines), and then the next one is applied
 * in the same call, but only on replay: the last one is where the server wants its answer.
 */
static bool advance(struct engine_run *run, bool *missing_page)
{
	size_t applied;
	bool passed_by;

	*missing_page = false;
	if (run->task->ahead && !run->task->n_jobs && !locals_deliver_next(run))
		return false;
	while (!run->task->n_jobs) {
		if (!history_ready(&run->task->history, run->current_started_id)) {
			*missing_page = true;
			return true;
		}
		if (!replay_apply_next(run, &applied, &passed_by))
			return false;
		if (!passed_by && (!applied || !run->replaying))
			break;
	}
	return true;
}

/*
 * Materializing stands before every way out, also before the request for a page: all of them return
 * to the caller, after which the workflow's commands are no longer there.
 */
struct engine_step step_settle(struct engine_run *run)
{
	struct engine_step step;
	bool missing_page;

	if (run->task->failure.set || !advance(run, &missing_page) || !queue_materialize(run))
		return step_fail(run);
	if (missing_page)
		return step_fetch(run);
	if (run->task->n_jobs) {
		if (!step_activate(run, ACTIVATION_OUT, &step))
			return step_fail(run);
		return step;
	}
	if (!conclude(run, &step))
		return step_fail(run);
	return step;
}
