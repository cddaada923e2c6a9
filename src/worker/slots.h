/*
 * slots.h: how many tasks may be worked on at a time, and how fast activities may start. Pure; the
 * loop's thread.
 */
#ifndef WORKER_SLOTS_H
#define WORKER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

struct worker_supplier;

/* Each poll holds a slot for the task that it may bring, each task one until its answer has been
 * taken. */
struct worker_slots {
	unsigned max, used;
	struct worker_supplier *supplier; /* supplier.h; NULL: `max` is all that counts */
};

/* More than these are never given out; a supplier may give out fewer. */
static inline unsigned worker_slots_free(const struct worker_slots *slots)
{
	return slots->used < slots->max ? slots->max - slots->used : 0;
}

/* So many are free that the end of a task may be heard of a little later. */
static inline bool worker_slots_plenty(const struct worker_slots *slots)
{
	return worker_slots_free(slots) >= slots->max / 2 && slots->max >= 2 && !slots->supplier;
}

/* Of a fixed number, as the others are through supplier.h. */
bool worker_slots_take(struct worker_slots *slots);    /* false: there is none */
void worker_slots_release(struct worker_slots *slots); /* one that was taken */

/* The two queues of workflow tasks: the common one, and this worker's own for the runs in its
 * cache. */
enum worker_queue {
	WORKER_QUEUE_NORMAL,
	WORKER_QUEUE_STICKY
};

/* The polls of workflow tasks. */
struct worker_balance {
	unsigned wanted[2], active[2]; /* by enum worker_queue */
	bool refused[2];               /* there is no slot for it just now */
	int64_t sticky_backlog;        /* tasks that wait in the sticky queue, as the server told */
};

/* `pollers` polls, of which `ratio` go to the common queue, but at least one to each; all of them
 * without stickiness. */
void worker_balance_init(
	struct worker_balance *balance, unsigned pollers, double ratio, bool sticky);

/*
 * Which queue should be polled next: true, and `queue`. The last free slot goes to no queue while
 * the other one, which is in use too, is not polled at all: neither can starve the other. With a
 * backlog in the sticky queue, what is more than the first poll goes there.
 */
bool worker_balance_next(const struct worker_balance *balance, const struct worker_slots *slots,
	enum worker_queue *queue);

/* At most so many starts a second, evenly spaced. A start is reserved when the poll is made. */
struct worker_rate {
	int64_t interval_ns; /* 0: no limit */
	int64_t next_ns;     /* the next start is not before */
};

void worker_rate_init(struct worker_rate *rate, double per_second);
/* Reserves a start now: 0; or how many ns it is too early. */
int64_t worker_rate_take(struct worker_rate *rate, int64_t now_ns);
/* Gives a reservation back that came to nothing. */
void worker_rate_return(struct worker_rate *rate);

/* The time between two heartbeats of an activity with this heartbeat timeout (0: none). All in ms.
 */
int64_t worker_throttle_ms(int64_t timeout_ms, int64_t default_ms, int64_t max_ms);

#endif
