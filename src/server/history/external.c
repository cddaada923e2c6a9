/*
 * external.c: a workflow signals or cancels another one. The command leaves an initiated event; the
 * effect (effect.h) reaches the other run and leaves an event of how it went. A run that ends with
 * the same workflow task sends nothing: nobody could be told.
 *
 * No run can reach its own workflow id this way: as at the official server, it is told that there
 * is none.
 *
 * Loop's thread.
 */
#include "server/history/external.h"

#include "proto/codec.h"
#include "server/history/effect.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define CAUSE(name_)   ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_
#define COMMAND(name_) ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_
#define TYPE(name_)    ENUMS__EVENT_TYPE__EVENT_TYPE_##name_
/* A value of an enum of the API, by the name of the enum and its own. */
#define VALUE(enum_, name_)  ENUMS__##enum_##__##enum_##_##name_
#define CANCEL_FAILED(name_) VALUE(CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE, name_)
#define SIGNAL_FAILED(name_) VALUE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE, name_)

typedef History__SignalExternalWorkflowExecutionInitiatedEventAttributes signal_attributes;
typedef History__RequestCancelExternalWorkflowExecutionInitiatedEventAttributes cancel_attributes;

/* ---- Checks ---- */

/* It may be there soon: the task does not fail, it goes out again. */
static void refuse_namespace(struct decision *decision, const char *name)
{
	Errordetails__NamespaceNotFoundFailure *detail = REQUEST_NEW(decision->request,
		Errordetails__NamespaceNotFoundFailure, errordetails__namespace_not_found_failure);

	detail->namespace_ = request_text(decision->request, name);
	decision->refused = TEMPORAL_NOT_FOUND;
	decision->refused_detail = detail;
	decision->text = arena_printf(decision->request->arena, "Namespace %s is not found.", name);
}

struct server_namespace *external_namespace(
	struct decision *decision, const char *name, Enums__WorkflowTaskFailedCause cause)
{
	struct server *server = decision->execution->server;
	struct server_namespace *own = decision->execution->space, *space;

	if (str_empty(name))
		return own;
	space = state_namespace(server, name);
	if (!space) {
		refuse_namespace(decision, name);
		return NULL;
	}
	if (space == own || server->config.cross_namespace)
		return space;
	command_refuse(decision, cause, "cross namespace commands are not allowed");
	return NULL;
}

/* How many commands of this type come before this one? None of them is pending yet, nor any of
 * earlier tasks. */
static bool too_many(
	const struct decision *decision, size_t index, Enums__CommandType type, int64_t max)
{
	int64_t n = 0;

	if ((int64_t)index < max)
		return false;
	for (size_t i = 0; i < index; i++)
		n += decision->message->commands[i]->command_type == type;
	return n >= max;
}

bool external_check_signal(struct decision *decision, size_t index)
{
	const Enums__WorkflowTaskFailedCause cause =
		CAUSE(BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES);
	const Command__SignalExternalWorkflowExecutionCommandAttributes *in =
		decision->message->commands[index]
			->signal_external_workflow_execution_command_attributes;
	const char *id = in->execution ? in->execution->workflow_id : "";
	const char *run = in->execution ? in->execution->run_id : "", *space = in->namespace_;
	int64_t max = decision->request->server->config.pending_signals_max;

	if (!external_namespace(decision, space, cause))
		return false;
	if (!in->execution)
		return command_refuse(decision, cause,
			"Execution is not set on SignalExternalWorkflowExecutionCommand.");
	if (str_empty(id))
		return command_refuse(decision, cause,
			"WorkflowId is not set on SignalExternalWorkflowExecutionCommand. "
			"Namespace=%s RunId=%s SignalName=%s",
			space, run, in->signal_name);
	if (server_over(strlen(id), decision->request->server->config.id_max))
		return command_refuse(decision, cause,
			"WorkflowId on SignalExternalWorkflowExecutionCommand exceeds length "
			"limit. WorkflowId=%s Length=%zu Limit=%d Namespace=%s RunId=%s "
			"SignalName=%s",
			id, strlen(id), (int)decision->request->server->config.id_max, space, run,
			in->signal_name);
	if (!str_empty(run) && !server_uuid_valid(run))
		return command_refuse(decision, cause,
			"Invalid RunId set on SignalExternalWorkflowExecutionCommand. "
			"WorkflowId=%s Namespace=%s RunId=%s SignalName=%s",
			id, space, run, in->signal_name);
	if (str_empty(in->signal_name))
		return command_refuse(decision, cause,
			"SignalName is not set on SignalExternalWorkflowExecutionCommand. "
			"WorkflowId=%s Namespace=%s RunId=%s",
			id, space, run);
	if (too_many(decision, index, COMMAND(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION), max))
		return command_refuse(decision, CAUSE(PENDING_SIGNALS_LIMIT_EXCEEDED),
			"the number of pending signals to external workflows, %lld, has reached "
			"the per-workflow limit of %lld",
			(long long)max, (long long)max);
	return true;
}

/* Does a command before this one start a child of that id? */
static bool starts_child(const struct decision *decision, size_t index, const char *id)
{
	for (size_t i = 0; i < index; i++) {
		const Command__Command *command = decision->message->commands[i];

		if (command->command_type == COMMAND(START_CHILD_WORKFLOW_EXECUTION) &&
			str_same(command->start_child_workflow_execution_command_attributes
					 ->workflow_id,
				id))
			return true;
	}
	return false;
}

bool external_check_cancel(struct decision *decision, size_t index)
{
	const Enums__WorkflowTaskFailedCause cause =
		CAUSE(BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES);
	const Command__RequestCancelExternalWorkflowExecutionCommandAttributes *in =
		decision->message->commands[index]
			->request_cancel_external_workflow_execution_command_attributes;
	const char *id = in->workflow_id, *run = in->run_id, *space = in->namespace_;
	int64_t max = decision->request->server->config.pending_cancels_max;

	if (!external_namespace(decision, space, cause))
		return false;
	if (str_empty(id))
		return command_refuse(decision, cause,
			"WorkflowId is not set on RequestCancelExternalWorkflowExecutionCommand. "
			"Namespace=%s RunId=%s",
			space, run);
	if (server_over(strlen(id), decision->request->server->config.id_max))
		return command_refuse(decision, cause,
			"WorkflowId on RequestCancelExternalWorkflowExecutionCommand exceeds "
			"length limit. WorkflowId=%s Length=%zu Limit=%d RunId=%s Namespace=%s",
			id, strlen(id), (int)decision->request->server->config.id_max, run, space);
	if (!str_empty(run) && !server_uuid_valid(run))
		return command_refuse(decision, cause,
			"Invalid RunId set on RequestCancelExternalWorkflowExecutionCommand. "
			"WorkflowId=%s RunId=%s Namespace=%s",
			id, run, space);
	if (starts_child(decision, index, id))
		return command_refuse(decision, cause,
			"Start and RequestCancel for child workflow is not allowed in same "
			"workflow task. WorkflowId=%s RunId=%s Namespace=%s",
			id, run, space);
	if (too_many(decision, index, COMMAND(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION), max))
		return command_refuse(decision, CAUSE(PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED),
			"the number of pending requests to cancel external workflows, %lld, has "
			"reached the per-workflow limit of %lld",
			(long long)max, (long long)max);
	return true;
}

/* ---- Commands ---- */

static const cancel_attributes no_cancel =
	HISTORY__REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED_EVENT_ATTRIBUTES__INIT;

static const char *space_id(const struct decision *decision, const char *name)
{
	const struct execution *execution = decision->execution;

	return str_empty(name) ? execution->space->id
			       : state_namespace(execution->server, name)->id;
}

void command_signal_external(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	const Command__SignalExternalWorkflowExecutionCommandAttributes *in =
		command->signal_external_workflow_execution_command_attributes;
	signal_attributes out =
		HISTORY__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = event_extras_of(command);

	out.workflow_task_completed_event_id = decision->completed_id;
	out.namespace_ = in->namespace_;
	out.namespace_id = space_id(decision, in->namespace_);
	out.workflow_execution = in->execution;
	out.signal_name = in->signal_name;
	out.input = in->input;
	out.control = in->control;
	out.child_workflow_only = in->child_workflow_only;
	out.header = in->header;
	effect_add(execution, EFFECT_SIGNAL,
		event_add_with(execution, TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED), &out,
			&extras));
}

void command_cancel_external(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	const Command__RequestCancelExternalWorkflowExecutionCommandAttributes *in =
		command->request_cancel_external_workflow_execution_command_attributes;
	cancel_attributes out = no_cancel;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;
	struct event_extras extras = event_extras_of(command);

	name.workflow_id = in->workflow_id;
	name.run_id = in->run_id;
	out.workflow_task_completed_event_id = decision->completed_id;
	out.namespace_ = in->namespace_;
	out.namespace_id = space_id(decision, in->namespace_);
	out.workflow_execution = &name;
	out.control = in->control;
	out.child_workflow_only = in->child_workflow_only;
	out.reason = in->reason;
	effect_add(execution, EFFECT_CANCEL,
		event_add_with(execution,
			TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED), &out, &extras));
}

/* ---- Effects ---- */

/* The run that is meant; NULL: there is none that this source may reach. */
static struct execution *target_of(const struct execution *source, struct server_namespace *space,
	const Common__WorkflowExecution *name, bool child_only)
{
	struct execution *target;

	if (space == source->space && str_same(name->workflow_id, source->workflow_id))
		return NULL;
	target = state_execution(source->server, space, name->workflow_id, name->run_id);
	if (target && child_only && state_running(target) &&
		(!str_same(target->parent_workflow_id, source->workflow_id) ||
			!str_same(target->parent_run_id, source->run_id)))
		return NULL;
	return target;
}

static void wake(struct execution *source)
{
	workflow_task_wake(source);
	transition_durable(source->server);
}

static Enums__SignalExternalWorkflowExecutionFailedCause send_signal(
	struct execution *source, struct server_namespace *space, const signal_attributes *in)
{
	struct execution *target =
		target_of(source, space, in->workflow_execution, in->child_workflow_only);
	History__WorkflowExecutionSignaledEventAttributes signal =
		HISTORY__WORKFLOW_EXECUTION_SIGNALED_EVENT_ATTRIBUTES__INIT;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;
	char request_id[SERVER_UUID_SIZE];

	if (!target || !state_running(target))
		return SIGNAL_FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
	if (target->signals >= source->server->config.signals_max ||
		(in->input && server_over(proto_size(in->input), source->server->config.blob_max)))
		return SIGNAL_FAILED(SIGNAL_COUNT_LIMIT_EXCEEDED);
	if (execution_over_signal(target, in->input))
		return SIGNAL_FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
	server_uuid(&source->server->io, request_id);
	name.workflow_id = source->workflow_id;
	name.run_id = source->run_id;
	signal.signal_name = in->signal_name;
	signal.input = in->input;
	signal.header = in->header;
	signal.identity = SERVER_HISTORY_IDENTITY;
	signal.external_workflow_execution = &name;
	signal.request_id = request_id;
	execution_signal(target, &signal, NULL);
	return 0;
}

static void tell_signaled(struct execution *source, int64_t initiated_id,
	const struct server_namespace *space, const signal_attributes *in)
{
	History__ExternalWorkflowExecutionSignaledEventAttributes out =
		HISTORY__EXTERNAL_WORKFLOW_EXECUTION_SIGNALED_EVENT_ATTRIBUTES__INIT;

	out.initiated_event_id = initiated_id;
	out.namespace_ = space->name;
	out.namespace_id = space->id;
	out.workflow_execution = in->workflow_execution;
	out.control = in->control;
	event_add(source, TYPE(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED), &out);
}

void external_signal(struct execution *source, int64_t initiated_id)
{
	const History__HistoryEvent *event =
		event_read(source, initiated_id, &source->server->scratch);
	History__SignalExternalWorkflowExecutionFailedEventAttributes out =
		HISTORY__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_EVENT_ATTRIBUTES__INIT;

	if (!state_running(source))
		return;
	if (!event) {
		server_unread(source->server);
		return;
	}
	const signal_attributes *in =
		event->signal_external_workflow_execution_initiated_event_attributes;
	struct server_namespace *space = state_namespace_by_id(source->server, in->namespace_id);
	out.cause = space ? send_signal(source, space, in) : SIGNAL_FAILED(NAMESPACE_NOT_FOUND);
	if (out.cause) {
		out.initiated_event_id = initiated_id;
		out.namespace_ = space ? space->name : in->namespace_;
		out.namespace_id = in->namespace_id;
		out.workflow_execution = in->workflow_execution;
		out.control = in->control;
		event_add(source, TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED), &out);
	} else {
		tell_signaled(source, initiated_id, space, in);
	}
	wake(source);
}

static Enums__CancelExternalWorkflowExecutionFailedCause send_cancel(struct execution *source,
	int64_t initiated_id, struct server_namespace *space, const cancel_attributes *in)
{
	struct execution *target =
		target_of(source, space, in->workflow_execution, in->child_workflow_only);
	History__WorkflowExecutionCancelRequestedEventAttributes out =
		HISTORY__WORKFLOW_EXECUTION_CANCEL_REQUESTED_EVENT_ATTRIBUTES__INIT;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;

	if (!target)
		return CANCEL_FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
	name.workflow_id = source->workflow_id;
	name.run_id = source->run_id;
	out.cause = in->reason;
	out.identity = SERVER_HISTORY_IDENTITY;
	out.external_initiated_event_id = initiated_id;
	out.external_workflow_execution = &name;
	execution_request_cancel(target, &out, NULL, NULL);
	return 0;
}

static void tell_cancel_requested(struct execution *source, int64_t initiated_id,
	const struct server_namespace *space, const cancel_attributes *in)
{
	History__ExternalWorkflowExecutionCancelRequestedEventAttributes out =
		HISTORY__EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED_EVENT_ATTRIBUTES__INIT;

	out.initiated_event_id = initiated_id;
	out.namespace_ = space->name;
	out.namespace_id = space->id;
	out.workflow_execution = in->workflow_execution;
	event_add(source, TYPE(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED), &out);
}

void external_cancel(struct execution *source, int64_t initiated_id)
{
	const History__HistoryEvent *event =
		event_read(source, initiated_id, &source->server->scratch);
	History__RequestCancelExternalWorkflowExecutionFailedEventAttributes out =
		HISTORY__REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_EVENT_ATTRIBUTES__INIT;

	if (!state_running(source))
		return;
	if (!event) {
		server_unread(source->server);
		return;
	}
	const cancel_attributes *in =
		event->request_cancel_external_workflow_execution_initiated_event_attributes;
	struct server_namespace *space = state_namespace_by_id(source->server, in->namespace_id);
	out.cause = space ? send_cancel(source, initiated_id, space, in)
			  : CANCEL_FAILED(NAMESPACE_NOT_FOUND);
	if (out.cause) {
		out.initiated_event_id = initiated_id;
		out.namespace_ = space ? space->name : in->namespace_;
		out.namespace_id = in->namespace_id;
		out.workflow_execution = in->workflow_execution;
		event_add(source, TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED), &out);
	} else {
		tell_cancel_requested(source, initiated_id, space, in);
	}
	wake(source);
}

/* ---- Being asked to cancel ---- */

void execution_request_cancel(struct execution *execution,
	History__WorkflowExecutionCancelRequestedEventAttributes *attributes,
	const char *request_id, const struct event_extras *extras)
{
	struct server *server = execution->server;

	if (!state_running(execution) || execution->cancel_requested)
		return;
	execution->cancel_requested = true;
	state_set_text(server, &execution->cancel_request_id, request_id);
	event_add_with(execution, TYPE(WORKFLOW_EXECUTION_CANCEL_REQUESTED), attributes, extras);
	/* It learns of it now, not when its delay, its cron or its retry is due. */
	start_end_backoff(execution);
	transition_durable(server);
	workflow_task_wake(execution);
}
