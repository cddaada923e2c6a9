/*
 * A workflow's life as the logic sees it. Goal: timers fire at their millisecond, a stale task is
 * refused, events from outside wait for the end of the workflow task, a task that is not completed
 * times out and becomes transient. Method: calls by hand on a clock that the test sets.
 */
#include <stdio.h>

#include "fake_world.h"

static Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
static Common__WorkflowExecution workflow = COMMON__WORKFLOW_EXECUTION__INIT;

static int set_up(void **state)
{
	world_open();
	queue.name = "queue";
	workflow.workflow_id = "w";
	return 0;
}

static int tear_down(void **state)
{
	world_close();
	return 0;
}

static void start(void)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	struct answer answer;

	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	call(&answer, frontend_start, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

static const Workflowservice__PollWorkflowTaskQueueResponse *poll_task(struct answer *answer)
{
	Workflowservice__PollWorkflowTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	call(answer, frontend_poll_workflow, &in);
	return answer->message;
}

static enum temporal_code complete(
	ProtobufCBinaryData token, Command__Command **commands, size_t n_commands)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	in.task_token = token;
	in.commands = commands;
	in.n_commands = n_commands;
	call(&answer, frontend_workflow_completed, &in);
	forget(&answer);
	return answer.code;
}

static void signal_it(void)
{
	Workflowservice__SignalWorkflowExecutionRequest in =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	in.signal_name = "hello";
	call(&answer, frontend_signal, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

/* The types of all events, as numbers in one text. */
static const char *history(void)
{
	static char text[200];
	const struct execution *execution = state_execution(
		&world.server, state_namespace(&world.server, "default"), "w", NULL);
	struct arena arena;
	size_t at = 0;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	text[0] = '\0';
	for (int64_t id = 1; id < execution->next_event_id; id++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d", id > 1 ? " " : "",
			(int)event_read(execution, id, &arena)->event_type);
	arena_finish(&arena);
	return text;
}

static enum temporal_code start_timer_of(ProtobufCBinaryData token, int32_t nanos)
{
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__StartTimerCommandAttributes timer = COMMAND__START_TIMER_COMMAND_ATTRIBUTES__INIT;
	Google__Duration delay = GOOGLE__DURATION__INIT;

	delay.nanos = nanos;
	timer.timer_id = "1";
	timer.start_to_fire_timeout = &delay;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_TIMER;
	command.attributes_case = COMMAND__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
	command.start_timer_command_attributes = &timer;
	return complete(token, &commands, 1);
}

static void start_timer(ProtobufCBinaryData token)
{
	assert_int_equal(start_timer_of(token, 5000000), TEMPORAL_OK);
}

static void timer_fires_at_its_millisecond(void **state)
{
	struct answer answer;

	(void)state;
	start();
	start_timer(poll_task(&answer)->task_token);
	assert_string_equal(history(), "1 5 6 7 17");
	world_pass(5 * MS - 1);
	assert_string_equal(history(), "1 5 6 7 17");
	world_pass(1);
	assert_string_equal(history(), "1 5 6 7 17 18 5");
	forget(&answer);
}

static void timer_of_no_time_fires_at_once(void **state)
{
	struct answer answer;

	(void)state;
	start();
	assert_int_equal(start_timer_of(poll_task(&answer)->task_token, 0), TEMPORAL_OK);
	world_pass(0);
	assert_string_equal(history(), "1 5 6 7 17 18 5");
	forget(&answer);
}

static void timer_of_less_than_no_time_is_refused(void **state)
{
	struct answer answer;

	(void)state;
	start();
	assert_int_equal(
		start_timer_of(poll_task(&answer)->task_token, -1), TEMPORAL_INVALID_ARGUMENT);
	forget(&answer);
}

static void signal_waits_for_the_end_of_the_task(void **state)
{
	struct answer answer, next;

	(void)state;
	start();
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_task(&answer);
	signal_it();
	assert_string_equal(history(), "1 5 6");
	start_timer(task->task_token);
	assert_string_equal(history(), "1 5 6 7 17 26 5");
	assert_int_equal(poll_task(&next)->started_event_id, 8);
	forget(&next);
	forget(&answer);
}

static void stale_task_is_refused(void **state)
{
	struct answer answer;

	(void)state;
	start();
	ProtobufCBinaryData token = poll_task(&answer)->task_token;
	start_timer(token);
	assert_int_equal(complete(token, NULL, 0), TEMPORAL_NOT_FOUND);
	token.len = 3;
	assert_int_not_equal(complete(token, NULL, 0), TEMPORAL_OK);
	forget(&answer);
}

/* The first time-out is in the history, those of later attempts are not. */
static void task_that_times_out_becomes_transient(void **state)
{
	struct answer first, second, third;

	(void)state;
	start();
	poll_task(&first);
	world_pass(10000 * MS);
	assert_string_equal(history(), "1 5 6 8");
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_task(&second);
	assert_int_equal(task->attempt, 2);
	assert_int_equal(task->started_event_id, 6);
	world_pass(10000 * MS);
	assert_string_equal(history(), "1 5 6 8");
	task = poll_task(&third);
	assert_int_equal(task->attempt, 3);
	start_timer(task->task_token);
	assert_string_equal(history(), "1 5 6 8 5 6 7 17");
	forget(&first);
	forget(&second);
	forget(&third);
}

static void poller_gets_the_task_that_comes_later(void **state)
{
	struct answer answer;

	(void)state;
	poll_task(&answer);
	assert_false(answer.done);
	start();
	assert_true(answer.done);
	forget(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timer_fires_at_its_millisecond, set_up, tear_down),
		cmocka_unit_test_setup_teardown(timer_of_no_time_fires_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			timer_of_less_than_no_time_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			signal_waits_for_the_end_of_the_task, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stale_task_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			task_that_times_out_becomes_transient, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			poller_gets_the_task_that_comes_later, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
