/*
 * retry.c: the policies of the official core SDK, so that a server sees the same load from us in
 * trouble.
 *
 *   calls        100 ms x 1.7 up to 5 s, at most 10 tries, and no wait that would end later than
 *                10 s after the start
 *   long polls   200 ms x 2 up to 10 s, without end; CANCELLED and DEADLINE_EXCEEDED are tried
 *                again as well, and for the first 60 s every other failure too, each 10 s (proxies
 *                that start up give odd answers)
 *   no memory    (here) is told at once to a program, which may give some back; a worker waits for
 *                some, with its polls and with what it reports
 *   throttled    RESOURCE_EXHAUSTED waits at least 1 s x 2 up to 10 s, except for a message that is
 *                too large
 *
 * All waits are spread by 20 % either way.
 */
#include "rpc/retry.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "rpc/limits.h"

struct policy {
	int64_t first_ms, max_ms;
	int64_t factor_percent;
	int64_t elapsed_max_ms; /* 0: no end */
	unsigned tries_max;     /* 0: no end */
};

static const struct policy policies[] = {
	[RPC_RETRY_NONE] = { 0, 0, 100, 0, 1 },
	[RPC_RETRY_CALL] = { 100, 5000, 170, 10000, 10 },
	[RPC_RETRY_REPORT] = { 100, 5000, 170, 10000, 10 },
	[RPC_RETRY_LONG_POLL] = { 200, 10000, 200, 0, 0 },
	[RPC_RETRY_SCALED_POLL] = { 200, 10000, 200, 0, 0 },
	[RPC_RETRY_USER_POLL] = { 100, 5000, 170, 10000, 10 },
};

static const struct policy throttled = { 1000, 10000, 200, 0, 0 };

#define POLL_GRACE_MS 60000

void rpc_retry_init(struct rpc_retry_state *state, enum rpc_retry policy, int64_t now_ns)
{
	*state = (struct rpc_retry_state){ .policy = policy,
		.start_ns = now_ns,
		.next_ms = policies[policy].first_ms,
		.throttled_next_ms = throttled.first_ms };
}

/* 80 % to 120 % of the wait; the next one is longer. */
static int64_t wait_ms(const struct policy *policy, int64_t *next_ms, uint32_t chance)
{
	int64_t spread = *next_ms * 2 / 5;
	int64_t wait = *next_ms - spread / 2 + (spread > 0 ? (int64_t)chance % (spread + 1) : 0);
	int64_t longer = *next_ms * policy->factor_percent / 100;

	*next_ms = longer < policy->max_ms ? longer : policy->max_ms;
	return wait;
}

/* The texts with which gRPC libraries refuse a message for its size: trying again gives the same.
 */
static bool is_too_large(const struct rpc_failure *failure)
{
	static const char *const starts[] = {
		"grpc: received message larger than max",
		"grpc: message after decompression larger than max",
		"grpc: received message after decompression larger than max",
	};

	if (failure->code != TEMPORAL_RESOURCE_EXHAUSTED || !failure->message)
		return false;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (strncmp(failure->message, starts[i], strlen(starts[i])) == 0)
			return true;
	}
	return false;
}

/* What the number of polls is changed by, and its owner waits for. */
static bool ends_scaled(const struct rpc_retry_state *state, enum temporal_code code)
{
	return state->policy == RPC_RETRY_SCALED_POLL &&
	       (code == TEMPORAL_RESOURCE_EXHAUSTED || code == TEMPORAL_CANCELLED ||
		       code == TEMPORAL_DEADLINE_EXCEEDED);
}

static bool is_retryable(struct rpc_retry_state *state, const struct rpc_failure *failure)
{
	switch (failure->code) {
	case TEMPORAL_DATA_LOSS:
	case TEMPORAL_INTERNAL:
	case TEMPORAL_UNKNOWN:
	case TEMPORAL_RESOURCE_EXHAUSTED:
	case TEMPORAL_ABORTED:
	case TEMPORAL_OUT_OF_RANGE:
	case TEMPORAL_UNAVAILABLE:
		return true;
	case TEMPORAL_NO_MEMORY:
		return state->policy == RPC_RETRY_REPORT || rpc_is_worker_poll(state->policy);
	case TEMPORAL_DEADLINE_EXCEEDED:
		return state->policy == RPC_RETRY_LONG_POLL;
	case TEMPORAL_CANCELLED:
		if (state->policy == RPC_RETRY_LONG_POLL)
			return true;
		if (!failure->transport || state->retried_cancelled)
			return false;
		state->retried_cancelled = true;
		return true;
	default:
		return false;
	}
}

int64_t rpc_retry_next(struct rpc_retry_state *state, const struct rpc_failure *failure,
	int64_t now_ns, uint32_t chance)
{
	const struct policy *policy = &policies[state->policy];

	if (state->policy == RPC_RETRY_USER_POLL && state->tries == 0)
		state->start_ns = now_ns;
	int64_t elapsed_ms = (now_ns - state->start_ns) / RPC_MS_NS;
	state->tries++;
	if (policy->tries_max > 0 && state->tries >= policy->tries_max)
		return -1;
	if (is_too_large(failure) || ends_scaled(state, failure->code))
		return -1;
	if (!is_retryable(state, failure))
		return rpc_is_worker_poll(state->policy) && elapsed_ms <= POLL_GRACE_MS
			       ? policy->max_ms
			       : -1;
	int64_t wait = wait_ms(policy, &state->next_ms, chance);
	if (policy->elapsed_max_ms > 0 && elapsed_ms + wait > policy->elapsed_max_ms)
		return -1;
	if (failure->code != TEMPORAL_RESOURCE_EXHAUSTED)
		return wait;
	int64_t longer = wait_ms(&throttled, &state->throttled_next_ms, chance);
	return longer > wait ? longer : wait;
}
