/*
 * An optional field that is an array, which would decay to a pointer.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

struct pay_in {
#ifdef MISTAKE
	double tips[4];
#else
	const double *tips;
#endif
};
typedef void pay_out;
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", OPTIONAL(tips));
