/*
 * frontend.h: the calls of the API: each checks its request, finds what it is about, and hands it
 * to history/ or matching/. One file a group of calls; frontend.c has the table of all of them.
 */
#ifndef SERVER_FRONTEND_FRONTEND_H
#define SERVER_FRONTEND_FRONTEND_H

#include "rpc/channel.h"
#include "server/history/update.h"

/* A handler owes exactly one answer, now or later. It runs between transition_begin and
 * transition_end. */
typedef void frontend_handler(struct request *request);

struct frontend_method {
	const struct rpc_method *method;
	frontend_handler *handle;
};

extern const struct frontend_method frontend_methods[];
extern const size_t frontend_methods_count;

/* Works on one call: an input. */
void frontend_serve(struct request *request, frontend_handler *handle);

/* The namespace of that name, or NULL: the request has been answered. */
struct server_namespace *frontend_namespace(struct request *request, const char *name);

/* Does it name an execution? False: the request has been answered. */
bool frontend_named(struct request *request, const Common__WorkflowExecution *execution);
/* The execution, or NULL: the request has been answered. */
struct execution *frontend_execution(struct request *request, struct server_namespace *space,
	const Common__WorkflowExecution *execution);
/* ... which has to be running. */
struct execution *frontend_running(struct request *request, struct server_namespace *space,
	const Common__WorkflowExecution *execution);

/* ... for calls of operators, whose answers have other texts; only of an id that is set. */
struct execution *frontend_operated(struct request *request, struct server_namespace *space,
	const Common__WorkflowExecution *execution);
/* A namespace that may be left out, as beside a token. False: there is none of that name, the
 * request has been answered. */
bool frontend_known_if_named(struct request *request, const char *name);
/* The token of a task, to be finished with token_finish(), and its run, NULL if that is gone.
 * False: the request has been answered. */
bool frontend_token(struct request *request, const char *name, ProtobufCBinaryData data,
	struct task_token *token, struct execution **execution);
/* The running run takes another signal. False: its limit is reached, or it is about to end and
 * would never come to it; the request has been answered. */
bool frontend_may_signal(
	struct request *request, struct execution *execution, const Common__Payloads *input);
/* The events of a closed run are there. False: damaged, the request has been answered. */
bool frontend_history(struct request *request, const struct execution *execution);

/* False: the request has been answered with INVALID_ARGUMENT. */
bool frontend_priority(struct request *request, const Common__Priority *priority);
bool frontend_present(struct request *request, const void *value, const char *text);
bool frontend_text(struct request *request, const char *value, const char *text);
bool frontend_length(struct request *request, const char *value, const char *text);
/* ... of who sends it; it may be missing. */
bool frontend_identity(struct request *request, const char *identity);

/* Duration of a message in ms, 0 for none. False: answered; `what` names the field. */
bool frontend_duration(
	struct request *request, const Google__Duration *duration, int64_t *ms, const char *what);

frontend_handler frontend_get_system_info, frontend_get_cluster_info, frontend_list_clusters,
	frontend_describe_namespace, frontend_list_namespaces, frontend_register_namespace,
	frontend_update_namespace, frontend_deprecate_namespace, frontend_delete_namespace;
/* A new namespace, in the journal. */
void namespace_register(struct server *server, const char *name, const char *description,
	const char *owner_email, int64_t retention_ms);

frontend_handler frontend_start, frontend_signal_with_start;
frontend_handler frontend_poll_workflow, frontend_workflow_completed, frontend_workflow_failed,
	frontend_shutdown_worker, frontend_worker_heartbeat, frontend_reset_sticky;
frontend_handler frontend_list_workers, frontend_count_workers, frontend_describe_worker,
	frontend_fetch_worker_config, frontend_update_worker_config;
frontend_handler frontend_poll_activity, frontend_activity_completed, frontend_activity_failed,
	frontend_activity_canceled, frontend_activity_heartbeat, frontend_activity_completed_by_id,
	frontend_activity_failed_by_id, frontend_activity_canceled_by_id,
	frontend_activity_heartbeat_by_id;
/* Operators on activities. */
frontend_handler frontend_pause_activity, frontend_unpause_activity, frontend_reset_activity,
	frontend_update_activity_options;
frontend_handler frontend_pause_activity_execution, frontend_unpause_activity_execution,
	frontend_reset_activity_execution, frontend_update_activity_execution_options;
/* ... on runs. */
frontend_handler frontend_reset, frontend_update_run_options, frontend_pause_run,
	frontend_unpause_run;
/* The options of the run, changed by the mask. NULL: answered, they are not good. */
const Workflow__WorkflowExecutionOptions *run_options_merge(struct request *request,
	const struct execution *execution, const Workflow__WorkflowExecutionOptions *options,
	const Google__FieldMask *mask);
/* How a pending activity and its options are told. */
Workflow__PendingActivityInfo *pending_activity_describe(
	struct request *request, const struct activity *activity);
Activity__ActivityOptions *activity_options_describe(
	struct request *request, const struct activity *activity);
frontend_handler frontend_signal, frontend_cancel, frontend_terminate;
frontend_handler frontend_add_search_attributes, frontend_remove_search_attributes,
	frontend_list_search_attributes, frontend_get_search_attributes;
/* The aliases of a namespace into its description. */
void namespace_describe_aliases(struct request *request, const struct server_namespace *space,
	Namespace__NamespaceConfig *out);
/* One of "NAME=TYPE"; nothing changes if it is there. INVALID_ARGUMENT, NO_MEMORY. */
enum temporal_code namespace_add_attribute(struct server *server, struct server_namespace *space,
	const char *definition, struct temporal_error *err) __attribute__((warn_unused_result));
/* The namespace goes; another one may get its number. */
void namespace_forget_attributes(struct server *server, struct server_namespace *space);
/* What DescribeWorkflowExecution and lists say of a run. */
Workflow__WorkflowExecutionInfo *execution_info(
	struct request *request, const struct execution *execution);
frontend_handler frontend_delete, frontend_list, frontend_scan, frontend_count, frontend_list_open,
	frontend_list_closed, frontend_list_archived;
frontend_handler frontend_get_history, frontend_get_history_reverse, frontend_describe;
/* A wait for events has found none: an empty page and the token to go on with. */
void frontend_history_expired(struct request *request, struct execution *execution);
frontend_handler frontend_describe_task_queue, frontend_update_task_queue_config,
	frontend_list_partitions, frontend_version_sets, frontend_version_rules;
frontend_handler frontend_query, frontend_query_completed;
frontend_handler frontend_lock_time, frontend_unlock_time, frontend_unlock_time_with_sleep,
	frontend_sleep, frontend_sleep_until, frontend_get_time;
frontend_handler frontend_update, frontend_poll_update;
frontend_handler frontend_multi;
/* False: answered, with what is wrong in a start. */
bool frontend_start_valid(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in);
/* Likewise in an update; gives it an id if it has none. */
bool frontend_update_valid(
	struct request *request, const Workflowservice__UpdateWorkflowExecutionRequest *in);
/* The response for an update of this run. `linked`: with a link to what came of it. */
Workflowservice__UpdateWorkflowExecutionResponse *frontend_update_response(struct request *request,
	const struct update *update, const Workflowservice__UpdateWorkflowExecutionRequest *in,
	const struct update_status *status, bool linked);

#endif
