/*
 * workflow_thread.c: a queue of runs, and the thread that works them off.
 *
 * A thread takes one run after the other, so that the rest of the queue can be taken away from one
 * that is stuck (watchdog.c), and is woken only when it sleeps. Threads are started with the first
 * run that needs them: a worker that is idle, or has only activities, has none. With
 * workflow_threads OFF the one "thread" is the loop's: its queue is worked off by a task of the
 * loop.
 */
#include "worker/workflow_thread.h"

#include "base/mem.h"
#include "base/trace.h"
#include "worker/crash.h"
#include "worker/limits.h"
#include "worker/run.h"
#include "worker/thread.h"
#include "worker/watchdog.h"
#include "worker/worker.h"

static void turn(struct rpc_task *task);

static struct worker_workflow_thread *thread_new(struct temporal_worker *worker)
{
	struct worker_workflow_thread *thread = mem_zalloc(sizeof(*thread));

	if (!thread)
		return NULL;
	thread->worker = worker;
	thread->here = worker->opts.workflow_threads == 0;
	thread->watched = worker->opts.deadlock_timeout_ms > 0;
	thread->turn.run = turn;
	thread->last = &thread->first;
	pthread_mutex_init(&thread->lock, NULL);
	pthread_cond_init(&thread->work, NULL);
	return thread;
}

static void thread_free(struct worker_workflow_thread *thread)
{
	pthread_cond_destroy(&thread->work);
	pthread_mutex_destroy(&thread->lock);
	mem_free(thread);
}

bool worker_workflow_threads_init(struct temporal_worker *worker)
{
	struct worker_workflow_threads *threads = &worker->workflow_threads;
	int32_t wanted = worker->opts.workflow_threads;
	unsigned count = wanted ? (unsigned)wanted : 1;

	threads->items = mem_zalloc(count * sizeof(threads->items[0]));
	for (; threads->items && threads->count < count; threads->count++) {
		threads->items[threads->count] = thread_new(worker);
		if (!threads->items[threads->count])
			return false;
	}
	return threads->items != NULL;
}

static struct worker_run *take_one(struct worker_workflow_thread *thread)
{
	struct worker_run *first = thread->first;

	thread->first = first->queue_next;
	if (!thread->first)
		thread->last = &thread->first;
	return first;
}

/* Waits for a run; NULL: there will be none. */
static struct worker_run *take_next(struct worker_workflow_thread *thread)
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
	struct worker_run *run = thread->first ? take_one(thread) : NULL;

	pthread_mutex_unlock(&thread->lock);
	return run;
}

static struct worker_run *take_here(struct worker_workflow_thread *thread)
{
	struct worker_run *first = thread->first;

	thread->first = NULL;
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

	crash_runs_workflows(thread->wf);
	for (struct worker_run *rest = take_here(thread), *next; rest; rest = next) {
		next = rest->queue_next;
		worker_run_work(rest);
		for (; thread->first && left > 0; left--)
			worker_run_work(take_one(thread));
	}
	crash_runs_workflows(NULL);
	thread->turn_posted = thread->first;
	if (thread->turn_posted)
		rpc_loop_post(thread->worker->loop, &thread->turn);
}

static void *work(void *arg)
{
	struct worker_workflow_thread *thread = arg;
	struct worker_signal_stack stack = { 0 };

	crash_runs_workflows(thread->wf);
	if (thread->watched) {
		worker_signal_stack_begin(&stack);
		trace_allow();
	}
	for (struct worker_run *run = take_next(thread); run; run = take_next(thread))
		worker_run_work(run);
	crash_runs_workflows(NULL);
	wf_thread_free(thread->wf);
	thread->wf = NULL;
	worker_signal_stack_end(&stack);
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
	struct worker_workflow_thread *best = threads->items[0];

	for (unsigned i = 1; i < threads->count; i++) {
		if (threads->items[i]->runs < best->runs)
			best = threads->items[i];
	}
	if (!best->running)
		best->running = start(best);
	/* When there are no more threads, the first one does it all. */
	if (!best->running)
		best = threads->items[0];
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
	if (thread->watched)
		worker_watchdog_look(thread->worker);
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
		worker_workflow_thread_wake(threads->items[i]);
}

/* ---- for the watchdog ---- */

void worker_workflow_thread_enter(struct worker_workflow_thread *thread, struct worker_run *run)
{
	thread->working = run;
	atomic_store_explicit(&thread->activation, ++thread->activations, memory_order_release);
}

/* When the watchdog has won, it may still be about to look at the run: not before it is done. */
bool worker_workflow_thread_leave(struct worker_workflow_thread *thread)
{
	uint64_t mine = thread->activations;

	if (atomic_compare_exchange_strong(&thread->activation, &mine, 0))
		return true;
	pthread_mutex_lock(&thread->lock);
	pthread_mutex_unlock(&thread->lock);
	return false;
}

bool worker_workflow_thread_sleeps(struct worker_workflow_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	bool sleeps = thread->sleeps;

	pthread_mutex_unlock(&thread->lock);
	return sleeps;
}

struct worker_run *worker_workflow_threads_replace(
	struct worker_workflow_threads *threads, unsigned i, struct worker_run **queued)
{
	struct worker_workflow_thread *thread = threads->items[i], *fresh;
	struct worker_run *run = NULL;
	uint64_t seen = thread->seen;

	fresh = thread_new(thread->worker);
	if (!fresh)
		return NULL;
	pthread_mutex_lock(&thread->lock);
	if (atomic_compare_exchange_strong(&thread->activation, &seen, WORKER_ACTIVATION_STUCK)) {
		run = thread->working;
		*queued = take_here(thread);
	}
	pthread_mutex_unlock(&thread->lock);
	if (!run) {
		thread_free(fresh);
		return NULL;
	}
	thread->stuck = true;
	thread->next_stuck = threads->stuck;
	threads->stuck = thread;
	threads->items[i] = fresh;
	return run;
}

/* ---- the end ---- */

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

static void thread_end(struct worker_workflow_thread *thread)
{
	if (thread->running)
		stop(thread);
	thread_free(thread);
}

/* It has come back, and has nothing to do any more: this does not wait for long. */
static void retire(struct worker_workflow_threads *threads, struct worker_workflow_thread *thread)
{
	struct worker_workflow_thread **link = &threads->stuck;

	while (*link != thread)
		link = &(*link)->next_stuck;
	*link = thread->next_stuck;
	thread_end(thread);
}

void worker_workflow_thread_unpin(struct worker_workflow_thread *thread)
{
	thread->runs--;
	if (thread->stuck && thread->runs == 0)
		retire(&thread->worker->workflow_threads, thread);
}

void worker_workflow_threads_finish(struct worker_workflow_threads *threads)
{
	for (unsigned i = 0; i < threads->count; i++)
		thread_end(threads->items[i]);
	while (threads->stuck) {
		struct worker_workflow_thread *thread = threads->stuck;

		threads->stuck = thread->next_stuck;
		thread_end(thread);
	}
	mem_free(threads->items);
	*threads = (struct worker_workflow_threads){ 0 };
}
