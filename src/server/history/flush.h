/*
 * flush.h: the order of buffered events when they get their numbers, and what refers to those
 * numbers.
 */
#ifndef SERVER_HISTORY_FLUSH_H
#define SERVER_HISTORY_FLUSH_H

#include "server/history/event.h"

/* Which event started what was scheduled or initiated by which, in one flush. */
struct flush_start {
	int64_t cause_id, started_id;
};

struct flush {
	struct execution *execution;
	struct flush_start *starts;
	size_t n_starts;
};

/* Ends of activities, children and operations come behind all others. */
bool flush_comes_last(Enums__EventType type);

/* Before an event is added: the number of its start, if that got it in this flush. */
void flush_resolve(const struct flush *flush, History__HistoryEvent *event);

/* After it was added under its number. `starts` has to have room for one more. */
void flush_numbered(struct flush *flush, const History__HistoryEvent *event);

#endif
