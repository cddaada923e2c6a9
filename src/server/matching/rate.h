/*
 * rate.h: so many a second, and no more than a second's worth at once. Pure: time is an argument.
 */
#ifndef SERVER_MATCHING_RATE_H
#define SERVER_MATCHING_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: no limit. */
struct matching_rate {
	bool limited;
	double per_second; /* 0: nothing at all */
	int64_t next_ns;   /* when the next one would be due if they came evenly */
};

void rate_set(struct matching_rate *rate, double per_second);

/* When the next one may go: a time up to `now_ns` means now; INT64_MAX: never. */
int64_t rate_ready_ns(const struct matching_rate *rate);
/* It has gone. */
void rate_take(struct matching_rate *rate, int64_t now_ns);

#endif
