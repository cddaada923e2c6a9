/*
 * nexus.h: Nexus tasks, from the poll to the answer.
 */
#ifndef WORKER_NEXUS_H
#define WORKER_NEXUS_H

#include <pthread.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/nexus.h>

#include "base/arena.h"
#include "client/links.h"
#include "rpc/channel.h"
#include "worker/pool.h"
#include "worker/supplier.h"

#define WORKER_NEXUS_OF(member_ptr_, member_) \
	((struct nexus *)(void *)((char *)(member_ptr_)-offsetof(struct nexus, member_)))

struct temporal_worker;
struct temporal_worker_opts;

/* A link of an answer. */
struct worker_nexus_link {
	Nexus__Link *link;
	struct worker_nexus_link *next;
};

/* One request to start or to cancel an operation. */
struct nexus {
	/* constant while the request lives */
	struct temporal_worker *worker;
	struct temporal_client *client; /* a reference to the worker's */
	const Workflowservice__PollNexusTaskQueueResponse *task;
	const Nexus__StartOperationRequest *start; /* one of the two, or none */
	const Nexus__CancelOperationRequest *cancel;
	const struct temporal_nexus_operation *definition; /* NULL: `refusal` says why */
	const struct temporal_failure *refusal;
	struct nexus_info info;
	int64_t received_ns;
	int64_t timeout_ns; /* of the request; -1: none */

	/* the handler's thread; the loop's before and after */
	struct arena arena; /* holds the task, this struct, and all that the handler allocates */
	struct worker_pool_job job;
	const char *token; /* of an operation that goes on elsewhere; NULL: it does not */
	struct worker_nexus_link *links, **links_end; /* that the answer gets */
	size_t n_links;
	struct client_links client_links; /* of what it does by its client */
	unsigned n_signals;               /* that it has sent: their request ids differ */
	bool instead;                     /* what is sent stands for what could not be encoded */
	const char *reason;               /* of a failure, for the metrics; NULL: there was none */
	int64_t execution_ns;             /* how long the handler took */

	/* loop */
	struct nexus *next, **link; /* temporal_worker.nexus_tasks */
	struct worker_slot slot;
	struct rpc_timer deadline;
	struct rpc_task end_task;

	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t cancelled;
	enum nexus_cancel_reason cancel_reason;
};

/* nexus_call.c: adds it to the answer; NULL: no memory, nothing is added. */
bool worker_nexus_add_link(struct nexus *nexus, Nexus__Link *link);

/* nexus_options.c: checks the services and copies the table; part of making the worker. */
enum temporal_code worker_nexus_options(struct temporal_worker_opts *opts, struct arena *arena,
	struct temporal_error *err) __attribute__((warn_unused_result));
/* What is registered for the request; NULL, and nexus->refusal: nothing is. */
const struct temporal_nexus_operation *worker_nexus_find(struct nexus *nexus);

/* nexus_info.c: fills nexus->info from the task. false: no memory. */
bool worker_nexus_info(struct nexus *nexus) __attribute__((warn_unused_result));

/*
 * nexus.c, loop: a task, with the slot that was taken for it. The content of `arena`, in which it
 * lies, is taken over.
 */
void worker_nexus_task(struct temporal_worker *worker,
	const Workflowservice__PollNexusTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot);
/* Loop: tells all that run that the worker stops. */
void worker_nexus_cancel_all(struct temporal_worker *worker);

#endif
