/*
 * await.c: how a coroutine waits, and the functions of the API that do.
 *
 * To wait is to put a waiter into each future of interest, park, and take them out again. The
 * coroutine is woken when one of the futures is settled; it then looks itself. Cancellation comes
 * by settling what is waited for (cancel.c), so that there is one way to wake up.
 *
 * wf_select alone has to know that it was cancelled: it lets all its futures end, then fails.
 *
 * Invariant: while a coroutine runs user's code, nothing of it is attached: self->waits is NULL
 * except between attach and detach. So cancel.c finds by it what a parked coroutine waits for, and
 * metadata.c what to print. Spurious wake-ups are allowed everywhere: every wait is a loop around
 * its condition.
 */
#include "workflow/run.h"

/*
 * Waiters of one future wake in the order in which they came: it is the order of the queue of ready
 * ones, and so of the user's code, on every replay.
 */
static void attach(struct coroutine *self, struct waiter *waiter, struct wf_future *future)
{
	*waiter = (struct waiter){ .coroutine = self, .future = future, .also = self->waits };
	self->waits = waiter;
	*future->waiters_end = waiter;
	future->waiters_end = &waiter->next;
}

static void detach(struct waiter *waiter)
{
	struct waiter **link = &waiter->future->waiters;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	if (!*link)
		waiter->future->waiters_end = link;
}

/*
 * Parks until something happens to what is attached. A cancellation that came while the coroutine
 * was running is delivered here, since only now there is something to deliver it to. It settles
 * what is attached (if the kind of future allows), so the park may be a short one: being made ready
 * before parking is fine.
 */
static void park(struct wf *wf, struct coroutine *self, const char *verb)
{
	self->waits_as = verb;
	if (self->cancel == DELIVERY_PENDING && !self->shielded)
		cancel_deliver(wf, self);
	co_park(wf->thread->pool);
}

/*
 * The waiter lies on this coroutine's stack: no allocation, and the coroutine stays until it has
 * taken it out. If it never wakes, because the run is evicted, stack and future go together.
 */
void await_one(struct wf *wf, struct wf_future *future, const char *verb)
{
	struct coroutine *self = wf->current;

	while (!future->done) {
		struct waiter waiter;

		attach(self, &waiter, future);
		park(wf, self, verb);
		detach(&waiter);
		self->waits = NULL;
	}
}

/* Seen and raised: who waits without wf_try wants to end with what it waited for. */
void(wf_wait)(struct wf *wf, struct wf_future *future)
{
	run_acts(wf, "wf_wait");
	await_one(wf, future, "wf_wait");
	future_excuse(wf, future);
	if (future->failure)
		coroutine_raise(wf, future->failure);
}

/* Seen and returned; the attribute on its declaration makes the compiler insist on a look at it. */
const struct temporal_failure *(wf_try)(struct wf *wf, struct wf_future *future)
{
	run_acts(wf, "wf_try");
	await_one(wf, future, "wf_try");
	future_excuse(wf, future);
	return future->failure;
}

bool wf_is_done(const struct wf *wf, const struct wf_future *future)
{
	return future->done;
}

static struct waiter *waiter_new(struct wf *wf)
{
	struct waiter *waiter = wf->free_waiters;

	if (waiter)
		wf->free_waiters = waiter->next;
	else
		waiter = arena_alloc(&wf->arena, sizeof(*waiter));
	if (!waiter)
		run_lacks_memory(wf);
	return waiter;
}

/* Back to the free list: a loop around wf_select needs no more memory with each round. */
static void detach_all(struct wf *wf, struct coroutine *self)
{
	while (self->waits) {
		struct waiter *waiter = self->waits;

		self->waits = waiter->also;
		detach(waiter);
		waiter->next = wf->free_waiters;
		wf->free_waiters = waiter;
	}
}

/* The first that is done; with `all`, only if every one is. */
static struct wf_future *first_done(struct wf_future *const *futures, size_t count, bool all)
{
	struct wf_future *first = NULL;

	for (size_t i = 0; i < count; i++) {
		if (futures[i]->done && !first)
			first = futures[i];
		if (!futures[i]->done && all)
			return NULL;
	}
	return first;
}

/*
 * The waiters lie in the run's memory, not on the stack: their number is the caller's. That this
 * wait was cancelled shows by the delivery, which is made once in a coroutine's life. All its
 * futures are excused beforehand: the caller has asked which one is first, and has agreed to look
 * at each. After a cancellation it waits until all have ended, and not just the first, since some
 * wait for their cancellation to be completed; only then it fails, as one wait that was cancelled.
 */
struct wf_future *(wf_select_n)(struct wf *wf, struct wf_future *const *futures, size_t count)
{
	run_acts(wf, "wf_select");
	struct coroutine *self = wf->current;
	struct wf_future *first;
	bool cancelled = false;

	if (count == 0)
		run_fault(wf, "InvalidArgument", "wf_select: there is no future to wait for");
	for (size_t i = 0; i < count; i++)
		future_excuse(wf, futures[i]);
	while (!(first = first_done(futures, count, cancelled))) {
		enum delivery before = self->cancel;

		for (size_t i = count; i > 0; i--)
			attach(self, waiter_new(wf), futures[i - 1]);
		park(wf, self, "wf_select");
		detach_all(wf, self);
		cancelled = cancelled || (before != DELIVERY_MADE && self->cancel == DELIVERY_MADE);
	}
	if (cancelled)
		coroutine_raise(wf, failure_cancelled(wf, "Select cancelled"));
	return first;
}

/*
 * Two passes over the arguments, to need no limit on their number. The array for many stays in the
 * arena; it is the rare case.
 */
struct wf_future *(wf_select)(struct wf *wf, struct wf_future *first, ...)
{
	struct wf_future *few[8], **futures = few;
	size_t count = 0;
	va_list args;

	va_start(args, first);
	for (struct wf_future *future = first; future; future = va_arg(args, struct wf_future *))
		count++;
	va_end(args);
	if (count > sizeof(few) / sizeof(few[0]))
		futures = wf_alloc(wf, count * sizeof(*futures));
	count = 0;
	va_start(args, first);
	for (struct wf_future *future = first; future; future = va_arg(args, struct wf_future *))
		futures[count++] = future;
	va_end(args);
	return (wf_select_n)(wf, futures, count);
}

/*
 * Not looked at here, even if it holds already: conditions are looked at in one place, when nothing
 * is ready, and so at the same point on every replay.
 */
struct wf_future *(wf_until)(struct wf *wf, bool (*ready)(const void *state), const void *state)
{
	run_acts(wf, "wf_until");
	struct wf_future *future = future_new(wf, FUTURE_CONDITION);

	if (!future)
		run_lacks_memory(wf);
	future->ready = ready;
	future->state = state;
	future->listed = true;
	*wf->conditions_end = future;
	wf->conditions_end = &future->next;
	return future;
}

/*
 * The timer is started first: sequence numbers are part of the history, so this order is for ever.
 * Both futures are known here alone and are recycled, the condition only when it has left its list.
 */
bool(wf_until_timeout)(
	struct wf *wf, bool (*ready)(const void *state), const void *state, int64_t timeout_ms)
{
	run_acts(wf, "wf_until_timeout");
	struct wf_future *timer = (wf_timer)(wf, timeout_ms);
	struct wf_future *condition = (wf_until)(wf, ready, state);
	bool in_time =
		(wf_select_n)(wf, (struct wf_future *[]){ condition, timer }, 2) == condition;

	cancel_future(wf, in_time ? timer : condition);
	future_recycle(wf, timer);
	if (in_time)
		future_recycle(wf, condition);
	else
		condition->orphan = true;
	return in_time;
}
