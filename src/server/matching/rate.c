/*
 * rate.c: a token bucket kept as one time (GCRA): each one that goes moves the time at which the
 * next is due by the interval; it may go ahead of that by a second's worth less one. Pure.
 */
#include "server/matching/rate.h"

#define SECOND_NS  1e9
#define SLOWEST_NS (1000 * INT64_C(86400) * 1000000000)

static int64_t interval_ns(const struct matching_rate *rate)
{
	double ns = SECOND_NS / rate->per_second;

	return ns > (double)SLOWEST_NS ? SLOWEST_NS : (int64_t)ns;
}

void rate_set(struct matching_rate *rate, double per_second)
{
	if (!(per_second > 0)) /* nor is what is no number */
		per_second = 0;
	if (rate->limited && rate->per_second <= per_second && per_second <= rate->per_second)
		return;
	*rate = (struct matching_rate){ .limited = true, .per_second = per_second };
}

int64_t rate_ready_ns(const struct matching_rate *rate)
{
	int64_t ahead_ns;

	if (!rate->limited)
		return 0;
	if (rate->per_second <= 0)
		return INT64_MAX;
	ahead_ns = (int64_t)SECOND_NS - interval_ns(rate);
	return rate->next_ns - (ahead_ns > 0 ? ahead_ns : 0);
}

void rate_take(struct matching_rate *rate, int64_t now_ns)
{
	if (!rate->limited || rate->per_second <= 0)
		return;
	if (rate->next_ns < now_ns)
		rate->next_ns = now_ns;
	rate->next_ns += interval_ns(rate);
}
