/*
 * machine_activity.c: one activity, from its command to its result.
 *
 *	created --schedule--> commanded --scheduled--> scheduled --started--> started
 *
 *	commanded  --cancel, give up--> cancelled      it was not sent yet, and never will be
 *	scheduled  --timed out--> timed out
 *	started    --completed, failed, timed out--> completed, failed, timed out
 *
 *	scheduled  --cancel--> cancelling --cancel requested--> asked to cancel
 *	                                  asked to cancel --canceled, timed out--> the end
 *	started    --cancel--> started, cancelling --cancel requested--> started, asked to cancel
 *	                                  --completed, failed, timed out, canceled--> the end
 *	asked to cancel --started--> started, asked to cancel
 *
 *	scheduled, started --give up--> abandoned      its further events are passed by
 *
 * What holds in each state:
 *
 *	commanded         ScheduleActivityTask is in the queue; no event has been seen
 *	scheduled         initial_event_id is set: events and the cancel command name it
 *	started           started_event_id is set; retries are the server's, and leave no event
 *	                  behind: history shows the last attempt alone
 *	cancelling        RequestCancelActivityTask is in the queue; the server knows nothing yet
 *	asked to cancel   history has ActivityTaskCancelRequested: the server will tell the worker
 *	                  that runs it, which may obey, finish first, or not listen
 *	abandoned         the workflow has its answer; the server was not told and goes on
 *
 * With TRY_CANCEL the workflow hears of the cancellation at once, and of nothing later; with
 * WAIT_CANCELLATION_COMPLETED it hears of what the activity comes to; with ABANDON the server is
 * not even told. In all three the workflow gets exactly one JOB_RESOLVE_ACTIVITY.
 *
 * A second cancel changes nothing (the rows that lead to themselves). Between cancel and "cancel
 * requested" no event of the activity can come: the server writes the events of a task's commands
 * before it lets go of what it held back while the task was worked on.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/run.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	COMMANDED,
	SCHEDULED,
	STARTED,
	COMPLETED,
	FAILED,
	TIMED_OUT,
	CANCELLED,
	ABANDONED,
	CANCELLING,
	CANCEL_ASKED,
	STARTED_CANCELLING,
	STARTED_ASKED,
};

/* The job that ends the wait. */
static bool resolve(struct engine_run *run, const struct machine *machine, struct resolution result)
{
	struct activation_job *job = job_add(run, JOB_RESOLVE_ACTIVITY);

	if (!job)
		return false;
	job->resolve_activity.seq = machine->seq;
	job->resolve_activity.result = result;
	return true;
}

/* The failure that stands around the cause: which activity it was. */
struct activity_failure {
	Failure__Failure failure, canceled;
	Failure__ActivityFailureInfo info;
	Failure__CanceledFailureInfo canceled_info;
	Common__ActivityType type;
};

/*
 * The failure around the cause, as all SDKs make it: an ActivityFailure that says which activity it
 * was, so that the workflow need not look into the cause. In the activation's arena, where the job
 * is.
 */
static struct activity_failure *new_failure(struct engine_run *run, const struct machine *machine,
	const char *message, Enums__RetryState retry_state)
{
	struct arena *arena = run_activation_arena(run);
	struct activity_failure *all = arena_alloc(arena, sizeof(*all));

	if (!all) {
		run_no_memory(run);
		return NULL;
	}
	*all = (struct activity_failure){
		.failure = FAILURE__FAILURE__INIT,
		.canceled = FAILURE__FAILURE__INIT,
		.info = FAILURE__ACTIVITY_FAILURE_INFO__INIT,
		.canceled_info = FAILURE__CANCELED_FAILURE_INFO__INIT,
		.type = COMMON__ACTIVITY_TYPE__INIT,
	};
	/* The machine may be gone before the workflow has read this. */
	all->type.name = arena_strdup(arena, machine->activity_type);
	all->info.activity_id = arena_strdup(arena, machine->id);
	if (!all->type.name || !all->info.activity_id) {
		run_no_memory(run);
		return NULL;
	}
	all->info.activity_type = &all->type;
	all->info.retry_state = retry_state;
	all->failure.message = message;
	all->failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_ACTIVITY_FAILURE_INFO;
	all->failure.activity_failure_info = &all->info;
	return all;
}

/* `attributes` are those of ActivityTaskCanceled, or NULL: the workflow is told before there is
 * such an event. */
static bool resolve_cancelled(struct engine_run *run, const struct machine *machine,
	const History__ActivityTaskCanceledEventAttributes *attributes)
{
	struct activity_failure *all = new_failure(run, machine, "Activity cancelled",
		ENUMS__RETRY_STATE__RETRY_STATE_CANCEL_REQUESTED);

	if (!all)
		return false;
	all->failure.cause = &all->canceled;
	all->canceled.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	all->canceled.canceled_failure_info = &all->canceled_info;
	if (attributes) {
		all->canceled_info.details = attributes->details;
		all->info.identity = attributes->identity;
		all->info.scheduled_event_id = attributes->scheduled_event_id;
		all->info.started_event_id = attributes->started_event_id;
	}
	return resolve(run, machine,
		(struct resolution){ .status = RESOLUTION_CANCELLED, .failure = &all->failure });
}

/* Timeouts come as failures too: the kind of timeout stands in the cause. */
static bool resolve_failed(
	struct engine_run *run, const struct machine *machine, struct activity_failure *all)
{
	return resolve(run, machine,
		(struct resolution){ .status = RESOLUTION_FAILED, .failure = &all->failure });
}

/*
 * The check by which most nondeterminism is found: the same place in the code must schedule the
 * same activity as it did.
 *
 * History from before the flag was not checked, and must not be held to it. On a new task's events
 * (last_sequence) the flag comes into force.
 */
static bool on_scheduled(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const History__ActivityTaskScheduledEventAttributes *attributes =
		run->event->activity_task_scheduled_event_attributes;
	const char *type = attributes->activity_type ? attributes->activity_type->name : "";

	if (flags_use(&run->flags, FLAG_ID_AND_TYPE_CHECKS, run->task->last_sequence) &&
		(!str_same(attributes->activity_id, machine->id) ||
			!str_same(type, machine->activity_type)))
		return run_nondeterminism(run, "%s does not match %s",
			event_describe(run, run->event), machine_describe(run, machine));
	return machine_began(run, machine);
}

static bool on_started(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;

	machine->started_event_id = run->event->event_id;
	return true;
}

/* The API has a list of results; a function has one. */
static bool on_completed(void *self, void *context)
{
	struct engine_run *run = context;
	const Common__Payloads *result =
		run->event->activity_task_completed_event_attributes->result;

	return resolve(run, self,
		(struct resolution){
			.status = RESOLUTION_COMPLETED,
			.result = result && result->n_payloads ? result->payloads[0] : NULL,
		});
}

/* The server writes this event only when it will not retry any more; retry_state says why not. */
static bool on_failed(void *self, void *context)
{
	struct engine_run *run = context;
	const History__ActivityTaskFailedEventAttributes *attributes =
		run->event->activity_task_failed_event_attributes;
	struct activity_failure *all =
		new_failure(run, self, "Activity task failed", attributes->retry_state);

	if (!all)
		return false;
	all->failure.cause = attributes->failure;
	all->info.identity = attributes->identity;
	all->info.scheduled_event_id = attributes->scheduled_event_id;
	all->info.started_event_id = attributes->started_event_id;
	return resolve_failed(run, self, all);
}

static bool on_timed_out(void *self, void *context)
{
	struct engine_run *run = context;
	const History__ActivityTaskTimedOutEventAttributes *attributes =
		run->event->activity_task_timed_out_event_attributes;
	struct activity_failure *all =
		new_failure(run, self, "Activity task timed out", attributes->retry_state);

	if (!all)
		return false;
	all->failure.cause = attributes->failure;
	all->info.scheduled_event_id = attributes->scheduled_event_id;
	all->info.started_event_id = attributes->started_event_id;
	return resolve_failed(run, self, all);
}

/*
 * Command and machine cancel each other out: the queue drops the command (commands.c), and history
 * must have no event for it on replay.
 */
static bool on_unsent(void *self, void *context)
{
	struct machine *machine = self;

	queue_cancel(context, machine);
	return resolve_cancelled(context, machine, NULL);
}

/*
 * Who does not wait for the outcome is told at once, in the next activation of the same task. The
 * command to the server goes out all the same, but for ABANDON.
 */
static bool on_cancel(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;

	if (!queue_push(run, machine, COMMAND_REQUEST_CANCEL_ACTIVITY, NULL))
		return false;
	return machine->cancellation_type == ACTIVITY_WAIT_CANCELLATION_COMPLETED ||
	       resolve_cancelled(run, machine, NULL);
}

/* ABANDON: resolved as cancelled, and no command. */
static bool on_give_up(void *self, void *context)
{
	return resolve_cancelled(context, self, NULL);
}

static bool is_waited_for(const struct machine *machine)
{
	return machine->cancellation_type == ACTIVITY_WAIT_CANCELLATION_COMPLETED;
}

/* From here on the workflow knows already, unless it waits. */
static bool on_late_completed(void *self, void *context)
{
	return !is_waited_for(self) || on_completed(self, context);
}

static bool on_late_failed(void *self, void *context)
{
	return !is_waited_for(self) || on_failed(self, context);
}

static bool on_late_timed_out(void *self, void *context)
{
	return !is_waited_for(self) || on_timed_out(self, context);
}

static bool on_late_canceled(void *self, void *context)
{
	struct engine_run *run = context;

	return !is_waited_for(self) ||
	       resolve_cancelled(run, self, run->event->activity_task_canceled_event_attributes);
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,            ACTIVITY_SCHEDULE,         COMMANDED,          NULL },

	{ COMMANDED,          ACTIVITY_SCHEDULED,        SCHEDULED,          on_scheduled },
	{ COMMANDED,          ACTIVITY_CANCEL,           CANCELLED,          on_unsent },
	{ COMMANDED,          ACTIVITY_GIVE_UP,          CANCELLED,          on_unsent },

	{ SCHEDULED,          ACTIVITY_STARTED,          STARTED,            on_started },
	{ SCHEDULED,          ACTIVITY_TIMED_OUT,        TIMED_OUT,          on_timed_out },
	{ SCHEDULED,          ACTIVITY_CANCEL,           CANCELLING,         on_cancel },
	{ SCHEDULED,          ACTIVITY_GIVE_UP,          ABANDONED,          on_give_up },

	{ STARTED,            ACTIVITY_COMPLETED,        COMPLETED,          on_completed },
	{ STARTED,            ACTIVITY_FAILED,           FAILED,             on_failed },
	{ STARTED,            ACTIVITY_TIMED_OUT,        TIMED_OUT,          on_timed_out },
	{ STARTED,            ACTIVITY_CANCEL,           STARTED_CANCELLING, on_cancel },
	{ STARTED,            ACTIVITY_GIVE_UP,          ABANDONED,          on_give_up },

	{ CANCELLING,         ACTIVITY_CANCEL_REQUESTED, CANCEL_ASKED,       NULL },
	{ CANCELLING,         ACTIVITY_CANCEL,           CANCELLING,         NULL },

	{ CANCEL_ASKED,       ACTIVITY_CANCELED,         CANCELLED,          on_late_canceled },
	{ CANCEL_ASKED,       ACTIVITY_STARTED,          STARTED_ASKED,      on_started },
	{ CANCEL_ASKED,       ACTIVITY_TIMED_OUT,        TIMED_OUT,          on_late_timed_out },
	{ CANCEL_ASKED,       ACTIVITY_CANCEL,           CANCEL_ASKED,       NULL },

	{ STARTED_CANCELLING, ACTIVITY_CANCEL_REQUESTED, STARTED_ASKED,      NULL },
	{ STARTED_CANCELLING, ACTIVITY_CANCEL,           STARTED_CANCELLING, NULL },

	{ STARTED_ASKED,      ACTIVITY_COMPLETED,        COMPLETED,          on_late_completed },
	{ STARTED_ASKED,      ACTIVITY_FAILED,           FAILED,             on_late_failed },
	{ STARTED_ASKED,      ACTIVITY_TIMED_OUT,        TIMED_OUT,          on_late_timed_out },
	{ STARTED_ASKED,      ACTIVITY_CANCELED,         CANCELLED,          on_late_canceled },
	{ STARTED_ASKED,      ACTIVITY_CANCEL,           STARTED_ASKED,      NULL },

	{ ABANDONED,          ACTIVITY_STARTED,          ABANDONED,          NULL },
	{ ABANDONED,          ACTIVITY_COMPLETED,        COMPLETED,          NULL },
	{ ABANDONED,          ACTIVITY_FAILED,           FAILED,             NULL },
	{ ABANDONED,          ACTIVITY_TIMED_OUT,        TIMED_OUT,          NULL },
	{ ABANDONED,          ACTIVITY_GIVE_UP,          ABANDONED,          NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "commanded", "scheduled", "started", "completed",
	"failed", "timed out", "cancelled", "abandoned", "being cancelled", "asked to cancel",
	"started and being cancelled", "started and asked to cancel" };
static const char *const events[] = { "schedule", "cancel", "give up", "ActivityTaskScheduled",
	"ActivityTaskStarted", "ActivityTaskCompleted", "ActivityTaskFailed",
	"ActivityTaskTimedOut", "ActivityTaskCancelRequested", "ActivityTaskCanceled" };

static const struct fsm_table table = FSM_TABLE("activity", rows, states, events);

const struct machine_kind machine_activity = {
	.name = "activity",
	.table = &table,
	.final_states = 1U << COMPLETED | 1U << FAILED | 1U << TIMED_OUT | 1U << CANCELLED,
	.command_name = "ScheduleActivityTask",
};

/*
 * Keeps id and type in one allocation: one less for each activity, and they live and die together.
 * They are copied because history is compared with them long after the command's memory is gone.
 *
 * Without an id of its own the activity gets the decimal number, as the core SDK does: histories of
 * other languages carry that.
 */
static bool set_names(struct machine *machine, const struct command_schedule_activity *activity)
{
	const char *type = text_or_empty(activity->activity_type);
	size_t type_size = strlen(type) + 1;
	char number[16];
	const char *id = activity->activity_id;

	if (str_empty(id)) {
		snprintf(number, sizeof(number), "%u", machine->seq);
		id = number;
	}
	size_t id_size = strlen(id) + 1;

	machine->id = mem_alloc(id_size + type_size);
	if (!machine->id)
		return false;
	memcpy(machine->id, id, id_size);
	machine->activity_type = memcpy(machine->id + id_size, type, type_size);
	return true;
}

/*
 * The command goes into the queue before the machine moves, so that a failed allocation leaves no
 * machine that believes itself commanded.
 */
bool machine_activity_schedule(struct engine_run *run, const struct command *command)
{
	const struct command_schedule_activity *activity = &command->schedule_activity;
	struct machine *machine = machine_new(run, MACHINE_ACTIVITY, activity->seq);

	if (!machine)
		return false;
	machine->cancellation_type = (uint8_t)activity->cancellation_type;
	if (!set_names(machine, activity))
		return run_no_memory(run);
	return queue_push(run, machine, COMMAND_SCHEDULE_ACTIVITY, command) &&
	       machine_step(run, machine, ACTIVITY_SCHEDULE);
}

/*
 * A cancellation may come late: workflow code can cancel what has ended in the same activation, or
 * long ago. Only a number that was never given out is a mistake.
 */
bool machine_activity_cancel(struct engine_run *run, uint32_t seq)
{
	struct machine *machine = machine_find(run, MACHINE_ACTIVITY, seq);

	if (!machine && seq && seq <= run->seq_max[MACHINE_ACTIVITY])
		return true; /* it has ended */
	if (!machine)
		return run_nondeterminism(
			run, "the workflow cancels activity %u, which it has not scheduled", seq);
	if (machine->kind->final_states & 1U << machine->state)
		return true;
	return machine_step(run, machine,
		machine->cancellation_type == ACTIVITY_ABANDON ? ACTIVITY_GIVE_UP
							       : ACTIVITY_CANCEL);
}
