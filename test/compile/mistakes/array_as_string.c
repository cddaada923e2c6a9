/*
 * A field that is an array of characters, not a string.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

struct greet_in {
#ifdef MISTAKE
	char name[16];
#else
	const char *name;
#endif
};
typedef const char *greet_out;
TEMPORAL_ACTIVITY_CONTRACT(greet, "greet", name);
