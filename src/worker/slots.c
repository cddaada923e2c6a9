/*
 * slots.c: the arithmetic of limits: slots, the balance of polls, the rate of activities, the
 * interval of heartbeats.
 *
 * It owns nothing but numbers, and gets the time as an argument, so that all of it can be tested
 * without a worker. The pollers (poller.c) and the activities (activity.c) call it on the loop's
 * thread.
 */
#include "worker/slots.h"
#include "base/clock.h"

#include <assert.h>

bool worker_slots_take(struct worker_slots *slots)
{
	if (slots->used >= slots->max)
		return false;
	slots->used++;
	return true;
}

void worker_slots_release(struct worker_slots *slots)
{
	assert(slots->used > 0);
	slots->used--;
}

void worker_balance_init(
	struct worker_balance *balance, unsigned pollers, double ratio, bool sticky)
{
	*balance = (struct worker_balance){ .wanted = { pollers, 0 } };
	if (!sticky)
		return;
	unsigned normal = (unsigned)(pollers * ratio);

	if (normal < 1)
		normal = 1;
	balance->wanted[WORKER_QUEUE_NORMAL] = normal;
	balance->wanted[WORKER_QUEUE_STICKY] = pollers > normal ? pollers - normal : 1;
}

/* There is more to do in the sticky queue than polls wait for, and more of these may. */
static bool wants_sticky(const struct worker_balance *balance)
{
	unsigned active = balance->active[WORKER_QUEUE_STICKY];

	return balance->sticky_backlog > 1 && balance->sticky_backlog > active &&
	       active < balance->wanted[WORKER_QUEUE_STICKY];
}

static bool may_poll(const struct worker_balance *balance, const struct worker_slots *slots,
	enum worker_queue queue)
{
	enum worker_queue other =
		queue == WORKER_QUEUE_NORMAL ? WORKER_QUEUE_STICKY : WORKER_QUEUE_NORMAL;

	if (balance->active[queue] >= balance->wanted[queue] || balance->refused[queue])
		return false;
	if (queue == WORKER_QUEUE_NORMAL && balance->active[queue] > 0 && wants_sticky(balance))
		return false;
	if (balance->active[other] > 0 || balance->wanted[other] == 0)
		return worker_slots_free(slots) >= 1;
	/* With a single slot in all there is no second one to wait for. */
	return worker_slots_free(slots) >= (balance->active[queue] > 0 && slots->max > 1 ? 2 : 1);
}

bool worker_balance_next(const struct worker_balance *balance, const struct worker_slots *slots,
	enum worker_queue *queue)
{
	for (int i = 0; i < 2; i++) {
		*queue = (enum worker_queue)i;
		if (may_poll(balance, slots, *queue))
			return true;
	}
	return false;
}

void worker_rate_init(struct worker_rate *rate, double per_second)
{
	*rate = (struct worker_rate){ 0 };
	if (per_second > 0)
		rate->interval_ns = per_second < 1e-6
					    ? INT64_C(1000000) * NS_PER_SECOND
					    : (int64_t)((double)NS_PER_SECOND / per_second);
}

int64_t worker_rate_take(struct worker_rate *rate, int64_t now_ns)
{
	if (rate->interval_ns == 0)
		return 0;
	if (rate->next_ns > now_ns)
		return rate->next_ns - now_ns;
	/* What was not used is lost: no burst after a quiet time. */
	rate->next_ns = now_ns + rate->interval_ns;
	return 0;
}

void worker_rate_return(struct worker_rate *rate)
{
	rate->next_ns -= rate->interval_ns;
}

int64_t worker_throttle_ms(int64_t timeout_ms, int64_t default_ms, int64_t max_ms)
{
	int64_t interval_ms =
		timeout_ms > 0 ? timeout_ms / 10 * 8 + timeout_ms % 10 * 8 / 10 : default_ms;

	return interval_ms < max_ms ? interval_ms : max_ms;
}
