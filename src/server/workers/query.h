/*
 * query.h: the filter of ListWorkers on one worker: comparisons of texts and times, AND, OR.
 */
#ifndef SERVER_WORKERS_QUERY_H
#define SERVER_WORKERS_QUERY_H

#include <stdbool.h>

#include "base/arena.h"
#include "temporal/api/worker/v1/message.pb-c.h"

enum worker_verdict {
	WORKER_NO,
	WORKER_YES,
	WORKER_UNKNOWN,   /* the query asks for what there is not: as no */
	WORKER_MALFORMED, /* it is no query */
};

/* An empty query: yes. What is made for it is in the arena. Any thread. */
enum worker_verdict worker_query(
	struct arena *arena, const char *query, const Worker__WorkerHeartbeat *worker);

#endif
