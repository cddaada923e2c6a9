/*
 * status.h: grpc-status-details-bin to the typed details of struct temporal_error, and back (for a
 * server).
 */
#ifndef RPC_STATUS_H
#define RPC_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#include "base/arena.h"

/* The code as a peer gets it: one of our own beyond gRPC's it could not read. */
enum temporal_code rpc_status_code(enum temporal_code code);

/*
 * Decodes the bytes as google.rpc.Status into the arena and fills in detail and run_id of `err`.
 * The decoded Common__GrpcStatus, or NULL (and `err` unchanged) for bytes that are none: a bad
 * detail never hides the status itself.
 */
const void *rpc_status_decode(
	struct arena *arena, const uint8_t *data, size_t len, struct temporal_error *err);

#endif
