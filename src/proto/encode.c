/*
 * encode.c: message to bytes, by table.
 *
 * The encoding is written from its end to its start, so that a submessage's length is known when
 * the place for it is reached: nothing is measured before. The walk goes over the fields by falling
 * number and over a oneof's members in one step, on an explicit stack of frames, so the bytes come
 * out in the order of the numbers, with the unknown fields last.
 *
 * What is written lies at the end of the arena's free part, and moves to the next chunk when there
 * is no room left. An error leaves nothing in the arena.
 *
 * Runs on whichever thread has the message; the frames take some 4 KiB of stack.
 *
 * Equal messages so give equal bytes, whatever order they were built in (but for maps, which keep
 * the order of their entries).
 *
 * The same walk without writing measures. walk() is compiled twice, with `write` false and true;
 * since it is a constant and all is inlined, the measuring walk has no trace of the writing one.
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
	const struct proto_field *open; /* the field whose submessages are being written, */
	void *const *elements;          /* from the last to the first of these: */
	size_t elements_left;           /* the first ones, still to be begun */
	size_t end;                     /* where the message ends */
};

/*
 * Where the writing has come to: `pos` bytes are written in front of `end`, of the `room` that is
 * there. Apart from struct encoder, so that it lives in registers: all functions that get one are
 * inlined into walk(). `write` is a constant in them.
 */
struct cursor {
	uint8_t *end;
	size_t pos, room;
	struct frame *frame; /* the innermost message that is being written */
};

struct encoder {
	struct arena *arena; /* NULL: there is no more room than was given */
	const void *message;
	size_t headroom;
	bool check; /* the strings' UTF-8 */
	struct temporal_error *err;
	struct frame frames[PROTO_DEPTH_MAX + 1];
};

/*
 * What the arena is asked for: four times as much as is needed by now, so that little is moved. A
 * large message is measured after all, so that it takes no more memory than it must.
 */
static size_t room_for(const struct encoder *e, size_t need)
{
	size_t size;

	if (need <= ARENA_CHUNK_MAX / 4)
		return need * 4;
	size = e->headroom + proto_size(e->message);
	return size > need ? size : need;
}

/* The cursor in a place with room for `n` more bytes; the old one when there is none. */
static __attribute__((noinline)) struct cursor grow(struct encoder *e, struct cursor c, size_t n)
{
	struct cursor to = { .pos = c.pos, .frame = c.frame };

	if (e->arena)
		to.end = (uint8_t *)arena_tail(e->arena, room_for(e, c.pos + n), &to.room);
	if (!to.end) {
		error_no_memory(e->err, "an encoded message");
		return c;
	}
	if (c.pos)
		memcpy(to.end - c.pos, c.end - c.pos, c.pos);
	return to;
}

/* `n` more bytes, in front of the others: the cursor stands at the first of them. */
static ALWAYS_INLINE bool take(struct encoder *e, struct cursor *c, bool write, size_t n)
{
	if (write && n > c->room - c->pos) {
		*c = grow(e, *c, n);
		if (n > c->room - c->pos)
			return false;
	}
	c->pos += n;
	return true;
}

/*
 * What a scalar is on the wire: a varint's value or a fixed number's bits. Negative int32 and enum
 * values go as 64 bits, ten bytes long: so the wire format has it, for readers that take them as
 * int64.
 */
static ALWAYS_INLINE uint64_t scalar_bits(enum proto_kind kind, const void *at)
{
	uint32_t half = *(const uint32_t *)at;

	switch (kind) {
	case PROTO_INT32:
		return (uint64_t)(int64_t)(int32_t)half;
	case PROTO_SINT32:
		return (uint32_t)wire_zigzag((int32_t)half);
	case PROTO_BOOL:
		return half != 0;
	case PROTO_SINT64:
		return wire_zigzag(*(const int64_t *)at);
	default:
		return proto_kind_size(kind) == 8 ? *(const uint64_t *)at : half;
	}
}

static ALWAYS_INLINE size_t scalar_size(enum proto_kind kind, uint64_t bits)
{
	if (kind == PROTO_FIXED32 || kind == PROTO_FIXED64)
		return proto_kind_size(kind);
	return wire_varint_size(bits);
}

/* Behind its tag, but in a packed list. */
static ALWAYS_INLINE bool put_scalar(struct encoder *e, struct cursor *c, bool write,
	const struct proto_field *field, const void *value)
{
	enum proto_kind kind = (enum proto_kind)field->kind;
	uint64_t bits = scalar_bits(kind, value);
	size_t tag_size = field->packed ? 0 : field->tag_size;

	if (!take(e, c, write, tag_size + scalar_size(kind, bits)))
		return false;
	if (!write)
		return true;
	uint8_t *at = c->end - c->pos;
	if (tag_size)
		at = wire_store_varint(at, field->tag);
	if (kind == PROTO_FIXED32)
		wire_store32(at, (uint32_t)bits);
	else if (kind == PROTO_FIXED64)
		wire_store64(at, bits);
	else
		wire_store_varint(at, bits);
	return true;
}

static bool refuse(const struct encoder *e, const struct proto_table *table,
	const struct proto_field *field, const char *what)
{
	error_set(e->err, TEMPORAL_INVALID_ARGUMENT, "%s.%s: %s", table->type->name,
		proto_table_descriptor(table, field)->name, what);
	return false;
}

static ALWAYS_INLINE bool put_data(
	struct encoder *e, struct cursor *c, bool write, const void *data, size_t len)
{
	if (!take(e, c, write, len))
		return false;
	if (write && len)
		memcpy(c->end - c->pos, data, len);
	return true;
}

/* The field's tag and length, in front of the `len` bytes that were written last. */
static ALWAYS_INLINE bool put_prefix(struct encoder *e, struct cursor *c, bool write,
	const struct proto_field *field, size_t len)
{
	if (!take(e, c, write, field->tag_size + wire_varint_size(len)))
		return false;
	if (write)
		wire_store_varint(wire_store_varint(c->end - c->pos, field->tag), len);
	return true;
}

static ALWAYS_INLINE bool put_string(struct encoder *e, struct cursor *c, bool write,
	const struct proto_field *field, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (write && e->check && !str_is_utf8(text, len))
		return refuse(e, c->frame->table, field, "the string is not UTF-8");
	return put_data(e, c, write, text, len) && put_prefix(e, c, write, field, len);
}

static ALWAYS_INLINE bool put_bytes(struct encoder *e, struct cursor *c, bool write,
	const struct proto_field *field, const ProtobufCBinaryData *bytes)
{
	size_t len = bytes->data ? bytes->len : 0;

	return put_data(e, c, write, bytes->data, len) && put_prefix(e, c, write, field, len);
}

/* One value of anything but a message, which `at` points to. */
static ALWAYS_INLINE bool put_value(struct encoder *e, struct cursor *c, bool write,
	const struct proto_field *field, const void *at)
{
	if (field->kind == PROTO_STRING)
		return put_string(e, c, write, field, *(const char *const *)at);
	if (field->kind == PROTO_BYTES)
		return put_bytes(e, c, write, field, at);
	return put_scalar(e, c, write, field, at);
}

/* From the last element to the first. A packed list has one tag and one length in front. */
static ALWAYS_INLINE bool put_repeated(struct encoder *e, struct cursor *c, bool write,
	const struct proto_field *field, const char *array, size_t n)
{
	size_t size = proto_kind_size((enum proto_kind)field->kind), end = c->pos;

	while (n-- > 0)
		if (!put_value(e, c, write, field, array + n * size))
			return false;
	return !field->packed || put_prefix(e, c, write, field, c->pos - end);
}

/* In the order in which they came. */
static ALWAYS_INLINE bool put_unknown(
	struct encoder *e, struct cursor *c, bool write, const ProtobufCMessage *message)
{
	for (unsigned i = message->n_unknown_fields; i-- > 0;) {
		const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
		uint64_t tag = (uint64_t)field->tag << 3 | (uint64_t)field->wire_type;

		if (!put_data(e, c, write, field->data, field->len) ||
			!take(e, c, write, wire_varint_size(tag)))
			return false;
		if (write)
			wire_store_varint(c->end - c->pos, tag);
	}
	return true;
}

/*
 * Starts a message from its end: what comes last are the unknown fields. NULL as an element of a
 * list is an empty message: it has no fields to walk.
 */
static ALWAYS_INLINE bool open_message(struct encoder *e, struct cursor *c, bool write,
	const void *message, const struct proto_table *table)
{
	if (!table) {
		error_no_memory(e->err, "a message's table");
		return false;
	}
	*c->frame = (struct frame){
		.message = message,
		.table = table,
		.at = table->fields + (message ? table->n_fields : 0),
		.end = c->pos,
	};
	return !message || put_unknown(e, c, write, message);
}

/* The last one of those that are left. */
static ALWAYS_INLINE bool open_submessage(struct encoder *e, struct cursor *c, bool write)
{
	struct frame *frame = c->frame;
	const void *message = frame->elements[--frame->elements_left];

	if (frame == &e->frames[PROTO_DEPTH_MAX])
		return refuse(e, frame->table, frame->open, "messages are nested deeper than 100");
	c->frame++;
	return open_message(e, c, write, message, proto_table_child(frame->table, frame->open));
}

/* Ends the message by its start. */
static ALWAYS_INLINE bool close_submessage(struct encoder *e, struct cursor *c, bool write)
{
	size_t len = c->pos - c->frame->end;

	c->frame--;
	return put_prefix(e, c, write, c->frame->open, len);
}

/* Submessages are only announced: walk() goes on with them. */
static ALWAYS_INLINE bool put_field(
	struct encoder *e, struct cursor *c, bool write, const struct proto_field *field)
{
	struct frame *frame = c->frame;
	void *at = proto_at(frame->message, field->offset);
	size_t n = 1;

	if (field->mode == PROTO_REPEATED) {
		n = *(size_t *)proto_at(frame->message, field->quantifier);
		at = *(void **)at;
	}
	if (field->kind == PROTO_MESSAGE) {
		frame->open = field;
		frame->elements = at;
		frame->elements_left = n;
		return true;
	}
	if (field->mode == PROTO_REPEATED)
		return put_repeated(e, c, write, field, at, n);
	return put_value(e, c, write, field, at);
}

/* Measures or writes the whole message; the cursor stands at its start afterwards. */
static ALWAYS_INLINE bool walk(struct encoder *e, struct cursor *c, bool write)
{
	const ProtobufCMessage *message = e->message;

	c->frame = e->frames;
	if (!open_message(e, c, write, message, proto_table_of(message->descriptor)))
		return false;
	for (;;) {
		struct frame *frame = c->frame;
		const struct proto_field *field;

		if (frame->elements_left > 0) {
			if (!open_submessage(e, c, write))
				return false;
		} else if ((field = walk_previous(frame->table, frame->message, &frame->at))) {
			if (!put_field(e, c, write, field))
				return false;
		} else if (frame == e->frames) {
			return true;
		} else if (!close_submessage(e, c, write)) {
			return false;
		}
	}
}

/* The frames are left as they are. */
static void encoder_init(struct encoder *e, const void *message, struct temporal_error *err)
{
	e->arena = NULL;
	e->message = message;
	e->headroom = 0;
	e->check = false;
	e->err = err;
}

/* Writes the message and its headroom from the end of `room` bytes; NULL: it has failed. */
static uint8_t *write_before(struct encoder *e, uint8_t *end, size_t room, size_t *size)
{
	struct cursor c = { .end = end, .room = room };

	if (!walk(e, &c, true) || !take(e, &c, true, e->headroom))
		return NULL;
	*size = c.pos;
	return c.end - c.pos;
}

/* 0 also for an empty message; the caller who has to know an error from it uses proto_encode(). */
size_t proto_size(const void *message)
{
	struct cursor c = { 0 };
	struct encoder e;

	encoder_init(&e, message, NULL);
	return walk(&e, &c, false) ? c.pos : 0;
}

/* What was measured has its tables, and is not too deep. */
void proto_write(const void *message, uint8_t *out, size_t size)
{
	struct encoder e;

	encoder_init(&e, message, NULL);
	if (size && write_before(&e, out + size, size, &size) != out)
		abort();
}

enum temporal_code proto_encode(struct arena *arena, const void *message, size_t headroom,
	struct bytes *out, struct temporal_error *err)
{
	struct temporal_error local = { 0 };
	struct encoder e;
	size_t room, size = 0;

	encoder_init(&e, message, err ? err : &local);
	e.arena = arena;
	e.headroom = headroom;
	e.check = true;
	uint8_t *end = (uint8_t *)arena_tail(arena, headroom, &room);
	if (!end)
		return error_no_memory(e.err, "an encoded message");
	bool fits = write_before(&e, end, room, &size);
	uint8_t *data = arena_tail_keep(arena, size);
	if (!fits)
		return e.err->code;
	*out = (struct bytes){ data, size };
	return TEMPORAL_OK;
}
