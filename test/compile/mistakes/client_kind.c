/*
 * A client starts what is no workflow.
 *
 * flags: none
 * expect: charge_card is not the contract of a thing of the kind WORKFLOW
 */
#include "order.h"

#include <temporal/client.h>

#ifdef MISTAKE
#define START(...) temporal_start(client, charge_card, &opts, NULL, .amount = 1)
#else
#define START(...) temporal_start(client, order, &opts, NULL, .order_id = "42")
#endif

static USED struct temporal_run *f(struct temporal_client *client)
{
	static const struct temporal_start_opts opts = { .task_queue = "orders" };

	return START();
}
