/*
 * A failure that was asked for and is not looked at.
 *
 * flags: product
 * expect: unused|ignoring return
 */
#include "order.h"

static USED void f(struct wf *wf, struct wf_future *future)
{
#ifdef MISTAKE
	wf_try(wf, future);
#else
	if (wf_try(wf, future))
		return;
#endif
}
