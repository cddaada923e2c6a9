/*
 * Reset of runs. Goal: the new run has the history up to the task and its pending activities and
 * timers, signals that came later come again unless they are left out, the run before is
 * terminated, each refusal has the official server's text, and a restart finds all of it. Method: a
 * workflow by hand, compared as the types of its events; for the restart a second server is opened
 * on the first one's file.
 */
#include <unistd.h>

#include "fake_workflow.h"
#include "server/nexus/nexus.h"
#include "temporal/api/workflow/v1/message.pb-c.h"

#define EXCLUDE_SIGNAL ENUMS__RESET_REAPPLY_EXCLUDE_TYPE__RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL

/* 1 started, 2 3 4 task, 5 activity, 6 signal, 7 8 9 task */
static void make_history(void)
{
	start_workflow();
	schedule_activity("a", NULL);
	signal_workflow("hello");
	decide(NULL, 0);
	assert_string_equal(world_events(current_run()), "1 5 6 7 10 26 5 6 7");
}

static Workflowservice__ResetWorkflowExecutionRequest reset_to(int64_t finish_id)
{
	Workflowservice__ResetWorkflowExecutionRequest in =
		WORKFLOWSERVICE__RESET_WORKFLOW_EXECUTION_REQUEST__INIT;

	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	in.workflow_task_finish_event_id = finish_id;
	in.request_id = "r";
	in.reason = "because";
	return in;
}

static void signals_come_again(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(4);
	const struct execution *base, *run;

	(void)state;
	make_history();
	base = current_run();
	call_well(frontend_reset, &in);
	run = current_run();
	assert_ptr_not_equal(run, base);
	assert_string_equal(world_events(run), "1 5 6 9 26 5");
	assert_string_equal(world_events(base), "1 5 6 7 10 26 5 6 7 27");
	assert_string_equal(base->reset_run_id, run->run_id);
	assert_int_equal(run->n_activities, 0);
	assert_int_equal(run->signals, 1);
	assert_true(run->is_reset);
}

/* A caller that was not answered asks again: that is the same reset, also after another one. */
static void repeated_reset_is_one(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(4);
	Common__WorkflowExecution named = workflow;
	const struct execution *base, *run;

	(void)state;
	make_history();
	base = current_run();
	named.run_id = base->run_id;
	in.workflow_execution = &named;
	call_well(frontend_reset, &in);
	run = current_run();
	call_well(frontend_reset, &in);
	assert_ptr_equal(current_run(), run);
	in.request_id = "r2";
	call_well(frontend_reset, &in);
	assert_string_equal(world_events(current_run()), "1 5 6 9 26 5");
	assert_string_equal(current_run()->reset_request_id, "r2");
}

/* A start that joined the run, with nothing but its request id, has joined the new one as well. */
static void request_ids_come_along(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(4);
	Workflowservice__StartWorkflowExecutionRequest start =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Workflow__OnConflictOptions options = WORKFLOW__ON_CONFLICT_OPTIONS__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;

	(void)state;
	make_history();
	type.name = "type";
	options.attach_request_id = true;
	start.namespace_ = "default";
	start.workflow_id = workflow.workflow_id;
	start.workflow_type = &type;
	start.task_queue = &queue;
	start.request_id = "joins";
	start.on_conflict_options = &options;
	start.workflow_id_conflict_policy =
		ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING;
	call_well(frontend_start, &start);
	assert_true(nexus_is_attached(current_run(), "joins"));
	call_well(frontend_reset, &in);
	assert_true(nexus_is_attached(current_run(), "joins"));
	assert_false(nexus_is_attached(current_run(), "another"));
}

static void signals_may_be_left_out(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(4);
	Enums__ResetReapplyExcludeType exclude = EXCLUDE_SIGNAL;

	(void)state;
	make_history();
	in.reset_reapply_exclude_types = &exclude;
	in.n_reset_reapply_exclude_types = 1;
	call_well(frontend_reset, &in);
	assert_string_equal(world_events(current_run()), "1 5 6 9 5");
}

/* A task that was only scheduled is started first. */
static void scheduled_task_is_started_and_fails(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(3);
	struct arena arena;

	(void)state;
	make_history();
	in.reset_reapply_type = ENUMS__RESET_REAPPLY_TYPE__RESET_REAPPLY_TYPE_NONE;
	call_well(frontend_reset, &in);
	assert_string_equal(world_events(current_run()), "1 5 6 9 5");
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const History__WorkflowTaskFailedEventAttributes *failed =
		event_read(current_run(), 4, &arena)->workflow_task_failed_event_attributes;
	assert_string_equal(failed->failure->message, "because");
	assert_string_equal(failed->new_run_id, current_run()->run_id);
	assert_string_equal(failed->base_run_id, current_run()->older->run_id);
	arena_finish(&arena);
}

static void pending_activity_is_pending_again(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(9);
	struct answer answer;

	(void)state;
	make_history();
	poll_activity(&answer); /* the old run's */
	forget(&answer);
	call_well(frontend_reset, &in);
	assert_int_equal(current_run()->n_activities, 1);
	assert_int_equal(current_run()->activities->state, ACTIVITY_SCHEDULED);
	const Workflowservice__PollActivityTaskQueueResponse *task = poll_activity(&answer);
	assert_string_equal(task->workflow_execution->run_id, current_run()->run_id);
	forget(&answer);
	decide(NULL, 0);
	assert_string_equal(world_events(current_run()), "1 5 6 7 10 26 5 6 9 5 6 7");
}

static void timer_keeps_its_time(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(8);
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__StartTimerCommandAttributes timer = COMMAND__START_TIMER_COMMAND_ATTRIBUTES__INIT;
	Google__Duration delay = GOOGLE__DURATION__INIT;

	(void)state;
	start_workflow();
	delay.seconds = 10;
	timer.timer_id = "1";
	timer.start_to_fire_timeout = &delay;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_TIMER;
	command.attributes_case = COMMAND__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
	command.start_timer_command_attributes = &timer;
	decide(&commands, 1);
	signal_workflow("hello");
	decide(NULL, 0);
	world_pass(4000 * MS);
	in.workflow_task_finish_event_id = 9;
	call_well(frontend_reset, &in);
	decide(NULL, 0);
	assert_string_equal(world_events(current_run()), "1 5 6 7 17 26 5 6 9 5 6 7");
	world_pass(6000 * MS - 1);
	assert_non_null(current_run()->timers);
	world_pass(1);
	assert_null(current_run()->timers);
}

static void closed_run_can_be_reset(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(4);
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__CompleteWorkflowExecutionCommandAttributes done =
		COMMAND__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;

	(void)state;
	start_workflow();
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.complete_workflow_execution_command_attributes = &done;
	decide(&commands, 1);
	assert_string_equal(world_events(current_run()), "1 5 6 7 2");
	call_well(frontend_reset, &in);
	assert_true(state_running(current_run()));
	assert_string_equal(world_events(current_run()), "1 5 6 9 5");
	assert_string_equal(world_events(current_run()->older), "1 5 6 7 2");
}

static void bad_resets_are_refused(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(1);
	static const char place[] =
		"Workflow task finish ID must be > 1 && <= workflow last event ID.";

	(void)state;
	make_history();
	call_badly(frontend_reset, &in, TEMPORAL_INVALID_ARGUMENT, place);
	in.workflow_task_finish_event_id = 10;
	call_badly(frontend_reset, &in, TEMPORAL_INVALID_ARGUMENT, place);
	in.workflow_task_finish_event_id = 2;
	call_badly(frontend_reset, &in, TEMPORAL_INVALID_ARGUMENT,
		"StateRebuilder unable to Rebuild mutable state to event ID: 1, version: 0, this "
		"event must be at the boundary");
	in.workflow_task_finish_event_id = 6;
	call_badly(frontend_reset, &in, TEMPORAL_INVALID_ARGUMENT,
		"Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, "
		"WorkflowTaskStarted + 1]: 6");
	in.request_id = "";
	call_badly(
		frontend_reset, &in, TEMPORAL_INVALID_ARGUMENT, "RequestId is not set on request.");
	in.request_id = "r";
	workflow.run_id = "7";
	call_badly(frontend_reset, &in, TEMPORAL_INVALID_ARGUMENT, "Invalid RunId.");
	workflow.run_id = "";
	in.workflow_execution = NULL;
	call_badly(
		frontend_reset, &in, TEMPORAL_INVALID_ARGUMENT, "Execution is not set on request.");
	assert_string_equal(world_events(current_run()), "1 5 6 7 10 26 5 6 7");
}

/* The journal knows the new run: the state of a server that reads it is the same. */
static void restart_finds_the_new_run(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in = reset_to(9);
	char path[64], before[100];
	struct temporal_error err;
	struct server_io io;

	(void)state;
	snprintf(path, sizeof(path), "reset_test_%d.db", (int)getpid());
	io = world.server.io;
	journal_close(&world.server);
	state_finish(&world.server);
	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, path, world_wake, &err), TEMPORAL_OK);
	namespace_register(&world.server, "default", "", "", 0);
	transition_end(&world.server);
	world_settle();
	make_history();
	call_well(frontend_reset, &in);
	snprintf(before, sizeof(before), "%s", world_events(current_run()));
	journal_close(&world.server);
	state_finish(&world.server);
	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, path, world_wake, &err), TEMPORAL_OK);
	transition_end(&world.server);
	assert_string_equal(world_events(current_run()), before);
	assert_int_equal(current_run()->n_activities, 1);
	decide(NULL, 0);
	assert_string_equal(world_events(current_run()), "1 5 6 7 10 26 5 6 9 5 6 7");
	static const char *const ends[] = { "", "-wal", "-shm", "-lock" };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "reset_test_%d.db%s", (int)getpid(), ends[i]);
		unlink(path);
	}
}

/* ---- Reset points and options ---- */

static void decide_as(const char *build_id)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	Common__WorkerVersionStamp stamp = COMMON__WORKER_VERSION_STAMP__INIT;
	struct answer answer;

	stamp.build_id = build_id;
	in.namespace_ = "default";
	in.task_token = poll_workflow(&answer)->task_token;
	in.worker_version_stamp = &stamp;
	call_well(frontend_workflow_completed, &in);
	forget(&answer);
}

static void each_build_is_a_reset_point(void **state)
{
	Workflow__ResetPoints *points;
	struct arena arena;

	(void)state;
	start_workflow();
	decide_as("one");
	signal_workflow("hello");
	decide_as("one");
	signal_workflow("hello");
	decide_as("two");
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	points = proto_decode(&arena, &workflow__reset_points__descriptor,
		current_run()->reset_points.ptr, current_run()->reset_points.len, NULL, NULL);
	assert_int_equal(points->n_points, 2);
	assert_string_equal(points->points[1]->build_id, "two");
	assert_int_equal(points->points[1]->first_workflow_task_completed_id, 12);
	assert_string_equal(points->points[0]->run_id, current_run()->run_id);
	arena_finish(&arena);
}

static void options_of_runs(void **state)
{
	Workflowservice__UpdateWorkflowExecutionOptionsRequest in =
		WORKFLOWSERVICE__UPDATE_WORKFLOW_EXECUTION_OPTIONS_REQUEST__INIT;
	Workflow__WorkflowExecutionOptions options = WORKFLOW__WORKFLOW_EXECUTION_OPTIONS__INIT;
	Workflow__VersioningOverride override = WORKFLOW__VERSIONING_OVERRIDE__INIT;
	Common__Priority priority = COMMON__PRIORITY__INIT;
	Google__FieldMask mask = GOOGLE__FIELD_MASK__INIT;
	const char *path = "priority.priority_key";

	(void)state;
	start_workflow();
	in.namespace_ = "default";
	call_badly(frontend_update_run_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"WorkflowId is not set on request.");
	in.workflow_execution = &workflow;
	call_badly(frontend_update_run_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"UpdateMask is required");
	mask.paths = &path;
	mask.n_paths = 1;
	in.update_mask = &mask;
	call_badly(frontend_update_run_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"WorkflowExecutionOptions is required");
	in.workflow_execution_options = &options;
	priority.priority_key = 2;
	options.priority = &priority;
	call_well(frontend_update_run_options, &in);
	call_well(frontend_update_run_options, &in); /* the same: no second event */
	assert_string_equal(world_events(current_run()), "1 5 55");
	path = "priorityKey";
	call_badly(frontend_update_run_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"error parsing UpdateMask: proto: invalid path \"priorityKey\" for message "
		"\"temporal.api.workflow.v1.WorkflowExecutionOptions\"");
	path = "versioning_override";
	options.versioning_override = &override;
	call_badly(frontend_update_run_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"override behavior is required");
	override.override_case = WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_AUTO_UPGRADE;
	call_badly(frontend_update_run_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"auto-upgrade override must be true");
	override.auto_upgrade = true;
	call_well(frontend_update_run_options, &in);
	assert_string_equal(world_events(current_run()), "1 5 55 55");
	options.versioning_override = NULL;
	call_well(frontend_update_run_options, &in);
	assert_int_equal(current_run()->versioning_override.len, 0);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signals_come_again),
		TEST(repeated_reset_is_one),
		TEST(request_ids_come_along),
		TEST(signals_may_be_left_out),
		TEST(scheduled_task_is_started_and_fails),
		TEST(pending_activity_is_pending_again),
		TEST(timer_keeps_its_time),
		TEST(closed_run_can_be_reset),
		TEST(bad_resets_are_refused),
		TEST(restart_finds_the_new_run),
		TEST(each_build_is_a_reset_point),
		TEST(options_of_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
