/*
 * event.c: the table of event types. A type that is not in it (a newer server's) is one whose
 * machine is not built, so that it fails its task with its number, unless the server marked it as
 * one that a worker may ignore.
 *
 * Pure functions; any thread.
 */
#include "engine/event.h"

#include "engine/machine.h"

#define ROW(NAME_, text_, flags_, machine_, event_) \
	[ENUMS__EVENT_TYPE__EVENT_TYPE_##NAME_] = { { text_, flags_, machine_, event_ }, \
		HISTORY__HISTORY_EVENT__ATTRIBUTES_##NAME_##_EVENT_ATTRIBUTES }

/* clang-format off */
static const struct {
	struct event_info info;
	History__HistoryEvent__AttributesCase attributes;
} table[] = {
	ROW(WORKFLOW_EXECUTION_STARTED, "WorkflowExecutionStarted", 0, MACHINE_NONE, 0),
	ROW(WORKFLOW_EXECUTION_COMPLETED, "WorkflowExecutionCompleted", EVENT_COMMAND | EVENT_FINAL, MACHINE_COMPLETE, TERMINAL_RECORDED),
	ROW(WORKFLOW_EXECUTION_FAILED, "WorkflowExecutionFailed", EVENT_COMMAND | EVENT_FINAL, MACHINE_FAIL, TERMINAL_RECORDED),
	ROW(WORKFLOW_EXECUTION_TIMED_OUT, "WorkflowExecutionTimedOut", EVENT_FINAL | EVENT_ENDS_TASK, MACHINE_NONE, 0),
	ROW(WORKFLOW_TASK_SCHEDULED, "WorkflowTaskScheduled", 0, MACHINE_WORKFLOW_TASK, WORKFLOW_TASK_SCHEDULED),
	ROW(WORKFLOW_TASK_STARTED, "WorkflowTaskStarted", 0, MACHINE_WORKFLOW_TASK, WORKFLOW_TASK_STARTED),
	ROW(WORKFLOW_TASK_COMPLETED, "WorkflowTaskCompleted", 0, MACHINE_WORKFLOW_TASK, WORKFLOW_TASK_COMPLETED),
	ROW(WORKFLOW_TASK_TIMED_OUT, "WorkflowTaskTimedOut", EVENT_ENDS_TASK, MACHINE_WORKFLOW_TASK, WORKFLOW_TASK_TIMED_OUT),
	ROW(WORKFLOW_TASK_FAILED, "WorkflowTaskFailed", EVENT_ENDS_TASK, MACHINE_WORKFLOW_TASK, WORKFLOW_TASK_FAILED),
	ROW(ACTIVITY_TASK_SCHEDULED, "ActivityTaskScheduled", EVENT_COMMAND, MACHINE_ACTIVITY, ACTIVITY_TASK_SCHEDULED),
	ROW(ACTIVITY_TASK_STARTED, "ActivityTaskStarted", 0, MACHINE_ACTIVITY, ACTIVITY_TASK_STARTED),
	ROW(ACTIVITY_TASK_COMPLETED, "ActivityTaskCompleted", 0, MACHINE_ACTIVITY, ACTIVITY_TASK_COMPLETED),
	ROW(ACTIVITY_TASK_FAILED, "ActivityTaskFailed", 0, MACHINE_ACTIVITY, ACTIVITY_TASK_FAILED),
	ROW(ACTIVITY_TASK_TIMED_OUT, "ActivityTaskTimedOut", 0, MACHINE_ACTIVITY, ACTIVITY_TASK_TIMED_OUT),
	ROW(ACTIVITY_TASK_CANCEL_REQUESTED, "ActivityTaskCancelRequested", EVENT_COMMAND, MACHINE_ACTIVITY, ACTIVITY_TASK_CANCEL_REQUESTED),
	ROW(ACTIVITY_TASK_CANCELED, "ActivityTaskCanceled", 0, MACHINE_ACTIVITY, ACTIVITY_TASK_CANCELED),
	ROW(TIMER_STARTED, "TimerStarted", EVENT_COMMAND, MACHINE_TIMER, TIMER_STARTED),
	ROW(TIMER_FIRED, "TimerFired", 0, MACHINE_TIMER, TIMER_FIRED),
	ROW(TIMER_CANCELED, "TimerCanceled", EVENT_COMMAND, MACHINE_TIMER, TIMER_CANCELED),
	ROW(WORKFLOW_EXECUTION_CANCEL_REQUESTED, "WorkflowExecutionCancelRequested", 0, MACHINE_NONE, 0),
	ROW(WORKFLOW_EXECUTION_CANCELED, "WorkflowExecutionCanceled", EVENT_COMMAND | EVENT_FINAL | EVENT_ENDS_TASK, MACHINE_CANCEL, TERMINAL_RECORDED),
	ROW(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, "RequestCancelExternalWorkflowExecutionInitiated", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, "RequestCancelExternalWorkflowExecutionFailed", 0, MACHINE_NOT_BUILT, 0),
	ROW(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, "ExternalWorkflowExecutionCancelRequested", 0, MACHINE_NOT_BUILT, 0),
	ROW(MARKER_RECORDED, "MarkerRecorded", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_SIGNALED, "WorkflowExecutionSignaled", 0, MACHINE_NONE, 0),
	ROW(WORKFLOW_EXECUTION_TERMINATED, "WorkflowExecutionTerminated", EVENT_FINAL | EVENT_ENDS_TASK, MACHINE_NONE, 0),
	ROW(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, "WorkflowExecutionContinuedAsNew", EVENT_COMMAND | EVENT_FINAL, MACHINE_CONTINUE_AS_NEW, TERMINAL_RECORDED),
	ROW(START_CHILD_WORKFLOW_EXECUTION_INITIATED, "StartChildWorkflowExecutionInitiated", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(START_CHILD_WORKFLOW_EXECUTION_FAILED, "StartChildWorkflowExecutionFailed", 0, MACHINE_NOT_BUILT, 0),
	ROW(CHILD_WORKFLOW_EXECUTION_STARTED, "ChildWorkflowExecutionStarted", 0, MACHINE_NOT_BUILT, 0),
	ROW(CHILD_WORKFLOW_EXECUTION_COMPLETED, "ChildWorkflowExecutionCompleted", 0, MACHINE_NOT_BUILT, 0),
	ROW(CHILD_WORKFLOW_EXECUTION_FAILED, "ChildWorkflowExecutionFailed", 0, MACHINE_NOT_BUILT, 0),
	ROW(CHILD_WORKFLOW_EXECUTION_CANCELED, "ChildWorkflowExecutionCanceled", 0, MACHINE_NOT_BUILT, 0),
	ROW(CHILD_WORKFLOW_EXECUTION_TIMED_OUT, "ChildWorkflowExecutionTimedOut", 0, MACHINE_NOT_BUILT, 0),
	ROW(CHILD_WORKFLOW_EXECUTION_TERMINATED, "ChildWorkflowExecutionTerminated", 0, MACHINE_NOT_BUILT, 0),
	ROW(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, "SignalExternalWorkflowExecutionInitiated", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, "SignalExternalWorkflowExecutionFailed", 0, MACHINE_NOT_BUILT, 0),
	ROW(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, "ExternalWorkflowExecutionSignaled", 0, MACHINE_NOT_BUILT, 0),
	ROW(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, "UpsertWorkflowSearchAttributes", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_UPDATE_ACCEPTED, "WorkflowExecutionUpdateAccepted", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_UPDATE_REJECTED, "WorkflowExecutionUpdateRejected", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_UPDATE_COMPLETED, "WorkflowExecutionUpdateCompleted", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY, "WorkflowPropertiesModifiedExternally", 0, MACHINE_NOT_BUILT, 0),
	ROW(ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY, "ActivityPropertiesModifiedExternally", 0, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_PROPERTIES_MODIFIED, "WorkflowPropertiesModified", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_UPDATE_ADMITTED, "WorkflowExecutionUpdateAdmitted", 0, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_SCHEDULED, "NexusOperationScheduled", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_STARTED, "NexusOperationStarted", 0, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_COMPLETED, "NexusOperationCompleted", 0, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_FAILED, "NexusOperationFailed", 0, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_CANCELED, "NexusOperationCanceled", 0, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_TIMED_OUT, "NexusOperationTimedOut", 0, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_CANCEL_REQUESTED, "NexusOperationCancelRequested", EVENT_COMMAND, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_OPTIONS_UPDATED, "WorkflowExecutionOptionsUpdated", EVENT_IGNORABLE, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED, "NexusOperationCancelRequestCompleted", 0, MACHINE_NOT_BUILT, 0),
	ROW(NEXUS_OPERATION_CANCEL_REQUEST_FAILED, "NexusOperationCancelRequestFailed", 0, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_PAUSED, "WorkflowExecutionPaused", EVENT_IGNORABLE, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_UNPAUSED, "WorkflowExecutionUnpaused", EVENT_IGNORABLE, MACHINE_NOT_BUILT, 0),
	ROW(WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED, "WorkflowExecutionTimeSkippingTransitioned", EVENT_IGNORABLE, MACHINE_NOT_BUILT, 0),
};
/* clang-format on */

static const struct event_info unknown = { "Unknown", 0, MACHINE_NOT_BUILT, 0 };

bool event_is_known(const History__HistoryEvent *event)
{
	size_t type = (size_t)event->event_type;

	return type < sizeof(table) / sizeof(table[0]) && table[type].info.name;
}

const struct event_info *event_info(const History__HistoryEvent *event)
{
	return event_is_known(event) ? &table[event->event_type].info : &unknown;
}

bool event_has_attributes(const History__HistoryEvent *event)
{
	/* All members of the union are pointers. */
	return event_is_known(event) &&
	       event->attributes_case == table[event->event_type].attributes &&
	       event->workflow_execution_started_event_attributes;
}

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
