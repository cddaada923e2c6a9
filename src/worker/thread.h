/*
 * thread.h: starting threads as all of the worker's are: asynchronous signals blocked, the C
 * locale, a name.
 */
#ifndef WORKER_THREAD_H
#define WORKER_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* false: there are no more threads. `name` has at most 15 bytes and is a constant; `stack_size` 0
 * is the system's. */
bool worker_thread_start(pthread_t *thread, const char *name, size_t stack_size,
	void *(*run)(void *arg), void *arg) __attribute__((warn_unused_result));

/* A condition whose timed waits go by the monotonic clock, and a time on it so many ms from now
 * (none or negative: now). */
bool worker_condition_init(pthread_cond_t *condition) __attribute__((warn_unused_result));
struct timespec worker_time_in(int64_t ms);
/* Blocks for the calling thread what is blocked in all of them; `before` may be NULL. */
void worker_thread_block_signals(sigset_t *before);

/* A stack for the signal handlers of the calling thread, which may be deep in its own, or at its
 * end; without memory there is none. The thread gives it back before it ends. */
struct worker_signal_stack {
	stack_t own, before;
};
void worker_signal_stack_begin(struct worker_signal_stack *stack);
void worker_signal_stack_end(struct worker_signal_stack *stack); /* a zeroed one is fine */

/* Is the caller a thread that worker_thread_start has made? It must not wait for a worker. */
bool worker_thread_is_ours(void);

#endif
