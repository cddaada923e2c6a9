/*
 * zone.h: a time zone by its name, out of the system's zone files. Not localtime(): that has one
 * zone a process.
 */
#ifndef SERVER_HISTORY_ZONE_H
#define SERVER_HISTORY_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct zone_change {
	int64_t at_s;     /* since the epoch; from then on: */
	int32_t offset_s; /* east of UTC */
};

/* How a zone goes on after its last change: the rule at the end of its file. */
struct zone_rule {
	bool has_summer;
	int32_t offset_s, summer_offset_s;
	struct {
		char kind; /* 'J': day 1 to 365 without 29 February, '0': day 0 to 365, 'M' */
		int32_t month, week, day;
		int32_t second; /* of that day, local time */
	} start, end;           /* of summer time */
};

/* Zeroed: UTC. */
struct zone {
	struct zone_change *changes; /* ascending; owned */
	size_t n_changes;
	int32_t first_offset_s; /* before the first change */
	struct zone_rule rule;
	bool has_rule;
};

/* False: there is no such zone, or its file is broken. Finish it in any case. */
bool zone_load(struct zone *zone, const char *name) __attribute__((warn_unused_result));
void zone_finish(struct zone *zone);

/* The offset that is in force at a time, and (NULL: not asked) from when and until when it is. */
int32_t zone_offset(const struct zone *zone, int64_t at_s, int64_t *from_s, int64_t *until_s);

/* A local time as seconds "since the epoch in local time" to real ones. A time that does not exist
 * or exists twice is resolved by the offset on one side of the change, as Go's time.Date does. */
int64_t zone_to_utc(const struct zone *zone, int64_t local_s);

#endif
