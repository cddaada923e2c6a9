/*
 * map.c: linear probing with deletion by shifting back, so there are no tombstones and a lookup
 * never grows with the number of removals. Load at most 3/4; the table halves when it is 1/8 full
 * and goes when it is empty, since a cached workflow should cost what it holds now, not what it
 * once held.
 *
 * The owner's thread only.
 *
 * Invariant: from the home of each key to its slot no slot is free. Lookups end at the first free
 * one, so there is always at least one (the load), and a removal must not leave a hole (close_gap).
 */
#include "base/map.h"

#include "base/mem.h"

#define MAP_CAPACITY_MIN 4

/* The finalizer of MurmurHash3: keys are small counters, which must not cluster. */
static uint32_t home(const struct map *map, uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdULL;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53ULL;
	key ^= key >> 33;
	return (uint32_t)key & (map->capacity - 1);
}

void map_finish(struct map *map)
{
	mem_free(map->slots);
	*map = (struct map){ 0 };
}

/* The slot of the key, or the free one where it belongs. The table has a free slot. */
static struct map_slot *find(const struct map *map, uint64_t key)
{
	uint32_t at = home(map, key);

	while (map->slots[at].value && map->slots[at].key != key)
		at = (at + 1) & (map->capacity - 1);
	return &map->slots[at];
}

void *map_get(const struct map *map, uint64_t key)
{
	return map->capacity ? find(map, key)->value : NULL;
}

/*
 * To a table of another size, larger or smaller; all keys find new homes. On failure the old one
 * stays.
 */
static bool resize(struct map *map, uint32_t capacity)
{
	struct map bigger = { .count = map->count, .capacity = capacity };

	bigger.slots = mem_zalloc(capacity * sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; i < map->capacity; i++)
		if (map->slots[i].value)
			*find(&bigger, map->slots[i].key) = map->slots[i];
	mem_free(map->slots);
	*map = bigger;
	return true;
}

bool map_put(struct map *map, uint64_t key, void *value)
{
	if (map->count + 1 > map->capacity - map->capacity / 4) {
		uint32_t capacity = map->capacity ? map->capacity * 2 : MAP_CAPACITY_MIN;

		if (!capacity || !resize(map, capacity))
			return false;
	}
	struct map_slot *slot = find(map, key);

	if (!slot->value)
		map->count++;
	*slot = (struct map_slot){ key, value };
	return true;
}

/*
 * Moves later entries of the run into the gap wherever their home allows it: one may move if the
 * gap lies between its home and its place. The distances are taken modulo the capacity, as runs
 * wrap around.
 */
static void close_gap(struct map *map, uint32_t gap)
{
	uint32_t mask = map->capacity - 1;

	for (uint32_t at = (gap + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
		uint32_t from_home = (at - home(map, map->slots[at].key)) & mask;

		if (from_home >= ((at - gap) & mask)) {
			map->slots[gap] = map->slots[at];
			gap = at;
		}
	}
	map->slots[gap] = (struct map_slot){ 0 };
}

/*
 * Halving at 1/8 and growing at 3/4 keep far apart, so that no pair of put and remove resizes each
 * time.
 */
void *map_remove(struct map *map, uint64_t key)
{
	if (!map->capacity)
		return NULL;
	struct map_slot *slot = find(map, key);
	void *value = slot->value;

	if (!value)
		return NULL;
	close_gap(map, (uint32_t)(slot - map->slots));
	map->count--;
	if (map->count == 0)
		map_finish(map);
	else if (map->capacity > MAP_CAPACITY_MIN && map->count <= map->capacity / 8)
		(void)resize(map, map->capacity / 2); /* without memory it just stays big */
	return value;
}
