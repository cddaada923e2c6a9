/*
 * cache.h: the runs that are in memory, by run id, and which of them to drop first. The loop's
 * thread.
 */
#ifndef WORKER_CACHE_H
#define WORKER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in each run; zeroed before worker_cache_add. */
struct worker_cache_entry {
	const char *run_id;                       /* the run's, for as long as it is in the cache */
	struct worker_cache_entry *chain;         /* worker_cache.buckets */
	struct worker_cache_entry *newer, *older; /* worker_cache.newest: while it rests */
	size_t memory;                            /* bytes, when it last rested */
	bool rests;  /* no task is being worked on: it can be dropped */
	bool leaves; /* it was dropped and will soon be removed */
};

struct worker_cache {
	struct worker_cache_entry **buckets;
	size_t n_buckets, count, memory;            /* of all entries, resting or not */
	struct worker_cache_entry *newest, *oldest; /* those that rest */
	size_t n_leaving, memory_leaving;           /* of those that leave */
	size_t count_max, memory_max;
};

/* false: no memory. `memory_max` may be SIZE_MAX. */
bool worker_cache_init(struct worker_cache *cache, size_t count_max, size_t memory_max)
	__attribute__((warn_unused_result));
void worker_cache_finish(struct worker_cache *cache); /* the entries are their owners' */

struct worker_cache_entry *worker_cache_find(const struct worker_cache *cache, const char *run_id);
/* The entry is new and in use. Never fails: when memory is out, the chains get longer. */
void worker_cache_add(struct worker_cache *cache, struct worker_cache_entry *entry);
void worker_cache_remove(struct worker_cache *cache, struct worker_cache_entry *entry);

/* A task for it has come; it cannot be dropped until it rests again. */
void worker_cache_use(struct worker_cache *cache, struct worker_cache_entry *entry);
void worker_cache_rest(struct worker_cache *cache, struct worker_cache_entry *entry, size_t memory);

/* Drops an entry that rests: it is in use until its owner removes it, but makes room already. */
void worker_cache_drop(struct worker_cache *cache, struct worker_cache_entry *entry);

/* The entry to drop now because there are too many or they are too big: the one that rests longest;
 * NULL: none. */
struct worker_cache_entry *worker_cache_surplus(const struct worker_cache *cache);

#endif
