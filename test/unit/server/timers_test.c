/*
 * The heap of timers. Goal: timers fire in order of their times, and one that is stopped or set
 * anew does not fire at its old time. Method: many timers with times from a fixed seed, some of
 * them stopped or moved, are taken out one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/timers.h"

#define COUNT 1000

struct stamp {
	struct timers_entry entry; /* first: cast */
	bool stopped;
};

static struct stamp stamps[COUNT];

static void never(struct timers_entry *entry)
{
}

static uint32_t next_chance(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 8;
}

static void fires_in_order(void **state)
{
	struct timers timers = { 0 };
	struct timers_entry *entry;
	uint32_t seed = 1;
	int64_t last = 0;
	unsigned fired = 0, left = COUNT;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		assert_true(timers_set(&timers, &stamps[i].entry, next_chance(&seed), never));
	for (unsigned i = 0; i < COUNT; i += 3) {
		timers_stop(&timers, &stamps[i].entry);
		stamps[i].stopped = true;
		left--;
	}
	for (unsigned i = 1; i < COUNT; i += 3)
		assert_true(timers_set(&timers, &stamps[i].entry, next_chance(&seed), never));
	while ((entry = timers_pop(&timers, INT64_MAX - 1))) {
		assert_true(entry->due_ns >= last);
		assert_false(((struct stamp *)(void *)entry)->stopped);
		assert_true(entry->at == 0);
		last = entry->due_ns;
		fired++;
	}
	assert_int_equal(fired, left);
	assert_true(timers_next(&timers) == INT64_MAX);
	timers_finish(&timers);
}

static void is_never_early(void **state)
{
	struct timers timers = { 0 };
	struct timers_entry entry = { 0 };

	(void)state;
	assert_true(timers_set(&timers, &entry, 100, never));
	assert_null(timers_pop(&timers, 99));
	assert_ptr_equal(timers_pop(&timers, 100), &entry);
	assert_null(timers_pop(&timers, 100));
	timers_stop(&timers, &entry); /* one that is not armed: nothing happens */
	timers_finish(&timers);
}

static void later_ends_at_never(void **state)
{
	(void)state;
	assert_true(timers_after(5, 0) == 5);
	assert_true(timers_after(5, 2) == 2000005);
	assert_true(timers_after(1, INT64_MAX / 1000000) == INT64_MAX / 1000000 * 1000000 + 1);
	assert_true(timers_after(1000000, INT64_MAX / 1000000) == INT64_MAX);
	assert_true(timers_after(0, INT64_MAX / 1000000 + 1) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_order),
		cmocka_unit_test(is_never_early),
		cmocka_unit_test(later_ends_at_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
