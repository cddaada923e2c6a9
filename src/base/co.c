/*
 * co.c: coroutines over co_switch() and co_stack.h.
 *
 * The bookkeeping of a coroutine lies at the top of its own stack, so that a parked one has a
 * single touched page. A switch goes always between the thread's side and a coroutine's. A
 * coroutine that asks for the thread's stack parks with `call` set; co_resume runs the call and
 * switches back, before its caller sees anything.
 *
 * All of it runs on the pool's thread.
 *
 * Invariants: pool->running is the coroutine whose stack is in use, NULL on the thread's; so it is
 * NULL while a call runs for a coroutine, although that has not parked for anybody else. pool->call
 * is set only on the way from co_on_thread_stack() to run_call(). Between a switch away and the
 * next one to it, nothing of a coroutine's side changes.
 *
 * Why the switch is so bare (co_switch.h): signal masks, which swapcontext saves by a system call
 * each time, are the same in all coroutines of a thread.
 */
#include "base/co.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/co_hooks.h"
#include "base/co_stack.h"
#include "base/co_switch.h"
#include "base/mem.h"

struct co_pool {
	struct co_side thread;
	struct co *running;
	co_fn *call; /* to be run on the thread's stack for the coroutine that has just parked */
	void *call_arg;
	size_t in_use;
	struct co_stacks stacks;
};

struct co {
	struct co_side side;
	struct co_pool *pool;
	struct co_stack *stack;
	co_fn *fn;
	void *arg;
	bool ended;
};

struct co_pool *co_pool_new(size_t stack_size)
{
	struct co_pool *pool = mem_zalloc(sizeof(*pool));

	if (pool && !co_stacks_init(&pool->stacks, stack_size)) {
		mem_free(pool);
		return NULL;
	}
	return pool;
}

void co_pool_free(struct co_pool *pool)
{
	if (!pool)
		return;
	co_stacks_finish(&pool->stacks);
	mem_free(pool);
}

/* Stops the process: a neighbour's memory may be damaged, and no code of ours may be trusted to go
 * on. */
static _Noreturn void overflowed(void)
{
	static const char text[] = "temporal: a coroutine's stack has overflowed\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

/* The sanitizers hear of every switch before and after it, in this order (co_hooks.h). */
static void switch_sides(struct co_side *from, struct co_side *to, bool last)
{
	co_hook_leave(from, to, last);
	co_switch(&from->point, to->point);
	co_hook_arrive(from, to);
}

/* From the running coroutine to the thread's side; returns when it is resumed. */
static void leave(struct co *co, bool last)
{
	struct co_pool *pool = co->pool;

	pool->running = NULL;
	switch_sides(&co->side, &pool->thread, last);
	pool->running = co;
}

/*
 * The first frame. It arrives by co_prepare() and not by co_switch(), so it does what leave() does
 * behind the switch.
 */
static void main_of(void *arg)
{
	struct co *co = arg;

	co_hook_arrive(&co->side, &co->pool->thread);
	co->pool->running = co;
	co->fn(co->arg);
	co_exit(co->pool);
}

/* Its bookkeeping goes to the top of the stack, aligned to a cache line; the rest is the stack. */
struct co *co_new(struct co_pool *pool, co_fn *fn, void *arg)
{
	struct co_stack *stack = co_stack_take(&pool->stacks);

	if (!stack)
		return NULL;
	uintptr_t at = ((uintptr_t)stack->top - sizeof(struct co)) & ~(uintptr_t)63;
	struct co *co = (struct co *)(stack->top - ((uintptr_t)stack->top - at));
	*co = (struct co){ .pool = pool, .stack = stack, .fn = fn, .arg = arg };
	co->side.bottom = stack->bottom;
	co->side.size = (size_t)(stack->top - stack->bottom);
	co->side.point = co_prepare(stack->bottom, (char *)co, main_of, co);
	co_hook_new(&co->side);
	pool->in_use++;
	return co;
}

/*
 * The stack may be in the middle of anything: it is only a piece of memory from now on. `co` lies
 * on it, hence the copies.
 */
void co_free(struct co *co)
{
	if (!co)
		return;
	struct co_pool *pool = co->pool;
	struct co_stack *stack = co->stack;

	if (co->ended)
		co->side.fake = NULL; /* went with the last switch */
	co_hook_free(&co->side, &pool->thread);
	pool->in_use--;
	co_stack_give(&pool->stacks, stack);
}

/* `call` is cleared first: what it calls may come here again, by a plain call. */
static void run_call(struct co_pool *pool)
{
	co_fn *call = pool->call;

	pool->call = NULL;
	call(pool->call_arg);
}

/*
 * A loop, as a coroutine may ask for several calls before it parks. After each switch back its
 * canary is looked at: before any other code could use what an overflow has damaged.
 */
enum co_state co_resume(struct co *co)
{
	struct co_pool *pool = co->pool;

	if (!pool->thread.fiber)
		co_hook_thread(&pool->thread);
	for (;;) {
		switch_sides(&pool->thread, &co->side, false);
		if (!co_stack_intact(co->stack))
			overflowed();
		if (!pool->call)
			return co->ended ? CO_ENDED : CO_PARKED;
		run_call(pool);
	}
}

void co_park(struct co_pool *pool)
{
	leave(pool->running, false);
}

/*
 * AddressSanitizer is told that no frame of this stack returns, so that it forgets their redzones.
 */
_Noreturn void co_exit(struct co_pool *pool)
{
	struct co *co = pool->running;

	co->ended = true;
#ifdef SANITIZE_ADDRESS
	__asan_handle_no_return();
#endif
	leave(co, true);
	abort();
}

/*
 * A park with a wish: the two pointers are all that crosses, and the call's result is in what `arg`
 * points to.
 */
void co_on_thread_stack(struct co_pool *pool, co_fn *fn, void *arg)
{
	if (!pool->running) {
		fn(arg);
		return;
	}
	pool->call = fn;
	pool->call_arg = arg;
	leave(pool->running, false);
}

struct co *co_running(const struct co_pool *pool)
{
	return pool->running;
}

size_t co_trim(struct co *co)
{
	return co_stack_trim(&co->pool->stacks, co->stack, co->side.point);
}

struct co_stats co_pool_stats(const struct co_pool *pool)
{
	return (struct co_stats){
		.in_use = pool->in_use,
		.pooled = pool->stacks.n_idle,
		.unguarded = pool->stacks.n_unguarded,
		.size = pool->stacks.size,
	};
}

/* Only pointers are compared, so that a handler of SIGSEGV may ask, on its own stack. */
bool co_is_overflow(const struct co_pool *pool, const void *address)
{
	const struct co *co = pool->running;

	if (!co)
		return false;
	const char *at = address, *bottom = co->stack->bottom;
	return at < bottom && at >= bottom - pool->stacks.guard;
}
