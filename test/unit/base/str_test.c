/*
 * Goal: UTF-8 is what RFC 3629 allows; lower case is ASCII's alone; integers are written as the C
 * library writes them. Method: sequences of each kind; numbers of every length, against snprintf().
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/str.h"

static void utf8_accepts_well_formed(void **state)
{
	assert_true(str_is_utf8("", 0));
	assert_true(str_is_utf8("plain ascii, longer than eight", 30));
	assert_true(str_is_utf8("n\xC3\xA9s \xE2\x82\xAC \xF0\x9F\x98\x80", 13));
	assert_true(str_is_utf8("a\0b", 3));
}

static void utf8_refuses_ill_formed(void **state)
{
	assert_false(str_is_utf8("\x80", 1));
	assert_false(str_is_utf8("\xC0\x80", 2));          /* overlong NUL */
	assert_false(str_is_utf8("\xED\xA0\x80", 3));      /* surrogate */
	assert_false(str_is_utf8("\xF4\x90\x80\x80", 4));  /* above U+10FFFF */
	assert_false(str_is_utf8("12345678\xE2\x82", 10)); /* cut short */
}

static void lower_case_is_that_of_ascii(void **state)
{
	struct arena arena;

	arena_init(&arena, 256, ARENA_NO_BUDGET);
	assert_string_equal(
		arena_lower(&arena, "X-Request@[Z`{]-\xC3\x84"), "x-request@[z`{]-\xC3\x84");
	assert_null(arena_lower(&arena, NULL));
	arena_finish(&arena);
}

static void check_number(int64_t value)
{
	char text[STR_INT_MAX + 1], expected[STR_INT_MAX + 2];

	*str_put_int(text, value) = '\0';
	snprintf(expected, sizeof(expected), "%" PRId64, value);
	assert_string_equal(text, expected);
	*str_put_uint(text, (uint64_t)value) = '\0';
	snprintf(expected, sizeof(expected), "%" PRIu64, (uint64_t)value);
	assert_string_equal(text, expected);
}

/* All pairs of digits, and all lengths: around each power of ten, on both sides of zero. */
static void integers_are_written(void **state)
{
	for (int64_t value = -1010; value <= 1010; value++)
		check_number(value);
	for (int64_t power = 1; power <= INT64_MAX / 10; power *= 10) {
		for (int64_t value = power - 2; value <= power + 2; value++) {
			check_number(value);
			check_number(-value);
			if (value >= 0)
				check_number(INT64_MAX - value);
		}
	}
	check_number(INT64_MIN);
	check_number(INT64_MAX);
	check_number(-1); /* the largest without a sign */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_accepts_well_formed),
		cmocka_unit_test(utf8_refuses_ill_formed),
		cmocka_unit_test(lower_case_is_that_of_ascii),
		cmocka_unit_test(integers_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
