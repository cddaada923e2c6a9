/*
 * config.h: what operators have set of a task queue: rates, and weights of fairness keys.
 */
#ifndef SERVER_MATCHING_CONFIG_H
#define SERVER_MATCHING_CONFIG_H

#include "base/arena.h"
#include "server/matching/matching.h"
#include "temporal/api/taskqueue/v1/message.pb-c.h"

#define CONFIG_SPACE 15 /* of the store's settings */

/* As a message in the arena; an empty one if nothing is set. NULL: memory is out. */
Taskqueue__TaskQueueConfig *matching_config(const struct task_queue *queue, struct arena *arena);

/* Sets it: it takes effect now, and is in the journal. */
void matching_config_set(struct task_queue *queue, const Taskqueue__TaskQueueConfig *config);

/* The rate that is set for the whole queue. False: none is. */
bool matching_config_rate(const struct task_queue *queue, double *per_second);
/* The weight that is set for the key, if one is. */
void matching_config_weight(const struct task_queue *queue, const char *key, double *weight);

/* Recovery: a setting of CONFIG_SPACE. False: it is damaged, or memory is out. */
bool matching_config_restore(struct server *server, const char *key, const void *data, size_t size);

#endif
