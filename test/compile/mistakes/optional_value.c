/*
 * An optional field that is no pointer.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

struct pay_in {
#ifdef MISTAKE
	double tip;
#else
	const double *tip;
#endif
};
typedef void pay_out;
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", OPTIONAL(tip));
