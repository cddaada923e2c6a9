/*
 * machine_signal_external.c: one signal to another workflow.
 *
 *	         send             initiated              signaled
 *	created -----> commanded ----------> initiated -----------> delivered
 *	                   |                     |
 *	                   | cancel              +---- failed ----> failed
 *	                   v
 *	               cancelled
 *
 * A signal can be taken back until its command was sent; later a cancellation changes nothing, and
 * the workflow hears of the delivery or of why there was none.
 */
#include "engine/run.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	COMMANDED,
	INITIATED,
	DELIVERED,
	FAILED,
	CANCELLED
};

static bool on_initiated(void *self, void *context)
{
	return machine_began(context, self);
}

static struct activation_job *add_job(struct engine_run *run, const struct machine *machine)
{
	struct activation_job *job = job_add(run, JOB_RESOLVE_SIGNAL_EXTERNAL);

	if (job)
		job->resolve_signal_external.seq = machine->seq;
	return job;
}

static bool on_delivered(void *self, void *context)
{
	return add_job(context, self);
}

static bool on_failed(void *self, void *context)
{
	struct engine_run *run = context;
	Enums__SignalExternalWorkflowExecutionFailedCause cause =
		run->event->signal_external_workflow_execution_failed_event_attributes->cause;
	struct activation_job *job = add_job(run, self);

	if (!job)
		return false;
	job->resolve_signal_external.cause = cause;
	job->resolve_signal_external.failure =
		machine_external_failure(run, "The workflow could not be signalled", (int)cause);
	return job->resolve_signal_external.failure;
}

static bool on_unsent(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	struct activation_job *job = add_job(run, machine);

	queue_cancel(run, machine);
	if (!job)
		return false;
	job->resolve_signal_external.failure =
		machine_cancelled_failure(run, "The signal was cancelled before it was sent");
	return job->resolve_signal_external.failure;
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,   SIGNAL_EXTERNAL_SEND,      COMMANDED, NULL },

	{ COMMANDED, SIGNAL_EXTERNAL_INITIATED, INITIATED, on_initiated },
	{ COMMANDED, SIGNAL_EXTERNAL_CANCEL,    CANCELLED, on_unsent },

	{ INITIATED, SIGNAL_EXTERNAL_DELIVERED, DELIVERED, on_delivered },
	{ INITIATED, SIGNAL_EXTERNAL_FAILED,    FAILED,    on_failed },
	{ INITIATED, SIGNAL_EXTERNAL_CANCEL,    INITIATED, NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "commanded", "initiated", "delivered", "failed",
	"cancelled" };
static const char *const events[] = { "send", "cancel", "SignalExternalWorkflowExecutionInitiated",
	"ExternalWorkflowExecutionSignaled", "SignalExternalWorkflowExecutionFailed" };

static const struct fsm_table table = FSM_TABLE("signal to another workflow", rows, states, events);

const struct machine_kind machine_signal_external = {
	.name = "signal to another workflow",
	.table = &table,
	.final_states = 1U << DELIVERED | 1U << FAILED | 1U << CANCELLED,
	.command_name = "SignalExternalWorkflowExecution",
};

bool machine_signal_external_send(struct engine_run *run, const struct command *command)
{
	struct machine *machine =
		machine_new(run, MACHINE_SIGNAL_EXTERNAL, command->signal_external.seq);

	return machine && queue_push(run, machine, COMMAND_SIGNAL_EXTERNAL, command) &&
	       machine_step(run, machine, SIGNAL_EXTERNAL_SEND);
}
