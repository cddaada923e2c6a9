/*
 * workflow_thread.h: the threads on which workflow code runs. Each run belongs to one of them for
 * as long as it is cached.
 */
#ifndef WORKER_WORKFLOW_THREAD_H
#define WORKER_WORKFLOW_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

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
	bool watched; /* by watchdog.c; constant */
	bool stuck;   /* another one has taken its place */
	struct worker_workflow_thread *next_stuck;
	uint64_t seen; /* the activation that was under way at the last look, and since when */
	int64_t seen_cpu_ns;
	/* the thread itself */
	struct wf_thread *wf;
	uint64_t activations;
	struct worker_run *working; /* the watchdog's too, once that has won `activation` */
	/* The activation that is under way; 0: none. Taken back by the thread at its end, or by the
	 * watchdog, which makes it WORKER_ACTIVATION_STUCK; the other one then loses. */
	_Atomic uint64_t activation;
	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct worker_run *first, **last; /* to be worked on, linked by worker_run.queue_next */
	unsigned quiet;                   /* posts for which it was not woken */
	bool sleeps, stop;
};

struct worker_workflow_threads {
	struct worker_workflow_thread **items;
	unsigned count;
	struct worker_workflow_thread *stuck; /* linked by next_stuck */
};

#define WORKER_ACTIVATION_STUCK UINT64_MAX

/* Part of making the worker: makes room for the threads, but starts none. */
bool worker_workflow_threads_init(struct temporal_worker *worker)
	__attribute__((warn_unused_result));
/* Ends and joins them; no run is left. Not on the loop's thread. A zeroed struct is fine. */
void worker_workflow_threads_finish(struct worker_workflow_threads *threads);

/*
 * Loop: the thread for a new run: the one with the fewest, started if need be. NULL: no thread can
 * be had. The caller counts the run in (`runs`).
 */
struct worker_workflow_thread *worker_workflow_threads_pick(
	struct worker_workflow_threads *threads);
/* Loop: one of its runs is gone. With the last one a thread that was stuck ends. */
void worker_workflow_thread_unpin(struct worker_workflow_thread *thread);

/*
 * Loop: hands the run over; the thread calls worker_run_work for it, in the order of the posts. For
 * a `quiet` one it is not woken: it will do it with the next, or when a few have come together.
 */
void worker_workflow_thread_post(
	struct worker_workflow_thread *thread, struct worker_run *run, bool quiet);

/* The thread: workflow code is about to be entered, and has returned; false: it was given up
 * meanwhile. */
void worker_workflow_thread_enter(struct worker_workflow_thread *thread, struct worker_run *run);
bool worker_workflow_thread_leave(struct worker_workflow_thread *thread);

/* Loop: does nothing wait for it, and is it doing nothing? */
bool worker_workflow_thread_sleeps(struct worker_workflow_thread *thread);

/*
 * Loop: the i-th thread is stuck in the activation `seen`: puts a new one in its place. The run
 * that it works on, and the queue; NULL: it is not stuck any more, or there is no memory.
 */
struct worker_run *worker_workflow_threads_replace(
	struct worker_workflow_threads *threads, unsigned i, struct worker_run **queued);

/* Loop: does now what was posted quietly. */
void worker_workflow_thread_wake(struct worker_workflow_thread *thread);
void worker_workflow_threads_wake(struct worker_workflow_threads *threads);

#endif
