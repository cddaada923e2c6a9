/*
 * await.c: how a coroutine waits, and the functions of the API that do.
 *
 * To wait is to put a waiter into each future of interest, park, and take them out again. The
 * coroutine is woken when one of the futures is settled; it then looks itself. Cancellation comes
 * by settling what is waited for (cancel.c), so that there is one way to wake up.
 *
 * wf_select alone has to know that it was cancelled: it lets all its futures end, then fails.
 */
#include "workflow/run.h"

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

/* Parks until something happens to what is attached. */
static void park(struct wf *wf, struct coroutine *self, const char *verb)
{
	self->waits_as = verb;
	if (self->cancel == DELIVERY_PENDING && !self->shielded)
		cancel_deliver(wf, self);
	co_park(wf->thread->pool);
}

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

void(wf_wait)(struct wf *wf, struct wf_future *future)
{
	run_acts(wf, "wf_wait");
	await_one(wf, future, "wf_wait");
	future_excuse(wf, future);
	if (future->failure)
		coroutine_raise(wf, future->failure);
}

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
 * wait was cancelled shows by the delivery, which is made once in a coroutine's life.
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
