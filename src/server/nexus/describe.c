/*
 * describe.c: what DescribeWorkflowExecution tells of operations, callbacks and the request ids
 * that made or joined the run.
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/nexus/nexus.h"

#define BREAKER_TEXT   "The circuit breaker is open."
#define PENDING(name_) ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_##name_
#define CANCELLATION(name_) \
	ENUMS__NEXUS_OPERATION_CANCELLATION_STATE__NEXUS_OPERATION_CANCELLATION_STATE_##name_
#define EVENT(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_##name_

static Google__Duration *duration(struct request *request, int64_t ms)
{
	return ms ? request_duration(request, ms) : NULL;
}

static Workflow__NexusOperationCancellationInfo *cancellation_of(
	struct request *request, const struct nexus_operation *operation)
{
	Workflow__NexusOperationCancellationInfo *out;

	if (!operation->cancel_requested_id)
		return NULL;
	out = REQUEST_NEW(request, Workflow__NexusOperationCancellationInfo,
		workflow__nexus_operation_cancellation_info);
	out->requested_time = request_time(request, operation->cancel_requested_ns);
	out->state = (Enums__NexusOperationCancellationState)operation->cancel_state;
	out->attempt = operation->cancel_attempt;
	out->last_attempt_complete_time = request_time(request, operation->cancel_last_ns);
	out->last_attempt_failure =
		request_decode(request, &failure__failure__descriptor, &operation->cancel_failure);
	out->next_attempt_schedule_time = request_time(request, operation->cancel_next_ns);
	return out;
}

/* What would be on its way waits for the endpoint. */
static void describe_blocked(
	const struct nexus_operation *operation, Workflow__PendingNexusOperationInfo *out)
{
	if (!operation->start_call && out->state == PENDING(SCHEDULED)) {
		out->state = PENDING(BLOCKED);
		out->blocked_reason = BREAKER_TEXT;
	}
	if (out->cancellation_info && !operation->cancel_call &&
		out->cancellation_info->state == CANCELLATION(SCHEDULED)) {
		out->cancellation_info->state = CANCELLATION(BLOCKED);
		out->cancellation_info->blocked_reason = BREAKER_TEXT;
	}
}

static Workflow__PendingNexusOperationInfo *operation_of(
	struct request *request, const struct nexus_operation *operation)
{
	Workflow__PendingNexusOperationInfo *out = REQUEST_NEW(request,
		Workflow__PendingNexusOperationInfo, workflow__pending_nexus_operation_info);

	out->endpoint = request_text(request, operation->endpoint);
	out->service = request_text(request, operation->service);
	out->operation = request_text(request, operation->operation);
	out->operation_token = out->operation_id = request_text(request, operation->token);
	out->scheduled_event_id = operation->scheduled_id;
	out->scheduled_time = request_time(request, operation->scheduled_ns);
	out->schedule_to_close_timeout = duration(request, operation->schedule_to_close_ms);
	out->schedule_to_start_timeout = duration(request, operation->schedule_to_start_ms);
	out->start_to_close_timeout = duration(request, operation->start_to_close_ms);
	out->state = (Enums__PendingNexusOperationState)operation->state;
	out->attempt = operation->attempt;
	out->last_attempt_complete_time = request_time(request, operation->last_attempt_ns);
	out->last_attempt_failure =
		request_decode(request, &failure__failure__descriptor, &operation->last_failure);
	out->next_attempt_schedule_time = request_time(request, operation->next_attempt_ns);
	out->cancellation_info = cancellation_of(request, operation);
	if (nexus_breaker_is_open(request->server, nexus_operation_endpoint(operation)))
		describe_blocked(operation, out);
	return out;
}

static Workflow__CallbackInfo *callback_of(
	struct request *request, const struct nexus_callback *callback)
{
	Workflow__CallbackInfo *out =
		REQUEST_NEW(request, Workflow__CallbackInfo, workflow__callback_info);

	out->callback = request_decode(request, &common__callback__descriptor, &callback->callback);
	out->trigger = REQUEST_NEW(
		request, Workflow__CallbackInfo__Trigger, workflow__callback_info__trigger);
	out->trigger->variant_case = WORKFLOW__CALLBACK_INFO__TRIGGER__VARIANT_WORKFLOW_CLOSED;
	out->trigger->workflow_closed = REQUEST_NEW(request, Workflow__CallbackInfo__WorkflowClosed,
		workflow__callback_info__workflow_closed);
	out->registration_time = request_time(request, callback->registered_ns);
	out->state = (Enums__CallbackState)callback->state;
	out->attempt = callback->attempt;
	out->last_attempt_complete_time = request_time(request, callback->last_attempt_ns);
	out->last_attempt_failure =
		request_decode(request, &failure__failure__descriptor, &callback->last_failure);
	out->next_attempt_schedule_time = request_time(request, callback->next_attempt_ns);
	return out;
}

static void add_request_id(struct request *request, Workflow__WorkflowExecutionExtendedInfo *info,
	const char *request_id, Enums__EventType type, int64_t event_id)
{
	Workflow__WorkflowExecutionExtendedInfo__RequestIdInfosEntry *entry =
		REQUEST_NEW(request, Workflow__WorkflowExecutionExtendedInfo__RequestIdInfosEntry,
			workflow__workflow_execution_extended_info__request_id_infos_entry);

	entry->key = request_text(request, request_id);
	entry->value = REQUEST_NEW(request, Workflow__RequestIdInfo, workflow__request_id_info);
	entry->value->event_type = type;
	entry->value->event_id = event_id;
	entry->value->buffered = event_id == 0;
	info->request_id_infos[info->n_request_id_infos++] = entry;
}

static bool is_known(const Workflow__WorkflowExecutionExtendedInfo *info, const char *request_id)
{
	for (size_t i = 0; i < info->n_request_id_infos; i++) {
		if (str_same(info->request_id_infos[i]->key, request_id))
			return true;
	}
	return false;
}

static void describe_request_ids(struct request *request, const struct execution *execution,
	Workflow__WorkflowExecutionExtendedInfo *info, size_t n_callbacks)
{
	info->request_id_infos =
		request_array(request, n_callbacks + 1, sizeof(*info->request_id_infos));
	if (!info->request_id_infos)
		return;
	if (!str_empty(execution->create_request_id))
		add_request_id(request, info, execution->create_request_id, EVENT(STARTED), 1);
	for (const struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next) {
		if (!is_known(info, at->request_id))
			add_request_id(request, info, at->request_id, EVENT(OPTIONS_UPDATED),
				at->event_id);
	}
}

void nexus_describe(struct request *request, const struct execution *execution,
	Workflowservice__DescribeWorkflowExecutionResponse *out)
{
	size_t n = 0;

	out->pending_nexus_operations = request_array(
		request, execution->n_nexus_operations, sizeof(*out->pending_nexus_operations));
	for (const struct nexus_operation *at = execution->nexus_operations;
		at && out->pending_nexus_operations; at = at->next)
		out->pending_nexus_operations[out->n_pending_nexus_operations++] =
			operation_of(request, at);
	for (const struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next)
		n++;
	out->callbacks = request_array(request, n, sizeof(*out->callbacks));
	for (const struct nexus_callback *at = execution->nexus_callbacks; at && out->callbacks;
		at = at->next) {
		if (at->callback.len)
			out->callbacks[out->n_callbacks++] = callback_of(request, at);
	}
	describe_request_ids(request, execution, out->workflow_extended_info, n);
}
