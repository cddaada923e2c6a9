/*
 * query.c: QueryWorkflow, and the answers of query tasks. Loop's thread.
 */
#include "server/frontend/frontend.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define REJECT(name_)    ENUMS__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_##name_
#define COMPLETED        ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_COMPLETED
#define FAILING_ATTEMPTS 3

static bool is_rejected(const struct execution *execution, Enums__QueryRejectCondition condition)
{
	if (state_running(execution))
		return false;
	return condition == REJECT(NOT_OPEN) ||
	       (condition == REJECT(NOT_COMPLETED_CLEANLY) && execution->status != COMPLETED);
}

static void reject(struct request *request, const struct execution *execution)
{
	Workflowservice__QueryWorkflowResponse *response = REQUEST_NEW(request,
		Workflowservice__QueryWorkflowResponse, workflowservice__query_workflow_response);

	response->query_rejected =
		REQUEST_NEW(request, Query__QueryRejected, query__query_rejected);
	response->query_rejected->status = (Enums__WorkflowExecutionStatus)execution->status;
	request_reply(request, response);
}

/* Whether the caller will have gone before the first workflow task is due, which alone could answer
 * it. */
static bool comes_too_early(const struct request *request, const struct execution *execution)
{
	const struct server *server = request->server;

	if (!execution->backing_off || execution->previous_started_id)
		return false;
	return request->deadline_ns == INT64_MAX ||
	       execution->first_task_due_ns - server->now_ns >
		       request->deadline_ns - server->io.steady_ns(server->io.user);
}

void frontend_query(struct request *request)
{
	const Workflowservice__QueryWorkflowRequest *in = request->message;
	Errordetails__WorkflowNotReadyFailure not_ready =
		ERRORDETAILS__WORKFLOW_NOT_READY_FAILURE__INIT;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution;

	if (!space || !frontend_named(request, in->execution) ||
		!frontend_present(request, in->query, "WorkflowQuery is not set on request.") ||
		!frontend_text(request, in->query->query_type, "QueryType is not set on request."))
		return;
	execution = frontend_execution(request, space, in->execution);
	if (!execution || !frontend_history(request, execution))
		return;
	if (is_rejected(execution, in->query_reject_condition))
		reject(request, execution);
	else if (!state_running(execution) && !execution->previous_started_id)
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, &not_ready,
			"Workflow execution closed before WorkflowTaskStarted event");
	else if (comes_too_early(request, execution))
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, &not_ready,
			"Workflow task is not scheduled yet.");
	else if (state_running(execution) && execution->task_attempt >= FAILING_ATTEMPTS)
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, &not_ready,
			"Unable to query workflow due to Workflow Task in failed state.");
	else if (execution->n_queries >= SERVER_QUERIES_MAX)
		request_fail(request, TEMPORAL_RESOURCE_EXHAUSTED, NULL,
			"workflow has too many queries in flight: %u", execution->n_queries);
	else
		query_ask(execution, request);
}

void frontend_query_completed(struct request *request)
{
	const Workflowservice__RespondQueryTaskCompletedRequest *in = request->message;
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct execution *execution;
	struct query *query = NULL;
	struct task_token token;
	bool valid = frontend_token(request, in->namespace_, in->task_token, &token, &execution);

	if (valid && execution)
		query = query_find(execution, token.query);
	token_finish(&token);
	if (!valid)
		return;
	if (!query) {
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			"query task not found, or already expired");
		return;
	}
	query_tell(query, in->completed_type, in->query_result, in->error_message, in->failure);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__RespondQueryTaskCompletedResponse,
				 workflowservice__respond_query_task_completed_response));
}
