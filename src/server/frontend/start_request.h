/*
 * start_request.h: what a request to start a workflow may say.
 */
#ifndef SERVER_FRONTEND_START_REQUEST_H
#define SERVER_FRONTEND_START_REQUEST_H

#include "server/frontend/frontend.h"

/* False: the request has been answered. Each in the order of the official server's checks. */
bool start_request_check(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in);
/* `as`: its part that is a start. */
bool start_request_check_signal(struct request *request,
	const Workflowservice__SignalWithStartWorkflowExecutionRequest *in,
	const Workflowservice__StartWorkflowExecutionRequest *as);

/* A versioning override in the form in which it is kept: older ones are put into today's. In the
 * arena; NULL for NULL. */
Workflow__VersioningOverride *start_request_override(
	struct arena *arena, const Workflow__VersioningOverride *given);

#endif
