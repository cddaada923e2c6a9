/*
 * The arithmetic of limits. Goal: no more polls and starts than allowed, and no queue starved.
 * Method: drive the pure functions through the orders of events that matter, and check the counts
 * after each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/slots.h"

static void slots_are_limited(void **state)
{
	struct worker_slots slots = { .max = 2 };

	assert_true(worker_slots_take(&slots));
	assert_true(worker_slots_take(&slots));
	assert_false(worker_slots_take(&slots));
	assert_int_equal(worker_slots_free(&slots), 0);
	worker_slots_release(&slots);
	assert_true(worker_slots_take(&slots));
}

/* Polls as long as the balance wants to, as the poller does. */
static void poll_all(struct worker_balance *balance, struct worker_slots *slots)
{
	enum worker_queue queue;

	while (worker_balance_next(balance, slots, &queue)) {
		assert_true(worker_slots_take(slots));
		balance->active[queue]++;
	}
}

static void polls_are_split_by_the_ratio(void **state)
{
	struct worker_slots slots = { .max = 100 };
	struct worker_balance balance;

	worker_balance_init(&balance, 5, 0.2, true);
	poll_all(&balance, &slots);
	assert_int_equal(balance.active[WORKER_QUEUE_NORMAL], 1);
	assert_int_equal(balance.active[WORKER_QUEUE_STICKY], 4);
	assert_int_equal(slots.used, 5);
	worker_balance_init(&balance, 7, 0.5, true);
	assert_int_equal(balance.wanted[WORKER_QUEUE_NORMAL], 3);
	assert_int_equal(balance.wanted[WORKER_QUEUE_STICKY], 4);
}

static void each_queue_gets_a_poll(void **state)
{
	struct worker_balance balance;

	worker_balance_init(&balance, 1, 0.2, true);
	assert_int_equal(balance.wanted[WORKER_QUEUE_NORMAL], 1);
	assert_int_equal(balance.wanted[WORKER_QUEUE_STICKY], 1);
	worker_balance_init(&balance, 5, 1, true);
	assert_int_equal(balance.wanted[WORKER_QUEUE_NORMAL], 5);
	assert_int_equal(balance.wanted[WORKER_QUEUE_STICKY], 1);
	worker_balance_init(&balance, 5, 0, true);
	assert_int_equal(balance.wanted[WORKER_QUEUE_NORMAL], 1);
	assert_int_equal(balance.wanted[WORKER_QUEUE_STICKY], 4);
}

static void without_a_cache_all_polls_are_normal(void **state)
{
	struct worker_balance balance;

	worker_balance_init(&balance, 5, 0.2, false);
	assert_int_equal(balance.wanted[WORKER_QUEUE_NORMAL], 5);
	assert_int_equal(balance.wanted[WORKER_QUEUE_STICKY], 0);
}

/* Two slots, five pollers: both queues are polled at any time at which two slots are free. */
static void neither_queue_starves(void **state)
{
	struct worker_slots slots = { .max = 2 };
	struct worker_balance balance;

	worker_balance_init(&balance, 5, 0.2, true);
	for (int round = 0; round < 20; round++) {
		poll_all(&balance, &slots);
		assert_int_equal(balance.active[WORKER_QUEUE_NORMAL], 1);
		assert_int_equal(balance.active[WORKER_QUEUE_STICKY], 1);
		/* One of them brings a task: nothing is free, nothing is polled until the task is
		 * done. */
		enum worker_queue queue = round % 3 ? WORKER_QUEUE_STICKY : WORKER_QUEUE_NORMAL;

		balance.active[queue]--;
		poll_all(&balance, &slots);
		assert_int_equal(balance.active[queue], 0);
		worker_slots_release(&slots);
	}
}

/* With one queue polled already, the last free slot waits for the other one. */
static void the_last_slot_is_kept_for_the_other_queue(void **state)
{
	struct worker_slots slots = { .max = 3, .used = 2 }; /* one task, one sticky poll */
	struct worker_balance balance;
	enum worker_queue queue;

	worker_balance_init(&balance, 6, 0.5, true);
	balance.active[WORKER_QUEUE_STICKY] = 1;
	assert_true(worker_balance_next(&balance, &slots, &queue));
	assert_int_equal(queue, WORKER_QUEUE_NORMAL);
	balance.active[WORKER_QUEUE_STICKY] = 0;
	balance.active[WORKER_QUEUE_NORMAL] = 1;
	assert_true(worker_balance_next(&balance, &slots, &queue));
	assert_int_equal(queue, WORKER_QUEUE_STICKY);
}

/* A backlog in the sticky queue draws the polls there, up to its share; one stays. */
static void a_sticky_backlog_comes_first(void **state)
{
	struct worker_slots slots = { .max = 100 };
	struct worker_balance balance;
	enum worker_queue queue;

	worker_balance_init(&balance, 6, 0.5, true);
	balance.active[WORKER_QUEUE_NORMAL] = balance.active[WORKER_QUEUE_STICKY] = 1;
	balance.sticky_backlog = 5;
	assert_true(worker_balance_next(&balance, &slots, &queue));
	assert_int_equal(queue, WORKER_QUEUE_STICKY);
	balance.active[WORKER_QUEUE_NORMAL] = 0;
	assert_true(worker_balance_next(&balance, &slots, &queue));
	assert_int_equal(queue, WORKER_QUEUE_NORMAL);
	balance.active[WORKER_QUEUE_NORMAL] = 1;
	balance.active[WORKER_QUEUE_STICKY] = 3;
	assert_true(worker_balance_next(&balance, &slots, &queue));
	assert_int_equal(queue, WORKER_QUEUE_NORMAL);
	/* A queue that has just been refused a slot does not keep the other one from it. */
	balance.active[WORKER_QUEUE_STICKY] = 1;
	balance.sticky_backlog = 0;
	balance.refused[WORKER_QUEUE_NORMAL] = true;
	assert_true(worker_balance_next(&balance, &slots, &queue));
	assert_int_equal(queue, WORKER_QUEUE_STICKY);
}

static void starts_are_spaced_evenly(void **state)
{
	struct worker_rate rate;

	worker_rate_init(&rate, 4); /* one in 250 ms */
	assert_int_equal(worker_rate_take(&rate, 1000000000), 0);
	assert_int_equal(worker_rate_take(&rate, 1000000000), 250000000);
	assert_int_equal(worker_rate_take(&rate, 1200000000), 50000000);
	assert_int_equal(worker_rate_take(&rate, 1250000000), 0);
	/* A quiet minute saves nothing up. */
	assert_int_equal(worker_rate_take(&rate, 61250000000), 0);
	assert_int_equal(worker_rate_take(&rate, 61250000000), 250000000);
	/* A poll that came back empty gives its start back. */
	worker_rate_return(&rate);
	assert_int_equal(worker_rate_take(&rate, 61250000000), 0);
}

static void no_rate_is_no_limit(void **state)
{
	struct worker_rate rate;

	worker_rate_init(&rate, 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(worker_rate_take(&rate, 1), 0);
	worker_rate_init(&rate, 1e-30); /* an interval that does not fit in an int64_t */
	assert_int_equal(worker_rate_take(&rate, 1), 0);
	assert_true(worker_rate_take(&rate, 2) > 0);
}

static void heartbeats_are_throttled_by_their_timeout(void **state)
{
	assert_int_equal(worker_throttle_ms(10000, 30000, 60000), 8000);
	assert_int_equal(worker_throttle_ms(0, 30000, 60000), 30000);
	assert_int_equal(worker_throttle_ms(0, 30000, 20000), 20000);
	assert_int_equal(worker_throttle_ms(600000, 30000, 60000), 60000);
	assert_int_equal(worker_throttle_ms(1, 30000, 60000), 0);
	assert_int_equal(worker_throttle_ms(INT64_MAX, 30000, 60000), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_limited),
		cmocka_unit_test(polls_are_split_by_the_ratio),
		cmocka_unit_test(each_queue_gets_a_poll),
		cmocka_unit_test(without_a_cache_all_polls_are_normal),
		cmocka_unit_test(neither_queue_starves),
		cmocka_unit_test(the_last_slot_is_kept_for_the_other_queue),
		cmocka_unit_test(a_sticky_backlog_comes_first),
		cmocka_unit_test(starts_are_spaced_evenly),
		cmocka_unit_test(no_rate_is_no_limit),
		cmocka_unit_test(heartbeats_are_throttled_by_their_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
