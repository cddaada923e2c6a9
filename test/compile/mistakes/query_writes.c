/*
 * A query that changes the state.
 *
 * flags: none
 * expect: read-only|const-qualified
 */
#include "order.h"

static order_status_out order_status_run(const struct wf *wf, const struct order *state)
{
#ifdef MISTAKE
	state->amount = 1;
#endif
	return "x";
}
TEMPORAL_QUERY_0(order, status);
