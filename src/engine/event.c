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
 *
 * Not built are, as in the core SDK: properties that were modified externally, which fail the task
 * even where a worker might ignore them, since a workflow might have read what they changed; and
 * what the server always lets workers ignore (changed options, pauses, skipped time).
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
	ROW(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
		EVENT_COMMAND, CANCEL_EXTERNAL, CANCEL_EXTERNAL_INITIATED),
	ROW(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
		0, CANCEL_EXTERNAL, CANCEL_EXTERNAL_FAILED),
	ROW(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
		0, CANCEL_EXTERNAL, CANCEL_EXTERNAL_DELIVERED),
	ROW(MARKER_RECORDED, COMMAND_AHEAD, PATCH, PATCH_RECORDED),
	ROW(WORKFLOW_EXECUTION_SIGNALED, 0, NONE, 0),
	ROW(WORKFLOW_EXECUTION_TERMINATED, EVENT_FINAL | EVENT_ENDS_TASK, NONE, 0),
	ROW(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, ENDS_RUN, CONTINUE_AS_NEW, TERMINAL_RECORDED),
	ROW(START_CHILD_WORKFLOW_EXECUTION_INITIATED, EVENT_COMMAND, CHILD, CHILD_INITIATED),
	ROW(START_CHILD_WORKFLOW_EXECUTION_FAILED, 0, CHILD, CHILD_NOT_STARTED),
	ROW(CHILD_WORKFLOW_EXECUTION_STARTED, 0, CHILD, CHILD_STARTED),
	ROW(CHILD_WORKFLOW_EXECUTION_COMPLETED, 0, CHILD, CHILD_COMPLETED),
	ROW(CHILD_WORKFLOW_EXECUTION_FAILED, 0, CHILD, CHILD_FAILED),
	ROW(CHILD_WORKFLOW_EXECUTION_CANCELED, 0, CHILD, CHILD_CANCELED),
	ROW(CHILD_WORKFLOW_EXECUTION_TIMED_OUT, 0, CHILD, CHILD_TIMED_OUT),
	ROW(CHILD_WORKFLOW_EXECUTION_TERMINATED, 0, CHILD, CHILD_TERMINATED),
	ROW(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
		EVENT_COMMAND, SIGNAL_EXTERNAL, SIGNAL_EXTERNAL_INITIATED),
	ROW(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, 0, SIGNAL_EXTERNAL, SIGNAL_EXTERNAL_FAILED),
	ROW(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, 0, SIGNAL_EXTERNAL, SIGNAL_EXTERNAL_DELIVERED),
	ROW(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, EVENT_COMMAND, UPSERT, UPSERT_RECORDED),
	ROW(WORKFLOW_EXECUTION_UPDATE_ACCEPTED, COMMAND_AHEAD, UPDATE, UPDATE_WAS_ACCEPTED),
	ROW(WORKFLOW_EXECUTION_UPDATE_REJECTED, EVENT_COMMAND, UPDATE, UPDATE_WAS_REJECTED),
	ROW(WORKFLOW_EXECUTION_UPDATE_COMPLETED, EVENT_COMMAND, UPDATE, UPDATE_WAS_COMPLETED),
	NOT_BUILT(WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY, 0),
	NOT_BUILT(ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY, 0),
	ROW(WORKFLOW_PROPERTIES_MODIFIED, EVENT_COMMAND, PROPERTIES, PROPERTIES_RECORDED),
	ROW(WORKFLOW_EXECUTION_UPDATE_ADMITTED, 0, NONE, 0),
	ROW(NEXUS_OPERATION_SCHEDULED, EVENT_COMMAND, NEXUS, NEXUS_SCHEDULED),
	ROW(NEXUS_OPERATION_STARTED, 0, NEXUS, NEXUS_STARTED),
	ROW(NEXUS_OPERATION_COMPLETED, 0, NEXUS, NEXUS_COMPLETED),
	ROW(NEXUS_OPERATION_FAILED, 0, NEXUS, NEXUS_FAILED),
	ROW(NEXUS_OPERATION_CANCELED, 0, NEXUS, NEXUS_CANCELED),
	ROW(NEXUS_OPERATION_TIMED_OUT, 0, NEXUS, NEXUS_TIMED_OUT),
	ROW(NEXUS_OPERATION_CANCEL_REQUESTED, EVENT_COMMAND, NEXUS, NEXUS_CANCEL_REQUESTED),
	NOT_BUILT(WORKFLOW_EXECUTION_OPTIONS_UPDATED, EVENT_IGNORABLE),
	ROW(NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED,
		EVENT_MAY_BE_LATE, NEXUS, NEXUS_REQUEST_COMPLETED),
	ROW(NEXUS_OPERATION_CANCEL_REQUEST_FAILED, EVENT_MAY_BE_LATE, NEXUS, NEXUS_REQUEST_FAILED),
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

/* Of children, and of signals and cancellations to other workflows. */
static int64_t initiated_id(const History__HistoryEvent *event)
{
#define CASE(NAME_, member_) \
	case ENUMS__EVENT_TYPE__EVENT_TYPE_##NAME_: \
		return event->member_##_event_attributes->initiated_event_id
	switch (event->event_type) {
		CASE(CHILD_WORKFLOW_EXECUTION_STARTED, child_workflow_execution_started);
		CASE(CHILD_WORKFLOW_EXECUTION_COMPLETED, child_workflow_execution_completed);
		CASE(CHILD_WORKFLOW_EXECUTION_FAILED, child_workflow_execution_failed);
		CASE(CHILD_WORKFLOW_EXECUTION_CANCELED, child_workflow_execution_canceled);
		CASE(CHILD_WORKFLOW_EXECUTION_TIMED_OUT, child_workflow_execution_timed_out);
		CASE(CHILD_WORKFLOW_EXECUTION_TERMINATED, child_workflow_execution_terminated);
		CASE(START_CHILD_WORKFLOW_EXECUTION_FAILED, start_child_workflow_execution_failed);
		CASE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
			signal_external_workflow_execution_failed);
		CASE(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, external_workflow_execution_signaled);
		CASE(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
			external_workflow_execution_cancel_requested);
		CASE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
			request_cancel_external_workflow_execution_failed);
	default:
		return 0;
	}
#undef CASE
}

static int64_t nexus_scheduled_id(const History__HistoryEvent *event)
{
#define CASE(NAME_, member_) \
	case ENUMS__EVENT_TYPE__EVENT_TYPE_##NAME_: \
		return event->member_##_event_attributes->scheduled_event_id
	switch (event->event_type) {
		CASE(NEXUS_OPERATION_STARTED, nexus_operation_started);
		CASE(NEXUS_OPERATION_COMPLETED, nexus_operation_completed);
		CASE(NEXUS_OPERATION_FAILED, nexus_operation_failed);
		CASE(NEXUS_OPERATION_CANCELED, nexus_operation_canceled);
		CASE(NEXUS_OPERATION_TIMED_OUT, nexus_operation_timed_out);
		CASE(NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED,
			nexus_operation_cancel_request_completed);
		CASE(NEXUS_OPERATION_CANCEL_REQUEST_FAILED, nexus_operation_cancel_request_failed);
	default:
		return 0;
	}
#undef CASE
}

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
		return event_info(event)->machine == MACHINE_NEXUS ? nexus_scheduled_id(event)
								   : initiated_id(event);
	}
}
