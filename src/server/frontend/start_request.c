/*
 * start_request.c: the checks of StartWorkflowExecution and SignalWithStartWorkflowExecution. The
 * two have different texts for the same mistakes, as at the official server. Loop's thread.
 */
#include "server/frontend/start_request.h"

#include "proto/codec.h"
#include "server/history/cron.h"
#include "server/history/start_check.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"
#include "temporal/api/deployment/v1/message.pb-c.h"

#define REUSE(name_)    ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name_
#define CONFLICT(name_) ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##name_
#define BEHAVIOR(name_) ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_##name_
#define OVERRIDE(name_) WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_##name_

#define RESERVED_PREFIX "/_sys/"
#define INTERNAL_QUEUE  "temporal-sys-per-ns-tq"

typedef Workflowservice__StartWorkflowExecutionRequest start_message;

static bool refuse(struct request *request, const char *text)
{
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", text);
	return false;
}

static bool check_part(struct request *request, const char *wrong)
{
	return !wrong || refuse(request, wrong);
}

/* ---- Names ---- */

static bool too_long(const struct request *request, const char *text)
{
	return server_over(strlen(text ? text : ""), request->server->config.id_max);
}

static bool refuse_length(struct request *request, const char *what, const char *text)
{
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"%s exceeds maximum allowed length (%zu/%lld)", what, strlen(text),
		(long long)request->server->config.id_max);
	return false;
}

static bool check_id(struct request *request, const char *id)
{
	if (str_empty(id))
		return refuse(request, "WorkflowId is not set on request.");
	return !too_long(request, id) || refuse_length(request, "WorkflowId", id);
}

static bool check_queue(struct request *request, const Taskqueue__TaskQueue *queue)
{
	const char *name = queue ? queue->name : "";

	if (!queue)
		return refuse(request, "taskQueue is not set");
	if (str_empty(name))
		return refuse(request, "missing task queue name");
	if (too_long(request, name))
		return refuse(request, "taskQueue length exceeds limit");
	if (strncmp(name, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
		return refuse(request,
			"task queue name cannot start with reserved prefix " RESERVED_PREFIX);
	return !str_same(name, INTERNAL_QUEUE) ||
	       refuse(request, "cannot use internal per-namespace task queue:" INTERNAL_QUEUE);
}

/* ---- Times ---- */

static bool check_time(struct request *request, const Google__Duration *duration, const char *what)
{
	const char *wrong = start_check_duration(duration);

	if (wrong)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"An invalid %sSeconds is set on request. cause: %s", what, wrong);
	return !wrong;
}

static bool check_timeouts(struct request *request, const start_message *in)
{
	return check_time(request, in->workflow_execution_timeout, "WorkflowExecutionTimeout") &&
	       check_time(request, in->workflow_run_timeout, "WorkflowRunTimeout") &&
	       check_time(request, in->workflow_task_timeout, "WorkflowTaskTimeout");
}

static bool check_delay(struct request *request, const start_message *in)
{
	if (!str_empty(in->cron_schedule) && in->workflow_start_delay)
		return refuse(
			request, "CronSchedule and WorkflowStartDelay may not be used together.");
	return check_time(request, in->workflow_start_delay, "WorkflowStartDelay");
}

static bool check_cron(struct request *request, const start_message *in)
{
	return check_part(request, cron_invalid(in->cron_schedule, request->server->now_ns));
}

static bool check_retry(struct request *request, const start_message *in)
{
	const char *wrong = retry_invalid(in->retry_policy);

	return check_part(
		request, wrong ? wrong : retry_invalid_types(in->retry_policy, request->arena));
}

/* ---- Policies ---- */

static bool check_policies(struct request *request, const start_message *in)
{
	Enums__WorkflowIdReusePolicy reuse = in->workflow_id_reuse_policy;
	Enums__WorkflowIdConflictPolicy conflict = in->workflow_id_conflict_policy;

	if (conflict && reuse == REUSE(TERMINATE_IF_RUNNING))
		return refuse(request,
			"Invalid WorkflowIDReusePolicy: "
			"WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together "
			"with a WorkflowIDConflictPolicy");
	if (conflict == CONFLICT(TERMINATE_EXISTING) && reuse == REUSE(REJECT_DUPLICATE))
		return refuse(request,
			"Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE "
			"cannot be used together with WorkflowIdConflictPolicy "
			"WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING");
	return true;
}

/* ---- Versioning ---- */

static bool refuse_version(
	struct request *request, const start_message *in, const char *name, const char *build)
{
	/* There are no deployments here: no version is in any queue. */
	request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
		"Pinned version '%s:%s' is not present in task queue '%s' of type 'Workflow'", name,
		build, in->task_queue->name);
	return false;
}

/* "NAME.BUILD" */
static bool refuse_version_text(struct request *request, const start_message *in)
{
	const char *text = in->versioning_override->pinned_version, *dot = strchr(text, '.');
	char *name = arena_strdup(request->arena, text);

	if (!dot || !name) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"invalid version string \"%s\", expected format is "
			"\"<deployment_name>.<build_id>\"",
			text);
		return false;
	}
	name[dot - text] = '\0';
	return refuse_version(request, in, name, dot + 1);
}

static bool check_override(struct request *request, const start_message *in)
{
	const Workflow__VersioningOverride *override = in->versioning_override;
	const Deployment__WorkerDeploymentVersion *version = NULL;

	if (!override)
		return true;
	if (!check_part(request, start_check_override(override)))
		return false;
	if (override->override_case == OVERRIDE(PINNED))
		version = override->pinned->version;
	else if (override->override_case == OVERRIDE(ONE_TIME))
		version = override->one_time->target_deployment_version;
	if (version)
		return refuse_version(request, in, version->deployment_name, version->build_id);
	if (override->override_case == 0 && override->behavior == BEHAVIOR(PINNED) &&
		!override->deployment)
		return refuse_version_text(request, in);
	return true;
}

Workflow__VersioningOverride *start_request_override(
	struct arena *arena, const Workflow__VersioningOverride *given)
{
	Workflow__VersioningOverride *out;

	if (!given)
		return NULL;
	out = proto_copy(arena, given);
	if (!out || out->override_case || out->behavior != BEHAVIOR(AUTO_UPGRADE))
		return out;
	out->behavior = BEHAVIOR(UNSPECIFIED);
	out->override_case = OVERRIDE(AUTO_UPGRADE);
	out->auto_upgrade = true;
	return out;
}

/* ---- The rest ---- */

static bool check_attributes(struct request *request, const start_message *in)
{
	const struct server_namespace *space = state_namespace(request->server, in->namespace_);
	struct temporal_error err;

	if (search_attributes_check(&space->search_attributes, space->name, in->search_attributes,
		    &err) == TEMPORAL_OK)
		return true;
	request_fail(request, err.code, NULL, "%s", err.message);
	return false;
}

static bool check_links(struct request *request, const start_message *in)
{
	return check_part(request, start_check_links(in->links, in->n_links,
					   &request->server->config, request->arena));
}

static bool check_sizes(struct request *request, const start_message *in)
{
	const struct server_config *config = &request->server->config;

	if (in->input && server_over(proto_size(in->input), config->blob_max))
		return refuse(request, "Blob data size exceeds limit.");
	return !in->memo || !server_over(proto_size(in->memo), config->memo_max) ||
	       refuse(request, "Memo size exceeds limit.");
}

bool start_request_check(struct request *request, const start_message *in)
{
	const char *type = in->workflow_type ? in->workflow_type->name : "";

	if (!check_id(request, in->workflow_id) || !check_retry(request, in) ||
		!check_delay(request, in) || !check_cron(request, in))
		return false;
	if (str_empty(type))
		return refuse(request, "WorkflowType is not set on request.");
	if (too_long(request, type))
		return refuse(request, "WorkflowType length exceeds limit.");
	if (!check_queue(request, in->task_queue) || !check_timeouts(request, in))
		return false;
	if (too_long(request, in->request_id))
		return refuse(request, "RequestId length exceeds limit.");
	return check_policies(request, in) && nexus_attach_check(request, in) &&
	       check_attributes(request, in) &&
	       check_part(request, start_check_priority(in->priority)) &&
	       check_links(request, in) && check_sizes(request, in) && check_override(request, in);
}

static bool check_signal_size(
	struct request *request, const Workflowservice__SignalWithStartWorkflowExecutionRequest *in)
{
	return !in->signal_input ||
	       !server_over(proto_size(in->signal_input), request->server->config.blob_max) ||
	       refuse(request, "Blob data size exceeds limit.");
}

bool start_request_check_signal(struct request *request,
	const Workflowservice__SignalWithStartWorkflowExecutionRequest *in, const start_message *as)
{
	const char *type = in->workflow_type ? in->workflow_type->name : "";

	if (!check_cron(request, as) || !check_id(request, in->workflow_id))
		return false;
	if (str_empty(in->signal_name))
		return refuse(request, "signal not set");
	if (too_long(request, in->signal_name))
		return refuse_length(request, "signal name", in->signal_name);
	if (str_empty(type))
		return refuse(request, "workflow type not set");
	if (too_long(request, type))
		return refuse_length(request, "workflow type name", type);
	if (!check_queue(request, in->task_queue))
		return false;
	if (too_long(request, in->request_id))
		return refuse_length(request, "Request ID", in->request_id);
	if (!check_timeouts(request, as) || !check_retry(request, as) ||
		!check_delay(request, as) || !check_policies(request, as))
		return false;
	if (in->workflow_id_conflict_policy == CONFLICT(FAIL))
		return refuse(request,
			"Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not "
			"supported for this operation.");
	return check_attributes(request, as) &&
	       check_part(request, start_check_priority(in->priority)) &&
	       check_links(request, as) && check_sizes(request, as) &&
	       check_signal_size(request, in) && check_override(request, as);
}
