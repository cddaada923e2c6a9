/*
 * encode.c: message to bytes, by table.
 *
 * The encoding is written from its end to its start, so that a submessage's length is known when
 * the place for it is reached: no lengths are stored, no message is measured twice. The same walk
 * without a buffer measures. It goes over the fields by falling number and over a oneof's members
 * in one step, on an explicit stack of frames, so the bytes come out in the order of the numbers,
 * with the unknown fields last.
 *
 * Runs on whichever thread has the message; the frames take some 4 KiB of stack.
 */
#include "proto/codec.h"

#include <stdlib.h>

#include "base/error.h"
#include "proto/table.h"
#include "proto/wire.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

struct frame {
	const void *message;
	const struct proto_table *table;
	const struct proto_field *at;   /* the fields from here on are done */
	const struct proto_field *open; /* the field whose submessage is being written */
	size_t elements_left;           /* of `open`, when that is repeated */
	size_t end;                     /* where the message ends */
};

/* A position is the number of bytes behind it. `end` is NULL while it only measures. */
struct encoder {
	uint8_t *end;
	size_t pos;
	bool check; /* the strings' UTF-8 */
	unsigned depth;
	struct temporal_error *err;
	struct frame frames[PROTO_DEPTH_MAX + 1];
};

static ALWAYS_INLINE void put_varint(struct encoder *e, bool write, uint64_t value)
{
	if (value < 0x80) {
		e->pos++;
		if (write)
			e->end[-(ptrdiff_t)e->pos] = (uint8_t)value;
		return;
	}
	e->pos += wire_varint_size(value);
	if (write)
		wire_store_varint(e->end - e->pos, value);
}

static ALWAYS_INLINE void put_data(struct encoder *e, bool write, const void *data, size_t len)
{
	e->pos += len;
	if (write && len)
		memcpy(e->end - e->pos, data, len);
}

static ALWAYS_INLINE void put_tag(struct encoder *e, bool write, const struct proto_field *field)
{
	if (write)
		put_varint(e, true, field->tag);
	else
		e->pos += field->tag_size;
}

static ALWAYS_INLINE void put_scalar(
	struct encoder *e, bool write, enum proto_kind kind, const void *at)
{
	uint32_t half = *(const uint32_t *)at;
	uint64_t whole = proto_kind_size(kind) == 8 ? *(const uint64_t *)at : half;

	switch (kind) {
	case PROTO_INT32:
		put_varint(e, write, (uint64_t)(int64_t)(int32_t)half);
		break;
	case PROTO_SINT32:
		put_varint(e, write, (uint32_t)wire_zigzag((int32_t)half));
		break;
	case PROTO_BOOL:
		put_varint(e, write, half != 0);
		break;
	case PROTO_SINT64:
		put_varint(e, write, wire_zigzag((int64_t)whole));
		break;
	case PROTO_FIXED32:
		e->pos += 4;
		if (write)
			wire_store32(e->end - e->pos, half);
		break;
	case PROTO_FIXED64:
		e->pos += 8;
		if (write)
			wire_store64(e->end - e->pos, whole);
		break;
	default:
		put_varint(e, write, whole);
	}
}

static enum temporal_code refuse(struct encoder *e, const struct frame *frame,
	const struct proto_field *field, const char *what)
{
	return error_set(e->err, TEMPORAL_INVALID_ARGUMENT, "%s.%s: %s", frame->table->type->name,
		proto_table_descriptor(frame->table, field)->name, what);
}

static ALWAYS_INLINE bool put_string(struct encoder *e, bool write, const struct frame *frame,
	const struct proto_field *field, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (!write && e->check && !str_is_utf8(text, len)) {
		refuse(e, frame, field, "the string is not UTF-8");
		return false;
	}
	put_data(e, write, text, len);
	put_varint(e, write, len);
	return true;
}

static ALWAYS_INLINE void put_bytes(struct encoder *e, bool write, const ProtobufCBinaryData *bytes)
{
	size_t len = bytes->data ? bytes->len : 0;

	put_data(e, write, bytes->data, len);
	put_varint(e, write, len);
}

static ALWAYS_INLINE bool put_repeated(
	struct encoder *e, bool write, const struct frame *frame, const struct proto_field *field)
{
	size_t n = *(const size_t *)proto_at(frame->message, field->quantifier);
	const char *array = *(const char *const *)proto_at(frame->message, field->offset);
	enum proto_kind kind = (enum proto_kind)field->kind;
	size_t size = proto_kind_size(kind), end = e->pos;

	while (n-- > 0) {
		const void *at = array + n * size;

		if (kind == PROTO_BYTES)
			put_bytes(e, write, at);
		else if (kind != PROTO_STRING)
			put_scalar(e, write, kind, at);
		else if (!put_string(e, write, frame, field, *(const char *const *)at))
			return false;
		if (!field->packed)
			put_tag(e, write, field);
	}
	if (field->packed) {
		put_varint(e, write, e->pos - end);
		put_tag(e, write, field);
	}
	return true;
}

static ALWAYS_INLINE void put_unknown(
	struct encoder *e, bool write, const ProtobufCMessage *message)
{
	for (unsigned i = message->n_unknown_fields; i-- > 0;) {
		const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];

		put_data(e, write, field->data, field->len);
		put_varint(e, write, (uint64_t)field->tag << 3 | (uint64_t)field->wire_type);
	}
}

/* Does this field, which is no oneof's and not repeated, have a value that is written? */
static ALWAYS_INLINE bool is_present(const void *message, const struct proto_field *field)
{
	const void *at = proto_at(message, field->offset);

	if (field->mode == PROTO_REQUIRED)
		return field->kind != PROTO_MESSAGE || *(void *const *)at;
	if (field->kind == PROTO_MESSAGE)
		return *(void *const *)at;
	if (field->mode == PROTO_OPTIONAL)
		return field->kind == PROTO_STRING ? *(const char *const *)at != NULL
						   : *(const protobuf_c_boolean *)proto_at(
							     message, field->quantifier) != 0;
	if (field->kind == PROTO_STRING)
		return !str_empty(*(const char *const *)at);
	if (field->kind == PROTO_BYTES)
		return ((const ProtobufCBinaryData *)at)->len &&
		       ((const ProtobufCBinaryData *)at)->data;
	return proto_kind_size((enum proto_kind)field->kind) == 4 ? *(const uint32_t *)at != 0
								  : *(const uint64_t *)at != 0;
}

/* The member of the oneof's row ending with `last` that is set; `first` is where the row starts.
 * NULL if none is. */
static ALWAYS_INLINE const struct proto_field *oneof_member(
	const struct frame *frame, const struct proto_field *last, const struct proto_field **first)
{
	uint32_t set = *(const uint32_t *)proto_at(frame->message, last->quantifier);

	*first = last - last->row;
	if (set < (*first)->tag >> 3 || set > last->tag >> 3)
		return NULL;
	const struct proto_field *member = proto_table_find(frame->table, set);
	if (member && member->kind == PROTO_MESSAGE &&
		!*(void *const *)proto_at(frame->message, member->offset))
		return NULL;
	return member;
}

/*
 * The present field with the highest number before frame->at; NULL when none is left. Moves
 * frame->at to it, or to the first member of its oneof.
 */
static ALWAYS_INLINE const struct proto_field *previous_field(struct frame *frame)
{
	const struct proto_field *at = frame->at;

	while (at > frame->table->fields) {
		const struct proto_field *field = --at;

		if (field->mode == PROTO_ONEOF)
			field = oneof_member(frame, field, &at);
		else if (field->mode == PROTO_REPEATED
				 ? !*(const size_t *)proto_at(frame->message, field->quantifier)
				 : !is_present(frame->message, field))
			continue;
		if (!field)
			continue;
		frame->at = at;
		return field;
	}
	return NULL;
}

/* Starts a message from its end: what comes last are the unknown fields. */
static ALWAYS_INLINE bool open_message(
	struct encoder *e, bool write, const void *message, const struct proto_table *table)
{
	struct frame *frame = &e->frames[e->depth];

	if (!table) {
		error_no_memory(e->err, "a message's table");
		return false;
	}
	*frame = (struct frame){ .message = message, .table = table, .end = e->pos };
	frame->at = table->fields + (message ? table->n_fields : 0);
	if (message)
		put_unknown(e, write, message);
	return true;
}

static ALWAYS_INLINE bool open_submessage(struct encoder *e, bool write, struct frame *frame,
	const struct proto_field *field, const void *message)
{
	frame->open = field;
	if (e->depth == PROTO_DEPTH_MAX) {
		refuse(e, frame, field, "messages are nested deeper than 100");
		return false;
	}
	e->depth++;
	return open_message(e, write, message, proto_table_child(frame->table, field));
}

/* Ends the message by its start: its length and tag. */
static ALWAYS_INLINE void close_submessage(struct encoder *e, bool write)
{
	size_t len = e->pos - e->frames[e->depth].end;

	e->depth--;
	put_varint(e, write, len);
	put_tag(e, write, e->frames[e->depth].open);
}

static ALWAYS_INLINE bool put_field(
	struct encoder *e, bool write, struct frame *frame, const struct proto_field *field)
{
	const void *at = proto_at(frame->message, field->offset);

	if (field->kind == PROTO_MESSAGE) {
		if (field->mode != PROTO_REPEATED)
			return open_submessage(e, write, frame, field, *(void *const *)at);
		frame->open = field;
		frame->elements_left = *(size_t *)proto_at(frame->message, field->quantifier);
		return true;
	}
	if (field->mode == PROTO_REPEATED)
		return put_repeated(e, write, frame, field);
	if (field->kind == PROTO_BYTES)
		put_bytes(e, write, at);
	else if (field->kind != PROTO_STRING)
		put_scalar(e, write, (enum proto_kind)field->kind, at);
	else if (!put_string(e, write, frame, field, *(const char *const *)at))
		return false;
	put_tag(e, write, field);
	return true;
}

static ALWAYS_INLINE const void *previous_element(struct frame *frame)
{
	void *const *array = *(void *const *const *)proto_at(frame->message, frame->open->offset);

	return array[--frame->elements_left];
}

static ALWAYS_INLINE bool walk(struct encoder *e, bool write, const void *message)
{
	const struct proto_table *table =
		proto_table_of(((const ProtobufCMessage *)message)->descriptor);

	e->pos = e->depth = 0;
	if (!open_message(e, write, message, table))
		return false;
	for (;;) {
		struct frame *frame = &e->frames[e->depth];
		const struct proto_field *field;

		if (frame->elements_left > 0) {
			if (!open_submessage(e, write, frame, frame->open, previous_element(frame)))
				return false;
		} else if ((field = previous_field(frame))) {
			if (!put_field(e, write, frame, field))
				return false;
		} else if (e->depth == 0) {
			return true;
		} else {
			close_submessage(e, write);
		}
	}
}

static bool measure(struct encoder *e, const void *message)
{
	e->end = NULL;
	return walk(e, false, message);
}

size_t proto_size(const void *message)
{
	struct encoder e;

	e.check = false;
	e.err = NULL;
	return measure(&e, message) ? e.pos : 0;
}

static void write_to(struct encoder *e, const void *message, uint8_t *end)
{
	e->end = end;
	e->err = NULL;
	if (!walk(e, true, message))
		abort(); /* it was measured before: the walk is the same, and all tables are there
			  */
}

void proto_write(const void *message, uint8_t *out)
{
	struct encoder e;
	size_t size = proto_size(message);

	if (size)
		write_to(&e, message, out + size);
}

enum temporal_code proto_encode(struct arena *arena, const void *message, size_t headroom,
	struct bytes *out, struct temporal_error *err)
{
	struct encoder e;
	struct temporal_error local = { 0 };

	e.check = true;
	e.err = err ? err : &local;
	if (!measure(&e, message))
		return e.err->code;
	size_t size = headroom + e.pos;
	uint8_t *data = arena_alloc_aligned(arena, size, 1);
	if (!data)
		return error_no_memory(err, "an encoded message");
	write_to(&e, message, data + size);
	*out = (struct bytes){ data, size };
	return TEMPORAL_OK;
}
