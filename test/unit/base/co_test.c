/*
 * Coroutines: that control and data go where they should, that memory stays small, that an overflow
 * does no harm in silence. Method: small bodies that park and count; resident pages are asked of
 * the system; what must kill the process does so in a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/co.h"
#include "base/mem.h"
#include "base/sanitize.h"

#ifdef SANITIZE_THREAD
#define MANY 500 /* its fibers are large */
#else
#define MANY 10000
#endif

struct body {
	struct co_pool *pool;
	struct co *co;
	int steps, rounds, depth;
	const char *frame;
};

static void count(void *arg)
{
	struct body *body = arg;

	for (int i = 0; i < body->rounds; i++) {
		body->steps++;
		co_park(body->pool);
	}
	body->steps = -body->steps;
}

static void a_coroutine_goes_on_where_it_parked(void **state)
{
	struct body body = { .pool = co_pool_new(0), .rounds = 3 };

	assert_null(co_running(body.pool));
	body.co = co_new(body.pool, count, &body);
	assert_int_equal(body.steps, 0);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(co_resume(body.co), CO_PARKED);
		assert_int_equal(body.steps, i);
		assert_null(co_running(body.pool));
	}
	assert_int_equal(co_resume(body.co), CO_ENDED);
	assert_int_equal(body.steps, -3);
	co_free(body.co);
	assert_int_equal(co_pool_stats(body.pool).in_use, 0);
	co_pool_free(body.pool);
}

static void preserve(void *arg)
{
	struct body *body = arg;
	volatile double a = 1.5 * body->rounds, b = 2.5 * body->rounds;
	volatile long c = 7 * body->rounds, d = 11 * body->rounds;

	co_park(body->pool);
	body->steps = a == 1.5 * body->rounds && b == 2.5 * body->rounds && c == 7 * body->rounds &&
		      d == 11 * body->rounds;
}

static void many_keep_their_locals_apart(void **state)
{
	static struct body bodies[MANY];
	struct co_pool *pool = co_pool_new(0);

	for (int i = 0; i < MANY; i++) {
		bodies[i] = (struct body){ .pool = pool, .rounds = i };
		bodies[i].co = co_new(pool, preserve, &bodies[i]);
		assert_non_null(bodies[i].co);
		assert_int_equal(co_resume(bodies[i].co), CO_PARKED);
	}
	for (int i = MANY - 1; i >= 0; i--) {
		assert_int_equal(co_resume(bodies[i].co), CO_ENDED);
		assert_true(bodies[i].steps);
		co_free(bodies[i].co);
	}
	co_pool_free(pool);
}

static void parked_ones_keep_one_page(void **state)
{
	struct body body = { .pool = co_pool_new(0), .rounds = 2 };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	body.co = co_new(body.pool, count, &body);
	co_resume(body.co);
#if !defined(SANITIZE_ADDRESS) && !defined(SANITIZE_THREAD)
	assert_int_equal(co_trim(body.co), page);
#else
	assert_true(co_trim(body.co) >= page); /* frames are larger there */
#endif
	co_free(body.co);
	co_pool_free(body.pool);
}

__attribute__((noinline)) static int use_much(int depth)
{
	char room[1024];

	memset(room, depth, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory"); /* the frame is really there */
	int below = depth == 0 ? 0 : use_much(depth - 1);
	__asm__ volatile("" : : "r"(room) : "memory");
	return below + room[2];
}

static void dig(void *arg)
{
	struct body *body = arg;

	body->steps += use_much(body->depth) != 0;
	co_park(body->pool);
	use_much(body->depth);
	co_park(body->pool);
}

static void trimming_gives_back_what_a_deep_call_touched(void **state)
{
	struct body body = { .pool = co_pool_new(0), .depth = 20 };

	body.co = co_new(body.pool, dig, &body);
	co_resume(body.co);
	size_t after = co_trim(body.co);
	assert_true(after <= 8192);
	assert_int_equal(co_trim(body.co), after);
	assert_int_equal(
		co_resume(body.co), CO_PARKED); /* and it works on with zeroed pages below */
	co_free(body.co);
	co_pool_free(body.pool);
}

static void on_thread(void *arg)
{
	struct body *body = arg;
	struct body nested = { .pool = body->pool };

	assert_null(co_running(body->pool));
	body->steps = use_much(100) ? 1 : 2; /* more than a coroutine's stack holds */
	body->frame = __builtin_frame_address(0);
	co_on_thread_stack(body->pool, count, &nested); /* a plain call: rounds is 0 */
}

static void calls_thread(void *arg)
{
	struct body *body = arg;
	const char *frame = __builtin_frame_address(0);
	struct co *self = co_running(body->pool);

	for (int i = 0; i < 3; i++) {
		struct body inner = { .pool = body->pool };

		co_on_thread_stack(body->pool, on_thread, &inner);
		assert_ptr_equal(co_running(body->pool), self);
		assert_int_not_equal(inner.steps, 0);
		ptrdiff_t apart = inner.frame - frame;
		assert_true(apart > CO_STACK_SIZE || apart < -CO_STACK_SIZE);
		body->steps++;
		co_park(body->pool);
	}
}

static void a_call_on_the_threads_stack_returns_to_the_coroutine(void **state)
{
	struct body body = { .pool = co_pool_new(16 * 1024) };

	body.co = co_new(body.pool, calls_thread, &body);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(co_resume(body.co), CO_PARKED);
		assert_int_equal(body.steps, i);
	}
	assert_int_equal(co_resume(body.co), CO_ENDED);
	co_free(body.co);
	co_on_thread_stack(body.pool, count, &body); /* rounds is 0: it only counts down */
	co_pool_free(body.pool);
}

static void leaves_deep(void *arg)
{
	struct body *body = arg;
	volatile char room[512];

	memset((char *)(uintptr_t)room, 1, sizeof(room));
	if (++body->steps > 1000)
		return; /* not reached */
	if (body->depth-- == 0)
		co_exit(body->pool);
	leaves_deep(arg);
}

static void exit_works_from_any_depth(void **state)
{
	struct body body = { .pool = co_pool_new(0), .depth = 10 };

	body.co = co_new(body.pool, leaves_deep, &body);
	assert_int_equal(co_resume(body.co), CO_ENDED);
	assert_int_equal(body.steps, 11);
	co_free(body.co);
	co_pool_free(body.pool);
}

/* Goal: stacks of coroutines that were ended where they stood are used again, and leave nothing
 * behind. */
static void abandoned_stacks_are_recycled(void **state)
{
	struct body body = { .pool = co_pool_new(0), .rounds = 1000000, .depth = 10 };

	for (int i = 0; i < 1000; i++) {
		struct co *co = co_new(body.pool, i % 2 ? count : dig, &body);

		assert_int_equal(co_resume(co), CO_PARKED);
		co_free(co);
	}
	struct co *never = co_new(body.pool, count, &body);
	co_free(never);
	struct co_stats stats = co_pool_stats(body.pool);
	assert_int_equal(stats.in_use, 0);
	assert_int_equal(stats.pooled, 1);
	assert_int_equal(stats.size, CO_STACK_SIZE);
	co_pool_free(body.pool);
}

static void no_memory_is_no_coroutine(void **state)
{
	struct co_pool *pool = co_pool_new(0);

	mem_fault_set(0, 0);
	assert_null(co_new(pool, count, NULL));
	mem_fault_set(1, 0);
	assert_null(co_new(pool, count, NULL));
	mem_fault_set(-1, 0);
	struct co *co = co_new(pool, count, NULL);
	assert_non_null(co);
	co_free(co);
	co_pool_free(pool);
}

static void overflow(void *arg)
{
	use_much(2000);
	co_park(((struct body *)arg)->pool);
}

static int dies_by(long guards, bool no_light, int depth)
{
	fflush(NULL);
	pid_t child = fork();

	if (child == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL); /* cmocka's and the sanitizers' handlers run on the broken
					     stack */
		signal(SIGBUS, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		co_test_guards(guards, no_light);
		struct body body = { .pool = co_pool_new(0), .depth = depth };
		struct co *below = co_new(body.pool, count, &body),
			  *co = co_new(body.pool, depth ? dig : overflow, &body);
		assert_int_equal(
			co_pool_stats(body.pool).unguarded, guards == 0 && no_light ? 2 : 0);
		co_resume(co);
		co_free(below);
		_exit(0);
	}
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void overflow_hits_the_guard(void **state)
{
	assert_int_equal(dies_by(-1, false, 0), SIGSEGV);
	assert_int_equal(dies_by(-1, true, 0), SIGSEGV); /* guards that are mappings */
}

static void overflow_of_an_unguarded_stack_is_seen_at_the_switch(void **state)
{
	assert_int_equal(dies_by(0, true, 70), SIGABRT); /* into the area below, not through it */
	assert_int_equal(dies_by(0, true, 10), 0);
}

static void mappings_run_out_and_canaries_take_over(void **state)
{
	struct body bodies[8];
	struct co_pool *pool = co_pool_new(0);

	co_test_guards(3, true);
	for (int i = 0; i < 8; i++) {
		bodies[i] = (struct body){ .pool = pool, .rounds = 1 };
		bodies[i].co = co_new(pool, count, &bodies[i]);
		assert_int_equal(co_resume(bodies[i].co), CO_PARKED);
	}
	assert_int_equal(co_pool_stats(pool).unguarded, 5);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(co_resume(bodies[i].co), CO_ENDED);
		co_free(bodies[i].co);
	}
	co_pool_free(pool);
	co_test_guards(-1, false);
}

static void asks_overflow(void *arg)
{
	struct body *body = arg;
	uintptr_t at = (uintptr_t)__builtin_frame_address(0);

	body->steps = co_is_overflow(body->pool, (void *)at) ? 1 : 0;
	for (uintptr_t low = at; low > at - 2 * CO_STACK_SIZE; low -= 4096)
		body->depth += co_is_overflow(body->pool, (void *)low);
}

static void a_handler_can_tell_an_overflow(void **state)
{
	struct body body = { .pool = co_pool_new(0) };

	assert_false(co_is_overflow(body.pool, &body));
	body.co = co_new(body.pool, asks_overflow, &body);
	co_resume(body.co);
	assert_int_equal(body.steps, 0);
	assert_in_range(body.depth, 15, 16); /* the 64 KiB below */
	co_free(body.co);
	co_pool_free(body.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_coroutine_goes_on_where_it_parked),
		cmocka_unit_test(many_keep_their_locals_apart),
		cmocka_unit_test(parked_ones_keep_one_page),
		cmocka_unit_test(trimming_gives_back_what_a_deep_call_touched),
		cmocka_unit_test(a_call_on_the_threads_stack_returns_to_the_coroutine),
		cmocka_unit_test(exit_works_from_any_depth),
		cmocka_unit_test(abandoned_stacks_are_recycled),
		cmocka_unit_test(no_memory_is_no_coroutine),
		cmocka_unit_test(mappings_run_out_and_canaries_take_over),
		cmocka_unit_test(a_handler_can_tell_an_overflow),
		cmocka_unit_test(overflow_hits_the_guard),
		cmocka_unit_test(overflow_of_an_unguarded_stack_is_seen_at_the_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
