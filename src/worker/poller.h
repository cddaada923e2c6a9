/*
 * poller.h: the long polls for workflow, activity and Nexus tasks. The loop's thread.
 */
#ifndef WORKER_POLLER_H
#define WORKER_POLLER_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/error.h>

#include "rpc/channel.h"
#include "worker/scaler.h"
#include "worker/slots.h"
#include "worker/supplier.h"

struct temporal_worker;

enum worker_poll_kind {
	WORKER_POLL_WORKFLOWS,
	WORKER_POLL_STICKY,
	WORKER_POLL_ACTIVITIES,
	WORKER_POLL_NEXUS
};
#define WORKER_POLL_KINDS 4

/* What a kind of poll sends: always the same, so encoded once; in the worker's arena. */
struct worker_poll_request {
	const struct rpc_method *method;
	const void *message;
	struct bytes encoded;
};

/* The same with the name of the queue for commands, which changes with the client. */
struct worker_poll_control {
	unsigned refs; /* the pollers', and of each poll that waits */
	struct arena arena;
	const char *queue;
	struct bytes encoded[WORKER_POLL_KINDS];
};

/* One of the polls that can wait at the server. */
struct worker_poll {
	struct temporal_worker *worker;
	enum worker_poll_kind kind;
	struct worker_slot slot;   /* for what it may bring */
	struct rpc_call *call;     /* NULL: it does not wait */
	struct rpc_timer back_off; /* a failure that its number depends on: it waits, and counts */
	struct worker_poll_control *control; /* whose encoding it has in use; NULL: none's */
	bool given_up;                       /* with a client that was replaced: it may fail */
	struct worker_poll *next;            /* worker_pollers.unused */
};

struct worker_pollers {
	struct worker_poll *polls, *unused;
	size_t n_polls;
	unsigned active; /* polls that wait at the server */
	unsigned activities, activities_wanted;
	unsigned nexus, nexus_wanted;
	struct worker_scaler scalers[WORKER_POLL_KINDS]; /* what is wanted, here and in `balance` */
	int64_t polled_ns[WORKER_POLL_KINDS]; /* when one came back last, with a task or without */
	bool server_scales;                   /* the namespace gives hints */
	struct worker_balance balance;
	struct worker_rate rate;
	struct rpc_timer again; /* when a poll has to wait for the rate, or for memory */
	struct worker_poll_request requests[WORKER_POLL_KINDS];
	struct worker_poll_control *control; /* NULL: there is no queue for commands */
};

/* Part of making the worker, on any thread. NO_MEMORY. */
enum temporal_code worker_pollers_init(struct temporal_worker *worker, struct temporal_error *err)
	__attribute__((warn_unused_result));
void worker_pollers_finish(struct worker_pollers *pollers);

/* Makes all the polls that there is room for, while the worker is RUNNING. Called whenever a slot
 * has become free. */
void worker_pollers_pump(struct temporal_worker *worker);

/* The worker has another client: no poll is tried again with the old one. */
void worker_pollers_move(struct temporal_worker *worker);

/* What the namespace can do is known: does it give hints, and should workers that say nothing
 * follow them? */
void worker_pollers_described(struct temporal_worker *worker, bool server_scales, bool auto_enroll);

/* Polls from now on tell the server that commands to the worker go to this queue; NULL: to none. */
void worker_pollers_name_control(struct temporal_worker *worker, const char *queue);

/* The same for answers; borrowed until the loop's next step. */
static inline const char *worker_pollers_control(const struct worker_pollers *pollers)
{
	return pollers->control ? pollers->control->queue : "";
}

/* The worker stops: what is not at the server now ends. */
void worker_pollers_stop(struct temporal_worker *worker);

/* Ends the polls that wait; each still gives its answer, and what it brings after all is worked on.
 */
void worker_pollers_cancel(struct temporal_worker *worker);

#endif
