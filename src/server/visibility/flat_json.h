/*
 * flat_json.h: JSON as search attributes use it: one scalar, or an array of scalars.
 */
#ifndef SERVER_VISIBILITY_FLAT_JSON_H
#define SERVER_VISIBILITY_FLAT_JSON_H

#include "base/arena.h"
#include "server/visibility/column.h"

enum flat_json_result {
	FLAT_JSON_OK,
	FLAT_JSON_NESTED, /* an object, or an array in an array, as far as can be seen */
	FLAT_JSON_BROKEN, /* no JSON */
	FLAT_JSON_NO_MEMORY,
};

/* Integers that int64_t cannot hold are IS_DOUBLE. */
struct flat_json {
	const struct visibility_value *items;
	size_t n; /* 1 without an array */
	bool array;
};

/* Reads the whole text. What it gives lies in the arena. Any thread. */
enum flat_json_result flat_json_read(struct arena *arena, struct str text, struct flat_json *out)
	__attribute__((warn_unused_result));

#endif
