/*
 * child.h: children of a run: what the run knows of them until they end, and what parent and child
 * tell each other.
 *
 *                    child_start                       child_tell_parent
 *     command ---> initiated ----------> started ------------------------> an event, gone
 *                        |                  |
 *                        +--> an event,     +--> the parent ends first: child_leave, by policy
 *                             gone
 *
 * A child that has started is known by its workflow id and the run id of its first run; it may go
 * on in other runs. Its record stays with a parent that has ended: who asks sees what it left.
 */
#ifndef SERVER_HISTORY_CHILD_H
#define SERVER_HISTORY_CHILD_H

#include "server/history/effect.h"
#include "server/history/history.h"

struct child {
	/* recorded */
	int64_t initiated_id;
	int64_t started_id; /* 0: it is not started, or that event is buffered */
	char *namespace_id, *workflow_id, *type;
	char *run_id;                /* of its first run; NULL: not started */
	int32_t parent_close_policy; /* Enums__ParentClosePolicy */
	/* rebuilt */
	struct execution *parent;
	struct child *next;
};

/* child.c */
struct child *child_find(const struct execution *parent, int64_t initiated_id);
struct child *child_new(struct execution *parent);
void child_record(struct child *child);
void child_erase(struct child *child); /* from the journal too */
void child_free(struct child *child);
/* The records of all, for the archive. */
void child_snapshot(const struct execution *parent);
bool child_restore(struct execution *parent, int64_t initiated_id, const uint8_t *data, size_t len);
/* The record by the events of a history, for a run that is made of another one's. */
void child_rebuild(struct execution *parent, const History__HistoryEvent *event);
/* A buffered Started event has got its number. */
void child_started_numbered(struct execution *parent, int64_t initiated_id, int64_t started_id);
/* Effects. */
void child_start(struct execution *parent, int64_t initiated_id);
void child_leave(struct execution *parent, const struct effect *effect);
/* The parent has ended: what its children's policies want becomes effects. */
void child_leave_all(struct execution *parent);
/* The run that is the child now, if it is one of this parent and runs. */
struct execution *child_running(struct server *server, const char *namespace_id,
	const char *workflow_id, const struct execution *parent);

/* child_events.c: events in the parent. */
void child_add_started(struct child *child, const struct execution *execution,
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *initiated);
void child_add_start_failed(struct child *child,
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *initiated,
	Enums__StartChildWorkflowExecutionFailedCause cause);
/* The run that knows of this child: its parent, or the one that took over from that by a reset. */
struct execution *child_parent(const struct execution *execution);
/* An event about a child that came after the point that a run is reset to: it happens again. */
void child_reapply(struct execution *parent, History__HistoryEvent *event);
/* Effect: the run has ended for good; its parent gets an event. */
void child_tell_parent(struct execution *execution);

/* child_commands.c */
bool child_check(struct decision *decision, size_t index);
void command_start_child(struct decision *decision, const Command__Command *command);

#endif
