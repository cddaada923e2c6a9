/*
 * An operation that is to be done by an activity: only a workflow can.
 *
 * flags: none
 * expect: charge_card is not the contract of a thing of the kind WORKFLOW
 */
#include <temporal/nexus.h>

#include "order.h"

struct pay_in {
	double amount;
};
typedef const char *pay_out;
TEMPORAL_NEXUS_CONTRACT(pay, "pay", amount);

#ifdef MISTAKE
#define WORK charge_card, &opts, .amount = in->amount
#else
#define WORK order, &opts, .order_id = "7"
#endif
#define START(nexus_, ...) nexus_start_workflow(nexus_, __VA_ARGS__)

static const struct temporal_failure *pay_run(
	struct nexus *nexus, const struct pay_in *in, pay_out *out)
{
	const struct temporal_start_opts opts = { .id = "pay" };

	return START(nexus, WORK);
}
TEMPORAL_NEXUS(pay);
