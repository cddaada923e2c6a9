/*
 * Calls of a client of the server's own process. Goal: it is answered as one with a socket, to the
 * text of each error, and at once when memory is out. Method: the same good and bad messages on
 * both ways to one server, answers compared; then a call with each of its allocations failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/limits.h"
#include "rpc/methods.h"
#include "server/server.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define QUICK_NS (5 * RPC_S_NS)

static struct temporal_server *server;
static struct rpc_loop *loop;
static struct rpc_channel *inside, *outside;
static struct arena arena;

static struct rpc_channel *open_inside(void)
{
	struct temporal_error err = { .message = "" };
	struct rpc_channel *channel = server_channel_open(server, loop, NULL, 0, &err);

	if (!channel)
		fail_msg("%s", err.message);
	return channel;
}

static int set_up(void **state)
{
	struct temporal_error err = { .message = "" };
	char target[40];

	server = temporal_server_start(&err, .port = TEMPORAL_SERVER_ANY_PORT);
	if (!server)
		fail_msg("%s", err.message);
	loop = rpc_loop_new(&err);
	assert_non_null(loop);
	assert_int_equal(rpc_loop_start(loop, "test", &err), TEMPORAL_OK);
	snprintf(target, sizeof(target), "127.0.0.1:%u", temporal_server_port(server));
	inside = open_inside();
	outside = rpc_channel_new(loop, &(struct rpc_connect_opts){ .target = target }, &err);
	assert_non_null(outside);
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	return 0;
}

static int tear_down(void **state)
{
	rpc_channel_unref(inside);
	rpc_channel_unref(outside);
	rpc_loop_free(loop);
	temporal_server_stop(server);
	arena_finish(&arena);
	return 0;
}

/* The answer's encoding. */
static struct bytes encoded(const struct rpc_reply *reply)
{
	struct bytes out = { 0 };

	assert_int_equal(proto_encode(&arena, reply->message, 0, &out, NULL), TEMPORAL_OK);
	return out;
}

/* Both ways; the code, which is that of both. */
static enum temporal_code both(const struct rpc_method *method, const void *message)
{
	const struct rpc_request request = { .method = method, .message = message };
	struct temporal_error near_err = { .message = "" }, far_err = { .message = "" };
	struct rpc_reply near, far;
	enum temporal_code code = rpc_wait(inside, &request, &near, &near_err);

	assert_int_equal(code, rpc_wait(outside, &request, &far, &far_err));
	if (code != TEMPORAL_OK) {
		assert_string_equal(near_err.message, far_err.message);
		assert_int_equal(near_err.detail, far_err.detail);
	} else {
		struct bytes a = encoded(&near), b = encoded(&far);

		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.ptr, b.ptr, b.len);
		assert_true(near.arena.last != NULL);
	}
	arena_finish(&near.arena);
	arena_finish(&far.arena);
	return code;
}

static enum temporal_code describe(const char *name, const char *id)
{
	Workflowservice__DescribeNamespaceRequest in =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;

	in.namespace_ = name;
	in.id = id;
	return both(&rpc_workflow_describe_namespace, &in);
}

static void answers_are_the_same(void **state)
{
	Workflowservice__GetSystemInfoRequest info = WORKFLOWSERVICE__GET_SYSTEM_INFO_REQUEST__INIT;
	Workflowservice__ListNamespacesRequest list =
		WORKFLOWSERVICE__LIST_NAMESPACES_REQUEST__INIT;

	assert_int_equal(both(&rpc_workflow_get_system_info, &info), TEMPORAL_OK);
	assert_int_equal(both(&rpc_workflow_list_namespaces, &list), TEMPORAL_OK);
	assert_int_equal(describe("default", NULL), TEMPORAL_OK);
	assert_int_equal(describe("default", ""), TEMPORAL_OK);
}

static void refusals_are_the_same(void **state)
{
	Workflowservice__CreateScheduleRequest schedule =
		WORKFLOWSERVICE__CREATE_SCHEDULE_REQUEST__INIT;

	assert_int_equal(describe("nobody", ""), TEMPORAL_NOT_FOUND);
	assert_int_equal(describe(NULL, NULL), TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(describe("\xff", ""), TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(both(&rpc_workflow_create_schedule, &schedule), TEMPORAL_UNIMPLEMENTED);
}

static Workflowservice__SignalWorkflowExecutionRequest signal_of(Common__Payloads *input)
{
	static Common__WorkflowExecution run;
	Workflowservice__SignalWorkflowExecutionRequest in =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;

	run = (Common__WorkflowExecution)COMMON__WORKFLOW_EXECUTION__INIT;
	run.workflow_id = "nobody";
	in.namespace_ = "default";
	in.signal_name = "go";
	in.workflow_execution = &run;
	in.input = input;
	return in;
}

/* At the limit of a request's size, and above. */
static void sizes_are_the_same(void **state)
{
	Common__Payload payload = COMMON__PAYLOAD__INIT, *list[] = { &payload };
	Common__Payloads input = COMMON__PAYLOADS__INIT;
	Workflowservice__SignalWorkflowExecutionRequest in = signal_of(&input);

	input.payloads = list;
	input.n_payloads = 1;
	payload.data.data = arena_zalloc(&arena, RPC_SERVER_RECEIVE_MAX);
	payload.data.len = 1;
	payload.data.len = RPC_SERVER_RECEIVE_MAX - proto_size(&in) - 12;
	while (proto_size(&in) < RPC_SERVER_RECEIVE_MAX)
		payload.data.len++;
	assert_int_equal(proto_size(&in), RPC_SERVER_RECEIVE_MAX);
	assert_int_not_equal(
		both(&rpc_workflow_signal_workflow_execution, &in), TEMPORAL_RESOURCE_EXHAUSTED);
	payload.data.len++;
	assert_int_equal(
		both(&rpc_workflow_signal_workflow_execution, &in), TEMPORAL_RESOURCE_EXHAUSTED);
}

/* A few bytes on the wire that become much memory. */
static void growth_is_the_same(void **state)
{
	Common__Payloads input = COMMON__PAYLOADS__INIT;
	Workflowservice__SignalWorkflowExecutionRequest in = signal_of(&input);

	input.n_payloads = 100000;
	input.payloads = arena_array(&arena, input.n_payloads, sizeof(*input.payloads));
	assert_int_equal(
		both(&rpc_workflow_signal_workflow_execution, &in), TEMPORAL_RESOURCE_EXHAUSTED);
	input.n_payloads = 1000;
	assert_int_equal(both(&rpc_workflow_signal_workflow_execution, &in), TEMPORAL_NOT_FOUND);
}

static void depth_is_the_same(void **state)
{
	static Failure__Failure chain[101];
	Workflowservice__RespondActivityTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

	for (int i = 0; i < 101; i++) {
		chain[i] = (Failure__Failure)FAILURE__FAILURE__INIT;
		chain[i].cause = i < 100 ? &chain[i + 1] : NULL;
	}
	in.namespace_ = "default";
	in.failure = chain + 1;
	assert_int_equal(
		both(&rpc_workflow_respond_activity_task_failed, &in), TEMPORAL_INVALID_ARGUMENT);
	in.failure = chain;
	assert_int_equal(
		both(&rpc_workflow_respond_activity_task_failed, &in), TEMPORAL_INVALID_ARGUMENT);
}

/* A run whose history is told as bytes that were encoded before; read on both ways. */
static void histories_are_the_same(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest start =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Workflowservice__GetWorkflowExecutionHistoryRequest get =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	Common__WorkflowExecution run = COMMON__WORKFLOW_EXECUTION__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	struct rpc_request request = { .method = &rpc_workflow_start_workflow_execution,
		.message = &start };
	struct rpc_reply reply;

	run.workflow_id = start.workflow_id = "w";
	start.namespace_ = get.namespace_ = "default";
	start.workflow_type = &type;
	start.task_queue = &queue;
	type.name = "T";
	queue.name = "q";
	start.identity = NULL;
	assert_int_equal(rpc_wait(inside, &request, &reply, NULL), TEMPORAL_OK);
	arena_finish(&reply.arena);
	get.execution = &run;
	assert_int_equal(both(&rpc_workflow_get_workflow_execution_history, &get), TEMPORAL_OK);
	request.method = &rpc_workflow_get_workflow_execution_history;
	request.message = &get;
	assert_int_equal(rpc_wait(inside, &request, &reply, NULL), TEMPORAL_OK);
	const Workflowservice__GetWorkflowExecutionHistoryResponse *out = reply.message;
	assert_int_equal(out->history->n_events, 2);
	assert_int_equal(out->history->base.n_unknown_fields, 0);
	assert_string_equal(
		out->history->events[0]->workflow_execution_started_event_attributes->identity, "");
	arena_finish(&reply.arena);
}

/* A poll is encoded once and sent often. */
static void encoded_polls_work(void **state)
{
	Workflowservice__PollWorkflowTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	struct rpc_request request = { .method = &rpc_workflow_poll_workflow_task_queue,
		.message = &poll,
		.retry = RPC_RETRY_LONG_POLL };
	struct rpc_reply reply;

	poll.namespace_ = "default";
	poll.task_queue = &queue;
	queue.name = "q";
	assert_int_equal(rpc_encode(&arena, &poll, &request.encoded, NULL), TEMPORAL_OK);
	assert_int_equal(rpc_wait(inside, &request, &reply, NULL), TEMPORAL_OK);
	const Workflowservice__PollWorkflowTaskQueueResponse *task = reply.message;
	assert_string_equal(task->workflow_execution->workflow_id, "w");
	assert_int_equal(task->history->n_events, 3);
	arena_finish(&reply.arena);
}

/* One call with the allocation number `after` failing, and if `sticky` all behind it. False: it has
 * not that many. */
static bool call_fails_at(long after, int sticky)
{
	Workflowservice__DescribeNamespaceRequest in =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;
	const struct rpc_request request = { .method = &rpc_workflow_describe_namespace,
		.message = &in };
	struct rpc_reply reply;
	int64_t begun_ns = rpc_now_ns();

	in.namespace_ = "default";
	mem_fault_set(after, sticky);
	enum temporal_code code = rpc_wait(inside, &request, &reply, NULL);
	bool hit = mem_fault_hit();

	mem_fault_set(-1, 0);
	arena_finish(&reply.arena);
	assert_true(rpc_now_ns() - begun_ns < QUICK_NS);
	if (code == TEMPORAL_OK)
		return hit;
	assert_true(hit);
	assert_true(code == TEMPORAL_NO_MEMORY || code == TEMPORAL_RESOURCE_EXHAUSTED ||
		    code == TEMPORAL_UNAVAILABLE);
	if (code == TEMPORAL_UNAVAILABLE) { /* the server has failed: a new one */
		tear_down(NULL);
		set_up(NULL);
	}
	return true;
}

static void memory_that_is_out_is_told_at_once(void **state)
{
	for (int sticky = 0; sticky < 2; sticky++) {
		long after = 0;

		while (call_fails_at(after, sticky))
			after++;
		assert_true(after >= 3); /* the request, the call, the answer */
	}
	assert_int_equal(describe("default", ""), TEMPORAL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_the_same),
		cmocka_unit_test(refusals_are_the_same),
		cmocka_unit_test(sizes_are_the_same),
		cmocka_unit_test(growth_is_the_same),
		cmocka_unit_test(depth_is_the_same),
		cmocka_unit_test(histories_are_the_same),
		cmocka_unit_test(encoded_polls_work),
		cmocka_unit_test(memory_that_is_out_is_told_at_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
