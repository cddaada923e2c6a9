/*
 * clock.h: the computer's clocks as nanoseconds. What has to be deterministic takes the time as an
 * argument instead. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS     INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* For intervals and timers: nobody sets it. */
static inline int64_t clock_steady_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Since the epoch, as people and other computers have it: may jump. */
static inline int64_t clock_epoch_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

#endif
