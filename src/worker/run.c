/*
 * run.c: drives a run's engine and its workflow code from step to step.
 *
 * A run is always with exactly one thread: the loop, which does all that needs the network
 * (`go`), or the workflow thread that the run is pinned to, which does all that computes
 * (`worker_run_work`). It changes hands through the thread's queue one way, and by rpc_loop_post
 * the other. The engine itself does not care which thread calls it, so the loop takes the small
 * step after an answer (engine_run_responded) itself: a task costs one wake-up each way.
 *
 *	loop    poll -> [task] ............... [respond] - RPC - [responded] -> rests
 *	thread            `-> engine, code ... --^
 *
 * Slots: `holds_slot` from the task to the step IDLE, or to the activation that only removes the
 * run; a task that is kept back in `next` holds another one.
 */
#include "worker/run.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "rpc/methods.h"
#include "worker/event.h"
#include "worker/limits.h"
#include "worker/local.h"
#include "worker/metrics.h"
#include "worker/oversize.h"
#include "worker/pages.h"
#include "worker/report.h"
#include "worker/worker.h"

static struct worker_run *run_of(struct worker_cache_entry *entry)
{
	return (struct worker_run *)((char *)entry - offsetof(struct worker_run, entry));
}

static struct worker_run_message take_over(const void *message, struct arena *arena)
{
	struct worker_run_message moved = { message, *arena };

	*arena = (struct arena){ 0 };
	return moved;
}

static void message_finish(struct worker_run_message *message)
{
	arena_finish(&message->arena);
	*message = (struct worker_run_message){ 0 };
}

/* ---- the thread ---- */

static void tell_started(struct worker_run *run, const struct activation *activation)
{
	if (activation->is_replaying || activation->n_jobs == 0 ||
		activation->jobs[0].kind != JOB_INITIALIZE_WORKFLOW)
		return;
	const struct activation_initialize *initialize = activation->jobs[0].initialize;

	worker_event(run->worker,
		(struct temporal_worker_event){ .kind = TEMPORAL_EVENT_WORKFLOW_STARTED,
			.workflow_type = initialize->workflow_type,
			.workflow_id = initialize->workflow_id,
			.run_id = run->run_id });
}

static bool only_leaves(const struct activation *activation)
{
	return activation->n_jobs == 1 && activation->jobs[0].kind == JOB_REMOVE_FROM_CACHE;
}

static void activate(struct worker_run *run)
{
	const struct activation *activation = run->step.activation;
	Failure__Failure no_memory = FAILURE__FAILURE__INIT;
	struct completion own = {
		.failed = false
	}; /* the answer where there is no instance to ask */
	const struct completion *completion = &own;
	bool leaves = only_leaves(activation);

	if (!run->instance && !leaves)
		run->instance = wf_instance_new(run->thread->wf, run->run_id);
	worker_metrics_activation(run, activation);
	if (run->instance) {
		tell_started(run, activation);
		if (run->thread->watched)
			worker_workflow_thread_enter(run->thread, run);
		completion = wf_instance_activate(run->instance, activation);
		if (run->thread->watched && !worker_workflow_thread_leave(run->thread)) {
			run->given_up = true;
			return;
		}
	} else if (!leaves) {
		no_memory.message = "the worker has no memory for the workflow";
		own.failed = true;
		own.failure = &no_memory;
	}
	run->step = engine_run_complete(run->engine, completion);
	if (run->instance)
		wf_instance_done(run->instance);
}

static void begin_job(struct worker_run *run)
{
	switch (run->job) {
	case WORKER_RUN_TASK:
		run->step = engine_run_task(run->engine, run->input.message, &run->input.arena);
		break;
	case WORKER_RUN_HISTORY:
		run->step = engine_run_history(
			run->engine, run->input.message, &run->input.arena, run->code);
		break;
	case WORKER_RUN_EVICT:
		run->step = engine_run_evict(run->engine, EVICTION_CACHE_FULL, "the cache is full");
		break;
	case WORKER_RUN_LOCALS:
		run->step = engine_run_locals(run->engine, run->results, run->n_results);
		break;
	case WORKER_RUN_BEAT:
		run->step = engine_run_heartbeat(run->engine);
		break;
	case WORKER_RUN_ABANDON:
		run->step.action = ENGINE_EVICT;
		break;
	case WORKER_RUN_ACTIVATE:
		break;
	}
	message_finish(&run->input);
}

static void came_back(struct rpc_task *task);

void worker_run_work(struct worker_run *run)
{
	begin_job(run);
	while (run->step.action == ENGINE_ACTIVATE && !run->given_up)
		activate(run);
	if (run->step.action == ENGINE_EVICT) {
		wf_instance_free(run->instance);
		run->instance = NULL;
	}
	/* Measuring costs a system call or two, so only for a cache that is limited by it; and the
	 * engine of a run that was given up is the loop's at the moment. */
	if (run->worker->opts.max_cached_bytes > 0 && !run->given_up)
		run->memory = engine_run_memory(run->engine) +
			      (run->instance ? wf_instance_memory(run->instance) : 0);
	if (run->thread->here)
		came_back(&run->back); /* the run may be gone now */
	else
		rpc_loop_post(run->worker->loop, &run->back);
}

/* ---- the loop ---- */

static void go(struct worker_run *run);

static void leave_thread(struct worker_run *run);

static void post(struct worker_run *run, enum worker_run_job job)
{
	run->job = job;
	if (run->thread->stuck && job != WORKER_RUN_ABANDON) {
		leave_thread(run);
		return;
	}
	worker_workflow_thread_post(run->thread, run, false);
}

/* Tells the channel that no reply drives this run any more. */
static void close_work(struct worker_run *run)
{
	if (run->work)
		rpc_channel_work(run->work, -1);
	run->work = NULL;
}

/*
 * For what nobody waits for: the run has ended, or the cache drops it. With a task kept back in
 * `next` somebody does: the server may give out the next task before its answer to the last one.
 */
static void post_quietly(struct worker_run *run, enum worker_run_job job)
{
	bool quiet = run->worker->phase == WORKER_RUNNING && !run->next.message;

	if (run->thread->stuck) {
		post(run, job);
		return;
	}
	close_work(run);
	run->job = job;
	worker_workflow_thread_post(run->thread, run, quiet);
}

static struct temporal_slot_use use_of(const char *workflow_type)
{
	return (struct temporal_slot_use){ .workflow_type = workflow_type ? workflow_type : "",
		.activity_type = "",
		.nexus_service = "",
		.nexus_operation = "" };
}

static void release_slot(struct worker_run *run)
{
	if (!run->holds_slot)
		return;
	const struct temporal_slot_use use = use_of(engine_run_workflow_type(run->engine));

	run->holds_slot = false;
	worker_slots_return(&run->worker->workflow_slots, &run->slot, &use);
}

static void begin(
	struct worker_run *run, struct worker_run_message task, const struct worker_slot *slot)
{
	worker_cache_use(&run->worker->cache, &run->entry);
	run->holds_slot = true;
	run->slot = *slot;
	run->begun_ns = rpc_now_ns();
	worker_metrics_begins(run, task.message);
	run->input = task;
	post(run, WORKER_RUN_TASK);
}

/* Drops what is too much in the cache. */
static void trim(struct temporal_worker *worker)
{
	struct worker_cache_entry *entry = worker_cache_surplus(&worker->cache);

	for (; entry; entry = worker_cache_surplus(&worker->cache)) {
		worker_cache_drop(&worker->cache, entry);
		worker_metrics_evicted(worker);
		post_quietly(run_of(entry), WORKER_RUN_EVICT);
	}
}

static void rest(struct worker_run *run)
{
	struct temporal_worker *worker = run->worker;
	struct worker_run_message next = run->next;

	if (run->thread->stuck) {
		leave_thread(run);
		return;
	}
	release_slot(run);
	worker_cache_rest(&worker->cache, &run->entry, run->memory);
	run->next = (struct worker_run_message){ 0 };
	if (next.message)
		begin(run, next, &run->next_slot);
	trim(worker);
	worker_pollers_pump(worker);
	worker_advance(worker);
}

static void start_run(struct temporal_worker *worker, struct worker_run_message task,
	const struct worker_slot *slot);

static void gone(struct worker_run *run)
{
	struct temporal_worker *worker = run->worker;
	struct worker_run_message next = run->next;
	const struct worker_slot slot = run->next_slot;

	worker_event(
		worker, (struct temporal_worker_event){ .kind = TEMPORAL_EVENT_WORKFLOW_EVICTED,
				.workflow_type = engine_run_workflow_type(run->engine),
				.workflow_id = engine_run_workflow_id(run->engine),
				.run_id = run->run_id });
	release_slot(run);
	worker_locals_drop(run);
	if (run->detached)
		worker->detached_runs--;
	else
		worker_cache_remove(&worker->cache, &run->entry);
	close_work(run);
	worker_workflow_thread_unpin(run->thread);
	engine_run_free(run->engine);
	message_finish(&run->input);
	mem_free(run->eager_slots);
	mem_free(run);
	if (next.message)
		start_run(worker, next, &slot);
	worker_pollers_pump(worker);
	worker_advance(worker);
}

static void fetched(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;

	if (reply->code != TEMPORAL_OK)
		worker_log(run->worker, TEMPORAL_LOG_WARN, "fetching the history of run %s: %s",
			run->run_id, reply->error.message);
	run->code = reply->code;
	run->input = take_over(reply->code == TEMPORAL_OK ? reply->message : NULL, &reply->arena);
	post(run, WORKER_RUN_HISTORY);
}

static bool fetch(struct worker_run *run, struct temporal_error *err)
{
	struct rpc_request request = {
		.method = &rpc_workflow_get_workflow_execution_history,
		.retry = RPC_RETRY_CALL,
		.done = fetched,
		.user = run,
	};
	Common__WorkflowExecution execution = COMMON__WORKFLOW_EXECUTION__INIT;
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;

	execution.workflow_id = engine_run_workflow_id(run->engine);
	execution.run_id = run->run_id;
	message.namespace_ = run->worker->namespace_;
	message.execution = &execution;
	message.next_page_token.data = run->step.page_token.ptr;
	message.next_page_token.len = run->step.page_token.len;
	request.message = &message;
	return rpc_start(run->worker->channel, &request, err) != NULL;
}

static void responded(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;
	bool completed = run->step.action == ENGINE_RESPOND_COMPLETED;

	if (run->page && worker_pages_lost(run, reply)) {
		arena_finish(&reply->arena);
		go(run);
		return;
	}
	run->page = run->page_losses = 0;
	run->page_begin = 0;
	if (completed)
		worker_report_completed(run, reply);
	else if (reply->code != TEMPORAL_OK) /* NOT_FOUND: the run has been ended meanwhile */
		worker_log(run->worker,
			reply->code == TEMPORAL_NOT_FOUND ? TEMPORAL_LOG_DEBUG : TEMPORAL_LOG_WARN,
			"answering a workflow task of run %s: %s", run->run_id,
			reply->error.message);
	const Workflowservice__RespondWorkflowTaskCompletedResponse *response =
		completed && reply->code == TEMPORAL_OK ? reply->message : NULL;

	if (response && response->workflow_task)
		run->begun_ns = rpc_now_ns();
	run->step = engine_run_responded(
		run->engine, reply->code, reply->error.message, response, &reply->arena);
	arena_finish(&reply->arena);
	go(run);
}

/* The next page, or all of them again; or the answer has failed, as if it had been one. */
static void page_taken(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;

	if (!worker_pages_taken(run, reply)) {
		responded(call, reply, user);
		return;
	}
	arena_finish(&reply->arena);
	go(run);
}

/* The answer was larger than the namespace takes: as if the server had refused it. */
static void failed_instead(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;
	struct arena none = { 0 };

	arena_finish(&reply->arena);
	run->step = engine_run_responded(
		run->engine, TEMPORAL_INVALID_ARGUMENT, "payloads are too large", NULL, &none);
	go(run);
}

static void answered(struct worker_run *run)
{
	worker_metrics_answered(run);
	worker_count_task(
		run->worker, TEMPORAL_SLOT_WORKFLOW, run->step.action == ENGINE_RESPOND_FAILED);
}

/* Sends what the step has made; false: it could not be sent, `err` says why, or (OK) there is
 * nothing to send. */
static bool respond(struct worker_run *run, struct temporal_error *err)
{
	struct rpc_request request = { .retry = RPC_RETRY_CALL, .done = responded, .user = run };
	Workflowservice__RespondWorkflowTaskCompletedRequest page;
	bool last = true;

	request.lazy = worker_slots_plenty(&run->worker->workflow_slots) &&
		       worker_slots_plenty(&run->worker->activity_slots);

	switch (run->step.action) {
	case ENGINE_RESPOND_COMPLETED:
		if (!run->page && !run->page_losses) {
			const char *why = worker_oversize_completion(
				&run->worker->oversize, run->step.completed);

			if (why)
				return worker_oversize_fail(run, why, failed_instead, err);
			worker_report_completing(run);
		}
		request.method = &rpc_workflow_respond_workflow_task_completed;
		request.message = worker_pages_next(run, &page, &last);
		if (!last)
			request.done = page_taken;
		break;
	case ENGINE_RESPOND_FAILED:
		worker_report_failing(run);
		request.method = &rpc_workflow_respond_workflow_task_failed;
		request.message = run->step.failed;
		break;
	default:
		request.method = &rpc_workflow_respond_query_task_completed;
		request.message = run->step.query;
		break;
	}
	if (!request.message)
		return false;
	if (rpc_start(run->worker->channel, &request, err)) {
		if (last)
			answered(run);
		return true;
	}
	worker_log(run->worker, TEMPORAL_LOG_ERROR, "answering a workflow task of run %s: %s",
		run->run_id, err->message);
	return false;
}

/* ---- local activities ---- */

static void stop_waiting(struct worker_run *run)
{
	rpc_timer_stop(&run->beat);
	if (!run->link_local)
		return;
	*run->link_local = run->next_local;
	if (run->next_local)
		run->next_local->link_local = run->link_local;
	run->link_local = NULL;
}

static void task_is_old(struct rpc_timer *timer)
{
	struct worker_run *run =
		(struct worker_run *)((char *)timer - offsetof(struct worker_run, beat));

	stop_waiting(run);
	post(run, WORKER_RUN_BEAT);
}

static void start_waiting(struct worker_run *run)
{
	struct temporal_worker *worker = run->worker;
	int64_t timeout_ms = engine_run_task_timeout_ms(run->engine);

	run->next_local = worker->local_runs;
	run->link_local = &worker->local_runs;
	if (run->next_local)
		run->next_local->link_local = &run->next_local;
	worker->local_runs = run;
	if (timeout_ms > 0 && timeout_ms < WORKER_DURATION_MAX_MS)
		rpc_timer_set(worker->loop, &run->beat,
			run->begun_ns + (int64_t)((double)timeout_ms * WORKER_TASK_HEARTBEAT * 1e6),
			task_is_old);
}

/* What has ended meanwhile goes to the run at once, all of it together. */
void worker_run_local_done(struct worker_run *run)
{
	struct arena arena;

	if (!run->link_local)
		return; /* it is with its thread, or being answered: it will look */
	arena_init(&arena, 512, ARENA_NO_BUDGET);
	run->results = worker_locals_take(run, &arena, &run->n_results);
	if (!run->results) {
		arena_finish(&arena);
		return;
	}
	stop_waiting(run);
	run->input = take_over(run->results, &arena);
	post(run, WORKER_RUN_LOCALS);
}

/* The task is answered with what there is so far, and the rest is another worker's. */
void worker_run_stops(struct worker_run *run)
{
	if (!run->worker->cancels_activities || !run->link_local || worker_locals_run(run))
		return;
	stop_waiting(run);
	post(run, WORKER_RUN_BEAT);
}

static void wait_locals(struct worker_run *run)
{
	worker_locals_begin(run); /* none of which tells us before we wait */
	start_waiting(run);
	worker_locals_pump(run->worker); /* some may wait since it was with its thread */
	worker_run_local_done(run);
	worker_run_stops(run);
}

/* Does the run's next step, and those that follow from it at once. */
static void go(struct worker_run *run)
{
	for (;;) {
		struct temporal_error err = { .code = TEMPORAL_OK };
		struct arena none = { 0 };

		switch (run->step.action) {
		case ENGINE_ACTIVATE:
			if (only_leaves(run->step.activation)) {
				/* The server has the answer: the slot is free. */
				release_slot(run);
				worker_pollers_pump(run->worker);
				post_quietly(run, WORKER_RUN_ACTIVATE);
			} else {
				post(run, WORKER_RUN_ACTIVATE);
			}
			return;
		case ENGINE_FETCH_HISTORY:
			if (fetch(run, &err))
				return;
			run->step = engine_run_history(run->engine, NULL, &none, err.code);
			break;
		case ENGINE_RESPOND_COMPLETED:
		case ENGINE_RESPOND_FAILED:
		case ENGINE_RESPOND_QUERY:
			if (respond(run, &err))
				return;
			worker_report_unsent(run);
			run->step = engine_run_responded(
				run->engine, err.code, err.message, NULL, &none);
			break;
		case ENGINE_WAIT_LOCALS:
			wait_locals(run);
			return;
		case ENGINE_IDLE:
			rest(run);
			return;
		case ENGINE_EVICT:
			if (!run->instance) {
				gone(run);
				return;
			}
			post(run, WORKER_RUN_ACTIVATE); /* the thread has to free it */
			return;
		}
	}
}

static void came_back(struct rpc_task *task)
{
	struct worker_run *run =
		(struct worker_run *)((char *)task - offsetof(struct worker_run, back));

	worker_locals_taken(run);
	if (run->given_up && run->job != WORKER_RUN_ABANDON)
		post(run, WORKER_RUN_ABANDON);
	else
		go(run);
}

static struct worker_run *run_new(struct temporal_worker *worker, const char *run_id)
{
	size_t len = strlen(run_id) + 1;
	struct worker_run *run = mem_zalloc(sizeof(*run) + len);

	if (!run)
		return NULL;
	memcpy(run->run_id, run_id, len);
	run->worker = worker;
	run->back.run = came_back;
	run->entry.run_id = run->run_id;
	run->thread = worker_workflow_threads_pick(&worker->workflow_threads);
	if (run->thread)
		run->engine = engine_run_new(&worker->engine, run->run_id);
	if (run->engine)
		return run;
	mem_free(run);
	return NULL;
}

/* A task for a run that is not in memory. */
static void start_run(struct temporal_worker *worker, struct worker_run_message task,
	const struct worker_slot *slot)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *response = task.message;
	struct worker_run *run = run_new(worker, response->workflow_execution->run_id);

	if (!run) {
		/* The server gives the task out again when it has timed out. */
		worker_log(worker, TEMPORAL_LOG_ERROR,
			"no memory or thread for a task of workflow %s",
			response->workflow_execution->workflow_id);
		message_finish(&task);
		worker_slots_return_unused(&worker->workflow_slots, slot);
		return;
	}
	run->thread->runs++;
	worker_cache_add(&worker->cache, &run->entry);
	run->work = worker->channel;
	rpc_channel_work(run->work, 1);
	begin(run, task, slot);
	trim(worker);
}

static void keep_back(
	struct worker_run *run, struct worker_run_message task, const struct worker_slot *slot)
{
	if (run->next.message) {
		/* A newer task makes the older one void. */
		message_finish(&run->next);
		worker_slots_return_unused(&run->worker->workflow_slots, &run->next_slot);
	}
	run->next = task;
	run->next_slot = *slot;
	/* If it is on its way out, quietly, it should hurry. */
	worker_workflow_thread_wake(run->thread);
}

/* To the run, if it is in memory. */
static void hand_out(struct temporal_worker *worker, struct worker_run_message task,
	const struct worker_slot *slot)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *response = task.message;
	struct worker_cache_entry *entry =
		worker_cache_find(&worker->cache, response->workflow_execution->run_id);

	if (!entry)
		start_run(worker, task, slot);
	else if (entry->rests)
		begin(run_of(entry), task, slot);
	else
		keep_back(run_of(entry), task, slot);
}

/* A history that goes on where an earlier task ended: is its run here? */
static void count_cache(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *task, bool cached)
{
	const History__History *history = task->history;

	if (!history || history->n_events == 0 || history->events[0]->event_id <= 1)
		return;
	worker->stats.cache_hits += cached;
	worker->stats.cache_misses += !cached;
}

void worker_run_task(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *response, struct arena *arena,
	struct worker_slot *slot)
{
	if (!response->workflow_execution || str_empty(response->workflow_execution->run_id)) {
		worker_log(worker, TEMPORAL_LOG_ERROR,
			"the server sent a workflow task that names no run");
		worker_slots_return_unused(&worker->workflow_slots, slot);
		return;
	}
	const struct temporal_slot_use use =
		use_of(response->workflow_type ? response->workflow_type->name : "");

	worker_slots_use(&worker->workflow_slots, slot, &use);
	worker_report_received(worker, response);
	struct worker_cache_entry *entry =
		worker_cache_find(&worker->cache, response->workflow_execution->run_id);
	count_cache(worker, response, entry && !entry->leaves);
	worker_metrics_workflow_task(worker, response, entry && !entry->leaves);
	hand_out(worker, take_over(response, arena), slot);
}

/* ---- a thread is stuck ---- */

/*
 * Its thread may never come back, and nobody else may touch its coroutines: they stay there, while
 * tasks from now on make the run anew on another thread.
 */
static void detach(struct worker_run *run)
{
	struct temporal_worker *worker = run->worker;
	struct worker_run_message task = { 0 }, next = run->next;
	const struct worker_slot slot = run->slot, next_slot = run->next_slot;

	if (run->job == WORKER_RUN_TASK && run->input.message) { /* it was not begun */
		task = run->input;
		run->input = (struct worker_run_message){ 0 };
		run->holds_slot = false;
	}
	run->next = (struct worker_run_message){ 0 };
	release_slot(run);
	stop_waiting(run);
	worker_locals_drop(run);
	close_work(run);
	worker_metrics_evicted(worker);
	worker_cache_remove(&worker->cache, &run->entry);
	run->detached = true;
	worker->detached_runs++;
	post(run, WORKER_RUN_ABANDON);
	if (task.message)
		hand_out(worker, task, &slot);
	if (next.message)
		hand_out(worker, next, &next_slot);
}

static void leave_thread(struct worker_run *run)
{
	struct temporal_worker *worker = run->worker;

	detach(run);
	worker_pollers_pump(worker);
	worker_advance(worker);
}

void worker_runs_leave(struct worker_workflow_thread *thread, struct worker_run *queued)
{
	struct temporal_worker *worker = thread->worker;
	struct worker_run *next;

	for (; queued; queued = next) {
		next = queued->queue_next;
		detach(queued);
	}
	/* Those that rest have no task, so nothing else happens to the list meanwhile. */
	for (struct worker_cache_entry *entry = worker->cache.newest, *older; entry;
		entry = older) {
		older = entry->older;
		if (run_of(entry)->thread == thread)
			detach(run_of(entry));
	}
	worker_pollers_pump(worker);
	worker_advance(worker);
}

static void told(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct temporal_worker *worker = user;

	if (reply->code != TEMPORAL_OK && reply->code != TEMPORAL_NOT_FOUND)
		worker_log(worker, TEMPORAL_LOG_WARN, "failing a workflow task: %s",
			reply->error.message);
	arena_finish(&reply->arena);
	worker->open_calls--;
	worker_advance(worker);
}

/* The run itself goes on in the cache, where tasks for it are kept back until its code returns:
 * code that never does so takes one thread, not one more with each attempt. */
void worker_run_give_up(struct worker_run *run, const Failure__Failure *failure)
{
	struct temporal_worker *worker = run->worker;
	const struct engine_step step = engine_run_give_up(run->engine, failure);
	bool query = step.action == ENGINE_RESPOND_QUERY;
	struct rpc_request request = {
		.method = query ? &rpc_workflow_respond_query_task_completed
				: &rpc_workflow_respond_workflow_task_failed,
		.message = query ? (const void *)step.query : step.failed,
		.retry = RPC_RETRY_CALL,
		.done = told,
		.user = worker,
	};

	worker_report_given_up(run, failure->message);
	if (request.message && rpc_start(worker->channel, &request, NULL))
		worker->open_calls++;
	release_slot(run);
	close_work(run);
	worker_pollers_pump(worker);
}

void worker_runs_evict_all(struct temporal_worker *worker)
{
	while (worker->cache.oldest) {
		struct worker_cache_entry *entry = worker->cache.oldest;

		worker_cache_drop(&worker->cache, entry);
		post(run_of(entry), WORKER_RUN_EVICT);
	}
}
