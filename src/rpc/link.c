/*
 * link.c: the life of one connection.
 *
 *   RESOLVING --> CONNECTING --> (PROXY) --> (TLS) --> OPEN --> CLOSED
 *                  ^      | next address       |        |
 *                  +------+                    +--------+--> failure, time-out: `over`, CLOSED
 *
 * In OPEN the session may be draining (GOAWAY, our own wish): then no call is started, and the link
 * closes itself when the last one is over. A server may take its time for that: long polls end when
 * they end.
 *
 * Keep-alive: when nothing was read for keep_alive, a PING is sent; when nothing was read for
 * keep_alive_timeout after it, the connection counts as dead. Real servers forbid pings more often
 * than each 10 s (GOAWAY, "too_many_pings").
 *
 * Owned by connection.c; the session's callbacks come back here. Loop's thread alone.
 */
#include "rpc/link.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "rpc/limits.h"
#include "rpc/tls.h"

#define PROXY_REPLY_MAX 8192U

static const struct rpc_socket_events socket_events;

static struct rpc_link *link_of(struct rpc_socket *socket)
{
	return (struct rpc_link *)(void *)socket;
}

/* The end. */

static void link_free(struct rpc_link *link)
{
	link->events->freed(link);
	mem_free(link);
}

static void shut(struct rpc_link *link, const char *reason)
{
	struct rpc_client_session *session = link->session;

	rpc_timer_stop(&link->timer);
	rpc_pace_stop(link);
	rpc_resolve_abandon(link->resolve);
	link->resolve = NULL;
	link->state = RPC_LINK_CLOSED;
	link->session = NULL;
	rpc_client_session_free(session, reason);
	mem_free(link->proxy_reply);
	link->proxy_reply = NULL;
}

/* No socket is open: the memory goes with the loop's next turn. */
static void free_task(struct rpc_task *task)
{
	link_free((
		struct rpc_link *)(void *)((char *)task - offsetof(struct rpc_link, socket.flush)));
}

static void release(struct rpc_link *link)
{
	if (link->socket.fd >= 0) {
		rpc_socket_close(&link->socket);
		return;
	}
	if (!link->begun || link->socket.polling || link->socket.flushing)
		return; /* begin(), or the socket's `closed`, will find it CLOSED */
	link->socket.flush.run = free_task;
	rpc_loop_post(link->loop, &link->socket.flush);
}

void rpc_link_close(struct rpc_link *link)
{
	if (link->state == RPC_LINK_CLOSED)
		return;
	shut(link, "the client was closed");
	release(link);
}

static void end_link(struct rpc_link *link, const struct temporal_error *err)
{
	if (link->state == RPC_LINK_CLOSED)
		return;
	shut(link, err ? err->message : "the connection was drained");
	link->events->over(link, err);
	release(link);
}

/* Addresses, one after the other. */

static void try_address(struct rpc_link *link);

static const char *place(const struct rpc_link *link)
{
	return link->opts->proxy.host[0] ? link->opts->proxy.host : link->opts->target.host;
}

static const char *place_port(const struct rpc_link *link)
{
	return link->opts->proxy.host[0] ? link->opts->proxy.port : link->opts->target.port;
}

static void fail(struct rpc_link *link, const struct temporal_error *err)
{
	struct temporal_error own = *err;

	error_prefix(&own, "%s:%s", place(link), place_port(link));
	end_link(link, &own);
}

static void on_timeout(struct rpc_timer *timer)
{
	struct rpc_link *link =
		(struct rpc_link *)(void *)((char *)timer - offsetof(struct rpc_link, timer));
	static const char *const waiting_for[] = {
		[RPC_LINK_RESOLVING] = "the address of the name",
		[RPC_LINK_CONNECTING] = "the TCP connection",
		[RPC_LINK_PROXY] = "the proxy's answer",
		[RPC_LINK_TLS] = "the TLS handshake",
	};
	struct temporal_error err;

	error_set(&err, TEMPORAL_UNAVAILABLE, "no connection within %lld ms; it waited for %s",
		(long long)(link->opts->connect_timeout_ns / RPC_MS_NS), waiting_for[link->state]);
	fail(link, &err);
}

static void next_address(struct rpc_link *link)
{
	link->at++;
	if (link->at < link->addresses.n)
		try_address(link);
	else
		fail(link, &link->failure);
}

static void try_address(struct rpc_link *link)
{
	for (; link->at < link->addresses.n; link->at++) {
		link->peer = link->addresses.list[link->at];
		link->state = RPC_LINK_CONNECTING;
		if (rpc_socket_connect(&link->socket, link->loop, &socket_events, &link->peer.any,
			    &link->failure) == TEMPORAL_OK)
			return;
	}
	fail(link, &link->failure);
}

static void on_resolved(
	void *user, const struct rpc_addresses *addresses, const struct temporal_error *err)
{
	struct rpc_link *link = user;

	link->resolve = NULL;
	if (err) {
		end_link(link, err);
		return;
	}
	link->addresses = *addresses;
	link->at = 0;
	try_address(link);
}

static void begin(struct rpc_task *task)
{
	struct rpc_link *link =
		(struct rpc_link *)(void *)((char *)task - offsetof(struct rpc_link, socket.flush));
	const struct rpc_target *target =
		link->opts->proxy.host[0] ? &link->opts->proxy : &link->opts->target;
	struct temporal_error err;

	link->begun = true;
	if (link->state == RPC_LINK_CLOSED) { /* closed before it began */
		link_free(link);
		return;
	}
	rpc_timer_set(link->loop, &link->timer, rpc_now_ns() + link->opts->connect_timeout_ns,
		on_timeout);
	rpc_resolve_literal(target, &link->addresses);
	if (link->addresses.n > 0) {
		try_address(link);
		return;
	}
	link->resolve = rpc_resolve_start(link->loop, target, on_resolved, link, &err);
	if (!link->resolve)
		end_link(link, &err);
}

struct rpc_link *rpc_link_new(struct rpc_loop *loop, const struct rpc_link_opts *opts,
	const struct rpc_link_events *events, void *owner, struct temporal_error *err)
{
	struct rpc_link *link = mem_zalloc(sizeof(*link));

	if (!link) {
		error_no_memory(err, "connection");
		return NULL;
	}
	link->loop = loop;
	link->opts = opts;
	link->events = events;
	link->owner = owner;
	link->socket.fd = -1;
	link->socket.flush.run = begin;
	rpc_loop_post(loop, &link->socket.flush);
	return link;
}

/* Open. */

static void keep_alive(struct rpc_timer *timer)
{
	struct rpc_link *link =
		(struct rpc_link *)(void *)((char *)timer - offsetof(struct rpc_link, timer));
	int64_t now_ns = rpc_now_ns();
	int64_t quiet_ns = now_ns - link->socket.last_read_ns;
	struct temporal_error err;

	if (quiet_ns < link->opts->keep_alive_ns) {
		link->pinged = false;
		rpc_timer_set(link->loop, timer,
			link->socket.last_read_ns + link->opts->keep_alive_ns, keep_alive);
		return;
	}
	if (link->pinged) {
		error_set(&err, TEMPORAL_UNAVAILABLE,
			"the server did not answer a ping within %lld ms",
			(long long)(link->opts->keep_alive_timeout_ns / RPC_MS_NS));
		fail(link, &err);
		return;
	}
	link->pinged = true;
	rpc_client_ping(link->session);
	rpc_socket_flush(&link->socket);
	rpc_timer_set(link->loop, timer, now_ns + link->opts->keep_alive_timeout_ns, keep_alive);
}

static void open_session(struct rpc_link *link)
{
	const struct rpc_client_opts opts = { .receive_max = link->opts->receive_max,
		.gzip = rpc_loop_gzip(link->loop) };
	struct temporal_error err;

	link->session = rpc_client_session_new(&opts, &err);
	if (!link->session) {
		fail(link, &err);
		return;
	}
	link->state = RPC_LINK_OPEN;
	rpc_timer_stop(&link->timer);
	if (link->opts->keep_alive_ns > 0)
		rpc_timer_set(link->loop, &link->timer, rpc_now_ns() + link->opts->keep_alive_ns,
			keep_alive);
	rpc_socket_flush(&link->socket);
	link->events->opened(link);
}

/* Closes a drained link. Not from within the session's callbacks. */
static void check_drained(struct rpc_link *link)
{
	if (link->state != RPC_LINK_OPEN || !rpc_client_draining(link->session))
		return;
	if (rpc_client_streams(link->session) == 0 && !rpc_client_wants_write(link->session) &&
		rpc_socket_is_flushed(&link->socket))
		end_link(link, NULL);
}

/* HTTP/2 gives a connection up by itself: for what the server has sent, or for want of memory amid
 * the headers of a request. What is still open on it would never be answered. */
static void check_over(struct rpc_link *link)
{
	struct temporal_error err;

	if (link->state != RPC_LINK_OPEN || !rpc_client_over(link->session))
		return;
	error_set(&err, TEMPORAL_UNAVAILABLE, "the connection ended by an error of its HTTP/2");
	fail(link, &err);
}

void rpc_link_drain(struct rpc_link *link)
{
	if (link->state != RPC_LINK_OPEN) {
		rpc_link_close(link);
		return;
	}
	rpc_client_goodbye(link->session);
	rpc_socket_flush(&link->socket);
}

/* The proxy. */

static void ask_proxy(struct rpc_link *link)
{
	const struct rpc_target *target = &link->opts->target;
	bool v6 = strchr(target->host, ':') != NULL;
	const char *auth = link->opts->proxy_authorization;

	link->state = RPC_LINK_PROXY;
	link->proxy_reply = mem_alloc(PROXY_REPLY_MAX);
	if (!link->proxy_reply) {
		struct temporal_error err;

		error_no_memory(&err, "proxy's answer");
		fail(link, &err);
		return;
	}
	int len = snprintf(link->proxy_reply, PROXY_REPLY_MAX,
		"CONNECT %s%s%s:%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n%s%s%s\r\n", v6 ? "[" : "",
		target->host, v6 ? "]" : "", target->port, v6 ? "[" : "", target->host,
		v6 ? "]" : "", target->port, auth ? "Proxy-Authorization: Basic " : "",
		auth ? auth : "", auth ? "\r\n" : "");
	link->proxy_len =
		(size_t)len; /* to be sent by fill(); then the same block takes the answer */
	rpc_socket_flush(&link->socket);
}

static void start_tls(struct rpc_link *link)
{
	struct temporal_error err;

	link->state = RPC_LINK_TLS;
	if (rpc_socket_start_tls(&link->socket, link->opts->tls, link->opts->server_name, &err) !=
		TEMPORAL_OK)
		fail(link, &err);
}

static void through(struct rpc_link *link)
{
	if (link->opts->tls)
		start_tls(link);
	else
		open_session(link);
}

/* The answer's first line is "HTTP/1.x 2xx ..."; what follows up to the empty line does not matter.
 */
static void proxy_received(struct rpc_link *link, const uint8_t *data, size_t len)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	unsigned status = 0;

	if (link->proxy_len + len >= PROXY_REPLY_MAX) {
		error_set(&err, TEMPORAL_UNAVAILABLE, "the proxy's answer is longer than %u bytes",
			PROXY_REPLY_MAX);
		fail(link, &err);
		return;
	}
	memcpy(link->proxy_reply + link->proxy_len, data, len);
	link->proxy_len += len;
	link->proxy_reply[link->proxy_len] = '\0';
	const char *last = strstr(link->proxy_reply, "\r\n\r\n");
	if (!last)
		return;
	if (sscanf(link->proxy_reply, "HTTP/1.%*1d %3u", &status) != 1 || status / 100 != 2)
		error_set(&err, TEMPORAL_UNAVAILABLE, "the proxy refused to connect: %.*s",
			(int)strcspn(link->proxy_reply, "\r\n"), link->proxy_reply);
	else if (last + 4 != link->proxy_reply + link->proxy_len)
		error_set(&err, TEMPORAL_UNAVAILABLE, "the proxy sent more than its answer");
	if (err.code != TEMPORAL_OK) {
		fail(link, &err);
		return;
	}
	mem_free(link->proxy_reply);
	link->proxy_reply = NULL;
	through(link);
}

/* The socket. */

static void on_ready(struct rpc_socket *socket)
{
	struct rpc_link *link = link_of(socket);

	if (link->state == RPC_LINK_TLS)
		open_session(link);
	else if (link->opts->proxy.host[0])
		ask_proxy(link);
	else
		through(link);
}

static void on_received(struct rpc_socket *socket, const uint8_t *data, size_t len)
{
	struct rpc_link *link = link_of(socket);
	struct temporal_error err;

	if (link->state == RPC_LINK_PROXY) {
		proxy_received(link, data, len);
		return;
	}
	if (link->state != RPC_LINK_OPEN)
		return;
	if (rpc_client_feed(link->session, data, len, socket->last_read_ns, &err) != TEMPORAL_OK) {
		rpc_socket_flush(socket);
		fail(link, &err);
		return;
	}
	link->served = true;
	link->pinged = false;
	rpc_pace_received(link);
	if (rpc_client_wants_write(link->session))
		rpc_socket_flush(socket);
	check_over(link);
	if (link->state != RPC_LINK_OPEN)
		return;
	link->events->changed(link);
	check_drained(link);
}

static size_t on_fill(struct rpc_socket *socket, uint8_t *out, size_t cap)
{
	struct rpc_link *link = link_of(socket);
	struct temporal_error err;
	size_t len = 0;

	if (link->state == RPC_LINK_PROXY) {
		len = link->proxy_len;
		memcpy(out, link->proxy_reply, len);
		link->proxy_len = 0;
		return len;
	}
	if (link->state != RPC_LINK_OPEN)
		return 0;
	if (rpc_client_drain(link->session, out, cap, &len, &err) != TEMPORAL_OK) {
		fail(link, &err);
		return 0;
	}
	if (len == 0) {
		check_drained(link);
		check_over(link);
	}
	return len;
}

static void on_broken(struct rpc_socket *socket, const struct temporal_error *err)
{
	struct rpc_link *link = link_of(socket);
	struct temporal_error closed;

	if (link->state == RPC_LINK_CONNECTING) {
		link->failure = *err;
		rpc_socket_close(socket); /* on_closed goes on with the next address */
		return;
	}
	if (err->code == TEMPORAL_OK) {
		error_set(&closed, TEMPORAL_UNAVAILABLE, "the server closed the connection");
		err = &closed;
	}
	fail(link, err);
}

static void on_closed(struct rpc_socket *socket)
{
	struct rpc_link *link = link_of(socket);

	if (link->state == RPC_LINK_CONNECTING)
		next_address(link);
	else
		link_free(link);
}

static const struct rpc_socket_events socket_events = {
	.ready = on_ready,
	.received = on_received,
	.fill = on_fill,
	.broken = on_broken,
	.closed = on_closed,
};

/* Calls. */

static struct rpc_call *call_of(struct rpc_client_stream *stream)
{
	return (struct rpc_call *)(void *)((char *)stream -
					   offsetof(struct rpc_call, http2.stream));
}

static void on_message(
	struct rpc_client_stream *stream, const uint8_t *data, size_t len, size_t wire_len)
{
	rpc_call_message(call_of(stream), data, len, wire_len);
}

/* A server without gzip refuses the compressed request before it begins with it: the same is sent
 * plain. */
static bool is_gzip_refused(const struct rpc_call *call, const struct rpc_end *end)
{
	if (!call->http2.gzipped || end->code != TEMPORAL_UNIMPLEMENTED)
		return false;
	return end->no_gzip || strstr(end->message, "ecompress") ||
	       strstr(end->message, "encoding");
}

static void on_end(struct rpc_client_stream *stream, const struct rpc_end *end)
{
	struct rpc_call *call = call_of(stream);
	struct rpc_link *link = call->http2.link;
	struct rpc_end own = *end;

	call->http2.link = NULL;
	if (call->http2.prompt)
		link->pace.n_prompt--;
	if (call->http2.cancelling)
		return;
	if (is_gzip_refused(call, end)) {
		link->events->no_gzip(link);
		own.refused = true;
	}
	rpc_call_end_try(call, &own);
}

static const struct rpc_client_events stream_events = {
	.message = on_message,
	.end = on_end,
};

static bool wants_gzip(const struct rpc_link *link, size_t len)
{
	if (!link->opts->compress || len < RPC_GZIP_LEAST)
		return false;
	return link->opts->compress_always || !rpc_address_is_loopback(&link->peer);
}

/* The request's body, compressed if that is worth it. In the call's arena, so that a retry finds
 * the original. */
static struct str body(struct rpc_link *link, struct rpc_call *call)
{
	size_t len = call->wire.len - RPC_PREFIX_SIZE, packed = 0;
	uint8_t *out = NULL;

	call->http2.gzipped = false;
	if (wants_gzip(link, len))
		out = arena_alloc(&call->arena, RPC_PREFIX_SIZE + len);
	if (out)
		packed = rpc_gzip_deflate(rpc_loop_gzip(link->loop),
			call->wire.ptr + RPC_PREFIX_SIZE, len, out + RPC_PREFIX_SIZE, len - 1);
	if (packed == 0)
		return (struct str){ (const char *)call->wire.ptr, call->wire.len };
	call->http2.gzipped = true;
	rpc_prefix_write(out, true, packed);
	return (struct str){ (const char *)out, RPC_PREFIX_SIZE + packed };
}

/*
 * What is left of the try's time. A call that has just begun says the whole: a text that is the
 * same for all calls is a byte in HPACK, where each new one is 15 and puts another header out of
 * the table.
 */
static int64_t timeout_of(const struct rpc_call *call)
{
	int64_t left_ns = call->try_deadline_ns - rpc_now_ns();

	return left_ns > call->timeout_ns - RPC_TIMEOUT_ROUND_NS ? call->timeout_ns : left_ns;
}

static size_t fields_of(struct rpc_link *link, struct rpc_call *call, nghttp2_nv *fields)
{
	const char *scheme = link->opts->tls ? "https" : "http", *authority = link->opts->authority;
	size_t n = 0, timeout_len;

	timeout_len = rpc_timeout_format(timeout_of(call), call->http2.timeout);
	fields[n++] = RPC_NV(":method", "POST", 4);
	fields[n++] = RPC_NV(":scheme", scheme, strlen(scheme));
	fields[n++] = RPC_NV(":path", call->method->path, strlen(call->method->path));
	fields[n++] = RPC_NV(":authority", authority, strlen(authority));
	fields[n++] = RPC_NV("te", "trailers", 8);
	fields[n++] = RPC_NV("content-type", "application/grpc", 16);
	fields[n++] = RPC_NV("user-agent", RPC_USER_AGENT, sizeof(RPC_USER_AGENT) - 1);
	fields[n++] = RPC_NV("grpc-accept-encoding", "gzip", 4);
	fields[n++] = RPC_NV("grpc-timeout", call->http2.timeout, timeout_len);
	if (call->http2.gzipped)
		fields[n++] = RPC_NV("grpc-encoding", "gzip", 4);
	for (size_t i = 0; i < call->headers->n; i++) {
		const struct rpc_header *header = &call->headers->fields[i];

		fields[n++] =
			rpc_nv(header->name, strlen(header->name), header->value, header->len);
	}
	for (size_t i = 0; i < call->n_fields; i++)
		fields[n++] = rpc_nv(call->fields[i].name, strlen(call->fields[i].name),
			call->fields[i].value, call->fields[i].len);
	return n;
}

bool rpc_link_takes_calls(const struct rpc_link *link)
{
	return link->state == RPC_LINK_OPEN && !rpc_client_draining(link->session) &&
	       !rpc_client_full(link->session);
}

enum temporal_code rpc_link_start(
	struct rpc_link *link, struct rpc_call *call, struct temporal_error *err)
{
	nghttp2_nv fields[10 + RPC_HEADER_FIELDS_MAX];
	struct str content = body(link, call);
	size_t n = fields_of(link, call, fields);

	rpc_client_stream_init(&call->http2.stream, &stream_events);
	call->http2.cancelling = false;
	call->http2.outgoing =
		(struct rpc_outgoing){ .data = (const uint8_t *)content.ptr, .len = content.len };
	enum temporal_code code =
		rpc_client_open(link->session, &call->http2.stream, fields, n, err);
	if (code != TEMPORAL_OK)
		return code;
	call->http2.link = link;
	rpc_pace_expect(link, call);
	rpc_client_send(&call->http2.stream, &call->http2.outgoing);
	rpc_client_send_end(&call->http2.stream);
	rpc_socket_flush(&link->socket);
	return TEMPORAL_OK;
}

void rpc_link_cancel(struct rpc_call *call)
{
	struct rpc_link *link = call->http2.link;

	if (!link)
		return;
	call->http2.cancelling = true;
	rpc_client_cancel(&call->http2.stream, TEMPORAL_CANCELLED, "");
	if (link->state == RPC_LINK_OPEN)
		rpc_socket_flush(&link->socket);
}
