/*
 * thread.c: one place that makes the worker's threads.
 *
 * The mask is set before the thread exists, so that no signal of the process can reach it even
 * once. Signals that a thread causes itself (SIGSEGV and its like) and the profiler's stay open.
 * The locale object of "C" is built in: no memory.
 */
#include "worker/thread.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>

#include <sys/mman.h>

#include "base/mem.h"
#include "worker/crash.h"
#include "worker/limits.h"

struct start {
	const char *name;
	void *(*run)(void *arg);
	void *arg;
};

static _Thread_local bool is_ours;

bool worker_thread_is_ours(void)
{
	return is_ours;
}

static void *begin(void *arg)
{
	struct start start = *(struct start *)arg;
	struct worker_signal_stack stack = { 0 };
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);

	mem_free(arg);
	is_ours = true;
	if (crash_is_watched())
		worker_signal_stack_begin(&stack);
	if (c)
		uselocale(c);
	pthread_setname_np(pthread_self(), start.name);
	void *result = start.run(start.arg);

	worker_signal_stack_end(&stack);
	if (c) {
		uselocale(LC_GLOBAL_LOCALE);
		freelocale(c);
	}
	return result;
}

void worker_thread_block_signals(sigset_t *before)
{
	static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS,
		SIGPROF };
	sigset_t blocked;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		sigdelset(&blocked, open[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, before);
}

static int create(pthread_t *thread, size_t stack_size, struct start *start)
{
	pthread_attr_t attributes;
	int failed = pthread_attr_init(&attributes);

	if (failed)
		return failed;
	if (stack_size)
		pthread_attr_setstacksize(
			&attributes, stack_size); /* what is too small leaves the default */
	failed = pthread_create(thread, &attributes, begin, start);
	pthread_attr_destroy(&attributes);
	return failed;
}

bool worker_thread_start(
	pthread_t *thread, const char *name, size_t stack_size, void *(*run)(void *arg), void *arg)
{
	struct start *start = mem_alloc(sizeof(*start));
	sigset_t before;

	if (!start)
		return false;
	*start = (struct start){ name, run, arg };
	worker_thread_block_signals(&before);
	int failed = create(thread, stack_size, start);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed)
		mem_free(start);
	return failed == 0;
}

bool worker_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	int failed = pthread_cond_init(condition, &monotonic);

	pthread_condattr_destroy(&monotonic);
	return failed == 0;
}

struct timespec worker_time_in(int64_t ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	if (ms <= 0)
		return at;
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

void worker_signal_stack_begin(struct worker_signal_stack *stack)
{
	void *at = mmap(NULL, WORKER_SIGNAL_STACK, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	stack->own = (stack_t){ .ss_sp = at, .ss_size = WORKER_SIGNAL_STACK };
	if (at == MAP_FAILED || sigaltstack(&stack->own, &stack->before) != 0)
		stack->own.ss_sp = NULL;
}

void worker_signal_stack_end(struct worker_signal_stack *stack)
{
	if (!stack->own.ss_sp)
		return;
	sigaltstack(&stack->before, NULL);
	munmap(stack->own.ss_sp, stack->own.ss_size);
}
