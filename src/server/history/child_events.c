/*
 * child_events.c: what a parent's history tells of its children. Each of these events wakes the
 * parent's workflow task.
 *
 * Loop's thread.
 */
#include "server/history/child.h"
#include "server/limits.h"

/* So often an end is handed on from a run to the one that took over from it. */
#define RESETS_MAX 100

#define TYPE(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_##name_

typedef History__StartChildWorkflowExecutionInitiatedEventAttributes initiated_attributes;

static void wake(struct execution *parent)
{
	workflow_task_wake(parent);
	transition_durable(parent->server);
}

/* The fields that all of these events have under the same names. */
#define FILL(out_, child_, name_, type_) \
	do { \
		(out_)->namespace_ = space_name(child_); \
		(out_)->namespace_id = (child_)->namespace_id; \
		(out_)->initiated_event_id = (child_)->initiated_id; \
		(out_)->workflow_execution = (name_); \
		(out_)->workflow_type = (type_); \
	} while (0)

static const char *space_name(const struct child *child)
{
	const struct server_namespace *space =
		state_namespace_by_id(child->parent->server, child->namespace_id);

	return space ? space->name : "";
}

void child_add_started(struct child *child, const struct execution *execution,
	const initiated_attributes *initiated)
{
	struct execution *parent = child->parent;
	History__ChildWorkflowExecutionStartedEventAttributes out =
		HISTORY__CHILD_WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES__INIT;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;

	name.workflow_id = execution->workflow_id;
	name.run_id = execution->run_id;
	FILL(&out, child, &name, initiated->workflow_type);
	out.header = initiated->header;
	child->started_id = event_add(parent, TYPE(CHILD_WORKFLOW_EXECUTION_STARTED), &out);
	state_set_text(parent->server, &child->run_id, execution->run_id);
	child_record(child);
	wake(parent);
}

void child_add_start_failed(struct child *child, const initiated_attributes *initiated,
	Enums__StartChildWorkflowExecutionFailedCause cause)
{
	struct execution *parent = child->parent;
	History__StartChildWorkflowExecutionFailedEventAttributes out =
		HISTORY__START_CHILD_WORKFLOW_EXECUTION_FAILED_EVENT_ATTRIBUTES__INIT;

	out.namespace_ = initiated->namespace_;
	out.namespace_id = initiated->namespace_id;
	out.workflow_id = initiated->workflow_id;
	out.workflow_type = initiated->workflow_type;
	out.control = initiated->control;
	out.initiated_event_id = child->initiated_id;
	out.cause = cause;
	event_add(parent, TYPE(START_CHILD_WORKFLOW_EXECUTION_FAILED), &out);
	child_erase(child);
	wake(parent);
}

/* ---- The end ---- */

struct ending {
	struct child *child;
	Common__WorkflowExecution *name; /* the child's last run */
	Common__WorkflowType *type;
};

static void add_completed(
	const struct ending *ending, const History__WorkflowExecutionCompletedEventAttributes *in)
{
	History__ChildWorkflowExecutionCompletedEventAttributes out =
		HISTORY__CHILD_WORKFLOW_EXECUTION_COMPLETED_EVENT_ATTRIBUTES__INIT;

	FILL(&out, ending->child, ending->name, ending->type);
	out.started_event_id = ending->child->started_id;
	out.result = in->result;
	event_add(ending->child->parent, TYPE(CHILD_WORKFLOW_EXECUTION_COMPLETED), &out);
}

static void add_failed(
	const struct ending *ending, const History__WorkflowExecutionFailedEventAttributes *in)
{
	History__ChildWorkflowExecutionFailedEventAttributes out =
		HISTORY__CHILD_WORKFLOW_EXECUTION_FAILED_EVENT_ATTRIBUTES__INIT;

	FILL(&out, ending->child, ending->name, ending->type);
	out.started_event_id = ending->child->started_id;
	out.failure = in->failure;
	out.retry_state = in->retry_state;
	event_add(ending->child->parent, TYPE(CHILD_WORKFLOW_EXECUTION_FAILED), &out);
}

static void add_canceled(
	const struct ending *ending, const History__WorkflowExecutionCanceledEventAttributes *in)
{
	History__ChildWorkflowExecutionCanceledEventAttributes out =
		HISTORY__CHILD_WORKFLOW_EXECUTION_CANCELED_EVENT_ATTRIBUTES__INIT;

	FILL(&out, ending->child, ending->name, ending->type);
	out.started_event_id = ending->child->started_id;
	out.details = in->details;
	event_add(ending->child->parent, TYPE(CHILD_WORKFLOW_EXECUTION_CANCELED), &out);
}

static void add_timed_out(
	const struct ending *ending, const History__WorkflowExecutionTimedOutEventAttributes *in)
{
	History__ChildWorkflowExecutionTimedOutEventAttributes out =
		HISTORY__CHILD_WORKFLOW_EXECUTION_TIMED_OUT_EVENT_ATTRIBUTES__INIT;

	FILL(&out, ending->child, ending->name, ending->type);
	out.started_event_id = ending->child->started_id;
	out.retry_state = in->retry_state;
	event_add(ending->child->parent, TYPE(CHILD_WORKFLOW_EXECUTION_TIMED_OUT), &out);
}

static void add_terminated(const struct ending *ending)
{
	History__ChildWorkflowExecutionTerminatedEventAttributes out =
		HISTORY__CHILD_WORKFLOW_EXECUTION_TERMINATED_EVENT_ATTRIBUTES__INIT;

	FILL(&out, ending->child, ending->name, ending->type);
	out.started_event_id = ending->child->started_id;
	event_add(ending->child->parent, TYPE(CHILD_WORKFLOW_EXECUTION_TERMINATED), &out);
}

/* The child is over by its last event; false: it goes on in another run. */
static bool add_end(const struct ending *ending, const History__HistoryEvent *last)
{
	switch (last->event_type) {
	case TYPE(WORKFLOW_EXECUTION_COMPLETED):
		add_completed(ending, last->workflow_execution_completed_event_attributes);
		return true;
	case TYPE(WORKFLOW_EXECUTION_FAILED):
		add_failed(ending, last->workflow_execution_failed_event_attributes);
		return true;
	case TYPE(WORKFLOW_EXECUTION_CANCELED):
		add_canceled(ending, last->workflow_execution_canceled_event_attributes);
		return true;
	case TYPE(WORKFLOW_EXECUTION_TIMED_OUT):
		add_timed_out(ending, last->workflow_execution_timed_out_event_attributes);
		return true;
	case TYPE(WORKFLOW_EXECUTION_TERMINATED):
		/* A run that is reset has not ended for its parent. */
		if (str_same(last->workflow_execution_terminated_event_attributes->identity,
			    SERVER_RESET_IDENTITY))
			return false;
		add_terminated(ending);
		return true;
	default:
		return false;
	}
}

struct execution *child_parent(const struct execution *execution)
{
	struct server *server = execution->server;
	struct server_namespace *space =
		state_namespace_by_id(server, execution->parent_namespace_id);
	struct execution *parent =
		space ? state_execution(server, space, execution->parent_workflow_id,
				execution->parent_run_id)
		      : NULL;

	for (unsigned i = 0; parent && parent->reset_run_id && i < RESETS_MAX; i++)
		parent = state_execution(
			server, space, execution->parent_workflow_id, parent->reset_run_id);
	return parent;
}

/* The parent's record of this child; NULL: the parent is over, or knows of another one. */
static struct child *record_of(const struct execution *execution)
{
	struct execution *parent = execution->parent_run_id ? child_parent(execution) : NULL;
	struct child *child = parent && state_running(parent)
				      ? child_find(parent, execution->parent_initiated_id)
				      : NULL;

	if (!child || !str_same(child->workflow_id, execution->workflow_id) ||
		!str_same(child->run_id, execution->first_run_id))
		return NULL;
	return child;
}

void child_tell_parent(struct execution *execution)
{
	struct server *server = execution->server;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	struct ending ending = { record_of(execution), &name, &type };
	const History__HistoryEvent *last;

	/* A retry, cron or the workflow itself may carry it on. */
	if (execution->new_run_id || !ending.child)
		return;
	last = event_read(execution, execution->next_event_id - 1, &server->scratch);
	if (!last) {
		server_unread(server);
		return;
	}
	name.workflow_id = execution->workflow_id;
	name.run_id = execution->run_id;
	type.name = ending.child->type;
	struct execution *parent = ending.child->parent;
	if (!add_end(&ending, last))
		return;
	child_erase(ending.child);
	wake(parent);
}

/* ---- After a reset ---- */

static void start_again(struct execution *parent, History__HistoryEvent *event)
{
	History__ChildWorkflowExecutionStartedEventAttributes *attributes =
		event->child_workflow_execution_started_event_attributes;
	struct child *child = child_find(parent, attributes->initiated_event_id);

	if (!child || child->run_id)
		return;
	child->started_id = event_add(parent, event->event_type, attributes);
	state_set_text(parent->server, &child->run_id, attributes->workflow_execution->run_id);
}

static void fail_again(struct execution *parent, History__HistoryEvent *event)
{
	History__StartChildWorkflowExecutionFailedEventAttributes *attributes =
		event->start_child_workflow_execution_failed_event_attributes;
	struct child *child = child_find(parent, attributes->initiated_event_id);

	if (!child)
		return;
	event_add(parent, event->event_type, attributes);
	child_free(child);
}

#define END_AGAIN(parent_, event_, attributes_) \
	end_again((parent_), (event_)->event_type, (attributes_), \
		(attributes_)->initiated_event_id, &(attributes_)->started_event_id)

static void end_again(struct execution *parent, Enums__EventType type, void *attributes,
	int64_t initiated_id, int64_t *started_id)
{
	struct child *child = child_find(parent, initiated_id);

	if (!child)
		return;
	*started_id = child->started_id;
	event_add(parent, type, attributes);
	child_free(child);
}

void child_reapply(struct execution *parent, History__HistoryEvent *event)
{
	switch (event->event_type) {
	case TYPE(START_CHILD_WORKFLOW_EXECUTION_FAILED):
		fail_again(parent, event);
		break;
	case TYPE(CHILD_WORKFLOW_EXECUTION_STARTED):
		start_again(parent, event);
		break;
	case TYPE(CHILD_WORKFLOW_EXECUTION_COMPLETED):
		END_AGAIN(
			parent, event, event->child_workflow_execution_completed_event_attributes);
		break;
	case TYPE(CHILD_WORKFLOW_EXECUTION_FAILED):
		END_AGAIN(parent, event, event->child_workflow_execution_failed_event_attributes);
		break;
	case TYPE(CHILD_WORKFLOW_EXECUTION_CANCELED):
		END_AGAIN(parent, event, event->child_workflow_execution_canceled_event_attributes);
		break;
	case TYPE(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
		END_AGAIN(
			parent, event, event->child_workflow_execution_timed_out_event_attributes);
		break;
	case TYPE(CHILD_WORKFLOW_EXECUTION_TERMINATED):
		END_AGAIN(
			parent, event, event->child_workflow_execution_terminated_event_attributes);
		break;
	default:
		break;
	}
}
