/*
 * child_commands.c: the command that starts a child: what is wrong with it, in the order and with
 * the texts of the official server, and the initiated event with its defaults filled in.
 *
 * Loop's thread.
 */
#include "proto/time.h"
#include "server/history/child.h"
#include "server/history/cron.h"
#include "server/history/external.h"
#include "server/history/start_check.h"
#include "server/limits.h"

/* Why a task with such a command fails. */
#define CAUSE(name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_
#define BAD          CAUSE(BAD_START_CHILD_EXECUTION_ATTRIBUTES)
#define TOO_MANY     CAUSE(PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED)

typedef Command__StartChildWorkflowExecutionCommandAttributes child_attributes;

static const child_attributes *attributes_of(const struct decision *decision, size_t index)
{
	return decision->message->commands[index]
		->start_child_workflow_execution_command_attributes;
}

/* What the command calls its namespace; its own if it names none. */
static const char *space_of(const struct decision *decision, const child_attributes *in)
{
	return str_empty(in->namespace_) ? decision->execution->space->name : in->namespace_;
}

static bool check_names(struct decision *decision, const child_attributes *in, const char *space)
{
	const char *id = in->workflow_id, *type = in->workflow_type ? in->workflow_type->name : "";
	int64_t max = decision->execution->server->config.id_max;

	if (str_empty(id))
		return command_refuse(decision, BAD,
			"Required field WorkflowId is not set on "
			"StartChildWorkflowExecutionCommand. "
			"WorkflowType=%s Namespace=%s",
			type, space);
	if (str_empty(type))
		return command_refuse(decision, BAD,
			"Required field WorkflowType is not set on "
			"StartChildWorkflowExecutionCommand. WorkflowId=%s Namespace=%s",
			id, space);
	if (server_over(strlen(id), max))
		return command_refuse(decision, BAD,
			"WorkflowId on StartChildWorkflowExecutionCommand exceeds length limit. "
			"WorkflowId=%s Length=%zu Limit=%lld WorkflowType=%s Namespace=%s",
			id, strlen(id), (long long)max, type, space);
	if (server_over(strlen(type), max))
		return command_refuse(decision, BAD,
			"WorkflowType on StartChildWorkflowExecutionCommand exceeds length limit. "
			"WorkflowId=%s WorkflowType=%s Length=%zu Limit=%lld Namespace=%s",
			id, type, strlen(type), (long long)max, space);
	return true;
}

static bool check_timeout(struct decision *decision, const child_attributes *in, const char *space,
	const Google__Duration *timeout, const char *what)
{
	const char *wrong = start_check_duration(timeout);

	return !wrong || command_refuse(decision, BAD,
				 "Invalid %s on StartChildWorkflowExecutionCommand: %s. "
				 "WorkflowId=%s WorkflowType=%s Namespace=%s",
				 what, wrong, in->workflow_id, in->workflow_type->name, space);
}

/* What lies within a part of the command: the part's own text, in the command's. */
static bool check_part(struct decision *decision, const child_attributes *in, const char *space,
	const char *what, const char *wrong)
{
	return !wrong ||
	       command_refuse(decision, BAD,
		       "invalid %s on StartChildWorkflowExecutionCommand: %s. WorkflowId=%s "
		       "WorkflowType=%s Namespace=%s",
		       what, wrong, in->workflow_id, in->workflow_type->name, space);
}

static bool check_queue(struct decision *decision, const child_attributes *in, const char *space)
{
	const char *name = in->task_queue ? in->task_queue->name : "";

	if (!server_over(strlen(name), decision->execution->server->config.id_max))
		return true;
	return command_refuse(decision, BAD,
		"invalid TaskQueue on StartChildWorkflowExecutionCommand: taskQueue length exceeds "
		"limit. WorkflowId=%s WorkflowType=%s Namespace=%s TaskQueue=name:\"%s\"  "
		"kind:TASK_QUEUE_KIND_NORMAL",
		in->workflow_id, in->workflow_type->name, space, name);
}

/* Those that are pending, and those that come before this one in the same task. */
static int64_t pending(const struct decision *decision, size_t index)
{
	int64_t n = decision->execution->n_children;

	for (size_t i = 0; i < index; i++)
		n += decision->message->commands[i]->attributes_case ==
		     COMMAND__COMMAND__ATTRIBUTES_START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	return n;
}

bool child_check(struct decision *decision, size_t index)
{
	struct server *server = decision->execution->server;
	const child_attributes *in = attributes_of(decision, index);
	const char *space = space_of(decision, in), *priority;

	if (!external_namespace(decision, in->namespace_, BAD) ||
		!check_names(decision, in, space) ||
		!check_timeout(decision, in, space, in->workflow_execution_timeout,
			"WorkflowExecutionTimeout") ||
		!check_timeout(
			decision, in, space, in->workflow_run_timeout, "WorkflowRunTimeout") ||
		!check_timeout(
			decision, in, space, in->workflow_task_timeout, "WorkflowTaskTimeout") ||
		!check_part(decision, in, space, "WorkflowRetryPolicy",
			retry_invalid(in->retry_policy)) ||
		!check_part(decision, in, space, "WorkflowRetryPolicy",
			retry_invalid_types(in->retry_policy, decision->request->arena)) ||
		!check_part(decision, in, space, "CronSchedule",
			cron_invalid(in->cron_schedule, server->now_ns)) ||
		!attributes_check_child(decision, in))
		return false;
	priority = start_check_priority(in->priority);
	if (priority)
		return command_refuse(decision, BAD, "%s", priority);
	if (!check_queue(decision, in, space))
		return false;
	const char *override = start_check_override(in->versioning_override);
	if (override)
		return command_refuse(decision, BAD, "%s", override);
	int64_t n = pending(decision, index), max = server->config.pending_children_max;
	if (n >= max)
		return command_refuse(decision, TOO_MANY,
			"the number of pending child workflow executions, %lld, has reached the "
			"per-workflow limit of %lld",
			(long long)n, (long long)max);
	return true;
}

/* ---- The initiated event ---- */

static void fill_defaults(const struct execution *parent, const struct server_namespace *space,
	History__StartChildWorkflowExecutionInitiatedEventAttributes *out)
{
	struct arena *arena = &parent->server->scratch;
	struct start_timeouts timeouts;

	start_timeouts(out->workflow_execution_timeout, out->workflow_run_timeout,
		out->workflow_task_timeout, parent->server->config.task_timeout_ms, &timeouts);
	out->workflow_run_timeout = proto_duration_new_ms(arena, timeouts.run_ms);
	out->workflow_task_timeout = proto_duration_new_ms(arena, timeouts.task_ms);
	out->retry_policy = retry_defaults(arena, out->retry_policy);
	if (!out->parent_close_policy)
		out->parent_close_policy =
			ENUMS__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_TERMINATE;
	if (!out->workflow_id_reuse_policy)
		out->workflow_id_reuse_policy =
			ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE;
	out->memo = start_without_nulls(arena, &common__memo__descriptor, out->memo);
	out->search_attributes = start_without_nulls(arena, &common__search_attributes__descriptor,
		attributes_typed(arena, space, out->search_attributes));
}

static void take(History__StartChildWorkflowExecutionInitiatedEventAttributes *out,
	const child_attributes *in)
{
	out->workflow_id = in->workflow_id;
	out->workflow_type = in->workflow_type;
	out->input = in->input;
	out->header = in->header;
	out->workflow_execution_timeout = in->workflow_execution_timeout;
	out->workflow_run_timeout = in->workflow_run_timeout;
	out->workflow_task_timeout = in->workflow_task_timeout;
	out->parent_close_policy = in->parent_close_policy;
	out->control = in->control;
	out->workflow_id_reuse_policy = in->workflow_id_reuse_policy;
	out->retry_policy = in->retry_policy;
	out->cron_schedule = in->cron_schedule;
	out->memo = in->memo;
	out->search_attributes = in->search_attributes;
	out->inherit_build_id = in->inherit_build_id;
	out->priority = in->priority;
	out->versioning_override = in->versioning_override;
}

void command_start_child(struct decision *decision, const Command__Command *command)
{
	struct execution *parent = decision->execution;
	struct server *server = parent->server;
	const child_attributes *in = command->start_child_workflow_execution_command_attributes;
	History__StartChildWorkflowExecutionInitiatedEventAttributes out =
		HISTORY__START_CHILD_WORKFLOW_EXECUTION_INITIATED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = event_extras_of(command);
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	struct child *child = child_new(parent);

	if (!child)
		return;
	take(&out, in);
	const struct server_namespace *space = state_namespace(server, space_of(decision, in));
	out.namespace_ = space->name;
	out.namespace_id = space->id;
	out.workflow_task_completed_event_id = decision->completed_id;
	queue.name = in->task_queue && !str_empty(in->task_queue->name) ? in->task_queue->name
									: parent->task_queue;
	queue.kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	out.task_queue = &queue;
	fill_defaults(parent, space, &out);
	child->initiated_id = event_add_with(parent,
		ENUMS__EVENT_TYPE__EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, &out,
		&extras);
	state_set_text(server, &child->namespace_id, out.namespace_id);
	state_set_text(server, &child->workflow_id, out.workflow_id);
	state_set_text(server, &child->type, out.workflow_type->name);
	child->parent_close_policy = (int32_t)out.parent_close_policy;
	child_record(child);
	effect_add(parent, EFFECT_START_CHILD, child->initiated_id);
}
