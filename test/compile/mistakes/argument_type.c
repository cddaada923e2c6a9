/*
 * A call with an argument of another type.
 *
 * flags: none
 * expect: incompatible type
 */
#include "order.h"

static USED void f(struct wf *wf)
{
#ifdef MISTAKE
	const char *result = wf_activity(wf, charge_card, &quick, .amount = "1");
#else
	const char *result = wf_activity(wf, charge_card, &quick, .amount = 1);
#endif

	(void)result;
}
