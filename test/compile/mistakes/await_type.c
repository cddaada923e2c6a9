/*
 * A future that is awaited as something else than what it was started as.
 *
 * flags: none
 * expect: incompatible type
 */
#include "order.h"

static USED void f(struct wf *wf, struct wf_future *future)
{
#ifdef MISTAKE
	double result = wf_await(wf, charge_card, future);
#else
	const char *result = wf_await(wf, charge_card, future);
#endif
	(void)result;
}
