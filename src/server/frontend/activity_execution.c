/*
 * activity_execution.c: the newer names of what activity_control.c does: they name one activity, of
 * a workflow or on its own. Those of a workflow are translated; there are none on their own yet.
 * The answers have the older ones' shape on the wire. Loop's thread.
 */
#include "proto/codec.h"
#include "server/frontend/namespace.h"

/* The workflow that is meant; NULL, and the request is answered, if none is. */
static Common__WorkflowExecution *workflow_of(struct request *request, const char *namespace_,
	const char *workflow_id, const char *run_id, const char *activity_id)
{
	Common__WorkflowExecution *out;

	if (!frontend_namespace(request, namespace_) ||
		!frontend_text(request, activity_id, "activity ID is required"))
		return NULL;
	if (!str_empty(run_id) && !namespace_is_uuid(run_id)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"invalid run id: must be a valid UUID");
		return NULL;
	}
	if (str_empty(workflow_id)) {
		request_fail(request, TEMPORAL_UNIMPLEMENTED, NULL,
			"Standalone activities are not served");
		return NULL;
	}
	out = REQUEST_NEW(request, Common__WorkflowExecution, common__workflow_execution);
	out->workflow_id = workflow_id;
	out->run_id = run_id;
	return out;
}

void frontend_pause_activity_execution(struct request *request)
{
	const Workflowservice__PauseActivityExecutionRequest *in = request->message;
	Common__WorkflowExecution *workflow =
		workflow_of(request, in->namespace_, in->workflow_id, in->run_id, in->activity_id);

	if (!workflow)
		return;
	Workflowservice__PauseActivityRequest *out = REQUEST_NEW(request,
		Workflowservice__PauseActivityRequest, workflowservice__pause_activity_request);
	out->namespace_ = in->namespace_;
	out->execution = workflow;
	out->identity = in->identity;
	out->reason = in->reason;
	out->request_id = in->request_id;
	out->activity_case = WORKFLOWSERVICE__PAUSE_ACTIVITY_REQUEST__ACTIVITY_ID;
	out->id = in->activity_id;
	request->message = out;
	frontend_pause_activity(request);
}

void frontend_unpause_activity_execution(struct request *request)
{
	const Workflowservice__UnpauseActivityExecutionRequest *in = request->message;
	Common__WorkflowExecution *workflow =
		workflow_of(request, in->namespace_, in->workflow_id, in->run_id, in->activity_id);

	if (!workflow)
		return;
	Workflowservice__UnpauseActivityRequest *out = REQUEST_NEW(request,
		Workflowservice__UnpauseActivityRequest, workflowservice__unpause_activity_request);
	out->namespace_ = in->namespace_;
	out->execution = workflow;
	out->identity = in->identity;
	out->jitter = in->jitter;
	out->activity_case = WORKFLOWSERVICE__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_ID;
	out->id = in->activity_id;
	request->message = out;
	frontend_unpause_activity(request);
}

void frontend_reset_activity_execution(struct request *request)
{
	const Workflowservice__ResetActivityExecutionRequest *in = request->message;
	Common__WorkflowExecution *workflow =
		workflow_of(request, in->namespace_, in->workflow_id, in->run_id, in->activity_id);

	if (!workflow)
		return;
	Workflowservice__ResetActivityRequest *out = REQUEST_NEW(request,
		Workflowservice__ResetActivityRequest, workflowservice__reset_activity_request);
	out->namespace_ = in->namespace_;
	out->execution = workflow;
	out->identity = in->identity;
	out->reset_heartbeat = in->reset_heartbeat;
	out->keep_paused = in->keep_paused;
	out->jitter = in->jitter;
	out->restore_original_options = in->restore_original_options;
	out->activity_case = WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__ACTIVITY_ID;
	out->id = in->activity_id;
	request->message = out;
	frontend_reset_activity(request);
}

void frontend_update_activity_execution_options(struct request *request)
{
	const Workflowservice__UpdateActivityExecutionOptionsRequest *in = request->message;
	Common__WorkflowExecution *workflow =
		workflow_of(request, in->namespace_, in->workflow_id, in->run_id, in->activity_id);

	if (!workflow)
		return;
	Workflowservice__UpdateActivityOptionsRequest *out =
		REQUEST_NEW(request, Workflowservice__UpdateActivityOptionsRequest,
			workflowservice__update_activity_options_request);
	out->namespace_ = in->namespace_;
	out->execution = workflow;
	out->identity = in->identity;
	out->activity_options = in->activity_options;
	out->update_mask = in->update_mask;
	out->restore_original = in->restore_original;
	out->activity_case = WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_ID;
	out->id = in->activity_id;
	request->message = out;
	frontend_update_activity_options(request);
}
