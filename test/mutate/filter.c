/*
 * filter.c: runs one test of a cmocka program that knows nothing of it: loaded before the program
 * (LD_PRELOAD) by mutate.py, with the test's name in the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static __attribute__((constructor)) void choose_test(void)
{
	const char *name = getenv("MUTATE_TEST");

	if (name)
		cmocka_set_test_filter(name);
}
