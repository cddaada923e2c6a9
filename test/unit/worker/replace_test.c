/*
 * Another key, another client for a worker that lives. Goal: polls that are made after the key was
 * replaced carry the new one, also when they are tries of an old poll; a refused key does not end
 * the worker at once; after temporal_worker_set_client polls and answers go to the new client, and
 * nothing more is tried with the old one.
 *
 * Method: servers in the process that hold each poll until the test ends it, and clients without a
 * thread, which the test steps. Only the retry after UNAVAILABLE takes real time, 200 ms.
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

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/worker.h>

#include "base/error.h"
#include "base/mem.h"
#include "client/client.h"
#include "proto/codec.h"
#include "rpc/call.h"
#include "rpc/methods.h"

#define HELD_MAX 8

struct server {
	struct rpc_call *polls[HELD_MAX]; /* held */
	char keys[HELD_MAX][32];          /* that they showed */
	size_t n_polls;
	unsigned answers; /* of activities */
};

struct channel {
	struct rpc_channel base;
	struct server *server;
	struct rpc_task answer;
	bool posted;
	struct rpc_call *others[HELD_MAX]; /* to be answered with the next turn */
	size_t n_others;
};

static void note_key(const struct rpc_call *call, char key[32])
{
	key[0] = '\0';
	for (size_t i = 0; i < call->headers->n; i++) {
		if (strcmp(call->headers->fields[i].name, "authorization") == 0)
			snprintf(key, 32, "%s", call->headers->fields[i].value);
	}
}

static void answer_others(struct rpc_task *task)
{
	struct channel *channel =
		(struct channel *)(void *)((char *)task - offsetof(struct channel, answer));

	channel->posted = false;
	while (channel->n_others > 0) {
		struct rpc_end end = { .code = TEMPORAL_UNIMPLEMENTED, .message = "not here" };

		rpc_call_end_try(channel->others[--channel->n_others], &end);
	}
}

static void start(struct rpc_channel *base, struct rpc_call *call)
{
	struct channel *channel = (struct channel *)(void *)base;
	struct server *server = channel->server;

	if (call->method == &rpc_workflow_poll_activity_task_queue) {
		assert_true(server->n_polls < HELD_MAX);
		note_key(call, server->keys[server->n_polls]);
		server->polls[server->n_polls++] = call;
		return;
	}
	if (call->method == &rpc_workflow_respond_activity_task_completed)
		server->answers++;
	channel->others[channel->n_others++] = call;
	if (channel->posted)
		return;
	channel->posted = true;
	channel->answer.run = answer_others;
	rpc_loop_post(base->loop, &channel->answer);
}

static void forget(struct rpc_call **calls, size_t *n, const struct rpc_call *call)
{
	for (size_t i = 0; i < *n; i++) {
		if (calls[i] == call)
			calls[i--] = calls[--*n];
	}
}

static void cancel(struct rpc_channel *base, struct rpc_call *call)
{
	struct channel *channel = (struct channel *)(void *)base;

	forget(channel->server->polls, &channel->server->n_polls, call);
	forget(channel->others, &channel->n_others, call);
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

static struct temporal_client *connect_to(struct server *server, const char *key)
{
	struct temporal_error err;
	struct temporal_client *client = client_connect_through(
		&(const struct rpc_transport){ open_channel, server },
		&(const struct temporal_client_opts){
			.lazy = true, .identity = "tester", .no_thread = true, .api_key = key },
		&err);

	assert_non_null(client);
	return client;
}

struct wait_in {
	const char *what;
};
typedef const char *wait_out;
TEMPORAL_ACTIVITY_CONTRACT(wait, "wait", what);

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static const struct temporal_failure *wait_run(
	struct act *act, const struct wait_in *in, wait_out *out)
{
	pthread_mutex_lock(&gate); /* until the test opens it */
	pthread_mutex_unlock(&gate);
	*out = "done";
	return NULL;
}
TEMPORAL_ACTIVITY(wait);

static unsigned refusals;

static void on_fatal(const struct temporal_error *err, void *user)
{
	refusals++;
}

static struct temporal_worker *worker;

static void start_worker(struct temporal_client *client)
{
	struct temporal_error err;

	refusals = 0;
	worker = temporal_worker_new(client, &err, .task_queue = "q", .activity_task_pollers = 1,
		.activities = (const struct temporal_activity *const[]){ &wait_activity, NULL },
		.on_fatal_error = on_fatal);
	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
}

static void end_poll(struct server *server, enum temporal_code code, const void *response)
{
	struct rpc_call *call = server->polls[--server->n_polls];
	struct rpc_end end = { .code = code, .message = "by the test" };
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

/* An empty answer, from within the loop as real ones come. */
static void end_empty(struct server *server)
{
	Workflowservice__PollActivityTaskQueueResponse none =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_RESPONSE__INIT;

	end_poll(server, TEMPORAL_OK, &none);
}

static void step_until_polls(struct server *server, size_t n)
{
	for (int i = 0; server->n_polls != n; i++) {
		assert_true(i < 2000);
		assert_true(temporal_worker_step(worker));
		poll(NULL, 0, server->n_polls == n ? 0 : 1);
	}
}

static void stop_worker(void)
{
	struct temporal_error err;

	temporal_worker_shutdown(worker);
	while (temporal_worker_step(worker))
		poll(NULL, 0, 1);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	assert_int_equal(refusals, 0);
	temporal_worker_unref(worker);
}

static void polls_take_the_new_key(void **state)
{
	struct server server = { .n_polls = 0 };
	struct temporal_client *client = connect_to(&server, "first");
	struct temporal_error err;

	start_worker(client);
	step_until_polls(&server, 1);
	assert_string_equal(server.keys[0], "Bearer first");
	assert_int_equal(temporal_client_set_api_key(client, "second", &err), TEMPORAL_OK);
	end_empty(&server);
	step_until_polls(&server, 1);
	assert_string_equal(server.keys[0], "Bearer second");
	end_poll(&server, TEMPORAL_UNAVAILABLE, NULL); /* tried again in 200 ms */
	assert_int_equal(temporal_client_set_api_key(client, "third", &err), TEMPORAL_OK);
	step_until_polls(&server, 1);
	assert_string_equal(server.keys[0], "Bearer third");
	stop_worker();
	temporal_client_unref(client);
}

/* A key that is refused may be replaced: the poll waits to be tried again, and the new client's
 * takes its place at once. */
static void a_refused_key_does_not_end_the_worker(void **state)
{
	struct server old = { .n_polls = 0 }, new = { .n_polls = 0 };
	struct temporal_client *client = connect_to(&old, "stale"),
			       *other = connect_to(&new, "good");
	struct temporal_error err;

	start_worker(client);
	step_until_polls(&old, 1);
	end_poll(&old, TEMPORAL_UNAUTHENTICATED, NULL);
	assert_true(temporal_worker_step(worker));
	assert_int_equal(temporal_worker_set_client(worker, other, &err), TEMPORAL_OK);
	step_until_polls(&new, 1);
	assert_string_equal(new.keys[0], "Bearer good");
	assert_int_equal(temporal_client_set_api_key(other, "better", &err), TEMPORAL_OK);
	end_empty(&new);
	step_until_polls(&new, 1);
	assert_string_equal(new.keys[0], "Bearer better");
	stop_worker();
	temporal_client_unref(client);
	temporal_client_unref(other);
}

static void tasks_are_answered_by_the_new_client(void **state)
{
	struct server old = { .n_polls = 0 }, new = { .n_polls = 0 };
	struct temporal_client *client = connect_to(&old, NULL), *other = connect_to(&new, NULL);
	Workflowservice__PollActivityTaskQueueResponse task =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_RESPONSE__INIT;
	Common__ActivityType type = COMMON__ACTIVITY_TYPE__INIT;
	Common__Payload argument = COMMON__PAYLOAD__INIT, *arguments[] = { &argument };
	Common__Payload__MetadataEntry encoding = COMMON__PAYLOAD__METADATA_ENTRY__INIT,
				       *metadata[] = { &encoding };
	Common__Payloads input = COMMON__PAYLOADS__INIT;
	struct temporal_error err;

	type.name = "wait";
	encoding.key = "encoding";
	encoding.value = (ProtobufCBinaryData){ 10, (uint8_t *)(uintptr_t) "json/plain" };
	argument.metadata = metadata;
	argument.n_metadata = 1;
	argument.data = (ProtobufCBinaryData){ 3, (uint8_t *)(uintptr_t) "\"x\"" };
	input.payloads = arguments;
	input.n_payloads = 1;
	task.task_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "t" };
	task.activity_type = &type;
	task.input = &input;
	start_worker(client);
	step_until_polls(&old, 1);
	pthread_mutex_lock(&gate);
	end_poll(&old, TEMPORAL_OK, &task);
	step_until_polls(&old, 1); /* the next one */
	assert_int_equal(temporal_worker_set_client(worker, other, &err), TEMPORAL_OK);
	assert_true(temporal_worker_step(worker));
	assert_int_equal(old.n_polls, 1); /* it waits on, as it may bring a task */
	pthread_mutex_unlock(&gate);
	for (int i = 0; new.answers == 0; i++) {
		assert_true(i < 2000);
		assert_true(temporal_worker_step(worker));
		poll(NULL, 0, 1);
	}
	assert_int_equal(old.answers, 0);
	end_poll(&old, TEMPORAL_UNAVAILABLE, NULL); /* the last word of the old server */
	step_until_polls(&new, 1);
	assert_int_equal(old.n_polls, 0);
	stop_worker();
	temporal_client_unref(client);
	temporal_client_unref(other);
}

static void clients_that_do_not_fit_are_refused(void **state)
{
	struct server server = { .n_polls = 0 };
	struct temporal_client *client = connect_to(&server, NULL);
	struct temporal_error err;
	struct temporal_client *stranger =
		client_connect_through(&(const struct rpc_transport){ open_channel, &server },
			&(const struct temporal_client_opts){
				.lazy = true, .no_thread = true, .namespace_ = "elsewhere" },
			&err);

	start_worker(client);
	assert_int_equal(
		temporal_worker_set_client(worker, stranger, &err), TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "\"elsewhere\", expected \"default\""));
	temporal_worker_shutdown(worker);
	while (temporal_worker_step(worker))
		poll(NULL, 0, 1);
	assert_int_equal(
		temporal_worker_set_client(worker, client, &err), TEMPORAL_FAILED_PRECONDITION);
	stop_worker();
	temporal_client_unref(stranger);
	temporal_client_unref(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polls_take_the_new_key),
		cmocka_unit_test(a_refused_key_does_not_end_the_worker),
		cmocka_unit_test(tasks_are_answered_by_the_new_client),
		cmocka_unit_test(clients_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
