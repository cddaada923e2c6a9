/*
 * server.h: a Temporal server in this process.
 *
 * It is durable when it has a database file: what it has acknowledged survives kill -9 and a power
 * cut. Clients of this process use it without a socket (`.server` of temporal_client_connect's
 * options); with `.port` it serves others too.
 */
#ifndef TEMPORAL_SERVER_H
#define TEMPORAL_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_server;

/* What a port of TEMPORAL_SERVER_ANY_PORT means: any free one. */
#define TEMPORAL_SERVER_ANY_PORT (-2)

/* Everything is copied before the call returns. */
struct temporal_server_opts {
	/* The database file, made if it is not there. NULL: everything is in memory and gone with
	 * the server. */
	const char *db;
	/* The address to listen on. NULL: 127.0.0.1. */
	const char *host;
	/* The port to listen on; 0: it does not listen, it serves this process alone;
	 * TEMPORAL_SERVER_ANY_PORT: any free one, see temporal_server_port. */
	int32_t port;
	/* Namespaces to register besides "default", NULL-terminated; NULL: none. */
	const char *const *namespaces;
	/* Called when the server can no longer do what it promises (the disk failed, memory is
	 * out). Every call gets UNAVAILABLE from then on. Comes once, on the server's thread, no
	 * lock held; it must not call back in. */
	void (*fatal)(const char *message, void *user);
	void *user;
	uint64_t reserved[4];
};

/*
 * Starts a server; it is ready when this returns. NULL: INVALID_ARGUMENT for bad options,
 * UNAVAILABLE when the address cannot be bound or the file not be opened, DATA_LOSS for a file that
 * is damaged. Any thread. Use the macro temporal_server_start(&err, .db = "orders.db").
 */
TEMPORAL_API struct temporal_server *temporal_server_start_sized(struct temporal_error *err,
	const struct temporal_server_opts *opts, size_t size) TEMPORAL_MUST_USE;

#define temporal_server_start(err_, ...) \
	temporal_server_start_sized((err_), &(struct temporal_server_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_server_opts))

/* The port it listens on; 0: none. Any thread. */
TEMPORAL_API uint16_t temporal_server_port(const struct temporal_server *server);

/*
 * Stops: calls that run are given a moment to end; what was acknowledged is in the file. Clients of
 * this process have to be gone before. NULL is fine. Not on the server's own thread.
 */
TEMPORAL_API void temporal_server_stop(struct temporal_server *server);

#ifdef __cplusplus
}
#endif
#endif
