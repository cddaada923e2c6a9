/*
 * Children of a run. Goal: each way that a child starts, fails to start, goes on and ends is in
 * its parent's history, with the attributes that a worker needs; policies reach the children of a
 * parent that ends; bad commands are refused with their texts, at and beyond each limit. Method:
 * calls by hand on a clock that the test sets.
 */
#include <unistd.h>

#include "run_world.h"

#define POLICY(name_) ENUMS__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_##name_
#define REUSE(name_)  ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name_

/* A parent "p" whose first task has started a child "c"; the child's task is the next one. */
static void start_family(Enums__ParentClosePolicy policy)
{
	Command__Command *command = run_child_command("c");

	command->start_child_workflow_execution_command_attributes->parent_close_policy = policy;
	run_start("p");
	assert_string_equal(run_command("p", command), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5");
}

static void child_knows_its_parent(void **state)
{
	(void)state;
	start_family(POLICY(UNSPECIFIED));
	const struct execution *parent = run_of("p"), *child = run_of("c");
	const History__WorkflowExecutionStartedEventAttributes *started =
		run_event(child, 1)->workflow_execution_started_event_attributes;
	assert_string_equal(started->parent_workflow_namespace, "default");
	assert_string_equal(started->parent_workflow_execution->run_id, parent->run_id);
	assert_int_equal(started->parent_initiated_event_id, 5);
	assert_string_equal(started->root_workflow_execution->workflow_id, "p");
	assert_string_equal(started->task_queue->name, "c");
	assert_int_equal(parent->children->parent_close_policy, POLICY(TERMINATE));
	assert_null(run_event(parent, 1)
			    ->workflow_execution_started_event_attributes->root_workflow_execution);
}

/* What a command leaves out is as the parent has it, or a default. */
static void defaults(void **state)
{
	Command__Command *command = run_child_command("c");
	Google__Duration whole = GOOGLE__DURATION__INIT, run = GOOGLE__DURATION__INIT;

	(void)state;
	command->start_child_workflow_execution_command_attributes->task_queue = NULL;
	whole.seconds = 5;
	run.seconds = 9;
	command->start_child_workflow_execution_command_attributes->workflow_execution_timeout =
		&whole;
	command->start_child_workflow_execution_command_attributes->workflow_run_timeout = &run;
	run_start("p");
	assert_string_equal(run_command("p", command), "");
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *initiated =
		run_event(run_of("p"), 5)
			->start_child_workflow_execution_initiated_event_attributes;
	assert_string_equal(initiated->task_queue->name, QUEUE_NAME);
	assert_string_equal(initiated->namespace_, "default");
	assert_int_equal(initiated->workflow_run_timeout->seconds, 5);
	assert_int_equal(initiated->workflow_task_timeout->seconds, 5);
	assert_int_equal(initiated->parent_close_policy, POLICY(TERMINATE));
	assert_int_equal(initiated->workflow_id_reuse_policy, REUSE(ALLOW_DUPLICATE));
}

/* A child's child has the same root. */
static void root_is_handed_down(void **state)
{
	(void)state;
	start_family(POLICY(ABANDON));
	assert_string_equal(run_command("c", run_child_command("grandchild")), "");
	const struct execution *grandchild = run_of("grandchild");
	assert_string_equal(grandchild->root_workflow_id, "p");
	assert_string_equal(grandchild->root_run_id, run_of("p")->run_id);
	assert_string_equal(grandchild->parent_workflow_id, "c");
}

static void result_reaches_the_parent(void **state)
{
	Command__Command *command = run_complete_command();
	Common__Payload payload = COMMON__PAYLOAD__INIT, *payloads = &payload;
	Common__Payloads result = COMMON__PAYLOADS__INIT;

	(void)state;
	start_family(POLICY(UNSPECIFIED));
	assert_string_equal(run_commands("p", NULL, 0), "");
	payload.data = (ProtobufCBinaryData){ 2, (uint8_t[]){ '4', '2' } };
	result.payloads = &payloads;
	result.n_payloads = 1;
	command->complete_workflow_execution_command_attributes->result = &result;
	assert_string_equal(run_command("c", command), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 6 7 32 5");
	const History__ChildWorkflowExecutionCompletedEventAttributes *completed =
		run_event(run_of("p"), 10)->child_workflow_execution_completed_event_attributes;
	assert_int_equal(completed->initiated_event_id, 5);
	assert_int_equal(completed->started_event_id, 6);
	assert_string_equal(completed->workflow_type->name, "child");
	assert_int_equal(completed->result->payloads[0]->data.len, 2);
	assert_int_equal(run_of("p")->n_children, 0);
}

/* A retry is no end; the last attempt's failure is what the parent gets. */
static void parent_waits_for_the_last_attempt(void **state)
{
	Command__Command *command = run_child_command("c");
	Common__RetryPolicy policy = COMMON__RETRY_POLICY__INIT;

	(void)state;
	policy.maximum_attempts = 2;
	command->start_child_workflow_execution_command_attributes->retry_policy = &policy;
	run_start("p");
	assert_string_equal(run_command("p", command), "");
	const char *first = run_of("c")->run_id;
	assert_string_equal(run_command("c", run_fail_command("one")), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5");
	assert_string_not_equal(run_of("c")->run_id, first);
	assert_string_equal(run_commands("p", NULL, 0), "");
	world_pass(1000 * MS);
	assert_string_equal(run_command("c", run_fail_command("two")), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 6 7 33 5");
	const History__ChildWorkflowExecutionFailedEventAttributes *failed =
		run_event(run_of("p"), 10)->child_workflow_execution_failed_event_attributes;
	assert_string_equal(failed->failure->message, "two");
	assert_string_equal(failed->workflow_execution->run_id, run_of("c")->run_id);
	assert_int_equal(
		failed->retry_state, ENUMS__RETRY_STATE__RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
}

static void parent_waits_across_continue_as_new(void **state)
{
	(void)state;
	start_family(POLICY(UNSPECIFIED));
	assert_string_equal(run_commands("p", NULL, 0), "");
	assert_string_equal(run_command("c", run_continue_command()), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 6 7");
	assert_string_equal(run_of("c")->parent_run_id, run_of("p")->run_id);
	world_pass(1000 * MS);
	assert_string_equal(run_command("c", run_complete_command()), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 6 7 32 5");
}

static void child_that_times_out(void **state)
{
	Command__Command *command = run_child_command("c");
	Google__Duration second = GOOGLE__DURATION__INIT;

	(void)state;
	second.seconds = 1;
	command->start_child_workflow_execution_command_attributes->workflow_run_timeout = &second;
	run_start("p");
	assert_string_equal(run_command("p", command), "");
	world_pass(1000 * MS - 1);
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5");
	world_pass(1);
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 35");
}

static void policies_of_a_parent_that_ends(void **state)
{
	static const struct {
		Enums__ParentClosePolicy policy;
		const char *events;
	} cases[] = { { POLICY(TERMINATE), "1 5 27" }, { POLICY(ABANDON), "1 5" },
		{ POLICY(REQUEST_CANCEL), "1 5 20" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i > 0)
			assert_int_equal(run_set_up(NULL), 0);
		start_family(cases[i].policy);
		assert_string_equal(run_command("p", run_complete_command()), "");
		assert_string_equal(run_events("c"), cases[i].events);
		if (i < 2)
			run_tear_down(NULL);
	}
	const History__WorkflowExecutionCancelRequestedEventAttributes *asked =
		run_event(run_of("c"), 3)->workflow_execution_cancel_requested_event_attributes;
	assert_string_equal(asked->external_workflow_execution->workflow_id, "p");
	assert_string_equal(asked->identity, SERVER_HISTORY_IDENTITY);
}

/* The child goes on in another run; the policy still finds it. */
static void policy_finds_a_later_run(void **state)
{
	(void)state;
	start_family(POLICY(TERMINATE));
	assert_string_equal(run_command("c", run_continue_command()), "");
	assert_string_equal(run_command("p", run_complete_command()), "");
	assert_string_equal(run_events("c"), "1 27");
}

static void no_child_of_a_parent_that_ends_with_it(void **state)
{
	Command__Command *commands[] = { run_child_command("c"), run_complete_command() };

	(void)state;
	run_start("p");
	assert_string_equal(run_commands("p", commands, 2), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 2");
	assert_null(run_of("c"));
}

static void id_that_is_taken(void **state)
{
	static const struct {
		Enums__WorkflowIdReusePolicy policy;
		bool closed, starts;
	} cases[] = { { REUSE(ALLOW_DUPLICATE), false, false },
		{ REUSE(TERMINATE_IF_RUNNING), false, true },
		{ REUSE(ALLOW_DUPLICATE), true, true }, { REUSE(REJECT_DUPLICATE), true, false },
		{ REUSE(ALLOW_DUPLICATE_FAILED_ONLY), true, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Command__Command *command = run_child_command("c");

		if (i > 0)
			assert_int_equal(run_set_up(NULL), 0);
		run_start("c");
		if (cases[i].closed)
			assert_string_equal(run_command("c", run_complete_command()), "");
		else
			matching_withdraw(&run_of("c")->task); /* it is in p's queue */
		run_start("p");
		command->start_child_workflow_execution_command_attributes
			->workflow_id_reuse_policy = cases[i].policy;
		assert_string_equal(run_command("p", command), "");
		assert_string_equal(
			run_events("p"), cases[i].starts ? "1 5 6 7 29 31 5" : "1 5 6 7 29 30 5");
		assert_int_equal(run_of("p")->n_children, cases[i].starts);
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			run_tear_down(NULL);
	}
}

/* A child's start and end while a task of its parent runs: numbers come with the flush. */
static void buffered_start_and_end(void **state)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest done =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	Workflowservice__PollWorkflowTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Taskqueue__StickyExecutionAttributes sticky = TASKQUEUE__STICKY_EXECUTION_ATTRIBUTES__INIT;
	Taskqueue__TaskQueue sticky_queue = TASKQUEUE__TASK_QUEUE__INIT;
	Command__Command *command = run_child_command("c");
	struct answer task, answer, next;

	(void)state;
	run_start("p");
	poll.namespace_ = "default";
	poll.task_queue = &run_queue;
	call(&task, frontend_poll_workflow, &poll);
	sticky_queue.name = "sticky";
	sticky.worker_task_queue = &sticky_queue;
	done.namespace_ = "default";
	done.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)task.message)->task_token;
	done.commands = &command;
	done.n_commands = 1;
	done.sticky_attributes = &sticky;
	done.return_new_workflow_task = true;
	done.force_create_new_workflow_task = true;
	call(&answer, frontend_workflow_completed, &done);
	assert_int_equal(answer.code, TEMPORAL_OK);
	/* The next task is with the worker already. */
	assert_string_equal(run_events("p"), "1 5 6 7 29 5 6");
	assert_int_equal(run_of("p")->children->started_id, 0);
	assert_string_equal(run_command("c", run_complete_command()), "");
	const Workflowservice__RespondWorkflowTaskCompletedResponse *got = answer.message;
	done.task_token = got->workflow_task->task_token;
	done.n_commands = 0;
	done.sticky_attributes = NULL;
	done.return_new_workflow_task = done.force_create_new_workflow_task = false;
	call(&next, frontend_workflow_completed, &done);
	assert_string_equal(run_events("p"), "1 5 6 7 29 5 6 7 31 32 5");
	assert_int_equal(
		run_event(run_of("p"), 10)
			->child_workflow_execution_completed_event_attributes->started_event_id,
		9);
	forget(&next);
	forget(&answer);
	forget(&task);
}

static void command_is_refused(Command__Command *command, const char *text)
{
	char expected[3000];

	snprintf(expected, sizeof(expected), "BadStartChildExecutionAttributes: %s", text);
	expected[199] = '\0'; /* as an answer of the test has it */
	assert_string_equal(run_command("p", command), expected);
	assert_null(run_of("c"));
}

static void bad_commands(void **state)
{
	Google__Duration negative = GOOGLE__DURATION__INIT;
	Common__Priority priority = COMMON__PRIORITY__INIT;
	Common__RetryPolicy policy = COMMON__RETRY_POLICY__INIT;

	(void)state;
	negative.seconds = -1;
	run_start("p");
	command_is_refused(run_child_command(""),
		"Required field WorkflowId is not set on StartChildWorkflowExecutionCommand. "
		"WorkflowType=child Namespace=default");
	Command__Command *command = run_child_command("c");
	Command__StartChildWorkflowExecutionCommandAttributes *attributes =
		command->start_child_workflow_execution_command_attributes;
	attributes->workflow_type->name = "";
	command_is_refused(command,
		"Required field WorkflowType is not set on StartChildWorkflowExecutionCommand. "
		"WorkflowId=c Namespace=default");
	command = run_child_command("c");
	attributes->workflow_run_timeout = &negative;
	command_is_refused(command,
		"Invalid WorkflowRunTimeout on StartChildWorkflowExecutionCommand: negative "
		"duration. WorkflowId=c WorkflowType=child Namespace=default");
	command = run_child_command("c");
	policy.backoff_coefficient = 0.5;
	attributes->retry_policy = &policy;
	command_is_refused(command,
		"invalid WorkflowRetryPolicy on StartChildWorkflowExecutionCommand: "
		"BackoffCoefficient cannot be less than 1 on retry policy.. WorkflowId=c "
		"WorkflowType=child Namespace=default");
	command = run_child_command("c");
	attributes->cron_schedule = "x";
	command_is_refused(command,
		"invalid CronSchedule on StartChildWorkflowExecutionCommand: invalid "
		"CronSchedule.. WorkflowId=c WorkflowType=child Namespace=default");
	command = run_child_command("c");
	priority.priority_key = -1;
	attributes->priority = &priority;
	command_is_refused(command, "priority key can't be negative");
}

static void other_namespaces(void **state)
{
	Command__Command *command = run_child_command("c");

	(void)state;
	run_start("p");
	command->start_child_workflow_execution_command_attributes->namespace_ = "none";
	assert_string_equal(run_command("p", command), "Namespace none is not found.");
	/* The task goes on: it has not failed. */
	assert_string_equal(run_events("p"), "1 5 6");
	world_pass(10000 * MS);
	transition_begin(&world.server);
	namespace_register(&world.server, "other", "", "", 0);
	transition_end(&world.server);
	world_settle();
	command->start_child_workflow_execution_command_attributes->namespace_ = "other";
	command_is_refused(command, "cross namespace commands are not allowed");
	world.server.config.cross_namespace = 1;
	assert_string_equal(run_command("p", command), "");
	assert_non_null(
		state_execution(&world.server, state_namespace(&world.server, "other"), "c", NULL));
}

static void id_at_its_limit(void **state)
{
	static char id[SERVER_ID_MAX + 2];

	(void)state;
	memset(id, 'x', SERVER_ID_MAX + 1);
	run_start("p");
	assert_non_null(strstr(run_command("p", run_child_command(id)), "exceeds length limit"));
	id[SERVER_ID_MAX] = '\0';
	assert_string_equal(run_command("p", run_child_command(id)), "");
	assert_non_null(run_of(id));
}

static void id_beyond_a_configured_limit(void **state)
{
	char id[42] = { 0 };

	(void)state;
	memset(id, 'x', sizeof(id) - 1);
	run_start("p");
	world.server.config.id_max = 40;
	assert_non_null(strstr(run_command("p", run_child_command(id)), "Length=41 Limit=40"));
}

/* As many children as there may be, and one more. */
static void as_many_as_there_may_be(void **state)
{
	static Command__Command commands[SERVER_PENDING_CHILDREN_MAX + 1];
	static Command__StartChildWorkflowExecutionCommandAttributes
		attributes[SERVER_PENDING_CHILDREN_MAX + 1];
	static Command__Command *list[SERVER_PENDING_CHILDREN_MAX + 1];
	static char ids[SERVER_PENDING_CHILDREN_MAX + 1][8];

	(void)state;
	for (unsigned i = 0; i <= SERVER_PENDING_CHILDREN_MAX; i++) {
		snprintf(ids[i], sizeof(ids[i]), "c%u", i);
		commands[i] = *run_child_command(ids[i]);
		attributes[i] = *commands[i].start_child_workflow_execution_command_attributes;
		commands[i].start_child_workflow_execution_command_attributes = &attributes[i];
		list[i] = &commands[i];
	}
	run_start("p");
	assert_string_equal(run_commands("p", list, SERVER_PENDING_CHILDREN_MAX + 1),
		"PendingChildWorkflowsLimitExceeded: the number of pending child workflow "
		"executions, 2000, has reached the per-workflow limit of 2000");
	assert_string_equal(run_commands("p", list, SERVER_PENDING_CHILDREN_MAX), "");
	assert_int_equal(run_of("p")->n_children, SERVER_PENDING_CHILDREN_MAX);
}

/* A reset parent keeps the child that was started before; its end reaches the new run. */
static void reset_parent_keeps_its_child(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in =
		WORKFLOWSERVICE__RESET_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;
	struct answer answer;

	(void)state;
	start_family(POLICY(TERMINATE));
	assert_string_equal(run_commands("p", NULL, 0), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 6 7");
	const struct execution *base = run_of("p");
	name.workflow_id = "p";
	in.namespace_ = "default";
	in.workflow_execution = &name;
	in.request_id = "reset";
	in.workflow_task_finish_event_id = 9;
	call(&answer, frontend_reset, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
	assert_ptr_not_equal(run_of("p"), base);
	assert_int_equal(run_of("p")->n_children, 1);
	assert_string_equal(run_events("c"), "1 5");
	assert_string_equal(run_command("c", run_complete_command()), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 6 9 5 32");
	assert_int_equal(run_of("p")->n_children, 0);
}

/* ---- After a restart ---- */

static char db_path[64];

static void open_db(bool fresh)
{
	struct temporal_error err;
	struct server_io io = world.server.io;

	journal_close(&world.server);
	state_finish(&world.server);
	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, db_path, world_wake, &err), TEMPORAL_OK);
	if (fresh)
		namespace_register(&world.server, "default", "", "", 0);
	transition_end(&world.server);
	world_settle();
}

/* Parent and child find each other again, also when one of them has ended and left memory. */
static void families_survive_a_restart(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-lock" };
	(void)state;
	snprintf(db_path, sizeof(db_path), "children_test_%d.db", (int)getpid());
	open_db(true);
	start_family(POLICY(UNSPECIFIED));
	Command__Command *command = run_child_command("left");
	command->start_child_workflow_execution_command_attributes->parent_close_policy =
		POLICY(ABANDON);
	run_start("q");
	matching_withdraw(&run_of("p")->task); /* it is in q's queue */
	assert_string_equal(run_command("q", command), "");
	assert_string_equal(run_command("q", run_complete_command()), "");
	open_db(false);
	assert_int_equal(run_of("p")->n_children, 1);
	assert_string_equal(run_of("p")->children->run_id, run_of("c")->run_id);
	assert_string_equal(run_of("c")->parent_run_id, run_of("p")->run_id);
	/* What a parent that has ended left is still shown. */
	assert_int_equal(run_of("q")->n_children, 1);
	assert_string_equal(run_of("q")->children->workflow_id, "left");
	assert_string_equal(run_command("left", run_complete_command()), "");
	assert_string_equal(run_events("q"), "1 5 6 7 29 31 5 6 7 2");
	assert_string_equal(run_command("c", run_complete_command()), "");
	assert_string_equal(run_events("p"), "1 5 6 7 29 31 5 32");
	open_db(false);
	assert_int_equal(run_of("p")->n_children, 0);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char path[80];

		snprintf(path, sizeof(path), "%s%s", db_path, ends[i]);
		unlink(path);
	}
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, run_set_up, run_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(child_knows_its_parent),
		TEST(defaults),
		TEST(root_is_handed_down),
		TEST(result_reaches_the_parent),
		TEST(parent_waits_for_the_last_attempt),
		TEST(parent_waits_across_continue_as_new),
		TEST(child_that_times_out),
		TEST(policies_of_a_parent_that_ends),
		TEST(policy_finds_a_later_run),
		TEST(no_child_of_a_parent_that_ends_with_it),
		TEST(id_that_is_taken),
		TEST(buffered_start_and_end),
		TEST(bad_commands),
		TEST(other_namespaces),
		TEST(id_at_its_limit),
		TEST(id_beyond_a_configured_limit),
		TEST(as_many_as_there_may_be),
		TEST(reset_parent_keeps_its_child),
		TEST(families_survive_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
