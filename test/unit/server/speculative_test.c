/*
 * Workflow tasks that exist for updates alone, and what is wrong in a worker's messages. Goal: a
 * task whose updates are all rejected leaves no trace, neither in the history nor on the disk;
 * whatever else happens makes an ordinary task of it, with the official server's events; a message
 * that does not fit fails the task, and changes nothing. Method: calls by hand, as caller and as
 * worker, on clocks that the test sets.
 */
#include <stdio.h>

#include "fake_update.h"

#define COMPLETED UPDATE_STAGE(COMPLETED)

static void rejection_leaves_no_trace(void **state)
{
	struct answer asked;

	(void)state;
	start_idle();
	uint64_t submitted = world.server.submitted;
	for (int i = 0; i < 3; i++) {
		ask(&asked, "u", COMPLETED);
		assert_int_equal(reject_next("u"), 3);
		expect_update(&asked, COMPLETED, "no");
	}
	assert_string_equal(world_events(current_run()), "1 5 6 7");
	assert_int_equal(world.server.submitted, submitted);
	assert_int_equal(world.server.batch->len, 0);
	look(&asked, "u", COMPLETED);
	expect_failure(&asked, TEMPORAL_NOT_FOUND, "update \"u\" not found");
}

static void first_task_is_an_ordinary_one(void **state)
{
	struct answer asked;

	(void)state;
	start_workflow();
	ask(&asked, "u", COMPLETED);
	assert_int_equal(reject_next("u"), 0);
	expect_update(&asked, COMPLETED, "no");
	assert_string_equal(world_events(current_run()), "1 5 6 7");
}

/* Its events are shown to who asks, though they are not there. */
static void pending_task_is_in_the_history_that_is_shown(void **state)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest in =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct answer asked, shown, poll;
	struct bytes encoded;

	(void)state;
	in.namespace_ = "default";
	in.execution = &workflow;
	start_idle();
	ask(&asked, "u", COMPLETED);
	for (unsigned started = 0; started < 2; started++) {
		call(&shown, frontend_get_history, &in);
		const Workflowservice__GetWorkflowExecutionHistoryResponse *out = shown.message;
		assert_int_equal(
			proto_encode(&shown.arena, out->history, 0, &encoded, NULL), TEMPORAL_OK);
		const History__History *history = proto_decode(&shown.arena,
			&history__history__descriptor, encoded.ptr, encoded.len, NULL, NULL);
		assert_int_equal(history->n_events, 5 + started);
		assert_int_equal(history->events[4 + started]->event_id, 5 + started);
		forget(&shown);
		if (!started)
			poll_workflow(&poll);
	}
	assert_string_equal(world_events(current_run()), "1 5 6 7");
	forget(&asked);
	forget(&poll);
}

static void signal_makes_it_ordinary_before_its_start(void **state)
{
	struct answer asked;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	signal_workflow("hello");
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 26");
	assert_int_equal(reject_next("u"), 0);
	expect_update(&asked, COMPLETED, "no");
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 26 6 7");
}

static void signal_makes_it_ordinary_after_its_start(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	assert_string_equal(world_events(current_run()), "1 5 6 7");
	signal_workflow("hello");
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6");
	say_rejected(&made, "u");
	assert_int_equal(complete(&made), 0);
	expect_update(&asked, COMPLETED, "no");
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7 26 5");
	forget(&poll);
}

static void command_keeps_it(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	add_timer(&made, "1");
	say_rejected(&made, "u");
	assert_int_equal(complete(&made), 0);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 7 17");
	forget(&poll);
	forget(&asked);
}

/* So many timers in the first task, then a rejected update. Is its task forgotten? */
static bool is_forgotten(int timers, bool capable)
{
	struct answer asked, poll;
	struct completion made;
	char ids[12][16];

	start_workflow();
	completion_init(&made, poll_workflow(&poll));
	for (int i = 0; i < timers; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%d", i);
		add_timer(&made, ids[i]);
	}
	complete(&made);
	forget(&poll);
	ask(&asked, "u", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	made.capabilities.discard_speculative_workflow_task_with_events = capable;
	say_rejected(&made, "u");
	bool forgotten = complete(&made) == 3;
	assert_int_equal(current_run()->next_event_id, 5 + timers + (forgotten ? 0 : 3));
	forget(&poll);
	forget(&asked);
	return forgotten;
}

static void many_events_keep_it(void **state)
{
	(void)state;
	assert_true(is_forgotten(SERVER_SPECULATIVE_EVENTS_MAX, true));
	tear_down(NULL);
	set_up(NULL);
	assert_false(is_forgotten(SERVER_SPECULATIVE_EVENTS_MAX + 1, true));
	tear_down(NULL);
	set_up(NULL);
	assert_true(is_forgotten(0, false));
	tear_down(NULL);
	set_up(NULL);
	assert_false(is_forgotten(1, false));
}

static void time_outs_are_in_the_history(void **state)
{
	struct answer asked, poll;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	world_pass(SERVER_SPECULATIVE_MS * MS - 1);
	assert_string_equal(world_events(current_run()), "1 5 6 7");
	world_pass(1);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 8 5");
	assert_int_equal(poll_workflow(&poll)->attempt, 1);
	world_pass(SERVER_TASK_TIMEOUT_MS * MS);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 8 5 6 8");
	forget(&poll);
	accept_next("u", true);
	expect_update(&asked, COMPLETED, NULL);

	ask(&asked, "v", COMPLETED);
	poll_workflow(&poll);
	world_pass(SERVER_TASK_TIMEOUT_MS * MS);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 8 5 6 8 5 6 7 41 43 5 6 8");
	forget(&poll);
	forget(&asked);
}

static void end_of_the_run_is_as_if_it_were_ordinary(void **state)
{
	Workflowservice__TerminateWorkflowExecutionRequest in =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer asked, poll;

	(void)state;
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	start_idle();
	ask(&asked, "u", COMPLETED);
	call_well(frontend_terminate, &in);
	assert_string_equal(world_events(current_run()), "1 5 6 7 27");
	forget(&asked);
	start_idle();
	ask(&asked, "u", COMPLETED);
	poll_workflow(&poll);
	call_well(frontend_terminate, &in);
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 9 27");
	forget(&asked);
	forget(&poll);
}

/* The numbers are the same again, but the task is another one. */
static void forgotten_task_cannot_be_completed(void **state)
{
	struct answer asked, poll, next;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);
	completion_init(&made, task);
	say_rejected(&made, "u");
	complete(&made);
	forget(&asked);
	world_pass(1);
	ask(&asked, "u", COMPLETED);
	assert_int_equal(poll_workflow(&next)->started_event_id, task->started_event_id);
	completion_init(&made, task);
	say_rejected(&made, "u");
	call_badly(frontend_workflow_completed, &made.in, TEMPORAL_NOT_FOUND,
		"Workflow task not found.");
	arena_finish(&made.arena);
	assert_false(asked.done);
	forget(&asked);
	forget(&poll);
	forget(&next);
}

/* The update does not wait for the delay; a rejected one leaves it as it was. */
static void delayed_start_goes_on_waiting(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	Google__Duration delay = GOOGLE__DURATION__INIT;
	struct answer asked;

	(void)state;
	delay.seconds = 60;
	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.workflow_start_delay = &delay;
	call_well(frontend_start, &in);
	ask(&asked, "u", COMPLETED);
	assert_int_equal(reject_next("u"), 0);
	expect_update(&asked, COMPLETED, "no");
	assert_string_equal(world_events(current_run()), "1");
	world_pass(60000 * MS - 1);
	assert_string_equal(world_events(current_run()), "1");
	world_pass(1);
	assert_string_equal(world_events(current_run()), "1 5");
}

/* A worker may say that it is still at its task, but not for ever. */
static void heartbeat_has_an_end(void **state)
{
	struct completion made;
	struct answer poll;

	(void)state;
	start_workflow();
	for (int64_t ms = 0; ms <= SERVER_TASK_HEARTBEAT_MS; ms += 9000) {
		completion_init(&made, poll_workflow(&poll));
		made.in.force_create_new_workflow_task = true;
		assert_int_equal(complete(&made), 0);
		forget(&poll);
		world_pass(9000 * MS);
	}
	int64_t last = current_run()->next_event_id;
	completion_init(&made, poll_workflow(&poll));
	made.in.force_create_new_workflow_task = true;
	call_badly(frontend_workflow_completed, &made.in, TEMPORAL_NOT_FOUND,
		"workflow task heartbeat timeout");
	arena_finish(&made.arena);
	forget(&poll);
	/* Started and timed out; the next attempt is not in the history yet. */
	assert_int_equal(current_run()->next_event_id, last + 2);
	assert_int_equal(poll_workflow(&poll)->attempt, 2);
	forget(&poll);
}

/* ---- What is wrong in messages ---- */

#define LOST \
	"update other wasn't found on the server. This is most likely a transient error which " \
	"will be resolved automatically by retries"
#define STATE "invalid state transition attempted for Update u: received *update."

static void say_nothing_of_id(struct completion *made)
{
	Update__Acceptance body = UPDATE__ACCEPTANCE__INIT;

	say(made, "other", "m", &body, false);
}

static void say_without_sequence(struct completion *made)
{
	Update__Acceptance body = UPDATE__ACCEPTANCE__INIT;

	say(made, "u", "m", &body, false);
}

static void say_without_message_id(struct completion *made)
{
	Update__Acceptance body = UPDATE__ACCEPTANCE__INIT;

	body.accepted_request_sequencing_event_id = 5;
	say(made, "u", "m", &body, false);
}

static void complete_unaccepted(struct completion *made)
{
	say_completed(made, "u", true);
}

static void accept_twice(struct completion *made)
{
	say_accepted(made, "u", true);
	say_accepted(made, "u", false);
}

static void accept_rejected(struct completion *made)
{
	say_rejected(made, "u");
	say_accepted(made, "u", false);
}

static void complete_before_accepting(struct completion *made)
{
	say_accepted(made, "u", true);
	say_completed(made, "u", true);
	Command__Command *first = made->commands[0];
	made->commands[0] = made->commands[1];
	made->commands[1] = first;
}

static void name_nothing(struct completion *made)
{
	say_accepted(made, "u", true);
	made->commands[0]->protocol_message_command_attributes->message_id = "";
}

static void name_another(struct completion *made)
{
	say_accepted(made, "u", true);
	made->commands[0]->protocol_message_command_attributes->message_id = "another";
}

static void name_twice(struct completion *made)
{
	say_accepted(made, "u", true);
	made->commands[made->in.n_commands++] = made->commands[0];
}

static void say_response(struct completion *made, const char *id, bool has_outcome)
{
	Update__Response body = UPDATE__RESPONSE__INIT;
	Update__Meta meta = UPDATE__META__INIT;
	Update__Outcome outcome = UPDATE__OUTCOME__INIT;

	say_accepted(made, "u", false);
	meta.update_id = id ? id : "";
	body.meta = id ? &meta : NULL;
	body.outcome = has_outcome ? &outcome : NULL;
	say(made, "u", "m", &body, false);
}

static void complete_without_meta(struct completion *made)
{
	say_response(made, NULL, true);
}

static void complete_without_id(struct completion *made)
{
	say_response(made, "", true);
}

static void complete_another(struct completion *made)
{
	say_response(made, "v", true);
}

static void complete_without_outcome(struct completion *made)
{
	say_response(made, "u", false);
}

static void say_another_protocol(struct completion *made)
{
	Common__Payload body = COMMON__PAYLOAD__INIT;

	say(made, "u", "m", &body, false);
}

static void say_another_type(struct completion *made)
{
	Update__Meta body = UPDATE__META__INIT;

	say(made, "u", "m", &body, false);
}

static void say_unknown_type(struct completion *made)
{
	Update__Meta body = UPDATE__META__INIT;

	say(made, "u", "m", &body, false)->body->type_url = "temporal.api.update.v1.Nothing";
}

static void say_garbage(struct completion *made)
{
	static uint8_t garbage[] = { 0xff, 0xff, 0xff };
	Update__Acceptance body = UPDATE__ACCEPTANCE__INIT;
	Protocol__Message *message = say(made, "u", "m", &body, false);

	message->body->value.data = garbage;
	message->body->value.len = sizeof(garbage);
}

static const struct wrong {
	void (*say)(struct completion *made);
	const char *text;
} wrongs[] = {
	{ say_nothing_of_id, LOST },
	{ say_without_sequence,
		"invalid *update.Acceptance: accepted_request_sequencing_event_id is not set" },
	{ say_without_message_id,
		"invalid *update.Acceptance: accepted_request_message_id is not set" },
	{ complete_unaccepted, STATE "Response message while in state Sent" },
	{ accept_twice, STATE "Acceptance message while in state ProvisionallyAccepted" },
	{ accept_rejected, STATE "Acceptance message while in state ProvisionallyCompleted" },
	{ complete_before_accepting, STATE "Response message while in state Sent" },
	{ name_nothing, "MessageID is not set on ProtocolMessageCommand." },
	{ name_another, "ProtocolMessageCommand referenced absent message ID another" },
	{ name_twice, "ProtocolMessageCommand referenced absent message ID u/accept" },
	{ complete_without_meta, "invalid *update.Response: meta is not set" },
	{ complete_without_id, "invalid *update.Response: meta.update_id is not set" },
	{ complete_another, "invalid *update.Response: meta.update_id != u" },
	{ complete_without_outcome, "invalid *update.Response: outcome is not set" },
	{ say_another_protocol, "unsupported protocol type temporal.api.common.v1" },
	{ say_another_type, "Message type *update.Meta not supported" },
	{ say_unknown_type, "unable to unmarshal request: proto: not found" },
	{ say_garbage,
		"unable to unmarshal request: proto: cannot parse invalid wire-format data" },
};

static void wrong_message_fails_the_task(void **state)
{
	struct answer asked, poll, later;
	struct completion made;
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		start_idle();
		ask(&asked, "u", COMPLETED);
		completion_init(&made, poll_workflow(&poll));
		ask(&later, "later", COMPLETED);
		wrongs[i].say(&made);
		snprintf(text, sizeof(text), "BadUpdateWorkflowExecutionMessage: %s",
			wrongs[i].text);
		complete_badly(&made, text);
		expect_failure(&asked, TEMPORAL_FAILED_PRECONDITION,
			"Unable to perform workflow execution update due to unexpected workflow "
			"task failure.");
		assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 9");
		assert_false(later.done);
		forget(&poll);
		assert_int_equal(poll_workflow(&poll)->n_messages, 1);
		completion_init(&made, poll.message);
		say_rejected(&made, "later");
		add_end(&made);
		complete(&made);
		expect_update(&later, COMPLETED, "no");
		forget(&poll);
	}
}

/* A task that fails again is not failed, but left to its time-out. */
static void second_failure_is_left_to_the_time_out(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_workflow();
	completion_init(&made, poll_workflow(&poll));
	say_nothing_of_id(&made);
	complete_badly(&made, "BadUpdateWorkflowExecutionMessage: " LOST);
	forget(&poll);
	ask(&asked, "u", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	complete_unaccepted(&made);
	complete_badly(&made,
		"BadUpdateWorkflowExecutionMessage: " STATE "Response message while in state Sent");
	assert_true(asked.done);
	assert_int_equal(current_run()->task_attempt, 2);
	assert_int_not_equal(current_run()->task_started_id, 0);
	forget(&asked);
	forget(&poll);
}

/* A message that is none leaves the task as it is, but for one that only updates wanted. */
static void message_that_is_none_is_refused(void **state)
{
	static const char *const urls[] = { "", "x", NULL };
	static const char *const texts[] = { "no message name specified",
		"failed to extract protocol type: no . found in \"x\"", "nil message body" };
	struct answer asked, poll;
	struct completion made;
	Update__Meta body = UPDATE__META__INIT;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	for (unsigned i = 0; i < 3; i++) {
		const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);

		assert_int_equal(task->n_messages, 1);
		assert_int_equal(task->attempt, 1);
		completion_init(&made, task);
		say(&made, "u", "m", &body, false)->body->type_url = urls[i];
		if (!urls[i])
			made.messages[0]->body = NULL;
		complete_badly(&made, texts[i]);
		forget(&poll);
	}
	assert_string_equal(world_events(current_run()), "1 5 6 7");
	accept_next("u", true);
	expect_update(&asked, COMPLETED, NULL);
}

static void message_that_is_too_large_ends_the_run(void **state)
{
	static uint8_t large[SERVER_BLOB_MAX];
	struct answer asked, poll;
	struct completion made;
	Update__Meta body = UPDATE__META__INIT;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	completion_init(&made, poll_workflow(&poll));
	Protocol__Message *message = say(&made, "u", "m", &body, false);
	message->body->value.data = large;
	message->body->value.len = sizeof(large);
	complete_badly(&made, "BadUpdateWorkflowExecutionMessage: Message type "
			      "temporal.api.update.v1.Meta exceeds size limit.");
	assert_string_equal(world_events(current_run()), "1 5 6 7 5 6 9 27");
	forget(&asked);
	forget(&poll);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rejection_leaves_no_trace),
		TEST(first_task_is_an_ordinary_one),
		TEST(pending_task_is_in_the_history_that_is_shown),
		TEST(signal_makes_it_ordinary_before_its_start),
		TEST(signal_makes_it_ordinary_after_its_start),
		TEST(command_keeps_it),
		TEST(many_events_keep_it),
		TEST(time_outs_are_in_the_history),
		TEST(end_of_the_run_is_as_if_it_were_ordinary),
		TEST(forgotten_task_cannot_be_completed),
		TEST(delayed_start_goes_on_waiting),
		TEST(heartbeat_has_an_end),
		TEST(wrong_message_fails_the_task),
		TEST(second_failure_is_left_to_the_time_out),
		TEST(message_that_is_none_is_refused),
		TEST(message_that_is_too_large_ends_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
