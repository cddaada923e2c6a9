/*
 * run.c: the life of a run on the loop: its tasks, its turns, its place in the cache, its end.
 *
 * A run is always with exactly one thread: the loop, which does all that needs the network
 * (`worker_run_go`), or the workflow thread that the run is pinned to, which does all that computes
 * (`worker_run_work`). It changes hands through the thread's queue one way, and by rpc_loop_post
 * the other. The engine itself does not care which thread calls it, so the loop takes the small
 * step after an answer (engine_run_responded) itself: a task costs one wake-up each way.
 *
 *	loop    poll -> [task] ............... [respond] - RPC - [responded] -> rests
 *	thread            `-> engine, code ... --^
 *
 * The thread's part is run_work.c; the calls are run_answer.c, local activities run_wait.c, and
 * code that does not return run_stuck.c.
 *
 * Slots: `holds_slot` from the task to the step IDLE, or to the activation that only removes the
 * run; a task that is kept back in `next` holds another one.
 */
#include "worker/run.h"

#include <string.h>

#include "base/mem.h"
#include "worker/event.h"
#include "worker/limits.h"
#include "worker/local.h"
#include "worker/metrics.h"
#include "worker/report.h"
#include "worker/run_parts.h"
#include "worker/worker.h"

void worker_run_post(struct worker_run *run, enum worker_run_job job)
{
	run->job = job;
	if (run->thread->stuck && job != WORKER_RUN_ABANDON) {
		worker_run_leave_thread(run);
		return;
	}
	worker_workflow_thread_post(run->thread, run, false);
}

void worker_run_close_work(struct worker_run *run)
{
	if (!run->counts)
		return;
	run->counts = false;
	run->worker->n_works--;
	rpc_channel_work(run->worker->channel, -1);
}

/*
 * For what nobody waits for: the run has ended, or the cache drops it. With a task kept back in
 * `next` somebody does: the server may give out the next task before its answer to the last one.
 */
static void post_quietly(struct worker_run *run, enum worker_run_job job)
{
	bool quiet = run->worker->phase == WORKER_RUNNING && !run->next.message;

	if (run->thread->stuck) {
		worker_run_post(run, job);
		return;
	}
	worker_run_close_work(run);
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

void worker_run_release_slot(struct worker_run *run)
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
	worker_run_post(run, WORKER_RUN_TASK);
}

/* Drops what is too much in the cache. */
static void trim(struct temporal_worker *worker)
{
	struct worker_cache_entry *entry = worker_cache_surplus(&worker->cache);

	for (; entry; entry = worker_cache_surplus(&worker->cache)) {
		worker_cache_drop(&worker->cache, entry);
		worker_metrics_evicted(worker);
		post_quietly(worker_run_of(entry), WORKER_RUN_EVICT);
	}
}

/*
 * What the cache charges for a run that rests: with the task gone, whose history and answer may
 * take more than all else. Only for a cache that is limited by it.
 */
static size_t memory_of(const struct worker_run *run)
{
	if (run->worker->opts.max_cached_bytes <= 0)
		return 0;
	return sizeof(*run) + strlen(run->run_id) + 1 + engine_run_memory(run->engine) +
	       (run->instance ? wf_instance_memory(run->instance) : 0);
}

static void rest(struct worker_run *run)
{
	struct temporal_worker *worker = run->worker;
	struct worker_run_message next = run->next;

	if (run->thread->stuck) {
		worker_run_leave_thread(run);
		return;
	}
	worker_run_release_slot(run);
	worker_cache_rest(&worker->cache, &run->entry, memory_of(run));
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
	worker_run_release_slot(run);
	worker_locals_drop(run);
	if (run->detached)
		worker->detached_runs--;
	else
		worker_cache_remove(&worker->cache, &run->entry);
	worker_run_close_work(run);
	worker_workflow_thread_unpin(run->thread);
	engine_run_free(run->engine);
	worker_run_message_finish(&run->input);
	mem_free(run->eager_slots);
	mem_free(run);
	if (next.message)
		start_run(worker, next, &slot);
	worker_pollers_pump(worker);
	worker_advance(worker);
}

void worker_run_go(struct worker_run *run)
{
	for (;;) {
		struct temporal_error err = { .code = TEMPORAL_OK };
		struct arena none = { 0 };

		switch (run->step.action) {
		case ENGINE_ACTIVATE:
			if (worker_run_only_leaves(run->step.activation)) {
				/* The server has the answer: the slot is free. */
				worker_run_release_slot(run);
				worker_pollers_pump(run->worker);
				post_quietly(run, WORKER_RUN_ACTIVATE);
			} else {
				worker_run_post(run, WORKER_RUN_ACTIVATE);
			}
			return;
		case ENGINE_FETCH_HISTORY:
			if (worker_run_fetch(run, &err))
				return;
			run->step = engine_run_history(run->engine, NULL, &none, err.code);
			break;
		case ENGINE_RESPOND_COMPLETED:
		case ENGINE_RESPOND_FAILED:
		case ENGINE_RESPOND_QUERY:
			if (worker_run_answer(run, &err))
				return;
			worker_report_unsent(run);
			run->step = engine_run_responded(
				run->engine, err.code, err.message, NULL, &none);
			break;
		case ENGINE_WAIT_LOCALS:
			worker_run_wait(run);
			return;
		case ENGINE_IDLE:
			rest(run);
			return;
		case ENGINE_EVICT:
			if (!run->instance) {
				gone(run);
				return;
			}
			worker_run_post(run, WORKER_RUN_ACTIVATE); /* the thread has to free it */
			return;
		}
	}
}

void worker_run_came_back(struct rpc_task *task)
{
	struct worker_run *run =
		(struct worker_run *)((char *)task - offsetof(struct worker_run, back));

	worker_locals_taken(run);
	if (run->given_up && run->job != WORKER_RUN_ABANDON)
		worker_run_post(run, WORKER_RUN_ABANDON);
	else
		worker_run_go(run);
}

static struct worker_run *run_new(struct temporal_worker *worker, const char *run_id)
{
	size_t len = strlen(run_id) + 1;
	struct worker_run *run = mem_zalloc(sizeof(*run) + len);

	if (!run)
		return NULL;
	memcpy(run->run_id, run_id, len);
	run->worker = worker;
	run->back.run = worker_run_came_back;
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
		worker_run_message_finish(&task);
		worker_slots_return_unused(&worker->workflow_slots, slot);
		return;
	}
	run->thread->runs++;
	worker_cache_add(&worker->cache, &run->entry);
	run->counts = true;
	worker->n_works++;
	rpc_channel_work(worker->channel, 1);
	begin(run, task, slot);
	trim(worker);
}

static void keep_back(
	struct worker_run *run, struct worker_run_message task, const struct worker_slot *slot)
{
	if (run->next.message) {
		/* A newer task makes the older one void. */
		worker_run_message_finish(&run->next);
		worker_slots_return_unused(&run->worker->workflow_slots, &run->next_slot);
	}
	run->next = task;
	run->next_slot = *slot;
	/* If it is on its way out, quietly, it should hurry. */
	worker_workflow_thread_wake(run->thread);
}

static struct worker_cache_entry *find(
	struct temporal_worker *worker, const Workflowservice__PollWorkflowTaskQueueResponse *task)
{
	return worker_cache_find(&worker->cache, task->workflow_execution->run_id);
}

/* To the run, if it is in memory. */
static void hand_to(struct temporal_worker *worker, struct worker_cache_entry *entry,
	struct worker_run_message task, const struct worker_slot *slot)
{
	if (!entry)
		start_run(worker, task, slot);
	else if (entry->rests)
		begin(worker_run_of(entry), task, slot);
	else
		keep_back(worker_run_of(entry), task, slot);
}

void worker_run_hand_out(struct temporal_worker *worker, struct worker_run_message task,
	const struct worker_slot *slot)
{
	hand_to(worker, find(worker, task.message), task, slot);
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
	struct worker_cache_entry *entry = find(worker, response);

	count_cache(worker, response, entry && !entry->leaves);
	worker_metrics_workflow_task(worker, response, entry && !entry->leaves);
	hand_to(worker, entry, worker_run_take_over(response, arena), slot);
}

void worker_runs_evict_all(struct temporal_worker *worker)
{
	while (worker->cache.oldest) {
		struct worker_cache_entry *entry = worker->cache.oldest;

		worker_cache_drop(&worker->cache, entry);
		worker_run_post(worker_run_of(entry), WORKER_RUN_EVICT);
	}
}
