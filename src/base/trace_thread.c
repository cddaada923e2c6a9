/*
 * trace_thread.c: the stack of another thread, which has to tell it itself, in a signal handler.
 *
 * The signal is SIGURG: by default it is ignored, so one that comes late, after the handler has
 * been taken away again, does no harm. The handler is there only while a trace is wanted, and calls
 * what was there before when the signal was not ours. One trace at a time in a process.
 *
 *	asker: WANTED, signal, waits .... reads the frames, IDLE
 *	thread:            handler: TAKEN, frames, done
 *
 * Whoever of both comes first takes the request out of WANTED; so after the asker has given up, the
 * handler touches nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/trace.h"

#define WAIT_NS 100000000L

enum {
	IDLE,
	WANTED,
	TAKEN
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	atomic_int state;
	pthread_t thread;
	void *frames[TRACE_FRAMES_MAX];
	size_t count;
	sem_t done;
	struct sigaction before;
} request; /* lock; from WANTED to done the thread's */

static void pass_on(int number, siginfo_t *info, void *context)
{
	if (request.before.sa_flags & SA_SIGINFO)
		request.before.sa_sigaction(number, info, context);
	else if (request.before.sa_handler != SIG_DFL && request.before.sa_handler != SIG_IGN)
		request.before.sa_handler(number);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	int wanted = WANTED, saved = errno;

	if (!pthread_equal(request.thread, pthread_self()) ||
		!atomic_compare_exchange_strong(&request.state, &wanted, TAKEN)) {
		pass_on(number, info, context);
	} else {
		request.count = trace_take(request.frames, TRACE_FRAMES_MAX, context);
		sem_post(&request.done);
	}
	errno = saved;
}

void trace_allow(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* false: it does not answer, and will not any more. */
static bool wait_for_it(void)
{
	struct timespec until;
	int wanted = WANTED, failed;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	do {
		failed = sem_timedwait(&request.done, &until);
	} while (failed && errno == EINTR);
	if (!failed)
		return true;
	if (atomic_compare_exchange_strong(&request.state, &wanted, IDLE))
		return false;
	while (sem_wait(&request.done) != 0) /* it is at it */
		continue;
	return true;
}

size_t trace_of_thread(pthread_t thread, void **frames, size_t max)
{
	struct sigaction action = { .sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	size_t count = 0;

	trace_prepare();
	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&lock);
	request.thread = thread;
	request.count = 0;
	sem_init(&request.done, 0, 0);
	if (sigaction(SIGURG, &action, &request.before) == 0) {
		atomic_store(&request.state, WANTED);
		if (pthread_kill(thread, SIGURG) == 0 && wait_for_it())
			count = request.count < max ? request.count : max;
		for (size_t i = 0; i < count; i++)
			frames[i] = request.frames[i];
		atomic_store(&request.state, IDLE);
		sigaction(SIGURG, &request.before, NULL);
	}
	sem_destroy(&request.done);
	pthread_mutex_unlock(&lock);
	return count;
}
