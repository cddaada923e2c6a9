/*
 * table.h: what the codec's loops need of a protobuf-c descriptor, packed for speed; internal to
 * src/proto.
 *
 * A descriptor's fields are 72 bytes each and can be searched only by ranges; a table has 32 bytes
 * a field, finds one by its number in one step, and holds an image of the empty message. Tables are
 * made on first use, of those types alone that a process really meets, and are kept for ever. Any
 * thread may ask at any time.
 */
#ifndef PROTO_TABLE_H
#define PROTO_TABLE_H

#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "proto/wire.h"

/* How a value lies in the struct and on the wire. */
enum proto_kind {
	PROTO_INT32, /* and enums: sign-extended varint */
	PROTO_UINT32,
	PROTO_SINT32,
	PROTO_BOOL,
	PROTO_FIXED32, /* and float */
	PROTO_INT64,   /* and uint64 */
	PROTO_SINT64,
	PROTO_FIXED64, /* and double */
	PROTO_STRING,
	PROTO_BYTES,
	PROTO_MESSAGE,
	PROTO_NO_KIND, /* of the entry behind the last field */
};

/* How its presence is told. */
enum proto_mode {
	PROTO_PLAIN,    /* by its value: zero is absent (proto3) */
	PROTO_OPTIONAL, /* by has_..., or by the pointer */
	PROTO_REQUIRED, /* always there */
	PROTO_ONEOF,    /* by the oneof's case */
	PROTO_REPEATED, /* by n_... */
};

struct proto_table;

struct proto_field {
	uint32_t tag; /* number and wire type that it is written with */
	uint8_t kind; /* enum proto_kind */
	uint8_t mode; /* enum proto_mode */
	uint8_t tag_size;
	bool packed;
	uint32_t offset;
	uint32_t quantifier; /* offset of has_, n_ or the oneof's case */
	/* Is there a value to write? If the aligned word of the struct at `probe` has a bit of
	 * `mask`. */
	uint32_t probe;
	uint64_t mask;
	/*
	 * A oneof's members stand one behind another in most messages; this is the distance to the
	 * first of such a row, so that the encoder passes over the row in one step.
	 */
	uint32_t row;
	_Atomic(const struct proto_table *) child; /* of a message's type, once it was needed */
};

struct proto_table {
	const ProtobufCMessageDescriptor *type;
	const struct proto_table *next; /* in its bucket */
	const void *empty;              /* an image of type->sizeof_message bytes */
	const uint16_t *index;          /* number -> 1 + place in fields; 0: no such field */
	uint32_t index_len;
	uint32_t n_fields;
	/* By number; one more than n_fields, with a tag that no field has. */
	struct proto_field fields[];
};

/* The wire type that values of the kind are written with, alone or packed. */
enum wire_type proto_wire_type(enum proto_kind kind, bool packed);

/* The table of a type; NULL when memory is out. */
const struct proto_table *proto_table_of(const ProtobufCMessageDescriptor *type);

/* The table of a message field's type. */
const struct proto_table *proto_table_child_slow(
	const struct proto_table *table, struct proto_field *field);

static inline const struct proto_table *proto_table_child(
	const struct proto_table *table, const struct proto_field *field)
{
	const struct proto_table *child = atomic_load_explicit(&field->child, memory_order_acquire);

	return child ? child
		     : proto_table_child_slow(table, (struct proto_field *)(uintptr_t)field);
}

/* The field of a number beyond the index. */
const struct proto_field *proto_table_search(const struct proto_table *table, uint32_t number);

/* The field of this number, or NULL. */
static inline const struct proto_field *proto_table_find(
	const struct proto_table *table, uint32_t number)
{
	if (number >= table->index_len)
		return proto_table_search(table, number);
	uint16_t at = table->index[number];
	return at ? &table->fields[at - 1] : NULL;
}

static inline const ProtobufCFieldDescriptor *proto_table_descriptor(
	const struct proto_table *table, const struct proto_field *field)
{
	return &table->type->fields[field - table->fields];
}

/* Bytes of one value (or element of a repeated field) in the struct. */
static inline size_t proto_kind_size(enum proto_kind kind)
{
	if (kind <= PROTO_FIXED32)
		return 4;
	return kind == PROTO_BYTES ? sizeof(ProtobufCBinaryData) : 8;
}

static inline bool proto_kind_is_scalar(enum proto_kind kind)
{
	return kind < PROTO_STRING;
}

/*
 * The room of an array of `n`: the least power of two that is not below. It depends on the count
 * alone, so whether an array is full shows without a stored capacity.
 */
static inline size_t proto_capacity(size_t n)
{
	return n < 2 ? n : (size_t)1 << (64 - __builtin_clzll(n - 1));
}

/*
 * Decodes what an unknown field holds into a message, whose arrays have proto_capacity(), as
 * behind all that the message has: its bytes may be a field that the type knows, and more fields
 * behind it. The message lies `depth` levels deep; `memory` is what it took. False for bytes that
 * are no such fields, or when memory is out.
 */
bool proto_decode_more(struct arena *arena, const struct proto_table *table, void *message,
	const ProtobufCMessageUnknownField *field, unsigned depth, size_t *memory)
	__attribute__((warn_unused_result));

/* A member by its offset. */
static inline void *proto_at(const void *message, uint32_t offset)
{
	return (void *)((uintptr_t)message + offset);
}

#endif
