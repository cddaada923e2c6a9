/*
 * remote.c: what children and Nexus operations have in common: they start, and later they end.
 *
 * Each has one future, of its result. Whoever wants to know of the start asks for a second one,
 * which is made then, and is done already if the start is known. If the start fails, both fail, but
 * only one of them has to be looked at: the one of the start, if somebody has asked for it.
 *
 * Functions here may be called anywhere; what begins with wf_ is for coroutines.
 */
#include "workflow/run.h"

struct wf_future *remote_started(struct wf *wf, struct wf_future *future)
{
	struct remote *remote = future->remote;

	if (remote->begun)
		return remote->begun;
	struct wf_future *begun = future_new(wf, FUTURE_STARTED);
	if (!begun)
		run_lacks_memory(wf);
	begun->of = future;
	remote->begun = begun;
	if (remote->started)
		future_settle(wf, begun, NULL);
	else if (future->done)
		future_settle(wf, begun, future->failure);
	return begun;
}

void remote_has_started(struct wf *wf, struct wf_future *future)
{
	future->remote->started = true;
	if (future->remote->begun)
		future_settle(wf, future->remote->begun, NULL);
}

/* Also for one that ends, given up, before it has started. */
void remote_not_started(
	struct wf *wf, struct wf_future *future, const struct temporal_failure *failure)
{
	struct wf_future *begun = future->remote->begun;

	if (begun && !begun->done) {
		future_excuse(wf, future);
		future_settle(wf, begun, failure);
	}
	future_settle(wf, future, failure);
}
