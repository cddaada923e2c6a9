/*
 * limits.h: the numbers of the worker: defaults of options, and limits that have none.
 */
#ifndef WORKER_LIMITS_H
#define WORKER_LIMITS_H

/* Defaults (see <temporal/worker.h>). */
#define WORKER_CACHED_WORKFLOWS     1000
#define WORKER_WORKFLOW_TASKS       100
#define WORKER_ACTIVITIES           100
#define WORKER_LOCAL_ACTIVITIES     100
#define WORKER_NEXUS_TASKS          100
#define WORKER_RESOURCE_SLOTS       10000
#define WORKER_RAMP_MS              50
#define WORKER_POLLERS              5
#define WORKER_SCALED_MIN           1
#define WORKER_SCALED_MAX           100
#define WORKER_POLL_RATIO           0.2
#define WORKER_STICKY_TIMEOUT_MS    10000
#define WORKER_HEARTBEAT_MAX_MS     60000
#define WORKER_HEARTBEAT_DEFAULT_MS 30000
#define WORKER_EAGER_ACTIVITIES     3
#define WORKER_WORKFLOW_THREADS     2
#define WORKER_ACTIVITY_STACK       (1024 * 1024)
#define WORKER_ISOLATE_GRACE_MS     5000
#define WORKER_DEADLOCK_MS          2000

/* What options may ask for. */
#define WORKER_TASKS_MAX            100000
#define WORKER_POLLERS_MAX          1000
#define WORKER_WORKFLOW_THREADS_MAX 256
#define WORKER_STACK_MIN            (16 * 1024)
#define WORKER_STACK_MAX            (1024L * 1024 * 1024)
#define WORKER_DURATION_MAX_MS      (INT64_C(100) * 365 * 24 * 3600 * 1000)
#define WORKER_NAME_MAX             1000 /* bytes of a queue's, type's or own name */

/* An activity thread without work ends after this time. */
#define WORKER_THREAD_IDLE_MS 10000
/* An activity that has not ended so long after the server must have given it up is cancelled here.
 */
#define WORKER_LOCAL_TIMEOUT_MS    5000
#define WORKER_ISOLATED_TIMEOUT_MS 100
/* A local activity that waits longer for its next attempt leaves that to a timer of its run. */
#define WORKER_LOCAL_RETRY_MS 60000
/* A workflow task that waits for local activities asks for more time after this part of it. */
#define WORKER_TASK_HEARTBEAT 0.8
/* An answer to a workflow task is cut into pages of this size; servers take 4 MiB. */
#define WORKER_PAGE_BYTES      (3L * 1024 * 1024)
#define WORKER_PAGE_LOSSES_MAX 3
/* Polls that the server has promised to end on shutdown are cancelled after this time all the same.
 */
#define WORKER_POLL_END_MS 5000
/* So many evictions may wait for the workflow thread to be woken by something else. */
#define WORKER_QUIET_POSTS 16
/* With workflow_threads OFF: so many steps at a time go to runs that were worked on just now. */
#define WORKER_TURN_AGAIN 128
/* The text of an event. */
#define WORKER_EVENT_TEXT_MAX 1024
/* First chunk of an activity's arena beyond its task. */
#define WORKER_ARENA_FIRST 512
/* Of a message between the worker and a child process: no task and no result is as large. */
#define WORKER_ISOLATE_MESSAGE_MAX (256UL * 1024 * 1024)
/* At a time, where slots come from a tuner and nobody has said how many. */
#define WORKER_ISOLATE_PROCESSES 10000
/* So often an attempt may meet a child process that has died while it was idle. */
#define WORKER_ISOLATE_TRIES 3
/* On which signal handlers run. */
#define WORKER_SIGNAL_STACK (64L * 1024)
/* How long the helper process is waited for at the end. */
#define WORKER_ISOLATE_END_MS 5000
/* What one activity may take by act_alloc. */
#define WORKER_ACTIVITY_MEMORY_MAX (256L * 1024 * 1024)

/* Bytes of an event's text in a line of the log, as written. */
#define WORKER_LOG_TEXT_MAX 1100

#endif
