/*
 * machine_timer.c: one timer.
 *
 *	         start             started            fired
 *	created -------> commanded -------> running --------> fired
 *	                     |                 |
 *	                     | cancel          | cancel
 *	                     v                 v     canceled
 *	                 cancelled        cancelling ---------> cancelled
 *
 * Nothing tells the workflow that a timer was cancelled: only it can cancel one, so it knows. A
 * timer that is cancelled before its command was sent never was.
 *
 * What holds in each state:
 *
 *	commanded    StartTimer is in the queue; no event has been seen
 *	running      initial_event_id is set; the server will write TimerFired at its time
 *	cancelling   CancelTimer is in the queue: its event is the next of this timer, since a timer
 *	             that fires while the task is worked on is dropped by the server's CancelTimer
 *	fired        the workflow has its JOB_FIRE_TIMER
 */
#include <stdio.h>

#include "engine/run.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	COMMANDED,
	RUNNING,
	FIRED,
	CANCEL_COMMANDED,
	CANCELLED
};

/* TimerFired names this event, so the machine must be found by it. */
static bool on_started(void *self, void *context)
{
	return machine_began(context, self);
}

/*
 * The event was matched by the id of TimerStarted; that its timer id is the number too says that
 * history is of this dialect. Other SDKs' ids are not numbers: their histories cannot be
 * replayed here, and must not half succeed.
 */
static bool on_fired(void *self, void *context)
{
	const struct machine *machine = self;
	struct engine_run *run = context;
	char id[16];

	snprintf(id, sizeof(id), "%u", machine->seq);
	if (!str_same(run->event->timer_fired_event_attributes->timer_id, id))
		return run_nondeterminism(run, "%s does not match %s",
			event_describe(run, run->event), machine_describe(run, machine));

	struct activation_job *job = job_add(run, JOB_FIRE_TIMER);

	if (!job)
		return false;
	job->fire_timer.seq = machine->seq;
	return true;
}

/* StartTimer leaves the queue with the next task (commands.c). */
static bool on_unsent(void *self, void *context)
{
	struct machine *machine = self;

	queue_cancel(context, machine);
	return true;
}

static bool on_cancel(void *self, void *context)
{
	return queue_push(context, self, COMMAND_CANCEL_TIMER, NULL);
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,          TIMER_START,    COMMANDED,        NULL },

	{ COMMANDED,        TIMER_STARTED,  RUNNING,          on_started },
	{ COMMANDED,        TIMER_CANCEL,   CANCELLED,        on_unsent },

	{ RUNNING,          TIMER_FIRED,    FIRED,            on_fired },
	{ RUNNING,          TIMER_CANCEL,   CANCEL_COMMANDED, on_cancel },

	{ CANCEL_COMMANDED, TIMER_CANCELED, CANCELLED,        NULL },
	{ CANCEL_COMMANDED, TIMER_CANCEL,   CANCEL_COMMANDED, NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "commanded", "running", "fired", "being cancelled",
	"cancelled" };
static const char *const events[] = { "start", "cancel", "TimerStarted", "TimerFired",
	"TimerCanceled" };

static const struct fsm_table table = FSM_TABLE("timer", rows, states, events);

const struct machine_kind machine_timer = {
	.name = "timer",
	.table = &table,
	.final_states = 1U << FIRED | 1U << CANCELLED,
	.command_name = "StartTimer",
};

/*
 * The duration is not kept: history's TimerStarted is not compared with it. Code may change how
 * long it waits without breaking runs that wait already.
 */
bool machine_timer_start(struct engine_run *run, const struct command *command)
{
	struct machine *machine = machine_new(run, MACHINE_TIMER, command->start_timer.seq);

	return machine && queue_push(run, machine, COMMAND_START_TIMER, command) &&
	       machine_step(run, machine, TIMER_START);
}

/* A late cancellation is no mistake: the timer may have fired in the same activation. */
bool machine_timer_cancel(struct engine_run *run, uint32_t seq)
{
	struct machine *machine = machine_find(run, MACHINE_TIMER, seq);

	if (!machine && seq && seq <= run->seq_max[MACHINE_TIMER])
		return true; /* it has fired or was cancelled */
	if (!machine)
		return run_nondeterminism(
			run, "the workflow cancels timer %u, which it has not started", seq);
	if (machine->kind->final_states & 1U << machine->state)
		return true;
	return machine_step(run, machine, TIMER_CANCEL);
}
