/*
 * objects.c: operations and callbacks as records, in the lists of their execution, and out of them.
 *
 * Loop's thread; at opening the caller's.
 */
#include "base/mem.h"
#include "server/nexus/nexus.h"

#define STATE(name_) ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_##name_
#define CANCEL(name_) \
	ENUMS__NEXUS_OPERATION_CANCELLATION_STATE__NEXUS_OPERATION_CANCELLATION_STATE_##name_

static const struct record_field operation_fields[] = {
	RECORD_FIELD(1, INT, nexus_operation, scheduled_id),
	RECORD_FIELD(2, TEXT, nexus_operation, endpoint),
	RECORD_FIELD(3, TEXT, nexus_operation, endpoint_id),
	RECORD_FIELD(4, TEXT, nexus_operation, service),
	RECORD_FIELD(5, TEXT, nexus_operation, operation),
	RECORD_FIELD(6, TEXT, nexus_operation, request_id),
	RECORD_FIELD(7, TEXT, nexus_operation, token),
	RECORD_FIELD(8, SMALL, nexus_operation, state),
	RECORD_FIELD(9, SMALL, nexus_operation, attempt),
	RECORD_FIELD(10, INT, nexus_operation, scheduled_ns),
	RECORD_FIELD(11, INT, nexus_operation, started_ns),
	RECORD_FIELD(12, INT, nexus_operation, last_attempt_ns),
	RECORD_FIELD(13, INT, nexus_operation, next_attempt_ns),
	RECORD_FIELD(14, INT, nexus_operation, schedule_to_close_ms),
	RECORD_FIELD(15, INT, nexus_operation, schedule_to_start_ms),
	RECORD_FIELD(16, INT, nexus_operation, start_to_close_ms),
	RECORD_FIELD(17, BYTES, nexus_operation, last_failure),
	RECORD_FIELD(18, INT, nexus_operation, cancel_requested_id),
	RECORD_FIELD(19, SMALL, nexus_operation, cancel_state),
	RECORD_FIELD(20, SMALL, nexus_operation, cancel_attempt),
	RECORD_FIELD(21, INT, nexus_operation, cancel_requested_ns),
	RECORD_FIELD(22, INT, nexus_operation, cancel_last_ns),
	RECORD_FIELD(23, INT, nexus_operation, cancel_next_ns),
	RECORD_FIELD(24, BYTES, nexus_operation, cancel_failure),
};
static const struct record_type operation_type = RECORD_TYPE(operation_fields);

static const struct record_field callback_fields[] = {
	RECORD_FIELD(1, INT, nexus_callback, number),
	RECORD_FIELD(2, TEXT, nexus_callback, request_id),
	RECORD_FIELD(3, BYTES, nexus_callback, callback),
	RECORD_FIELD(4, SMALL, nexus_callback, state),
	RECORD_FIELD(5, SMALL, nexus_callback, attempt),
	RECORD_FIELD(6, INT, nexus_callback, registered_ns),
	RECORD_FIELD(7, INT, nexus_callback, last_attempt_ns),
	RECORD_FIELD(8, INT, nexus_callback, next_attempt_ns),
	RECORD_FIELD(9, BYTES, nexus_callback, last_failure),
	RECORD_FIELD(10, INT, nexus_callback, event_id),
};
static const struct record_type callback_type = RECORD_TYPE(callback_fields);

/* ---- Operations ---- */

struct nexus_operation *nexus_operation_new(struct execution *execution)
{
	struct nexus_operation *operation = mem_zalloc(sizeof(*operation));

	if (!operation) {
		server_no_memory(execution->server);
		return NULL;
	}
	operation->execution = execution;
	operation->next = execution->nexus_operations;
	execution->nexus_operations = operation;
	execution->n_nexus_operations++;
	return operation;
}

struct nexus_operation *nexus_operation_find(
	const struct execution *execution, int64_t scheduled_id)
{
	struct nexus_operation *operation = execution->nexus_operations;

	while (operation && operation->scheduled_id != scheduled_id)
		operation = operation->next;
	return operation;
}

void nexus_operation_record(struct nexus_operation *operation)
{
	struct execution *execution = operation->execution;

	transition_record(execution->server,
		(struct entity_key){
			ENTITY_NEXUS_OPERATION, execution->number, operation->scheduled_id },
		&operation_type, operation);
	transition_touch(execution);
}

void nexus_operation_free(struct nexus_operation *operation)
{
	struct execution *execution = operation->execution;
	struct server *server = execution->server;
	struct nexus_operation **at = &execution->nexus_operations;

	while (*at != operation)
		at = &(*at)->next;
	*at = operation->next;
	execution->n_nexus_operations--;
	timers_stop(&server->timers, &operation->timer);
	nexus_due_remove(server, &operation->start_due);
	nexus_due_remove(server, &operation->cancel_due);
	nexus_call_abandon(operation->start_call);
	nexus_call_abandon(operation->cancel_call);
	record_finish(&operation_type, operation);
	mem_free(operation);
}

bool nexus_operation_restore(
	struct execution *execution, int64_t id, const uint8_t *data, size_t len)
{
	struct nexus_operation *operation = nexus_operation_find(execution, id);

	if (operation)
		nexus_operation_free(operation);
	if (len == 0)
		return true;
	operation = nexus_operation_new(execution);
	return operation && record_read(&operation_type, operation, data, len);
}

/* ---- Callbacks ---- */

struct nexus_callback *nexus_callback_new(struct execution *execution)
{
	struct nexus_callback *callback = mem_zalloc(sizeof(*callback));
	struct nexus_callback **at = &execution->nexus_callbacks;

	if (!callback) {
		server_no_memory(execution->server);
		return NULL;
	}
	while (*at)
		at = &(*at)->next;
	*at = callback;
	callback->execution = execution;
	return callback;
}

static void write_record(struct nexus_callback *callback)
{
	struct execution *execution = callback->execution;

	transition_record(execution->server,
		(struct entity_key){ ENTITY_NEXUS_CALLBACK, execution->number, callback->number },
		&callback_type, callback);
}

void nexus_callback_record(struct nexus_callback *callback)
{
	write_record(callback);
	transition_touch(callback->execution);
}

void nexus_snapshot(struct execution *execution)
{
	for (struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next)
		write_record(at);
}

static void callback_free(struct nexus_callback *callback)
{
	struct execution *execution = callback->execution;
	struct nexus_callback **at = &execution->nexus_callbacks;

	while (*at != callback)
		at = &(*at)->next;
	*at = callback->next;
	timers_stop(&execution->server->timers, &callback->timer);
	nexus_due_remove(execution->server, &callback->due);
	nexus_callback_abandon(callback);
	record_finish(&callback_type, callback);
	mem_free(callback);
}

bool nexus_callback_restore(
	struct execution *execution, int64_t id, const uint8_t *data, size_t len)
{
	struct nexus_callback *callback = execution->nexus_callbacks;

	while (callback && callback->number != id)
		callback = callback->next;
	if (len == 0) {
		if (callback)
			callback_free(callback);
		return true;
	}
	if (!callback) {
		callback = nexus_callback_new(execution);
		return callback && record_read(&callback_type, callback, data, len);
	}
	/* It keeps its place: a record leaves out what is zero. */
	struct nexus_callback old = *callback;
	record_finish(&callback_type, callback);
	*callback = (struct nexus_callback){ .execution = execution, .next = old.next };
	return record_read(&callback_type, callback, data, len);
}

/* ---- All of an execution ---- */

void nexus_revive(struct execution *execution)
{
	for (struct nexus_operation *at = execution->nexus_operations; at; at = at->next) {
		nexus_operation_arm(at);
		if (at->state == STATE(SCHEDULED))
			nexus_operation_start(at);
		if (at->cancel_state == CANCEL(SCHEDULED))
			nexus_operation_cancel(at);
	}
	for (struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next)
		nexus_callback_arm(at);
}

void nexus_execution_finish(struct execution *execution)
{
	while (execution->nexus_operations)
		nexus_operation_free(execution->nexus_operations);
	while (execution->nexus_callbacks)
		callback_free(execution->nexus_callbacks);
}

void nexus_finish(struct server *server)
{
	for (uint32_t i = 0; i < server->nexus_calls.capacity; i++) {
		struct nexus_call *call = server->nexus_calls.slots[i].value;

		while (call) {
			struct nexus_call *next = call->next_hash;

			arena_finish(&call->arena);
			mem_free(call);
			call = next;
		}
	}
	map_finish(&server->nexus_calls);
	nexus_rules_finish(server);
	mem_free(server->nexus_callback_base);
	nexus_endpoints_finish(server);
}
