/*
 * multi.c: ExecuteMultiOperation: a start and an update of the same workflow, in one piece: the run
 * that is there gets the update, or a new one begins with it, or neither.
 *
 * Each part is checked, and the start is done, by what serves it alone, with a request of its own
 * whose answer goes nowhere (a shadow); what it would have been answered is then part of the
 * answer. The two become one transition, so nobody sees one without the other.
 *
 * An update that is aborted since its run ends is tried once more, with a new run then; a second
 * time the caller is told to try again.
 *
 * Loop's thread.
 */
#include "google/protobuf/any.pb-c.h"
#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "temporal/api/common/v1/grpc_status.pb-c.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"
#include "temporal/api/failure/v1/message.pb-c.h"

#define USE_EXISTING ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
#define RUNNING      ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING
#define OPERATION(name_) \
	WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__OPERATION__OPERATION_##name_
#define RESPONSE(name_) \
	WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_RESPONSE__RESPONSE__RESPONSE_##name_

/* What came of a part, as far as a failure tells of it. */
struct part {
	enum temporal_code code;
	const char *text;
	Google__Any *detail; /* NULL: none */
	bool aborted;        /* it was not to blame */
};

struct multi {
	struct request *request;
	struct server_namespace *space;
	Workflowservice__StartWorkflowExecutionRequest *start;
	Workflowservice__UpdateWorkflowExecutionRequest *update;
	Workflowservice__StartWorkflowExecutionResponse *started; /* NULL: the run was there */
	bool again;                                               /* it is the second time */
	struct update_waiter waiter;
};

static void nothing(struct request *request, const void *message)
{
	(void)request;
	(void)message;
}

static void no_failure(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	(void)request;
	(void)code;
	(void)text;
	(void)status;
}

static const char *same_header(struct request *request, const char *name)
{
	struct request *caller = request->waiting_for;

	return caller->ops->header(caller, name);
}

static const struct request_ops shadow_ops = { nothing, no_failure, same_header };

/* A request that is answered to nobody. NULL: memory is out. */
static struct request *shadow_new(struct request *request, const void *message)
{
	struct request *shadow = arena_zalloc(request->arena, sizeof(*shadow));

	if (!shadow) {
		server_no_memory(request->server);
		return NULL;
	}
	shadow->server = request->server;
	shadow->ops = &shadow_ops;
	shadow->arena = request->arena;
	shadow->message = message;
	shadow->deadline_ns = request->deadline_ns;
	shadow->waiting_for = request;
	return shadow;
}

static Google__Any *pack(struct request *request, const void *detail)
{
	Google__Any *any = REQUEST_NEW(request, Google__Any, google__any);
	struct bytes encoded = { 0 };

	if (proto_encode(request->arena, detail, 0, &encoded, NULL) != TEMPORAL_OK)
		server_no_memory(request->server);
	any->type_url = arena_printf(request->arena, "type.googleapis.com/%s",
		((const ProtobufCMessage *)detail)->descriptor->name);
	if (!any->type_url)
		server_no_memory(request->server);
	any->value.data = encoded.ptr;
	any->value.len = encoded.len;
	return any;
}

static struct part part_of(const struct request *shadow)
{
	const Common__GrpcStatus *status = shadow->status;

	return (struct part){ .code = shadow->code,
		.text = shadow->text,
		.detail = status && status->n_details ? status->details[0] : NULL };
}

static struct part part_wrong(const char *text)
{
	return (struct part){ .code = TEMPORAL_INVALID_ARGUMENT, .text = text };
}

/* The server has failed; nothing of a part that was not checked may be looked at. */
static struct part part_of_no_memory(void)
{
	return (struct part){ .code = TEMPORAL_UNAVAILABLE, .text = "out of memory" };
}

static struct part part_aborted(struct request *request)
{
	Failure__MultiOperationExecutionAborted aborted =
		FAILURE__MULTI_OPERATION_EXECUTION_ABORTED__INIT;

	return (struct part){ .code = TEMPORAL_ABORTED,
		.text = "Operation was aborted.",
		.detail = pack(request, &aborted),
		.aborted = true };
}

/* The whole fails; its code is that of the part that is to blame. */
static void fail(struct multi *multi, struct part start, struct part update)
{
	struct request *request = multi->request;
	const struct part *parts[] = { &start, &update };
	Errordetails__MultiOperationExecutionFailure failure =
		ERRORDETAILS__MULTI_OPERATION_EXECUTION_FAILURE__INIT;
	Errordetails__MultiOperationExecutionFailure__OperationStatus statuses[2], *pointers[2];
	enum temporal_code code = TEMPORAL_OK;

	for (unsigned i = 0; i < 2; i++) {
		const struct part *part = parts[i];

		statuses[i] = (Errordetails__MultiOperationExecutionFailure__OperationStatus)
			ERRORDETAILS__MULTI_OPERATION_EXECUTION_FAILURE__OPERATION_STATUS__INIT;
		statuses[i].code = (int32_t)part->code;
		statuses[i].message = part->text ? part->text : "";
		statuses[i].details = (Google__Any **)(uintptr_t)&part->detail;
		statuses[i].n_details = part->detail ? 1 : 0;
		pointers[i] = &statuses[i];
		if (code == TEMPORAL_OK && !part->aborted)
			code = part->code;
	}
	failure.statuses = pointers;
	failure.n_statuses = 2;
	request_fail(request, code == TEMPORAL_OK ? TEMPORAL_ABORTED : code, &failure,
		"Update-with-Start could not be executed.");
}

/* ---- Checking ---- */

static bool other_space(const struct multi *multi, const char *name)
{
	return !str_empty(name) && !str_same(name, multi->space->name);
}

static struct part check_start(const struct multi *multi)
{
	const Workflowservice__StartWorkflowExecutionRequest *in = multi->start;
	struct request *shadow = shadow_new(multi->request, in);

	if (!shadow)
		return part_of_no_memory();
	if (other_space(multi, in->namespace_))
		return part_wrong("Operation namespace did not match request's namespace.");
	if (!str_empty(in->cron_schedule))
		return part_wrong("CronSchedule is not allowed.");
	if (!frontend_start_valid(shadow, in))
		return part_of(shadow);
	if (in->request_eager_execution)
		return part_wrong("RequestEagerExecution is not supported.");
	if (in->workflow_start_delay &&
		(in->workflow_start_delay->seconds || in->workflow_start_delay->nanos))
		return part_wrong("WorkflowStartDelay is not supported.");
	return (struct part){ 0 };
}

static struct part check_update(const struct multi *multi)
{
	const Workflowservice__UpdateWorkflowExecutionRequest *in = multi->update;
	struct request *shadow = shadow_new(multi->request, in);

	if (!shadow)
		return part_of_no_memory();
	if (other_space(multi, in->namespace_))
		return part_wrong("Operation namespace did not match request's namespace.");
	if (!frontend_update_valid(shadow, in))
		return part_of(shadow);
	if (!str_empty(in->first_execution_run_id))
		return part_wrong("FirstExecutionRunId is not allowed.");
	if (in->workflow_execution && !str_empty(in->workflow_execution->run_id))
		return part_wrong("RunId is not allowed.");
	return (struct part){ 0 };
}

/* False: answered. */
static bool check(struct multi *multi)
{
	struct part start = check_start(multi), update = check_update(multi);

	if (!start.code && !update.code &&
		!str_same(
			multi->start->workflow_id, multi->update->workflow_execution->workflow_id))
		update = part_wrong("WorkflowId is not consistent with previous operation(s).");
	if (!start.code && !update.code)
		return true;
	if (!start.code)
		start = part_aborted(multi->request);
	if (!update.code)
		update = part_aborted(multi->request);
	fail(multi, start, update);
	return false;
}

/* ---- Answering ---- */

static void reply(struct multi *multi, Workflowservice__StartWorkflowExecutionResponse *started,
	Workflowservice__UpdateWorkflowExecutionResponse *updated)
{
	struct request *request = multi->request;
	Workflowservice__ExecuteMultiOperationResponse *response =
		REQUEST_NEW(request, Workflowservice__ExecuteMultiOperationResponse,
			workflowservice__execute_multi_operation_response);

	response->responses = arena_array(request->arena, 2, sizeof(*response->responses));
	for (unsigned i = 0; i < 2 && response->responses; i++)
		response->responses[i] = REQUEST_NEW(request,
			Workflowservice__ExecuteMultiOperationResponse__Response,
			workflowservice__execute_multi_operation_response__response);
	if (response->responses) {
		response->n_responses = 2;
		response->responses[0]->response_case = RESPONSE(START_WORKFLOW);
		response->responses[0]->start_workflow = started;
		response->responses[1]->response_case = RESPONSE(UPDATE_WORKFLOW);
		response->responses[1]->update_workflow = updated;
	} else {
		server_no_memory(request->server);
	}
	request_reply(request, response);
}

/* The start's answer for a run that was there. */
static Workflowservice__StartWorkflowExecutionResponse *not_started(
	struct multi *multi, const struct execution *execution)
{
	Workflowservice__StartWorkflowExecutionResponse *response =
		REQUEST_NEW(multi->request, Workflowservice__StartWorkflowExecutionResponse,
			workflowservice__start_workflow_execution_response);

	response->run_id = request_text(multi->request, execution->run_id);
	response->status = (Enums__WorkflowExecutionStatus)execution->status;
	return response;
}

/* To the first event of the run that has the update. */
static Common__Link *link_to_start(struct multi *multi, const char *run_id)
{
	struct request *request = multi->request;
	Common__Link *link = REQUEST_NEW(request, Common__Link, common__link);
	Common__Link__WorkflowEvent *to =
		REQUEST_NEW(request, Common__Link__WorkflowEvent, common__link__workflow_event);
	Common__Link__WorkflowEvent__EventReference *reference =
		REQUEST_NEW(request, Common__Link__WorkflowEvent__EventReference,
			common__link__workflow_event__event_reference);

	reference->event_id = 1;
	reference->event_type = ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED;
	to->namespace_ = request_text(request, multi->space->name);
	to->workflow_id = multi->start->workflow_id;
	to->run_id = run_id;
	to->reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF;
	to->event_ref = reference;
	link->variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link->workflow_event = to;
	return link;
}

static void run(struct multi *multi);

static void run_again(struct request *request)
{
	struct multi *multi = request->waiting_for;

	request_wake(request);
	run(multi);
}

/* The update's failure, once it was admitted. */
static void failed(struct multi *multi, const struct update_status *status)
{
	struct request *request = multi->request;
	struct part update = { .code = status->code,
		.text = status->text,
		.detail = status->detail ? pack(request, status->detail) : NULL };
	bool closing = !multi->started && status->code == TEMPORAL_NOT_FOUND &&
		       str_same(status->text, UPDATE_ABORTED_TEXT);

	if (closing && !multi->again) {
		multi->again = true;
		/* Not here: what ends the run is in the middle of it. */
		request_wait(request, 0, run_again, multi);
		return;
	}
	if (closing)
		update = (struct part){ .code = TEMPORAL_ABORTED, .text = status->text };
	fail(multi, multi->started ? (struct part){ 0 } : part_aborted(request), update);
}

static void answer(struct update_waiter *waiter, const struct update_status *status)
{
	struct multi *multi = (struct multi *)(uintptr_t)waiter->user;
	Workflowservice__StartWorkflowExecutionResponse *started = multi->started;

	if (status->code != TEMPORAL_OK) {
		failed(multi, status);
		return;
	}
	if (!started) {
		started = not_started(multi, waiter->update->execution);
		started->status = RUNNING;
	}
	if (!started->link)
		started->link = link_to_start(multi, started->run_id);
	reply(multi, started,
		frontend_update_response(
			multi->request, waiter->update, multi->update, status, true));
}

/* ---- Doing ---- */

static void wait_for(struct multi *multi, struct update *update)
{
	const Update__WaitPolicy *policy = multi->update->wait_policy;

	multi->waiter = (struct update_waiter){ .request = multi->request,
		.answer = answer,
		.stage = policy ? policy->lifecycle_stage : UPDATE_STAGE(UNSPECIFIED),
		.user = multi };
	if (multi->waiter.stage == UPDATE_STAGE(UNSPECIFIED))
		multi->waiter.stage = UPDATE_STAGE(COMPLETED);
	update_wait(update, &multi->waiter);
}

static void admit(struct multi *multi, struct execution *execution)
{
	struct request *request = multi->request;
	struct request *shadow = shadow_new(request, multi->update);
	struct update *update = shadow ? update_admit(execution, shadow, multi->update) : NULL;

	if (update)
		wait_for(multi, update);
	else if (shadow)
		fail(multi, multi->started ? (struct part){ 0 } : part_aborted(request),
			part_of(shadow));
	else
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
}

static void start(struct multi *multi, const struct execution *current)
{
	struct request *request = multi->request;
	struct request *shadow = shadow_new(request, multi->start);
	struct execution *execution;

	if (shadow)
		frontend_start(shadow);
	execution = state_execution(request->server, multi->space, multi->start->workflow_id, NULL);
	if (!shadow || request->server->failed) {
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
	} else if (shadow->code != TEMPORAL_OK) {
		fail(multi, part_of(shadow), part_aborted(request));
	} else if (execution == current) {
		fail(multi,
			(struct part){ .code = TEMPORAL_UNAVAILABLE,
				.text = "Workflow was not started: StartDeduped" },
			part_aborted(request));
	} else {
		multi->started =
			(Workflowservice__StartWorkflowExecutionResponse *)(uintptr_t)shadow->reply;
		admit(multi, execution);
	}
}

/* Has the outcome of the update been there before? Then it is the answer. */
static bool is_repeated(struct multi *multi, struct execution *current, const struct update *update)
{
	struct update_status status = { .stage = UPDATE_STAGE(COMPLETED) };
	const History__HistoryEvent *event;

	if (!update || update->state != UPDATE_COMPLETED)
		return false;
	event = event_read(current, update->completed_id, multi->request->arena);
	if (event)
		status.outcome =
			event->workflow_execution_update_completed_event_attributes->outcome;
	else
		request_unread(multi->request);
	reply(multi, not_started(multi, current),
		frontend_update_response(multi->request, update, multi->update, &status, false));
	return true;
}

static void run(struct multi *multi)
{
	struct execution *current = state_execution(
		multi->request->server, multi->space, multi->start->workflow_id, NULL);
	const char *request_id = multi->start->request_id;
	const struct update *update = NULL;
	bool attach = false;

	multi->started = NULL;
	if (current) {
		update = update_find(current, multi->update->request->meta->update_id);
		if (is_repeated(multi, current, update))
			return;
		attach = update || multi->start->workflow_id_conflict_policy == USE_EXISTING ||
			 (!str_empty(request_id) &&
				 str_same(request_id, current->create_request_id));
	}
	if (attach && state_running(current))
		admit(multi, current);
	else
		start(multi, current);
}

void frontend_multi(struct request *request)
{
	const Workflowservice__ExecuteMultiOperationRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct multi *multi;

	if (!space)
		return;
	if (in->n_operations != 2 ||
		in->operations[0]->operation_case != OPERATION(START_WORKFLOW) ||
		in->operations[1]->operation_case != OPERATION(UPDATE_WORKFLOW)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Operations have to be exactly [Start, Update].");
		return;
	}
	multi = arena_zalloc(request->arena, sizeof(*multi));
	if (!multi) {
		server_no_memory(request->server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	multi->request = request;
	multi->space = space;
	multi->start = in->operations[0]->start_workflow;
	multi->update = in->operations[1]->update_workflow;
	/* The parts need not name their namespace. */
	if (str_empty(multi->start->namespace_))
		multi->start->namespace_ = request_text(request, space->name);
	if (check(multi))
		run(multi);
}
