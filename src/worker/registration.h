/*
 * registration.h: what a worker is told of its workflows and of its deployment.
 */
#ifndef WORKER_REGISTRATION_H
#define WORKER_REGISTRATION_H

#include <temporal/api/deployment/v1/message.pb-c.h>
#include <temporal/worker.h>

#include "base/arena.h"

/*
 * Part of worker_options_complete, when the definitions are complete: checks the deployment, the
 * options of workflows and the types of failures, and copies them to the arena. The deployment's
 * build id becomes the worker's.
 */
enum temporal_code worker_registration_complete(struct temporal_worker_opts *opts,
	struct arena *arena, struct temporal_error *err) __attribute__((warn_unused_result));

/* What polls and answers say of the worker's build; NULL: it has no id. False: no memory. */
bool worker_registration_build(const struct temporal_worker_opts *opts, struct arena *arena,
	Common__WorkerVersionStamp **stamp, Common__WorkerVersionCapabilities **capabilities)
	__attribute__((warn_unused_result));
/* What they say of its deployment; NULL: it has none. False: no memory. */
bool worker_registration_version(const struct temporal_worker_opts *opts, struct arena *arena,
	Deployment__WorkerDeploymentOptions **out) __attribute__((warn_unused_result));

/* The names of the workflows whose runs fail with nondeterminism, NULL-terminated; sets *all if
 * that is every one. False: no memory. */
bool worker_registration_nondeterminism(const struct temporal_worker_opts *opts,
	struct arena *arena, const char *const **types, bool *all)
	__attribute__((warn_unused_result));

#endif
