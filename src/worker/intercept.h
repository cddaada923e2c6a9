/*
 * intercept.h: a worker's interceptors and plugins: its client's, then its own.
 */
#ifndef WORKER_INTERCEPT_H
#define WORKER_INTERCEPT_H

#include <temporal/api/worker/v1/message.pb-c.h>
#include <temporal/interceptor.h>
#include <temporal/worker.h>

struct arena;
struct temporal_worker;

/*
 * plugin.c. Copies the options that the caller knows `size` bytes of, has the plugins change the
 * copy, and keeps the list of them (worker->plugins). The first error refuses the worker.
 */
enum temporal_code worker_plugins_apply(struct temporal_worker *worker,
	struct temporal_worker_opts *opts, const struct temporal_worker_opts *given, size_t size,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Tells them of the start, in order; the first error ends it, and those told before hear of the
 * stop. */
enum temporal_code worker_plugins_start(struct temporal_worker *worker, struct temporal_error *err)
	__attribute__((warn_unused_result));
/* Their names, in a heartbeat; without memory for them it has none. */
void worker_plugins_tell(const struct temporal_worker *worker, struct arena *arena,
	Worker__WorkerHeartbeat *heartbeat);
/* In reverse order. */
void worker_plugins_stop(struct temporal_worker *worker);

/* intercept.c. Picks those for workflows (worker->wf.interceptors) and for activities; false: no
 * memory. */
bool worker_interceptors_init(struct temporal_worker *worker) __attribute__((warn_unused_result));

/* The activity's thread: calls its function through the interceptors, if there are any. */
const struct temporal_failure *worker_intercept_execute(struct act *act, const void *in, void *out);

/* The handler's thread: the same to start and to cancel a Nexus operation. */
const struct temporal_failure *worker_intercept_nexus_start(
	struct nexus *nexus, const void *in, void *out);
const struct temporal_failure *worker_intercept_nexus_cancel(struct nexus *nexus);

/* An activity of a worker that has interceptors: what it asks for, and what is at the end of that.
 */
void worker_intercept_heartbeat(struct act *act, const struct temporal_payloads *details);
void worker_act_heartbeat(struct act *act, const struct temporal_payloads *details); /* act.c */
const struct act_info *worker_intercept_info(const struct act *act);

#endif
