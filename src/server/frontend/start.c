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
#include "server/frontend/start_request.h"
#include "server/history/cron.h"
#include "server/history/id_policy.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define REUSE(name_)    ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name_
#define CONFLICT(name_) ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##name_

/* The number of the event that starts the first workflow task. */
#define FIRST_TASK_STARTED 3

enum verdict {
	VERDICT_START,
	VERDICT_USE,    /* the run that is there */
	VERDICT_REPEAT, /* the same request again */
	VERDICT_TERMINATE,
	VERDICT_REFUSED, /* answered */
};

/* The id is taken; `why` is what the text goes on with. */
static void refuse(
	struct request *request, const struct execution *current, const char *text, const char *why)
{
	Errordetails__WorkflowExecutionAlreadyStartedFailure detail =
		ERRORDETAILS__WORKFLOW_EXECUTION_ALREADY_STARTED_FAILURE__INIT;

	detail.start_request_id = current->create_request_id;
	detail.run_id = current->run_id;
	detail.first_execution_run_id = current->first_run_id;
	request_fail(request, TEMPORAL_ALREADY_EXISTS, &detail, "%s WorkflowId: %s, RunId: %s.%s",
		text, current->workflow_id, current->run_id, why);
}

/* The last run has ended, and its id may not be used again. */
static void refuse_reuse(struct request *request, const struct execution *current,
	Enums__WorkflowIdReusePolicy policy)
{
	if (policy == REUSE(REJECT_DUPLICATE))
		refuse(request, current, "Workflow execution already finished.",
			" Workflow Id reuse policy: reject duplicate workflow Id.");
	else
		refuse(request, current, "Workflow execution already finished successfully.",
			" Workflow Id reuse policy: allow duplicate workflow Id if last run "
			"failed.");
}

static enum verdict judge(struct request *request, const struct execution *current,
	const Workflowservice__StartWorkflowExecutionRequest *in,
	Enums__WorkflowIdConflictPolicy conflict)
{
	Enums__WorkflowIdReusePolicy reuse = in->workflow_id_reuse_policy;

	const struct temporal_error *lost = &request->server->archive.lost;

	if (!current && lost->code != TEMPORAL_OK) {
		request_fail(request, lost->code, NULL, "%s", lost->message);
		return VERDICT_REFUSED;
	}
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
		refuse(request, current, "Workflow execution is already running.", "");
		return VERDICT_REFUSED;
	}
	if (id_policy_reuse(current, reuse))
		return VERDICT_START;
	refuse_reuse(request, current, reuse);
	return VERDICT_REFUSED;
}

bool frontend_start_valid(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	return start_request_check(request, in);
}

/* A request without an id is given one: the run is then known by it. */
static const char *request_id_of(struct request *request, const char *given)
{
	char uuid[SERVER_UUID_SIZE];

	if (!str_empty(given))
		return given;
	server_uuid(&request->server->io, uuid);
	return request_text(request, uuid);
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
		.request_id = request_id_of(request, in->request_id),
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
	if (in->search_attributes && !out->search_attributes)
		server_no_memory(request->server);
	out->header = in->header;
	out->continued_failure = in->continued_failure;
	out->last_completion_result = in->last_completion_result;
	out->priority = in->priority;
	out->versioning_override =
		start_request_override(&request->server->scratch, in->versioning_override);
	cron_first(request->server, &opts);
	out->eager_execution_accepted = in->request_eager_execution && opts.delay_ms == 0;
	return start_execution(request->server, &opts);
}

/* The old run makes room once the new one has a name that its end can tell. */
static void make_room(struct execution *old, const struct execution *replacement)
{
	if (replacement)
		id_policy_terminate(old, replacement);
}

/* Its first workflow task waits for so long. */
static int64_t delay_ms_of(const struct execution *execution)
{
	return (execution->execution_ns - execution->start_ns) / NS_PER_MS;
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

/* An eager start is asked for again: its task, if the first one is still with whom it was given. */
static Workflowservice__PollWorkflowTaskQueueResponse *first_task_again(
	struct request *request, struct execution *execution)
{
	Workflowservice__PollWorkflowTaskQueueResponse *task;

	if (!state_running(execution) || execution->task_started_id != FIRST_TASK_STARTED ||
		execution->task_attempt > 1)
		return NULL;
	task = REQUEST_NEW(request, Workflowservice__PollWorkflowTaskQueueResponse,
		workflowservice__poll_workflow_task_queue_response);
	workflow_task_describe(execution, request, false, task);
	return task;
}

void frontend_start(struct request *request)
{
	const Workflowservice__StartWorkflowExecutionRequest *in = request->message;
	Workflowservice__PollWorkflowTaskQueueResponse *task = NULL;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *current;

	if (!space || !namespace_usable(request, space, true) || !start_request_check(request, in))
		return;
	current = state_execution(request->server, space, in->workflow_id, NULL);
	enum verdict verdict = judge(request, current, in, in->workflow_id_conflict_policy);
	if (verdict == VERDICT_REFUSED)
		return;
	if (verdict == VERDICT_USE || verdict == VERDICT_REPEAT) {
		if (verdict == VERDICT_USE && state_running(current) &&
			!nexus_attach(request, current, in))
			return;
		if (verdict == VERDICT_REPEAT && in->request_eager_execution)
			task = first_task_again(request, current);
		reply(request, current, in->request_id, verdict == VERDICT_REPEAT, task);
		return;
	}
	struct execution *old = verdict == VERDICT_TERMINATE ? current : NULL;
	current = start(request, space, in, true);
	if (old)
		make_room(old, current);
	if (current && in->request_eager_execution && delay_ms_of(current) == 0)
		task = workflow_task_start_inline(current, request, in->identity, false);
	else if (current)
		start_first_task(current, delay_ms_of(current));
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
	out->versioning_override = in->versioning_override;
	return out;
}

/* Unlike a plain signal, this one does not wait with a run that was there and waits. */
static void signal_it(struct execution *execution,
	const Workflowservice__SignalWithStartWorkflowExecutionRequest *in, bool ends_delay)
{
	History__WorkflowExecutionSignaledEventAttributes signal =
		HISTORY__WORKFLOW_EXECUTION_SIGNALED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .links = in->links, .n_links = in->n_links };

	if (execution_signal_seen(execution, in->request_id))
		return;
	if (ends_delay)
		start_end_backoff(execution);
	signal.signal_name = in->signal_name;
	signal.input = in->signal_input;
	signal.identity = in->identity;
	signal.header = in->header;
	signal.request_id = in->request_id;
	execution_signal(execution, &signal, &extras);
}

static Common__Link *signal_link(
	struct request *request, const struct execution *execution, const char *request_id)
{
	Common__Link *link = REQUEST_NEW(request, Common__Link, common__link);
	Common__Link__WorkflowEvent *event =
		REQUEST_NEW(request, Common__Link__WorkflowEvent, common__link__workflow_event);
	Common__Link__WorkflowEvent__RequestIdReference *reference =
		REQUEST_NEW(request, Common__Link__WorkflowEvent__RequestIdReference,
			common__link__workflow_event__request_id_reference);

	link->variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link->workflow_event = event;
	event->namespace_ = request_text(request, execution->space->name);
	event->workflow_id = request_text(request, execution->workflow_id);
	event->run_id = request_text(request, execution->run_id);
	event->reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF;
	event->request_id_ref = reference;
	reference->request_id = request_text(request, request_id);
	reference->event_type = ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED;
	return link;
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

	if (!space || !namespace_usable(request, space, true) ||
		!start_request_check_signal(request, in, as))
		return;
	if (conflict == CONFLICT(UNSPECIFIED))
		conflict = CONFLICT(USE_EXISTING);
	current = state_execution(request->server, space, in->workflow_id, NULL);
	enum verdict verdict = judge(request, current, as, conflict);
	if (verdict == VERDICT_REFUSED ||
		(verdict == VERDICT_USE &&
			!frontend_may_signal(request, current, in->signal_input)))
		return;
	if (verdict == VERDICT_TERMINATE || verdict == VERDICT_START) {
		struct execution *old = current;

		current = start(request, space, as, true);
		if (verdict == VERDICT_TERMINATE)
			make_room(old, current);
		response->started = true;
		/* The signal wakes it, unless it has to wait. */
		if (current && delay_ms_of(current) > 0)
			start_first_task(current, delay_ms_of(current));
	}
	if (current) {
		if (verdict != VERDICT_REPEAT || state_running(current))
			signal_it(current, in, verdict == VERDICT_USE);
		response->run_id = request_text(request, current->run_id);
		response->first_execution_run_id = request_text(request, current->first_run_id);
		response->signal_link = signal_link(request, current, in->request_id);
	}
	request_reply(request, response);
}
