/*
 * A record that contains itself, and so has no end.
 *
 * flags: none
 * expect: node_record
 */
#include "order.h"

struct node {
	int value;
#ifdef MISTAKE
	const struct node *next;
#endif
};
#ifdef MISTAKE
TEMPORAL_RECORD(node, value, OPTIONAL(RECORD(next, struct node)));
#else
TEMPORAL_RECORD(node, value);
#endif
