/*
 * memory.c: the run's memory in the hands of its code, and work that needs more stack than a
 * coroutine should touch.
 *
 * A coroutine allocates in the run's arena; in a query, in the query's; between wf_mark and
 * wf_release, in an arena of that scope alone. So a release takes nothing away from a coroutine
 * that ran in between.
 *
 * Why arenas: a failure abandons a coroutine in the middle of any function, so nothing could ever
 * be freed by hand; and an evicted run is freed as a whole. The budget of the run's arena bounds
 * what a workflow can take; a scope's has the same limit, each for itself.
 *
 * No wf_alloc fails visibly: without memory the task fails, and the coroutine ends there (its code
 * need not check).
 */
#include "workflow/run.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "convert/convert.h"

enum {
	SCOPE_CHUNK = 1024
};

/*
 * The primitive of everything that may need a deep stack: printf, JSON, converters of the user's.
 * Called on the thread's stack it is a plain call.
 */
void memory_on_thread(struct wf *wf, co_fn *fn, void *arg)
{
	co_on_thread_stack(wf->thread->pool, fn, arg);
}

struct format_call {
	struct arena *arena;
	const char *format;
	va_list args;
	char *text;
};

static void format_call(void *arg)
{
	struct format_call *call = arg;

	call->text = arena_vprintf(call->arena, call->format, call->args);
}

/*
 * The list of arguments is copied into the call's struct: a va_list parameter may be an array,
 * whose address is of another type.
 */
char *memory_vprintf(struct wf *wf, struct arena *arena, const char *format, va_list args)
{
	struct format_call call = { .arena = arena, .format = format };

	va_copy(call.args, args);
	memory_on_thread(wf, format_call, &call);
	va_end(call.args);
	return call.text;
}

/*
 * Zeroed, as promised for the state too: no workflow's behaviour may depend on what was there
 * before.
 */
void *wf_alloc(const struct wf *constant, size_t size)
{
	struct wf *wf = run_of(constant);
	void *memory = arena_zalloc(run_arena(wf), size);

	if (!memory)
		run_lacks_memory(wf);
	return memory;
}

void *wf_memdup(const struct wf *wf, const void *data, size_t size)
{
	void *memory = wf_alloc(wf, size);

	return size ? memcpy(memory, data, size) : memory;
}

char *wf_strdup(const struct wf *wf, const char *text)
{
	return text ? wf_memdup(wf, text, strlen(text) + 1) : NULL;
}

char *wf_vprintf(const struct wf *constant, const char *format, va_list args)
{
	struct wf *wf = run_of(constant);
	char *text = memory_vprintf(wf, run_arena(wf), format, args);

	if (!text)
		run_lacks_memory(wf);
	return text;
}

char *wf_printf(const struct wf *wf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = wf_vprintf(wf, format, args);
	va_end(args);
	return text;
}

#undef wf_mark /* its name is the struct's too */
/*
 * An arena of its own for each scope, not a mark in the run's: coroutines that run in between
 * allocate in the run's arena too, and a release must take nothing of theirs.
 */
struct wf_mark wf_mark(struct wf *wf)
{
	run_acts(wf, "wf_mark");
	struct coroutine *self = wf->current;
	struct scope *scope = mem_zalloc(sizeof(*scope));

	if (!scope)
		run_lacks_memory(wf);
	arena_init(&scope->arena, SCOPE_CHUNK, wf->arena.budget);
	scope->outer = self->scope;
	scope->serial = wf->future_serial;
	self->scope = scope;
	self->arena = &scope->arena;
	return (struct wf_mark){ scope };
}

/* The innermost. */
static void scope_end(struct coroutine *self)
{
	struct scope *scope = self->scope;

	self->scope = scope->outer;
	arena_finish(&scope->arena);
	mem_free(scope);
}

/* When the coroutine has ended, by whatever way: nobody can release any more. */
void scope_end_all(struct wf *wf, struct coroutine *self)
{
	while (self->scope)
		scope_end(self);
	self->arena = &wf->arena;
}

/*
 * The futures that this coroutine has started since the mark, and that have ended: by the contract
 * of wf_release, nobody has a pointer to them any more. Those that are pending go on, and are
 * simply not recycled; but conditions are cancelled, since their state may lie in the scope.
 *
 * `started` has the newest first, so the walk ends at the first that is older than the mark.
 */
static void recycle_since(struct wf *wf, struct coroutine *self, uint32_t serial)
{
	struct wf_future *future = self->started;

	while (future && future->serial > serial) {
		struct wf_future *older = future->next_started;

		if (future->kind == FUTURE_CONDITION && !future->done)
			cancel_future(wf, future); /* its state may go */
		future->orphan = future->listed;
		if (future->done && !future->listed && !future->waiters)
			future_recycle(wf, future);
		future = older;
	}
}

/*
 * A mark of an outer scope ends the inner ones too, as a longjmp would; any other is a mistake, and
 * is found before anything is freed.
 */
void(wf_release)(struct wf *wf, struct wf_mark mark)
{
	run_acts(wf, "wf_release");
	struct coroutine *self = wf->current;
	const struct scope *scope = self->scope;

	while (scope && scope != mark.scope)
		scope = scope->outer;
	if (!scope)
		run_fault(wf, "InvalidArgument", "wf_release: it is no mark of this coroutine");
	recycle_since(wf, self, scope->serial);
	for (bool last = false; !last;) {
		last = self->scope == mark.scope;
		scope_end(self);
	}
	self->arena = self->scope ? &self->scope->arena : &wf->arena;
}
