/*
 * Goal: memory from both ends of an arena's free part: what is kept is whole, exact in size and
 * counted in the budget, and marks give back both. Method: patterns written to all of it and read
 * again; AddressSanitizer sees what is touched outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void tail_lies_behind_what_comes_later(void **state)
{
	struct arena arena;
	size_t room;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	char *end = arena_tail(&arena, 10, &room);
	assert_non_null(end);
	assert_in_range(room, 10, 1024);
	memset(end - room, 't', room);
	char *tail = arena_tail_keep(&arena, 10);
	assert_ptr_equal(tail, end - 10);
	char *front = arena_alloc_aligned(&arena, room - 10, 1); /* the rest, in the same chunk */
	assert_ptr_equal(front + room - 10, tail);
	memset(front, 'f', room - 10);
	assert_memory_equal(tail, "tttttttttt", 10);
	assert_int_equal(arena.held, 1024);
	arena_finish(&arena);
}

static void tail_without_bytes_leaves_all(void **state)
{
	struct arena arena;
	size_t before, after;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	char *end = arena_tail(&arena, 1, &before);
	arena_tail_keep(&arena, 0);
	assert_ptr_equal(arena_tail(&arena, 1, &after), end);
	assert_int_equal(after, before);
	arena_finish(&arena);
}

static void tail_moves_to_a_larger_chunk(void **state)
{
	struct arena arena;
	size_t small, large;

	arena_init(&arena, 128, ARENA_NO_BUDGET);
	char *first = arena_tail(&arena, 1, &small);
	memset(first - small, 'a', small);
	char *second = arena_tail(&arena, small + 1, &large);
	assert_non_null(second);
	assert_true(second != first && large > small);
	memcpy(second - small, first - small, small); /* the first can still be read */
	char *tail = arena_tail_keep(&arena, small);
	assert_memory_equal(tail, first - small, small);
	arena_finish(&arena);
}

static void tail_obeys_the_budget(void **state)
{
	struct arena arena;
	size_t room;

	arena_init(&arena, 256, 512);
	assert_null(arena_tail(&arena, 512, &room)); /* and the header */
	assert_null(arena_tail(&arena, SIZE_MAX, &room));
	assert_non_null(arena_tail(&arena, 400, &room));
	assert_true(arena.held <= 512);
	arena_finish(&arena);
}

static void marks_know_tails(void **state)
{
	struct arena arena;
	size_t room, left;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	assert_non_null(arena_tail(&arena, 8, &room));
	char *kept = arena_tail_keep(&arena, 8);
	memcpy(kept, "before..", 8);
	struct arena_mark mark = arena_mark(&arena);
	assert_non_null(arena_tail(&arena, 100, &left));
	arena_tail_keep(&arena, 100); /* given back by the release, and the other is not */
	arena_release(&arena, mark);
	assert_non_null(arena_tail(&arena, 1, &left));
	assert_int_equal(left, room - 8);
	memset(arena_alloc_aligned(&arena, left, 1), 'x', left);
	assert_memory_equal(kept, "before..", 8);
	arena_reset(&arena);
	assert_non_null(arena_tail(&arena, 1, &left));
	assert_int_equal(left, room);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tail_lies_behind_what_comes_later),
		cmocka_unit_test(tail_without_bytes_leaves_all),
		cmocka_unit_test(tail_moves_to_a_larger_chunk),
		cmocka_unit_test(tail_obeys_the_budget),
		cmocka_unit_test(marks_know_tails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
