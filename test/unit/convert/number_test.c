/*
 * Numbers as text: the shortest form that reads back, and the nearest double.
 *
 * Method: a table of values as Python's json module writes them; random bit patterns there and back
 * (the seed is printed); decimals that lie exactly between two doubles, or next to that; the same
 * under a locale with a decimal comma, where the machine has one.
 */
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "convert/number.h"
#include "convert_fixture.h"

struct value {
	uint64_t bits;
	const char *text;
};

static const struct value values[] = {
	{ UINT64_C(0x0000000000000000), "0.0" },
	{ UINT64_C(0x8000000000000000), "-0.0" },
	{ UINT64_C(0x3ff0000000000000), "1.0" },
	{ UINT64_C(0xbff0000000000000), "-1.0" },
	{ UINT64_C(0x3fb999999999999a), "0.1" },
	{ UINT64_C(0x3fc999999999999a), "0.2" },
	{ UINT64_C(0x3fd3333333333334), "0.30000000000000004" },
	{ UINT64_C(0x4058ff5c28f5c28f), "99.99" },
	{ UINT64_C(0x3fd5555555555555), "0.3333333333333333" },
	{ UINT64_C(0x3fe5555555555555), "0.6666666666666666" },
	{ UINT64_C(0x430c6bf526340000), "1000000000000000.0" },
	{ UINT64_C(0x4341c37937e08000), "1e+16" },
	{ UINT64_C(0x437b69b4ba630f35), "1.2345678901234568e+17" },
	{ UINT64_C(0x433fffffffffffff), "9007199254740991.0" },
	{ UINT64_C(0x4340000000000000), "9007199254740992.0" },
	{ UINT64_C(0x4340000000000001), "9007199254740994.0" },
	{ UINT64_C(0x444b1ae4d6e2ef50), "1e+21" },
	{ UINT64_C(0x4480f0cf064dd592), "1e+22" },
	{ UINT64_C(0x44b52d02c7e14af6), "1e+23" },
	{ UINT64_C(0x0000000000000001), "5e-324" },
	{ UINT64_C(0x0010000000000000), "2.2250738585072014e-308" },
	{ UINT64_C(0x000fffffffffffff), "2.225073858507201e-308" },
	{ UINT64_C(0x7fefffffffffffff), "1.7976931348623157e+308" },
	{ UINT64_C(0x3f1a36e2eb1c432d), "0.0001" },
	{ UINT64_C(0x3f1f75104d551d69), "0.00012" },
	{ UINT64_C(0x3ee4f8b588e368f1), "1e-05" },
	{ UINT64_C(0x3e7ad7f29abcaf48), "1e-07" },
	{ UINT64_C(0x3ee9cb8320b15070), "1.23e-05" },
	{ UINT64_C(0x3b5e392010175ee6), "1e-22" },
	{ UINT64_C(0x3b282db34012b251), "1e-23" },
	{ UINT64_C(0x4011666666666666), "4.35" },
	{ UINT64_C(0x3f747ae147ae147b), "0.005" },
	{ UINT64_C(0x4004000000000000), "2.5" },
	{ UINT64_C(0x54b249ad2594c37d), "1e+100" },
	{ UINT64_C(0x44dfe185ca57c517), "6.02214076e+23" },
	{ UINT64_C(0xbde49da7e361ce4c), "-1.5e-10" },
	{ UINT64_C(0x400921fb54442d18), "3.141592653589793" },
	{ UINT64_C(0x3ff6a09e667f3bcd), "1.4142135623730951" },
	{ UINT64_C(0x43b0000000000000), "1.152921504606847e+18" },
	{ UINT64_C(0x3c30000000000000), "8.673617379884035e-19" },
	{ UINT64_C(0x3f164840e1719f80), "8.5e-05" },
	{ UINT64_C(0x431e92cacd5ac87d), "2151412256911903.2" },
	{ UINT64_C(0x42d57bb6c02a3508), "94484364830932.12" },
	{ UINT64_C(0xdda1494c73cf256d), "-1.0539756485530688e+143" },
	{ UINT64_C(0xdb5b5fab8f4d3e27), "-1.2143721666352482e+132" },
	{ UINT64_C(0xc7fde805ec99108d), "-6.360375184993316e+38" },
	{ UINT64_C(0x73ab48767734d7c1), "1.526087629730313e+249" },
	{ UINT64_C(0xdae445508201e2bd), "-7.02551513787579e+129" },
	{ UINT64_C(0x309d6b79965eda32), "1.6260771785726701e-74" },
	{ UINT64_C(0xcdcc69292f45e678), "-5.984009685093657e+66" },
	{ UINT64_C(0x79cb9e86830c71c2), "4.8959585264576934e+278" },
	{ UINT64_C(0x9d2c67eda13ffe79), "-3.7634144828029947e-168" },
	{ UINT64_C(0x2fa91425cb008853), "4.2301541954837196e-79" },
	{ UINT64_C(0x7253edc618187993), "5.315422088462547e+242" },
	{ UINT64_C(0x244caf9c4dabb481), "7.893354548061464e-134" },
	{ UINT64_C(0x89e7d15f17362f25), "-6.0511296129096725e-261" },
	{ UINT64_C(0xe3eff9c0cf44dd3f), "-2.471417988383651e+173" },
	{ UINT64_C(0xa26b7f62b1852f27), "-7.046717376279707e-143" },
	{ UINT64_C(0x986e86cb0ab8ab67), "-5.352667702512672e-191" },
	{ UINT64_C(0x656abd72fb710734), "3.467443581611296e+180" },
	{ UINT64_C(0x73f778aaf6fa5db8), "4.201212419249933e+250" },
	{ UINT64_C(0xbd299753a7677796), "-4.545896140860994e-14" },
	{ UINT64_C(0xa66b0d389d95847e), "-1.278808376866442e-123" },
};

static double from_bits(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static const char *written(double value)
{
	static char text[NUMBER_TEXT_MAX + 1];

	text[number_write_double(text, value)] = '\0';
	return text;
}

static bool read_text(const char *text, double *out)
{
	struct number number;
	size_t len = strlen(text);

	return len > 0 && number_scan(text, text + len, &number) == len &&
	       number_to_double(&number, out);
}

static void assert_reads(const char *text, double expected)
{
	double value = 0;

	assert_true(read_text(text, &value));
	assert_memory_equal(&value, &expected, sizeof(value));
}

static void doubles_are_written_as_python_writes_them(void **state)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_string_equal(written(from_bits(values[i].bits)), values[i].text);
		assert_reads(values[i].text, from_bits(values[i].bits));
	}
}

/* A small generator, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void random_doubles_come_back(void **state)
{
	uint64_t seed = 0x9E3779B97F4A7C15;

	print_message("seed %llx\n", (unsigned long long)seed);
	for (int i = 0; i < 20000; i++) {
		uint64_t random = next_random(&seed);
		double value = i % 2 ? from_bits(random) : (double)(random % 100000000) / 1000;

		if (isfinite(value))
			assert_reads(written(value), value);
	}
}

static void random_floats_come_back(void **state)
{
	uint64_t seed = 0xD1B54A32D192ED03;

	for (int i = 0; i < 20000; i++) {
		uint32_t bits = (uint32_t)next_random(&seed);
		char text[NUMBER_TEXT_MAX + 1];
		float value, back;

		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		text[number_write_float(text, value)] = '\0';
		back = strtof(text, NULL); /* of the C library, under the C locale */
		assert_memory_equal(&value, &back, sizeof(value));
	}
	char text[NUMBER_TEXT_MAX + 1];
	text[number_write_float(text, 0.1F)] = '\0';
	assert_string_equal(text, "0.1");
}

static void the_nearest_double_is_read(void **state)
{
	/* The middle of 1 and the next double goes to the even one; what is above it goes up. */
	assert_reads("1.00000000000000011102230246251565404236316680908203125", 1.0);
	assert_reads("1.00000000000000011102230246251565404236316680908203126", 1.0000000000000002);
	assert_reads("1.00000000000000033306690738754696212708950042724609375", 1.0000000000000004);
	assert_reads("9007199254740993", 9007199254740992.0);
	assert_reads("9007199254740993.00000000000000000000000000000001", 9007199254740994.0);
	/* Half of the smallest double is 0, and a little more than half is it. */
	assert_reads("2.4703282292062327e-324", 0.0);
	assert_reads("2.4703282292062328e-324", 5e-324);
	assert_reads("2.2250738585072011e-308", 2.225073858507201e-308);
	assert_reads("179769313486231580793728971405301e276", 1.7976931348623157e308);
	assert_reads("-0", -0.0);
	assert_reads("0e99999999999999999999", 0.0);
	assert_reads("1e-99999999999999999999", 0.0);
}

/* `head`, so many zeros, and `tail`. */
static void assert_long_reads(const char *head, size_t zeros, const char *tail, double expected)
{
	char text[4000];
	size_t len = strlen(head);

	assert_true(len + zeros + strlen(tail) < sizeof(text));
	memcpy(text, head, len);
	memset(text + len, '0', zeros);
	memcpy(text + len + zeros, tail, strlen(tail) + 1);
	assert_reads(text, expected);
}

static void long_decimals_are_read(void **state)
{
	static const char middle[] = "1.00000000000000011102230246251565404236316680908203125";
	double value;

	assert_long_reads("1", 1999, "e-1999", 1.0);
	assert_long_reads("0.", 2998, "1e2999", 1.0);
	/* A digit far behind the middle of two doubles still counts. */
	assert_long_reads(middle, 2000, "", 1.0);
	assert_long_reads(middle, 2000, "1", 1.0000000000000002);
	assert_false(read_text("1e309", &value));
	assert_false(read_text("1e310", &value));
	assert_false(read_text("2e308", &value));
	assert_false(read_text("9.9e308", &value));
	assert_false(read_text("1.7976931348623159e308", &value));
	assert_false(read_text("-1e99999999999999999999", &value));
}

static void only_json_s_numbers_are_numbers(void **state)
{
	static const char *const wrong[] = { "", "-", "+1", "01", "-01", ".5", "1.", "1.e3", "1e",
		"1e+", "0x10", "1_000", "NaN", "Infinity", "-Infinity", "1,5", "--1" };
	double value;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(read_text(wrong[i], &value));
}

static bool read_int(const char *text, int64_t *out)
{
	struct number number;

	return number_scan(text, text + strlen(text), &number) == strlen(text) &&
	       number_to_int(&number, out);
}

static void integers_keep_all_bits(void **state)
{
	struct number number;
	uint64_t big;
	int64_t value;

	assert_true(read_int("9223372036854775807", &value) && value == INT64_MAX);
	assert_true(read_int("-9223372036854775808", &value) && value == INT64_MIN);
	assert_true(read_int("9007199254740993.0", &value) && value == 9007199254740993);
	assert_true(read_int("1e3", &value) && value == 1000);
	assert_true(read_int("120.00e-1", &value) && value == 12);
	assert_true(read_int("-0.0", &value) && value == 0);
	assert_true(read_int("5.000000000000000000000000000000", &value) && value == 5);
	assert_false(read_int("9223372036854775808", &value));
	assert_false(read_int("-9223372036854775809", &value));
	assert_false(read_int("1e19", &value));
	assert_false(read_int("0.5", &value));
	assert_false(read_int("1e-1", &value));
	assert_false(read_int("100000000000000000000000000000000000000001", &value));
	const char *text = "18446744073709551615";
	assert_int_equal(number_scan(text, text + 20, &number), 20);
	assert_true(number_to_uint(&number, &big) && big == UINT64_MAX);
	text = "-1";
	assert_int_equal(number_scan(text, text + 2, &number), 2);
	assert_false(number_to_uint(&number, &big));
}

static void the_locale_does_not_matter(void **state)
{
	static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8",
		"fr_FR.utf8", "nl_NL.UTF-8", "ru_RU.UTF-8" };
	bool comma = false;

	for (size_t i = 0; !comma && i < sizeof(names) / sizeof(names[0]); i++)
		comma = setlocale(LC_ALL, names[i]) && *localeconv()->decimal_point == ',';
	if (!comma) {
		setlocale(LC_ALL, "C");
		print_message("no locale with a decimal comma is installed\n");
		skip();
	}
	doubles_are_written_as_python_writes_them(state);
	the_nearest_double_is_read(state);
	setlocale(LC_ALL, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_are_written_as_python_writes_them),
		cmocka_unit_test(random_doubles_come_back),
		cmocka_unit_test(random_floats_come_back),
		cmocka_unit_test(the_nearest_double_is_read),
		cmocka_unit_test(long_decimals_are_read),
		cmocka_unit_test(only_json_s_numbers_are_numbers),
		cmocka_unit_test(integers_keep_all_bits),
		cmocka_unit_test(the_locale_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
