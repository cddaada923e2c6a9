/*
 * pool.h: the threads on which activities and handlers of Nexus operations run. The pool grows with
 * what is to be run at a time, and shrinks again.
 */
#ifndef WORKER_POOL_H
#define WORKER_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct worker_pool_thread;

/* What is to be run, as a member of the attempt or task that it is about, which `run` may free. */
struct worker_pool_job {
	void (*run)(struct worker_pool_job *job);
	struct worker_pool_job *next; /* worker_pool.first */
};

struct worker_pool {
	size_t stack_size;
	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t one_ended;              /* while it stops */
	struct worker_pool_thread *idle;       /* the one that was busy last comes first */
	struct worker_pool_thread *ended;      /* to be joined */
	struct worker_pool_job *first, **last; /* that no thread could be had for */
	unsigned threads;                      /* that live */
	bool stop;
	bool made;
};

bool worker_pool_init(struct worker_pool *pool, size_t stack_size)
	__attribute__((warn_unused_result));
/* Ends and joins all threads; nothing is running any more. Not on the loop's thread. A zeroed
 * struct is fine. */
void worker_pool_finish(struct worker_pool *pool);

/*
 * Runs the job on a thread: an idle one, a new one, or when there are no more to be had the next
 * that has finished. false: there is no thread at all. Never blocks.
 */
bool worker_pool_run(struct worker_pool *pool, struct worker_pool_job *job)
	__attribute__((warn_unused_result));

#endif
