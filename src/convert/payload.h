/*
 * payload.h: the API's payloads and their encodings, for the files of this folder.
 */
#ifndef CONVERT_PAYLOAD_H
#define CONVERT_PAYLOAD_H

#include <temporal/api/common/v1/message.pb-c.h>

#include "base/arena.h"
#include "base/str.h"

enum payload_encoding {
	PAYLOAD_NULL,            /* binary/null: no data */
	PAYLOAD_BINARY,          /* binary/plain */
	PAYLOAD_JSON,            /* json/plain */
	PAYLOAD_JSON_PROTOBUF,   /* json/protobuf */
	PAYLOAD_BINARY_PROTOBUF, /* binary/protobuf */
	PAYLOAD_OTHER,
};

/* What the payload's metadata say; `name` gets the text ("" when there is none). */
enum payload_encoding payload_encoding(const Common__Payload *payload, struct str *name);

/* The value of a metadata entry; a NULL pointer when there is none. */
struct str payload_metadata(const Common__Payload *payload, const char *key);

/* A payload of a known encoding with room for `len` bytes of data; NULL: no memory. */
Common__Payload *payload_new(struct arena *arena, enum payload_encoding encoding, size_t len);

/* Appends a metadata entry to one that payload_new() has made. false: no memory. */
bool payload_add_metadata(struct arena *arena, Common__Payload *payload, const char *key,
	struct str value) __attribute__((warn_unused_result));

#endif
