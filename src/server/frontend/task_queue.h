/*
 * task_queue.h: what the calls about task queues share.
 */
#ifndef SERVER_FRONTEND_TASK_QUEUE_H
#define SERVER_FRONTEND_TASK_QUEUE_H

#include "server/frontend/frontend.h"

#define TASK_QUEUE_RESERVED "/_sys/" /* how names of partitions begin */

/* False: answered, the queue has no name, one that is too long, or one of a partition. */
bool task_queue_named(struct request *request, const Taskqueue__TaskQueue *queue);
/* ... which may be one of a partition. */
bool task_queue_named_any(struct request *request, const Taskqueue__TaskQueue *queue);
/* False: answered, the caller of a long poll is gone before there could be an answer. */
bool task_queue_patient(struct request *request);

enum matching_queue_kind task_queue_kind(Enums__TaskQueueType type);

/* What a poll tells of its worker; each part may be missing (NULL). */
struct stats_poll task_queue_poll(const char *identity,
	const Common__WorkerVersionCapabilities *capabilities,
	const Deployment__WorkerDeploymentOptions *options,
	const Taskqueue__TaskQueueMetadata *metadata);

#endif
