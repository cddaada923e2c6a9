/*
 * map.h: look-up in a protobuf map, which lies in the struct as an array of entries. When a key
 * comes more than once, the last entry is the map's value. Any thread.
 */
#ifndef PROTO_MAP_H
#define PROTO_MAP_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/str.h"

/*
 * The entry of the key in an array of `n` pointers to generated ..._Entry structs whose key is a
 * string (their first member); NULL if there is none. The result is a pointer to that entry struct:
 * `const Common__Payload__MetadataEntry *entry = proto_map_find(payload->metadata,
 * payload->n_metadata, "encoding");`
 */
void *proto_map_find(const void *entries, size_t n, const char *key);

/* Is entry number `i` the one that its key stands for, and not overruled by a later one? For walks
 * over a map. */
bool proto_map_is_last(const void *entries, size_t n, size_t i);

#endif
