/*
 * server.h: a Temporal server in this process.
 *
 * It is durable when it has a database file: what it has acknowledged survives kill -9 and a power
 * cut. Clients of this process use it without a socket (`.server` of temporal_client_connect's
 * options); with `.port` it serves others too.
 */
#ifndef TEMPORAL_SERVER_H
#define TEMPORAL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_metrics; /* <temporal/metrics.h> */
struct temporal_server;

/* What a port of TEMPORAL_SERVER_ANY_PORT means: any free one. */
#define TEMPORAL_SERVER_ANY_PORT (-2)

/*
 * Virtual time, for tests: the server's clock jumps to the next timer whenever nothing else can
 * happen: no lock is held (temporal_server_lock_time, or LockTimeSkipping of the API's test
 * service), and no workflow task, activity or query waits for a worker or is with one. While a lock
 * is held the clock keeps the real one's pace.
 */
enum temporal_time_skipping {
	TEMPORAL_TIME_SKIPPING_OFF,      /* the real clock; there is no test service */
	TEMPORAL_TIME_SKIPPING_UNLOCKED, /* no lock is held at the start */
	TEMPORAL_TIME_SKIPPING_LOCKED,   /* one lock is, as the test kits of other SDKs expect */
};

/* Texts in PEM form, not paths. */
struct temporal_server_tls_opts {
	const char *cert_pem;      /* the server's certificate chain */
	const char *key_pem;       /* and its private key */
	const char *client_ca_pem; /* clients need a certificate that it signed; NULL: none */
};

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
	/* Search attributes of all these namespaces, each as "NAME=TYPE", NULL-terminated; NULL:
	 * none. */
	const char *const *search_attributes;
	/* Called when the server can no longer do what it promises (the disk failed, memory is
	 * out). Every call gets UNAVAILABLE from then on. Comes once, on the server's thread, no
	 * lock held; it must not call back in. */
	void (*fatal)(const char *message, void *user);
	void *user;
	/* A database whose clock has been skipped goes on from there, and cannot be opened without
	 * time skipping any more. */
	enum temporal_time_skipping time_skipping;
	/* The listener speaks TLS. NULL: cleartext, which on another address than loopback's is
	 * refused unless allow_insecure. */
	const struct temporal_server_tls_opts *tls;
	bool allow_insecure;
	/* Calls over the network have to show one of these as "authorization: Bearer KEY", all but
	 * GetSystemInfo and the health check; NULL-terminated. NULL: none is asked for. */
	const char *const *api_keys;
	/* Limits under the official server's names, each "KEY=VALUE" with the value in JSON
	 * ("limit.blobSize.error=10240"); NULL-terminated, or NULL. */
	const char *const *dynamic_config;
	/* Told during the start what is unusual and no error (dynamic_config without effect), on
	 * the caller's thread. NULL: nobody is. */
	void (*warn)(const char *message, void *user);
	/* The port of the Nexus HTTP API, on the same address; 0: there is none;
	 * TEMPORAL_SERVER_ANY_PORT: any free one, see temporal_server_http_port. It is cleartext
	 * and asks for no key, so it is refused beside tls and api_keys. */
	int32_t http_port;
	/* What counts its requests, commits, queues and runs, under the names of the official
	 * server; docs/server.md lists them. It is another one than that of clients and workers,
	 * if those have a prefix. NULL: nothing is counted. */
	struct temporal_metrics *metrics;
	uint64_t reserved[3];
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

/* The port of the Nexus HTTP API; 0: none. Any thread. */
TEMPORAL_API uint16_t temporal_server_http_port(const struct temporal_server *server);

/*
 * Stops: calls that run are given a moment to end; what was acknowledged is in the file. Clients of
 * this process have to be gone before. NULL is fine. A forked child has nothing of the server: its
 * clients' calls get FAILED_PRECONDITION there, and this does nothing. Not on the
 * server's own thread.
 */
TEMPORAL_API void temporal_server_stop(struct temporal_server *server);

/*
 * Copies a database to a new file and checks the copy. A server may have the database open
 * meanwhile, in whatever process, and goes on: the copy has what was committed when it began.
 * ALREADY_EXISTS when the file is there; NOT_FOUND when the database is not; DATA_LOSS when it is
 * damaged. Any thread.
 */
TEMPORAL_API enum temporal_code temporal_server_backup(
	const char *db, const char *file, struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * Checks a database that no server has open: its pages, each record and each history by its
 * checksum. NOT_FOUND when it is not there; FAILED_PRECONDITION when a server has it open, or it is
 * no database of ours; DATA_LOSS with the first damage. Any thread.
 */
TEMPORAL_API enum temporal_code temporal_server_check(
	const char *db, struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * With time skipping: the server's time in ns since the epoch (0: it has failed); one more lock,
 * one less. These wait for the server's thread, and are not for it. Any other thread.
 */
TEMPORAL_API int64_t temporal_server_time_ns(struct temporal_server *server);
TEMPORAL_API void temporal_server_lock_time(struct temporal_server *server);
TEMPORAL_API void temporal_server_unlock_time(struct temporal_server *server);

/*
 * Takes one lock away, waits until the server's time has gone on by so much, and gives the lock
 * back: with one lock held, time jumps from timer to timer, and whatever is due on the way happens
 * and is worked on by the workers. Called by an activity, or by another thread. FAILED_PRECONDITION
 * without time skipping; UNAVAILABLE when the server stops or has failed.
 */
TEMPORAL_API enum temporal_code temporal_server_skip(
	struct temporal_server *server, int64_t ms, struct temporal_error *err) TEMPORAL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
