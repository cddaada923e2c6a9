/*
 * metrics.c: counts a client's requests: how many, how many failed and how, how long they took, by
 * method; long polls under names of their own.
 *
 * Each try counts, as with the other SDKs: a call that is answered at its third try is three
 * requests, of which two have failed. The series of a method are looked up at its first request and
 * found by a table from then on; all of that is on the loop's thread, which alone calls this, so it
 * needs no lock.
 */
#include "client/metrics.h"

#include <stddef.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define CODES 17 /* gRPC's; ours, from 100 on, are one more */

const int64_t client_metrics_bounds[CLIENT_METRICS_BOUNDS] = { 50, 100, 500, 1000, 2500, 10000 };

/* [0] of all requests but long polls, [1] of these. */
static const struct metrics_desc requests[2] = {
	{ "request", "Requests to the server.", TEMPORAL_METRIC_COUNTER, NULL, 0 },
	{ "long_request", "Long polls to the server.", TEMPORAL_METRIC_COUNTER, NULL, 0 },
};
static const struct metrics_desc failures[2] = {
	{ "request_failure", "Requests that failed.", TEMPORAL_METRIC_COUNTER, NULL, 0 },
	{ "long_request_failure", "Long polls that failed.", TEMPORAL_METRIC_COUNTER, NULL, 0 },
};
static const struct metrics_desc latencies[2] = {
	{ "request_latency", "How long requests took.", TEMPORAL_METRIC_HISTOGRAM,
		client_metrics_bounds, CLIENT_METRICS_BOUNDS },
	{ "long_request_latency", "How long long polls took.", TEMPORAL_METRIC_HISTOGRAM,
		client_metrics_bounds, CLIENT_METRICS_BOUNDS },
};

/* The series of a method. */
struct method_metrics {
	const struct rpc_method *method;
	bool is_long;
	struct metrics_series *requests, *latency;
	struct metrics_series *failures[CODES + 1]; /* NULL: not looked up */
	struct method_metrics *next;
};

struct client_metrics {
	struct rpc_observer observer;
	struct temporal_metrics *metrics;
	const char *namespace_;
	struct map methods[2]; /* by the method's address; [1] long polls */
	struct method_metrics *all;
};

static struct method_metrics *method_new(
	struct client_metrics *metrics, const struct rpc_method *method, bool is_long)
{
	const struct temporal_metric_label labels[] = { { "namespace", metrics->namespace_ },
		{ "operation", strrchr(method->path, '/') + 1 } };
	struct method_metrics *mine = mem_zalloc(sizeof(*mine));

	if (!mine || !map_put(&metrics->methods[is_long], (uintptr_t)method, mine)) {
		mem_free(mine);
		return NULL;
	}
	mine->method = method;
	mine->is_long = is_long;
	mine->requests = metrics_series(metrics->metrics, &requests[is_long], labels, 2);
	mine->latency = metrics_series(metrics->metrics, &latencies[is_long], labels, 2);
	mine->next = metrics->all;
	metrics->all = mine;
	return mine;
}

static struct metrics_series *failures_of(
	struct client_metrics *metrics, struct method_metrics *mine, enum temporal_code code)
{
	size_t i = (unsigned)code < CODES ? (unsigned)code : CODES;
	const struct temporal_metric_label labels[] = { { "namespace", metrics->namespace_ },
		{ "operation", strrchr(mine->method->path, '/') + 1 },
		{ "status_code", temporal_code_name(i < CODES ? code : TEMPORAL_INTERNAL) } };

	if (!mine->failures[i])
		mine->failures[i] =
			metrics_series(metrics->metrics, &failures[mine->is_long], labels, 3);
	return mine->failures[i];
}

static void tried(struct rpc_observer *observer, const struct rpc_method *method, bool is_long,
	enum temporal_code code, int64_t took_ns)
{
	struct client_metrics *metrics = (struct client_metrics *)(void *)observer;
	struct method_metrics *mine = map_get(&metrics->methods[is_long], (uintptr_t)method);

	if (!mine)
		mine = method_new(metrics, method, is_long);
	if (!mine)
		return;
	metrics_add(mine->requests, 1);
	metrics_observe(mine->latency, took_ns);
	if (code != TEMPORAL_OK)
		metrics_add(failures_of(metrics, mine, code), 1);
}

struct client_metrics *client_metrics_new(struct temporal_metrics *metrics, const char *namespace_)
{
	struct client_metrics *mine = mem_zalloc(sizeof(*mine));

	if (!mine)
		return NULL;
	mine->observer.tried = tried;
	mine->metrics = metrics;
	mine->namespace_ = namespace_;
	return mine;
}

void client_metrics_free(struct client_metrics *metrics)
{
	if (!metrics)
		return;
	while (metrics->all) {
		struct method_metrics *next = metrics->all->next;

		mem_free(metrics->all);
		metrics->all = next;
	}
	map_finish(&metrics->methods[0]);
	map_finish(&metrics->methods[1]);
	mem_free(metrics);
}

struct rpc_observer *client_metrics_observer(struct client_metrics *metrics)
{
	return &metrics->observer;
}
