/*
 * report.h: what is told, and what is added, when a workflow task comes and when its answer goes.
 * The loop's thread.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include "worker/run.h"

void worker_report_received(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *response);

/* Before step.completed is sent: takes slots for activities that may start at once, and tells of
 * those scheduled. */
void worker_report_completing(struct worker_run *run);
/* The server's answer to it: starts the activities that came with it, and tells how the run has
 * ended. */
void worker_report_completed(struct worker_run *run, struct rpc_reply *reply);
/* It could not be sent. */
void worker_report_unsent(struct worker_run *run);

/* Before step.failed is sent, or nothing. */
void worker_report_failing(struct worker_run *run);

/* Loop: its code is stuck, and its task is failed. */
void worker_report_given_up(struct worker_run *run, const char *text);

#endif
