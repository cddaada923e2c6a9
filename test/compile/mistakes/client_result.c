/*
 * A client stores a workflow's result where a value of another type is.
 *
 * flags: none
 * expect: the result is stored where a pointer to order_out points
 */
#include "order.h"

#include <temporal/client.h>

#ifdef MISTAKE
#define RECEIPT double
#else
#define RECEIPT const char *
#endif

static USED enum temporal_code f(struct temporal_run *run, struct temporal_result **keep)
{
	RECEIPT receipt;

	return temporal_result(run, order, &receipt, keep, NULL);
}
