/* UTF-8: what RFC 3629 allows and forbids; lower case, which is ASCII's alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_accepts_well_formed),
		cmocka_unit_test(utf8_refuses_ill_formed),
		cmocka_unit_test(lower_case_is_that_of_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
