/*
 * workflow_task.c: what workers ask and tell about workflow tasks. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/enum_name.h"
#include "proto/time.h"
#include "server/frontend/task_queue.h"
#include "server/history/update.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define NO_TASK "Workflow task not found."
#define UNHANDLED_COMMAND \
	ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND

void frontend_poll_workflow(struct request *request)
{
	const Workflowservice__PollWorkflowTaskQueueRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (!space || !task_queue_patient(request) || !frontend_identity(request, in->identity) ||
		!task_queue_named(request, in->task_queue))
		return;
	struct task_queue *queue = matching_queue(
		request->server, space, in->task_queue->name, MATCHING_QUEUE_WORKFLOW);
	if (queue && in->task_queue->kind == ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY)
		queue->sticky = true;
	struct stats_poll poll = task_queue_poll(
		in->identity, in->worker_version_capabilities, in->deployment_options, NULL);
	matching_seen(queue, &poll);
	matching_poll(queue, request, in->identity, in->worker_instance_key);
}

/* The execution whose workflow task this token is of, or NULL: answered; `closed` says it of a run
 * that has ended. */
static struct execution *find_task(
	struct request *request, const char *name, ProtobufCBinaryData data, const char *closed)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct execution *execution = NULL;
	struct task_token token;

	if (!frontend_token(request, name, data, &token, &execution)) {
		execution = NULL;
	} else {
		if (execution && !state_running(execution)) {
			request_fail(request, TEMPORAL_NOT_FOUND, &detail, "%s", closed);
			execution = NULL;
		} else if (!execution || !execution->task_started_id ||
			   execution->task_scheduled_id != token.scheduled_id ||
			   execution->task_started_id != token.started_id ||
			   execution->task_started_ns != token.starts ||
			   execution->task_attempt != token.attempt) {
			request_fail(request, TEMPORAL_NOT_FOUND, &detail, NO_TASK);
			execution = NULL;
		}
	}
	token_finish(&token);
	return execution;
}

static void take_sticky(
	struct execution *execution, const Workflowservice__RespondWorkflowTaskCompletedRequest *in)
{
	const Taskqueue__StickyExecutionAttributes *sticky = in->sticky_attributes;

	if (!sticky || !sticky->worker_task_queue || str_empty(sticky->worker_task_queue->name)) {
		workflow_task_clear_sticky(execution);
		return;
	}
	state_set_text(
		execution->server, &execution->sticky_queue, sticky->worker_task_queue->name);
	(void)!proto_duration_ms(sticky->schedule_to_start_timeout, &execution->sticky_timeout_ms);
}

static void add_completed(struct decision *decision)
{
	const Workflowservice__RespondWorkflowTaskCompletedRequest *in = decision->message;
	History__WorkflowTaskCompletedEventAttributes completed =
		HISTORY__WORKFLOW_TASK_COMPLETED_EVENT_ATTRIBUTES__INIT;

	completed.identity = in->identity;
	completed.sdk_metadata = in->sdk_metadata;
	completed.metering_metadata = in->metering_metadata;
	completed.binary_checksum = in->binary_checksum;
	completed.worker_version = in->worker_version_stamp;
	completed.versioning_behavior = in->versioning_behavior;
	workflow_task_complete(decision->execution, &completed);
	attributes_task_completed(decision->execution, in->worker_version_stamp);
	decision->completed_id = decision->execution->last_completed_id;
}

/* A bad command: the task has failed, and the worker is told why. */
static void fail_task(struct decision *decision)
{
	char name[PROTO_ENUM_TEXT];
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ServerFailureInfo info = FAILURE__SERVER_FAILURE_INFO__INIT;
	const char *cause = proto_enum_short(
		&enums__workflow_task_failed_cause__descriptor, (int)decision->cause, name);
	const char *text = str_empty(decision->text) ? cause
						     : arena_printf(decision->request->arena,
							       "%s: %s", cause, decision->text);

	if (!text) {
		server_no_memory(decision->request->server);
		text = cause;
	}
	failure.message = text;
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
	failure.server_failure_info = &info;
	update_task_failed(decision->execution);
	request_fail(decision->request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", text);
	/* One that fails and fails runs into its time-out, which slows it down. */
	if (decision->execution->task_attempt > 1 && decision->cause != UNHANDLED_COMMAND)
		return;
	workflow_task_fail(
		decision->execution, decision->cause, &failure, decision->message->identity);
	if (decision->terminate)
		execution_terminate(decision->execution, text, NULL, "history-service", NULL);
}

/* A completion that makes no sense: its task goes on, but for one that only updates wanted, which
 * is made anew. */
static void refuse(struct decision *decision)
{
	struct execution *execution = decision->execution;

	update_resend(execution);
	if (execution->task_speculative) {
		workflow_task_clear_sticky(execution);
		speculative_discard(execution);
		speculative_schedule(execution);
	}
	request_fail(decision->request, decision->refused, decision->refused_detail, "%s",
		decision->text);
}

/* Nothing of it has any effect if one of its commands or messages is wrong. */
static bool check_all(struct decision *decision)
{
	if (!update_check_begin(decision)) {
		server_no_memory(decision->request->server);
		decision->refused = TEMPORAL_UNAVAILABLE;
		decision->text = "out of memory";
		return false;
	}
	decision->text = command_sequence_invalid(decision->message->commands,
		decision->message->n_commands, decision->request->arena);
	if (decision->text) {
		decision->refused = TEMPORAL_INVALID_ARGUMENT;
		return false;
	}
	for (size_t i = 0; i < decision->message->n_commands; i++) {
		if (!command_check(decision, i))
			return false;
	}
	return update_check_rest(decision);
}

/* The next task goes back with the answer. */
static void start_here(struct decision *decision, bool for_updates)
{
	const Workflowservice__RespondWorkflowTaskCompletedRequest *in = decision->message;
	struct execution *execution = decision->execution;

	execution->task_speculative = for_updates;
	decision->response->workflow_task =
		workflow_task_start_inline(execution, decision->request, in->identity, true);
	/* A worker that is still at its task knows of what it was sent with it. */
	update_send(execution, decision->request, !in->force_create_new_workflow_task,
		decision->response->workflow_task);
}

/* After the commands: what was buffered, and the next task. */
static void go_on(struct decision *decision)
{
	const Workflowservice__RespondWorkflowTaskCompletedRequest *in = decision->message;
	struct execution *execution = decision->execution;
	bool news = event_flush(execution);

	execution->completing = false;
	query_answers(execution, in);
	if (!state_running(execution))
		return;
	bool needed = news || execution->task_wanted || in->force_create_new_workflow_task;
	bool here = in->return_new_workflow_task && !str_empty(execution->sticky_queue);
	bool updates = update_pending(execution);
	if (updates)
		speculative_hasten(execution);
	if (needed || updates)
		transition_durable(execution->server);
	if (here && (needed || updates))
		start_here(decision, !needed);
	else if (needed || updates)
		workflow_task_schedule(execution);
	query_again(execution);
}

/* How many events the completion makes: its own, those of a task that has none yet, one for each
 * command, and the next task's. */
static int64_t events_of(const struct execution *execution,
	const Workflowservice__RespondWorkflowTaskCompletedRequest *in)
{
	int64_t events = 1 + (int64_t)in->n_commands;

	if (execution->task_transient || execution->task_speculative)
		events += 2;
	if (in->force_create_new_workflow_task)
		events += 1 + in->return_new_workflow_task;
	return events;
}

void frontend_workflow_completed(struct request *request)
{
	const Workflowservice__RespondWorkflowTaskCompletedRequest *in = request->message;
	Errordetails__NotFoundFailure not_found = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct decision decision = {
		.request = request,
		.message = in,
		.execution = find_task(request, in->namespace_, in->task_token, NO_TASK),
	};
	struct execution *execution = decision.execution;

	if (!execution)
		return;
	const char *over = execution_over_limit(execution, events_of(execution, in), 0, false);
	if (over) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", over);
		return;
	}
	bool heartbeat = in->force_create_new_workflow_task && !in->n_commands && !in->n_messages;
	int64_t since_ns = execution->task_original_scheduled_ns;
	if (heartbeat && workflow_task_heartbeat_over(execution)) {
		request_fail(
			request, TEMPORAL_NOT_FOUND, &not_found, "workflow task heartbeat timeout");
		return;
	}
	if (!check_all(&decision)) {
		if (decision.refused)
			refuse(&decision);
		else
			fail_task(&decision);
		return;
	}
	decision.response =
		REQUEST_NEW(request, Workflowservice__RespondWorkflowTaskCompletedResponse,
			workflowservice__respond_workflow_task_completed_response);
	take_sticky(execution, in);
	if (speculative_discards(execution, in)) {
		decision.response->reset_history_event_id = execution->previous_started_id;
		speculative_discard(execution);
	} else {
		add_completed(&decision);
		transition_durable(request->server);
	}
	execution->completing = true;
	execution->task_wanted = false;
	for (size_t i = 0; i < in->n_commands && state_running(execution); i++)
		command_apply(&decision, in->commands[i]);
	update_apply_rest(&decision);
	go_on(&decision);
	/* The next task goes on with this one's time. */
	if (heartbeat)
		execution->task_original_scheduled_ns = since_ns;
	request_reply(request, decision.response);
}

void frontend_workflow_failed(struct request *request)
{
	const Workflowservice__RespondWorkflowTaskFailedRequest *in = request->message;
	struct execution *execution = find_task(
		request, in->namespace_, in->task_token, "workflow execution already completed");

	if (!execution)
		return;
	workflow_task_fail(execution, in->cause, in->failure, in->identity);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__RespondWorkflowTaskFailedResponse,
				 workflowservice__respond_workflow_task_failed_response));
}

void frontend_reset_sticky(struct request *request)
{
	const Workflowservice__ResetStickyTaskQueueRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution =
		space ? frontend_running(request, space, in->execution) : NULL;

	if (!execution)
		return;
	workflow_task_clear_sticky(execution);
	transition_touch(execution);
	request_reply(request, REQUEST_NEW(request, Workflowservice__ResetStickyTaskQueueResponse,
				       workflowservice__reset_sticky_task_queue_response));
}
