/*
 * coroutine.c: the coroutines of a run: queued, stepped, ended.
 *
 * Ready ones wait in one queue, first in, first out; nothing else decides the order, so that a
 * replay has the same. A stack is taken when a coroutine runs for the first time and given back
 * when it has ended; the bookkeeping is recycled too.
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
	co_exit(wf->thread->pool);
}

/* What it has started goes on; if it was cancelled, nobody cares how. */
static void let_go(struct wf *wf, struct coroutine *self)
{
	while (self->started) {
		struct wf_future *future = self->started;

		self->started = future->next_started;
		future->starter = NULL;
		future->next_started = future->previous_started = NULL;
		if (self->cancelled)
			future_excuse(wf, future);
	}
}

static void coroutine_free(struct wf *wf, struct coroutine *self)
{
	let_go(wf, self);
	scope_end_all(wf, self);
	co_free(self->co);
	*(self->previous ? &self->previous->next : &wf->first) = self->next;
	*(self->next ? &self->next->previous : &wf->last) = self->previous;
	if (wf->main == self)
		wf->main = NULL;
	self->next = wf->free_coroutines;
	wf->free_coroutines = self;
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
	enum co_state state = co_resume(self->co);
	wf->current = NULL;
	if (state == CO_PARKED)
		return;
	if (!wf->broken && self->failure == &continue_failure)
		continue_end_run(wf);
	else if (!wf->broken)
		self->class->ended(wf, self);
	coroutine_free(wf, self);
}

void coroutine_end_all(struct wf *wf)
{
	while (wf->first)
		coroutine_free(wf, wf->first);
	wf->ready = NULL;
	wf->ready_end = &wf->ready;
}
