/*
 * enum_name.h: the names of enum values, in both spellings that the field uses:
 * "EVENT_TYPE_TIMER_FIRED" as in the .proto file, and "TimerFired" as in old histories, in the Web
 * UI and in messages for people. Any thread.
 */
#ifndef PROTO_ENUM_NAME_H
#define PROTO_ENUM_NAME_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/str.h"

#define PROTO_ENUM_TEXT 96 /* bytes that hold any name of the API in either spelling */

/* The name as in the .proto file; NULL for a number that has none. Static. */
const char *proto_enum_name(const ProtobufCEnumDescriptor *type, int value);

/* Writes the short spelling to `out` and returns it: "TimerFired"; "999" for a number without a
 * name. */
const char *proto_enum_short(
	const ProtobufCEnumDescriptor *type, int value, char out[PROTO_ENUM_TEXT]);

/* The value of a name in either spelling; false for a name that is none. */
bool proto_enum_value(const ProtobufCEnumDescriptor *type, struct str name, int *value)
	__attribute__((warn_unused_result));

/* proto_enum_short() of an event's and of a command's type. */
const char *proto_event_name(int event_type, char out[PROTO_ENUM_TEXT]);
const char *proto_command_name(int command_type, char out[PROTO_ENUM_TEXT]);

#endif
