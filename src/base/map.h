/*
 * map.h: 64-bit keys to pointers, as an open-addressing hash table that gives memory back when it
 * empties.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key;
	void *value; /* NULL: the slot is free */
};

/* Zeroed: an empty map. */
struct map {
	struct map_slot *slots;
	uint32_t count, capacity; /* capacity is 0 or a power of two */
};

/* Frees the table, not what the values point to. The map is empty afterwards. */
void map_finish(struct map *map);

/* NULL if the key is not there. */
void *map_get(const struct map *map, uint64_t key);

/* Puts a value (not NULL) in, in place of the key's old one. False when memory is out; the map is
 * as before then. */
bool map_put(struct map *map, uint64_t key, void *value) __attribute__((warn_unused_result));

/* Takes the key out and returns its value, or NULL. */
void *map_remove(struct map *map, uint64_t key);

/* Bytes held. */
static inline size_t map_memory(const struct map *map)
{
	return map->capacity * sizeof(struct map_slot);
}

#endif
