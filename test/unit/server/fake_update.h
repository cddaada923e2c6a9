/*
 * fake_update.h: on top of fake_workflow.h: callers of updates, and what a worker says about them.
 */
#ifndef TEST_SERVER_FAKE_UPDATE_H
#define TEST_SERVER_FAKE_UPDATE_H

#include "fake_workflow.h"
#include "google/protobuf/any.pb-c.h"
#include "server/limits.h"
#include "temporal/api/protocol/v1/message.pb-c.h"

#define MESSAGES_MAX 16

/* A call of UpdateWorkflowExecution, with all that it points to. */
struct update_call {
	Workflowservice__UpdateWorkflowExecutionRequest in;
	Update__Request request;
	Update__Meta meta;
	Update__Input input;
	Update__WaitPolicy policy;
};

static UNUSED void update_call_init(struct update_call *made, const char *id)
{
	*made = (struct update_call){
		.in = WORKFLOWSERVICE__UPDATE_WORKFLOW_EXECUTION_REQUEST__INIT,
		.request = UPDATE__REQUEST__INIT,
		.meta = UPDATE__META__INIT,
		.input = UPDATE__INPUT__INIT,
		.policy = UPDATE__WAIT_POLICY__INIT,
	};
	made->in.namespace_ = "default";
	made->in.workflow_execution = &workflow;
	made->in.request = &made->request;
	made->in.wait_policy = &made->policy;
	made->request.meta = &made->meta;
	made->request.input = &made->input;
	made->meta.update_id = id;
	made->input.name = "name";
}

/* Asks for an update and waits for the stage. */
static UNUSED void ask(
	struct answer *answer, const char *id, Enums__UpdateWorkflowExecutionLifecycleStage stage)
{
	struct update_call made;

	update_call_init(&made, id);
	made.policy.lifecycle_stage = stage;
	call(answer, frontend_update, &made.in);
}

static UNUSED void ask_badly(const char *id, enum temporal_code code, const char *text)
{
	struct update_call made;

	update_call_init(&made, id);
	call_badly(frontend_update, &made.in, code, text);
}

static UNUSED void look(
	struct answer *answer, const char *id, Enums__UpdateWorkflowExecutionLifecycleStage stage)
{
	Workflowservice__PollWorkflowExecutionUpdateRequest in =
		WORKFLOWSERVICE__POLL_WORKFLOW_EXECUTION_UPDATE_REQUEST__INIT;
	Update__UpdateRef ref = UPDATE__UPDATE_REF__INIT;
	Update__WaitPolicy policy = UPDATE__WAIT_POLICY__INIT;

	ref.workflow_execution = &workflow;
	ref.update_id = id;
	policy.lifecycle_stage = stage;
	in.namespace_ = "default";
	in.update_ref = &ref;
	in.wait_policy = &policy;
	call(answer, frontend_poll_update, &in);
}

/* The stage and outcome of an answer of either call; forgets it. */
static UNUSED void expect_update(struct answer *answer,
	Enums__UpdateWorkflowExecutionLifecycleStage stage, const char *failure)
{
	const Workflowservice__UpdateWorkflowExecutionResponse *updated = answer->message;
	const Workflowservice__PollWorkflowExecutionUpdateResponse *polled = answer->message;

	if (answer->code != TEMPORAL_OK)
		fail_msg("%s", answer->text);
	assert_true(answer->done);
	bool is_poll = updated->base.descriptor ==
		       &workflowservice__poll_workflow_execution_update_response__descriptor;
	const Update__Outcome *outcome = is_poll ? polled->outcome : updated->outcome;
	assert_int_equal(is_poll ? polled->stage : updated->stage, stage);
	assert_int_equal(outcome != NULL, stage == UPDATE_STAGE(COMPLETED));
	if (failure)
		assert_string_equal(outcome->failure->message, failure);
	else if (outcome)
		assert_int_equal(outcome->value_case, UPDATE__OUTCOME__VALUE_SUCCESS);
	forget(answer);
}

static UNUSED void expect_failure(struct answer *answer, enum temporal_code code, const char *text)
{
	assert_true(answer->done);
	assert_string_equal(answer->text, text);
	assert_int_equal(answer->code, code);
	forget(answer);
}

/* A completion of a workflow task, as it is put together. */
struct completion {
	Workflowservice__RespondWorkflowTaskCompletedRequest in;
	Workflowservice__RespondWorkflowTaskCompletedRequest__Capabilities capabilities;
	struct arena arena;
	Command__Command *commands[MESSAGES_MAX];
	Protocol__Message *messages[MESSAGES_MAX];
};

static UNUSED void completion_init(
	struct completion *made, const Workflowservice__PollWorkflowTaskQueueResponse *task)
{
	*made = (struct completion){
		.in = WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT,
	};
	arena_init(&made->arena, 1024, ARENA_NO_BUDGET);
	made->capabilities = (Workflowservice__RespondWorkflowTaskCompletedRequest__Capabilities)
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__CAPABILITIES__INIT;
	made->capabilities.discard_speculative_workflow_task_with_events = true;
	made->in.namespace_ = "default";
	made->in.task_token = task->task_token;
	made->in.identity = "worker";
	made->in.capabilities = &made->capabilities;
	made->in.commands = made->commands;
	made->in.messages = made->messages;
}

static UNUSED Google__Any *pack(struct arena *arena, const void *message)
{
	Google__Any *any = PROTO_NEW(arena, Google__Any, google__any);
	struct bytes data;

	assert_int_equal(proto_encode(arena, message, 0, &data, NULL), TEMPORAL_OK);
	any->type_url = arena_printf(arena, "type.googleapis.com/%s",
		((const ProtobufCMessage *)message)->descriptor->name);
	any->value.data = data.ptr;
	any->value.len = data.len;
	return any;
}

/* A message about an update; `named`: with the command that gives it its place. */
static UNUSED Protocol__Message *say(struct completion *made, const char *update_id,
	const char *message_id, const void *body, bool named)
{
	struct arena *arena = &made->arena;
	Protocol__Message *message = PROTO_NEW(arena, Protocol__Message, protocol__message);
	Command__Command *command = PROTO_NEW(arena, Command__Command, command__command);
	Command__ProtocolMessageCommandAttributes *attributes =
		PROTO_NEW(arena, Command__ProtocolMessageCommandAttributes,
			command__protocol_message_command_attributes);

	message->id = arena_strdup(arena, message_id);
	message->protocol_instance_id = arena_strdup(arena, update_id);
	message->body = pack(arena, body);
	made->messages[made->in.n_messages++] = message;
	if (!named)
		return message;
	attributes->message_id = message->id;
	command->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_PROTOCOL_MESSAGE;
	command->attributes_case = COMMAND__COMMAND__ATTRIBUTES_PROTOCOL_MESSAGE_COMMAND_ATTRIBUTES;
	command->protocol_message_command_attributes = attributes;
	made->commands[made->in.n_commands++] = command;
	return message;
}

/* What a worker copies of the request into its answers. */
static UNUSED Update__Request *copy_request(struct completion *made, const char *id)
{
	Update__Request *request = PROTO_NEW(&made->arena, Update__Request, update__request);

	request->meta = PROTO_NEW(&made->arena, Update__Meta, update__meta);
	request->meta->update_id = arena_strdup(&made->arena, id);
	request->input = PROTO_NEW(&made->arena, Update__Input, update__input);
	request->input->name = "name";
	return request;
}

static UNUSED void say_accepted(struct completion *made, const char *id, bool named)
{
	Update__Acceptance body = UPDATE__ACCEPTANCE__INIT;

	body.accepted_request_message_id = arena_printf(&made->arena, "%s/request", id);
	body.accepted_request_sequencing_event_id = 5;
	body.accepted_request = copy_request(made, id);
	say(made, id, arena_printf(&made->arena, "%s/accept", id), &body, named);
}

static UNUSED void say_completed(struct completion *made, const char *id, bool named)
{
	Update__Response body = UPDATE__RESPONSE__INIT;
	Update__Meta meta = UPDATE__META__INIT;
	Update__Outcome outcome = UPDATE__OUTCOME__INIT;
	Common__Payloads result = COMMON__PAYLOADS__INIT;

	meta.update_id = id;
	outcome.value_case = UPDATE__OUTCOME__VALUE_SUCCESS;
	outcome.success = &result;
	body.meta = &meta;
	body.outcome = &outcome;
	say(made, id, arena_printf(&made->arena, "%s/complete", id), &body, named);
}

static UNUSED void say_rejected(struct completion *made, const char *id)
{
	Update__Rejection body = UPDATE__REJECTION__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;

	failure.message = "no";
	body.failure = &failure;
	body.rejected_request = copy_request(made, id);
	say(made, id, arena_printf(&made->arena, "%s/reject", id), &body, false);
}

/* A command of a completion. */
static UNUSED Command__Command *add_command(
	struct completion *made, Enums__CommandType type, int attributes_case, void *attributes)
{
	Command__Command *command = PROTO_NEW(&made->arena, Command__Command, command__command);

	command->command_type = type;
	command->attributes_case = (Command__Command__AttributesCase)attributes_case;
	command->complete_workflow_execution_command_attributes = attributes;
	made->commands[made->in.n_commands++] = command;
	return command;
}

static UNUSED void add_end(struct completion *made)
{
	add_command(made, ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		COMMAND__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES,
		PROTO_NEW(&made->arena, Command__CompleteWorkflowExecutionCommandAttributes,
			command__complete_workflow_execution_command_attributes));
}

static UNUSED void add_continue(struct completion *made)
{
	add_command(made, ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
		COMMAND__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES,
		PROTO_NEW(&made->arena, Command__ContinueAsNewWorkflowExecutionCommandAttributes,
			command__continue_as_new_workflow_execution_command_attributes));
}

static UNUSED void add_timer(struct completion *made, const char *id)
{
	Command__StartTimerCommandAttributes *timer = PROTO_NEW(&made->arena,
		Command__StartTimerCommandAttributes, command__start_timer_command_attributes);

	timer->timer_id = id;
	timer->start_to_fire_timeout = PROTO_NEW(&made->arena, Google__Duration, google__duration);
	timer->start_to_fire_timeout->seconds = 600;
	add_command(made, ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_TIMER,
		COMMAND__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES, timer);
}

/* Sends the completion; the number of the event that the worker has to go back to. */
static UNUSED int64_t complete(struct completion *made)
{
	struct answer answer;
	int64_t reset;

	call(&answer, frontend_workflow_completed, &made->in);
	arena_finish(&made->arena);
	if (answer.code != TEMPORAL_OK)
		fail_msg("%s", answer.text);
	reset = ((const Workflowservice__RespondWorkflowTaskCompletedResponse *)answer.message)
			->reset_history_event_id;
	forget(&answer);
	return reset;
}

static UNUSED void complete_badly(struct completion *made, const char *text)
{
	call_badly(frontend_workflow_completed, &made->in, TEMPORAL_INVALID_ARGUMENT, text);
	arena_finish(&made->arena);
}

/* Polls a task, and rejects, or accepts and completes, an update with it. */
static UNUSED int64_t reject_next(const char *id)
{
	struct completion made;
	struct answer answer;
	int64_t reset;

	completion_init(&made, poll_workflow(&answer));
	say_rejected(&made, id);
	reset = complete(&made);
	forget(&answer);
	return reset;
}

static UNUSED void accept_next(const char *id, bool completed)
{
	struct completion made;
	struct answer answer;

	completion_init(&made, poll_workflow(&answer));
	say_accepted(&made, id, true);
	if (completed)
		say_completed(&made, id, true);
	assert_int_equal(complete(&made), 0);
	forget(&answer);
}

/* A workflow whose first task is over: "1 5 6 7". */
static UNUSED void start_idle(void)
{
	start_workflow();
	decide(NULL, 0);
}

#endif
