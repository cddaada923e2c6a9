/*
 * A check of an update that acts.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

static const struct temporal_failure *order_raise_check(
	const struct wf *wf, const struct order *state, const struct order_raise_in *in)
{
#ifdef MISTAKE
	wf_sleep(wf, 1);
#endif
	return NULL;
}

static order_raise_out order_raise_run(
	struct wf *wf, struct order *state, const struct order_raise_in *in)
{
	state->amount += in->by;
	return state->amount;
}
TEMPORAL_UPDATE(order, raise);
