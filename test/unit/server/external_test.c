/*
 * A run signals and cancels others. Goal: the other run gets the event, the source learns how it
 * went, whatever can be wrong with the target; bad commands are refused, at and beyond each limit;
 * a request to cancel ends the wait for a first task. Method: calls by hand.
 */
#include "run_world.h"

#define CANCEL_CASE \
	COMMAND__COMMAND__ATTRIBUTES_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES

static Command__Command signal_command, cancel_command;
static Command__SignalExternalWorkflowExecutionCommandAttributes signal_attributes;
static Command__RequestCancelExternalWorkflowExecutionCommandAttributes cancel_attributes;
static Common__WorkflowExecution target;

static Command__Command *send_signal(const char *id)
{
	target = (Common__WorkflowExecution)COMMON__WORKFLOW_EXECUTION__INIT;
	target.workflow_id = id;
	signal_attributes = (Command__SignalExternalWorkflowExecutionCommandAttributes)
		COMMAND__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	signal_attributes.execution = &target;
	signal_attributes.signal_name = "hello";
	signal_attributes.control = "control";
	signal_command = (Command__Command)COMMAND__COMMAND__INIT;
	signal_command.command_type =
		ENUMS__COMMAND_TYPE__COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION;
	signal_command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	signal_command.signal_external_workflow_execution_command_attributes = &signal_attributes;
	return &signal_command;
}

static Command__Command *send_cancel(const char *id)
{
	cancel_attributes = (Command__RequestCancelExternalWorkflowExecutionCommandAttributes)
		COMMAND__REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	cancel_attributes.workflow_id = id;
	cancel_attributes.reason = "enough";
	cancel_command = (Command__Command)COMMAND__COMMAND__INIT;
	cancel_command.command_type =
		ENUMS__COMMAND_TYPE__COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION;
	cancel_command.attributes_case = CANCEL_CASE;
	cancel_command.request_cancel_external_workflow_execution_command_attributes =
		&cancel_attributes;
	return &cancel_command;
}

/* A target "t" and a source "s", each on a queue of its own. */
static int set_up(void **state)
{
	run_set_up(state);
	run_queue.name = "queue of t";
	run_start("t");
	run_queue.name = QUEUE_NAME;
	run_start("s");
	return 0;
}

static void signal_arrives(void **state)
{
	(void)state;
	assert_string_equal(run_command("s", send_signal("t")), "");
	assert_string_equal(run_events("s"), "1 5 6 7 37 39 5");
	assert_string_equal(run_events("t"), "1 5 26");
	const History__WorkflowExecutionSignaledEventAttributes *got =
		run_event(run_of("t"), 3)->workflow_execution_signaled_event_attributes;
	assert_string_equal(got->signal_name, "hello");
	assert_string_equal(got->identity, SERVER_HISTORY_IDENTITY);
	assert_string_equal(got->external_workflow_execution->run_id, run_of("s")->run_id);
	const History__ExternalWorkflowExecutionSignaledEventAttributes *told =
		run_event(run_of("s"), 6)->external_workflow_execution_signaled_event_attributes;
	assert_int_equal(told->initiated_event_id, 5);
	assert_string_equal(told->control, "control");
	assert_string_equal(told->namespace_, "default");
}

static void cancel_arrives(void **state)
{
	(void)state;
	assert_string_equal(run_command("s", send_cancel("t")), "");
	assert_string_equal(run_events("s"), "1 5 6 7 22 24 5");
	assert_string_equal(run_events("t"), "1 5 20");
	const History__WorkflowExecutionCancelRequestedEventAttributes *got =
		run_event(run_of("t"), 3)->workflow_execution_cancel_requested_event_attributes;
	assert_string_equal(got->cause, "enough");
	assert_int_equal(got->external_initiated_event_id, 5);
	/* A second time: nothing more for the target, the same for the source. */
	assert_string_equal(run_command("s", send_cancel("t")), "");
	assert_string_equal(run_events("s"), "1 5 6 7 22 24 5 6 7 22 24 5");
	assert_string_equal(run_events("t"), "1 5 20");
}

static void target_that_is_not_there(void **state)
{
	(void)state;
	assert_string_equal(run_command("s", send_signal("nobody")), "");
	assert_string_equal(run_command("s", send_cancel("nobody")), "");
	/* Its own id, even if a run of it is there. */
	assert_string_equal(run_command("s", send_signal("s")), "");
	assert_string_equal(run_command("s", send_cancel("s")), "");
	assert_string_equal(run_events("s"), "1 5 6 7 37 38 5 6 7 22 23 5 6 7 37 38 5 6 7 22 23 5");
	const History__SignalExternalWorkflowExecutionFailedEventAttributes *failed =
		run_event(run_of("s"), 6)
			->signal_external_workflow_execution_failed_event_attributes;
	assert_int_equal(failed->cause, 1); /* NOT_FOUND */
	assert_int_equal(failed->initiated_event_id, 5);
	assert_string_equal(failed->workflow_execution->workflow_id, "nobody");
}

static void target_that_has_ended(void **state)
{
	(void)state;
	assert_string_equal(run_command("t", run_complete_command()), "");
	assert_string_equal(run_command("s", send_signal("t")), "");
	assert_string_equal(run_events("s"), "1 5 6 7 37 38 5");
	/* To cancel what has ended has worked. */
	assert_string_equal(run_command("s", send_cancel("t")), "");
	assert_string_equal(run_events("s"), "1 5 6 7 37 38 5 6 7 22 24 5");
}

static void only_to_a_child(void **state)
{
	Command__Command *command = send_signal("t");

	(void)state;
	signal_attributes.child_workflow_only = true;
	assert_string_equal(run_command("s", command), "");
	command = send_cancel("t");
	cancel_attributes.child_workflow_only = true;
	assert_string_equal(run_command("s", command), "");
	assert_string_equal(run_events("s"), "1 5 6 7 37 38 5 6 7 22 23 5");
	assert_string_equal(run_command("s", run_child_command("c")), "");
	command = send_signal("c");
	signal_attributes.child_workflow_only = true;
	assert_string_equal(run_command("s", command), "");
	assert_string_equal(run_events("c"), "1 5 26");
}

static void source_that_ends_sends_nothing(void **state)
{
	Command__Command *commands[] = { send_signal("t"), send_cancel("t"),
		run_complete_command() };

	(void)state;
	assert_string_equal(run_commands("s", commands, 3), "");
	assert_string_equal(run_events("s"), "1 5 6 7 37 22 2");
	assert_string_equal(run_events("t"), "1 5");
}

static void target_with_all_its_signals(void **state)
{
	(void)state;
	run_of("t")->signals = SERVER_SIGNALS_MAX - 1;
	assert_string_equal(run_command("s", send_signal("t")), "");
	assert_string_equal(run_command("s", send_signal("t")), "");
	assert_string_equal(run_events("t"), "1 5 26");
	assert_int_equal(
		run_event(run_of("s"), 11)
			->signal_external_workflow_execution_failed_event_attributes->cause,
		3); /* SIGNAL_COUNT_LIMIT_EXCEEDED */
}

static void bad_commands(void **state)
{
	(void)state;
	Command__Command *command = send_signal("t");
	signal_attributes.execution = NULL;
	assert_string_equal(run_command("s", command),
		"BadSignalWorkflowExecutionAttributes: Execution is not set on "
		"SignalExternalWorkflowExecutionCommand.");
	assert_string_equal(run_command("s", send_signal("")),
		"BadSignalWorkflowExecutionAttributes: WorkflowId is not set on "
		"SignalExternalWorkflowExecutionCommand. Namespace= RunId= SignalName=hello");
	command = send_signal("t");
	signal_attributes.signal_name = "";
	assert_string_equal(run_command("s", command),
		"BadSignalWorkflowExecutionAttributes: SignalName is not set on "
		"SignalExternalWorkflowExecutionCommand. WorkflowId=t Namespace= RunId=");
	command = send_signal("t");
	target.run_id = "abc";
	assert_string_equal(run_command("s", command),
		"BadSignalWorkflowExecutionAttributes: Invalid RunId set on "
		"SignalExternalWorkflowExecutionCommand. WorkflowId=t Namespace= RunId=abc "
		"SignalName=hello");
	assert_string_equal(run_command("s", send_cancel("")),
		"BadRequestCancelExternalWorkflowExecutionAttributes: WorkflowId is not set on "
		"RequestCancelExternalWorkflowExecutionCommand. Namespace= RunId=");
	command = send_cancel("t");
	cancel_attributes.namespace_ = "none";
	assert_string_equal(run_command("s", command), "Namespace none is not found.");
}

static void child_of_the_same_task(void **state)
{
	Command__Command *commands[] = { run_child_command("c"), send_cancel("c") };

	(void)state;
	assert_non_null(
		strstr(run_commands("s", commands, 2), "Start and RequestCancel for child workflow "
						       "is not allowed in same workflow task."));
	assert_null(run_of("c"));
}

/* As many in one task as there may be, and one more. */
static void as_many_as_there_may_be(void **state)
{
	static Command__Command *list[SERVER_PENDING_EXTERNAL_MAX + 1];

	(void)state;
	for (unsigned i = 0; i <= SERVER_PENDING_EXTERNAL_MAX; i++)
		list[i] = send_signal("nobody");
	assert_string_equal(run_commands("s", list, SERVER_PENDING_EXTERNAL_MAX + 1),
		"PendingSignalsLimitExceeded: the number of pending signals to external workflows, "
		"2000, has reached the per-workflow limit of 2000");
	for (unsigned i = 0; i <= SERVER_PENDING_EXTERNAL_MAX; i++)
		list[i] = send_cancel("nobody");
	assert_string_equal(run_commands("s", list, SERVER_PENDING_EXTERNAL_MAX + 1),
		"PendingRequestCancelLimitExceeded: the number of pending requests to cancel "
		"external workflows, 2000, has reached the per-workflow limit of 2000");
	assert_string_equal(run_commands("s", list, SERVER_PENDING_EXTERNAL_MAX), "");
	assert_int_equal(run_of("s")->next_event_id, 7 + 1 + 2 * SERVER_PENDING_EXTERNAL_MAX + 1);
}

/* A run that waits for its first task is woken by a request to cancel, not by a signal. */
static void cancel_ends_a_delay(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("d");
	Google__Duration delay = GOOGLE__DURATION__INIT;

	(void)state;
	delay.seconds = 60;
	in.workflow_start_delay = &delay;
	run_start_with(&in);
	assert_string_equal(run_command("s", send_signal("d")), "");
	assert_string_equal(run_events("d"), "1 26");
	assert_string_equal(run_command("s", send_cancel("d")), "");
	assert_string_equal(run_events("d"), "1 26 20 5");
	world_pass(60000 * MS);
	assert_string_equal(run_events("d"), "1 26 20 5");
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, run_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(signal_arrives),
		TEST(cancel_arrives),
		TEST(target_that_is_not_there),
		TEST(target_that_has_ended),
		TEST(only_to_a_child),
		TEST(source_that_ends_sends_nothing),
		TEST(target_with_all_its_signals),
		TEST(bad_commands),
		TEST(child_of_the_same_task),
		TEST(as_many_as_there_may_be),
		TEST(cancel_ends_a_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
