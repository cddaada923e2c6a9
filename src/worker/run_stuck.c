/*
 * run_stuck.c: runs whose workflow code does not return, and those that are pinned to the same
 * thread. The loop's thread; watchdog.c finds out and decides.
 *
 * The run itself goes on in the cache, where tasks for it are kept back until its code returns:
 * code that never does so takes one thread, not one more with each attempt. The others of its
 * thread are detached: nobody else may touch their coroutines, so they stay there, while tasks from
 * now on make them anew on another thread.
 */
#include "worker/run.h"

#include "rpc/methods.h"
#include "worker/event.h"
#include "worker/local.h"
#include "worker/metrics.h"
#include "worker/report.h"
#include "worker/run_parts.h"
#include "worker/worker.h"

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
	worker_run_release_slot(run);
	worker_run_stop_waiting(run);
	worker_locals_drop(run);
	worker_run_close_work(run);
	worker_metrics_evicted(worker);
	worker_cache_remove(&worker->cache, &run->entry);
	run->detached = true;
	worker->detached_runs++;
	worker_run_post(run, WORKER_RUN_ABANDON);
	if (task.message)
		worker_run_hand_out(worker, task, &slot);
	if (next.message)
		worker_run_hand_out(worker, next, &next_slot);
}

void worker_run_leave_thread(struct worker_run *run)
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
		if (worker_run_of(entry)->thread == thread)
			detach(worker_run_of(entry));
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

void worker_run_give_up(struct worker_run *run, const Failure__Failure *failure)
{
	struct temporal_worker *worker = run->worker;
	const struct engine_step step = engine_run_give_up(run->engine, failure);
	bool query = step.action == ENGINE_RESPOND_QUERY;
	struct rpc_request request = {
		.method = query ? &rpc_workflow_respond_query_task_completed
				: &rpc_workflow_respond_workflow_task_failed,
		.message = query ? (const void *)step.query : step.failed,
		.retry = RPC_RETRY_REPORT,
		.done = told,
		.user = worker,
	};

	worker_report_given_up(run, failure->message);
	if (request.message && rpc_start(worker->channel, &request, NULL))
		worker->open_calls++;
	worker_run_release_slot(run);
	worker_run_close_work(run);
	worker_pollers_pump(worker);
}
