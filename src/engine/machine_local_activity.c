/*
 * machine_local_activity.c: one local activity: run by this worker within the workflow task, and
 * recorded as a marker with its outcome.
 *
 *	new       created --schedule--> requested --result--> resolved --marker--> recorded
 *	replay    created --await--> waiting --marker--> recorded
 *
 * While one is requested, its workflow task is held (step.c): the worker runs the activity and
 * hands in its result. The command that records it goes with the answer of the task, so on replay
 * the marker stands behind the task in which the workflow got the result. It is looked up ahead,
 * and the workflow gets it ("know") in the same activation as the first time: the marker says in
 * which one (locals.c).
 *
 * A task that ends without the marker, because its worker died, has not run the activity as far as
 * history knows: with the first new task, what waits is requested (locals_new_task).
 *
 * `told` says that the workflow has the outcome. Cancelled with WAIT_CANCELLATION_COMPLETED it gets
 * what the activity comes to, else at once a cancellation, which is recorded too.
 */
#include "engine/run.h"

#include "engine/marker.h"
#include "proto/codec.h"
#include "proto/payload.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	REQUESTED,
	RESOLVED,
	WAITING,
	RECORDED
};

/* Positions in machine_set_texts(). */
enum text {
	ACTIVITY_ID,
	ACTIVITY_TYPE,
	TEXTS
};

/* ---- outcomes ---- */

/* As activities' failures: one that says which activity it was, around the cause. */
static const Failure__Failure *wrapped(struct engine_run *run, const struct machine *machine,
	const Failure__Failure *cause, const char *message)
{
	struct arena *arena = run_activation_arena(run);
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__ActivityFailureInfo *info =
		PROTO_NEW(arena, Failure__ActivityFailureInfo, failure__activity_failure_info);
	Common__ActivityType *type = PROTO_NEW(arena, Common__ActivityType, common__activity_type);

	if (!failure || !info || !type) {
		run_no_memory(run);
		return NULL;
	}
	info->activity_id = arena_strdup(arena, machine->id);
	type->name = arena_strdup(arena, machine_text(machine, ACTIVITY_TYPE));
	if (!info->activity_id || !type->name) {
		run_no_memory(run);
		return NULL;
	}
	info->activity_type = type;
	failure->message = message;
	failure->cause = unconst(cause);
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_ACTIVITY_FAILURE_INFO;
	failure->activity_failure_info = info;
	return failure;
}

static bool is_cancelled(const Failure__Failure *failure)
{
	if (failure->failure_info_case == FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO)
		return true;
	return failure->cause && failure->cause->failure_info_case ==
					 FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
}

static bool resolution_of(struct engine_run *run, const struct machine *machine,
	const struct local_result *result, struct resolution *out)
{
	const Failure__Failure *failure = result->failure;

	*out = (struct resolution){ .status = RESOLUTION_COMPLETED, .result = result->result };
	if (result->backoff_ms) {
		out->status = RESOLUTION_BACKOFF;
		out->backoff_attempt = result->attempt + 1;
		out->backoff_ms = result->backoff_ms;
		out->backoff_original_schedule_ns = result->original_schedule_ns;
		return true;
	}
	if (!failure)
		return true;
	out->status = is_cancelled(failure) ? RESOLUTION_CANCELLED : RESOLUTION_FAILED;
	if (failure->failure_info_case != FAILURE__FAILURE__FAILURE_INFO_ACTIVITY_FAILURE_INFO)
		failure = wrapped(run, machine, failure,
			out->status == RESOLUTION_CANCELLED ? "Local activity cancelled"
							    : "Local activity failed");
	out->failure = failure;
	return failure;
}

/* The job, once; and the clock moves to where the activity has ended. */
static bool tell(struct engine_run *run, struct machine *machine, const struct local_result *result)
{
	struct resolution resolution;
	struct activation_job *job;

	if (machine->told)
		return true;
	if (!resolution_of(run, machine, result, &resolution))
		return false;
	job = job_add(run, JOB_RESOLVE_ACTIVITY);
	if (!job)
		return false;
	machine->told = true;
	job->resolve_activity.seq = machine->seq;
	job->resolve_activity.is_local = true;
	job->resolve_activity.result = resolution;
	if (result->complete_time_ns > run->time_ns)
		run->time_ns = result->complete_time_ns;
	return true;
}

/* Its copy in the arena; false: there is no memory. */
static bool keep_outcome(struct arena *arena, struct local_result *result)
{
	const Common__Payload *payload = result->result;
	const Failure__Failure *failure = result->failure;

	if (payload)
		result->result = proto_payload_copy(arena, payload);
	if (failure)
		result->failure = proto_copy(arena, failure);
	return !payload == !result->result && !failure == !result->failure;
}

/* The marker's command, made into a message at once: the outcome is borrowed during this call. */
static bool record(
	struct engine_run *run, struct machine *machine, const struct local_result *result)
{
	struct arena *arena = &run->task->arena;
	struct marker_local marker = {
		.seq = machine->seq,
		.activity_id = machine->id,
		.activity_type = machine_text(machine, ACTIVITY_TYPE),
		.has_index = true,
		.index = run->activation_index,
		.result = *result,
	};
	Command__Command empty = COMMAND__COMMAND__INIT;
	Command__Command *message = arena_memdup(arena, &empty, sizeof(empty));

	if (!message || !keep_outcome(arena, &marker.result))
		return run_no_memory(run);
	message->command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_RECORD_MARKER;
	message->attributes_case = COMMAND__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES;
	message->record_marker_command_attributes = marker_write_local(arena, &marker);
	if (!message->record_marker_command_attributes)
		return run_no_memory(run);
	if (!queue_push(run, machine, COMMAND_SCHEDULE_LOCAL_ACTIVITY, NULL))
		return false;
	run->queue.items[run->queue.count - 1].message = message;
	return true;
}

/* ---- actions; `run->task->local` is the outcome at hand ---- */

static bool on_request(void *self, void *context)
{
	return locals_request(context, self);
}

/* The request goes at once: a task may have hundreds, one after the other in the same memory. */
static bool on_result(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const struct local_result *result = run->task->local;

	run->n_locals--;
	engine_local_release(machine->local);
	machine->local = NULL;
	return tell(run, machine, result) && record(run, machine, result);
}

static bool on_cancel(void *self, void *context)
{
	return locals_cancel(context, self);
}

static bool on_give_up(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	struct local_result *result = ARENA_NEW(&run->task->arena, struct local_result);

	if (!result)
		return run_no_memory(run);
	*result = (struct local_result){ .seq = machine->seq,
		.attempt = 1,
		.complete_time_ns = run->time_ns,
		.original_schedule_ns = run->time_ns };
	result->failure = machine_cancelled_failure(run, "");
	if (!result->failure)
		return false;
	if (machine->cancellation_type != ACTIVITY_ABANDON && !locals_cancel(run, machine))
		return false;
	run->n_locals--;
	return tell(run, machine, result) && record(run, machine, result);
}

static bool on_known(void *self, void *context)
{
	struct engine_run *run = context;

	return tell(run, self, run->task->local);
}

/* That it is the same activity; under the same flag as other activities. */
static bool check(struct engine_run *run, const struct machine *machine)
{
	const struct marker_local *marker = run->task->marker;

	if (!flags_use(&run->flags, FLAG_ID_AND_TYPE_CHECKS, run->task->last_sequence) ||
		(str_same(marker->activity_id, machine->id) &&
			str_same(marker->activity_type, machine_text(machine, ACTIVITY_TYPE))))
		return true;
	return run_nondeterminism(run, "%s is of activity %s, type %s, and does not match %s",
		event_describe(run, run->event), marker->activity_id, marker->activity_type,
		machine_describe(run, machine));
}

static bool on_recorded(void *self, void *context)
{
	return check(context, self);
}

static bool on_marker(void *self, void *context)
{
	struct engine_run *run = context;

	return check(run, self) && tell(run, self, &run->task->marker->result);
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,   LOCAL_SCHEDULE, REQUESTED, on_request },
	{ CREATED,   LOCAL_AWAIT,    WAITING,   NULL },

	{ REQUESTED, LOCAL_RESULT,   RESOLVED,  on_result },
	{ REQUESTED, LOCAL_CANCEL,   REQUESTED, on_cancel },
	{ REQUESTED, LOCAL_GIVE_UP,  RESOLVED,  on_give_up },

	{ RESOLVED,  LOCAL_MARKER,   RECORDED,  on_recorded },
	{ RESOLVED,  LOCAL_RESULT,   RESOLVED,  NULL },
	{ RESOLVED,  LOCAL_CANCEL,   RESOLVED,  NULL },
	{ RESOLVED,  LOCAL_GIVE_UP,  RESOLVED,  NULL },

	{ WAITING,   LOCAL_MARKER,   RECORDED,  on_marker },
	{ WAITING,   LOCAL_KNOW,     WAITING,   on_known },
	{ WAITING,   LOCAL_SCHEDULE, REQUESTED, on_request },
	{ WAITING,   LOCAL_CANCEL,   WAITING,   NULL },
	{ WAITING,   LOCAL_GIVE_UP,  WAITING,   NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "requested", "resolved", "waiting for its marker",
	"recorded" };
static const char *const events[] = { "schedule", "await", "know", "result", "cancel", "give up",
	"MarkerRecorded" };

static const struct fsm_table table = FSM_TABLE("local activity", rows, states, events);

const struct machine_kind machine_local_activity = {
	.name = "local activity",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "RecordMarker",
};

/* ---- what others call ---- */

bool machine_local_schedule(struct engine_run *run, const struct command *command)
{
	const struct command_schedule_local_activity *activity = &command->schedule_local_activity;
	struct machine *machine = machine_new(run, MACHINE_LOCAL_ACTIVITY, activity->seq);
	const char *texts[TEXTS] = { activity->activity_id, activity->activity_type };
	char number[STR_INT_MAX + 1];

	if (!machine)
		return false;
	if (str_empty(texts[ACTIVITY_ID])) {
		*str_put_int(number, machine->seq) = '\0';
		texts[ACTIVITY_ID] = number;
	}
	machine->cancellation_type = (uint8_t)activity->cancellation_type;
	if (!machine_set_texts(run, machine, texts, TEXTS))
		return false;
	machine->local = locals_request_new(run, machine, command);
	if (!machine->local)
		return false;
	machine->next = run->locals;
	run->locals = machine;
	return machine_step(run, machine, run->replaying ? LOCAL_AWAIT : LOCAL_SCHEDULE);
}

bool machine_local_cancel(struct engine_run *run, uint32_t seq)
{
	struct machine *machine = machine_find(run, MACHINE_LOCAL_ACTIVITY, seq);
	bool waits = machine && machine->cancellation_type == ACTIVITY_WAIT_CANCELLATION_COMPLETED;

	return machine_cancel_numbered(
		run, MACHINE_LOCAL_ACTIVITY, seq, waits ? LOCAL_CANCEL : LOCAL_GIVE_UP);
}

bool machine_local_is_resolved(const struct machine *machine)
{
	return machine->state == RESOLVED;
}

bool machine_local_waits(const struct machine *machine)
{
	return machine->state == WAITING && !machine->told;
}

bool machine_local_step(struct engine_run *run, struct machine *machine, unsigned event,
	const struct local_result *result)
{
	bool ok;

	run->task->local = result;
	ok = machine_step(run, machine, event);
	run->task->local = NULL;
	return ok;
}
