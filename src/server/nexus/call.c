/*
 * call.c: requests on their way to the workers of a task queue.
 *
 *     new -> sent: waits for a poll -> delivered: at a worker -> answered: `done`, gone
 *                    |                    |
 *                    +--- abandoned: gone |--- abandoned: nobody is told, the worker still answers
 *                    +--------------------+--- time is up: an outcome, gone
 *
 * A call is found by the random id that its task's token carries, so a worker that answers late, or
 * after a restart, gets NOT_FOUND. The time that a call may take is real time, as its caller's is.
 *
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define ARENA_FIRST 1024

struct nexus_call *nexus_call_new(struct server *server)
{
	struct nexus_call *call = mem_zalloc(sizeof(*call));

	if (!call) {
		server_no_memory(server);
		return NULL;
	}
	call->server = server;
	call->task.kind = MATCHING_NEXUS;
	call->task.owner = call;
	arena_init(&call->arena, ARENA_FIRST, ARENA_NO_BUDGET);
	server_uuid(&server->io, call->id);
	call->hash = state_hash(server, 0, call->id);
	call->request = PROTO_NEW(&call->arena, Nexus__Request, nexus__request);
	call->next_hash = map_get(&server->nexus_calls, call->hash);
	if (call->request && map_put(&server->nexus_calls, call->hash, call))
		return call;
	server_no_memory(server);
	arena_finish(&call->arena);
	mem_free(call);
	return NULL;
}

/* The last value of a name counts. */
static bool set_header(
	struct arena *arena, Nexus__Request *request, const char *name, const char *value)
{
	Nexus__Request__HeaderEntry **header;

	for (size_t i = 0; i < request->n_header; i++) {
		if (str_same(request->header[i]->key, name)) {
			request->header[i]->value = arena_strdup(arena, value);
			return request->header[i]->value;
		}
	}
	header = arena_array(arena, request->n_header + 1, sizeof(*header));
	Nexus__Request__HeaderEntry *entry =
		PROTO_NEW(arena, Nexus__Request__HeaderEntry, nexus__request__header_entry);
	if (!header || !entry)
		return false;
	for (size_t i = 0; i < request->n_header; i++)
		header[i] = request->header[i];
	entry->key = arena_strdup(arena, name);
	entry->value = arena_strdup(arena, value);
	header[request->n_header++] = entry;
	request->header = header;
	return entry->key && entry->value;
}

bool nexus_call_header(struct nexus_call *call, const char *name, const char *value)
{
	if (set_header(&call->arena, call->request, name, value))
		return true;
	server_no_memory(call->server);
	return false;
}

static void unlink_call(struct nexus_call *call)
{
	struct server *server = call->server;
	struct nexus_call *first = map_get(&server->nexus_calls, call->hash);

	if (first == call && !call->next_hash) {
		map_remove(&server->nexus_calls, call->hash);
		return;
	}
	if (first == call) {
		/* The key is there already: this needs no memory. */
		(void)!map_put(&server->nexus_calls, call->hash, call->next_hash);
		return;
	}
	while (first->next_hash != call)
		first = first->next_hash;
	first->next_hash = call->next_hash;
}

static void call_free(struct nexus_call *call)
{
	unlink_call(call);
	timers_stop(&call->server->waits, &call->timer);
	matching_withdraw(&call->task);
	arena_finish(&call->arena);
	mem_free(call);
}

void nexus_call_finish(struct nexus_call *call, const struct nexus_outcome *outcome)
{
	if (call->done)
		call->done(call, outcome);
	call_free(call);
}

static void time_is_up(struct timers_entry *timer)
{
	struct nexus_call *call =
		(struct nexus_call *)(void *)((char *)timer - offsetof(struct nexus_call, timer));
	struct nexus_outcome outcome = { 0 };

	nexus_outcome_error(&call->arena, "UPSTREAM_TIMEOUT", "upstream timeout", &outcome);
	outcome.from_worker = true;
	nexus_call_finish(call, &outcome);
}

void nexus_call_send(struct nexus_call *call, struct server_namespace *space,
	const char *task_queue, int64_t timeout_ms)
{
	struct server *server = call->server;

	call->request->scheduled_time = proto_timestamp_new(&call->arena, server->now_ns);
	call->due_ns = server->io.steady_ns(server->io.user) + timeout_ms * NS_PER_MS;
	if (!call->request->scheduled_time ||
		!timers_set(&server->waits, &call->timer, call->due_ns, time_is_up))
		server_no_memory(server);
	matching_offer(
		matching_queue(server, space, task_queue, MATCHING_QUEUE_NEXUS), &call->task);
}

void nexus_call_abandon(struct nexus_call *call)
{
	if (!call)
		return;
	call->done = NULL;
	if (call->task.queue)
		call_free(call);
}

struct nexus_call *nexus_call_find(const struct server *server, const char *id)
{
	struct nexus_call *call = map_get(&server->nexus_calls, state_hash(server, 0, id));

	while (call && !str_same(call->id, id))
		call = call->next_hash;
	return call;
}

/* A duration as Go prints it, which some workers parse. */
static const char *duration_text(struct arena *arena, int64_t ms)
{
	if (ms < 1000)
		return arena_printf(arena, "%lldms", (long long)ms);
	return arena_printf(arena, "%lld.%03llds", (long long)(ms / 1000), (long long)(ms % 1000));
}

void nexus_call_deliver(struct nexus_call *call, struct request *request)
{
	Workflowservice__PollNexusTaskQueueResponse *response =
		REQUEST_NEW(request, Workflowservice__PollNexusTaskQueueResponse,
			workflowservice__poll_nexus_task_queue_response);
	struct task_token token = { .query = call->id };
	int64_t now = call->server->io.steady_ns(call->server->io.user);
	int64_t left_ms = (call->due_ns - now) / NS_PER_MS;
	const char *left = duration_text(request->arena, left_ms > 0 ? left_ms : 0);

	response->task_token = token_make(request, &token);
	response->poller_scaling_decision = matching_decision(request);
	response->request = proto_copy(request->arena, call->request);
	if (!left || !response->request ||
		!set_header(request->arena, response->request, "request-timeout", left) ||
		!set_header(request->arena, response->request, "Request-Timeout", left)) {
		server_no_memory(request->server);
		return;
	}
	request_reply(request, response);
}
