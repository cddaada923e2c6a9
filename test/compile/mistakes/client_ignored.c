/*
 * Nobody looks whether a signal was taken.
 *
 * flags: product
 * expect: warn_unused_result|unused-result
 */
#include "order.h"

#include <temporal/client.h>

static USED enum temporal_code f(struct temporal_run *run)
{
#ifdef MISTAKE
	temporal_signal(run, order_approve, NULL, .by = "ann");
	return TEMPORAL_OK;
#else
	return temporal_signal(run, order_approve, NULL, .by = "ann");
#endif
}
