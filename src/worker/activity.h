/*
 * activity.h: activity tasks, from the poll to the answer. The loop's thread.
 */
#ifndef WORKER_ACTIVITY_H
#define WORKER_ACTIVITY_H

#include <temporal/activity.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/arena.h"

struct temporal_worker;
struct worker_slot;

/* An activity task, with the slot that was taken for it. The content of `arena`, in which it lies,
 * is taken over. */
void worker_activity_task(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot, bool eager);

/* The same for an attempt of a local activity, which ends by worker_local_end; it holds the
 * request. With short_activities it does not run yet. NULL: no memory. */
struct act;
struct local_request;
struct worker_local;
struct act *worker_activity_local(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot, struct worker_local *local,
	const struct local_request *request) __attribute__((warn_unused_result));
/* Its end was taken notice of: it is freed, but for its memory, which is the caller's now. */
void worker_activity_end_local(struct act *act, struct arena *arena);

/* The activity's thread: decodes the arguments, runs the function, encodes the result. The failure,
 * or NULL. */
const struct temporal_failure *worker_activity_call(struct act *act, Common__Payload **result);

/* isolate_child.c: an attempt in a child process; takes the arena over. NULL: no memory. */
struct isolate_link;
struct act *worker_activity_isolated(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct isolate_link *link) __attribute__((warn_unused_result));
void worker_activity_isolated_free(struct act *act);

/* Cancels all that run, because the worker stops. */
void worker_activities_cancel(struct temporal_worker *worker);

#endif
