/*
 * A user's program. It has a function with the name of an internal one: that must not matter to
 * either library.
 */
#include <stdio.h>
#include <string.h>

#include <temporal/error.h>

const char *error_set(void);

const char *error_set(void)
{
	return temporal_code_name(TEMPORAL_NOT_FOUND);
}

int main(void)
{
	puts(error_set());
	return strcmp(error_set(), "NOT_FOUND") != 0;
}
