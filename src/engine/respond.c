/*
 * respond.c: what the server is sent at the end of a task: completed, failed, or a query's answer.
 * The requests lie in the task's arena and borrow from the configuration.
 *
 * The thread that owns the run.
 *
 * Nothing here decides what is said: step.c has done that. What a request borrows (names of the
 * configuration, the poll's token) outlives the task; what lies in the workflow's memory, as query
 * results do, is copied.
 */
#include <string.h>

#include "engine/run.h"
#include "proto/codec.h"

/* Servers still read the fields of the older ways of versioning workers. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define NEW(arena_, Type_, INIT_) ((Type_ *)arena_memdup((arena_), &(Type_)INIT_, sizeof(Type_)))

static ProtobufCBinaryData token(const struct task *task)
{
	return (ProtobufCBinaryData){ .len = task->token.len, .data = task->token.ptr };
}

/*
 * Sets *out unless there is no build id to say. A worker with a deployment does not ask to be
 * versioned by the stamp: the two ways exclude each other.
 */
static bool version_stamp(struct engine_run *run, Common__WorkerVersionStamp **out)
{
	const struct engine_config *config = run->config;

	if (str_empty(config->build_id))
		return true;
	*out = NEW(
		&run->task->arena, Common__WorkerVersionStamp, COMMON__WORKER_VERSION_STAMP__INIT);
	if (!*out)
		return false;
	(*out)->build_id = config->build_id;
	(*out)->use_versioning = config->use_versioning && str_empty(config->deployment_name);
	return true;
}

/* The newer way of versioning: a worker that has a deployment says so instead. */
static bool deployment_options(struct engine_run *run, Deployment__WorkerDeploymentOptions **out)
{
	const struct engine_config *config = run->config;

	if (str_empty(config->deployment_name))
		return true;
	*out = NEW(&run->task->arena, Deployment__WorkerDeploymentOptions,
		DEPLOYMENT__WORKER_DEPLOYMENT_OPTIONS__INIT);
	if (!*out)
		return false;
	(*out)->deployment_name = config->deployment_name;
	(*out)->build_id = text_or_empty(config->build_id);
	(*out)->worker_versioning_mode =
		config->use_versioning
			? ENUMS__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_VERSIONED
			: ENUMS__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_UNVERSIONED;
	return true;
}

/*
 * With these the server sends the run's next task to this worker alone, for a while. The timeout is
 * that of the sticky queue alone: when it passes, the server puts the task on the normal queue, for
 * any worker.
 */
static bool sticky_attributes(struct engine_run *run, Taskqueue__StickyExecutionAttributes **out)
{
	const struct engine_config *config = run->config;
	struct arena *arena = &run->task->arena;
	int64_t ms = config->sticky_timeout_ms;

	if (!config->sticky_queue)
		return true;

	Taskqueue__StickyExecutionAttributes *sticky = NEW(arena,
		Taskqueue__StickyExecutionAttributes, TASKQUEUE__STICKY_EXECUTION_ATTRIBUTES__INIT);
	Taskqueue__TaskQueue *queue = NEW(arena, Taskqueue__TaskQueue, TASKQUEUE__TASK_QUEUE__INIT);
	Google__Duration *timeout = NEW(arena, Google__Duration, GOOGLE__DURATION__INIT);

	if (!sticky || !queue || !timeout)
		return false;
	queue->name = config->sticky_queue;
	queue->kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY;
	queue->normal_name = text_or_empty(config->task_queue);
	timeout->seconds = ms / 1000;
	timeout->nanos = (int32_t)(ms % 1000 * 1000000);
	sticky->worker_task_queue = queue;
	sticky->schedule_to_start_timeout = timeout;
	*out = sticky;
	return true;
}

/*
 * The commands that wait, which count as sent from now on; they stay in the queue until history has
 * their events.
 *
 * One that was sent before and has no event yet is nondeterminism: the server writes the events of
 * all commands of a completion at once, so the task that was just worked on must have shown them.
 */
static bool add_commands(
	struct engine_run *run, Workflowservice__RespondWorkflowTaskCompletedRequest *request)
{
	struct command_queue *queue = &run->queue;

	request->commands = arena_array(
		&run->task->arena, queue->count - queue->head + 1, sizeof(Command__Command *));
	if (!request->commands)
		return run_no_memory(run);
	for (uint32_t i = queue->head; i < queue->count; i++) {
		struct queued_command *queued = &queue->items[i];

		if (queued->sent)
			return run_nondeterminism(run,
				"history has no event for %s, which was sent with an earlier task",
				machine_describe(run, queued->machine));
		request->commands[request->n_commands++] = queued->message;
		queued->message = NULL;
		queued->sent = true;
	}
	return true;
}

/* The run is failed in place of the task: no other command goes with it. */
static bool add_fail_command(
	struct engine_run *run, Workflowservice__RespondWorkflowTaskCompletedRequest *request)
{
	struct arena *arena = &run->task->arena;
	Command__Command *command = NEW(arena, Command__Command, COMMAND__COMMAND__INIT);
	Command__FailWorkflowExecutionCommandAttributes *fail =
		NEW(arena, Command__FailWorkflowExecutionCommandAttributes,
			COMMAND__FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT);

	request->commands = ARENA_NEW(arena, Command__Command *);
	if (!command || !fail || !request->commands)
		return run_no_memory(run);
	fail->failure = unconst(respond_failure_of(run));
	command->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION;
	command->attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command->fail_workflow_execution_command_attributes = fail;
	request->commands[request->n_commands++] = command;
	return true;
}

/*
 * What goes with every completion, whatever it completes.
 *
 * discard_speculative_...: this SDK understands reset_history_event_id in the answer (task.c),
 * without which the server must write even those tasks into history that led to nothing.
 */
static bool fill_metadata(
	struct engine_run *run, Workflowservice__RespondWorkflowTaskCompletedRequest *request)
{
	struct arena *arena = &run->task->arena;

	request->capabilities = NEW(arena,
		Workflowservice__RespondWorkflowTaskCompletedRequest__Capabilities,
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__CAPABILITIES__INIT);
	request->metering_metadata =
		NEW(arena, Common__MeteringMetadata, COMMON__METERING_METADATA__INIT);
	request->sdk_metadata =
		flags_record(&run->flags, run->config->sdk_name, run->config->sdk_version, arena);
	if (!request->capabilities || !request->metering_metadata || !request->sdk_metadata)
		return false;
	request->capabilities->discard_speculative_workflow_task_with_events = true;
	return version_stamp(run, &request->worker_version_stamp) &&
	       deployment_options(run, &request->deployment_options) &&
	       sticky_attributes(run, &request->sticky_attributes);
}

/*
 * A new task in the answer is wanted only by a worker with a cache: without one the run would have
 * to be built anew for it, as for any other task.
 */
Workflowservice__RespondWorkflowTaskCompletedRequest *respond_completed(struct engine_run *run)
{
	struct task *task = run->task;
	Workflowservice__RespondWorkflowTaskCompletedRequest *request =
		NEW(&task->arena, Workflowservice__RespondWorkflowTaskCompletedRequest,
			WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT);

	if (!request || !fill_metadata(run, request)) {
		run_no_memory(run);
		return NULL;
	}
	request->task_token = token(task);
	request->identity = text_or_empty(run->config->identity);
	request->namespace_ = text_or_empty(run->config->namespace_);
	request->return_new_workflow_task = run->config->sticky_queue != NULL;
	request->versioning_behavior = task->versioning_behavior;
	request->force_create_new_workflow_task = task->heartbeat;
	request->query_results = task->query_results;
	request->n_query_results = task->n_query_results;
	if (task->forced_completion)
		return add_fail_command(run, request) ? request : NULL;
	if (!machine_update_all_answered(run) || !add_commands(run, request))
		return NULL;
	request->messages = task->messages;
	request->n_messages = task->n_messages;
	return request;
}

/* The failure that the workflow gave, or one made of the text; made once. */
const Failure__Failure *respond_failure_of(struct engine_run *run)
{
	struct run_failure *why = &run->task->failure;
	struct arena *arena = &run->task->arena;

	if (why->failure)
		return why->failure;

	Failure__Failure *failure = NEW(arena, Failure__Failure, FAILURE__FAILURE__INIT);
	Failure__ApplicationFailureInfo *info = NEW(
		arena, Failure__ApplicationFailureInfo, FAILURE__APPLICATION_FAILURE_INFO__INIT);

	if (!failure || !info)
		return NULL;
	failure->message = why->text;
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	why->failure = failure;
	return failure;
}

Workflowservice__RespondWorkflowTaskFailedRequest *respond_failed(struct engine_run *run)
{
	struct task *task = run->task;
	Workflowservice__RespondWorkflowTaskFailedRequest *request =
		NEW(&task->arena, Workflowservice__RespondWorkflowTaskFailedRequest,
			WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT);

	if (!request || !version_stamp(run, &request->worker_version) ||
		!deployment_options(run, &request->deployment_options))
		return NULL;
	request->task_token = token(task);
	request->cause = task->failure.cause;
	request->failure = unconst(respond_failure_of(run));
	request->identity = text_or_empty(run->config->identity);
	request->namespace_ = text_or_empty(run->config->namespace_);
	return request;
}

/* Copied: the answer lies in the workflow's memory. */
static Common__Payloads *answer_of(const struct command_query_result *result, struct arena *arena)
{
	Common__Payloads *payloads = NEW(arena, Common__Payloads, COMMON__PAYLOADS__INIT);
	Common__Payload **item = ARENA_NEW(arena, Common__Payload *);

	if (!payloads || !item)
		return NULL;
	*item = proto_copy(arena, result->response);
	if (!*item)
		return NULL;
	payloads->payloads = item;
	payloads->n_payloads = 1;
	return payloads;
}

Workflowservice__RespondQueryTaskCompletedRequest *respond_query(struct engine_run *run,
	const struct command_query_result *result, const Failure__Failure *failure,
	Enums__WorkflowTaskFailedCause cause)
{
	struct arena *arena = &run->task->arena;
	Workflowservice__RespondQueryTaskCompletedRequest *request =
		NEW(arena, Workflowservice__RespondQueryTaskCompletedRequest,
			WORKFLOWSERVICE__RESPOND_QUERY_TASK_COMPLETED_REQUEST__INIT);

	if (!request)
		return NULL;
	request->task_token = token(run->task);
	request->namespace_ = text_or_empty(run->config->namespace_);
	if (result)
		failure = result->failure;
	if (failure) {
		Failure__Failure *copy = proto_copy(arena, failure);

		if (!copy)
			return NULL;
		request->completed_type = ENUMS__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_FAILED;
		request->error_message = text_or_empty(copy->message);
		request->failure = copy;
		request->cause = cause;
		return request;
	}
	request->completed_type = ENUMS__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED;
	if (result && result->response) {
		request->query_result = answer_of(result, arena);
		if (!request->query_result)
			return NULL;
	}
	return request;
}

static bool fill_query_result(struct arena *arena, const struct command_query_result *result,
	Query__WorkflowQueryResult *to)
{
	if (result->failure) {
		to->result_type = ENUMS__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_FAILED;
		to->failure = proto_copy(arena, result->failure);
		to->error_message = to->failure ? text_or_empty(to->failure->message) : "";
		return to->failure;
	}
	to->result_type = ENUMS__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED;
	if (!result->response)
		return true;
	to->answer = answer_of(result, arena);
	return to->answer;
}

static const Workflowservice__RespondWorkflowTaskCompletedRequest__QueryResultsEntry no_result =
	WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__QUERY_RESULTS_ENTRY__INIT;

/* Room for as many answers as there were questions is taken with the first one. */
bool respond_add_query_result(struct engine_run *run, const struct command_query_result *result)
{
	struct task *task = run->task;
	struct arena *arena = &task->arena;

	if (!task->query_results) {
		task->query_results =
			arena_array(arena, task->n_queries + 1, sizeof(*task->query_results));
		if (!task->query_results)
			return false;
	}
	if (task->n_query_results >= task->n_queries)
		return true; /* more answers than questions: they have no asker */

	Workflowservice__RespondWorkflowTaskCompletedRequest__QueryResultsEntry *item =
		arena_memdup(arena, &no_result, sizeof(*item));
	Query__WorkflowQueryResult *value =
		NEW(arena, Query__WorkflowQueryResult, QUERY__WORKFLOW_QUERY_RESULT__INIT);

	if (!item || !value || !fill_query_result(arena, result, value))
		return false;
	item->key = arena_strdup(arena, text_or_empty(result->query_id));
	item->value = value;
	if (!item->key)
		return false;
	task->query_results[task->n_query_results++] = item;
	return true;
}
