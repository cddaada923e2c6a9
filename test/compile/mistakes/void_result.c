/*
 * The result of something that has none.
 *
 * flags: none
 * expect: void|incompatible|initializ
 */
#include "order.h"

struct note_in {
	const char *text;
};
typedef void note_out;
TEMPORAL_ACTIVITY_CONTRACT(note, "note", text);

static USED void f(struct wf *wf)
{
#ifdef MISTAKE
	int result = wf_activity(wf, note, &quick, .text = "x");

	(void)result;
#else
	wf_activity(wf, note, &quick, .text = "x");
#endif
}
