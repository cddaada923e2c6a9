/*
 * crash.h: what runs on the calling thread, for a handler of crashes to name it. Any thread of
 * ours.
 */
#ifndef WORKER_CRASH_H
#define WORKER_CRASH_H

#include <stdbool.h>

struct act;
struct wf_thread;

/* Is a handler installed? Then threads that are started need a stack for it. */
bool crash_is_watched(void);

/* The thread runs this activity from now on; NULL: none. */
void crash_runs_activity(const struct act *act);
/* The thread runs workflow code from now on; NULL: no more. */
void crash_runs_workflows(const struct wf_thread *thread);

#endif
