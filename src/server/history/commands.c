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
			"TimerId on StartTimerCommand exceeds length limit. TimerId=%.20s "
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
			"Timer id %s is in use.", in->timer_id);
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
			"Timer %s is not running.", id);
	return true;
}

static bool earlier_activity(const struct decision *decision, size_t index, const char *id)
{
	for (size_t i = 0; i < index; i++) {
		const Command__Command *command = decision->message->commands[i];

		if (command->command_type == TYPE(SCHEDULE_ACTIVITY_TASK) &&
			str_same(command->schedule_activity_task_command_attributes->activity_id,
				id))
			return true;
	}
	return false;
}

static bool check_activity(struct decision *decision, size_t index)
{
	const struct server_config *config = &decision->execution->server->config;
	const Command__ScheduleActivityTaskCommandAttributes *in =
		decision->message->commands[index]->schedule_activity_task_command_attributes;
	const char *type = in->activity_type ? in->activity_type->name : "";
	struct activity timeouts = { 0 };
	const char *policy = retry_invalid(in->retry_policy);

	if (str_empty(in->activity_id))
		return command_refuse(decision, CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
			"ActivityId is not set on ScheduleActivityTaskCommand. ActivityType=%s",
			type);
	if (str_empty(type))
		return command_refuse(decision, CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
			"ActivityType is not set on ScheduleActivityTaskCommand. ActivityID=%s",
			in->activity_id);
	if (server_over(strlen(in->activity_id), config->id_max) ||
		server_over(strlen(type), config->id_max))
		return command_refuse(decision, CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
			"ActivityID or ActivityType exceeds length limit. Limit=%" PRId64,
			config->id_max);
	if (policy)
		return command_refuse(decision, CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
			"Invalid ActivityRetryPolicy for SDK: %s ActivityType=%s ActivityID=%s",
			policy, type, in->activity_id);
	if (!activity_timeouts(in, 0, &timeouts))
		return command_refuse(decision, CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
			"A valid StartToClose or ScheduleToCloseTimeout is not set on "
			"ScheduleActivityTaskCommand. ActivityId=%s ActivityType=%s",
			in->activity_id, type);
	if (state_activity_by_id(decision->execution, in->activity_id) ||
		earlier_activity(decision, index, in->activity_id))
		return command_refuse(decision, CAUSE(SCHEDULE_ACTIVITY_DUPLICATE_ID),
			"Activity id %s is in use.", in->activity_id);
	if (decision->execution->n_activities >= config->pending_activities_max)
		return command_refuse(decision, CAUSE(PENDING_ACTIVITIES_LIMIT_EXCEEDED),
			"the number of pending activities, %u, has reached the per-workflow limit "
			"of %" PRId64,
			decision->execution->n_activities, config->pending_activities_max);
	return true;
}

static bool check_cancel_activity(struct decision *decision, size_t index)
{
	int64_t id = decision->message->commands[index]
			     ->request_cancel_activity_task_command_attributes->scheduled_event_id;
	const History__HistoryEvent *event =
		event_read(decision->execution, id, &decision->execution->server->scratch);

	/* Of this very task it has no event yet: then it is beyond the end. */
	if (state_activity(decision->execution, id) || id >= decision->execution->next_event_id ||
		(event &&
			event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_SCHEDULED))
		return true;
	return command_refuse(decision, CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES),
		"ScheduledEventId %lld is no activity's.", (long long)id);
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

static bool check_kind(struct decision *decision, size_t index)
{
	const Command__Command *command = decision->message->commands[index];
	char name[PROTO_ENUM_TEXT];

	if (command->attributes_case == COMMAND__COMMAND__ATTRIBUTES__NOT_SET)
		return command_refuse(decision, CAUSE(UNSPECIFIED), "Command %s has no attributes.",
			proto_command_name((int)command->command_type, name));
	if (is_close(command->command_type)) {
		decision->closes = true;
		return check_close(decision, index);
	}
	switch (command->command_type) {
	case TYPE(SCHEDULE_ACTIVITY_TASK):
		return check_activity(decision, index);
	case TYPE(REQUEST_CANCEL_ACTIVITY_TASK):
		return check_cancel_activity(decision, index);
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
