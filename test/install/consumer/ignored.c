/*
 * A mistake that the flags of the package turn into an error: the result of a function that can
 * fail is dropped.
 */
#include <temporal/error.h>

TEMPORAL_MUST_USE int can_fail(void);
void drop(void);

void drop(void)
{
	can_fail();
}
