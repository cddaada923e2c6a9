/*
 * machine_child.c: one child workflow, from its command to its result.
 *
 *	         start             initiated           started          completed, failed, ...
 *	created ------> commanded ----------> initiated -------> started -----------> the end
 *	                    |                     |
 *	                    | cancel              | start failed
 *	                    v                     v
 *	                cancelled            not started
 *
 * The workflow gets two jobs: JOB_RESOLVE_CHILD_START when the child runs or could not be started,
 * and JOB_RESOLVE_CHILD at its end; one that never started has the first alone, and one that is
 * given up before it started the second alone.
 *
 * A cancellation does not move the machine. Unless the type is ABANDON it is a command of its own
 * kind, a request to cancel another workflow, which a machine of that kind follows
 * (machine_cancel_external.c); `asked` says that it was given. By the type, the workflow is told
 *
 *	ABANDON, TRY_CANCEL            at once
 *	WAIT_CANCELLATION_REQUESTED    when the request has reached the child
 *	WAIT_CANCELLATION_COMPLETED    when the child has ended, in whatever way
 *
 * and `told` says that it was: what comes later is passed by.
 */
#include "engine/run.h"

#include "base/mem.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	COMMANDED,
	INITIATED,
	STARTED,
	NOT_STARTED,
	COMPLETED,
	FAILED,
	TIMED_OUT,
	TERMINATED,
	CANCELLED,
};

/* Positions in machine_set_texts(). */
enum text {
	WORKFLOW_ID,
	WORKFLOW_TYPE,
	NAMESPACE,
	RUN_ID, /* "" until it has started */
	TEXTS
};

/* The failure around the cause: which child it was. */
struct child_failure {
	Failure__Failure failure, cause;
	Failure__ChildWorkflowExecutionFailureInfo info;
	union {
		Failure__CanceledFailureInfo canceled;
		Failure__TimeoutFailureInfo timeout;
		Failure__TerminatedFailureInfo terminated;
	};
	Common__WorkflowExecution execution;
	Common__WorkflowType type;
};

/* In the activation's arena, where the job is; the machine may be gone before it is read. */
static struct child_failure *new_failure(struct engine_run *run, const struct machine *machine,
	const char *message, Enums__RetryState retry_state)
{
	struct arena *arena = run_activation_arena(run);
	struct child_failure *all = arena_alloc(arena, sizeof(*all));

	if (!all) {
		run_no_memory(run);
		return NULL;
	}
	*all = (struct child_failure){
		.failure = FAILURE__FAILURE__INIT,
		.cause = FAILURE__FAILURE__INIT,
		.info = FAILURE__CHILD_WORKFLOW_EXECUTION_FAILURE_INFO__INIT,
		.execution = COMMON__WORKFLOW_EXECUTION__INIT,
		.type = COMMON__WORKFLOW_TYPE__INIT,
	};
	all->type.name = arena_strdup(arena, machine_text(machine, WORKFLOW_TYPE));
	all->execution.workflow_id = arena_strdup(arena, machine_text(machine, WORKFLOW_ID));
	all->execution.run_id = arena_strdup(arena, machine_text(machine, RUN_ID));
	all->info.namespace_ = arena_strdup(arena, machine_text(machine, NAMESPACE));
	if (!all->type.name || !all->execution.workflow_id || !all->execution.run_id ||
		!all->info.namespace_) {
		run_no_memory(run);
		return NULL;
	}
	all->info.workflow_execution = &all->execution;
	all->info.workflow_type = &all->type;
	all->info.initiated_event_id = machine->initial_event_id;
	all->info.started_event_id = machine->started_event_id;
	all->info.retry_state = retry_state;
	all->failure.message = message;
	all->failure.failure_info_case =
		FAILURE__FAILURE__FAILURE_INFO_CHILD_WORKFLOW_EXECUTION_FAILURE_INFO;
	all->failure.child_workflow_execution_failure_info = &all->info;
	all->failure.cause = &all->cause;
	return all;
}

static struct child_failure *new_cancelled(
	struct engine_run *run, const struct machine *machine, const char *message)
{
	struct child_failure *all = new_failure(
		run, machine, message, ENUMS__RETRY_STATE__RETRY_STATE_NON_RETRYABLE_FAILURE);

	if (!all)
		return NULL;
	all->canceled = (Failure__CanceledFailureInfo)FAILURE__CANCELED_FAILURE_INFO__INIT;
	all->cause.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	all->cause.canceled_failure_info = &all->canceled;
	return all;
}

/* The job that ends the wait for the child; once. */
static bool resolve(struct engine_run *run, struct machine *machine, struct resolution result)
{
	struct activation_job *job = job_add(run, JOB_RESOLVE_CHILD);

	if (!job)
		return false;
	machine->told = true;
	job->resolve_child.seq = machine->seq;
	job->resolve_child.result = result;
	return true;
}

static bool resolve_cancelled(struct engine_run *run, struct machine *machine)
{
	struct child_failure *all = new_cancelled(run, machine, "Child workflow cancelled");

	return all && resolve(run, machine,
			      (struct resolution){
				      .status = RESOLUTION_CANCELLED, .failure = &all->failure });
}

static bool resolve_failed(
	struct engine_run *run, struct machine *machine, struct child_failure *all)
{
	return all && resolve(run, machine,
			      (struct resolution){
				      .status = RESOLUTION_FAILED, .failure = &all->failure });
}

/* The same check as an activity's, and for the same reasons (machine_activity.c). */
static bool on_initiated(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *attributes =
		run->event->start_child_workflow_execution_initiated_event_attributes;
	const char *type = attributes->workflow_type ? attributes->workflow_type->name : "";

	if (flags_use(&run->flags, FLAG_ID_AND_TYPE_CHECKS, run->task->last_sequence) &&
		(!str_same(attributes->workflow_id, machine_text(machine, WORKFLOW_ID)) ||
			!str_same(type, machine_text(machine, WORKFLOW_TYPE))))
		return run_nondeterminism(run, "%s does not match %s",
			event_describe(run, run->event), machine_describe(run, machine));
	return machine_began(run, machine);
}

static struct activation_resolve_child_start *add_start(
	struct engine_run *run, struct machine *machine, enum child_start_status status)
{
	struct activation_job *job = job_add(run, JOB_RESOLVE_CHILD_START);

	if (!job)
		return NULL;
	job->resolve_child_start = (struct activation_resolve_child_start){
		.seq = machine->seq,
		.status = status,
		.run_id = "",
		.workflow_id = "",
		.workflow_type = "",
	};
	return &job->resolve_child_start;
}

/* The run id goes into the texts: failures and the request to cancel name it. */
static bool on_started(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const Common__WorkflowExecution *execution =
		run->event->child_workflow_execution_started_event_attributes->workflow_execution;
	const char *run_id = execution ? text_or_empty(execution->run_id) : "";
	char *texts = machine->id;
	const char *all[TEXTS] = { machine_text(machine, WORKFLOW_ID),
		machine_text(machine, WORKFLOW_TYPE), machine_text(machine, NAMESPACE), run_id };
	struct activation_resolve_child_start *start;

	machine->started_event_id = run->event->event_id;
	machine->id = NULL;
	if (!machine_set_texts(run, machine, all, TEXTS)) {
		machine->id = texts;
		return false;
	}
	mem_free(texts);
	if (machine->told)
		return true;
	start = add_start(run, machine, CHILD_START_SUCCEEDED);
	if (start)
		start->run_id = run_id;
	return start;
}

static bool on_start_failed(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const History__StartChildWorkflowExecutionFailedEventAttributes *attributes =
		run->event->start_child_workflow_execution_failed_event_attributes;
	struct activation_resolve_child_start *start;

	if (machine->told)
		return true;
	start = add_start(run, machine, CHILD_START_FAILED);
	if (!start)
		return false;
	start->cause = attributes->cause;
	start->workflow_id = text_or_empty(attributes->workflow_id);
	start->workflow_type = attributes->workflow_type ? attributes->workflow_type->name : "";
	return true;
}

/* Never sent: the start is what the workflow waits for, and that was cancelled. */
static bool on_unsent(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	struct child_failure *all =
		new_cancelled(run, machine, "Child workflow cancelled before it was started");
	struct activation_resolve_child_start *start =
		all ? add_start(run, machine, CHILD_START_CANCELLED) : NULL;

	queue_cancel(run, machine);
	if (start)
		start->failure = &all->failure;
	return start;
}

/* `asked` and `told` see to it that each is done once. */
static bool on_cancel(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	unsigned type = machine->cancellation_type;

	if (type != CHILD_ABANDON && !machine->asked) {
		machine->asked = true;
		if (!machine_cancel_external_child(run, machine,
			    &(struct activation_execution){ machine_text(machine, NAMESPACE),
				    machine_text(machine, WORKFLOW_ID),
				    machine_text(machine, RUN_ID) }))
			return false;
	}
	if (machine->told || (type != CHILD_ABANDON && type != CHILD_TRY_CANCEL))
		return true;
	return resolve_cancelled(run, machine);
}

/* The request to cancel has reached the child. */
static bool on_delivered(void *self, void *context)
{
	struct machine *machine = self;

	if (machine->told || machine->cancellation_type != CHILD_WAIT_CANCELLATION_REQUESTED)
		return true;
	return resolve_cancelled(context, machine);
}

static bool on_completed(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const Common__Payloads *result =
		run->event->child_workflow_execution_completed_event_attributes->result;

	return machine->told ||
	       resolve(run, machine,
		       (struct resolution){
			       .status = RESOLUTION_COMPLETED,
			       .result = result && result->n_payloads ? result->payloads[0] : NULL,
		       });
}

static bool on_failed(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const History__ChildWorkflowExecutionFailedEventAttributes *attributes =
		run->event->child_workflow_execution_failed_event_attributes;
	struct child_failure *all;

	if (machine->told)
		return true;
	all = new_failure(run, machine, "Child workflow failed", attributes->retry_state);
	if (all)
		all->failure.cause = attributes->failure;
	return resolve_failed(run, machine, all);
}

/* The event says no more than that; the cause is made here, as all SDKs do. */
static bool on_timed_out(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	struct child_failure *all;

	if (machine->told)
		return true;
	all = new_failure(run, machine, "Child workflow timed out",
		run->event->child_workflow_execution_timed_out_event_attributes->retry_state);
	if (!all)
		return false;
	all->timeout = (Failure__TimeoutFailureInfo)FAILURE__TIMEOUT_FAILURE_INFO__INIT;
	all->timeout.timeout_type = ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE;
	all->cause.message = "Timed out";
	all->cause.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
	all->cause.timeout_failure_info = &all->timeout;
	return resolve_failed(run, machine, all);
}

static bool on_terminated(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	struct child_failure *all;

	if (machine->told)
		return true;
	all = new_failure(run, machine, "Child workflow terminated",
		ENUMS__RETRY_STATE__RETRY_STATE_NON_RETRYABLE_FAILURE);
	if (!all)
		return false;
	all->terminated = (Failure__TerminatedFailureInfo)FAILURE__TERMINATED_FAILURE_INFO__INIT;
	all->cause.message = "Terminated";
	all->cause.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TERMINATED_FAILURE_INFO;
	all->cause.terminated_failure_info = &all->terminated;
	return resolve_failed(run, machine, all);
}

static bool on_canceled(void *self, void *context)
{
	struct machine *machine = self;

	return machine->told || resolve_cancelled(context, machine);
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,   CHILD_START,            COMMANDED,   NULL },

	{ COMMANDED, CHILD_INITIATED,        INITIATED,   on_initiated },
	{ COMMANDED, CHILD_CANCEL,           CANCELLED,   on_unsent },

	{ INITIATED, CHILD_STARTED,          STARTED,     on_started },
	{ INITIATED, CHILD_NOT_STARTED,      NOT_STARTED, on_start_failed },
	{ INITIATED, CHILD_CANCEL,           INITIATED,   on_cancel },
	{ INITIATED, CHILD_CANCEL_DELIVERED, INITIATED,   on_delivered },

	{ STARTED,   CHILD_COMPLETED,        COMPLETED,   on_completed },
	{ STARTED,   CHILD_FAILED,           FAILED,      on_failed },
	{ STARTED,   CHILD_TIMED_OUT,        TIMED_OUT,   on_timed_out },
	{ STARTED,   CHILD_TERMINATED,       TERMINATED,  on_terminated },
	{ STARTED,   CHILD_CANCELED,         CANCELLED,   on_canceled },
	{ STARTED,   CHILD_CANCEL,           STARTED,     on_cancel },
	{ STARTED,   CHILD_CANCEL_DELIVERED, STARTED,     on_delivered },
};
/* clang-format on */

static const char *const states[] = { "created", "commanded", "initiated", "started", "not started",
	"completed", "failed", "timed out", "terminated", "cancelled" };
static const char *const events[] = { "start", "cancel", "the delivery of its cancellation",
	"StartChildWorkflowExecutionInitiated", "StartChildWorkflowExecutionFailed",
	"ChildWorkflowExecutionStarted", "ChildWorkflowExecutionCompleted",
	"ChildWorkflowExecutionFailed", "ChildWorkflowExecutionCanceled",
	"ChildWorkflowExecutionTimedOut", "ChildWorkflowExecutionTerminated" };

static const struct fsm_table table = FSM_TABLE("child workflow", rows, states, events);

const struct machine_kind machine_child = {
	.name = "child workflow",
	.table = &table,
	.final_states = 1U << NOT_STARTED | 1U << COMPLETED | 1U << FAILED | 1U << TIMED_OUT |
			1U << TERMINATED | 1U << CANCELLED,
	.command_name = "StartChildWorkflowExecution",
};

bool machine_child_start(struct engine_run *run, const struct command *command)
{
	const struct command_start_child *child = &command->start_child;
	struct machine *machine = machine_new(run, MACHINE_CHILD, child->seq);
	const char *texts[TEXTS] = { child->workflow_id, child->workflow_type,
		str_empty(child->namespace_) ? run->config->namespace_ : child->namespace_, "" };

	if (!machine)
		return false;
	machine->cancellation_type = (uint8_t)child->cancellation_type;
	return machine_set_texts(run, machine, texts, TEXTS) &&
	       queue_push(run, machine, COMMAND_START_CHILD, command) &&
	       machine_step(run, machine, CHILD_START);
}
