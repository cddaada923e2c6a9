/*
 * fake_workflow.h: on top of fake_world.h: a workflow "w" of type "type" on the queue "queue", and
 * the hand of its worker: tasks are polled and completed by calls.
 */
#ifndef TEST_SERVER_FAKE_WORKFLOW_H
#define TEST_SERVER_FAKE_WORKFLOW_H

#include <stdio.h>

#include "fake_world.h"

#define UNUSED __attribute__((unused))

static Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
static Common__WorkflowExecution workflow = COMMON__WORKFLOW_EXECUTION__INIT;

static UNUSED int set_up(void **state)
{
	world_open();
	queue.name = "queue";
	workflow.workflow_id = "w";
	workflow.run_id = "";
	return 0;
}

static UNUSED int tear_down(void **state)
{
	world_close();
	return 0;
}

/* The call has to succeed; its answer is not looked at. */
static UNUSED void call_well(frontend_handler *handle, const void *message)
{
	struct answer answer;

	call(&answer, handle, message);
	if (answer.code != TEMPORAL_OK)
		fail_msg("%s", answer.text);
	assert_true(answer.done);
	forget(&answer);
}

/* The call has to fail with this code and text. */
static UNUSED void call_badly(
	frontend_handler *handle, const void *message, enum temporal_code code, const char *text)
{
	struct answer answer;

	call(&answer, handle, message);
	assert_true(answer.done);
	assert_string_equal(answer.text, text);
	assert_int_equal(answer.code, code);
	forget(&answer);
}

static UNUSED struct execution *current_run(void)
{
	return state_execution(&world.server, state_namespace(&world.server, "default"), "w", NULL);
}

static UNUSED void start_workflow(void)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;

	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	call_well(frontend_start, &in);
}

static UNUSED const Workflowservice__PollWorkflowTaskQueueResponse *poll_workflow(
	struct answer *answer)
{
	Workflowservice__PollWorkflowTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	in.identity = "worker";
	call(answer, frontend_poll_workflow, &in);
	return answer->message;
}

static UNUSED const Workflowservice__PollActivityTaskQueueResponse *poll_activity(
	struct answer *answer)
{
	Workflowservice__PollActivityTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	in.identity = "worker";
	call(answer, frontend_poll_activity, &in);
	return answer->message;
}

/* Polls the workflow task and completes it with these commands. */
static UNUSED void decide(Command__Command **commands, size_t n_commands)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	struct answer answer;

	assert_non_null(poll_workflow(&answer));
	in.namespace_ = "default";
	in.task_token = ((const Workflowservice__PollWorkflowTaskQueueResponse *)answer.message)
				->task_token;
	in.commands = commands;
	in.n_commands = n_commands;
	in.identity = "worker";
	call_well(frontend_workflow_completed, &in);
	forget(&answer);
}

/* Completes the workflow task with an activity of that id; its first retry comes after 1 s. */
static UNUSED void schedule_activity(const char *id, const Common__Priority *priority)
{
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__ScheduleActivityTaskCommandAttributes activity =
		COMMAND__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
	Common__ActivityType type = COMMON__ACTIVITY_TYPE__INIT;
	Google__Duration minute = GOOGLE__DURATION__INIT;

	minute.seconds = 60;
	type.name = "work";
	activity.activity_id = id;
	activity.activity_type = &type;
	activity.start_to_close_timeout = &minute;
	activity.priority = (Common__Priority *)(uintptr_t)priority;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	command.schedule_activity_task_command_attributes = &activity;
	decide(&commands, 1);
}

static UNUSED void signal_workflow(const char *name)
{
	Workflowservice__SignalWorkflowExecutionRequest in =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;

	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	in.signal_name = name;
	call_well(frontend_signal, &in);
}

#endif
