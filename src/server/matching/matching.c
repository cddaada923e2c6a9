/*
 * matching.c: pairs of tasks and polls, first come, first served on both sides.
 *
 * A queue lives as long as the server: its name may be polled again at any time, and it is small.
 * Invariant after matching_run: no queue has both a task and a poller.
 *
 * Loop's thread.
 */
#include "server/matching/matching.h"

#include "base/mem.h"
#include "server/history/history.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

struct task_queue *matching_queue(struct server *server, struct server_namespace *space,
	const char *name, enum matching_queue_kind kind)
{
	uint64_t hash = state_hash(server, space->number * 3 + (int64_t)kind, name);
	struct task_queue *first = map_get(&server->matching.queues, hash), *queue = first;

	while (queue &&
		(queue->space != space || queue->kind != kind || !str_same(queue->name, name)))
		queue = queue->next_hash;
	if (queue)
		return queue;
	queue = mem_zalloc(sizeof(*queue));
	if (!queue || !record_set_text(&queue->name, name) ||
		!map_put(&server->matching.queues, hash, queue)) {
		server_no_memory(server);
		if (queue)
			mem_free(queue->name);
		mem_free(queue);
		return NULL;
	}
	queue->server = server;
	queue->next_hash = first;
	queue->hash = hash;
	queue->space = space;
	queue->kind = kind;
	return queue;
}

static void mark_ready(struct task_queue *queue)
{
	struct matching *matching = &queue->server->matching;

	if (queue->is_ready || !queue->tasks || !queue->pollers)
		return;
	queue->is_ready = true;
	queue->next_ready = matching->ready;
	matching->ready = queue;
}

void matching_withdraw(struct matching_task *task)
{
	struct task_queue *queue = task->queue;

	if (!queue)
		return;
	*(task->prev ? &task->prev->next : &queue->tasks) = task->next;
	*(task->next ? &task->next->prev : &queue->tasks_last) = task->prev;
	queue->n_tasks--;
	task->queue = NULL;
	task->next = task->prev = NULL;
}

void matching_offer(struct task_queue *queue, struct matching_task *task)
{
	matching_withdraw(task);
	if (!queue)
		return;
	task->queue = queue;
	task->prev = queue->tasks_last;
	*(queue->tasks_last ? &queue->tasks_last->next : &queue->tasks) = task;
	queue->tasks_last = task;
	queue->n_tasks++;
	mark_ready(queue);
}

static void remove_poller(struct matching_poller *poller)
{
	struct task_queue *queue = poller->queue;

	*(poller->prev ? &poller->prev->next : &queue->pollers) = poller->next;
	*(poller->next ? &poller->next->prev : &queue->pollers_last) = poller->prev;
	request_wake(poller->request);
}

static void answer_empty(struct task_queue *queue, struct request *request)
{
	if (queue->kind == MATCHING_QUEUE_NEXUS)
		request_reply_now(
			request, REQUEST_NEW(request, Workflowservice__PollNexusTaskQueueResponse,
					 workflowservice__poll_nexus_task_queue_response));
	else if (queue->kind == MATCHING_QUEUE_ACTIVITY)
		request_reply_now(request,
			REQUEST_NEW(request, Workflowservice__PollActivityTaskQueueResponse,
				workflowservice__poll_activity_task_queue_response));
	else
		request_reply_now(request,
			REQUEST_NEW(request, Workflowservice__PollWorkflowTaskQueueResponse,
				workflowservice__poll_workflow_task_queue_response));
}

/* The time is up, or the caller is gone. */
static void expired(struct request *request)
{
	struct matching_poller *poller = request->waiting_for;
	struct task_queue *queue = poller->queue;

	remove_poller(poller);
	answer_empty(queue, request);
}

void matching_poll(struct task_queue *queue, struct request *request, const char *identity)
{
	struct matching_poller *poller =
		queue ? arena_zalloc(request->arena, sizeof(*poller)) : NULL;

	if (!poller) {
		server_no_memory(request->server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	queue->polled_ns = request->server->now_ns;
	*poller = (struct matching_poller){ request, queue, identity, NULL, queue->pollers_last };
	*(queue->pollers_last ? &queue->pollers_last->next : &queue->pollers) = poller;
	queue->pollers_last = poller;
	request_wait(request, request->server->config.poll_ms, expired, poller);
	mark_ready(queue);
}

bool matching_alive(const struct task_queue *queue)
{
	int64_t silent_ns = queue->server->now_ns - queue->polled_ns;

	return queue->pollers ||
	       (queue->polled_ns && silent_ns < SERVER_STICKY_POLLER_MS * INT64_C(1000000));
}

void matching_unload(struct task_queue *queue)
{
	while (queue->pollers)
		expired(queue->pollers->request);
	queue->polled_ns = 0;
}

static void pair(struct task_queue *queue)
{
	struct matching_task *task = queue->tasks;
	struct matching_poller *poller = queue->pollers;

	matching_withdraw(task);
	remove_poller(poller);
	queue->polled_ns = queue->server->now_ns;
	switch (task->kind) {
	case MATCHING_WORKFLOW:
		workflow_task_start(task->owner, poller->request, poller->identity, queue->sticky);
		break;
	case MATCHING_ACTIVITY:
		activity_start(task->owner, poller->request, poller->identity);
		break;
	case MATCHING_QUERY:
		query_deliver(task->owner, poller->request, queue->sticky);
		break;
	case MATCHING_NEXUS:
		nexus_call_deliver(task->owner, poller->request);
		break;
	}
}

void matching_run(struct server *server)
{
	struct matching *matching = &server->matching;

	while (matching->ready) {
		struct task_queue *queue = matching->ready;

		matching->ready = queue->next_ready;
		queue->is_ready = false;
		while (queue->tasks && queue->pollers)
			pair(queue);
	}
}

void matching_finish(struct server *server)
{
	struct map *queues = &server->matching.queues;

	for (uint32_t i = 0; i < queues->capacity; i++) {
		struct task_queue *queue = queues->slots[i].value;

		while (queue) {
			struct task_queue *next = queue->next_hash;

			mem_free(queue->name);
			mem_free(queue);
			queue = next;
		}
	}
	map_finish(queues);
}
