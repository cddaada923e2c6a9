/*
 * frontend.c: the table of the calls that are served, and what their handlers share: finding the
 * namespace and the execution, and the texts of the official server for what is wrong with a
 * request.
 *
 * Loop's thread.
 */
#include "server/frontend/frontend.h"
#include "server/frontend/namespace.h"

#include "proto/time.h"
#include "rpc/methods.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/nexus/nexus.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

const struct frontend_method frontend_methods[] = {
	{ &rpc_workflow_get_system_info, frontend_get_system_info },
	{ &rpc_workflow_get_cluster_info, frontend_get_cluster_info },
	{ &rpc_operator_list_clusters, frontend_list_clusters },
	{ &rpc_workflow_describe_namespace, frontend_describe_namespace },
	{ &rpc_workflow_list_namespaces, frontend_list_namespaces },
	{ &rpc_workflow_register_namespace, frontend_register_namespace },
	{ &rpc_workflow_update_namespace, frontend_update_namespace },
	{ &rpc_workflow_deprecate_namespace, frontend_deprecate_namespace },
	{ &rpc_operator_delete_namespace, frontend_delete_namespace },
	{ &rpc_workflow_start_workflow_execution, frontend_start },
	{ &rpc_workflow_signal_with_start_workflow_execution, frontend_signal_with_start },
	{ &rpc_workflow_poll_workflow_task_queue, frontend_poll_workflow },
	{ &rpc_workflow_respond_workflow_task_completed, frontend_workflow_completed },
	{ &rpc_workflow_respond_workflow_task_failed, frontend_workflow_failed },
	{ &rpc_workflow_reset_sticky_task_queue, frontend_reset_sticky },
	{ &rpc_workflow_shutdown_worker, frontend_shutdown_worker },
	{ &rpc_workflow_record_worker_heartbeat, frontend_worker_heartbeat },
	{ &rpc_workflow_list_workers, frontend_list_workers },
	{ &rpc_workflow_count_workers, frontend_count_workers },
	{ &rpc_workflow_describe_worker, frontend_describe_worker },
	{ &rpc_workflow_fetch_worker_config, frontend_fetch_worker_config },
	{ &rpc_workflow_update_worker_config, frontend_update_worker_config },
	{ &rpc_workflow_poll_activity_task_queue, frontend_poll_activity },
	{ &rpc_workflow_respond_activity_task_completed, frontend_activity_completed },
	{ &rpc_workflow_respond_activity_task_failed, frontend_activity_failed },
	{ &rpc_workflow_respond_activity_task_canceled, frontend_activity_canceled },
	{ &rpc_workflow_record_activity_task_heartbeat, frontend_activity_heartbeat },
	{ &rpc_workflow_respond_activity_task_completed_by_id, frontend_activity_completed_by_id },
	{ &rpc_workflow_respond_activity_task_failed_by_id, frontend_activity_failed_by_id },
	{ &rpc_workflow_respond_activity_task_canceled_by_id, frontend_activity_canceled_by_id },
	{ &rpc_workflow_record_activity_task_heartbeat_by_id, frontend_activity_heartbeat_by_id },
	{ &rpc_workflow_pause_activity, frontend_pause_activity },
	{ &rpc_workflow_unpause_activity, frontend_unpause_activity },
	{ &rpc_workflow_reset_activity, frontend_reset_activity },
	{ &rpc_workflow_update_activity_options, frontend_update_activity_options },
	{ &rpc_workflow_pause_activity_execution, frontend_pause_activity_execution },
	{ &rpc_workflow_unpause_activity_execution, frontend_unpause_activity_execution },
	{ &rpc_workflow_reset_activity_execution, frontend_reset_activity_execution },
	{ &rpc_workflow_update_activity_execution_options,
		frontend_update_activity_execution_options },
	{ &rpc_workflow_reset_workflow_execution, frontend_reset },
	{ &rpc_workflow_update_workflow_execution_options, frontend_update_run_options },
	{ &rpc_workflow_pause_workflow_execution, frontend_pause_run },
	{ &rpc_workflow_unpause_workflow_execution, frontend_unpause_run },
	{ &rpc_workflow_signal_workflow_execution, frontend_signal },
	{ &rpc_workflow_request_cancel_workflow_execution, frontend_cancel },
	{ &rpc_workflow_terminate_workflow_execution, frontend_terminate },
	{ &rpc_workflow_delete_workflow_execution, frontend_delete },
	{ &rpc_workflow_list_workflow_executions, frontend_list },
	{ &rpc_workflow_scan_workflow_executions, frontend_scan },
	{ &rpc_workflow_count_workflow_executions, frontend_count },
	{ &rpc_workflow_list_open_workflow_executions, frontend_list_open },
	{ &rpc_workflow_list_closed_workflow_executions, frontend_list_closed },
	{ &rpc_workflow_list_archived_workflow_executions, frontend_list_archived },
	{ &rpc_workflow_get_search_attributes, frontend_get_search_attributes },
	{ &rpc_operator_add_search_attributes, frontend_add_search_attributes },
	{ &rpc_operator_remove_search_attributes, frontend_remove_search_attributes },
	{ &rpc_operator_list_search_attributes, frontend_list_search_attributes },
	{ &rpc_workflow_get_workflow_execution_history, frontend_get_history },
	{ &rpc_workflow_get_workflow_execution_history_reverse, frontend_get_history_reverse },
	{ &rpc_workflow_describe_workflow_execution, frontend_describe },
	{ &rpc_workflow_describe_task_queue, frontend_describe_task_queue },
	{ &rpc_workflow_update_task_queue_config, frontend_update_task_queue_config },
	{ &rpc_workflow_list_task_queue_partitions, frontend_list_partitions },
	{ &rpc_workflow_get_worker_build_id_compatibility, frontend_version_sets },
	{ &rpc_workflow_update_worker_build_id_compatibility, frontend_version_sets },
	{ &rpc_workflow_get_worker_versioning_rules, frontend_version_rules },
	{ &rpc_workflow_update_worker_versioning_rules, frontend_version_rules },
	{ &rpc_workflow_get_worker_task_reachability, frontend_version_rules },
	{ &rpc_workflow_poll_nexus_task_queue, nexus_poll },
	{ &rpc_workflow_respond_nexus_task_completed, nexus_task_completed },
	{ &rpc_workflow_respond_nexus_task_failed, nexus_task_failed },
	{ &rpc_operator_get_nexus_endpoint, nexus_get_endpoint },
	{ &rpc_operator_create_nexus_endpoint, nexus_create_endpoint },
	{ &rpc_operator_update_nexus_endpoint, nexus_update_endpoint },
	{ &rpc_operator_delete_nexus_endpoint, nexus_delete_endpoint },
	{ &rpc_operator_list_nexus_endpoints, nexus_list_endpoints },
	{ &rpc_workflow_query_workflow, frontend_query },
	{ &rpc_workflow_update_workflow_execution, frontend_update },
	{ &rpc_workflow_poll_workflow_execution_update, frontend_poll_update },
	{ &rpc_workflow_execute_multi_operation, frontend_multi },
	{ &rpc_workflow_respond_query_task_completed, frontend_query_completed },
	{ &rpc_test_lock_time_skipping, frontend_lock_time },
	{ &rpc_test_unlock_time_skipping, frontend_unlock_time },
	{ &rpc_test_unlock_time_skipping_with_sleep, frontend_unlock_time_with_sleep },
	{ &rpc_test_sleep, frontend_sleep },
	{ &rpc_test_sleep_until, frontend_sleep_until },
	{ &rpc_test_get_current_time, frontend_get_time },
};
const size_t frontend_methods_count = sizeof(frontend_methods) / sizeof(frontend_methods[0]);

void frontend_serve(struct request *request, frontend_handler *handle)
{
	struct server *server = request->server;

	server_metrics_begins(request);
	if (server->failed) {
		server_metrics_ends(request);
		request->ops->fail(request, TEMPORAL_UNAVAILABLE, server->failure, NULL);
		return;
	}
	transition_begin(server);
	handle(request);
	transition_end(server);
}

struct server_namespace *frontend_namespace(struct request *request, const char *name)
{
	struct server_namespace *space;
	Errordetails__NamespaceNotFoundFailure detail =
		ERRORDETAILS__NAMESPACE_NOT_FOUND_FAILURE__INIT;

	if (!frontend_text(request, name, "Namespace is empty."))
		return NULL;
	space = state_namespace(request->server, name);
	if (space)
		return namespace_usable(request, space, false) ? space : NULL;
	detail.namespace_ = name;
	request_fail(request, TEMPORAL_NOT_FOUND, &detail, "Namespace %s is not found.", name);
	return NULL;
}

bool frontend_named(struct request *request, const Common__WorkflowExecution *execution)
{
	if (!frontend_present(request, execution, "Execution is not set on request.") ||
		!frontend_text(
			request, execution->workflow_id, "WorkflowId is not set on request."))
		return false;
	if (str_empty(execution->run_id) || strlen(execution->run_id) == SERVER_UUID_SIZE - 1)
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "Invalid RunId.");
	return false;
}

struct execution *frontend_execution(struct request *request, struct server_namespace *space,
	const Common__WorkflowExecution *execution)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct execution *found;

	if (!frontend_named(request, execution))
		return NULL;
	found = state_execution(request->server, space, execution->workflow_id, execution->run_id);
	if (!found)
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			str_empty(execution->run_id)
				? "workflow not found for ID: %s"
				: "workflow execution not found for workflow ID \"%s\" and "
				  "run ID \"%s\"",
			execution->workflow_id, execution->run_id);
	return found;
}

struct execution *frontend_running(struct request *request, struct server_namespace *space,
	const Common__WorkflowExecution *execution)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct execution *found = frontend_execution(request, space, execution);

	if (!found || state_running(found))
		return found;
	request_fail(request, TEMPORAL_NOT_FOUND, &detail, "workflow execution already completed");
	return NULL;
}

bool frontend_known_if_named(struct request *request, const char *name)
{
	Errordetails__NamespaceNotFoundFailure detail =
		ERRORDETAILS__NAMESPACE_NOT_FOUND_FAILURE__INIT;

	if (str_empty(name) || state_namespace(request->server, name))
		return true;
	detail.namespace_ = name;
	request_fail(request, TEMPORAL_NOT_FOUND, &detail, "Namespace %s is not found.", name);
	return false;
}

bool frontend_token(struct request *request, const char *name, ProtobufCBinaryData data,
	struct task_token *token, struct execution **execution)
{
	const char *wrong = NULL;

	*token = (struct task_token){ 0 };
	*execution = NULL;
	if (!frontend_known_if_named(request, name))
		return false;
	/* Any bytes can be a record with nothing in it that is known; ours name a run. */
	if (data.len == 0)
		wrong = "Task token not set on request.";
	else if (!token_read(data, token) || !token->run_id ||
		 strlen(token->run_id) != SERVER_UUID_SIZE - 1)
		wrong = "Error deserializing task token.";
	else
		*execution = state_numbered(request->server, (uint64_t)token->run);
	if (*execution && !str_same((*execution)->run_id, token->run_id))
		*execution = NULL;
	if (*execution && !str_empty(name) && !str_same((*execution)->space->name, name))
		wrong = "Operation requested with a token from a different namespace.";
	if (wrong)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", wrong);
	return !wrong;
}

bool frontend_history(struct request *request, const struct execution *execution)
{
	struct temporal_error err;

	if (archive_history(execution, &err))
		return true;
	request_fail(request, TEMPORAL_DATA_LOSS, NULL, "%s", err.message);
	return false;
}

bool frontend_present(struct request *request, const void *value, const char *text)
{
	if (!value)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", text);
	return value;
}

bool frontend_text(struct request *request, const char *value, const char *text)
{
	return frontend_present(request, str_empty(value) ? NULL : value, text);
}

bool frontend_length(struct request *request, const char *value, const char *text)
{
	if (!server_over(strlen(value ? value : ""), request->server->config.id_max))
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", text);
	return false;
}

bool frontend_identity(struct request *request, const char *identity)
{
	return frontend_length(request, identity, "Identity length exceeds limit.");
}

bool frontend_duration(
	struct request *request, const Google__Duration *duration, int64_t *ms, const char *what)
{
	*ms = 0;
	if (proto_duration_ms(duration, ms) && *ms >= 0)
		return true;
	request_fail(
		request, TEMPORAL_INVALID_ARGUMENT, NULL, "An invalid %s is set on request.", what);
	return false;
}
