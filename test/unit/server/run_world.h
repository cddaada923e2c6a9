/*
 * run_world.h: workflows by hand on fake_world.h: start one, take its task, answer it with
 * commands, read what its history says.
 */
#ifndef TEST_SERVER_RUN_WORLD_H
#define TEST_SERVER_RUN_WORLD_H

#include <stdio.h>

#include "fake_world.h"
#include "server/history/child.h"
#include "server/limits.h"

#define QUEUE_NAME "queue"

static Taskqueue__TaskQueue run_queue;

static int run_set_up(void **state)
{
	world_open();
	run_queue = (Taskqueue__TaskQueue)TASKQUEUE__TASK_QUEUE__INIT;
	run_queue.name = QUEUE_NAME;
	return 0;
}

static int run_tear_down(void **state)
{
	world_close();
	return 0;
}

/* The current run of an id; NULL: none. */
static struct execution *run_of(const char *id)
{
	return state_execution(&world.server, state_namespace(&world.server, "default"), id, NULL);
}

static inline const char *run_events(const char *id)
{
	return world_events(run_of(id));
}

/* An event of a run, in the server's scratch arena. */
static inline const History__HistoryEvent *run_event(
	const struct execution *execution, int64_t event_id)
{
	const History__HistoryEvent *event = event_read(execution, event_id, &world.server.scratch);

	assert_non_null(event);
	return event;
}

static inline Workflowservice__StartWorkflowExecutionRequest run_start_request(const char *id)
{
	static Common__WorkflowType type;
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;

	type = (Common__WorkflowType)COMMON__WORKFLOW_TYPE__INIT;
	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = id;
	in.workflow_type = &type;
	in.task_queue = &run_queue;
	return in;
}

static inline void run_start_with(const Workflowservice__StartWorkflowExecutionRequest *in)
{
	struct answer answer;

	call(&answer, frontend_start, in);
	if (answer.code != TEMPORAL_OK)
		fail_msg("%s", answer.text);
	forget(&answer);
}

static inline void run_start(const char *id)
{
	const Workflowservice__StartWorkflowExecutionRequest in = run_start_request(id);

	run_start_with(&in);
}

/* A completed workflow task of this run, with these commands; the text of a failure. */
static const char *run_commands(const char *id, Command__Command **commands, size_t n)
{
	static char text[6000];
	Workflowservice__PollWorkflowTaskQueueRequest poll =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	Workflowservice__RespondWorkflowTaskCompletedRequest done =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	struct answer task, answer;

	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;

	/* A task that failed again is with its worker until its time is over. */
	for (unsigned i = 0; i < 20 && run_of(id)->task_started_id; i++)
		world_pass(10000 * MS);
	queue.name = run_of(id)->task_queue;
	poll.namespace_ = "default";
	poll.task_queue = &queue;
	call(&task, frontend_poll_workflow, &poll);
	assert_true(task.done);
	const Workflowservice__PollWorkflowTaskQueueResponse *got = task.message;
	assert_string_equal(got->workflow_execution->workflow_id, id);
	done.namespace_ = "default";
	done.task_token = got->task_token;
	done.commands = commands;
	done.n_commands = n;
	call(&answer, frontend_workflow_completed, &done);
	snprintf(text, sizeof(text), "%s", answer.code == TEMPORAL_OK ? "" : answer.text);
	forget(&answer);
	forget(&task);
	return text;
}

/* Commands with their attributes; each in static memory, good until the next of its kind. A child
 * has a task queue of its own, named after its id: whose task is next is then no question. */
static inline Command__Command *run_child_command(const char *id)
{
	static Command__Command command;
	static Command__StartChildWorkflowExecutionCommandAttributes attributes;
	static Common__WorkflowType type;
	static Taskqueue__TaskQueue queue;

	queue = (Taskqueue__TaskQueue)TASKQUEUE__TASK_QUEUE__INIT;
	queue.name = id;
	type = (Common__WorkflowType)COMMON__WORKFLOW_TYPE__INIT;
	type.name = "child";
	attributes = (Command__StartChildWorkflowExecutionCommandAttributes)
		COMMAND__START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	attributes.workflow_id = id;
	attributes.workflow_type = &type;
	attributes.task_queue = &queue;
	command = (Command__Command)COMMAND__COMMAND__INIT;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.start_child_workflow_execution_command_attributes = &attributes;
	return &command;
}

static inline Command__Command *run_complete_command(void)
{
	static Command__Command command;
	static Command__CompleteWorkflowExecutionCommandAttributes attributes;

	attributes = (Command__CompleteWorkflowExecutionCommandAttributes)
		COMMAND__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	command = (Command__Command)COMMAND__COMMAND__INIT;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.complete_workflow_execution_command_attributes = &attributes;
	return &command;
}

static inline Command__Command *run_fail_command(const char *message)
{
	static Command__Command command;
	static Command__FailWorkflowExecutionCommandAttributes attributes;
	static Failure__Failure failure;
	static Failure__ApplicationFailureInfo info;

	info = (Failure__ApplicationFailureInfo)FAILURE__APPLICATION_FAILURE_INFO__INIT;
	failure = (Failure__Failure)FAILURE__FAILURE__INIT;
	failure.message = message;
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure.application_failure_info = &info;
	attributes = (Command__FailWorkflowExecutionCommandAttributes)
		COMMAND__FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	attributes.failure = &failure;
	command = (Command__Command)COMMAND__COMMAND__INIT;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.fail_workflow_execution_command_attributes = &attributes;
	return &command;
}

static inline Command__Command *run_continue_command(void)
{
	static Command__Command command;
	static Command__ContinueAsNewWorkflowExecutionCommandAttributes attributes;

	attributes = (Command__ContinueAsNewWorkflowExecutionCommandAttributes)
		COMMAND__CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	command = (Command__Command)COMMAND__COMMAND__INIT;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.continue_as_new_workflow_execution_command_attributes = &attributes;
	return &command;
}

static inline const char *run_command(const char *id, Command__Command *command)
{
	return run_commands(id, &command, 1);
}

#endif
