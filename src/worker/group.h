/*
 * group.h: what the workers of a client do together, one group for each client and process: they
 * tell the server of themselves, hear its commands, and take workflows that the client starts.
 * Workers that came to the client later stay on the loop of their first one, and so are another
 * group there.
 */
#ifndef WORKER_GROUP_H
#define WORKER_GROUP_H

#include <stdbool.h>

#include <temporal/api/worker/v1/message.pb-c.h>

#include "base/arena.h"
#include "client/uuid.h"
#include "client/workers.h"
#include "rpc/loop.h"

#include <temporal/error.h>

struct temporal_client;
struct temporal_worker;
struct rpc_call;

struct worker_group {
	struct client_group base;
	struct temporal_client *client; /* the workers' */
	const char *key;                /* names the group to the server */
	char key_text[UUID_SIZE];
	struct temporal_worker *first; /* NULL: all have left, the last calls end */
	struct rpc_timer timer;
	unsigned open_calls;
	bool beats;                           /* the namespace takes heartbeats */
	char *control_queue;                  /* NULL: it gives no commands */
	struct rpc_call *command_poll;        /* NULL: none waits */
	const struct temporal_worker *poller; /* whose channel it takes; NULL: left meanwhile */
	int64_t polled_ns;                    /* when it was made */
	int64_t pause_ms;                     /* the last one before it; 0: none */
	struct rpc_timer poll_again;
};

/* Part of making the worker, on any thread: its first client knows it. ALREADY_EXISTS: another one
 * has its tasks. */
enum temporal_code worker_group_register(struct temporal_worker *worker, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Loop, as all that follows: the worker begins to work with its current client; ends that. */
void worker_group_join(struct temporal_worker *worker);
void worker_group_leave(struct temporal_worker *worker);

/* The namespace takes heartbeats of workers; and gives them commands. */
void worker_group_described(struct temporal_worker *worker, bool heartbeats, bool commands);

/* A call that counts in open_calls has ended: the group may be gone afterwards. */
void worker_group_call_over(struct worker_group *group);

/* presence.c: what there is to tell of the worker, in the arena; NULL: no memory. What was counted
 * since the last time counts as told. */
Worker__WorkerHeartbeat *worker_presence(struct temporal_worker *worker, struct arena *arena);

#endif
