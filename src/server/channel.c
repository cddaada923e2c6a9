/*
 * channel.c: clients of this process: calls go from the client's loop to the server's and back,
 * with no socket. Messages cross as checked copies (proto_transfer): neither side holds memory of
 * the other, and what they get is what the wire would have given them. A message that is too large
 * or that something is wrong with crosses as its encoding, so that what is told of it is what a
 * client with a socket is told.
 *
 *     client's loop: start ---> server's loop: serve ... answer ---> client's loop: end
 *                    cancel --> server's loop: cancelled
 *
 * Which side frees a call that is cancelled while it is answered is decided under a lock: an answer
 * is posted only to a client that still waits for it, since its loop may be gone right after a
 * cancellation.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/call.h"
#include "rpc/frame.h"
#include "rpc/limits.h"
#include "rpc/status.h"
#include "rpc/text.h"
#include "server/server.h"

#define ARENA_FIRST  4096 /* of a call; most need no more */
#define ANSWER_FIRST 2048

struct local_channel {
	struct rpc_channel base; /* first: the ops cast */
	struct temporal_server *server;
};

struct local_call {
	struct request request; /* first: the ops cast */
	atomic_uint refs;       /* the answer's, and one of a cancellation under way */
	struct rpc_task serve, cancel, answer;
	struct temporal_server *server;
	const struct rpc_method *method;
	struct rpc_parcel *parcel; /* the request's message; NULL: `wire` has it */
	struct arena arena;        /* the server's, for request and answer; this lies in it */
	struct bytes wire;         /* the request's message; then the answer's, if it has one */
	struct arena out;          /* the answer's message: the client's */
	const void *message;
	struct rpc_end end;
	/* under local_lock */
	struct rpc_call *call; /* NULL: nobody waits for it any more */
	struct rpc_loop *loop; /* the client's */
	bool answered;
};

static pthread_mutex_t local_lock = PTHREAD_MUTEX_INITIALIZER;

static void unref(struct local_call *local)
{
	if (atomic_fetch_sub_explicit(&local->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct arena arena = local->arena;

	rpc_parcel_unref(local->parcel);
	arena_finish(&local->out);
	arena_finish(&arena);
}

/* ---- On the server's loop ---- */

/* Sends the answer, or drops it if nobody waits. */
static void send(struct local_call *local)
{
	bool wanted;

	pthread_mutex_lock(&local_lock);
	wanted = local->call;
	local->answered = true;
	if (wanted)
		rpc_loop_post(local->loop, &local->answer);
	pthread_mutex_unlock(&local_lock);
	if (!wanted)
		unref(local);
}

static void fail_with(struct local_call *local, enum temporal_code code, const char *text)
{
	const char *copy = arena_strdup(&local->arena, text);

	local->end.code = rpc_status_code(code);
	local->end.message = copy ? copy : "";
}

static void local_reply(struct request *request, const void *message)
{
	struct local_call *local = (struct local_call *)(void *)request;
	struct temporal_error err;

	arena_init(&local->out, ANSWER_FIRST, ARENA_NO_BUDGET);
	local->message = proto_transfer(&local->out, message, RPC_SERVER_SEND_MAX);
	if (!local->message) {
		enum temporal_code code =
			proto_encode(&local->arena, message, 0, &local->wire, &err);

		if (code == TEMPORAL_OK && local->wire.len > RPC_SERVER_SEND_MAX)
			code = rpc_too_large(&err, local->wire.len, RPC_SERVER_SEND_MAX);
		if (code != TEMPORAL_OK)
			fail_with(local, code, err.message);
	}
	send(local);
}

static void local_fail(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	struct local_call *local = (struct local_call *)(void *)request;
	struct bytes details = { 0 };

	fail_with(local, code, text);
	if (status && proto_encode(&local->arena, status, 0, &details, NULL) == TEMPORAL_OK) {
		local->end.details = details.ptr;
		local->end.details_len = details.len;
	}
	send(local);
}

/* No header of a client of this process means anything to the server. */
static const char *local_header(struct request *request, const char *name)
{
	return NULL;
}

static const struct request_ops local_ops = { local_reply, local_fail, local_header };

static const struct frontend_method *find(const struct rpc_method *method)
{
	for (size_t i = 0; i < frontend_methods_count; i++) {
		if (frontend_methods[i].method == method)
			return &frontend_methods[i];
	}
	return NULL;
}

/* The message of a request that came as its encoding; NULL: answered. */
static const void *decode(struct local_call *local)
{
	struct request *request = &local->request;
	struct bytes wire = local->wire;
	struct temporal_error err;

	local->wire = (struct bytes){ 0 };
	if (wire.len > RPC_SERVER_RECEIVE_MAX) {
		error_set(&err, TEMPORAL_RESOURCE_EXHAUSTED, RPC_RECEIVED_TOO_LARGE,
			(uint32_t)wire.len, (size_t)RPC_SERVER_RECEIVE_MAX);
		local_fail(request, err.code, err.message, NULL);
		return NULL;
	}
	local->arena.budget = local->arena.held + PROTO_DECODED_MAX(wire.len);
	const void *message =
		proto_decode(&local->arena, local->method->request, wire.ptr, wire.len, NULL, &err);
	local->arena.budget = ARENA_NO_BUDGET;
	if (!message) {
		const char *text = arena_printf(&local->arena, RPC_UNDECODED, err.message);

		local_fail(request, err.code, text ? text : err.message, NULL);
	}
	return message;
}

static void on_serve(struct rpc_task *task)
{
	struct local_call *local =
		(struct local_call *)(void *)((char *)task - offsetof(struct local_call, serve));
	const struct frontend_method *method = find(local->method);
	struct request *request = &local->request;
	char unknown[RPC_UNKNOWN_METHOD_SIZE];

	if (!method) {
		rpc_unknown_method(local->method->path, unknown);
		local_fail(request, TEMPORAL_UNIMPLEMENTED, unknown, NULL);
		return;
	}
	const void *message = local->parcel ? rpc_parcel_message(local->parcel) : decode(local);
	if (!message) /* answered: the call may be gone */
		return;
	request->message = message;
	frontend_serve(request, method->handle);
}

static void on_cancel(struct rpc_task *task)
{
	struct local_call *local =
		(struct local_call *)(void *)((char *)task - offsetof(struct local_call, cancel));
	struct request *request = &local->request;

	if (!local->answered && request->cancelled) {
		transition_begin(request->server);
		request->cancelled(request);
		transition_end(request->server);
	}
	unref(local);
}

/* ---- On the client's loop ---- */

static void on_answer(struct rpc_task *task)
{
	struct local_call *local =
		(struct local_call *)(void *)((char *)task - offsetof(struct local_call, answer));
	struct rpc_call *call = local->call;

	if (call) {
		call->peer = NULL;
		if (local->message)
			rpc_call_message_in(call, local->message, &local->out);
		else if (local->end.code == TEMPORAL_OK)
			rpc_call_message(call, local->wire.ptr, local->wire.len, 0);
		rpc_call_end_try(call, &local->end);
	}
	unref(local);
}

/* The request's message: a reference, or a copy of its encoding. */
static bool take_message(struct local_call *local, const struct rpc_call *call)
{
	if (call->parcel) {
		local->parcel = rpc_parcel_ref(call->parcel);
		return true;
	}
	local->wire.len = call->wire.len - RPC_PREFIX_SIZE;
	local->wire.ptr =
		arena_memdup(&local->arena, call->wire.ptr + RPC_PREFIX_SIZE, local->wire.len);
	return local->wire.ptr;
}

static struct local_call *call_new(struct rpc_channel *channel, struct rpc_call *call)
{
	struct temporal_server *server = ((struct local_channel *)(void *)channel)->server;
	struct arena arena;

	arena_init(&arena, ARENA_FIRST, ARENA_NO_BUDGET);
	struct local_call *local = ARENA_NEW(&arena, struct local_call);
	if (!local)
		return NULL;
	local->arena = arena;
	atomic_init(&local->refs, 1);
	local->server = server;
	local->method = call->method;
	local->call = call;
	local->loop = channel->loop;
	local->serve.run = on_serve;
	local->cancel.run = on_cancel;
	local->answer.run = on_answer;
	local->end.message = "";
	local->request = (struct request){
		.server = &server->server,
		.ops = &local_ops,
		.arena = &local->arena,
		.deadline_ns = call->try_deadline_ns,
		.method = call->method,
	};
	if (take_message(local, call))
		return local;
	unref(local);
	return NULL;
}

static void channel_start(struct rpc_channel *channel, struct rpc_call *call)
{
	struct local_call *local = call_new(channel, call);

	call->peer = local;
	if (local)
		rpc_loop_post(local->server->loop, &local->serve);
	else
		rpc_call_no_memory(call);
}

static void channel_cancel(struct rpc_channel *channel, struct rpc_call *call)
{
	struct local_call *local = call->peer;
	bool tell;

	if (!local)
		return;
	call->peer = NULL;
	pthread_mutex_lock(&local_lock);
	local->call = NULL;
	tell = !local->answered;
	if (tell)
		atomic_fetch_add_explicit(&local->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&local_lock);
	if (tell)
		rpc_loop_post(local->server->loop, &local->cancel);
}

static void channel_destroy(struct rpc_channel *channel)
{
	rpc_channel_finish(channel);
	mem_free(channel);
}

static const struct rpc_channel_ops channel_ops = {
	.start = channel_start,
	.cancel = channel_cancel,
	.destroy = channel_destroy,
	.in_process = true,
};

struct rpc_channel *server_channel_open(void *user, struct rpc_loop *loop,
	const struct rpc_header *headers, size_t n_headers, struct temporal_error *err)
{
	const struct temporal_server *server = user;
	struct local_channel *channel;

	if (server->pid != getpid()) {
		error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the server is in the process that this one was forked from");
		return NULL;
	}
	channel = mem_zalloc(sizeof(*channel));
	if (!channel) {
		error_no_memory(err, "a channel");
		return NULL;
	}
	channel->server = user;
	if (rpc_channel_init(&channel->base, &channel_ops, loop, headers, n_headers, err) ==
		TEMPORAL_OK)
		return &channel->base;
	mem_free(channel);
	return NULL;
}
