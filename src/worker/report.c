/*
 * report.c: the edges of a workflow task.
 *
 * Eager activities: a command that schedules an activity on this worker's own queue may ask the
 * server to give the task back with the answer, which saves a poll. It may only where a slot is
 * free right now (never waited for) and no rate has to be kept; the slots are returned if the
 * server did not want to.
 */
#include "worker/report.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "proto/codec.h"
#include "worker/activity.h"
#include "worker/event.h"
#include "worker/limits.h"
#include "worker/metrics.h"
#include "worker/worker.h"

static struct temporal_worker_event event_of(
	const struct worker_run *run, enum temporal_worker_event_kind kind)
{
	return (struct temporal_worker_event){
		.kind = kind,
		.workflow_type = engine_run_workflow_type(run->engine),
		.workflow_id = engine_run_workflow_id(run->engine),
		.run_id = run->run_id,
	};
}

void worker_report_received(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	worker_event(worker,
		(struct temporal_worker_event){ .kind = TEMPORAL_EVENT_WORKFLOW_TASK_RECEIVED,
			.workflow_type =
				response->workflow_type ? response->workflow_type->name : "",
			.workflow_id = response->workflow_execution->workflow_id,
			.run_id = response->workflow_execution->run_id,
			.attempt = response->attempt,
			.first_task =
				response->previous_started_event_id == 0 && !response->query });
}

static unsigned eager_allowed(const struct temporal_worker *worker)
{
	const struct temporal_worker_opts *opts = &worker->opts;

	if (opts->no_eager_activities || worker->pollers.activities_wanted == 0 ||
		worker->phase != WORKER_RUNNING || opts->max_activities_per_second > 0 ||
		opts->max_task_queue_activities_per_second > 0)
		return 0;
	return (unsigned)opts->max_eager_activities_per_workflow_task;
}

/* A slot for an activity that is asked for, if there is one right now. */
static bool take_eager(struct worker_run *run)
{
	struct temporal_worker *worker = run->worker;
	int32_t limit = worker->opts.max_concurrent_eager_activities;
	struct worker_slot slot = { .is_sticky = false };

	if (run->n_eager_slots >= eager_allowed(worker) ||
		(limit > 0 && worker->n_eager >= (unsigned)limit))
		return false;
	/* Those of a fixed number are all the same: nothing has to be remembered of them. */
	if (worker->activity_slots.supplier && !run->eager_slots)
		run->eager_slots = mem_zalloc(
			(size_t)worker->opts.max_eager_activities_per_workflow_task * sizeof(slot));
	if ((worker->activity_slots.supplier && !run->eager_slots) ||
		!worker_slots_try(&worker->activity_slots, &slot))
		return false;
	if (run->eager_slots)
		run->eager_slots[run->n_eager_slots] = slot;
	run->n_eager_slots++;
	worker->n_eager++;
	return true;
}

/* One of those that were taken. */
static struct worker_slot use_eager(struct worker_run *run)
{
	run->n_eager_slots--;
	return run->eager_slots ? run->eager_slots[run->n_eager_slots]
				: (struct worker_slot){ .is_sticky = false };
}

static void return_eager(struct temporal_worker *worker, const struct worker_slot *slot)
{
	worker->n_eager--;
	worker_slots_return_unused(&worker->activity_slots, slot);
}

static void completing_activity(
	struct worker_run *run, Command__ScheduleActivityTaskCommandAttributes *attributes)
{
	struct temporal_worker *worker = run->worker;
	struct temporal_worker_event event = event_of(run, TEMPORAL_EVENT_ACTIVITY_SCHEDULED);

	event.activity_id = attributes->activity_id;
	event.activity_type = attributes->activity_type ? attributes->activity_type->name : "";
	worker_event(worker, event);
	if (!attributes->request_eager_execution)
		return;
	attributes->request_eager_execution =
		attributes->task_queue &&
		str_same(attributes->task_queue->name, worker->opts.task_queue) && take_eager(run);
}

void worker_report_completing(struct worker_run *run)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest *request = run->step.completed;

	for (size_t i = 0; i < request->n_commands; i++) {
		Command__Command *command = request->commands[i];

		if (command->command_type ==
			ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
			completing_activity(
				run, command->schedule_activity_task_command_attributes);
	}
	if (run->worker->phase != WORKER_RUNNING) {
		/* A worker that stops asks for no more, here or on its own queue. */
		request->return_new_workflow_task = false;
		request->sticky_attributes = NULL;
	}
}

/*
 * An activity needs an arena of its own. The only task of an answer that the engine does not keep
 * (it keeps those with a new workflow task) takes the answer's; any other is copied.
 */
static bool start_eager(struct temporal_worker *worker,
	const Workflowservice__RespondWorkflowTaskCompletedResponse *response, size_t i,
	struct arena *owner, const struct worker_slot *slot)
{
	const Workflowservice__PollActivityTaskQueueResponse *task = response->activity_tasks[i];
	struct arena arena;

	if (response->n_activity_tasks == 1 && !response->workflow_task) {
		worker_activity_task(worker, task, owner, slot, true);
		return true;
	}
	arena_init(&arena, WORKER_ARENA_FIRST, ARENA_NO_BUDGET);
	const Workflowservice__PollActivityTaskQueueResponse *copy = proto_copy(&arena, task);

	if (copy)
		worker_activity_task(worker, copy, &arena, slot, true);
	else
		worker_log(worker, TEMPORAL_LOG_ERROR,
			"no memory for activity %s: it will time out", task->activity_id);
	arena_finish(&arena);
	return copy != NULL;
}

static void start_activities(struct worker_run *run,
	const Workflowservice__RespondWorkflowTaskCompletedResponse *response, struct arena *arena)
{
	struct temporal_worker *worker = run->worker;

	for (size_t i = 0; i < response->n_activity_tasks; i++) {
		struct worker_slot slot = { .is_sticky = false };

		/* Should the server ever send more than were asked for, they are run all the same.
		 */
		if (run->n_eager_slots > 0) {
			slot = use_eager(run);
		} else {
			worker_slots_force(&worker->activity_slots);
			worker->n_eager++;
		}
		if (!start_eager(worker, response, i, arena, &slot))
			return_eager(worker, &slot);
	}
}

static void return_slots(struct worker_run *run)
{
	if (run->n_eager_slots == 0)
		return;
	while (run->n_eager_slots > 0) {
		const struct worker_slot slot = use_eager(run);

		return_eager(run->worker, &slot);
	}
	worker_pollers_pump(run->worker);
}

static const Common__Payload *first_payload(const Common__Payloads *payloads)
{
	return payloads && payloads->n_payloads ? payloads->payloads[0] : NULL;
}

static void tell_end(struct worker_run *run, const Command__Command *command)
{
	struct temporal_worker_event event = event_of(run, TEMPORAL_EVENT_WORKFLOW_COMPLETED);

	switch (command->command_type) {
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
		worker_event_payload(run->worker, event,
			first_payload(
				command->complete_workflow_execution_command_attributes->result));
		return;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
		event.kind = TEMPORAL_EVENT_WORKFLOW_FAILED;
		if (command->fail_workflow_execution_command_attributes->failure)
			event.text = command->fail_workflow_execution_command_attributes->failure
					     ->message;
		break;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
		event.kind = TEMPORAL_EVENT_WORKFLOW_CANCELED;
		break;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
		event.kind = TEMPORAL_EVENT_WORKFLOW_CONTINUED_AS_NEW;
		break;
	default:
		return;
	}
	worker_event(run->worker, event);
}

void worker_report_completed(struct worker_run *run, struct rpc_reply *reply)
{
	const Workflowservice__RespondWorkflowTaskCompletedRequest *request = run->step.completed;

	if (reply->code == TEMPORAL_OK) {
		start_activities(run, reply->message, &reply->arena);
		for (size_t i = 0; worker_events_wanted(run->worker) && i < request->n_commands;
			i++)
			tell_end(run, request->commands[i]);
		for (size_t i = 0; i < request->n_commands; i++)
			worker_metrics_completed(run, request->commands[i]);
	} else {
		/* A command that lost a race against a new event is no news: the task comes again
		 * with it. */
		worker_log(run->worker,
			strcmp(reply->error.message, "UnhandledCommand") == 0 ? TEMPORAL_LOG_DEBUG
									      : TEMPORAL_LOG_WARN,
			"completing a workflow task of %s (run %s): %s: %s",
			engine_run_workflow_id(run->engine), run->run_id,
			temporal_code_name(reply->code), reply->error.message);
	}
	return_slots(run);
}

void worker_report_unsent(struct worker_run *run)
{
	return_slots(run);
}

static void log_failing(const struct worker_run *run, const struct temporal_worker_event *event)
{
	char message[1024];

	snprintf(message, sizeof(message), "workflow task failed: %s",
		event->text ? event->text : "");
	worker_log_line(run->worker, (struct temporal_worker_log){ .level = TEMPORAL_LOG_WARN,
					     .message = message,
					     .workflow_type = event->workflow_type,
					     .workflow_id = event->workflow_id,
					     .run_id = event->run_id });
}

void worker_report_failing(struct worker_run *run)
{
	struct temporal_worker_event event = event_of(run, TEMPORAL_EVENT_WORKFLOW_TASK_FAILED);

	event.text = run->step.failure_text;
	worker_event(run->worker, event);
	worker_metrics_failing(run);
	log_failing(run, &event);
}

void worker_report_given_up(struct worker_run *run, const char *text)
{
	struct temporal_worker_event event = event_of(run, TEMPORAL_EVENT_WORKFLOW_TASK_FAILED);

	event.text = text;
	worker_event(run->worker, event);
	worker_metrics_failing(run);
}
