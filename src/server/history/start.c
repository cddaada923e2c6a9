/*
 * start.c: new runs: by a client, or as the next one of a chain (continue-as-new, retry). The first
 * event holds all that a run was started with; what the server needs often is copied out of it.
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/history.h"
#include "server/history/start_check.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define ROUND_NS (NS_PER_MS / 2)

static void take_timeouts(struct execution *execution, const struct start_opts *opts)
{
	History__WorkflowExecutionStartedEventAttributes *in = opts->attributes;
	int64_t now = execution->server->now_ns;
	struct start_timeouts timeouts;

	start_timeouts(in->workflow_execution_timeout, in->workflow_run_timeout,
		in->workflow_task_timeout, execution->server->config.task_timeout_ms, &timeouts);
	execution->execution_timeout_ms = timeouts.whole_ms;
	execution->run_timeout_ms = timeouts.run_ms;
	execution->task_timeout_ms = timeouts.task_ms;
	execution->execution_expires_ns = opts->execution_expires_ns;
	/* To the millisecond; a delay of the first task shortens what is left for the work. */
	if (timeouts.whole_ms && !execution->execution_expires_ns)
		execution->execution_expires_ns =
			timers_after((now + ROUND_NS) / NS_PER_MS * NS_PER_MS, timeouts.whole_ms);
	if (timeouts.run_ms)
		execution->run_expires_ns = timers_after(now, timeouts.run_ms + opts->delay_ms);
	if (execution->execution_expires_ns &&
		(!timeouts.run_ms || execution->run_expires_ns > execution->execution_expires_ns))
		execution->run_expires_ns = execution->execution_expires_ns;
}

static void take_parent(
	struct execution *execution, const History__WorkflowExecutionStartedEventAttributes *in)
{
	struct server *server = execution->server;

	if (!in->parent_workflow_execution)
		return;
	state_set_text(server, &execution->parent_namespace_id, in->parent_workflow_namespace_id);
	state_set_text(
		server, &execution->parent_workflow_id, in->parent_workflow_execution->workflow_id);
	state_set_text(server, &execution->parent_run_id, in->parent_workflow_execution->run_id);
	execution->parent_initiated_id = in->parent_initiated_event_id;
	if (!in->root_workflow_execution)
		return;
	state_set_text(
		server, &execution->root_workflow_id, in->root_workflow_execution->workflow_id);
	state_set_text(server, &execution->root_run_id, in->root_workflow_execution->run_id);
}

static void take(struct execution *execution, const struct start_opts *opts)
{
	struct server *server = execution->server;
	History__WorkflowExecutionStartedEventAttributes *in = opts->attributes;

	state_set_text(server, &execution->first_run_id,
		opts->first_run_id ? opts->first_run_id : execution->run_id);
	state_set_text(server, &execution->type, in->workflow_type->name);
	state_set_text(server, &execution->task_queue, in->task_queue->name);
	state_set_text(server, &execution->create_request_id, opts->request_id);
	state_set_text(server, &execution->cron, in->cron_schedule);
	in->memo = start_without_nulls(&server->scratch, &common__memo__descriptor, in->memo);
	in->search_attributes = start_without_nulls(
		&server->scratch, &common__search_attributes__descriptor, in->search_attributes);
	state_set_bytes(server, &execution->memo, in->memo);
	if (in->search_attributes)
		attributes_merge(execution, in->search_attributes);
	state_set_bytes(server, &execution->user_metadata, opts->extras.user_metadata);
	state_set_bytes(server, &execution->priority, in->priority);
	state_set_bytes(server, &execution->versioning_override, in->versioning_override);
	in->retry_policy = retry_defaults(&server->scratch, in->retry_policy);
	state_set_bytes(server, &execution->retry_policy, in->retry_policy);
	execution->attempt = in->attempt ? in->attempt : 1;
	execution->start_ns = server->now_ns;
	execution->execution_ns = timers_after(server->now_ns, opts->delay_ms);
	execution->status = ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
	take_parent(execution, in);
	take_timeouts(execution, opts);
	reset_points_take(execution, in);
}

/* A time-out of 0 stays as it was given: none, or none in so many words. */
static Google__Duration *effective(struct arena *arena, Google__Duration *given, int64_t ms)
{
	return ms ? proto_duration_new_ms(arena, ms) : given;
}

static void add_event(struct execution *execution, const struct start_opts *opts)
{
	struct arena *arena = &execution->server->scratch;
	History__WorkflowExecutionStartedEventAttributes *in = opts->attributes;

	in->workflow_id = execution->workflow_id;
	in->original_execution_run_id = execution->run_id;
	in->first_execution_run_id = execution->first_run_id;
	in->attempt = execution->attempt;
	in->workflow_execution_timeout =
		effective(arena, in->workflow_execution_timeout, execution->execution_timeout_ms);
	in->workflow_run_timeout =
		effective(arena, in->workflow_run_timeout, execution->run_timeout_ms);
	in->workflow_task_timeout = proto_duration_new_ms(arena, execution->task_timeout_ms);
	in->first_workflow_task_backoff = proto_duration_new_ms(arena, opts->delay_ms);
	in->workflow_execution_expiration_time = NULL;
	if (execution->execution_expires_ns)
		in->workflow_execution_expiration_time =
			proto_timestamp_new(arena, execution->execution_expires_ns);
	event_add_with(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, in,
		&opts->extras);
}

void start_arm(struct execution *execution)
{
	struct server *server = execution->server;

	if (execution->run_expires_ns && !timers_set(&server->timers, &execution->run_timer,
						 execution->run_expires_ns, execution_timed_out))
		server_no_memory(server);
	if (execution->backing_off && !timers_set(&server->timers, &execution->task_timer,
					      execution->first_task_due_ns, start_first_task_fired))
		server_no_memory(server);
}

void start_first_task_fired(struct timers_entry *timer)
{
	struct execution *execution =
		(struct execution *)(void *)((char *)timer -
					     offsetof(struct execution, task_timer));

	execution->backing_off = false;
	workflow_task_schedule(execution);
	transition_touch(execution);
	transition_durable(execution->server);
}

void start_end_backoff(struct execution *execution)
{
	if (!execution->backing_off)
		return;
	execution->backing_off = false;
	timers_stop(&execution->server->timers, &execution->task_timer);
}

void start_first_task(struct execution *execution, int64_t delay_ms)
{
	if (delay_ms <= 0) {
		workflow_task_schedule(execution);
		return;
	}
	execution->backing_off = true;
	execution->first_task_due_ns = timers_after(execution->server->now_ns, delay_ms);
	start_arm(execution);
}

struct execution *start_execution(struct server *server, const struct start_opts *opts)
{
	struct execution *execution = state_execution_new(server, opts->space, opts->workflow_id);

	if (!execution)
		return NULL;
	take(execution, opts);
	add_event(execution, opts);
	nexus_callbacks_add(execution, opts->request_id, opts->attributes->completion_callbacks,
		opts->attributes->n_completion_callbacks);
	start_arm(execution);
	transition_touch(execution);
	transition_durable(server);
	if (!opts->no_task)
		start_first_task(execution, opts->delay_ms);
	return execution;
}
