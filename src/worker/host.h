/*
 * host.h: how much of its CPU and memory the machine, or the cgroup that limits this process, uses.
 * Not thread-safe: each has its own.
 */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include <stddef.h>
#include <stdint.h>

/* Fractions of all there is. */
struct worker_host {
	double cpu, memory; /* as of the last sample; 0 before */
	uint64_t memory_total;

	const char *root;   /* in front of /proc and /sys; "" but in tests */
	int64_t sampled_ns; /* 0: never */
	/* What the CPUs had done then: by /proc/stat, and by the cgroup (ns). */
	uint64_t busy, total, cgroup_ns;
	size_t cgroup_depth; /* of the group whose limit it was */
};

/* Reads what is older than `max_age_ns`. It takes some 50 us, and no memory. What cannot be read
 * stays as it was. */
void worker_host_sample(struct worker_host *host, int64_t now_ns, int64_t max_age_ns);

#endif
