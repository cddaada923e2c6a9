/*
 * task.h: what run.c needs of the workflow task that a run works on.
 */
#ifndef ENGINE_TASK_H
#define ENGINE_TASK_H

#include "engine/run.h"

/* Frees the run's task with all that was only for it. */
void task_end(struct engine_run *run);

/* Bytes held by a task; NULL holds none. */
size_t task_memory(const struct task *task);

#endif
