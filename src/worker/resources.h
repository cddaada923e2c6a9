/*
 * resources.h: may there be another slot, as far as memory and CPU are concerned? Pure, but for the
 * samples of host.h.
 */
#ifndef WORKER_RESOURCES_H
#define WORKER_RESOURCES_H

#include <stdbool.h>

#include <temporal/tuner.h>

#include "worker/host.h"

/* A controller: how far what is measured is from its target, with its sum and its change. */
struct worker_pid {
	double target, p_gain, i_gain, d_gain;
	double sum, last;
	bool has_last;
};

/* The output for a measurement: positive while there is room. */
double worker_pid_next(struct worker_pid *pid, double measured);

struct worker_resources {
	struct temporal_resource_opts opts; /* complete */
	struct worker_pid memory, cpu;
	struct worker_host host;
	double memory_output, cpu_output; /* of the last decision */
};

/* `opts` are complete: 0 means 0. */
void worker_resources_init(
	struct worker_resources *resources, const struct temporal_resource_opts *opts);

bool worker_resources_allow(struct worker_resources *resources, int64_t now_ns);

#endif
