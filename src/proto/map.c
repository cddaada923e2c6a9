/*
 * map.c: linear search from the end. The API's maps (a payload's metadata, headers, memos, search
 * attributes) have few entries, so nothing faster pays. Stateless.
 */
#include "proto/map.h"

/* How each generated entry with a string key begins. */
struct entry {
	ProtobufCMessage base;
	const char *key;
};

void *proto_map_find(const void *entries, size_t n, const char *key)
{
	struct entry *const *array = entries;

	while (n-- > 0)
		if (array[n] && str_same(array[n]->key, key))
			return array[n];
	return NULL;
}

bool proto_map_is_last(const void *entries, size_t n, size_t i)
{
	struct entry *const *array = entries;

	return proto_map_find(array + i, n - i, array[i]->key) == array[i];
}
