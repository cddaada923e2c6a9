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
 */
#include "workflow/run.h"

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

void coroutine_make_ready(struct wf *wf, struct coroutine *self)
{
	if (self->ready)
		return;
	self->ready = true;
	self->next_ready = NULL;
	*wf->ready_end = self;
	wf->ready_end = &self->next_ready;
}

static void run_deferred(struct wf *wf, struct coroutine *self)
{
	self->shielded = true;
	while (self->deferred) {
		struct deferred *deferred = self->deferred;

		self->deferred = deferred->next;
		deferred->action(wf, deferred->arg);
	}
}

static void main_of(void *arg)
{
	struct wf *wf = arg;
	struct coroutine *self = wf->current;

	self->class->body(wf, self);
	run_deferred(wf, self);
	self->over = true;
}

_Noreturn void coroutine_raise(struct wf *wf, const struct temporal_failure *failure)
{
	struct coroutine *self = wf->current;

	if (!self->failure)
		self->failure = failure;
	run_deferred(wf, self);
	coroutine_leave(wf);
}

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

/* How much of its stack is resident; 0: not looked at, and at least a page. */
static void measure(struct wf *wf, struct coroutine *self, size_t bytes)
{
	if (bytes == 0)
		bytes = self->stack_bytes ? self->stack_bytes : 4096;
	wf->stack_bytes = wf->stack_bytes - self->stack_bytes + bytes;
	self->stack_bytes = bytes;
}

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

void coroutine_end_all(struct wf *wf)
{
	wf->evicted = true;
	while (wf->first)
		coroutine_free(wf, wf->first);
	wf->ready = NULL;
	wf->ready_end = &wf->ready;
}
