/*
 * continue_check.c: what is wrong with a command to continue as new, in the order and with the
 * texts of the official server. Pure.
 */
#include "server/history/history.h"
#include "server/history/start_check.h"

#define BAD \
	ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES

typedef Command__ContinueAsNewWorkflowExecutionCommandAttributes continue_attributes;

/* Type and queue, as a text about the command ends. */
static const char *subject(const struct decision *decision, const continue_attributes *in)
{
	const char *type = in->workflow_type ? in->workflow_type->name : "";
	const char *queue = in->task_queue ? in->task_queue->name : "";
	const char *text = arena_printf(decision->request->arena,
		"WorkflowType=%s TaskQueue=name:\"%s\"  kind:TASK_QUEUE_KIND_NORMAL",
		str_empty(type) ? decision->execution->type : type,
		str_empty(queue) ? decision->execution->task_queue : queue);

	return text ? text : "";
}

static bool check_time(struct decision *decision, const continue_attributes *in,
	const Google__Duration *duration, const char *what)
{
	const char *wrong = start_check_duration(duration);

	return !wrong || command_refuse(decision, BAD,
				 "Invalid %s on ContinueAsNewWorkflowExecutionCommand: %s. %s",
				 what, wrong, subject(decision, in));
}

static bool check_names(struct decision *decision, const continue_attributes *in)
{
	int64_t max = decision->request->server->config.id_max;
	const char *type = in->workflow_type ? in->workflow_type->name : "";

	if (server_over(strlen(type), max))
		return command_refuse(decision, BAD,
			"WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length "
			"limit. WorkflowType=%s Length=%zu Limit=%lld",
			type, strlen(type), (long long)max);
	if (in->task_queue && server_over(strlen(in->task_queue->name), max))
		return command_refuse(decision, BAD,
			"error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: "
			"taskQueue length exceeds limit. %s",
			subject(decision, in));
	return true;
}

bool command_check_continue(struct decision *decision, const continue_attributes *in)
{
	const char *policy = retry_invalid(in->retry_policy);

	if (!policy)
		policy = retry_invalid_types(in->retry_policy, decision->request->arena);
	if (!check_names(decision, in) ||
		!check_time(decision, in, in->workflow_run_timeout, "WorkflowRunTimeout") ||
		!check_time(decision, in, in->workflow_task_timeout, "WorkflowTaskTimeout") ||
		!check_time(decision, in, in->backoff_start_interval, "BackoffStartInterval"))
		return false;
	if (policy)
		return command_refuse(decision, BAD,
			"invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: %s. "
			"%s",
			policy, subject(decision, in));
	return attributes_check_continue(decision, in);
}
