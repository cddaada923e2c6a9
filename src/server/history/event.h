/*
 * event.h: an execution's history: adding events, reading them back.
 */
#ifndef SERVER_HISTORY_EVENT_H
#define SERVER_HISTORY_EVENT_H

#include "server/transition.h"
#include "temporal/api/command/v1/message.pb-c.h"

/* What an event carries besides its attributes; zeroed: nothing. Borrowed. */
struct event_extras {
	Sdk__UserMetadata *user_metadata;
	Sdk__EventGroupMarker **group_markers;
	size_t n_group_markers;
	Common__Link **links;
	size_t n_links;
	int64_t time_ns; /* 0: now */
	bool worker_may_ignore;
};

/* Those of a command, for the event that it leads to. */
static inline struct event_extras event_extras_of(const Command__Command *command)
{
	return (struct event_extras){
		.user_metadata = command->user_metadata,
		.group_markers = command->event_group_markers,
		.n_group_markers = command->n_event_group_markers,
	};
}

/*
 * Adds an event with these attributes (their message type decides which they are). Its number; 0
 * when it was buffered, because a workflow task is running and the event comes from elsewhere.
 */
int64_t event_add(struct execution *execution, Enums__EventType type, void *attributes);
int64_t event_add_with(struct execution *execution, Enums__EventType type, void *attributes,
	const struct event_extras *extras);

/* At the end of a workflow task: the buffered events get their numbers. True if there were any. */
bool event_flush(struct execution *execution);

/* The event of that number, decoded into the arena. NULL: there is none, or memory is out. */
History__HistoryEvent *event_read(
	const struct execution *execution, int64_t event_id, struct arena *arena);

/*
 * The events [first, end) as a History whose encoding is the stored bytes: nothing is decoded.
 * `end` is set to where it stopped: after `limit` events or some megabytes. It borrows nothing.
 */
History__History *event_range(const struct execution *execution, int64_t first, int64_t *end,
	int64_t limit, struct arena *arena);

/* Recovery: a block as it was recorded. False: it does not follow, or memory is out. */
bool event_restore(struct execution *execution, int64_t first_id, const uint8_t *data, size_t len);
bool event_restore_buffered(
	struct execution *execution, int64_t number, const uint8_t *data, size_t len);

/* Is there a buffered event that the timer has fired? With `started_id` it is taken out, as the
 * timer was cancelled in time, and that of the timer's start is given. */
bool event_unbuffer_timer(struct execution *execution, const char *timer_id, int64_t *started_id);

/* Adds a message to a History that event_range made (transient events at its end). */
bool event_append(
	History__History *history, const History__HistoryEvent *event, struct arena *arena);

#endif
