/*
 * connection.h: the inside of a client: its options and, for each process that uses it, a link.
 */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/arena.h"
#include "client/client.h"
#include "client/metrics.h"
#include "client/workers.h"

#define CLIENT_IDENTITY_SIZE 320

/* What one process has of a client: a loop, its thread, and a channel. */
struct client_link {
	pid_t pid;
	struct rpc_loop *loop;
	struct rpc_channel *channel;
	struct client_metrics *metrics; /* NULL: nothing is counted */
	char identity[CLIENT_IDENTITY_SIZE];
	pthread_mutex_t lock; /* of the capabilities */
	struct client_capabilities capabilities;
	struct client_workers workers;
	struct client_link *older; /* of the process that forked this one; its loop is dead here */
};

/* A channel of a client on the loop of another one. */
struct client_branch {
	pid_t pid; /* of the process that opened it: a forked child leaves it alone */
	struct rpc_channel *channel;
	struct client_branch *next;
};

/* A header that was set on a live client, for links to come; value NULL: removed. */
struct client_header {
	char *name, *value;
	struct client_header *next;
};

struct temporal_client {
	/* Fixed from the connect on. */
	struct arena arena; /* of the options */
	struct temporal_client_opts opts;
	/* NULL, or NULL-terminated: those that have functions for clients. */
	const struct temporal_interceptor *const *interceptors;
	struct rpc_transport transport; /* `open` is NULL: the network */

	/* Shared. */
	atomic_uint refs;
	atomic_bool closing;
	_Atomic(struct client_link *) link; /* replaced under the lock of all links */
	struct client_header *headers;      /* under the same lock, as the next */
	struct client_branch *branches;
};

/*
 * The link of this process; made now when the process is a child of the one that connected. NULL:
 * no memory, no thread, or the client is going away.
 */
struct client_link *client_enter(struct temporal_client *client, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* INVALID_ARGUMENT for what cannot be sent as a header. `value` may be NULL. */
enum temporal_code client_check_header(const char *name, const char *value,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Copies and checks the options; defaults are filled in. options.c */
enum temporal_code client_take_options(struct temporal_client *client,
	const struct temporal_client_opts *opts, size_t size, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Opens loop, thread and channel of this process. link.c */
struct client_link *client_link_new(struct temporal_client *client, struct temporal_error *err)
	__attribute__((warn_unused_result));
/* Opens a channel with all headers that the client has by now. link.c */
struct rpc_channel *client_link_channel(struct temporal_client *client, struct rpc_loop *loop,
	struct temporal_error *err) __attribute__((warn_unused_result));
/* Closes them if they are this process's; older links are freed with it. NULL is fine. */
void client_link_free(struct client_link *link);

#endif
