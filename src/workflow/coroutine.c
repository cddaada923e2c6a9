/*
 * coroutine.c: the coroutines of a run: queued, stepped, ended.
 *
 * Ready ones wait in one queue, first in, first out; nothing else decides the order, so that a
 * replay has the same. A stack is taken when a coroutine runs for the first time and given back
 * when it has ended; the bookkeeping is recycled too.
 *
 * One that ends by a failure in the middle of a function leaves frames behind, which coroutines
 * that it has started may have pointers into. So its stack stays until the last of these has gone
 * too.
 *
 * A coroutine ends by the return of its body or by coroutine_raise; both run its deferred actions
 * first. Raising in a deferred action comes here again, deeper on the same stack, and goes on with
 * the actions that are left: the first failure of all stays.
 *
 * The life of one:
 *
 *	coroutine_new        in the list of all, ready; no stack yet
 *	  -> coroutine_step  stack taken, runs, parks              again and again
 *	  -> over            its code has ended: returned, raised, or left
 *	  -> ended()         on the thread's stack: what its end means (class->ended)
 *	  -> gone            out of all lists; what it started was let go
 *	  -> recycled        stack and bookkeeping go back, once no child of it lives
 *
 * A coroutine is never unwound and never resumed after its end: there is no longjmp across user's
 * frames, and no memory but the run's to be freed. That is what allows failures not to return.
 *
 * On the thread that the run is pinned to. Functions marked _Noreturn and main_of() run on a
 * coroutine's stack, all others on the thread's or wherever they are called.
 */
#include "workflow/run.h"

/*
 * Allocated in the run's arena, also when the caller has another for its own: it may outlive any
 * mark.
 */
struct coroutine *coroutine_new(struct wf *wf, const struct coroutine_class *class)
{
	struct coroutine *self = wf->free_coroutines;

	if (self)
		wf->free_coroutines = self->next;
	else
		self = arena_alloc(&wf->arena, sizeof(*self));
	if (!self)
		return NULL;
	*self = (struct coroutine){ .class = class,
		.arena = &wf->arena,
		.read_only = class->read_only,
		.previous = wf->last };
	*(wf->last ? &wf->last->next : &wf->first) = self;
	wf->last = self;
	coroutine_make_ready(wf, self);
	return self;
}

/* Twice ready is ready once: several futures of one wait may be settled in the same round. */
void coroutine_make_ready(struct wf *wf, struct coroutine *self)
{
	if (self->ready)
		return;
	self->ready = true;
	self->next_ready = NULL;
	*wf->ready_end = self;
	wf->ready_end = &self->next_ready;
}

/*
 * Last in, first out. An action is taken off before it runs: should it raise, the next round (see
 * the top) goes on behind it. `shielded` keeps the run's cancellation out, since an action that
 * cleans up has to be able to wait.
 */
static void run_deferred(struct wf *wf, struct coroutine *self)
{
	self->shielded = true;
	while (self->deferred) {
		struct deferred *deferred = self->deferred;

		self->deferred = deferred->next;
		deferred->action(wf, deferred->arg);
	}
}

/* The bottom frame of every coroutine. */
static void main_of(void *arg)
{
	struct wf *wf = arg;
	struct coroutine *self = wf->current;

	self->class->body(wf, self);
	run_deferred(wf, self);
	self->over = true;
}

/*
 * The first failure counts: what deferred actions fail with on the way out is a consequence of it.
 */
_Noreturn void coroutine_raise(struct wf *wf, const struct temporal_failure *failure)
{
	struct coroutine *self = wf->current;

	if (!self->failure)
		self->failure = failure;
	run_deferred(wf, self);
	coroutine_leave(wf);
}

/*
 * Abandons the frames above without running anything of them: for a failed task, whose run will be
 * evicted, and at the end of coroutine_raise(). With children the stack must stay as it is, so it
 * parks instead of ending; nobody ever resumes it (recycle() frees it).
 */
_Noreturn void coroutine_leave(struct wf *wf)
{
	struct coroutine *self = wf->current;

	self->over = true;
	if (self->children)
		co_park(wf->thread->pool); /* for good, but its frames stay */
	co_exit(wf->thread->pool);
}

/*
 * What it has started goes on; if it was cancelled, nobody cares how. Its conditions end, since
 * what they look at may be its locals.
 */
static void let_go(struct wf *wf, struct coroutine *self)
{
	while (self->started) {
		struct wf_future *future = self->started;

		self->started = future->next_started;
		future->starter = NULL;
		future->next_started = future->previous_started = NULL;
		if (self->cancelled)
			future_excuse(wf, future);
		if (future->kind == FUTURE_CONDITION && !future->done && !wf->evicted)
			cancel_future(wf, future);
	}
}

/*
 * How much of its stack is resident; 0: not looked at, and at least a page. Asking costs more than
 * a short activation does, so a replay, which is about to run on, does not ask.
 */
static void measure(struct wf *wf, struct coroutine *self, size_t bytes)
{
	if (bytes == 0)
		bytes = self->stack_bytes ? self->stack_bytes : 4096;
	wf->stack_bytes = wf->stack_bytes - self->stack_bytes + bytes;
	self->stack_bytes = bytes;
}

/* Upwards: the last child frees its parent's stack, if that has waited for it alone. */
static void recycle(struct wf *wf, struct coroutine *self)
{
	while (self && !self->children) {
		struct coroutine *parent = self->parent;

		wf->stack_bytes -= self->stack_bytes;
		co_free(self->co);
		self->next = wf->free_coroutines;
		wf->free_coroutines = self;
		if (!parent || --parent->children || !parent->gone)
			break;
		self = parent;
	}
}

/*
 * Takes it out of the list of all. Its bookkeeping is used again at once, unless children hold it.
 */
static void coroutine_free(struct wf *wf, struct coroutine *self)
{
	let_go(wf, self);
	scope_end_all(wf, self);
	*(self->previous ? &self->previous->next : &wf->first) = self->next;
	*(self->next ? &self->next->previous : &wf->last) = self->previous;
	if (wf->main == self)
		wf->main = NULL;
	self->gone = true;
	recycle(wf, self);
}

/*
 * `ended` is called before the coroutine is freed: it reads what that was and how it ended.
 *
 * A continue-as-new is a failure by which the code leaves, but it is the run's end for any
 * coroutine that asks for it, so it does not go to the class.
 */
void coroutine_step(struct wf *wf, struct coroutine *self)
{
	if (!self->co)
		self->co = co_new(wf->thread->pool, main_of, wf);
	if (!self->co) {
		run_out_of_memory(wf);
		return;
	}
	wf->current = self;
	co_resume(self->co);
	wf->current = NULL;
	if (!self->over) {
		measure(wf, self, wf->replaying ? 0 : co_trim(self->co));
		return;
	}
	if (!wf->broken && self->failure == &continue_failure)
		continue_end_run(wf);
	else if (!wf->broken)
		self->class->ended(wf, self);
	coroutine_free(wf, self);
}

/*
 * No deferred action runs, as decided for evictions: the run is not over, it comes back from
 * history, and the actions belong to that life of it.
 */
void coroutine_end_all(struct wf *wf)
{
	wf->evicted = true;
	while (wf->first)
		coroutine_free(wf, wf->first);
	wf->ready = NULL;
	wf->ready_end = &wf->ready;
}
