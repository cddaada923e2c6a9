/*
 * A workflow that is called as an activity.
 *
 * flags: none
 * expect: is not the contract of a thing of the kind ACTIVITY
 */
#include "order.h"

static USED void f(struct wf *wf)
{
#ifdef MISTAKE
	bool result = wf_activity(wf, ship, &quick, .order_id = "1");
#else
	const char *result = wf_activity(wf, charge_card, &quick, .amount = 1);
#endif

	(void)result;
}
