/*
 * An update without its check.
 *
 * flags: none
 * expect: order_raise_check
 */
#include "order.h"

#ifndef MISTAKE
static const struct temporal_failure *order_raise_check(
	const struct wf *wf, const struct order *state, const struct order_raise_in *in)
{
	return NULL;
}
#endif

static order_raise_out order_raise_run(
	struct wf *wf, struct order *state, const struct order_raise_in *in)
{
	return state->amount + in->by;
}
TEMPORAL_UPDATE(order, raise);
