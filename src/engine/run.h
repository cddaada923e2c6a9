/*
 * run.h: the state of one run, shared by the files of this folder alone.
 *
 * What lives as long as the run is in struct engine_run and small; what a workflow task needs is in
 * struct task, which exists only while one is worked on. So an idle cached run costs its live
 * machines and little more.
 */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "base/arena.h"
#include "base/map.h"
#include "engine/engine.h"
#include "engine/flags.h"
#include "engine/history.h"
#include "engine/machine.h"
#include "proto/codec.h"

#define LEGACY_QUERY_ID     "legacy_query"
#define TASK_FAILED(CAUSE_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##CAUSE_
#define CAN_REASONS_MAX     4

/*
 * A command that waits to be sent, or, once sent, for its event. `source` is the workflow's and
 * borrowed during one call; NULL if the command was made here or is a message already. `message` is
 * in the task's arena; NULL while it is not built, and when it was sent.
 */
struct queued_command {
	struct machine *machine;
	enum command_kind kind;
	const struct command *source;
	Command__Command *message;
	bool sent;
};

struct command_queue {
	struct queued_command *items; /* from `head` on */
	uint32_t head, count, capacity;
	uint32_t made;  /* those before it are messages, or were sent */
	bool cancelled; /* of some that were not sent the machine was cancelled */
};

enum outstanding {
	NOTHING_OUT,
	ACTIVATION_OUT,
	QUERIES_OUT,
	LEGACY_QUERY_OUT,
	EVICTION_OUT,
	FETCH_OUT,
	RESPONSE_OUT,
	LOCALS_OUT
};

struct run_failure {
	bool set;
	Enums__WorkflowTaskFailedCause cause;
	enum eviction_reason reason;
	const char *text;                /* in the task's arena or static */
	const Failure__Failure *failure; /* NULL: made of the text */
};

/* What a workflow task needs, and what goes with it. */
struct task {
	/* The poll's response, and what must live until the answer is sent. */
	struct arena arena;
	/* Of the activation that is out, and of the one before or to come; and which is being
	 * filled. */
	struct arena activations[2];
	unsigned activation;

	/* From the poll; NULL: the replay of a history. */
	const Workflowservice__PollWorkflowTaskQueueResponse *response;
	struct bytes token;
	int32_t attempt;

	struct history history;
	struct bytes page_token; /* of the page to be fetched */
	unsigned n_pages;
	bool last_sequence; /* the one being applied ends history */

	const struct activation_job *queries; /* asked by the server */
	size_t n_queries;
	bool legacy_query, queries_asked;

	struct activation_job *jobs; /* for the activation to come, in its arena */
	size_t n_jobs, jobs_capacity;

	Workflowservice__RespondWorkflowTaskCompletedRequest__QueryResultsEntry **query_results;
	size_t n_query_results;
	Enums__VersioningBehavior versioning_behavior;

	/* Requests that wait for their place in history; those that history has admitted, which
	 * wait to be accepted; and the messages that go with the answer. */
	struct update_request *requests, *admitted;
	size_t n_requests, n_admitted, admitted_room;
	Protocol__Message **messages;
	size_t n_messages, messages_room;

	/* Local activities to be run or cancelled; the outcome at hand, the marker being applied;
	 * and the markers of the sequence to come. */
	const void **locals, **cancels;
	size_t n_locals, n_cancels;
	const struct local_result *local;
	const struct marker_local *marker;
	struct marker_local *ahead;
	bool heartbeat; /* the answer asks for a task to go on with */

	struct run_failure failure;
	bool forced_completion; /* the answer fails the run */
	bool too_large;         /* the first answer was */
};

/* An update's request: from a message of the task, or from history. */
struct update_request {
	const char *message_id, *instance_id;
	int64_t event_id; /* it comes behind this event */
	const Update__Request *request;
};

/* One that the run has met: in history, or in the workflow's code. */
struct patch {
	char *id;
	bool commanded; /* its marker was commanded */
};

struct marker_local;

struct machine_slab {
	struct machine_slab *next;
	struct machine machines[4];
};

struct engine_run {
	const struct engine_config *config;
	char *run_id, *workflow_id, *workflow_type;
	const History__HistoryEvent *event; /* being applied */
	const struct command *answering;    /* an update's, being applied */

	/* Progress in history. */
	int64_t last_event_id;      /* applied */
	int64_t current_started_id; /* WorkflowTaskStarted of the task that the workflow has seen */
	int64_t next_started_id;    /* that the sequence being applied ends with */
	int64_t time_ns;
	bool replaying, finished, seen_final_event, activated;

	/* What the newest WorkflowTaskStarted said. */
	bool continue_as_new_suggested, target_version_changed;
	uint8_t n_continue_as_new_reasons;
	Enums__SuggestContinueAsNewReason continue_as_new_reasons[CAN_REASONS_MAX];
	uint64_t history_size_bytes;
	char *deployment_name, *build_id; /* of the worker that did this task; NULL: "" */

	struct flags flags;
	struct command_queue queue;
	struct map machines; /* by number and kind, and by the event that began them */
	struct machine_slab *slabs;
	struct machine *free_machines;
	uint32_t n_machines;
	struct machine *updates;   /* that are not at their end */
	struct machine *locals;    /* local activities, likewise */
	uint32_t n_locals;         /* that the worker runs */
	uint64_t activation_index; /* of the activation to come, within its task */
	int64_t task_timeout_ms;
	uint32_t seq_max[MACHINE_NUMBERED]; /* highest number yet, by kind */
	uint32_t internal_seq;              /* the engine's own numbers */
	struct patch *patches;
	uint32_t n_patches;
	bool skip_versions;        /* an upsert of patches, if that is the next event */
	const char *cancel_reason; /* of the child that is being cancelled */
	struct {
		uint8_t state;
		int64_t scheduled_id, target_id, started_id, started_ns;
	} workflow_task;
	/* What continue-as-new takes over from the started event; NULL: nothing. */
	struct arena *started;
	Common__Memo *memo;
	Common__RetryPolicy *retry_policy;
	Common__SearchAttributes *search_attributes;

	struct task *task; /* NULL: idle */
	enum outstanding outstanding;
	enum eviction_reason evict_reason;
	bool evicting;
	char evict_message[160];
};

/* The current arena for what the next activation needs. */
static inline struct arena *run_activation_arena(struct engine_run *run)
{
	return &run->task->activations[run->task->activation];
}

/* Fails the task: NON_DETERMINISTIC_ERROR, or another failure. Return false, so that one can return
 * them. The first stays. */
bool run_nondeterminism(struct engine_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool run_fatal(struct engine_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool run_no_memory(struct engine_run *run);

/* replay.c: applies the next sequence; `applied` is the number of its events; `passed_by`: all of
 * it had been applied before, and there is more. False: the run has failed. */
bool replay_apply_next(struct engine_run *run, size_t *applied, bool *passed_by);

/* commands.c: gives the workflow's commands to their machines, and takes its query results. */
bool commands_apply(struct engine_run *run, const struct completion *completion);
bool queue_push(struct engine_run *run, struct machine *machine, enum command_kind kind,
	const struct command *source);
/* The machine of the command that the next event of a command belongs to; NULL: there is none. */
struct machine *queue_pop(struct engine_run *run);
/* The same, but it stays. */
struct machine *queue_head(struct engine_run *run);
/* One of a machine that is not to be sent after all: it counts as not there. */
void queue_cancel(struct engine_run *run, struct machine *machine);
void queue_remove_cancelled(struct engine_run *run);
/* Makes own messages of all commands that still lie in the workflow's memory. */
bool queue_materialize(struct engine_run *run);

/* emit.c: the command as the API's message. It points into the source; in the arena. NULL: no
 * memory. */
Command__Command *emit_command(
	struct engine_run *run, const struct queued_command *queued, struct arena *arena);

/* locals.c */
struct local_request *locals_request_new(
	struct engine_run *run, const struct machine *machine, const struct command *command);
bool locals_request(struct engine_run *run, struct machine *machine);
bool locals_cancel(struct engine_run *run, struct machine *machine);
bool locals_new_task(struct engine_run *run);
bool locals_result(struct engine_run *run, const struct local_result *result);
bool locals_ahead(struct engine_run *run, const History__HistoryEvent *event);
void locals_ahead_end(struct engine_run *run);
/* Gives outcomes that history has to the activation to come; the second, if there are no jobs. */
bool locals_deliver(struct engine_run *run);
bool locals_deliver_next(struct engine_run *run);

/* job.c: jobs for the activation to come. NULL or false: the run has failed. */
struct activation_job *job_add(struct engine_run *run, enum activation_job_kind kind);
bool job_add_initialize(struct engine_run *run);
bool job_add_signal(struct engine_run *run);
bool job_add_cancel(struct engine_run *run);
bool jobs_sort(struct engine_run *run);
bool queries_take(
	struct engine_run *run, const Workflowservice__PollWorkflowTaskQueueResponse *response);
struct activation_payloads job_payloads(const Common__Payloads *payloads);
struct activation_headers job_headers(const Common__Header *header);
uint64_t randomness_seed(const char *run_id);

/* respond.c: the requests, in the task's arena. False or NULL: no memory. */
Workflowservice__RespondWorkflowTaskCompletedRequest *respond_completed(struct engine_run *run);
Workflowservice__RespondWorkflowTaskFailedRequest *respond_failed(struct engine_run *run);
Workflowservice__RespondQueryTaskCompletedRequest *respond_query(struct engine_run *run,
	const struct command_query_result *result, const Failure__Failure *failure,
	Enums__WorkflowTaskFailedCause cause);
const Failure__Failure *respond_failure_of(struct engine_run *run);
bool respond_add_query_result(struct engine_run *run, const struct command_query_result *result);

/* protocol.c: messages. Takes those that have come with the task. */
bool protocol_take(struct engine_run *run);
/* Gives the requests to the workflow that come before the event with this id. */
bool protocol_deliver(struct engine_run *run, int64_t event_id);
/* The event being applied admits an update. */
bool protocol_admitted(struct engine_run *run);
/* An event of the next sequence accepts an update: the workflow gets its request now. */
bool protocol_accepted(struct engine_run *run, const History__HistoryEvent *event);
/* A message for the task's answer; `body` is encoded. */
bool protocol_send(
	struct engine_run *run, const struct machine *machine, const char *what, const void *body);

/* For what the next run inherits; made on first use. NULL: the run has failed. */
struct arena *run_inherited_arena(struct engine_run *run);

/* `text` in place of the owned `*old`; "" is NULL. False when memory is out. */
bool run_set_text(char **old, const char *text);

/* Drops const where protobuf-c's structs cannot say it; nobody writes through it. */
static inline void *unconst(const void *ptr)
{
	union {
		const void *from;
		void *to;
	} both = { .from = ptr };

	return both.to;
}

#endif
