/*
 * run_wait.c: a run whose task waits for local activities. The loop's thread.
 *
 * Such a run is in the worker's list `local_runs`, with a timer for the time when its task has to
 * ask for more. It leaves both when something has happened for it: an activity has ended, the task
 * is old, there is no memory for what it waits for, or the worker stops.
 */
#include "worker/run.h"

#include "worker/limits.h"
#include "worker/local.h"
#include "worker/run_parts.h"
#include "worker/worker.h"

void worker_run_stop_waiting(struct worker_run *run)
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

	worker_run_stop_waiting(run);
	worker_run_post(run, run->lacks_memory ? WORKER_RUN_NO_MEMORY : WORKER_RUN_BEAT);
}

/* By the timer, since whoever finds it out may be going through the list of those that wait. */
void worker_run_local_no_memory(struct worker_run *run)
{
	run->lacks_memory = true;
	if (run->link_local)
		rpc_timer_set(run->worker->loop, &run->beat, rpc_now_ns(), task_is_old);
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
	if (run->lacks_memory)
		worker_run_local_no_memory(run);
	else if (timeout_ms > 0 && timeout_ms < WORKER_DURATION_MAX_MS)
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
	worker_run_stop_waiting(run);
	run->input = worker_run_take_over(run->results, &arena);
	worker_run_post(run, WORKER_RUN_LOCALS);
}

/* The task is answered with what there is so far, and the rest is another worker's. */
void worker_run_stops(struct worker_run *run)
{
	if (!run->worker->cancels_activities || !run->link_local || worker_locals_run(run))
		return;
	worker_run_stop_waiting(run);
	worker_run_post(run, WORKER_RUN_BEAT);
}

void worker_run_wait(struct worker_run *run)
{
	worker_locals_begin(run); /* none of which tells us before we wait */
	start_waiting(run);
	worker_locals_pump(run->worker); /* some may wait since it was with its thread */
	worker_run_local_done(run);
	worker_run_stops(run);
}
