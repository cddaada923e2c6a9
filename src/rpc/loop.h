/*
 * loop.h: one event loop (libuv) and the thread that runs it, or the caller who steps it.
 *
 * Everything that belongs to a loop is touched by its thread alone; other threads reach it by
 * rpc_loop_post.
 */
#ifndef RPC_LOOP_H
#define RPC_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <temporal/error.h>

struct rpc_loop;

/* A piece of work for the loop's thread. It is embedded in what it works on, and belongs to the
 * loop until it runs. */
struct rpc_task {
	void (*run)(struct rpc_task *task);
	struct rpc_task *next; /* rpc_loop's queue */
};

/* A timer of the loop; zeroed before first use. Touched by the loop's thread alone. Never early;
 * precision 1 ms. */
struct rpc_timer {
	void (*fire)(struct rpc_timer *timer);
	int64_t due_ns; /* CLOCK_MONOTONIC */
	struct rpc_loop *loop;
	bool armed;
	struct rpc_timer *child, *next, *prev; /* rpc_loop's heap */
};

/* A loop that nobody runs yet. NULL on failure. */
struct rpc_loop *rpc_loop_new(struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * Starts the loop's own thread, named `name` (at most 15 bytes), with all asynchronous signals
 * blocked. It runs until rpc_loop_free.
 */
enum temporal_code rpc_loop_start(struct rpc_loop *loop, const char *name,
	struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * For a caller's own loop instead of a thread: makes the caller's thread the loop's, until another
 * one steps it.
 */
enum temporal_code rpc_loop_adopt(struct rpc_loop *loop, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Has it no thread of its own? */
bool rpc_loop_is_adopted(const struct rpc_loop *loop);

/*
 * Of such a one: a descriptor that is readable when there is
 * something to do, the time in ms after which rpc_loop_step has to be called at the latest (-1:
 * none), and one step, which never blocks. Steps of several threads do not overlap: one that comes
 * while another is under way does nothing.
 */
int rpc_loop_fd(const struct rpc_loop *loop);
int rpc_loop_timeout_ms(struct rpc_loop *loop);
void rpc_loop_step(struct rpc_loop *loop);

/* As rpc_loop_step, but it waits until there is something to do. */
void rpc_loop_turn(struct rpc_loop *loop);

/* Stops and joins the thread; all that was posted has run, all that was opened on it must be
 * closed. NULL is fine. */
void rpc_loop_free(struct rpc_loop *loop);

/* Queues the task; wakes the loop if it may sleep. Any thread, never blocks, never runs the task
 * inside the call. */
void rpc_loop_post(struct rpc_loop *loop, struct rpc_task *task);

/* Is the caller the loop's thread? */
bool rpc_loop_here(const struct rpc_loop *loop);
/* And is the loop running: are we in one of its callbacks? */
bool rpc_loop_inside(const struct rpc_loop *loop);

/* CLOCK_MONOTONIC in ns. */
int64_t rpc_now_ns(void);

/* Arms the timer (again). Loop's thread. */
void rpc_timer_set(struct rpc_loop *loop, struct rpc_timer *timer, int64_t due_ns,
	void (*fire)(struct rpc_timer *));
void rpc_timer_stop(struct rpc_timer *timer);

#endif
