/*
 * config.c: a queue's settings, kept as the encoded message that the API has for them, in memory
 * and as a setting of the store whose key is "NAMESPACE/KIND/NAME". They are looked at only when
 * they change and when a task has a fairness key, so they are decoded each time. Loop's thread.
 */
#include "server/matching/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/codec.h"
#include "server/journal.h"
#include "server/state.h"
#include "server/store/store.h"

Taskqueue__TaskQueueConfig *matching_config(const struct task_queue *queue, struct arena *arena)
{
	return proto_decode(arena, &taskqueue__task_queue_config__descriptor, queue->config.ptr,
		queue->config.len, NULL, NULL);
}

static const Taskqueue__TaskQueueConfig *decode(const struct task_queue *queue)
{
	return queue->config.len ? matching_config(queue, &queue->server->scratch) : NULL;
}

bool matching_config_rate(const struct task_queue *queue, double *per_second)
{
	const Taskqueue__TaskQueueConfig *config = decode(queue);

	if (!config || !config->queue_rate_limit || !config->queue_rate_limit->rate_limit)
		return false;
	*per_second = (double)config->queue_rate_limit->rate_limit->requests_per_second;
	return true;
}

void matching_config_weight(const struct task_queue *queue, const char *key, double *weight)
{
	const Taskqueue__TaskQueueConfig *config = decode(queue);

	for (size_t i = 0; config && i < config->n_fairness_weight_overrides; i++) {
		if (str_same(config->fairness_weight_overrides[i]->key, key))
			*weight = (double)config->fairness_weight_overrides[i]->value;
	}
}

/* The rates take effect. */
static void apply(struct task_queue *queue)
{
	const Taskqueue__TaskQueueConfig *config = decode(queue);
	const Taskqueue__RateLimitConfig *keys =
		config ? config->fairness_keys_rate_limit_default : NULL;
	bool limited = keys && keys->rate_limit;

	lanes_limit_keys(&queue->lanes, limited,
		limited ? (double)keys->rate_limit->requests_per_second : 0);
	matching_set_rate(queue);
}

void matching_config_set(struct task_queue *queue, const Taskqueue__TaskQueueConfig *config)
{
	struct server *server = queue->server;
	struct store_batch *out;
	const char *key = arena_printf(&server->scratch, "%lld/%d/%s",
		(long long)queue->space->number, (int)queue->kind, queue->name);

	state_set_bytes(server, &queue->config, config);
	if (!key || server->failed) {
		server_no_memory(server);
		return;
	}
	apply(queue);
	out = store_batch_new();
	store_batch_set(out, CONFIG_SPACE, key, queue->config.ptr, queue->config.len);
	journal_submit_other(server, out);
}

bool matching_config_restore(struct server *server, const char *key, const void *data, size_t size)
{
	char *at;
	long long number = strtoll(key, &at, 10);
	struct server_namespace *space = server->namespaces;
	struct task_queue *queue;

	while (space && space->number != number)
		space = space->next;
	/* A namespace that was deleted takes nothing of its queues along; they are of no use. */
	if (*at != '/' || !space)
		return *at == '/';
	long kind = strtol(at + 1, &at, 10);
	if (*at != '/' || kind < MATCHING_QUEUE_WORKFLOW || kind > MATCHING_QUEUE_NEXUS)
		return false;
	queue = matching_queue(server, space, at + 1, (enum matching_queue_kind)kind);
	if (!queue || !record_set_bytes(&queue->config, data, size))
		return false;
	apply(queue);
	return true;
}
