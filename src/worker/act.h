/*
 * act.h: one attempt of an activity.
 */
#ifndef WORKER_ACT_H
#define WORKER_ACT_H

#include <pthread.h>

#include <temporal/activity.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/worker.h>

#include "base/arena.h"
#include "rpc/channel.h"
#include "worker/pool.h"
#include "worker/supplier.h"

struct isolate_link;
struct isolate_process;
struct temporal_worker;
struct worker_local;
struct worker_metrics_set;

/* What the loop does about heartbeats; see heartbeat.c. */
enum worker_beat_state {
	WORKER_BEAT_IDLE,    /* nothing; the next heartbeat has to wake it */
	WORKER_BEAT_WATCHED, /* a call is on its way or a timer is armed: it will look by itself */
	WORKER_BEAT_CLOSED,  /* the attempt has ended */
};

struct act {
	/* constant while the attempt lives */
	struct temporal_worker *worker;
	const struct temporal_activity *definition; /* NULL: there is none for its type */
	const Workflowservice__PollActivityTaskQueueResponse *task;
	struct act_info info;
	struct temporal_payloads last_details; /* of the attempt before */
	int64_t beat_interval_ns;
	int64_t blob_max;                  /* of its result, by the namespace; 0: no limit */
	bool plenty;                       /* slots were when it began: nobody waits for this one */
	bool eager;                        /* it came with the answer to a workflow task */
	bool isolated;                     /* it is run in a child process */
	const struct isolate_link *inside; /* this is that process; NULL: it is the worker */
	const struct worker_metrics_set *metrics; /* NULL: nothing is counted */
	int64_t received_ns;                      /* when it came, if it is counted */

	/* the activity's thread; the loop's before and after */
	struct arena arena; /* holds the task, this struct, and all that the activity allocates */
	struct worker_pool_job job;
	bool later;      /* act_complete_later was called */
	bool has_result; /* what was answered last is a result */
	bool failed;     /* it counts as that */
	bool instead;    /* what is answered stands for what could not be encoded */

	/* Of a local activity (local.c): whose attempt it is, until nobody waits for it (loop);
	 * and its outcome (its thread's, then the loop's). */
	struct worker_local *local;
	const struct local_request *request; /* held: the task is its */
	bool is_local;
	const Failure__Failure *local_failure;
	Common__Payload *local_result;

	/* loop */
	struct act *next, **link; /* temporal_worker.acts */
	struct worker_slot slot;
	struct rpc_timer beat_timer;
	struct rpc_timer timeout_timer;
	struct rpc_timer kill_timer; /* isolated: the grace after its cancellation */
	struct rpc_call *beat_call;  /* NULL: none is on its way */
	struct rpc_task beat_task, end_task;
	struct rpc_task run_task; /* short_activities: runs it here */
	int64_t beat_sent_ns;     /* 0: never */
	bool ended;               /* answered: to be freed when the last call and task are gone */

	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t cancelled;
	enum act_cancel_reason reason;
	bool unknown; /* the server does not know the attempt any more: nothing is answered */
	struct isolate_process *process; /* that it is run in; NULL: none at the moment */
	bool killed;                     /* the grace is over: that was, or will be */
	uint64_t beat_number;            /* of that process, of what is in beat_details; 0: none */
	enum worker_beat_state beat_state;
	bool beat_posted;        /* beat_task is queued */
	bool beat_new;           /* `beat_details` have not been sent */
	int64_t beat_made_ns;    /* when the activity gave its last heartbeat, or began */
	struct arena beat_arena; /* of beat_details */
	Common__Payloads *beat_details;
};

/* activity_info.c: fills act->info and last_details from the task. false: no memory. */
bool worker_activity_info(struct act *act) __attribute__((warn_unused_result));

/* activity_execute.c, the attempt's thread: runs the function and sends what came of it. */
void worker_activity_execute(struct act *act);
/* The type of the failure that such an error becomes. */
const char *worker_activity_error_type(const struct temporal_error *err);

/*
 * activity_answer.c, the attempt's thread: each answers the task, the last by nothing but an event;
 * worker_activity_end follows on the loop. A failure that says `cancelled` is answered as what the
 * server has asked for.
 */
void worker_activity_answer(struct act *act, Common__Payload *result);
void worker_activity_answer_failure(struct act *act, const struct temporal_failure *failure);
void worker_activity_answer_nothing(struct act *act, enum temporal_worker_event_kind kind);
/* Event and log of a failed attempt; the answers above tell of theirs. */
void worker_activity_tell_failed(struct act *act, const struct temporal_failure *failure);
/* Never NULL: without memory, one that says so. */
Failure__Failure *worker_activity_failure(struct act *act, const struct temporal_failure *failure);

/* act.c. With the lock held: a heartbeat as it comes from a child process; nobody is woken. */
void worker_act_heartbeat_encoded(
	struct act *act, const void *details, size_t size, int64_t made_ns);
/* With the lock held: the loop looks for it, unless it will by itself. */
void worker_act_heartbeat_wakes(struct act *act);
/* A line of the activity for the worker's log. */
void worker_act_log(const struct act *act, enum temporal_log_level level, const char *message);

/* heartbeat.c; loop. */
void worker_heartbeat_begin(struct act *act);
/* Stops timers and refuses new heartbeats. */
void worker_heartbeat_end(struct act *act);
/* May the attempt be freed? */
bool worker_heartbeat_over(struct act *act);

/* Loop: the first reason stays. `unknown`: the server will not take its answer. */
void worker_act_cancel(struct act *act, enum act_cancel_reason reason, bool unknown);

/* activity.c: what its slot is used for. */
struct temporal_slot_use worker_activity_use(const struct act *act);

/* An event of that kind about it, without a text. */
struct temporal_worker_event worker_activity_event(
	const struct act *act, enum temporal_worker_event_kind kind);

/* Loop: it has been answered: its slot is free. */
void worker_activity_end(struct act *act);

/* Loop: frees the attempt if it has been answered and nothing of it is on its way. */
void worker_activity_try_free(struct act *act);

#endif
