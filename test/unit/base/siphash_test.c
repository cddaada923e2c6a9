/*
 * Goal: the hash that random seeds come from has the values that all SDKs agree on. Method: values
 * of CPython, whose hash of bytes under PYTHONHASHSEED=0 is SipHash-1-3 with the zero key, and the
 * first one of the reference's list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/siphash.h"

static void has_the_values_of_cpython(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} cases[] = {
		{ "\xff", 0x30406ea523c53def },
		{ "a\xff", 0x719b50b9a4f0e9f3 },
		{ "abcdefg\xff", 0x2295ef44bd078ae9 },
		{ "abcdefgh", 0x3f7b849c0b8e35ea },
		{ "abcdefgh\xff", 0x5cd7657fa7f96c16 },
		{ "0123456789abcdef\xff", 0x3cdd3ee8e7c8d0cb },
		{ "f0c8aa07-5dd4-4ba1-9c4a-0d7dbb5ea4a1\xff", 0x4771c2f3b8787d50 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			siphash13(cases[i].text, strlen(cases[i].text), 0, 0), cases[i].hash);
}

static void has_the_reference_value(void **state)
{
	(void)state;
	assert_int_equal(
		siphash13("", 0, 0x0706050403020100, 0x0f0e0d0c0b0a0908), 0xabac0158050fc4dc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_values_of_cpython),
		cmocka_unit_test(has_the_reference_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
