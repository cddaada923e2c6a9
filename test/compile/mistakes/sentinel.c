/*
 * A list of futures without its end.
 *
 * flags: product
 * expect: sentinel
 */
#include "order.h"

static USED void f(struct wf *wf, struct wf_future *a, struct wf_future *b)
{
#ifdef MISTAKE
	if (wf_select(wf, a, b) == a)
		return;
#else
	if (wf_select(wf, a, b, NULL) == a)
		return;
#endif
}
