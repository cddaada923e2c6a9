/*
 * machine_cancel_external.c: one request to cancel another workflow.
 *
 *	         request             initiated              requested
 *	created --------> commanded ----------> initiated ------------> delivered
 *	                                            |
 *	                                            +--- failed ------> failed
 *
 * The request comes from the workflow, which gets a JOB_RESOLVE_CANCEL_EXTERNAL, or from a child's
 * machine (machine_child.c): then it has a number of the engine's own, no job comes of it, and
 * started_event_id holds the number of the child, which hears of the delivery. That a child's
 * request fails is no news: its end is on the way.
 */
#include "engine/run.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	COMMANDED,
	INITIATED,
	DELIVERED,
	FAILED
};

static bool on_initiated(void *self, void *context)
{
	return machine_began(context, self);
}

static struct activation_job *add_job(struct engine_run *run, const struct machine *machine)
{
	struct activation_job *job = job_add(run, JOB_RESOLVE_CANCEL_EXTERNAL);

	if (job)
		job->resolve_cancel_external.seq = machine->seq;
	return job;
}

static bool on_delivered(void *self, void *context)
{
	const struct machine *machine = self;
	struct engine_run *run = context;
	struct machine *child;

	if (!machine->internal)
		return add_job(run, machine);
	child = machine_find(run, MACHINE_CHILD, (uint32_t)machine->started_event_id);
	return !child || machine_step(run, child, CHILD_CANCEL_DELIVERED);
}

static bool on_failed(void *self, void *context)
{
	const struct machine *machine = self;
	struct engine_run *run = context;
	Enums__CancelExternalWorkflowExecutionFailedCause cause =
		run->event->request_cancel_external_workflow_execution_failed_event_attributes
			->cause;
	struct activation_job *job;

	if (machine->internal)
		return true;
	job = add_job(run, machine);
	if (!job)
		return false;
	job->resolve_cancel_external.cause = cause;
	job->resolve_cancel_external.failure =
		machine_external_failure(run, "The workflow could not be cancelled", (int)cause);
	return job->resolve_cancel_external.failure;
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,   CANCEL_EXTERNAL_REQUEST,   COMMANDED, NULL },
	{ COMMANDED, CANCEL_EXTERNAL_INITIATED, INITIATED, on_initiated },
	{ INITIATED, CANCEL_EXTERNAL_DELIVERED, DELIVERED, on_delivered },
	{ INITIATED, CANCEL_EXTERNAL_FAILED,    FAILED,    on_failed },
};
/* clang-format on */

static const char *const states[] = { "created", "commanded", "initiated", "delivered", "failed" };
static const char *const events[] = { "request", "RequestCancelExternalWorkflowExecutionInitiated",
	"ExternalWorkflowExecutionCancelRequested",
	"RequestCancelExternalWorkflowExecutionFailed" };

static const struct fsm_table table =
	FSM_TABLE("cancellation of another workflow", rows, states, events);

const struct machine_kind machine_cancel_external = {
	.name = "cancellation of another workflow",
	.table = &table,
	.final_states = 1U << DELIVERED | 1U << FAILED,
	.command_name = "RequestCancelExternalWorkflowExecution",
};

bool machine_cancel_external_request(struct engine_run *run, const struct command *command)
{
	struct machine *machine =
		machine_new(run, MACHINE_CANCEL_EXTERNAL, command->cancel_external.seq);

	return machine && queue_push(run, machine, command->kind, command) &&
	       machine_step(run, machine, CANCEL_EXTERNAL_REQUEST);
}

/*
 * The command is the engine's own, made in the arena of the activation to come: it is made into a
 * message before this call ends (commands.c). The child's texts may be gone by then.
 */
bool machine_cancel_external_child(struct engine_run *run, const struct machine *child,
	const struct activation_execution *execution)
{
	struct arena *arena = run_activation_arena(run);
	struct command *command = ARENA_NEW(arena, struct command);
	struct machine *machine = machine_new_internal(run, MACHINE_CANCEL_EXTERNAL);

	if (!machine)
		return false;
	if (!command)
		return run_no_memory(run);
	machine->started_event_id = child->seq;
	command->kind = COMMAND_CANCEL_CHILD;
	command->cancel_external.execution = (struct activation_execution){
		arena_strdup(arena, execution->namespace_),
		arena_strdup(arena, execution->workflow_id),
		arena_strdup(arena, execution->run_id),
	};
	command->cancel_external.reason = arena_strdup(arena, text_or_empty(run->cancel_reason));
	if (!command->cancel_external.execution.namespace_ ||
		!command->cancel_external.execution.workflow_id ||
		!command->cancel_external.execution.run_id || !command->cancel_external.reason)
		return run_no_memory(run);
	return queue_push(run, machine, COMMAND_CANCEL_CHILD, command) &&
	       machine_step(run, machine, CANCEL_EXTERNAL_REQUEST);
}
