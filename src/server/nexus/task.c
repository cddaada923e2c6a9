/*
 * task.c: the calls of workers that handle Nexus requests: poll, complete, fail.
 *
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "server/frontend/task_queue.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define JSON_TEXT "failure details must be JSON serializable"

void nexus_poll(struct request *request)
{
	const Workflowservice__PollNexusTaskQueueRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (!space || !task_queue_patient(request) || !task_queue_named(request, in->task_queue) ||
		!frontend_identity(request, in->identity))
		return;
	struct task_queue *queue =
		matching_queue(request->server, space, in->task_queue->name, MATCHING_QUEUE_NEXUS);
	struct stats_poll poll = task_queue_poll(
		in->identity, in->worker_version_capabilities, in->deployment_options, NULL);
	matching_seen(queue, &poll);
	matching_poll(queue, request, in->identity, in->worker_instance_key);
}

static void refuse(struct request *request, const char *text)
{
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", text);
}

/* The call that the token is of, or NULL: answered. */
static struct nexus_call *find(struct request *request, const char *name, ProtobufCBinaryData data)
{
	struct task_token token;
	struct nexus_call *call = NULL;
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;

	if (!frontend_known_if_named(request, name))
		return NULL;
	if (data.len == 0) {
		refuse(request, "Task token not set on request.");
		return NULL;
	}
	bool valid = token_read(data, &token) && !str_empty(token.query);
	if (valid)
		call = nexus_call_find(request->server, token.query);
	token_finish(&token);
	if (!valid)
		refuse(request, "Error deserializing task token.");
	else if (!call || call->task.queue)
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			"Nexus task not found or already expired");
	else
		return call;
	return NULL;
}

static bool check_token(struct request *request, const char *token)
{
	if (str_empty(token)) {
		refuse(request, "missing opration token in response");
		return false;
	}
	if (strlen(token) <= SERVER_NEXUS_TOKEN_MAX)
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"operation token length exceeds allowed limit (%zu/%d)", strlen(token),
		SERVER_NEXUS_TOKEN_MAX);
	return false;
}

static const Nexus__StartOperationResponse *start_of(const Nexus__Response *response)
{
	return response && response->variant_case == NEXUS__RESPONSE__VARIANT_START_OPERATION
		       ? response->start_operation
		       : NULL;
}

void nexus_task_completed(struct request *request)
{
	const Workflowservice__RespondNexusTaskCompletedRequest *in = request->message;
	const Nexus__StartOperationResponse *start = start_of(in->response);
	struct nexus_outcome outcome = { 0 };

	if (start &&
		start->variant_case == NEXUS__START_OPERATION_RESPONSE__VARIANT_ASYNC_SUCCESS) {
		const Nexus__StartOperationResponse__Async *async = start->async_success;

		if (!check_token(request, str_empty(async->operation_token)
						  ? async->operation_id
						  : async->operation_token))
			return;
	}
	struct nexus_call *call = find(request, in->namespace_, in->task_token);
	if (!call)
		return;
	if (start &&
		start->variant_case == NEXUS__START_OPERATION_RESPONSE__VARIANT_OPERATION_ERROR &&
		!nexus_details_valid(request->arena, start->operation_error->failure)) {
		refuse(request, JSON_TEXT);
		return;
	}
	nexus_outcome_of_response(request->arena, in->response, &outcome);
	nexus_call_finish(call, &outcome);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__RespondNexusTaskCompletedResponse,
				 workflowservice__respond_nexus_task_completed_response));
}

void nexus_task_failed(struct request *request)
{
	const Workflowservice__RespondNexusTaskFailedRequest *in = request->message;
	struct nexus_outcome outcome = { 0 };
	struct nexus_call *call = find(request, in->namespace_, in->task_token);

	if (!call)
		return;
	if (!in->error && !in->failure)
		refuse(request, "request must contain error or failure");
	else if (in->error && !nexus_details_valid(request->arena, in->error->failure))
		refuse(request, JSON_TEXT);
	else if (in->failure && in->failure->failure_info_case !=
					FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO)
		refuse(request, "request Failure must contain error or failure with "
				"NexusHandlerFailureInfo");
	else {
		nexus_outcome_of_failure(request->arena, in, &outcome);
		nexus_call_finish(call, &outcome);
		request_reply(request,
			REQUEST_NEW(request, Workflowservice__RespondNexusTaskFailedResponse,
				workflowservice__respond_nexus_task_failed_response));
	}
}
