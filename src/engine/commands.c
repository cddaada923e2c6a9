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
 *
 * Why one queue serves both waits: the server writes the events of a task's commands in the order
 * of the commands, right behind WorkflowTaskCompleted. So the next event of a command always
 * belongs to the oldest command that has none, be it one that was just made on replay or one that
 * was sent with the last task. Replay compares the two orders by nothing but taking from the head.
 *
 *	items:  [ gone | sent, sent, sent | not sent, not sent ]
 *	               ^ head                                  ^ count
 *
 * Sent ones stand before unsent ones, since commands are sent all together. An entry keeps its
 * machine alive (n_queued), even if that has come to its final state meanwhile.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/run.h"
#include "proto/codec.h"

/*
 * Before it grows, the queue moves its content to the front: on replay of a long history items come
 * and go at the same rate, and the capacity stays at that of one task.
 */
bool queue_push(struct engine_run *run, struct machine *machine, enum command_kind kind,
	const struct command *source)
{
	struct command_queue *queue = &run->queue;

	if (queue->count == queue->capacity && queue->head) {
		queue->count -= queue->head;
		queue->made -= queue->made < queue->head ? queue->made : queue->head;
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

/*
 * The entry has gone; so may its machine, if that was in a final state and waited for this alone.
 */
static void drop(struct engine_run *run, struct machine *machine)
{
	machine->n_queued--;
	machine_release_if_done(run, machine);
}

/*
 * Those cancelled before they were sent are passed by: the server never heard of them, so history
 * has no event of theirs.
 *
 * The caller gets the machine without the release: it must first give the event to it, and then
 * call machine_release_if_done().
 */
struct machine *queue_pop(struct engine_run *run)
{
	struct command_queue *queue = &run->queue;

	while (queue->head < queue->count) {
		struct machine *machine = queue->items[queue->head++].machine;

		if (queue->head == queue->count)
			queue->head = queue->count = queue->made = 0;
		if (!machine->cancelled_before_sent) {
			machine->n_queued--;
			return machine;
		}
		drop(run, machine);
	}
	return NULL;
}

/* On the way, those that were cancelled leave; as in queue_pop(). */
struct machine *queue_head(struct engine_run *run)
{
	struct command_queue *queue = &run->queue;

	while (queue->head < queue->count &&
		queue->items[queue->head].machine->cancelled_before_sent)
		drop(run, queue->items[queue->head++].machine);
	if (queue->head == queue->count)
		queue->head = queue->count = queue->made = 0;
	return queue->head < queue->count ? queue->items[queue->head].machine : NULL;
}

void queue_cancel(struct engine_run *run, struct machine *machine)
{
	machine->cancelled_before_sent = true;
	run->queue.cancelled = true;
}

/* Keeps the order of those that stay: it is the order in which their events will come. */
void queue_remove_cancelled(struct engine_run *run)
{
	struct command_queue *queue = &run->queue;
	uint32_t kept = queue->head;

	if (!queue->cancelled)
		return;
	queue->cancelled = false;
	queue->made = queue->head; /* it is looked through once more */
	for (uint32_t i = queue->head; i < queue->count; i++) {
		if (queue->items[i].machine->cancelled_before_sent)
			drop(run, queue->items[i].machine);
		else
			queue->items[kept++] = queue->items[i];
	}
	queue->count = kept;
}

/*
 * The end of every call comes here (step_settle()): whatever still waits gets a message of its own,
 * because the workflow may use its memory again as soon as the call has returned.
 *
 * emit_command() builds the message flat, pointing into the workflow's command, in the activation's
 * arena; the deep copy goes to the task's, where it lives until the answer is sent. On replay there
 * is mostly nothing left here, as history has already taken the commands from the queue. A task of
 * a hundred local activities is a hundred calls with a queue that grows: each looks at what is new.
 */
bool queue_materialize(struct engine_run *run)
{
	struct command_queue *queue = &run->queue;

	queue_remove_cancelled(run);
	for (uint32_t i = queue->head > queue->made ? queue->head : queue->made; i < queue->count;
		i++) {
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
	queue->made = queue->count;
	return true;
}

/*
 * All four ends share one number: a run ends once.
 *
 * `finished` is set before the command is sent: from now on the run takes up no new task, and
 * leaves the cache when the answer is out. If the server refuses the answer (UnhandledCommand:
 * something new has arrived), the run comes back from history, and the workflow decides again.
 */
bool machine_terminal_issue(
	struct engine_run *run, enum machine_type type, const struct command *command)
{
	struct machine *machine = machine_new(run, type, 1);

	if (!machine || !queue_push(run, machine, command->kind, command))
		return false;
	run->finished = true;
	return machine_step(run, machine, TERMINAL_ISSUE);
}

/* A kind that is not here is a mistake of the language above, which fails the task. */
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
	case COMMAND_UPDATE_RESPONSE:
		return machine_update_respond(run, command);
	case COMMAND_START_CHILD:
		return machine_child_start(run, command);
	case COMMAND_CANCEL_CHILD:
		run->cancel_reason = command->cancel_child.reason;
		return machine_cancel_numbered(
			run, MACHINE_CHILD, command->cancel_child.seq, CHILD_CANCEL);
	case COMMAND_REQUEST_CANCEL_EXTERNAL:
		return machine_cancel_external_request(run, command);
	case COMMAND_SIGNAL_EXTERNAL:
		return machine_signal_external_send(run, command);
	case COMMAND_CANCEL_SIGNAL:
		return machine_cancel_numbered(run, MACHINE_SIGNAL_EXTERNAL,
			command->cancel_signal.seq, SIGNAL_EXTERNAL_CANCEL);
	case COMMAND_SCHEDULE_LOCAL_ACTIVITY:
		return machine_local_schedule(run, command);
	case COMMAND_REQUEST_CANCEL_LOCAL_ACTIVITY:
		return machine_local_cancel(run, command->request_cancel_local_activity.seq);
	case COMMAND_SET_PATCH_MARKER:
		return machine_patch_set(run, command);
	case COMMAND_UPSERT_SEARCH_ATTRIBUTES:
		return machine_upsert_set(run, command);
	case COMMAND_MODIFY_PROPERTIES:
		return machine_properties_modify(run, command);
	case COMMAND_SCHEDULE_NEXUS:
		return machine_nexus_schedule(run, command);
	case COMMAND_REQUEST_CANCEL_NEXUS:
		return machine_cancel_numbered(
			run, MACHINE_NEXUS, command->request_cancel_nexus.seq, NEXUS_CANCEL);
	case COMMAND_COMPLETE_WORKFLOW:
		return machine_terminal_issue(run, MACHINE_COMPLETE, command);
	case COMMAND_FAIL_WORKFLOW:
		return machine_terminal_issue(run, MACHINE_FAIL, command);
	case COMMAND_CANCEL_WORKFLOW:
		return machine_terminal_issue(run, MACHINE_CANCEL, command);
	case COMMAND_CONTINUE_AS_NEW:
		return machine_terminal_issue(run, MACHINE_CONTINUE_AS_NEW, command);
	default:
		return run_fatal(run, "the workflow gave a command of the unknown kind %d",
			(int)command->kind);
	}
}

/* The four kinds of which a run takes one at most. */
static bool is_terminal(const struct command *command)
{
	return command->kind == COMMAND_COMPLETE_WORKFLOW ||
	       command->kind == COMMAND_FAIL_WORKFLOW || command->kind == COMMAND_CANCEL_WORKFLOW ||
	       command->kind == COMMAND_CONTINUE_AS_NEW;
}

/*
 * All others come first, then the first command that ends the run: what a workflow starts in its
 * very last moment, in a handler that runs after its function has returned, still reaches the
 * server.
 *
 * Histories from before that rule (the flag is not in force) stop at the first such command: there
 * the server has never seen what came behind it, and to send it on replay would look for events
 * that are not there. So the flag is asked for on replay alone; in a new task the new rule always
 * holds, and the completion records the flag (flags.c).
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
	return (!terminal || apply_command(run, terminal)) &&
	       (!run->task->ahead || locals_deliver(run));
}
