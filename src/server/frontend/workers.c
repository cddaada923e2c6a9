/*
 * workers.c: what workers tell of themselves, and who asks for it. Loop's thread.
 */
#include "server/workers/registry.h"

#include <stdlib.h>

#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "server/workers/query.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

/* ---- Telling ---- */

void frontend_worker_heartbeat(struct request *request)
{
	const Workflowservice__RecordWorkerHeartbeatRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (!space)
		return;
	for (size_t i = 0; i < in->n_worker_heartbeat; i++)
		workers_record(request->server, space, in->worker_heartbeat[i]);
	request_reply(request, REQUEST_NEW(request, Workflowservice__RecordWorkerHeartbeatResponse,
				       workflowservice__record_worker_heartbeat_response));
}

/* The polls of the worker get empty answers now: what would be matched with them would be lost. */
static void end_polls(struct request *request, struct server_namespace *space)
{
	static const enum matching_queue_kind kinds[] = { MATCHING_QUEUE_WORKFLOW,
		MATCHING_QUEUE_ACTIVITY, MATCHING_QUEUE_NEXUS };
	const Workflowservice__ShutdownWorkerRequest *in = request->message;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct task_queue *queue =
			matching_find(request->server, space, in->task_queue, kinds[i]);

		if (queue)
			matching_leave(queue, in->identity, in->worker_instance_key);
	}
	gone_add(&request->server->matching.gone, in->worker_instance_key, request->server->now_ns);
}

void frontend_shutdown_worker(struct request *request)
{
	const Workflowservice__ShutdownWorkerRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (!space)
		return;
	if (!str_empty(in->sticky_task_queue)) {
		struct task_queue *queue = matching_find(
			request->server, space, in->sticky_task_queue, MATCHING_QUEUE_WORKFLOW);

		if (queue)
			matching_unload(queue);
	}
	if (!str_empty(in->worker_instance_key) && !str_empty(in->task_queue))
		end_polls(request, space);
	if (in->worker_heartbeat)
		workers_record(request->server, space, in->worker_heartbeat);
	request_reply(request, REQUEST_NEW(request, Workflowservice__ShutdownWorkerResponse,
				       workflowservice__shutdown_worker_response));
}

/* ---- Asking ---- */

static const Worker__WorkerHeartbeat *heartbeat_of(
	struct request *request, const struct worker_entry *entry)
{
	Worker__WorkerHeartbeat *heartbeat =
		proto_decode(request->arena, &worker__worker_heartbeat__descriptor,
			entry->heartbeat.ptr, entry->heartbeat.len, NULL, NULL);

	if (!heartbeat)
		server_no_memory(request->server);
	return heartbeat;
}

struct found {
	const Worker__WorkerHeartbeat **list;
	size_t n;
};

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const Worker__WorkerHeartbeat *const *)a)->worker_instance_key,
		(*(const Worker__WorkerHeartbeat *const *)b)->worker_instance_key);
}

/* Those of the namespace that the query means, by their keys. False: answered. */
static bool find(struct request *request, const struct server_namespace *space, const char *query,
	struct found *found)
{
	static const Worker__WorkerHeartbeat nobody = WORKER__WORKER_HEARTBEAT__INIT;
	const struct workers *workers = &request->server->workers;

	if (worker_query(request->arena, query, &nobody) == WORKER_MALFORMED) {
		request_fail(
			request, TEMPORAL_INVALID_ARGUMENT, NULL, "malformed query: %s", query);
		return false;
	}
	workers_forget(request->server);
	found->list = request_array(request, workers->n, sizeof(*found->list));
	for (const struct worker_entry *at = workers->oldest; at && found->list; at = at->newer) {
		const Worker__WorkerHeartbeat *heartbeat =
			at->space == space ? heartbeat_of(request, at) : NULL;

		if (heartbeat && worker_query(request->arena, query, heartbeat) == WORKER_YES)
			found->list[found->n++] = heartbeat;
	}
	if (found->n)
		qsort(found->list, found->n, sizeof(*found->list), by_key);
	return true;
}

static Worker__WorkerListInfo *brief(
	struct request *request, const Worker__WorkerHeartbeat *heartbeat)
{
	Worker__WorkerListInfo *out =
		REQUEST_NEW(request, Worker__WorkerListInfo, worker__worker_list_info);

	out->worker_instance_key = heartbeat->worker_instance_key;
	out->worker_identity = heartbeat->worker_identity;
	out->task_queue = heartbeat->task_queue;
	out->deployment_version = heartbeat->deployment_version;
	out->sdk_name = heartbeat->sdk_name;
	out->sdk_version = heartbeat->sdk_version;
	out->status = heartbeat->status;
	out->start_time = heartbeat->start_time;
	if (heartbeat->host_info) {
		out->host_name = heartbeat->host_info->host_name;
		out->worker_grouping_key = heartbeat->host_info->worker_grouping_key;
		out->process_id = heartbeat->host_info->process_id;
	}
	out->plugins = heartbeat->plugins;
	out->n_plugins = heartbeat->n_plugins;
	out->drivers = heartbeat->drivers;
	out->n_drivers = heartbeat->n_drivers;
	return out;
}

static Worker__WorkerInfo *whole(struct request *request, const Worker__WorkerHeartbeat *heartbeat)
{
	Worker__WorkerInfo *out = REQUEST_NEW(request, Worker__WorkerInfo, worker__worker_info);

	out->worker_heartbeat = (Worker__WorkerHeartbeat *)(uintptr_t)heartbeat;
	return out;
}

#define TOKEN_MARK 'k' /* before the key of the last worker of a page */

/* Where the page begins: behind the worker that the token names. False: answered. */
static bool page_start(struct request *request, const struct found *found, size_t *start)
{
	const Workflowservice__ListWorkersRequest *in = request->message;
	struct str last;

	*start = 0;
	if (in->next_page_token.len == 0)
		return true;
	if (in->next_page_token.data[0] != TOKEN_MARK) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "invalid next_page_token");
		return false;
	}
	last = (struct str){ (const char *)in->next_page_token.data + 1,
		in->next_page_token.len - 1 };
	while (*start < found->n) {
		struct str key = str_from(found->list[*start]->worker_instance_key);
		size_t common = key.len < last.len ? key.len : last.len;
		int order = common ? memcmp(key.ptr, last.ptr, common) : 0;

		if (order > 0 || (order == 0 && key.len > last.len))
			break;
		(*start)++;
	}
	return true;
}

void frontend_list_workers(struct request *request)
{
	const Workflowservice__ListWorkersRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	Workflowservice__ListWorkersResponse *out;
	struct found found = { 0 };
	size_t start;

	if (!space || !find(request, space, in->query, &found) ||
		!page_start(request, &found, &start))
		return;
	size_t limit = found.n - start;
	if (in->page_size > 0 && (size_t)in->page_size < limit)
		limit = (size_t)in->page_size;
	out = REQUEST_NEW(request, Workflowservice__ListWorkersResponse,
		workflowservice__list_workers_response);
	out->workers = request_array(request, limit, sizeof(*out->workers));
	out->workers_info = request_array(request, limit, sizeof(*out->workers_info));
	for (size_t i = start; out->workers && out->workers_info && i < start + limit; i++) {
		out->workers[out->n_workers++] = brief(request, found.list[i]);
		out->workers_info[out->n_workers_info++] = whole(request, found.list[i]);
	}
	if (limit && start + limit < found.n) {
		const char *token = arena_printf(request->arena, "%c%s", TOKEN_MARK,
			found.list[start + limit - 1]->worker_instance_key);

		if (!token)
			server_no_memory(request->server);
		out->next_page_token.data = (uint8_t *)(uintptr_t)token;
		out->next_page_token.len = token ? strlen(token) : 0;
	}
	request_reply(request, out);
}

void frontend_count_workers(struct request *request)
{
	const Workflowservice__CountWorkersRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	Workflowservice__CountWorkersResponse *out;
	struct found found = { 0 };

	if (!space || !find(request, space, in->query, &found))
		return;
	out = REQUEST_NEW(request, Workflowservice__CountWorkersResponse,
		workflowservice__count_workers_response);
	out->count = (int64_t)found.n;
	request_reply(request, out);
}

void frontend_describe_worker(struct request *request)
{
	const Workflowservice__DescribeWorkerRequest *in = request->message;
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	const struct worker_entry *entry;
	Workflowservice__DescribeWorkerResponse *out;

	if (!space)
		return;
	entry = workers_find(request->server, space, in->worker_instance_key);
	if (!entry) {
		request_fail(request, TEMPORAL_NOT_FOUND, &detail, "Worker %s not found",
			in->worker_instance_key);
		return;
	}
	out = REQUEST_NEW(request, Workflowservice__DescribeWorkerResponse,
		workflowservice__describe_worker_response);
	out->worker_info = whole(request, heartbeat_of(request, entry));
	request_reply(request, out);
}

/* ---- Their settings: switched off, as on the official server as it comes ---- */

void frontend_fetch_worker_config(struct request *request)
{
	request_fail(
		request, TEMPORAL_UNIMPLEMENTED, NULL, "FetchWorkerConfig command is not enabled.");
}

void frontend_update_worker_config(struct request *request)
{
	request_fail(request, TEMPORAL_UNIMPLEMENTED, NULL,
		"UpdateWorkerConfig command is not enabled.");
}
