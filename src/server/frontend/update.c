/*
 * update.c: UpdateWorkflowExecution and PollWorkflowExecutionUpdate. Both wait until the update has
 * come as far as they ask for. Loop's thread.
 */
#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "server/history/start_check.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define ACCEPTED_EVENT ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED

static bool check_stage(struct request *request, const Update__WaitPolicy *policy)
{
	Errordetails__PermissionDeniedFailure denied =
		ERRORDETAILS__PERMISSION_DENIED_FAILURE__INIT;

	if (!policy || policy->lifecycle_stage != UPDATE_STAGE(ADMITTED))
		return true;
	request_fail(request, TEMPORAL_PERMISSION_DENIED, &denied,
		"UpdateWorkflowExecution issued asynchronously and waiting on update admitted is "
		"not supported.");
	return false;
}

static bool check_callbacks(struct request *request, const Update__Request *in)
{
	if (!in->n_completion_callbacks)
		return true;
	request_fail(request, TEMPORAL_UNIMPLEMENTED, NULL,
		"completion callbacks of updates are not served by this server");
	return false;
}

static bool check_links(struct request *request, const Update__Request *in)
{
	const char *wrong =
		start_check_links(in->links, in->n_links, &request->server->config, request->arena);

	if (wrong)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", wrong);
	return !wrong;
}

bool frontend_update_valid(
	struct request *request, const Workflowservice__UpdateWorkflowExecutionRequest *in)
{
	Update__Meta *meta = in->request ? in->request->meta : NULL;
	char *id;

	if (!frontend_named(request, in->workflow_execution) ||
		!frontend_present(request, meta, "Update meta is not set on request."))
		return false;
	if (server_over(strlen(meta->update_id), request->server->config.id_max)) {
		request_fail(
			request, TEMPORAL_INVALID_ARGUMENT, NULL, "UpdateId length exceeds limit.");
		return false;
	}
	if (!frontend_present(request, in->request->input, "Update input is not set on request.") ||
		!frontend_text(
			request, in->request->input->name, "Update name is not set on request.") ||
		!check_stage(request, in->wait_policy) || !check_callbacks(request, in->request) ||
		!check_links(request, in->request))
		return false;
	if (!str_empty(meta->update_id))
		return true;
	id = arena_alloc(request->arena, SERVER_UUID_SIZE);
	if (id) {
		server_uuid(&request->server->io, id);
		meta->update_id = id;
		return true;
	}
	server_no_memory(request->server);
	request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
	return false;
}

static Update__UpdateRef *make_ref(struct request *request, const struct update *update)
{
	Update__UpdateRef *ref = REQUEST_NEW(request, Update__UpdateRef, update__update_ref);

	ref->workflow_execution =
		REQUEST_NEW(request, Common__WorkflowExecution, common__workflow_execution);
	ref->workflow_execution->workflow_id =
		request_text(request, update->execution->workflow_id);
	ref->workflow_execution->run_id = request_text(request, update->execution->run_id);
	ref->update_id = request_text(request, update->id);
	return ref;
}

static Update__Outcome *copy_outcome(struct request *request, const Update__Outcome *outcome)
{
	Update__Outcome *copy = outcome ? proto_copy(request->arena, outcome) : NULL;

	if (outcome && !copy)
		server_no_memory(request->server);
	return copy;
}

/* To the run, since a rejected update has no event. */
static Common__Link *link_to_run(
	struct request *request, const struct execution *execution, const char *space)
{
	Common__Link *link = REQUEST_NEW(request, Common__Link, common__link);
	Common__Link__Workflow *to =
		REQUEST_NEW(request, Common__Link__Workflow, common__link__workflow);

	to->namespace_ = space;
	to->workflow_id = request_text(request, execution->workflow_id);
	to->run_id = request_text(request, execution->run_id);
	to->reason = "Update rejected";
	link->variant_case = COMMON__LINK__VARIANT_WORKFLOW;
	link->workflow = to;
	return link;
}

static Common__Link *link_to_event(struct request *request, const struct execution *execution,
	const char *space, const char *request_id)
{
	Common__Link *link = REQUEST_NEW(request, Common__Link, common__link);
	Common__Link__WorkflowEvent *to =
		REQUEST_NEW(request, Common__Link__WorkflowEvent, common__link__workflow_event);
	Common__Link__WorkflowEvent__RequestIdReference *reference =
		REQUEST_NEW(request, Common__Link__WorkflowEvent__RequestIdReference,
			common__link__workflow_event__request_id_reference);

	reference->request_id = request_id;
	reference->event_type = ACCEPTED_EVENT;
	to->namespace_ = space;
	to->workflow_id = request_text(request, execution->workflow_id);
	to->run_id = request_text(request, execution->run_id);
	to->reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF;
	to->request_id_ref = reference;
	link->variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link->workflow_event = to;
	return link;
}

Workflowservice__UpdateWorkflowExecutionResponse *frontend_update_response(struct request *request,
	const struct update *update, const Workflowservice__UpdateWorkflowExecutionRequest *in,
	const struct update_status *status, bool linked)
{
	Workflowservice__UpdateWorkflowExecutionResponse *response =
		REQUEST_NEW(request, Workflowservice__UpdateWorkflowExecutionResponse,
			workflowservice__update_workflow_execution_response);
	const char *space = update->execution->space->name;
	bool failed =
		status->outcome && status->outcome->value_case == UPDATE__OUTCOME__VALUE_FAILURE;

	response->update_ref = make_ref(request, update);
	response->outcome = copy_outcome(request, status->outcome);
	response->stage = status->stage;
	space = request_text(request, space);
	if (linked && failed)
		response->link = link_to_run(request, update->execution, space);
	else if (linked && status->stage >= UPDATE_STAGE(ACCEPTED))
		response->link =
			link_to_event(request, update->execution, space, in->request->request_id);
	return response;
}

static void answer_update(struct update_waiter *waiter, const struct update_status *status)
{
	struct request *request = waiter->request;

	if (status->code != TEMPORAL_OK)
		request_fail(request, status->code, status->detail, "%s", status->text);
	else
		request_reply(request, frontend_update_response(request, waiter->update,
					       request->message, status, true));
}

static void answer_poll(struct update_waiter *waiter, const struct update_status *status)
{
	struct request *request = waiter->request;
	Workflowservice__PollWorkflowExecutionUpdateResponse *response;

	if (status->code != TEMPORAL_OK) {
		request_fail(request, status->code, status->detail, "%s", status->text);
		return;
	}
	response = REQUEST_NEW(request, Workflowservice__PollWorkflowExecutionUpdateResponse,
		workflowservice__poll_workflow_execution_update_response);
	response->update_ref = make_ref(request, waiter->update);
	response->outcome = copy_outcome(request, status->outcome);
	response->stage = status->stage;
	request_reply(request, response);
}

/* Waits for the stage of the policy; `unset` stands for none. */
static void wait_for(struct request *request, struct update *update,
	const Update__WaitPolicy *policy, Enums__UpdateWorkflowExecutionLifecycleStage unset,
	void (*answer)(struct update_waiter *waiter, const struct update_status *status))
{
	struct update_waiter *waiter = arena_zalloc(request->arena, sizeof(*waiter));

	if (!waiter) {
		server_no_memory(request->server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	waiter->request = request;
	waiter->answer = answer;
	waiter->stage = policy ? policy->lifecycle_stage : UPDATE_STAGE(UNSPECIFIED);
	if (waiter->stage == UPDATE_STAGE(UNSPECIFIED))
		waiter->stage = unset;
	update_wait(update, waiter);
}

void frontend_update(struct request *request)
{
	const Workflowservice__UpdateWorkflowExecutionRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution;
	struct update *update;

	if (!space || !frontend_update_valid(request, in))
		return;
	execution = frontend_execution(request, space, in->workflow_execution);
	update = execution ? update_admit(execution, request, in) : NULL;
	if (update)
		wait_for(request, update, in->wait_policy, UPDATE_STAGE(COMPLETED), answer_update);
}

void frontend_poll_update(struct request *request)
{
	const Workflowservice__PollWorkflowExecutionUpdateRequest *in = request->message;
	Errordetails__NotFoundFailure not_found = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	const Common__WorkflowExecution *run =
		in->update_ref ? in->update_ref->workflow_execution : NULL;
	struct execution *execution;
	struct update *update;

	if (!space ||
		!frontend_present(request, in->update_ref, "UpdateRef is not set on request."))
		return;
	if (run && !str_empty(run->run_id) && strlen(run->run_id) != SERVER_UUID_SIZE - 1) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "RunId is not valid UUID.");
		return;
	}
	if (!frontend_text(request, run ? run->workflow_id : NULL,
		    "Can't load workflow execution.  WorkflowId not set."))
		return;
	execution = frontend_execution(request, space, run);
	if (!execution)
		return;
	update = update_find(execution, in->update_ref->update_id);
	if (update)
		wait_for(request, update, in->wait_policy, UPDATE_STAGE(UNSPECIFIED), answer_poll);
	else
		request_fail(request, TEMPORAL_NOT_FOUND, &not_found, "update \"%s\" not found",
			in->update_ref->update_id);
}
