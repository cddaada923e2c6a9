/*
 * start.c: new runs: by a client, or as the next one of a chain (continue-as-new, retry). The first
 * event holds all that a run was started with; what the server needs often is copied out of it.
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/history.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

static void take_timeouts(struct execution *execution, const struct start_opts *opts)
{
	History__WorkflowExecutionStartedEventAttributes *in = opts->attributes;
	int64_t now = execution->server->now_ns, whole = 0, run = 0, task = 0;

	(void)!proto_duration_ms(in->workflow_execution_timeout, &whole);
	(void)!proto_duration_ms(in->workflow_run_timeout, &run);
	(void)!proto_duration_ms(in->workflow_task_timeout, &task);
	if (whole && (!run || run > whole))
		run = whole;
	if (!task)
		task = execution->server->config.task_timeout_ms;
	if (task > SERVER_TASK_TIMEOUT_MAX_MS)
		task = SERVER_TASK_TIMEOUT_MAX_MS;
	if (run && task > run)
		task = run;
	execution->execution_timeout_ms = whole;
	execution->run_timeout_ms = run;
	execution->task_timeout_ms = task;
	execution->execution_expires_ns = opts->execution_expires_ns;
	if (whole && !execution->execution_expires_ns)
		execution->execution_expires_ns = now + (whole + opts->delay_ms) * PROTO_NS_PER_MS;
	if (run)
		execution->run_expires_ns = now + (run + opts->delay_ms) * PROTO_NS_PER_MS;
	if (execution->execution_expires_ns &&
		(!run || execution->run_expires_ns > execution->execution_expires_ns))
		execution->run_expires_ns = execution->execution_expires_ns;
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
	state_set_bytes(server, &execution->memo, in->memo);
	if (in->search_attributes)
		attributes_merge(execution, in->search_attributes);
	state_set_bytes(server, &execution->user_metadata, opts->extras.user_metadata);
	state_set_bytes(server, &execution->priority, in->priority);
	in->retry_policy = retry_defaults(&server->scratch, in->retry_policy);
	state_set_bytes(server, &execution->retry_policy, in->retry_policy);
	execution->attempt = in->attempt ? in->attempt : 1;
	execution->start_ns = server->now_ns;
	execution->execution_ns = server->now_ns + opts->delay_ms * PROTO_NS_PER_MS;
	execution->status = ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
	take_timeouts(execution, opts);
	reset_points_take(execution, in);
}

static void add_event(struct execution *execution, const struct start_opts *opts)
{
	struct arena *arena = &execution->server->scratch;
	History__WorkflowExecutionStartedEventAttributes *in = opts->attributes;
	Common__WorkflowExecution root = COMMON__WORKFLOW_EXECUTION__INIT;

	in->workflow_id = execution->workflow_id;
	in->original_execution_run_id = execution->run_id;
	in->first_execution_run_id = execution->first_run_id;
	in->attempt = execution->attempt;
	in->workflow_execution_timeout =
		proto_duration_new_ms(arena, execution->execution_timeout_ms);
	in->workflow_run_timeout = proto_duration_new_ms(arena, execution->run_timeout_ms);
	in->workflow_task_timeout = proto_duration_new_ms(arena, execution->task_timeout_ms);
	in->first_workflow_task_backoff = proto_duration_new_ms(arena, opts->delay_ms);
	in->workflow_execution_expiration_time = NULL;
	if (execution->execution_expires_ns)
		in->workflow_execution_expiration_time =
			proto_timestamp_new(arena, execution->execution_expires_ns);
	if (!in->root_workflow_execution) {
		root.workflow_id = execution->workflow_id;
		root.run_id = execution->run_id;
		in->root_workflow_execution = &root;
	}
	event_add_with(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, in,
		&opts->extras);
	if (in->root_workflow_execution == &root)
		in->root_workflow_execution = NULL;
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

void start_first_task(struct execution *execution, int64_t delay_ms)
{
	if (delay_ms <= 0) {
		workflow_task_schedule(execution);
		return;
	}
	execution->backing_off = true;
	execution->first_task_due_ns = execution->server->now_ns + delay_ms * PROTO_NS_PER_MS;
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

/* ---- The next run of a chain ---- */

History__WorkflowExecutionStartedEventAttributes *start_attributes(struct execution *execution)
{
	struct arena *arena = &execution->server->scratch;
	History__HistoryEvent *event = event_read(execution, 1, arena);

	if (event)
		return event->workflow_execution_started_event_attributes;
	server_no_memory(execution->server);
	return NULL;
}

struct execution *start_next(struct execution *execution,
	History__WorkflowExecutionStartedEventAttributes *attributes, int64_t delay_ms)
{
	struct start_opts opts = {
		.space = execution->space,
		.workflow_id = execution->workflow_id,
		.attributes = attributes,
		.first_run_id = execution->first_run_id,
		.execution_expires_ns = execution->execution_expires_ns,
		.delay_ms = delay_ms,
	};
	char request_id[SERVER_UUID_SIZE];

	server_uuid(&execution->server->io, request_id);
	opts.request_id = request_id;
	attributes->continued_execution_run_id = execution->run_id;
	attributes->prev_auto_reset_points = reset_points_hand_on(execution);
	attributes->completion_callbacks = nexus_callbacks_of(
		execution, &execution->server->scratch, &attributes->n_completion_callbacks);
	if (execution->user_metadata.len)
		opts.extras.user_metadata = proto_decode(&execution->server->scratch,
			&sdk__user_metadata__descriptor, execution->user_metadata.ptr,
			execution->user_metadata.len, NULL, NULL);
	struct execution *next = start_execution(execution->server, &opts);
	if (next)
		state_set_text(execution->server, &execution->new_run_id, next->run_id);
	return next;
}

struct execution *start_retry(
	struct execution *execution, const Failure__Failure *failure, Enums__RetryState *state)
{
	struct server *server = execution->server;
	const Common__RetryPolicy *policy = NULL;
	History__WorkflowExecutionStartedEventAttributes *attributes;
	int64_t delay_ms;

	if (execution->retry_policy.len)
		policy = proto_decode(&server->scratch, &common__retry_policy__descriptor,
			execution->retry_policy.ptr, execution->retry_policy.len, NULL, NULL);
	delay_ms = retry_backoff_ms(policy, execution->attempt, server->now_ns,
		execution->execution_expires_ns, failure, state);
	if (delay_ms < 0)
		return NULL;
	attributes = start_attributes(execution);
	if (!attributes)
		return NULL;
	attributes->attempt = execution->attempt + 1;
	attributes->initiator = ENUMS__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_RETRY;
	attributes->continued_failure = (Failure__Failure *)(uintptr_t)failure;
	return start_next(execution, attributes, delay_ms);
}
