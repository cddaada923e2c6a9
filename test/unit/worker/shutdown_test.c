/*
 * A worker's beginning and end as the server sees them. Goal: nothing is asked for before the
 * start. A shutdown is told, and polls are cancelled; but where the namespace ends the polls of a
 * worker that shuts down they are waited for, and a task that comes with one of them is done and
 * answered. The sticky queue is named; what the server refuses for good is a shutdown too. Method: a server in the process that keeps a line of what it sees, and a
 * client without a thread, which the test steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>

#include <temporal/api/namespace/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/worker.h>

#include "base/error.h"
#include "base/mem.h"
#include "client/client.h"
#include "proto/codec.h"
#include "rpc/call.h"
#include "rpc/methods.h"
#include "rpc/parcel.h"

#define CALLS_MAX 8

struct server {
	bool ends_polls;
	bool called, described;
	struct rpc_call *poll; /* held */
	char seen[256];
	char sticky[128]; /* the queue that ShutdownWorker names */
};

struct channel {
	struct rpc_channel base;
	struct server *server;
	struct rpc_task answer;
	bool posted;
	struct rpc_call *others[CALLS_MAX]; /* to be answered with the next turn */
	size_t n_others;
};

static void note(struct server *server, const char *what)
{
	size_t len = strlen(server->seen);

	snprintf(server->seen + len, sizeof(server->seen) - len, "%s ", what);
}

static void end_call(struct rpc_call *call, enum temporal_code code, const void *response)
{
	struct rpc_end end = { .code = code, .message = "grpc: received message larger than max" };
	struct arena scratch;
	struct bytes message;

	arena_init(&scratch, 256, ARENA_NO_BUDGET);
	if (response) {
		assert_int_equal(proto_encode(&scratch, response, 0, &message, NULL), TEMPORAL_OK);
		rpc_call_message(call, message.ptr, message.len, message.len);
	}
	rpc_call_end_try(call, &end);
	arena_finish(&scratch);
}

static void describe(struct server *server, struct rpc_call *call)
{
	Workflowservice__DescribeNamespaceResponse response =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_RESPONSE__INIT;
	Namespace__NamespaceInfo info = NAMESPACE__NAMESPACE_INFO__INIT;
	Namespace__NamespaceInfo__Capabilities capabilities =
		NAMESPACE__NAMESPACE_INFO__CAPABILITIES__INIT;

	capabilities.worker_poll_complete_on_shutdown = server->ends_polls;
	info.capabilities = &capabilities;
	response.namespace_info = &info;
	end_call(call, TEMPORAL_OK, &response);
	server->described = true;
}

static void answer(struct server *server, struct rpc_call *call)
{
	Workflowservice__ShutdownWorkerResponse stopped =
		WORKFLOWSERVICE__SHUTDOWN_WORKER_RESPONSE__INIT;
	Workflowservice__RespondActivityTaskCompletedResponse completed =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_COMPLETED_RESPONSE__INIT;

	if (call->method == &rpc_workflow_describe_namespace)
		describe(server, call);
	else if (call->method == &rpc_workflow_shutdown_worker)
		end_call(call, TEMPORAL_OK, &stopped);
	else if (call->method == &rpc_workflow_respond_activity_task_completed)
		end_call(call, TEMPORAL_OK, &completed);
	else
		end_call(call, TEMPORAL_UNIMPLEMENTED, NULL);
}

static void answer_others(struct rpc_task *task)
{
	struct channel *channel =
		(struct channel *)(void *)((char *)task - offsetof(struct channel, answer));

	channel->posted = false;
	while (channel->n_others > 0)
		answer(channel->server, channel->others[--channel->n_others]);
}

static void start(struct rpc_channel *base, struct rpc_call *call)
{
	struct channel *channel = (struct channel *)(void *)base;

	channel->server->called = true;
	if (call->method == &rpc_workflow_poll_workflow_task_queue)
		return; /* it is held, until it is cancelled */
	if (call->method == &rpc_workflow_poll_activity_task_queue) {
		note(channel->server, "poll");
		channel->server->poll = call;
		return;
	}
	if (call->method == &rpc_workflow_shutdown_worker) {
		const Workflowservice__ShutdownWorkerRequest *message =
			rpc_parcel_message(call->parcel);

		note(channel->server, "shutdown");
		snprintf(channel->server->sticky, sizeof(channel->server->sticky), "%s",
			message->sticky_task_queue);
		assert_string_equal(message->task_queue, "q");
		assert_string_equal(message->identity, "tester");
	}
	if (call->method == &rpc_workflow_respond_activity_task_completed)
		note(channel->server, "completed");
	assert_true(channel->n_others < CALLS_MAX);
	channel->others[channel->n_others++] = call;
	if (channel->posted)
		return;
	channel->posted = true;
	channel->answer.run = answer_others;
	rpc_loop_post(base->loop, &channel->answer);
}

static void cancel(struct rpc_channel *base, struct rpc_call *call)
{
	struct channel *channel = (struct channel *)(void *)base;

	for (size_t i = 0; i < channel->n_others; i++) {
		if (channel->others[i] == call)
			channel->others[i--] = channel->others[--channel->n_others];
	}
	if (call != channel->server->poll)
		return;
	note(channel->server, "cancelled");
	channel->server->poll = NULL;
}

static void destroy(struct rpc_channel *base)
{
	rpc_channel_finish(base);
	mem_free(base);
}

static struct rpc_channel *open_channel(void *user, struct rpc_loop *loop,
	const struct rpc_header *headers, size_t n_headers, struct temporal_error *err)
{
	static const struct rpc_channel_ops ops = {
		.start = start, .cancel = cancel, .destroy = destroy, .in_process = true
	};
	struct channel *channel = mem_zalloc(sizeof(*channel));

	assert_non_null(channel);
	channel->server = user;
	assert_int_equal(
		rpc_channel_init(&channel->base, &ops, loop, headers, n_headers, err), TEMPORAL_OK);
	return &channel->base;
}

typedef int64_t five_out;
TEMPORAL_ACTIVITY_CONTRACT_0(five, "five");

static const struct temporal_failure *five_run(struct act *act, five_out *out)
{
	*out = 5;
	return NULL;
}
TEMPORAL_ACTIVITY_0(five);

typedef void rest_out;
TEMPORAL_WORKFLOW_CONTRACT_0(rest, "Rest");

static void rest_run(struct wf *wf)
{
	wf_sleep(wf, 1);
}
TEMPORAL_WORKFLOW_0(rest);

static struct temporal_client *client;
static struct temporal_worker *worker;

static void make_worker(struct server *server, bool workflows)
{
	static const struct temporal_workflow *const all[] = { &rest_workflow, NULL };
	struct temporal_error err;

	client = client_connect_through(&(const struct rpc_transport){ open_channel, server },
		&(const struct temporal_client_opts){
			.lazy = true, .identity = "tester", .no_thread = true },
		&err);
	assert_non_null(client);
	worker = temporal_worker_new(client, &err, .task_queue = "q", .activity_task_pollers = 1,
		.activities = (const struct temporal_activity *const[]){ &five_activity, NULL },
		.workflows = workflows ? all : NULL);
	assert_non_null(worker);
}

static void start_worker(struct server *server, bool workflows)
{
	struct temporal_error err;

	make_worker(server, workflows);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	for (int i = 0; !server->poll || !server->described; i++) {
		assert_true(i < 2000);
		assert_true(temporal_worker_step(worker));
		poll(NULL, 0, 1);
	}
	assert_true(temporal_worker_step(worker)); /* what was described has arrived */
}

static void step_until_its_end(enum temporal_code expected)
{
	struct temporal_error err;

	for (int i = 0; temporal_worker_step(worker); i++) {
		assert_true(i < 2000); /* less than the time after which it cancels its polls */
		poll(NULL, 0, 1);
	}
	assert_int_equal(temporal_worker_wait(worker, &err), expected);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

static void nothing_is_asked_before_the_start(void **state)
{
	struct server server = { .ends_polls = false };

	make_worker(&server, false);
	for (int i = 0; i < 20; i++) {
		temporal_client_step(client);
		poll(NULL, 0, 1);
	}
	assert_false(server.called);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	start_worker(&server, false);
	assert_true(server.called);
	temporal_worker_shutdown(worker);
	step_until_its_end(TEMPORAL_OK);
}

static void polls_that_the_server_ends_are_waited_for(void **state)
{
	struct server server = { .ends_polls = true };
	Workflowservice__PollActivityTaskQueueResponse task =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_RESPONSE__INIT;
	Common__ActivityType type = COMMON__ACTIVITY_TYPE__INIT;

	start_worker(&server, false);
	temporal_worker_shutdown(worker);
	for (int i = 0; i < 20; i++) {
		assert_true(temporal_worker_step(worker));
		poll(NULL, 0, 1);
	}
	assert_string_equal(server.seen, "poll shutdown ");
	type.name = "five";
	task.task_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "t" };
	task.activity_type = &type;
	end_call(server.poll, TEMPORAL_OK, &task);
	step_until_its_end(TEMPORAL_OK);
	assert_string_equal(server.seen, "poll shutdown completed ");
	assert_string_equal(server.sticky, "");
}

static void others_are_cancelled(void **state)
{
	struct server server = { .ends_polls = false };

	start_worker(&server, false);
	temporal_worker_shutdown(worker);
	step_until_its_end(TEMPORAL_OK);
	assert_non_null(strstr(server.seen, "shutdown "));
	assert_non_null(strstr(server.seen, "cancelled "));
}

static void the_sticky_queue_is_named(void **state)
{
	struct server server = { .ends_polls = false };

	start_worker(&server, true);
	temporal_worker_shutdown(worker);
	step_until_its_end(TEMPORAL_OK);
	assert_true(strlen(server.sticky) > 0);
	assert_string_not_equal(server.sticky, "q");
}

/* Of all errors this one is taken for final at once: others may be healed by somebody in time. */
static void a_refused_poll_ends_the_worker(void **state)
{
	struct server server = { .ends_polls = true };
	struct rpc_call *refused;

	start_worker(&server, false);
	refused = server.poll;
	server.poll = NULL;
	end_call(refused, TEMPORAL_RESOURCE_EXHAUSTED, NULL);
	step_until_its_end(TEMPORAL_RESOURCE_EXHAUSTED);
	assert_string_equal(server.seen, "poll shutdown ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_asked_before_the_start),
		cmocka_unit_test(polls_that_the_server_ends_are_waited_for),
		cmocka_unit_test(others_are_cancelled),
		cmocka_unit_test(the_sticky_queue_is_named),
		cmocka_unit_test(a_refused_poll_ends_the_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
