/*
 * json_text.h: the small texts of proto3 JSON: field names, base64, numbers; shared by reader and
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

/* Bytes that base64 text stands for, at most; the decoder takes both alphabets, padded or not.
 * False: it is none. */
size_t protojson_base64_room(size_t text_len);
bool protojson_base64_decode(struct str text, uint8_t *out, size_t *len);

/* Writes 4 characters for each 3 bytes begun; returns their number. */
size_t protojson_base64_encode(const uint8_t *data, size_t len, char *out);

/* A whole number, from a JSON number or a string, as sign and magnitude; false when it is none or
 * beyond 64 bits. */
bool protojson_integer(const json_t *json, bool *negative, uint64_t *magnitude);

/* A number, from a JSON number, a string with one, "NaN", "Infinity" or "-Infinity". */
bool protojson_number(const json_t *json, double *value);

/* Writes the shortest text that reads back as the same float or double; independent of the locale.
 */
void protojson_print_number(double value, bool is_float, char out[JSON_NUMBER_TEXT]);

#endif
