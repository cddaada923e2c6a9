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
 *
 * What must not happen: a coroutine that is told twice (its cleanup would be cut short by the
 * second), or one that is woken for a cancellation when what it waits for has been settled by
 * something else in the same round. Hence DELIVERY_MADE is for ever, and a coroutine that is ready
 * gets it at its next wait.
 *
 * Commands are given in the order of the walk, which depends on nothing but the order in which
 * things were started and awaited: a replay gives the same.
 */
#include "workflow/run.h"

/*
 * One future, by its kind. Coroutines are put into the list for cancel_listed(); everything else is
 * done here. One that is done is left alone: a result that is there stays.
 */
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
	switch (future->kind) {
	case FUTURE_TIMER:
		timer_cancel(wf, future);
		break;
	case FUTURE_ACTIVITY:
		activity_cancel(wf, future);
		break;
	case FUTURE_LOCAL:
		local_cancel(wf, future);
		break;
	case FUTURE_CHILD:
		child_cancel(wf, future);
		break;
	case FUTURE_NEXUS:
		operation_cancel(wf, future);
		break;
	case FUTURE_STARTED: /* what is started is what is cancelled */
		cancel_one(wf, future->of, list);
		break;
	case FUTURE_SIGNAL:
		external_take_back(wf, future);
		break;
	case FUTURE_CANCEL: /* it cannot be taken back, and is soon over */
		break;
	default:
		future_settle(wf, future, failure_cancelled(wf, "Condition cancelled"));
	}
}

/*
 * The delivery: from now on it is the futures' affair. What is waited for by others too ends for
 * them as well, as if they had cancelled it.
 */
static void pass_on(struct wf *wf, struct coroutine *target, struct coroutine **list)
{
	target->cancel = DELIVERY_MADE;
	for (struct waiter *waiter = target->waits; waiter; waiter = waiter->also)
		cancel_one(wf, waiter->future, list);
}

/*
 * Two things for each coroutine of the list, which grows meanwhile: the delivery, if it waits; and,
 * if it was cancelled together with all that it has started (wf_cancel of a wf_go), that. The run's
 * own cancellation (with_started false) stops at what is waited for, so that the run's function
 * decides what becomes of the rest.
 */
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

/* From outside: the run's cancellation. */
void cancel_coroutine(struct wf *wf, struct coroutine *target, bool with_started)
{
	if (target->cancel != DELIVERY_NONE)
		return;
	target->cancel = DELIVERY_PENDING;
	target->cancelled = with_started;
	target->next_cancel = NULL;
	cancel_listed(wf, target);
}

/* From the coroutine itself, about to park: PENDING becomes MADE. */
void cancel_deliver(struct wf *wf, struct coroutine *target)
{
	struct coroutine *list = NULL;

	pass_on(wf, target, &list);
	cancel_listed(wf, list);
}

/*
 * From whoever holds the future: it is excused at once, since its failure will be the one that was
 * asked for.
 */
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

/* Nothing is cancelled; only the failure, if there will be one, is nobody's. */
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

/*
 * On the thread's stack. The failure is in the run's arena (coroutine_raise), so the future may
 * keep it when the coroutine has gone.
 */
static void go_ended(struct wf *wf, struct coroutine *self)
{
	self->go.future->coroutine = NULL;
	future_settle(wf, self->go.future, self->failure);
}

/*
 * It begins to run when the running one waits, not before: the caller sees its own locals unchanged
 * until then. `children` keeps the caller's frames for it, since `arg` may point there.
 */
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

/* In the run's arena and not the coroutine's: it must outlive a wf_release. */
void(wf_defer)(struct wf *wf, void (*action)(struct wf *wf, void *arg), void *arg)
{
	run_acts(wf, "wf_defer");
	struct deferred *deferred = arena_alloc(&wf->arena, sizeof(*deferred));

	if (!deferred)
		run_lacks_memory(wf);
	*deferred = (struct deferred){ action, arg, wf->current->deferred };
	wf->current->deferred = deferred;
}
