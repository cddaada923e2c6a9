/*
 * transfer.c: a message from one side of this process to the other, without its encoding: a checked
 * copy that has what decode(encode(message)) has, to the bit.
 *
 * What the wire changes: NULL strings become "", NULL elements of a list empty messages, a oneof
 * whose message is NULL is not set, presence is told by 0 and 1, and unknown fields which the type
 * knows (events that were encoded before, say) are decoded.
 *
 * What is wrong with a message is not told here: the copy is given up, and the caller takes the way
 * of the wire, whose errors are then those of the wire by themselves. So the limits here need not
 * be those of the decoder, only never wider: what is smaller than MEMORY_SMALL, or MEMORY_FACTOR
 * times as large as its encoding, is below what the decoder allows, its arrays' growth and the lost
 * ends of an arena's chunks included.
 *
 * The walk is the encoder's (walk.h), from the last field to the first, on an explicit stack; it
 * copies into images of the empty message, so that absent fields cost one comparison.
 *
 * The thread that has the message.
 */
#include "proto/codec.h"
#include "proto/walk.h"

#define MEMORY_SMALL  (24 * 1024)
#define MEMORY_FACTOR 8
#define ARRAY_GROWTH  4 /* what the decoder takes for an array's elements, at most */

struct frame {
	const ProtobufCMessage *from; /* NULL: an empty message, as an element of a list */
	ProtobufCMessage *to;
	const struct proto_table *table;
	const struct proto_field *at;   /* the fields from here on are done */
	const struct proto_field *open; /* the field whose elements are being copied */
	size_t elements_left;           /* of `open` */
};

/* `frames` is left uninitialized, as in decode.c. */
struct transfer {
	struct arena *arena;
	const void *message;
	size_t size_max;
	size_t memory, memory_max;
	unsigned depth;
	struct frame frames[PROTO_DEPTH_MAX + 1];
};

/* Only what is large is measured. */
static bool fits_its_size(struct transfer *t)
{
	size_t size = proto_size(t->message);

	if (!size || size > t->size_max)
		return false;
	t->memory_max = size * MEMORY_FACTOR;
	return t->memory <= t->memory_max;
}

static inline bool count(struct transfer *t, size_t size)
{
	t->memory += size;
	return t->memory <= t->memory_max || (t->memory_max == MEMORY_SMALL && fits_its_size(t));
}

static inline void *take(struct transfer *t, size_t size, size_t align)
{
	return count(t, size) ? arena_alloc_aligned(t->arena, size, align) : NULL;
}

/* With the decoder's room, which proto_decode_more() counts on. */
static void *take_array(struct transfer *t, size_t n, size_t size)
{
	size_t capacity = proto_capacity(n);

	if (capacity > SIZE_MAX / 64 || !count(t, n * size * ARRAY_GROWTH))
		return NULL;
	return arena_alloc_aligned(t->arena, capacity * size, 8);
}

static bool put_string(struct transfer *t, const char **slot, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	*slot = protobuf_c_empty_string;
	if (!len)
		return true;
	char *copy = str_is_utf8(text, len) ? take(t, len + 1, 1) : NULL;
	if (!copy)
		return false;
	*slot = memcpy(copy, text, len + 1);
	return true;
}

static bool put_bytes(
	struct transfer *t, ProtobufCBinaryData *slot, const ProtobufCBinaryData *data)
{
	size_t len = data->data ? data->len : 0;

	*slot = (ProtobufCBinaryData){ 0 };
	if (!len)
		return true;
	slot->data = take(t, len, 1);
	if (!slot->data)
		return false;
	memcpy(slot->data, data->data, len);
	slot->len = len;
	return true;
}

static void put_scalar(enum proto_kind kind, void *slot, const void *value)
{
	if (kind == PROTO_BOOL)
		*(protobuf_c_boolean *)slot = *(const protobuf_c_boolean *)value != 0;
	else
		memcpy(slot, value, proto_kind_size(kind));
}

static bool put_value(struct transfer *t, enum proto_kind kind, void *slot, const void *value)
{
	if (kind == PROTO_STRING)
		return put_string(t, slot, *(const char *const *)value);
	if (kind == PROTO_BYTES)
		return put_bytes(t, slot, value);
	put_scalar(kind, slot, value);
	return true;
}

/* Numbers, strings or bytes. */
static bool put_elements(
	struct transfer *t, enum proto_kind kind, char *array, const char *from, size_t n)
{
	size_t size = proto_kind_size(kind);

	for (size_t i = 0; i < n; i++)
		if (!put_value(t, kind, array + i * size, from + i * size))
			return false;
	return true;
}

/* A list; its messages are only announced: the walk goes on with them. */
static bool put_repeated(struct transfer *t, struct frame *frame, const struct proto_field *field)
{
	enum proto_kind kind = (enum proto_kind)field->kind;
	size_t n = *(const size_t *)proto_at(frame->from, field->quantifier);
	char *array = take_array(t, n, proto_kind_size(kind));

	if (!array)
		return false;
	*(char **)proto_at(frame->to, field->offset) = array;
	*(size_t *)proto_at(frame->to, field->quantifier) = n;
	if (kind != PROTO_MESSAGE)
		return put_elements(t, kind, array,
			*(const char *const *)proto_at(frame->from, field->offset), n);
	frame->open = field;
	frame->elements_left = n;
	return true;
}

/* A new message on top of the stack. */
static void *push(struct transfer *t, const void *from, const struct proto_table *table)
{
	size_t size = table->type->sizeof_message;
	void *to = take(t, size, 8);

	if (!to)
		return NULL;
	memcpy(to, table->empty, size);
	t->frames[t->depth] = (struct frame){
		.from = from,
		.to = to,
		.table = table,
		.at = table->fields + (from ? table->n_fields : 0),
	};
	return to;
}

static void *push_child(struct transfer *t, const struct frame *frame,
	const struct proto_field *field, const void *from)
{
	const struct proto_table *child = proto_table_child(frame->table, field);

	if (!child || t->depth == PROTO_DEPTH_MAX)
		return NULL;
	t->depth++;
	return push(t, from, child);
}

static bool put_field(struct transfer *t, struct frame *frame, const struct proto_field *field)
{
	const void *from = proto_at(frame->from, field->offset);
	void *slot = proto_at(frame->to, field->offset);

	if (field->mode == PROTO_REPEATED)
		return put_repeated(t, frame, field);
	if (field->mode == PROTO_ONEOF)
		*(uint32_t *)proto_at(frame->to, field->quantifier) = field->tag >> 3;
	if (field->kind == PROTO_MESSAGE) {
		*(void **)slot = push_child(t, frame, field, *(void *const *)from);
		return *(void **)slot;
	}
	if (field->mode == PROTO_OPTIONAL && field->kind != PROTO_STRING)
		*(protobuf_c_boolean *)proto_at(frame->to, field->quantifier) = 1;
	return put_value(t, (enum proto_kind)field->kind, slot, from);
}

static bool put_element(struct transfer *t, struct frame *frame)
{
	const struct proto_field *field = frame->open;
	size_t i = --frame->elements_left;
	void **to = *(void ***)proto_at(frame->to, field->offset);
	void *const *from = *(void *const *const *)proto_at(frame->from, field->offset);

	to[i] = push_child(t, frame, field, from[i]);
	return to[i];
}

/* As they lie behind all others on the wire. */
static bool put_unknown(struct transfer *t, const struct frame *frame)
{
	unsigned n = frame->from ? frame->from->n_unknown_fields : 0;
	size_t memory = 0;

	for (unsigned i = 0; i < n; i++)
		if (!proto_decode_more(t->arena, frame->table, frame->to,
			    &frame->from->unknown_fields[i], t->depth, &memory) ||
			!count(t, memory))
			return false;
	return true;
}

static bool transfer_all(struct transfer *t)
{
	for (;;) {
		struct frame *frame = &t->frames[t->depth];
		const struct proto_field *field;

		if (frame->elements_left > 0) {
			if (!put_element(t, frame))
				return false;
		} else if ((field = walk_previous(frame->table, frame->from, &frame->at))) {
			if (!put_field(t, frame, field))
				return false;
		} else if (!put_unknown(t, frame)) {
			return false;
		} else if (t->depth-- == 0) {
			return true;
		}
	}
}

/* On a failure what was allocated stays in the arena, which the caller gives up anyway. */
void *proto_transfer(struct arena *arena, const void *message, size_t size_max)
{
	const struct proto_table *table =
		proto_table_of(((const ProtobufCMessage *)message)->descriptor);
	struct transfer t;

	t.arena = arena;
	t.message = message;
	t.size_max = size_max;
	t.memory = 0;
	t.memory_max = MEMORY_SMALL;
	t.depth = 0;
	void *copy = table ? push(&t, message, table) : NULL;
	return copy && transfer_all(&t) ? copy : NULL;
}
