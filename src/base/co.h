/*
 * co.h: coroutines, each with a stack of its own, on one thread.
 *
 * A pool belongs to one thread: its coroutines are made, resumed and freed there alone (compilers
 * keep the addresses of thread-locals across a switch). The scheduler is whoever calls co_resume,
 * on the thread's own stack; coroutines never resume each other. There is no hidden state: nothing
 * here is a thread-local.
 *
 *	thread's stack                         a coroutine's stack
 *	--------------                         -------------------
 *	co_resume(co)  ------------------->    fn(arg) ...
 *	  returns CO_PARKED  <-------------    co_park(pool)
 *	co_resume(co)  ------------------->    ... co_park returns
 *	  fn2(arg2) runs  <----------------    co_on_thread_stack(pool, fn2, arg2)
 *	  fn2 has returned  -------------->    ... it returns
 *	  returns CO_ENDED  <--------------    fn returns, or co_exit(pool)
 *	co_free(co)
 */
#ifndef BASE_CO_H
#define BASE_CO_H

#include <stdbool.h>
#include <stddef.h>

struct co;
struct co_pool;

typedef void co_fn(void *arg);

enum co_state {
	CO_PARKED,
	CO_ENDED
};

struct co_stats {
	size_t in_use;    /* coroutines that exist */
	size_t pooled;    /* stacks that wait for one */
	size_t unguarded; /* stacks of the pool, in use or not, with a canary instead of a guard
			     area */
	size_t size;      /* bytes that a stack can grow to */
};

#define CO_STACK_SIZE (64 * 1024)

/*
 * A pool of stacks of `stack_size` bytes (0: CO_STACK_SIZE; at least 16 KiB; rounded up to pages).
 * It reserves address space when it needs it; only pages that were touched cost memory. NULL: no
 * memory.
 */
struct co_pool *co_pool_new(size_t stack_size) __attribute__((warn_unused_result));

/* Gives everything back. All its coroutines must have been freed. NULL is fine. */
void co_pool_free(struct co_pool *pool);

/* A coroutine that will run fn(arg) when it is resumed. NULL: no memory. */
struct co *co_new(struct co_pool *pool, co_fn *fn, void *arg) __attribute__((warn_unused_result));

/* Ends it where it is (it is never resumed; no code of it runs) and recycles its stack. Not for the
 * running one. */
void co_free(struct co *co);

/* From the thread's stack: runs it until it parks or ends. Not for one that has ended. */
enum co_state co_resume(struct co *co);

/* From a coroutine: back to whoever resumed it, until the next co_resume; or, by co_exit, for good.
 */
void co_park(struct co_pool *pool);
_Noreturn void co_exit(struct co_pool *pool);

/*
 * Runs fn(arg) on the thread's own stack and returns when it is done: for all that may need more
 * stack than a coroutine should touch. On the thread's stack already, it is a plain call. fn must
 * not park.
 */
void co_on_thread_stack(struct co_pool *pool, co_fn *fn, void *arg);

/* The coroutine whose code is running; NULL on the thread's stack (co_on_thread_stack included). */
struct co *co_running(const struct co_pool *pool);

/*
 * Of a parked coroutine: gives the pages below its stack pointer back to the system, if the first
 * of them looks touched. Returns the bytes of its stack that are still resident. Mostly without a
 * system call.
 */
size_t co_trim(struct co *co);

struct co_stats co_pool_stats(const struct co_pool *pool);

/*
 * The stack's lowest address and, below it, its guard: for a handler of SIGSEGV that asks whether
 * an address is the overflow of the running coroutine.
 */
bool co_is_overflow(const struct co_pool *pool, const void *address);

/*
 * Test only: from now on, pools of this process make no more than `limit` guarded stacks (negative:
 * what the system allows), and `no_light` forbids the guards that cost no mapping.
 */
void co_test_guards(long limit, bool no_light);

#endif
