/*
 * registry.h: the workers that have told of themselves of late. In memory alone: they tell again.
 */
#ifndef SERVER_WORKERS_REGISTRY_H
#define SERVER_WORKERS_REGISTRY_H

#include <stdint.h>

#include "base/map.h"
#include "base/str.h"
#include "temporal/api/worker/v1/message.pb-c.h"

struct server;
struct server_namespace;

struct worker_entry {
	struct worker_entry *next_hash;
	struct worker_entry *older, *newer; /* by the last heartbeat */
	uint64_t hash;
	const struct server_namespace *space;
	char *key; /* of its instance */
	int64_t seen_ns;
	struct bytes heartbeat; /* Worker__WorkerHeartbeat */
};

/* In struct server. Zeroed: nobody. */
struct workers {
	struct map by_hash;
	struct worker_entry *oldest, *newest;
	unsigned n;
	size_t bytes;
};

/* A heartbeat; one that says that the worker has shut down takes it out. One that is too large is
 * passed by; when there is no more room, the oldest go. */
void workers_record(struct server *server, const struct server_namespace *space,
	const Worker__WorkerHeartbeat *heartbeat);

/* NULL: it has not told of itself for five minutes. */
const struct worker_entry *workers_find(
	struct server *server, const struct server_namespace *space, const char *key);

/* Forgets those that are silent; before looking at the list. */
void workers_forget(struct server *server);

void workers_finish(struct workers *workers);

#endif
