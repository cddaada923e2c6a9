/*
 * task.c: a run's way through one workflow task, from the caller's side. step.c says what is next.
 *
 *	idle -- engine_run_task --> step_settle()
 *	FETCH_HISTORY -- engine_run_history --> step_settle()
 *	ACTIVATE -- engine_run_complete --> step_settle(), or EVICT if that was the job
 *	RESPOND_* -- engine_run_responded --> idle, the next task, or ACTIVATE with the job to go
 *
 * Invariants: at most one of activation, page and answer is out (`outstanding`); `task` exists from
 * engine_run_task until the answer has been sent; a command lies in the workflow's memory only
 * during one call.
 *
 * The thread that owns the run.
 *
 * What lives how long:
 *
 *	task->arena           from the task to its end: the poll's response, failures, answers
 *	activations[0], [1]   in turn: jobs that are being gathered in one, while the workflow may
 *	                      still point into the other, whose activation it has just answered
 *	history's pages       until all of their events have been applied and the activation that
 *	                      shows them was answered (history_release)
 *	the run               machines, queue, flags, started event: small, and no pointer into the
 *	                      above
 *
 * The functions of engine.h assert that they are called in turn: the worker drives a run by the
 * step that it got last, so a call out of turn is a mistake of the worker and never of the network.
 */
#include "engine/task.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "proto/codec.h"

#define ACTIVATION_ARENA_FIRST 1024
#define TASK_ARENA_FIRST       1024

/*
 * An idle run is to cost little, and most runs are idle most of the time: the queue and the slabs
 * go too, when they are empty. A small queue stays, as the next task needs it again.
 */
void task_end(struct engine_run *run)
{
	struct task *task = run->task;

	if (!task)
		return;
	history_finish(&task->history);
	arena_finish(&task->activations[0]);
	arena_finish(&task->activations[1]);
	arena_finish(&task->arena);
	mem_free(task);
	run->task = NULL;
	if (run->queue.head == run->queue.count && run->queue.capacity > 4) {
		mem_free(run->queue.items);
		run->queue = (struct command_queue){ 0 };
	}
	if (!run->n_machines)
		machines_finish(run);
}

size_t task_memory(const struct task *task)
{
	if (!task)
		return 0;
	return sizeof(*task) + task->arena.held + task->activations[0].held +
	       task->activations[1].held + history_memory(&task->history);
}

/*
 * The run's new task; the arena, if any, is taken over. NULL when memory is out: the arena is freed
 * then. The caller's arena is left empty and usable in both cases.
 */
struct task *task_new(struct engine_run *run, struct arena *arena)
{
	struct task *task = mem_zalloc(sizeof(*task));

	if (!task) {
		if (arena)
			arena_finish(arena);
		return NULL;
	}
	if (arena) {
		task->arena = *arena;
		arena_init(arena, TASK_ARENA_FIRST, ARENA_NO_BUDGET);
		task->arena.budget = ARENA_NO_BUDGET; /* that was for what came from the network */
	} else {
		arena_init(&task->arena, TASK_ARENA_FIRST, ARENA_NO_BUDGET);
	}
	arena_init(&task->activations[0], ACTIVATION_ARENA_FIRST, ARENA_NO_BUDGET);
	arena_init(&task->activations[1], ACTIVATION_ARENA_FIRST, ARENA_NO_BUDGET);
	task->attempt = 1;
	run->task = task;
	return task;
}

/* The page that brought the token may be freed before it is used. */
static bool keep_token(struct task *task, ProtobufCBinaryData token)
{
	task->page_token = (struct bytes){ 0 };
	if (!token.len)
		return true;
	task->page_token.ptr = arena_memdup(&task->arena, token.data, token.len);
	task->page_token.len = token.len;
	return task->page_token.ptr;
}

/*
 * There are no more pages. A history that ends before the event that the task was started with is
 * not the one that the server meant: to go on would mean to answer for events that nobody has seen.
 */
static bool end_of_history(struct engine_run *run)
{
	struct history *history = &run->task->history;
	int64_t last_id = run->last_event_id;

	if (!history_end(history))
		return run_no_memory(run);
	if (history->head < history->count &&
		history->events[history->count - 1]->event_id > last_id)
		last_id = history->events[history->count - 1]->event_id;
	if (last_id < history->started_id)
		return run_fatal(run,
			"history ends with event %lld, but the task was started with event %lld",
			(long long)last_id, (long long)history->started_id);
	return true;
}

/*
 * Takes the events of the poll, or sees that history has to come from its start. Four cases, by the
 * first event's id and what the run has applied:
 *
 *	nothing applied, starts at 1        all of history: take it
 *	continues where the run stands      a sticky task: take it
 *	overlaps what the run has seen      take it; history_add and replay leave out the rest
 *	a gap, or no events for a new run   the cache has lost the run: hold these, fetch from 1
 *
 * The held events are the newest: the server gives them with the poll alone, so they are appended
 * when the pages have ended (history_end).
 */
static bool begin_history(struct engine_run *run)
{
	struct task *task = run->task;
	const History__History *history = task->response->history;
	size_t count = history ? history->n_events : 0;
	int64_t first_id = count ? history->events[0]->event_id : 0;
	bool from_start =
		run->last_event_id == 0 ? first_id != 1 : first_id > run->last_event_id + 1;

	if (!count && !task->n_queries)
		return run_fatal(run, "the task has neither history nor queries");
	if (from_start) {
		task->history.held = count ? history->events : NULL;
		task->history.n_held = count;
		return true;
	}
	if (!keep_token(task, task->response->next_page_token) ||
		(count && !history_add(&task->history, history->events, count, NULL)))
		return run_no_memory(run);
	return task->page_token.len || end_of_history(run);
}

/*
 * A query's task that is older than what the run has seen cannot be answered any more. Such a query
 * fails as EVICTION_UNSPECIFIED, by which step_fail() tells that it is not the run's fault.
 * `replaying` begins true if the workflow has had a task before: replay.c turns it off at the first
 * news.
 */
static bool begin_task(
	struct engine_run *run, const Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	struct task *task = run->task;
	const Common__WorkflowExecution *execution = response->workflow_execution;

	task->response = response;
	task->attempt = response->attempt;
	task->token = (struct bytes){ response->task_token.data, response->task_token.len };
	task->history.previous_started_id = response->previous_started_event_id;
	task->history.started_id = response->started_event_id;
	run->replaying = response->previous_started_event_id > 0;
	if (execution && !run_set_text(&run->workflow_id, execution->workflow_id))
		return run_no_memory(run);
	if (!task->token.len)
		return run_fatal(run, "the task has no token");
	if (!queries_take(run, response) || !protocol_take(run))
		return false;
	if (task->legacy_query && !response->started_event_id &&
		response->previous_started_event_id < run->current_started_id) {
		run_fatal(run, "the query has expired: the run has gone on since");
		task->failure.reason = EVICTION_UNSPECIFIED;
		return false;
	}
	return begin_history(run);
}

struct engine_step engine_run_task(struct engine_run *run,
	const Workflowservice__PollWorkflowTaskQueueResponse *response, struct arena *arena)
{
	assert(!run->task && run->outstanding == NOTHING_OUT);
	if (!task_new(run, arena))
		return step_no_memory(run);
	if (!begin_task(run, response))
		return step_fail(run);
	return step_settle(run);
}

/*
 * The limit is against a server (or a proxy) that repeats itself: every page costs memory, and a
 * run of the largest history that a server keeps has far fewer.
 */
static bool add_page(struct engine_run *run,
	const Workflowservice__GetWorkflowExecutionHistoryResponse *page, struct arena *arena)
{
	struct task *task = run->task;
	unsigned pages_max =
		run->config->history_pages_max ? run->config->history_pages_max : ENGINE_PAGES_MAX;
	const History__History *history = page->history;
	bool ok;

	if (++task->n_pages > pages_max)
		return run_fatal(run, "history has more than %u pages", pages_max);
	if (!keep_token(task, page->next_page_token))
		return run_no_memory(run);
	ok = history_add(&task->history, history ? history->events : NULL,
		history ? history->n_events : 0, arena);
	if (!ok)
		return run_no_memory(run);
	return task->page_token.len || end_of_history(run);
}

struct engine_step engine_run_history(struct engine_run *run,
	const Workflowservice__GetWorkflowExecutionHistoryResponse *page, struct arena *arena,
	enum temporal_code code)
{
	assert(run->outstanding == FETCH_OUT);
	run->outstanding = NOTHING_OUT;
	if (!page) {
		run_fatal(run, "history could not be fetched (error code %d)", (int)code);
		run->task->failure.reason = EVICTION_PAGINATION_OR_HISTORY_FETCH;
		return step_fail(run);
	}
	if (!add_page(run, page, arena))
		return step_fail(run);
	return step_settle(run);
}

/*
 * What the workflow says why it could not do the activation. The failure is copied: it lies in the
 * workflow's memory, which is its own again when this call returns. If there is no memory for the
 * copy, the text is sent alone.
 */
static void note_failed_completion(struct engine_run *run, const struct completion *completion)
{
	struct task *task = run->task;
	const char *message = completion->failure ? completion->failure->message : NULL;

	run_fatal(run, "%s", str_empty(message) ? "the workflow's code failed" : message);
	if (completion->cause)
		task->failure.cause = completion->cause;
	task->failure.reason = task->failure.cause == TASK_FAILED(NON_DETERMINISTIC_ERROR)
				       ? EVICTION_NONDETERMINISM
				       : EVICTION_LANG_FAIL;
	if (completion->failure)
		task->failure.failure = proto_copy(&task->arena, completion->failure);
}

/* The answer to a legacy query leaves the run as it was: no command, no flag is taken. */
static struct engine_step answer_legacy_query(
	struct engine_run *run, const struct completion *completion)
{
	const struct command_query_result *result = NULL;

	for (size_t i = 0; i < completion->n_commands; i++)
		if (completion->commands[i].kind == COMMAND_QUERY_RESULT)
			result = &completion->commands[i].query_result;
	if (!result) {
		run_fatal(run, "the workflow gave no answer to the query");
		return step_fail(run);
	}
	run->outstanding = RESPONSE_OUT;
	return (struct engine_step){
		.action = ENGINE_RESPOND_QUERY,
		.query = respond_query(run, result, NULL, 0),
	};
}

/*
 * From here on jobs are for the next activation; the last one's memory stays until that one was
 * answered in turn: commands that the workflow has just given may point into it.
 */
static void turn_activation(struct task *task)
{
	task->activation ^= 1;
	arena_reset(&task->activations[task->activation]);
	task->jobs = NULL;
	task->n_jobs = task->jobs_capacity = 0;
}

/*
 * Commands are applied before step_settle() goes on in history, and not the other way round: on
 * replay their events are the next thing in history, and find the commands in the queue.
 *
 * Pages are freed only afterwards, since strings of the commands may be those of events.
 * `next_event_id` is that of before the call: what is applied in it belongs to the next activation.
 */
struct engine_step engine_run_complete(struct engine_run *run, const struct completion *completion)
{
	enum outstanding was = run->outstanding;
	int64_t next_event_id = run->last_event_id + 1;

	assert(was == ACTIVATION_OUT || was == QUERIES_OUT || was == LEGACY_QUERY_OUT ||
		was == EVICTION_OUT);
	if (was == EVICTION_OUT)
		return (struct engine_step){ .action = ENGINE_EVICT };
	run->outstanding = NOTHING_OUT;
	turn_activation(run->task);
	if (completion->failed)
		note_failed_completion(run, completion);
	else if (was == LEGACY_QUERY_OUT)
		return answer_legacy_query(run, completion);
	else if (!flags_add_lang(&run->flags, completion->used_flags, completion->n_used_flags))
		run_no_memory(run);
	else
		commands_apply(run, completion);
	run->task->versioning_behavior = completion->versioning_behavior;

	struct engine_step step = step_settle(run);

	if (run->task)
		history_release(&run->task->history, next_event_id);
	return step;
}

/*
 * All that have ended together are told together, in one activation. What the workflow has been
 * told of the last activation is its own again, as after an answer.
 */
struct engine_step engine_run_locals(
	struct engine_run *run, const struct local_result *results, size_t n_results)
{
	assert(run->outstanding == LOCALS_OUT);
	run->outstanding = NOTHING_OUT;
	turn_activation(run->task);
	for (size_t i = 0; i < n_results; i++)
		if (!locals_result(run, &results[i]))
			break;
	return step_settle(run);
}

struct engine_step engine_run_heartbeat(struct engine_run *run)
{
	assert(run->outstanding == LOCALS_OUT);
	run->outstanding = NOTHING_OUT;
	run->task->heartbeat = true;
	return step_settle(run);
}

struct engine_step engine_run_no_memory(struct engine_run *run)
{
	assert(run->outstanding == LOCALS_OUT);
	run_fatal(run, "no memory for a local activity");
	return step_fail(run);
}

struct engine_step engine_run_drop(struct engine_run *run)
{
	assert(run->outstanding == LOCALS_OUT);
	run_want_eviction(run, EVICTION_LANG_REQUESTED, "the worker stops");
	return step_evict(run);
}

size_t engine_run_answer_bytes(const struct engine_run *run)
{
	return run->task ? run->task->arena.held : 0;
}

int64_t engine_run_task_timeout_ms(const struct engine_run *run)
{
	return run->task_timeout_ms;
}

/*
 * The server says it in three ways, which have this in common. There is no status of its own for
 * it, so the text decides.
 */
static bool is_too_large(enum temporal_code code, const char *message)
{
	return code == TEMPORAL_RESOURCE_EXHAUSTED && message && strstr(message, "larger than max");
}

/* The answer was too large for the server: say that instead, once. */
static struct engine_step step_too_large(struct engine_run *run)
{
	struct task *task = run->task;

	task->failure.set = false;
	run_fatal(run, "the answer to the workflow task is larger than the server takes");
	task->failure.failure = NULL;
	task->failure.cause = TASK_FAILED(GRPC_MESSAGE_TOO_LARGE);
	task->too_large = true;
	return step_fail(run);
}

/*
 * What the server has not taken is lost with the state that led to it: the run leaves the cache,
 * and comes back from history. "UnhandledCommand" is the usual case: an event came while the run
 * ended. NOT_FOUND means that the task was not this worker's any more: it had timed out, or the run
 * has ended.
 */
static void note_refused(struct engine_run *run, enum temporal_code code, const char *message)
{
	enum eviction_reason reason = EVICTION_FATAL;

	if (code == TEMPORAL_INVALID_ARGUMENT && str_same(message, "UnhandledCommand"))
		reason = EVICTION_UNHANDLED_COMMAND;
	else if (code == TEMPORAL_NOT_FOUND)
		reason = EVICTION_TASK_NOT_FOUND;
	run_want_eviction(run, reason, "the server did not take the workflow task's answer");
}

/*
 * The task was a speculative one that left no trace: history goes on behind the event `id`. A
 * speculative task is one that the server has not written into history, for an update that might be
 * rejected. If it was, the server drops the task, and says with the answer behind which event
 * history really stands. The run steps back, so that the next task's events find it there.
 */
static void reset_to(struct engine_run *run, int64_t id)
{
	run->current_started_id = id;
	/* Its scheduled and started events are not in history. */
	run->last_event_id -= run->last_event_id >= 2 ? 2 : run->last_event_id;
	run->workflow_task.scheduled_id = 0;
}

/*
 * A refused answer to a legacy query changes nothing: the asker has given up, the run is as before.
 *
 * The new task that comes with the answer is begun in this same call: it saves the poll. It is not
 * taken up by a run that has to go.
 */
struct engine_step engine_run_responded(struct engine_run *run, enum temporal_code code,
	const char *message, const Workflowservice__RespondWorkflowTaskCompletedResponse *response,
	struct arena *arena)
{
	assert(run->outstanding == RESPONSE_OUT);
	if (!run->task || run->evicting)
		return step_evict(run);

	bool legacy_query = run->task->legacy_query;

	if (is_too_large(code, message) && !run->task->too_large)
		return step_too_large(run);
	if (code && !legacy_query)
		note_refused(run, code, message);
	if (!code && response && response->reset_history_event_id > 0)
		reset_to(run, response->reset_history_event_id);
	if (code || !response || !response->workflow_task || run->evicting || run->finished)
		return step_idle(run);
	task_end(run);
	run->outstanding = NOTHING_OUT;
	return engine_run_task(run, response->workflow_task, arena);
}

struct engine_step engine_run_evict(
	struct engine_run *run, enum eviction_reason reason, const char *message)
{
	assert(run->outstanding == NOTHING_OUT);
	run_want_eviction(run, reason, message);
	return step_evict(run);
}

/*
 * The newest task that history shows as completed; what came up to it is replay. A task that is
 * only started is new, as if a server had handed it out.
 */
static int64_t last_completed_start(const History__History *history)
{
	int64_t started = 0, completed = 0;

	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED)
			started = event->event_id;
		else if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
			completed = started;
	}
	return completed;
}

/*
 * No token, no response, no queries: step.c and replay.c tell a replay by the missing response,
 * send nothing, and are strict about commands that history lacks.
 */
struct engine_step engine_run_replay(struct engine_run *run, const History__History *history,
	const char *workflow_id, struct arena *arena)
{
	assert(!run->task && run->outstanding == NOTHING_OUT);

	struct task *task = task_new(run, arena);

	if (!task)
		return step_no_memory(run);
	task->history.previous_started_id = last_completed_start(history);
	run->replaying = task->history.previous_started_id > 0;
	if (!run_set_text(&run->workflow_id, workflow_id) ||
		!history_add(&task->history, history->events, history->n_events, NULL) ||
		!history_end(&task->history))
		run_no_memory(run);
	return step_settle(run);
}
