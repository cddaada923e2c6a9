/*
 * frame.h: gRPC's messages in a stream of bytes: one byte of flags, four of length, the message.
 */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#define RPC_PREFIX_SIZE 5

/* One direction of one stream; zeroed, then `max` and `memory` set. */
struct rpc_deframer {
	size_t max;     /* of one message as it stands on the wire */
	size_t *memory; /* bytes buffered on the whole connection */
	size_t memory_max;
	uint8_t *buffer;  /* the message so far, when it came in pieces */
	size_t have, cap; /* in it */
	uint32_t want;    /* the message's length, once prefix_have is complete */
	uint8_t prefix[RPC_PREFIX_SIZE];
	uint8_t prefix_have;
};

/* A complete message; valid until the next call on the deframer or the end of the input. */
struct rpc_message {
	const uint8_t *data;
	size_t len;
	bool compressed;
};

enum rpc_deframed {
	RPC_DEFRAMED_MORE,  /* the input is used up */
	RPC_DEFRAMED_ONE,   /* `message` is set, call again */
	RPC_DEFRAMED_ERROR, /* `err` is set: a bad flag, a message over the limit, no memory */
};

/* Takes from the input as much as belongs to one message; advances *data and *len. */
enum rpc_deframed rpc_deframe(struct rpc_deframer *deframer, const uint8_t **data, size_t *len,
	struct rpc_message *message, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Is it in the middle of a message? */
bool rpc_deframer_inside(const struct rpc_deframer *deframer);

/* Frees the buffer and gives its bytes back to the connection's count. */
void rpc_deframer_finish(struct rpc_deframer *deframer);

/* Writes the prefix of a message of `len` bytes. */
void rpc_prefix_write(uint8_t *out, bool compressed, size_t len);

/* The texts of grpc-go for a message that is larger than its receiver takes (uint32_t, size_t), and
 * for one that cannot be decoded. */
#define RPC_RECEIVED_TOO_LARGE "grpc: received message larger than max (%u vs. %zu)"
#define RPC_UNDECODED          "grpc: error unmarshalling request: %s"

/* RESOURCE_EXHAUSTED, for a message that is not sent for its size. */
enum temporal_code rpc_too_large(struct temporal_error *err, size_t len, size_t max);

#endif
