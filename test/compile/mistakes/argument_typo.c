/*
 * A call with an argument's name misspelt.
 *
 * flags: none
 * expect: amout
 */
#include "order.h"

static USED void f(struct wf *wf)
{
#ifdef MISTAKE
	const char *result = wf_activity(wf, charge_card, &quick, .amout = 1);
#else
	const char *result = wf_activity(wf, charge_card, &quick, .amount = 1);
#endif

	(void)result;
}
