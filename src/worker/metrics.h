/*
 * metrics.h: what a worker counts, under the names of all SDKs. Every function may be called on a
 * worker without metrics, and does nothing then; the test for that is inline.
 */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

#include "base/metrics.h"
#include "worker/act.h"
#include "worker/nexus.h"
#include "worker/run.h"
#include "worker/worker.h"

/* Part of making the worker; without metrics in its client it has none. false: no memory. */
bool worker_metrics_init(struct temporal_worker *worker) __attribute__((warn_unused_result));
void worker_metrics_finish(struct temporal_worker *worker);

/* Loop: the worker has started, and has stopped. */
void worker_metrics_started(struct temporal_worker *worker);
void worker_metrics_stopped(struct temporal_worker *worker);

void worker_metrics_levels_(struct temporal_worker *worker);
void worker_metrics_polled_(struct temporal_worker *worker, bool activity, bool task);
void worker_metrics_workflow_task_(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *task, bool cached);
void worker_metrics_begins_(
	struct worker_run *run, const Workflowservice__PollWorkflowTaskQueueResponse *task);
void worker_metrics_completed_(struct worker_run *run, const Command__Command *command);
void worker_metrics_answered_(struct worker_run *run);
void worker_metrics_failing_(struct worker_run *run);
void worker_metrics_evicted_(struct temporal_worker *worker);
void worker_metrics_activation_(struct worker_run *run, const struct activation *activation);
void worker_metrics_attempt_begins_(struct act *act);
void worker_metrics_attempt_ends_(struct act *act, const struct temporal_failure *failure);
void worker_metrics_nexus_poll_empty_(struct temporal_worker *worker);
void worker_metrics_nexus_begins_(struct nexus *nexus);
void worker_metrics_nexus_answered_(struct nexus *nexus);
void worker_metrics_nexus_ends_(struct nexus *nexus);

/* Loop: slots, polls or the cache may have changed. */
static inline void worker_metrics_levels(struct temporal_worker *worker)
{
	if (worker->metrics)
		worker_metrics_levels_(worker);
}

/* Loop: a poll came back, with a task or without. */
static inline void worker_metrics_polled(struct temporal_worker *worker, bool activity, bool task)
{
	if (worker->metrics)
		worker_metrics_polled_(worker, activity, task);
}

/* Loop: a workflow task of a run that is in the cache, or is not. */
static inline void worker_metrics_workflow_task(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *task, bool cached)
{
	if (worker->metrics)
		worker_metrics_workflow_task_(worker, task, cached);
}

/* Loop: the run gets the task. */
static inline void worker_metrics_begins(
	struct worker_run *run, const Workflowservice__PollWorkflowTaskQueueResponse *task)
{
	if (run->worker->metrics && !run->metrics)
		worker_metrics_begins_(run, task);
}

/* The run's thread: an activation is about to be worked on. */
static inline void worker_metrics_activation(
	struct worker_run *run, const struct activation *activation)
{
	if (run->worker->metrics)
		worker_metrics_activation_(run, activation);
}

/* Loop: the answer to the run's task is sent. */
static inline void worker_metrics_answered(struct worker_run *run)
{
	if (run->worker->metrics)
		worker_metrics_answered_(run);
}

/* Loop: the task has failed, and the server is told. */
static inline void worker_metrics_failing(struct worker_run *run)
{
	if (run->worker->metrics)
		worker_metrics_failing_(run);
}

/* Loop: the server has taken a command, which may be the run's end. */
static inline void worker_metrics_completed(struct worker_run *run, const Command__Command *command)
{
	if (run->worker->metrics)
		worker_metrics_completed_(run, command);
}

/* Loop: a run leaves the cache though it has not ended. */
static inline void worker_metrics_evicted(struct temporal_worker *worker)
{
	if (worker->metrics)
		worker_metrics_evicted_(worker);
}

/* Loop: an attempt is about to run. */
static inline void worker_metrics_attempt_begins(struct act *act)
{
	if (act->worker->metrics)
		worker_metrics_attempt_begins_(act);
}

/* Loop: a poll for Nexus tasks brought none. */
static inline void worker_metrics_nexus_poll_empty(struct temporal_worker *worker)
{
	if (worker->metrics)
		worker_metrics_nexus_poll_empty_(worker);
}

/* Loop: a Nexus task has come; the server has taken its answer; it is done with. */
static inline void worker_metrics_nexus_begins(struct nexus *nexus)
{
	if (nexus->worker->metrics)
		worker_metrics_nexus_begins_(nexus);
}

static inline void worker_metrics_nexus_answered(struct nexus *nexus)
{
	if (nexus->worker->metrics)
		worker_metrics_nexus_answered_(nexus);
}

static inline void worker_metrics_nexus_ends(struct nexus *nexus)
{
	if (nexus->worker->metrics)
		worker_metrics_nexus_ends_(nexus);
}

/* The attempt's thread: its function has returned; what became of it. */
static inline void worker_metrics_attempt_ends(
	struct act *act, const struct temporal_failure *failure)
{
	act->failed = failure && failure->kind != TEMPORAL_FAILURE_CANCELLED &&
		      failure->category != TEMPORAL_CATEGORY_BENIGN;
	if (act->worker->metrics)
		worker_metrics_attempt_ends_(act, failure);
}

#endif
