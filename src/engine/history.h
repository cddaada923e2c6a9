/*
 * history.h: the events of one workflow task that are not yet applied, cut into workflow task
 * sequences.
 *
 *	events:  1 2 3 | 4 5 6 7 8 9 | 10 11 12 13 ...
 *	             ^ WorkflowTaskStarted
 *	                           ^ WorkflowTaskStarted
 *
 * A sequence ends with the WorkflowTaskStarted at which the workflow really ran: not one that
 * failed, timed out or was only a heartbeat. To know that, and to look ahead, two sequences or the
 * end of history must be in hand.
 */
#ifndef ENGINE_HISTORY_H
#define ENGINE_HISTORY_H

#include "base/arena.h"
#include "engine/event.h"

struct history_page; /* an arena with events, until all of them have been applied */

struct history {
	const History__HistoryEvent **events; /* from `head` on not yet taken */
	size_t head, count, capacity;
	struct history_page *pages;

	/* The poll's part of history, due behind what is fetched. */
	History__HistoryEvent *const *held;
	size_t n_held;

	int64_t previous_started_id, started_id; /* of the task, from the poll */
	bool complete;                           /* there are no further pages */

	/* What history_peek has found, for the history_take behind it. */
	struct {
		size_t head, count, end; /* `count` 0: nothing */
		int64_t from_id;
	} peeked;
};

/* One sequence: what to apply, and whether history ends with it. */
struct history_sequence {
	const History__HistoryEvent *const *events;
	size_t count;
	bool is_last;
	bool ahead; /* some have EVENT_AHEAD; history_peek alone says so */
};

void history_finish(struct history *history);

/*
 * Appends events, leaving out those that are there already. `arena`, if not NULL, holds them and is
 * taken over (also on failure). False when memory is out.
 */
bool history_add(struct history *history, History__HistoryEvent *const *events, size_t count,
	struct arena *arena) __attribute__((warn_unused_result));

/* There are no more pages: appends the held events. False when memory is out. */
bool history_end(struct history *history) __attribute__((warn_unused_result));

/* Can the next sequence behind `from_started_id` be taken? If not, a page must be fetched. */
bool history_ready(const struct history *history, int64_t from_started_id);

/* Takes it; empty when history is over. Valid until the next call of history_add or
 * history_release. */
struct history_sequence history_take(struct history *history, int64_t from_started_id);

/* The sequence that history_take would give next, as far as it is in hand; it stays. */
struct history_sequence history_peek(struct history *history, int64_t from_started_id);

/* The first WorkflowTaskCompleted among the events not taken; NULL if there is none. */
const History__WorkflowTaskCompletedEventAttributes *history_next_completed(
	const struct history *history);

/* Frees the pages whose events all come before this id. */
void history_release(struct history *history, int64_t before_id);

size_t history_memory(const struct history *history);

#endif
