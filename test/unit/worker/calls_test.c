/*
 * A worker as the server sees it, by the calls that it makes. Goal: nothing is asked for before
 * the start. A shutdown is told, with the sticky queue and all of the worker, and polls are
 * cancelled; but where the namespace ends the polls of a worker that shuts down they are waited
 * for, and a task that comes with one of them is done and answered, without a wish for more. What
 * the server refuses for good is a shutdown too. Commands are polled for where the namespace has
 * some, and answered. A backlog in the sticky queue draws the polls there. Method: a server in the
 * process that holds polls and keeps a line of what it sees, and a client without a thread, which
 * the test steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include <temporal/api/namespace/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/worker.h>

#include "base/error.h"
#include "base/mem.h"
#include "client/client.h"
#include "proto/codec.h"
#include "proto/json.h"
#include "rpc/call.h"
#include "rpc/methods.h"
#include "rpc/parcel.h"

#define CALLS_MAX 8

enum poll_kind {
	ACTIVITIES,
	WORKFLOWS,
	STICKY,
	COMMANDS,
	POLL_KINDS
};

struct server {
	bool ends_polls, commands; /* what the namespace can do */
	bool called, described;
	struct rpc_call *polls[POLL_KINDS][CALLS_MAX]; /* held */
	size_t n_polls[POLL_KINDS];
	char seen[256];
	char sticky[128]; /* the queue that ShutdownWorker names */
	bool wants_more;  /* a workflow task's answer asks for the next one */
	int64_t sticky_s; /* after which another worker may take it */
	Enums__WorkerStatus status;
	int32_t used; /* slots of activities */
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
	capabilities.worker_heartbeats = true;
	capabilities.worker_commands = server->commands;
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
	Workflowservice__RespondWorkflowTaskCompletedResponse done =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_RESPONSE__INIT;
	Workflowservice__RespondNexusTaskCompletedResponse told =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_RESPONSE__INIT;

	if (call->method == &rpc_workflow_describe_namespace)
		describe(server, call);
	else if (call->method == &rpc_workflow_shutdown_worker)
		end_call(call, TEMPORAL_OK, &stopped);
	else if (call->method == &rpc_workflow_respond_activity_task_completed)
		end_call(call, TEMPORAL_OK, &completed);
	else if (call->method == &rpc_workflow_respond_workflow_task_completed)
		end_call(call, TEMPORAL_OK, &done);
	else if (call->method == &rpc_workflow_respond_nexus_task_completed)
		end_call(call, TEMPORAL_OK, &told);
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

static enum poll_kind kind_of(const struct rpc_call *call)
{
	const Workflowservice__PollWorkflowTaskQueueRequest *asks;

	if (call->method == &rpc_workflow_poll_activity_task_queue)
		return ACTIVITIES;
	if (call->method == &rpc_workflow_poll_nexus_task_queue)
		return COMMANDS;
	if (call->method != &rpc_workflow_poll_workflow_task_queue)
		return POLL_KINDS;
	asks = rpc_parcel_message(call->parcel);
	return asks->task_queue->kind == ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY ? STICKY
											: WORKFLOWS;
}

static void hold(struct server *server, struct rpc_call *call, enum poll_kind kind)
{
	if (kind == ACTIVITIES)
		note(server, "poll");
	assert_true(server->n_polls[kind] < CALLS_MAX);
	server->polls[kind][server->n_polls[kind]++] = call;
}

static void look_at_presence(struct server *server, const Worker__WorkerHeartbeat *presence)
{
	if (!presence)
		return;
	server->status = presence->status;
	server->used = presence->activity_task_slots_info->current_used_slots;
	for (size_t i = 0; i < presence->n_plugins; i++)
		note(server, presence->plugins[i]->name);
}

/* What is of interest in the other calls. */
static void look_at(struct server *server, const struct rpc_call *call)
{
	const void *message = rpc_parcel_message(call->parcel);

	if (call->method == &rpc_workflow_shutdown_worker) {
		const Workflowservice__ShutdownWorkerRequest *ends = message;

		note(server, "shutdown");
		snprintf(server->sticky, sizeof(server->sticky), "%s", ends->sticky_task_queue);
		look_at_presence(server, ends->worker_heartbeat);
		assert_string_equal(ends->task_queue, "q");
		assert_string_equal(ends->identity, "tester");
	} else if (call->method == &rpc_workflow_respond_activity_task_completed) {
		note(server, "completed");
	} else if (call->method == &rpc_workflow_respond_workflow_task_completed) {
		const Workflowservice__RespondWorkflowTaskCompletedRequest *answers = message;

		note(server, "answered");
		server->wants_more = answers->return_new_workflow_task;
		if (answers->sticky_attributes)
			server->sticky_s =
				answers->sticky_attributes->schedule_to_start_timeout->seconds;
		assert_true(server->wants_more == (answers->sticky_attributes != NULL));
	} else if (call->method == &rpc_workflow_respond_nexus_task_completed) {
		note(server, "obeyed");
	}
}

static void start(struct rpc_channel *base, struct rpc_call *call)
{
	struct channel *channel = (struct channel *)(void *)base;
	enum poll_kind kind = kind_of(call);

	channel->server->called = true;
	if (kind != POLL_KINDS) {
		hold(channel->server, call, kind);
		return;
	}
	look_at(channel->server, call);
	assert_true(channel->n_others < CALLS_MAX);
	channel->others[channel->n_others++] = call;
	if (channel->posted)
		return;
	channel->posted = true;
	channel->answer.run = answer_others;
	rpc_loop_post(base->loop, &channel->answer);
}

static bool forget(struct rpc_call **calls, size_t *n, const struct rpc_call *call)
{
	size_t before = *n;

	for (size_t i = 0; i < *n; i++) {
		if (calls[i] == call)
			calls[i--] = calls[--*n];
	}
	return *n < before;
}

static void cancel(struct rpc_channel *base, struct rpc_call *call)
{
	struct channel *channel = (struct channel *)(void *)base;
	struct server *server = channel->server;

	forget(channel->others, &channel->n_others, call);
	for (int kind = 0; kind < POLL_KINDS; kind++) {
		if (forget(server->polls[kind], &server->n_polls[kind], call) && kind == ACTIVITIES)
			note(server, "cancelled");
	}
}

/* Ends the oldest poll of the kind. */
static void end_poll(
	struct server *server, enum poll_kind kind, enum temporal_code code, const void *response)
{
	struct rpc_call *call = server->polls[kind][0];

	assert_true(forget(server->polls[kind], &server->n_polls[kind], call));
	end_call(call, code, response);
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

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static const struct temporal_failure *five_run(struct act *act, five_out *out)
{
	pthread_mutex_lock(&gate); /* until the test opens it */
	pthread_mutex_unlock(&gate);
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

static const struct temporal_workflow *const workflows[] = { &rest_workflow, NULL };
static const struct temporal_worker_opts no_more = { .workflows = NULL },
					 with_workflows = { .workflows = workflows,
						 .workflow_threads = TEMPORAL_OFF };

static struct temporal_client *client;
static struct temporal_worker *worker;

static void make_worker(struct server *server, struct temporal_worker_opts opts)
{
	struct temporal_error err;

	client = client_connect_through(&(const struct rpc_transport){ open_channel, server },
		&(const struct temporal_client_opts){
			.lazy = true, .identity = "tester", .no_thread = true },
		&err);
	assert_non_null(client);
	opts.task_queue = "q";
	opts.activity_task_pollers = 1;
	opts.activities = (const struct temporal_activity *const[]){ &five_activity, NULL };
	worker = temporal_worker_new_(client, &opts, sizeof(opts), &err);
	assert_non_null(worker);
}

static void step_for_a_while(void)
{
	for (int i = 0; i < 20; i++) {
		assert_true(temporal_worker_step(worker));
		poll(NULL, 0, 1);
	}
}

static void start_worker(struct server *server, struct temporal_worker_opts opts)
{
	struct temporal_error err;

	make_worker(server, opts);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	for (int i = 0; !server->n_polls[ACTIVITIES] || !server->described; i++) {
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

	make_worker(&server, no_more);
	for (int i = 0; i < 20; i++) {
		temporal_client_step(client);
		poll(NULL, 0, 1);
	}
	assert_false(server.called);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	start_worker(&server, no_more);
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

	start_worker(&server, no_more);
	temporal_worker_shutdown(worker);
	step_for_a_while();
	assert_string_equal(server.seen, "poll shutdown ");
	type.name = "five";
	task.task_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "t" };
	task.activity_type = &type;
	end_poll(&server, ACTIVITIES, TEMPORAL_OK, &task);
	step_until_its_end(TEMPORAL_OK);
	assert_string_equal(server.seen, "poll shutdown completed ");
	assert_string_equal(server.sticky, "");
}

static void others_are_cancelled(void **state)
{
	struct server server = { .ends_polls = false };

	start_worker(&server, no_more);
	temporal_worker_shutdown(worker);
	step_until_its_end(TEMPORAL_OK);
	assert_non_null(strstr(server.seen, "shutdown "));
	assert_non_null(strstr(server.seen, "cancelled "));
}

static void the_sticky_queue_is_named(void **state)
{
	struct server server = { .ends_polls = false };

	start_worker(&server, with_workflows);
	temporal_worker_shutdown(worker);
	step_until_its_end(TEMPORAL_OK);
	assert_true(strlen(server.sticky) > 0);
	assert_string_not_equal(server.sticky, "q");
}

/* The first task of a run, from the server's hands. */
static void give_workflow_task(struct server *server)
{
	static const char json[] =
		"{\"taskToken\":\"dA==\",\"workflowExecution\":{\"workflowId\":\"w\",\"runId\":"
		"\"r\"},\"workflowType\":{\"name\":\"Rest\"},\"startedEventId\":\"3\",\"attempt\":"
		"1,"
		"\"history\":{\"events\":[{\"eventId\":\"1\",\"eventType\":"
		"\"WorkflowExecutionStarted\",\"workflowExecutionStartedEventAttributes\":"
		"{\"workflowType\":{\"name\":\"Rest\"},\"workflowTaskTimeout\":\"10s\"}},"
		"{\"eventId\":\"2\",\"eventType\":\"WorkflowTaskScheduled\","
		"\"workflowTaskScheduledEventAttributes\":{}},"
		"{\"eventId\":\"3\",\"eventType\":\"WorkflowTaskStarted\","
		"\"workflowTaskStartedEventAttributes\":{\"scheduledEventId\":\"2\"}}]}}";
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct arena arena;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const void *task = proto_from_json(&arena,
		&workflowservice__poll_workflow_task_queue_response__descriptor,
		(struct str){ json, sizeof(json) - 1 }, false, &err);

	if (!task)
		print_message("%s\n", err.message);
	assert_non_null(task);
	end_poll(server, WORKFLOWS, TEMPORAL_OK, task);
	arena_finish(&arena);
}

/* As a server does that ends them itself: an empty answer is the same for all. */
static void end_all_polls(struct server *server)
{
	Workflowservice__PollNexusTaskQueueResponse empty =
		WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_RESPONSE__INIT;

	for (int kind = 0; kind < POLL_KINDS; kind++) {
		while (server->n_polls[kind] > 0)
			end_poll(server, (enum poll_kind)kind, TEMPORAL_OK, &empty);
	}
}

/* Nor does one that has nowhere to keep a run. */
static void a_worker_that_stops_wants_no_more(void **state)
{
	for (int turn = 0; turn < 3; turn++) {
		struct server server = { .ends_polls = true };
		struct temporal_worker_opts opts = with_workflows;
		bool stops = turn == 1;

		opts.max_cached_workflows = turn == 2 ? TEMPORAL_OFF : 0;
		opts.sticky_schedule_to_start_timeout_ms = 7000;
		start_worker(&server, opts);
		for (int i = 0; !server.n_polls[WORKFLOWS]; i++) {
			assert_true(i < 2000);
			assert_true(temporal_worker_step(worker));
		}
		if (stops)
			temporal_worker_shutdown(worker);
		step_for_a_while();
		give_workflow_task(&server);
		for (int i = 0; !strstr(server.seen, "answered"); i++) {
			assert_true(i < 2000);
			temporal_worker_step(worker);
			poll(NULL, 0, 1);
		}
		assert_true(server.wants_more == (turn == 0));
		assert_int_equal(server.sticky_s, turn == 0 ? 7 : 0);
		temporal_worker_shutdown(worker);
		step_for_a_while();
		end_all_polls(&server);
		step_until_its_end(TEMPORAL_OK);
	}
}

/* Three slots: a poll of the common queue that has ended is made again, unless the sticky queue has
 * more to do than it has polls. */
static void a_sticky_backlog_draws_the_polls(void **state)
{
	for (int backlog = 0; backlog <= 5; backlog += 5) {
		struct server server = { .ends_polls = false };
		struct temporal_worker_opts opts = with_workflows;
		Workflowservice__PollWorkflowTaskQueueResponse empty =
			WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_RESPONSE__INIT;

		opts.workflow_task_pollers = 4;
		opts.nonsticky_to_sticky_poll_ratio = 0.5;
		opts.max_concurrent_workflow_tasks = 3;
		start_worker(&server, opts);
		step_for_a_while();
		assert_int_equal(server.n_polls[WORKFLOWS], 2);
		assert_int_equal(server.n_polls[STICKY], 1);
		empty.backlog_count_hint = backlog;
		end_poll(&server, STICKY, TEMPORAL_OK, &empty);
		step_for_a_while();
		end_poll(&server, WORKFLOWS, TEMPORAL_OK, &empty);
		step_for_a_while();
		assert_int_equal(server.n_polls[WORKFLOWS], backlog ? 1 : 2);
		assert_int_equal(server.n_polls[STICKY], backlog ? 2 : 1);
		temporal_worker_shutdown(worker);
		step_until_its_end(TEMPORAL_OK);
	}
}

/* An order without any commands in it has an answer too. */
static void commands_are_polled_for_where_there_are_some(void **state)
{
	for (int some = 0; some < 2; some++) {
		struct server server = { .commands = some };
		Workflowservice__PollNexusTaskQueueResponse task =
			WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_RESPONSE__INIT;
		Nexus__Request request = NEXUS__REQUEST__INIT;
		Nexus__StartOperationRequest order = NEXUS__START_OPERATION_REQUEST__INIT;
		Common__Payload none = COMMON__PAYLOAD__INIT;

		start_worker(&server, no_more);
		step_for_a_while();
		assert_int_equal(server.n_polls[COMMANDS], some);
		order.payload = &none;
		request.variant_case = NEXUS__REQUEST__VARIANT_START_OPERATION;
		request.start_operation = &order;
		task.request = &request;
		task.task_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "c" };
		if (some)
			end_poll(&server, COMMANDS, TEMPORAL_OK, &task);
		step_for_a_while();
		assert_true(some == (strstr(server.seen, "obeyed") != NULL));
		assert_int_equal(server.n_polls[COMMANDS], some);
		temporal_worker_shutdown(worker);
		step_until_its_end(TEMPORAL_OK);
	}
}

/* An activity runs, which is told of with the shutdown. */
static void a_worker_tells_of_itself(void **state)
{
	static const struct temporal_plugin plugin = { .name = "test.plugin" };
	struct server server = { .commands = true, .ends_polls = true };
	struct temporal_worker_opts opts = no_more;
	Workflowservice__PollActivityTaskQueueResponse task =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_RESPONSE__INIT;
	Common__ActivityType type = COMMON__ACTIVITY_TYPE__INIT;

	opts.plugins = (const struct temporal_plugin *const[]){ &plugin, NULL };
	pthread_mutex_lock(&gate);
	start_worker(&server, opts);
	type.name = "five";
	task.task_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "t" };
	task.activity_type = &type;
	end_poll(&server, ACTIVITIES, TEMPORAL_OK, &task);
	step_for_a_while();
	temporal_worker_shutdown(worker);
	step_for_a_while();
	pthread_mutex_unlock(&gate);
	end_all_polls(&server);
	step_until_its_end(TEMPORAL_OK);
	assert_non_null(strstr(server.seen, "test.plugin "));
	assert_int_equal(server.status, ENUMS__WORKER_STATUS__WORKER_STATUS_SHUTTING_DOWN);
	assert_int_equal(server.used, 1);
}

/* Of all errors this one is taken for final at once: others may be healed by somebody in time. */
static void a_refused_poll_ends_the_worker(void **state)
{
	struct server server = { .ends_polls = true };

	start_worker(&server, no_more);
	end_poll(&server, ACTIVITIES, TEMPORAL_RESOURCE_EXHAUSTED, NULL);
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
		cmocka_unit_test(a_worker_that_stops_wants_no_more),
		cmocka_unit_test(a_sticky_backlog_draws_the_polls),
		cmocka_unit_test(commands_are_polled_for_where_there_are_some),
		cmocka_unit_test(a_worker_tells_of_itself),
		cmocka_unit_test(a_refused_poll_ends_the_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
