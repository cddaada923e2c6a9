/*
 * server.c: listening, connections and their end.
 *
 *   new --> accepting --> stop: GOAWAY to all --> calls end, or grace is over
 *                                                 --> all closed and answered --> `stopped`
 *
 * A connection older than max_age is told to go the same way: first a GOAWAY that names no stream
 * (requests under way are still served), a second later one with the last stream, and when its
 * calls are over, or after the grace, it is closed.
 *
 * One timer a server looks after all its connections, each two seconds, and only while there are
 * any.
 */
#include "rpc/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/inherit.h"
#include "base/mem.h"
#include "base/str.h"
#include "rpc/limits.h"
#include "rpc/server_internal.h"
#include "rpc/tls.h"

#define BACKLOG         511
#define ACCEPTS_A_TURN  64
#define ACCEPT_PAUSE_MS 100 /* after the process ran out of descriptors */

/* The service table. */

static size_t hash(const char *path)
{
	size_t h = 14695981039346656037U; /* FNV-1a */

	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * 1099511628211U;
	return h ^ h >> 29;
}

const struct rpc_server_method *rpc_server_find(const struct rpc_server *server, const char *path)
{
	size_t mask = server->table_size - 1;

	for (size_t i = hash(path) & mask; server->table[i]; i = (i + 1) & mask) {
		if (strcmp(server->table[i]->method->path, path) == 0)
			return server->table[i];
	}
	return NULL;
}

static enum temporal_code build_table(struct rpc_server *server, struct temporal_error *err)
{
	size_t size = 8;

	while (size < server->opts.n_methods * 2)
		size *= 2;
	server->table_size = size;
	server->table = mem_zalloc(size * sizeof(*server->table));
	if (!server->table)
		return error_no_memory(err, "service table");
	for (size_t m = 0; m < server->opts.n_methods; m++) {
		const struct rpc_server_method *method = &server->opts.methods[m];
		size_t i = hash(method->method->path) & (size - 1);

		while (server->table[i])
			i = (i + 1) & (size - 1);
		server->table[i] = method;
	}
	return TEMPORAL_OK;
}

/* Connections. */

static const struct rpc_socket_events peer_events;

static void update_accept(struct rpc_server *server);

static struct rpc_peer *peer_of(struct rpc_socket *socket)
{
	return (struct rpc_peer *)(void *)socket;
}

static void peer_close(struct rpc_peer *peer)
{
	struct rpc_server_session *session = peer->session;

	peer->session = NULL;
	rpc_server_session_free(session);
	rpc_socket_close(&peer->socket);
}

static void on_closed(struct rpc_socket *socket)
{
	struct rpc_peer *peer = peer_of(socket);
	struct rpc_server *server = peer->server;

	if (peer->prev)
		peer->prev->next = peer->next;
	else
		server->peers = peer->next;
	if (peer->next)
		peer->next->prev = peer->prev;
	server->n_peers--;
	mem_free(peer);
	update_accept(server);
	rpc_server_check_over(server);
}

static void on_ready(struct rpc_socket *socket)
{
	struct rpc_peer *peer = peer_of(socket);
	const struct rpc_server_session_opts opts = {
		.events = &rpc_server_call_events,
		.owner = peer,
		.gzip = rpc_loop_gzip(peer->server->loop),
		.receive_max = peer->server->opts.max_receive_size,
		.streams_max = peer->server->opts.max_streams,
		.unsent_all = &peer->server->unsent,
	};

	peer->ready = true;
	peer->session = rpc_server_session_new(&opts, rpc_now_ns(), NULL);
	if (!peer->session)
		rpc_socket_close(socket);
	else
		rpc_socket_flush(socket);
}

/*
 * All is said. Closing with unread bytes would reset the connection, and the client might lose our
 * last words: so only our side is shut, and what still comes is read and dropped until the client
 * closes, or the next tick.
 */
static void linger(struct rpc_peer *peer)
{
	struct rpc_server_session *session = peer->session;

	peer->session = NULL;
	rpc_server_session_free(session);
	peer->lingering = true;
	rpc_socket_pause(&peer->socket, false);
	shutdown(peer->socket.fd, SHUT_WR);
}

/* Closes what has nothing left to do. Not from within the session. */
static void check_over(struct rpc_peer *peer)
{
	if (!peer->session || !rpc_socket_is_flushed(&peer->socket))
		return;
	bool served = peer->final && rpc_server_streams(peer->session) == 0 &&
		      !rpc_server_wants_write(peer->session);
	if (served || rpc_server_over(peer->session))
		linger(peer);
}

static void on_received(struct rpc_socket *socket, const uint8_t *data, size_t len)
{
	struct rpc_peer *peer = peer_of(socket);

	if (!peer->session)
		return;
	enum temporal_code code =
		rpc_server_feed(peer->session, data, len, socket->last_read_ns, NULL);
	if (code != TEMPORAL_OK) {
		rpc_server_goaway(peer->session);
		peer->final = true;
		rpc_socket_pause(socket, true);
		peer->notice_ns =
			rpc_now_ns() -
			RPC_S_NS * 3600; /* cut at the next tick, if it does not close before */
	}
	if (rpc_server_is_clogged(peer->session))
		rpc_socket_pause(socket, true);
	rpc_socket_flush(socket);
}

static size_t on_fill(struct rpc_socket *socket, uint8_t *out, size_t cap)
{
	struct rpc_peer *peer = peer_of(socket);
	struct temporal_error err;
	size_t len = 0;

	if (!peer->session)
		return 0;
	if (rpc_server_drain(peer->session, out, cap, &len, &err) != TEMPORAL_OK) {
		peer_close(peer);
		return 0;
	}
	if (socket->stop_reading && !peer->final && !rpc_server_is_clogged(peer->session))
		rpc_socket_pause(socket, false);
	if (len == 0)
		check_over(peer);
	return len;
}

static void on_broken(struct rpc_socket *socket, const struct temporal_error *err)
{
	peer_close(peer_of(socket));
}

static const struct rpc_socket_events peer_events = {
	.ready = on_ready,
	.received = on_received,
	.fill = on_fill,
	.broken = on_broken,
	.closed = on_closed,
};

static void begin_going(struct rpc_peer *peer, int64_t now_ns)
{
	if (peer->notice_ns != 0 || !peer->session)
		return;
	peer->notice_ns = now_ns;
	peer->final = peer->server->stopping && rpc_server_streams(peer->session) == 0;
	if (peer->final)
		rpc_server_goaway(peer->session);
	else
		rpc_server_notice(peer->session);
	rpc_socket_flush(&peer->socket);
}

/* GOAWAY by age, its second step, the end of grace. */
static void tick_age(struct rpc_peer *peer, int64_t now_ns)
{
	const struct rpc_server *server = peer->server;

	if (peer->age_max_ns > 0 && now_ns - peer->opened_ns > peer->age_max_ns)
		begin_going(peer, now_ns);
	if (peer->notice_ns == 0)
		return;
	int64_t going_ms = (now_ns - peer->notice_ns) / RPC_MS_NS;
	if (going_ms > server->opts.max_age_grace_ms && server->opts.max_age_grace_ms >= 0) {
		peer_close(peer);
		return;
	}
	if (peer->final || going_ms < RPC_SHUTDOWN_NOTICE_MS)
		return;
	peer->final = true;
	rpc_server_goaway(peer->session);
	rpc_socket_flush(&peer->socket);
}

static void tick_peer(struct rpc_peer *peer, int64_t now_ns)
{
	if (!peer->ready) {
		if (now_ns - peer->opened_ns > RPC_TLS_TIMEOUT_MS * RPC_MS_NS)
			peer_close(peer);
		return;
	}
	if (!peer->session) {
		peer_close(peer);
		return;
	}
	if (!rpc_server_tick(peer->session, now_ns)) {
		peer_close(peer);
		return;
	}
	rpc_socket_flush(&peer->socket);
	tick_age(peer, now_ns);
}

static void on_tick(struct rpc_timer *timer)
{
	struct rpc_server *server =
		(struct rpc_server *)(void *)((char *)timer - offsetof(struct rpc_server, tick));
	int64_t now_ns = rpc_now_ns();
	int64_t again_ms = server->stopping ? 100 : RPC_TICK_MS;

	for (struct rpc_peer *peer = server->peers, *next; peer; peer = next) {
		next = peer->next; /* closing does not unlink yet */
		if (server->stopping && now_ns >= server->cut_at_ns)
			peer_close(peer);
		else
			tick_peer(peer, now_ns);
	}
	if (server->peers)
		rpc_timer_set(server->loop, timer, now_ns + again_ms * RPC_MS_NS, on_tick);
}

/* Accepting. */

/* Spread by 10 % either way, so that clients that came together do not all come again together. */
static int64_t age_max_ns(const struct rpc_server *server, int64_t now_ns)
{
	int64_t age_ms = server->opts.max_age_ms;

	if (age_ms < 0)
		return 0;
	return (age_ms - age_ms / 10 +
		       (int64_t)((uint64_t)now_ns / 1000 % (uint64_t)(age_ms / 5 + 1))) *
	       RPC_MS_NS;
}

/* Has this address as many connections as it may have? */
static bool has_enough(const struct rpc_server *server, const union rpc_address *address)
{
	unsigned most = server->opts.max_connections_per_address, n = 0;

	if (most == 0 && rpc_address_is_loopback(address))
		return false;
	if (most == 0)
		most = (server->opts.max_connections + 1) / 2;
	if (server->n_peers < most)
		return false;
	for (const struct rpc_peer *peer = server->peers; peer && n < most; peer = peer->next)
		n += rpc_address_same(&peer->address, address);
	return n == most;
}

static void add_peer(struct rpc_server *server, int fd)
{
	union rpc_address address = { 0 };
	socklen_t len = sizeof(address);
	bool known = getpeername(fd, &address.any, &len) == 0;
	struct rpc_peer *peer =
		known && has_enough(server, &address) ? NULL : mem_zalloc(sizeof(*peer));

	if (!peer) {
		close(fd);
		return;
	}
	if (rpc_socket_accept(&peer->socket, server->loop, &peer_events, fd, NULL) != TEMPORAL_OK) {
		mem_free(peer);
		return;
	}
	peer->server = server;
	peer->address = address;
	peer->remote = known && !rpc_address_is_loopback(&address);
	peer->opened_ns = rpc_now_ns();
	peer->age_max_ns = age_max_ns(server, peer->opened_ns);
	peer->next = server->peers;
	if (peer->next)
		peer->next->prev = peer;
	server->peers = peer;
	server->n_peers++;
	if (!server->tick.armed)
		rpc_timer_set(server->loop, &server->tick,
			peer->opened_ns + RPC_TICK_MS * RPC_MS_NS, on_tick);
	if (!server->tls)
		on_ready(&peer->socket);
	else if (rpc_socket_start_tls(&peer->socket, server->tls, NULL, NULL) != TEMPORAL_OK)
		peer_close(peer);
}

static void on_accept_again(struct rpc_timer *timer)
{
	update_accept((struct rpc_server *)(void *)((char *)timer -
						    offsetof(struct rpc_server, accept_again)));
}

static void on_accept(uv_poll_t *poll, int status, int events)
{
	struct rpc_server *server = poll->data;

	for (int i = 0; i < ACCEPTS_A_TURN && server->n_peers < server->opts.max_connections; i++) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			add_peer(server, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			uv_poll_stop(
				poll); /* the connection stays in the backlog: polling would spin */
			server->accepting = false;
			rpc_timer_set(server->loop, &server->accept_again,
				rpc_now_ns() + ACCEPT_PAUSE_MS * RPC_MS_NS, on_accept_again);
			return;
		}
		if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
	update_accept(server);
}

static void update_accept(struct rpc_server *server)
{
	bool wanted = !server->stopping && !server->accept_again.armed &&
		      server->n_peers < server->opts.max_connections;

	if (server->stopping || wanted == server->accepting)
		return;
	server->accepting = wanted;
	if (wanted)
		uv_poll_start(&server->accept, UV_READABLE, on_accept);
	else
		uv_poll_stop(&server->accept);
}

static void on_start(struct rpc_task *task)
{
	struct rpc_server *server =
		(struct rpc_server *)(void *)((char *)task - offsetof(struct rpc_server, start));

	if (uv_poll_init(rpc_loop_uv(server->loop), &server->accept, server->listener) < 0) {
		server->listener_closed = true; /* nobody is served; stop works */
		return;
	}
	server->accept.data = server;
	update_accept(server);
}

/* Stopping. */

static void server_free(struct rpc_server *server)
{
	rpc_server_calls_finish(server);
	rpc_tls_context_free(server->tls);
	mem_free(server->table);
	mem_free(server);
}

void rpc_server_check_over(struct rpc_server *server)
{
	if (!server->stopping || !server->listener_closed || server->n_peers > 0 ||
		server->n_calls > 0)
		return;
	void (*stopped)(void *user) =
		server->stopped; /* another thread wrote it before `stopping` */
	void *user = server->stopped_user;
	rpc_timer_stop(&server->tick);
	rpc_timer_stop(&server->accept_again);
	server_free(server);
	if (stopped)
		stopped(user);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct rpc_server *server = handle->data;

	inherit_close(server->listener);
	server->listener_closed = true;
	rpc_server_check_over(server);
}

static void on_stop(struct rpc_task *task)
{
	struct rpc_server *server =
		(struct rpc_server *)(void *)((char *)task - offsetof(struct rpc_server, stop));
	int64_t now_ns = rpc_now_ns();

	server->stopping = true;
	server->cut_at_ns = now_ns + server->stop_grace_ms * RPC_MS_NS;
	for (struct rpc_peer *peer = server->peers; peer; peer = peer->next)
		begin_going(peer, now_ns);
	if (server->peers)
		rpc_timer_set(server->loop, &server->tick, now_ns, on_tick);
	if (!server->listener_closed) {
		uv_poll_stop(&server->accept);
		uv_close((uv_handle_t *)&server->accept, on_listener_closed);
		return;
	}
	inherit_close(server->listener);
	rpc_server_check_over(server);
}

void rpc_server_stop(
	struct rpc_server *server, int64_t grace_ms, void (*stopped)(void *user), void *user)
{
	server->stop_grace_ms = grace_ms > 0 ? grace_ms : 0;
	server->stopped = stopped;
	server->stopped_user = user;
	server->stop.run = on_stop;
	rpc_loop_post(server->loop, &server->stop);
}

/* Starting. */

static enum temporal_code listen_on(
	struct rpc_server *server, const char *host, struct temporal_error *err)
{
	struct rpc_target target = { .port = "1" };
	struct rpc_addresses addresses;
	union rpc_address bound = { 0 };
	socklen_t len = sizeof(bound);
	int one = 1;

	if (strlen(host) < sizeof(target.host))
		memcpy(target.host, host, strlen(host) + 1);
	rpc_resolve_literal(&target, &addresses);
	if (addresses.n == 0)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"listen address \"%s\": expected an IP address or localhost", host);
	union rpc_address *address = &addresses.list[0];
	bool v6 = address->any.sa_family == AF_INET6;
	if (v6)
		address->v6.sin6_port = htons(server->opts.port);
	else
		address->v4.sin_port = htons(server->opts.port);
	server->listener =
		socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->listener < 0)
		return error_set(
			err, TEMPORAL_UNAVAILABLE, "cannot open a socket: %s", strerror(errno));
	inherit_not(server->listener);
	setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(server->listener, &address->any, v6 ? sizeof(address->v6) : sizeof(address->v4)) <
			0 ||
		listen(server->listener, BACKLOG) < 0 ||
		getsockname(server->listener, &bound.any, &len) < 0) {
		error_set(err, TEMPORAL_UNAVAILABLE, "cannot listen on %s port %u: %s", host,
			server->opts.port, strerror(errno));
		inherit_close(server->listener);
		return TEMPORAL_UNAVAILABLE;
	}
	server->port = ntohs(v6 ? bound.v6.sin6_port : bound.v4.sin_port);
	return TEMPORAL_OK;
}

static void set_defaults(struct rpc_server_opts *opts)
{
	if (opts->max_send_size == 0)
		opts->max_send_size = RPC_SERVER_SEND_MAX;
	if (opts->max_connections == 0)
		opts->max_connections = RPC_CONNECTIONS_MAX;
	if (opts->max_age_ms == 0)
		opts->max_age_ms = 300000;
	if (opts->max_age_grace_ms == 0)
		opts->max_age_grace_ms = 70000;
}

static enum temporal_code use_tls(struct rpc_server *server, struct temporal_error *err)
{
	const struct rpc_server_opts *o = &server->opts;
	const struct rpc_tls_opts tls = {
		o->client_ca_pem,
		o->cert_pem,
		o->key_pem,
		o->client_ca_pem_len,
		o->cert_pem_len,
		o->key_pem_len,
	};

	if (!o->cert_pem && !o->key_pem && !o->client_ca_pem)
		return TEMPORAL_OK;
	server->tls = rpc_tls_server_context(&tls, err);
	return server->tls ? TEMPORAL_OK : TEMPORAL_INVALID_ARGUMENT;
}

struct rpc_server *rpc_server_new(
	struct rpc_loop *loop, const struct rpc_server_opts *opts, struct temporal_error *err)
{
	struct rpc_server *server = mem_zalloc(sizeof(*server));

	if (!server) {
		error_no_memory(err, "server");
		return NULL;
	}
	server->loop = loop;
	server->opts = *opts;
	set_defaults(&server->opts);
	enum temporal_code code = build_table(server, err);
	if (code == TEMPORAL_OK)
		code = use_tls(server, err);
	if (code == TEMPORAL_OK)
		code = listen_on(server, opts->host ? opts->host : "127.0.0.1", err);
	if (code != TEMPORAL_OK) {
		server_free(server);
		return NULL;
	}
	server->start.run = on_start;
	rpc_loop_post(loop, &server->start);
	return server;
}

uint16_t rpc_server_port(const struct rpc_server *server)
{
	return server->port;
}
