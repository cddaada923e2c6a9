/*
 * start.h: the request that starts a workflow, for calls that carry it inside of their own.
 */
#ifndef CLIENT_START_H
#define CLIENT_START_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "client/request.h"

/* The policies are checked. Never NULL; the builder knows what went wrong. */
Workflowservice__StartWorkflowExecutionRequest *client_start_request(struct client_request *builder,
	const struct temporal_client *client, const struct client_input *input,
	const struct temporal_start_opts *opts);

#endif
