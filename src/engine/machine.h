/*
 * machine.h: the state machines of a run. One machine follows one thing that the workflow has asked
 * for, from its command over the events that history records of it to the job that tells the
 * workflow of its end.
 *
 * Each kind has its own file (machine_activity.c, ...) with the drawing, the table and the actions.
 * An action's context is the run; `run->event` is the event that is being applied.
 */
#ifndef ENGINE_MACHINE_H
#define ENGINE_MACHINE_H

#include "base/arena.h"
#include "base/fsm.h"
#include "engine/command.h"
#include "engine/event.h"

struct engine_run;
struct machine;
struct update_request;
struct local_result;
struct local_request;

struct machine_kind {
	const char *name; /* in messages: "activity" */
	const struct fsm_table *table;
	uint32_t final_states;    /* bit mask: nothing can come any more */
	const char *command_name; /* the API's name of the command that makes it */
};

struct machine {
	const struct machine_kind *kind; /* NULL: on the free list */
	struct machine *next;            /* free ones; the run's updates; its local activities */
	uint32_t seq;
	uint8_t type; /* enum machine_type */
	uint8_t state;
	uint8_t cancellation_type; /* of the kind's own enum */
	bool cancelled_before_sent;
	bool internal;    /* the engine's own: its number is not the workflow's */
	bool asked;       /* the command of its cancellation was given */
	bool told;        /* the workflow knows its end, though there may be more to come */
	uint8_t n_queued; /* its commands that wait for their event */
	int64_t initial_event_id;
	int64_t started_event_id;
	/*
	 * Texts, one behind the terminator of the other, in an own allocation (machine_text). Of an
	 * activity its id and type; the others say so.
	 */
	char *id;
	union {
		const char *activity_type;      /* activity: in `id` */
		const Update__Request *request; /* update: until its answer; in the task's arena */
		struct local_request *local;    /* local activity */
	};
};

extern const struct machine_kind machine_activity, machine_timer, machine_child,
	machine_signal_external, machine_cancel_external, machine_nexus, machine_local_activity,
	machine_update, machine_patch, machine_upsert, machine_properties, machine_complete,
	machine_fail, machine_cancel, machine_continue_as_new, machine_workflow_task;

/* By enum machine_type; MACHINE_KINDS of them. */
extern const struct machine_kind *const machine_kinds[];

/* The events of each kind, and its states, as the tables have them. */
enum activity_event {
	ACTIVITY_SCHEDULE,
	ACTIVITY_CANCEL,
	ACTIVITY_GIVE_UP, /* cancel, with cancellation type ABANDON */
	ACTIVITY_SCHEDULED,
	ACTIVITY_STARTED,
	ACTIVITY_COMPLETED,
	ACTIVITY_FAILED,
	ACTIVITY_TIMED_OUT,
	ACTIVITY_CANCEL_REQUESTED,
	ACTIVITY_CANCELED,
};

enum timer_event {
	TIMER_START,
	TIMER_CANCEL,
	TIMER_STARTED,
	TIMER_FIRED,
	TIMER_CANCELED
};

enum child_event {
	CHILD_START,
	CHILD_CANCEL,
	CHILD_CANCEL_DELIVERED,
	CHILD_INITIATED,
	CHILD_NOT_STARTED,
	CHILD_STARTED,
	CHILD_COMPLETED,
	CHILD_FAILED,
	CHILD_CANCELED,
	CHILD_TIMED_OUT,
	CHILD_TERMINATED,
};

enum signal_external_event {
	SIGNAL_EXTERNAL_SEND,
	SIGNAL_EXTERNAL_CANCEL,
	SIGNAL_EXTERNAL_INITIATED,
	SIGNAL_EXTERNAL_DELIVERED,
	SIGNAL_EXTERNAL_FAILED,
};

enum cancel_external_event {
	CANCEL_EXTERNAL_REQUEST,
	CANCEL_EXTERNAL_INITIATED,
	CANCEL_EXTERNAL_DELIVERED,
	CANCEL_EXTERNAL_FAILED,
};

enum nexus_event {
	NEXUS_SCHEDULE,
	NEXUS_CANCEL,
	NEXUS_SCHEDULED,
	NEXUS_STARTED,
	NEXUS_COMPLETED,
	NEXUS_FAILED,
	NEXUS_CANCELED,
	NEXUS_TIMED_OUT,
	NEXUS_CANCEL_REQUESTED,
	NEXUS_REQUEST_COMPLETED,
	NEXUS_REQUEST_FAILED,
};

enum local_event {
	LOCAL_SCHEDULE,
	LOCAL_AWAIT,
	LOCAL_KNOW,
	LOCAL_RESULT,
	LOCAL_CANCEL,
	LOCAL_GIVE_UP, /* cancel, and do not wait for it */
	LOCAL_MARKER,
};

enum patch_event {
	PATCH_ISSUE,
	PATCH_RECORDED
};

enum upsert_event {
	UPSERT_ISSUE,
	UPSERT_RECORDED
};

enum properties_event {
	PROPERTIES_ISSUE,
	PROPERTIES_RECORDED
};

enum update_event {
	UPDATE_ACCEPT,
	UPDATE_REJECT,
	UPDATE_COMPLETE,
	UPDATE_WAS_ACCEPTED,
	UPDATE_WAS_COMPLETED,
	UPDATE_WAS_REJECTED, /* no server writes it: a rejection leaves nothing in history */
};

enum terminal_event {
	TERMINAL_ISSUE,
	TERMINAL_RECORDED
};

enum workflow_task_event {
	WORKFLOW_TASK_SCHEDULED,
	WORKFLOW_TASK_STARTED,
	WORKFLOW_TASK_COMPLETED,
	WORKFLOW_TASK_FAILED,
	WORKFLOW_TASK_TIMED_OUT,
};

/*
 * A machine for a command of the workflow, in its first state. Refuses a sequence number that is in
 * use. NULL: the run has failed and says why.
 */
struct machine *machine_new(struct engine_run *run, enum machine_type type, uint32_t seq);

/* One that the workflow has no number for. */
struct machine *machine_new_internal(struct engine_run *run, enum machine_type type);

/* The machine with this number; NULL if there is none (any more). */
struct machine *machine_find(struct engine_run *run, enum machine_type type, uint32_t seq);

/* The machine that the event with this id began; NULL if there is none. */
struct machine *machine_of_event(struct engine_run *run, int64_t initial_event_id);

/* The event being applied began the machine. */
bool machine_began(struct engine_run *run, struct machine *machine);

/*
 * The workflow cancels the thing with that number: the machine gets the event. One that has ended
 * is left alone; a number that never was is an error.
 */
bool machine_cancel_numbered(
	struct engine_run *run, enum machine_type type, uint32_t seq, unsigned event);

/* Gives an event of its kind to the machine; false: the run has failed and says why. */
bool machine_step(struct engine_run *run, struct machine *machine, unsigned event);

/* Takes it off if nothing can come to it any more. */
void machine_release_if_done(struct engine_run *run, struct machine *machine);

/* Takes it off in any state: what it has commanded is not going to be. */
void machine_forget(struct engine_run *run, struct machine *machine);

void machines_finish(struct engine_run *run);

/* Keeps copies of the texts in the machine's `id`. False: the run has failed. */
bool machine_set_texts(
	struct engine_run *run, struct machine *machine, const char *const *texts, size_t count);

/* One of them. */
const char *machine_text(const struct machine *machine, unsigned index);

/* How a command or machine is spoken of: "ScheduleActivityTask (activity 3, type charge)"; in the
 * task's arena. */
const char *machine_describe(struct engine_run *run, const struct machine *machine);

/* Likewise an event: "event 5 ActivityTaskScheduled (activity 3, type charge)". */
const char *event_describe(struct engine_run *run, const History__HistoryEvent *event);

/* What machine_new does not do for these kinds. */
bool machine_activity_schedule(struct engine_run *run, const struct command *command);
bool machine_activity_cancel(struct engine_run *run, uint32_t seq);
bool machine_timer_start(struct engine_run *run, const struct command *command);
bool machine_timer_cancel(struct engine_run *run, uint32_t seq);
/* An event of the workflow task; the run's current one. */
bool machine_workflow_task_event(struct engine_run *run, unsigned event);
/* A request has come, or stands in history: the job for it. */
bool machine_update_request(struct engine_run *run, const struct update_request *request);
/* The workflow's answer to a request. */
bool machine_update_respond(struct engine_run *run, const struct command *command);
/* The name of a message of it; NULL: no memory. */
const char *machine_update_message_id(
	const struct machine *machine, const char *what, struct arena *arena);
/* False: some request was not answered, and the run has failed. */
bool machine_update_all_answered(struct engine_run *run);
bool machine_child_start(struct engine_run *run, const struct command *command);
bool machine_signal_external_send(struct engine_run *run, const struct command *command);
bool machine_cancel_external_request(struct engine_run *run, const struct command *command);
/* Asks the child to cancel itself; it gets CHILD_CANCEL_DELIVERED. */
bool machine_cancel_external_child(struct engine_run *run, const struct machine *child,
	const struct activation_execution *execution);
bool machine_nexus_schedule(struct engine_run *run, const struct command *command);
bool machine_patch_set(struct engine_run *run, const struct command *command);
bool machine_upsert_set(struct engine_run *run, const struct command *command);
bool machine_upsert_internal(struct engine_run *run, const char *key, Common__Payload *value);
bool machine_properties_modify(struct engine_run *run, const struct command *command);

bool machine_local_schedule(struct engine_run *run, const struct command *command);
bool machine_local_cancel(struct engine_run *run, uint32_t seq);
/* Is its marker a command that was sent, or is to be? Or does it wait for an outcome in history? */
bool machine_local_is_resolved(const struct machine *machine);
bool machine_local_waits(const struct machine *machine);
bool machine_local_step(struct engine_run *run, struct machine *machine, unsigned event,
	const struct local_result *result);

/* Failures for jobs, in the arena of the activation to come. NULL: the run has failed. */
const Failure__Failure *machine_external_failure(
	struct engine_run *run, const char *what, int cause);
const Failure__Failure *machine_cancelled_failure(struct engine_run *run, const char *message);

/* What the event being applied is to the oldest command that waits. */
enum patch_fit {
	PATCH_FITS,         /* go on as with any */
	PATCH_DROP_COMMAND, /* the command is a patch that history does not have */
	PATCH_SKIP_EVENT,   /* the event is a patch that the code does not have any more */
};
enum patch_fit machine_patch_fit(struct engine_run *run, const struct machine *head);
bool patch_ahead(struct engine_run *run, const History__HistoryEvent *event);
bool patch_is_versions(const History__HistoryEvent *event);
void patches_finish(struct engine_run *run);
size_t patches_memory(const struct engine_run *run);

bool machine_terminal_issue(
	struct engine_run *run, enum machine_type type, const struct command *command);

#endif
