/*
 * codec.h: protobuf messages of the API to and from bytes, driven by protobuf-c's descriptors.
 *
 * The library's own pack and unpack are never called: they have no limit on depth or memory, no
 * check of UTF-8, and merge in quadratic time. A decoded message lies whole in one arena and shares
 * nothing with the input; whoever has the arena has the message, and nobody changes it afterwards.
 * No recursion on the depth of the input beyond `depth_max`.
 */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include <protobuf-c/protobuf-c.h>
#include <temporal/error.h>

#include "base/arena.h"
#include "base/str.h"

struct proto_limits {
	unsigned depth_max;  /* nesting of messages; 0: PROTO_DEPTH_MAX */
	size_t elements_max; /* elements of repeated fields, submessages and unknown fields in all;
				0: by input size */
	size_t memory_max; /* bytes of the decoded message; 0: by input size, 16-fold and 256 KiB on
			      top */
};

#define PROTO_DEPTH_MAX 100

/* Memory for a message of so many bytes on the wire, and what is made on its way: an arena's budget
 * for one from the network. */
#define PROTO_DECODED_MAX(len_) ((len_)*24 + (size_t)64 * 1024)

/*
 * Decodes `len` bytes as one message of the type. NULL on failure: INTERNAL for bytes that are not
 * such a message (the text names type, field and offset), RESOURCE_EXHAUSTED beyond a limit or the
 * arena's budget, NO_MEMORY. `limits` may be NULL. Strings that the sender left out are "",
 * submessages NULL. Unknown fields are kept and encoded again.
 */
void *proto_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data,
	size_t len, const struct proto_limits *limits, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * The size of the message's encoding in bytes; deterministic, as is the encoding. NULL strings
 * count as "", NULL elements of repeated messages as empty ones. 0 for a message that is nested
 * deeper than PROTO_DEPTH_MAX, which proto_write then does not write, and when memory for a type's
 * table is out.
 */
size_t proto_size(const void *message);

/* Writes the message to `out`; `size` is its proto_size(). */
void proto_write(const void *message, uint8_t *out, size_t size);

/*
 * Encodes into the arena. `headroom` bytes in front of the encoding are left for gRPC's prefix;
 * `out` covers both. NO_MEMORY, or
 * INVALID_ARGUMENT for a message nested deeper than PROTO_DEPTH_MAX or a string that is not UTF-8.
 */
enum temporal_code proto_encode(struct arena *arena, const void *message, size_t headroom,
	struct bytes *out, struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * A deep copy of the message in another arena, unknown fields included; NULL when memory is out, or
 * for a message that is nested deeper than PROTO_DEPTH_MAX.
 */
void *proto_copy(struct arena *arena, const void *message) __attribute__((warn_unused_result));

/*
 * A copy of the message in another arena, checked and as its reader would get it by wire (that is
 * decode(encode(message))), without the detour over its bytes. NULL: what is wrong with it the way
 * over the wire has to tell, or memory is out, or it is so large (its encoding above `size_max`),
 * or becomes so much larger than its encoding, that only that way knows whether it passes.
 */
void *proto_transfer(struct arena *arena, const void *message, size_t size_max)
	__attribute__((warn_unused_result));

/* An empty message of the type with protobuf's defaults ("" strings). NULL when memory is out. */
void *proto_new(struct arena *arena, const ProtobufCMessageDescriptor *type)
	__attribute__((warn_unused_result));
#define PROTO_NEW(arena_, Type_, prefix_) ((Type_ *)proto_new((arena_), &prefix_##__descriptor))

#endif
