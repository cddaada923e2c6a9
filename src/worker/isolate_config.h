/*
 * isolate_config.h: what the helper process is told of its worker, as a message.
 */
#ifndef WORKER_ISOLATE_CONFIG_H
#define WORKER_ISOLATE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/isolate_wire.h"

struct temporal_worker;

/* What is said beside what makes an attempt's worker. */
struct isolate_setup {
	pid_t worker; /* the process that has started the helper */
	size_t processes;
	int64_t memory_limit; /* 0: none */
};

/* The worker's side; false: no memory. */
bool isolate_config(const struct temporal_worker *worker, size_t processes, struct arena *arena,
	struct isolate_message *message) __attribute__((warn_unused_result));

/*
 * The helper's: fills in of a zeroed worker what attempts need: names, the level of its log,
 * definitions and interceptors. What was found lies in the arena and the message. NULL, or what is
 * wrong.
 */
const char *isolate_config_read(const struct isolate_message *message, struct arena *arena,
	struct temporal_worker *worker, struct isolate_setup *setup)
	__attribute__((warn_unused_result));

#endif
