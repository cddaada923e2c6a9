/*
 * metrics.h: figures about clients and workers, under the names that all Temporal SDKs use, for
 * Prometheus and for a callback.
 *
 *	struct temporal_metrics *metrics = temporal_metrics_new(&err, .listen = "127.0.0.1:9464");
 *	struct temporal_client *client = temporal_client_connect(&err, .metrics = metrics);
 *
 * The client and its workers count from then on. With `listen` they can be read over HTTP:
 *
 *	GET /metrics   the figures in Prometheus' text format
 *	GET /healthz   200 while the threads of all workers answer, else 503: for a liveness probe
 *	GET /readyz    200 when every worker has a poll at the server, else 503, also while there is
 *	               no worker: for a readiness probe
 *
 * docs/metrics.md lists the names. Several clients can share one of these. Everything may be called
 * from any thread.
 */
#ifndef TEMPORAL_METRICS_H
#define TEMPORAL_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_metrics;

enum temporal_metric_kind {
	TEMPORAL_METRIC_COUNTER = 1,
	TEMPORAL_METRIC_GAUGE,
	TEMPORAL_METRIC_HISTOGRAM, /* of durations */
};

struct temporal_metric_label {
	const char *name, *value;
};

/* One change, as the callback hears of it; valid during the callback. */
struct temporal_metric_value {
	const char *name; /* with the prefix */
	enum temporal_metric_kind kind;
	const struct temporal_metric_label *labels;
	size_t n_labels;
	/* Of a counter what was added, of a gauge its new value, of a histogram the duration in
	 * nanoseconds. */
	int64_t value;
};

/* Runs where the change happens: on the client's thread, on those of workflows and activities. It
 * must not block, and must not call the client or the worker. */
typedef void temporal_metric_fn(const struct temporal_metric_value *value, void *user);

struct temporal_metrics_opts {
	/* "host:port" to serve HTTP on; without a host (":9464") for this machine alone; port
	 * 0: any free one, see temporal_metrics_port. NULL: there is no HTTP. */
	const char *listen;
	temporal_metric_fn *on_value; /* NULL: nobody is called */
	void *user;                   /* for on_value */
	/* In front of all names. NULL: "temporal_"; "": nothing. */
	const char *prefix;
	const struct temporal_metric_label *labels; /* on every series, besides its own */
	size_t n_labels;
	bool in_seconds;   /* durations in seconds; default: milliseconds, as other SDKs do */
	bool total_suffix; /* names of counters end in "_total" */
	bool unit_suffix;  /* names of histograms end in "_milliseconds" or "_seconds" */
};

/* NULL: INVALID_ARGUMENT (a name, a label, an address), UNAVAILABLE (the address cannot be listened
 * on, or libmicrohttpd, which is loaded when it is needed, is not installed), NO_MEMORY. */
TEMPORAL_API struct temporal_metrics *temporal_metrics_new_(struct temporal_error *err,
	const struct temporal_metrics_opts *opts, size_t size) TEMPORAL_MUST_USE;
#define temporal_metrics_new(err_, ...) \
	temporal_metrics_new_((err_), &(const struct temporal_metrics_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_metrics_opts))

/* One more reference. Returns the metrics. */
TEMPORAL_API struct temporal_metrics *temporal_metrics_ref(struct temporal_metrics *metrics);

/* Gives up a reference; clients hold one each. The last one ends the HTTP server. NULL is fine. Not
 * in the callback. */
TEMPORAL_API void temporal_metrics_unref(struct temporal_metrics *metrics);

/* The port of `listen`; 0: there is none. */
TEMPORAL_API uint16_t temporal_metrics_port(const struct temporal_metrics *metrics);

/*
 * Writes what GET /metrics answers into the buffer, cut after size - 1 bytes and terminated (size
 * 0: nothing is written). Returns the length of the whole text, which grows between two calls.
 */
TEMPORAL_API size_t temporal_metrics_text(
	struct temporal_metrics *metrics, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
