/*
 * command_size.c: what a command carries has a limit, and workflow code that goes over it would do
 * so again at every attempt: the run is terminated, with the official server's texts and causes.
 * Called by command_check() once the command is right otherwise; pure. Loop's thread.
 */
#include "proto/codec.h"
#include "server/history/history.h"

#define TYPE(name_)  ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_
#define CAUSE(name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_

static bool too_big(
	struct decision *decision, Enums__WorkflowTaskFailedCause cause, const char *what)
{
	decision->terminate = true;
	return command_refuse(decision, cause, "%s exceeds size limit.", what);
}

static size_t size_of(const void *message)
{
	return message ? proto_size(message) : 0;
}

/* Keys and data alone count, as the official server has it. */
static size_t size_of_fields(Common__Memo__FieldsEntry *const *fields, size_t n_fields)
{
	size_t size = 0;

	for (size_t i = 0; i < n_fields; i++) {
		size += strlen(fields[i]->key);
		if (fields[i]->value)
			size += fields[i]->value->data.len;
	}
	return size;
}

static size_t size_of_details(const Command__RecordMarkerCommandAttributes *in)
{
	size_t size = 0;

	for (size_t i = 0; i < in->n_details; i++)
		size += strlen(in->details[i]->key) + size_of(in->details[i]->value);
	return size;
}

static size_t size_of_attributes(const Common__SearchAttributes *attributes)
{
	/* Memo and SearchAttributes have one shape. */
	const Common__Memo *same = (const void *)attributes;

	return same ? size_of_fields(same->fields, same->n_fields) : 0;
}

/* The payload of a command that is held to the limit of blobs. */
struct carried {
	size_t size;
	Enums__WorkflowTaskFailedCause cause;
	const char *what;
};

static struct carried carried_by(const Command__Command *command)
{
	switch (command->command_type) {
	case TYPE(SCHEDULE_ACTIVITY_TASK):
		return (struct carried){
			size_of(command->schedule_activity_task_command_attributes->input),
			CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
			"ScheduleActivityTaskCommandAttributes.Input"
		};
	case TYPE(COMPLETE_WORKFLOW_EXECUTION):
		/* The cause is another command's there too. */
		return (struct carried){
			size_of(command->complete_workflow_execution_command_attributes->result),
			CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
			"CompleteWorkflowExecutionCommandAttributes.Result"
		};
	case TYPE(FAIL_WORKFLOW_EXECUTION):
		return (struct carried){
			size_of(command->fail_workflow_execution_command_attributes->failure),
			CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES),
			"FailWorkflowExecutionCommandAttributes.Failure"
		};
	case TYPE(RECORD_MARKER):
		return (struct carried){ size_of_details(command->record_marker_command_attributes),
			CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
			"RecordMarkerCommandAttributes.Details" };
	case TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION):
		return (struct carried){
			size_of(command->continue_as_new_workflow_execution_command_attributes
					->input),
			CAUSE(BAD_CONTINUE_AS_NEW_ATTRIBUTES),
			"ContinueAsNewWorkflowExecutionCommandAttributes. Input"
		};
	case TYPE(START_CHILD_WORKFLOW_EXECUTION):
		return (struct carried){
			size_of(command->start_child_workflow_execution_command_attributes->input),
			CAUSE(BAD_START_CHILD_EXECUTION_ATTRIBUTES),
			"StartChildWorkflowExecutionCommandAttributes. Input"
		};
	case TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION):
		return (struct carried){
			size_of(command->signal_external_workflow_execution_command_attributes
					->input),
			CAUSE(BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES),
			"SignalExternalWorkflowExecutionCommandAttributes.Input"
		};
	case TYPE(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
		return (struct carried){
			size_of_attributes(
				command->upsert_workflow_search_attributes_command_attributes
					->search_attributes),
			CAUSE(BAD_SEARCH_ATTRIBUTES),
			"UpsertWorkflowSearchAttributesCommandAttributes"
		};
	default:
		return (struct carried){ 0 };
	}
}

/* What is changed is held to the limit of blobs, what comes of it to that of memos. */
static bool check_properties(struct decision *decision, const Common__Memo *change)
{
	const struct server_config *config = &decision->execution->server->config;
	Enums__WorkflowTaskFailedCause cause = CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES);

	if (!change)
		return true;
	if (server_over(size_of_fields(change->fields, change->n_fields), config->blob_max))
		return too_big(decision, cause, "ModifyWorkflowPropertiesCommandAttributes");
	if (server_over(properties_merged_size(decision->execution, change), config->memo_max))
		return too_big(decision, cause, "ModifyWorkflowPropertiesCommandAttributes. Memo");
	return true;
}

bool command_check_size(struct decision *decision, const Command__Command *command)
{
	const struct server_config *config = &decision->execution->server->config;
	const struct carried carried = carried_by(command);
	const Common__Memo *memo = NULL;

	if (command->command_type == TYPE(MODIFY_WORKFLOW_PROPERTIES))
		return check_properties(decision,
			command->modify_workflow_properties_command_attributes->upserted_memo);
	if (server_over(carried.size, config->blob_max))
		return too_big(decision, carried.cause, carried.what);
	if (command->command_type == TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION))
		memo = command->continue_as_new_workflow_execution_command_attributes->memo;
	if (server_over(size_of(memo), config->memo_max))
		return too_big(decision, carried.cause,
			"ContinueAsNewWorkflowExecutionCommandAttributes. Memo");
	memo = NULL;
	if (command->command_type == TYPE(START_CHILD_WORKFLOW_EXECUTION))
		memo = command->start_child_workflow_execution_command_attributes->memo;
	if (server_over(size_of(memo), config->memo_max))
		return too_big(decision, carried.cause,
			"StartChildWorkflowExecutionCommandAttributes.Memo");
	return true;
}
