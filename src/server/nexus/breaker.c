/*
 * breaker.c: an endpoint that does not answer is left in peace for a while.
 *
 *   closed --more than FAILURES in a row--> open --OPEN_NS--> one call may try --it fails--> open
 *                                                                  |
 *     ^-----------------------------------------------------------+ it gets through
 *
 * What waits meanwhile asks again every second, and is described as blocked. In memory alone: after
 * a restart an endpoint gets a new chance.
 *
 * Loop's thread.
 */
#include "proto/time.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define FAILURES 5
#define OPEN_NS  (60 * NS_PER_SECOND)

bool nexus_breaker_is_open(const struct server *server, const struct nexus_endpoint *endpoint)
{
	return endpoint && (server->now_ns < endpoint->open_ns ||
				   (endpoint->open_ns && server->now_ns < endpoint->trial_ns));
}

bool nexus_breaker_allows(const struct server *server, struct nexus_endpoint *endpoint)
{
	if (nexus_breaker_is_open(server, endpoint))
		return false;
	/* The one that tries may be lost on its way; it is not waited for longer than a call. */
	if (endpoint->open_ns)
		endpoint->trial_ns = server->now_ns + SERVER_NEXUS_CALL_MS * NS_PER_MS;
	return true;
}

void nexus_breaker_tell(const struct server *server, struct nexus_endpoint *endpoint, bool is_down)
{
	if (!endpoint)
		return;
	if (!is_down) {
		endpoint->failures = 0;
		endpoint->open_ns = endpoint->trial_ns = 0;
		return;
	}
	if (++endpoint->failures <= FAILURES)
		return;
	endpoint->open_ns = server->now_ns + OPEN_NS;
	endpoint->trial_ns = 0;
}
