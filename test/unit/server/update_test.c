/*
 * Updates of a run. Goal: they reach a worker, and its word reaches all who wait, each at its
 * stage; an id is one update; limits hold; an update that is in the history outlives its run's end,
 * a restart and a reset; one that is not fails in the right words when the run ends first. Method:
 * calls by hand, as caller and as worker, on clocks that the test sets.
 */
#include <stdio.h>
#include <unistd.h>

#include "fake_update.h"

#define ACCEPTED  UPDATE_STAGE(ACCEPTED)
#define COMPLETED UPDATE_STAGE(COMPLETED)
#define ADMITTED  UPDATE_STAGE(ADMITTED)

#define ABORTED "workflow update was aborted by closing workflow"
#define ENDED   "Workflow Update failed because the Workflow completed before the Update completed."

static void worker_completes_an_update(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	assert_false(asked.done);
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);
	assert_int_equal(task->started_event_id, 6);
	assert_int_equal(task->n_messages, 1);
	assert_string_equal(task->messages[0]->id, "u/request");
	assert_string_equal(task->messages[0]->protocol_instance_id, "u");
	assert_int_equal(task->messages[0]->event_id, 5);
	assert_string_equal(task->messages[0]->body->type_url,
		"type.googleapis.com/temporal.api.update.v1.Request");
	completion_init(&made, task);
	say_accepted(&made, "u", true);
	say_completed(&made, "u", true);
	assert_false(asked.done);
	assert_int_equal(complete(&made), 0);
	const Workflowservice__UpdateWorkflowExecutionResponse *out = asked.message;
	assert_string_equal(out->update_ref->update_id, "u");
	assert_string_equal(out->update_ref->workflow_execution->run_id, current_run()->run_id);
	assert_int_equal(out->link->variant_case, COMMON__LINK__VARIANT_WORKFLOW_EVENT);
	expect_update(&asked, COMPLETED, NULL);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7 41 43");
	forget(&poll);
}

static void events_say_what_the_worker_said(void **state)
{
	struct answer asked;
	struct arena arena;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	accept_next("u", true);
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const History__WorkflowExecutionUpdateAcceptedEventAttributes *accepted =
		event_read(current_run(), 8, &arena)
			->workflow_execution_update_accepted_event_attributes;
	assert_string_equal(accepted->protocol_instance_id, "u");
	assert_string_equal(accepted->accepted_request_message_id, "u/request");
	assert_int_equal(accepted->accepted_request_sequencing_event_id, 5);
	assert_string_equal(accepted->accepted_request->input->name, "name");
	const History__WorkflowExecutionUpdateCompletedEventAttributes *completed =
		event_read(current_run(), 9, &arena)
			->workflow_execution_update_completed_event_attributes;
	assert_int_equal(completed->accepted_event_id, 8);
	assert_string_equal(completed->meta->update_id, "u");
	arena_finish(&arena);
	forget(&asked);
}

static void each_waits_for_its_stage(void **state)
{
	struct answer first, second, third, now;
	struct completion made;
	struct answer poll;

	(void)state;
	start_idle();
	ask(&first, "u", ACCEPTED);
	ask(&second, "u", COMPLETED);
	look(&third, "u", ACCEPTED);
	look(&now, "u", UPDATE_STAGE(UNSPECIFIED));
	expect_update(&now, ADMITTED, NULL);
	accept_next("u", false);
	expect_update(&first, ACCEPTED, NULL);
	expect_update(&third, ACCEPTED, NULL);
	assert_false(second.done);
	look(&now, "u", ADMITTED);
	expect_update(&now, ACCEPTED, NULL);
	signal_workflow("go");
	completion_init(&made, poll_workflow(&poll));
	say_completed(&made, "u", false);
	complete(&made);
	expect_update(&second, COMPLETED, NULL);
	look(&now, "u", ACCEPTED);
	expect_update(&now, COMPLETED, NULL);
	forget(&poll);
}

static void patience_ends_after_20_s_or_with_the_caller(void **state)
{
	struct answer patient, hasty;
	struct update_call made;

	(void)state;
	start_idle();
	ask(&patient, "u", COMPLETED);
	transition_tick(&world.server, SERVER_UPDATE_POLL_MS * MS - 1);
	assert_false(patient.done);
	transition_tick(&world.server, SERVER_UPDATE_POLL_MS * MS);
	expect_update(&patient, ADMITTED, NULL);

	update_call_init(&made, "u");
	hasty = (struct answer){ 0 };
	arena_init(&hasty.arena, 1024, ARENA_NO_BUDGET);
	hasty.request = (struct request){ .server = &world.server,
		.ops = &answer_ops,
		.arena = &hasty.arena,
		.message = proto_copy(&hasty.arena, &made.in),
		.deadline_ns = 1000 * MS };
	frontend_serve(&hasty.request, frontend_update);
	transition_tick(&world.server, 1000 * MS);
	assert_false(hasty.done);
	transition_tick(&world.server, (1000 + SERVER_DEADLINE_GRACE_MS) * MS);
	expect_failure(&hasty, TEMPORAL_DEADLINE_EXCEEDED, "context deadline exceeded");
}

static void id_is_one_update(void **state)
{
	struct answer first, second, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&first, "u", COMPLETED);
	ask(&second, "u", COMPLETED);
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);
	assert_int_equal(task->n_messages, 1);
	completion_init(&made, task);
	say_accepted(&made, "u", true);
	say_completed(&made, "u", true);
	complete(&made);
	expect_update(&first, COMPLETED, NULL);
	expect_update(&second, COMPLETED, NULL);
	ask(&first, "u", ACCEPTED);
	expect_update(&first, COMPLETED, NULL);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7 41 43");
	forget(&poll);
}

static void update_without_id_gets_one(void **state)
{
	struct answer asked, poll, now;

	(void)state;
	start_idle();
	ask(&asked, "", COMPLETED);
	const char *id = poll_workflow(&poll)->messages[0]->protocol_instance_id;
	assert_int_equal(strlen(id), SERVER_UUID_SIZE - 1);
	look(&now, id, ADMITTED);
	expect_update(&now, ADMITTED, NULL);
	assert_false(asked.done);
	forget(&poll);
	forget(&asked);
}

static void tasks_bring_updates_in_order(void **state)
{
	struct answer asked[3], poll;
	static const char *const ids[] = { "z", "a", "m" };

	(void)state;
	start_workflow();
	for (unsigned i = 0; i < 3; i++)
		ask(&asked[i], ids[i], COMPLETED);
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);
	assert_int_equal(task->n_messages, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(task->messages[i]->protocol_instance_id, ids[i]);
		forget(&asked[i]);
	}
	forget(&poll);
}

/* One that arrives while a task runs goes out with the next one. */
static void running_task_is_followed_by_another(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_workflow();
	completion_init(&made, poll_workflow(&poll));
	ask(&asked, "u", COMPLETED);
	complete(&made);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5");
	assert_int_equal(reject_next("u"), 0);
	expect_update(&asked, COMPLETED, "no");
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7");
	forget(&poll);
}

static void unanswered_update_is_rejected(void **state)
{
	struct answer asked;

	(void)state;
	start_workflow();
	ask(&asked, "u", COMPLETED);
	decide(NULL, 0);
	expect_update(&asked, COMPLETED,
		"Workflow Update is rejected because it wasn't processed by worker. Probably, "
		"Workflow Update is not supported by the worker.");
	assert_string_equal(world_events(current_run()), "1 5 6 7");
}

/* A worker that only says that it is still at it gets the update once more. */
static void heartbeat_keeps_the_update(void **state)
{
	struct answer asked, poll, next;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	made.in.force_create_new_workflow_task = true;
	assert_int_equal(complete(&made), 0);
	assert_false(asked.done);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7 5");
	assert_int_equal(poll_workflow(&next)->n_messages, 1);
	forget(&asked);
	forget(&poll);
	forget(&next);
}

static void failing_task_sends_it_again_and_then_nothing(void **state)
{
	Workflowservice__RespondWorkflowTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;
	struct answer asked, poll;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	in.namespace_ = "default";
	for (int i = 0; i < 2; i++) {
		const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);

		assert_int_equal(task->attempt, i + 1);
		assert_int_equal(task->n_messages, 1);
		in.task_token = task->task_token;
		call_well(frontend_workflow_failed, &in);
		forget(&poll);
	}
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 9");
	ask_badly("u", TEMPORAL_FAILED_PRECONDITION,
		"Unable to perform workflow execution update due to Workflow Task in failed "
		"state.");
	accept_next("u", true);
	expect_update(&asked, COMPLETED, NULL);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 9 5 6 7 41 43");
}

/* ---- The end of the run ---- */

static void end_aborts_what_was_not_accepted(void **state)
{
	struct answer sent, late, poll;
	struct completion made;

	(void)state;
	start_workflow();
	ask(&sent, "sent", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	ask(&late, "late", ACCEPTED);
	add_end(&made);
	complete(&made);
	expect_failure(&sent, TEMPORAL_NOT_FOUND, ABORTED);
	expect_failure(&late, TEMPORAL_NOT_FOUND, ABORTED);
	ask_badly("late", TEMPORAL_NOT_FOUND, ABORTED);
	ask_badly("new", TEMPORAL_NOT_FOUND, "workflow execution already completed");
	look(&late, "new", COMPLETED);
	expect_failure(&late, TEMPORAL_NOT_FOUND, "update \"new\" not found");
	forget(&poll);
}

static void end_fails_what_was_accepted(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "u", ACCEPTED);
	completion_init(&made, poll_workflow(&poll));
	say_accepted(&made, "u", true);
	add_end(&made);
	complete(&made);
	expect_update(&asked, COMPLETED, ENDED);
	look(&asked, "u", UPDATE_STAGE(UNSPECIFIED));
	expect_update(&asked, COMPLETED, ENDED);
	ask(&asked, "u", ACCEPTED);
	expect_update(&asked, COMPLETED, ENDED);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7 41 2");
	forget(&poll);
}

static void completed_and_rejected_stay_so_at_the_end(void **state)
{
	struct answer done, refused, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&done, "done", COMPLETED);
	ask(&refused, "refused", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	say_accepted(&made, "done", true);
	say_completed(&made, "done", true);
	add_end(&made);
	say_rejected(&made, "refused");
	complete(&made);
	expect_update(&done, COMPLETED, NULL);
	expect_update(&refused, COMPLETED, "no");
	ask(&done, "done", COMPLETED);
	expect_update(&done, COMPLETED, NULL);
	forget(&poll);
}

/* A caller is told to try again: then it finds the next run. */
static void next_run_does_not_inherit(void **state)
{
	static const char closing[] =
		"workflow operation can not be applied because workflow is closing";
	struct answer sent, accepted, poll;
	struct completion made;

	(void)state;
	start_workflow();
	ask(&sent, "sent", COMPLETED);
	ask(&accepted, "accepted", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	say_accepted(&made, "accepted", true);
	add_continue(&made);
	complete(&made);
	expect_failure(&sent, TEMPORAL_RESOURCE_EXHAUSTED, closing);
	expect_update(&accepted, COMPLETED, ENDED);
	ask(&sent, "sent", COMPLETED);
	assert_false(sent.done);
	assert_int_equal(reject_next("sent"), 0);
	expect_update(&sent, COMPLETED, "no");
	forget(&poll);
}

static void termination_aborts_too(void **state)
{
	Workflowservice__TerminateWorkflowExecutionRequest in =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer asked, accepted;

	(void)state;
	start_idle();
	ask(&accepted, "accepted", COMPLETED);
	accept_next("accepted", false);
	ask(&asked, "u", COMPLETED);
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	call_well(frontend_terminate, &in);
	expect_failure(&asked, TEMPORAL_NOT_FOUND, ABORTED);
	expect_update(&accepted, COMPLETED, ENDED);
}

static void closing_run_takes_no_update(void **state)
{
	struct answer asked, poll, late;
	struct completion made;

	(void)state;
	start_workflow();
	ask(&asked, "u", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	signal_workflow("overlooked");
	add_end(&made);
	complete_badly(&made, "UnhandledCommand");
	expect_failure(&asked, TEMPORAL_FAILED_PRECONDITION,
		"Unable to perform workflow execution update due to unexpected workflow task "
		"failure.");
	forget(&poll);
	poll_workflow(&poll);
	ask_badly("u", TEMPORAL_RESOURCE_EXHAUSTED,
		"workflow operation can not be applied because workflow is closing");
	completion_init(&made, poll.message);
	complete(&made);
	ask(&late, "u", COMPLETED);
	assert_false(late.done);
	forget(&late);
	forget(&poll);
}

/* ---- Limits ---- */

static void ten_are_in_flight(void **state)
{
	struct answer asked[SERVER_UPDATES_OPEN_MAX], again;
	char ids[SERVER_UPDATES_OPEN_MAX][16];

	(void)state;
	start_idle();
	for (int i = 0; i < SERVER_UPDATES_OPEN_MAX; i++) {
		snprintf(ids[i], sizeof(ids[i]), "u%d", i);
		ask(&asked[i], ids[i], COMPLETED);
		assert_false(asked[i].done);
	}
	ask_badly("one more", TEMPORAL_RESOURCE_EXHAUSTED,
		"limit on number of concurrent in-flight updates has been reached (10)");
	ask(&again, "u3", COMPLETED);
	assert_false(again.done);
	reject_next("u3");
	expect_update(&again, COMPLETED, "no");
	/* The worker said nothing about the others, so they are over too. */
	ask(&again, "one more", COMPLETED);
	assert_false(again.done);
	forget(&again);
	for (int i = 0; i < SERVER_UPDATES_OPEN_MAX; i++)
		forget(&asked[i]);
}

static void size_in_flight_is_limited(void **state)
{
	static char large[4 * 1024 * 1024];
	struct answer asked[5];
	struct update_call made;
	Common__Payload payload = COMMON__PAYLOAD__INIT, *pointer = &payload;
	Common__Payloads payloads = COMMON__PAYLOADS__INIT;

	(void)state;
	start_idle();
	payload.data.data = (uint8_t *)large;
	payload.data.len = sizeof(large);
	payloads.payloads = &pointer;
	payloads.n_payloads = 1;
	for (int i = 0; i < 5; i++) {
		char id[16];

		snprintf(id, sizeof(id), "u%d", i);
		update_call_init(&made, id);
		made.input.args = &payloads;
		if (i == 4)
			payload.data.len = sizeof(large) - 2000;
		call(&asked[i], frontend_update, &made.in);
		assert_false(asked[i].done);
	}
	update_call_init(&made, "small");
	payload.data.len = 2000;
	made.input.args = &payloads;
	call_badly(frontend_update, &made.in, TEMPORAL_RESOURCE_EXHAUSTED,
		"limit on total payload size of in-flight updates has been reached (20971520 "
		"bytes)");
	for (int i = 0; i < 5; i++)
		forget(&asked[i]);
}

/* Ten updates, accepted and completed by one task. What the task suggested. */
static bool complete_ten(int first)
{
	struct answer asked[10], poll;
	struct completion made;
	char ids[10][16];
	bool suggested;

	for (int i = 0; i < 10; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%d", first + i);
		ask(&asked[i], ids[i], COMPLETED);
	}
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);
	suggested = current_run()->task_suggestions & SUGGEST_UPDATES;
	for (int half = 0; half < 2; half++) {
		completion_init(&made, task);
		made.in.force_create_new_workflow_task = half == 0;
		for (int i = half * 5; i < half * 5 + 5; i++) {
			say_accepted(&made, ids[i], false);
			say_completed(&made, ids[i], false);
		}
		complete(&made);
		forget(&poll);
		if (half == 0)
			task = poll_workflow(&poll);
	}
	for (int i = 0; i < 10; i++)
		expect_update(&asked[i], COMPLETED, NULL);
	return suggested;
}

static void two_thousand_are_all(void **state)
{
	struct answer again;

	(void)state;
	start_idle();
	for (int i = 0; i < SERVER_UPDATES_MAX; i += 10)
		assert_int_equal(complete_ten(i),
			i + 10 >= SERVER_UPDATES_MAX * SERVER_UPDATES_SUGGEST / 100);
	ask(&again, "one more", COMPLETED);
	assert_int_equal(again.code, TEMPORAL_FAILED_PRECONDITION);
	/* The beginning: the text is longer than what a test keeps of it. */
	static const char text[] =
		"The limit on the total number of distinct updates in this workflow has been "
		"reached (2000). Make sure any duplicate updates share an Update ID so the server "
		"can deduplicate them, and";
	assert_memory_equal(again.text, text, sizeof(text) - 1);
	forget(&again);
	ask(&again, "1234", COMPLETED);
	expect_update(&again, COMPLETED, NULL);
}

static void bad_requests_are_refused(void **state)
{
	static char longest[SERVER_ID_MAX + 2];
	struct update_call made;
	struct answer asked;

	(void)state;
	start_idle();
	memset(longest, 'u', SERVER_ID_MAX + 1);
	ask_badly(longest, TEMPORAL_INVALID_ARGUMENT, "UpdateId length exceeds limit.");
	longest[SERVER_ID_MAX] = '\0';
	ask(&asked, longest, COMPLETED);
	assert_false(asked.done);
	forget(&asked);
	update_call_init(&made, "u");
	made.request.meta = NULL;
	call_badly(frontend_update, &made.in, TEMPORAL_INVALID_ARGUMENT,
		"Update meta is not set on request.");
	update_call_init(&made, "u");
	made.request.input = NULL;
	call_badly(frontend_update, &made.in, TEMPORAL_INVALID_ARGUMENT,
		"Update input is not set on request.");
	update_call_init(&made, "u");
	made.input.name = "";
	call_badly(frontend_update, &made.in, TEMPORAL_INVALID_ARGUMENT,
		"Update name is not set on request.");
	update_call_init(&made, "u");
	made.policy.lifecycle_stage = ADMITTED;
	call_badly(frontend_update, &made.in, TEMPORAL_PERMISSION_DENIED,
		"UpdateWorkflowExecution issued asynchronously and waiting on update admitted is "
		"not supported.");
	update_call_init(&made, "u");
	made.in.workflow_execution = NULL;
	call_badly(frontend_update, &made.in, TEMPORAL_INVALID_ARGUMENT,
		"Execution is not set on request.");
	update_call_init(&made, "u");
	made.in.first_execution_run_id = "another";
	call_badly(frontend_update, &made.in, TEMPORAL_NOT_FOUND, "workflow execution not found");
	workflow.run_id = "7";
	update_call_init(&made, "u");
	call_badly(frontend_update, &made.in, TEMPORAL_INVALID_ARGUMENT, "Invalid RunId.");
	look(&asked, "u", COMPLETED);
	expect_failure(&asked, TEMPORAL_INVALID_ARGUMENT, "RunId is not valid UUID.");
}

/* ---- What outlives what ---- */

static void reopen(const char *path, bool fresh)
{
	struct server_io io = world.server.io;
	struct temporal_error err;

	journal_close(&world.server);
	state_finish(&world.server);
	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, path, world_wake, &err), TEMPORAL_OK);
	if (fresh)
		namespace_register(&world.server, "default", "", "", 0);
	transition_end(&world.server);
	world_settle();
}

static void restart_keeps_what_is_in_the_history(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-lock" };
	struct answer asked;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "update_test_%d.db", (int)getpid());
	reopen(path, true);
	start_idle();
	ask(&asked, "done", COMPLETED);
	accept_next("done", true);
	forget(&asked);
	ask(&asked, "accepted", ACCEPTED);
	accept_next("accepted", false);
	forget(&asked);
	ask(&asked, "lost", COMPLETED);
	forget(&asked);
	reopen(path, false);
	look(&asked, "done", COMPLETED);
	expect_update(&asked, COMPLETED, NULL);
	look(&asked, "accepted", ACCEPTED);
	expect_update(&asked, ACCEPTED, NULL);
	look(&asked, "lost", COMPLETED);
	expect_failure(&asked, TEMPORAL_NOT_FOUND, "update \"lost\" not found");
	assert_int_equal(current_run()->task_scheduled_id, 0);
	ask(&asked, "lost", COMPLETED);
	assert_int_equal(reject_next("lost"), current_run()->previous_started_id);
	expect_update(&asked, COMPLETED, "no");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "update_test_%d.db%s", (int)getpid(), ends[i]);
		unlink(path);
	}
}

/* The worker sends a copy of the request: the server goes on where it was. */
static void lost_update_comes_back_from_the_worker(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_workflow();
	completion_init(&made, poll_workflow(&poll));
	say_accepted(&made, "lost", true);
	say_completed(&made, "lost", true);
	complete(&made);
	assert_string_equal(world_events(current_run()), "1 5 6 7 41 43");
	ask(&asked, "lost", COMPLETED);
	expect_update(&asked, COMPLETED, NULL);
	forget(&poll);
}

static void outcome_outlives_the_stay_in_memory(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	world.server.archive.limit_bytes = 1;
	start_idle();
	ask(&asked, "u", COMPLETED);
	accept_next("u", true);
	expect_update(&asked, COMPLETED, NULL);
	ask(&asked, "open", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	say_accepted(&made, "open", true);
	add_end(&made);
	complete(&made);
	forget(&poll);
	forget(&asked);
	for (int i = 0; world.server.archive.leaving.first && i < 5000; i++) {
		if (__atomic_exchange_n(&world.woken, 0, __ATOMIC_ACQUIRE))
			journal_step(&world.server);
		else
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(world.server.numbers.count, 0);
	ask(&asked, "u", COMPLETED);
	expect_update(&asked, COMPLETED, NULL);
	look(&asked, "open", COMPLETED);
	expect_update(&asked, COMPLETED, ENDED);
}

/* ---- Reset ---- */

static void reset_admits_them_again(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in =
		WORKFLOWSERVICE__RESET_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "before", COMPLETED);
	accept_next("before", true);
	forget(&asked);
	signal_workflow("task");
	decide(NULL, 0);
	ask(&asked, "after", COMPLETED);
	accept_next("after", true);
	forget(&asked);
	assert_string_equal(
		world_events(current_run()), "1 5 6 7 5 6 7 41 43 26 5 6 7 5 6 7 41 43");
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	in.request_id = "r";
	in.reason = "test";
	in.workflow_task_finish_event_id = 13;
	call_well(frontend_reset, &in);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7 41 43 26 5 6 9 47 5");
	look(&asked, "before", COMPLETED);
	expect_update(&asked, COMPLETED, NULL);
	ask(&asked, "after", COMPLETED);
	assert_false(asked.done);
	/* The event is the request. */
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);
	assert_int_equal(task->n_messages, 0);
	completion_init(&made, task);
	say_accepted(&made, "after", true);
	say_completed(&made, "after", true);
	complete(&made);
	expect_update(&asked, COMPLETED, NULL);
	assert_string_equal(
		world_events(current_run()), "1 5 6 7 5 6 7 41 43 26 5 6 9 47 5 6 7 41 43");
	forget(&poll);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(worker_completes_an_update),
		TEST(events_say_what_the_worker_said),
		TEST(each_waits_for_its_stage),
		TEST(patience_ends_after_20_s_or_with_the_caller),
		TEST(id_is_one_update),
		TEST(update_without_id_gets_one),
		TEST(tasks_bring_updates_in_order),
		TEST(running_task_is_followed_by_another),
		TEST(unanswered_update_is_rejected),
		TEST(heartbeat_keeps_the_update),
		TEST(failing_task_sends_it_again_and_then_nothing),
		TEST(end_aborts_what_was_not_accepted),
		TEST(end_fails_what_was_accepted),
		TEST(completed_and_rejected_stay_so_at_the_end),
		TEST(next_run_does_not_inherit),
		TEST(termination_aborts_too),
		TEST(closing_run_takes_no_update),
		TEST(ten_are_in_flight),
		TEST(size_in_flight_is_limited),
		TEST(two_thousand_are_all),
		TEST(bad_requests_are_refused),
		TEST(restart_keeps_what_is_in_the_history),
		TEST(lost_update_comes_back_from_the_worker),
		TEST(outcome_outlives_the_stay_in_memory),
		TEST(reset_admits_them_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
