/*
 * message.c: empty messages and deep copies.
 *
 * A copy walks the tree on an explicit stack, like the codec; it takes as many bytes as the
 * original needs at least, so arrays come out without room to grow. What the original shares within
 * itself is copied as often as it is reached.
 *
 * A copy is how a message changes arenas: what comes with a poll's arena and has to outlive it
 * (engine/), what a workflow's memory holds and the server is to get.
 */
#include <stdlib.h>

#include "base/error.h"
#include "proto/codec.h"
#include "proto/table.h"

struct frame {
	char *message; /* already a copy of the struct; its members still are the original's up to
			  `at` */
	const struct proto_table *table;
	const struct proto_field *at;
	size_t element;
};

/* `frames` is left uninitialized, as in decode.c. */
struct copier {
	struct arena *arena;
	unsigned depth;
	struct frame frames[PROTO_DEPTH_MAX + 1];
};

void *proto_new(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
	const struct proto_table *table = proto_table_of(type);

	if (!table)
		return NULL;
	void *message = arena_alloc_aligned(arena, type->sizeof_message, 8);
	return message ? memcpy(message, table->empty, type->sizeof_message) : NULL;
}

/* Replaces a pointer to `size` bytes by one to a copy of them. */
static bool copy_block(struct arena *arena, void *slot, size_t size)
{
	void *from;

	memcpy(&from, slot, sizeof(from));
	if (!from || !size)
		return true;
	void *copy = arena_alloc_aligned(arena, size, 8);
	if (!copy)
		return false;
	memcpy(copy, from, size);
	memcpy(slot, &copy, sizeof(copy));
	return true;
}

/* The constant needs no copy: it belongs to the library. */
static bool copy_string(struct arena *arena, const char **slot)
{
	if (!*slot || *slot == protobuf_c_empty_string)
		return true;
	*slot = arena_strdup(arena, *slot);
	return *slot;
}

static bool copy_bytes(struct arena *arena, ProtobufCBinaryData *slot)
{
	if (!slot->data || !slot->len)
		return true;
	slot->data = arena_memdup(arena, slot->data, slot->len);
	return slot->data;
}

/* The array and the bytes of each. */
static bool copy_unknown(struct arena *arena, ProtobufCMessage *message)
{
	size_t n = message->n_unknown_fields;

	if (!copy_block(arena, &message->unknown_fields, n * sizeof(message->unknown_fields[0])))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!copy_block(arena, &message->unknown_fields[i].data,
			    message->unknown_fields[i].len))
			return false;
	return true;
}

static bool copy_elements(
	struct arena *arena, const struct proto_field *field, void *array, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (field->kind == PROTO_STRING
				? !copy_string(arena, (const char **)array + i)
				: !copy_bytes(arena, (ProtobufCBinaryData *)array + i))
			return false;
	return true;
}

/* A member that is not a message, or an array of messages: its own bytes alone. */
static bool copy_member(struct arena *arena, char *message, const struct proto_field *field)
{
	void *slot = proto_at(message, field->offset);
	enum proto_kind kind = (enum proto_kind)field->kind;

	if (field->mode == PROTO_REPEATED) {
		size_t n = *(size_t *)proto_at(message, field->quantifier);

		if (!copy_block(arena, slot, n * proto_kind_size(kind)))
			return false;
		if (kind == PROTO_STRING || kind == PROTO_BYTES)
			return copy_elements(arena, field, *(void **)slot, n);
		return true;
	}
	if (kind == PROTO_STRING)
		return copy_string(arena, slot);
	return kind != PROTO_BYTES || copy_bytes(arena, slot);
}

/* Copies the struct of one message, and what hangs on it without a name. */
static void *copy_struct(struct arena *arena, const void *message, const struct proto_table *table)
{
	void *copy = arena_alloc_aligned(arena, table->type->sizeof_message, 8);

	if (!copy)
		return NULL;
	memcpy(copy, message, table->type->sizeof_message);
	((ProtobufCMessage *)copy)->descriptor = table->type;
	return copy_unknown(arena, copy) ? copy : NULL;
}

/*
 * Replaces the submessage in `slot` by a copy and pushes that. Strange input, as a message that
 * holds itself, ends by the depth.
 */
static bool copy_submessage(struct copier *c, const struct frame *frame, char **slot)
{
	if (!*slot)
		return true;
	const struct proto_table *child = proto_table_child(frame->table, frame->at);
	if (!child || c->depth == PROTO_DEPTH_MAX)
		return false;
	*slot = copy_struct(c->arena, *slot, child);
	c->frames[++c->depth] = (struct frame){ *slot, child, child->fields, 0 };
	return *slot;
}

/* A oneof's members share their place: only the one that is set may be read. */
static bool is_other_case(const struct frame *frame)
{
	return frame->at->mode == PROTO_ONEOF &&
	       *(uint32_t *)proto_at(frame->message, frame->at->quantifier) != frame->at->tag >> 3;
}

/* One step on the top frame: a member, or one element of an array of messages. */
static bool copy_step(struct copier *c)
{
	struct frame *frame = &c->frames[c->depth];
	const struct proto_field *field = frame->at;
	bool repeated = field->mode == PROTO_REPEATED;

	if (is_other_case(frame)) {
		frame->at++;
		return true;
	}
	if (frame->element == 0 && (repeated || field->kind != PROTO_MESSAGE) &&
		!copy_member(c->arena, frame->message, field))
		return false;
	if (field->kind != PROTO_MESSAGE) {
		frame->at++;
		return true;
	}
	char **slot = proto_at(frame->message, field->offset);
	size_t n = repeated ? *(size_t *)proto_at(frame->message, field->quantifier) : 1;
	if (frame->element == n) {
		frame->at++;
		frame->element = 0;
		return true;
	}
	size_t i = frame->element++;
	return copy_submessage(c, frame, repeated ? *(char ***)(void *)slot + i : slot);
}

/* By the descriptor in the message, so it works for types of the user's too. */
void *proto_copy(struct arena *arena, const void *message)
{
	const struct proto_table *table =
		proto_table_of(((const ProtobufCMessage *)message)->descriptor);
	struct copier c;

	c.arena = arena;
	c.depth = 0;
	char *copy = table ? copy_struct(arena, message, table) : NULL;
	if (!copy)
		return NULL;
	c.frames[0] = (struct frame){ copy, table, table->fields, 0 };
	for (;;) {
		struct frame *frame = &c.frames[c.depth];

		if (frame->at < frame->table->fields + frame->table->n_fields) {
			if (!copy_step(&c))
				return NULL;
		} else if (c.depth-- == 0) {
			return copy;
		}
	}
}
