/*
 * signal.c: signals: an event each, once for each request id. Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "server/history/history.h"
#include "server/limits.h"

#define FORCE_CLOSE \
	ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND

void execution_signal(struct execution *execution,
	const History__WorkflowExecutionSignaledEventAttributes *attributes,
	const struct event_extras *extras)
{
	History__WorkflowExecutionSignaledEventAttributes copy = *attributes;

	event_add_with(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &copy,
		extras);
	execution->signals++;
	transition_touch(execution);
	transition_durable(execution->server);
	/* A task that takes for ever must not hold back any number of events. */
	if (execution->n_buffered > execution->server->config.buffered_max)
		workflow_task_fail(execution, FORCE_CLOSE, NULL, "history-service");
	workflow_task_wake(execution);
}

const char *execution_over_signal(struct execution *execution, const Common__Payloads *input)
{
	bool waits = execution->task_started_id; /* it gets its number with the task's end */
	bool wakes = !execution->task_scheduled_id && !execution->backing_off;

	if (waits)
		return execution_over_limit(execution, 0, input ? proto_size(input) : 0, true);
	return execution_over_limit(execution, wakes ? 2 : 1, 0, false);
}

bool execution_restore_request_id(struct execution *execution, const char *text, size_t len)
{
	char *copy = mem_alloc(len + 1);

	if (!copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	uint64_t hash = state_hash(execution->server, (int64_t)execution->number, copy);
	mem_free(map_remove(&execution->request_ids, hash));
	if (map_put(&execution->request_ids, hash, copy))
		return true;
	mem_free(copy);
	return false;
}

bool execution_signal_known(const struct execution *execution, const char *request_id)
{
	const char *known;

	if (str_empty(request_id))
		return false;
	known = map_get(&execution->request_ids,
		state_hash(execution->server, (int64_t)execution->number, request_id));
	return known && str_same(known, request_id);
}

bool execution_signal_seen(struct execution *execution, const char *request_id)
{
	struct server *server = execution->server;

	if (execution_signal_known(execution, request_id))
		return true;
	if (str_empty(request_id) || !state_running(execution))
		return false;
	if (!execution_restore_request_id(execution, request_id, strlen(request_id))) {
		server_no_memory(server);
		return false;
	}
	transition_record_bytes(server,
		(struct entity_key){ ENTITY_REQUEST_ID, execution->number, ++execution->records },
		request_id, strlen(request_id));
	return false;
}
