/*
 * A Nexus operation whose function writes a result of another type than its contract says.
 *
 * flags: none
 * expect: quote_run must be a function
 */
#include <temporal/nexus.h>

#include "order.h"

struct quote_in {
	double kilos;
};
typedef double quote_out;
TEMPORAL_NEXUS_CONTRACT(quote, "quote", kilos);

#ifdef MISTAKE
#define RESULT float
#else
#define RESULT quote_out
#endif

static const struct temporal_failure *quote_run(
	struct nexus *nexus, const struct quote_in *in, RESULT *out)
{
	return NULL;
}
TEMPORAL_NEXUS(quote);
