/*
 * tuner.h: from the options to the worker's slots.
 */
#ifndef WORKER_TUNER_H
#define WORKER_TUNER_H

#include <temporal/worker.h>

#include "base/arena.h"

struct temporal_worker;

/* Part of worker_options_complete, after the numbers have their defaults: copies the tuner, checks
 * it and puts its defaults in. `given` are the options as the caller wrote them. */
enum temporal_code worker_tuner_complete(struct temporal_worker_opts *opts,
	const struct temporal_worker_opts *given, struct arena *arena, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Part of making the worker: its slots, fixed or supplied. false: no memory. */
bool worker_tuner_init(struct temporal_worker *worker) __attribute__((warn_unused_result));

#endif
