/*
 * gzip.h: compresses and inflates whole messages. One instance a loop; its state is allocated at
 * first use and kept.
 */
#ifndef RPC_GZIP_H
#define RPC_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#include "base/str.h"

struct rpc_gzip {
	void *deflater, *inflater; /* z_stream of zlib, or NULL */
};

/* A zeroed one is fine. */
void rpc_gzip_finish(struct rpc_gzip *gzip);

/*
 * Compresses `len` bytes into at most `max` at `out`. The compressed length; 0 when it would not
 * fit (which is how a caller asks for "only if smaller") or memory is out.
 */
size_t rpc_gzip_deflate(
	struct rpc_gzip *gzip, const void *data, size_t len, uint8_t *out, size_t max);

/*
 * Inflates one gzip member to memory of its own (mem_free). It stops as soon as more than `max`
 * bytes come out (RESOURCE_EXHAUSTED), whatever the input promises; anything else than exactly one
 * member is INTERNAL.
 */
enum temporal_code rpc_gzip_inflate(struct rpc_gzip *gzip, const void *data, size_t len, size_t max,
	struct bytes *out, struct temporal_error *err) __attribute__((warn_unused_result));

#endif
