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
 *
 * Equal messages so give equal bytes, whatever order they were built in (but for maps, which keep
 * the order of their entries).
 *
 * walk() is compiled twice, with `write` false and true; since it is a constant and all is inlined,
 * the measuring walk has no trace of the writing one. Both must take the same way: the second
 * writes without looking at the space left.
 */
#include "proto/codec.h"

#include <stdlib.h>

#include "base/error.h"
#include "proto/walk.h"
#include "proto/wire.h"

/* One message that is being written, from its end towards its start. */
struct frame {
	const void *message;
	const struct proto_table *table;
	const struct proto_field *at;   /* the fields from here on are done */
	const struct proto_field *open; /* the field whose submessage is being written */
	size_t elements_left;           /* of `open`, when that is repeated */
	size_t end;                     /* where the message ends */
};

/*
 * Where the writing has come to; `pos` is the number of bytes that are written. Apart from struct
 * encoder, so that it lives in registers: all functions that get one are inlined into walk().
 * `write` is a constant in them.
 */
struct cursor {
	uint8_t *end; /* of the buffer */
	size_t pos;
};

struct encoder {
	bool check; /* the strings' UTF-8 */
	unsigned depth;
	struct temporal_error *err;
	struct frame frames[PROTO_DEPTH_MAX + 1];
};

/* Most values and lengths are below 128. */
static ALWAYS_INLINE void put_varint(struct cursor *c, bool write, uint64_t value)
{
	if (value < 0x80) {
		c->pos++;
		if (write)
			c->end[-(ptrdiff_t)c->pos] = (uint8_t)value;
		return;
	}
	c->pos += wire_varint_size(value);
	if (write)
		wire_store_varint(c->end - c->pos, value);
}

static ALWAYS_INLINE void put_data(struct cursor *c, bool write, const void *data, size_t len)
{
	c->pos += len;
	if (write && len)
		memcpy(c->end - c->pos, data, len);
}

static ALWAYS_INLINE void put_tag(struct cursor *c, bool write, const struct proto_field *field)
{
	if (write)
		put_varint(c, true, field->tag);
	else
		c->pos += field->tag_size;
}

/*
 * Negative int32 and enum values go as 64 bits, ten bytes long: so the wire format has it, for
 * readers that take them as int64.
 */
static ALWAYS_INLINE void put_scalar(
	struct cursor *c, bool write, enum proto_kind kind, const void *at)
{
	uint32_t half = *(const uint32_t *)at;
	uint64_t whole = proto_kind_size(kind) == 8 ? *(const uint64_t *)at : half;

	switch (kind) {
	case PROTO_INT32:
		put_varint(c, write, (uint64_t)(int64_t)(int32_t)half);
		break;
	case PROTO_SINT32:
		put_varint(c, write, (uint32_t)wire_zigzag((int32_t)half));
		break;
	case PROTO_BOOL:
		put_varint(c, write, half != 0);
		break;
	case PROTO_SINT64:
		put_varint(c, write, wire_zigzag((int64_t)whole));
		break;
	case PROTO_FIXED32:
		c->pos += 4;
		if (write)
			wire_store32(c->end - c->pos, half);
		break;
	case PROTO_FIXED64:
		c->pos += 8;
		if (write)
			wire_store64(c->end - c->pos, whole);
		break;
	default:
		put_varint(c, write, whole);
	}
}

static enum temporal_code refuse(struct encoder *e, const struct frame *frame,
	const struct proto_field *field, const char *what)
{
	return error_set(e->err, TEMPORAL_INVALID_ARGUMENT, "%s.%s: %s", frame->table->type->name,
		proto_table_descriptor(frame->table, field)->name, what);
}

/*
 * Data, then its length in front of it: all is written backwards. UTF-8 is checked while measuring,
 * so that an error leaves nothing half written.
 */
static ALWAYS_INLINE bool put_string(struct encoder *e, struct cursor *c, bool write,
	const struct frame *frame, const struct proto_field *field, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (!write && e->check && !str_is_utf8(text, len)) {
		refuse(e, frame, field, "the string is not UTF-8");
		return false;
	}
	put_data(c, write, text, len);
	put_varint(c, write, len);
	return true;
}

static ALWAYS_INLINE void put_bytes(struct cursor *c, bool write, const ProtobufCBinaryData *bytes)
{
	size_t len = bytes->data ? bytes->len : 0;

	put_data(c, write, bytes->data, len);
	put_varint(c, write, len);
}

/*
 * From the last element to the first. A packed list has one tag and one length in front, others
 * have a tag with each element.
 */
static ALWAYS_INLINE bool put_repeated(struct encoder *e, struct cursor *c, bool write,
	const struct frame *frame, const struct proto_field *field)
{
	size_t n = *(const size_t *)proto_at(frame->message, field->quantifier);
	const char *array = *(const char *const *)proto_at(frame->message, field->offset);
	enum proto_kind kind = (enum proto_kind)field->kind;
	size_t size = proto_kind_size(kind), end = c->pos;

	while (n-- > 0) {
		const void *at = array + n * size;

		if (kind == PROTO_BYTES)
			put_bytes(c, write, at);
		else if (kind != PROTO_STRING)
			put_scalar(c, write, kind, at);
		else if (!put_string(e, c, write, frame, field, *(const char *const *)at))
			return false;
		if (!field->packed)
			put_tag(c, write, field);
	}
	if (field->packed) {
		put_varint(c, write, c->pos - end);
		put_tag(c, write, field);
	}
	return true;
}

/* In the order in which they came. */
static ALWAYS_INLINE void put_unknown(struct cursor *c, bool write, const ProtobufCMessage *message)
{
	for (unsigned i = message->n_unknown_fields; i-- > 0;) {
		const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];

		put_data(c, write, field->data, field->len);
		put_varint(c, write, (uint64_t)field->tag << 3 | (uint64_t)field->wire_type);
	}
}

/*
 * Starts a message from its end: what comes last are the unknown fields. NULL as an element of a
 * list is an empty message: it has no fields to walk.
 */
static ALWAYS_INLINE bool open_message(struct encoder *e, struct cursor *c, bool write,
	const void *message, const struct proto_table *table)
{
	struct frame *frame = &e->frames[e->depth];

	if (!table) {
		error_no_memory(e->err, "a message's table");
		return false;
	}
	*frame = (struct frame){ .message = message, .table = table, .end = c->pos };
	frame->at = table->fields + (message ? table->n_fields : 0);
	if (message)
		put_unknown(c, write, message);
	return true;
}

static ALWAYS_INLINE bool open_submessage(struct encoder *e, struct cursor *c, bool write,
	struct frame *frame, const struct proto_field *field, const void *message)
{
	frame->open = field;
	if (e->depth == PROTO_DEPTH_MAX) {
		refuse(e, frame, field, "messages are nested deeper than 100");
		return false;
	}
	e->depth++;
	return open_message(e, c, write, message, proto_table_child(frame->table, field));
}

/* Ends the message by its start: its length and tag. */
static ALWAYS_INLINE void close_submessage(struct encoder *e, struct cursor *c, bool write)
{
	size_t len = c->pos - e->frames[e->depth].end;

	e->depth--;
	put_varint(c, write, len);
	put_tag(c, write, e->frames[e->depth].open);
}

/* A submessage is only opened, a list of them only announced: walk() goes on. */
static ALWAYS_INLINE bool put_field(struct encoder *e, struct cursor *c, bool write,
	struct frame *frame, const struct proto_field *field)
{
	const void *at = proto_at(frame->message, field->offset);

	if (field->kind == PROTO_MESSAGE) {
		if (field->mode != PROTO_REPEATED)
			return open_submessage(e, c, write, frame, field, *(void *const *)at);
		frame->open = field;
		frame->elements_left = *(size_t *)proto_at(frame->message, field->quantifier);
		return true;
	}
	if (field->mode == PROTO_REPEATED)
		return put_repeated(e, c, write, frame, field);
	if (field->kind == PROTO_BYTES)
		put_bytes(c, write, at);
	else if (field->kind != PROTO_STRING)
		put_scalar(c, write, (enum proto_kind)field->kind, at);
	else if (!put_string(e, c, write, frame, field, *(const char *const *)at))
		return false;
	put_tag(c, write, field);
	return true;
}

/* The last of those that are left. */
static ALWAYS_INLINE const void *previous_element(struct frame *frame)
{
	void *const *array = *(void *const *const *)proto_at(frame->message, frame->open->offset);

	return array[--frame->elements_left];
}

/* Measures or writes the whole message; the cursor stands at its start afterwards. */
static ALWAYS_INLINE bool walk(struct encoder *e, struct cursor *c, bool write, const void *message)
{
	const struct proto_table *table =
		proto_table_of(((const ProtobufCMessage *)message)->descriptor);

	e->depth = 0;
	if (!open_message(e, c, write, message, table))
		return false;
	for (;;) {
		struct frame *frame = &e->frames[e->depth];
		const struct proto_field *field;

		if (frame->elements_left > 0) {
			if (!open_submessage(
				    e, c, write, frame, frame->open, previous_element(frame)))
				return false;
		} else if ((field = walk_previous(frame->table, frame->message, &frame->at))) {
			if (!put_field(e, c, write, frame, field))
				return false;
		} else if (e->depth == 0) {
			return true;
		} else {
			close_submessage(e, c, write);
		}
	}
}

/* Size and check in one walk; 0 and false after an error. */
static bool measure(const void *message, bool check, size_t *size, struct temporal_error *err)
{
	struct cursor c = { NULL, 0 };
	struct encoder e;

	e.check = check;
	e.err = err;
	bool fits = walk(&e, &c, false, message);
	*size = fits ? c.pos : 0;
	return fits;
}

/* Writes a message that was measured, so that the walk is the same and all tables are there. */
static void write_before(const void *message, uint8_t *end)
{
	struct cursor c = { end, 0 };
	struct encoder e;

	e.check = false;
	e.err = NULL;
	if (!walk(&e, &c, true, message))
		abort();
}

/* 0 also for an empty message; the caller who has to know an error from it uses proto_encode(). */
size_t proto_size(const void *message)
{
	size_t size;

	measure(message, false, &size, NULL);
	return size;
}

void proto_write(const void *message, uint8_t *out)
{
	size_t size = proto_size(message);

	if (size)
		write_before(message, out + size);
}

enum temporal_code proto_encode(struct arena *arena, const void *message, size_t headroom,
	struct bytes *out, struct temporal_error *err)
{
	struct temporal_error local = { 0 };
	size_t size;

	if (!err)
		err = &local;
	if (!measure(message, true, &size, err))
		return err->code;
	uint8_t *data = arena_alloc_aligned(arena, headroom + size, 1);
	if (!data)
		return error_no_memory(err, "an encoded message");
	write_before(message, data + headroom + size);
	*out = (struct bytes){ data, headroom + size };
	return TEMPORAL_OK;
}
