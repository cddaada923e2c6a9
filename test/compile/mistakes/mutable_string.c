/*
 * A string that the activity could write to.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

struct greet_in {
#ifdef MISTAKE
	char *name;
#else
	const char *name;
#endif
};
typedef void greet_out;
TEMPORAL_ACTIVITY_CONTRACT(greet, "greet", name);
