/*
 * payload.h: making and reading the API's Payload: data with metadata, of which "encoding" says
 * what the data is. Messages that are made here lie whole in the arena given. NULL when memory is
 * out. Any thread.
 */
#ifndef PROTO_PAYLOAD_H
#define PROTO_PAYLOAD_H

#include "proto/codec.h"
#include "temporal/api/common/v1/message.pb-c.h"

#define PROTO_ENCODING_KEY       "encoding"
#define PROTO_MESSAGE_TYPE_KEY   "messageType"
#define PROTO_ENCODING_NULL      "binary/null"
#define PROTO_ENCODING_BINARY    "binary/plain"
#define PROTO_ENCODING_JSON      "json/plain"
#define PROTO_ENCODING_PROTOBUF  "binary/protobuf"
#define PROTO_ENCODING_PROTOJSON "json/protobuf"

/* A payload with this encoding and a copy of the data. */
Common__Payload *proto_payload_new(struct arena *arena, const char *encoding, const void *data,
	size_t len) __attribute__((warn_unused_result));

/* Adds an entry to the metadata (copies of both), or replaces the value of one that is there.
 * False: no memory. */
bool proto_payload_set(struct arena *arena, Common__Payload *payload, const char *key,
	struct str value) __attribute__((warn_unused_result));

/* The value of a key of the metadata; { NULL, 0 } if the payload is NULL or has no such key. Lives
 * with the payload. */
struct str proto_payload_get(const Common__Payload *payload, const char *key);

/* Is this the payload's encoding? */
bool proto_payload_is(const Common__Payload *payload, const char *encoding);

/* The data as text; empty for NULL. */
struct str proto_payload_data(const Common__Payload *payload);

/* Payloads with `n` places, each NULL for the caller to fill; a copy; the number of a Payloads that
 * may be NULL. */
Common__Payloads *proto_payloads_new(struct arena *arena, size_t n)
	__attribute__((warn_unused_result));
Common__Payloads *proto_payloads_copy(struct arena *arena, const Common__Payloads *payloads)
	__attribute__((warn_unused_result));
Common__Payload *proto_payload_copy(struct arena *arena, const Common__Payload *payload)
	__attribute__((warn_unused_result));
size_t proto_payloads_count(const Common__Payloads *payloads);

#endif
