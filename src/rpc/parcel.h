/*
 * parcel.h: a request on its way to a server of the same process. It is counted, since the client
 * sends it again after a failure, while a try that was given up may still be read by the server.
 */
#ifndef RPC_PARCEL_H
#define RPC_PARCEL_H

#include "base/arena.h"

/* Immutable once it was made; any thread that has a reference reads it. */
struct rpc_parcel;

/*
 * A parcel with a checked copy of the message and one reference; NULL: the message has to go by
 * wire (see proto_transfer).
 */
struct rpc_parcel *rpc_parcel_new(const void *message) __attribute__((warn_unused_result));

const void *rpc_parcel_message(const struct rpc_parcel *parcel);

struct rpc_parcel *rpc_parcel_ref(struct rpc_parcel *parcel);
/* NULL is fine. */
void rpc_parcel_unref(struct rpc_parcel *parcel);

#endif
