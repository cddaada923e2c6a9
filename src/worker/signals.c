/*
 * signals.c: SIGINT and SIGTERM while temporal_worker_run waits, for workers that want it.
 *
 * The handler does two things, both safe there: it writes to the descriptor of each waiting worker,
 * and it restores what the signal did before, so that a second Ctrl-C ends a program whose
 * activities do not. The table is fixed, so that the handler needs no lock.
 *
 * A forked child has neither the workers nor a right to their descriptors: there the signals do
 * again what they did before. They are blocked for as long as it takes to arrange that.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/worker.h"

#define WORKERS_MAX 64

static const int numbers[] = { SIGINT, SIGTERM };
#define N_SIGNALS (sizeof(numbers) / sizeof(numbers[0]))

static _Atomic int waiting[WORKERS_MAX]; /* descriptor + 1; 0: free */
static struct sigaction before[N_SIGNALS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned registered;   /* lock */
static sigset_t mask_of_fork; /* lock: of the thread that forks */

static void on_signal(int number)
{
	const uint64_t one = 1;
	int saved = errno;

	for (size_t i = 0; i < N_SIGNALS; i++) {
		if (numbers[i] == number)
			sigaction(number, &before[i], NULL);
	}
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		int fd = atomic_load(&waiting[i]) - 1;

		if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
			continue; /* full: it is readable already */
	}
	errno = saved;
}

static void install(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(numbers[i], &action, &before[i]);
}

/* Unless somebody has put another handler there in the meantime. */
static void uninstall(void)
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		struct sigaction now;

		if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == on_signal)
			sigaction(numbers[i], &before[i], NULL);
	}
}

static void before_fork(void)
{
	sigset_t ours;

	pthread_mutex_lock(&lock);
	sigemptyset(&ours);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaddset(&ours, numbers[i]);
	pthread_sigmask(SIG_BLOCK, &ours, &mask_of_fork);
}

static void in_parent(void)
{
	pthread_sigmask(SIG_SETMASK, &mask_of_fork, NULL);
	pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		int fd = atomic_exchange(&waiting[i], 0) - 1;

		if (fd >= 0)
			close(fd);
	}
	if (registered > 0)
		uninstall();
	registered = 0;
	in_parent();
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

static bool enter(int fd)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		int unused = 0;

		if (atomic_compare_exchange_strong(&waiting[i], &unused, fd + 1))
			return true;
	}
	return false;
}

int worker_signals_register(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -1;
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	bool entered = enter(fd);

	if (entered && registered++ == 0)
		install();
	pthread_mutex_unlock(&lock);
	if (entered)
		return fd;
	close(fd);
	return -1;
}

void worker_signals_unregister(int fd)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		int entered = fd + 1;

		atomic_compare_exchange_strong(&waiting[i], &entered, 0);
	}
	if (--registered == 0)
		uninstall();
	pthread_mutex_unlock(&lock);
	close(fd);
}
