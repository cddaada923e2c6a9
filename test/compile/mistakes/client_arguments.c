/*
 * A workflow that has arguments is started without any.
 *
 * flags: none
 * expect: order has arguments: use the form without _0
 */
#include "order.h"

#include <temporal/client.h>

static USED struct temporal_run *f(struct temporal_client *client)
{
	static const struct temporal_start_opts opts = { .task_queue = "orders" };

#ifdef MISTAKE
	return temporal_start_0(client, order, &opts, NULL);
#else
	return temporal_start(client, order, &opts, NULL, .order_id = "42");
#endif
}
