/*
 * watchdog.h: notices workflow code that computes without end. The loop's thread.
 */
#ifndef WORKER_WATCHDOG_H
#define WORKER_WATCHDOG_H

struct temporal_worker;

/* A workflow thread has got something to do: looks after it until all of them sleep. */
void worker_watchdog_look(struct temporal_worker *worker);
void worker_watchdog_stop(struct temporal_worker *worker);

#endif
