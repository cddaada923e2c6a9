/*
 * emit.c: the workflow's commands as the API's messages. The messages point into the command that
 * they are made of; the caller copies them as a whole.
 *
 * Pure but for the arena; the thread that owns the run.
 *
 * Flat messages that borrow: on replay they are never needed, and a copy of arguments for nothing
 * would be the dearest part of it. Members that are left out keep protobuf's default, which the
 * server reads as "not set"; where 0 and "not set" differ, it is said below.
 */
#include "engine/marker.h"
#include "engine/run.h"

/* Servers still read the fields of the older ways of versioning workers. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* Names of the generator, too long for a line of code. */
#define JOIN_(a_, b_)      JOIN_IS_(a_, b_)
#define JOIN_IS_(a_, b_)   a_##b_
#define CASE_IS_           COMMAND__COMMAND__ATTRIBUTES_
#define CASE_CANCEL_       JOIN_(CASE_IS_, REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_)
#define CASE_CANCEL_EXTERN JOIN_(CASE_CANCEL_, COMMAND_ATTRIBUTES)
#define NEXUS_HEADER_IS_   COMMAND__SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES__
#define NEXUS_HEADER_INIT  JOIN_(NEXUS_HEADER_IS_, NEXUS_HEADER_ENTRY__INIT)

#define NEW(arena_, Type_, INIT_) ((Type_ *)arena_memdup((arena_), &(Type_)INIT_, sizeof(Type_)))

/* Always there: a timer must say its time, were it 0. */
static bool emit_ns(struct arena *arena, int64_t ns, Google__Duration **out)
{
	*out = NEW(arena, Google__Duration, GOOGLE__DURATION__INIT);
	if (!*out)
		return false;
	(*out)->seconds = ns / 1000000000;
	(*out)->nanos = (int32_t)(ns % 1000000000);
	return true;
}

/* Leaves NULL when it is 0. */
static bool emit_ms(struct arena *arena, int64_t ms, Google__Duration **out)
{
	if (!ms)
		return true;
	*out = NEW(arena, Google__Duration, GOOGLE__DURATION__INIT);
	if (!*out)
		return false;
	(*out)->seconds = ms / 1000;
	(*out)->nanos = (int32_t)(ms % 1000 * 1000000);
	return true;
}

/*
 * No payloads are no message, as an empty list would be an argument's absence spelled out. The
 * array itself is the workflow's: the copy that the caller makes ends that.
 */
static bool emit_payloads(
	struct arena *arena, struct activation_payloads payloads, Common__Payloads **out)
{
	if (!payloads.count)
		return true;
	*out = NEW(arena, Common__Payloads, COMMON__PAYLOADS__INIT);
	if (!*out)
		return false;
	(*out)->n_payloads = payloads.count;
	(*out)->payloads = unconst(payloads.items);
	return true;
}

static bool emit_header(
	struct arena *arena, struct activation_headers headers, Common__Header **out)
{
	if (!headers.count)
		return true;
	*out = NEW(arena, Common__Header, COMMON__HEADER__INIT);
	if (!*out)
		return false;
	(*out)->n_fields = headers.count;
	(*out)->fields = unconst(headers.items);
	return true;
}

/* A normal queue of that name; the server knows which sticky ones belong to it. */
static bool emit_task_queue(struct arena *arena, const char *name, Taskqueue__TaskQueue **out)
{
	*out = NEW(arena, Taskqueue__TaskQueue, TASKQUEUE__TASK_QUEUE__INIT);
	if (!*out)
		return false;
	(*out)->name = text_or_empty(name);
	return true;
}

/*
 * The older way of versioning workers: compatible when asked for, or, unless asked against, when it
 * stays on the worker's own queue, where workers of the same build poll.
 */
static bool use_compatible(
	const struct engine_run *run, enum versioning_intent intent, const char *task_queue)
{
	if (intent != VERSIONING_UNSPECIFIED)
		return intent == VERSIONING_COMPATIBLE;
	return str_empty(task_queue) || str_same(task_queue, run->config->task_queue);
}

/*
 * Id and type are the machine's, which has filled in what the command left out.
 *
 * Eager execution is asked for here; the worker takes it back where it has no slot. Timeouts of 0
 * are left out: the server fills in what the others imply.
 */
static bool emit_activity(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	const struct command_schedule_activity *from = &queued->source->schedule_activity;
	Command__ScheduleActivityTaskCommandAttributes *to =
		NEW(arena, Command__ScheduleActivityTaskCommandAttributes,
			COMMAND__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT);
	const char *queue =
		str_empty(from->task_queue) ? run->config->task_queue : from->task_queue;

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	message->schedule_activity_task_command_attributes = to;
	to->activity_type = NEW(arena, Common__ActivityType, COMMON__ACTIVITY_TYPE__INIT);
	if (!to->activity_type)
		return false;
	to->activity_id = queued->machine->id;
	to->activity_type->name = queued->machine->activity_type;
	to->retry_policy = unconst(from->retry_policy);
	to->priority = unconst(from->priority);
	to->request_eager_execution = !from->do_not_eagerly_execute;
	to->use_workflow_build_id = use_compatible(run, from->versioning_intent, from->task_queue);
	return emit_task_queue(arena, queue, &to->task_queue) &&
	       emit_header(arena, from->headers, &to->header) &&
	       emit_payloads(arena, from->arguments, &to->input) &&
	       emit_ms(arena, from->schedule_to_close_ms, &to->schedule_to_close_timeout) &&
	       emit_ms(arena, from->schedule_to_start_ms, &to->schedule_to_start_timeout) &&
	       emit_ms(arena, from->start_to_close_ms, &to->start_to_close_timeout) &&
	       emit_ms(arena, from->heartbeat_ms, &to->heartbeat_timeout);
}

/* The server knows the activity by the event that scheduled it. */
static bool emit_cancel_activity(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__RequestCancelActivityTaskCommandAttributes *to =
		NEW(arena, Command__RequestCancelActivityTaskCommandAttributes,
			COMMAND__REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	message->request_cancel_activity_task_command_attributes = to;
	to->scheduled_event_id = queued->machine->initial_event_id;
	return true;
}

/* A timer's id is its sequence number, as in all SDKs on the core. */
static bool emit_timer(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__StartTimerCommandAttributes *to = NEW(arena, Command__StartTimerCommandAttributes,
		COMMAND__START_TIMER_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_TIMER;
	message->attributes_case = COMMAND__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
	message->start_timer_command_attributes = to;
	to->timer_id = arena_printf(arena, "%u", queued->machine->seq);
	return to->timer_id && emit_ns(arena, queued->source->start_timer.start_to_fire_ns,
				       &to->start_to_fire_timeout);
}

static bool emit_cancel_timer(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__CancelTimerCommandAttributes *to =
		NEW(arena, Command__CancelTimerCommandAttributes,
			COMMAND__CANCEL_TIMER_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_CANCEL_TIMER;
	message->attributes_case = COMMAND__COMMAND__ATTRIBUTES_CANCEL_TIMER_COMMAND_ATTRIBUTES;
	message->cancel_timer_command_attributes = to;
	to->timer_id = arena_printf(arena, "%u", queued->machine->seq);
	return to->timer_id;
}

/* The result travels as a list of one; no result is no list. */
static bool emit_complete(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__CompleteWorkflowExecutionCommandAttributes *to =
		NEW(arena, Command__CompleteWorkflowExecutionCommandAttributes,
			COMMAND__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	message->complete_workflow_execution_command_attributes = to;
	if (!queued->source->complete.result)
		return true;

	Common__Payload **item =
		arena_memdup(arena, &queued->source->complete.result, sizeof(*item));

	return item && emit_payloads(arena, (struct activation_payloads){ item, 1 }, &to->result);
}

static bool emit_fail(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__FailWorkflowExecutionCommandAttributes *to =
		NEW(arena, Command__FailWorkflowExecutionCommandAttributes,
			COMMAND__FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	message->fail_workflow_execution_command_attributes = to;
	to->failure = unconst(queued->source->fail.failure);
	return true;
}

static bool emit_cancel(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__CancelWorkflowExecutionCommandAttributes *to =
		NEW(arena, Command__CancelWorkflowExecutionCommandAttributes,
			COMMAND__CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	message->cancel_workflow_execution_command_attributes = to;
	to->details = unconst(queued->source->cancel.details);
	return true;
}

/*
 * Memo, search attributes and retry policy are this run's, unless the command says otherwise: the
 * server starts the next run from the command alone, and would start it without them.
 */
static bool emit_inherited(struct engine_run *run, const struct command_continue_as_new *from,
	struct arena *arena, Command__ContinueAsNewWorkflowExecutionCommandAttributes *to)
{
	to->retry_policy = unconst(from->retry_policy ? from->retry_policy : run->retry_policy);
	to->search_attributes =
		unconst(from->search_attributes ? from->search_attributes : run->search_attributes);
	to->memo = run->memo;
	if (!from->memo.count)
		return true;
	to->memo = NEW(arena, Common__Memo, COMMON__MEMO__INIT);
	if (!to->memo)
		return false;
	to->memo->n_fields = from->memo.count;
	to->memo->fields = unconst(from->memo.items);
	return true;
}

static bool emit_continue_as_new(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	const struct command_continue_as_new *from = &queued->source->continue_as_new;
	Command__ContinueAsNewWorkflowExecutionCommandAttributes *to =
		NEW(arena, Command__ContinueAsNewWorkflowExecutionCommandAttributes,
			COMMAND__CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type =
		ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	message->continue_as_new_workflow_execution_command_attributes = to;
	to->workflow_type = NEW(arena, Common__WorkflowType, COMMON__WORKFLOW_TYPE__INIT);
	if (!to->workflow_type)
		return false;
	to->workflow_type->name = str_empty(from->workflow_type) ? text_or_empty(run->workflow_type)
								 : from->workflow_type;
	to->inherit_build_id = use_compatible(run, from->versioning_intent, from->task_queue);
	to->initial_versioning_behavior = from->initial_versioning_behavior;
	return emit_inherited(run, from, arena, to) &&
	       emit_task_queue(arena,
		       str_empty(from->task_queue) ? run->config->task_queue : from->task_queue,
		       &to->task_queue) &&
	       emit_header(arena, from->headers, &to->header) &&
	       emit_payloads(arena, from->arguments, &to->input) &&
	       emit_ms(arena, from->run_timeout_ms, &to->workflow_run_timeout) &&
	       emit_ms(arena, from->task_timeout_ms, &to->workflow_task_timeout) &&
	       emit_ms(arena, from->backoff_start_ms, &to->backoff_start_interval);
}

/* The message itself goes beside the commands (protocol.c); this is its place among them. */
static bool emit_protocol_message(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__ProtocolMessageCommandAttributes *to =
		NEW(arena, Command__ProtocolMessageCommandAttributes,
			COMMAND__PROTOCOL_MESSAGE_COMMAND_ATTRIBUTES__INIT);
	bool accepts = queued->source->update_response.response == UPDATE_ACCEPTED;

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_PROTOCOL_MESSAGE;
	message->attributes_case = COMMAND__COMMAND__ATTRIBUTES_PROTOCOL_MESSAGE_COMMAND_ATTRIBUTES;
	message->protocol_message_command_attributes = to;
	to->message_id =
		machine_update_message_id(queued->machine, accepts ? "accept" : "complete", arena);
	return to->message_id;
}

static bool emit_memo(struct arena *arena, struct command_memo memo, Common__Memo **out)
{
	if (!memo.count)
		return true;
	*out = NEW(arena, Common__Memo, COMMON__MEMO__INIT);
	if (!*out)
		return false;
	(*out)->n_fields = memo.count;
	(*out)->fields = unconst(memo.items);
	return true;
}

static bool emit_execution(struct arena *arena, const char *workflow_id, const char *run_id,
	Common__WorkflowExecution **out)
{
	*out = NEW(arena, Common__WorkflowExecution, COMMON__WORKFLOW_EXECUTION__INIT);
	if (!*out)
		return false;
	(*out)->workflow_id = text_or_empty(workflow_id);
	(*out)->run_id = text_or_empty(run_id);
	return true;
}

/* Id, type and namespace are the machine's, which outlive the command. */
static bool emit_child(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	const struct command_start_child *from = &queued->source->start_child;
	Command__StartChildWorkflowExecutionCommandAttributes *to =
		NEW(arena, Command__StartChildWorkflowExecutionCommandAttributes,
			COMMAND__START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	message->start_child_workflow_execution_command_attributes = to;
	to->workflow_type = NEW(arena, Common__WorkflowType, COMMON__WORKFLOW_TYPE__INIT);
	if (!to->workflow_type)
		return false;
	to->workflow_id = queued->machine->id;
	to->workflow_type->name = machine_text(queued->machine, 1);
	to->namespace_ = machine_text(queued->machine, 2);
	to->parent_close_policy = from->parent_close_policy;
	to->workflow_id_reuse_policy = from->workflow_id_reuse_policy;
	to->retry_policy = unconst(from->retry_policy);
	to->cron_schedule = text_or_empty(from->cron_schedule);
	to->search_attributes = unconst(from->search_attributes);
	to->priority = unconst(from->priority);
	to->versioning_override = unconst(from->versioning_override);
	to->inherit_build_id = use_compatible(run, from->versioning_intent, from->task_queue);
	return emit_task_queue(arena,
		       str_empty(from->task_queue) ? run->config->task_queue : from->task_queue,
		       &to->task_queue) &&
	       emit_header(arena, from->headers, &to->header) &&
	       emit_memo(arena, from->memo, &to->memo) &&
	       emit_payloads(arena, from->input, &to->input) &&
	       emit_ms(arena, from->execution_timeout_ms, &to->workflow_execution_timeout) &&
	       emit_ms(arena, from->run_timeout_ms, &to->workflow_run_timeout) &&
	       emit_ms(arena, from->task_timeout_ms, &to->workflow_task_timeout);
}

/* The workflow's own, or a child's, which the server then looks for among the children alone. */
static bool emit_cancel_external(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	const struct activation_execution *execution = &queued->source->cancel_external.execution;
	Command__RequestCancelExternalWorkflowExecutionCommandAttributes *to = NEW(arena,
		Command__RequestCancelExternalWorkflowExecutionCommandAttributes,
		COMMAND__REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type =
		ENUMS__COMMAND_TYPE__COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION;
	message->attributes_case = CASE_CANCEL_EXTERN;
	message->request_cancel_external_workflow_execution_command_attributes = to;
	to->namespace_ = str_empty(execution->namespace_) ? text_or_empty(run->config->namespace_)
							  : execution->namespace_;
	to->workflow_id = text_or_empty(execution->workflow_id);
	to->run_id = text_or_empty(execution->run_id);
	to->reason = text_or_empty(queued->source->cancel_external.reason);
	to->child_workflow_only = queued->kind == COMMAND_CANCEL_CHILD;
	return true;
}

static bool emit_signal_external(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	const struct command_signal_external *from = &queued->source->signal_external;
	bool child = !str_empty(from->child_workflow_id);
	const char *namespace_ = child ? "" : from->execution.namespace_;
	Command__SignalExternalWorkflowExecutionCommandAttributes *to =
		NEW(arena, Command__SignalExternalWorkflowExecutionCommandAttributes,
			COMMAND__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type =
		ENUMS__COMMAND_TYPE__COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	message->signal_external_workflow_execution_command_attributes = to;
	to->namespace_ =
		str_empty(namespace_) ? text_or_empty(run->config->namespace_) : namespace_;
	to->signal_name = text_or_empty(from->signal_name);
	to->child_workflow_only = child;
	return emit_execution(arena, child ? from->child_workflow_id : from->execution.workflow_id,
		       child ? "" : from->execution.run_id, &to->execution) &&
	       emit_header(arena, from->headers, &to->header) &&
	       emit_payloads(arena, from->arguments, &to->input);
}

static bool emit_patch(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_RECORD_MARKER;
	message->attributes_case = COMMAND__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES;
	message->record_marker_command_attributes = marker_write_patch(
		arena, queued->machine->id, queued->source->set_patch_marker.deprecated);
	return message->record_marker_command_attributes;
}

/* The message is there even if it sets nothing: the command has its place. */
static bool emit_upsert(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__UpsertWorkflowSearchAttributesCommandAttributes *to =
		NEW(arena, Command__UpsertWorkflowSearchAttributesCommandAttributes,
			COMMAND__UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES;
	message->upsert_workflow_search_attributes_command_attributes = to;
	to->search_attributes = unconst(queued->source->upsert_search_attributes.search_attributes);
	if (!to->search_attributes)
		to->search_attributes =
			NEW(arena, Common__SearchAttributes, COMMON__SEARCH_ATTRIBUTES__INIT);
	return to->search_attributes;
}

static bool emit_properties(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__ModifyWorkflowPropertiesCommandAttributes *to =
		NEW(arena, Command__ModifyWorkflowPropertiesCommandAttributes,
			COMMAND__MODIFY_WORKFLOW_PROPERTIES_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_MODIFY_WORKFLOW_PROPERTIES_COMMAND_ATTRIBUTES;
	message->modify_workflow_properties_command_attributes = to;
	to->upserted_memo = unconst(queued->source->modify_properties.upserted_memo);
	return true;
}

static bool emit_nexus_headers(struct arena *arena, const struct command_schedule_nexus *from,
	Command__ScheduleNexusOperationCommandAttributes *to)
{
	if (!from->n_headers)
		return true;
	to->nexus_header = arena_array(arena, from->n_headers, sizeof(*to->nexus_header));
	if (!to->nexus_header)
		return false;
	for (size_t i = 0; i < from->n_headers; i++) {
		Command__ScheduleNexusOperationCommandAttributes__NexusHeaderEntry *entry = NEW(
			arena, Command__ScheduleNexusOperationCommandAttributes__NexusHeaderEntry,
			NEXUS_HEADER_INIT);

		if (!entry)
			return false;
		entry->key = from->headers[i].key;
		entry->value = from->headers[i].value;
		to->nexus_header[to->n_nexus_header++] = entry;
	}
	return true;
}

static bool emit_nexus(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	const struct command_schedule_nexus *from = &queued->source->schedule_nexus;
	Command__ScheduleNexusOperationCommandAttributes *to =
		NEW(arena, Command__ScheduleNexusOperationCommandAttributes,
			COMMAND__SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
	message->schedule_nexus_operation_command_attributes = to;
	to->endpoint = machine_text(queued->machine, 0);
	to->service = machine_text(queued->machine, 1);
	to->operation = machine_text(queued->machine, 2);
	to->input = unconst(from->input);
	return emit_nexus_headers(arena, from, to) &&
	       emit_ms(arena, from->schedule_to_close_ms, &to->schedule_to_close_timeout) &&
	       emit_ms(arena, from->schedule_to_start_ms, &to->schedule_to_start_timeout) &&
	       emit_ms(arena, from->start_to_close_ms, &to->start_to_close_timeout);
}

static bool emit_cancel_nexus(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	Command__RequestCancelNexusOperationCommandAttributes *to =
		NEW(arena, Command__RequestCancelNexusOperationCommandAttributes,
			COMMAND__REQUEST_CANCEL_NEXUS_OPERATION_COMMAND_ATTRIBUTES__INIT);

	if (!to)
		return false;
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION;
	message->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_REQUEST_CANCEL_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
	message->request_cancel_nexus_operation_command_attributes = to;
	to->scheduled_event_id = queued->machine->initial_event_id;
	return true;
}

/*
 * One case a kind that commands_apply() lets in, and the cancellations that machines make
 * themselves, which have no source.
 */
static bool emit_attributes(struct engine_run *run, const struct queued_command *queued,
	struct arena *arena, Command__Command *message)
{
	switch (queued->kind) {
	case COMMAND_SCHEDULE_ACTIVITY:
		return emit_activity(run, queued, arena, message);
	case COMMAND_REQUEST_CANCEL_ACTIVITY:
		return emit_cancel_activity(run, queued, arena, message);
	case COMMAND_START_TIMER:
		return emit_timer(run, queued, arena, message);
	case COMMAND_CANCEL_TIMER:
		return emit_cancel_timer(run, queued, arena, message);
	case COMMAND_UPDATE_RESPONSE:
		return emit_protocol_message(run, queued, arena, message);
	case COMMAND_START_CHILD:
		return emit_child(run, queued, arena, message);
	case COMMAND_CANCEL_CHILD:
	case COMMAND_REQUEST_CANCEL_EXTERNAL:
		return emit_cancel_external(run, queued, arena, message);
	case COMMAND_SIGNAL_EXTERNAL:
		return emit_signal_external(run, queued, arena, message);
	case COMMAND_SET_PATCH_MARKER:
		return emit_patch(run, queued, arena, message);
	case COMMAND_UPSERT_SEARCH_ATTRIBUTES:
		return emit_upsert(run, queued, arena, message);
	case COMMAND_MODIFY_PROPERTIES:
		return emit_properties(run, queued, arena, message);
	case COMMAND_SCHEDULE_NEXUS:
		return emit_nexus(run, queued, arena, message);
	case COMMAND_REQUEST_CANCEL_NEXUS:
		return emit_cancel_nexus(run, queued, arena, message);
	case COMMAND_COMPLETE_WORKFLOW:
		return emit_complete(run, queued, arena, message);
	case COMMAND_FAIL_WORKFLOW:
		return emit_fail(run, queued, arena, message);
	case COMMAND_CANCEL_WORKFLOW:
		return emit_cancel(run, queued, arena, message);
	case COMMAND_CONTINUE_AS_NEW:
		return emit_continue_as_new(run, queued, arena, message);
	default:
		return false;
	}
}

Command__Command *emit_command(
	struct engine_run *run, const struct queued_command *queued, struct arena *arena)
{
	Command__Command *message = NEW(arena, Command__Command, COMMAND__COMMAND__INIT);

	if (!message || !emit_attributes(run, queued, arena, message))
		return NULL;
	if (queued->source) {
		message->user_metadata = unconst(queued->source->user_metadata);
		message->n_event_group_markers = queued->source->n_event_group_markers;
		message->event_group_markers = unconst(queued->source->event_group_markers);
	}
	return message;
}
