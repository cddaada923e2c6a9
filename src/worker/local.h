/*
 * local.h: local activities: run for a workflow task of this worker, which waits for them. The
 * loop's thread, but for worker_local_end.
 */
#ifndef WORKER_LOCAL_H
#define WORKER_LOCAL_H

#include <temporal/api/failure/v1/message.pb-c.h>

#include "engine/engine.h"

struct act;
struct temporal_worker;
struct worker_local;
struct worker_run;

/* The run's step is ENGINE_WAIT_LOCALS: begins and cancels what it says. */
void worker_locals_begin(struct worker_run *run);

/*
 * What has ended, as an array of results, in the arena if it must; NULL: nothing has. They are the
 * run's until worker_locals_taken.
 */
struct local_result *worker_locals_take(struct worker_run *run, struct arena *arena, size_t *count);
void worker_locals_taken(struct worker_run *run);

/* Is an attempt of any under way? */
bool worker_locals_run(const struct worker_run *run);

/* Nobody waits for the run's local activities any more: those that run are cancelled. */
void worker_locals_drop(struct worker_run *run);

/* A slot has become free. */
void worker_locals_pump(struct temporal_worker *worker);

/* The activity's thread: the function has ended so. The outcome lies in the act's arena. */
void worker_local_end(struct act *act, const Failure__Failure *failure, Common__Payload *result);

#endif
