/*
 * A field of type char, which may be a number or a letter.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

struct measure_in {
#ifdef MISTAKE
	char value;
#else
	signed char value;
#endif
};
typedef void measure_out;
TEMPORAL_ACTIVITY_CONTRACT(measure, "measure", value);
