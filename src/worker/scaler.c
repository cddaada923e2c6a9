/*
 * scaler.c: the number of polls follows the server's hints, with the rules of the core SDK.
 *
 * A hint to shrink is always followed; one to grow only while more tasks came in the last period
 * than in the one before (by a tenth), since otherwise the tasks are limited by how fast they are
 * worked on. Empty polls without a hint take one away, but only where the server is known to give
 * hints: with an older one it could never grow again. A server that has too much to do halves the
 * number.
 *
 * Periods are counted when a poll comes back, so an idle worker needs no timer.
 */
#include "worker/scaler.h"

#define PERIOD_NS     INT64_C(100000000)
#define WAIT_MS       200
#define THROTTLED_MS  1000
#define WAIT_MAX_MS   10000
#define SHORT_POLL_MS 11000

void worker_scaler_init_fixed(struct worker_scaler *scaler, unsigned pollers)
{
	*scaler = (struct worker_scaler){ .min = pollers, .max = pollers, .target = pollers };
}

void worker_scaler_init_auto(
	struct worker_scaler *scaler, const struct temporal_autoscaling *opts, int64_t now_ns)
{
	*scaler = (struct worker_scaler){ .min = (unsigned)opts->min_pollers,
		.max = (unsigned)opts->max_pollers,
		.target = (unsigned)opts->initial_pollers,
		.is_auto = true,
		.may_grow = true,
		.period_ns = now_ns };
}

static void set_target(struct worker_scaler *scaler, int64_t target)
{
	if (target < scaler->min)
		target = scaler->min;
	if (target > scaler->max)
		target = scaler->max;
	scaler->target = (unsigned)target;
}

/* Ends the periods that have passed; after three all are alike. */
static void catch_up(struct worker_scaler *scaler, int64_t now_ns)
{
	int64_t passed = (now_ns - scaler->period_ns) / PERIOD_NS;

	scaler->period_ns += passed * PERIOD_NS;
	for (int i = 0; i < passed && i < 3; i++) {
		scaler->may_grow = scaler->tasks >= scaler->tasks_before * 11 / 10;
		scaler->tasks_before = scaler->tasks;
		scaler->tasks = 0;
	}
}

void worker_scaler_polled(struct worker_scaler *scaler, const struct worker_scaler_news *news,
	bool server_scales, int64_t now_ns)
{
	scaler->wait_ms = scaler->throttled_wait_ms = 0;
	if (!scaler->is_auto)
		return;
	catch_up(scaler, now_ns);
	scaler->tasks += !news->is_empty;
	if (news->has_hint) {
		if (news->hint < 0 || scaler->may_grow)
			set_target(scaler, (int64_t)scaler->target + news->hint);
		scaler->was_told = true;
	} else if (news->is_empty && (scaler->was_told || server_scales)) {
		set_target(scaler, (int64_t)scaler->target - 1);
	}
}

static int64_t next_wait_ms(int64_t *wait_ms, int64_t first_ms)
{
	*wait_ms = *wait_ms == 0 ? first_ms : *wait_ms * 2;
	if (*wait_ms > WAIT_MAX_MS)
		*wait_ms = WAIT_MAX_MS;
	return *wait_ms;
}

int64_t worker_scaler_failed(
	struct worker_scaler *scaler, enum temporal_code code, bool server_scales, uint32_t chance)
{
	int64_t wait_ms = next_wait_ms(&scaler->wait_ms, WAIT_MS);

	if (code == TEMPORAL_RESOURCE_EXHAUSTED) {
		wait_ms = next_wait_ms(&scaler->throttled_wait_ms, THROTTLED_MS);
		if (scaler->is_auto && (scaler->was_told || server_scales))
			set_target(scaler, scaler->target / 2);
	}
	/* 80 % to 120 % of it */
	return wait_ms * 4 / 5 + (int64_t)chance % (wait_ms * 2 / 5 + 1);
}

int64_t worker_scaler_timeout_ms(const struct worker_scaler *scaler)
{
	return scaler->is_auto && scaler->tasks > 1 ? SHORT_POLL_MS : 0;
}
