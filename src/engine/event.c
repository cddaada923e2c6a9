/*
 * event.c: the table of event types. A type that is not in it (a newer server's) is one whose
 * machine is not built, so that it fails its task with its number, unless the server marked it as
 * one that a worker may ignore.
 *
 * Pure functions; any thread.
 *
 * The table decides all that depends on the type alone, so that no other file has a list of types
 * to keep complete. It also ties each type to its member of the union of attributes: a message
 * whose type and attributes do not agree, as only a damaged or hostile one can have, is seen in one
 * place.
 */
#include "engine/event.h"

#include "engine/machine.h"

/* Ends by the workflow's own command; the ends by other hands are EVENT_FINAL alone. */
#define ENDS_RUN      (EVENT_COMMAND | EVENT_FINAL)
#define COMMAND_AHEAD (EVENT_COMMAND | EVENT_AHEAD)

#define ROW(NAME_, flags_, KIND_, event_) \
	[ENUMS__EVENT_TYPE__EVENT_TYPE_##NAME_] = { { flags_, MACHINE_##KIND_, event_ }, \
		HISTORY__HISTORY_EVENT__ATTRIBUTES_##NAME_##_EVENT_ATTRIBUTES }
#define NOT_BUILT(NAME_, flags_) ROW(NAME_, flags_, NOT_BUILT, 0)

/* clang-format off */
const struct event_row event_table[EVENT_TYPES] = {
	ROW(WORKFLOW_EXECUTION_STARTED, 0, NONE, 0),
	ROW(WORKFLOW_EXECUTION_COMPLETED, ENDS_RUN, COMPLETE, TERMINAL_RECORDED),
	ROW(WORKFLOW_EXECUTION_FAILED, ENDS_RUN, FAIL, TERMINAL_RECORDED),
	ROW(WORKFLOW_EXECUTION_TIMED_OUT, EVENT_FINAL | EVENT_ENDS_TASK, NONE, 0),
	ROW(WORKFLOW_TASK_SCHEDULED, 0, WORKFLOW_TASK, WORKFLOW_TASK_SCHEDULED),
	ROW(WORKFLOW_TASK_STARTED, 0, WORKFLOW_TASK, WORKFLOW_TASK_STARTED),
	ROW(WORKFLOW_TASK_COMPLETED, 0, WORKFLOW_TASK, WORKFLOW_TASK_COMPLETED),
	ROW(WORKFLOW_TASK_TIMED_OUT, EVENT_ENDS_TASK, WORKFLOW_TASK, WORKFLOW_TASK_TIMED_OUT),
	ROW(WORKFLOW_TASK_FAILED, EVENT_ENDS_TASK, WORKFLOW_TASK, WORKFLOW_TASK_FAILED),
	ROW(ACTIVITY_TASK_SCHEDULED, EVENT_COMMAND, ACTIVITY, ACTIVITY_SCHEDULED),
	ROW(ACTIVITY_TASK_STARTED, 0, ACTIVITY, ACTIVITY_STARTED),
	ROW(ACTIVITY_TASK_COMPLETED, 0, ACTIVITY, ACTIVITY_COMPLETED),
	ROW(ACTIVITY_TASK_FAILED, 0, ACTIVITY, ACTIVITY_FAILED),
	ROW(ACTIVITY_TASK_TIMED_OUT, 0, ACTIVITY, ACTIVITY_TIMED_OUT),
	ROW(ACTIVITY_TASK_CANCEL_REQUESTED, EVENT_COMMAND, ACTIVITY, ACTIVITY_CANCEL_REQUESTED),
	ROW(ACTIVITY_TASK_CANCELED, 0, ACTIVITY, ACTIVITY_CANCELED),
	ROW(TIMER_STARTED, EVENT_COMMAND, TIMER, TIMER_STARTED),
	ROW(TIMER_FIRED, 0, TIMER, TIMER_FIRED),
	ROW(TIMER_CANCELED, EVENT_COMMAND, TIMER, TIMER_CANCELED),
	ROW(WORKFLOW_EXECUTION_CANCEL_REQUESTED, 0, NONE, 0),
	ROW(WORKFLOW_EXECUTION_CANCELED, ENDS_RUN | EVENT_ENDS_TASK, CANCEL, TERMINAL_RECORDED),
	NOT_BUILT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, EVENT_COMMAND),
	NOT_BUILT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, 0),
	NOT_BUILT(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, 0),
	NOT_BUILT(MARKER_RECORDED, EVENT_COMMAND),
	ROW(WORKFLOW_EXECUTION_SIGNALED, 0, NONE, 0),
	ROW(WORKFLOW_EXECUTION_TERMINATED, EVENT_FINAL | EVENT_ENDS_TASK, NONE, 0),
	ROW(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, ENDS_RUN, CONTINUE_AS_NEW, TERMINAL_RECORDED),
	NOT_BUILT(START_CHILD_WORKFLOW_EXECUTION_INITIATED, EVENT_COMMAND),
	NOT_BUILT(START_CHILD_WORKFLOW_EXECUTION_FAILED, 0),
	NOT_BUILT(CHILD_WORKFLOW_EXECUTION_STARTED, 0),
	NOT_BUILT(CHILD_WORKFLOW_EXECUTION_COMPLETED, 0),
	NOT_BUILT(CHILD_WORKFLOW_EXECUTION_FAILED, 0),
	NOT_BUILT(CHILD_WORKFLOW_EXECUTION_CANCELED, 0),
	NOT_BUILT(CHILD_WORKFLOW_EXECUTION_TIMED_OUT, 0),
	NOT_BUILT(CHILD_WORKFLOW_EXECUTION_TERMINATED, 0),
	NOT_BUILT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, EVENT_COMMAND),
	NOT_BUILT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, 0),
	NOT_BUILT(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, 0),
	NOT_BUILT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, EVENT_COMMAND),
	ROW(WORKFLOW_EXECUTION_UPDATE_ACCEPTED, COMMAND_AHEAD, UPDATE, UPDATE_WAS_ACCEPTED),
	NOT_BUILT(WORKFLOW_EXECUTION_UPDATE_REJECTED, EVENT_COMMAND),
	ROW(WORKFLOW_EXECUTION_UPDATE_COMPLETED, EVENT_COMMAND, UPDATE, UPDATE_WAS_COMPLETED),
	NOT_BUILT(WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY, 0),
	NOT_BUILT(ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY, 0),
	NOT_BUILT(WORKFLOW_PROPERTIES_MODIFIED, EVENT_COMMAND),
	ROW(WORKFLOW_EXECUTION_UPDATE_ADMITTED, 0, NONE, 0),
	NOT_BUILT(NEXUS_OPERATION_SCHEDULED, EVENT_COMMAND),
	NOT_BUILT(NEXUS_OPERATION_STARTED, 0),
	NOT_BUILT(NEXUS_OPERATION_COMPLETED, 0),
	NOT_BUILT(NEXUS_OPERATION_FAILED, 0),
	NOT_BUILT(NEXUS_OPERATION_CANCELED, 0),
	NOT_BUILT(NEXUS_OPERATION_TIMED_OUT, 0),
	NOT_BUILT(NEXUS_OPERATION_CANCEL_REQUESTED, EVENT_COMMAND),
	NOT_BUILT(WORKFLOW_EXECUTION_OPTIONS_UPDATED, EVENT_IGNORABLE),
	NOT_BUILT(NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED, 0),
	NOT_BUILT(NEXUS_OPERATION_CANCEL_REQUEST_FAILED, 0),
	NOT_BUILT(WORKFLOW_EXECUTION_PAUSED, EVENT_IGNORABLE),
	NOT_BUILT(WORKFLOW_EXECUTION_UNPAUSED, EVENT_IGNORABLE),
	NOT_BUILT(WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED, EVENT_IGNORABLE),
};
/* clang-format on */

/*
 * No machine for it: an error when it comes to be applied, and not before, so that a history that
 * ends earlier still replays.
 */
const struct event_info event_unknown = { 0, MACHINE_NOT_BUILT, 0 };

/*
 * Only types that have a machine here need a row; the caller has seen that the attributes are
 * there.
 */
int64_t event_initial_id(const History__HistoryEvent *event)
{
	switch (event->event_type) {
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED:
		return event->workflow_task_started_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		return event->workflow_task_completed_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
		return event->workflow_task_timed_out_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_FAILED:
		return event->workflow_task_failed_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_STARTED:
		return event->activity_task_started_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return event->activity_task_completed_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return event->activity_task_failed_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return event->activity_task_timed_out_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return event->activity_task_canceled_event_attributes->scheduled_event_id;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_FIRED:
		return event->timer_fired_event_attributes->started_event_id;
	default:
		return 0;
	}
}

/* Out of range is clamped, not refused: a strange time is no reason to stop a run. */
static int64_t scaled(int64_t seconds, int64_t fraction, int64_t per_second)
{
	int64_t value;

	if (__builtin_mul_overflow(seconds, per_second, &value) ||
		__builtin_add_overflow(value, fraction, &value))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return value;
}

int64_t timestamp_ns(const Google__Timestamp *time)
{
	return time ? scaled(time->seconds, time->nanos, 1000000000) : 0;
}

int64_t duration_ms(const Google__Duration *duration)
{
	return duration ? scaled(duration->seconds, duration->nanos / 1000000, 1000) : 0;
}
