/*
 * A query whose function returns another type than its contract says.
 *
 * flags: none
 * expect: order_status_run must be a function
 */
#include "order.h"

#ifdef MISTAKE
#define RESULT double
#else
#define RESULT order_status_out
#endif

static RESULT order_status_run(const struct wf *wf, const struct order *state)
{
	return 0;
}
TEMPORAL_QUERY_0(order, status);
