/*
 * reset.c: ResetWorkflowExecution: which run, to where, and what of the time after it is kept. All
 * is checked before anything changes. Loop's thread.
 */
#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define EVENT(name_)   ENUMS__EVENT_TYPE__EVENT_TYPE_##name_
#define REAPPLY(name_) ENUMS__RESET_REAPPLY_TYPE__RESET_REAPPLY_TYPE_##name_
#define EXCLUDE(name_) ENUMS__RESET_REAPPLY_EXCLUDE_TYPE__RESET_REAPPLY_EXCLUDE_TYPE_##name_

static Enums__EventType type_of(
	struct request *request, const struct execution *execution, int64_t id)
{
	struct arena arena;
	const History__HistoryEvent *event;
	Enums__EventType type;

	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	event = event_read(execution, id, &arena);
	if (!event)
		request_unread(request);
	type = event ? event->event_type : EVENT(UNSPECIFIED);
	arena_finish(&arena);
	return type;
}

/* Is a workflow task pending right before this event? */
static bool task_pending(struct request *request, const struct execution *base, int64_t finish_id)
{
	for (int64_t id = finish_id - 1; id > 0; id--) {
		switch (type_of(request, base, id)) {
		case EVENT(WORKFLOW_TASK_SCHEDULED):
		case EVENT(WORKFLOW_TASK_STARTED):
			return true;
		case EVENT(WORKFLOW_TASK_COMPLETED):
		case EVENT(WORKFLOW_TASK_FAILED):
		case EVENT(WORKFLOW_TASK_TIMED_OUT):
			return false;
		default:
			break;
		}
	}
	return false;
}

/* Does a transition of the official server begin with this event? It only says which of two texts
 * the refusal has. */
static bool begins_transition(Enums__EventType type)
{
	switch (type) {
	case EVENT(WORKFLOW_TASK_STARTED):
	case EVENT(WORKFLOW_TASK_COMPLETED):
	case EVENT(WORKFLOW_TASK_FAILED):
	case EVENT(WORKFLOW_TASK_TIMED_OUT):
	case EVENT(ACTIVITY_TASK_STARTED):
	case EVENT(TIMER_FIRED):
	case EVENT(WORKFLOW_EXECUTION_SIGNALED):
	case EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
	case EVENT(WORKFLOW_EXECUTION_TERMINATED):
	case EVENT(WORKFLOW_EXECUTION_TIMED_OUT):
	case EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED):
	case EVENT(CHILD_WORKFLOW_EXECUTION_STARTED):
	case EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED):
	case EVENT(CHILD_WORKFLOW_EXECUTION_FAILED):
		return true;
	default:
		return false;
	}
}

/* False: answered. */
static bool check_place(struct request *request, const struct execution *base, int64_t finish_id)
{
	if (finish_id <= 1 || finish_id >= base->next_event_id) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Workflow task finish ID must be > 1 && <= workflow last event ID.");
		return false;
	}
	if (task_pending(request, base, finish_id))
		return true;
	if (begins_transition(type_of(request, base, finish_id)))
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, "
			"WorkflowTaskStarted + 1]: %lld",
			(long long)finish_id);
	else
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"StateRebuilder unable to Rebuild mutable state to event ID: %lld, "
			"version: 0, this event must be at the boundary",
			(long long)finish_id - 1);
	return false;
}

/* False: answered. */
static bool check_request(
	struct request *request, const Workflowservice__ResetWorkflowExecutionRequest *in)
{
	if (!frontend_text(request, in->request_id, "RequestId is not set on request.") ||
		!frontend_length(request, in->request_id, "RequestId length exceeds limit."))
		return false;
	if (in->reset_reapply_type > REAPPLY(ALL_ELIGIBLE)) {
		request_fail(request, TEMPORAL_INTERNAL, NULL, "unknown reset reapply type: %d",
			(int)in->reset_reapply_type);
		return false;
	}
	return true;
}

static struct reset_opts opts_of(const Workflowservice__ResetWorkflowExecutionRequest *in)
{
	struct reset_opts opts = {
		.finish_id = in->workflow_task_finish_event_id,
		.reason = in->reason,
		.request_id = in->request_id,
		.without_signals = in->reset_reapply_type == REAPPLY(NONE),
		.without_updates = in->reset_reapply_type == REAPPLY(NONE) ||
				   in->reset_reapply_type == REAPPLY(SIGNAL),
	};
	bool nexus = false, cancel = false;

	for (size_t i = 0; i < in->n_reset_reapply_exclude_types; i++) {
		switch (in->reset_reapply_exclude_types[i]) {
		case EXCLUDE(SIGNAL):
			opts.without_signals = true;
			break;
		case EXCLUDE(UPDATE):
			opts.without_updates = true;
			break;
		case EXCLUDE(NEXUS):
			nexus = true;
			break;
		case EXCLUDE(CANCEL_REQUEST):
			cancel = true;
			break;
		default:
			break;
		}
	}
	opts.without_all = opts.without_signals && opts.without_updates && nexus && cancel;
	return opts;
}

/* As the official server prints what is in the variant. */
#define SIGNAL_OPERATION "*workflow.PostResetOperation_SignalWorkflow_"

/* False: answered. */
static bool check_after(struct request *request, const struct execution *base,
	const Workflowservice__ResetWorkflowExecutionRequest *in)
{
	for (size_t i = 0; i < in->n_post_reset_operations; i++) {
		const Workflow__PostResetOperation *operation = in->post_reset_operations[i];
		const Workflow__PostResetOperation__UpdateWorkflowOptions *update =
			operation->update_workflow_options;

		if (operation->variant_case !=
			WORKFLOW__POST_RESET_OPERATION__VARIANT_UPDATE_WORKFLOW_OPTIONS) {
			request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
				"unsupported post reset operation: %s",
				operation->variant_case ? SIGNAL_OPERATION : "<nil>");
			return false;
		}
		if (update->workflow_execution_options &&
			!run_options_merge(request, base, update->workflow_execution_options,
				update->update_mask))
			return false;
	}
	return true;
}

static void do_after(struct request *request, struct execution *run,
	const Workflowservice__ResetWorkflowExecutionRequest *in)
{
	for (size_t i = 0; i < in->n_post_reset_operations; i++) {
		const Workflow__PostResetOperation__UpdateWorkflowOptions *update =
			in->post_reset_operations[i]->update_workflow_options;
		const Workflow__WorkflowExecutionOptions *merged =
			update->workflow_execution_options
				? run_options_merge(request, run,
					  update->workflow_execution_options, update->update_mask)
				: NULL;

		if (merged)
			execution_set_options(run, merged, "");
	}
}

/* The run that the request names; it may have ended. NULL: answered. */
static struct execution *find_base(struct request *request, struct server_namespace *space,
	const Common__WorkflowExecution *wanted)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct execution *base = NULL;

	if (!wanted || str_empty(wanted->run_id) ||
		strlen(wanted->run_id) != SERVER_UUID_SIZE - 1 || str_empty(wanted->workflow_id))
		return frontend_execution(request, space, wanted);
	base = state_execution(request->server, space, wanted->workflow_id, wanted->run_id);
	if (!base)
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			"workflow execution not found for workflow ID \"%s\" and run ID \"%s\"",
			wanted->workflow_id, wanted->run_id);
	return base;
}

static void reply(struct request *request, const struct execution *run)
{
	Workflowservice__ResetWorkflowExecutionResponse *response =
		REQUEST_NEW(request, Workflowservice__ResetWorkflowExecutionResponse,
			workflowservice__reset_workflow_execution_response);

	response->run_id = request_text(request, run ? run->run_id : "");
	request_reply(request, response);
}

/*
 * The run that this very request has made. The official server knows it by the request that started
 * the run, which a reset hands on; so a reset whose answer was lost is done once more there.
 */
static struct execution *made_by(
	struct execution *current, const struct execution *base, const char *request_id)
{
	struct execution *next = str_empty(base->reset_run_id)
					 ? NULL
					 : state_execution(base->server, base->space,
						   base->workflow_id, base->reset_run_id);

	if (current && (str_same(current->create_request_id, request_id) ||
			       str_same(current->reset_request_id, request_id)))
		return current;
	return next && str_same(next->reset_request_id, request_id) ? next : NULL;
}

void frontend_reset(struct request *request)
{
	const Workflowservice__ResetWorkflowExecutionRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *base = space && check_request(request, in)
					 ? find_base(request, space, in->workflow_execution)
					 : NULL;

	if (!base || !frontend_history(request, base) ||
		!check_place(request, base, in->workflow_task_finish_event_id) ||
		!check_after(request, base, in))
		return;
	struct execution *current =
		state_execution(request->server, space, base->workflow_id, NULL);
	struct execution *made = made_by(current, base, in->request_id);
	if (made) {
		reply(request, made);
		return;
	}
	struct reset_opts opts = opts_of(in);
	struct execution *run = reset_run(base, current, &opts);
	if (run) {
		do_after(request, run, in);
		workflow_task_schedule(run);
	}
	reply(request, run);
}
