/*
 * An activity that is bound to the contract of a workflow.
 *
 * flags: none
 * expect: order is not the contract of a thing of the kind ACTIVITY
 */
#include "order.h"

#ifdef MISTAKE
static const struct temporal_failure *order_run(
	struct act *act, const struct order_in *in, order_out *out)
{
	return NULL;
}
TEMPORAL_ACTIVITY(order);
#else
static order_out order_run(struct wf *wf, const struct order_in *in)
{
	return in->order_id;
}
TEMPORAL_WORKFLOW(order);
#endif
