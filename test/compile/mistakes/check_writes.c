/*
 * A check of an update that changes the state.
 *
 * flags: none
 * expect: read-only|const-qualified
 */
#include "order.h"

static const struct temporal_failure *order_raise_check(
	const struct wf *wf, const struct order *state, const struct order_raise_in *in)
{
#ifdef MISTAKE
	state->amount = in->by;
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
