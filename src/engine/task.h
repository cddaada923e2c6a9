/*
 * task.h: the workflow task that a run works on: its memory (task.c) and the steps through it
 * (step.c).
 */
#ifndef ENGINE_TASK_H
#define ENGINE_TASK_H

#include "engine/run.h"

/* The run's new task; the arena, if any, is taken over. NULL when memory is out: it is freed then.
 */
struct task *task_new(struct engine_run *run, struct arena *arena);

/* Frees the run's task with all that was only for it. */
void task_end(struct engine_run *run);

/* Bytes held by a task; NULL holds none. */
size_t task_memory(const struct task *task);

/* Goes on as far as it can without the caller. Whatever has failed is dealt with too. */
struct engine_step step_settle(struct engine_run *run);

/* The task has failed (run->task->failure says why). */
struct engine_step step_fail(struct engine_run *run);

/* The task is over: idle, or on to the eviction that is wanted. */
struct engine_step step_idle(struct engine_run *run);

/* The workflow gets the job to go; or EVICT at once, if no workflow was ever made. */
struct engine_step step_evict(struct engine_run *run);

/* Without even a task to say it with. The server lets the task time out. */
struct engine_step step_no_memory(struct engine_run *run);

/* The run is to leave the cache as soon as its task is over. */
void run_want_eviction(struct engine_run *run, enum eviction_reason reason, const char *message);

#endif
