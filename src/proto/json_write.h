/*
 * json_write.h: what the two halves of the JSON writer share: values and messages in json_write.c,
 * the well-known types in json_known.c. Internal to src/proto.
 */
#ifndef PROTO_JSON_WRITE_H
#define PROTO_JSON_WRITE_H

#include "proto/codec.h"

struct protojson_writer {
	struct arena *arena;
	char *text;
	size_t len, capacity;
	unsigned indent; /* spaces a level; 0: one line */
	unsigned level;
	bool out_of_memory; /* sticky: what is put afterwards is dropped */
	struct temporal_error *err;
};

void protojson_put(struct protojson_writer *writer, const char *text, size_t len);

/* The text of a string, with what JSON forbids escaped, without and with its quotes. */
void protojson_put_escaped(struct protojson_writer *writer, struct str text);
void protojson_put_string(struct protojson_writer *writer, struct str text);

/* Writes INVALID_ARGUMENT: a message of this type cannot be written, and why. Always false. */
bool protojson_cannot(const struct protojson_writer *writer, const ProtobufCMessageDescriptor *type,
	const char *why);

/* The value of a field, whether it is its default or not: a single one, an array, a map. */
bool protojson_write_field(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
	unsigned depth);

/* A message that JSON writes in a way of its own: sets *known if the type is one of them, and
 * writes it. */
bool protojson_write_known(struct protojson_writer *writer, const void *message,
	const ProtobufCMessageDescriptor *type, unsigned depth, bool *known);

#endif
