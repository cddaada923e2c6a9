/*
 * bench.h: what the two halves of bench_worker share.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <temporal/workflow.h>

extern const struct temporal_workflow *const bench_workflows[]; /* NULL-terminated */

/*
 * Replays the history (a binary protobuf temporal.api.history.v1.History in `file`) so many times
 * and prints one line of JSON about it. Returns the exit status.
 */
int bench_replay(const char *file, int times);

#endif
