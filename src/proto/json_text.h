/*
 * json_text.h: the small texts of proto3 JSON: field names, numbers; shared by reader and
 * writer, internal to src/proto.
 */
#ifndef PROTO_JSON_TEXT_H
#define PROTO_JSON_TEXT_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define JSON_NUMBER_TEXT 40 /* bytes that hold any number as text */

/* The field of a JSON name, lowerCamelCase or as in the .proto file; NULL if there is none. */
const ProtobufCFieldDescriptor *protojson_field_find(
	const ProtobufCMessageDescriptor *type, const char *name);

/* Writes the lowerCamelCase form of `name` (of `len` bytes) to `out`, which has room for as many;
 * returns its length. */
size_t protojson_camel(const char *name, size_t len, char *out);

/* Is the field a map: a repeated message ..._Entry of its own with key and value? */
bool protojson_is_map(
	const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field);

/* A whole number, from a JSON number or a string, as sign and magnitude; false when it is none or
 * beyond 64 bits. */
bool protojson_integer(const json_t *json, bool *negative, uint64_t *magnitude);

/* A number, from a JSON number, a string with one, "NaN", "Infinity" or "-Infinity". */
bool protojson_number(const json_t *json, double *value);

/* Writes the shortest text that reads back as the same float or double; independent of the locale.
 */
void protojson_print_number(double value, bool is_float, char out[JSON_NUMBER_TEXT]);

#endif
