/*
 * rebuild.c: a run's state from its events, for a run that takes over the beginning of another
 * one's history (reset.c): what was pending there is pending in it.
 *
 * One row of the table an event type that changes the state; an event that is not in it changes
 * nothing that a run is asked for. What the events do not hold (attempts, heartbeats) begins anew.
 * Nothing is armed or queued here, and nothing is recorded: the caller does both at the end.
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/child.h"
#include "server/history/update.h"
#include "server/nexus/nexus.h"

#define EVENT(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_##name_

typedef void rebuild_handler(struct execution *execution, const History__HistoryEvent *event);

/* ---- The workflow task ---- */

static void task_scheduled(struct execution *execution, const History__HistoryEvent *event)
{
	const History__WorkflowTaskScheduledEventAttributes *in =
		event->workflow_task_scheduled_event_attributes;

	execution->task_scheduled_id = event->event_id;
	execution->task_started_id = 0;
	execution->task_attempt = in->attempt;
	execution->task_scheduled_ns = execution->task_original_scheduled_ns =
		proto_timestamp_ns_or(event->event_time, 0);
	execution->task_timeout_now_ms = proto_duration_ms_or(in->start_to_close_timeout, 0);
}

static void task_started(struct execution *execution, const History__HistoryEvent *event)
{
	execution->task_started_id = event->event_id;
	execution->task_started_ns = proto_timestamp_ns_or(event->event_time, 0);
}

static void task_ended(struct execution *execution, const History__HistoryEvent *event)
{
	if (event->event_type == EVENT(WORKFLOW_TASK_COMPLETED)) {
		execution->previous_started_id = execution->task_started_id;
		execution->last_completed_id = event->event_id;
		execution->task_attempt = 1;
		reset_point_add(execution, event->workflow_task_completed_event_attributes,
			proto_timestamp_ns_or(event->event_time, 0));
	}
	execution->task_scheduled_id = execution->task_started_id = 0;
	execution->task_started_ns = 0;
}

/* ---- Activities ---- */

static void activity_scheduled(struct execution *execution, const History__HistoryEvent *event)
{
	struct server *server = execution->server;
	const History__ActivityTaskScheduledEventAttributes *in =
		event->activity_task_scheduled_event_attributes;
	struct activity *activity = state_activity_new(execution);

	if (!activity)
		return;
	activity->scheduled_id = event->event_id;
	state_set_text(server, &activity->id, in->activity_id);
	state_set_text(server, &activity->type, in->activity_type->name);
	state_set_text(server, &activity->task_queue, in->task_queue->name);
	state_set_bytes(server, &activity->retry_policy, in->retry_policy);
	activity_set_priority(activity, in->priority);
	activity->schedule_to_close_ms = proto_duration_ms_or(in->schedule_to_close_timeout, 0);
	activity->schedule_to_start_ms = proto_duration_ms_or(in->schedule_to_start_timeout, 0);
	activity->start_to_close_ms = proto_duration_ms_or(in->start_to_close_timeout, 0);
	activity->heartbeat_ms = proto_duration_ms_or(in->heartbeat_timeout, 0);
	activity->attempt = 1;
	activity->state = ACTIVITY_SCHEDULED;
	/* It has all of its time once more. */
	activity->scheduled_ns = activity->attempt_scheduled_ns = server->now_ns;
}

static void activity_cancel_requested(
	struct execution *execution, const History__HistoryEvent *event)
{
	struct activity *activity = state_activity(execution,
		event->activity_task_cancel_requested_event_attributes->scheduled_event_id);

	if (activity)
		activity->cancel_requested_id = event->event_id;
}

static void activity_ended(struct execution *execution, int64_t scheduled_id)
{
	struct activity *activity = state_activity(execution, scheduled_id);

	if (activity)
		state_activity_free(activity);
}

static void activity_done(struct execution *execution, const History__HistoryEvent *event)
{
	activity_ended(
		execution, event->activity_task_completed_event_attributes->scheduled_event_id);
}

static void activity_broken(struct execution *execution, const History__HistoryEvent *event)
{
	activity_ended(execution, event->activity_task_failed_event_attributes->scheduled_event_id);
}

static void activity_expired(struct execution *execution, const History__HistoryEvent *event)
{
	activity_ended(
		execution, event->activity_task_timed_out_event_attributes->scheduled_event_id);
}

static void activity_given_up(struct execution *execution, const History__HistoryEvent *event)
{
	activity_ended(
		execution, event->activity_task_canceled_event_attributes->scheduled_event_id);
}

/* ---- Timers ---- */

static void timer_started(struct execution *execution, const History__HistoryEvent *event)
{
	const History__TimerStartedEventAttributes *in = event->timer_started_event_attributes;
	struct user_timer *timer = state_timer_new(execution);
	int64_t delay_ns = 0, from_ns = proto_timestamp_ns_or(event->event_time, 0);

	if (!timer)
		return;
	timer->started_id = event->event_id;
	state_set_text(execution->server, &timer->id, in->timer_id);
	if (!proto_duration_ns(in->start_to_fire_timeout, &delay_ns) ||
		delay_ns > INT64_MAX - from_ns)
		timer->due_ns = INT64_MAX;
	else
		timer->due_ns = from_ns + delay_ns;
}

static void timer_ended(struct execution *execution, const char *id)
{
	struct user_timer *timer = state_timer_by_id(execution, id);

	if (timer)
		state_timer_free(timer);
}

static void timer_fired(struct execution *execution, const History__HistoryEvent *event)
{
	timer_ended(execution, event->timer_fired_event_attributes->timer_id);
}

static void timer_canceled(struct execution *execution, const History__HistoryEvent *event)
{
	timer_ended(execution, event->timer_canceled_event_attributes->timer_id);
}

/* ---- The run itself ---- */

static void signaled(struct execution *execution, const History__HistoryEvent *event)
{
	execution->signals++;
	execution_signal_seen(
		execution, event->workflow_execution_signaled_event_attributes->request_id);
}

static void cancel_requested(struct execution *execution, const History__HistoryEvent *event)
{
	(void)event;
	execution->cancel_requested = true;
}

static void attributes_upserted(struct execution *execution, const History__HistoryEvent *event)
{
	properties_merge(execution, &execution->search_attributes,
		&common__search_attributes__descriptor,
		event->upsert_workflow_search_attributes_event_attributes->search_attributes);
}

static void properties_modified(struct execution *execution, const History__HistoryEvent *event)
{
	properties_merge(execution, &execution->memo, &common__memo__descriptor,
		event->workflow_properties_modified_event_attributes->upserted_memo);
}

static void options_updated(struct execution *execution, const History__HistoryEvent *event)
{
	execution_take_options(
		execution, event->workflow_execution_options_updated_event_attributes);
}

static const struct rebuild_row {
	Enums__EventType type;
	rebuild_handler *handle;
} rows[] = {
	{ EVENT(WORKFLOW_TASK_SCHEDULED), task_scheduled },
	{ EVENT(WORKFLOW_TASK_STARTED), task_started },
	{ EVENT(WORKFLOW_TASK_COMPLETED), task_ended },
	{ EVENT(WORKFLOW_TASK_FAILED), task_ended },
	{ EVENT(WORKFLOW_TASK_TIMED_OUT), task_ended },
	{ EVENT(ACTIVITY_TASK_SCHEDULED), activity_scheduled },
	{ EVENT(ACTIVITY_TASK_CANCEL_REQUESTED), activity_cancel_requested },
	{ EVENT(ACTIVITY_TASK_COMPLETED), activity_done },
	{ EVENT(ACTIVITY_TASK_FAILED), activity_broken },
	{ EVENT(ACTIVITY_TASK_TIMED_OUT), activity_expired },
	{ EVENT(ACTIVITY_TASK_CANCELED), activity_given_up },
	{ EVENT(START_CHILD_WORKFLOW_EXECUTION_INITIATED), child_rebuild },
	{ EVENT(START_CHILD_WORKFLOW_EXECUTION_FAILED), child_rebuild },
	{ EVENT(CHILD_WORKFLOW_EXECUTION_STARTED), child_rebuild },
	{ EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED), child_rebuild },
	{ EVENT(CHILD_WORKFLOW_EXECUTION_FAILED), child_rebuild },
	{ EVENT(CHILD_WORKFLOW_EXECUTION_CANCELED), child_rebuild },
	{ EVENT(CHILD_WORKFLOW_EXECUTION_TIMED_OUT), child_rebuild },
	{ EVENT(CHILD_WORKFLOW_EXECUTION_TERMINATED), child_rebuild },
	{ EVENT(TIMER_STARTED), timer_started },
	{ EVENT(TIMER_FIRED), timer_fired },
	{ EVENT(TIMER_CANCELED), timer_canceled },
	{ EVENT(WORKFLOW_EXECUTION_SIGNALED), signaled },
	{ EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED), cancel_requested },
	{ EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES), attributes_upserted },
	{ EVENT(WORKFLOW_PROPERTIES_MODIFIED), properties_modified },
	{ EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED), options_updated },
	{ EVENT(WORKFLOW_EXECUTION_UPDATE_ADMITTED), update_rebuild },
	{ EVENT(WORKFLOW_EXECUTION_UPDATE_ACCEPTED), update_rebuild },
	{ EVENT(WORKFLOW_EXECUTION_UPDATE_COMPLETED), update_rebuild },
};

void rebuild_apply(struct execution *execution, const History__HistoryEvent *event)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].type == event->event_type)
			rows[i].handle(execution, event);
	}
	nexus_rebuild(execution, event);
}

void rebuild_arm(struct execution *execution)
{
	struct server *server = execution->server;

	for (struct child *at = execution->children; at; at = at->next)
		child_record(at);
	for (struct activity *at = execution->activities; at; at = at->next) {
		transition_activity(at);
		activity_arm(at);
		activity_dispatch(at);
	}
	for (struct user_timer *at = execution->timers; at; at = at->next) {
		transition_record(server,
			(struct entity_key){ ENTITY_TIMER, execution->number, at->started_id },
			&state_timer_type, at);
		timer_arm(at);
	}
	nexus_rebuild_arm(execution);
}
