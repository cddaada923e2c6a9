/*
 * pages.h: the answer to a workflow task in several requests, where it is too large for one. The
 * loop's thread.
 */
#ifndef WORKER_PAGES_H
#define WORKER_PAGES_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "rpc/channel.h"

struct worker_run;

/*
 * What to send of run->step.completed: all of it, or the page whose turn it is, for which `room` is
 * used. True in `*last`: nothing follows.
 */
const Workflowservice__RespondWorkflowTaskCompletedRequest *worker_pages_next(
	struct worker_run *run, Workflowservice__RespondWorkflowTaskCompletedRequest *room,
	bool *last);

/* The server's answer to a page that was not the last. False: the whole answer has failed. */
bool worker_pages_taken(struct worker_run *run, const struct rpc_reply *reply);

/* Has the server lost pages that it had? Then all begins anew; false: it has not, or too often. */
bool worker_pages_lost(struct worker_run *run, const struct rpc_reply *reply);

#endif
