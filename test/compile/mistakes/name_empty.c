/*
 * A definition without a name.
 *
 * flags: none
 * expect: the name is empty
 */
#include "order.h"

struct pay_in {
	double amount;
};
typedef void pay_out;
#ifdef MISTAKE
TEMPORAL_ACTIVITY_CONTRACT(pay, "", amount);
#else
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", amount);
#endif
