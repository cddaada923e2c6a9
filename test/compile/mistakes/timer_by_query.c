/*
 * A query that starts a timer.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

static order_status_out order_status_run(const struct wf *wf, const struct order *state)
{
#ifdef MISTAKE
	return wf_timer(wf, 1) ? "waiting" : "";
#else
	return wf_now_ns(wf) ? "waiting" : "";
#endif
}
TEMPORAL_QUERY_0(order, status);
