/*
 * cancel.c: cancellation.
 *
 * A future is cancelled by its kind: a timer and a condition end at once, an activity is asked (the
 * engine resolves it by its cancellation type), a coroutine gets it delivered. Delivered to a
 * coroutine means: passed on to what that waits for, once. One that is not waiting gets it when it
 * waits for the next time, one that runs its deferred actions never.
 *
 *	NONE --cancel_coroutine--> PENDING --the next wait, or at once if it waits--> MADE
 *
 * Coroutines that wait for coroutines make chains of any length, hence the list instead of
 * recursion.
 */
#include "workflow/run.h"

static void cancel_one(struct wf *wf, struct wf_future *future, struct coroutine **list)
{
	if (future->done)
		return;
	if (future->kind == FUTURE_COROUTINE) {
		struct coroutine *target = future->coroutine;

		if (!target || target->cancel != DELIVERY_NONE)
			return;
		future->cancelled = true;
		target->cancel = DELIVERY_PENDING;
		target->cancelled = true;
		target->next_cancel = *list;
		*list = target;
		return;
	}
	if (future->cancelled)
		return;
	future->cancelled = true;
	if (future->kind == FUTURE_TIMER)
		timer_cancel(wf, future);
	else if (future->kind == FUTURE_ACTIVITY)
		activity_cancel(wf, future);
	else
		future_settle(wf, future, failure_cancelled(wf, "Condition cancelled"));
}

static void pass_on(struct wf *wf, struct coroutine *target, struct coroutine **list)
{
	target->cancel = DELIVERY_MADE;
	for (struct waiter *waiter = target->waits; waiter; waiter = waiter->also)
		cancel_one(wf, waiter->future, list);
}

static void cancel_listed(struct wf *wf, struct coroutine *list)
{
	while (list) {
		struct coroutine *target = list;

		list = target->next_cancel;
		if (target->waits && !target->ready && !target->shielded)
			pass_on(wf, target, &list);
		if (!target->cancelled)
			continue;
		for (struct wf_future *each = target->started; each; each = each->next_started) {
			future_excuse(wf, each);
			if (!each->shielded)
				cancel_one(wf, each, &list);
		}
	}
}

void cancel_coroutine(struct wf *wf, struct coroutine *target, bool with_started)
{
	if (target->cancel != DELIVERY_NONE)
		return;
	target->cancel = DELIVERY_PENDING;
	target->cancelled = with_started;
	target->next_cancel = NULL;
	cancel_listed(wf, target);
}

void cancel_deliver(struct wf *wf, struct coroutine *target)
{
	struct coroutine *list = NULL;

	pass_on(wf, target, &list);
	cancel_listed(wf, list);
}

void cancel_future(struct wf *wf, struct wf_future *future)
{
	struct coroutine *list = NULL;

	future_excuse(wf, future);
	cancel_one(wf, future, &list);
	cancel_listed(wf, list);
}

void(wf_cancel)(struct wf *wf, struct wf_future *future)
{
	run_acts(wf, "wf_cancel");
	cancel_future(wf, future);
}

void(wf_detach)(struct wf *wf, struct wf_future *future)
{
	run_acts(wf, "wf_detach");
	future_excuse(wf, future);
}

const char *wf_cancel_reason(const struct wf *wf)
{
	return wf->cancel_reason;
}

static void go_body(struct wf *wf, struct coroutine *self)
{
	self->go.fn(wf, self->go.arg);
}

static void go_ended(struct wf *wf, struct coroutine *self)
{
	self->go.future->coroutine = NULL;
	future_settle(wf, self->go.future, self->failure);
}

struct wf_future *(wf_go)(struct wf *wf, void (*fn)(struct wf *wf, void *arg), void *arg)
{
	static const struct coroutine_class class = {
		.name = "wf_go", .body = go_body, .ended = go_ended
	};

	run_acts(wf, "wf_go");
	struct wf_future *future = future_new(wf, FUTURE_COROUTINE);
	struct coroutine *self = future ? coroutine_new(wf, &class) : NULL;

	if (!self)
		run_lacks_memory(wf);
	self->go.fn = fn;
	self->go.arg = arg;
	self->go.future = future;
	self->parent = wf->current;
	wf->current->children++;
	future->coroutine = self;
	return future;
}

void(wf_defer)(struct wf *wf, void (*action)(struct wf *wf, void *arg), void *arg)
{
	run_acts(wf, "wf_defer");
	struct deferred *deferred = arena_alloc(&wf->arena, sizeof(*deferred));

	if (!deferred)
		run_lacks_memory(wf);
	*deferred = (struct deferred){ action, arg, wf->current->deferred };
	wf->current->deferred = deferred;
}
