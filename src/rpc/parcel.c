/*
 * parcel.c: see parcel.h. A parcel lies in its own arena, so that it is one block of memory as long
 * as its message is small. The last of client and server frees it, whichever thread that is on.
 */
#include "rpc/parcel.h"

#include <stdatomic.h>

#include "proto/codec.h"
#include "rpc/limits.h"

#define ARENA_FIRST 2048

struct rpc_parcel {
	atomic_uint refs;
	struct arena arena; /* this one, too */
	const void *message;
};

struct rpc_parcel *rpc_parcel_new(const void *message)
{
	struct arena arena;

	arena_init(&arena, ARENA_FIRST, ARENA_NO_BUDGET);
	struct rpc_parcel *parcel = arena_alloc(&arena, sizeof(*parcel));
	const void *copy = parcel ? proto_transfer(&arena, message, RPC_SERVER_RECEIVE_MAX) : NULL;
	if (!copy) {
		arena_finish(&arena);
		return NULL;
	}
	atomic_init(&parcel->refs, 1);
	parcel->message = copy;
	parcel->arena = arena;
	return parcel;
}

const void *rpc_parcel_message(const struct rpc_parcel *parcel)
{
	return parcel->message;
}

struct rpc_parcel *rpc_parcel_ref(struct rpc_parcel *parcel)
{
	atomic_fetch_add_explicit(&parcel->refs, 1, memory_order_relaxed);
	return parcel;
}

void rpc_parcel_unref(struct rpc_parcel *parcel)
{
	if (!parcel || atomic_fetch_sub_explicit(&parcel->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct arena arena = parcel->arena;

	arena_finish(&arena);
}
