/*
 * system.c: what the server is and can do, as a whole and in a namespace. A capability is true only
 * once it is. Loop's thread.
 */
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "server/frontend/namespace.h"
#include "server/limits.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

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
	/* Who says its build id has it in histories; rules for build ids are refused, as there. */
	can->build_id_based_versioning = can->count_group_by_execution_status = true;
	can->nexus = can->upsert_memo = can->sdk_metadata = can->eager_workflow_start = true;
	request_reply(request, response);
}

void frontend_get_cluster_info(struct request *request)
{
	static const char *const clients[][2] = { { "Nexus-go-sdk", "<2.0.0" },
		{ "temporal-cli", "<2.0.0" }, { "temporal-go", "<2.0.0" },
		{ "temporal-java", "<2.0.0" }, { "temporal-php", "<2.0.0" },
		{ "temporal-server", "<2.0.0" }, { "temporal-typescript", "<2.0.0" },
		{ "temporal-ui", "<3.0.0" } };
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
		request_array(request, n, sizeof(*response->supported_clients));
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

/* The one that there is; others cannot be added. */
void frontend_list_clusters(struct request *request)
{
	Operatorservice__ListClustersResponse *response = REQUEST_NEW(request,
		Operatorservice__ListClustersResponse, operatorservice__list_clusters_response);
	Operatorservice__ClusterMetadata *cluster = REQUEST_NEW(
		request, Operatorservice__ClusterMetadata, operatorservice__cluster_metadata);

	cluster->cluster_name = "active";
	cluster->cluster_id = request_text(request, request->server->cluster_id);
	cluster->address = request_text(request, request->server->address);
	cluster->initial_failover_version = 1;
	cluster->history_shard_count = 1;
	cluster->is_connection_enabled = true;
	response->clusters = request_array(request, 1, sizeof(*response->clusters));
	if (response->clusters)
		response->clusters[response->n_clusters++] = cluster;
	request_reply(request, response);
}

Workflowservice__DescribeNamespaceResponse *namespace_describe(
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
	namespace_settings(request, space, info, config);
	info->capabilities = REQUEST_NEW(request, Namespace__NamespaceInfo__Capabilities,
		namespace__namespace_info__capabilities);
	info->capabilities->eager_workflow_start = info->capabilities->worker_heartbeats = true;
	info->capabilities->sync_update = info->capabilities->async_update = true;
	info->capabilities->reported_problems_search_attribute = true;
	info->capabilities->poller_autoscaling = true;
	info->capabilities->worker_poll_complete_on_shutdown = true;
	info->limits = REQUEST_NEW(
		request, Namespace__NamespaceInfo__Limits, namespace__namespace_info__limits);
	info->limits->blob_size_limit_error = request->server->config.blob_max;
	info->limits->memo_size_limit_error = request->server->config.memo_max;
	info->limits->workflow_task_completion_size_limit_error = SERVER_COMPLETION_MAX;
	config->workflow_execution_retention_ttl =
		proto_duration_new_ms(request->arena, space->retention_ms);
	namespace_describe_aliases(request, space, config);
	config->history_archival_state = config->visibility_archival_state =
		ENUMS__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED;
	response->replication_config = REQUEST_NEW(request, Replication__NamespaceReplicationConfig,
		replication__namespace_replication_config);
	response->replication_config->active_cluster_name = "active";
	response->replication_config->clusters = namespace_clusters(request);
	response->replication_config->n_clusters = response->replication_config->clusters ? 1 : 0;
	if (space->by_call)
		response->replication_config->state =
			ENUMS__REPLICATION_STATE__REPLICATION_STATE_NORMAL;
	return response;
}
