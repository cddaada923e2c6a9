/*
 * loop_io.h: what the folder's own files need of a loop beyond loop.h. The loop's thread alone.
 */
#ifndef RPC_LOOP_IO_H
#define RPC_LOOP_IO_H

#include <stddef.h>
#include <uv.h>

#include "rpc/loop.h"

#define RPC_SCRATCH_SIZE (64 * 1024)

struct rpc_gzip;

uv_loop_t *rpc_loop_uv(struct rpc_loop *loop);

/*
 * Runs the task once at the end of this iteration of the loop, after all posted tasks: so what one
 * iteration caused is written at once. The task must not be queued already.
 */
void rpc_loop_later(struct rpc_loop *loop, struct rpc_task *task);

/* Buffers of RPC_SCRATCH_SIZE bytes that all connections of the loop share, made at first use;
 * NULL: memory is out. */
unsigned char *rpc_loop_in(struct rpc_loop *loop);
unsigned char *rpc_loop_out(struct rpc_loop *loop);
unsigned char *rpc_loop_cipher(struct rpc_loop *loop);

/* The loop's compressor and inflater. */
struct rpc_gzip *rpc_loop_gzip(struct rpc_loop *loop);

#endif
