/*
 * Goal: a query is asked of workflow code only where it can be answered, and its answer keeps to
 * the limit of payloads; else the caller is told at once, in the official server's words.
 * Method: a workflow is started, delayed, ended or worked on by calls; no network, no waiting.
 */
#include <stdlib.h>

#include "fake_workflow.h"

#define TOO_BIG   "Blob data size exceeds limit."
#define CLOSED    "Workflow execution closed before WorkflowTaskStarted event"
#define TOO_EARLY "Workflow task is not scheduled yet."
#define SECOND    (INT64_C(1000) * MS)

/* A query that the caller waits for until `deadline_ns` of the steady clock. */
static void ask(struct answer *answer, int64_t deadline_ns)
{
	Workflowservice__QueryWorkflowRequest in = WORKFLOWSERVICE__QUERY_WORKFLOW_REQUEST__INIT;
	Query__WorkflowQuery query = QUERY__WORKFLOW_QUERY__INIT;

	query.query_type = "state";
	in.namespace_ = "default";
	in.execution = &workflow;
	in.query = &query;
	*answer = (struct answer){ 0 };
	arena_init(&answer->arena, 1024, ARENA_NO_BUDGET);
	answer->request = (struct request){
		.server = &world.server,
		.ops = &answer_ops,
		.arena = &answer->arena,
		.message = proto_copy(&answer->arena, &in),
		.deadline_ns = deadline_ns,
	};
	frontend_serve(&answer->request, frontend_query);
	world_settle();
}

static void expect_refused(int64_t deadline_ns, const char *text)
{
	struct answer answer;

	ask(&answer, deadline_ns);
	assert_true(answer.done);
	assert_int_equal(answer.code, TEMPORAL_FAILED_PRECONDITION);
	assert_string_equal(answer.text, text);
	forget(&answer);
}

static void start_later(int64_t seconds)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	Google__Duration delay = GOOGLE__DURATION__INIT;

	type.name = "type";
	delay.seconds = seconds;
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.workflow_start_delay = &delay;
	call_well(frontend_start, &in);
}

/* The worker takes the query and answers with so many bytes in all. */
static void answer_directly(size_t bytes)
{
	Workflowservice__RespondQueryTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_QUERY_TASK_COMPLETED_REQUEST__INIT;
	Common__Payload payload = COMMON__PAYLOAD__INIT, *payloads = &payload;
	Common__Payloads result = COMMON__PAYLOADS__INIT;
	const Workflowservice__PollWorkflowTaskQueueResponse *task;
	struct answer polled;

	task = poll_workflow(&polled);
	assert_non_null(task);
	assert_non_null(task->query);
	result.payloads = &payloads;
	result.n_payloads = 1;
	payload.data.data = calloc(1, bytes);
	assert_non_null(payload.data.data);
	payload.data.len = bytes;
	while (proto_size(&result) > bytes)
		payload.data.len--;
	assert_int_equal(proto_size(&result), bytes);
	in.namespace_ = "default";
	in.task_token = task->task_token;
	in.completed_type = ENUMS__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED;
	in.query_result = &result;
	call_well(frontend_query_completed, &in);
	free(payload.data.data);
	forget(&polled);
}

static void test_not_before_the_first_task(void **state)
{
	struct answer answer;

	start_later(10);
	expect_refused(INT64_MAX, TOO_EARLY);
	expect_refused(10 * SECOND - 1, TOO_EARLY);
	ask(&answer, 10 * SECOND);
	assert_false(answer.done);
	world_pass(10 * SECOND);
	decide(NULL, 0);
	answer_directly(1000);
	assert_true(answer.done);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

static void test_run_that_never_worked(void **state)
{
	Workflowservice__TerminateWorkflowExecutionRequest in =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;

	start_workflow();
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	call_well(frontend_terminate, &in);
	expect_refused(INT64_MAX, CLOSED);
}

static void test_answer_over_the_limit(void **state)
{
	struct answer answer;
	size_t limit = (size_t)world.server.config.blob_max;

	start_workflow();
	decide(NULL, 0);
	ask(&answer, INT64_MAX);
	answer_directly(limit);
	assert_true(answer.done);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
	ask(&answer, INT64_MAX);
	answer_directly(limit + 1);
	assert_true(answer.done);
	assert_int_equal(answer.code, TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(answer.text, TOO_BIG);
	forget(&answer);
}

/* The workflow task that runs has a query waiting for it; when it is over, the next one has it. */
static void expect_query_in_next_task(void (*end)(ProtobufCBinaryData token))
{
	const Workflowservice__PollWorkflowTaskQueueResponse *task;
	struct answer answer, polled, again;

	start_workflow();
	decide(NULL, 0);
	signal_workflow("s");
	task = poll_workflow(&polled);
	assert_non_null(task);
	ask(&answer, INT64_MAX);
	end(task->task_token);
	task = poll_workflow(&again);
	assert_non_null(task);
	assert_null(task->query);
	assert_int_equal(task->n_queries, 1);
	assert_false(answer.done);
	forget(&again);
	forget(&polled);
	transition_begin(&world.server);
	query_fail_all(current_run(), "over");
	transition_end(&world.server);
	world_settle();
	assert_true(answer.done);
	forget(&answer);
}

static void let_it_time_out(ProtobufCBinaryData token)
{
	world_pass(10 * SECOND);
}

static void fail_it(ProtobufCBinaryData token)
{
	Workflowservice__RespondWorkflowTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_token = token;
	call_well(frontend_workflow_failed, &in);
}

static void test_task_times_out(void **state)
{
	expect_query_in_next_task(let_it_time_out);
}

static void test_task_fails(void **state)
{
	expect_query_in_next_task(fail_it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_before_the_first_task, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_run_that_never_worked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_answer_over_the_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_task_times_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_task_fails, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
