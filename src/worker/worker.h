/*
 * worker.h: the worker as its own files see it. <temporal/worker.h> is what others see.
 *
 * Who may touch what: fields are grouped by thread. What belongs to the loop needs no lock;
 * workflow threads and activity threads get their work, and what they may touch with it, through
 * the queues of workflow_thread.c and pool.c, and give it back by rpc_loop_post or by starting a
 * call.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/worker.h>

#include "base/arena.h"
#include "client/workers.h"
#include "engine/engine.h"
#include "rpc/channel.h"
#include "worker/cache.h"
#include "worker/oversize.h"
#include "worker/poller.h"
#include "worker/pool.h"
#include "worker/slots.h"
#include "worker/supplier.h"
#include "worker/workflow_thread.h"
#include "workflow/instance.h"

struct act;
struct worker_group;
struct nexus;
struct worker_client;
struct isolate_pool;
struct worker_metrics;

/*
 * A worker's life; each step is taken by worker_advance when nothing is left to wait for.
 *
 *	NEW
 *	 | start
 *	RUNNING
 *	 | shutdown, or refused by the server: polls are ended
 *	STOPPING
 *	 | the last poll has ended
 *	DRAINING
 *	 | no task, activity or call is left: the cache is emptied
 *	EVICTING
 *	 | the last run is gone
 *	STOPPED
 */
enum worker_phase {
	WORKER_NEW,
	WORKER_RUNNING,
	WORKER_STOPPING,
	WORKER_DRAINING,
	WORKER_EVICTING,
	WORKER_STOPPED,
};

/* Tasks of a kind that have ended, and how many of them the last heartbeat has told of. */
struct worker_task_count {
	uint64_t processed, failed, processed_told, failed_told;
};

/* What heartbeats tell. */
struct worker_stats {
	struct worker_task_count tasks[TEMPORAL_SLOT_KINDS];
	uint64_t cache_hits, cache_misses;
	int64_t started_ns, told_ns; /* by the computer's clock; 0: never */
};

/* A client that the worker works with, or has worked with: see replace.c. */
struct worker_client {
	/* constant once it is made */
	struct temporal_worker *worker;
	struct temporal_client *client; /* a reference */
	struct rpc_channel *channel;    /* of the client, on the worker's loop */
	/* loop */
	bool retired;           /* there is another one now */
	bool waits;             /* `idle` is with the channel or the loop */
	struct rpc_task idle;   /* no call of the channel is open */
	struct rpc_timer again; /* somebody may have the channel in hand */
	/* locks: the registry's, the worker's */
	struct client_worker in_client; /* workers.h: what the client knows of the worker */
	struct worker_client *next;     /* temporal_worker.clients */
};

struct temporal_worker {
	/* constant once it is made */
	struct temporal_client *client; /* that it was made with, and its loop */
	struct rpc_loop *loop;
	struct arena arena;               /* all that is constant */
	struct temporal_worker_opts opts; /* complete: worker/options.h */
	const char *namespace_, *instance_key;
	const char *sticky_queue;                     /* NULL: nothing is cached */
	const struct temporal_plugin *const *plugins; /* NULL-terminated: the client's, its own */
	/* For activities: all, and the last; NULL: none. Those for workflows are in `wf`. */
	const struct temporal_interceptor *const *interceptors, *const *last_interceptor;
	const struct temporal_interceptor *const *nexus_interceptors; /* NULL: none */
	Deployment__WorkerDeploymentOptions *version; /* of its deployment; NULL: none */
	/* The build of its code, for answers and for polls; NULL: not told. */
	Common__WorkerVersionStamp *stamp;
	Common__WorkerVersionCapabilities *build;
	struct engine_config engine;
	struct wf_config wf;
	struct rpc_task start_task, shutdown_task, stopped_task, client_task;
	pid_t pid; /* of the process that made it */
	/* NULL: nothing is counted; metrics.c says whose its parts are. */
	struct worker_metrics *metrics;

	/* loop */
	enum worker_phase phase;
	struct worker_pollers pollers;
	struct worker_slots workflow_slots, activity_slots, local_slots, nexus_slots;
	struct worker_supplier *suppliers[TEMPORAL_SLOT_KINDS]; /* NULL: a fixed number */
	struct worker_resources resources;                      /* of the suppliers */
	struct worker_stats stats;
	struct worker_host host;    /* as of the last heartbeat */
	struct worker_group *group; /* NULL: not started, or no memory */
	struct temporal_worker *next_in_group;
	bool tells_presence;           /* by heartbeats */
	struct worker_client home;     /* the client that it was made with */
	struct worker_client *current; /* that it works with; never NULL */
	unsigned n_works;              /* runs that its channel counts by rpc_channel_work */
	unsigned n_eager;              /* activity slots that were taken for eager activities */
	struct worker_rate local_rate; /* of local activities */
	struct rpc_timer local_again;  /* until the next may start */
	struct worker_run *local_runs; /* that wait for local activities */
	bool pumps_locals;             /* local.c: looks for what may start */
	struct worker_cache cache;
	size_t detached_runs;      /* that are in it no more, but whose thread is stuck */
	struct rpc_timer watchdog; /* armed while workflow threads work */
	unsigned open_calls;       /* of the worker itself: ShutdownWorker, DescribeNamespace */
	struct act *acts;          /* all that are not freed */
	struct nexus *nexus_tasks; /* all that are not answered */
	struct worker_oversize oversize; /* what the namespace takes */
	bool takes_pages;                /* the namespace takes answers in pages */
	bool polls_end_alone;            /* the server ends the polls of a worker that shuts down */
	bool cancels_activities;         /* the grace is over */
	struct rpc_timer grace;          /* until activities are cancelled */
	struct rpc_call *describing;     /* asks what the namespace can do; NULL: not on its way */
	struct rpc_timer polls_end;      /* until polls that should end alone are cancelled */
	struct temporal_error fatal;     /* why the server refused the worker */

	/* any thread; written by the loop's: of the client that it works with */
	_Atomic(struct rpc_channel *) channel;
	atomic_uint senders; /* threads that have it in hand: worker_channel_enter */

	/* with locks of their own */
	struct worker_workflow_threads workflow_threads;
	struct worker_pool pool;
	struct isolate_pool *isolate; /* NULL: no activity runs in a child process */

	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool starting, started, stopped, joined;
	bool shutdown_posted;          /* shutdown_task is queued */
	bool client_posted;            /* client_task is queued */
	struct worker_client *clients; /* that it was given later */
	struct worker_client *newest;  /* that it was given last; never NULL */
	bool closed;                   /* no shutdown is posted any more */
	int wake_fd;                   /* to be made readable when it has stopped; -1: none */
};

/* Loop: something has ended; goes on with the shutdown if that was what it waited for. */
void worker_advance(struct temporal_worker *worker);
/* Loop: the server refuses the worker for good. */
void worker_refused(struct temporal_worker *worker, const struct temporal_error *err);

bool worker_is_stopped(struct temporal_worker *worker); /* any thread */

/* step.c: may the caller's thread wait for the worker's end (`turns`: by turning its loop)? */
bool worker_may_wait(struct temporal_worker *worker, bool turns);
/* If the loop is the caller's: turns it until the worker has stopped. */
void worker_turn(struct temporal_worker *worker);
/* The same; when the descriptor becomes readable the worker is shut down. False: it is not. */
bool worker_turn_until_signal(struct temporal_worker *worker, int fd);

/* shutdown.c, loop: tells the server, ends the polls, and starts the grace of the activities. */
void worker_shutdown_begin(struct temporal_worker *worker);
/* loop: asks what the namespace can do; nothing waits for the answer. */
void worker_describe_namespace(struct temporal_worker *worker);

/* replace.c: part of making the worker; gives up all clients, when no call is on its way. */
void worker_clients_init(struct temporal_worker *worker, struct temporal_client *client);
void worker_clients_finish(struct temporal_worker *worker);
/* Loop: takes the newest client. */
void worker_client_posted(struct rpc_task *task);
/* Loop: calls of the client may give it tasks; no client knows it any more. */
void worker_clients_run(struct temporal_worker *worker);
void worker_clients_leave(struct temporal_worker *worker);
/* Loop: nothing of the clients is in the loop's queue, or will be. */
bool worker_clients_settle(struct temporal_worker *worker);

/*
 * For threads other than the loop's: the channel, for as long as it takes to start a call. As long
 * as somebody has it in hand no replaced channel is given up, so that takes two additions and no
 * lock. For longer: a reference.
 */
static inline struct rpc_channel *worker_channel_enter(struct temporal_worker *worker)
{
	atomic_fetch_add(&worker->senders, 1);
	return worker->channel;
}

static inline void worker_channel_leave(struct temporal_worker *worker)
{
	atomic_fetch_sub(&worker->senders, 1);
}

struct rpc_channel *worker_channel_ref(struct temporal_worker *worker);

/* presence.c, loop: it starts. */
void worker_stats_begin(struct temporal_worker *worker);

/* Loop: a task of the kind has ended. */
static inline void worker_count_task(
	struct temporal_worker *worker, enum temporal_slot_kind kind, bool failed)
{
	worker->stats.tasks[kind].processed++;
	worker->stats.tasks[kind].failed += failed;
}

/* signals.c: while registered, SIGINT and SIGTERM make the descriptor readable. -1: not possible.
 */
int worker_signals_register(void);
void worker_signals_unregister(int fd);

#endif
