/*
 * run_work.c: the thread's part of a run: its engine and its workflow code, from a job to the step
 * that needs the network. On the workflow thread that the run is pinned to; with workflow_threads
 * OFF that is the loop's.
 */
#include "worker/run.h"

#include "worker/event.h"
#include "worker/metrics.h"
#include "worker/run_parts.h"
#include "worker/worker.h"

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

static void activate(struct worker_run *run)
{
	const struct activation *activation = run->step.activation;
	Failure__Failure no_memory = FAILURE__FAILURE__INIT;
	struct completion own = {
		.failed = false
	}; /* the answer where there is no instance to ask */
	const struct completion *completion = &own;
	bool leaves = worker_run_only_leaves(activation);

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
	case WORKER_RUN_NO_MEMORY:
		run->step = engine_run_no_memory(run->engine);
		break;
	case WORKER_RUN_ABANDON:
		run->step.action = ENGINE_EVICT;
		break;
	case WORKER_RUN_ACTIVATE:
		break;
	}
	worker_run_message_finish(&run->input);
}

void worker_run_work(struct worker_run *run)
{
	begin_job(run);
	while (run->step.action == ENGINE_ACTIVATE && !run->given_up)
		activate(run);
	if (run->step.action == ENGINE_EVICT) {
		wf_instance_free(run->instance);
		run->instance = NULL;
	}
	if (run->thread->here)
		worker_run_came_back(&run->back); /* the run may be gone now */
	else
		rpc_loop_post(run->worker->loop, &run->back);
}
