/*
 * retry.h: which failures are tried again and after how long. Pure: time and chance are arguments.
 */
#ifndef RPC_RETRY_H
#define RPC_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/channel.h"

struct rpc_retry_state {
	enum rpc_retry policy;
	int64_t start_ns;                   /* of the call, or of the first failure (USER_POLL) */
	int64_t next_ms, throttled_next_ms; /* the next waits, without jitter */
	unsigned tries;                     /* that failed */
	bool retried_cancelled;             /* by the transport: once at most */
};

void rpc_retry_init(struct rpc_retry_state *state, enum rpc_retry policy, int64_t now_ns);

/* A failed try. */
struct rpc_failure {
	enum temporal_code code;
	const char *message;
	bool transport; /* the connection was lost */
};

/* The ms to wait before the next try, or -1 when the failure is the call's result. `chance` is any
 * random number. */
int64_t rpc_retry_next(struct rpc_retry_state *state, const struct rpc_failure *failure,
	int64_t now_ns, uint32_t chance);

#endif
