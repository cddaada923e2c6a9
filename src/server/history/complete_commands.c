/*
 * complete_commands.c: the four commands that end a run. A run that follows is made before the
 * event that names it. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/history.h"
#include "server/history/start_check.h"

void command_complete(struct decision *decision, const Command__Command *command)
{
	History__WorkflowExecutionCompletedEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_COMPLETED_EVENT_ATTRIBUTES__INIT;

	attributes.result = command->complete_workflow_execution_command_attributes->result;
	attributes.workflow_task_completed_event_id = decision->completed_id;
	const struct execution *next = start_after_success(decision->execution, attributes.result);
	attributes.new_execution_run_id = next ? next->run_id : NULL;
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
	const struct execution *next = start_after_failure(
		decision->execution, failure ? failure : &none, false, &attributes.retry_state);

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

/*
 * What the new run is started with: its command. Only what a command may leave out is as it was:
 * type, queue, time-outs. A server that filled in more would keep a workflow from taking it away.
 */
static void continue_with(struct execution *execution,
	History__WorkflowExecutionStartedEventAttributes *out,
	const Command__ContinueAsNewWorkflowExecutionCommandAttributes *in)
{
	struct arena *arena = &execution->server->scratch;
	int64_t run_ms = 0, task_ms = 0;
	struct start_timeouts timeouts;
	Google__Duration *whole = proto_duration_new_ms(arena, execution->execution_timeout_ms);

	if (in->workflow_type && !str_empty(in->workflow_type->name))
		out->workflow_type = in->workflow_type;
	if (in->task_queue && !str_empty(in->task_queue->name))
		out->task_queue->name = in->task_queue->name;
	(void)!proto_duration_ms(in->workflow_run_timeout, &run_ms);
	(void)!proto_duration_ms(in->workflow_task_timeout, &task_ms);
	start_timeouts(whole,
		run_ms ? in->workflow_run_timeout
		       : proto_duration_new_ms(arena, execution->run_timeout_ms),
		task_ms ? in->workflow_task_timeout
			: proto_duration_new_ms(arena, execution->task_timeout_ms),
		execution->server->config.task_timeout_ms, &timeouts);
	out->workflow_run_timeout = proto_duration_new_ms(arena, timeouts.run_ms);
	out->workflow_task_timeout = proto_duration_new_ms(arena, timeouts.task_ms);
	out->input = in->input;
	out->header = in->header;
	out->retry_policy = in->retry_policy;
	out->cron_schedule = in->cron_schedule;
	out->memo = start_without_nulls(arena, &common__memo__descriptor, in->memo);
	out->search_attributes = start_without_nulls(
		arena, &common__search_attributes__descriptor, in->search_attributes);
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
	continue_with(execution, started, in);
	started->search_attributes = attributes_typed(
		&execution->server->scratch, execution->space, started->search_attributes);
	out.workflow_run_timeout = started->workflow_run_timeout;
	out.workflow_task_timeout = started->workflow_task_timeout;
	out.memo = started->memo;
	out.search_attributes = started->search_attributes;
	(void)!proto_duration_ms(in->backoff_start_interval, &delay_ms);
	const struct execution *next = start_next(execution, started, delay_ms);
	if (!next)
		return;
	out.new_execution_run_id = next->run_id;
	out.workflow_type = started->workflow_type;
	out.task_queue = started->task_queue;
	out.input = in->input;
	out.header = in->header;
	out.backoff_start_interval = in->backoff_start_interval;
	out.initiator = in->initiator;
	out.failure = in->failure;
	out.last_completion_result = in->last_completion_result;
	out.inherit_build_id = in->inherit_build_id;
	out.workflow_task_completed_event_id = decision->completed_id;
	event_add(
		execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, &out);
	execution_close(execution,
		ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW);
}
