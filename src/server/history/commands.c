/*
 * commands.c: the commands of a completed workflow task: first all are checked, then all applied,
 * so that a bad one fails the task and changes nothing.
 *
 * Loop's thread.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "proto/codec.h"
#include "proto/enum_name.h"
#include "proto/time.h"
#include "server/history/child.h"
#include "server/history/external.h"
#include "server/history/history.h"
#include "server/history/update.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define CAUSE(name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_
#define TYPE(name_)  ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_

bool command_refuse(
	struct decision *decision, Enums__WorkflowTaskFailedCause cause, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	decision->cause = cause;
	decision->text = arena_vprintf(decision->request->arena, format, args);
	va_end(args);
	return false;
}

/* Is there, in the commands before `index`, one of this type for this timer? The last one counts.
 * */
static bool earlier_timer(
	const struct decision *decision, size_t index, Enums__CommandType type, const char *id)
{
	for (size_t i = index; i-- > 0;) {
		const Command__Command *command = decision->message->commands[i];

		if (command->command_type == TYPE(START_TIMER) &&
			str_same(command->start_timer_command_attributes->timer_id, id))
			return type == TYPE(START_TIMER);
		if (command->command_type == TYPE(CANCEL_TIMER) &&
			str_same(command->cancel_timer_command_attributes->timer_id, id))
			return type == TYPE(CANCEL_TIMER);
	}
	return false;
}

static bool check_start_timer(struct decision *decision, size_t index)
{
	const struct server_config *config = &decision->execution->server->config;
	const Command__StartTimerCommandAttributes *in =
		decision->message->commands[index]->start_timer_command_attributes;
	int64_t delay = 0;

	if (str_empty(in->timer_id))
		return command_refuse(decision, CAUSE(BAD_START_TIMER_ATTRIBUTES),
			"TimerId is not set on StartTimerCommand.");
	if (server_over(strlen(in->timer_id), config->id_max))
		return command_refuse(decision, CAUSE(BAD_START_TIMER_ATTRIBUTES),
			"TimerId on StartTimerCommand exceeds length limit. TimerId=%s "
			"Length=%zu Limit=%" PRId64,
			in->timer_id, strlen(in->timer_id), config->id_max);
	if (!proto_duration_ns(in->start_to_fire_timeout, &delay) || delay < 0)
		return command_refuse(decision, CAUSE(BAD_START_TIMER_ATTRIBUTES),
			"An invalid StartToFireTimeout is set on StartTimerCommand: %s. "
			"TimerId=%.200s",
			delay < 0 ? "negative duration"
				  : "duration has seconds and nanos with different signs",
			in->timer_id);
	if (earlier_timer(decision, index, TYPE(START_TIMER), in->timer_id) ||
		(state_timer_by_id(decision->execution, in->timer_id) &&
			!earlier_timer(decision, index, TYPE(CANCEL_TIMER), in->timer_id)))
		return command_refuse(decision, CAUSE(START_TIMER_DUPLICATE_ID),
			"invalid history builder state for action: add-timer-started-event, "
			"TimerID: %s",
			in->timer_id);
	return true;
}

static bool check_cancel_timer(struct decision *decision, size_t index)
{
	const char *id =
		decision->message->commands[index]->cancel_timer_command_attributes->timer_id;

	if (str_empty(id))
		return command_refuse(decision, CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES),
			"TimerId is not set on CancelTimerCommand.");
	if (!state_timer_by_id(decision->execution, id) &&
		!event_unbuffer_timer(decision->execution, id, NULL) &&
		!earlier_timer(decision, index, TYPE(START_TIMER), id))
		return command_refuse(decision, CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES),
			"invalid history builder state for action: add-timer-canceled-event, "
			"TimerID: %s",
			id);
	return true;
}

static bool is_close(Enums__CommandType type)
{
	return type == TYPE(COMPLETE_WORKFLOW_EXECUTION) || type == TYPE(FAIL_WORKFLOW_EXECUTION) ||
	       type == TYPE(CANCEL_WORKFLOW_EXECUTION) ||
	       type == TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
}

static bool check_close(struct decision *decision, size_t index)
{
	const Command__Command *command = decision->message->commands[index];

	if (decision->execution->n_buffered)
		return command_refuse(decision, CAUSE(UNHANDLED_COMMAND), "%s", "");
	if (command->command_type == TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION))
		return command_check_continue(
			decision, command->continue_as_new_workflow_execution_command_attributes);
	return true;
}

/* A command without attributes is bad in the way of its type; one without a type is none. */
static bool refuse_bare(struct decision *decision, Enums__CommandType type)
{
	static const Enums__WorkflowTaskFailedCause causes[] = {
		[TYPE(SCHEDULE_ACTIVITY_TASK)] = CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
		[TYPE(REQUEST_CANCEL_ACTIVITY_TASK)] =
			CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES),
		[TYPE(START_TIMER)] = CAUSE(BAD_START_TIMER_ATTRIBUTES),
		[TYPE(CANCEL_TIMER)] = CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES),
		[TYPE(RECORD_MARKER)] = CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
		[TYPE(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)] = CAUSE(BAD_SEARCH_ATTRIBUTES),
		[TYPE(MODIFY_WORKFLOW_PROPERTIES)] =
			CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES),
	};
	const size_t n = sizeof(causes) / sizeof(causes[0]);
	char name[PROTO_ENUM_TEXT];

	proto_command_name((int)type, name);
	if (type == TYPE(UNSPECIFIED)) {
		decision->refused = TEMPORAL_INVALID_ARGUMENT;
		decision->text = "unknown command type: Unspecified";
		return false;
	}
	return command_refuse(decision, (size_t)type < n ? causes[type] : CAUSE(UNSPECIFIED),
		"%sCommandAttributes is not set on %sCommand.", name, name);
}

static bool check_marker(struct decision *decision, size_t index)
{
	int64_t max = decision->execution->server->config.id_max;
	const char *name =
		decision->message->commands[index]->record_marker_command_attributes->marker_name;

	if (str_empty(name))
		return command_refuse(decision, CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
			"MarkerName is not set on RecordMarkerCommand.");
	if (server_over(strlen(name), max))
		return command_refuse(decision, CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
			"MarkerName on RecordMarkerCommand exceeds length limit. MarkerName=%s "
			"Length=%zu Limit=%" PRId64,
			name, strlen(name), max);
	return true;
}

#define ATTRIBUTES_OF(name_) \
	[TYPE(name_)] = COMMAND__COMMAND__ATTRIBUTES_##name_##_COMMAND_ATTRIBUTES

bool command_has_attributes(const Command__Command *command)
{
	static const uint8_t cases[] = {
		ATTRIBUTES_OF(SCHEDULE_ACTIVITY_TASK),
		ATTRIBUTES_OF(REQUEST_CANCEL_ACTIVITY_TASK),
		ATTRIBUTES_OF(START_TIMER),
		ATTRIBUTES_OF(COMPLETE_WORKFLOW_EXECUTION),
		ATTRIBUTES_OF(FAIL_WORKFLOW_EXECUTION),
		ATTRIBUTES_OF(CANCEL_TIMER),
		ATTRIBUTES_OF(CANCEL_WORKFLOW_EXECUTION),
		ATTRIBUTES_OF(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION),
		ATTRIBUTES_OF(RECORD_MARKER),
		ATTRIBUTES_OF(CONTINUE_AS_NEW_WORKFLOW_EXECUTION),
		ATTRIBUTES_OF(START_CHILD_WORKFLOW_EXECUTION),
		ATTRIBUTES_OF(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION),
		ATTRIBUTES_OF(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES),
		ATTRIBUTES_OF(PROTOCOL_MESSAGE),
		ATTRIBUTES_OF(MODIFY_WORKFLOW_PROPERTIES),
		ATTRIBUTES_OF(SCHEDULE_NEXUS_OPERATION),
		ATTRIBUTES_OF(REQUEST_CANCEL_NEXUS_OPERATION),
	};
	size_t type = (size_t)command->command_type;

	if (type >= sizeof(cases) || !cases[type])
		return command->attributes_case != COMMAND__COMMAND__ATTRIBUTES__NOT_SET;
	return command->attributes_case == (Command__Command__AttributesCase)cases[type];
}

static bool check_kind(struct decision *decision, size_t index)
{
	const Command__Command *command = decision->message->commands[index];
	char name[PROTO_ENUM_TEXT];

	if (!command_has_attributes(command))
		return refuse_bare(decision, command->command_type);
	if (is_close(command->command_type)) {
		decision->closes = true;
		return check_close(decision, index);
	}
	switch (command->command_type) {
	case TYPE(SCHEDULE_ACTIVITY_TASK):
		return activity_check(decision, index);
	case TYPE(REQUEST_CANCEL_ACTIVITY_TASK):
		return activity_check_cancel(decision, index);
	case TYPE(START_TIMER):
		return check_start_timer(decision, index);
	case TYPE(CANCEL_TIMER):
		return check_cancel_timer(decision, index);
	case TYPE(PROTOCOL_MESSAGE):
		return update_check_command(decision, command);
	case TYPE(START_CHILD_WORKFLOW_EXECUTION):
		return child_check(decision, index);
	case TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION):
		return external_check_signal(decision, index);
	case TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION):
		return external_check_cancel(decision, index);
	case TYPE(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
		return attributes_check_upsert(
			decision, command->upsert_workflow_search_attributes_command_attributes);
	case TYPE(RECORD_MARKER):
		return check_marker(decision, index);
	case TYPE(MODIFY_WORKFLOW_PROPERTIES):
		return true;
	default:
		return command_refuse(decision, CAUSE(FEATURE_DISABLED),
			"Command %s is not served.",
			proto_command_name((int)command->command_type, name));
	}
}

bool command_check(struct decision *decision, size_t index)
{
	const Command__Command *command = decision->message->commands[index];

	if (nexus_command_is(command->command_type))
		return nexus_command_check(decision, index);
	return check_kind(decision, index) && command_check_size(decision, command);
}

static void record_marker(struct decision *decision, const Command__Command *command)
{
	const Command__RecordMarkerCommandAttributes *in =
		command->record_marker_command_attributes;
	History__MarkerRecordedEventAttributes out =
		HISTORY__MARKER_RECORDED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = event_extras_of(command);
	History__MarkerRecordedEventAttributes__DetailsEntry *entries, **details;

	entries = arena_array(decision->request->arena, in->n_details, sizeof(*entries));
	details = arena_array(decision->request->arena, in->n_details, sizeof(*details));
	if (!entries || !details) {
		server_no_memory(decision->execution->server);
		return;
	}
	for (size_t i = 0; i < in->n_details; i++) {
		entries[i] = (History__MarkerRecordedEventAttributes__DetailsEntry)
			HISTORY__MARKER_RECORDED_EVENT_ATTRIBUTES__DETAILS_ENTRY__INIT;
		entries[i].key = in->details[i]->key;
		entries[i].value = in->details[i]->value;
		details[i] = &entries[i];
	}
	out.marker_name = in->marker_name;
	out.details = details;
	out.n_details = in->n_details;
	out.header = in->header;
	out.failure = in->failure;
	out.workflow_task_completed_event_id = decision->completed_id;
	event_add_with(
		decision->execution, ENUMS__EVENT_TYPE__EVENT_TYPE_MARKER_RECORDED, &out, &extras);
}

static void upsert_attributes(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	History__UpsertWorkflowSearchAttributesEventAttributes out =
		HISTORY__UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_EVENT_ATTRIBUTES__INIT;

	out.search_attributes = search_attributes_typed(&execution->server->scratch,
		&execution->space->search_attributes,
		command->upsert_workflow_search_attributes_command_attributes->search_attributes);
	out.workflow_task_completed_event_id = decision->completed_id;
	event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, &out);
	attributes_merge(execution, out.search_attributes);
}

static void modify_properties(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	History__WorkflowPropertiesModifiedEventAttributes out =
		HISTORY__WORKFLOW_PROPERTIES_MODIFIED_EVENT_ATTRIBUTES__INIT;

	out.upserted_memo = command->modify_workflow_properties_command_attributes->upserted_memo;
	out.workflow_task_completed_event_id = decision->completed_id;
	event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED, &out);
	properties_merge(execution, &execution->memo, &common__memo__descriptor, out.upserted_memo);
}

void command_apply(struct decision *decision, const Command__Command *command)
{
	switch (command->command_type) {
	case TYPE(SCHEDULE_ACTIVITY_TASK):
		command_schedule_activity(decision, command);
		break;
	case TYPE(REQUEST_CANCEL_ACTIVITY_TASK):
		command_cancel_activity(decision, command);
		break;
	case TYPE(START_TIMER):
		command_start_timer(decision, command);
		break;
	case TYPE(CANCEL_TIMER):
		command_cancel_timer(decision, command);
		break;
	case TYPE(RECORD_MARKER):
		record_marker(decision, command);
		break;
	case TYPE(PROTOCOL_MESSAGE):
		update_apply_command(decision, command);
		break;
	case TYPE(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
		upsert_attributes(decision, command);
		break;
	case TYPE(MODIFY_WORKFLOW_PROPERTIES):
		modify_properties(decision, command);
		break;
	case TYPE(SCHEDULE_NEXUS_OPERATION):
	case TYPE(REQUEST_CANCEL_NEXUS_OPERATION):
		nexus_command_apply(decision, command);
		break;
	case TYPE(START_CHILD_WORKFLOW_EXECUTION):
		command_start_child(decision, command);
		break;
	case TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION):
		command_signal_external(decision, command);
		break;
	case TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION):
		command_cancel_external(decision, command);
		break;
	case TYPE(COMPLETE_WORKFLOW_EXECUTION):
		command_complete(decision, command);
		break;
	case TYPE(FAIL_WORKFLOW_EXECUTION):
		command_fail(decision, command);
		break;
	case TYPE(CANCEL_WORKFLOW_EXECUTION):
		command_cancel(decision, command);
		break;
	default:
		command_continue_as_new(decision, command);
	}
}
