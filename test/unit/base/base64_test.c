/* Base64: the forms that are written, round trips of every length, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

static void is_written(const char *bytes, size_t len, enum base64_form form, const char *expected)
{
	char text[BASE64_SIZE(8)];

	assert_int_equal(base64_encode(text, bytes, len, form), strlen(expected));
	assert_memory_equal(text, expected, strlen(expected));
}

static void forms_are_written(void **state)
{
	is_written("\xFB\xFF", 2, BASE64_PADDED, "+/8=");
	is_written("\xFB\xFF", 2, BASE64_BARE, "+/8");
	is_written("\xFB\xFF", 2, BASE64_URL, "-_8");
	is_written("a", 1, BASE64_PADDED, "YQ==");
	is_written("a", 1, BASE64_URL, "YQ");
	is_written("abc", 3, BASE64_PADDED, "YWJj");
	is_written("", 0, BASE64_PADDED, "");
}

static void every_length_comes_back(void **state)
{
	static const enum base64_form forms[] = { BASE64_PADDED, BASE64_BARE, BASE64_URL };
	char text[BASE64_SIZE(256)];
	unsigned char bytes[256], back[BASE64_ROOM(sizeof(text))];
	size_t len;

	for (size_t i = 0; i < 256; i++)
		bytes[i] = (unsigned char)(i * 37);
	for (size_t i = 0; i <= 256; i++) {
		for (size_t form = 0; form < 3; form++) {
			size_t size = base64_encode(text, bytes, i, forms[form]);

			assert_int_equal(size, forms[form] == BASE64_PADDED ? BASE64_SIZE(i)
									    : BASE64_BARE_SIZE(i));
			assert_true(base64_decode(text, size, back, &len));
			assert_int_equal(len, i);
			assert_memory_equal(back, bytes, i);
		}
	}
}

static void reading_is_strict(void **state)
{
	static const char *const wrong[] = { "A", "AAAAA", "A===", "AA=A",
		"AB==", "AAB=", "AA\n=", "A A=", "=", "====", "AAA*", "AA=" };
	static const char *const right[] = { "", "AA==", "AA", "AAA=", "AAA", "AAAA", "-_+/" };
	static const size_t sizes[] = { 0, 1, 1, 2, 2, 3, 3 };
	unsigned char out[16];
	size_t len;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(base64_decode(wrong[i], strlen(wrong[i]), out, &len));
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_true(base64_decode(right[i], strlen(right[i]), out, &len));
		assert_int_equal(len, sizes[i]);
	}
}

static void loose_reading_drops_bits(void **state)
{
	static const char *const wrong[] = { "A", "A===", "AA=", "AA=A", "*" };
	unsigned char out[16];
	size_t len;

	assert_true(base64_decode_loose("AB==", 4, out, &len));
	assert_int_equal(len, 1);
	assert_true(base64_decode_loose("json/plain", 10, out, &len));
	assert_int_equal(len, 7);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(base64_decode_loose(wrong[i], strlen(wrong[i]), out, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_written),
		cmocka_unit_test(every_length_comes_back),
		cmocka_unit_test(reading_is_strict),
		cmocka_unit_test(loose_reading_drops_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
