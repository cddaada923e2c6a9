/*
 * oversize.h: payloads that are larger than the namespace takes, found before they are sent.
 */
#ifndef WORKER_OVERSIZE_H
#define WORKER_OVERSIZE_H

#include <stdint.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "rpc/channel.h"

struct worker_run;

#define WORKER_OVERSIZE_TYPE "PayloadsTooLarge" /* of the failure, as with other SDKs */

/* What the namespace takes, in bytes; 0: no limit that is known, or that is to be kept. */
struct worker_oversize {
	int64_t blob_max, memo_max;
};

/* Why the answer to a workflow task, or an activity's result, would be refused; NULL: it would not.
 * Pure. */
const char *worker_oversize_completion(const struct worker_oversize *limits,
	const Workflowservice__RespondWorkflowTaskCompletedRequest *request);
const char *worker_oversize_result(
	const struct worker_oversize *limits, const Common__Payloads *payloads);

/* Loop: fails the run's task instead of answering it; `done` gets the run. False: nothing was sent.
 */
bool worker_oversize_fail(struct worker_run *run, const char *why,
	void (*done)(struct rpc_call *call, struct rpc_reply *reply, void *user),
	struct temporal_error *err);

#endif
