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
#include "engine/run.h"

/* Servers still read the fields of the older ways of versioning workers. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

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
