/*
 * An array of another type than its item says.
 *
 * flags: none
 * expect: not compatible with any
 */
#include "order.h"

#ifdef MISTAKE
#define TYPE float
#else
#define TYPE double
#endif

struct pay_in {
	const double *amounts;
	size_t n_amounts;
};
typedef void pay_out;
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", ARRAY(amounts, n_amounts, TYPE));
