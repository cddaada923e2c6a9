/*
 * metrics_series.h: the series of a worker, in sets of those that share their labels. metrics.c
 * counts; nobody else needs this.
 */
#ifndef WORKER_METRICS_SERIES_H
#define WORKER_METRICS_SERIES_H

#include "base/metrics.h"
#include "rpc/loop.h"
#include "worker/worker.h"

#define WORKER_METRICS_BUCKETS 256

/* Which labels a series has besides namespace, task queue, and one of its own. */
enum metrics_group {
	GROUP_WORKER,   /* none */
	GROUP_WORKFLOW, /* workflow_type */
	GROUP_ACTIVITY, /* activity_type, workflow_type */
	GROUP_LOCAL,    /* the same */
	GROUP_NEXUS,    /* failure_reason */
};

enum worker_series {
	STARTS,
	POLLERS_WORKFLOW,
	POLLERS_STICKY,
	POLLERS_ACTIVITY,
	POLLERS_NEXUS,
	AVAILABLE_WORKFLOW,
	AVAILABLE_ACTIVITY,
	AVAILABLE_LOCAL,
	AVAILABLE_NEXUS,
	USED_WORKFLOW,
	USED_ACTIVITY,
	USED_LOCAL,
	USED_NEXUS,
	CACHE_SIZE,
	CACHE_MISSES,
	EVICTIONS,
	WORKFLOW_POLLS,
	WORKFLOW_POLLS_EMPTY,
	WORKFLOW_QUEUED,
	ACTIVITY_POLLS_EMPTY,
	ACTIVITY_QUEUED,
	WORKFLOWS_COMPLETED,
	WORKFLOWS_CANCELED,
	WORKFLOWS_FAILED,
	WORKFLOWS_CONTINUED,
	WORKFLOW_RUN,
	WORKFLOW_TASK,
	WORKFLOW_REPLAY,
	TASKS_FAILED,
	TASKS_NONDETERMINISTIC,
	CACHE_HITS,
	ACTIVITIES,
	ACTIVITIES_EAGER,
	ACTIVITIES_FAILED,
	ACTIVITY_RUN,
	ACTIVITY_ALL,
	LOCALS,
	LOCALS_CANCELLED,
	LOCALS_FAILED,
	LOCAL_RUN,
	LOCAL_ALL,
	NEXUS_POLLS_EMPTY,
	NEXUS_QUEUED,
	NEXUS_RUN,
	NEXUS_ALL,
	NEXUS_FAILED,
	WORKER_SERIES,
};

/* The series of a group for one value of its labels; those of other groups are NULL. */
struct worker_metrics_set {
	struct worker_metrics_set *next; /* worker_metrics.buckets */
	enum metrics_group group;
	char *workflow, *activity; /* "" where the group does not have it */
	struct metrics_series *series[WORKER_SERIES];
};

struct worker_metrics {
	struct temporal_worker *worker;
	struct temporal_metrics *metrics;
	struct worker_metrics_set *own; /* of GROUP_WORKER */
	struct worker_metrics_set *buckets[WORKER_METRICS_BUCKETS];
	size_t n_sets;
	struct rpc_timer tick;
	struct metrics_probe probe;
	bool probed;
};

/* Empty, with the series of its labels looked up. NULL: no memory. */
struct worker_metrics_set *worker_metrics_set_new(const struct worker_metrics *metrics,
	enum metrics_group group, const char *activity, const char *workflow);
void worker_metrics_set_free(struct worker_metrics_set *set); /* NULL is fine */

/* Loop: the set of these labels, made when it is asked for first. NULL: no memory; then nothing is
 * counted. */
const struct worker_metrics_set *worker_metrics_set_of(struct worker_metrics *metrics,
	enum metrics_group group, const char *activity, const char *workflow);

/* Loop: frees all sets. */
void worker_metrics_sets_finish(struct worker_metrics *metrics);

#endif
