/*
 * metrics.h: what a server counts, under the official server's names where they mean the same. A
 * server without metrics has server->metrics NULL: each of the calls below then costs a branch.
 *
 * Loop's thread, but for the start and the end.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/metrics.h"
#include "server/state.h"

struct server_metrics;
struct store_opts;

/* Part of a server's start, before its store: it counts from here on. NULL metrics: nothing is
 * counted. False: memory is out. */
bool server_metrics_init(struct server *server, struct temporal_metrics *metrics)
	__attribute__((warn_unused_result));
/* Its loop runs from here on: the gauges are read on it. `post` runs on any thread, and has to lead
 * to server_metrics_collect() on the loop's. */
void server_metrics_started(struct server *server, void (*post)(void *user), void *user);
/* Nobody reads any more; before the loop ends, or if it never began. */
void server_metrics_stopped(struct server *server);
void server_metrics_finish(struct server *server);
/* What the store counts itself. */
void server_metrics_store(const struct server *server, struct store_opts *opts);

/* The gauges as they are now. */
void server_metrics_collect(struct server *server);

void server_metrics_begins_(struct request *request);
void server_metrics_ends_(struct request *request);
void server_metrics_polled_(struct task_queue *queue, bool task);
void server_metrics_closed_(const struct execution *execution);
void server_metrics_forget_(struct task_queue *queue);

/* A call comes, and is answered. Those that come over HTTP are of no method. */
static inline void server_metrics_begins(struct request *request)
{
	if (request->server->metrics && request->method)
		server_metrics_begins_(request);
}

static inline void server_metrics_ends(struct request *request)
{
	if (request->op)
		server_metrics_ends_(request);
}

/* A poll of the queue ends, with a task or without. */
static inline void server_metrics_polled(struct task_queue *queue, bool task)
{
	if (queue->server->metrics)
		server_metrics_polled_(queue, task);
}

/* The queue goes. Its gauges are not left at what they were. */
static inline void server_metrics_forget(struct task_queue *queue)
{
	if (queue->metrics)
		server_metrics_forget_(queue);
}

/* A run has ended. */
static inline void server_metrics_closed(const struct execution *execution)
{
	if (execution->server->metrics)
		server_metrics_closed_(execution);
}

#endif
