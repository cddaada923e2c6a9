/*
 * group.c: the workers of a client tell the server of themselves.
 *
 * A group is made by its first worker and lives until the last one has left and no call of its own
 * is on its way. It sends the heartbeats of all its workers in one call, every
 * worker_heartbeat_interval_ms, if the namespace takes them; the first one as soon as that is
 * known. A call that fails is not tried again: the next heartbeat says more.
 */
#include "worker/group.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/workers.h"
#include "rpc/methods.h"
#include "worker/commands.h"
#include "worker/event.h"
#include "worker/run.h"
#include "worker/worker.h"

#define CALL_MS       10000
#define CONTROL_QUEUE "temporal-sys/worker-commands/"

static void beat(struct rpc_timer *timer);

/* ---- registration ---- */

static struct temporal_worker *worker_of(struct client_worker *in_client)
{
	return in_client->owner;
}

static bool reserve(struct client_worker *in_client, void **permit)
{
	struct temporal_worker *worker = worker_of(in_client);
	struct worker_slot slot = { .is_sticky = false };

	if (worker->phase != WORKER_RUNNING || !worker_slots_try(&worker->workflow_slots, &slot))
		return false;
	*permit = slot.permit;
	return true;
}

static void give(struct client_worker *in_client, void *permit,
	const Workflowservice__PollWorkflowTaskQueueResponse *task, struct arena *arena)
{
	struct temporal_worker *worker = worker_of(in_client);
	struct worker_slot slot = { .permit = permit };

	if (task && task->task_token.len > 0)
		worker_run_task(worker, task, arena, &slot);
	else
		worker_slots_return_unused(&worker->workflow_slots, &slot);
	worker_pollers_pump(worker);
	worker_advance(worker);
}

enum temporal_code worker_group_register(struct temporal_worker *worker, struct temporal_error *err)
{
	const struct temporal_worker_opts *opts = &worker->opts;
	struct client_worker *in_client = &worker->home.in_client;

	in_client->owner = worker;
	in_client->task_queue = opts->task_queue;
	in_client->build_id = opts->deployment ? opts->build_id : "";
	in_client->version = opts->deployment ? worker->version : NULL;
	if (opts->workflows[0])
		in_client->kinds |= CLIENT_WORKER_WORKFLOWS;
	if (opts->activities[0] && !opts->no_remote_activities)
		in_client->kinds |= CLIENT_WORKER_ACTIVITIES;
	if (opts->nexus_services[0])
		in_client->kinds |= CLIENT_WORKER_NEXUS;
	in_client->reserve = reserve;
	in_client->give = give;
	return client_workers_add(worker->client, in_client, !opts->skip_overlap_check, err);
}

/* ---- life ---- */

static void try_free(struct worker_group *group)
{
	if (group->first || group->open_calls > 0)
		return;
	mem_free(group->control_queue);
	mem_free(group);
}

void worker_group_call_over(struct worker_group *group)
{
	group->open_calls--;
	try_free(group);
}

/* Commands go to the group by its key, so those on another loop than the client's need another
 * one. */
static struct worker_group *group_new(struct temporal_client *client, struct rpc_loop *loop)
{
	struct worker_group *group = mem_zalloc(sizeof(*group));

	if (!group)
		return NULL;
	group->client = client;
	group->base.loop = loop;
	group->key = group->key_text;
	if (client_loop(client) == loop)
		group->key = client_workers_key(client);
	else
		client_uuid(group->key_text);
	client_workers_group_add(client, &group->base);
	return group;
}

void worker_group_join(struct temporal_worker *worker)
{
	struct temporal_client *client = worker->current->client;
	struct client_group *base = client_workers_group(client, worker->loop);
	struct worker_group *group =
		base ? (struct worker_group *)((char *)base - offsetof(struct worker_group, base))
		     : group_new(client, worker->loop);

	if (!group)
		return; /* the worker works, and nobody hears of it */
	worker->group = group;
	worker->next_in_group = group->first;
	group->first = worker;
}

void worker_group_leave(struct temporal_worker *worker)
{
	struct worker_group *group = worker->group;

	if (!group)
		return;
	struct temporal_worker **at = &group->first;

	while (*at != worker)
		at = &(*at)->next_in_group;
	*at = worker->next_in_group;
	worker->group = NULL;
	worker->tells_presence = false;
	worker_pollers_name_control(worker, NULL);
	worker_commands_leave(group, worker);
	if (group->first)
		return;
	rpc_timer_stop(&group->timer);
	client_workers_group_remove(group->client, &group->base);
	try_free(group);
}

/* ---- heartbeats ---- */

static void told(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_group *group = user;

	if (reply->code == TEMPORAL_UNIMPLEMENTED) {
		group->beats = false;
		rpc_timer_stop(&group->timer);
	} else if (reply->code != TEMPORAL_OK && group->first) {
		worker_log(group->first, TEMPORAL_LOG_WARN, "the worker's heartbeat: %s",
			reply->error.message);
	}
	arena_finish(&reply->arena);
	worker_group_call_over(group);
}

static void send_beat(struct worker_group *group)
{
	Workflowservice__RecordWorkerHeartbeatRequest message =
		WORKFLOWSERVICE__RECORD_WORKER_HEARTBEAT_REQUEST__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_record_worker_heartbeat,
		.message = &message,
		.timeout_ms = CALL_MS,
		.done = told,
		.user = group,
		.lazy = true,
	};
	struct arena arena;
	size_t n = 0;

	for (struct temporal_worker *at = group->first; at; at = at->next_in_group)
		n++;
	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	message.namespace_ = group->first->namespace_;
	message.identity = group->first->opts.identity;
	message.worker_heartbeat = arena_array(&arena, n, sizeof(void *));
	for (struct temporal_worker *at = group->first; at && message.worker_heartbeat;
		at = at->next_in_group) {
		Worker__WorkerHeartbeat *heartbeat = worker_presence(at, &arena);

		if (heartbeat)
			message.worker_heartbeat[message.n_worker_heartbeat++] = heartbeat;
	}
	if (message.n_worker_heartbeat > 0 && rpc_start(group->first->channel, &request, NULL))
		group->open_calls++;
	arena_finish(&arena);
}

static void beat(struct rpc_timer *timer)
{
	struct worker_group *group =
		(struct worker_group *)((char *)timer - offsetof(struct worker_group, timer));

	send_beat(group);
	rpc_timer_set(group->first->loop, timer,
		rpc_now_ns() + client_worker_heartbeat_ms(group->client) * NS_PER_MS, beat);
}

static void begin_commands(struct worker_group *group)
{
	const char *namespace_ = group->first->namespace_;
	size_t size = sizeof(CONTROL_QUEUE) + strlen(namespace_) + strlen(group->key) + 2;

	group->control_queue = mem_alloc(size);
	if (!group->control_queue)
		return; /* cancellations come with heartbeats, as without commands */
	snprintf(group->control_queue, size, "%s%s/%s", CONTROL_QUEUE, namespace_, group->key);
	worker_commands_begin(group);
}

void worker_group_described(struct temporal_worker *worker, bool heartbeats, bool commands)
{
	struct worker_group *group = worker->group;

	if (!group || worker->phase != WORKER_RUNNING || !heartbeats ||
		client_worker_heartbeat_ms(group->client) == 0)
		return;
	worker->tells_presence = true;
	if (commands && !group->control_queue)
		begin_commands(group);
	if (group->control_queue)
		worker_pollers_name_control(worker, group->control_queue);
	if (group->beats) /* the others do already */
		return;
	group->beats = true;
	beat(&group->timer);
}
