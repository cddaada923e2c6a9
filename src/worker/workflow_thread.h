/*
 * workflow_thread.h: the threads on which workflow code runs. Each run belongs to one of them for
 * as long as it is cached.
 */
#ifndef WORKER_WORKFLOW_THREAD_H
#define WORKER_WORKFLOW_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "rpc/loop.h"
#include "workflow/instance.h"

struct temporal_worker;
struct worker_run;

struct worker_workflow_thread {
	/* loop */
	struct temporal_worker *worker;
	pthread_t thread;
	bool running;
	bool here;            /* it is the loop's own thread: there is no other */
	unsigned runs;        /* pinned to it */
	struct rpc_task turn; /* of one that is here: works the queue off */
	bool turn_posted;
	/* the thread itself */
	struct wf_thread *wf;
	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct worker_run *first, **last; /* to be worked on, linked by worker_run.queue_next */
	unsigned quiet;                   /* posts for which it was not woken */
	bool sleeps, stop;
};

struct worker_workflow_threads {
	struct worker_workflow_thread *items;
	unsigned count;
};

/* Part of making the worker: makes room for the threads, but starts none. */
bool worker_workflow_threads_init(struct temporal_worker *worker)
	__attribute__((warn_unused_result));
/* Ends and joins them; no run is left. Not on the loop's thread. A zeroed struct is fine. */
void worker_workflow_threads_finish(struct worker_workflow_threads *threads);

/*
 * Loop: the thread for a new run: the one with the fewest, started if need be. NULL: no thread can
 * be had. The caller counts the run in and out (`runs`).
 */
struct worker_workflow_thread *worker_workflow_threads_pick(
	struct worker_workflow_threads *threads);

/*
 * Loop: hands the run over; the thread calls worker_run_work for it, in the order of the posts. For
 * a `quiet` one it is not woken: it will do it with the next, or when a few have come together.
 */
void worker_workflow_thread_post(
	struct worker_workflow_thread *thread, struct worker_run *run, bool quiet);

/* Loop: does now what was posted quietly. */
void worker_workflow_thread_wake(struct worker_workflow_thread *thread);
void worker_workflow_threads_wake(struct worker_workflow_threads *threads);

#endif
