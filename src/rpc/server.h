/*
 * server.h: a gRPC server on a loop: it listens, decodes requests and hands them to functions of a
 * table. All callbacks come on the loop's thread, with no lock held, and must not block; all
 * functions but those marked are for that thread.
 */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "rpc/channel.h"
#include "rpc/loop.h"

struct rpc_server;
struct rpc_server_call;

/* A method whose messages come and go one by one. All but `open` and `gone` may be NULL. */
struct rpc_server_streaming {
	/* The call begins: the handler owes rpc_server_end from now on. */
	void (*open)(struct rpc_server_call *call, void *user);
	/* A message of the client; valid during the call. */
	void (*message)(struct rpc_server_call *call, const void *message, void *user);
	/* The client has sent all. */
	void (*half_closed)(struct rpc_server_call *call, void *user);
	/* The client is gone, before or after rpc_server_end; the last callback of the call, which
	 * is gone with it. */
	void (*gone)(struct rpc_server_call *call, void *user);
};

/* A line of the service table. */
struct rpc_server_method {
	const struct rpc_method *method;
	/*
	 * A unary method: `request` was decoded and checked; it is in rpc_server_arena(call) and
	 * lives as long as the call, unless the arena is moved out. The handler owes exactly one
	 * rpc_server_reply or rpc_server_fail, now or later; the call is its until then, even if
	 * the client is gone meanwhile.
	 */
	void (*handle)(struct rpc_server_call *call, const void *request, void *user);
	const struct rpc_server_streaming *streaming; /* instead of `handle` */
	void *user;
};

/* Everything is copied but the table. Durations: 0 is the default, negative is off. */
struct rpc_server_opts {
	const char *host;               /* an address or "localhost"; NULL: 127.0.0.1 */
	uint16_t port;                  /* 0: any free one, see rpc_server_port */
	const char *cert_pem, *key_pem; /* with them it speaks TLS */
	const char *client_ca_pem;      /* with it clients need a certificate that it signed */
	size_t cert_pem_len, key_pem_len, client_ca_pem_len;
	const struct rpc_server_method *methods; /* borrowed for the server's life */
	size_t n_methods;
	size_t max_receive_size;  /* of one request after inflation; 4 MiB */
	size_t max_send_size;     /* of one reply; 128 MiB */
	unsigned max_streams;     /* open at a time on a connection; 1000 */
	unsigned max_connections; /* 4096; beyond it, connections wait to be accepted */
	/* Of one address: more are closed at once, so that no other machine can take all of the
	 * above. Default: half of them; as many as there are for this machine itself. */
	unsigned max_connections_per_address;
	/* Default: larger replies to clients on other machines that accept gzip are compressed. */
	bool no_compression;
	bool compress_always; /* to clients on this machine too */
	int64_t max_age_ms; /* of a connection: GOAWAY and a new one, as the real server; 5 minutes
			       +- 10 % */
	int64_t max_age_grace_ms; /* for the calls that run then; 70 s */
	/* The text of the page at "/", for people and health checks, made in the arena; NULL:
	 * counters. */
	const char *(*status_page)(struct arena *arena, void *user);
	void *user;
};

/*
 * Listens from now on; connections are served once the loop runs. Any thread. NULL:
 * INVALID_ARGUMENT for bad options, UNAVAILABLE when the address cannot be bound.
 */
struct rpc_server *rpc_server_new(struct rpc_loop *loop, const struct rpc_server_opts *opts,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* The port it listens on. Any thread. */
uint16_t rpc_server_port(const struct rpc_server *server);

/*
 * Stops: no new connections, GOAWAY to the open ones; calls that run have `grace_ms` to end, then
 * connections are cut. `stopped` (may be NULL) is called when all connections are closed and every
 * handler has answered; the server is gone then. Any thread, once.
 */
void rpc_server_stop(
	struct rpc_server *server, int64_t grace_ms, void (*stopped)(void *user), void *user);

/* Answers a unary call; the message is encoded before this returns. */
void rpc_server_reply(struct rpc_server_call *call, const void *message);

/*
 * Answers with a failure. `status`: a Common__GrpcStatus with typed details, or NULL. The message
 * is for the client.
 */
void rpc_server_fail(struct rpc_server_call *call, enum temporal_code code, const char *message,
	const void *status);

/* A streaming call's messages and end. Sending fails with CANCELLED when the client is gone. */
enum temporal_code rpc_server_send_message(struct rpc_server_call *call, const void *message,
	struct temporal_error *err) __attribute__((warn_unused_result));
void rpc_server_end(struct rpc_server_call *call, enum temporal_code code, const char *message,
	const void *status);

/* The arena of the call's request; it may be moved out (copied, and the original zeroed). */
struct arena *rpc_server_arena(struct rpc_server_call *call);

/* When the client stops waiting, CLOCK_MONOTONIC in ns; INT64_MAX: it does not say. */
int64_t rpc_server_deadline_ns(const struct rpc_server_call *call);

/* A header of the request as on the wire (binary ones in base64), NULL if it is not there. Borrowed
 * from the call. */
const char *rpc_server_header(const struct rpc_server_call *call, const char *name);
const char *rpc_server_path(const struct rpc_server_call *call);

/* Metadata of the reply; before it. `-bin` values are bytes. */
enum temporal_code rpc_server_add_header(struct rpc_server_call *call,
	const struct rpc_header *header, bool trailer, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * `cancelled` is called once if the client gives up, disconnects, or the deadline passes before the
 * call is answered. The handler still owes the answer (which nobody gets). Not called from within
 * this function.
 */
void rpc_server_on_cancel(struct rpc_server_call *call,
	void (*cancelled)(struct rpc_server_call *call, void *user), void *user);

/* A place for the handler's own pointer; NULL at first. */
void **rpc_server_data(struct rpc_server_call *call);
struct rpc_loop *rpc_server_loop(const struct rpc_server_call *call);

#endif
