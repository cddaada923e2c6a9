/*
 * nexus.h: Nexus in the server: endpoints, operations that workflows call, tasks for the workers
 * that handle them, and callbacks that tell of a run's end. What the other folders need of it, and
 * what its files share.
 *
 * Requests go to a worker of this server, or by HTTP to another one; both are a struct nexus_call,
 * which ends in a struct nexus_outcome. Calls live in memory alone: after a restart what has no
 * outcome yet is called again, with the same request id.
 *
 * All run inside an input (transition_begin .. transition_end), on the loop's thread.
 */
#ifndef SERVER_NEXUS_NEXUS_H
#define SERVER_NEXUS_NEXUS_H

#include "server/history/history.h"
#include "temporal/api/nexus/v1/message.pb-c.h"

#define NEXUS_SYSTEM_URL   "temporal://system"
#define NEXUS_TOKEN_HEADER "temporal-callback-token"
/* Of the retry behaviour of a handler's error. */
#define NEXUS_BEHAVIOR(name_) \
	ENUMS__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_##name_

/* ---- Endpoints: endpoint.c ---- */

/* Where calls by this name go. */
struct nexus_endpoint {
	/* recorded */
	char *id, *name;
	int64_t version;
	int64_t created_ns, modified_ns;
	char *namespace_id, *task_queue; /* of the workers */
	char *url;                       /* ... or outside */
	struct bytes description;        /* Common__Payload */
	/* rebuilt */
	struct nexus_endpoint *next; /* server.nexus_endpoints, by id */
	int32_t failures;            /* in a row; see breaker.c */
	int64_t open_ns, trial_ns;   /* until then; 0: it is not */
};

/* NULL: there is none. */
struct nexus_endpoint *nexus_endpoint_by_id(const struct server *server, const char *id);
struct nexus_endpoint *nexus_endpoint_by_name(const struct server *server, const char *name);
struct server_namespace *nexus_endpoint_space(
	const struct server *server, const struct nexus_endpoint *endpoint);
/* Recovery. False: the record cannot be read. */
bool nexus_endpoint_restore(struct server *server, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));
void nexus_endpoints_finish(struct server *server);
/* endpoint_check.c: a new or changed one. False: answered. */
bool nexus_endpoint_check(struct request *request, const Nexus__EndpointSpec *spec);
bool nexus_endpoint_check_id(struct request *request, const char *id, const char *also);

/* breaker.c: does the endpoint not answer? NULL is no endpoint. */
bool nexus_breaker_is_open(const struct server *server, const struct nexus_endpoint *endpoint);
/* May this call be made? It then has to be told what came of it. */
bool nexus_breaker_allows(const struct server *server, struct nexus_endpoint *endpoint);
void nexus_breaker_tell(const struct server *server, struct nexus_endpoint *endpoint, bool is_down);

/* ---- What is to be done at the end of the input: due.c ---- */

/* Embedded in an operation or callback: it is called once all changes of the input are made. */
struct nexus_due {
	void (*run)(struct nexus_due *due);
	struct nexus_due *next, *prev;
	bool queued;
};

void nexus_due_add(struct server *server, struct nexus_due *due, void (*run)(struct nexus_due *));
void nexus_due_remove(struct server *server, struct nexus_due *due);
/* Makes all calls that are due; for transition_end. */
void nexus_run(struct server *server);

/* ---- Operations ---- */

/* An operation that a workflow has scheduled; gone at its end. */
struct nexus_operation {
	/* recorded */
	int64_t scheduled_id; /* its event */
	char *endpoint, *endpoint_id, *service, *operation, *request_id;
	char *token;   /* of the handler, once it is started */
	int32_t state; /* Enums__PendingNexusOperationState */
	int32_t attempt;
	int64_t scheduled_ns, started_ns, last_attempt_ns, next_attempt_ns;
	int64_t schedule_to_close_ms, schedule_to_start_ms, start_to_close_ms;
	struct bytes last_failure; /* Failure__Failure */
	/* recorded: its cancellation; cancel_state is an Enums__NexusOperationCancellationState,
	 * unspecified until the operation is started */
	int64_t cancel_requested_id; /* the event; 0: not requested */
	int32_t cancel_state, cancel_attempt;
	int64_t cancel_requested_ns, cancel_last_ns, cancel_next_ns;
	struct bytes cancel_failure;
	/* rebuilt */
	struct execution *execution;
	struct nexus_operation *next;
	struct timers_entry timer;             /* the next of its time-outs and back-offs */
	int64_t blocked_ns, cancel_blocked_ns; /* the breaker is asked again then; 0: it is not */
	struct nexus_due start_due, cancel_due;
	struct nexus_call *start_call, *cancel_call; /* that run */
};

/* A callback of a run, called when it ends. */
struct nexus_callback {
	/* recorded */
	int64_t number;
	char *request_id;
	struct bytes callback; /* Common__Callback */
	int32_t state;         /* Enums__CallbackState */
	int32_t attempt;
	int64_t registered_ns, last_attempt_ns, next_attempt_ns;
	struct bytes last_failure;
	int64_t event_id; /* that attached it; 0: it came with the start, or is buffered */
	/* rebuilt */
	struct execution *execution;
	struct nexus_callback *next; /* in the order of their numbers */
	struct timers_entry timer;
	struct nexus_due due;
	struct nexus_outgoing *outgoing; /* that is under way */
};

/* objects.c */
struct nexus_operation *nexus_operation_new(struct execution *execution);
struct nexus_operation *nexus_operation_find(
	const struct execution *execution, int64_t scheduled_id);
void nexus_operation_record(struct nexus_operation *operation);
void nexus_operation_free(struct nexus_operation *operation);
struct nexus_callback *nexus_callback_new(struct execution *execution);
void nexus_callback_record(struct nexus_callback *callback);
/* Recovery: a record, or (no bytes) its end. */
bool nexus_operation_restore(struct execution *execution, int64_t id, const uint8_t *data,
	size_t len) __attribute__((warn_unused_result));
bool nexus_callback_restore(struct execution *execution, int64_t id, const uint8_t *data,
	size_t len) __attribute__((warn_unused_result));
/* ... and afterwards: timers, and calls that have no outcome. */
void nexus_revive(struct execution *execution);
/* The execution is freed. */
void nexus_execution_finish(struct execution *execution);
/* The server is. */
void nexus_finish(struct server *server);

/* command.c */
bool nexus_command_is(Enums__CommandType type);
bool nexus_command_check(struct decision *decision, size_t index);
void nexus_command_apply(struct decision *decision, const Command__Command *command);

/* operation.c: calls of the handler, their outcomes, the time-outs. */
struct nexus_endpoint *nexus_operation_endpoint(const struct nexus_operation *operation);
void nexus_operation_arm(struct nexus_operation *operation);
void nexus_operation_start(struct nexus_operation *operation); /* at the end of the input */
void nexus_operation_cancel(struct nexus_operation *operation);

/* operation_event.c: events of an operation; all but `started` and those of a cancellation end it.
 * The workflow is told of them, but for `started`: nexus_tell() then does. */
void nexus_tell(struct execution *execution);
void nexus_add_started(struct nexus_operation *operation, const char *token, int64_t time_ns,
	Common__Link **links, size_t n_links);
void nexus_add_completed(struct nexus_operation *operation, const Common__Payload *result,
	Common__Link **links, size_t n_links);
void nexus_add_unsuccessful(
	struct nexus_operation *operation, const Failure__Failure *cause, bool canceled);
void nexus_add_timed_out(struct nexus_operation *operation, Enums__TimeoutType type);
void nexus_add_cancel_completed(struct nexus_operation *operation);
void nexus_add_cancel_failed(struct nexus_operation *operation, const Failure__Failure *failure);
/* The event of the schedule that an event of an operation names; 0: it is none of these. */
int64_t nexus_event_schedule(const History__HistoryEvent *event);
/* Has its end been buffered, since a workflow task is running? */
bool nexus_end_buffered(const struct execution *execution, int64_t scheduled_id);

/* ---- Calls of a handler ---- */

enum nexus_result {
	NEXUS_SYNC,         /* a result; a cancellation that was taken */
	NEXUS_ASYNC,        /* a token */
	NEXUS_UNSUCCESSFUL, /* the operation failed, or was canceled */
	NEXUS_ERROR,        /* the call failed */
};

/* Borrowed from the caller of `done`. */
struct nexus_outcome {
	enum nexus_result result;
	Common__Payload *payload;
	const char *token;
	Failure__Failure *failure; /* of the operation or the call */
	bool canceled;             /* NEXUS_UNSUCCESSFUL */
	bool retryable;            /* NEXUS_ERROR */
	bool from_worker;
	Nexus__Link **links;
	size_t n_links;
};

/* A request on its way to a worker. */
struct nexus_call {
	struct server *server;
	struct arena arena;      /* of the request */
	Nexus__Request *request; /* without the headers that tell the time left */
	struct matching_task task;
	struct timers_entry
		timer;  /* in server.waits: real time, whatever a workflow's clock does */
	int64_t due_ns; /* CLOCK_MONOTONIC */
	char id[SERVER_UUID_SIZE];
	struct nexus_call *next_hash; /* server.nexus_calls */
	uint64_t hash;
	/* The call is gone after it. NULL: nobody waits any more. */
	void (*done)(struct nexus_call *call, const struct nexus_outcome *outcome);
	void *owner;
};

/* call.c. A call with an empty request; NULL: memory is out (the server has failed). */
struct nexus_call *nexus_call_new(struct server *server);
bool nexus_call_header(struct nexus_call *call, const char *name, const char *value);
/* Into the queue; it ends with an outcome after `timeout_ms` at the latest. */
void nexus_call_send(struct nexus_call *call, struct server_namespace *space,
	const char *task_queue, int64_t timeout_ms);
/* Nobody waits for it any more: if no worker has it, it is gone. */
void nexus_call_abandon(struct nexus_call *call);
struct nexus_call *nexus_call_find(const struct server *server, const char *id);
void nexus_call_finish(struct nexus_call *call, const struct nexus_outcome *outcome);
/* A worker gets it; for matching. */
void nexus_call_deliver(struct nexus_call *call, struct request *request);

/* outcome.c: what a worker answered. In the arena. */
void nexus_outcome_of_response(
	struct arena *arena, const Nexus__Response *response, struct nexus_outcome *out);
void nexus_outcome_of_failure(struct arena *arena,
	const Workflowservice__RespondNexusTaskFailedRequest *in, struct nexus_outcome *out);
/* The outcome of a call that did not get through. */
void nexus_outcome_error(
	struct arena *arena, const char *type, const char *text, struct nexus_outcome *out);
bool nexus_retryable(const char *type, Enums__NexusHandlerErrorRetryBehavior behavior);

/* failure.c: failures of the Nexus API and those of Temporal. */
Failure__Failure *nexus_failure_to_temporal(struct arena *arena, const Nexus__Failure *failure);
/* Are its details JSON? The arena is for the time of the check. */
bool nexus_details_valid(struct arena *arena, const Nexus__Failure *failure);

/* link.c: links that are made here; proto/link.h has the two forms of all. */
Nexus__Link *nexus_link_of_event(struct arena *arena, const char *space, const char *workflow_id,
	const char *run_id, int64_t event_id, Enums__EventType type);
/* The text of a link in a header. */
const char *nexus_link_header(struct arena *arena, const Nexus__Link *link);

/* ---- Completion ---- */

/* How an operation ended that had been started. */
struct nexus_completion {
	const Common__Payload *result;
	const Failure__Failure *failure; /* NULL: it succeeded */
	bool canceled;
	const char *token; /* of the operation; for one whose start has not been seen */
	int64_t start_ns, close_ns;
	Common__Link **links;
	size_t n_links;
};

/* completion.c. The token of an operation for its callback, in the arena. */
const char *nexus_token_make(struct arena *arena, const struct nexus_operation *operation);
/* NULL: done; else the type of an error of the Nexus API, and its text. `space`: the namespace that
 * the operation has to be of; NULL: any. */
const char *nexus_complete(struct server *server, const char *token, const char *space,
	const struct nexus_completion *completion, const char **text);

/* callback.c */
/* The delivery ended: with an error, or (NULL) well. */
void nexus_callback_attempted(struct nexus_callback *callback, const char *error, bool retryable);
/* Callbacks of a request that starts or joins a run. False: answered. */
bool nexus_callbacks_check(
	struct request *request, Common__Callback *const *callbacks, size_t n_callbacks);
void nexus_callbacks_add(struct execution *execution, const char *request_id,
	Common__Callback *const *callbacks, size_t n_callbacks);
/* All of the run, for the next one of its chain. */
Common__Callback **nexus_callbacks_of(
	const struct execution *execution, struct arena *arena, size_t *n);
/* The run has ended: its operations are gone, its callbacks called. */
void nexus_closed(struct execution *execution);
void nexus_callback_arm(struct nexus_callback *callback);

/* Is one of them still to be called? Then the run does not leave for the archive. */
bool nexus_is_pending(const struct execution *execution);
/* The records of a run that leaves, into the batch. */
void nexus_snapshot(struct execution *execution);

/* http_callback.c: callbacks by URL. */
enum nexus_verdict {
	NEXUS_ALLOWED,
	NEXUS_INSECURE, /* with TLS alone */
	NEXUS_UNKNOWN,
};
enum nexus_verdict nexus_rules_judge(const struct server *server, const char *host, bool secure);
/* Takes a line of dynamic configuration, if it is one of these rules: *code then is how it went. */
bool nexus_rules_set(struct server *server, const char *line, enum temporal_code *code,
	struct temporal_error *err);
void nexus_rules_finish(struct server *server);
void nexus_callback_post(struct nexus_callback *callback, const Common__Callback__Nexus *spec,
	const struct nexus_completion *completion);
void nexus_callback_abandon(struct nexus_callback *callback);

/* attach.c: a start that joins a run. nexus_attach: false: answered. */
bool nexus_attach_check(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in);
bool nexus_attach(struct request *request, struct execution *execution,
	const Workflowservice__StartWorkflowExecutionRequest *in)
	__attribute__((warn_unused_result));
/* The request's links that its callbacks do not have as well. */
Common__Link **nexus_links_without(struct request *request,
	const Workflowservice__StartWorkflowExecutionRequest *in, size_t *n);
/* Has this request joined the run (rather than made it)? */
bool nexus_is_attached(const struct execution *execution, const char *request_id);
/* The event that tells of it has got its number. */
void nexus_attached(struct execution *execution, const char *request_id, int64_t event_id);
/* A buffered event has got its number. */
void nexus_flushed(
	struct execution *execution, const History__HistoryEvent *event, int64_t event_id);
/* A link to what the request did to the run. NULL: memory is out. */
Common__Link *nexus_run_link(
	const struct execution *execution, const char *request_id, struct arena *arena);

/* rebuild.c: what an event of a history that is taken over changes; nothing is armed or called
 * before nexus_rebuild_arm(). */
void nexus_rebuild(struct execution *execution, const History__HistoryEvent *event);
void nexus_rebuild_arm(struct execution *execution);
/* An event that came later in the other run, if it is of an operation that is pending in this. */
void nexus_reapply(struct execution *execution, History__HistoryEvent *event,
	const struct event_extras *extras);

/* describe.c */
void nexus_describe(struct request *request, const struct execution *execution,
	Workflowservice__DescribeWorkflowExecutionResponse *out);

/* ---- RPCs ---- */

void nexus_get_endpoint(struct request *request);
void nexus_create_endpoint(struct request *request);
void nexus_update_endpoint(struct request *request);
void nexus_delete_endpoint(struct request *request);
void nexus_list_endpoints(struct request *request);
void nexus_poll(struct request *request);
void nexus_task_completed(struct request *request);
void nexus_task_failed(struct request *request);

/* The delay before the attempt after `attempt`: 1 s, doubled each time, at most an hour. */
int64_t nexus_backoff_ns(struct server *server, int32_t attempt);

#endif
