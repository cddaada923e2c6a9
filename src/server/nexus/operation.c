/*
 * operation.c: an operation from its command to its end, as its caller sees it.
 *
 *                 call fails, retryable              call: a token
 *   +-------------------------------- SCHEDULED ------------------> STARTED
 *   v      the back-off is over           ^                            |
 *   BACKING_OFF ---------------------------+                           |
 *        |           |                                                 |
 *        +-----------+--- a result, a failure, a time-out, a callback -+--> an event, gone
 *
 * Its cancellation has a state of its own, and begins when the operation is started:
 *
 *   (unspecified) -> SCHEDULED -> SUCCEEDED, FAILED: an event
 *                      ^   | retryable
 *                      |   v
 *                   BACKING_OFF
 *
 * One timer stands at the next of all time-outs and back-offs. A call that would have less than
 * SERVER_NEXUS_CALL_MIN_MS is not made: the operation times out at once.
 *
 * Loop's thread.
 */
#include <stdio.h>

#include "proto/codec.h"
#include "proto/enum_name.h"
#include "proto/link.h"
#include "proto/time.h"
#include "server/limits.h"
#include "server/nexus/http_client.h"

#define STATE(name_) ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_##name_
#define CANCEL(name_) \
	ENUMS__NEXUS_OPERATION_CANCELLATION_STATE__NEXUS_OPERATION_CANCELLATION_STATE_##name_
#define TIMEOUT(name_) ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_##name_

static struct server *server_of(const struct nexus_operation *operation)
{
	return operation->execution->server;
}

/* ---- Time ---- */

struct timeout {
	Enums__TimeoutType type; /* 0: a back-off ends */
	int64_t due_ns;
};

static void earlier(struct timeout *next, Enums__TimeoutType type, int64_t from_ns, int64_t ms)
{
	if (ms > 0 && ms <= (INT64_MAX - from_ns) / NS_PER_MS &&
		from_ns + ms * NS_PER_MS < next->due_ns)
		*next = (struct timeout){ type, from_ns + ms * NS_PER_MS };
}

static struct timeout next_timeout(const struct nexus_operation *operation)
{
	struct timeout next = { 0, INT64_MAX };

	earlier(&next, TIMEOUT(SCHEDULE_TO_CLOSE), operation->scheduled_ns,
		operation->schedule_to_close_ms);
	if (operation->state == STATE(STARTED))
		earlier(&next, TIMEOUT(START_TO_CLOSE), operation->started_ns,
			operation->start_to_close_ms);
	else
		earlier(&next, TIMEOUT(SCHEDULE_TO_START), operation->scheduled_ns,
			operation->schedule_to_start_ms);
	if (operation->state == STATE(BACKING_OFF) && operation->next_attempt_ns < next.due_ns)
		next = (struct timeout){ 0, operation->next_attempt_ns };
	if (operation->cancel_state == CANCEL(BACKING_OFF) &&
		operation->cancel_next_ns < next.due_ns)
		next = (struct timeout){ 0, operation->cancel_next_ns };
	if (operation->blocked_ns && operation->blocked_ns < next.due_ns)
		next = (struct timeout){ 0, operation->blocked_ns };
	if (operation->cancel_blocked_ns && operation->cancel_blocked_ns < next.due_ns)
		next = (struct timeout){ 0, operation->cancel_blocked_ns };
	return next;
}

/* What the breaker held back asks again. */
static void unblock(struct nexus_operation *operation)
{
	int64_t now = server_of(operation)->now_ns;

	if (operation->blocked_ns && operation->blocked_ns <= now) {
		operation->blocked_ns = 0;
		if (operation->state == STATE(SCHEDULED))
			nexus_operation_start(operation);
	}
	if (operation->cancel_blocked_ns && operation->cancel_blocked_ns <= now) {
		operation->cancel_blocked_ns = 0;
		if (operation->cancel_state == CANCEL(SCHEDULED))
			nexus_operation_cancel(operation);
	}
}

static void timer_fired(struct timers_entry *entry)
{
	struct nexus_operation *operation =
		(struct nexus_operation *)(void *)((char *)entry -
						   offsetof(struct nexus_operation, timer));
	struct timeout next = next_timeout(operation);
	int64_t now = server_of(operation)->now_ns;

	if (next.type) {
		nexus_add_timed_out(operation, next.type);
		return;
	}
	unblock(operation);
	if (operation->state == STATE(BACKING_OFF) && operation->next_attempt_ns <= now) {
		operation->state = STATE(SCHEDULED);
		operation->next_attempt_ns = 0;
		nexus_operation_start(operation);
	}
	if (operation->cancel_state == CANCEL(BACKING_OFF) && operation->cancel_next_ns <= now) {
		operation->cancel_state = CANCEL(SCHEDULED);
		operation->cancel_next_ns = 0;
		nexus_operation_cancel(operation);
	}
	nexus_operation_record(operation);
	nexus_operation_arm(operation);
}

void nexus_operation_arm(struct nexus_operation *operation)
{
	struct server *server = server_of(operation);
	struct timeout next = next_timeout(operation);

	timers_stop(&server->timers, &operation->timer);
	if (next.due_ns != INT64_MAX &&
		!timers_set(&server->timers, &operation->timer, next.due_ns, timer_fired))
		server_no_memory(server);
}

static int64_t left_ms(const struct nexus_operation *operation, int64_t from_ns, int64_t ms)
{
	return ms - (server_of(operation)->now_ns - from_ns) / NS_PER_MS;
}

/* ---- The request ---- */

static const History__NexusOperationScheduledEventAttributes *scheduled_of(
	struct nexus_operation *operation, struct arena *arena)
{
	const History__HistoryEvent *event =
		event_read(operation->execution, operation->scheduled_id, arena);

	if (!event)
		server_unread(server_of(operation));
	return event ? event->nexus_operation_scheduled_event_attributes : NULL;
}

static struct nexus_call *call_new(struct nexus_operation *operation,
	const History__NexusOperationScheduledEventAttributes *scheduled)
{
	struct nexus_call *call = nexus_call_new(server_of(operation));

	if (!call)
		return NULL;
	call->owner = operation;
	call->request->endpoint = arena_strdup(&call->arena, operation->endpoint);
	call->request->capabilities =
		PROTO_NEW(&call->arena, Nexus__Request__Capabilities, nexus__request__capabilities);
	if (!call->request->endpoint || !call->request->capabilities) {
		server_no_memory(call->server);
		return NULL;
	}
	nexus_call_header(call, "user-agent", "temporalio/server");
	for (size_t i = 0; i < scheduled->n_nexus_header; i++)
		nexus_call_header(
			call, scheduled->nexus_header[i]->key, scheduled->nexus_header[i]->value);
	return call;
}

/* How long the operation may take, for a handler that wants to know. */
static void tell_timeout(struct nexus_operation *operation, struct nexus_call *call)
{
	int64_t ms = operation->start_to_close_ms ? operation->start_to_close_ms : INT64_MAX;
	char text[32];

	if (operation->schedule_to_close_ms) {
		int64_t left = left_ms(
			operation, operation->scheduled_ns, operation->schedule_to_close_ms);

		ms = left < ms ? left : ms;
	}
	for (size_t i = 0; i < call->request->n_header; i++) {
		if (str_same(call->request->header[i]->key, "operation-timeout"))
			return;
	}
	if (ms == INT64_MAX)
		return;
	snprintf(text, sizeof(text), "%lldms", (long long)ms);
	nexus_call_header(call, "operation-timeout", text);
}

static void describe_callback(struct nexus_operation *operation, struct arena *arena, bool outside,
	Nexus__StartOperationRequest *start)
{
	Nexus__StartOperationRequest__CallbackHeaderEntry *entry =
		PROTO_NEW(arena, Nexus__StartOperationRequest__CallbackHeaderEntry,
			nexus__start_operation_request__callback_header_entry);

	start->callback = outside ? arena_printf(arena, "%s/namespaces/%s/nexus/callback",
					    server_of(operation)->nexus_callback_base,
					    operation->execution->space->name)
				  : NEXUS_SYSTEM_URL;
	start->callback_header = arena_alloc(arena, sizeof(void *));
	if (!entry || !start->callback || !start->callback_header) {
		server_no_memory(server_of(operation));
		return;
	}
	entry->key = NEXUS_TOKEN_HEADER;
	entry->value = nexus_token_make(arena, operation);
	start->callback_header[start->n_callback_header++] = entry;
}

static void describe_link(struct nexus_operation *operation, struct nexus_call *call,
	Nexus__StartOperationRequest *start)
{
	struct execution *execution = operation->execution;
	Nexus__Link *link = nexus_link_of_event(&call->arena, execution->space->name,
		execution->workflow_id, execution->run_id, operation->scheduled_id,
		ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_SCHEDULED);

	start->links = arena_alloc(&call->arena, sizeof(void *));
	if (!link || !start->links) {
		server_no_memory(call->server);
		return;
	}
	start->links[start->n_links++] = link;
	nexus_call_header(call, "nexus-link", nexus_link_header(&call->arena, link));
}

static struct nexus_call *start_call(struct nexus_operation *operation, bool outside,
	const History__NexusOperationScheduledEventAttributes *scheduled)
{
	struct nexus_call *call = call_new(operation, scheduled);
	Nexus__StartOperationRequest *start =
		call ? PROTO_NEW(&call->arena, Nexus__StartOperationRequest,
			       nexus__start_operation_request)
		     : NULL;

	if (!start) {
		server_no_memory(server_of(operation));
		return NULL;
	}
	call->request->variant_case = NEXUS__REQUEST__VARIANT_START_OPERATION;
	call->request->start_operation = start;
	call->request->capabilities->temporal_failure_responses = true;
	start->service = arena_strdup(&call->arena, operation->service);
	start->operation = arena_strdup(&call->arena, operation->operation);
	start->request_id = arena_strdup(&call->arena, operation->request_id);
	start->payload = scheduled->input ? proto_copy(&call->arena, scheduled->input) : NULL;
	describe_callback(operation, &call->arena, outside, start);
	describe_link(operation, call, start);
	tell_timeout(operation, call);
	nexus_call_header(call, "nexus-request-id", operation->request_id);
	return call;
}

static struct nexus_call *cancel_call(struct nexus_operation *operation,
	const History__NexusOperationScheduledEventAttributes *scheduled)
{
	struct nexus_call *call = call_new(operation, scheduled);
	Nexus__CancelOperationRequest *cancel =
		call ? PROTO_NEW(&call->arena, Nexus__CancelOperationRequest,
			       nexus__cancel_operation_request)
		     : NULL;

	if (!cancel) {
		server_no_memory(server_of(operation));
		return NULL;
	}
	call->request->variant_case = NEXUS__REQUEST__VARIANT_CANCEL_OPERATION;
	call->request->cancel_operation = cancel;
	cancel->service = arena_strdup(&call->arena, operation->service);
	cancel->operation = arena_strdup(&call->arena, operation->operation);
	cancel->operation_token = arena_strdup(&call->arena, operation->token);
	cancel->operation_id = cancel->operation_token;
	nexus_call_header(call, "content-length", "0");
	return call;
}

/* ---- The start ---- */

/* A failure of the call itself, not of what it was answered. */
static Failure__Failure *call_failure(struct arena *arena, const char *text, bool retryable)
{
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__ApplicationFailureInfo *info = PROTO_NEW(
		arena, Failure__ApplicationFailureInfo, failure__application_failure_info);

	if (!failure || !info)
		return NULL;
	info->type = "CallError";
	info->non_retryable = !retryable;
	failure->message = text;
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	return failure;
}

static void back_off(struct nexus_operation *operation, const Failure__Failure *failure)
{
	struct server *server = server_of(operation);

	operation->attempt++;
	operation->state = STATE(BACKING_OFF);
	operation->last_attempt_ns = server->now_ns;
	operation->next_attempt_ns = server->now_ns + nexus_backoff_ns(server, operation->attempt);
	state_set_bytes(server, &operation->last_failure, failure);
	nexus_operation_record(operation);
	transition_durable(server);
	nexus_operation_arm(operation);
}

static void start_outcome(struct nexus_operation *operation, const struct nexus_outcome *outcome)
{
	struct arena *scratch = &server_of(operation)->scratch;
	size_t n_links = 0;
	Common__Link **links =
		proto_links_read(scratch, outcome->links, outcome->n_links, &n_links);

	switch (outcome->result) {
	case NEXUS_SYNC:
		if (outcome->payload && server_over(proto_size(outcome->payload),
						server_of(operation)->config.blob_max))
			nexus_add_unsuccessful(operation,
				call_failure(scratch, "http: response body too large", false),
				false);
		else
			nexus_add_completed(operation, outcome->payload, links, n_links);
		break;
	case NEXUS_ASYNC:
		nexus_add_started(operation, outcome->token, 0, links, n_links);
		nexus_tell(operation->execution);
		break;
	case NEXUS_UNSUCCESSFUL:
		nexus_add_unsuccessful(operation, outcome->failure, outcome->canceled);
		break;
	default:
		if (outcome->retryable)
			back_off(operation, outcome->failure);
		else
			nexus_add_unsuccessful(operation, outcome->failure, false);
	}
}

static void tell_breaker(
	const struct nexus_operation *operation, const struct nexus_outcome *outcome)
{
	nexus_breaker_tell(server_of(operation), nexus_operation_endpoint(operation),
		outcome->result == NEXUS_ERROR && outcome->retryable);
}

static void start_done(struct nexus_call *call, const struct nexus_outcome *outcome)
{
	struct nexus_operation *operation = call->owner;

	operation->start_call = NULL;
	tell_breaker(operation, outcome);
	/* A callback may have been faster than the answer. */
	if (operation->state != STATE(STARTED))
		start_outcome(operation, outcome);
}

/* The endpoint is gone or the namespace of its workers, or it leads out of this server. */
static void no_way(struct nexus_operation *operation, const struct nexus_endpoint *endpoint,
	struct nexus_outcome *outcome)
{
	struct arena *scratch = &server_of(operation)->scratch;

	if (endpoint && !str_empty(endpoint->url))
		nexus_outcome_error(scratch, "NOT_IMPLEMENTED",
			"an endpoint outside cannot call back: this server has no HTTP port",
			outcome);
	else if (endpoint)
		nexus_outcome_error(
			scratch, "NOT_FOUND", "namespace of the endpoint not found", outcome);
	else
		nexus_outcome_error(scratch, "NOT_FOUND", "endpoint not registered", outcome);
}

/* The endpoint may have been made anew under its name. */
struct nexus_endpoint *nexus_operation_endpoint(const struct nexus_operation *operation)
{
	struct nexus_endpoint *endpoint =
		nexus_endpoint_by_id(server_of(operation), operation->endpoint_id);

	return endpoint ? endpoint
			: nexus_endpoint_by_name(server_of(operation), operation->endpoint);
}

/* Outside, an answer may come later than its call: then it has to find back. A namespace that was
 * deleted is not there any more after a restart, but its endpoints are. */
static bool can_reach(
	const struct nexus_operation *operation, const struct nexus_endpoint *endpoint)
{
	const struct server *server = server_of(operation);

	if (!endpoint)
		return false;
	return str_empty(endpoint->url) ? nexus_endpoint_space(server, endpoint) != NULL
					: server->nexus_callback_base != NULL;
}

static void send(struct nexus_call *call, const struct nexus_endpoint *endpoint, int64_t ms)
{
	if (str_empty(endpoint->url))
		nexus_call_send(call, nexus_endpoint_space(call->server, endpoint),
			endpoint->task_queue, ms - SERVER_NEXUS_CALL_SLACK_MS);
	else
		nexus_call_send_out(call, endpoint->url, ms);
}

static bool is_blocked(
	struct nexus_operation *operation, struct nexus_endpoint *endpoint, int64_t *again_ns)
{
	if (nexus_breaker_allows(server_of(operation), endpoint))
		return false;
	*again_ns = server_of(operation)->now_ns + NS_PER_SECOND;
	nexus_operation_arm(operation);
	return true;
}

/* The time that a call may take; *type is the time-out that leaves it so little. */
static int64_t start_time(const struct nexus_operation *operation, Enums__TimeoutType *type)
{
	int64_t ms = SERVER_NEXUS_CALL_MS, left = INT64_MAX;

	*type = 0;
	if (operation->schedule_to_start_ms) {
		*type = TIMEOUT(SCHEDULE_TO_START);
		left = left_ms(operation, operation->scheduled_ns, operation->schedule_to_start_ms);
	} else if (operation->schedule_to_close_ms) {
		*type = TIMEOUT(SCHEDULE_TO_CLOSE);
		left = left_ms(operation, operation->scheduled_ns, operation->schedule_to_close_ms);
	}
	return left < ms ? left : ms;
}

static void run_start(struct nexus_due *due)
{
	struct nexus_operation *operation =
		(struct nexus_operation *)(void *)((char *)due -
						   offsetof(struct nexus_operation, start_due));
	struct nexus_endpoint *endpoint = nexus_operation_endpoint(operation);
	struct nexus_outcome outcome = { 0 };
	Enums__TimeoutType type;
	int64_t ms = start_time(operation, &type);

	if (!can_reach(operation, endpoint)) {
		no_way(operation, endpoint, &outcome);
		start_outcome(operation, &outcome);
		return;
	}
	if (ms < SERVER_NEXUS_CALL_MIN_MS) {
		nexus_add_timed_out(operation, type);
		return;
	}
	if (is_blocked(operation, endpoint, &operation->blocked_ns))
		return;
	const History__NexusOperationScheduledEventAttributes *scheduled =
		scheduled_of(operation, &server_of(operation)->scratch);
	struct nexus_call *call =
		scheduled ? start_call(operation, !str_empty(endpoint->url), scheduled) : NULL;
	if (!call)
		return;
	call->done = start_done;
	operation->start_call = call;
	send(call, endpoint, ms);
}

void nexus_operation_start(struct nexus_operation *operation)
{
	nexus_due_add(server_of(operation), &operation->start_due, run_start);
}

/* ---- The cancellation ---- */

static void cancel_attempted(
	struct nexus_operation *operation, int32_t state, const Failure__Failure *failure)
{
	struct server *server = server_of(operation);

	operation->cancel_state = state;
	operation->cancel_attempt++;
	operation->cancel_last_ns = server->now_ns;
	operation->cancel_next_ns = 0;
	if (state == CANCEL(BACKING_OFF))
		operation->cancel_next_ns =
			server->now_ns + nexus_backoff_ns(server, operation->cancel_attempt);
	state_set_bytes(server, &operation->cancel_failure, failure);
	nexus_operation_record(operation);
	transition_durable(server);
	nexus_operation_arm(operation);
}

static void cancel_outcome(struct nexus_operation *operation, const struct nexus_outcome *outcome)
{
	if (outcome->result != NEXUS_ERROR) {
		nexus_add_cancel_completed(operation);
		cancel_attempted(operation, CANCEL(SUCCEEDED), NULL);
	} else if (outcome->retryable) {
		cancel_attempted(operation, CANCEL(BACKING_OFF), outcome->failure);
	} else {
		nexus_add_cancel_failed(operation, outcome->failure);
		cancel_attempted(operation, CANCEL(FAILED), outcome->failure);
	}
}

static void cancel_done(struct nexus_call *call, const struct nexus_outcome *outcome)
{
	struct nexus_operation *operation = call->owner;

	operation->cancel_call = NULL;
	tell_breaker(operation, outcome);
	cancel_outcome(operation, outcome);
}

static int64_t cancel_time(const struct nexus_operation *operation, Enums__TimeoutType *type)
{
	int64_t ms = SERVER_NEXUS_CALL_MS, left;

	*type = 0;
	if (operation->start_to_close_ms) {
		*type = TIMEOUT(START_TO_CLOSE);
		left = left_ms(operation, operation->started_ns, operation->start_to_close_ms);
		ms = left < ms ? left : ms;
	}
	if (operation->schedule_to_close_ms) {
		*type = TIMEOUT(SCHEDULE_TO_CLOSE);
		left = left_ms(operation, operation->scheduled_ns, operation->schedule_to_close_ms);
		ms = left < ms ? left : ms;
	}
	return ms;
}

/* The operation will time out before the request could be answered. */
static void no_time(
	struct nexus_operation *operation, Enums__TimeoutType type, struct nexus_outcome *outcome)
{
	struct arena *scratch = &server_of(operation)->scratch;
	char name[PROTO_ENUM_TEXT];
	const char *text = arena_printf(scratch,
		"not enough time to execute another request before %s timeout",
		proto_enum_short(&enums__timeout_type__descriptor, (int)type, name));

	outcome->result = NEXUS_ERROR;
	outcome->failure = call_failure(scratch, text, false);
}

static void run_cancel(struct nexus_due *due)
{
	struct nexus_operation *operation =
		(struct nexus_operation *)(void *)((char *)due -
						   offsetof(struct nexus_operation, cancel_due));
	struct nexus_endpoint *endpoint = nexus_operation_endpoint(operation);
	struct nexus_outcome outcome = { 0 };
	Enums__TimeoutType type;
	int64_t ms = cancel_time(operation, &type);

	if (!can_reach(operation, endpoint))
		no_way(operation, endpoint, &outcome);
	else if (ms < SERVER_NEXUS_CALL_MIN_MS)
		no_time(operation, type, &outcome);
	if (outcome.result == NEXUS_ERROR) {
		cancel_outcome(operation, &outcome);
		return;
	}
	if (is_blocked(operation, endpoint, &operation->cancel_blocked_ns))
		return;
	const History__NexusOperationScheduledEventAttributes *scheduled =
		scheduled_of(operation, &server_of(operation)->scratch);
	struct nexus_call *call = scheduled ? cancel_call(operation, scheduled) : NULL;
	if (!call)
		return;
	call->done = cancel_done;
	operation->cancel_call = call;
	send(call, endpoint, ms);
}

void nexus_operation_cancel(struct nexus_operation *operation)
{
	if (operation->cancel_state == CANCEL(UNSPECIFIED)) {
		operation->cancel_state = CANCEL(SCHEDULED);
		operation->cancel_requested_ns = server_of(operation)->now_ns;
	}
	nexus_due_add(server_of(operation), &operation->cancel_due, run_cancel);
}
