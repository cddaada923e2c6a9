/*
 * A contract that names a field which the struct does not have.
 *
 * flags: none
 * expect: no member named|has no member
 */
#include "order.h"

struct greet_in {
	const char *name;
};
typedef const char *greet_out;
#ifdef MISTAKE
TEMPORAL_ACTIVITY_CONTRACT(greet, "greet", nam);
#else
TEMPORAL_ACTIVITY_CONTRACT(greet, "greet", name);
#endif
