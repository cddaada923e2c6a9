/*
 * lanes.h: the order in which a queue's tasks go out.
 *
 * Tasks of one priority and one fairness key are a lane: first in, first out. The lane of the
 * highest priority goes first (1 before 5); among those of one priority each gets its share by
 * weight: a lane's pass grows by 1 / weight with each task, and the smallest pass is next.
 */
#ifndef SERVER_MATCHING_LANES_H
#define SERVER_MATCHING_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "server/matching/rate.h"

#define LANES_PRIORITIES 5
#define LANES_USUAL      3 /* the priority of a task that names none */

struct matching_task;

struct matching_lane {
	struct matching_lane *next_hash;
	uint64_t hash;
	char *key;
	int32_t priority; /* 1 to LANES_PRIORITIES */
	double weight, pass;
	uint64_t turn; /* of its first task: who came first, goes first */
	struct matching_task *tasks, *tasks_last;
	unsigned n_tasks;
	struct matching_rate rate;
	size_t at; /* in the heap, from 1; 0: it is not there */
	struct matching_lane *next_blocked;
	bool blocked; /* its rate lets nothing through now */
};

/* Zeroed: empty. */
struct matching_lanes {
	struct map by_hash;
	struct matching_lane *usual; /* of no key and the usual priority */
	struct matching_lane **heap; /* of lanes with tasks; [1 .. n_heap] */
	size_t n_heap, capacity;
	struct matching_lane *blocked;
	double pass[LANES_PRIORITIES]; /* of the last task that went */
	uint64_t turns;
	unsigned n_tasks, n_lanes;
	bool key_limited; /* each lane has this rate */
	double key_rate;
};

/* What decides on a task's lane. */
struct lanes_place {
	int32_t priority; /* 0: the usual one; larger ones count as the last */
	const char *key;
	double weight; /* 0: 1 */
	uint64_t hash; /* of the key, by a secret */
};

/* Puts a task at the end of its lane. False: memory is out. */
bool lanes_add(struct matching_lanes *lanes, struct matching_task *task,
	const struct lanes_place *place) __attribute__((warn_unused_result));
void lanes_remove(struct matching_lanes *lanes, struct matching_task *task);

/* The task that is next, or NULL; then, if rates hold tasks back, *ready_ns is when the first of
 * them may go (INT64_MAX: none will). */
struct matching_task *lanes_first(struct matching_lanes *lanes, int64_t now_ns, int64_t *ready_ns);
/* It goes now: its lane's share is used; call it before lanes_remove. */
void lanes_take(struct matching_lanes *lanes, struct matching_task *task, int64_t now_ns);

/* From now on each key gets so many a second; `limited` false: as many as there are. */
void lanes_limit_keys(struct matching_lanes *lanes, bool limited, double per_second);

/* The tasks of a priority (0: of all), and since when the oldest waits (0: there is none). */
unsigned lanes_count(const struct matching_lanes *lanes, int32_t priority, int64_t *oldest_ns);

void lanes_finish(struct matching_lanes *lanes);

#endif
