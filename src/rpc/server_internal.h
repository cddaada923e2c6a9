/*
 * server_internal.h: what server.c (listening, connections) and server_call.c (requests, replies)
 * share.
 */
#ifndef RPC_SERVER_INTERNAL_H
#define RPC_SERVER_INTERNAL_H

#include "rpc/resolve.h"
#include "rpc/server.h"
#include "rpc/server_session.h"
#include "rpc/socket.h"

struct rpc_peer;

struct rpc_server_call {
	struct rpc_server_stream stream; /* first: the session's events cast */
	struct rpc_server *server;
	struct rpc_peer *peer; /* NULL: the connection is gone */
	struct rpc_server_call *next_free;
	const struct rpc_server_method *method;
	struct arena arena; /* of the request */
	const void *request;
	bool handling; /* the handler owes an answer */
	bool gone;     /* the session has forgotten the stream */
	bool leaving;  /* ... and the handler is being told */
	bool extra_message, notified;
	struct rpc_timer deadline;
	struct rpc_outgoing outgoing; /* the unary reply */
	void (*cancelled)(struct rpc_server_call *call, void *user);
	void *cancelled_user;
	void *data;
};

/* A connection. */
struct rpc_peer {
	struct rpc_socket socket; /* first: the socket's events cast */
	struct rpc_server *server;
	struct rpc_peer *next, *prev;
	struct rpc_server_session *session;
	union rpc_address address; /* zeroed: unknown */
	int64_t opened_ns, age_max_ns;
	int64_t notice_ns; /* when GOAWAY was sent first; 0: not yet */
	bool ready, final, remote, lingering;
};

struct rpc_server {
	struct rpc_loop *loop;
	struct rpc_server_opts opts;
	struct rpc_tls_context *tls;
	const struct rpc_server_method **table; /* by hash of the path */
	size_t table_size;
	int listener;
	uint16_t port;
	uv_poll_t accept;
	struct rpc_task start, stop;
	bool accepting, stopping;
	int64_t stop_grace_ms, cut_at_ns;
	void (*stopped)(void *user);
	void *stopped_user;
	bool listener_closed;
	struct rpc_peer *peers;
	unsigned n_peers;
	struct rpc_server_call *free_calls;
	unsigned n_free;
	unsigned n_calls; /* not yet freed */
	uint64_t calls_total;
	size_t unsent; /* bytes of answers that wait for their clients */
	struct rpc_timer tick, accept_again;
};

extern const struct rpc_server_events rpc_server_call_events;

/* The server may be over now: everything closed, every call answered. */
void rpc_server_check_over(struct rpc_server *server);

/* Frees the calls in the pool. */
void rpc_server_calls_finish(struct rpc_server *server);

const struct rpc_server_method *rpc_server_find(const struct rpc_server *server, const char *path);

#endif
