/*
 * A format that does not fit its argument.
 *
 * flags: product
 * expect: format
 */
#include "order.h"

static USED void f(struct wf *wf)
{
#ifdef MISTAKE
	wf_fail(wf, "X", "%s", 3);
#else
	wf_fail(wf, "X", "%d", 3);
#endif
}
