/*
 * Virtual time. Goal: time jumps exactly when nothing else can happen, to the next timer and no
 * further; locks and sleeps count as the API says; a file remembers its clock. Method: calls by
 * hand on a clock that the test sets; then a real server on a file, stopped and started.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_world.h"

#include <temporal/server.h>

#include "temporal/api/testservice/v1/request_response.pb-c.h"

#define BEGIN  INT64_C(1700000000000000000)
#define SECOND (1000 * MS)

static Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;

static int set_up(void **state)
{
	world_open();
	queue.name = "queue";
	return 0;
}

static int tear_down(void **state)
{
	world_close();
	return 0;
}

/* What the loop does: as long as something is due, it ticks. Returns the seconds gone by. */
static int64_t settle(void)
{
	while (timers_next(&world.server.timers) <= virtual_time_now(&world.server)) {
		transition_tick(&world.server, 0);
		world_settle();
	}
	return (virtual_time_now(&world.server) - BEGIN) / SECOND;
}

static void lock_time(void)
{
	struct answer answer;

	call(&answer, frontend_lock_time, NULL);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

static void unlock_time(void)
{
	struct answer answer;

	call(&answer, frontend_unlock_time, NULL);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

static void sleep_call(struct answer *answer, frontend_handler *handle, int64_t seconds)
{
	Testservice__SleepRequest in = TESTSERVICE__SLEEP_REQUEST__INIT;
	Google__Duration duration = GOOGLE__DURATION__INIT;

	duration.seconds = seconds;
	in.duration = &duration;
	call(answer, handle, &in);
}

static void start(int64_t timeout_seconds)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	Google__Duration timeout = GOOGLE__DURATION__INIT;
	struct answer answer;

	type.name = "type";
	timeout.seconds = timeout_seconds;
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.workflow_run_timeout = &timeout;
	call(&answer, frontend_start, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

static void complete_with(Command__Command *command)
{
	Workflowservice__PollWorkflowTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	const Workflowservice__PollWorkflowTaskQueueResponse *task;
	struct answer answer, done;

	poll.namespace_ = in.namespace_ = "default";
	poll.task_queue = &queue;
	call(&answer, frontend_poll_workflow, &poll);
	task = answer.message;
	assert_non_null(task);
	in.task_token = task->task_token;
	in.commands = &command;
	in.n_commands = 1;
	call(&done, frontend_workflow_completed, &in);
	assert_int_equal(done.code, TEMPORAL_OK);
	forget(&done);
	forget(&answer);
}

static void start_timer(int64_t seconds)
{
	Command__Command command = COMMAND__COMMAND__INIT;
	Command__StartTimerCommandAttributes timer = COMMAND__START_TIMER_COMMAND_ATTRIBUTES__INIT;
	Google__Duration delay = GOOGLE__DURATION__INIT;

	delay.seconds = seconds;
	timer.timer_id = "1";
	timer.start_to_fire_timeout = &delay;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_TIMER;
	command.attributes_case = COMMAND__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
	command.start_timer_command_attributes = &timer;
	complete_with(&command);
}

static void schedule_activity(int64_t heartbeat_seconds)
{
	Command__Command command = COMMAND__COMMAND__INIT;
	Command__ScheduleActivityTaskCommandAttributes in =
		COMMAND__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
	Common__ActivityType type = COMMON__ACTIVITY_TYPE__INIT;
	Common__RetryPolicy once = COMMON__RETRY_POLICY__INIT;
	Google__Duration total = GOOGLE__DURATION__INIT, heartbeat = GOOGLE__DURATION__INIT;

	once.maximum_attempts = 1;
	total.seconds = 1000;
	heartbeat.seconds = heartbeat_seconds;
	type.name = "activity";
	in.activity_id = "1";
	in.activity_type = &type;
	in.task_queue = &queue;
	in.schedule_to_close_timeout = &total;
	in.heartbeat_timeout = &heartbeat;
	in.retry_policy = &once;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	command.schedule_activity_task_command_attributes = &in;
	complete_with(&command);
}

static void off_there_is_no_service(void **state)
{
	struct answer answer;

	call(&answer, frontend_get_time, NULL);
	assert_int_equal(answer.code, TEMPORAL_UNIMPLEMENTED);
	forget(&answer);
	sleep_call(&answer, frontend_sleep, 1);
	assert_int_equal(answer.code, TEMPORAL_UNIMPLEMENTED);
	forget(&answer);
}

static void jumps_to_timers_unless_locked(void **state)
{
	virtual_time_start(&world.server, true);
	start(0);
	start_timer(100);
	assert_int_equal(settle(), 0);
	unlock_time();
	assert_int_equal(settle(), 100);
	/* The task that the timer has made keeps the time from the next one. */
	start_timer(50);
	assert_int_equal(settle(), 150);
	lock_time();
	start_timer(50);
	assert_int_equal(settle(), 150);
	lock_time();
	unlock_time();
	assert_int_equal(settle(), 150);
	unlock_time();
	assert_int_equal(settle(), 200);
}

/* A task that nobody polls for is one that may still be worked on: its timers come in real time. */
static void tasks_keep_the_pace(void **state)
{
	virtual_time_start(&world.server, false);
	start(60);
	assert_int_equal(settle(), 0);
	schedule_activity(0);
	assert_int_equal(settle(), 0);
	world_pass(60 * SECOND);
	assert_int_equal(settle(), 60);
}

static void sleeps_end_in_order(void **state)
{
	struct answer normal, unlocked, none, late;

	virtual_time_start(&world.server, true);
	sleep_call(&none, frontend_sleep, -1);
	assert_true(none.done);
	sleep_call(&normal, frontend_sleep, 10);
	assert_int_equal(settle(), 0);
	assert_false(normal.done);
	sleep_call(&unlocked, frontend_unlock_time_with_sleep, 30);
	sleep_call(&late, frontend_sleep, 31);
	assert_int_equal(settle(), 30);
	assert_true(normal.done && unlocked.done && !late.done);
	/* The lock is back: nothing moves. A caller that leaves takes its sleep along. */
	assert_int_equal(world.server.time.locks, 1);
	late.request.cancelled(&late.request);
	transition_end(&world.server);
	world_settle();
	assert_true(late.done);
	assert_null(world.server.time.sleepers);
	forget(&normal);
	forget(&unlocked);
	forget(&none);
	forget(&late);
}

/* The activity that sleeps does not keep the time, so its heartbeat is missed; the workflow task
 * that follows does. */
static void activity_may_sleep(void **state)
{
	Workflowservice__PollActivityTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	struct answer task, sleep;

	virtual_time_start(&world.server, false);
	start(0);
	schedule_activity(20);
	poll.namespace_ = "default";
	poll.task_queue = &queue;
	call(&task, frontend_poll_activity, &poll);
	assert_int_equal(settle(), 0);
	sleep_call(&sleep, frontend_unlock_time_with_sleep, 40);
	assert_int_equal(settle(), 20);
	assert_false(sleep.done);
	start_timer(5);
	assert_int_equal(settle(), 25);
	start_timer(100);
	assert_int_equal(settle(), 125);
	assert_true(sleep.done);
	forget(&task);
	forget(&sleep);
}

/* Two callers wait for results, both have unlocked: a task that runs still keeps the time. */
static void unbalanced_unlocks_harm_no_task(void **state)
{
	virtual_time_start(&world.server, true);
	start(60);
	unlock_time();
	unlock_time();
	assert_int_equal(settle(), 0);
	lock_time();
	start_timer(10);
	assert_int_equal(settle(), 10);
}

static void a_told_end_holds_the_time(void **state)
{
	virtual_time_start(&world.server, false);
	virtual_time_hold(&world.server);
	start(0);
	start_timer(10);
	assert_int_equal(settle(), 0);
	world.steady_ns += 1000 * MS;
	transition_tick(&world.server, world.steady_ns);
	assert_int_equal(settle(), 10);
}

/* ---- A real server ---- */

static void a_file_remembers_its_clock(void **state)
{
	char folder[] = "/tmp/temporal-time-XXXXXX", path[64], command[96];
	struct temporal_error err = { .message = "" };
	struct temporal_server *server;
	int64_t before, after;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/db", folder);
	server = temporal_server_start(
		&err, .db = path, .time_skipping = TEMPORAL_TIME_SKIPPING_LOCKED);
	if (!server)
		fail_msg("%s", err.message);
	before = temporal_server_time_ns(server);
	assert_int_equal(temporal_server_skip(server, 3600 * 1000, &err), TEMPORAL_OK);
	after = temporal_server_time_ns(server);
	assert_true(after - before >= 3600 * SECOND && after - before < 3660 * SECOND);
	temporal_server_lock_time(server);
	temporal_server_unlock_time(server);
	temporal_server_stop(server);
	assert_null(temporal_server_start(&err, .db = path));
	assert_int_equal(err.code, TEMPORAL_FAILED_PRECONDITION);
	assert_non_null(strstr(err.message, "time skipping"));
	server = temporal_server_start(
		&err, .db = path, .time_skipping = TEMPORAL_TIME_SKIPPING_UNLOCKED);
	assert_non_null(server);
	assert_true(temporal_server_time_ns(server) >= after);
	temporal_server_stop(server);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

static void without_skipping_it_is_refused(void **state)
{
	struct temporal_error err = { .message = "" };
	struct temporal_server *server = temporal_server_start(&err, .db = NULL);

	assert_non_null(server);
	assert_int_equal(temporal_server_skip(server, 1, &err), TEMPORAL_FAILED_PRECONDITION);
	temporal_server_stop(server);
	assert_null(temporal_server_start(&err, .time_skipping = (enum temporal_time_skipping)3));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
}

#define ON_WORLD(test_) cmocka_unit_test_setup_teardown((test_), set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_WORLD(off_there_is_no_service),
		ON_WORLD(jumps_to_timers_unless_locked),
		ON_WORLD(tasks_keep_the_pace),
		ON_WORLD(sleeps_end_in_order),
		ON_WORLD(activity_may_sleep),
		ON_WORLD(unbalanced_unlocks_harm_no_task),
		ON_WORLD(a_told_end_holds_the_time),
		cmocka_unit_test(a_file_remembers_its_clock),
		cmocka_unit_test(without_skipping_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
