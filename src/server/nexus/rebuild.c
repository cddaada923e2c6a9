/*
 * rebuild.c: operations and callbacks from the events of a history: for a run that takes over the
 * beginning of another one's, and for the ends of operations that came later there.
 *
 * Loop's thread.
 */
#include "proto/time.h"
#include "server/nexus/nexus.h"

#define EVENT(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_##name_
#define RUN(name_)   ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_##name_
#define STATE(name_) ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_##name_
#define CANCEL(name_) \
	ENUMS__NEXUS_OPERATION_CANCELLATION_STATE__NEXUS_OPERATION_CANCELLATION_STATE_##name_

static void scheduled(struct execution *execution, const History__HistoryEvent *event)
{
	const History__NexusOperationScheduledEventAttributes *in =
		event->nexus_operation_scheduled_event_attributes;
	struct nexus_operation *operation = nexus_operation_new(execution);
	struct server *server = execution->server;

	if (!operation)
		return;
	operation->scheduled_id = event->event_id;
	operation->scheduled_ns = proto_timestamp_ns_or(event->event_time, 0);
	operation->state = STATE(SCHEDULED);
	operation->schedule_to_close_ms = proto_duration_ms_or(in->schedule_to_close_timeout, 0);
	operation->schedule_to_start_ms = proto_duration_ms_or(in->schedule_to_start_timeout, 0);
	operation->start_to_close_ms = proto_duration_ms_or(in->start_to_close_timeout, 0);
	state_set_text(server, &operation->endpoint, in->endpoint);
	state_set_text(server, &operation->endpoint_id, in->endpoint_id);
	state_set_text(server, &operation->service, in->service);
	state_set_text(server, &operation->operation, in->operation);
	state_set_text(server, &operation->request_id, in->request_id);
}

static void started(struct nexus_operation *operation, const History__HistoryEvent *event)
{
	operation->state = STATE(STARTED);
	operation->started_ns = proto_timestamp_ns_or(event->event_time, 0);
	state_set_text(operation->execution->server, &operation->token,
		event->nexus_operation_started_event_attributes->operation_token);
	if (operation->cancel_requested_id)
		operation->cancel_state = CANCEL(SCHEDULED);
}

static void cancel_requested(struct nexus_operation *operation, const History__HistoryEvent *event)
{
	operation->cancel_requested_id = event->event_id;
	operation->cancel_requested_ns = proto_timestamp_ns_or(event->event_time, 0);
	if (operation->state == (int32_t)STATE(STARTED))
		operation->cancel_state = CANCEL(SCHEDULED);
}

static void change(struct nexus_operation *operation, const History__HistoryEvent *event)
{
	switch (event->event_type) {
	case EVENT(STARTED):
		started(operation, event);
		break;
	case EVENT(CANCEL_REQUESTED):
		cancel_requested(operation, event);
		break;
	case EVENT(CANCEL_REQUEST_COMPLETED):
		operation->cancel_state = CANCEL(SUCCEEDED);
		break;
	case EVENT(CANCEL_REQUEST_FAILED):
		operation->cancel_state = CANCEL(FAILED);
		break;
	default: /* its end */
		nexus_operation_free(operation);
	}
}

static void attached(struct execution *execution, const History__HistoryEvent *event)
{
	const History__WorkflowExecutionOptionsUpdatedEventAttributes *in =
		event->workflow_execution_options_updated_event_attributes;

	Common__Callback nobody = COMMON__CALLBACK__INIT, *none = &nobody;
	size_t n = in->n_attached_completion_callbacks;

	if (str_empty(in->attached_request_id))
		return;
	/* One that came alone is kept as in nexus_attach(). */
	nexus_callbacks_add(execution, in->attached_request_id,
		n ? in->attached_completion_callbacks : &none, n ? n : 1);
	nexus_attached(execution, in->attached_request_id, event->event_id);
}

void nexus_rebuild(struct execution *execution, const History__HistoryEvent *event)
{
	const History__WorkflowExecutionStartedEventAttributes *start =
		event->workflow_execution_started_event_attributes;
	struct nexus_operation *operation;

	if (event->event_type == EVENT(SCHEDULED))
		scheduled(execution, event);
	else if (event->event_type == RUN(STARTED))
		nexus_callbacks_add(execution, execution->create_request_id,
			start->completion_callbacks, start->n_completion_callbacks);
	else if (event->event_type == RUN(OPTIONS_UPDATED))
		attached(execution, event);
	else if ((operation = nexus_operation_find(execution, nexus_event_schedule(event))))
		change(operation, event);
}

void nexus_rebuild_arm(struct execution *execution)
{
	for (struct nexus_operation *at = execution->nexus_operations; at; at = at->next)
		nexus_operation_record(at);
	nexus_revive(execution);
}

void nexus_reapply(struct execution *execution, History__HistoryEvent *event,
	const struct event_extras *extras)
{
	switch (event->event_type) {
	case EVENT(STARTED):
	case EVENT(COMPLETED):
	case EVENT(FAILED):
	case EVENT(CANCELED):
	case EVENT(TIMED_OUT):
		break;
	default:
		return;
	}
	if (!nexus_operation_find(execution, nexus_event_schedule(event)))
		return;
	event_add_with(execution, event->event_type,
		event->nexus_operation_started_event_attributes, extras);
	nexus_rebuild(execution, event);
}
