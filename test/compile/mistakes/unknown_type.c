/*
 * A field of a type that does not travel.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

struct measure_in {
#ifdef MISTAKE
	long double value;
#else
	double value;
#endif
};
typedef void measure_out;
TEMPORAL_ACTIVITY_CONTRACT(measure, "measure", value);
