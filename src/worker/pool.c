/*
 * pool.c: the threads of activities and Nexus handlers.
 *
 * How many of them run at a time is limited by slots (slots.h) before a task is even polled, so
 * the pool needs no limit of its own: it never has more threads than there are slots. Each idle
 * thread waits on a condition of its own and the last one that became idle is the first to be used,
 * so the others reach their time-out and end.
 */
#include "worker/pool.h"

#include <time.h>

#include "base/mem.h"
#include "worker/limits.h"
#include "worker/thread.h"

struct worker_pool_thread {
	struct worker_pool *pool;
	pthread_t thread;
	/* pool->lock */
	pthread_cond_t work;
	struct worker_pool_job *job;     /* what it was woken for */
	struct worker_pool_thread *next; /* worker_pool.idle, .ended */
};

bool worker_pool_init(struct worker_pool *pool, size_t stack_size)
{
	*pool = (struct worker_pool){ .stack_size = stack_size };
	pool->last = &pool->first;
	pthread_cond_init(&pool->one_ended, NULL);
	pool->made = pthread_mutex_init(&pool->lock, NULL) == 0;
	return pool->made;
}

static void remove_idle(struct worker_pool *pool, struct worker_pool_thread *thread)
{
	struct worker_pool_thread **link = &pool->idle;

	while (*link != thread)
		link = &(*link)->next;
	*link = thread->next;
}

static struct worker_pool_job *take_queued(struct worker_pool *pool)
{
	struct worker_pool_job *job = pool->first;

	if (job) {
		pool->first = job->next;
		if (!pool->first)
			pool->last = &pool->first;
	}
	return job;
}

/* Waits for something to run; NULL: the thread is to end. With the lock held. */
static struct worker_pool_job *wait_for_job(
	struct worker_pool *pool, struct worker_pool_thread *thread)
{
	struct timespec until;

	if (pool->first)
		return take_queued(pool);
	if (pool->stop)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WORKER_THREAD_IDLE_MS / 1000;
	thread->job = NULL;
	thread->next = pool->idle;
	pool->idle = thread;
	while (!thread->job && !pool->stop) {
		if (pthread_cond_timedwait(&thread->work, &pool->lock, &until) != 0)
			break;
	}
	if (!thread->job)
		remove_idle(pool, thread); /* whoever gives it something has removed it */
	return thread->job;
}

static void *work(void *arg)
{
	struct worker_pool_thread *thread = arg;
	struct worker_pool *pool = thread->pool;
	struct worker_pool_job *job = thread->job;

	while (job) {
		job->run(job);
		pthread_mutex_lock(&pool->lock);
		job = wait_for_job(pool, thread);
		if (!job) {
			pool->threads--;
			thread->next = pool->ended;
			pool->ended = thread;
			pthread_cond_signal(&pool->one_ended);
		}
		pthread_mutex_unlock(&pool->lock);
	}
	return NULL;
}

static void thread_free(struct worker_pool_thread *thread)
{
	pthread_cond_destroy(&thread->work);
	mem_free(thread);
}

static struct worker_pool_thread *thread_new(struct worker_pool *pool, struct worker_pool_job *job)
{
	struct worker_pool_thread *thread = mem_zalloc(sizeof(*thread));
	pthread_condattr_t monotonic;

	if (!thread)
		return NULL;
	thread->pool = pool;
	thread->job = job;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (worker_thread_start(&thread->thread, "temporal-act", pool->stack_size, work, thread))
		return thread;
	thread_free(thread);
	return NULL;
}

/* Joins threads that have ended by themselves; they have nothing left to do, so this does not wait.
 */
static void reap(struct worker_pool_thread *ended)
{
	while (ended) {
		struct worker_pool_thread *next = ended->next;

		pthread_join(ended->thread, NULL);
		thread_free(ended);
		ended = next;
	}
}

static bool queue_job(struct worker_pool *pool, struct worker_pool_job *job)
{
	if (pool->threads == 0)
		return false;
	job->next = NULL;
	*pool->last = job;
	pool->last = &job->next;
	return true;
}

bool worker_pool_run(struct worker_pool *pool, struct worker_pool_job *job)
{
	bool taken = true;

	pthread_mutex_lock(&pool->lock);
	struct worker_pool_thread *thread = pool->idle, *ended = pool->ended;

	pool->ended = NULL;
	if (thread) {
		pool->idle = thread->next;
		thread->job = job;
	} else if (thread_new(pool, job)) {
		pool->threads++;
	} else {
		taken = queue_job(pool, job);
	}
	pthread_mutex_unlock(&pool->lock);
	/* Not under the lock, which the thread would only run into. It lives: only this thread
	 * joins any. */
	if (thread)
		pthread_cond_signal(&thread->work);
	reap(ended);
	return taken;
}

void worker_pool_finish(struct worker_pool *pool)
{
	if (!pool->made)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	for (struct worker_pool_thread *thread = pool->idle; thread; thread = thread->next)
		pthread_cond_signal(&thread->work);
	while (pool->threads > 0)
		pthread_cond_wait(&pool->one_ended, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	reap(pool->ended);
	pthread_cond_destroy(&pool->one_ended);
	pthread_mutex_destroy(&pool->lock);
	*pool = (struct worker_pool){ 0 };
}
