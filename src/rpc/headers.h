/*
 * headers.h: headers that a caller adds to calls.
 */
#ifndef RPC_HEADERS_H
#define RPC_HEADERS_H

#include "rpc/call.h"

/* Checks the headers and copies them in the form of the wire into the arena. */
enum temporal_code rpc_headers_copy(struct arena *arena, const struct rpc_header *headers, size_t n,
	struct rpc_header **out, struct temporal_error *err) __attribute__((warn_unused_result));

/* A set with one reference; NULL on failure. Sets are immutable and counted, any thread. */
struct rpc_headers *rpc_headers_new(const struct rpc_header *headers, size_t n,
	struct temporal_error *err) __attribute__((warn_unused_result));
/* A copy in which the header replaces the one of its name; a NULL value only removes. */
struct rpc_headers *rpc_headers_with(const struct rpc_headers *old, const struct rpc_header *header,
	struct temporal_error *err) __attribute__((warn_unused_result));
struct rpc_headers *rpc_headers_ref(struct rpc_headers *headers);
void rpc_headers_unref(struct rpc_headers *headers);

#endif
