/*
 * The loop: posts from many threads arrive once each, timers fire in order and never early, a
 * caller can step the loop by its descriptor alone.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rpc/limits.h"
#include "rpc/loop.h"

#define THREADS 4
#define POSTS   2000

struct counted {
	struct rpc_task task;
	unsigned long *runs;
};

static void count(struct rpc_task *task)
{
	++*((struct counted *)(void *)task)->runs; /* the loop's thread alone */
}

struct poster {
	pthread_t thread;
	struct rpc_loop *loop;
	struct counted tasks[POSTS];
};

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (int i = 0; i < POSTS; i++)
		rpc_loop_post(poster->loop, &poster->tasks[i].task);
	return NULL;
}

static void posts_of_many_threads(void **state)
{
	struct rpc_loop *loop = rpc_loop_new(NULL);
	struct poster *posters = calloc(THREADS, sizeof(*posters));
	unsigned long runs = 0;

	assert_int_equal(rpc_loop_start(loop, "loop", NULL), TEMPORAL_OK);
	for (int t = 0; t < THREADS; t++) {
		posters[t].loop = loop;
		for (int i = 0; i < POSTS; i++)
			posters[t].tasks[i] = (struct counted){ { .run = count }, &runs };
		pthread_create(&posters[t].thread, NULL, post_all, &posters[t]);
	}
	for (int t = 0; t < THREADS; t++)
		pthread_join(posters[t].thread, NULL);
	rpc_loop_free(loop); /* runs what was posted */
	assert_int_equal(runs, THREADS * POSTS);
	free(posters);
}

#define TIMERS 500

struct alarms {
	struct rpc_task task;
	struct rpc_loop *loop;
	struct rpc_timer timers[TIMERS];
	int64_t last_due_ns;
	unsigned fired, early, disorder, stopped_fired;
};

static struct alarms alarms;

static void on_alarm(struct rpc_timer *timer)
{
	alarms.fired++;
	alarms.early += rpc_now_ns() < timer->due_ns;
	alarms.disorder += timer->due_ns < alarms.last_due_ns;
	alarms.last_due_ns = timer->due_ns;
	alarms.stopped_fired += (timer - alarms.timers) % 5 == 0;
}

/* Each fifth timer is stopped, each seventh set anew. */
static void set_alarms(struct rpc_task *task)
{
	int64_t now_ns = rpc_now_ns();
	unsigned seed = 7;

	for (int i = 0; i < TIMERS; i++) {
		seed = seed * 1103515245 + 12345;
		rpc_timer_set(alarms.loop, &alarms.timers[i],
			now_ns + (seed >> 8) % 50 * RPC_MS_NS + 100000, on_alarm);
	}
	for (int i = 0; i < TIMERS; i += 7)
		rpc_timer_set(alarms.loop, &alarms.timers[i],
			now_ns + (TIMERS - i) % 50 * RPC_MS_NS, on_alarm);
	for (int i = 0; i < TIMERS; i += 5)
		rpc_timer_stop(&alarms.timers[i]);
}

/* Steps as a caller's own loop would: sleeps on the descriptor, at most for as long as the loop
 * says. */
static void step_until(struct rpc_loop *loop, const unsigned *value, unsigned wanted)
{
	int64_t end_ns = rpc_now_ns() + 10 * RPC_S_NS;

	while (*value < wanted && rpc_now_ns() < end_ns) {
		struct pollfd fd = { .fd = rpc_loop_fd(loop), .events = POLLIN };

		poll(&fd, 1, rpc_loop_timeout_ms(loop));
		rpc_loop_step(loop);
	}
	assert_int_equal(*value, wanted);
}

static void timers_fire_in_order_and_never_early(void **state)
{
	alarms = (struct alarms){ .task = { .run = set_alarms }, .loop = rpc_loop_new(NULL) };
	rpc_loop_post(alarms.loop, &alarms.task);
	step_until(alarms.loop, &alarms.fired, TIMERS - TIMERS / 5);
	assert_int_equal(alarms.early, 0);
	assert_int_equal(alarms.disorder, 0);
	assert_int_equal(alarms.stopped_fired, 0);
	rpc_loop_free(alarms.loop);
}

struct chain {
	struct rpc_task task;
	struct rpc_loop *loop;
	unsigned left;
	bool here;
};

static void post_again(struct rpc_task *task)
{
	struct chain *chain = (struct chain *)(void *)task;

	chain->here = rpc_loop_here(chain->loop);
	if (chain->left-- > 1)
		rpc_loop_post(chain->loop, task);
}

/* A task that posts itself for ever must not keep the others from running; here it ends after many
 * turns. */
static void tasks_may_post_tasks(void **state)
{
	struct chain chain = {
		.task = { .run = post_again }, .loop = rpc_loop_new(NULL), .left = 1000
	};

	assert_int_equal(rpc_loop_start(chain.loop, "loop", NULL), TEMPORAL_OK);
	assert_false(rpc_loop_here(chain.loop));
	rpc_loop_post(chain.loop, &chain.task);
	rpc_loop_free(chain.loop);
	assert_int_equal(chain.left, 0);
	assert_true(chain.here);
}

/* ---- two threads step ---- */

struct slow_task {
	struct rpc_task task;
	atomic_int *state; /* 1: in it; 2: it may end; 3: it has ended */
};

static void run_slowly(struct rpc_task *task)
{
	atomic_int *state = ((struct slow_task *)(void *)task)->state;

	atomic_store(state, 1);
	while (atomic_load(state) == 1)
		sched_yield();
	atomic_store(state, 3);
}

static void note_run(struct rpc_task *task)
{
	atomic_store(((struct slow_task *)(void *)task)->state, 1);
}

static void *step_once(void *loop)
{
	rpc_loop_step(loop);
	return NULL;
}

/* The second one comes while the first is in a task: it returns at once, the next task waits. */
static void steps_do_not_overlap(void **state)
{
	struct rpc_loop *loop = rpc_loop_new(NULL);
	atomic_int in_first = 0, in_second = 0;
	struct slow_task first = { { .run = run_slowly }, &in_first },
			 second = { { .run = note_run }, &in_second };
	pthread_t thread;

	assert_non_null(loop);
	assert_int_equal(rpc_loop_adopt(loop, NULL), TEMPORAL_OK);
	rpc_loop_post(loop, &first.task);
	assert_int_equal(pthread_create(&thread, NULL, step_once, loop), 0);
	while (atomic_load(&in_first) != 1)
		sched_yield();
	rpc_loop_post(loop, &second.task);
	rpc_loop_step(loop);
	assert_int_equal(atomic_load(&in_second), 0);
	assert_false(rpc_loop_here(loop));
	assert_int_equal(rpc_loop_timeout_ms(loop), 1);
	atomic_store(&in_first, 2);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&in_first), 3);
	rpc_loop_step(loop);
	assert_int_equal(atomic_load(&in_second), 1);
	rpc_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_of_many_threads),
		cmocka_unit_test(timers_fire_in_order_and_never_early),
		cmocka_unit_test(tasks_may_post_tasks),
		cmocka_unit_test(steps_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
