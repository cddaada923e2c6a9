/*
 * close.c: the end of a run: nothing of it waits or is timed any more, its callers are told.
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/child.h"
#include "server/history/history.h"
#include "server/history/update.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define ACTIVITY_SIZE 256 /* of one that has nothing to tell */

static void erase_all(struct execution *execution)
{
	struct server *server = execution->server;

	while (execution->activities) {
		transition_erase(server, (struct entity_key){ ENTITY_ACTIVITY, execution->number,
						 execution->activities->scheduled_id });
		state_activity_free(execution->activities);
	}
	while (execution->timers) {
		transition_erase(server, (struct entity_key){ ENTITY_TIMER, execution->number,
						 execution->timers->started_id });
		state_timer_free(execution->timers);
	}
}

void execution_close(struct execution *execution, Enums__WorkflowExecutionStatus status)
{
	struct server *server = execution->server;

	execution->status = (int32_t)status;
	execution->close_ns = server->now_ns;
	erase_all(execution);
	nexus_closed(execution);
	timers_stop(&server->timers, &execution->run_timer);
	timers_stop(&server->timers, &execution->task_timer);
	matching_withdraw(&execution->task);
	transition_touch(execution);
	transition_durable(server);
	query_again(execution);
	if (!execution->completing)
		update_close(execution);
	effect_add(execution, EFFECT_CLOSED, 0);
	child_leave_all(execution);
}

void execution_terminate(struct execution *execution, const char *reason,
	const Common__Payloads *details, const char *identity, const struct event_extras *extras)
{
	History__WorkflowExecutionTerminatedEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_TERMINATED_EVENT_ATTRIBUTES__INIT;

	workflow_task_drop(execution);
	attributes.reason = reason;
	attributes.details = (Common__Payloads *)(uintptr_t)details;
	attributes.identity = identity;
	event_add_with(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		&attributes, extras);
	execution_close(
		execution, ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_TERMINATED);
}

/*
 * About what it takes to keep the run beside its history: what callers and workers can make large.
 * A bit more than that for each activity, so that many small ones count too.
 */
static int64_t state_size(const struct execution *execution)
{
	return (int64_t)(execution->memo.len + execution->search_attributes.len +
			 execution->buffered_size + execution->activities_size +
			 execution->n_activities * ACTIVITY_SIZE);
}

const char *execution_over_limit(
	struct execution *execution, int64_t events, size_t bytes, bool with_state)
{
	const struct server_config *config = &execution->server->config;
	const char *text = NULL;

	if (execution->history_size > config->history_size_max)
		text = "Workflow history size exceeds limit.";
	else if (execution->next_event_id - 1 + events > config->history_count_max)
		text = "Workflow history count exceeds limit.";
	else if (with_state && state_size(execution) + (int64_t)bytes > config->state_size_max)
		text = "Workflow mutable state size exceeds limit.";
	if (text)
		execution_terminate(execution, text, NULL, "history-service", NULL);
	return text;
}

void execution_timed_out(struct timers_entry *timer)
{
	struct execution *execution =
		(struct execution *)(void *)((char *)timer - offsetof(struct execution, run_timer));
	History__WorkflowExecutionTimedOutEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_TIMED_OUT_EVENT_ATTRIBUTES__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__TimeoutFailureInfo info = FAILURE__TIMEOUT_FAILURE_INFO__INIT;
	struct execution *next = NULL;

	info.timeout_type = ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE;
	failure.message = "workflow timeout";
	failure.source = "Server";
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
	failure.timeout_failure_info = &info;
	workflow_task_drop(execution);
	if (execution->execution_expires_ns &&
		execution->server->now_ns >= execution->execution_expires_ns)
		attributes.retry_state = ENUMS__RETRY_STATE__RETRY_STATE_TIMEOUT;
	else
		next = start_after_failure(execution, &failure, true, &attributes.retry_state);
	attributes.new_execution_run_id = next ? next->run_id : NULL;
	event_add(
		execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, &attributes);
	execution_close(
		execution, ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_TIMED_OUT);
}
