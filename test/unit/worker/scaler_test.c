/*
 * The number of polls. Goal: it follows the server's hints within its bounds, does not grow when
 * more polls bring no more tasks, and gives way to a server that has too much to do. Method: the
 * pure rules, with the news of polls and the time as arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/scaler.h"

#define MS INT64_C(1000000)

static const struct temporal_autoscaling one_to_ten = { 1, 10, 5 };

static void hear(struct worker_scaler *scaler, bool is_empty, int32_t hint, int64_t now_ms)
{
	const struct worker_scaler_news news = {
		.is_empty = is_empty, .has_hint = true, .hint = hint
	};

	worker_scaler_polled(scaler, &news, false, now_ms * MS);
}

static void hear_nothing(struct worker_scaler *scaler, bool is_empty, bool server_scales)
{
	const struct worker_scaler_news news = { .is_empty = is_empty };

	worker_scaler_polled(scaler, &news, server_scales, 0);
}

static void hints_are_followed_within_bounds(void **state)
{
	struct worker_scaler scaler;

	worker_scaler_init_auto(&scaler, &one_to_ten, 0);
	assert_int_equal(scaler.target, 5);
	hear(&scaler, false, 3, 1);
	assert_int_equal(scaler.target, 8);
	hear(&scaler, false, 100, 1);
	assert_int_equal(scaler.target, 10);
	hear(&scaler, false, 0, 1);
	assert_int_equal(scaler.target, 10);
	hear(&scaler, true, -2, 1);
	assert_int_equal(scaler.target, 8);
	hear(&scaler, true, INT32_MIN, 1);
	assert_int_equal(scaler.target, 1);
	hear(&scaler, false, INT32_MAX, 1);
	assert_int_equal(scaler.target, 10);
}

/* Twenty tasks in the first tenth of a second, ten in the second: more polls would not help. */
static void it_grows_only_while_more_tasks_come(void **state)
{
	struct worker_scaler scaler;

	worker_scaler_init_auto(&scaler, &one_to_ten, 0);
	for (int i = 0; i < 20; i++)
		hear(&scaler, false, 0, 50);
	for (int i = 0; i < 10; i++)
		hear(&scaler, false, 0, 150);
	hear(&scaler, false, 1, 250);
	assert_int_equal(scaler.target, 5);
	hear(&scaler, true, -1, 260); /* a hint to shrink is always followed */
	assert_int_equal(scaler.target, 4);
	/* After a quiet time the past does not count. */
	hear(&scaler, false, 1, 1000);
	assert_int_equal(scaler.target, 5);
}

static void empty_polls_shrink_it_where_hints_are_given(void **state)
{
	struct worker_scaler scaler;

	worker_scaler_init_auto(&scaler, &one_to_ten, 0);
	hear_nothing(&scaler, true, false); /* an old server: it could never grow again */
	assert_int_equal(scaler.target, 5);
	hear_nothing(&scaler, false, true);
	assert_int_equal(scaler.target, 5);
	hear_nothing(&scaler, true, true);
	assert_int_equal(scaler.target, 4);
	hear(&scaler, false, 0, 1);
	hear_nothing(&scaler, true, false); /* it has given one before */
	assert_int_equal(scaler.target, 3);
}

static void too_much_to_do_halves_it(void **state)
{
	struct worker_scaler scaler;

	worker_scaler_init_auto(&scaler, &one_to_ten, 0);
	assert_int_equal(worker_scaler_failed(&scaler, TEMPORAL_RESOURCE_EXHAUSTED, false, 0), 800);
	assert_int_equal(scaler.target, 5);
	assert_int_equal(worker_scaler_failed(&scaler, TEMPORAL_RESOURCE_EXHAUSTED, true, 0), 1600);
	assert_int_equal(scaler.target, 2);
	assert_int_equal(worker_scaler_failed(&scaler, TEMPORAL_RESOURCE_EXHAUSTED, true, 0), 3200);
	assert_int_equal(scaler.target, 1);
	assert_int_equal(worker_scaler_failed(&scaler, TEMPORAL_RESOURCE_EXHAUSTED, true, 0), 6400);
	assert_int_equal(scaler.target, 1);
	for (int i = 0; i < 3; i++)
		worker_scaler_failed(&scaler, TEMPORAL_RESOURCE_EXHAUSTED, true, 0);
	assert_in_range(
		worker_scaler_failed(&scaler, TEMPORAL_RESOURCE_EXHAUSTED, true, ~0U), 8000, 12000);
	/* A poll that comes back ends the waits. */
	hear_nothing(&scaler, false, true);
	assert_int_equal(worker_scaler_failed(&scaler, TEMPORAL_CANCELLED, true, 0), 160);
	assert_int_equal(worker_scaler_failed(&scaler, TEMPORAL_CANCELLED, true, 0), 320);
	assert_int_equal(scaler.target, 1);
}

static void polls_are_short_after_a_burst(void **state)
{
	struct worker_scaler scaler;

	worker_scaler_init_auto(&scaler, &one_to_ten, 0);
	assert_int_equal(worker_scaler_timeout_ms(&scaler), 0);
	hear(&scaler, false, 0, 1);
	hear(&scaler, false, 0, 1);
	assert_int_equal(worker_scaler_timeout_ms(&scaler), 11000);
	hear(&scaler, true, 0, 500);
	assert_int_equal(worker_scaler_timeout_ms(&scaler), 0);
}

static void a_fixed_number_stays(void **state)
{
	struct worker_scaler scaler;

	worker_scaler_init_fixed(&scaler, 5);
	hear(&scaler, false, 3, 1);
	hear(&scaler, true, -3, 1);
	worker_scaler_failed(&scaler, TEMPORAL_RESOURCE_EXHAUSTED, true, 0);
	assert_int_equal(scaler.target, 5);
	assert_int_equal(worker_scaler_timeout_ms(&scaler), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hints_are_followed_within_bounds),
		cmocka_unit_test(it_grows_only_while_more_tasks_come),
		cmocka_unit_test(empty_polls_shrink_it_where_hints_are_given),
		cmocka_unit_test(too_much_to_do_halves_it),
		cmocka_unit_test(polls_are_short_after_a_burst),
		cmocka_unit_test(a_fixed_number_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
