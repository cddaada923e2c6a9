/*
 * A struct that no TEMPORAL_RECORD has described.
 *
 * flags: none
 * expect: size_record
 */
#include "order.h"

struct size {
	int width, height;
};
#ifndef MISTAKE
TEMPORAL_RECORD(size, width, height);
#endif
struct draw_in {
	struct size size;
};
typedef void draw_out;
TEMPORAL_ACTIVITY_CONTRACT(draw, "draw", RECORD(size, struct size));
