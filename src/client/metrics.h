/*
 * metrics.h: what a client counts: its requests, by method.
 */
#ifndef CLIENT_METRICS_H
#define CLIENT_METRICS_H

#include "base/metrics.h"
#include "rpc/channel.h"

struct client_metrics;

/* The bounds of histograms that have none of their own, in ms, as in all SDKs. */
extern const int64_t client_metrics_bounds[];
#define CLIENT_METRICS_BOUNDS 6

/* Of one process's link; borrows the namespace and the metrics, which have to outlive it. NULL: no
 * memory. */
struct client_metrics *client_metrics_new(struct temporal_metrics *metrics, const char *namespace_)
	__attribute__((warn_unused_result));
/* NULL is fine; the channel is closed. */
void client_metrics_free(struct client_metrics *metrics);

/* Goes to the channel. */
struct rpc_observer *client_metrics_observer(struct client_metrics *metrics);

#endif
