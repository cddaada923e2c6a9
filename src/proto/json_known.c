/*
 * json_known.c: the types of google.protobuf that JSON writes in a way of their own, as a table:
 * name, how to read, how to write. Types are known by their full names, so that those of a user's
 * own protobuf-c code are too.
 *
 * Any is refused both ways: its JSON form needs the descriptor of what is in it, by name, and no
 * list of all types is kept.
 */
#include <string.h>

#include "proto/json_read.h"
#include "proto/json_text.h"
#include "proto/json_write.h"
#include "proto/table.h"
#include "proto/time.h"

typedef bool read_function(const struct protojson_reader *reader,
	const struct protojson_place *place, void *message, const ProtobufCMessageDescriptor *type,
	const json_t *json);
typedef bool write_function(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth);

/* RFC 3339, with any offset. */
static bool read_timestamp(const struct protojson_reader *reader,
	const struct protojson_place *place, void *message, const ProtobufCMessageDescriptor *type,
	const json_t *json)
{
	struct str text = { json_string_value(json), json_string_length(json) };

	return (text.ptr && proto_timestamp_parse(text, message)) ||
	       protojson_refuse(reader, place, "a time such as \"2026-01-31T12:00:00Z\"");
}

static bool read_duration(const struct protojson_reader *reader,
	const struct protojson_place *place, void *message, const ProtobufCMessageDescriptor *type,
	const json_t *json)
{
	struct str text = { json_string_value(json), json_string_length(json) };

	return (text.ptr && proto_duration_parse(text, message)) ||
	       protojson_refuse(reader, place, "a duration such as \"1.5s\"");
}

/* Wrappers: the value alone. */
static bool read_wrapper(const struct protojson_reader *reader, const struct protojson_place *place,
	void *message, const ProtobufCMessageDescriptor *type, const json_t *json)
{
	return protojson_read_field(reader, place, message, &type->fields[0], json);
}

static bool read_any(const struct protojson_reader *reader, const struct protojson_place *place,
	void *message, const ProtobufCMessageDescriptor *type, const json_t *json)
{
	return protojson_refuse(
		reader, place, "no google.protobuf.Any: JSON cannot tell what is in it");
}

/* google.protobuf.Value is JSON itself: which member of its oneof stands for that kind. */
static const char *value_member(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "struct_value";
	case JSON_ARRAY:
		return "list_value";
	case JSON_STRING:
		return "string_value";
	case JSON_INTEGER:
	case JSON_REAL:
		return "number_value";
	case JSON_TRUE:
	case JSON_FALSE:
		return "bool_value";
	default:
		return "null_value";
	}
}

static bool read_dynamic(const struct protojson_reader *reader, const struct protojson_place *place,
	void *message, const ProtobufCMessageDescriptor *type, const json_t *json)
{
	return protojson_read_field(reader, place, message,
		protobuf_c_message_descriptor_get_field_by_name(type, value_member(json)), json);
}

/* One path of a field mask back to the names of the .proto file: twice as long at most. */
static size_t snake(const char *camel, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool word = camel[i] >= 'A' && camel[i] <= 'Z';

		if (word)
			out[n++] = '_';
		out[n++] = word ? (char)(camel[i] + ('a' - 'A')) : camel[i];
	}
	out[n] = '\0';
	return n;
}

static size_t count_paths(const char *text)
{
	size_t count = *text ? 1 : 0;

	for (; *text; text++)
		count += *text == ',';
	return count;
}

/*
 * Paths are in the names of the .proto file; JSON has them in one string, in lowerCamelCase. "_" is
 * refused, since it could not be told from one that was written for a capital.
 */
static bool read_mask(const struct protojson_reader *reader, const struct protojson_place *place,
	void *message, const ProtobufCMessageDescriptor *type, const json_t *json)
{
	const char *text = json_string_value(json);

	if (!text || strchr(text, '_'))
		return protojson_refuse(
			reader, place, "field names in lowerCamelCase with commas between");
	size_t count = count_paths(text);
	char **paths = arena_array(reader->arena, count, sizeof(*paths));
	if (!paths)
		return protojson_no_memory(reader);
	for (size_t i = 0; i < count; i++) {
		size_t len = strcspn(text, ",");

		paths[i] = arena_alloc_aligned(reader->arena, 2 * len + 1, 1);
		if (!paths[i])
			return protojson_no_memory(reader);
		snake(text, len, paths[i]);
		text += len + 1;
	}
	*(char ***)proto_at(message, type->fields[0].offset) = paths;
	*(size_t *)proto_at(message, type->fields[0].quantifier_offset) = count;
	return true;
}

static bool write_timestamp(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	char text[PROTO_TIME_TEXT];
	size_t len = proto_timestamp_print(message, text);

	if (!len)
		return protojson_cannot(writer, type, "the time is beyond the years 1 to 9999");
	protojson_put_string(writer, (struct str){ text, len });
	return true;
}

static bool write_duration(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	char text[PROTO_TIME_TEXT];
	size_t len = proto_duration_print(message, text);

	if (!len)
		return protojson_cannot(writer, type, "the duration is out of range");
	protojson_put_string(writer, (struct str){ text, len });
	return true;
}

/* The only field's value, its default included: wrappers, Struct, ListValue. */
static bool write_wrapper(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	return protojson_write_field(writer, message, type, &type->fields[0], depth);
}

static bool write_any(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	return protojson_cannot(writer, type, "JSON cannot tell what is in it");
}

/* A Value without a case has no form in JSON; null would be another value. */
static bool write_dynamic(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	uint32_t set = *(const uint32_t *)proto_at(message, type->fields[0].quantifier_offset);
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, set);

	if (!field)
		return protojson_cannot(writer, type, "it has no value");
	return protojson_write_field(writer, message, type, field, depth);
}

static bool write_mask(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth)
{
	const char *const *paths =
		*(const char *const *const *)proto_at(message, type->fields[0].offset);
	size_t count = *(const size_t *)proto_at(message, type->fields[0].quantifier_offset);

	protojson_put(writer, "\"", 1);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(paths[i]);
		char *camel = arena_alloc_aligned(writer->arena, len, 1);

		if (!camel) {
			writer->out_of_memory = true;
			return false;
		}
		if (i)
			protojson_put(writer, ",", 1);
		protojson_put_escaped(
			writer, (struct str){ camel, protojson_camel(paths[i], len, camel) });
	}
	protojson_put(writer, "\"", 1);
	return true;
}

static const struct known {
	const char *name;
	read_function *read;
	write_function *write;
} known_types[] = {
	{ "Any", read_any, write_any },
	{ "BoolValue", read_wrapper, write_wrapper },
	{ "BytesValue", read_wrapper, write_wrapper },
	{ "DoubleValue", read_wrapper, write_wrapper },
	{ "Duration", read_duration, write_duration },
	{ "FieldMask", read_mask, write_mask },
	{ "FloatValue", read_wrapper, write_wrapper },
	{ "Int32Value", read_wrapper, write_wrapper },
	{ "Int64Value", read_wrapper, write_wrapper },
	{ "ListValue", read_wrapper, write_wrapper },
	{ "StringValue", read_wrapper, write_wrapper },
	{ "Struct", read_wrapper, write_wrapper },
	{ "Timestamp", read_timestamp, write_timestamp },
	{ "UInt32Value", read_wrapper, write_wrapper },
	{ "UInt64Value", read_wrapper, write_wrapper },
	{ "Value", read_dynamic, write_dynamic },
};

/* By package and name. A walk: the package is another one nearly always. */
static const struct known *known_find(const ProtobufCMessageDescriptor *type)
{
	if (strcmp(type->package_name, "google.protobuf") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(known_types) / sizeof(known_types[0]); i++)
		if (!strcmp(known_types[i].name, type->short_name))
			return &known_types[i];
	return NULL;
}

/* Where null is a value and not an absence. */
bool protojson_takes_null(const ProtobufCFieldDescriptor *field)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return !strcmp(((const ProtobufCMessageDescriptor *)field->descriptor)->name,
			"google.protobuf.Value");
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		return !strcmp(((const ProtobufCEnumDescriptor *)field->descriptor)->name,
			"google.protobuf.NullValue");
	return false;
}

bool protojson_read_known(const struct protojson_reader *reader,
	const struct protojson_place *place, void *message, const ProtobufCMessageDescriptor *type,
	const json_t *json, bool *known)
{
	const struct known *found = known_find(type);

	*known = found;
	return found && found->read(reader, place, message, type, json);
}

bool protojson_write_known(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth, bool *known)
{
	const struct known *found = known_find(type);

	*known = found;
	return found && found->write(writer, message, type, depth);
}
