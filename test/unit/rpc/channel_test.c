/*
 * Goal: calls end as promised, whatever server and network do. Method: our client against our
 * server over loopback, with failures that the server is told to make, servers that stop and come
 * back, and peers that are none.
 */
#include "rpc_fixture.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "rpc/call.h"

static void answers_come_back(void **state)
{
	struct fixture *f = *state;
	char id[100];

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
			describe(f, "hello", CALL(.retry = RPC_RETRY_CALL), id), TEMPORAL_OK);
		assert_string_equal(id, "hello");
	}
	assert_int_equal(f->calls, 20);
}

static void errors_have_their_details(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(describe(f, "details", CALL(.retry = RPC_RETRY_CALL), NULL),
		TEMPORAL_ALREADY_EXISTS);
	assert_string_equal(f->err.message, "Workflow execution is already running: n\xC3\xA9s");
	assert_int_equal(f->err.detail, TEMPORAL_DETAIL_WORKFLOW_ALREADY_STARTED);
	assert_string_equal(f->err.run_id, "0b9e1c2a-run");
	assert_int_equal(
		describe(f, "fail 5", CALL(.retry = RPC_RETRY_CALL), NULL), TEMPORAL_NOT_FOUND);
	assert_string_equal(f->err.message, "as you wish");
	assert_int_equal(f->err.detail, TEMPORAL_DETAIL_NONE);
	assert_int_equal(f->calls, 2);
}

static void unknown_methods_are_unimplemented(void **state)
{
	struct fixture *f = *state;
	Workflowservice__GetSystemInfoRequest request =
		WORKFLOWSERVICE__GET_SYSTEM_INFO_REQUEST__INIT;
	struct rpc_reply reply;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(
		rpc_wait(f->channel,
			&CALL(.method = &rpc_workflow_get_system_info, .message = &request), &reply,
			&f->err),
		TEMPORAL_UNIMPLEMENTED);
	assert_string_equal(f->err.message, "unknown method GetSystemInfo for service "
					    "temporal.api.workflowservice.v1.WorkflowService");
	arena_finish(&reply.arena);
}

static void failures_are_tried_again(void **state)
{
	struct fixture *f = *state;
	char id[100];

	f->failures_left = 2;
	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(
		describe(f, "flaky", CALL(.retry = RPC_RETRY_NONE), NULL), TEMPORAL_UNAVAILABLE);
	assert_int_equal(describe(f, "flaky", CALL(.retry = RPC_RETRY_CALL), id), TEMPORAL_OK);
	assert_string_equal(id, "flaky");
	assert_int_equal(f->calls, 3);
}

static void deadlines_end_calls_on_both_sides(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	int64_t start_ns = rpc_now_ns();
	assert_int_equal(
		describe(f, "hold", CALL(.timeout_ms = 50), NULL), TEMPORAL_DEADLINE_EXCEEDED);
	assert_in_range((rpc_now_ns() - start_ns) / RPC_MS_NS, 50, 2000);
	wait_for(&f->cancelled, 1);
}

/* Asynchronous calls, with what came of them. */

struct pending {
	struct rpc_task task;
	struct rpc_call *call;
	atomic_int ended;
	enum temporal_code code;
	char message[240];
};

static void note_end(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct pending *pending = user;

	pending->code = reply->code;
	snprintf(pending->message, sizeof(pending->message), "%s",
		reply->code == TEMPORAL_OK ? "" : reply->error.message);
	atomic_store(&pending->ended, 1);
}

static void start_describe(struct fixture *f, const char *what, struct pending *pending)
{
	Workflowservice__DescribeNamespaceRequest request =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;

	request.namespace_ = what;
	pending->call = rpc_start(f->channel,
		&CALL(.method = &rpc_workflow_describe_namespace, .message = &request,
			.done = note_end, .user = pending),
		&f->err);
	assert_non_null(pending->call);
}

static void start_poll(struct fixture *f, struct pending *pending)
{
	Workflowservice__PollWorkflowTaskQueueRequest request =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	*pending = (struct pending){ .code = TEMPORAL_UNKNOWN };
	pending->call = rpc_start(f->channel,
		&CALL(.method = &rpc_workflow_poll_workflow_task_queue, .message = &request,
			.retry = RPC_RETRY_LONG_POLL, .done = note_end, .user = pending),
		&f->err);
	assert_non_null(pending->call);
}

static void cancel_task(struct rpc_task *task)
{
	rpc_cancel(((struct pending *)(void *)task)->call);
}

static void cancelled_calls_end_at_once(void **state)
{
	struct fixture *f = *state;
	struct pending pending = { .task = { .run = cancel_task } };

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	start_describe(f, "hold", &pending);
	wait_for(&f->calls, 1);
	rpc_loop_post(f->client_loop, &pending.task);
	wait_for(&pending.ended, 1);
	assert_int_equal(pending.code, TEMPORAL_CANCELLED);
	wait_for(&f->cancelled, 1);
	assert_int_equal(describe(f, "next", CALL(0), NULL), TEMPORAL_OK);
}

static void closing_the_channel_ends_its_calls(void **state)
{
	struct fixture *f = *state;
	struct pending held = { 0 }, posted = { 0 };

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	start_describe(f, "hold", &held);
	wait_for(&f->calls, 1);
	start_describe(f, "hold", &posted);
	rpc_channel_unref(f->channel);
	f->channel = NULL;
	wait_for(&held.ended, 1);
	wait_for(&posted.ended, 1);
	assert_int_equal(held.code, TEMPORAL_CANCELLED);
	assert_int_equal(posted.code, TEMPORAL_CANCELLED);
	assert_string_equal(held.message, "the client was closed");
}

static void waiting_on_the_loops_thread_is_refused(void **state)
{
	struct fixture *f = *state;
	struct rpc_loop *loop = rpc_loop_new(NULL);

	server_start(f);
	rpc_loop_step(loop); /* from now on this is the loop's thread */
	f->channel = rpc_channel_new(loop, &(struct rpc_connect_opts){ .target = f->target }, NULL);
	assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_FAILED_PRECONDITION);
	rpc_channel_unref(f->channel);
	f->channel = NULL;
	rpc_loop_free(loop);
}

static void a_stepped_loop_makes_calls(void **state)
{
	struct fixture *f = *state;
	struct rpc_loop *loop = rpc_loop_new(NULL);
	struct pending pending = { 0 };

	server_start(f);
	f->channel = rpc_channel_new(loop, &(struct rpc_connect_opts){ .target = f->target }, NULL);
	start_describe(f, "stepped", &pending);
	for (int i = 0; i < 1000 && !pending.ended; i++) {
		struct pollfd fd = { .fd = rpc_loop_fd(loop), .events = POLLIN };

		poll(&fd, 1, rpc_loop_timeout_ms(loop));
		rpc_loop_step(loop);
	}
	assert_int_equal(pending.ended, 1);
	assert_int_equal(pending.code, TEMPORAL_OK);
	rpc_channel_unref(f->channel);
	f->channel = NULL;
	rpc_loop_free(loop);
}

/* Headers. */

static void headers_reach_the_server(void **state)
{
	struct fixture *f = *state;
	const struct rpc_header fixed[] = { { "client-name", "temporal-c", 10 },
		{ "trace-bin", "\0\xFFz", 3 } };
	const struct rpc_header own = { "x-one", "only here", 9 };
	char id[100];

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ .headers = fixed, .n_headers = 2 });
	assert_int_equal(describe(f, "header client-name", CALL(0), id), TEMPORAL_OK);
	assert_string_equal(id, "temporal-c");
	assert_int_equal(describe(f, "header trace-bin", CALL(0), id), TEMPORAL_OK);
	assert_string_equal(id, "AP96");
	assert_int_equal(describe(f, "header x-one", CALL(.headers = &own, .n_headers = 1), id),
		TEMPORAL_OK);
	assert_string_equal(id, "only here");
	assert_int_equal(describe(f, "header x-one", CALL(0), id), TEMPORAL_OK);
	assert_string_equal(id, "none");
	assert_int_equal(describe(f, "header user-agent", CALL(0), id), TEMPORAL_OK);
	assert_string_equal(id, RPC_USER_AGENT);
}

static void headers_can_be_replaced(void **state)
{
	struct fixture *f = *state;
	const struct rpc_header key = { "authorization", "Bearer one", 10 };
	char id[100];

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ .headers = &key, .n_headers = 1 });
	assert_int_equal(rpc_channel_set_header(f->channel,
				 &(struct rpc_header){ "authorization", "Bearer two", 10 }, NULL),
		TEMPORAL_OK);
	assert_int_equal(describe(f, "header authorization", CALL(0), id), TEMPORAL_OK);
	assert_string_equal(id, "Bearer two");
	assert_int_equal(rpc_channel_set_header(
				 f->channel, &(struct rpc_header){ .name = "authorization" }, NULL),
		TEMPORAL_OK);
	assert_int_equal(describe(f, "header authorization", CALL(0), id), TEMPORAL_OK);
	assert_string_equal(id, "none");
}

static void bad_headers_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct rpc_header bad[] = {
		{ "Upper", "x", 1 },
		{ "grpc-status", "0", 1 },
		{ "x", "a\r\nb", 4 },
		{ ":path", "/", 1 },
		{ "", "", 0 },
	};

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(describe(f, "x", CALL(.headers = &bad[i], .n_headers = 1), NULL),
			TEMPORAL_INVALID_ARGUMENT);
		assert_int_equal(rpc_channel_set_header(f->channel, &bad[i], &f->err),
			TEMPORAL_INVALID_ARGUMENT);
	}
	assert_int_equal(f->calls, 0);
}

/* Sizes. */

static void large_messages_pass(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(3 << 20);

	memset(text, 'x', 3 << 20);
	text[(3 << 20) - 1] = '\0';
	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(describe(f, text, CALL(0), NULL), TEMPORAL_OK);
	assert_int_equal(describe(f, "size 20000000", CALL(0), NULL), TEMPORAL_OK);
	free(text);
}

static void messages_over_the_limit_are_refused(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(5 << 20);

	memset(text, 'x', 5 << 20);
	text[(5 << 20) - 1] = '\0';
	f->server_opts.max_send_size = 100000;
	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ .max_receive_size = 50000 });
	assert_int_equal(describe(f, text, CALL(.retry = RPC_RETRY_CALL), NULL),
		TEMPORAL_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(f->err.message, "grpc: received message larger than max (5242"));
	assert_int_equal(describe(f, "size 60000", CALL(.retry = RPC_RETRY_CALL), NULL),
		TEMPORAL_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(f->err.message, "vs. 50000)"));
	assert_int_equal(describe(f, "size 200000", CALL(0), NULL), TEMPORAL_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(f->err.message, "trying to send message larger than max"));
	assert_int_equal(describe(f, "still alive", CALL(0), NULL), TEMPORAL_OK);
	free(text);
}

/* A megabyte of text in a request and in a reply, seen by its size on the wire. */
static void large_messages_are_compressed(void **state)
{
	struct fixture *f = *state;
	Workflowservice__DescribeNamespaceRequest request =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;
	char *text = malloc(5 << 20);
	struct rpc_reply reply;
	char id[100];

	memset(text, 'x', 5 << 20);
	text[(5 << 20) - 1] = '\0';
	f->server_opts.compress_always = true;
	f->server_opts.max_receive_size = 6 << 20;
	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ .compress_always = true });
	request.namespace_ = "size 1000000";
	assert_int_equal(
		rpc_wait(f->channel,
			&CALL(.method = &rpc_workflow_describe_namespace, .message = &request),
			&reply, &f->err),
		TEMPORAL_OK);
	assert_in_range(reply.message_size, 1000, 100000);
	arena_finish(&reply.arena);
	assert_int_equal(describe(f, text, CALL(0), NULL), TEMPORAL_OK);
	assert_int_equal(describe(f, "header grpc-encoding", CALL(0), id), TEMPORAL_OK);
	assert_string_equal(id, "none"); /* small ones are not */
	free(text);
}

/* Servers that go and come. */

static void a_refused_connection_says_so(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	server_stop(f, 0);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_UNAVAILABLE);
	assert_non_null(strstr(f->err.message, f->target));
	assert_non_null(strstr(f->err.message, "Connection refused"));
	assert_true(f->err.retryable);
}

static void unknown_hosts_say_so(void **state)
{
	struct fixture *f = *state;

	connect_with(f, (struct rpc_connect_opts){ .target = "no-such-host.invalid:7233" });
	assert_int_equal(describe(f, "x", CALL(.timeout_ms = 9000), NULL), TEMPORAL_UNAVAILABLE);
	assert_non_null(strstr(f->err.message, "no-such-host.invalid"));
}

static void bad_targets_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = { "", "localhost", "localhost:", "localhost:0",
		"localhost:70000", ":7233", "::1:7233", "[]:7233", "ftp://x:1", "a b:1",
		"http://x:1/path", "x:1/", "x:12x" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rpc_channel *channel = rpc_channel_new(
			f->client_loop, &(struct rpc_connect_opts){ .target = bad[i] }, &f->err);

		if (channel)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
	}
}

static void a_new_server_is_found(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			describe(f, "x", CALL(.retry = RPC_RETRY_CALL), NULL), TEMPORAL_OK);
		server_stop(f, 0);
		server_start(f);
	}
	assert_int_equal(describe(f, "x", CALL(.retry = RPC_RETRY_CALL), NULL), TEMPORAL_OK);
}

/* The poll runs on the old connection to its end, calls go to the new one. */
static void goaway_loses_no_poll(void **state)
{
	struct fixture *f = *state;
	struct pending poll_ended;

	f->server_opts.max_age_ms = 1; /* the next tick says goodbye */
	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	start_poll(f, &poll_ended);
	wait_for(&f->waiting, 1);
	for (int i = 0; i < 45; i++) { /* over the notice (2 s) and the second GOAWAY (4 s) */
		assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_OK);
		usleep(100000);
	}
	assert_int_equal(poll_ended.ended, 0);
	release_polls(f);
	wait_for(&poll_ended.ended, 1);
	assert_int_equal(poll_ended.code, TEMPORAL_OK);
}

/* A server that dies with the poll: the poll goes on with the next one, its caller sees nothing of
 * it. */
static void polls_survive_a_restart(void **state)
{
	struct fixture *f = *state;
	struct pending poll_ended;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	start_poll(f, &poll_ended);
	wait_for(&f->waiting, 1);
	rpc_server_stop(f->server, 0, on_stopped, f);
	usleep(50000);
	release_polls(f); /* too late: nobody hears it */
	wait_for(&f->stopped, 1);
	server_start(f);
	wait_for(&f->waiting, 1);
	assert_int_equal(poll_ended.ended, 0);
	release_polls(f);
	wait_for(&poll_ended.ended, 1);
	assert_int_equal(poll_ended.code, TEMPORAL_OK);
}

/* Stopping with grace lets the running call end. */
static void stopping_waits_for_calls(void **state)
{
	struct fixture *f = *state;
	struct pending poll_ended;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	start_poll(f, &poll_ended);
	wait_for(&f->waiting, 1);
	rpc_server_stop(f->server, 5000, on_stopped, f);
	f->server = NULL;
	usleep(20000);
	assert_int_equal(f->stopped, 0);
	release_polls(f);
	wait_for(&poll_ended.ended, 1);
	assert_int_equal(poll_ended.code, TEMPORAL_OK);
	wait_for(&f->stopped, 1);
}

/* The server allows two streams a connection: more calls open more connections. */
static void full_connections_get_company(void **state)
{
	struct fixture *f = *state;
	struct pending polls[7];

	f->server_opts.max_streams = 2;
	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(describe(f, "learn the limit", CALL(0), NULL), TEMPORAL_OK);
	for (int i = 0; i < 7; i++)
		start_poll(f, &polls[i]);
	wait_for(&f->waiting, 7);
	release_polls(f);
	for (int i = 0; i < 7; i++) {
		wait_for(&polls[i].ended, 1);
		assert_int_equal(polls[i].code, TEMPORAL_OK);
	}
}

/* By the machine's own name, which the resolver has to know; asked again each 30 ms. */
static void names_are_resolved(void **state)
{
	struct fixture *f = *state;
	char name[64] = "", target[80];
	struct addrinfo *info = NULL;

	gethostname(name, sizeof(name) - 1);
	if (getaddrinfo(name, NULL, &(struct addrinfo){ .ai_family = AF_INET }, &info) != 0)
		skip();
	freeaddrinfo(info);
	f->server_opts.host = "0.0.0.0";
	server_start(f);
	snprintf(target, sizeof(target), "%s:%u", name, f->port);
	connect_with(f, (struct rpc_connect_opts){ .target = target, .dns_refresh_ms = 30 });
	for (int i = 0; i < 5; i++) {
		assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_OK);
		usleep(30000);
	}
}

/* A channel without a network: the ops answer each call with its own request's namespace. */

struct echo_channel {
	struct rpc_channel channel; /* first */
	struct rpc_task task;
	struct rpc_call *call;
	atomic_int destroyed;
};

static void echo_answer(struct rpc_task *task)
{
	struct echo_channel *echo =
		(struct echo_channel *)(void *)((char *)task - offsetof(struct echo_channel, task));
	const Workflowservice__DescribeNamespaceRequest *request =
		rpc_parcel_message(echo->call->parcel);
	struct arena arena;

	arena_init(&arena, 512, ARENA_NO_BUDGET);
	Workflowservice__DescribeNamespaceResponse *response =
		PROTO_NEW(&arena, Workflowservice__DescribeNamespaceResponse,
			workflowservice__describe_namespace_response);
	response->namespace_info =
		PROTO_NEW(&arena, Namespace__NamespaceInfo, namespace__namespace_info);
	response->namespace_info->id = arena_strdup(&arena, request->namespace_);
	rpc_call_message_in(echo->call, response, &arena);
	rpc_call_end_try(echo->call, &(struct rpc_end){ .code = TEMPORAL_OK });
}

static void echo_start(struct rpc_channel *channel, struct rpc_call *call)
{
	struct echo_channel *echo = (struct echo_channel *)(void *)channel;

	echo->call = call;
	echo->task.run = echo_answer;
	rpc_loop_post(channel->loop, &echo->task);
}

static void echo_cancel(struct rpc_channel *channel, struct rpc_call *call)
{
}

static void echo_destroy(struct rpc_channel *channel)
{
	rpc_channel_finish(channel);
	atomic_store(&((struct echo_channel *)(void *)channel)->destroyed, 1);
}

static void channels_need_no_network(void **state)
{
	static const struct rpc_channel_ops ops = { echo_start, echo_cancel, echo_destroy,
		.in_process = true };
	struct fixture *f = *state;
	struct echo_channel echo = { 0 };
	char id[100];

	assert_int_equal(rpc_channel_init(&echo.channel, &ops, f->client_loop, NULL, 0, &f->err),
		TEMPORAL_OK);
	f->channel = &echo.channel;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(describe(f, "in process", CALL(0), id), TEMPORAL_OK);
		assert_string_equal(id, "in process");
	}
	rpc_channel_unref(f->channel);
	f->channel = NULL;
	wait_for(&echo.destroyed, 1);
}

/* Peers that are no gRPC servers. */

struct odd_peer {
	pthread_t thread;
	int listener;
	uint16_t port;
	const char *says; /* NULL: says nothing and closes */
	size_t len;
	bool silent; /* keeps the connection open */
	atomic_int over;
};

static void *odd_peer_main(void *arg)
{
	struct odd_peer *peer = arg;
	int kept[64], n = 0;
	char in[4096];

	while (!atomic_load(&peer->over)) {
		int fd = accept(peer->listener, NULL, NULL);

		if (fd < 0)
			break;
		if (peer->says) {
			ssize_t got = recv(fd, in, sizeof(in), 0);
			ssize_t put = send(fd, peer->says, peer->len, MSG_NOSIGNAL);

			(void)got;
			(void)put;
		}
		if (peer->silent && n < 64)
			kept[n++] = fd;
		else
			close(fd);
	}
	while (n > 0)
		close(kept[--n]);
	return NULL;
}

static void odd_peer_start(struct odd_peer *peer, struct fixture *f)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(peer->listener, 10), 0);
	getsockname(peer->listener, (struct sockaddr *)&address, &len);
	snprintf(f->target, sizeof(f->target), "127.0.0.1:%u", ntohs(address.sin_port));
	pthread_create(&peer->thread, NULL, odd_peer_main, peer);
}

static void odd_peer_stop(struct odd_peer *peer)
{
	atomic_store(&peer->over, 1);
	shutdown(peer->listener, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	close(peer->listener);
}

static void garbage_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct odd_peer peer = { .says = "HTTP/1.1 400 Bad Request\r\n\r\n", .len = 28 };

	odd_peer_start(&peer, f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(describe(f, "x", CALL(.timeout_ms = 5000), NULL), TEMPORAL_UNAVAILABLE);
	assert_non_null(strstr(f->err.message, f->target));
	odd_peer_stop(&peer);
}

static void a_peer_that_closes_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct odd_peer peer = { 0 };
	char *text = malloc(1 << 20);

	memset(text, 'x', 1 << 20);
	text[(1 << 20) - 1] = '\0';
	odd_peer_start(&peer, f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	for (int i = 0; i < 5; i++) /* while we write: no SIGPIPE */
		assert_int_equal(
			describe(f, text, CALL(.timeout_ms = 5000), NULL), TEMPORAL_UNAVAILABLE);
	odd_peer_stop(&peer);
	free(text);
}

static void a_silent_peer_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct odd_peer peer = { .silent = true };

	odd_peer_start(&peer, f);
	connect_with(
		f, (struct rpc_connect_opts){ .keep_alive_ms = 50, .keep_alive_timeout_ms = 50 });
	assert_int_equal(describe(f, "x", CALL(.timeout_ms = 5000), NULL), TEMPORAL_UNAVAILABLE);
	assert_non_null(strstr(f->err.message, "did not answer a ping within 50 ms"));
	odd_peer_stop(&peer);
}

/* Many threads, one channel. */

struct caller {
	pthread_t thread;
	struct fixture *fixture;
	int ok;
};

static void *call_many(void *arg)
{
	struct caller *caller = arg;
	Workflowservice__DescribeNamespaceRequest request =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;

	request.namespace_ = "many";
	for (int i = 0; i < 200; i++) {
		struct rpc_reply reply;

		caller->ok += rpc_wait(caller->fixture->channel,
				      &CALL(.method = &rpc_workflow_describe_namespace,
					      .message = &request),
				      &reply, NULL) == TEMPORAL_OK;
		arena_finish(&reply.arena);
	}
	return NULL;
}

static void many_threads_share_a_channel(void **state)
{
	struct fixture *f = *state;
	struct caller callers[8];

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	for (int i = 0; i < 8; i++) {
		callers[i] = (struct caller){ .fixture = f };
		pthread_create(&callers[i].thread, NULL, call_many, &callers[i]);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].ok, 200);
	}
	assert_int_equal(f->calls, 1600);
}

#define WITH_FIXTURE(test_) cmocka_unit_test_setup_teardown(test_, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(answers_come_back),
		WITH_FIXTURE(errors_have_their_details),
		WITH_FIXTURE(unknown_methods_are_unimplemented),
		WITH_FIXTURE(failures_are_tried_again),
		WITH_FIXTURE(deadlines_end_calls_on_both_sides),
		WITH_FIXTURE(cancelled_calls_end_at_once),
		WITH_FIXTURE(closing_the_channel_ends_its_calls),
		WITH_FIXTURE(waiting_on_the_loops_thread_is_refused),
		WITH_FIXTURE(a_stepped_loop_makes_calls),
		WITH_FIXTURE(headers_reach_the_server),
		WITH_FIXTURE(headers_can_be_replaced),
		WITH_FIXTURE(bad_headers_are_refused),
		WITH_FIXTURE(large_messages_pass),
		WITH_FIXTURE(messages_over_the_limit_are_refused),
		WITH_FIXTURE(large_messages_are_compressed),
		WITH_FIXTURE(a_refused_connection_says_so),
		WITH_FIXTURE(unknown_hosts_say_so),
		WITH_FIXTURE(bad_targets_are_refused),
		WITH_FIXTURE(a_new_server_is_found),
		WITH_FIXTURE(goaway_loses_no_poll),
		WITH_FIXTURE(polls_survive_a_restart),
		WITH_FIXTURE(stopping_waits_for_calls),
		WITH_FIXTURE(full_connections_get_company),
		WITH_FIXTURE(names_are_resolved),
		WITH_FIXTURE(channels_need_no_network),
		WITH_FIXTURE(garbage_is_an_error),
		WITH_FIXTURE(a_peer_that_closes_is_an_error),
		WITH_FIXTURE(a_silent_peer_is_given_up),
		WITH_FIXTURE(many_threads_share_a_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
