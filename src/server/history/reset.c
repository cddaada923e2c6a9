/*
 * reset.c: a run goes on from an earlier workflow task, as a new run:
 *
 *   events 1 .. n   copied from the base run, as they are; the state is rebuilt from them
 *   n + 1           the workflow task that was pending there fails (it is started first if it
 *                   was not), which names both runs
 *   then            what came to the base run from outside after that point (signals, options),
 *                   and to those that continued it, unless it is left out
 *   at last         a workflow task
 *
 * The run that is current then ends, if it has not: terminated, by "history-resetter".
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/child.h"
#include "server/history/update.h"
#include "server/nexus/nexus.h"

#define EVENT(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_##name_
#define CHUNK        256

/* An encoded History that event_range made, in one piece. */
static struct bytes bytes_of(const History__History *history, struct arena *arena)
{
	struct bytes out = { 0 };

	if (!history || proto_encode(arena, history, 0, &out, NULL) != TEMPORAL_OK)
		return (struct bytes){ 0 };
	return out;
}

/* One chunk of events: copied, and applied. Where the next one begins; 0: memory is out. */
static int64_t copy_chunk(
	const struct execution *base, struct execution *run, int64_t first, int64_t end)
{
	struct server *server = run->server;
	struct arena arena;
	struct bytes data;

	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	data = bytes_of(event_range(base, first, &end, CHUNK, &arena), &arena);
	const History__History *history =
		data.len ? proto_decode(&arena, &history__history__descriptor, data.ptr, data.len,
				   NULL, NULL)
			 : NULL;
	if (!history || !event_restore(run, first, data.ptr, data.len)) {
		server_no_memory(server);
		end = 0;
	} else {
		transition_record_bytes(server,
			(struct entity_key){ BATCH_EVENTS, run->number, first }, data.ptr,
			data.len);
		run->next_event_id = end;
		run->history_size += (int64_t)data.len;
		for (size_t i = 0; i < history->n_events; i++)
			rebuild_apply(run, history->events[i]);
	}
	arena_finish(&arena);
	return end;
}

static int64_t expiry(const struct execution *run, int64_t timeout_ms)
{
	return timeout_ms ? timers_after(run->server->now_ns, timeout_ms) : 0;
}

/* What a run is started with, as the base run was; its time begins now. */
static void take_start(const struct execution *base, struct execution *run,
	const History__WorkflowExecutionStartedEventAttributes *started)
{
	struct server *server = run->server;

	state_set_text(server, &run->first_run_id, base->first_run_id);
	state_set_text(server, &run->type, base->type);
	state_set_text(server, &run->task_queue, base->task_queue);
	state_set_text(server, &run->create_request_id, base->create_request_id);
	state_set_text(server, &run->cron, base->cron);
	state_set_bytes(server, &run->memo, started->memo);
	state_set_bytes(server, &run->search_attributes, started->search_attributes);
	state_set_bytes(server, &run->priority, started->priority);
	if (!record_set_bytes(
		    &run->user_metadata, base->user_metadata.ptr, base->user_metadata.len) ||
		!record_set_bytes(
			&run->retry_policy, base->retry_policy.ptr, base->retry_policy.len))
		server_no_memory(server);
	run->attempt = base->attempt;
	run->status = ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
	run->start_ns = run->execution_ns = server->now_ns;
	run->is_reset = true;
	run->execution_timeout_ms = base->execution_timeout_ms;
	run->run_timeout_ms = base->run_timeout_ms;
	run->task_timeout_ms = base->task_timeout_ms;
	run->execution_expires_ns = expiry(run, base->execution_timeout_ms);
	run->run_expires_ns = expiry(run, base->run_timeout_ms);
	if (run->execution_expires_ns &&
		(!run->run_expires_ns || run->run_expires_ns > run->execution_expires_ns))
		run->run_expires_ns = run->execution_expires_ns;
	state_set_text(server, &run->parent_namespace_id, base->parent_namespace_id);
	state_set_text(server, &run->parent_workflow_id, base->parent_workflow_id);
	state_set_text(server, &run->parent_run_id, base->parent_run_id);
	run->parent_initiated_id = base->parent_initiated_id;
	state_set_text(server, &run->root_workflow_id, base->root_workflow_id);
	state_set_text(server, &run->root_run_id, base->root_run_id);
	reset_points_take(run, started);
}

/* The pending workflow task ends here. */
static void fail_task(const struct execution *base, struct execution *run, const char *reason)
{
	History__WorkflowTaskStartedEventAttributes started =
		HISTORY__WORKFLOW_TASK_STARTED_EVENT_ATTRIBUTES__INIT;
	History__WorkflowTaskFailedEventAttributes failed =
		HISTORY__WORKFLOW_TASK_FAILED_EVENT_ATTRIBUTES__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ResetWorkflowFailureInfo info = FAILURE__RESET_WORKFLOW_FAILURE_INFO__INIT;

	if (!run->task_started_id) {
		started.scheduled_event_id = run->task_scheduled_id;
		started.identity = "history-service";
		started.request_id = "emptyUuid";
		run->task_started_id = event_add(run, EVENT(WORKFLOW_TASK_STARTED), &started);
	}
	failure.message = reason;
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_RESET_WORKFLOW_FAILURE_INFO;
	failure.reset_workflow_failure_info = &info;
	failed.scheduled_event_id = run->task_scheduled_id;
	failed.started_event_id = run->task_started_id;
	failed.cause = ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW;
	failed.failure = &failure;
	failed.identity = "history-service";
	failed.base_run_id = base->run_id;
	failed.new_run_id = run->run_id;
	event_add(run, EVENT(WORKFLOW_TASK_FAILED), &failed);
	run->task_scheduled_id = run->task_started_id = 0;
	run->task_started_ns = 0;
	run->task_attempt = 1;
}

/* ---- What came later ---- */

static void reapply(
	struct execution *run, History__HistoryEvent *event, const struct reset_opts *opts)
{
	struct event_extras extras = { .links = event->links, .n_links = event->n_links };

	child_reapply(run, event);
	switch (event->event_type) {
	case EVENT(WORKFLOW_EXECUTION_SIGNALED):
		if (opts->without_signals)
			break;
		execution_signal_seen(
			run, event->workflow_execution_signaled_event_attributes->request_id);
		execution_signal(run, event->workflow_execution_signaled_event_attributes, &extras);
		break;
	case EVENT(WORKFLOW_EXECUTION_UPDATE_ADMITTED):
	case EVENT(WORKFLOW_EXECUTION_UPDATE_ACCEPTED):
		if (!opts->without_updates)
			update_reapply(run, event);
		break;
	case EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED):
		execution_take_options(
			run, event->workflow_execution_options_updated_event_attributes);
		event->event_id = event_add_with(run, event->event_type,
			event->workflow_execution_options_updated_event_attributes, &extras);
		nexus_rebuild(run, event);
		break;
	default:
		nexus_reapply(run, event, &extras);
	}
}

/* The events of a run from `first` on. The run that continued it, or NULL. */
static struct execution *reapply_run(struct execution *run, const struct execution *from,
	int64_t first, const struct reset_opts *opts)
{
	struct execution *next = NULL;
	struct temporal_error err;
	struct arena arena;

	if (!archive_history(from, &err)) {
		server_fail(run->server, "%s", err.message);
		return NULL;
	}
	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	for (int64_t id = first; id < from->next_event_id; id++) {
		History__HistoryEvent *event = event_read(from, id, &arena);

		if (!event)
			continue;
		reapply(run, event, opts);
		if (event->event_type == EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW))
			next = state_execution(run->server, run->space, run->workflow_id,
				event->workflow_execution_continued_as_new_event_attributes
					->new_execution_run_id);
		arena_reset(&arena);
	}
	arena_finish(&arena);
	return next;
}

struct execution *reset_run(
	struct execution *base, struct execution *current, const struct reset_opts *opts)
{
	struct server *server = base->server;
	const History__WorkflowExecutionStartedEventAttributes *started;
	struct execution *run;

	if (current && state_running(current))
		execution_terminate(current, opts->reason, NULL, "history-resetter", NULL);
	started = start_attributes(base);
	run = started ? state_execution_new(server, base->space, base->workflow_id) : NULL;
	if (!run)
		return NULL;
	state_set_text(server, &run->reset_request_id, opts->request_id);
	state_set_text(server, &base->reset_run_id, run->run_id);
	transition_touch(base);
	take_start(base, run, started);
	for (int64_t at = 1; at && at < opts->finish_id;)
		at = copy_chunk(base, run, at, opts->finish_id);
	fail_task(base, run, opts->reason);
	run->completing = true; /* no task before everything is there */
	for (struct execution *from = base; from && from != run && !opts->without_all;)
		from = reapply_run(run, from, from == base ? opts->finish_id : 1, opts);
	run->completing = false;
	rebuild_arm(run);
	start_arm(run);
	transition_touch(run);
	transition_durable(server);
	return run;
}
