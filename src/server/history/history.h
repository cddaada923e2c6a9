/*
 * history.h: what can happen to an execution, one file a group. All run inside an input
 * (transition_begin .. transition_end), on the loop's thread.
 */
#ifndef SERVER_HISTORY_HISTORY_H
#define SERVER_HISTORY_HISTORY_H

#include "server/history/event.h"
#include "temporal/api/command/v1/message.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

/* start.c: a new run. */
struct start_opts {
	struct server_namespace *space;
	const char *workflow_id;
	/* The attributes of the first event, but for run ids, attempt and expiration, which are
	 * filled in. */
	History__WorkflowExecutionStartedEventAttributes *attributes;
	const char *request_id, *first_run_id; /* first_run_id NULL: this run is the first */
	int64_t execution_expires_ns;          /* 0: from the attributes' timeout */
	int64_t delay_ms;                      /* of the first workflow task */
	struct event_extras extras;
	bool no_task; /* the caller schedules the first workflow task (signal with start) */
};
struct execution *start_execution(struct server *server, const struct start_opts *opts);
/* The first workflow task, now or after the delay. */
void start_first_task(struct execution *execution, int64_t delay_ms);
void start_first_task_fired(struct timers_entry *timer);
/* It need not wait for its first workflow task any longer; the caller wakes it. */
void start_end_backoff(struct execution *execution);
/* chain.c: the attributes of the first event, in the server's scratch arena. NULL: the server has
 * failed. */
History__WorkflowExecutionStartedEventAttributes *start_attributes(struct execution *execution);
/* The run after this one, with these attributes; this run's end is then to be written. */
struct execution *start_next(struct execution *execution,
	History__WorkflowExecutionStartedEventAttributes *attributes, int64_t delay_ms);
/* ... by its cron schedule. NULL: there is none, or it never matches again. */
struct execution *start_after_success(struct execution *execution, const Common__Payloads *result);
/* ... by its retry policy, else by its cron schedule. `state` says what became of the retry. */
struct execution *start_after_failure(struct execution *execution, const Failure__Failure *failure,
	bool timed_out, Enums__RetryState *state);
/* Run and execution timeout: arms the timer. */
void start_arm(struct execution *execution);

/* workflow_task.c: the workflow task's life. */
void workflow_task_schedule(struct execution *execution); /* unless there is one */
void workflow_task_offer(struct execution *execution);    /* into its queue: sticky or normal */
void workflow_task_arm(struct execution *execution);      /* its timeout */
/* A poller gets it; answers the request. */
void workflow_task_start(
	struct execution *execution, struct request *request, const char *identity, bool sticky);
/* The fields of a poll's response for the started task. */
void workflow_task_describe(struct execution *execution, struct request *request, bool sticky,
	Workflowservice__PollWorkflowTaskQueueResponse *response);
/* Its completion: events, then none. `attributes` without ids. */
void workflow_task_complete(
	struct execution *execution, History__WorkflowTaskCompletedEventAttributes *attributes);
/* It failed: an event (on the first attempt), and the next attempt. */
void workflow_task_fail(struct execution *execution, Enums__WorkflowTaskFailedCause cause,
	Failure__Failure *failure, const char *identity);
/* The parts of workflow_task_describe that query tasks have too; a history from `first` on. */
void workflow_task_subject(struct execution *execution, struct request *request,
	Workflowservice__PollWorkflowTaskQueueResponse *response);
void workflow_task_history(struct execution *execution, struct request *request, int64_t first,
	Workflowservice__PollWorkflowTaskQueueResponse *response);
/* The events of a pending task that are not in the history yet, for its end. */
bool workflow_task_transient_events(
	const struct execution *execution, History__History *history, struct arena *arena);
/* ... into the history after all: the task becomes an ordinary one, started by that worker. */
void workflow_task_write(struct execution *execution, const char *identity);
/* A worker only says that it is still at its task. True: it has said so for too long, and the task
 * has timed out. */
bool workflow_task_heartbeat_over(struct execution *execution);
/* The pending task was never there. */
void workflow_task_forget(struct execution *execution);
/* Scheduled and started at once, for the worker that has just completed one, or starts a run. */
Workflowservice__PollWorkflowTaskQueueResponse *workflow_task_start_inline(
	struct execution *execution, struct request *request, const char *identity, bool sticky);
/* The execution ends: a started task fails first, and what was buffered gets its numbers. */
void workflow_task_drop(struct execution *execution);
void workflow_task_clear_sticky(struct execution *execution);
/* After events were added: is a workflow task due? */
void workflow_task_wake(struct execution *execution);

/* Tokens. */
struct task_token {
	int64_t run; /* the execution's number */
	int64_t scheduled_id, started_id, attempt;
	int64_t starts; /* activities: how many; workflow tasks: when */
	char *query;    /* query tasks: its id */
	char *run_id;
};
ProtobufCBinaryData token_make(struct request *request, const struct task_token *token);
/* Finish it with token_finish. False: it is none. */
bool token_read(ProtobufCBinaryData data, struct task_token *token);
/* Where a page of a history ended: the next event, and the end that the pages go to. */
ProtobufCBinaryData token_page(
	struct request *request, const struct execution *execution, int64_t next, int64_t end);
void token_finish(struct task_token *token);

/* commands.c and complete_commands.c: what a workflow task decided. */
struct decision {
	struct execution *execution;
	struct request *request;
	const Workflowservice__RespondWorkflowTaskCompletedRequest *message;
	Workflowservice__RespondWorkflowTaskCompletedResponse *response;
	int64_t completed_id;
	struct update_plan *plan; /* its messages; see update_message.c */
	bool closes;              /* a command that ends the run has been checked */
	/* why the task fails instead; cause 0: it does not */
	Enums__WorkflowTaskFailedCause cause;
	const char *text;
	bool terminate; /* ... and the run with it */
	/* ... or the completion alone is refused, and the task goes on */
	enum temporal_code refused;
	const void *refused_detail; /* as for request_fail(); in the request's arena */
};
/* Checks without effect, for all commands before the first is applied. False: decision.cause is
 * set. */
bool command_check(struct decision *decision, size_t index);
/* Has it the attributes of its own type? Those of another one are none. */
bool command_has_attributes(const Command__Command *command);
/* activity_check.c: the same for activities. */
bool activity_check(struct decision *decision, size_t index);
bool activity_check_cancel(struct decision *decision, size_t index);
bool command_check_continue(struct decision *decision,
	const Command__ContinueAsNewWorkflowExecutionCommandAttributes *in);
/* command_size.c: the last of its checks. False: decision.terminate is set too. */
bool command_check_size(struct decision *decision, const Command__Command *command);
/* Before that: their order. NULL, or what is wrong with it; the task goes on then. */
const char *command_sequence_invalid(
	Command__Command *const *commands, size_t n, struct arena *arena);
void command_apply(struct decision *decision, const Command__Command *command);
bool command_refuse(struct decision *decision, Enums__WorkflowTaskFailedCause cause,
	const char *format, ...) __attribute__((format(printf, 3, 4)));
void command_complete(struct decision *decision, const Command__Command *command);
void command_fail(struct decision *decision, const Command__Command *command);
void command_cancel(struct decision *decision, const Command__Command *command);
void command_continue_as_new(struct decision *decision, const Command__Command *command);
void command_schedule_activity(struct decision *decision, const Command__Command *command);
void command_cancel_activity(struct decision *decision, const Command__Command *command);
void command_start_timer(struct decision *decision, const Command__Command *command);
void command_cancel_timer(struct decision *decision, const Command__Command *command);

/* attributes.c: search attributes. */
void attributes_merge(struct execution *execution, const Common__SearchAttributes *changes);
/* As the events of starts show them: each with its type, and none that is null. NULL for NULL, or
 * when memory is out. */
Common__SearchAttributes *attributes_typed(struct arena *arena,
	const struct server_namespace *space, const Common__SearchAttributes *values);
/* May a command have these? False: decision.cause is set. */
bool attributes_check_upsert(struct decision *decision,
	const Command__UpsertWorkflowSearchAttributesCommandAttributes *in);
bool attributes_check_continue(struct decision *decision,
	const Command__ContinueAsNewWorkflowExecutionCommandAttributes *in);
bool attributes_check_child(
	struct decision *decision, const Command__StartChildWorkflowExecutionCommandAttributes *in);
/* The workflow task that is there fails, times out, is completed: before it is cleared. */
void attributes_task_failed(struct execution *execution, Enums__WorkflowTaskFailedCause cause);
void attributes_task_timed_out(struct execution *execution, Enums__TimeoutType type);
/* An activity has been paused, or is so no more. */
void attributes_paused(struct execution *execution);
void attributes_task_completed(
	struct execution *execution, const Common__WorkerVersionStamp *stamp);

/* matching/matching.c: advice on pollers, which goes with the task that this poll gets, or NULL. */
Taskqueue__PollerScalingDecision *matching_decision(struct request *request);

/* properties.c: changes of memo or search attributes into the recorded ones. */
void properties_merge(struct execution *execution, struct bytes *field,
	const ProtobufCMessageDescriptor *type, const void *changes);
/* Bytes of the memo as the changes would leave it; 0 when memory is out (the server has failed). */
size_t properties_merged_size(struct execution *execution, const Common__Memo *change);
/* Does the payload stand for no value? */
bool properties_is_nothing(const Common__Payload *payload);

/* close.c: the end of a run: status, timers, tasks, queries, polls. The event is added before. */
void execution_close(struct execution *execution, Enums__WorkflowExecutionStatus status);
void execution_terminate(struct execution *execution, const char *reason,
	const Common__Payloads *details, const char *identity, const struct event_extras *extras);
/*
 * A history that would be too long with so many events more, or is too large already, ends its run,
 * as does what is kept beside it (asked for by `with_state`: it has to be counted; `bytes` more are
 * to come). The text for the caller, or NULL.
 */
const char *execution_over_limit(
	struct execution *execution, int64_t events, size_t bytes, bool with_state);
/* ... with a signal more. */
const char *execution_over_signal(struct execution *execution, const Common__Payloads *input);
void execution_timed_out(struct timers_entry *timer);

/* activity.c: an activity's attempts. */
void activity_dispatch(struct activity *activity); /* into its queue */
void activity_arm(struct activity *activity);      /* its next timeout, or its next attempt */
void activity_start(struct activity *activity, struct request *request, const char *identity);
/* The response of a poll for the started activity. */
Workflowservice__PollActivityTaskQueueResponse *activity_begin(
	struct activity *activity, struct request *request, const char *identity);
void activity_completed(
	struct activity *activity, const Common__Payloads *result, const char *identity);
/* A failed attempt: the next one, or the end. */
void activity_failed(
	struct activity *activity, const Failure__Failure *failure, const char *identity);
void activity_canceled(
	struct activity *activity, const Common__Payloads *details, const char *identity);
/* A new activity: into its queue, or (eager) to the worker that asked for it. */
void activity_begin_life(struct decision *decision, struct activity *activity, bool eager);
/* The time-outs of a command with their defaults. False: they are not valid. */
bool activity_timeouts(const Command__ScheduleActivityTaskCommandAttributes *in,
	int64_t run_timeout_ms, struct activity *out);
void activity_heartbeat(struct activity *activity, const Common__Payloads *details);

/* activity_control.c: what operators do to a pending activity. */
void activity_pause(struct activity *activity, const char *identity, const char *reason,
	const char *request_id);
struct activity_unpause {
	bool attempts, heartbeat; /* start over with them */
	int64_t jitter_ms;        /* the next attempt comes somewhere in this time */
};
void activity_unpause(struct activity *activity, const struct activity_unpause *how);
struct activity_reset {
	bool heartbeat, keep_paused;
	int64_t jitter_ms;
	const struct activity_options *options; /* the original ones, or NULL: as they are */
};
void activity_reset(struct activity *activity, const struct activity_reset *how);
struct activity_options {
	const char *task_queue;
	int64_t schedule_to_close_ms, schedule_to_start_ms, start_to_close_ms, heartbeat_ms;
	const Common__RetryPolicy *retry_policy;
	const Common__Priority *priority;
	bool keep_priority;
};
void activity_set_priority(struct activity *activity, const Common__Priority *priority);
/* ... with that of its workflow for what is left open. NULL: it has none. */
Common__Priority *activity_priority(const struct activity *activity, struct arena *arena);
/* Also the next attempt of one that does not run comes by its new policy. */
void activity_set_options(struct activity *activity, const struct activity_options *options);
/* Its attempt has failed while it is paused: the next one waits. */
void activity_hold(struct activity *activity);
/* The next attempt begins: a reset has done its work. */
void activity_forget_reset(struct activity *activity);

/* reset.c: a new run from the workflow task that `finish_id` would have ended. It has to be pending
 * there: the caller has checked it. NULL: memory is out. */
struct reset_opts {
	int64_t finish_id;
	const char *reason, *request_id;
	bool without_signals, without_updates, without_all;
};
struct execution *reset_run(
	struct execution *base, struct execution *current, const struct reset_opts *opts);

/* rebuild.c: the state that events lead to; then into queues, timers and the journal. */
void rebuild_apply(struct execution *execution, const History__HistoryEvent *event);
void rebuild_arm(struct execution *execution);

/* reset_points.c: a workflow task was completed by a worker of some build. */
void reset_point_add(struct execution *execution,
	const History__WorkflowTaskCompletedEventAttributes *completed, int64_t time_ns);
/* From the run before. NULL: there are none. In the server's scratch arena. */
Workflow__ResetPoints *reset_points_hand_on(const struct execution *execution);
void reset_points_take(struct execution *execution,
	const History__WorkflowExecutionStartedEventAttributes *started);

/* options.c: new options of a run, as an event tells them. */
void execution_take_options(struct execution *execution,
	const History__WorkflowExecutionOptionsUpdatedEventAttributes *options);
/* The options of a run; in the arena. */
Workflow__WorkflowExecutionOptions *execution_options(
	const struct execution *execution, struct arena *arena);
/* Makes them these, with an event if they are others. */
void execution_set_options(struct execution *execution,
	const Workflow__WorkflowExecutionOptions *options, const char *identity);

/* retry.c: policies. */
/* Fills in the defaults; the policy in the arena. NULL for NULL. */
Common__RetryPolicy *retry_defaults(struct arena *arena, const Common__RetryPolicy *policy);
/* NULL: valid; else what is wrong. */
const char *retry_invalid(const Common__RetryPolicy *policy);
/* Of the types of errors that it names, some mean time-outs; the text may lie in the arena. */
const char *retry_invalid_types(const Common__RetryPolicy *policy, struct arena *arena);
/*
 * When the attempt after `attempt` that failed so begins: the back-off in ms, or -1 with the state
 * that says why there is none. `expires_ns`: 0 never.
 */
int64_t retry_backoff_ms(const Common__RetryPolicy *policy, int32_t attempt, int64_t now_ns,
	int64_t expires_ns, const Failure__Failure *failure, Enums__RetryState *state);

/* Does the policy try again after such a failure, however many attempts are left? */
bool retry_kind(const Common__RetryPolicy *policy, const Failure__Failure *failure);

/* timer.c */
void timer_arm(struct user_timer *timer);

/* signal.c; a request to cancel: external.h */
void execution_signal(struct execution *execution,
	const History__WorkflowExecutionSignaledEventAttributes *attributes,
	const struct event_extras *extras);
/* Has this signal come before? */
bool execution_signal_known(const struct execution *execution, const char *request_id);
/* ... Remembers it otherwise. */
bool execution_signal_seen(struct execution *execution, const char *request_id);
bool execution_restore_request_id(struct execution *execution, const char *text, size_t len);

/* query.c */
void query_ask(struct execution *execution, struct request *request);
void query_deliver(struct query *query, struct request *request, bool sticky);
/* Those that wait go out with the task that starts now. */
void query_attach(struct execution *execution, struct request *request,
	Workflowservice__PollWorkflowTaskQueueResponse *response);
void query_answers(struct execution *execution,
	const Workflowservice__RespondWorkflowTaskCompletedRequest *message);
void query_tell(struct query *query, Enums__QueryResultType type, const Common__Payloads *result,
	const char *error, const Failure__Failure *failure);
/* The workflow task has ended without answering them; they go out again. */
void query_again(struct execution *execution);
struct query *query_find(const struct execution *execution, const char *id);
/* All of them fail: their execution goes away. */
void query_fail_all(struct execution *execution, const char *text);

/* poll.c: callers that wait for events. */
void history_poll(struct execution *execution, struct request *request);
void history_wake(struct execution *execution);

#endif
