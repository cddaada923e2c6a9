/*
 * A Nexus operation with two arguments: it has one, or none.
 *
 * flags: none
 * expect: quote: a Nexus operation has one argument; use a record for more
 */
#include <temporal/nexus.h>

#include "order.h"

#ifdef MISTAKE
struct quote_in {
	double kilos, metres;
};
typedef double quote_out;
TEMPORAL_NEXUS_CONTRACT(quote, "quote", kilos, metres);
#else
struct quote_in {
	double kilos;
};
typedef double quote_out;
TEMPORAL_NEXUS_CONTRACT(quote, "quote", kilos);
#endif

static const struct temporal_failure *quote_run(
	struct nexus *nexus, const struct quote_in *in, quote_out *out)
{
	return NULL;
}
TEMPORAL_NEXUS(quote);
