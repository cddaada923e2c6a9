/*
 * scaler.h: how many polls of a kind should wait at the server. Pure; the loop's thread.
 */
#ifndef WORKER_SCALER_H
#define WORKER_SCALER_H

#include <stdbool.h>
#include <stdint.h>

#include <temporal/error.h>
#include <temporal/tuner.h>

struct worker_scaler {
	unsigned min, max;
	unsigned target;                    /* what it wants */
	bool is_auto;                       /* else the target stays */
	bool was_told;                      /* the server has given a hint before */
	bool may_grow;                      /* more polls have brought more tasks */
	unsigned tasks, tasks_before;       /* that came in this period, and in the one before */
	int64_t period_ns;                  /* when this period began */
	int64_t wait_ms, throttled_wait_ms; /* after the next failure; 0: the first one */
};

/* A poll has come back. */
struct worker_scaler_news {
	bool is_empty;
	bool has_hint;
	int32_t hint; /* so many polls more, or fewer */
};

void worker_scaler_init_fixed(struct worker_scaler *scaler, unsigned pollers);
void worker_scaler_init_auto(
	struct worker_scaler *scaler, const struct temporal_autoscaling *opts, int64_t now_ns);

/* `server_scales`: the namespace says that it gives hints. */
void worker_scaler_polled(struct worker_scaler *scaler, const struct worker_scaler_news *news,
	bool server_scales, int64_t now_ns);

/* A poll has failed, and will be made again after so many ms (`chance` spreads them). */
int64_t worker_scaler_failed(
	struct worker_scaler *scaler, enum temporal_code code, bool server_scales, uint32_t chance);

/* How long a poll may wait, in ms: after a burst not long, so that what is too much ends soon; 0:
 * as long as usual. */
int64_t worker_scaler_timeout_ms(const struct worker_scaler *scaler);

#endif
