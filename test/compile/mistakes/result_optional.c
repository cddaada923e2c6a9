/*
 * An optional result that is no pointer to the type.
 *
 * flags: none
 * expect: must be a pointer to const struct line
 */
#include "order.h"

typedef const double *last_out;
#ifdef MISTAKE
TEMPORAL_QUERY_CONTRACT_0(last, "last", RETURNS(OPTIONAL(struct line)));
#else
TEMPORAL_QUERY_CONTRACT_0(last, "last", RETURNS(OPTIONAL(double)));
#endif
