/*
 * run_parts.h: what the files run*.c have of each other; the rest of the worker uses run.h. The
 * loop's thread unless said otherwise.
 */
#ifndef WORKER_RUN_PARTS_H
#define WORKER_RUN_PARTS_H

#include <stddef.h>

#include "worker/run.h"

static inline struct worker_run *worker_run_of(struct worker_cache_entry *entry)
{
	return (struct worker_run *)((char *)entry - offsetof(struct worker_run, entry));
}

/* Any thread: a message with the content of its arena. */
static inline struct worker_run_message worker_run_take_over(
	const void *message, struct arena *arena)
{
	struct worker_run_message moved = { message, *arena };

	*arena = (struct arena){ 0 };
	return moved;
}

static inline void worker_run_message_finish(struct worker_run_message *message)
{
	arena_finish(&message->arena);
	*message = (struct worker_run_message){ 0 };
}

/* Any thread: does the activation only remove the run? */
static inline bool worker_run_only_leaves(const struct activation *activation)
{
	return activation->n_jobs == 1 && activation->jobs[0].kind == JOB_REMOVE_FROM_CACHE;
}

/* ---- run.c ---- */

/* Does the run's next step, and those that follow from it at once. The run may be gone then. */
void worker_run_go(struct worker_run *run);

/* Hands it to its thread; if that is stuck, it leaves the thread instead. */
void worker_run_post(struct worker_run *run, enum worker_run_job job);

/* The thread has done its job. With workflow_threads OFF called by worker_run_work itself. */
void worker_run_came_back(struct rpc_task *task);

/* Its task is answered, or somebody else's. */
void worker_run_release_slot(struct worker_run *run);

/* Tells the channel that no reply drives this run any more. */
void worker_run_close_work(struct worker_run *run);

/* Gives a task, with its slot, to the run that it is for: in memory, or made anew. */
void worker_run_hand_out(struct temporal_worker *worker, struct worker_run_message task,
	const struct worker_slot *slot);

/* ---- run_answer.c ---- */

/* The step is ENGINE_FETCH_HISTORY: asks for the page. false: `err` says why it was not sent. */
bool worker_run_fetch(struct worker_run *run, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Sends what the step has made; false: it could not be sent, `err` says why, or (OK) there is
 * nothing to send. */
bool worker_run_answer(struct worker_run *run, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* ---- run_wait.c ---- */

/* The step is ENGINE_WAIT_LOCALS. */
void worker_run_wait(struct worker_run *run);
/* It waits no more, if it did. */
void worker_run_stop_waiting(struct worker_run *run);

/* ---- run_stuck.c ---- */

/* Its thread is stuck in another run. */
void worker_run_leave_thread(struct worker_run *run);

#endif
