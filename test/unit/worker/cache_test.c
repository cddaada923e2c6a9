/*
 * The cache of runs. Goal: look-up finds exactly what is in it, and the right run is dropped at the
 * right time. Method: entries without runs; each test sets limits, moves entries through use and
 * rest, and checks what surplus names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "worker/cache.h"

#define N 1000

struct fixture {
	struct worker_cache cache;
	struct worker_cache_entry entries[N];
	char ids[N][16];
};

static struct fixture fixture;

static void begin(size_t count_max, size_t memory_max)
{
	fixture = (struct fixture){ 0 };
	assert_true(worker_cache_init(&fixture.cache, count_max, memory_max));
	for (int i = 0; i < N; i++) {
		snprintf(fixture.ids[i], sizeof(fixture.ids[i]), "run-%d", i);
		fixture.entries[i].run_id = fixture.ids[i];
	}
}

/* A run has come, has been worked on, and rests with so much memory. */
static struct worker_cache_entry *rested(int i, size_t memory)
{
	worker_cache_add(&fixture.cache, &fixture.entries[i]);
	worker_cache_rest(&fixture.cache, &fixture.entries[i], memory);
	return &fixture.entries[i];
}

static void finds_what_is_in_it(void **state)
{
	begin(N, SIZE_MAX);
	for (int i = 0; i < N; i++)
		rested(i, 1);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(
			worker_cache_find(&fixture.cache, fixture.ids[i]), &fixture.entries[i]);
	assert_null(worker_cache_find(&fixture.cache, "run-1000"));
	for (int i = 0; i < N; i += 2)
		worker_cache_remove(&fixture.cache, &fixture.entries[i]);
	assert_int_equal(fixture.cache.count, N / 2);
	assert_int_equal(fixture.cache.memory, N / 2);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(worker_cache_find(&fixture.cache, fixture.ids[i]),
			i % 2 ? &fixture.entries[i] : NULL);
	worker_cache_finish(&fixture.cache);
}

static void drops_the_least_recently_used(void **state)
{
	begin(2, SIZE_MAX);
	struct worker_cache_entry *first = rested(0, 1), *second = rested(1, 1);

	assert_null(worker_cache_surplus(&fixture.cache));
	/* The first is used again, so the second is the older one now. */
	worker_cache_use(&fixture.cache, first);
	worker_cache_rest(&fixture.cache, first, 1);
	rested(2, 1);
	assert_ptr_equal(worker_cache_surplus(&fixture.cache), second);
	worker_cache_drop(&fixture.cache, second);
	/* It still is there, but makes room already. */
	assert_ptr_equal(worker_cache_find(&fixture.cache, "run-1"), second);
	assert_null(worker_cache_surplus(&fixture.cache));
	worker_cache_remove(&fixture.cache, second);
	assert_null(worker_cache_surplus(&fixture.cache));
	assert_int_equal(fixture.cache.count, 2);
	assert_int_equal(fixture.cache.n_leaving, 0);
	worker_cache_finish(&fixture.cache);
}

static void never_drops_what_is_in_use(void **state)
{
	begin(1, SIZE_MAX);
	struct worker_cache_entry *busy = rested(0, 1), *resting = rested(1, 1);

	worker_cache_use(&fixture.cache, busy);
	assert_ptr_equal(worker_cache_surplus(&fixture.cache), resting);
	worker_cache_use(&fixture.cache, resting);
	assert_null(worker_cache_surplus(&fixture.cache));
	worker_cache_finish(&fixture.cache);
}

static void drops_by_memory_too(void **state)
{
	begin(N, 100);
	struct worker_cache_entry *first = rested(0, 40), *second = rested(1, 40);

	assert_null(worker_cache_surplus(&fixture.cache));
	/* The second grows. */
	worker_cache_use(&fixture.cache, second);
	worker_cache_rest(&fixture.cache, second, 70);
	assert_int_equal(fixture.cache.memory, 110);
	assert_ptr_equal(worker_cache_surplus(&fixture.cache), first);
	worker_cache_drop(&fixture.cache, first);
	assert_null(worker_cache_surplus(&fixture.cache));
	worker_cache_remove(&fixture.cache, first);
	assert_int_equal(fixture.cache.memory, 70);
	assert_int_equal(fixture.cache.memory_leaving, 0);
	worker_cache_finish(&fixture.cache);
}

static void keeps_nothing_when_told_so(void **state)
{
	begin(0, SIZE_MAX);
	worker_cache_add(&fixture.cache, &fixture.entries[0]);
	assert_null(worker_cache_surplus(&fixture.cache));
	worker_cache_rest(&fixture.cache, &fixture.entries[0], 1);
	assert_ptr_equal(worker_cache_surplus(&fixture.cache), &fixture.entries[0]);
	worker_cache_finish(&fixture.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_in_it),
		cmocka_unit_test(drops_the_least_recently_used),
		cmocka_unit_test(never_drops_what_is_in_use),
		cmocka_unit_test(drops_by_memory_too),
		cmocka_unit_test(keeps_nothing_when_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
