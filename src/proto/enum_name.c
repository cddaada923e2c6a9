/*
 * enum_name.c: names are compared in one form, lower case without underscores: that of the .proto
 * file is the type's name and the short name in a row ("eventtype" and "timerfired"). Stateless.
 *
 * Three spellings of one value have to be understood: EVENT_TYPE_TIMER_FIRED (the .proto file's,
 * and newer JSON), TimerFired (older JSON, and what people read), and names of enums whose values
 * have no prefix.
 */
#include "proto/enum_name.h"

#include <stdio.h>
#include <string.h>

#include "temporal/api/enums/v1/command_type.pb-c.h"
#include "temporal/api/enums/v1/event_type.pb-c.h"

static char to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

/* What of `name` is left behind `part`, both without underscores and case; NULL when it does not
 * start so. */
static const char *behind(const char *name, struct str part)
{
	for (size_t i = 0; i < part.len; i++) {
		if (part.ptr[i] == '_')
			continue;
		while (*name == '_')
			name++;
		if (str_lower(*name) != str_lower(part.ptr[i]) || !*name)
			return NULL;
		name++;
	}
	while (*name == '_')
		name++;
	return name;
}

const char *proto_enum_name(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);

	return found ? found->name : NULL;
}

/* The prefix goes, each word gets a capital. A number where there is no name. */
const char *proto_enum_short(
	const ProtobufCEnumDescriptor *type, int value, char out[PROTO_ENUM_TEXT])
{
	const char *name = proto_enum_name(type, value);
	size_t len = 0;
	bool start = true;

	if (!name) {
		snprintf(out, PROTO_ENUM_TEXT, "%d", value);
		return out;
	}
	const char *rest = behind(name, str_from(type->short_name));
	for (const char *at = rest ? rest : name; *at && len + 1 < PROTO_ENUM_TEXT; at++) {
		if (*at != '_')
			out[len++] = start ? to_upper(*at) : str_lower(*at);
		start = *at == '_';
	}
	out[len] = '\0';
	return out;
}

/* Exactly, or in the short form. */
static bool name_is(const ProtobufCEnumDescriptor *type, const char *name, struct str wanted)
{
	if (str_eq(str_from(name), wanted))
		return true;
	const char *rest = behind(name, str_from(type->short_name));
	const char *end = rest ? behind(rest, wanted) : NULL;
	return end && !*end && wanted.len;
}

bool proto_enum_value(const ProtobufCEnumDescriptor *type, struct str name, int *value)
{
	for (unsigned i = 0; i < type->n_value_names; i++) {
		const ProtobufCEnumValueIndex *at = &type->values_by_name[i];

		if (name_is(type, at->name, name)) {
			*value = type->values[at->index].value;
			return true;
		}
	}
	return false;
}

const char *proto_event_name(int event_type, char out[PROTO_ENUM_TEXT])
{
	return proto_enum_short(&enums__event_type__descriptor, event_type, out);
}

const char *proto_command_name(int command_type, char out[PROTO_ENUM_TEXT])
{
	return proto_enum_short(&enums__command_type__descriptor, command_type, out);
}
