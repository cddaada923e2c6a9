/*
 * describe.c: DescribeWorkflowExecution. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/frontend/family.h"
#include "server/frontend/frontend.h"
#include "server/nexus/nexus.h"

static Common__WorkflowExecution *name_of(
	struct request *request, const char *workflow_id, const char *run_id)
{
	Common__WorkflowExecution *name =
		REQUEST_NEW(request, Common__WorkflowExecution, common__workflow_execution);

	name->workflow_id = request_text(request, workflow_id);
	name->run_id = request_text(request, run_id);
	return name;
}

Workflow__WorkflowExecutionInfo *execution_info(
	struct request *request, const struct execution *execution)
{
	Workflow__WorkflowExecutionInfo *info = REQUEST_NEW(
		request, Workflow__WorkflowExecutionInfo, workflow__workflow_execution_info);

	info->execution = name_of(request, execution->workflow_id, execution->run_id);
	family_describe(request, execution, info);
	info->type = REQUEST_NEW(request, Common__WorkflowType, common__workflow_type);
	info->type->name = request_text(request, execution->type);
	info->start_time = request_time(request, execution->start_ns);
	info->execution_time = request_time(request, execution->execution_ns);
	info->close_time = request_time(request, execution->close_ns);
	info->status = (Enums__WorkflowExecutionStatus)execution->status;
	info->history_length = execution->next_event_id - 1;
	info->history_size_bytes = execution->history_size;
	info->state_transition_count = execution->transitions;
	info->memo = request_decode(request, &common__memo__descriptor, &execution->memo);
	if (!info->memo)
		info->memo = REQUEST_NEW(request, Common__Memo, common__memo);
	/* What has lost its alias since is not shown. */
	info->search_attributes =
		search_attributes_merge(request->arena, &execution->space->search_attributes,
			request_decode(request, &common__search_attributes__descriptor,
				&execution->search_attributes),
			NULL);
	if (!info->search_attributes)
		server_no_memory(request->server);
	info->task_queue = request_text(request, execution->task_queue);
	info->first_run_id = request_text(request, execution->first_run_id);
	info->priority =
		request_decode(request, &common__priority__descriptor, &execution->priority);
	info->auto_reset_points = request_decode(
		request, &workflow__reset_points__descriptor, &execution->reset_points);
	if (execution->close_ns)
		info->execution_duration =
			request_duration_ns(request, execution->close_ns - execution->execution_ns);
	return info;
}

static Workflow__WorkflowExecutionConfig *config_of(
	struct request *request, const struct execution *execution)
{
	Workflow__WorkflowExecutionConfig *config = REQUEST_NEW(
		request, Workflow__WorkflowExecutionConfig, workflow__workflow_execution_config);

	config->task_queue = REQUEST_NEW(request, Taskqueue__TaskQueue, taskqueue__task_queue);
	config->task_queue->name = request_text(request, execution->task_queue);
	config->task_queue->kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	config->workflow_execution_timeout =
		request_duration(request, execution->execution_timeout_ms);
	config->workflow_run_timeout = request_duration(request, execution->run_timeout_ms);
	config->default_workflow_task_timeout =
		request_duration(request, execution->task_timeout_ms);
	config->user_metadata =
		request_decode(request, &sdk__user_metadata__descriptor, &execution->user_metadata);
	return config;
}

static Workflow__PendingWorkflowTaskInfo *task_of(
	struct request *request, const struct execution *execution)
{
	Workflow__PendingWorkflowTaskInfo *out;

	if (!execution->task_scheduled_id)
		return NULL;
	out = REQUEST_NEW(
		request, Workflow__PendingWorkflowTaskInfo, workflow__pending_workflow_task_info);
	out->state =
		execution->task_started_id
			? ENUMS__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_STARTED
			: ENUMS__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_SCHEDULED;
	out->scheduled_time = request_time(request, execution->task_scheduled_ns);
	out->original_scheduled_time = request_time(request, execution->task_original_scheduled_ns);
	out->started_time = request_time(request, execution->task_started_ns);
	out->attempt = execution->task_attempt;
	return out;
}

/* A run that began as a copy has the first event of another one. */
static int64_t original_start(struct request *request, const struct execution *execution)
{
	struct temporal_error err;
	const History__HistoryEvent *event = execution->is_reset && archive_history(execution, &err)
						     ? event_read(execution, 1, request->arena)
						     : NULL;
	int64_t ns = execution->start_ns;

	if (event)
		(void)!proto_timestamp_ns(event->event_time, &ns);
	return ns;
}

void frontend_describe(struct request *request)
{
	const Workflowservice__DescribeWorkflowExecutionRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution =
		space ? frontend_execution(request, space, in->execution) : NULL;
	Workflowservice__DescribeWorkflowExecutionResponse *out;

	if (!execution)
		return;
	out = REQUEST_NEW(request, Workflowservice__DescribeWorkflowExecutionResponse,
		workflowservice__describe_workflow_execution_response);
	out->workflow_execution_info = execution_info(request, execution);
	out->execution_config = config_of(request, execution);
	out->pending_workflow_task = task_of(request, execution);
	out->pending_activities =
		request_array(request, execution->n_activities, sizeof(*out->pending_activities));
	for (struct activity *at = execution->activities; at && out->pending_activities;
		at = at->next)
		out->pending_activities[out->n_pending_activities++] =
			pending_activity_describe(request, at);
	family_describe_children(request, execution, out);
	out->workflow_extended_info = REQUEST_NEW(request, Workflow__WorkflowExecutionExtendedInfo,
		workflow__workflow_execution_extended_info);
	out->workflow_extended_info->cancel_requested = execution->cancel_requested;
	out->workflow_extended_info->execution_expiration_time =
		request_time(request, execution->execution_expires_ns);
	out->workflow_extended_info->run_expiration_time =
		request_time(request, execution->run_expires_ns);
	out->workflow_extended_info->original_start_time =
		request_time(request, original_start(request, execution));
	out->workflow_extended_info->reset_run_id = request_text(request, execution->reset_run_id);
	if (execution->is_reset)
		out->workflow_extended_info->last_reset_time =
			request_time(request, execution->start_ns);
	family_complete(request, execution, out);
	nexus_describe(request, execution, out);
	request_reply(request, out);
}
