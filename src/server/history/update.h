/*
 * update.h: updates of a run: who asked for them, what the worker said, who waits for it.
 *
 * All run inside an input (transition_begin .. transition_end), on the loop's thread.
 */
#ifndef SERVER_HISTORY_UPDATE_H
#define SERVER_HISTORY_UPDATE_H

#include "server/history/history.h"
#include "temporal/api/update/v1/message.pb-c.h"

struct batch_entry;

/* A stage of the API's enum, whose names are longer than a line. */
#define UPDATE_STAGE_NAME(type_, prefix_, name_) type_##prefix_##name_
#define UPDATE_STAGE(name_) \
	UPDATE_STAGE_NAME(ENUMS__UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE__, \
		UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_, name_)

#define UPDATE_ABORTED_TEXT "workflow update was aborted by closing workflow"

/* How far an update has come, or why it never will. */
struct update_status {
	enum temporal_code code; /* not TEMPORAL_OK: the failure in `text` and `detail` */
	const char *text;
	const void *detail; /* NULL or a message of temporal.api.errordetails.v1 */
	Enums__UpdateWorkflowExecutionLifecycleStage stage;
	const Update__Outcome *outcome; /* NULL: there is none yet. Borrowed, for the call */
};

/* A call that wants to know. It lies in its request's arena. */
struct update_waiter {
	struct update_waiter *next; /* update.waiters */
	struct update *update;
	struct request *request;
	/* Answers the request; set before update_wait(). */
	void (*answer)(struct update_waiter *waiter, const struct update_status *status);
	/* UNSPECIFIED and ADMITTED: whatever is known now. */
	Enums__UpdateWorkflowExecutionLifecycleStage stage;
	bool limited;     /* its caller's patience ends before ours */
	const void *user; /* for `answer` */
};

/* update.c: the registry. */

/* NULL: the run has none of this id. */
struct update *update_find(const struct execution *execution, const char *id);

/*
 * The update of the id in the request: the one that is there, or a new one, for which a workflow
 * task is made if none is pending. NULL: the request has been answered with a failure.
 */
struct update *update_admit(struct execution *execution, struct request *request,
	const Workflowservice__UpdateWorkflowExecutionRequest *in);

/* An UpdateAdmitted event with this request: the update outlives its caller and a restart. */
void update_admit_event(struct execution *execution, Update__Request *request,
	Enums__UpdateAdmittedEventOrigin origin);

/* Reset: an Admitted, Accepted or Completed event of the history that the run begins with, and one
 * of the first two of those that are applied to it anew. */
void update_rebuild(struct execution *execution, const History__HistoryEvent *event);
void update_reapply(struct execution *execution, const History__HistoryEvent *event);

/* Answers at once if the stage is reached, else when it is, or when the time is up. */
void update_wait(struct update *update, struct update_waiter *waiter);

/* A new one, for a caller or for a worker that remembers more than we do. NULL: memory is out. */
struct update *update_new(
	struct execution *execution, const char *id, const Update__Request *request);
void update_free(struct update *update);

/* Tells those who wait for what has changed, and forgets what has its end. */
void update_settle(struct execution *execution);

/* Its state as far as it is in the history has changed. */
void update_record(struct update *update);

/* The run has ended: nothing more will come of its updates. */
void update_close(struct execution *execution);

/* The server failed a workflow task for what was in its completion. */
void update_task_failed(struct execution *execution);
/* A completion was refused, and nothing came of it: what it was about goes out again. */
void update_resend(struct execution *execution);

/* Is there an update that a workflow task has to bring to a worker? */
bool update_pending(const struct execution *execution);

/* Enough of them to suggest to continue as new? */
bool update_many(const struct execution *execution);

/* NULL, or what limit would be passed by one more. */
const char *update_over_total(const struct execution *execution, struct arena *arena);

/* All that are in the history, once more: for a run that leaves memory. */
void update_record_all(const struct execution *execution);
bool update_restore(struct execution *execution, const struct batch_entry *entry);
void update_finish(struct execution *execution);

/* update_message.c: what goes to workers and comes back. */

/* The messages of a workflow task that starts now; `again`: also those that went out before. */
void update_send(struct execution *execution, struct request *request, bool again,
	Workflowservice__PollWorkflowTaskQueueResponse *response);

/* Like command_check(): the message that a command names, and those that none does. */
bool update_check_begin(struct decision *decision);
bool update_check_command(struct decision *decision, const Command__Command *command);
bool update_check_rest(struct decision *decision);
/* Like command_apply(). */
void update_apply_command(struct decision *decision, const Command__Command *command);
void update_apply_rest(struct decision *decision);

/* speculative.c: workflow tasks that exist for updates alone. */

/* A workflow task for an update, unless one is pending. */
void speculative_schedule(struct execution *execution);
/* An update does not wait for the delay of the first task. */
void speculative_hasten(struct execution *execution);
/* Something else happens in the run: the task becomes an ordinary one. */
void speculative_settle(struct execution *execution);
/* Does this completion leave no trace? */
bool speculative_discards(const struct execution *execution,
	const Workflowservice__RespondWorkflowTaskCompletedRequest *message);
/* The task was never there. */
void speculative_discard(struct execution *execution);

#endif
