/*
 * resolve.h: "host:port" and what it stands for. Loop's thread, but for the parsing.
 */
#ifndef RPC_RESOLVE_H
#define RPC_RESOLVE_H

#include <netinet/in.h>

#include <temporal/error.h>

#include "rpc/loop.h"

#define RPC_ADDRESSES_MAX 8
#define RPC_HOST_SIZE     256

struct rpc_target {
	char host[RPC_HOST_SIZE]; /* without brackets */
	char port[6];
	bool has_scheme, https;
};

union rpc_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct rpc_addresses {
	union rpc_address list[RPC_ADDRESSES_MAX];
	unsigned n;
};

/* Parses "host:port" or "[v6]:port", with "http://" or "https://" in front or not. `what` names the
 * option. */
enum temporal_code rpc_target_parse(const char *text, const char *what, struct rpc_target *target,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Addresses that need no DNS: literals and localhost. n is 0 for other names. */
void rpc_resolve_literal(const struct rpc_target *target, struct rpc_addresses *addresses);

struct rpc_resolve;

/*
 * Asks the system's resolver on another thread; `done` follows on the loop's, with err NULL on
 * success. NULL on failure.
 */
struct rpc_resolve *rpc_resolve_start(struct rpc_loop *loop, const struct rpc_target *target,
	void (*done)(void *user, const struct rpc_addresses *addresses,
		const struct temporal_error *err),
	void *user, struct temporal_error *err) __attribute__((warn_unused_result));

/* `done` will not be called. Not after `done`. NULL is fine. */
void rpc_resolve_abandon(struct rpc_resolve *resolve);

bool rpc_address_is_loopback(const union rpc_address *address);
bool rpc_address_same(const union rpc_address *a, const union rpc_address *b);

#endif
