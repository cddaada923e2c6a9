/*
 * metrics_internal.h: the registry as its own files see it.
 */
#ifndef BASE_METRICS_INTERNAL_H
#define BASE_METRICS_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/metrics.h"

struct metrics_series {
	struct temporal_metrics *metrics;
	struct metrics_family *family;
	struct metrics_series *next; /* metrics_family.series */
	const struct temporal_metric_label *labels;
	size_t n_labels;
	const char *text;      /* the labels as they are read */
	_Atomic int64_t value; /* count, value, or sum of ns */
	_Atomic int64_t buckets[];
};

struct metrics_family {
	const struct metrics_desc *desc;
	const char *name; /* with prefix and suffix */
	struct metrics_family *next;
	struct metrics_series *series; /* the newest first */
	size_t count;
};

struct temporal_metrics {
	/* constant once it is made */
	struct temporal_metrics_opts opts; /* `listen` is not kept */
	struct metrics_http *http;         /* NULL: none */
	pid_t pid;

	atomic_uint refs;
	struct temporal_metrics *next, **link; /* of all in the process: metrics.c */

	/* collect_lock, which is taken before `lock` */
	pthread_mutex_t collect_lock;
	struct metrics_collector *collectors;

	/* lock */
	pthread_mutex_t lock;
	struct arena arena; /* of options, families and series */
	struct metrics_family *families;
	struct metrics_probe *probes;
};

#endif
