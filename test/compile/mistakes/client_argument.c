/*
 * A signal whose argument's name is misspelt.
 *
 * flags: none
 * expect: bye
 */
#include "order.h"

#include <temporal/client.h>

#ifdef MISTAKE
#define NAME bye
#else
#define NAME by
#endif

static USED enum temporal_code f(struct temporal_run *run)
{
	return temporal_signal(run, order_approve, NULL, .NAME = "ann");
}
