/*
 * activity_task.c: what workers ask and tell about activities: by the token of a task, or by the
 * names of workflow and activity. Loop's thread.
 */
#include "proto/codec.h"
#include "server/frontend/task_queue.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define DETAILS_SMALL 1024 /* of a heartbeat: no need to count */

void frontend_poll_activity(struct request *request)
{
	const Workflowservice__PollActivityTaskQueueRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (!space || !task_queue_patient(request) || !task_queue_named(request, in->task_queue) ||
		!frontend_identity(request, in->identity))
		return;
	struct task_queue *queue = matching_queue(
		request->server, space, in->task_queue->name, MATCHING_QUEUE_ACTIVITY);
	struct stats_poll poll = task_queue_poll(in->identity, in->worker_version_capabilities,
		in->deployment_options, in->task_queue_metadata);
	matching_seen(queue, &poll);
	matching_poll(queue, request, in->identity, in->worker_instance_key);
}

static void not_found(struct request *request, const char *text)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;

	request_fail(request, TEMPORAL_NOT_FOUND, &detail, "%s", text);
}

static struct activity *look_up(
	struct request *request, const struct task_token *token, const struct execution *execution)
{
	struct activity *activity = NULL;

	if (execution)
		activity = state_activity(execution, token->scheduled_id);
	if (execution && !state_running(execution))
		not_found(request, "workflow execution already completed");
	else if (!activity || activity->state != ACTIVITY_STARTED ||
		 activity->attempt != token->attempt || activity->starts != token->starts)
		not_found(request, "invalid activityID or activity already timed out or invoking "
				   "workflow is completed");
	else
		return activity;
	return NULL;
}

/* The activity that this token stands for, or NULL: answered. */
static struct activity *by_token(
	struct request *request, const char *name, ProtobufCBinaryData data, const char *identity)
{
	struct execution *execution;
	struct activity *activity = NULL;
	struct task_token token;

	if (frontend_token(request, name, data, &token, &execution) &&
		frontend_identity(request, identity))
		activity = look_up(request, &token, execution);
	token_finish(&token);
	return activity;
}

static struct activity *by_id(struct request *request, const char *name, const char *workflow_id,
	const char *run_id, const char *activity_id, const char *identity)
{
	Common__WorkflowExecution wanted = COMMON__WORKFLOW_EXECUTION__INIT;
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct server_namespace *space = frontend_namespace(request, name);
	struct execution *execution;
	struct activity *activity;

	if (!space || !frontend_text(request, activity_id, "ActivityId is not set on request.") ||
		!frontend_identity(request, identity))
		return NULL;
	if (!str_empty(run_id) && strlen(run_id) != SERVER_UUID_SIZE - 1) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "RunId is not valid UUID.");
		return NULL;
	}
	wanted.workflow_id = workflow_id;
	wanted.run_id = run_id;
	execution = frontend_running(request, space, &wanted);
	if (!execution)
		return NULL;
	activity = state_activity_by_id(execution, activity_id);
	if (activity && activity->state == ACTIVITY_STARTED)
		return activity;
	if (!activity)
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			"cannot find pending activity with ActivityID %s, check workflow execution "
			"history for more details",
			activity_id);
	else
		not_found(request,
			"invalid activityID or activity already timed out or invoking workflow "
			"is completed");
	return NULL;
}

/* ---- What is done then ---- */

static void fail_for_size(struct activity *activity, const char *text, const char *identity)
{
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ServerFailureInfo info = FAILURE__SERVER_FAILURE_INFO__INIT;

	info.non_retryable = true;
	failure.message = text;
	failure.source = "Server";
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
	failure.server_failure_info = &info;
	activity_failed(activity, &failure, identity);
}

static bool too_large(const struct activity *activity, const Common__Payloads *payloads)
{
	return payloads &&
	       server_over(proto_size(payloads), activity->execution->server->config.blob_max);
}

static void complete(
	struct activity *activity, const Common__Payloads *result, const char *identity)
{
	if (too_large(activity, result))
		fail_for_size(activity, "Complete result exceeds size limit.", identity);
	else
		activity_completed(activity, result, identity);
}

static void fail(struct activity *activity, const Failure__Failure *failure,
	const Common__Payloads *details, const char *identity)
{
	static const Failure__Failure none = FAILURE__FAILURE__INIT;

	if (details)
		activity_heartbeat(activity, details);
	activity_failed(activity, failure ? failure : &none, identity);
}

/* ---- The calls ---- */

void frontend_activity_completed(struct request *request)
{
	const Workflowservice__RespondActivityTaskCompletedRequest *in = request->message;
	struct activity *activity = by_token(request, in->namespace_, in->task_token, in->identity);

	if (!activity)
		return;
	complete(activity, in->result, in->identity);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__RespondActivityTaskCompletedResponse,
				 workflowservice__respond_activity_task_completed_response));
}

void frontend_activity_completed_by_id(struct request *request)
{
	const Workflowservice__RespondActivityTaskCompletedByIdRequest *in = request->message;
	struct activity *activity = by_id(request, in->namespace_, in->workflow_id, in->run_id,
		in->activity_id, in->identity);

	if (!activity)
		return;
	complete(activity, in->result, in->identity);
	request_reply(request,
		REQUEST_NEW(request, Workflowservice__RespondActivityTaskCompletedByIdResponse,
			workflowservice__respond_activity_task_completed_by_id_response));
}

void frontend_activity_failed(struct request *request)
{
	const Workflowservice__RespondActivityTaskFailedRequest *in = request->message;
	struct activity *activity = by_token(request, in->namespace_, in->task_token, in->identity);

	if (!activity)
		return;
	fail(activity, in->failure, in->last_heartbeat_details, in->identity);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__RespondActivityTaskFailedResponse,
				 workflowservice__respond_activity_task_failed_response));
}

void frontend_activity_failed_by_id(struct request *request)
{
	const Workflowservice__RespondActivityTaskFailedByIdRequest *in = request->message;
	struct activity *activity = by_id(request, in->namespace_, in->workflow_id, in->run_id,
		in->activity_id, in->identity);

	if (!activity)
		return;
	fail(activity, in->failure, in->last_heartbeat_details, in->identity);
	request_reply(request,
		REQUEST_NEW(request, Workflowservice__RespondActivityTaskFailedByIdResponse,
			workflowservice__respond_activity_task_failed_by_id_response));
}

void frontend_activity_canceled(struct request *request)
{
	const Workflowservice__RespondActivityTaskCanceledRequest *in = request->message;
	struct activity *activity = by_token(request, in->namespace_, in->task_token, in->identity);

	if (!activity)
		return;
	activity_canceled(activity, in->details, in->identity);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__RespondActivityTaskCanceledResponse,
				 workflowservice__respond_activity_task_canceled_response));
}

void frontend_activity_canceled_by_id(struct request *request)
{
	const Workflowservice__RespondActivityTaskCanceledByIdRequest *in = request->message;
	struct activity *activity = by_id(request, in->namespace_, in->workflow_id, in->run_id,
		in->activity_id, in->identity);

	if (!activity)
		return;
	activity_canceled(activity, in->details, in->identity);
	request_reply(request,
		REQUEST_NEW(request, Workflowservice__RespondActivityTaskCanceledByIdResponse,
			workflowservice__respond_activity_task_canceled_by_id_response));
}

/* All that the run's activities tell may be too much. False: answered. */
static bool check_state(
	struct request *request, const struct activity *activity, const Common__Payloads *details)
{
	size_t size = details ? proto_size(details) : 0;
	const char *over = NULL;

	if (size > activity->heartbeat_details.len && size > DETAILS_SMALL)
		over = execution_over_limit(
			activity->execution, 0, size - activity->heartbeat_details.len, true);
	if (over)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", over);
	return !over;
}

/* Heartbeats that are too large end the activity. */
static bool beat(struct activity *activity, const Common__Payloads *details, const char *identity)
{
	bool cancel_requested = activity->cancel_requested_id != 0;

	if (!too_large(activity, details)) {
		activity_heartbeat(activity, details);
		return cancel_requested;
	}
	fail_for_size(activity, "Heartbeat details exceed size limit.", identity);
	return true;
}

void frontend_activity_heartbeat(struct request *request)
{
	const Workflowservice__RecordActivityTaskHeartbeatRequest *in = request->message;
	struct activity *activity = by_token(request, in->namespace_, in->task_token, NULL);
	Workflowservice__RecordActivityTaskHeartbeatResponse *response;

	if (!activity || !check_state(request, activity, in->details))
		return;
	response = REQUEST_NEW(request, Workflowservice__RecordActivityTaskHeartbeatResponse,
		workflowservice__record_activity_task_heartbeat_response);
	response->activity_paused = activity->paused;
	response->activity_reset = activity->reset;
	response->cancel_requested = beat(activity, in->details, in->identity);
	request_reply(request, response);
}

void frontend_activity_heartbeat_by_id(struct request *request)
{
	const Workflowservice__RecordActivityTaskHeartbeatByIdRequest *in = request->message;
	struct activity *activity =
		by_id(request, in->namespace_, in->workflow_id, in->run_id, in->activity_id, NULL);
	Workflowservice__RecordActivityTaskHeartbeatByIdResponse *response;

	if (!activity || !check_state(request, activity, in->details))
		return;
	response = REQUEST_NEW(request, Workflowservice__RecordActivityTaskHeartbeatByIdResponse,
		workflowservice__record_activity_task_heartbeat_by_id_response);
	response->activity_paused = activity->paused;
	response->activity_reset = activity->reset;
	response->cancel_requested = beat(activity, in->details, in->identity);
	request_reply(request, response);
}
