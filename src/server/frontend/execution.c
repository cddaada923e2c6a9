/*
 * execution.c: signal, cancel and terminate a workflow from outside. Loop's thread.
 */
#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "server/history/external.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

bool frontend_may_signal(
	struct request *request, struct execution *execution, const Common__Payloads *input)
{
	Errordetails__ResourceExhaustedFailure busy =
		ERRORDETAILS__RESOURCE_EXHAUSTED_FAILURE__INIT;

	if (execution->signals >= request->server->config.signals_max) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"exceeded workflow execution limit for signal events");
		return false;
	}
	if (!execution->close_attempted || !execution->task_started_id) {
		const char *over = execution_over_signal(execution, input);

		if (over)
			request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", over);
		return !over;
	}
	busy.cause = ENUMS__RESOURCE_EXHAUSTED_CAUSE__RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW;
	busy.scope = ENUMS__RESOURCE_EXHAUSTED_SCOPE__RESOURCE_EXHAUSTED_SCOPE_NAMESPACE;
	request_fail(request, TEMPORAL_RESOURCE_EXHAUSTED, &busy,
		"workflow operation can not be applied because workflow is closing");
	return false;
}

void frontend_signal(struct request *request)
{
	const Workflowservice__SignalWorkflowExecutionRequest *in = request->message;
	History__WorkflowExecutionSignaledEventAttributes signal =
		HISTORY__WORKFLOW_EXECUTION_SIGNALED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .links = in->links, .n_links = in->n_links };
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution;

	if (!space || !frontend_named(request, in->workflow_execution) ||
		!frontend_text(request, in->signal_name, "SignalName is not set on request.") ||
		!frontend_length(request, in->signal_name, "SignalName length exceeds limit.") ||
		!frontend_length(request, in->request_id, "RequestId length exceeds limit."))
		return;
	if (in->input && server_over(proto_size(in->input), request->server->config.blob_max)) {
		request_fail(
			request, TEMPORAL_INVALID_ARGUMENT, NULL, "Blob data size exceeds limit.");
		return;
	}
	execution = frontend_execution(request, space, in->workflow_execution);
	if (!execution)
		return;
	/* One that is refused is not remembered: else it were taken for done when it comes again.
	 */
	bool repeated = execution_signal_known(execution, in->request_id);
	if (!repeated && (!frontend_running(request, space, in->workflow_execution) ||
				 !frontend_may_signal(request, execution, in->input)))
		return;
	signal.signal_name = in->signal_name;
	signal.input = in->input;
	signal.identity = in->identity;
	signal.header = in->header;
	signal.request_id = in->request_id;
	if (!execution_signal_seen(execution, in->request_id))
		execution_signal(execution, &signal, &extras);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__SignalWorkflowExecutionResponse,
				 workflowservice__signal_workflow_execution_response));
}

/* The chain that the caller means may be over, and its workflow id used by another. */
static bool same_chain(
	struct request *request, const struct execution *execution, const char *first_run_id)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;

	if (str_empty(first_run_id) || str_same(execution->first_run_id, first_run_id))
		return true;
	request_fail(request, TEMPORAL_NOT_FOUND, &detail, "workflow execution not found");
	return false;
}

void frontend_cancel(struct request *request)
{
	const Workflowservice__RequestCancelWorkflowExecutionRequest *in = request->message;
	History__WorkflowExecutionCancelRequestedEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_CANCEL_REQUESTED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .links = in->links, .n_links = in->n_links };
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution =
		space ? frontend_execution(request, space, in->workflow_execution) : NULL;

	if (!execution || !same_chain(request, execution, in->first_execution_run_id))
		return;
	attributes.cause = in->reason;
	attributes.identity = in->identity;
	execution_request_cancel(execution, &attributes, in->request_id, &extras);
	request_reply(request,
		REQUEST_NEW(request, Workflowservice__RequestCancelWorkflowExecutionResponse,
			workflowservice__request_cancel_workflow_execution_response));
}

void frontend_terminate(struct request *request)
{
	const Workflowservice__TerminateWorkflowExecutionRequest *in = request->message;
	struct event_extras extras = { .links = in->links, .n_links = in->n_links };
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution =
		space ? frontend_running(request, space, in->workflow_execution) : NULL;

	if (!execution || !same_chain(request, execution, in->first_execution_run_id))
		return;
	execution_terminate(execution,
		str_empty(in->reason) ? "terminated by user via frontend" : in->reason, in->details,
		str_empty(in->identity) ? "frontend-service" : in->identity, &extras);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__TerminateWorkflowExecutionResponse,
				 workflowservice__terminate_workflow_execution_response));
}
