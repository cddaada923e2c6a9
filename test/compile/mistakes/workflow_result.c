/*
 * A workflow whose function returns another type than its contract says.
 *
 * flags: none
 * expect: order_run must be a function
 */
#include "order.h"

#ifdef MISTAKE
#define RESULT double
#else
#define RESULT order_out
#endif

static RESULT order_run(struct wf *wf, const struct order_in *in)
{
	return 0;
}
TEMPORAL_WORKFLOW(order);
