/*
 * isolate_helper.h: the helper process: how it is told what to do, and its main. What it forks
 * goes on in isolate_child.h.
 */
#ifndef WORKER_ISOLATE_HELPER_H
#define WORKER_ISOLATE_HELPER_H

#include <stdbool.h>
/* By which temporal_isolate_main knows that the program was executed as the helper; the helper's
 * end of the control socket. */
#define ISOLATE_FLAG       "--temporal-isolate-helper"
#define ISOLATE_CONTROL_FD 3

/* Has temporal_isolate_main been called in this program? */
bool isolate_is_prepared(void);

#endif
