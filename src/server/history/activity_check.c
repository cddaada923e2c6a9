/*
 * activity_check.c: what is wrong with the commands for activities, in the official server's words.
 * Called by command_check(), before anything is applied; pure. Loop's thread.
 */
#include <inttypes.h>

#include "proto/time.h"
#include "server/history/history.h"
#include "server/limits.h"

#define CAUSE(name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_
#define TYPE(name_)  ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_
#define BAD          CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES)

/* The commands before this one count as if they were applied. */
struct earlier {
	bool same_id;
	uint32_t n_activities;
};

static struct earlier look_back(const struct decision *decision, size_t index, const char *id)
{
	struct earlier earlier = { 0 };

	for (size_t i = 0; i < index; i++) {
		const Command__Command *command = decision->message->commands[i];

		if (command->command_type != TYPE(SCHEDULE_ACTIVITY_TASK))
			continue;
		earlier.n_activities++;
		earlier.same_id |= str_same(
			command->schedule_activity_task_command_attributes->activity_id, id);
	}
	return earlier;
}

static bool check_names(
	struct decision *decision, const Command__ScheduleActivityTaskCommandAttributes *in)
{
	int64_t max = decision->execution->server->config.id_max;
	const char *type = in->activity_type ? in->activity_type->name : "";
	const char *policy = retry_invalid(in->retry_policy);

	/* Without a queue it is the workflow's. */
	if (in->task_queue && str_empty(in->task_queue->name))
		return command_refuse(decision, BAD, "missing task queue name");
	if (in->task_queue && server_over(strlen(in->task_queue->name), max))
		return command_refuse(decision, BAD, "taskQueue length exceeds limit");
	if (str_empty(in->activity_id))
		return command_refuse(decision, BAD, "activityId is not set");
	if (str_empty(type))
		return command_refuse(decision, BAD, "activityType is not set");
	if (policy)
		return command_refuse(decision, BAD, "%s", policy);
	if (server_over(strlen(in->activity_id), max))
		return command_refuse(decision, BAD,
			"activityId exceeds length limit. Length=%zu Limit=%" PRId64,
			strlen(in->activity_id), max);
	if (server_over(strlen(type), max))
		return command_refuse(decision, BAD,
			"activityType exceeds length limit. Length=%zu Limit=%" PRId64,
			strlen(type), max);
	return true;
}

static bool check_timeouts(
	struct decision *decision, const Command__ScheduleActivityTaskCommandAttributes *in)
{
	const struct {
		const char *name;
		const Google__Duration *value;
	} all[] = {
		{ "ScheduleToCloseTimeout", in->schedule_to_close_timeout },
		{ "ScheduleToStartTimeout", in->schedule_to_start_timeout },
		{ "StartToCloseTimeout", in->start_to_close_timeout },
		{ "HeartbeatTimeout", in->heartbeat_timeout },
	};
	struct activity timeouts = { 0 };
	int64_t ms = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (proto_duration_ms(all[i].value, &ms) && ms < 0)
			return command_refuse(
				decision, BAD, "invalid %s: negative duration", all[i].name);
	}
	if (activity_timeouts(in, 0, &timeouts))
		return true;
	return command_refuse(decision, BAD,
		"a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the "
		"activity. "
		"ActivityId=%s ActivityType=%s",
		in->activity_id, in->activity_type->name);
}

bool activity_check(struct decision *decision, size_t index)
{
	const struct execution *execution = decision->execution;
	int64_t max = execution->server->config.pending_activities_max;
	const Command__ScheduleActivityTaskCommandAttributes *in =
		decision->message->commands[index]->schedule_activity_task_command_attributes;

	if (!check_names(decision, in) || !check_timeouts(decision, in))
		return false;
	struct earlier earlier = look_back(decision, index, in->activity_id);
	uint32_t pending = execution->n_activities + earlier.n_activities;
	if (pending >= max)
		return command_refuse(decision, CAUSE(PENDING_ACTIVITIES_LIMIT_EXCEEDED),
			"the number of pending activities, %u, has reached the per-workflow limit "
			"of %" PRId64,
			pending, max);
	if (earlier.same_id || state_activity_by_id(execution, in->activity_id))
		return command_refuse(decision, CAUSE(SCHEDULE_ACTIVITY_DUPLICATE_ID),
			"invalid history builder state for action: "
			"add-activitytask-scheduled-event, ActivityID: %s",
			in->activity_id);
	return true;
}

bool activity_check_cancel(struct decision *decision, size_t index)
{
	const struct execution *execution = decision->execution;
	int64_t id = decision->message->commands[index]
			     ->request_cancel_activity_task_command_attributes->scheduled_event_id;
	const History__HistoryEvent *event = event_read(execution, id, &execution->server->scratch);
	int64_t next = execution->next_event_id;

	/* Of this very task it has no event yet: then it is one of those that the commands before
	 * this one will add, behind the task's own. */
	if (state_activity(execution, id) || (id >= next && id <= next + 2 + (int64_t)index) ||
		(event &&
			event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_SCHEDULED))
		return true;
	return command_refuse(decision, CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES),
		"invalid history builder state for action: "
		"add-activitytask-cancel-requested-event, ScheduledEventID: %lld",
		(long long)id);
}
