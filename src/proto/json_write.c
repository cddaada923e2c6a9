/*
 * json_write.c: messages to JSON, along their descriptors, into a text that grows by doubling in
 * the caller's arena.
 *
 * What has its default is left out, as proto3 JSON wants; unknown fields have no name and are left
 * out too. It descends by calling itself, at most PROTO_DEPTH_MAX times. Running out of memory is
 * sticky and told once, at the end.
 *
 * Deterministic: fields in the order of the descriptor, map entries in that of the message, each
 * key once. Numbers of 64 bits are strings, as the mapping prescribes: JavaScript would round them.
 * Numbers are written without regard to the locale (json_text.c).
 */
#include "proto/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/error.h"
#include "proto/enum_name.h"
#include "proto/json.h"
#include "proto/json_text.h"
#include "proto/table.h"

/* The old text stays behind in the arena: at most as much as the new one has. */
static bool grow(struct protojson_writer *writer, size_t least)
{
	size_t capacity = writer->capacity ? writer->capacity : 256;

	while (capacity < least)
		capacity *= 2;
	char *text = arena_alloc_aligned(writer->arena, capacity, 1);
	if (!text) {
		writer->out_of_memory = true;
		return false;
	}
	if (writer->len)
		memcpy(text, writer->text, writer->len);
	writer->text = text;
	writer->capacity = capacity;
	return true;
}

void protojson_put(struct protojson_writer *writer, const char *text, size_t len)
{
	if (writer->out_of_memory)
		return;
	if (writer->capacity - writer->len < len && !grow(writer, writer->len + len))
		return;
	memcpy(writer->text + writer->len, text, len);
	writer->len += len;
}

static void put_text(struct protojson_writer *writer, const char *text)
{
	protojson_put(writer, text, strlen(text));
}

/* The short form where JSON has one. */
static void put_escape(struct protojson_writer *writer, unsigned char c)
{
	static const char names[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	char text[8];

	for (size_t i = 0; names[i]; i += 2)
		if ((unsigned char)names[i] == c) {
			snprintf(text, sizeof(text), "\\%c", names[i + 1]);
			put_text(writer, text);
			return;
		}
	snprintf(text, sizeof(text), "\\u%04x", c);
	put_text(writer, text);
}

/* Runs that need no escape go in one piece. */
void protojson_put_escaped(struct protojson_writer *writer, struct str text)
{
	size_t start = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
			continue;
		protojson_put(writer, text.ptr + start, i - start);
		put_escape(writer, c);
		start = i + 1;
	}
	if (text.len > start)
		protojson_put(writer, text.ptr + start, text.len - start);
}

void protojson_put_string(struct protojson_writer *writer, struct str text)
{
	protojson_put(writer, "\"", 1);
	protojson_put_escaped(writer, text);
	protojson_put(writer, "\"", 1);
}

bool protojson_cannot(const struct protojson_writer *writer, const ProtobufCMessageDescriptor *type,
	const char *why)
{
	error_set(writer->err, TEMPORAL_INVALID_ARGUMENT, "%s as JSON: %s", type->name, why);
	return false;
}

/* Nothing without an indent: then all is on one line. */
static void newline(struct protojson_writer *writer)
{
	static const char blanks[] = "                ";
	size_t left = (size_t)writer->indent * writer->level;

	if (!writer->indent)
		return;
	protojson_put(writer, "\n", 1);
	while (left > 0) {
		size_t step = left < sizeof(blanks) - 1 ? left : sizeof(blanks) - 1;

		protojson_put(writer, blanks, step);
		left -= step;
	}
}

/* Between the parts of an object or array: `n` of them are written. */
static void next_part(struct protojson_writer *writer, size_t n)
{
	if (n)
		protojson_put(writer, ",", 1);
	newline(writer);
}

static void open_with(struct protojson_writer *writer, const char *bracket)
{
	put_text(writer, bracket);
	writer->level++;
}

static void close_with(struct protojson_writer *writer, const char *bracket, size_t n)
{
	writer->level--;
	if (n)
		newline(writer);
	put_text(writer, bracket);
}

static void put_colon(struct protojson_writer *writer)
{
	put_text(writer, writer->indent ? ": " : ":");
}

/* Group by group: no second buffer for the base64. */
static void put_bytes(struct protojson_writer *writer, const ProtobufCBinaryData *bytes)
{
	size_t len = bytes->data ? bytes->len : 0;
	char group[4];

	protojson_put(writer, "\"", 1);
	for (size_t i = 0; i < len; i += 3)
		protojson_put(writer, group,
			base64_encode(
				group, bytes->data + i, len - i < 3 ? len - i : 3, BASE64_PADDED));
	protojson_put(writer, "\"", 1);
}

/* By name; a value that this version has no name for as its number, which readers take too. */
static void put_enum(
	struct protojson_writer *writer, const ProtobufCFieldDescriptor *field, int value)
{
	const char *name = proto_enum_name(field->descriptor, value);
	char number[JSON_NUMBER_TEXT];

	if (name && strcmp(name, "NULL_VALUE") == 0) {
		put_text(writer, "null");
		return;
	}
	snprintf(number, sizeof(number), "%d", value);
	if (name)
		protojson_put_string(writer, str_from(name));
	else
		put_text(writer, number);
}

/* Numbers; those of 64 bits in quotes, as JSON's own readers would round them. */
static void put_number(struct protojson_writer *writer, ProtobufCType type, const void *slot)
{
	char text[JSON_NUMBER_TEXT];

	switch (type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		snprintf(text, sizeof(text), "%" PRIu32, *(const uint32_t *)slot);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		snprintf(text, sizeof(text), "\"%" PRId64 "\"", *(const int64_t *)slot);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		snprintf(text, sizeof(text), "\"%" PRIu64 "\"", *(const uint64_t *)slot);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		protojson_print_number((double)*(const float *)slot, true, text);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		protojson_print_number(*(const double *)slot, false, text);
		break;
	default:
		snprintf(text, sizeof(text), "%" PRId32, *(const int32_t *)slot);
		break;
	}
	put_text(writer, text);
}

static bool write_message(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth);

/* A string that was not decoded may be anything. */
static bool put_text_field(
	struct protojson_writer *writer, const ProtobufCFieldDescriptor *field, struct str text)
{
	if (!str_is_utf8(text.ptr, text.len)) {
		error_set(writer->err, TEMPORAL_INVALID_ARGUMENT,
			"%s as JSON: the string is not UTF-8", field->name);
		return false;
	}
	protojson_put_string(writer, text);
	return true;
}

static bool write_value(struct protojson_writer *writer, const ProtobufCFieldDescriptor *field,
	const void *slot, unsigned depth)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		put_text(writer, *(const protobuf_c_boolean *)slot ? "true" : "false");
		return true;
	case PROTOBUF_C_TYPE_ENUM:
		put_enum(writer, field, *(const int32_t *)slot);
		return true;
	case PROTOBUF_C_TYPE_STRING:
		return put_text_field(writer, field, str_from(*(const char *const *)slot));
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(writer, slot);
		return true;
	case PROTOBUF_C_TYPE_MESSAGE:
		return write_message(writer, *(void *const *)slot, field->descriptor, depth + 1);
	default:
		put_number(writer, field->type, slot);
		return true;
	}
}

static size_t count_of(const void *message, const ProtobufCFieldDescriptor *field)
{
	return *(const size_t *)proto_at(message, field->quantifier_offset);
}

/* As protobuf-c lays them out. */
static size_t value_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

static bool write_array(struct protojson_writer *writer, const void *message,
	const ProtobufCFieldDescriptor *field, unsigned depth)
{
	const char *array = *(const char *const *)proto_at(message, field->offset);
	size_t n = count_of(message, field);

	open_with(writer, "[");
	for (size_t i = 0; i < n; i++) {
		next_part(writer, i);
		if (!write_value(writer, field, array + i * value_size(field), depth))
			return false;
	}
	close_with(writer, "]", n);
	return true;
}

/* A map's entry with its key as text, to be sorted. */
struct key {
	const char *text;
	size_t index;
};

static int key_order(const void *a, const void *b)
{
	const struct key *left = a, *right = b;
	int order = strcmp(left->text, right->text);

	if (order)
		return order;
	return left->index < right->index ? -1 : left->index > right->index;
}

static int index_order(const void *a, const void *b)
{
	const struct key *left = a, *right = b;

	return left->index < right->index ? -1 : left->index > right->index;
}

/* The key as JSON text without quotes: strings as they are, others as write_value() has them. */
static const char *key_text(
	struct protojson_writer *writer, const ProtobufCFieldDescriptor *field, const void *entry)
{
	const void *slot = entry ? proto_at(entry, field->offset) : "\0\0\0\0\0\0\0";
	struct protojson_writer scratch = { .arena = writer->arena };

	if (field->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = entry ? *(const char *const *)slot : NULL;
		return text ? text : "";
	}
	write_value(&scratch, field, slot, 0);
	protojson_put(&scratch, "", 1);
	if (scratch.out_of_memory) {
		writer->out_of_memory = true;
		return "";
	}
	if (*scratch.text != '"')
		return scratch.text;
	scratch.text[scratch.len - 2] = '\0'; /* 64-bit numbers come with their quotes */
	return scratch.text + 1;
}

/*
 * The keys of a map, each once, with its last entry, in their order: the same map is always written
 * alike. Later entries replace earlier ones, as they do when a message is read. Sorting twice, by
 * key to find them and by place to keep the order, is linear in memory and never quadratic in a
 * hostile map.
 */
static struct key *unique_keys(struct protojson_writer *writer,
	const ProtobufCFieldDescriptor *field, void *const *entries, size_t *n)
{
	const ProtobufCMessageDescriptor *type = field->descriptor;
	struct key *keys = arena_array(writer->arena, *n, sizeof(*keys));
	size_t kept = 0;

	if (!keys) {
		writer->out_of_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < *n; i++)
		keys[i] = (struct key){ key_text(writer, &type->fields[0], entries[i]), i };
	qsort(keys, *n, sizeof(*keys), key_order);
	for (size_t i = 0; i < *n; i++)
		if (i + 1 == *n || strcmp(keys[i].text, keys[i + 1].text) != 0)
			keys[kept++] = keys[i];
	qsort(keys, kept, sizeof(*keys), index_order);
	*n = kept;
	return keys;
}

static bool write_map_value(struct protojson_writer *writer, const ProtobufCFieldDescriptor *field,
	const void *entry, unsigned depth)
{
	static const uint64_t nothing[2];
	const void *slot = entry ? proto_at(entry, field->offset) : nothing;

	return write_value(writer, field, slot, depth + 1);
}

static bool write_map(struct protojson_writer *writer, const void *message,
	const ProtobufCFieldDescriptor *field, unsigned depth)
{
	const ProtobufCMessageDescriptor *type = field->descriptor;
	void *const *entries = *(void *const *const *)proto_at(message, field->offset);
	size_t n = count_of(message, field);
	struct key *keys = n ? unique_keys(writer, field, entries, &n) : NULL;

	open_with(writer, "{");
	for (size_t i = 0; keys && i < n; i++) {
		next_part(writer, i);
		protojson_put_string(writer, str_from(keys[i].text));
		put_colon(writer);
		if (!write_map_value(writer, &type->fields[1], entries[keys[i].index], depth))
			return false;
	}
	close_with(writer, "}", n);
	return true;
}

bool protojson_write_field(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
	unsigned depth)
{
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return write_value(writer, field, proto_at(message, field->offset), depth);
	return protojson_is_map(type, field) ? write_map(writer, message, field, depth)
					     : write_array(writer, message, field, depth);
}

/*
 * Is there anything to write? Proto3's rule: a field without presence is left out when it has its
 * default; one with presence is written even then.
 */
static bool is_present(const void *message, const ProtobufCFieldDescriptor *field)
{
	const void *slot = proto_at(message, field->offset);
	const uint32_t *quantifier = proto_at(message, field->quantifier_offset);
	static const char zero[sizeof(ProtobufCBinaryData)];

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return count_of(message, field) > 0;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *quantifier == field->id &&
		       (field->type != PROTOBUF_C_TYPE_MESSAGE || *(void *const *)slot);
	if (field->type == PROTOBUF_C_TYPE_STRING && field->label == PROTOBUF_C_LABEL_NONE)
		return !str_empty(*(const char *const *)slot);
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset)
		return *quantifier != 0;
	return memcmp(slot, zero, value_size(field)) != 0;
}

/* Names are lowerCamelCase in JSON. */
static bool write_members(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	size_t n = 0;

	open_with(writer, "{");
	for (unsigned i = 0; message && i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		char name[128];

		if (!is_present(message, field) || strlen(field->name) > sizeof(name))
			continue;
		next_part(writer, n++);
		protojson_put_string(
			writer, (struct str){ name,
					protojson_camel(field->name, strlen(field->name), name) });
		put_colon(writer);
		if (!protojson_write_field(writer, message, type, field, depth))
			return false;
	}
	close_with(writer, "}", n);
	return true;
}

static bool write_message(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	bool known = false;

	if (depth > PROTO_DEPTH_MAX)
		return protojson_cannot(writer, type, "messages are nested deeper than 100");
	if (writer->out_of_memory)
		return false;
	bool ok = message && protojson_write_known(writer, message, type, depth, &known);
	return known ? ok : write_members(writer, message, type, depth);
}

/* The text gets a NUL behind it, which is not counted. */
enum temporal_code proto_to_json(struct arena *arena, const void *message, unsigned indent,
	struct str *out, struct temporal_error *err)
{
	const ProtobufCMessageDescriptor *type = ((const ProtobufCMessage *)message)->descriptor;
	struct temporal_error local = { 0 };
	struct protojson_writer writer = {
		.arena = arena, .indent = indent, .err = err ? err : &local
	};
	bool ok = write_message(&writer, message, type, 0);

	protojson_put(&writer, "", 1);
	if (writer.out_of_memory)
		return error_no_memory(err, "a message as JSON");
	if (!ok)
		return writer.err->code;
	*out = (struct str){ writer.text, writer.len - 1 };
	return TEMPORAL_OK;
}
