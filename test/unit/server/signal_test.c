/*
 * signal_test.c: goal: signals that are refused, by their number, their size or because the run is
 * about to end, are refused each time that they come, alone and with a start. Method: runs by hand.
 */
#include "run_world.h"

static Common__WorkflowExecution workflow;

static Workflowservice__SignalWorkflowExecutionRequest plain(const char *id, const char *request_id)
{
	Workflowservice__SignalWorkflowExecutionRequest in =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;

	workflow = (Common__WorkflowExecution)COMMON__WORKFLOW_EXECUTION__INIT;
	workflow.workflow_id = id;
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	in.signal_name = "hello";
	in.request_id = request_id;
	return in;
}

/* The code, its text in `text`. */
static enum temporal_code signal_run(const char *id, const char *request_id, char text[200])
{
	const Workflowservice__SignalWorkflowExecutionRequest in = plain(id, request_id);
	struct answer answer;

	call(&answer, frontend_signal, &in);
	assert_true(answer.done);
	memcpy(text, answer.text, sizeof(answer.text));
	forget(&answer);
	return answer.code;
}

static enum temporal_code signal_with_start(
	const char *id, const char *request_id, const Common__Payloads *input, char text[200])
{
	const Workflowservice__StartWorkflowExecutionRequest start = run_start_request(id);
	Workflowservice__SignalWithStartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__SIGNAL_WITH_START_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	in.workflow_id = id;
	in.workflow_type = start.workflow_type;
	in.task_queue = start.task_queue;
	in.signal_name = "hello";
	in.request_id = request_id;
	in.signal_input = (Common__Payloads *)(uintptr_t)input;
	call(&answer, frontend_signal_with_start, &in);
	assert_true(answer.done);
	memcpy(text, answer.text, sizeof(answer.text));
	forget(&answer);
	return answer.code;
}

static void number_is_limited(void **state)
{
	char text[200];

	(void)state;
	world.server.config.signals_max = 2;
	run_start("w");
	assert_int_equal(signal_run("w", "one", text), TEMPORAL_OK);
	assert_int_equal(signal_run("w", "two", text), TEMPORAL_OK);
	for (int i = 0; i < 2; i++) { /* the second time it is not taken for one that was done */
		assert_int_equal(signal_run("w", "three", text), TEMPORAL_INVALID_ARGUMENT);
		assert_string_equal(text, "exceeded workflow execution limit for signal events");
		assert_int_equal(
			signal_with_start("w", "four", NULL, text), TEMPORAL_INVALID_ARGUMENT);
		assert_string_equal(text, "exceeded workflow execution limit for signal events");
	}
	assert_int_equal(signal_run("w", "two", text), TEMPORAL_OK);
	assert_string_equal(run_events("w"), "1 5 26 26");
}

static void size_is_limited(void **state)
{
	Common__Payloads input = COMMON__PAYLOADS__INIT;
	Common__Payload payload = COMMON__PAYLOAD__INIT, *payloads[] = { &payload };
	static uint8_t data[1000];
	char text[200];

	(void)state;
	payload.data = (ProtobufCBinaryData){ sizeof(data), data };
	input.payloads = payloads;
	input.n_payloads = 1;
	world.server.config.blob_max = (int64_t)proto_size(&input) - 1;
	assert_int_equal(signal_with_start("w", "", &input, text), TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(text, "Blob data size exceeds limit.");
	assert_null(run_of("w"));
	world.server.config.blob_max++;
	assert_int_equal(signal_with_start("w", "", &input, text), TEMPORAL_OK);
}

/* A run whose end was held up by an event may end with its next task: what comes meanwhile would
 * hold it up again. */
static void run_that_ends_takes_none(void **state)
{
	Workflowservice__PollWorkflowTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Workflowservice__RespondWorkflowTaskCompletedRequest done =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	Command__Command *command = run_complete_command();
	struct answer task, answer, next;
	char text[200];

	(void)state;
	poll.namespace_ = done.namespace_ = "default";
	poll.task_queue = &run_queue;
	done.commands = &command;
	done.n_commands = 1;
	run_start("w");
	call(&task, frontend_poll_workflow, &poll);
	assert_int_equal(signal_run("w", "one", text), TEMPORAL_OK);
	done.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)task.message)->task_token;
	call(&answer, frontend_workflow_completed, &done);
	assert_int_equal(answer.code, TEMPORAL_INVALID_ARGUMENT);
	call(&next, frontend_poll_workflow, &poll);
	assert_true(next.done);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(signal_run("w", "two", text), TEMPORAL_RESOURCE_EXHAUSTED);
		assert_string_equal(
			text, "workflow operation can not be applied because workflow is closing");
	}
	assert_int_equal(signal_with_start("w", "two", NULL, text), TEMPORAL_RESOURCE_EXHAUSTED);
	assert_int_equal(signal_run("w", "one", text), TEMPORAL_OK);
	done.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)next.message)->task_token;
	forget(&answer);
	call(&answer, frontend_workflow_completed, &done);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
	forget(&task);
	forget(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(number_is_limited, run_set_up, run_tear_down),
		cmocka_unit_test_setup_teardown(size_is_limited, run_set_up, run_tear_down),
		cmocka_unit_test_setup_teardown(
			run_that_ends_takes_none, run_set_up, run_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
