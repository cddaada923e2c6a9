/*
 * flush.c: buffered events name others that were buffered with them: an end its start. Loop's
 * thread.
 */
#include "server/history/flush.h"

#include "server/history/child.h"

#define TYPE(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_##name_

bool flush_comes_last(Enums__EventType type)
{
	switch (type) {
	case TYPE(ACTIVITY_TASK_COMPLETED):
	case TYPE(ACTIVITY_TASK_FAILED):
	case TYPE(ACTIVITY_TASK_TIMED_OUT):
	case TYPE(ACTIVITY_TASK_CANCELED):
	case TYPE(CHILD_WORKFLOW_EXECUTION_COMPLETED):
	case TYPE(CHILD_WORKFLOW_EXECUTION_FAILED):
	case TYPE(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
	case TYPE(CHILD_WORKFLOW_EXECUTION_CANCELED):
	case TYPE(CHILD_WORKFLOW_EXECUTION_TERMINATED):
	case TYPE(NEXUS_OPERATION_COMPLETED):
	case TYPE(NEXUS_OPERATION_FAILED):
	case TYPE(NEXUS_OPERATION_CANCELED):
	case TYPE(NEXUS_OPERATION_TIMED_OUT):
		return true;
	default:
		return false;
	}
}

/* Where an end says what it is the end of, and what started that. False: the event is no end. */
static bool end_of(History__HistoryEvent *event, int64_t *cause_id, int64_t **started_id)
{
#define END(attributes_, cause_) \
	*cause_id = event->attributes_##_event_attributes->cause_##_event_id; \
	*started_id = &event->attributes_##_event_attributes->started_event_id; \
	return true

	switch (event->event_type) {
	case TYPE(ACTIVITY_TASK_COMPLETED):
		END(activity_task_completed, scheduled);
	case TYPE(ACTIVITY_TASK_FAILED):
		END(activity_task_failed, scheduled);
	case TYPE(ACTIVITY_TASK_TIMED_OUT):
		END(activity_task_timed_out, scheduled);
	case TYPE(ACTIVITY_TASK_CANCELED):
		END(activity_task_canceled, scheduled);
	case TYPE(CHILD_WORKFLOW_EXECUTION_COMPLETED):
		END(child_workflow_execution_completed, initiated);
	case TYPE(CHILD_WORKFLOW_EXECUTION_FAILED):
		END(child_workflow_execution_failed, initiated);
	case TYPE(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
		END(child_workflow_execution_timed_out, initiated);
	case TYPE(CHILD_WORKFLOW_EXECUTION_CANCELED):
		END(child_workflow_execution_canceled, initiated);
	case TYPE(CHILD_WORKFLOW_EXECUTION_TERMINATED):
		END(child_workflow_execution_terminated, initiated);
	default:
		return false;
	}
#undef END
}

void flush_resolve(const struct flush *flush, History__HistoryEvent *event)
{
	int64_t cause_id, *started_id;

	if (!end_of(event, &cause_id, &started_id))
		return;
	for (size_t i = 0; i < flush->n_starts; i++) {
		if (flush->starts[i].cause_id == cause_id)
			*started_id = flush->starts[i].started_id;
	}
}

void flush_numbered(struct flush *flush, const History__HistoryEvent *event)
{
	struct flush_start *start = &flush->starts[flush->n_starts];
	int64_t id = event->event_id;

	switch (event->event_type) {
	case TYPE(ACTIVITY_TASK_STARTED):
		*start = (struct flush_start){
			event->activity_task_started_event_attributes->scheduled_event_id, id
		};
		flush->n_starts++;
		break;
	case TYPE(CHILD_WORKFLOW_EXECUTION_STARTED):
		*start = (struct flush_start){
			event->child_workflow_execution_started_event_attributes
				->initiated_event_id,
			id
		};
		flush->n_starts++;
		child_started_numbered(flush->execution, start->cause_id, id);
		break;
	default:
		break;
	}
}
