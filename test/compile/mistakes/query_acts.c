/*
 * A query that acts.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

static order_status_out order_status_run(const struct wf *wf, const struct order *state)
{
#ifdef MISTAKE
	wf_sleep(wf, 1);
#endif
	return "x";
}
TEMPORAL_QUERY_0(order, status);
