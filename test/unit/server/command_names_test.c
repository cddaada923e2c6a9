/*
 * Goal: commands with names that are missing, too long or taken, with times before zero, of what is
 * not there, and without attributes fail their task in the official server's words; at the limit
 * they do not; pending activities have a limit that counts those of the same task.
 * Method: one command, or two, of a run by hand, for each.
 */
#include "run_world.h"

#define ID_MAX       10
#define TYPE(name_)  ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_
#define CASE(name_)  COMMAND__COMMAND__ATTRIBUTES_##name_##_COMMAND_ATTRIBUTES
#define LONG_NAME    "12345678901"
#define BAD_ACTIVITY "BadScheduleActivityAttributes: "
#define HISTORY      "invalid history builder state for action: "

static struct {
	Command__Command command;
	Command__ScheduleActivityTaskCommandAttributes in;
	Common__ActivityType type;
	Taskqueue__TaskQueue queue;
	Google__Duration time;
} activities[3];

static Command__Command *activity(int i, const char *id)
{
	activities[i].type = (Common__ActivityType)COMMON__ACTIVITY_TYPE__INIT;
	activities[i].type.name = "type";
	activities[i].queue = (Taskqueue__TaskQueue)TASKQUEUE__TASK_QUEUE__INIT;
	activities[i].queue.name = QUEUE_NAME;
	activities[i].time = (Google__Duration)GOOGLE__DURATION__INIT;
	activities[i].time.seconds = 10;
	activities[i].in = (Command__ScheduleActivityTaskCommandAttributes)
		COMMAND__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
	activities[i].in.activity_id = id;
	activities[i].in.activity_type = &activities[i].type;
	activities[i].in.task_queue = &activities[i].queue;
	activities[i].in.start_to_close_timeout = &activities[i].time;
	activities[i].command = (Command__Command)COMMAND__COMMAND__INIT;
	activities[i].command.command_type = TYPE(SCHEDULE_ACTIVITY_TASK);
	activities[i].command.attributes_case = CASE(SCHEDULE_ACTIVITY_TASK);
	activities[i].command.schedule_activity_task_command_attributes = &activities[i].in;
	return &activities[i].command;
}

/* What the completion of a new run's task is answered with; "": it is taken. */
static void expect(Command__Command **commands, size_t n, const char *text)
{
	static int runs;
	char id[20];

	snprintf(id, sizeof(id), "w%d", ++runs);
	world.server.config.id_max = 1000;
	run_start(id);
	world.server.config.id_max = ID_MAX;
	assert_string_equal(run_commands(id, commands, n), text);
	if (*text)
		assert_true(run_of(id)->task_scheduled_id);
	execution_terminate(run_of(id), "", NULL, "", NULL);
}

static void names_of_activities(void **state)
{
	Command__Command *one[] = { activity(0, "1234567890") };

	(void)state;
	expect(one, 1, "");
	activity(0, "");
	expect(one, 1, BAD_ACTIVITY "activityId is not set");
	activity(0, LONG_NAME);
	expect(one, 1, BAD_ACTIVITY "activityId exceeds length limit. Length=11 Limit=10");
	activity(0, "a");
	activities[0].type.name = "";
	expect(one, 1, BAD_ACTIVITY "activityType is not set");
	activities[0].type.name = LONG_NAME;
	expect(one, 1, BAD_ACTIVITY "activityType exceeds length limit. Length=11 Limit=10");
	activity(0, "a");
	activities[0].queue.name = "";
	expect(one, 1, BAD_ACTIVITY "missing task queue name");
	activities[0].queue.name = LONG_NAME;
	expect(one, 1, BAD_ACTIVITY "taskQueue length exceeds limit");
	activity(0, "a");
	activities[0].time.seconds = -1;
	expect(one, 1, BAD_ACTIVITY "invalid StartToCloseTimeout: negative duration");
	activities[0].time.seconds = 0;
	expect(one, 1,
		BAD_ACTIVITY "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on "
			     "the activity. ActivityId=a ActivityType=type");
}

static void activities_of_one_task(void **state)
{
	Command__Command *three[] = { activity(0, "a"), activity(1, "b"), activity(2, "c") };

	(void)state;
	world.server.config.pending_activities_max = 2;
	expect(three, 2, "");
	expect(three, 3,
		"PendingActivitiesLimitExceeded: the number of pending activities, 2, has reached "
		"the per-workflow limit of 2");
	activity(1, "a");
	expect(three, 2,
		"ScheduleActivityDuplicateId: " HISTORY
		"add-activitytask-scheduled-event, ActivityID: a");
}

static void what_is_not_there(void **state)
{
	Command__Command command = COMMAND__COMMAND__INIT, *one[] = { &command };
	Command__RequestCancelActivityTaskCommandAttributes cancel =
		COMMAND__REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
	Command__RecordMarkerCommandAttributes marker =
		COMMAND__RECORD_MARKER_COMMAND_ATTRIBUTES__INIT;

	(void)state;
	command.command_type = TYPE(REQUEST_CANCEL_ACTIVITY_TASK);
	expect(one, 1,
		"BadRequestCancelActivityAttributes: RequestCancelActivityTaskCommandAttributes is "
		"not set on RequestCancelActivityTaskCommand.");
	/* Those of another type are none. */
	command.attributes_case = CASE(RECORD_MARKER);
	command.record_marker_command_attributes = &marker;
	expect(one, 1,
		"BadRequestCancelActivityAttributes: RequestCancelActivityTaskCommandAttributes is "
		"not set on RequestCancelActivityTaskCommand.");
	command.command_type = TYPE(SCHEDULE_NEXUS_OPERATION);
	expect(one, 1,
		"BadScheduleNexusOperationAttributes: empty "
		"ScheduleNexusOperationCommandAttributes");
	command.command_type = TYPE(REQUEST_CANCEL_ACTIVITY_TASK);
	command.attributes_case = CASE(REQUEST_CANCEL_ACTIVITY_TASK);
	command.request_cancel_activity_task_command_attributes = &cancel;
	cancel.scheduled_event_id = 77;
	expect(one, 1,
		"BadRequestCancelActivityAttributes: " HISTORY
		"add-activitytask-cancel-requested-event, ScheduledEventID: 77");
	command.command_type = TYPE(RECORD_MARKER);
	command.attributes_case = CASE(RECORD_MARKER);
	command.record_marker_command_attributes = &marker;
	expect(one, 1, "BadRecordMarkerAttributes: MarkerName is not set on RecordMarkerCommand.");
	marker.marker_name = "1234567890";
	expect(one, 1, "");
	marker.marker_name = LONG_NAME;
	expect(one, 1,
		"BadRecordMarkerAttributes: MarkerName on RecordMarkerCommand exceeds length "
		"limit. MarkerName=12345678901 Length=11 Limit=10");
	command = (Command__Command)COMMAND__COMMAND__INIT;
	expect(one, 1, "unknown command type: Unspecified");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_of_activities, run_set_up, run_tear_down),
		cmocka_unit_test_setup_teardown(activities_of_one_task, run_set_up, run_tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_there, run_set_up, run_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
