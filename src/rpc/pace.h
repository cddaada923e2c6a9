/*
 * pace.h: when a link reads what its server has sent. Loop's thread alone.
 */
#ifndef RPC_PACE_H
#define RPC_PACE_H

#include "rpc/loop.h"

struct rpc_link;
struct rpc_call;

struct rpc_pace {
	struct rpc_timer lazy; /* ends what may be put off: an owed pong, small replies */
	struct rpc_timer tick; /* the next reading at an interval */
	unsigned n_prompt;     /* calls whose reply is to be read at once */
	bool is_lazy;          /* the socket keeps small replies to itself */
	bool is_ticking;       /* ... all of them until the next tick */
	int wakes_at;          /* bytes; 0: as the socket was made */
	int64_t last_read_ns;
};

/* A call begins. */
void rpc_pace_expect(struct rpc_link *link, struct rpc_call *call);

/* Something was read, and has been worked on. */
void rpc_pace_received(struct rpc_link *link);

/* The link ends. */
void rpc_pace_stop(struct rpc_link *link);

#endif
