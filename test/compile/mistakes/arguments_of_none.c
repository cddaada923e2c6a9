/*
 * Arguments in a contract that has none.
 *
 * flags: none
 * expect: pay_in|a ..._0 contract has no arguments
 */
#include "order.h"

struct pay_in {
	double amount;
};
typedef void pay_out;
#ifdef MISTAKE
TEMPORAL_ACTIVITY_CONTRACT_0(pay, "pay", amount);
#else
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", amount);
#endif
