/*
 * Another key, another client for a worker that lives. Goal: polls that are made after the key was
 * replaced carry the new one, also when they are tries of an old poll; a refused key does not end
 * the worker at once; after temporal_worker_set_client polls and answers go to the new client, and
 * nothing more is tried with the old one; heartbeats, the poll for commands and the check for other
 * workers of the same tasks move with it; a client that was replaced goes with its last call.
 * The poll for commands goes on after whatever it ended with, but not at once.
 *
 * Method: servers in the process that hold each poll until the test ends it, and clients without a
 * thread, which the test steps. Only the retry after UNAVAILABLE takes real time, 200 ms, and the
 * pauses of the poll for commands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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
	bool capable;     /* takes heartbeats, gives commands */
	unsigned beats;
	char group[64];            /* that the last one named */
	struct rpc_call *commands; /* the poll for them; NULL: none is held */
	char control[160];         /* its queue */
	char told[160];            /* the queue that the last poll for tasks told of */
	atomic_uint n_channels;    /* freed by threads, too */
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

static void end_call(struct rpc_call *call, const void *response, const struct rpc_end *end)
{
	struct arena scratch;
	struct bytes message;

	arena_init(&scratch, 256, ARENA_NO_BUDGET);
	if (response) {
		assert_int_equal(proto_encode(&scratch, response, 0, &message, NULL), TEMPORAL_OK);
		rpc_call_message(call, message.ptr, message.len, message.len);
	}
	rpc_call_end_try(call, end);
	arena_finish(&scratch);
}

static void answer_other(struct server *server, struct rpc_call *call)
{
	static const struct rpc_end ok = { .code = TEMPORAL_OK },
				    none = { .code = TEMPORAL_UNIMPLEMENTED,
					    .message = "not here" };
	Workflowservice__DescribeNamespaceResponse described =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_RESPONSE__INIT;
	Workflowservice__RecordWorkerHeartbeatResponse beaten =
		WORKFLOWSERVICE__RECORD_WORKER_HEARTBEAT_RESPONSE__INIT;
	Namespace__NamespaceInfo info = NAMESPACE__NAMESPACE_INFO__INIT;
	Namespace__NamespaceInfo__Capabilities able = NAMESPACE__NAMESPACE_INFO__CAPABILITIES__INIT;

	described.namespace_info = &info;
	info.capabilities = &able;
	able.worker_heartbeats = able.worker_commands = true;
	if (server->capable && call->method == &rpc_workflow_describe_namespace)
		end_call(call, &described, &ok);
	else if (server->capable && call->method == &rpc_workflow_record_worker_heartbeat)
		end_call(call, &beaten, &ok);
	else
		rpc_call_end_try(call, &none);
}

static void answer_others(struct rpc_task *task)
{
	struct channel *channel =
		(struct channel *)(void *)((char *)task - offsetof(struct channel, answer));

	channel->posted = false;
	while (channel->n_others > 0)
		answer_other(channel->server, channel->others[--channel->n_others]);
}

static void note_commands(struct server *server, struct rpc_call *call)
{
	const Workflowservice__PollNexusTaskQueueRequest *poll = rpc_parcel_message(call->parcel);

	assert_null(server->commands);
	server->commands = call;
	snprintf(server->control, sizeof(server->control), "%s", poll->task_queue->name);
}

static void note_beat(struct server *server, const struct rpc_call *call)
{
	const Workflowservice__RecordWorkerHeartbeatRequest *beat =
		rpc_parcel_message(call->parcel);

	assert_int_equal(beat->n_worker_heartbeat, 1);
	server->beats++;
	snprintf(server->group, sizeof(server->group), "%s",
		beat->worker_heartbeat[0]->host_info->worker_grouping_key);
}

static void start(struct rpc_channel *base, struct rpc_call *call)
{
	struct channel *channel = (struct channel *)(void *)base;
	struct server *server = channel->server;

	if (call->method == &rpc_workflow_poll_activity_task_queue) {
		assert_true(server->n_polls < HELD_MAX);
		const Workflowservice__PollActivityTaskQueueRequest *poll =
			rpc_parcel_message(call->parcel);

		note_key(call, server->keys[server->n_polls]);
		snprintf(server->told, sizeof(server->told), "%s", poll->worker_control_task_queue);
		server->polls[server->n_polls++] = call;
		return;
	}
	if (call->method == &rpc_workflow_poll_nexus_task_queue) {
		note_commands(server, call);
		return;
	}
	if (call->method == &rpc_workflow_respond_activity_task_completed)
		server->answers++;
	if (call->method == &rpc_workflow_record_worker_heartbeat)
		note_beat(server, call);
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

	if (channel->server->commands == call)
		channel->server->commands = NULL;
	forget(channel->server->polls, &channel->server->n_polls, call);
	forget(channel->others, &channel->n_others, call);
}

static void destroy(struct rpc_channel *base)
{
	((struct channel *)(void *)base)->server->n_channels--;
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
	channel->server->n_channels++;
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

static struct temporal_worker *make_worker(
	struct temporal_client *client, struct temporal_error *err)
{
	return temporal_worker_new(client, err, .task_queue = "q", .activity_task_pollers = 1,
		.activities = (const struct temporal_activity *const[]){ &wait_activity, NULL },
		.on_fatal_error = on_fatal);
}

static void start_worker(struct temporal_client *client)
{
	struct temporal_error err;

	refusals = 0;
	worker = make_worker(client, &err);
	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
}

static void end_poll(struct server *server, enum temporal_code code, const void *response)
{
	const struct rpc_end end = { .code = code, .message = "by the test" };

	end_call(server->polls[--server->n_polls], response, &end);
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

/* ---- what moves with the client ---- */

static void step_for(int ms)
{
	for (int64_t end_ns = rpc_now_ns() + ms * INT64_C(1000000); rpc_now_ns() < end_ns;) {
		assert_true(temporal_worker_step(worker));
		poll(NULL, 0, 1);
	}
}

static void step_until_commands(const struct server *server)
{
	for (int i = 0; !server->commands; i++) {
		assert_true(i < 2000);
		step_for(1);
	}
}

/* In the group's first moments: it is told of at the new server at once, and the old one hears no
 * more. A worker on another loop than the client's is in a group of its own. */
static void heartbeats_and_commands_go_to_the_new_client(void **state)
{
	struct server old = { .capable = true }, new = { .capable = true };
	struct temporal_client *client = connect_to(&old, NULL), *other = connect_to(&new, NULL);
	struct temporal_error err;

	start_worker(client);
	step_until_commands(&old);
	step_until_polls(&old, 1);
	assert_int_equal(old.beats, 1);
	assert_string_equal(strrchr(old.control, '/') + 1, old.group);
	end_empty(&old); /* the first poll did not know of the queue yet */
	step_until_polls(&old, 1);
	assert_string_equal(old.told, old.control);
	assert_int_equal(temporal_worker_set_client(worker, other, &err), TEMPORAL_OK);
	step_until_commands(&new);
	assert_null(old.commands);
	assert_int_equal(new.beats, 1);
	assert_string_equal(strrchr(new.control, '/') + 1, new.group);
	assert_string_not_equal(new.group, old.group);
	end_empty(&old);
	step_until_polls(&new, 1);
	assert_string_equal(new.told, new.control);
	assert_int_equal(temporal_worker_set_client(worker, client, &err), TEMPORAL_OK);
	step_until_commands(&old);
	assert_null(new.commands);
	assert_int_equal(old.beats, 2);
	assert_int_equal(new.beats, 1);
	stop_worker();
	temporal_client_unref(client);
	temporal_client_unref(other);
}

/* The tasks are those of a worker that the new client has already, or that the old one gets. */
static void a_conflict_changes_nothing(void **state)
{
	struct server old = { .capable = true }, new = { .capable = true };
	struct temporal_client *client = connect_to(&old, NULL), *other = connect_to(&new, NULL);
	struct temporal_error err;
	struct temporal_worker *rival = make_worker(other, &err);

	assert_non_null(rival);
	start_worker(client);
	step_until_commands(&old);
	step_until_polls(&old, 1);
	assert_int_equal(temporal_worker_set_client(worker, other, &err), TEMPORAL_ALREADY_EXISTS);
	assert_non_null(strstr(err.message, "polls activity tasks of task queue \"q\""));
	step_for(5);
	assert_non_null(old.commands);
	assert_int_equal(new.n_channels, 1);
	end_empty(&old);
	step_until_polls(&old, 1);
	assert_null(make_worker(client, &err)); /* it still has its place */
	temporal_worker_unref(rival);
	assert_int_equal(temporal_worker_set_client(worker, other, &err), TEMPORAL_OK);
	assert_null(make_worker(other, &err)); /* has it at once */
	step_until_commands(&new);
	rival = make_worker(client, &err);
	assert_non_null(rival);
	assert_int_equal(temporal_worker_set_client(worker, client, &err), TEMPORAL_ALREADY_EXISTS);
	temporal_worker_unref(rival);
	stop_worker();
	temporal_client_unref(client);
	temporal_client_unref(other);
}

static void wait_for_channels(const struct server *server, unsigned n)
{
	for (int i = 0; server->n_channels != n; i++) {
		assert_true(i < 2000);
		step_for(1);
	}
}

/* Also one that comes back meanwhile, and one that the loop never saw. */
static void a_replaced_client_goes_with_its_last_call(void **state)
{
	struct server old = { .n_polls = 0 }, new = { .n_polls = 0 }, third = { .n_polls = 0 };
	struct temporal_client *client = connect_to(&old, NULL), *other = connect_to(&new, NULL),
			       *last = connect_to(&third, NULL);
	struct temporal_error err;

	start_worker(client);
	step_until_polls(&old, 1);
	assert_int_equal(temporal_worker_set_client(worker, last, &err), TEMPORAL_OK);
	assert_int_equal(temporal_worker_set_client(worker, other, &err), TEMPORAL_OK);
	end_empty(&old);
	step_until_polls(&new, 1);
	wait_for_channels(&third, 1); /* its own */
	assert_int_equal(new.n_channels, 2);
	for (int i = 0; i < 3; i++) { /* away, and back again with the same channel */
		assert_int_equal(temporal_worker_set_client(worker, last, &err), TEMPORAL_OK);
		wait_for_channels(&third, 2);
		assert_int_equal(temporal_worker_set_client(worker, other, &err), TEMPORAL_OK);
		wait_for_channels(&third, 1);
		assert_int_equal(new.n_channels, 2);
	}
	assert_int_equal(temporal_worker_set_client(worker, last, &err), TEMPORAL_OK);
	step_for(20);
	assert_int_equal(new.n_channels, 2); /* a poll waits there */
	temporal_client_unref(other);
	end_empty(&new);
	step_until_polls(&third, 1);
	step_for(20);
	/* The client as well: a thread of its own frees it. */
	for (int i = 0; new.n_channels > 0; i++) {
		assert_true(i < 2000);
		step_for(1);
	}
	stop_worker();
	temporal_client_unref(client);
	temporal_client_unref(last);
}

/* ---- the poll for commands ---- */

static int64_t ms_until_commands(struct server *server)
{
	int64_t begun_ns = rpc_now_ns();

	assert_null(server->commands);
	step_until_commands(server);
	return (rpc_now_ns() - begun_ns) / 1000000;
}

static void end_commands(struct server *server, const struct rpc_end *end)
{
	Workflowservice__PollNexusTaskQueueResponse none =
		WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_RESPONSE__INIT;
	struct rpc_call *call = server->commands;

	server->commands = NULL;
	end_call(call, end->code == TEMPORAL_OK ? &none : NULL, end);
}

static void commands_are_polled_for_again_after_a_pause(void **state)
{
	static const struct rpc_end empty = { .code = TEMPORAL_OK },
				    final = { .code = TEMPORAL_RESOURCE_EXHAUSTED,
					    .message = "grpc: received message larger than max" };
	struct server server = { .capable = true };
	struct temporal_client *client = connect_to(&server, NULL);

	start_worker(client);
	step_until_commands(&server);
	end_commands(&server, &final);
	assert_in_range(ms_until_commands(&server), 195, 390);
	end_commands(&server, &empty); /* at once */
	assert_in_range(ms_until_commands(&server), 395, 790);
	step_for(120); /* one that has waited */
	end_commands(&server, &empty);
	assert_in_range(ms_until_commands(&server), 0, 100);
	end_commands(&server, &empty);
	assert_in_range(ms_until_commands(&server), 195, 390);
	end_commands(&server, &final);
	stop_worker(); /* in a pause */
	temporal_client_unref(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polls_take_the_new_key),
		cmocka_unit_test(a_refused_key_does_not_end_the_worker),
		cmocka_unit_test(tasks_are_answered_by_the_new_client),
		cmocka_unit_test(clients_that_do_not_fit_are_refused),
		cmocka_unit_test(heartbeats_and_commands_go_to_the_new_client),
		cmocka_unit_test(a_conflict_changes_nothing),
		cmocka_unit_test(a_replaced_client_goes_with_its_last_call),
		cmocka_unit_test(commands_are_polled_for_again_after_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
