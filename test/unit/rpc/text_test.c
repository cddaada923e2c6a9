/* The encodings in gRPC's headers: round trips, what peers send, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/limits.h"
#include "rpc/text.h"

static void percent_round_trip(void **state)
{
	const char text[] = "100% of n\xC3\xA9s\n";
	char out[3 * sizeof(text)];
	size_t len = rpc_percent_encode(text, sizeof(text) - 1, out);

	assert_int_equal(len, strlen("100%25 of n%C3%A9s%0A"));
	assert_memory_equal(out, "100%25 of n%C3%A9s%0A", len);
	assert_int_equal(rpc_percent_decode(out, len), sizeof(text) - 1);
	assert_memory_equal(out, text, sizeof(text) - 1);
}

static void percent_keeps_bad_escapes(void **state)
{
	char text[] = "%zz %4 %";

	assert_int_equal(rpc_percent_decode(text, 8), 8);
	assert_string_equal(text, "%zz %4 %");
}

static void timeout_has_eight_digits_at_most(void **state)
{
	const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ -5, "1m" },
		{ 1, "1m" },
		{ 30 * RPC_S_NS, "30000m" },
		{ 30 * RPC_S_NS - 1, "30000m" },
		{ 99999999 * RPC_MS_NS, "99999999m" },
		{ 99999999 * RPC_MS_NS + 1, "100000S" },
		{ INT64_MAX, "2562048H" },
	};
	char out[RPC_TIMEOUT_SIZE];
	int64_t parsed_ns;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = rpc_timeout_format(cases[i].ns, out);

		assert_int_equal(len, strlen(cases[i].text));
		assert_memory_equal(out, cases[i].text, len);
		assert_true(rpc_timeout_parse(out, len, &parsed_ns));
		assert_true(parsed_ns >= cases[i].ns || parsed_ns == INT64_MAX / 2);
	}
}

static void timeout_parses_all_units(void **state)
{
	int64_t ns;

	assert_true(rpc_timeout_parse("5n", 2, &ns));
	assert_int_equal(ns, 5);
	assert_true(rpc_timeout_parse("5u", 2, &ns));
	assert_int_equal(ns, 5000);
	assert_true(rpc_timeout_parse("2M", 2, &ns));
	assert_int_equal(ns, 120 * RPC_S_NS);
	assert_true(rpc_timeout_parse("99999999H", 9, &ns));
	assert_int_equal(ns, INT64_MAX / 2);
	assert_false(rpc_timeout_parse("10ms", 4, &ns));
	assert_false(rpc_timeout_parse("123456789S", 10, &ns));
	assert_false(rpc_timeout_parse("S", 1, &ns));
	assert_false(rpc_timeout_parse("-1S", 3, &ns));
	assert_false(rpc_timeout_parse("1x", 2, &ns));
}

static void header_names_and_values(void **state)
{
	assert_true(rpc_header_name_ok("x-custom_1.bin"));
	assert_false(rpc_header_name_ok("Upper"));
	assert_false(rpc_header_name_ok(""));
	assert_false(rpc_header_name_ok(":path"));
	assert_false(rpc_header_name_ok(NULL));
	assert_true(rpc_header_value_ok("Bearer a~ ", 10));
	assert_false(rpc_header_value_ok("a\r\nb", 4));
	assert_false(rpc_header_value_ok("a\0b", 3));
	assert_false(rpc_header_value_ok("\xC3\xA9", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percent_round_trip),
		cmocka_unit_test(percent_keeps_bad_escapes),
		cmocka_unit_test(timeout_has_eight_digits_at_most),
		cmocka_unit_test(timeout_parses_all_units),
		cmocka_unit_test(header_names_and_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
