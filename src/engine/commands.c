/*
 * commands.c: the workflow's commands on their way to the server, in one queue. Each waits first to
 * be sent, then for the event that history makes of it.
 *
 * While the engine is in one call, a command may lie in the workflow's memory: on replay its event
 * follows at once and nothing is copied. What is left in the queue when the call ends is made into
 * the API's message, in the task's arena. A command whose machine was cancelled before it was sent
 * counts as not there.
 *
 * The thread that owns the run.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/run.h"
#include "proto/codec.h"

static const char *const command_names[] = {
	[COMMAND_START_TIMER] = "StartTimer",
	[COMMAND_CANCEL_TIMER] = "CancelTimer",
	[COMMAND_SCHEDULE_ACTIVITY] = "ScheduleActivityTask",
	[COMMAND_REQUEST_CANCEL_ACTIVITY] = "RequestCancelActivityTask",
	[COMMAND_SCHEDULE_LOCAL_ACTIVITY] = "ScheduleLocalActivity",
	[COMMAND_REQUEST_CANCEL_LOCAL_ACTIVITY] = "RequestCancelLocalActivity",
	[COMMAND_QUERY_RESULT] = "QueryResult",
	[COMMAND_COMPLETE_WORKFLOW] = "CompleteWorkflowExecution",
	[COMMAND_FAIL_WORKFLOW] = "FailWorkflowExecution",
	[COMMAND_CANCEL_WORKFLOW] = "CancelWorkflowExecution",
	[COMMAND_CONTINUE_AS_NEW] = "ContinueAsNewWorkflowExecution",
	[COMMAND_SET_PATCH_MARKER] = "SetPatchMarker",
	[COMMAND_START_CHILD] = "StartChildWorkflowExecution",
	[COMMAND_CANCEL_CHILD] = "CancelChildWorkflowExecution",
	[COMMAND_REQUEST_CANCEL_EXTERNAL] = "RequestCancelExternalWorkflowExecution",
	[COMMAND_SIGNAL_EXTERNAL] = "SignalExternalWorkflowExecution",
	[COMMAND_CANCEL_SIGNAL] = "CancelSignalWorkflow",
	[COMMAND_UPSERT_SEARCH_ATTRIBUTES] = "UpsertWorkflowSearchAttributes",
	[COMMAND_MODIFY_PROPERTIES] = "ModifyWorkflowProperties",
	[COMMAND_UPDATE_RESPONSE] = "UpdateResponse",
	[COMMAND_SCHEDULE_NEXUS] = "ScheduleNexusOperation",
	[COMMAND_REQUEST_CANCEL_NEXUS] = "RequestCancelNexusOperation",
};

bool queue_push(struct engine_run *run, struct machine *machine, enum command_kind kind,
	const struct command *source)
{
	struct command_queue *queue = &run->queue;

	if (queue->count == queue->capacity && queue->head) {
		queue->count -= queue->head;
		memmove(queue->items, queue->items + queue->head,
			queue->count * sizeof(*queue->items));
		queue->head = 0;
	}
	if (queue->count == queue->capacity) {
		uint32_t capacity = queue->capacity ? queue->capacity * 2 : 4;
		struct queued_command *items =
			mem_realloc(queue->items, capacity * sizeof(*queue->items));

		if (!items)
			return run_no_memory(run);
		queue->items = items;
		queue->capacity = capacity;
	}
	queue->items[queue->count++] = (struct queued_command){
		.machine = machine,
		.kind = kind,
		.source = source,
	};
	machine->n_queued++;
	return true;
}

static void drop(struct engine_run *run, struct machine *machine)
{
	machine->n_queued--;
	machine_release_if_done(run, machine);
}

/* Those cancelled before they were sent are passed by: the server never heard of them. */
struct machine *queue_pop(struct engine_run *run)
{
	struct command_queue *queue = &run->queue;

	while (queue->head < queue->count) {
		struct machine *machine = queue->items[queue->head++].machine;

		if (queue->head == queue->count)
			queue->head = queue->count = 0;
		if (!machine->cancelled_before_sent) {
			machine->n_queued--;
			return machine;
		}
		drop(run, machine);
	}
	return NULL;
}

void queue_remove_cancelled(struct engine_run *run)
{
	struct command_queue *queue = &run->queue;
	uint32_t kept = queue->head;

	for (uint32_t i = queue->head; i < queue->count; i++) {
		if (queue->items[i].machine->cancelled_before_sent)
			drop(run, queue->items[i].machine);
		else
			queue->items[kept++] = queue->items[i];
	}
	queue->count = kept;
}

bool queue_materialize(struct engine_run *run)
{
	struct command_queue *queue = &run->queue;

	queue_remove_cancelled(run);
	for (uint32_t i = queue->head; i < queue->count; i++) {
		struct queued_command *queued = &queue->items[i];

		if (queued->sent || queued->message)
			continue;

		Command__Command *shallow = emit_command(run, queued, run_activation_arena(run));

		queued->source = NULL;
		if (!shallow)
			return run_no_memory(run);
		queued->message = proto_copy(&run->task->arena, shallow);
		if (!queued->message)
			return run_no_memory(run);
	}
	return true;
}

/* All four ends share one number: a run ends once. */
bool machine_terminal_issue(
	struct engine_run *run, enum machine_type type, const struct command *command)
{
	struct machine *machine = machine_new(run, type, 1);

	if (!machine || !queue_push(run, machine, command->kind, command))
		return false;
	run->finished = true;
	return machine_step(run, machine, TERMINAL_ISSUE);
}

/* A kind that is not here has no machine yet. */
static bool apply_command(struct engine_run *run, const struct command *command)
{
	switch (command->kind) {
	case COMMAND_START_TIMER:
		return machine_timer_start(run, command);
	case COMMAND_CANCEL_TIMER:
		return machine_timer_cancel(run, command->cancel_timer.seq);
	case COMMAND_SCHEDULE_ACTIVITY:
		return machine_activity_schedule(run, command);
	case COMMAND_REQUEST_CANCEL_ACTIVITY:
		return machine_activity_cancel(run, command->request_cancel_activity.seq);
	case COMMAND_COMPLETE_WORKFLOW:
		return machine_terminal_issue(run, MACHINE_COMPLETE, command);
	case COMMAND_FAIL_WORKFLOW:
		return machine_terminal_issue(run, MACHINE_FAIL, command);
	case COMMAND_CANCEL_WORKFLOW:
		return machine_terminal_issue(run, MACHINE_CANCEL, command);
	case COMMAND_CONTINUE_AS_NEW:
		return machine_terminal_issue(run, MACHINE_CONTINUE_AS_NEW, command);
	default:
		break;
	}
	if ((size_t)command->kind < sizeof(command_names) / sizeof(command_names[0]))
		return run_fatal(run, "this SDK cannot handle the workflow's command %s yet",
			command_names[command->kind]);
	return run_fatal(
		run, "the workflow gave a command of the unknown kind %d", (int)command->kind);
}

static bool is_terminal(const struct command *command)
{
	return command->kind == COMMAND_COMPLETE_WORKFLOW ||
	       command->kind == COMMAND_FAIL_WORKFLOW || command->kind == COMMAND_CANCEL_WORKFLOW ||
	       command->kind == COMMAND_CONTINUE_AS_NEW;
}

/*
 * All others come first, then the first command that ends the run. Histories from before that rule
 * (the flag is not in force) stop at the first such command.
 */
bool commands_apply(struct engine_run *run, const struct completion *completion)
{
	const struct command *terminal = NULL;
	bool move = !run->replaying || flags_use(&run->flags, FLAG_MOVE_TERMINAL_COMMANDS, false);

	for (size_t i = 0; i < completion->n_commands; i++) {
		const struct command *command = &completion->commands[i];

		if (command->kind == COMMAND_QUERY_RESULT) {
			if (!respond_add_query_result(run, &command->query_result))
				return run_no_memory(run);
			continue;
		}
		if (terminal && !move)
			continue;
		if (is_terminal(command)) {
			terminal = terminal ? terminal : command;
			continue;
		}
		if (!apply_command(run, command))
			return false;
	}
	return !terminal || apply_command(run, terminal);
}
