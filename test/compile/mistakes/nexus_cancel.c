/*
 * A cancel handler that is no function of a request and a token.
 *
 * flags: none
 * expect: quote_cancel must be a function
 */
#include <temporal/nexus.h>

#include "order.h"

typedef double quote_out;
TEMPORAL_NEXUS_CONTRACT_0(quote, "quote");

static const struct temporal_failure *quote_run(struct nexus *nexus, quote_out *out)
{
	return nexus_complete_later(nexus, "token");
}

#ifdef MISTAKE
static const struct temporal_failure *quote_cancel(struct nexus *nexus)
#else
static const struct temporal_failure *quote_cancel(struct nexus *nexus, const char *token)
#endif
{
	return NULL;
}
TEMPORAL_CANCELLABLE_NEXUS_0(quote);
