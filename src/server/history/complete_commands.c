/*
 * complete_commands.c: the four commands that end a run. A run that follows is made before the
 * event that names it. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/history.h"

void command_complete(struct decision *decision, const Command__Command *command)
{
	History__WorkflowExecutionCompletedEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_COMPLETED_EVENT_ATTRIBUTES__INIT;

	attributes.result = command->complete_workflow_execution_command_attributes->result;
	attributes.workflow_task_completed_event_id = decision->completed_id;
	event_add(decision->execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		&attributes);
	execution_close(decision->execution,
		ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_COMPLETED);
}

void command_fail(struct decision *decision, const Command__Command *command)
{
	History__WorkflowExecutionFailedEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_FAILED_EVENT_ATTRIBUTES__INIT;
	Failure__Failure none = FAILURE__FAILURE__INIT;
	Failure__Failure *failure = command->fail_workflow_execution_command_attributes->failure;
	struct execution *next = start_retry(
		decision->execution, failure ? failure : &none, &attributes.retry_state);

	attributes.failure = failure;
	attributes.workflow_task_completed_event_id = decision->completed_id;
	attributes.new_execution_run_id = next ? next->run_id : NULL;
	event_add(decision->execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		&attributes);
	execution_close(decision->execution,
		ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_FAILED);
}

void command_cancel(struct decision *decision, const Command__Command *command)
{
	History__WorkflowExecutionCanceledEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_CANCELED_EVENT_ATTRIBUTES__INIT;

	attributes.details = command->cancel_workflow_execution_command_attributes->details;
	attributes.workflow_task_completed_event_id = decision->completed_id;
	event_add(decision->execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		&attributes);
	execution_close(decision->execution,
		ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_CANCELED);
}

/* What the new run is started with: as this one, but for what the command says. */
static void continue_with(History__WorkflowExecutionStartedEventAttributes *out,
	const Command__ContinueAsNewWorkflowExecutionCommandAttributes *in)
{
	if (in->workflow_type && !str_empty(in->workflow_type->name))
		out->workflow_type = in->workflow_type;
	if (in->task_queue && !str_empty(in->task_queue->name))
		out->task_queue = in->task_queue;
	out->input = in->input;
	out->header = in->header;
	if (in->workflow_run_timeout)
		out->workflow_run_timeout = in->workflow_run_timeout;
	if (in->workflow_task_timeout)
		out->workflow_task_timeout = in->workflow_task_timeout;
	if (in->retry_policy)
		out->retry_policy = in->retry_policy;
	/* Workers send what is to go on. */
	out->memo = in->memo;
	out->search_attributes = in->search_attributes;
	out->initiator =
		in->initiator
			? in->initiator
			: ENUMS__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_WORKFLOW;
	out->continued_failure = in->failure;
	out->last_completion_result = in->last_completion_result;
	out->attempt = 1;
}

void command_continue_as_new(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	const Command__ContinueAsNewWorkflowExecutionCommandAttributes *in =
		command->continue_as_new_workflow_execution_command_attributes;
	History__WorkflowExecutionStartedEventAttributes *started = start_attributes(execution);
	History__WorkflowExecutionContinuedAsNewEventAttributes out =
		HISTORY__WORKFLOW_EXECUTION_CONTINUED_AS_NEW_EVENT_ATTRIBUTES__INIT;
	int64_t delay_ms = 0;

	if (!started)
		return;
	continue_with(started, in);
	started->search_attributes = attributes_typed(
		&execution->server->scratch, execution->space, started->search_attributes);
	(void)!proto_duration_ms(in->backoff_start_interval, &delay_ms);
	struct execution *next = start_next(execution, started, delay_ms);
	if (!next)
		return;
	out.new_execution_run_id = next->run_id;
	out.workflow_type = started->workflow_type;
	out.task_queue = started->task_queue;
	out.input = in->input;
	out.header = in->header;
	out.workflow_run_timeout = started->workflow_run_timeout;
	out.workflow_task_timeout = started->workflow_task_timeout;
	out.backoff_start_interval = in->backoff_start_interval;
	out.initiator = started->initiator;
	out.last_completion_result = in->last_completion_result;
	out.memo = started->memo;
	out.search_attributes = started->search_attributes;
	out.workflow_task_completed_event_id = decision->completed_id;
	event_add(
		execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, &out);
	execution_close(execution,
		ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW);
}
