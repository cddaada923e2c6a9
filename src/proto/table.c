/*
 * table.c: makes the tables and keeps them in a hash of linked buckets, keyed by the descriptor's
 * address.
 *
 * Readers take no lock: a bucket is a list that only ever grows at its head, by compare-and-swap.
 * Two threads may make the same table at once; the one that comes second throws its own away. 512
 * buckets are one page, and a worker meets some 60 types.
 *
 * Tables are never freed: they belong to the program's types, and freeing them would need to know
 * when the last thread has stopped decoding. A table is complete before it is published, by the
 * release of the compare-and-swap; readers acquire it with the bucket's head.
 */
#include "proto/table.h"

#include <string.h>

#include "base/mem.h"
#include "proto/wire.h"

#define BUCKETS   512
#define INDEX_MAX 1024 /* numbers up to here are found by index, others by search */

static _Atomic(const struct proto_table *) buckets[BUCKETS];

/* Kinds that lie and travel alike are one: float is 32 fixed bits, an enum is an int32. */
static enum proto_kind kind_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		return PROTO_INT32;
	case PROTOBUF_C_TYPE_UINT32:
		return PROTO_UINT32;
	case PROTOBUF_C_TYPE_SINT32:
		return PROTO_SINT32;
	case PROTOBUF_C_TYPE_BOOL:
		return PROTO_BOOL;
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return PROTO_FIXED32;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		return PROTO_INT64;
	case PROTOBUF_C_TYPE_SINT64:
		return PROTO_SINT64;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return PROTO_FIXED64;
	case PROTOBUF_C_TYPE_STRING:
		return PROTO_STRING;
	case PROTOBUF_C_TYPE_BYTES:
		return PROTO_BYTES;
	case PROTOBUF_C_TYPE_MESSAGE:
		return PROTO_MESSAGE;
	}
	return PROTO_NO_KIND;
}

static enum proto_mode mode_of(const ProtobufCFieldDescriptor *field)
{
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return PROTO_ONEOF;
	switch (field->label) {
	case PROTOBUF_C_LABEL_REQUIRED:
		return PROTO_REQUIRED;
	case PROTOBUF_C_LABEL_OPTIONAL:
		return PROTO_OPTIONAL;
	case PROTOBUF_C_LABEL_REPEATED:
		return PROTO_REPEATED;
	case PROTOBUF_C_LABEL_NONE:
		return PROTO_PLAIN;
	}
	return PROTO_PLAIN;
}

/* Strings, bytes, messages and packed lists all have a length in front. */
enum wire_type proto_wire_type(enum proto_kind kind, bool packed)
{
	if (packed || kind >= PROTO_STRING)
		return WIRE_LEN;
	if (kind == PROTO_FIXED32)
		return WIRE_32BIT;
	return kind == PROTO_FIXED64 ? WIRE_64BIT : WIRE_VARINT;
}

/*
 * Where its presence shows: see struct proto_field. A string's pointer alone does not tell, nor
 * does a oneof's case. The word at `probe` is aligned, and lies within the struct, since
 * protobuf-c's structs end aligned to 8; `mask` takes those bits of it that belong to the field.
 */
static void fill_probe(struct proto_field *field)
{
	bool pointer = field->kind == PROTO_STRING || field->kind == PROTO_MESSAGE;
	uint32_t at = field->offset;
	size_t size = pointer ? 8 : proto_kind_size((enum proto_kind)field->kind);

	if (field->mode == PROTO_REPEATED || field->mode == PROTO_ONEOF ||
		(field->mode == PROTO_OPTIONAL && !pointer)) {
		at = field->quantifier;
		size = field->mode == PROTO_REPEATED ? sizeof(size_t) : sizeof(protobuf_c_boolean);
	}
	field->probe = at & ~7u;
	if (size >= 8)
		field->mask = UINT64_MAX;
	else
		memset((char *)&field->mask + (at & 7), 0xFF, 4);
}

/* A table's field, from protobuf-c's. */
static void fill_field(struct proto_field *field, const ProtobufCFieldDescriptor *from)
{
	enum proto_kind kind = kind_of(from->type);

	field->kind = (uint8_t)kind;
	field->mode = (uint8_t)mode_of(from);
	field->packed = field->mode == PROTO_REPEATED && proto_kind_is_scalar(kind) &&
			from->flags & PROTOBUF_C_FIELD_FLAG_PACKED;
	field->tag = wire_tag(from->id, proto_wire_type(kind, field->packed));
	field->tag_size = (uint8_t)wire_varint_size(field->tag);
	field->offset = from->offset;
	field->quantifier = from->quantifier_offset;
	fill_probe(field);
	atomic_init(&field->child, NULL);
}

/*
 * Fields are in the order of their numbers, as protobuf-c has them. The end mark has a tag that no
 * field can have: decode.c may look at the field behind the last one without a check.
 */
static void fill_fields(struct proto_table *table, uint16_t *index)
{
	for (uint32_t i = 0; i < table->n_fields; i++) {
		const ProtobufCFieldDescriptor *from = &table->type->fields[i];
		struct proto_field *field = &table->fields[i];

		fill_field(field, from);
		if (field->mode == PROTO_ONEOF && i > 0 && field[-1].mode == PROTO_ONEOF &&
			field[-1].quantifier == field->quantifier)
			field->row = field[-1].row + 1;
		if (from->id < table->index_len)
			index[from->id] = (uint16_t)(i + 1);
	}
	table->fields[table->n_fields].tag = UINT32_MAX;
	table->fields[table->n_fields].kind = PROTO_NO_KIND;
}

/* Writes a field's default into the image; all bytes of it are zero before. */
static void fill_default(char *image, const ProtobufCFieldDescriptor *field)
{
	void *at = image + field->offset;
	enum proto_kind kind = kind_of(field->type);

	if (!field->default_value || field->label == PROTOBUF_C_LABEL_REPEATED ||
		field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return;
	if (kind == PROTO_STRING || kind == PROTO_MESSAGE)
		memcpy(at, &field->default_value, sizeof(field->default_value));
	else
		memcpy(at, field->default_value, proto_kind_size(kind));
}

/* What proto_new() and the decoder copy. A oneof's members have no default: its case is 0. */
static void fill_image(char *image, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage base = { .descriptor = type };

	memcpy(image, &base, sizeof(base));
	for (unsigned i = 0; i < type->n_fields; i++)
		fill_default(image, &type->fields[i]);
}

/* Numbers of the API are small and dense, so an index beats a hash. */
static uint32_t index_len_of(const ProtobufCMessageDescriptor *type)
{
	uint32_t last = type->n_fields ? type->fields[type->n_fields - 1].id : 0;

	return last < INDEX_MAX ? last + 1 : INDEX_MAX;
}

/* One block: the table with its fields, the image, the index. */
static struct proto_table *table_new(const ProtobufCMessageDescriptor *type)
{
	size_t n_fields = type->n_fields;
	size_t fields = sizeof(struct proto_table) + (n_fields + 1) * sizeof(struct proto_field);
	size_t image = (type->sizeof_message + 7) / 8 * 8;
	uint32_t index_len = index_len_of(type);

	if (n_fields >= UINT16_MAX)
		return NULL;
	char *block = mem_zalloc(fields + image + index_len * sizeof(uint16_t));
	if (!block)
		return NULL;
	struct proto_table *table = (struct proto_table *)(void *)block;
	uint16_t *index = (uint16_t *)(void *)(block + fields + image);
	table->type = type;
	table->empty = block + fields;
	table->index = index;
	table->index_len = index_len;
	table->n_fields = type->n_fields;
	fill_fields(table, index);
	fill_image(block + fields, type);
	return table;
}

static const struct proto_table *bucket_find(
	const struct proto_table *table, const ProtobufCMessageDescriptor *type)
{
	while (table && table->type != type)
		table = table->next;
	return table;
}

/*
 * Looks, makes, looks again: between the two looks another thread may have made the same. Each
 * failed exchange brings the new head, behind which the type may now be.
 */
const struct proto_table *proto_table_of(const ProtobufCMessageDescriptor *type)
{
	size_t hash = (size_t)((uint64_t)(uintptr_t)type * 0x9E3779B97F4A7C15u >> 32) % BUCKETS;
	const struct proto_table *head = atomic_load_explicit(&buckets[hash], memory_order_acquire);
	const struct proto_table *found = bucket_find(head, type);

	if (found)
		return found;
	struct proto_table *table = table_new(type);
	if (!table)
		return NULL;
	do {
		found = bucket_find(head, type);
		if (found) {
			mem_free(table);
			return found;
		}
		table->next = head;
	} while (!atomic_compare_exchange_weak_explicit(
		&buckets[hash], &head, table, memory_order_acq_rel, memory_order_acquire));
	return table;
}

/* Remembers the child in the field, so that the next time is one load. */
const struct proto_table *proto_table_child_slow(
	const struct proto_table *table, struct proto_field *field)
{
	const ProtobufCMessageDescriptor *type = proto_table_descriptor(table, field)->descriptor;
	const struct proto_table *child = proto_table_of(type);

	if (child)
		atomic_store_explicit(&field->child, child, memory_order_release);
	return child;
}

const struct proto_field *proto_table_search(const struct proto_table *table, uint32_t number)
{
	uint32_t low = 0, high = table->n_fields;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (table->fields[middle].tag >> 3 < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->n_fields || table->fields[low].tag >> 3 != number)
		return NULL;
	return &table->fields[low];
}
