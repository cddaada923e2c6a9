/*
 * system.c: what the server is and can do, and its namespaces. A capability is true only once it
 * is. Loop's thread.
 */
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "server/journal.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define SERVER_VERSION "1.32.0" /* of the official server whose behaviour this is */

void frontend_get_system_info(struct request *request)
{
	Workflowservice__GetSystemInfoResponse *response = REQUEST_NEW(request,
		Workflowservice__GetSystemInfoResponse, workflowservice__get_system_info_response);
	Workflowservice__GetSystemInfoResponse__Capabilities *can =
		REQUEST_NEW(request, Workflowservice__GetSystemInfoResponse__Capabilities,
			workflowservice__get_system_info_response__capabilities);

	response->server_version = SERVER_VERSION;
	response->capabilities = can;
	can->signal_and_query_header = can->internal_error_differentiation = true;
	can->activity_failure_include_heartbeat = can->encoded_failure_attributes = true;
	can->upsert_memo = can->sdk_metadata = can->eager_workflow_start = true;
	request_reply(request, response);
}

void frontend_get_cluster_info(struct request *request)
{
	static const char *const clients[][2] = { { "temporal-cli", "<2.0.0" },
		{ "temporal-go", "<2.0.0" }, { "temporal-java", "<2.0.0" },
		{ "temporal-php", "<2.0.0" }, { "temporal-server", "<2.0.0" },
		{ "temporal-typescript", "<2.0.0" }, { "temporal-ui", "<3.0.0" } };
	const size_t n = sizeof(clients) / sizeof(clients[0]);
	Workflowservice__GetClusterInfoResponse *response =
		REQUEST_NEW(request, Workflowservice__GetClusterInfoResponse,
			workflowservice__get_cluster_info_response);

	response->server_version = SERVER_VERSION;
	response->cluster_id = request_text(request, request->server->cluster_id);
	response->cluster_name = "active";
	response->history_shard_count = 1;
	response->persistence_store = response->visibility_store = "sqlite";
	response->initial_failover_version = 1;
	response->failover_version_increment = 10;
	response->supported_clients =
		arena_array(request->arena, n, sizeof(*response->supported_clients));
	for (size_t i = 0; response->supported_clients && i < n; i++) {
		Workflowservice__GetClusterInfoResponse__SupportedClientsEntry *entry = REQUEST_NEW(
			request, Workflowservice__GetClusterInfoResponse__SupportedClientsEntry,
			workflowservice__get_cluster_info_response__supported_clients_entry);

		entry->key = clients[i][0];
		entry->value = clients[i][1];
		response->supported_clients[response->n_supported_clients++] = entry;
	}
	request_reply(request, response);
}

static Workflowservice__DescribeNamespaceResponse *describe(
	struct request *request, const struct server_namespace *space)
{
	Workflowservice__DescribeNamespaceResponse *response =
		REQUEST_NEW(request, Workflowservice__DescribeNamespaceResponse,
			workflowservice__describe_namespace_response);
	Namespace__NamespaceInfo *info =
		REQUEST_NEW(request, Namespace__NamespaceInfo, namespace__namespace_info);
	Namespace__NamespaceConfig *config =
		REQUEST_NEW(request, Namespace__NamespaceConfig, namespace__namespace_config);

	response->namespace_info = info;
	response->config = config;
	info->name = request_text(request, space->name);
	info->id = request_text(request, space->id);
	info->description = request_text(request, space->description);
	info->owner_email = request_text(request, space->owner_email);
	info->state = ENUMS__NAMESPACE_STATE__NAMESPACE_STATE_REGISTERED;
	info->capabilities = REQUEST_NEW(request, Namespace__NamespaceInfo__Capabilities,
		namespace__namespace_info__capabilities);
	info->capabilities->eager_workflow_start = info->capabilities->worker_heartbeats = true;
	info->limits = REQUEST_NEW(
		request, Namespace__NamespaceInfo__Limits, namespace__namespace_info__limits);
	info->limits->blob_size_limit_error = SERVER_BLOB_MAX;
	info->limits->memo_size_limit_error = SERVER_MEMO_MAX;
	info->limits->workflow_task_completion_size_limit_error = SERVER_COMPLETION_MAX;
	config->workflow_execution_retention_ttl =
		proto_duration_new_ms(request->arena, space->retention_ms);
	config->history_archival_state = config->visibility_archival_state =
		ENUMS__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED;
	response->replication_config = REQUEST_NEW(request, Replication__NamespaceReplicationConfig,
		replication__namespace_replication_config);
	response->replication_config->active_cluster_name = "active";
	response->replication_config->state = ENUMS__REPLICATION_STATE__REPLICATION_STATE_NORMAL;
	return response;
}

void frontend_describe_namespace(struct request *request)
{
	const Workflowservice__DescribeNamespaceRequest *in = request->message;
	struct server_namespace *space = request->server->namespaces;

	if (!str_empty(in->namespace_)) {
		space = frontend_namespace(request, in->namespace_);
		if (space)
			request_reply(request, describe(request, space));
		return;
	}
	while (space && !str_same(space->id, in->id))
		space = space->next;
	if (space)
		request_reply(request, describe(request, space));
	else
		request_fail(
			request, TEMPORAL_NOT_FOUND, NULL, "Namespace %s is not found.", in->id);
}

void frontend_list_namespaces(struct request *request)
{
	Workflowservice__ListNamespacesResponse *response = REQUEST_NEW(request,
		Workflowservice__ListNamespacesResponse, workflowservice__list_namespaces_response);
	size_t n = 0;

	for (struct server_namespace *at = request->server->namespaces; at; at = at->next)
		n++;
	response->namespaces = arena_array(request->arena, n, sizeof(*response->namespaces));
	for (struct server_namespace *at = request->server->namespaces; at && response->namespaces;
		at = at->next)
		response->namespaces[response->n_namespaces++] = describe(request, at);
	request_reply(request, response);
}

void frontend_register_namespace(struct request *request)
{
	const Workflowservice__RegisterNamespaceRequest *in = request->message;
	struct server *server = request->server;
	Errordetails__NamespaceAlreadyExistsFailure exists =
		ERRORDETAILS__NAMESPACE_ALREADY_EXISTS_FAILURE__INIT;
	int64_t retention_ms = 0;

	if (!frontend_text(request, in->namespace_, "Namespace not set on request.") ||
		!frontend_length(request, in->namespace_, "Namespace") ||
		!frontend_duration(request, in->workflow_execution_retention_period, &retention_ms,
			"WorkflowExecutionRetentionPeriod"))
		return;
	if (state_namespace(server, in->namespace_)) {
		request_fail(
			request, TEMPORAL_ALREADY_EXISTS, &exists, "Namespace already exists.");
		return;
	}
	namespace_register(server, in->namespace_, in->description, in->owner_email, retention_ms);
	request_reply(request, REQUEST_NEW(request, Workflowservice__RegisterNamespaceResponse,
				       workflowservice__register_namespace_response));
}

void namespace_register(struct server *server, const char *name, const char *description,
	const char *owner_email, int64_t retention_ms)
{
	struct server_namespace *space = state_namespace_new(server, name);
	char id[SERVER_UUID_SIZE];

	if (!space)
		return;
	server_uuid(&server->io, id);
	state_set_text(server, &space->id, id);
	state_set_text(server, &space->description, description);
	state_set_text(server, &space->owner_email, owner_email);
	space->retention_ms = retention_ms ? retention_ms : SERVER_RETENTION_MS;
	journal_namespace(server, space);
}
