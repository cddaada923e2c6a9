/*
 * An activity whose function writes a result of another type than its contract says.
 *
 * flags: none
 * expect: charge_card_run must be a function
 */
#include "order.h"

#ifdef MISTAKE
#define RESULT double
#else
#define RESULT charge_card_out
#endif

static const struct temporal_failure *charge_card_run(
	struct act *act, const struct charge_card_in *in, RESULT *out)
{
	return NULL;
}
TEMPORAL_ACTIVITY(charge_card);
