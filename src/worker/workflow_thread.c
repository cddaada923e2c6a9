/*
 * workflow_thread.c: a queue of runs, and the thread that works them off.
 *
 * A thread takes the whole queue at once, so under load it takes its lock once for many runs, and
 * is woken only when it sleeps. Threads are started with the first run that needs them: a worker
 * that is idle, or has only activities, has none. With workflow_threads OFF the one "thread" is the
 * loop's: its queue is worked off by a task of the loop.
 */
#include "worker/workflow_thread.h"

#include "base/mem.h"
#include "worker/limits.h"
#include "worker/run.h"
#include "worker/thread.h"
#include "worker/worker.h"

static void turn(struct rpc_task *task);

bool worker_workflow_threads_init(struct temporal_worker *worker)
{
	struct worker_workflow_threads *threads = &worker->workflow_threads;
	bool here = worker->opts.workflow_threads == 0;
	unsigned count = here ? 1 : (unsigned)worker->opts.workflow_threads;

	threads->items = mem_zalloc(count * sizeof(threads->items[0]));
	if (!threads->items)
		return false;
	threads->count = count;
	for (unsigned i = 0; i < count; i++) {
		struct worker_workflow_thread *thread = &threads->items[i];

		thread->worker = worker;
		thread->here = here;
		thread->turn.run = turn;
		thread->last = &thread->first;
		pthread_mutex_init(&thread->lock, NULL);
		pthread_cond_init(&thread->work, NULL);
	}
	return true;
}

/* Waits for runs; NULL: there will be none. */
static struct worker_run *take_all(struct worker_workflow_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	/* A quiet post has left `sleeps` set: only a wake-up that was meant, or the end, counts. */
	if (!thread->first) {
		thread->sleeps = true;
		while (thread->sleeps && !thread->stop)
			pthread_cond_wait(&thread->work, &thread->lock);
	}
	thread->sleeps = false;
	thread->quiet = 0;
	struct worker_run *first = thread->first;

	thread->first = NULL;
	thread->last = &thread->first;
	pthread_mutex_unlock(&thread->lock);
	return first;
}

static void work_off(struct worker_run *run)
{
	while (run) {
		struct worker_run *next =
			run->queue_next; /* the run is the loop's after its work */

		worker_run_work(run);
		run = next;
	}
}

static struct worker_run *take_here(struct worker_workflow_thread *thread)
{
	struct worker_run *first = thread->first;

	thread->first = NULL;
	thread->last = &thread->first;
	return first;
}

static struct worker_run *take_one(struct worker_workflow_thread *thread)
{
	struct worker_run *first = thread->first;

	thread->first = first->queue_next;
	if (!thread->first)
		thread->last = &thread->first;
	return first;
}

/*
 * A run that comes again while it is worked on, since its local activities are over already, goes
 * on before the others: what it needs is in the processor's cache. So many times in all; then the
 * network has its turn.
 */
static void turn(struct rpc_task *task)
{
	struct worker_workflow_thread *thread =
		(struct worker_workflow_thread *)((char *)task -
						  offsetof(struct worker_workflow_thread, turn));
	unsigned left = WORKER_TURN_AGAIN;

	for (struct worker_run *rest = take_here(thread), *next; rest; rest = next) {
		next = rest->queue_next;
		worker_run_work(rest);
		for (; thread->first && left > 0; left--)
			worker_run_work(take_one(thread));
	}
	thread->turn_posted = thread->first;
	if (thread->turn_posted)
		rpc_loop_post(thread->worker->loop, &thread->turn);
}

static void *work(void *arg)
{
	struct worker_workflow_thread *thread = arg;

	for (struct worker_run *run = take_all(thread); run; run = take_all(thread))
		work_off(run);
	wf_thread_free(thread->wf);
	thread->wf = NULL;
	return NULL;
}

static bool start(struct worker_workflow_thread *thread)
{
	thread->wf = wf_thread_new(&thread->worker->wf);
	if (!thread->wf)
		return false;
	if (thread->here || worker_thread_start(&thread->thread, "temporal-wf", 0, work, thread))
		return true;
	wf_thread_free(thread->wf);
	thread->wf = NULL;
	return false;
}

struct worker_workflow_thread *worker_workflow_threads_pick(struct worker_workflow_threads *threads)
{
	struct worker_workflow_thread *best = &threads->items[0];

	for (unsigned i = 1; i < threads->count; i++) {
		if (threads->items[i].runs < best->runs)
			best = &threads->items[i];
	}
	if (!best->running)
		best->running = start(best);
	/* When there are no more threads, the first one does it all. */
	if (!best->running)
		best = &threads->items[0];
	return best->running ? best : NULL;
}

void worker_workflow_thread_post(
	struct worker_workflow_thread *thread, struct worker_run *run, bool quiet)
{
	run->queue_next = NULL;
	if (thread->here) {
		*thread->last = run;
		thread->last = &run->queue_next;
		if (!thread->turn_posted)
			rpc_loop_post(thread->worker->loop, &thread->turn);
		thread->turn_posted = true;
		return;
	}
	pthread_mutex_lock(&thread->lock);
	*thread->last = run;
	thread->last = &run->queue_next;
	bool wakes = thread->sleeps && (!quiet || ++thread->quiet >= WORKER_QUIET_POSTS);

	if (wakes)
		thread->sleeps = false;
	pthread_mutex_unlock(&thread->lock);
	if (wakes)
		pthread_cond_signal(&thread->work);
}

void worker_workflow_thread_wake(struct worker_workflow_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	bool wakes = thread->sleeps && thread->first;

	thread->sleeps = thread->sleeps && !wakes;
	pthread_mutex_unlock(&thread->lock);
	if (wakes)
		pthread_cond_signal(&thread->work);
}

void worker_workflow_threads_wake(struct worker_workflow_threads *threads)
{
	for (unsigned i = 0; i < threads->count; i++)
		worker_workflow_thread_wake(&threads->items[i]);
}

static void stop(struct worker_workflow_thread *thread)
{
	if (thread->here) {
		wf_thread_free(thread->wf);
		return;
	}
	pthread_mutex_lock(&thread->lock);
	thread->stop = true;
	pthread_mutex_unlock(&thread->lock);
	pthread_cond_signal(&thread->work);
	pthread_join(thread->thread, NULL);
}

void worker_workflow_threads_finish(struct worker_workflow_threads *threads)
{
	for (unsigned i = 0; i < threads->count; i++) {
		struct worker_workflow_thread *thread = &threads->items[i];

		if (thread->running)
			stop(thread);
		pthread_cond_destroy(&thread->work);
		pthread_mutex_destroy(&thread->lock);
	}
	mem_free(threads->items);
	*threads = (struct worker_workflow_threads){ 0 };
}
