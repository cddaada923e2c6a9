/*
 * A binding without arguments of a contract with some.
 *
 * flags: none
 * expect: is bound by
 */
#include "order.h"

#ifdef MISTAKE
static const struct temporal_failure *charge_card_run(struct act *act, charge_card_out *out)
{
	return NULL;
}
TEMPORAL_ACTIVITY_0(charge_card);
#else
static const struct temporal_failure *charge_card_run(
	struct act *act, const struct charge_card_in *in, charge_card_out *out)
{
	return NULL;
}
TEMPORAL_ACTIVITY(charge_card);
#endif
