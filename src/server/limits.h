/*
 * limits.h: every limit and default duration of the server, in one place. The numbers are those of
 * the official server's dynamic configuration.
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stdint.h>

/* Sizes, in bytes. */
#define SERVER_BLOB_MAX              (2 * 1024 * 1024)
#define SERVER_MEMO_MAX              (2 * 1024 * 1024)
#define SERVER_COMPLETION_MAX        (40 * 1024 * 1024)
#define SERVER_HISTORY_SIZE_MAX      (50 * 1024 * 1024)
#define SERVER_STATE_SIZE_MAX        (8 * 1024 * 1024) /* of what a run keeps beside its history */
#define SERVER_HISTORY_SIZE_SUGGEST  (4 * 1024 * 1024)
#define SERVER_HISTORY_COUNT_MAX     51200
#define SERVER_HISTORY_COUNT_SUGGEST 4096
#define SERVER_ACTIVITY_FAILURE_MAX \
	(4 * 1024) /* of a failure that is kept for the next attempt \
						 */
#define SERVER_BUFFERED_MAX         100
#define SERVER_ID_MAX               1000
#define SERVER_LINK_MAX             4000
#define SERVER_FAIRNESS_KEY_MAX     64
#define SERVER_FAIRNESS_WEIGHTS_MAX 1000 /* of one task queue */

#define SERVER_IDLE_QUEUES_MAX 10000 /* task queues beyond it: those that nobody needs go at once */

/* Numbers, of one run. */
#define SERVER_PENDING_ACTIVITIES_MAX 2000
#define SERVER_SIGNALS_MAX            10000
#define SERVER_PENDING_CHILDREN_MAX   2000
#define SERVER_PENDING_EXTERNAL_MAX   2000 /* signals; and as many requests to cancel */
#define SERVER_QUERIES_MAX            100
#define SERVER_RESET_POINTS_MAX       20
#define SERVER_BAD_BINARIES_MAX       10 /* of a namespace */
#define SERVER_UPDATES_OPEN_MAX       10
#define SERVER_UPDATES_MAX            2000
#define SERVER_UPDATES_SUGGEST        90                 /* % of that: continue as new */
#define SERVER_UPDATES_SIZE_MAX       (20 * 1024 * 1024) /* bytes, of those without an outcome */
#define SERVER_SPECULATIVE_EVENTS_MAX 10 /* that are sent out with a task and forgotten again */

/* Nexus. */
#define SERVER_NEXUS_PENDING_MAX       30
#define SERVER_NEXUS_TOKEN_MAX         4096
#define SERVER_NEXUS_HEADER_MAX        8192
#define SERVER_NEXUS_ENDPOINT_NAME_MAX 200
#define SERVER_NEXUS_ENDPOINT_URL_MAX  4096
#define SERVER_NEXUS_DESCRIPTION_MAX   20000
#define SERVER_NEXUS_PAGE              100
#define SERVER_NEXUS_PAGE_MAX          1000
#define SERVER_NEXUS_CALLBACKS_MAX     2000
#define SERVER_NEXUS_CALLBACK_URL_MAX  1000
#define SERVER_NEXUS_CALL_MS           10000 /* a request to a handler may take */
#define SERVER_NEXUS_CALL_MIN_MS       1500  /* with less time left none is made */
#define SERVER_NEXUS_CALL_SLACK_MS     1000  /* the handler gets less: its answer is in time */
#define SERVER_LINKS_MAX               10    /* of one request */

/* Workers that are known, and what they tell of themselves. */
#define SERVER_WORKERS_MAX          10000
#define SERVER_WORKERS_BYTES        (16 * 1024 * 1024)
#define SERVER_WORKER_HEARTBEAT_MAX (64 * 1024)
#define SERVER_WORKER_NS            (INT64_C(300) * 1000000000) /* silent for so long: gone */

/* Pages and lists. */
#define SERVER_HISTORY_PAGE_MAX  256
#define SERVER_NAMESPACE_PAGE    100
#define SERVER_LIST_PAGE_MAX     1000
#define SERVER_PARTITIONS        4 /* of a task queue, as they are listed */
#define SERVER_ARCHIVED_PAGE_MAX 10000

/* Durations. */
#define SERVER_POLL_MS             60000 /* of a task poll that finds nothing */
#define SERVER_POLL_LEAST_MS       2000  /* a task poll that waits for less is refused */
#define SERVER_POLL_SLACK_MS       1000  /* such a poll is answered before its caller gives up */
#define SERVER_HISTORY_POLL_MS     20000
#define SERVER_UPDATE_POLL_MS      20000
#define SERVER_DEADLINE_GRACE_MS   100     /* after a caller's deadline: it has given up itself */
#define SERVER_TASK_HEARTBEAT_MS   1800000 /* for which a worker may say that it is at a task */
#define SERVER_SPECULATIVE_MS      5000    /* until a task for an update has to be taken */
#define SERVER_TASK_TIMEOUT_MS     10000   /* of a workflow task, by default */
#define SERVER_TASK_TIMEOUT_MAX_MS 120000
#define SERVER_TASK_RETRY_MS       5000 /* by which the timeout of a failing task grows at first */
#define SERVER_TASK_PROBLEMS       5    /* failures in a row that are reported */
#define SERVER_TASK_RETRY_MAX_MS   600000
/* Advice on the number of pollers. */
#define SERVER_POLLER_IDLE_NS    INT64_C(1000000000) /* one that waits so long is one too many */
#define SERVER_POLLER_BACKLOG_NS INT64_C(200000000)  /* tasks that wait so long need one more */
#define SERVER_POLLER_RATIO      1.2   /* ... as do more tasks that come than go, by so much */
#define SERVER_POLLER_DECISIONS  10    /* a second and poller */
#define SERVER_STICKY_POLLER_MS  10000 /* a sticky queue without a poll for so long is dead */
#define SERVER_RETRY_INTERVAL_MS 1000
#define SERVER_RETRY_COEFFICIENT 2.0
#define SERVER_RETRY_MAX_FACTOR  100
#define SERVER_RETENTION_MS      INT64_C(86400000)
#define SERVER_RETENTION_MIN_MS  INT64_C(3600000)
#define SERVER_STOP_GRACE_MS     1000
#define SERVER_SKIP_HOLD_MS      20 /* without a jump in time after a caller was told of an end */

/* Runs that have ended. */
#define SERVER_CLOSED_CACHE_BYTES (4 * 1024 * 1024) /* of them in memory */
#define SERVER_CLOSED_CACHE_SMALL (512 * 1024)      /* ... when the store is in memory too */
#define SERVER_EXPIRE_BATCH       100               /* are deleted at a time when they expire */
#define SERVER_RUN_INTERVAL_MS    1000 /* between the runs of a chain, so that none spins */

/* Who an event names when the server itself acts. */
#define SERVER_HISTORY_IDENTITY "history-service"
#define SERVER_RESET_IDENTITY   "history-resetter"

#endif
