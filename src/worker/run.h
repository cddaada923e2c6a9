/*
 * run.h: a workflow run in the worker: its tasks from the poll to the answer.
 */
#ifndef WORKER_RUN_H
#define WORKER_RUN_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/arena.h"
#include "engine/engine.h"
#include "rpc/channel.h"
#include "rpc/loop.h"
#include "worker/cache.h"
#include "worker/supplier.h"

struct temporal_worker;
struct worker_local;
struct worker_metrics_set;
struct worker_workflow_thread;
struct wf_instance;

/* What the run's thread is to do with it. */
enum worker_run_job {
	WORKER_RUN_TASK,      /* a new workflow task */
	WORKER_RUN_HISTORY,   /* a page of history */
	WORKER_RUN_ACTIVATE,  /* go on with `step` */
	WORKER_RUN_EVICT,     /* the cache drops it */
	WORKER_RUN_LOCALS,    /* local activities have ended */
	WORKER_RUN_NO_MEMORY, /* there is none for its local activities */
	WORKER_RUN_BEAT,      /* they take longer than the task */
	WORKER_RUN_ABANDON,   /* its thread was stuck: it goes without any answer */
};

/* A message in its arena. */
struct worker_run_message {
	const void *message; /* NULL: none */
	struct arena arena;
};

struct worker_run {
	struct worker_cache_entry entry;

	/* loop */
	struct temporal_worker *worker;
	struct worker_workflow_thread *thread;
	bool holds_slot;                    /* a task is being worked on */
	struct worker_slot slot, next_slot; /* for it; for the one in `next` */
	bool counts;                        /* in n_works, and by rpc_channel_work */
	struct worker_run_message next; /* a task that has come meanwhile (it holds a slot too) */
	struct worker_local *locals, *taken;         /* local.c: asked for; given to the thread */
	struct worker_run *next_local, **link_local; /* worker's local_runs; NULL: not in it */
	bool lacks_memory;                           /* for one of them: it waits in vain */
	struct rpc_timer beat;                       /* until the task asks for more time */
	bool detached;    /* not in the cache any more: its thread is stuck in another run */
	int64_t begun_ns; /* when the task came */
	const struct worker_metrics_set *metrics; /* NULL: nothing is counted */
	int64_t started_ns; /* of the run, by the server's clock, if counted; the thread's */
	bool replayed;      /* the task's history was replayed so far; the thread's, if counted */
	/* pages.c: of the answer that is being sent */
	uint32_t page, page_losses;
	size_t page_begin, page_end; /* the commands of the page whose turn it is */
	/* Of activities, taken for those that the answer asks for. */
	struct worker_slot *eager_slots; /* allocated once it is needed */
	unsigned n_eager_slots;

	/* turns: the thread's between worker_workflow_thread_post and the return of `back`, else
	 * the loop's */
	struct engine_run *engine;
	struct engine_step step;
	enum worker_run_job job;
	struct worker_run_message input;    /* of TASK and HISTORY */
	enum temporal_code code;            /* of HISTORY */
	const struct local_result *results; /* of LOCALS; in the input's arena */
	size_t n_results;
	bool given_up; /* its code was stuck, and its task has failed meanwhile */
	struct rpc_task back;
	struct worker_run *queue_next; /* worker_workflow_thread.first */

	/* the thread */
	struct wf_instance *instance;

	char run_id[];
};

/*
 * Loop: a workflow task, with the slot that its poll held. The content of `arena`, in which the
 * response lies, is taken over.
 */
void worker_run_task(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *response, struct arena *arena,
	struct worker_slot *slot);

/* The run's thread: does its job up to the point where the network is needed, and gives it back to
 * the loop. */
void worker_run_work(struct worker_run *run);

/* Loop: one of its local activities has ended. */
void worker_run_local_done(struct worker_run *run);

/* Loop: one of them cannot be run, or its outcome not be told: fails the task that waits for it. */
void worker_run_local_no_memory(struct worker_run *run);

/* Loop: if the worker stops, and the run waits for local activities of which none is under way any
 * more, its task is answered as it is. */
void worker_run_stops(struct worker_run *run);

/* Loop: its code is stuck: fails its task by what the failure says, and leaves it alone until it
 * comes back. */
void worker_run_give_up(struct worker_run *run, const Failure__Failure *failure);

/* Loop: all that are pinned to that thread, which is stuck, but the one that it works on and those
 * that the loop has: they come back by replay on another one. `queued` were to be worked on. */
void worker_runs_leave(struct worker_workflow_thread *thread, struct worker_run *queued);

/* Loop: evicts all that rest in the cache. */
void worker_runs_evict_all(struct temporal_worker *worker);

#endif
