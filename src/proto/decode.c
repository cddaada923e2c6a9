/*
 * decode.c: bytes to message, by table.
 *
 * One loop over an explicit stack of frames: a submessage pushes one, its end pops it, so that
 * hostile nesting costs neither stack nor time. A singular submessage that comes again is simply
 * continued: merging is linear. Arrays grow by doubling whenever their count is a power of two, so
 * no capacity is stored. Each allocation is charged to the message's own budget before it is made,
 * beside the arena's.
 *
 * Called on whichever thread got the bytes, never on a coroutine (the frames take some 4 KiB of
 * stack).
 *
 * Guarantees to whoever gets a message: strings are UTF-8 without NULs and terminated; all pointers
 * lead into the arena, to the empty string or to tables; the counts fit the arrays. So nobody
 * behind this file checks what came from the network for anything but its meaning.
 *
 * What protobuf prescribes and is easily forgotten: a field may come in any order and repeatedly
 * (the last scalar counts, messages merge, lists append); a list of numbers may come packed or not,
 * whatever the .proto says; an unknown field is kept; a known number with another wire type counts
 * as unknown.
 *
 * Speed comes from guessing: messages are written in the order of their fields' numbers, so the
 * field behind the last one is tried first (frame->next), and one comparison of the tag checks
 * number and wire type together.
 */
#include "proto/codec.h"

#include "base/error.h"
#include "proto/table.h"
#include "proto/wire.h"

/*
 * Without limits from the caller, a message may become so much larger than its encoding: real
 * histories grow fivefold, and a run of empty submessages would 76-fold. An element
 * for each byte is what a packed list can have.
 */
#define MEMORY_FACTOR 16
#define MEMORY_FLOOR  (256 * 1024)
#define ELEMENTS_MORE 4096

#define ARENA_ROOM 64 /* what an arena's chunk needs beside its content, at most */

/* One message that is being filled: the innermost is on top. */
struct frame {
	char *message;
	const struct proto_table *table;
	const uint8_t *end;
	const struct proto_field *next; /* the field that comes most probably */
};

/* `frames` is left uninitialized: clearing 4 KiB would cost more than many a message does. */
struct decoder {
	struct arena *arena;
	const uint8_t *start;
	size_t elements_left;
	size_t memory_left;
	unsigned depth, depth_max;
	struct temporal_error *err;
	struct frame frames[PROTO_DEPTH_MAX + 1];
};

/* Writes the error; always NULL. `field` may be NULL. */
static const uint8_t *refuse(const struct decoder *d, const struct proto_field *field,
	const uint8_t *at, enum temporal_code code, const char *what)
{
	const struct frame *frame = &d->frames[d->depth];
	const char *name = field ? proto_table_descriptor(frame->table, field)->name : NULL;

	error_set(d->err, code, "%s%s%s, byte %zu: %s", frame->table->type->name, name ? "." : "",
		name ? name : "", (size_t)(at - d->start), what);
	return NULL;
}

/* INTERNAL, as gRPC has it for messages that cannot be parsed. */
static const uint8_t *malformed(const struct decoder *d, const struct proto_field *field,
	const uint8_t *at, const char *what)
{
	return refuse(d, field, at, TEMPORAL_INTERNAL, what);
}

/*
 * Memory for the message, within its budget and the arena's. Of the two limits that may be spent,
 * the message's own is the sender's fault, and so is the arena's budget; malloc's failure is ours
 * and has another code.
 */
static inline void *take(struct decoder *d, const struct proto_field *field, const uint8_t *at,
	size_t size, size_t align)
{
	if (size <= d->memory_left) {
		void *memory = arena_alloc_aligned(d->arena, size, align);

		d->memory_left -= size;
		if (memory)
			return memory;
		if (size + ARENA_ROOM <= d->arena->budget - d->arena->held) {
			error_no_memory(d->err, "a decoded message");
			return NULL;
		}
	}
	refuse(d, field, at, TEMPORAL_RESOURCE_EXHAUSTED,
		"the decoded message is larger than allowed");
	return NULL;
}

/*
 * Elements are limited apart from memory: an empty submessage costs two bytes of input and a whole
 * struct here, and walking many of them later costs time.
 */
static inline bool count_elements(
	struct decoder *d, const struct proto_field *field, const uint8_t *at, size_t count)
{
	if (count > d->elements_left) {
		refuse(d, field, at, TEMPORAL_RESOURCE_EXHAUSTED,
			"more elements than allowed in one message");
		return false;
	}
	d->elements_left -= count;
	return true;
}

/*
 * Makes room for `more` elements behind the *n of an array; false when limits forbid it. The old
 * array stays behind in the arena: at most as much as the new one holds, over all its growth.
 */
static bool array_reserve(struct decoder *d, const struct proto_field *field, const uint8_t *at,
	char **array, size_t n, size_t more, size_t size)
{
	size_t capacity = proto_capacity(n + more);

	if (!count_elements(d, field, at, more))
		return false;
	if (capacity == proto_capacity(n))
		return true;
	char *larger = take(d, field, at, capacity * size, 8);
	if (!larger)
		return false;
	if (n)
		memcpy(larger, *array, n * size);
	*array = larger;
	return true;
}

/* A new last element of a repeated field, not yet written. */
static void *array_append(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at)
{
	size_t *n = proto_at(frame->message, field->quantifier);
	char **array = proto_at(frame->message, field->offset);
	size_t size = proto_kind_size((enum proto_kind)field->kind);

	if (!array_reserve(d, field, at, array, *n, 1, size))
		return NULL;
	return *array + (*n)++ * size;
}

/*
 * Where the field's next value goes; marks it as present. A string or message shows by its pointer
 * and needs no mark; a oneof's case is its number, by which an older member is forgotten.
 */
static inline void *slot_of(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at)
{
	switch (field->mode) {
	case PROTO_REPEATED:
		return array_append(d, frame, field, at);
	case PROTO_ONEOF:
		*(uint32_t *)proto_at(frame->message, field->quantifier) = field->tag >> 3;
		break;
	case PROTO_OPTIONAL:
		if (field->kind != PROTO_STRING && field->kind != PROTO_MESSAGE)
			*(protobuf_c_boolean *)proto_at(frame->message, field->quantifier) = 1;
		break;
	default:
		break;
	}
	return proto_at(frame->message, field->offset);
}

/* Reads one number; NULL when the bytes are no such number. */
static const uint8_t *read_scalar(
	enum proto_kind kind, const uint8_t *at, const uint8_t *end, void *slot)
{
	uint64_t value;

	if (kind == PROTO_FIXED32 || kind == PROTO_FIXED64) {
		size_t size = proto_kind_size(kind);

		if ((size_t)(end - at) < size)
			return NULL;
		if (size == 4)
			*(uint32_t *)slot = wire_load32(at);
		else
			*(uint64_t *)slot = wire_load64(at);
		return at + size;
	}
	at = wire_read_varint(at, end, &value);
	if (!at)
		return NULL;
	if (kind == PROTO_SINT32 || kind == PROTO_SINT64)
		value = (uint64_t)wire_unzigzag(kind == PROTO_SINT32 ? (uint32_t)value : value);
	else if (kind == PROTO_BOOL)
		value = value != 0;
	if (proto_kind_size(kind) == 4)
		*(uint32_t *)slot = (uint32_t)value;
	else
		*(uint64_t *)slot = value;
	return at;
}

static const uint8_t *decode_scalar(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at)
{
	void *slot = slot_of(d, frame, field, at);

	if (!slot)
		return NULL;
	const uint8_t *behind = read_scalar((enum proto_kind)field->kind, at, frame->end, slot);
	return behind ? behind : malformed(d, field, at, "not a whole number of its kind");
}

/*
 * How many numbers of the kind these bytes hold, if they hold whole ones: a varint ends with the
 * byte that has no high bit. So the array is made in one go.
 */
static size_t packed_count(enum proto_kind kind, const uint8_t *at, size_t len)
{
	size_t count = 0;

	if (kind == PROTO_FIXED32 || kind == PROTO_FIXED64)
		return len / proto_kind_size(kind);
	for (size_t i = 0; i < len; i++)
		count += at[i] < 0x80;
	return count;
}

/* A list may come in several parts; each is appended. */
static const uint8_t *decode_packed(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at)
{
	size_t *n = proto_at(frame->message, field->quantifier);
	char **array = proto_at(frame->message, field->offset);
	enum proto_kind kind = (enum proto_kind)field->kind;
	size_t size = proto_kind_size(kind);
	uint32_t len;

	at = wire_read_len(at, frame->end, &len);
	if (!at)
		return malformed(d, field, frame->end, "the list goes beyond its message");
	const uint8_t *end = at + len;
	if (len && !array_reserve(d, field, at, array, *n, packed_count(kind, at, len), size))
		return NULL;
	while (at < end) {
		/* Still no array: there is not one whole number in the list. */
		const uint8_t *behind =
			*array ? read_scalar(kind, at, end, *array + *n * size) : NULL;

		if (!behind)
			return malformed(d, field, at, "not a list of whole numbers");
		++*n;
		at = behind;
	}
	return at;
}

/* What is wrong with a string: it has to be UTF-8 without any NUL. NULL: nothing. */
static const char *text_fault(const uint8_t *at, size_t len)
{
	if (!str_is_utf8((const char *)at, len))
		return "the string is not UTF-8";
	return memchr(at, 0, len) ? "the string has a NUL in it" : NULL;
}

/* Is it plain ASCII without any NUL, as most strings are? Eight bytes at a time. */
static inline bool is_plain(const uint8_t *at, size_t len)
{
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, at + i, 8);
		/* A byte is above 0x7F itself, or becomes so when 1 is taken from it: NUL. */
		if ((word | (word - 0x0101010101010101u)) & 0x8080808080808080u)
			return false;
	}
	for (; i < len; i++)
		if (at[i] - 1u >= 0x7F)
			return false;
	return true;
}

/*
 * Checked before anything is allocated. An empty one is the library's constant, as in messages that
 * were never encoded.
 */
static const uint8_t *decode_string(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at)
{
	uint32_t len;
	const uint8_t *text = wire_read_len(at, frame->end, &len);

	if (!text)
		return malformed(d, field, at, "the string goes beyond its message");
	const char *fault = is_plain(text, len) ? NULL : text_fault(text, len);
	if (fault)
		return malformed(d, field, at, fault);
	const char **slot = slot_of(d, frame, field, at);
	if (!slot)
		return NULL;
	*slot = protobuf_c_empty_string;
	if (len) {
		char *copy = take(d, field, at, (size_t)len + 1, 1);

		if (!copy)
			return NULL;
		memcpy(copy, text, len);
		copy[len] = '\0';
		*slot = copy;
	}
	return text + len;
}

/* Copied: the input is a network buffer, which is used again. */
static const uint8_t *decode_bytes(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at)
{
	uint32_t len;
	const uint8_t *data = wire_read_len(at, frame->end, &len);

	if (!data)
		return malformed(d, field, at, "the bytes go beyond their message");
	ProtobufCBinaryData *slot = slot_of(d, frame, field, at);
	if (!slot)
		return NULL;
	*slot = (ProtobufCBinaryData){ 0 };
	if (len) {
		slot->data = take(d, field, at, len, 1);
		if (!slot->data)
			return NULL;
		memcpy(slot->data, data, len);
		slot->len = len;
	}
	return data + len;
}

/* An image of the empty message, with its defaults, is copied: no walk over the fields. */
static void *new_message(struct decoder *d, const struct proto_field *field, const uint8_t *at,
	const struct proto_table *table)
{
	if (!count_elements(d, field, at, 1))
		return NULL;
	void *message = take(d, field, at, table->type->sizeof_message, 8);
	if (message)
		memcpy(message, table->empty, table->type->sizeof_message);
	return message;
}

/*
 * The message that the field's bytes belong to: that which is there already, or a new one. Another
 * member of the oneof is dropped, not merged into: its pointer is of another type.
 */
static char *submessage_of(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at, const struct proto_table *child)
{
	bool other = field->mode == PROTO_ONEOF &&
		     *(uint32_t *)proto_at(frame->message, field->quantifier) != field->tag >> 3;
	char **slot;

	if (field->mode == PROTO_REPEATED) {
		char *message = new_message(d, field, at, child);

		slot = message ? slot_of(d, frame, field, at) : NULL;
		if (!slot)
			return NULL;
		*slot = message;
		return message;
	}
	slot = slot_of(d, frame, field, at);
	if (other || !*slot)
		*slot = new_message(d, field, at, child);
	return *slot;
}

/*
 * Only enters it: decode_all() goes on with its first field. Its end was checked to lie within the
 * message around it, so all frames below end where they should.
 */
static const uint8_t *decode_message(struct decoder *d, const struct frame *frame,
	const struct proto_field *field, const uint8_t *at)
{
	uint32_t len;
	const uint8_t *data = wire_read_len(at, frame->end, &len);

	if (!data)
		return malformed(d, field, at, "the message goes beyond the one around it");
	if (d->depth >= d->depth_max)
		return refuse(d, field, at, TEMPORAL_RESOURCE_EXHAUSTED,
			"messages are nested deeper than allowed");
	const struct proto_table *child = proto_table_child(frame->table, field);
	if (!child) {
		error_no_memory(d->err, "a message's table");
		return NULL;
	}
	char *message = submessage_of(d, frame, field, at, child);
	if (!message)
		return NULL;
	d->frames[++d->depth] = (struct frame){ message, child, data + len, child->fields };
	return data;
}

/* Passes over one value that is no group; NULL when it is not whole. */
static const uint8_t *skip_value(uint32_t tag, const uint8_t *at, const uint8_t *end)
{
	uint64_t value;
	uint32_t len;

	switch (tag & 7) {
	case WIRE_VARINT:
		return wire_read_varint(at, end, &value);
	case WIRE_64BIT:
		return end - at < 8 ? NULL : at + 8;
	case WIRE_LEN:
		at = wire_read_len(at, end, &len);
		return at ? at + len : NULL;
	case WIRE_32BIT:
		return end - at < 4 ? NULL : at + 4;
	default:
		return NULL;
	}
}

/*
 * Passes over a group with all groups in it: `at` stands behind its start, the result behind its
 * end. Groups are of proto2 and nobody sends them, but an unknown field may be one, and they nest;
 * so they count towards the depth as messages do.
 */
static const uint8_t *skip_group(
	const struct decoder *d, uint32_t tag, const uint8_t *at, const uint8_t *end)
{
	uint32_t open[PROTO_DEPTH_MAX];
	unsigned depth = 0, depth_max = d->depth_max - d->depth;

	while (at) {
		if ((tag & 7) == WIRE_GROUP) {
			if (depth >= depth_max)
				return NULL;
			open[depth++] = tag >> 3;
		} else if ((tag & 7) == WIRE_GROUP_END) {
			if (open[--depth] != tag >> 3)
				return NULL;
			if (depth == 0)
				return at;
		} else {
			at = skip_value(tag, at, end);
		}
		if (at)
			at = wire_read_short(at, end, &tag);
		if (tag < 8)
			return NULL;
	}
	return NULL;
}

/*
 * Keeps a field that the type does not know, or knows with another wire type. A newer server's
 * field must survive the way through us: a failure that a workflow gets and passes on, say.
 */
static const uint8_t *keep_unknown(
	struct decoder *d, const struct frame *frame, uint32_t tag, const uint8_t *at)
{
	ProtobufCMessage *message = (ProtobufCMessage *)(void *)frame->message;
	unsigned n = message->n_unknown_fields;
	char *array = (char *)message->unknown_fields;
	const uint8_t *behind = (tag & 7) == WIRE_GROUP ? skip_group(d, tag, at, frame->end)
							: skip_value(tag, at, frame->end);

	if (!behind)
		return malformed(d, NULL, at, "an unknown field that is not whole");
	if (!array_reserve(d, NULL, at, &array, n, 1, sizeof(ProtobufCMessageUnknownField)))
		return NULL;
	size_t len = (size_t)(behind - at);
	uint8_t *data = len ? take(d, NULL, at, len, 1) : NULL;
	if (len && !data)
		return NULL;
	if (len)
		memcpy(data, at, len);
	message->unknown_fields = (ProtobufCMessageUnknownField *)(void *)array;
	message->unknown_fields[n] = (ProtobufCMessageUnknownField){
		.tag = tag >> 3,
		.wire_type = (ProtobufCWireType)(tag & 7),
		.len = len,
		.data = data,
	};
	message->n_unknown_fields = n + 1;
	return behind;
}

/*
 * A tag that is not the one that its field is written with; `at` stands behind it. Here are the
 * rare cases that decode_field() need not look for: errors, lists in their other form, unknown
 * fields.
 */
static const uint8_t *decode_odd(
	struct decoder *d, const struct frame *frame, uint32_t tag, const uint8_t *at)
{
	const struct proto_field *field = proto_table_find(frame->table, tag >> 3);

	if (tag < 8)
		return malformed(d, NULL, at, "a field with the number 0");
	if ((tag & 7) == WIRE_GROUP_END || (tag & 7) > WIRE_32BIT)
		return malformed(d, field, at, "a wire type that cannot stand here");
	if (field && field->mode == PROTO_REPEATED &&
		proto_kind_is_scalar((enum proto_kind)field->kind)) {
		enum proto_kind kind = (enum proto_kind)field->kind;

		if ((tag & 7) == WIRE_LEN)
			return decode_packed(d, frame, field, at);
		if ((tag & 7) == proto_wire_type(kind, false))
			return decode_scalar(d, frame, field, at);
	}
	return keep_unknown(d, frame, tag, at);
}

/*
 * One field at `at`; the place behind it, or behind a submessage's length when that was entered.
 * The guess for the next one stays at a repeated field, whose elements follow each other.
 */
static inline const uint8_t *decode_field(struct decoder *d, struct frame *frame, const uint8_t *at)
{
	const struct proto_field *field = frame->next;
	uint32_t tag;
	const uint8_t *value = wire_read_short(at, frame->end, &tag);

	if (!value)
		return malformed(d, NULL, at, "not a field's tag");
	if (field->tag != tag)
		field = proto_table_find(frame->table, tag >> 3);
	if (!field || field->tag != tag)
		return decode_odd(d, frame, tag, value);
	frame->next = field + (field->mode != PROTO_REPEATED);
	switch (field->kind) {
	case PROTO_STRING:
		return decode_string(d, frame, field, value);
	case PROTO_BYTES:
		return decode_bytes(d, frame, field, value);
	case PROTO_MESSAGE:
		return decode_message(d, frame, field, value);
	case PROTO_NO_KIND: /* a hostile tag that is equal to the table's end mark */
		return decode_odd(d, frame, tag, value);
	default:
		return field->packed ? decode_packed(d, frame, field, value)
				     : decode_scalar(d, frame, field, value);
	}
}

/*
 * The stack of frames stands for the recursion: enter, go on, leave. One function for all callers,
 * so that the compiler makes one of it and of what is done to a field.
 */
static __attribute__((noinline)) bool decode_all(struct decoder *d, const uint8_t *at)
{
	for (;;) {
		struct frame *frame = &d->frames[d->depth];

		if (at < frame->end) {
			at = decode_field(d, frame, at);
			if (!at)
				return false;
		} else if (d->depth == 0) {
			return true;
		} else {
			d->depth--;
		}
	}
}

/*
 * Without limits from the caller they are by the input's size, so that no message costs much more
 * than its sender has paid for.
 */
static void set_limits(struct decoder *d, const struct proto_limits *limits, size_t len)
{
	size_t memory;

	d->depth_max = PROTO_DEPTH_MAX;
	d->elements_left = len + ELEMENTS_MORE;
	if (__builtin_mul_overflow(len, MEMORY_FACTOR, &memory) ||
		__builtin_add_overflow(memory, MEMORY_FLOOR, &memory))
		memory = SIZE_MAX;
	d->memory_left = memory;
	if (!limits)
		return;
	if (limits->depth_max && limits->depth_max < PROTO_DEPTH_MAX)
		d->depth_max = limits->depth_max;
	if (limits->elements_max)
		d->elements_left = limits->elements_max;
	if (limits->memory_max)
		d->memory_left = limits->memory_max;
}

/* On a failure what was allocated stays in the arena, which the caller gives up anyway. */
void *proto_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data,
	size_t len, const struct proto_limits *limits, struct temporal_error *err)
{
	static const uint8_t nothing[1];
	const uint8_t *start = len ? data : nothing;
	const struct proto_table *table = proto_table_of(type);
	struct decoder d;

	if (!table) {
		error_no_memory(err, "a message's table");
		return NULL;
	}
	d.arena = arena;
	d.start = start;
	d.err = err;
	d.depth = 0;
	set_limits(&d, limits, len);
	d.frames[0] = (struct frame){ NULL, table, start + len, table->fields };
	d.frames[0].message = new_message(&d, NULL, start, table);
	if (!d.frames[0].message || !decode_all(&d, start))
		return NULL;
	return d.frames[0].message;
}

/* As the field would come: each field of each message has one way through the code, and is fast. */
static uint8_t *on_wire(struct arena *arena, const ProtobufCMessageUnknownField *field, size_t *len)
{
	uint32_t tag = wire_tag(field->tag, (enum wire_type)field->wire_type);
	size_t n_tag = wire_varint_size(tag);

	if (__builtin_add_overflow(n_tag, field->len, len))
		return NULL;
	uint8_t *out = arena_alloc(arena, *len);
	if (!out)
		return NULL;
	wire_store_varint(out, tag);
	if (field->len)
		memcpy(out + n_tag, field->data, field->len);
	return out;
}

bool proto_decode_more(struct arena *arena, const struct proto_table *table, void *message,
	const ProtobufCMessageUnknownField *field, unsigned depth, size_t *memory)
{
	struct decoder d;
	size_t len;
	const uint8_t *start = on_wire(arena, field, &len);

	if (!start)
		return false;
	d.arena = arena;
	d.start = start;
	d.err = NULL;
	d.depth = 0;
	set_limits(&d, NULL, len);
	d.depth_max -= depth;
	size_t allowed = d.memory_left;
	d.frames[0] = (struct frame){ message, table, start + len, table->fields };
	if (!decode_all(&d, start))
		return false;
	*memory = len + allowed - d.memory_left;
	return true;
}
