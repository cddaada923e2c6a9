/*
 * matching.c: pairs of tasks and polls: tasks in the order of their lanes, polls first come, first
 * served. A rate limit on the queue holds tasks back; a timer makes the next pair then.
 *
 * A queue lives for as long as it has a task, a poller or settings, and some time longer: what is
 * told of who has polled it reaches back as far. Clients may name any number of queues: there are
 * only so many idle ones.
 *
 * Invariant after matching_run: a queue with both a task and a poller waits for its rate.
 *
 * Loop's thread.
 */
#include "server/matching/matching.h"

#include "base/mem.h"
#include "proto/codec.h"
#include "server/history/history.h"
#include "server/limits.h"
#include "server/matching/config.h"
#include "server/metrics.h"
#include "server/nexus/nexus.h"

#define FORGET_STEP 4 /* queues that are looked at in one go */

/* ---- Queues ---- */

static void unlink_queue(struct task_queue *queue)
{
	struct matching *matching = &queue->server->matching;

	*(queue->newer ? &queue->newer->older : &matching->newest) = queue->older;
	*(queue->older ? &queue->older->newer : &matching->oldest) = queue->newer;
}

static void link_newest(struct task_queue *queue)
{
	struct matching *matching = &queue->server->matching;

	queue->used_ns = queue->server->now_ns;
	queue->newer = NULL;
	queue->older = matching->newest;
	*(queue->older ? &queue->older->newer : &matching->oldest) = queue;
	matching->newest = queue;
}

static void use(struct task_queue *queue)
{
	queue->used_ns = queue->server->now_ns;
	if (!queue->newer)
		return;
	unlink_queue(queue);
	link_newest(queue);
}

static struct task_queue *find(struct server *server, const struct server_namespace *space,
	const char *name, enum matching_queue_kind kind, uint64_t hash)
{
	struct task_queue *queue = map_get(&server->matching.queues, hash);

	while (queue &&
		(queue->space != space || queue->kind != kind || !str_same(queue->name, name)))
		queue = queue->next_hash;
	return queue;
}

static uint64_t hash_of(const struct server *server, const struct server_namespace *space,
	const char *name, enum matching_queue_kind kind)
{
	return state_hash(server, space->number * 3 + (int64_t)kind, name);
}

struct task_queue *matching_find(struct server *server, struct server_namespace *space,
	const char *name, enum matching_queue_kind kind)
{
	return find(server, space, name, kind, hash_of(server, space, name, kind));
}

static void queue_free(struct task_queue *queue)
{
	timers_stop(&queue->server->timers, &queue->rate_timer);
	lanes_finish(&queue->lanes);
	stats_finish(&queue->stats);
	server_metrics_forget(queue);
	mem_free(queue->config.ptr);
	mem_free(queue->name);
	mem_free(queue);
}

static bool is_idle(const struct task_queue *queue)
{
	return !queue->lanes.n_tasks && !queue->pollers && !queue->is_ready && !queue->config.len;
}

static void remove_queue(struct task_queue *queue)
{
	struct matching *matching = &queue->server->matching;
	struct task_queue *at = map_get(&matching->queues, queue->hash);

	if (at != queue) {
		while (at->next_hash != queue)
			at = at->next_hash;
		at->next_hash = queue->next_hash;
	} else if (!queue->next_hash) {
		map_remove(&matching->queues, queue->hash);
	} else if (!map_put(&matching->queues, queue->hash, queue->next_hash)) {
		return; /* it stays */
	}
	unlink_queue(queue);
	matching->n_queues--;
	queue_free(queue);
}

/* The oldest few that nobody needs go; a step of it after each input. */
static void forget_queues(struct server *server)
{
	struct matching *matching = &server->matching;

	for (int i = 0; i < FORGET_STEP && matching->oldest; i++) {
		struct task_queue *queue = matching->oldest;
		bool is_old = server->now_ns - queue->used_ns >= STATS_SEEN_NS;

		if (!is_old && matching->n_queues <= SERVER_IDLE_QUEUES_MAX)
			return;
		if (is_idle(queue))
			remove_queue(queue);
		else
			use(queue);
	}
}

struct task_queue *matching_queue(struct server *server, struct server_namespace *space,
	const char *name, enum matching_queue_kind kind)
{
	uint64_t hash = hash_of(server, space, name, kind);
	struct task_queue *queue = find(server, space, name, kind, hash);

	if (queue) {
		use(queue);
		return queue;
	}
	struct task_queue *first = map_get(&server->matching.queues, hash);
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
	server->matching.n_queues++;
	link_newest(queue);
	return queue;
}

/* ---- Tasks ---- */

static void mark_ready(struct task_queue *queue)
{
	struct matching *matching = &queue->server->matching;

	if (queue->is_ready || !queue->lanes.n_tasks || !queue->pollers)
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
	lanes_remove(&queue->lanes, task);
	task->queue = NULL;
}

static const Common__Priority *decode_priority(struct server *server, const struct bytes *data)
{
	return proto_decode(
		&server->scratch, &common__priority__descriptor, data->ptr, data->len, NULL, NULL);
}

/* The priority that the task has been given, or NULL: the usual one, as almost always. */
static const Common__Priority *priority_of(struct server *server, const struct matching_task *task)
{
	const struct activity *activity = task->owner;
	const struct execution *execution = task->owner;

	switch (task->kind) {
	case MATCHING_WORKFLOW:
		return execution->priority.len ? decode_priority(server, &execution->priority)
					       : NULL;
	case MATCHING_ACTIVITY:
		return activity->priority.len || activity->execution->priority.len
			       ? activity_priority(activity, &server->scratch)
			       : NULL;
	default:
		return NULL;
	}
}

static struct lanes_place place_of(struct task_queue *queue, const struct matching_task *task)
{
	const Common__Priority *priority = priority_of(queue->server, task);
	struct lanes_place place = { 0 };

	if (!priority)
		return place;
	place.priority = priority->priority_key;
	place.key = priority->fairness_key;
	place.weight = (double)priority->fairness_weight;
	place.hash = str_empty(place.key) ? 0 : state_hash(queue->server, 0, place.key);
	matching_config_weight(queue, place.key, &place.weight);
	return place;
}

void matching_offer(struct task_queue *queue, struct matching_task *task)
{
	matching_withdraw(task);
	if (!queue)
		return;
	struct lanes_place place = place_of(queue, task);
	if (!lanes_add(&queue->lanes, task, &place)) {
		server_no_memory(queue->server);
		return;
	}
	task->queue = queue;
	task->offered_ns = queue->server->now_ns;
	stats_task(&queue->stats, task->lane->priority, true, task->offered_ns);
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
	server_metrics_polled(queue, false);
	answer_empty(queue, request);
}

void matching_poll(struct task_queue *queue, struct request *request, const char *identity,
	const char *worker_key)
{
	struct matching_poller *poller =
		queue ? arena_zalloc(request->arena, sizeof(*poller)) : NULL;

	if (!poller) {
		server_no_memory(request->server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	if (gone_has(&request->server->matching.gone, worker_key, request->server->now_ns)) {
		answer_empty(queue, request);
		return;
	}
	queue->polled_ns = request->server->now_ns;
	*poller = (struct matching_poller){ request, queue, identity, worker_key, NULL,
		queue->pollers_last, queue->polled_ns };
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

void matching_leave(struct task_queue *queue, const char *identity, const char *worker_key)
{
	struct matching_poller *next;

	for (struct matching_poller *at = queue->pollers; at; at = next) {
		next = at->next;
		if (strcmp(at->worker_key, worker_key) == 0)
			expired(at->request);
	}
	stats_leave(&queue->stats, identity);
}

void matching_seen(struct task_queue *queue, const struct stats_poll *poll)
{
	if (!queue)
		return;
	stats_poll(&queue->stats, poll, queue->server->now_ns);
	if (!(poll->rate > 0)) /* nor is what is no number */
		return;
	queue->rate_by_worker = true;
	queue->worker_rate = poll->rate;
	matching_set_rate(queue);
}

/* By how many pollers there should be more (1), fewer (-1), or 0. */
static int32_t advise(struct task_queue *queue, const struct matching_poller *poller,
	const struct matching_task *task)
{
	int64_t now = queue->server->now_ns, oldest_ns;
	bool from_backlog = task->offered_ns < poller->since_ns;

	if (now - poller->since_ns >= SERVER_POLLER_IDLE_NS && !from_backlog)
		return -1;
	rate_set(&queue->stats.decisions,
		SERVER_POLLER_DECISIONS * (double)(queue->stats.n_seen ? queue->stats.n_seen : 1));
	if (rate_ready_ns(&queue->stats.decisions) > now || queue->rate.limited)
		return 0;
	rate_take(&queue->stats.decisions, now);
	if (lanes_count(&queue->lanes, 0, &oldest_ns) > 1 &&
		now - oldest_ns > SERVER_POLLER_BACKLOG_NS)
		return 1;
	double added = stats_level_rate(&queue->stats, 0, true, now);
	double dispatched = stats_level_rate(&queue->stats, 0, false, now);
	return added > dispatched * SERVER_POLLER_RATIO;
}

static void pair(struct task_queue *queue, struct matching_task *task)
{
	struct matching_poller *poller = queue->pollers;
	struct request *request = poller->request;
	int32_t priority = task->lane->priority;

	request->advice.pollers = advise(queue, poller, task);
	rate_take(&queue->rate, queue->server->now_ns);
	lanes_take(&queue->lanes, task, queue->server->now_ns);
	matching_withdraw(task);
	remove_poller(poller);
	server_metrics_polled(queue, true);
	queue->polled_ns = queue->server->now_ns;
	stats_task(&queue->stats, priority, false, queue->polled_ns);
	request->advice.n_backlog = queue->lanes.n_tasks;
	switch (task->kind) {
	case MATCHING_WORKFLOW:
		workflow_task_start(task->owner, request, poller->identity, queue->sticky);
		break;
	case MATCHING_ACTIVITY:
		activity_start(task->owner, request, poller->identity);
		break;
	case MATCHING_QUERY:
		query_deliver(task->owner, request, queue->sticky);
		break;
	case MATCHING_NEXUS:
		nexus_call_deliver(task->owner, request);
		break;
	}
}

static void rate_allows(struct timers_entry *timer)
{
	mark_ready((struct task_queue *)(void *)((char *)timer -
						 offsetof(struct task_queue, rate_timer)));
}

/* The task that goes next; NULL: none may go now. */
static struct matching_task *next_task(struct task_queue *queue)
{
	struct server *server = queue->server;
	int64_t ready_ns = rate_ready_ns(&queue->rate), lane_ns = 0;
	struct matching_task *task = NULL;

	if (ready_ns <= server->now_ns)
		task = lanes_first(&queue->lanes, server->now_ns, &lane_ns);
	if (task || !queue->lanes.n_tasks)
		return task;
	if (lane_ns > ready_ns)
		ready_ns = lane_ns;
	if (ready_ns != INT64_MAX &&
		!timers_set(&server->timers, &queue->rate_timer, ready_ns, rate_allows))
		server_no_memory(server);
	return NULL;
}

void matching_set_rate(struct task_queue *queue)
{
	double set = 0;

	if (matching_config_rate(queue, &set))
		rate_set(&queue->rate, set);
	else if (queue->rate_by_worker)
		rate_set(&queue->rate, queue->worker_rate);
	else
		queue->rate = (struct matching_rate){ 0 };
	mark_ready(queue);
}

Taskqueue__PollerScalingDecision *matching_decision(struct request *request)
{
	Taskqueue__PollerScalingDecision *decision;

	if (!request->advice.pollers)
		return NULL;
	decision = REQUEST_NEW(
		request, Taskqueue__PollerScalingDecision, taskqueue__poller_scaling_decision);
	decision->poll_request_delta_suggestion = request->advice.pollers;
	return decision;
}

void matching_run(struct server *server)
{
	struct matching *matching = &server->matching;

	while (matching->ready) {
		struct task_queue *queue = matching->ready;
		struct matching_task *task;

		matching->ready = queue->next_ready;
		queue->is_ready = false;
		while (queue->pollers && (task = next_task(queue)))
			pair(queue, task);
	}
	forget_queues(server);
}

void matching_finish(struct server *server)
{
	struct map *queues = &server->matching.queues;

	for (uint32_t i = 0; i < queues->capacity; i++) {
		struct task_queue *queue = queues->slots[i].value;

		while (queue) {
			struct task_queue *next = queue->next_hash;

			queue_free(queue);
			queue = next;
		}
	}
	map_finish(queues);
	gone_finish(&server->matching.gone);
}
