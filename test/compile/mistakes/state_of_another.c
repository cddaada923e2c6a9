/*
 * A handler that takes the state of another workflow.
 *
 * flags: none
 * expect: order_raise_run must be a function
 */
#include "order.h"

struct other {
	double amount;
};

static const struct temporal_failure *order_raise_check(
	const struct wf *wf, const struct order *state, const struct order_raise_in *in)
{
	return NULL;
}

#ifdef MISTAKE
#define STATE struct other
#else
#define STATE struct order
#endif

static order_raise_out order_raise_run(struct wf *wf, STATE *state, const struct order_raise_in *in)
{
	return in->by;
}
TEMPORAL_UPDATE(order, raise);
