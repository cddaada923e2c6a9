/*
 * Goal: the map holds what was put in and not taken out, at any size, gives its memory back, and
 * survives a failed allocation. Method: random puts and removals beside a plain array; then faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

#define KEYS 512

static void agrees_with_an_array(void **state)
{
	static char cells[KEYS];
	void *model[KEYS] = { 0 };
	struct map map = { 0 };
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;

		unsigned key = (unsigned)(random >> 20) % KEYS;
		/* Phases of growth and of decline. */
		bool put = random % 100 < (i / 20000 % 2 ? 30U : 70U);

		if (put) {
			model[key] = &cells[(random >> 40) % KEYS];
			assert_true(map_put(&map, (uint64_t)key << 32, model[key]));
		} else {
			assert_ptr_equal(map_remove(&map, (uint64_t)key << 32), model[key]);
			model[key] = NULL;
		}
		key = (unsigned)(random >> 50) % KEYS;
		assert_ptr_equal(map_get(&map, (uint64_t)key << 32), model[key]);
	}
	for (unsigned key = 0; key < KEYS; key++)
		assert_ptr_equal(map_remove(&map, (uint64_t)key << 32), model[key]);
	assert_int_equal(map.count, 0);
	assert_int_equal(map_memory(&map), 0);
}

static void gives_memory_back(void **state)
{
	struct map map = { 0 };
	size_t most;

	(void)state;
	for (uint64_t key = 0; key < 1000; key++)
		assert_true(map_put(&map, key, &map));
	most = map_memory(&map);
	for (uint64_t key = 1; key < 1000; key++)
		assert_ptr_equal(map_remove(&map, key), &map);
	assert_in_range(map_memory(&map), 1, most / 16);
	assert_ptr_equal(map_get(&map, 0), &map);
	map_finish(&map);
}

static void stays_as_it_was_without_memory(void **state)
{
	struct map map = { 0 };

	(void)state;
	mem_fault_set(0, 1);
	assert_false(map_put(&map, 1, &map));
	mem_fault_set(-1, 0);
	for (uint64_t key = 1; key < 4; key++)
		assert_true(map_put(&map, key, &map));
	mem_fault_set(0, 1);
	assert_false(map_put(&map, 9, &map));
	mem_fault_set(-1, 0);
	assert_int_equal(map.count, 3);
	assert_ptr_equal(map_get(&map, 3), &map);
	assert_null(map_get(&map, 9));
	map_finish(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(gives_memory_back),
		cmocka_unit_test(stays_as_it_was_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
