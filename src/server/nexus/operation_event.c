/*
 * operation_event.c: what the history says of an operation. While a workflow task runs these events
 * are buffered, and the operation is gone all the same: only its end lies in the buffer.
 *
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/payload.h"
#include "server/nexus/nexus.h"

#define EVENT(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_##name_
#define STATE(name_) ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_##name_

void nexus_tell(struct execution *execution)
{
	transition_durable(execution->server);
	workflow_task_wake(execution);
}

static void end(struct nexus_operation *operation)
{
	struct execution *execution = operation->execution;

	transition_erase(execution->server, (struct entity_key){ ENTITY_NEXUS_OPERATION,
						    execution->number, operation->scheduled_id });
	transition_touch(execution);
	nexus_operation_free(operation);
	nexus_tell(execution);
}

void nexus_add_started(struct nexus_operation *operation, const char *token, int64_t time_ns,
	Common__Link **links, size_t n_links)
{
	struct execution *execution = operation->execution;
	struct server *server = execution->server;
	History__NexusOperationStartedEventAttributes attributes =
		HISTORY__NEXUS_OPERATION_STARTED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .links = links, .n_links = n_links, .time_ns = time_ns };

	attributes.scheduled_event_id = operation->scheduled_id;
	attributes.operation_token = attributes.operation_id = token ? token : "";
	attributes.request_id = operation->request_id;
	event_add_with(execution, EVENT(STARTED), &attributes, &extras);
	operation->state = STATE(STARTED);
	operation->started_ns = time_ns ? time_ns : server->now_ns;
	operation->attempt++;
	operation->last_attempt_ns = server->now_ns;
	operation->next_attempt_ns = 0;
	state_set_text(server, &operation->token, token);
	state_set_bytes(server, &operation->last_failure, NULL);
	if (operation->cancel_requested_id)
		nexus_operation_cancel(operation);
	nexus_operation_record(operation);
	nexus_operation_arm(operation);
	transition_durable(server);
}

void nexus_add_completed(struct nexus_operation *operation, const Common__Payload *result,
	Common__Link **links, size_t n_links)
{
	History__NexusOperationCompletedEventAttributes attributes =
		HISTORY__NEXUS_OPERATION_COMPLETED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .links = links, .n_links = n_links };
	struct arena *scratch = &operation->execution->server->scratch;

	attributes.scheduled_event_id = operation->scheduled_id;
	attributes.result = (Common__Payload *)(uintptr_t)result;
	if (!result)
		attributes.result = proto_payload_new(scratch, PROTO_ENCODING_NULL, NULL, 0);
	attributes.request_id = operation->request_id;
	event_add_with(operation->execution, EVENT(COMPLETED), &attributes, &extras);
	end(operation);
}

/* The failure that the workflow sees. */
struct wrapped {
	Failure__Failure failure;
	Failure__NexusOperationFailureInfo info;
};

static Failure__Failure *wrap(
	const struct nexus_operation *operation, struct wrapped *out, const Failure__Failure *cause)
{
	out->failure = (Failure__Failure)FAILURE__FAILURE__INIT;
	out->info = (Failure__NexusOperationFailureInfo)FAILURE__NEXUS_OPERATION_FAILURE_INFO__INIT;
	out->failure.message = "nexus operation completed unsuccessfully";
	out->failure.failure_info_case =
		FAILURE__FAILURE__FAILURE_INFO_NEXUS_OPERATION_EXECUTION_FAILURE_INFO;
	out->failure.nexus_operation_execution_failure_info = &out->info;
	out->failure.cause = (Failure__Failure *)(uintptr_t)cause;
	out->info.endpoint = operation->endpoint;
	out->info.service = operation->service;
	out->info.operation = operation->operation;
	out->info.operation_token = out->info.operation_id = operation->token;
	out->info.scheduled_event_id = operation->scheduled_id;
	return &out->failure;
}

static void add_failed(struct nexus_operation *operation, const Failure__Failure *cause)
{
	History__NexusOperationFailedEventAttributes attributes =
		HISTORY__NEXUS_OPERATION_FAILED_EVENT_ATTRIBUTES__INIT;
	struct wrapped wrapped;

	attributes.failure = wrap(operation, &wrapped, cause);
	attributes.scheduled_event_id = operation->scheduled_id;
	attributes.request_id = operation->request_id;
	event_add(operation->execution, EVENT(FAILED), &attributes);
}

/* Its cause is a cancellation, whatever an old worker says. */
static void add_canceled(struct nexus_operation *operation, const Failure__Failure *cause)
{
	History__NexusOperationCanceledEventAttributes attributes =
		HISTORY__NEXUS_OPERATION_CANCELED_EVENT_ATTRIBUTES__INIT;
	Failure__Failure canceled = FAILURE__FAILURE__INIT;
	Failure__CanceledFailureInfo info = FAILURE__CANCELED_FAILURE_INFO__INIT;
	struct wrapped wrapped;

	if (cause &&
		cause->failure_info_case != FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO) {
		canceled.message = cause->message;
		canceled.stack_trace = cause->stack_trace;
		canceled.cause = cause->cause;
		canceled.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
		canceled.canceled_failure_info = &info;
		cause = &canceled;
	}
	attributes.failure = wrap(operation, &wrapped, cause);
	attributes.scheduled_event_id = operation->scheduled_id;
	attributes.request_id = operation->request_id;
	event_add(operation->execution, EVENT(CANCELED), &attributes);
}

void nexus_add_unsuccessful(
	struct nexus_operation *operation, const Failure__Failure *cause, bool canceled)
{
	if (canceled)
		add_canceled(operation, cause);
	else
		add_failed(operation, cause);
	end(operation);
}

void nexus_add_timed_out(struct nexus_operation *operation, Enums__TimeoutType type)
{
	History__NexusOperationTimedOutEventAttributes attributes =
		HISTORY__NEXUS_OPERATION_TIMED_OUT_EVENT_ATTRIBUTES__INIT;
	Failure__Failure cause = FAILURE__FAILURE__INIT;
	Failure__TimeoutFailureInfo info = FAILURE__TIMEOUT_FAILURE_INFO__INIT;
	struct wrapped wrapped;

	info.timeout_type = type;
	cause.message = "operation timed out";
	cause.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
	cause.timeout_failure_info = &info;
	attributes.failure = wrap(operation, &wrapped, &cause);
	attributes.scheduled_event_id = operation->scheduled_id;
	attributes.request_id = operation->request_id;
	event_add(operation->execution, EVENT(TIMED_OUT), &attributes);
	end(operation);
}

/* ---- Its cancellation ---- */

void nexus_add_cancel_completed(struct nexus_operation *operation)
{
	History__NexusOperationCancelRequestCompletedEventAttributes attributes =
		HISTORY__NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .worker_may_ignore = true };

	attributes.requested_event_id = operation->cancel_requested_id;
	attributes.scheduled_event_id = operation->scheduled_id;
	event_add_with(operation->execution, EVENT(CANCEL_REQUEST_COMPLETED), &attributes, &extras);
	nexus_tell(operation->execution);
}

void nexus_add_cancel_failed(struct nexus_operation *operation, const Failure__Failure *failure)
{
	History__NexusOperationCancelRequestFailedEventAttributes attributes =
		HISTORY__NEXUS_OPERATION_CANCEL_REQUEST_FAILED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .worker_may_ignore = true };

	attributes.requested_event_id = operation->cancel_requested_id;
	attributes.scheduled_event_id = operation->scheduled_id;
	attributes.failure = (Failure__Failure *)(uintptr_t)failure;
	event_add_with(operation->execution, EVENT(CANCEL_REQUEST_FAILED), &attributes, &extras);
	nexus_tell(operation->execution);
}

/* ---- Reading them ---- */

int64_t nexus_event_schedule(const History__HistoryEvent *event)
{
	switch (event->event_type) {
	case EVENT(STARTED):
		return event->nexus_operation_started_event_attributes->scheduled_event_id;
	case EVENT(COMPLETED):
		return event->nexus_operation_completed_event_attributes->scheduled_event_id;
	case EVENT(FAILED):
		return event->nexus_operation_failed_event_attributes->scheduled_event_id;
	case EVENT(CANCELED):
		return event->nexus_operation_canceled_event_attributes->scheduled_event_id;
	case EVENT(TIMED_OUT):
		return event->nexus_operation_timed_out_event_attributes->scheduled_event_id;
	case EVENT(CANCEL_REQUESTED):
		return event->nexus_operation_cancel_requested_event_attributes->scheduled_event_id;
	case EVENT(CANCEL_REQUEST_COMPLETED):
		return event->nexus_operation_cancel_request_completed_event_attributes
			->scheduled_event_id;
	case EVENT(CANCEL_REQUEST_FAILED):
		return event->nexus_operation_cancel_request_failed_event_attributes
			->scheduled_event_id;
	default:
		return 0;
	}
}

static bool is_end(const History__HistoryEvent *event)
{
	switch (event->event_type) {
	case EVENT(COMPLETED):
	case EVENT(FAILED):
	case EVENT(CANCELED):
	case EVENT(TIMED_OUT):
		return true;
	default:
		return false;
	}
}

/* Results may be large, and this is asked for each of many commands: no event is kept. */
bool nexus_end_buffered(const struct execution *execution, int64_t scheduled_id)
{
	struct arena *scratch = &execution->server->scratch;
	bool found = false;

	for (struct buffered_event *at = execution->buffered; at && !found; at = at->next) {
		struct arena_mark mark = arena_mark(scratch);
		const History__HistoryEvent *event = proto_decode(scratch,
			&history__history_event__descriptor, at->data, at->len, NULL, NULL);

		if (!event)
			server_no_memory(execution->server);
		found = event && is_end(event) && nexus_event_schedule(event) == scheduled_id;
		arena_release(scratch, mark);
	}
	return found;
}
