/*
 * machine_nexus.c: one Nexus operation, from its command to its result.
 *
 *	         schedule            scheduled            started         completed, failed, ...
 *	created ---------> commanded ----------> scheduled -------> started -----------> the end
 *	                       |                     |
 *	                       | cancel              | completed, failed, canceled, timed out
 *	                       v                     v
 *	                   cancelled              the end, and it was never started
 *
 * The workflow gets two jobs: JOB_RESOLVE_NEXUS_START when the operation has started, has ended
 * without a start (synchronously), or could not be started; and JOB_RESOLVE_NEXUS at its end. One
 * that failed before it started has the first alone, and one that is given up then the second.
 *
 * A cancellation does not move the machine. Unless the type is ABANDON it is a command, whose event
 * is NexusOperationCancelRequested; the handler's answer to it comes as CancelRequestCompleted or
 * CancelRequestFailed. By the type, the workflow is told
 *
 *	ABANDON, TRY_CANCEL            at once
 *	WAIT_CANCELLATION_REQUESTED    when the handler has answered the request
 *	WAIT_CANCELLATION_COMPLETED    when the operation has ended, in whatever way
 *
 * and `told` says that it was: what comes later is passed by. The handler's answer may come when
 * the operation has ended and the machine is gone (EVENT_MAY_BE_LATE).
 */
#include "engine/run.h"

#include "base/mem.h"

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
};

/* Positions in machine_set_texts(). */
enum text {
	ENDPOINT,
	SERVICE,
	OPERATION,
	TOKEN, /* "" until it has started */
	TEXTS
};

/* The failure around the cause: which operation it was. */
static Failure__Failure *new_failure(struct engine_run *run, const struct machine *machine,
	const char *message, const Failure__Failure *cause)
{
	struct arena *arena = run_activation_arena(run);
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__NexusOperationFailureInfo *info = PROTO_NEW(
		arena, Failure__NexusOperationFailureInfo, failure__nexus_operation_failure_info);

	if (!failure || !info) {
		run_no_memory(run);
		return NULL;
	}
	info->scheduled_event_id = machine->initial_event_id;
	info->endpoint = arena_strdup(arena, machine_text(machine, ENDPOINT));
	info->service = arena_strdup(arena, machine_text(machine, SERVICE));
	info->operation = arena_strdup(arena, machine_text(machine, OPERATION));
	info->operation_token = arena_strdup(arena, machine_text(machine, TOKEN));
	if (!info->endpoint || !info->service || !info->operation || !info->operation_token) {
		run_no_memory(run);
		return NULL;
	}
	failure->message = message;
	failure->cause = unconst(cause);
	failure->failure_info_case =
		FAILURE__FAILURE__FAILURE_INFO_NEXUS_OPERATION_EXECUTION_FAILURE_INFO;
	failure->nexus_operation_execution_failure_info = info;
	return failure;
}

static Failure__Failure *new_cancelled(
	struct engine_run *run, const struct machine *machine, const char *message)
{
	const Failure__Failure *cause = machine_cancelled_failure(run, "");

	return cause ? new_failure(run, machine, message, cause) : NULL;
}

static bool resolve(struct engine_run *run, struct machine *machine, struct resolution result)
{
	struct activation_job *job;

	if (machine->told)
		return true;
	job = job_add(run, JOB_RESOLVE_NEXUS);
	if (!job)
		return false;
	machine->told = true;
	job->resolve_nexus.seq = machine->seq;
	job->resolve_nexus.result = result;
	return true;
}

static bool resolve_failure(struct engine_run *run, struct machine *machine,
	enum resolution_status status, const Failure__Failure *failure)
{
	return failure &&
	       resolve(run, machine, (struct resolution){ .status = status, .failure = failure });
}

static bool add_start(struct engine_run *run, const struct machine *machine,
	enum nexus_start_status status, const char *token, const Failure__Failure *failure)
{
	struct activation_job *job;

	if (machine->told)
		return true;
	job = job_add(run, JOB_RESOLVE_NEXUS_START);
	if (!job)
		return false;
	job->resolve_nexus_start.seq = machine->seq;
	job->resolve_nexus_start.status = status;
	job->resolve_nexus_start.operation_token = token;
	job->resolve_nexus_start.failure = failure;
	return true;
}

/* The failure of the event being applied, which servers always give. */
static const Failure__Failure *event_failure(
	struct engine_run *run, const struct machine *machine, const Failure__Failure *failure)
{
	return failure ? failure
		       : new_failure(run, machine, "The Nexus operation does not say why it failed",
				 NULL);
}

/* Which of the three ends it is; their attributes have a failure each. */
static const Failure__Failure *failure_of_event(
	struct engine_run *run, const struct machine *machine)
{
	const History__HistoryEvent *event = run->event;

	switch (event->event_type) {
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_CANCELED:
		return event_failure(
			run, machine, event->nexus_operation_canceled_event_attributes->failure);
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT:
		return event_failure(
			run, machine, event->nexus_operation_timed_out_event_attributes->failure);
	default:
		return event_failure(
			run, machine, event->nexus_operation_failed_event_attributes->failure);
	}
}

static bool on_scheduled(void *self, void *context)
{
	return machine_began(context, self);
}

/* Failures name the token, and the workflow gets it. */
static bool on_started(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const char *token = text_or_empty(
		run->event->nexus_operation_started_event_attributes->operation_token);
	char *texts = machine->id;
	const char *all[TEXTS] = { machine_text(machine, ENDPOINT), machine_text(machine, SERVICE),
		machine_text(machine, OPERATION), token };

	machine->id = NULL;
	if (!machine_set_texts(run, machine, all, TEXTS)) {
		machine->id = texts;
		return false;
	}
	mem_free(texts);
	return add_start(run, machine, NEXUS_STARTED_ASYNC, token, NULL);
}

static bool on_completed(void *self, void *context)
{
	struct engine_run *run = context;

	return resolve(run, self,
		(struct resolution){
			.status = RESOLUTION_COMPLETED,
			.result = run->event->nexus_operation_completed_event_attributes->result,
		});
}

/* The handler had the result at once. */
static bool on_completed_at_once(void *self, void *context)
{
	return add_start(context, self, NEXUS_STARTED_SYNC, "", NULL) &&
	       on_completed(self, context);
}

static bool on_not_started(void *self, void *context)
{
	const Failure__Failure *failure = failure_of_event(context, self);

	return failure && add_start(context, self, NEXUS_START_FAILED, "", failure);
}

static bool on_failed(void *self, void *context)
{
	return resolve_failure(context, self, RESOLUTION_FAILED, failure_of_event(context, self));
}

static bool on_canceled(void *self, void *context)
{
	return resolve_failure(
		context, self, RESOLUTION_CANCELLED, failure_of_event(context, self));
}

static bool on_timed_out(void *self, void *context)
{
	return resolve_failure(
		context, self, RESOLUTION_TIMED_OUT, failure_of_event(context, self));
}

static bool on_unsent(void *self, void *context)
{
	struct machine *machine = self;
	const Failure__Failure *failure = new_cancelled(
		context, machine, "The Nexus operation was cancelled before it was scheduled");

	queue_cancel(context, machine);
	return failure && add_start(context, machine, NEXUS_START_FAILED, "", failure);
}

/* `asked` and `told` see to it that each is done once. */
static bool on_cancel(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	unsigned type = machine->cancellation_type;

	if (type != NEXUS_ABANDON && !machine->asked) {
		machine->asked = true;
		if (!queue_push(run, machine, COMMAND_REQUEST_CANCEL_NEXUS, NULL))
			return false;
	}
	if (machine->told || (type != NEXUS_ABANDON && type != NEXUS_TRY_CANCEL))
		return true;
	return resolve_failure(run, machine, RESOLUTION_CANCELLED,
		new_cancelled(run, machine, "The Nexus operation was cancelled"));
}

static bool on_request_completed(void *self, void *context)
{
	struct machine *machine = self;

	if (machine->told || machine->cancellation_type != NEXUS_WAIT_CANCELLATION_REQUESTED)
		return true;
	return resolve_failure(context, machine, RESOLUTION_CANCELLED,
		new_cancelled(
			context, machine, "The handler was asked to cancel the Nexus operation"));
}

static bool on_request_failed(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;

	if (machine->told || machine->cancellation_type != NEXUS_WAIT_CANCELLATION_REQUESTED)
		return true;
	return resolve_failure(run, machine, RESOLUTION_FAILED,
		new_failure(run, machine,
			"The handler could not be asked to cancel the Nexus operation",
			run->event->nexus_operation_cancel_request_failed_event_attributes
				->failure));
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,   NEXUS_SCHEDULE,          COMMANDED, NULL },

	{ COMMANDED, NEXUS_SCHEDULED,         SCHEDULED, on_scheduled },
	{ COMMANDED, NEXUS_CANCEL,            CANCELLED, on_unsent },

	{ SCHEDULED, NEXUS_STARTED,           STARTED,   on_started },
	{ SCHEDULED, NEXUS_COMPLETED,         COMPLETED, on_completed_at_once },
	{ SCHEDULED, NEXUS_FAILED,            FAILED,    on_not_started },
	{ SCHEDULED, NEXUS_CANCELED,          CANCELLED, on_not_started },
	{ SCHEDULED, NEXUS_TIMED_OUT,         TIMED_OUT, on_not_started },
	{ SCHEDULED, NEXUS_CANCEL,            SCHEDULED, on_cancel },
	{ SCHEDULED, NEXUS_CANCEL_REQUESTED,  SCHEDULED, NULL },
	{ SCHEDULED, NEXUS_REQUEST_COMPLETED, SCHEDULED, on_request_completed },
	{ SCHEDULED, NEXUS_REQUEST_FAILED,    SCHEDULED, on_request_failed },

	{ STARTED,   NEXUS_COMPLETED,         COMPLETED, on_completed },
	{ STARTED,   NEXUS_FAILED,            FAILED,    on_failed },
	{ STARTED,   NEXUS_CANCELED,          CANCELLED, on_canceled },
	{ STARTED,   NEXUS_TIMED_OUT,         TIMED_OUT, on_timed_out },
	{ STARTED,   NEXUS_CANCEL,            STARTED,   on_cancel },
	{ STARTED,   NEXUS_CANCEL_REQUESTED,  STARTED,   NULL },
	{ STARTED,   NEXUS_REQUEST_COMPLETED, STARTED,   on_request_completed },
	{ STARTED,   NEXUS_REQUEST_FAILED,    STARTED,   on_request_failed },
};
/* clang-format on */

static const char *const states[] = { "created", "commanded", "scheduled", "started", "completed",
	"failed", "timed out", "cancelled" };
static const char *const events[] = { "schedule", "cancel", "NexusOperationScheduled",
	"NexusOperationStarted", "NexusOperationCompleted", "NexusOperationFailed",
	"NexusOperationCanceled", "NexusOperationTimedOut", "NexusOperationCancelRequested",
	"NexusOperationCancelRequestCompleted", "NexusOperationCancelRequestFailed" };

static const struct fsm_table table = FSM_TABLE("Nexus operation", rows, states, events);

const struct machine_kind machine_nexus = {
	.name = "Nexus operation",
	.table = &table,
	.final_states = 1U << COMPLETED | 1U << FAILED | 1U << TIMED_OUT | 1U << CANCELLED,
	.command_name = "ScheduleNexusOperation",
};

/* Endpoint, service and operation are not compared with history, as in the core SDK. */
bool machine_nexus_schedule(struct engine_run *run, const struct command *command)
{
	const struct command_schedule_nexus *nexus = &command->schedule_nexus;
	struct machine *machine = machine_new(run, MACHINE_NEXUS, nexus->seq);
	const char *texts[TEXTS] = { nexus->endpoint, nexus->service, nexus->operation, "" };

	if (!machine)
		return false;
	machine->cancellation_type = (uint8_t)nexus->cancellation_type;
	return machine_set_texts(run, machine, texts, TEXTS) &&
	       queue_push(run, machine, COMMAND_SCHEDULE_NEXUS, command) &&
	       machine_step(run, machine, NEXUS_SCHEDULE);
}
