/*
 * run_options.c: UpdateWorkflowExecutionOptions (priority, versioning override), and the pause of
 * whole runs, which the official server has switched off as it comes. There are no worker
 * deployments here, so no version is in any task queue, and pinning to one is refused as the
 * official server refuses an unknown one. Loop's thread.
 */
#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "server/frontend/mask.h"
#include "server/limits.h"
#include "temporal/api/deployment/v1/message.pb-c.h"

#define CASE(name_)     WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_##name_
#define BEHAVIOR(name_) ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_##name_

static bool refuse(struct request *request, const char *text)
{
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", text);
	return false;
}

static bool check_pinned(struct request *request, const struct execution *execution,
	const Workflow__VersioningOverride__PinnedOverride *pinned)
{
	const Deployment__WorkerDeploymentVersion *version = pinned->version;

	if (!version && pinned->behavior)
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
			"must specify a specific pinned override version because workflow with id "
			"%s has behavior %s and is not yet pinned to any version",
			execution->workflow_id,
			execution->versioning_override.len ? "AutoUpgrade" : "Unspecified");
	else if (!version)
		return refuse(request, "must provide version if override is pinned.");
	else if (!pinned->behavior)
		return refuse(
			request, "must specify pinned override behavior if override is pinned.");
	else
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
			"Pinned version '%s:%s' is not present in task queue '%s' of type "
			"'Workflow'",
			version->deployment_name, version->build_id, execution->task_queue);
	return false;
}

/* The older form, without the oneof. */
static bool check_behavior(struct request *request, const Workflow__VersioningOverride *override)
{
	if (override->behavior == BEHAVIOR(PINNED) && !override->deployment &&
		str_empty(override->pinned_version))
		return refuse(request,
			"must provide deployment (deprecated) or pinned version if behavior is "
			"'PINNED'");
	if (override->behavior == BEHAVIOR(PINNED)) {
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
			"Pinned version '%s' is not present in task queue",
			override->pinned_version);
		return false;
	}
	if (override->behavior == BEHAVIOR(UNSPECIFIED))
		return refuse(request, "override behavior is required");
	if (override->deployment)
		return refuse(request, "only provide deployment if behavior is 'PINNED'");
	if (!str_empty(override->pinned_version))
		return refuse(request, "only provide pinned version if behavior is 'PINNED'");
	return true;
}

/* False: answered. */
static bool check_override(struct request *request, const struct execution *execution,
	const Workflow__VersioningOverride *override)
{
	if (!override)
		return true;
	switch (override->override_case) {
	case CASE(AUTO_UPGRADE):
		return override->auto_upgrade ||
		       refuse(request, "auto-upgrade override must be true");
	case CASE(PINNED):
		return check_pinned(request, execution, override->pinned);
	case CASE(ONE_TIME):
		return refuse(
			request, "must provide target deployment version if override is one-time.");
	default:
		return check_behavior(request, override);
	}
}

const Workflow__WorkflowExecutionOptions *run_options_merge(struct request *request,
	const struct execution *execution, const Workflow__WorkflowExecutionOptions *options,
	const Google__FieldMask *mask)
{
	static const struct mask_field fields[] = {
		{ "versioning_override", NULL },
		{ "priority", NULL },
		{ "priority.priority_key", NULL },
		{ "priority.fairness_key", NULL },
		{ "priority.fairness_weight", NULL },
	};
	bool deployment = mask_names(mask, "versioning_override.deployment");
	bool behavior = mask_names(mask, "versioning_override.behavior");
	Workflow__WorkflowExecutionOptions *merged = execution_options(execution, request->arena);

	if (!merged) {
		server_no_memory(request->server);
		merged = REQUEST_NEW(request, Workflow__WorkflowExecutionOptions,
			workflow__workflow_execution_options);
	}
	if (!check_override(request, execution, options->versioning_override))
		return NULL;
	if (deployment != behavior)
		refuse(request, "error applying update_options: versioning_override fields must be "
				"updated together");
	else if (!deployment && mask_names_part(mask, "versioning_override"))
		refuse(request, "error applying update_options: versioning_override doesn't "
				"support partial updates");
	else if (mask_merge(request, fields, sizeof(fields) / sizeof(fields[0]), mask, options,
			 merged)) {
		if (deployment)
			merged->versioning_override = options->versioning_override;
		return merged;
	}
	return NULL;
}

/* False: answered. */
static bool check(struct request *request)
{
	const Workflowservice__UpdateWorkflowExecutionOptionsRequest *in = request->message;
	const char *wrong;

	if (!frontend_text(request,
		    in->workflow_execution ? in->workflow_execution->workflow_id : NULL,
		    "WorkflowId is not set on request.") ||
		!frontend_present(request, in->update_mask, "UpdateMask is required") ||
		!frontend_present(request, in->workflow_execution_options,
			"WorkflowExecutionOptions is required"))
		return false;
	wrong = mask_invalid(in->update_mask, &workflow__workflow_execution_options__descriptor);
	if (wrong) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"error parsing UpdateMask: proto: invalid path \"%s\" for message "
			"\"temporal.api.workflow.v1.WorkflowExecutionOptions\"",
			wrong);
		return false;
	}
	return frontend_priority(request, in->workflow_execution_options->priority);
}

void frontend_update_run_options(struct request *request)
{
	const Workflowservice__UpdateWorkflowExecutionOptionsRequest *in = request->message;
	Workflowservice__UpdateWorkflowExecutionOptionsResponse *response;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution =
		space && check(request) ? frontend_operated(request, space, in->workflow_execution)
					: NULL;
	const Workflow__WorkflowExecutionOptions *merged =
		execution ? run_options_merge(request, execution, in->workflow_execution_options,
				    in->update_mask)
			  : NULL;

	if (!merged)
		return;
	execution_set_options(execution, merged, in->identity);
	response = REQUEST_NEW(request, Workflowservice__UpdateWorkflowExecutionOptionsResponse,
		workflowservice__update_workflow_execution_options_response);
	response->workflow_execution_options =
		(Workflow__WorkflowExecutionOptions *)(uintptr_t)merged;
	request_reply(request, response);
}

void frontend_pause_run(struct request *request)
{
	const Workflowservice__PauseWorkflowExecutionRequest *in = request->message;

	if (frontend_namespace(request, in->namespace_))
		request_fail(request, TEMPORAL_UNIMPLEMENTED, NULL,
			"workflow pause is not enabled for namespace: %s", in->namespace_);
}

void frontend_unpause_run(struct request *request)
{
	const Workflowservice__UnpauseWorkflowExecutionRequest *in = request->message;
	Common__WorkflowExecution wanted = COMMON__WORKFLOW_EXECUTION__INIT;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	int64_t max = request->server->config.id_max;
	const char *wrong = NULL;

	if (!space)
		return;
	if (server_over(strlen(in->reason), max))
		wrong = "reason is too long.";
	else if (server_over(strlen(in->request_id), max))
		wrong = "request id is too long.";
	else if (server_over(strlen(in->identity), max))
		wrong = "identity is too long.";
	else if (str_empty(in->workflow_id))
		wrong = "Can't load workflow execution.  WorkflowId not set.";
	wanted.workflow_id = in->workflow_id;
	wanted.run_id = in->run_id;
	if (wrong)
		refuse(request, wrong);
	else if (frontend_operated(request, space, &wanted))
		request_fail(
			request, TEMPORAL_FAILED_PRECONDITION, NULL, "workflow is not paused.");
}
