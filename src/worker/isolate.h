/*
 * isolate.h: attempts of activities in child processes, as the worker sees it. Any thread, unless
 * said otherwise.
 *
 *	worker ----control---- helper        re-executed from the program itself, one thread
 *	  |                     | fork
 *	  +------socket------ child, child, ...    each runs one attempt at a time
 */
#ifndef WORKER_ISOLATE_H
#define WORKER_ISOLATE_H

#include <stdbool.h>
#include <stdint.h>

#include <temporal/activity.h>
#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/error.h>

struct act;
struct isolate_pool;
struct isolate_process;
struct isolate_shared;
struct temporal_worker;
struct temporal_worker_opts;

/* Is this activity to be run in a child process? */
bool worker_isolates(
	const struct temporal_worker_opts *opts, const struct temporal_activity *activity);

/* Can what the options ask for be done? INVALID_ARGUMENT if not. */
enum temporal_code worker_isolate_check(
	const struct temporal_worker_opts *opts, struct temporal_error *err);

/* The same of its interceptors, once they were picked and the pool was made. */
enum temporal_code worker_isolate_check_interceptors(
	const struct temporal_worker *worker, struct temporal_error *err);

/* The pool of a worker whose options ask for it; nothing is started. false: no memory. */
bool isolate_pool_init(struct temporal_worker *worker) __attribute__((warn_unused_result));
/* Ends all processes and waits for them; no attempt is under way. NULL is fine. */
void isolate_pool_finish(struct isolate_pool *pool);

/* A child that has nothing to do: an idle one, a new one, or when there may be no more the next
 * that is given back. NULL: no process can be had; `err` says why. */
struct isolate_process *isolate_take(struct isolate_pool *pool, struct temporal_error *err);
/* Back to the pool; `usable` false: it is dead, or does not do what it should and is killed. */
void isolate_give(struct isolate_process *process, bool usable);

int isolate_socket(const struct isolate_process *process);
struct isolate_shared *isolate_memory(const struct isolate_process *process);
uint64_t isolate_id(const struct isolate_process *process); /* no other of the pool's has it */
/* Tells the code in it; wakes act_wait. */
void isolate_tell(struct isolate_process *process, enum act_cancel_reason reason);
/* Ends it by SIGKILL. It is not given back meanwhile. */
void isolate_kill(struct isolate_process *process);

/* An attempt on its thread: runs it in a child process and waits for the outcome. As
 * worker_activity_call. */
const struct temporal_failure *isolate_attempt(struct act *act, Common__Payload **result);

/* With the attempt's lock held: its latest heartbeat becomes what is to be sent; false: that is the
 * latest already. */
bool isolate_heartbeats(struct act *act);
/* The same lock, loop: from here on the next one wakes the loop. false: there is one already. */
bool isolate_heartbeats_rest(struct act *act) __attribute__((warn_unused_result));

/* Loop: it was cancelled, and will be killed if it does not end within the grace. */
void isolate_cancelled(struct act *act);

#endif
