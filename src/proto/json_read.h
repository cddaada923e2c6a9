/*
 * json_read.h: what the two halves of the JSON reader share: values and messages in json_read.c,
 * the well-known types in json_known.c. Internal to src/proto.
 */
#ifndef PROTO_JSON_READ_H
#define PROTO_JSON_READ_H

#include <jansson.h>

#include "proto/codec.h"

struct protojson_reader {
	struct arena *arena;
	bool ignore_unknown;
	struct temporal_error *err;
};

/* Where in the text a value stands: a list from the inside out, on the readers' stack. */
struct protojson_place {
	const struct protojson_place *outer; /* NULL: the whole text */
	const char *name;                    /* of the member; NULL: an element of an array */
	size_t index;                        /* of the element */
	unsigned depth;                      /* of messages around it */
};

/* Writes INVALID_ARGUMENT with the path of the place; always false. */
bool protojson_refuse(const struct protojson_reader *reader, const struct protojson_place *place,
	const char *expected);

bool protojson_no_memory(const struct protojson_reader *reader);

/* One value of the field's type (not the field as a whole) to `slot` in the struct. */
bool protojson_read_value(const struct protojson_reader *reader,
	const struct protojson_place *place, const ProtobufCFieldDescriptor *field,
	const json_t *json, void *slot);

/* A whole field: a single value, an array, a map. */
bool protojson_read_field(const struct protojson_reader *reader,
	const struct protojson_place *place, void *message, const ProtobufCFieldDescriptor *field,
	const json_t *json);

/* A message that JSON writes in a way of its own: sets *known if the type is one of them, and reads
 * it. */
bool protojson_read_known(const struct protojson_reader *reader,
	const struct protojson_place *place, void *message, const ProtobufCMessageDescriptor *type,
	const json_t *json, bool *known);

/* Does a JSON null stand for a value of this type, rather than for an absent field? */
bool protojson_takes_null(const ProtobufCFieldDescriptor *field);

#endif
