/*
 * An array whose count is not a size_t.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

#ifdef MISTAKE
#define COUNT long
#else
#define COUNT size_t
#endif

struct pay_in {
	const double *amounts;
	COUNT n_amounts;
};
typedef void pay_out;
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", ARRAY(amounts, n_amounts, double));
