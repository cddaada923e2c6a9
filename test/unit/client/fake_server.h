/*
 * fake_server.h: a server in the test's process, for the client's unit tests.
 *
 * A test gives it a script: one line a request that is expected, with what is answered. Each
 * request is kept, encoded, so that the test can look at what was asked. No network, no clock:
 * replies come with the next turn of the client's loop.
 */
#ifndef TEST_FAKE_SERVER_H
#define TEST_FAKE_SERVER_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <temporal/api/common/v1/grpc_status.pb-c.h>
#include <temporal/api/errordetails/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/mem.h"
#include "client/client.h"
#include "proto/codec.h"
#include "rpc/call.h"
#include "rpc/methods.h"

#define FAKE_LINES_MAX 64

struct fake_line {
	const struct rpc_method *method;
	const void *reply; /* a message; NULL: an error, or silence */
	enum temporal_code code;
	const char *message;
	const void *details; /* a Common__GrpcStatus, or NULL */
	bool silent;         /* never answer */
};

struct fake_server {
	struct fake_line lines[FAKE_LINES_MAX]; /* set before the client is used */
	size_t n_lines;
	/* the loop's */
	size_t n_asked;
	struct {
		const struct rpc_method *method;
		const void *message;
		int64_t timeout_ns;
	} asked[FAKE_LINES_MAX];
	struct arena arena;
	/* headers of the newest channel, and how many were opened: read when the client is idle */
	struct rpc_header headers[16];
	size_t n_headers;
	unsigned opened;
	atomic_uint closed;
	bool forgetful; /* requests are counted, but not kept */
	/* Requests come in any order: each takes the first line of its method that is left, and one
	 * without a line is never answered. */
	bool unordered;
	bool used[FAKE_LINES_MAX];
};

struct fake_channel {
	struct rpc_channel base;
	struct fake_server *server;
	struct rpc_task answer;
	bool posted;
	struct rpc_call *calls[FAKE_LINES_MAX]; /* with the ops, in the order of their start */
	const struct fake_line *lines[FAKE_LINES_MAX];
	size_t n;
};

static inline void fake_remove(struct fake_channel *channel, size_t at)
{
	channel->n--;
	for (size_t i = at; i < channel->n; i++) {
		channel->calls[i] = channel->calls[i + 1];
		channel->lines[i] = channel->lines[i + 1];
	}
}

static inline void fake_reply(struct rpc_call *call, const struct fake_line *line)
{
	struct rpc_end end = { .code = line->code, .message = line->message ? line->message : "" };
	struct bytes message, details;
	struct arena scratch;

	arena_init(&scratch, 256, ARENA_NO_BUDGET);
	if (line->reply && proto_encode(&scratch, line->reply, 0, &message, NULL))
		end.code = TEMPORAL_NO_MEMORY;
	else if (line->reply)
		rpc_call_message(call, message.ptr, message.len, message.len);
	if (line->details) {
		assert_int_equal(
			proto_encode(&scratch, line->details, 0, &details, NULL), TEMPORAL_OK);
		end.details = details.ptr;
		end.details_len = details.len;
	}
	rpc_call_end_try(call, &end);
	arena_finish(&scratch);
}

static inline void fake_answer(struct rpc_task *task)
{
	struct fake_channel *channel =
		(struct fake_channel *)(void *)((char *)task -
						offsetof(struct fake_channel, answer));
	size_t i = 0;

	channel->posted = false;
	while (i < channel->n) {
		struct rpc_call *call = channel->calls[i];
		const struct fake_line *line = channel->lines[i];

		if (line->silent) {
			i++;
			continue;
		}
		fake_remove(channel, i);
		fake_reply(call, line);
	}
}

static inline const struct fake_line *fake_line_of(
	struct fake_server *server, const struct rpc_method *method)
{
	static const struct fake_line silence = { .silent = true };

	for (size_t i = 0; i < server->n_lines; i++) {
		if (server->used[i] || server->lines[i].method != method)
			continue;
		server->used[i] = true;
		return &server->lines[i];
	}
	return &silence;
}

static inline void fake_start(struct rpc_channel *base, struct rpc_call *call)
{
	static const struct fake_line unexpected = { .code = TEMPORAL_INTERNAL,
		.message = "the test's script does not expect this request" };
	struct fake_channel *channel = (struct fake_channel *)(void *)base;
	struct fake_server *server = channel->server;
	const struct fake_line *line = &unexpected;
	size_t n = server->n_asked;

	if (n < FAKE_LINES_MAX) {
		server->asked[n].method = call->method;
		if (!server->forgetful)
			server->asked[n].message =
				proto_copy(&server->arena, rpc_parcel_message(call->parcel));
		server->asked[n].timeout_ns = call->timeout_ns;
		server->n_asked++;
	}
	if (server->unordered)
		line = fake_line_of(server, call->method);
	else if (n < server->n_lines && server->lines[n].method == call->method)
		line = &server->lines[n];
	channel->calls[channel->n] = call;
	channel->lines[channel->n++] = line;
	if (channel->posted)
		return;
	channel->posted = true;
	channel->answer.run = fake_answer;
	rpc_loop_post(base->loop, &channel->answer);
}

static inline void fake_cancel(struct rpc_channel *base, struct rpc_call *call)
{
	struct fake_channel *channel = (struct fake_channel *)(void *)base;

	for (size_t i = 0; i < channel->n; i++) {
		if (channel->calls[i] == call) {
			fake_remove(channel, i);
			return;
		}
	}
}

static inline void fake_destroy(struct rpc_channel *base)
{
	struct fake_server *server = ((struct fake_channel *)(void *)base)->server;

	rpc_channel_finish(base);
	mem_free(base);
	atomic_fetch_add(&server->closed, 1);
}

static inline struct rpc_channel *fake_open(void *user, struct rpc_loop *loop,
	const struct rpc_header *headers, size_t n_headers, struct temporal_error *err)
{
	static const struct rpc_channel_ops ops = { .start = fake_start,
		.cancel = fake_cancel,
		.destroy = fake_destroy,
		.in_process = true };
	struct fake_server *server = user;
	struct fake_channel *channel = mem_zalloc(sizeof(*channel));

	if (!channel) {
		error_no_memory(err, "a fake channel");
		return NULL;
	}
	channel->server = server;
	server->opened++;
	server->n_headers = n_headers;
	for (size_t i = 0; i < n_headers; i++) {
		server->headers[i] = headers[i];
		server->headers[i].name = arena_strdup(&server->arena, headers[i].name);
		server->headers[i].value = arena_strdup(&server->arena, headers[i].value);
	}
	if (!rpc_channel_init(&channel->base, &ops, loop, headers, n_headers, err))
		return &channel->base;
	mem_free(channel);
	return NULL;
}

static inline struct fake_server *fake_new(void)
{
	struct fake_server *server = mem_zalloc(sizeof(*server));

	assert_non_null(server);
	arena_init(&server->arena, 1024, ARENA_NO_BUDGET);
	return server;
}

static inline void fake_free(struct fake_server *server)
{
	arena_finish(&server->arena);
	mem_free(server);
}

/* The next request that is expected, and its answer. */
static inline void fake_expect(
	struct fake_server *server, const struct rpc_method *method, const void *reply)
{
	server->lines[server->n_lines++] = (struct fake_line){ .method = method, .reply = reply };
}

static inline void fake_expect_error(struct fake_server *server, const struct rpc_method *method,
	enum temporal_code code, const char *message, const void *details)
{
	server->lines[server->n_lines++] = (struct fake_line){
		.method = method, .code = code, .message = message, .details = details
	};
}

static inline void fake_expect_silence(struct fake_server *server, const struct rpc_method *method)
{
	server->lines[server->n_lines++] = (struct fake_line){ .method = method, .silent = true };
}

/* A lazy client of the server; GetSystemInfo is not asked. */
static inline struct temporal_client *fake_connect(struct fake_server *server)
{
	struct temporal_error err = { 0 };
	struct temporal_client *client = client_connect_through(
		&(const struct rpc_transport){ fake_open, server },
		&(const struct temporal_client_opts){ .lazy = true, .identity = "tester" }, &err);

	assert_non_null(client);
	return client;
}

/* The value of a header, or NULL. */
static inline const char *fake_header(const struct fake_server *server, const char *name)
{
	for (size_t i = 0; i < server->n_headers; i++) {
		if (strcmp(server->headers[i].name, name) == 0)
			return server->headers[i].value;
	}
	return NULL;
}

#endif
