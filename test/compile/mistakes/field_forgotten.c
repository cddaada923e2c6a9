/*
 * A field that is not listed, and would be dropped in silence.
 *
 * flags: none
 * expect: list each member
 */
#include "order.h"

struct pay_in {
	double amount;
	double tip;
};
typedef void pay_out;
#ifdef MISTAKE
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", amount);
#else
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", amount, tip);
#endif
