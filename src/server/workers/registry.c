/*
 * registry.c: workers in a map by namespace and instance, and in a list by their last heartbeat.
 * Invariant: both hold the same entries, and their heartbeats take at most SERVER_WORKERS_BYTES.
 * Loop's thread.
 */
#include "server/workers/registry.h"

#include "base/mem.h"
#include "proto/codec.h"
#include "server/limits.h"
#include "server/state.h"

static void unlink_entry(struct workers *workers, struct worker_entry *entry)
{
	*(entry->older ? &entry->older->newer : &workers->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &workers->newest) = entry->older;
	entry->older = entry->newer = NULL;
}

static void append(struct workers *workers, struct worker_entry *entry)
{
	entry->older = workers->newest;
	*(workers->newest ? &workers->newest->newer : &workers->oldest) = entry;
	workers->newest = entry;
}

static void entry_free(struct worker_entry *entry)
{
	mem_free(entry->key);
	mem_free(entry->heartbeat.ptr);
	mem_free(entry);
}

static void remove_entry(struct workers *workers, struct worker_entry *entry)
{
	struct worker_entry *first = map_remove(&workers->by_hash, entry->hash), **link = &first;

	while (*link != entry)
		link = &(*link)->next_hash;
	*link = entry->next_hash;
	/* The slot has just become free: this takes no memory. */
	if (first)
		(void)!map_put(&workers->by_hash, entry->hash, first);
	unlink_entry(workers, entry);
	workers->n--;
	workers->bytes -= entry->heartbeat.len;
	entry_free(entry);
}

static struct worker_entry *find(
	struct server *server, const struct server_namespace *space, const char *key)
{
	struct worker_entry *entry =
		map_get(&server->workers.by_hash, state_hash(server, space->number, key));

	while (entry && (entry->space != space || !str_same(entry->key, key)))
		entry = entry->next_hash;
	return entry;
}

static struct worker_entry *add(
	struct server *server, const struct server_namespace *space, const char *key)
{
	struct workers *workers = &server->workers;
	struct worker_entry *entry = mem_zalloc(sizeof(*entry));

	if (!entry)
		return NULL;
	entry->space = space;
	entry->hash = state_hash(server, space->number, key);
	entry->next_hash = map_get(&workers->by_hash, entry->hash);
	entry->key = mem_strdup(key);
	if (!entry->key || !map_put(&workers->by_hash, entry->hash, entry)) {
		entry_free(entry);
		return NULL;
	}
	append(workers, entry);
	workers->n++;
	return entry;
}

void workers_record(struct server *server, const struct server_namespace *space,
	const Worker__WorkerHeartbeat *heartbeat)
{
	struct workers *workers = &server->workers;
	const char *key = heartbeat->worker_instance_key;
	struct worker_entry *entry;

	workers_forget(server);
	entry = find(server, space, key);
	if (heartbeat->status == ENUMS__WORKER_STATUS__WORKER_STATUS_SHUTDOWN) {
		if (entry)
			remove_entry(workers, entry);
		return;
	}
	if (proto_size(heartbeat) > SERVER_WORKER_HEARTBEAT_MAX)
		return;
	if (!entry)
		entry = add(server, space, key);
	if (!entry) {
		server_no_memory(server);
		return;
	}
	workers->bytes -= entry->heartbeat.len;
	state_set_bytes(server, &entry->heartbeat, heartbeat);
	workers->bytes += entry->heartbeat.len;
	entry->seen_ns = server->now_ns;
	unlink_entry(workers, entry);
	append(workers, entry);
	while (workers->bytes > SERVER_WORKERS_BYTES || workers->n > SERVER_WORKERS_MAX)
		remove_entry(workers, workers->oldest);
}

const struct worker_entry *workers_find(
	struct server *server, const struct server_namespace *space, const char *key)
{
	workers_forget(server);
	return find(server, space, key);
}

void workers_forget(struct server *server)
{
	struct workers *workers = &server->workers;

	while (workers->oldest && server->now_ns - workers->oldest->seen_ns >= SERVER_WORKER_NS)
		remove_entry(workers, workers->oldest);
}

void workers_finish(struct workers *workers)
{
	while (workers->oldest)
		remove_entry(workers, workers->oldest);
	map_finish(&workers->by_hash);
}
