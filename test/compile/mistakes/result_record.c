/*
 * A result that is a record, without saying so.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

typedef struct line last_out;
#ifdef MISTAKE
TEMPORAL_QUERY_CONTRACT_0(last, "last");
#else
TEMPORAL_QUERY_CONTRACT_0(last, "last", RETURNS(struct line));
#endif
