/*
 * channel.c: clients of this process: calls go from the client's loop to the server's and back,
 * with no socket. A message crosses as its encoding and is decoded on the other side, so that it is
 * checked at entry like one from the network, and neither side holds memory of the other.
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

#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/call.h"
#include "rpc/frame.h"
#include "server/server.h"

#define ARENA_FIRST 1024

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
	struct arena arena; /* request and answer */
	struct bytes wire;  /* the request's message; then the answer's */
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
	arena_finish(&local->arena);
	mem_free(local);
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

static void local_reply(struct request *request, const void *message)
{
	struct local_call *local = (struct local_call *)(void *)request;
	struct temporal_error err;

	local->end.code = proto_encode(&local->arena, message, 0, &local->wire, &err);
	if (local->end.code != TEMPORAL_OK)
		local->end.message = "the answer could not be encoded";
	send(local);
}

static void local_fail(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	struct local_call *local = (struct local_call *)(void *)request;
	const char *copy = arena_strdup(&local->arena, text);
	struct bytes details = { 0 };

	local->end.code = code;
	local->end.message = copy ? copy : "";
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

static void on_serve(struct rpc_task *task)
{
	struct local_call *local =
		(struct local_call *)(void *)((char *)task - offsetof(struct local_call, serve));
	const struct frontend_method *method = find(local->method);
	struct request *request = &local->request;
	struct temporal_error err;

	if (!method) {
		local_fail(request, TEMPORAL_UNIMPLEMENTED, "this server does not serve the method",
			NULL);
		return;
	}
	request->message = proto_decode(&local->arena, local->method->request, local->wire.ptr,
		local->wire.len, NULL, &err);
	local->wire = (struct bytes){ 0 };
	if (!request->message)
		local_fail(request, err.code, err.message, NULL);
	else
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
		if (local->end.code == TEMPORAL_OK)
			rpc_call_message(call, local->wire.ptr, local->wire.len, 0);
		rpc_call_end_try(call, &local->end);
	}
	unref(local);
}

static void channel_start(struct rpc_channel *channel, struct rpc_call *call)
{
	struct temporal_server *server = ((struct local_channel *)(void *)channel)->server;
	struct local_call *local = mem_zalloc(sizeof(*local));

	call->peer = local;
	if (!local) /* it runs into its deadline, as one that was lost on the way */
		return;
	atomic_init(&local->refs, 1);
	arena_init(&local->arena, ARENA_FIRST, ARENA_NO_BUDGET);
	local->server = server;
	local->method = call->method;
	local->call = call;
	local->loop = channel->loop;
	local->serve.run = on_serve;
	local->cancel.run = on_cancel;
	local->answer.run = on_answer;
	local->end.message = "";
	local->wire.len = call->wire.len - RPC_PREFIX_SIZE;
	local->wire.ptr =
		arena_memdup(&local->arena, call->wire.ptr + RPC_PREFIX_SIZE, local->wire.len);
	local->request = (struct request){
		.server = &server->server,
		.ops = &local_ops,
		.arena = &local->arena,
		.deadline_ns = call->try_deadline_ns,
	};
	if (local->wire.ptr) {
		rpc_loop_post(server->loop, &local->serve);
		return;
	}
	call->peer = NULL;
	unref(local);
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
};

struct rpc_channel *server_channel_open(void *user, struct rpc_loop *loop,
	const struct rpc_header *headers, size_t n_headers, struct temporal_error *err)
{
	struct local_channel *channel = mem_zalloc(sizeof(*channel));

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
