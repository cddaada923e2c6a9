/*
 * The options of another verb.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

static USED void f(struct wf *wf)
{
#ifdef MISTAKE
	struct wf_continue_as_new_opts opts = { .task_queue = "q" };
#else
	struct wf_activity_opts opts = { .task_queue = "q" };
#endif
	const char *result = wf_activity(wf, charge_card, &opts, .amount = 1);

	(void)result;
}
