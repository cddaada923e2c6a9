/*
 * server.h: the server as a process part: a loop with its thread, a listener, the store. What the
 * in-process channel (channel.c) and tests need of it.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <pthread.h>
#include <sys/types.h>

#include <temporal/server.h>

#include "rpc/server.h"
#include "server/access.h"
#include "server/frontend/frontend.h"

/* A method with the server that serves it: the `user` of its line in rpc's table. */
struct server_method {
	struct server *server;
	const struct access *access;
	frontend_handler *handle;
	const struct rpc_method *method;
};

struct nexus_http;

struct temporal_server {
	struct rpc_transport transport; /* first: how clients of this process reach it */
	struct server server;
	struct rpc_loop *loop;
	struct rpc_timer wake;
	struct rpc_task store_step, begin, drain, collect;
	struct rpc_server *listener; /* NULL: none */
	struct access access;        /* of its callers */
	uint16_t port;
	struct nexus_http *http; /* NULL: none */
	struct server_method *methods;
	struct rpc_server_method *table;
	void (*fatal)(const char *message, void *user);
	void *user;
	bool told;
	pid_t pid; /* of the process that it is in: a forked child has nothing but its memory */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopped, drained, ending; /* under the lock */
};

/* Channels of clients in this process; see struct rpc_transport. `user` is a struct
 * temporal_server. */
struct rpc_channel *server_channel_open(void *user, struct rpc_loop *loop,
	const struct rpc_header *headers, size_t n_headers, struct temporal_error *err);

#endif
