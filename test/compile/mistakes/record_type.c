/*
 * A record of another type than its item says.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

struct other {
	double x;
};
TEMPORAL_RECORD(other, x);

struct add_in {
	struct line line;
};
typedef void add_out;
#ifdef MISTAKE
TEMPORAL_ACTIVITY_CONTRACT(add, "add", RECORD(line, struct other));
#else
TEMPORAL_ACTIVITY_CONTRACT(add, "add", RECORD(line, struct line));
#endif
