/*
 * ExecuteMultiOperation: a start and an update in one piece. Goal: which run gets the update, what
 * both parts are answered, and that neither happens if one of them cannot. Method: calls by hand,
 * as caller and as worker.
 */
#include <stdio.h>

#include "fake_update.h"
#include "temporal/api/common/v1/grpc_status.pb-c.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define COMPLETED UPDATE_STAGE(COMPLETED)
#define FAIL      ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_FAIL
#define USE       ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
#define TERMINATE ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
#define REJECT    ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE

#define OPERATION(name_) \
	WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__OPERATION__OPERATION_##name_

#define ABORTED "Operation was aborted."
#define CLOSED  "workflow update was aborted by closing workflow"

/* A call, with all that it points to. */
struct both {
	Workflowservice__ExecuteMultiOperationRequest in;
	Workflowservice__ExecuteMultiOperationRequest__Operation operations[2], *pointers[2];
	Workflowservice__StartWorkflowExecutionRequest start;
	Common__WorkflowType type;
	Common__WorkflowExecution execution;
	struct update_call update;
};

static void both_init(struct both *made, const char *update_id, int conflict)
{
	made->in = (Workflowservice__ExecuteMultiOperationRequest)
		WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__INIT;
	for (unsigned i = 0; i < 2; i++) {
		made->operations[i] = (Workflowservice__ExecuteMultiOperationRequest__Operation)
			WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__OPERATION__INIT;
		made->pointers[i] = &made->operations[i];
	}
	made->start = (Workflowservice__StartWorkflowExecutionRequest)
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	made->type = (Common__WorkflowType)COMMON__WORKFLOW_TYPE__INIT;
	made->execution = (Common__WorkflowExecution)COMMON__WORKFLOW_EXECUTION__INIT;
	update_call_init(&made->update, update_id);
	made->in.namespace_ = "default";
	made->in.operations = made->pointers;
	made->in.n_operations = 2;
	made->type.name = "type";
	made->start.workflow_id = made->execution.workflow_id = "w";
	made->start.workflow_type = &made->type;
	made->start.task_queue = &queue;
	made->start.workflow_id_conflict_policy = (Enums__WorkflowIdConflictPolicy)conflict;
	made->update.in.namespace_ = "";
	made->update.in.workflow_execution = &made->execution;
	made->operations[0].operation_case = OPERATION(START_WORKFLOW);
	made->operations[0].start_workflow = &made->start;
	made->operations[1].operation_case = OPERATION(UPDATE_WORKFLOW);
	made->operations[1].update_workflow = &made->update.in;
}

static void ask_both(struct answer *answer, const char *update_id, int conflict)
{
	struct both made;

	both_init(&made, update_id, conflict);
	call(answer, frontend_multi, &made.in);
}

/* The last failure's parts, as "code text [details]; code text [details]". */
static char parts[400];

static void parts_fail(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	const Common__GrpcStatus *whole = status;
	size_t at = 0;

	parts[0] = '\0';
	if (whole) {
		const Errordetails__MultiOperationExecutionFailure *failure = proto_decode(
			request->arena,
			&errordetails__multi_operation_execution_failure__descriptor,
			whole->details[0]->value.data, whole->details[0]->value.len, NULL, NULL);
		assert_int_equal(failure->n_statuses, 2);
		for (unsigned i = 0; i < 2; i++)
			at += (size_t)snprintf(parts + at, sizeof(parts) - at, "%s%d %s %zu",
				i ? "; " : "", failure->statuses[i]->code,
				failure->statuses[i]->message, failure->statuses[i]->n_details);
	}
	answer_fail(request, code, text, NULL);
}

static const struct request_ops parts_ops = { answer_reply, parts_fail, answer_header };

/* The call fails as a whole with that code, and its parts so. */
static void both_badly(const struct both *made, enum temporal_code code, const char *expected)
{
	struct answer answer = { 0 };

	arena_init(&answer.arena, 1024, ARENA_NO_BUDGET);
	answer.request = (struct request){ .server = &world.server,
		.ops = &parts_ops,
		.arena = &answer.arena,
		.message = proto_copy(&answer.arena, &made->in),
		.deadline_ns = INT64_MAX };
	frontend_serve(&answer.request, frontend_multi);
	world_settle();
	assert_true(answer.done);
	assert_string_equal(answer.text, "Update-with-Start could not be executed.");
	assert_string_equal(parts, expected);
	assert_int_equal(answer.code, code);
	forget(&answer);
}

static void expect_both(struct answer *answer, bool started, const char *failure)
{
	const Workflowservice__ExecuteMultiOperationResponse *out = answer->message;

	if (answer->code != TEMPORAL_OK)
		fail_msg("%s", answer->text);
	assert_true(answer->done);
	assert_int_equal(out->n_responses, 2);
	assert_int_equal(out->responses[0]->start_workflow->started, started);
	assert_string_equal(out->responses[0]->start_workflow->run_id,
		out->responses[1]->update_workflow->update_ref->workflow_execution->run_id);
	const Update__Outcome *outcome = out->responses[1]->update_workflow->outcome;
	if (failure)
		assert_string_equal(outcome->failure->message, failure);
	else
		assert_int_equal(outcome->value_case, UPDATE__OUTCOME__VALUE_SUCCESS);
	forget(answer);
}

static void new_run_begins_with_the_update(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	ask_both(&asked, "u", FAIL);
	assert_false(asked.done);
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&poll);
	assert_int_equal(task->started_event_id, 3);
	assert_int_equal(task->n_messages, 1);
	completion_init(&made, task);
	say_accepted(&made, "u", true);
	say_completed(&made, "u", true);
	complete(&made);
	expect_both(&asked, true, NULL);
	assert_string_equal(world_events(current_run()), "1 5 6 7 41 43");
	forget(&poll);
}

static void rejected_update_leaves_the_run(void **state)
{
	struct answer asked;

	(void)state;
	ask_both(&asked, "u", FAIL);
	reject_next("u");
	expect_both(&asked, true, "no");
	assert_string_equal(world_events(current_run()), "1 5 6 7");
}

static void running_one_is_used_or_not(void **state)
{
	struct answer asked;
	struct both made;
	char expected[200];

	(void)state;
	start_idle();
	ask_both(&asked, "u", USE);
	accept_next("u", true);
	expect_both(&asked, false, NULL);
	both_init(&made, "v", FAIL);
	snprintf(expected, sizeof(expected),
		"6 Workflow execution is already running. WorkflowId: w, RunId: %s. 1; 10 " ABORTED
		" 1",
		current_run()->run_id);
	both_badly(&made, TEMPORAL_ALREADY_EXISTS, expected);
	assert_null(update_find(current_run(), "v"));
	/* What the run has of the update comes before any policy. */
	ask_both(&asked, "u", FAIL);
	expect_both(&asked, false, NULL);
	ask_both(&asked, "u", TERMINATE);
	expect_both(&asked, false, NULL);
	ask_both(&asked, "v", TERMINATE);
	assert_string_equal(world_events(current_run()), "1 5");
	accept_next("v", true);
	expect_both(&asked, true, NULL);
}

static void pending_update_is_joined(void **state)
{
	struct answer asked, joined, poll;
	struct completion made;

	(void)state;
	start_idle();
	ask(&asked, "u", COMPLETED);
	ask_both(&joined, "u", TERMINATE);
	completion_init(&made, poll_workflow(&poll));
	say_accepted(&made, "u", true);
	say_completed(&made, "u", true);
	complete(&made);
	expect_both(&joined, false, NULL);
	expect_update(&asked, COMPLETED, NULL);
	forget(&poll);
}

static void repeated_start_is_the_same_run(void **state)
{
	struct answer asked, poll;
	struct completion ending;
	struct both made;

	(void)state;
	both_init(&made, "u", FAIL);
	made.start.request_id = "request";
	call(&asked, frontend_multi, &made.in);
	accept_next("u", true);
	expect_both(&asked, true, NULL);
	both_init(&made, "v", FAIL);
	made.start.request_id = "request";
	call(&asked, frontend_multi, &made.in);
	completion_init(&ending, poll_workflow(&poll));
	say_accepted(&ending, "v", true);
	say_completed(&ending, "v", true);
	add_end(&ending);
	complete(&ending);
	expect_both(&asked, false, NULL);
	both_init(&made, "w", FAIL);
	made.start.request_id = "request";
	both_badly(&made, TEMPORAL_UNAVAILABLE,
		"14 Workflow was not started: StartDeduped 0; 10 " ABORTED " 1");
	both_init(&made, "v", FAIL);
	call(&asked, frontend_multi, &made.in);
	expect_both(&asked, false, NULL);
	forget(&poll);
}

/* The run ends before it takes the update: a new one takes it. */
static void ended_run_is_followed_by_another(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_workflow();
	completion_init(&made, poll_workflow(&poll));
	ask_both(&asked, "u", USE);
	add_end(&made);
	complete(&made);
	assert_false(asked.done);
	world_pass(0);
	assert_false(asked.done);
	assert_string_equal(world_events(current_run()), "1 5");
	accept_next("u", true);
	expect_both(&asked, true, NULL);
	forget(&poll);
}

/* With a captured failure: the answer is waited for. */
static void ask_for_parts(struct answer *answer, const char *update_id, int conflict)
{
	struct both made;

	both_init(&made, update_id, conflict);
	*answer = (struct answer){ 0 };
	arena_init(&answer->arena, 1024, ARENA_NO_BUDGET);
	answer->request = (struct request){ .server = &world.server,
		.ops = &parts_ops,
		.arena = &answer->arena,
		.message = proto_copy(&answer->arena, &made.in),
		.deadline_ns = INT64_MAX };
	frontend_serve(&answer->request, frontend_multi);
	world_settle();
}

static void started_run_that_ends_is_not_repeated(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	ask_for_parts(&asked, "u", FAIL);
	completion_init(&made, poll_workflow(&poll));
	add_end(&made);
	complete(&made);
	assert_true(asked.done);
	assert_int_equal(asked.code, TEMPORAL_NOT_FOUND);
	assert_string_equal(parts, "0  0; 5 " CLOSED " 1");
	forget(&asked);
	forget(&poll);
}

static void caller_that_was_unlucky_twice_tries_again(void **state)
{
	struct answer asked, poll;
	struct completion made;

	(void)state;
	start_workflow();
	completion_init(&made, poll_workflow(&poll));
	ask_for_parts(&asked, "u", USE);
	add_end(&made);
	complete(&made);
	forget(&poll);
	/* Before it is tried again, somebody else starts the workflow. */
	start_workflow();
	completion_init(&made, poll_workflow(&poll));
	world_pass(0);
	assert_false(asked.done);
	add_end(&made);
	complete(&made);
	assert_true(asked.done);
	assert_int_equal(asked.code, TEMPORAL_ABORTED);
	assert_string_equal(parts, "10 " ABORTED " 1; 10 " CLOSED " 0");
	forget(&asked);
	forget(&poll);
}

static void limits_are_those_of_updates(void **state)
{
	struct answer asked[SERVER_UPDATES_OPEN_MAX];
	struct both made;
	char id[16];

	(void)state;
	start_idle();
	for (int i = 0; i < SERVER_UPDATES_OPEN_MAX; i++) {
		snprintf(id, sizeof(id), "u%d", i);
		ask_both(&asked[i], id, USE);
		assert_false(asked[i].done);
	}
	both_init(&made, "one more", USE);
	both_badly(&made, TEMPORAL_RESOURCE_EXHAUSTED,
		"10 " ABORTED
		" 1; 8 limit on number of concurrent in-flight updates has been reached (10) 1");
	for (int i = 0; i < SERVER_UPDATES_OPEN_MAX; i++)
		forget(&asked[i]);
}

#define ALONE_START(text_)  "3 " text_ " 0; 10 " ABORTED " 1"
#define ALONE_UPDATE(text_) "10 " ABORTED " 1; 3 " text_ " 0"

static void bad_parts_are_named(void **state)
{
	Google__Duration delay = GOOGLE__DURATION__INIT;
	struct both made;

	(void)state;
	delay.nanos = 1;
	both_init(&made, "u", FAIL);
	made.execution.workflow_id = "other";
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT,
		ALONE_UPDATE("WorkflowId is not consistent with previous operation(s)."));
	both_init(&made, "u", FAIL);
	made.start.cron_schedule = "* * * * *";
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT, ALONE_START("CronSchedule is not allowed."));
	both_init(&made, "u", FAIL);
	made.start.request_eager_execution = true;
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT,
		ALONE_START("RequestEagerExecution is not supported."));
	both_init(&made, "u", FAIL);
	made.start.workflow_start_delay = &delay;
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT,
		ALONE_START("WorkflowStartDelay is not supported."));
	both_init(&made, "u", FAIL);
	made.update.in.first_execution_run_id = "run";
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT,
		ALONE_UPDATE("FirstExecutionRunId is not allowed."));
	both_init(&made, "u", FAIL);
	made.execution.run_id = "11111111-1111-1111-1111-111111111111";
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT, ALONE_UPDATE("RunId is not allowed."));
	both_init(&made, "u", FAIL);
	made.start.namespace_ = "other";
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT,
		ALONE_START("Operation namespace did not match request's namespace."));
	both_init(&made, "u", FAIL);
	made.update.in.namespace_ = "other";
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT,
		ALONE_UPDATE("Operation namespace did not match request's namespace."));
	both_init(&made, "u", FAIL);
	made.type.name = "";
	made.update.input.name = "";
	both_badly(&made, TEMPORAL_INVALID_ARGUMENT,
		"3 WorkflowType is not set on request. 0; 3 Update name is not set on request. 0");
	both_init(&made, "u", FAIL);
	made.update.policy.lifecycle_stage = UPDATE_STAGE(ADMITTED);
	both_badly(&made, TEMPORAL_PERMISSION_DENIED,
		"10 " ABORTED
		" 1; 7 UpdateWorkflowExecution issued asynchronously and waiting on update "
		"admitted is not supported. 1");
	assert_int_equal(world.server.numbers.count, 0);
}

static void operations_are_exactly_two(void **state)
{
	static const char text[] = "Operations have to be exactly [Start, Update].";
	struct both made;

	(void)state;
	both_init(&made, "u", FAIL);
	made.in.n_operations = 1;
	call_badly(frontend_multi, &made.in, TEMPORAL_INVALID_ARGUMENT, text);
	both_init(&made, "u", FAIL);
	made.pointers[1] = &made.operations[0];
	call_badly(frontend_multi, &made.in, TEMPORAL_INVALID_ARGUMENT, text);
	both_init(&made, "u", FAIL);
	made.pointers[0] = &made.operations[1];
	call_badly(frontend_multi, &made.in, TEMPORAL_INVALID_ARGUMENT, text);
}

static void reuse_policy_holds(void **state)
{
	struct answer asked, poll;
	struct completion ending;
	struct both made;

	(void)state;
	start_workflow();
	completion_init(&ending, poll_workflow(&poll));
	add_end(&ending);
	complete(&ending);
	forget(&poll);
	both_init(&made, "u", USE);
	made.start.workflow_id_reuse_policy = REJECT;
	call(&asked, frontend_multi, &made.in);
	expect_failure(&asked, TEMPORAL_ALREADY_EXISTS, "Update-with-Start could not be executed.");
	ask_both(&asked, "u", USE);
	reject_next("u");
	expect_both(&asked, true, "no");
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_run_begins_with_the_update),
		TEST(rejected_update_leaves_the_run),
		TEST(running_one_is_used_or_not),
		TEST(pending_update_is_joined),
		TEST(repeated_start_is_the_same_run),
		TEST(ended_run_is_followed_by_another),
		TEST(started_run_that_ends_is_not_repeated),
		TEST(caller_that_was_unlucky_twice_tries_again),
		TEST(limits_are_those_of_updates),
		TEST(bad_parts_are_named),
		TEST(operations_are_exactly_two),
		TEST(reuse_policy_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
