/*
 * json_read.c: JSON to messages. jansson makes a tree of the text; the tree is read along the
 * message's descriptors.
 *
 * jansson and this reader descend by calling themselves; the text's depth is checked before, by a
 * loop, and messages count their nesting again, as a Value is three of them a level.
 *
 * A tree, although convert/ reads JSON without one: a message's JSON is rare (histories from files,
 * calls by path, messages as arguments), and proto3 JSON has so many rules that the code is better
 * off with random access. The tree is freed before the call returns; the message has nothing of it.
 *
 * protojson_place is the path to where we are, linked through the callers' frames; it costs nothing
 * until an error is told.
 */
#include "proto/json_read.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/error.h"
#include "proto/enum_name.h"
#include "proto/json.h"
#include "proto/json_text.h"
#include "proto/table.h"

#define TEXT_DEPTH_MAX 200 /* a message in an array is two levels of text */
#define PATH_TEXT      160
#define PATH_PLACES    64

/* From the outermost name to the innermost; what does not fit is cut. */
static void path_print(const struct protojson_place *place, char out[PATH_TEXT])
{
	const struct protojson_place *places[PATH_PLACES];
	size_t n = 0, len = 0;

	out[0] = '\0';
	for (; place && place->outer && n < PATH_PLACES; place = place->outer)
		places[n++] = place;
	while (n-- > 0 && len < PATH_TEXT) {
		if (places[n]->name)
			len += (size_t)snprintf(out + len, PATH_TEXT - len, "%s%s", len ? "." : "",
				places[n]->name);
		else
			len += (size_t)snprintf(
				out + len, PATH_TEXT - len, "[%zu]", places[n]->index);
	}
}

bool protojson_refuse(const struct protojson_reader *reader, const struct protojson_place *place,
	const char *expected)
{
	char path[PATH_TEXT];

	path_print(place, path);
	error_set(reader->err, TEMPORAL_INVALID_ARGUMENT, "JSON%s%s: expected %s",
		*path ? ", " : "", path, expected);
	return false;
}

bool protojson_no_memory(const struct protojson_reader *reader)
{
	error_no_memory(reader->err, "a message from JSON");
	return false;
}

/* -0 is 0. */
static bool read_unsigned(const json_t *json, uint64_t max, uint64_t *value)
{
	bool negative;

	return protojson_integer(json, &negative, value) && (!negative || !*value) && *value <= max;
}

/* min| is max + 1. */
static bool read_signed(const json_t *json, uint64_t max, int64_t *value)
{
	uint64_t magnitude;
	bool negative;

	if (!protojson_integer(json, &negative, &magnitude) || magnitude > max + negative)
		return false;
	*value = (int64_t)(negative ? -magnitude : magnitude);
	return true;
}

/* Enums by number come here too, as int32. */
static bool read_int(const json_t *json, const ProtobufCFieldDescriptor *field, void *slot)
{
	uint64_t natural;
	int64_t number;

	switch (field->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		if (!read_unsigned(json, UINT32_MAX, &natural))
			return false;
		*(uint32_t *)slot = (uint32_t)natural;
		return true;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return read_unsigned(json, UINT64_MAX, slot);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return read_signed(json, INT64_MAX, slot);
	default:
		if (!read_signed(json, INT32_MAX, &number))
			return false;
		*(int32_t *)slot = (int32_t)number;
		return true;
	}
}

/* A number that is too large for a float is an error; "Infinity" written as such is not. */
static bool read_float(const json_t *json, const ProtobufCFieldDescriptor *field, void *slot)
{
	double value;

	if (!protojson_number(json, &value))
		return false;
	if (field->type == PROTOBUF_C_TYPE_DOUBLE) {
		*(double *)slot = value;
		return true;
	}
	*(float *)slot = (float)value;
	return isinf(value) || !isinf((float)value);
}

/* A name that the enum does not have is as good as a field that the message does not have: then it
 * is zero. */
static bool read_enum(const struct protojson_reader *reader, const json_t *json,
	const ProtobufCFieldDescriptor *field, void *slot)
{
	int value = 0;

	if (!json_is_string(json) && !json_is_null(json))
		return read_int(json, field, slot);
	bool ok = json_is_null(json) ? protojson_takes_null(field)
				     : proto_enum_value(field->descriptor,
					       str_from(json_string_value(json)), &value) ||
					       reader->ignore_unknown;
	*(int32_t *)slot = value;
	return ok;
}

static bool read_bytes(const struct protojson_reader *reader, const struct protojson_place *place,
	const json_t *json, ProtobufCBinaryData *slot)
{
	struct str text = { json_string_value(json), json_string_length(json) };

	if (!text.ptr)
		return protojson_refuse(reader, place, "a string of base64");
	uint8_t *data = arena_alloc_aligned(reader->arena, BASE64_ROOM(text.len), 1);
	if (!data)
		return protojson_no_memory(reader);
	size_t len;
	if (!base64_decode_loose(text.ptr, text.len, data, &len))
		return protojson_refuse(reader, place, "base64");
	*slot = (ProtobufCBinaryData){ len, len ? data : NULL };
	return true;
}

/* jansson has refused text that is not UTF-8, and NULs. */
static bool read_string(const struct protojson_reader *reader, const struct protojson_place *place,
	const json_t *json, const char **slot)
{
	if (!json_is_string(json))
		return protojson_refuse(reader, place, "a string");
	*slot = arena_strdup(reader->arena, json_string_value(json));
	return *slot || protojson_no_memory(reader);
}

/*
 * The object's members, in whatever order. A name that the message does not have is an error unless
 * the caller is lenient (a newer server's histories).
 */
static bool read_members(const struct protojson_reader *reader, const struct protojson_place *place,
	void *message, const ProtobufCMessageDescriptor *type, const json_t *json)
{
	const char *name;
	json_t *value;

	if (!json_is_object(json))
		return protojson_refuse(reader, place, "an object");
	/* jansson's macro wants a pointer to what it may change; nothing here does */
	json_object_foreach((json_t *)(uintptr_t)json, name, value)
	{
		const struct protojson_place member = { place, name, 0, place->depth };
		const ProtobufCFieldDescriptor *field = protojson_field_find(type, name);

		if (!field && !reader->ignore_unknown)
			return protojson_refuse(reader, &member, "no field of this name");
		if (field && !protojson_read_field(reader, &member, message, field, value))
			return false;
	}
	return true;
}

/*
 * The types with a JSON form of their own first (json_known.c), then by members. The depth is that
 * of messages, whatever the text looks like.
 */
static void *read_message(const struct protojson_reader *reader,
	const struct protojson_place *place, const ProtobufCMessageDescriptor *type,
	const json_t *json)
{
	const struct protojson_place inner = { place->outer, place->name, place->index,
		place->depth + 1 };
	bool known = false;

	if (place->depth > PROTO_DEPTH_MAX) {
		protojson_refuse(reader, place, "messages that are not nested deeper than 100");
		return NULL;
	}
	void *message = proto_new(reader->arena, type);
	if (!message) {
		protojson_no_memory(reader);
		return NULL;
	}
	bool ok = protojson_read_known(reader, &inner, message, type, json, &known);
	if (!known)
		ok = read_members(reader, &inner, message, type, json);
	return ok ? message : NULL;
}

bool protojson_read_value(const struct protojson_reader *reader,
	const struct protojson_place *place, const ProtobufCFieldDescriptor *field,
	const json_t *json, void *slot)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)slot = json_is_true(json);
		return json_is_boolean(json) || protojson_refuse(reader, place, "true or false");
	case PROTOBUF_C_TYPE_STRING:
		return read_string(reader, place, json, slot);
	case PROTOBUF_C_TYPE_BYTES:
		return read_bytes(reader, place, json, slot);
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(reader, json, field, slot) ||
		       protojson_refuse(reader, place, "a value of the enum");
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return read_float(json, field, slot) || protojson_refuse(reader, place, "a number");
	case PROTOBUF_C_TYPE_MESSAGE:
		*(void **)slot = read_message(reader, place, field->descriptor, json);
		return *(void **)slot;
	default:
		return read_int(json, field, slot) ||
		       protojson_refuse(reader, place, "a whole number in the type's range");
	}
}

/* As protobuf-c lays the arrays of repeated fields out. */
static size_t element_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 8;
	}
}

/* An array of `count` elements in the struct of a repeated field; a field that came before is
 * dropped. */
static char *new_array(const struct protojson_reader *reader, void *message,
	const ProtobufCFieldDescriptor *field, size_t count)
{
	char *array = count ? arena_array(reader->arena, count, element_size(field)) : NULL;

	if (count && !array) {
		protojson_no_memory(reader);
		return NULL;
	}
	*(char **)proto_at(message, field->offset) = array;
	*(size_t *)proto_at(message, field->quantifier_offset) = count;
	return array;
}

static bool read_array(const struct protojson_reader *reader, const struct protojson_place *place,
	void *message, const ProtobufCFieldDescriptor *field, const json_t *json)
{
	size_t count = json_array_size(json);

	if (!json_is_array(json))
		return protojson_refuse(reader, place, "an array");
	char *array = new_array(reader, message, field, count);
	for (size_t i = 0; i < count; i++) {
		const struct protojson_place element = { place, NULL, i, place->depth };

		if (!array || !protojson_read_value(reader, &element, field,
				      json_array_get(json, i), array + i * element_size(field)))
			return false;
	}
	return true;
}

/*
 * A map's key: text, whatever its type. It is put into a JSON string and read like any value, so
 * that numbers as keys have the same checks.
 */
static bool read_key(const struct protojson_reader *reader, const struct protojson_place *place,
	const ProtobufCFieldDescriptor *field, const char *key, void *slot)
{
	json_t *json = json_string(key);

	if (!json)
		return protojson_no_memory(reader);
	if (field->type == PROTOBUF_C_TYPE_BOOL &&
		(!strcmp(key, "true") || !strcmp(key, "false"))) {
		json_decref(json);
		json = json_boolean(*key == 't');
	}
	bool ok = protojson_read_value(reader, place, field, json, slot);
	json_decref(json);
	return ok;
}

/* A map is an object in JSON and a list of entries in the message. */
static bool read_map(const struct protojson_reader *reader, const struct protojson_place *place,
	void *message, const ProtobufCFieldDescriptor *field, const json_t *json)
{
	const ProtobufCMessageDescriptor *type = field->descriptor;
	size_t i = 0;
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return protojson_refuse(reader, place, "an object");
	char *array = new_array(reader, message, field, json_object_size(json));
	json_object_foreach((json_t *)(uintptr_t)json, key, value)
	{
		const struct protojson_place member = { place, key, 0, place->depth + 1 };
		void *entry = array ? proto_new(reader->arena, type) : NULL;

		if (!entry)
			return protojson_no_memory(reader);
		((void **)(void *)array)[i++] = entry;
		if (!read_key(reader, &member, &type->fields[0], key,
			    proto_at(entry, type->fields[0].offset)) ||
			!protojson_read_value(reader, &member, &type->fields[1], value,
				proto_at(entry, type->fields[1].offset)))
			return false;
	}
	return true;
}

/*
 * null is the same as absent, but where it is a value (Value, NullValue). Members of a oneof
 * exclude each other in JSON: two of them are an error, not a matter of order.
 */
bool protojson_read_field(const struct protojson_reader *reader,
	const struct protojson_place *place, void *message, const ProtobufCFieldDescriptor *field,
	const json_t *json)
{
	const ProtobufCMessageDescriptor *type = ((const ProtobufCMessage *)message)->descriptor;
	bool oneof = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
	uint32_t *quantifier = proto_at(message, field->quantifier_offset);

	if (json_is_null(json) && !protojson_takes_null(field))
		return true;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return protojson_is_map(type, field)
			       ? read_map(reader, place, message, field, json)
			       : read_array(reader, place, message, field, json);
	if (oneof && *quantifier)
		return protojson_refuse(reader, place, "only one member of its oneof");
	if (!protojson_read_value(reader, place, field, json, proto_at(message, field->offset)))
		return false;
	if (oneof)
		*quantifier = field->id;
	else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset)
		*quantifier = 1;
	return true;
}

/*
 * Is the text nested no deeper than allowed? Looks at brackets outside of strings alone. Before
 * jansson sees the text, as that recurses. The loop need not know JSON well: text that it misreads
 * is not valid and fails in jansson, at no greater depth.
 */
static bool depth_ok(struct str text)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '[') && ++depth > TEXT_DEPTH_MAX)
			return false;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return true;
}

/*
 * Any value may stand at the top, since some messages are a string or a number in JSON. A name that
 * comes twice is an error.
 */
static json_t *load(struct str text, struct temporal_error *err)
{
	json_error_t error;

	if (!depth_ok(text)) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT, "JSON: nested deeper than %d levels",
			TEXT_DEPTH_MAX);
		return NULL;
	}
	json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len,
		JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!json && json_error_code(&error) == json_error_out_of_memory)
		error_no_memory(err, "a JSON text");
	else if (!json)
		error_set(err, TEMPORAL_INVALID_ARGUMENT, "JSON, line %d, column %d: %s",
			error.line, error.column, error.text);
	return json;
}

void *proto_from_json(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str text,
	bool ignore_unknown, struct temporal_error *err)
{
	const struct protojson_reader reader = { arena, ignore_unknown, err };
	const struct protojson_place place = { 0 };
	json_t *json = load(text, err);
	void *message = json ? read_message(&reader, &place, type, json) : NULL;

	json_decref(json);
	return message;
}

/* The messages of an array, or of one that stands alone. */
static void **read_list(const struct protojson_reader *reader,
	const ProtobufCMessageDescriptor *type, const json_t *json, size_t count)
{
	const struct protojson_place place = { 0 };
	void **list = arena_array(reader->arena, count + 1, sizeof(void *));

	if (!list) {
		protojson_no_memory(reader);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		const struct protojson_place element = { &place, NULL, i, 0 };
		bool array = json_is_array(json);

		list[i] = read_message(reader, array ? &element : &place, type,
			array ? json_array_get(json, i) : json);
		if (!list[i])
			return NULL;
	}
	return list;
}

void **proto_list_from_json(struct arena *arena, const ProtobufCMessageDescriptor *type,
	struct str text, bool ignore_unknown, size_t *n, struct temporal_error *err)
{
	const struct protojson_reader reader = { arena, ignore_unknown, err };
	json_t *json = load(text, err);
	size_t count = json_is_array(json) ? json_array_size(json) : 1;
	void **list = json ? read_list(&reader, type, json, count) : NULL;

	json_decref(json);
	*n = list ? count : 0;
	return list;
}
