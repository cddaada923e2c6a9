/*
 * A signal handler that takes the arguments of another one.
 *
 * flags: none
 * expect: order_approve_run must be a function
 */
#include "order.h"

#ifdef MISTAKE
#define ARGUMENTS struct charge_card_in
#else
#define ARGUMENTS struct order_approve_in
#endif

static void order_approve_run(struct wf *wf, struct order *state, const ARGUMENTS *in)
{
}
TEMPORAL_SIGNAL(order, approve);
