/*
 * Task tokens, and requests that name nothing. Goal: what is wrong with a token or with the names
 * beside it is told in the official server's words, before anything happens. Method: each call that
 * takes a token, with none, with bytes that are none, with a namespace that is not there or is
 * another one's; calls with empty requests.
 */
#include "run_world.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

#define EXPECT(handler_, in_, code_, text_) \
	do { \
		struct answer answer_; \
		call(&answer_, handler_, in_); \
		assert_true(answer_.done); \
		assert_int_equal(answer_.code, TEMPORAL_##code_); \
		assert_string_equal(answer_.text, text_); \
		forget(&answer_); \
	} while (0)

static uint8_t junk[] = "junk";

/* These checks are the same for all messages with a token and a namespace. */
#define CHECK(handler_, Type_, TYPE_) \
	do { \
		Workflowservice__##Type_ in = WORKFLOWSERVICE__##TYPE_##__INIT; \
		EXPECT(handler_, &in, INVALID_ARGUMENT, "Task token not set on request."); \
		in.task_token = (ProtobufCBinaryData){ 4, junk }; \
		EXPECT(handler_, &in, INVALID_ARGUMENT, "Error deserializing task token."); \
		in.namespace_ = "default"; \
		EXPECT(handler_, &in, INVALID_ARGUMENT, "Error deserializing task token."); \
		in.namespace_ = "nope"; \
		EXPECT(handler_, &in, NOT_FOUND, "Namespace nope is not found."); \
	} while (0)

static void bad_tokens_are_refused(void **state)
{
	(void)state;
	CHECK(frontend_workflow_completed, RespondWorkflowTaskCompletedRequest,
		RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
	CHECK(frontend_workflow_failed, RespondWorkflowTaskFailedRequest,
		RESPOND_WORKFLOW_TASK_FAILED_REQUEST);
	CHECK(frontend_activity_completed, RespondActivityTaskCompletedRequest,
		RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST);
	CHECK(frontend_activity_failed, RespondActivityTaskFailedRequest,
		RESPOND_ACTIVITY_TASK_FAILED_REQUEST);
	CHECK(frontend_activity_canceled, RespondActivityTaskCanceledRequest,
		RESPOND_ACTIVITY_TASK_CANCELED_REQUEST);
	CHECK(frontend_activity_heartbeat, RecordActivityTaskHeartbeatRequest,
		RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST);
	CHECK(frontend_query_completed, RespondQueryTaskCompletedRequest,
		RESPOND_QUERY_TASK_COMPLETED_REQUEST);
}

/* A worker of one namespace cannot complete another one's tasks; its own it can. */
static void a_token_stays_in_its_namespace(void **state)
{
	Workflowservice__PollWorkflowTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Workflowservice__RespondWorkflowTaskCompletedRequest done =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	struct answer task;

	(void)state;
	namespace_register(&world.server, "other", "", "", 3600000);
	run_start("w");
	poll.namespace_ = "default";
	poll.task_queue = &run_queue;
	call(&task, frontend_poll_workflow, &poll);
	assert_true(task.done);
	done.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)task.message)->task_token;
	done.namespace_ = "other";
	EXPECT(frontend_workflow_completed, &done, INVALID_ARGUMENT,
		"Operation requested with a token from a different namespace.");
	done.namespace_ = "default";
	EXPECT(frontend_workflow_completed, &done, OK, "");
	EXPECT(frontend_workflow_completed, &done, NOT_FOUND, "Workflow task not found.");
	forget(&task);
}

static void names_are_asked_for(void **state)
{
	Workflowservice__SignalWorkflowExecutionRequest signal =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
	Workflowservice__PollWorkflowTaskQueueRequest long_poll =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	Common__WorkflowExecution execution = COMMON__WORKFLOW_EXECUTION__INIT;
	static char long_name[1002];
	Workflowservice__PollActivityTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	Workflowservice__RespondActivityTaskCompletedByIdRequest done =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_COMPLETED_BY_ID_REQUEST__INIT;
	Workflowservice__GetWorkerVersioningRulesRequest rules =
		WORKFLOWSERVICE__GET_WORKER_VERSIONING_RULES_REQUEST__INIT;

	(void)state;
	EXPECT(frontend_signal, &signal, INVALID_ARGUMENT, "Namespace is empty.");
	signal.namespace_ = "default";
	EXPECT(frontend_signal, &signal, INVALID_ARGUMENT, "Execution is not set on request.");
	EXPECT(frontend_poll_activity, &poll, INVALID_ARGUMENT, "Namespace is empty.");
	poll.namespace_ = "default";
	EXPECT(frontend_poll_activity, &poll, INVALID_ARGUMENT, "taskQueue is not set");
	EXPECT(frontend_version_rules, &rules, INVALID_ARGUMENT, "Namespace is empty.");
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_poll.task_queue = &queue;
	long_poll.namespace_ = "default";
	queue.name = long_name;
	EXPECT(frontend_poll_workflow, &long_poll, INVALID_ARGUMENT,
		"taskQueue length exceeds limit");
	queue.name = "queue";
	long_poll.identity = long_name;
	EXPECT(frontend_poll_workflow, &long_poll, INVALID_ARGUMENT,
		"Identity length exceeds limit.");
	signal.workflow_execution = &execution;
	execution.workflow_id = "nope";
	signal.signal_name = long_name;
	EXPECT(frontend_signal, &signal, INVALID_ARGUMENT, "SignalName length exceeds limit.");
	signal.signal_name = long_name + 1;
	EXPECT(frontend_signal, &signal, NOT_FOUND, "workflow not found for ID: nope");
	signal.request_id = long_name;
	EXPECT(frontend_signal, &signal, INVALID_ARGUMENT, "RequestId length exceeds limit.");
	signal.request_id = "";
	execution.run_id = "01a20dc6-2f7b-7888-8f5c-64dae2a6e9a8";
	EXPECT(frontend_signal, &signal, NOT_FOUND,
		"workflow execution not found for workflow ID \"nope\" and run ID "
		"\"01a20dc6-2f7b-7888-8f5c-64dae2a6e9a8\"");
	run_start("w");
	done.namespace_ = "default";
	done.workflow_id = "w";
	EXPECT(frontend_activity_completed_by_id, &done, INVALID_ARGUMENT,
		"ActivityId is not set on request.");
	done.activity_id = "a";
	EXPECT(frontend_activity_completed_by_id, &done, NOT_FOUND,
		"cannot find pending activity with ActivityID a, check workflow execution history "
		"for more details");
	done.run_id = "x";
	EXPECT(frontend_activity_completed_by_id, &done, INVALID_ARGUMENT,
		"RunId is not valid UUID.");
}

static void a_namespace_goes_before_what_is_asked_of_it(void **state)
{
	Operatorservice__AddSearchAttributesRequest add =
		OPERATORSERVICE__ADD_SEARCH_ATTRIBUTES_REQUEST__INIT;
	Operatorservice__RemoveSearchAttributesRequest drop =
		OPERATORSERVICE__REMOVE_SEARCH_ATTRIBUTES_REQUEST__INIT;

	(void)state;
	EXPECT(frontend_add_search_attributes, &add, INVALID_ARGUMENT,
		"SearchAttributes are not set on request.");
	add.namespace_ = drop.namespace_ = "nope";
	EXPECT(frontend_add_search_attributes, &add, NOT_FOUND, "Namespace nope is not found.");
	EXPECT(frontend_remove_search_attributes, &drop, NOT_FOUND, "Namespace nope is not found.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bad_tokens_are_refused, run_set_up, run_tear_down),
		cmocka_unit_test_setup_teardown(
			a_token_stays_in_its_namespace, run_set_up, run_tear_down),
		cmocka_unit_test_setup_teardown(
			a_namespace_goes_before_what_is_asked_of_it, run_set_up, run_tear_down),
		cmocka_unit_test_setup_teardown(names_are_asked_for, run_set_up, run_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
