/*
 * event.h: what the engine knows of each type of history event, as one table, and small helpers
 * over events.
 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/api/history/v1/message.pb-c.h>

/* The kinds of machines. Those below MACHINE_KINDS are built. */
enum machine_type {
	MACHINE_ACTIVITY,
	MACHINE_TIMER,
	MACHINE_CHILD,
	MACHINE_SIGNAL_EXTERNAL,
	MACHINE_CANCEL_EXTERNAL,
	MACHINE_NEXUS,
	MACHINE_LOCAL_ACTIVITY,
	MACHINE_NUMBERED, /* above: those that the workflow speaks of by its own number */
	MACHINE_UPDATE = MACHINE_NUMBERED,
	MACHINE_PATCH,
	MACHINE_UPSERT,
	MACHINE_PROPERTIES,
	MACHINE_COMPLETE,
	MACHINE_FAIL,
	MACHINE_CANCEL,
	MACHINE_CONTINUE_AS_NEW,
	MACHINE_WORKFLOW_TASK,
	MACHINE_KINDS,
	MACHINE_NONE =
		MACHINE_KINDS, /* events that the engine turns into a job, or passes by, itself */
	MACHINE_NOT_BUILT,
};

enum event_flags {
	EVENT_COMMAND = 1,   /* was made from a command of the workflow */
	EVENT_FINAL = 2,     /* ends the run */
	EVENT_IGNORABLE = 4, /* may be passed by when the server says so */
	EVENT_ENDS_TASK = 8, /* right behind WorkflowTaskStarted: that task has not completed */
	EVENT_AHEAD = 16,    /* of a command, but the workflow must know of it one task earlier */
	EVENT_MAY_BE_LATE = 32, /* may come when what it goes on with has ended */
};

struct event_info {
	uint8_t flags;
	uint8_t machine; /* enum machine_type */
	uint8_t event;   /* that machine's event */
};

/* A type of event: what it is, and its member of the union of attributes. */
struct event_row {
	struct event_info info;
	History__HistoryEvent__AttributesCase attributes; /* 0: the type is not known */
};

#define EVENT_TYPES 64 /* more than there are; the rest of the table is empty */
extern const struct event_row event_table[EVENT_TYPES];
extern const struct event_info event_unknown;

/* Is its type in the table? */
static inline bool event_is_known(const History__HistoryEvent *event)
{
	return (size_t)event->event_type < EVENT_TYPES && event_table[event->event_type].attributes;
}

/* Of a type that this table does not know: MACHINE_NOT_BUILT. Never NULL. */
static inline const struct event_info *event_info(const History__HistoryEvent *event)
{
	return event_is_known(event) ? &event_table[event->event_type].info : &event_unknown;
}

/* The id of the event that began what this one goes on with (scheduled, started, initiated); 0 if
 * it goes on with none. */
int64_t event_initial_id(const History__HistoryEvent *event);

/*
 * Are the attributes there, and those of its type? The check in front of every use of them:
 * everything behind it may follow the pointer.
 */
static inline bool event_has_attributes(const History__HistoryEvent *event)
{
	/* All members of the union are pointers. */
	return event_is_known(event) &&
	       event->attributes_case == event_table[event->event_type].attributes &&
	       event->workflow_execution_started_event_attributes;
}

/* "" for NULL. */
static inline const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

#endif
