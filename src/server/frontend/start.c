/*
 * start.c: StartWorkflowExecution and SignalWithStartWorkflowExecution.
 *
 * What happens is decided by the current run of the workflow id:
 *   none                                  start
 *   the same request id                   the answer of the first time
 *   running                               conflict policy: fail, use it, terminate it and start
 *   closed                                reuse policy: start, or fail
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "server/frontend/namespace.h"
#include "server/history/cron.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define REUSE(name_)    ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name_
#define CONFLICT(name_) ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##name_
#define STATUS(name_)   ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##name_

enum verdict {
	VERDICT_START,
	VERDICT_USE,    /* the run that is there */
	VERDICT_REPEAT, /* the same request again */
	VERDICT_TERMINATE,
	VERDICT_REFUSED, /* answered */
};

static void refuse(struct request *request, const struct execution *current, const char *text)
{
	Errordetails__WorkflowExecutionAlreadyStartedFailure detail =
		ERRORDETAILS__WORKFLOW_EXECUTION_ALREADY_STARTED_FAILURE__INIT;

	detail.start_request_id = current->create_request_id;
	detail.run_id = current->run_id;
	detail.first_execution_run_id = current->first_run_id;
	request_fail(request, TEMPORAL_ALREADY_EXISTS, &detail, "%s WorkflowId: %s, RunId: %s.",
		text, current->workflow_id, current->run_id);
}

static bool is_cleanly_closed(const struct execution *execution)
{
	return execution->status == STATUS(COMPLETED) ||
	       execution->status == STATUS(CONTINUED_AS_NEW);
}

static enum verdict judge(struct request *request, const struct execution *current,
	const Workflowservice__StartWorkflowExecutionRequest *in,
	Enums__WorkflowIdConflictPolicy conflict)
{
	Enums__WorkflowIdReusePolicy reuse = in->workflow_id_reuse_policy;

	if (!current)
		return VERDICT_START;
	if (!str_empty(in->request_id) && str_same(current->create_request_id, in->request_id))
		return VERDICT_REPEAT;
	if (nexus_is_attached(current, in->request_id))
		return VERDICT_USE;
	if (reuse == REUSE(TERMINATE_IF_RUNNING))
		conflict = CONFLICT(TERMINATE_EXISTING);
	if (state_running(current)) {
		if (conflict == CONFLICT(USE_EXISTING))
			return VERDICT_USE;
		if (conflict == CONFLICT(TERMINATE_EXISTING))
			return VERDICT_TERMINATE;
		refuse(request, current, "Workflow execution is already running.");
		return VERDICT_REFUSED;
	}
	if (reuse == REUSE(REJECT_DUPLICATE)) {
		refuse(request, current,
			"Workflow execution already finished. Workflow Id reuse policy: "
			"RejectDuplicate.");
		return VERDICT_REFUSED;
	}
	if (reuse == REUSE(ALLOW_DUPLICATE_FAILED_ONLY) && is_cleanly_closed(current)) {
		refuse(request, current,
			"Workflow execution already finished successfully. Workflow Id reuse "
			"policy: AllowDuplicateFailedOnly.");
		return VERDICT_REFUSED;
	}
	return VERDICT_START;
}

static bool check_timeouts(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	int64_t ms;

	return frontend_duration(
		       request, in->workflow_execution_timeout, &ms, "WorkflowExecutionTimeout") &&
	       frontend_duration(request, in->workflow_run_timeout, &ms, "WorkflowRunTimeout") &&
	       frontend_duration(request, in->workflow_task_timeout, &ms, "WorkflowTaskTimeout") &&
	       frontend_duration(request, in->workflow_start_delay, &ms, "WorkflowStartDelay");
}

static bool check_sizes(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	if (in->input && server_over(proto_size(in->input), request->server->config.blob_max)) {
		request_fail(
			request, TEMPORAL_INVALID_ARGUMENT, NULL, "Blob data size exceeds limit.");
		return false;
	}
	if (in->memo && server_over(proto_size(in->memo), request->server->config.memo_max)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "Memo size exceeds limit.");
		return false;
	}
	return true;
}

static bool check_retry(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	const char *wrong = retry_invalid(in->retry_policy);

	if (!wrong)
		wrong = cron_invalid(in->cron_schedule, request->server->now_ns);
	if (wrong)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", wrong);
	return !wrong;
}

static bool check_attributes(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	const struct server_namespace *space = state_namespace(request->server, in->namespace_);
	struct temporal_error err;

	if (search_attributes_check(&space->search_attributes, space->name, in->search_attributes,
		    &err) == TEMPORAL_OK)
		return true;
	request_fail(request, err.code, NULL, "%s", err.message);
	return false;
}

static bool check(struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	return frontend_text(request, in->workflow_id, "WorkflowId is not set on request.") &&
	       frontend_length(request, in->workflow_id, "WorkflowId") &&
	       frontend_text(request, in->workflow_type ? in->workflow_type->name : NULL,
		       "WorkflowType is not set on request.") &&
	       frontend_length(request, in->workflow_type->name, "WorkflowType") &&
	       frontend_text(request, in->task_queue ? in->task_queue->name : NULL,
		       "TaskQueue is not set on request.") &&
	       frontend_length(request, in->task_queue->name, "TaskQueue") &&
	       frontend_length(request, in->request_id, "RequestId") &&
	       nexus_attach_check(request, in) && check_timeouts(request, in) &&
	       check_retry(request, in) && check_sizes(request, in) &&
	       check_attributes(request, in);
}

bool frontend_start_valid(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	return check(request, in);
}

static struct execution *start(struct request *request, struct server_namespace *space,
	const Workflowservice__StartWorkflowExecutionRequest *in, bool no_task)
{
	History__WorkflowExecutionStartedEventAttributes *out =
		REQUEST_NEW(request, History__WorkflowExecutionStartedEventAttributes,
			history__workflow_execution_started_event_attributes);
	struct start_opts opts = {
		.space = space,
		.workflow_id = in->workflow_id,
		.attributes = out,
		.request_id = in->request_id,
		.extras = { .user_metadata = in->user_metadata, .links = NULL },
		.no_task = no_task,
	};

	(void)!proto_duration_ms(in->workflow_start_delay, &opts.delay_ms);
	opts.extras.links = nexus_links_without(request, in, &opts.extras.n_links);
	out->completion_callbacks = in->completion_callbacks;
	out->n_completion_callbacks = in->n_completion_callbacks;
	out->workflow_type = in->workflow_type;
	out->task_queue = in->task_queue;
	if (out->task_queue->kind == ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_UNSPECIFIED)
		out->task_queue->kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	out->input = in->input;
	out->workflow_execution_timeout = in->workflow_execution_timeout;
	out->workflow_run_timeout = in->workflow_run_timeout;
	out->workflow_task_timeout = in->workflow_task_timeout;
	out->identity = in->identity;
	out->retry_policy = in->retry_policy;
	out->cron_schedule = in->cron_schedule;
	out->memo = in->memo;
	out->search_attributes =
		attributes_typed(&request->server->scratch, space, in->search_attributes);
	out->header = in->header;
	out->continued_failure = in->continued_failure;
	out->last_completion_result = in->last_completion_result;
	out->priority = in->priority;
	out->eager_execution_accepted = in->request_eager_execution;
	cron_first(request->server, &opts);
	return start_execution(request->server, &opts);
}

static void terminate_for(struct execution *current, const char *identity)
{
	execution_terminate(current, "TerminateIfRunning WorkflowIdReusePolicy", NULL,
		str_empty(identity) ? "history-service" : identity, NULL);
}

static void reply(struct request *request, const struct execution *execution,
	const char *request_id, bool started, Workflowservice__PollWorkflowTaskQueueResponse *eager)
{
	Workflowservice__StartWorkflowExecutionResponse *response =
		REQUEST_NEW(request, Workflowservice__StartWorkflowExecutionResponse,
			workflowservice__start_workflow_execution_response);

	response->started = started;
	response->eager_workflow_task = eager;
	if (execution) {
		response->link = nexus_run_link(execution, request_id, request->arena);
		response->run_id = request_text(request, execution->run_id);
		response->first_execution_run_id = request_text(request, execution->first_run_id);
		response->status = (Enums__WorkflowExecutionStatus)execution->status;
	}
	request_reply(request, response);
}

void frontend_start(struct request *request)
{
	const Workflowservice__StartWorkflowExecutionRequest *in = request->message;
	Workflowservice__PollWorkflowTaskQueueResponse *task = NULL;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *current;

	if (!space || !namespace_usable(request, space, true) || !check(request, in))
		return;
	current = state_execution(request->server, space, in->workflow_id, NULL);
	enum verdict verdict = judge(request, current, in, in->workflow_id_conflict_policy);
	if (verdict == VERDICT_REFUSED)
		return;
	if (verdict == VERDICT_USE || verdict == VERDICT_REPEAT) {
		if (verdict == VERDICT_USE && state_running(current))
			nexus_attach(request, current, in);
		reply(request, current, in->request_id, verdict == VERDICT_REPEAT, NULL);
		return;
	}
	if (verdict == VERDICT_TERMINATE)
		terminate_for(current, in->identity);
	bool eager = in->request_eager_execution && !in->workflow_start_delay;
	current = start(request, space, in, eager);
	if (current && eager)
		task = workflow_task_start_inline(current, request, in->identity, false);
	reply(request, current, in->request_id, true, task);
}

/* The part of the request that is a start. */
static const Workflowservice__StartWorkflowExecutionRequest *as_start(
	struct request *request, const Workflowservice__SignalWithStartWorkflowExecutionRequest *in)
{
	Workflowservice__StartWorkflowExecutionRequest *out =
		REQUEST_NEW(request, Workflowservice__StartWorkflowExecutionRequest,
			workflowservice__start_workflow_execution_request);

	out->namespace_ = in->namespace_;
	out->workflow_id = in->workflow_id;
	out->workflow_type = in->workflow_type;
	out->task_queue = in->task_queue;
	out->input = in->input;
	out->workflow_execution_timeout = in->workflow_execution_timeout;
	out->workflow_run_timeout = in->workflow_run_timeout;
	out->workflow_task_timeout = in->workflow_task_timeout;
	out->identity = in->identity;
	out->request_id = in->request_id;
	out->workflow_id_reuse_policy = in->workflow_id_reuse_policy;
	out->retry_policy = in->retry_policy;
	out->cron_schedule = in->cron_schedule;
	out->memo = in->memo;
	out->search_attributes = in->search_attributes;
	out->header = in->header;
	out->workflow_start_delay = in->workflow_start_delay;
	out->user_metadata = in->user_metadata;
	out->links = in->links;
	out->n_links = in->n_links;
	out->priority = in->priority;
	return out;
}

static void signal_it(struct execution *execution,
	const Workflowservice__SignalWithStartWorkflowExecutionRequest *in)
{
	History__WorkflowExecutionSignaledEventAttributes signal =
		HISTORY__WORKFLOW_EXECUTION_SIGNALED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .links = in->links, .n_links = in->n_links };

	if (execution_signal_seen(execution, in->request_id))
		return;
	signal.signal_name = in->signal_name;
	signal.input = in->signal_input;
	signal.identity = in->identity;
	signal.header = in->header;
	signal.request_id = in->request_id;
	execution_signal(execution, &signal, &extras);
}

void frontend_signal_with_start(struct request *request)
{
	const Workflowservice__SignalWithStartWorkflowExecutionRequest *in = request->message;
	const Workflowservice__StartWorkflowExecutionRequest *as = as_start(request, in);
	Workflowservice__SignalWithStartWorkflowExecutionResponse *response =
		REQUEST_NEW(request, Workflowservice__SignalWithStartWorkflowExecutionResponse,
			workflowservice__signal_with_start_workflow_execution_response);
	Enums__WorkflowIdConflictPolicy conflict = in->workflow_id_conflict_policy;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *current;

	if (!space || !namespace_usable(request, space, true) || !check(request, as) ||
		!frontend_text(request, in->signal_name, "SignalName is not set on request."))
		return;
	if (conflict == CONFLICT(UNSPECIFIED))
		conflict = CONFLICT(USE_EXISTING);
	current = state_execution(request->server, space, in->workflow_id, NULL);
	enum verdict verdict = judge(request, current, as, conflict);
	if (verdict == VERDICT_REFUSED)
		return;
	if (verdict == VERDICT_TERMINATE)
		terminate_for(current, in->identity);
	if (verdict == VERDICT_TERMINATE || verdict == VERDICT_START) {
		int64_t delay_ms = 0;

		(void)!proto_duration_ms(in->workflow_start_delay, &delay_ms);
		current = start(request, space, as, true);
		response->started = true;
		if (current && delay_ms > 0)
			start_first_task(current, delay_ms);
	}
	if (current) {
		if (verdict != VERDICT_REPEAT || state_running(current))
			signal_it(current, in);
		response->run_id = request_text(request, current->run_id);
		response->first_execution_run_id = request_text(request, current->first_run_id);
	}
	request_reply(request, response);
}
