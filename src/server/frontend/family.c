/*
 * family.c: of DescribeWorkflowExecution: where a run comes from, its pending children, and the
 * requests that are attached to it. Loop's thread.
 */
#include "server/frontend/family.h"

#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/child.h"

static Common__WorkflowExecution *name_of(
	struct request *request, const char *workflow_id, const char *run_id)
{
	Common__WorkflowExecution *name =
		REQUEST_NEW(request, Common__WorkflowExecution, common__workflow_execution);

	name->workflow_id = request_text(request, workflow_id);
	name->run_id = request_text(request, run_id);
	return name;
}

void family_describe(struct request *request, const struct execution *execution,
	Workflow__WorkflowExecutionInfo *info)
{
	info->root_execution = name_of(request, execution->workflow_id, execution->run_id);
	if (execution->root_run_id)
		info->root_execution =
			name_of(request, execution->root_workflow_id, execution->root_run_id);
	if (!execution->parent_run_id)
		return;
	info->parent_namespace_id = request_text(request, execution->parent_namespace_id);
	info->parent_execution =
		name_of(request, execution->parent_workflow_id, execution->parent_run_id);
}

static Workflow__PendingChildExecutionInfo *child_of(
	struct request *request, const struct child *child)
{
	Workflow__PendingChildExecutionInfo *out = REQUEST_NEW(request,
		Workflow__PendingChildExecutionInfo, workflow__pending_child_execution_info);

	out->workflow_id = request_text(request, child->workflow_id);
	out->run_id = request_text(request, child->run_id);
	out->workflow_type_name = request_text(request, child->type);
	out->initiated_id = child->initiated_id;
	out->parent_close_policy = (Enums__ParentClosePolicy)child->parent_close_policy;
	return out;
}

void family_describe_children(struct request *request, const struct execution *execution,
	Workflowservice__DescribeWorkflowExecutionResponse *out)
{
	size_t n = execution->n_children;

	out->pending_children = request_array(request, n, sizeof(*out->pending_children));
	if (!out->pending_children)
		return;
	out->n_pending_children = n;
	/* The list has the newest first. */
	for (const struct child *child = execution->children; child; child = child->next)
		out->pending_children[--n] = child_of(request, child);
}

/* ---- What is always there ---- */

static Workflow__WorkflowExecutionVersioningInfo *versioning_of(
	struct request *request, const struct execution *execution)
{
	Workflow__WorkflowExecutionVersioningInfo *out =
		REQUEST_NEW(request, Workflow__WorkflowExecutionVersioningInfo,
			workflow__workflow_execution_versioning_info);
	Workflow__VersioningOverride *override = proto_decode(request->arena,
		&workflow__versioning_override__descriptor, execution->versioning_override.ptr,
		execution->versioning_override.len, NULL, NULL);

	/* Older clients read the behaviour from its own field. */
	if (override &&
		override->override_case == WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_AUTO_UPGRADE)
		override->behavior = ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_AUTO_UPGRADE;
	out->versioning_override = override;
	return out;
}

void family_complete(struct request *request, const struct execution *execution,
	Workflowservice__DescribeWorkflowExecutionResponse *out)
{
	Workflow__WorkflowExecutionConfig *config = out->execution_config;
	Workflow__WorkflowExecutionInfo *info = out->workflow_execution_info;
	Workflow__WorkflowExecutionExtendedInfo *extended = out->workflow_extended_info;

	if (!execution->execution_timeout_ms)
		config->workflow_execution_timeout = NULL;
	if (!execution->run_timeout_ms && str_same(execution->run_id, execution->first_run_id) &&
		!execution->parent_run_id)
		config->workflow_run_timeout = NULL;
	if (!info->auto_reset_points)
		info->auto_reset_points =
			REQUEST_NEW(request, Workflow__ResetPoints, workflow__reset_points);
	if (execution->versioning_override.len)
		info->versioning_info = versioning_of(request, execution);
	/* Never: the zero time of the official server's language. */
	if (!extended->run_expiration_time) {
		extended->run_expiration_time =
			REQUEST_NEW(request, Google__Timestamp, google__timestamp);
		extended->run_expiration_time->seconds = PROTO_TIMESTAMP_MIN;
	}
}
