/*
 * A future that nobody keeps.
 *
 * flags: product
 * expect: unused|ignoring return
 */
#include "order.h"

static USED void f(struct wf *wf)
{
#ifdef MISTAKE
	wf_start_activity(wf, charge_card, &quick, .amount = 1);
#else
	wf_wait(wf, wf_start_activity(wf, charge_card, &quick, .amount = 1));
#endif
}
