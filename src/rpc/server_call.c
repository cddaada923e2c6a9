/*
 * server_call.c: a call on the server, from its headers to the last byte of the answer.
 *
 * A call has two who may hold it: the session (until `gone`) and the handler (until it answers). It
 * goes back to the pool when neither does. Whatever the handler does after the client is gone has
 * no effect but to release it.
 *
 * Loop's thread.
 */
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/limits.h"
#include "rpc/server_internal.h"
#include "rpc/text.h"

#define POOL_MAX       64U
#define ARENA_FIRST    1024U
#define ARENA_KEEP_MAX (8U * RPC_KIB)

static struct rpc_server_call *call_of(struct rpc_server_stream *stream)
{
	return (struct rpc_server_call *)(void *)stream;
}

/* The pool. */

static void arena_recycle(struct arena *arena)
{
	arena_reset(arena);
	if (arena->held <= ARENA_KEEP_MAX && arena->held > 0) {
		arena->budget = ARENA_NO_BUDGET;
		arena->chunk_size = ARENA_FIRST;
		return;
	}
	arena_finish(arena);
	arena_init(arena, ARENA_FIRST, ARENA_NO_BUDGET);
}

static void call_free(struct rpc_server_call *call)
{
	arena_finish(&call->stream.arena);
	arena_finish(&call->arena);
	mem_free(call);
}

static void release(struct rpc_server_call *call)
{
	struct rpc_server *server = call->server;
	struct arena stream_arena = call->stream.arena, arena = call->arena;

	if (call->handling || !call->gone || call->leaving)
		return;
	rpc_timer_stop(&call->deadline);
	server->n_calls--;
	if (server->n_free < POOL_MAX) {
		arena_recycle(&stream_arena);
		arena_recycle(&arena);
		*call = (struct rpc_server_call){
			.server = server, .arena = arena, .next_free = server->free_calls
		};
		call->stream.arena = stream_arena;
		server->free_calls = call;
		server->n_free++;
	} else {
		call_free(call);
	}
	rpc_server_check_over(server);
}

void rpc_server_calls_finish(struct rpc_server *server)
{
	while (server->free_calls) {
		struct rpc_server_call *call = server->free_calls;

		server->free_calls = call->next_free;
		call_free(call);
	}
}

static struct rpc_server_stream *on_open(void *owner)
{
	struct rpc_peer *peer = owner;
	struct rpc_server *server = peer->server;
	struct rpc_server_call *call = server->free_calls;

	if (call) {
		server->free_calls = call->next_free;
		server->n_free--;
	} else {
		call = mem_zalloc(sizeof(*call));
		if (!call)
			return NULL;
		call->server = server;
		arena_init(&call->stream.arena, ARENA_FIRST, ARENA_NO_BUDGET);
		arena_init(&call->arena, ARENA_FIRST, ARENA_NO_BUDGET);
	}
	call->peer = peer;
	server->n_calls++;
	server->calls_total++;
	return &call->stream;
}

/* Events of the session. */

static void unimplemented(struct rpc_server_call *call)
{
	char text[RPC_UNKNOWN_METHOD_SIZE];

	rpc_unknown_method(call->stream.path ? call->stream.path : "", text);
	rpc_server_finish(&call->stream, TEMPORAL_UNIMPLEMENTED, text, NULL, 0);
}

static void notify_cancelled(struct rpc_server_call *call)
{
	if (!call->handling || call->notified)
		return;
	call->notified = true;
	if (call->cancelled)
		call->cancelled(call, call->cancelled_user);
}

static void on_deadline(struct rpc_timer *timer)
{
	struct rpc_server_call *call =
		(struct rpc_server_call *)(void *)((char *)timer -
						   offsetof(struct rpc_server_call, deadline));

	rpc_server_finish(
		&call->stream, TEMPORAL_DEADLINE_EXCEEDED, "context deadline exceeded", NULL, 0);
	if (call->peer)
		rpc_socket_flush(&call->peer->socket);
	notify_cancelled(call);
}

static void on_request(struct rpc_server_stream *stream)
{
	struct rpc_server_call *call = call_of(stream);
	const struct rpc_server_method *method =
		rpc_server_find(call->server, stream->path ? stream->path : "");

	call->method = method;
	if (!method) {
		unimplemented(call);
		return;
	}
	if (stream->deadline_ns != INT64_MAX)
		rpc_timer_set(
			call->server->loop, &call->deadline, stream->deadline_ns, on_deadline);
	if (!method->streaming)
		return;
	call->handling = true;
	method->streaming->open(call, method->user);
}

static const void *decode(struct rpc_server_call *call, const uint8_t *data, size_t len)
{
	struct temporal_error err;

	if (call->arena.chunk_size == 0) /* the handler took it */
		arena_init(&call->arena, ARENA_FIRST, ARENA_NO_BUDGET);
	call->arena.budget = call->arena.held + PROTO_DECODED_MAX(len);
	const void *message =
		proto_decode(&call->arena, call->method->method->request, data, len, NULL, &err);
	if (!message) {
		const char *text = arena_printf(&call->arena, RPC_UNDECODED, err.message);

		rpc_server_finish(&call->stream, err.code, text ? text : err.message, NULL, 0);
	}
	return message;
}

static void on_message(struct rpc_server_stream *stream, const uint8_t *data, size_t len)
{
	struct rpc_server_call *call = call_of(stream);
	const struct rpc_server_streaming *streaming = call->method->streaming;

	if (!streaming) {
		if (call->request)
			call->extra_message = true;
		else
			call->request = decode(call, data, len);
		return;
	}
	const void *message = decode(call, data, len);
	if (message && streaming->message && call->handling)
		streaming->message(call, message, call->method->user);
	arena_reset(&call->arena);
}

static void on_half_closed(struct rpc_server_stream *stream)
{
	struct rpc_server_call *call = call_of(stream);
	const struct rpc_server_method *method = call->method;

	if (method->streaming) {
		if (method->streaming->half_closed && call->handling)
			method->streaming->half_closed(call, method->user);
		return;
	}
	if (!call->request || call->extra_message) {
		rpc_server_finish(stream, TEMPORAL_INTERNAL,
			"grpc: a unary request has exactly one message", NULL, 0);
		return;
	}
	call->handling = true;
	method->handle(call, call->request, method->user);
}

static void on_gone(struct rpc_server_stream *stream, bool cancelled)
{
	struct rpc_server_call *call = call_of(stream);
	const struct rpc_server_method *method = call->method;

	call->gone = true;
	call->peer = NULL;
	rpc_timer_stop(&call->deadline);
	/* The handler may answer from within its callback; the call is not to go before its end. */
	call->leaving = true;
	if (cancelled)
		notify_cancelled(call);
	call->leaving = false;
	if (method && method->streaming && stream->announced) {
		call->handling = false;
		method->streaming->gone(call, method->user);
	}
	release(call);
}

static const char *on_page(struct rpc_server_stream *stream)
{
	const struct rpc_server *server = call_of(stream)->server;

	if (server->opts.status_page)
		return server->opts.status_page(&stream->arena, server->opts.user);
	return arena_printf(&stream->arena, "connections %u\ncalls running %u\ncalls in all %llu\n",
		server->n_peers, server->n_calls - 1, (unsigned long long)server->calls_total - 1);
}

const struct rpc_server_events rpc_server_call_events = {
	.open = on_open,
	.request = on_request,
	.message = on_message,
	.half_closed = on_half_closed,
	.gone = on_gone,
	.page = on_page,
};

/* Answers. */

static void flush(struct rpc_server_call *call)
{
	if (call->peer)
		rpc_socket_flush(&call->peer->socket);
}

/* The handler is done with the call: what it made the answer of goes, even if the client takes its
 * time to read that. */
static void answered(struct rpc_server_call *call)
{
	call->handling = false;
	arena_recycle(&call->arena);
	rpc_timer_stop(&call->deadline);
	flush(call);
	release(call);
}

static void finish(struct rpc_server_call *call, enum temporal_code code, const char *message,
	const void *status)
{
	struct bytes details = { 0 };

	if (status && proto_encode(&call->stream.arena, status, 0, &details, NULL) != TEMPORAL_OK)
		details = (struct bytes){ 0 };
	rpc_server_finish(&call->stream, code, message, details.ptr, details.len);
}

static enum temporal_code encode(struct rpc_server_call *call, const void *message,
	struct bytes *wire, struct temporal_error *err)
{
	size_t max = call->server->opts.max_send_size;
	enum temporal_code code =
		proto_encode(&call->stream.arena, message, RPC_PREFIX_SIZE, wire, err);

	if (code != TEMPORAL_OK)
		return code;
	size_t len = wire->len - RPC_PREFIX_SIZE;
	if (len > max)
		return rpc_too_large(err, len, max);
	rpc_prefix_write(wire->ptr, false, len);
	return TEMPORAL_OK;
}

static bool wants_gzip(const struct rpc_server_call *call, size_t len)
{
	const struct rpc_server_opts *opts = &call->server->opts;

	if (len < RPC_GZIP_LEAST || !call->stream.accepts_gzip || opts->no_compression ||
		!call->peer)
		return false;
	return opts->compress_always || call->peer->remote;
}

/* Compresses the encoded reply if it gets smaller. */
static void pack(struct rpc_server_call *call, struct bytes *wire)
{
	size_t len = wire->len - RPC_PREFIX_SIZE;
	uint8_t *out = wants_gzip(call, len) ? arena_alloc(&call->stream.arena, wire->len) : NULL;

	if (!out)
		return;
	size_t packed = rpc_gzip_deflate(rpc_loop_gzip(call->server->loop),
		wire->ptr + RPC_PREFIX_SIZE, len, out + RPC_PREFIX_SIZE, len - 1);
	if (packed == 0)
		return;
	rpc_prefix_write(out, true, packed);
	*wire = (struct bytes){ out, RPC_PREFIX_SIZE + packed };
	call->stream.gzip_out = true;
}

void rpc_server_reply(struct rpc_server_call *call, const void *message)
{
	struct temporal_error err;
	struct bytes wire;

	if (!call->stream.session || call->stream.finished || rpc_server_drop(&call->stream)) {
		answered(call);
		return;
	}
	enum temporal_code code = encode(call, message, &wire, &err);
	if (code == TEMPORAL_OK) {
		pack(call, &wire);
		call->outgoing = (struct rpc_outgoing){ .data = wire.ptr, .len = wire.len };
		rpc_server_send(&call->stream, &call->outgoing);
		finish(call, TEMPORAL_OK, NULL, NULL);
	} else {
		finish(call, code, err.message, NULL);
	}
	answered(call);
}

void rpc_server_fail(struct rpc_server_call *call, enum temporal_code code, const char *message,
	const void *status)
{
	if (call->stream.session && !call->stream.finished)
		finish(call, code, message, status);
	answered(call);
}

void rpc_server_end(struct rpc_server_call *call, enum temporal_code code, const char *message,
	const void *status)
{
	if (!call->handling)
		return;
	rpc_server_fail(call, code, message, status);
}

struct streamed {
	struct rpc_outgoing outgoing; /* first */
	uint8_t bytes[];
};

static void free_streamed(struct rpc_outgoing *outgoing)
{
	mem_free(outgoing);
}

enum temporal_code rpc_server_send_message(
	struct rpc_server_call *call, const void *message, struct temporal_error *err)
{
	struct arena_mark mark = arena_mark(&call->stream.arena);
	struct bytes wire;

	if (!call->stream.session || call->stream.finished)
		return error_set(err, TEMPORAL_CANCELLED, "the client is gone");
	enum temporal_code code = encode(call, message, &wire, err);
	struct streamed *streamed =
		code == TEMPORAL_OK ? mem_alloc(sizeof(*streamed) + wire.len) : NULL;
	if (streamed) {
		memcpy(streamed->bytes, wire.ptr, wire.len);
		streamed->outgoing = (struct rpc_outgoing){
			.data = streamed->bytes, .len = wire.len, .sent = free_streamed
		};
		arena_release(&call->stream.arena, mark);
		rpc_server_send(&call->stream, &streamed->outgoing);
		flush(call);
	} else if (code == TEMPORAL_OK) {
		code = error_no_memory(err, "message of a stream");
	}
	return code;
}

/* What a handler asks. */

struct arena *rpc_server_arena(struct rpc_server_call *call)
{
	return &call->arena;
}

int64_t rpc_server_deadline_ns(const struct rpc_server_call *call)
{
	return call->stream.deadline_ns;
}

const char *rpc_server_header(const struct rpc_server_call *call, const char *name)
{
	for (const struct rpc_field *field = call->stream.fields; field; field = field->next) {
		if (strcmp(field->name, name) == 0)
			return field->value;
	}
	return NULL;
}

const char *rpc_server_path(const struct rpc_server_call *call)
{
	return call->stream.path;
}

enum temporal_code rpc_server_add_header(struct rpc_server_call *call,
	const struct rpc_header *header, bool trailer, struct temporal_error *err)
{
	size_t name_len = header->name ? strlen(header->name) : 0;
	bool binary = name_len > 4 && strcmp(header->name + name_len - 4, "-bin") == 0;
	const char *value = header->value;
	size_t len = header->len;

	if (!rpc_header_name_ok(header->name) || (!binary && !rpc_header_value_ok(value, len)))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT, "header \"%s\" is not legal",
			header->name ? header->name : "");
	if (binary) {
		char *text = arena_alloc(&call->stream.arena, BASE64_BARE_SIZE(len) + 1);

		if (!text)
			return error_no_memory(err, "header");
		len = base64_encode(text, value, len, BASE64_BARE);
		value = text;
	}
	if (rpc_server_add(&call->stream, trailer, header->name, value, len) != TEMPORAL_OK)
		return error_no_memory(err, "header");
	return TEMPORAL_OK;
}

void rpc_server_on_cancel(struct rpc_server_call *call,
	void (*cancelled)(struct rpc_server_call *call, void *user), void *user)
{
	call->cancelled = cancelled;
	call->cancelled_user = user;
}

void **rpc_server_data(struct rpc_server_call *call)
{
	return &call->data;
}

struct rpc_loop *rpc_server_loop(const struct rpc_server_call *call)
{
	return call->server->loop;
}
