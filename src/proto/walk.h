/*
 * walk.h: the fields of a message that have a value to be written, for the encoder and for copies
 * that leave out what the wire would; internal to src/proto.
 */
#ifndef PROTO_WALK_H
#define PROTO_WALK_H

#include <string.h>

#include "proto/table.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/*
 * The member of the oneof that is set, if it is in the row that ends with `last` and has a value;
 * else NULL.
 */
static inline const struct proto_field *walk_oneof_member(
	const struct proto_table *table, const void *message, const struct proto_field *last)
{
	uint32_t set = *(const uint32_t *)proto_at(message, last->quantifier);

	if (set < last[-(ptrdiff_t)last->row].tag >> 3 || set > last->tag >> 3)
		return NULL;
	const struct proto_field *member = proto_table_find(table, set);
	if (member && member->kind == PROTO_MESSAGE &&
		!*(void *const *)proto_at(message, member->offset))
		return NULL;
	return member;
}

/*
 * The field to write, of one whose probe says that it may be there. A probe sees zeros only: a
 * string's pointer to "" and a oneof's case need a closer look.
 */
static ALWAYS_INLINE const struct proto_field *walk_probed(
	const struct proto_table *table, const void *message, const struct proto_field *field)
{
	if (field->mode == PROTO_ONEOF)
		return walk_oneof_member(table, message, field);
	if (field->kind == PROTO_STRING && field->mode == PROTO_PLAIN &&
		!**(const char *const *)proto_at(message, field->offset))
		return NULL;
	return field;
}

/* A required field is written whatever its value; only a message that is not there cannot be. */
static inline bool walk_required(const struct proto_field *field)
{
	return field->mode == PROTO_REQUIRED && field->kind != PROTO_MESSAGE;
}

/*
 * The present field with the highest number before *from; NULL when none is left. Moves *from to
 * it, or to the first member of its oneof's row. One load and one comparison for each absent field:
 * messages of the API have many fields and few values.
 */
static ALWAYS_INLINE const struct proto_field *walk_previous(
	const struct proto_table *table, const void *message, const struct proto_field **from)
{
	const struct proto_field *first = table->fields;

	for (const struct proto_field *at = *from; at > first; at -= at[-1].row + 1) {
		const struct proto_field *field = at - 1;
		uint64_t word;

		memcpy(&word, (const char *)message + field->probe, sizeof(word));
		if (!(word & field->mask) && !walk_required(field))
			continue;
		const struct proto_field *found = walk_probed(table, message, field);
		if (found) {
			*from = field - field->row;
			return found;
		}
	}
	return NULL;
}

#endif
