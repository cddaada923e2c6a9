/*
 * metrics.h: the registry behind struct temporal_metrics: series by name and labels, updated with
 * atomic additions. It knows nothing of what is counted; that is <temporal/metrics.h>'s users'.
 *
 * A series is looked up once and kept; updates take no lock and allocate nothing. All functions may
 * be called on any thread.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>

#include <temporal/metrics.h>

#define METRICS_BOUNDS_MAX 20
#define METRICS_LABELS_MAX 16   /* of a series */
#define METRICS_SERIES_MAX 4096 /* of a name: what comes later is not counted */

struct metrics_series;

/* A name, as its users declare it: constant, and the same one for all of them. */
struct metrics_desc {
	const char *name; /* without prefix and suffix */
	const char *help;
	enum temporal_metric_kind kind;
	const int64_t *bounds_ms; /* of a histogram, rising */
	size_t n_bounds;
};

/*
 * The series of that name and these labels, made if it is not there; it lives as long as the
 * metrics. A label without a value is left out. NULL: no memory, or too many; the updates below
 * take that.
 */
struct metrics_series *metrics_series(struct temporal_metrics *metrics,
	const struct metrics_desc *desc, const struct temporal_metric_label *labels, size_t n);

void metrics_add(struct metrics_series *series, uint64_t count);
/* Gauges begin at zero; one that is what it was is not told. */
void metrics_set(struct metrics_series *series, int64_t value);
/* A duration; one below zero (clocks differ between machines) counts as zero. */
void metrics_observe(struct metrics_series *series, int64_t ns);

/*
 * Something whose health is asked for. Its owner keeps it up to date and takes it away before it
 * goes.
 */
struct metrics_probe {
	struct metrics_probe *next; /* the registry's */
	atomic_bool ready;
	_Atomic int64_t beat_ns; /* CLOCK_MONOTONIC, when its thread was last seen to go on */
};

#define METRICS_BEAT_MAX_NS (INT64_C(30) * 1000000000) /* older: the thread hangs */

void metrics_probe_add(struct temporal_metrics *metrics, struct metrics_probe *probe);
void metrics_probe_remove(struct temporal_metrics *metrics, struct metrics_probe *probe);

struct metrics_health {
	unsigned probes, ready, alive;
};

struct metrics_health metrics_health(struct temporal_metrics *metrics, int64_t now_ns);

/*
 * Somebody whose gauges are brought up to date when the figures are about to be read: it need not
 * keep them up to date all the time. `collect` is called on the thread that reads, and may wait for
 * the owner's for a moment.
 */
struct metrics_collector {
	struct metrics_collector *next; /* the registry's */
	void (*collect)(struct metrics_collector *collector);
};

void metrics_collector_add(struct temporal_metrics *metrics, struct metrics_collector *collector);
/* It is not called any more once this returns: not on the thread that `collect` waits for. */
void metrics_collector_remove(
	struct temporal_metrics *metrics, struct metrics_collector *collector);
void metrics_collect(struct temporal_metrics *metrics);
/* temporal_metrics_text() without it. */
size_t metrics_text(struct temporal_metrics *metrics, char *buffer, size_t size);

/* Forks take the locks of all metrics from here on. For who has a lock that forks take as well,
 * under which metrics are used: such handlers are to come after this. */
void metrics_watch_forks(void);

/* metrics_http.c: the endpoint on "host:port" or ":port". NULL: see temporal_metrics_new. */
struct metrics_http *metrics_http_start(struct temporal_metrics *metrics, const char *address,
	struct temporal_error *err) __attribute__((warn_unused_result));
uint16_t metrics_http_port(const struct metrics_http *http); /* NULL: 0 */
void metrics_http_stop(struct metrics_http *http);           /* NULL is fine */

#endif
