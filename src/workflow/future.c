/*
 * future.c: futures: made, settled, seen.
 *
 *	            future_settle                     wf_try, wf_wait, wf_select,
 *	pending ---------------------> done           wf_cancel, wf_detach
 *	                                 | with a failure: in wf->failed -------> excused
 *	                                 |
 *	                                 +--> recycled: only if nobody can have a pointer to it
 *
 * A future lies in the run's arena, on a free list between its lives. It is in the list of what its
 * starter has started until that ends. Failures that nobody has seen are in `failed`, so that the
 * run's end finds them without a search.
 *
 * A result comes as a payload that belongs to the activation. Mostly it is decoded at once, by the
 * coroutine that it wakes; what is left over when all coroutines wait is copied.
 *
 * Who may have a pointer: the user's code, if the future was returned to it; a waiter; the lists
 * below. A future that only our own functions have seen (wf_sleep, wf_activity) is recycled by them
 * at once; one that was returned can be recycled only by a wf_release, which declares such pointers
 * dead.
 *
 *	list             from               until                              links by
 *	starter          future_new         the starter ends, or recycled      next/previous_started
 *	wf->conditions   wf_until           found done by the next look        next
 *	wf->fresh        activity_resolve   decoded, or copied                 next
 *	wf->failed       settled, unseen    seen, excused                      next/previous_failed
 *	free_futures     recycled           future_new                         next
 *
 * One `next` serves three lists, since a future is in at most one of them: a condition has no
 * result.
 */
#include "proto/codec.h"
#include "workflow/run.h"

/*
 * The serial number, and not the order in the arena, tells which futures are younger than a
 * wf_mark. What a cancelled coroutine starts is born excused: nobody waits for it in earnest. What
 * a deferred action starts is shielded, as the action itself is.
 */
struct wf_future *future_new(struct wf *wf, enum future_kind kind)
{
	struct coroutine *starter = wf->current;
	struct wf_future *future = wf->free_futures;

	if (future)
		wf->free_futures = future->next;
	else
		future = arena_alloc(&wf->arena, sizeof(*future));
	if (!future)
		return NULL;
	*future = (struct wf_future){ .kind = kind, .starter = starter };
	future->serial = ++wf->future_serial;
	future->waiters_end = &future->waiters;
	if (!starter)
		return future;
	future->excused = starter->cancelled;
	future->shielded = starter->shielded;
	future->next_started = starter->started;
	if (starter->started)
		starter->started->previous_started = future;
	starter->started = future;
	return future;
}

/* In front, so that it is cheap; the run's end looks for the oldest and walks (initialize.c). */
static void failed_add(struct wf *wf, struct wf_future *future)
{
	future->next_failed = wf->failed;
	if (wf->failed)
		wf->failed->previous_failed = future;
	wf->failed = future;
}

static void failed_remove(struct wf *wf, struct wf_future *future)
{
	if (future->previous_failed)
		future->previous_failed->next_failed = future->next_failed;
	else if (wf->failed == future)
		wf->failed = future->next_failed;
	if (future->next_failed)
		future->next_failed->previous_failed = future->previous_failed;
	future->next_failed = future->previous_failed = NULL;
}

/*
 * Idempotent: several may have a reason to end a future, and the first outcome is the one that a
 * coroutine may have seen.
 *
 * Waiters are only made ready here. They take themselves out of the list when they run (await.c),
 * so the list may be walked.
 */
void future_settle(struct wf *wf, struct wf_future *future, const struct temporal_failure *failure)
{
	if (future->done)
		return;
	future->done = true;
	future->failure = failure;
	if (failure && !future->excused)
		failed_add(wf, future);
	for (struct waiter *waiter = future->waiters; waiter; waiter = waiter->next)
		coroutine_make_ready(wf, waiter->coroutine);
}

void future_excuse(struct wf *wf, struct wf_future *future)
{
	if (future->excused)
		return;
	future->excused = true;
	if (future->done && future->failure)
		failed_remove(wf, future);
}

static void forget_starter(struct wf_future *future)
{
	struct coroutine *starter = future->starter;

	if (!starter)
		return;
	if (future->previous_started)
		future->previous_started->next_started = future->next_started;
	else
		starter->started = future->next_started;
	if (future->next_started)
		future->next_started->previous_started = future->previous_started;
	future->starter = NULL;
}

/* A walk: few results come with one activation. */
static void fresh_remove(struct wf *wf, struct wf_future *future)
{
	struct wf_future **link = &wf->fresh;

	while (*link && *link != future)
		link = &(*link)->next;
	if (*link)
		*link = future->next;
	future->fresh = false;
}

void future_recycle(struct wf *wf, struct wf_future *future)
{
	future_excuse(wf, future);
	forget_starter(future);
	if (future->fresh)
		fresh_remove(wf, future);
	future->next = wf->free_futures;
	wf->free_futures = future;
}

/*
 * All that hold now are settled before any waiter runs: two coroutines that wait for the same state
 * both wake, and the second has to look again, as with condition variables.
 *
 * Done ones leave the list here and nowhere else: whoever settles a condition need not find its
 * place. An orphan was waiting for just that.
 */
bool future_check_conditions(struct wf *wf)
{
	struct wf_future **link = &wf->conditions;
	bool any = false;

	while (*link) {
		struct wf_future *future = *link;

		if (!future->done && future->ready(future->state)) {
			any = true;
			future_settle(wf, future, NULL);
		}
		if (!future->done) {
			link = &future->next;
			continue;
		}
		*link = future->next;
		future->listed = false;
		if (future->orphan)
			future_recycle(wf, future);
	}
	wf->conditions_end = link;
	return any;
}

/* The last thing of an activation: afterwards the engine frees the memory of its payloads. */
void future_keep_results(struct wf *wf)
{
	while (wf->fresh) {
		struct wf_future *future = wf->fresh;

		wf->fresh = future->next;
		future->fresh = false;
		if (!future->payload)
			continue;
		future->payload = proto_copy(&wf->arena, future->payload);
		if (!future->payload)
			run_out_of_memory(wf);
	}
}
