/*
 * A field that is listed twice.
 *
 * flags: none
 * expect: duplicate member
 */
#include "order.h"

struct pay_in {
	double amount;
	double tip;
};
typedef void pay_out;
#ifdef MISTAKE
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", amount, amount);
#else
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", amount, tip);
#endif
