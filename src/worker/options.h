/*
 * options.h: a worker's options, checked and complete.
 */
#ifndef WORKER_OPTIONS_H
#define WORKER_OPTIONS_H

#include <temporal/worker.h>

#include "base/arena.h"

/*
 * Copies the options (of a caller whose struct has `size` bytes) to `opts`, with everything they
 * point to but the definitions in the arena, checks them and puts the defaults in. Afterwards 0
 * means 0: OFF has become 0 (a graceful_shutdown_timeout_ms of OFF stays), `workflows` and
 * `activities` are never NULL.
 */
enum temporal_code worker_options_complete(struct temporal_worker_opts *opts,
	const struct temporal_worker_opts *given, size_t size, const char *client_identity,
	struct arena *arena, struct temporal_error *err) __attribute__((warn_unused_result));

/* What *_task_autoscaling point to if neither they nor the number of polls were given: these are
 * the numbers where the namespace enrolls its workers, and nothing elsewhere. */
extern const struct temporal_autoscaling worker_autoscaling_enrolled;

/* The activity of that type, else the dynamic one, else NULL. Any thread. */
const struct temporal_activity *worker_options_activity(
	const struct temporal_worker_opts *opts, const char *type);

#endif
