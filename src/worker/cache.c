/*
 * cache.c: a hash table with chains for the look-up, and a list in order of use for the choice.
 *
 * Invariant: an entry is in the list exactly while it rests. What is being worked on counts for
 * both limits, but is never dropped: so the cache may be over its limits by as many runs as there
 * are workflow slots, and a count of 0 keeps a run just as long as its task takes. worker/run.c
 * calls this on the loop's thread.
 */
#include "worker/cache.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define BUCKETS_FIRST 64

static size_t hash(const char *run_id)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a: run ids are random already */

	for (; *run_id; run_id++)
		sum = (sum ^ (unsigned char)*run_id) * UINT64_C(0x100000001b3);
	return (size_t)(sum ^ sum >> 32);
}

static struct worker_cache_entry **bucket(const struct worker_cache *cache, const char *run_id)
{
	return &cache->buckets[hash(run_id) & (cache->n_buckets - 1)];
}

bool worker_cache_init(struct worker_cache *cache, size_t count_max, size_t memory_max)
{
	*cache = (struct worker_cache){
		.count_max = count_max, .memory_max = memory_max, .n_buckets = BUCKETS_FIRST
	};
	cache->buckets = mem_zalloc(BUCKETS_FIRST * sizeof(cache->buckets[0]));
	return cache->buckets != NULL;
}

void worker_cache_finish(struct worker_cache *cache)
{
	mem_free(cache->buckets);
	*cache = (struct worker_cache){ 0 };
}

struct worker_cache_entry *worker_cache_find(const struct worker_cache *cache, const char *run_id)
{
	struct worker_cache_entry *entry = *bucket(cache, run_id);

	while (entry && strcmp(entry->run_id, run_id) != 0)
		entry = entry->chain;
	return entry;
}

static void chain_in(struct worker_cache *cache, struct worker_cache_entry *entry)
{
	struct worker_cache_entry **head = bucket(cache, entry->run_id);

	entry->chain = *head;
	*head = entry;
}

static void grow(struct worker_cache *cache)
{
	struct worker_cache bigger = { .n_buckets = cache->n_buckets * 2 };

	bigger.buckets = mem_zalloc(bigger.n_buckets * sizeof(bigger.buckets[0]));
	if (!bigger.buckets)
		return;
	for (size_t i = 0; i < cache->n_buckets; i++) {
		for (struct worker_cache_entry *entry = cache->buckets[i], *next; entry;
			entry = next) {
			next = entry->chain;
			chain_in(&bigger, entry);
		}
	}
	mem_free(cache->buckets);
	cache->buckets = bigger.buckets;
	cache->n_buckets = bigger.n_buckets;
}

void worker_cache_add(struct worker_cache *cache, struct worker_cache_entry *entry)
{
	if (cache->count >= cache->n_buckets)
		grow(cache);
	chain_in(cache, entry);
	cache->count++;
	cache->memory += entry->memory;
}

void worker_cache_use(struct worker_cache *cache, struct worker_cache_entry *entry)
{
	if (!entry->rests)
		return;
	*(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
	entry->newer = NULL;
	entry->older = NULL;
	entry->rests = false;
}

void worker_cache_rest(struct worker_cache *cache, struct worker_cache_entry *entry, size_t memory)
{
	worker_cache_use(cache, entry);
	cache->memory = cache->memory - entry->memory + memory;
	entry->memory = memory;
	entry->rests = true;
	entry->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

void worker_cache_remove(struct worker_cache *cache, struct worker_cache_entry *entry)
{
	struct worker_cache_entry **link = bucket(cache, entry->run_id);

	worker_cache_use(cache, entry);
	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	assert(cache->count > 0 && cache->memory >= entry->memory);
	cache->count--;
	cache->memory -= entry->memory;
	if (entry->leaves) {
		cache->n_leaving--;
		cache->memory_leaving -= entry->memory;
	}
}

void worker_cache_drop(struct worker_cache *cache, struct worker_cache_entry *entry)
{
	worker_cache_use(cache, entry);
	entry->leaves = true;
	cache->n_leaving++;
	cache->memory_leaving += entry->memory;
}

struct worker_cache_entry *worker_cache_surplus(const struct worker_cache *cache)
{
	size_t count = cache->count - cache->n_leaving,
	       memory = cache->memory - cache->memory_leaving;

	if (count <= cache->count_max && memory <= cache->memory_max)
		return NULL;
	return cache->oldest;
}
