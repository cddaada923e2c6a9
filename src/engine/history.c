/*
 * history.c: the buffer of events and its cutting into sequences.
 *
 * The events lie in the arenas of their pages; here are pointers to them in one array, so that a
 * sequence may span pages. Invariants: ids in the array rise by one from event to event
 * (engine/replay.c checks it when it applies them); pages stand in the order of their events.
 *
 * The thread that owns the run.
 *
 * Why cutting is needed: the same history has to be given to the workflow in the same portions as
 * the first time, since what it commands depends on what it has seen together. The first time the
 * portions were made by the workflow tasks that really ran; they are found again by their started
 * events.
 *
 *	WorkflowTaskStarted followed by        means
 *	failed, timed out, end of the run      nobody ran: no cut               EVENT_ENDS_TASK
 *	completed, scheduled, no command yet   a heartbeat: no cut
 *	completed, update accepted             a cut, perhaps at an earlier one
 *	completed, anything else               a cut
 *	nothing (it is the newest)             a cut, if there is anything to see
 *
 * A page may end anywhere, so a cut can be wrong if the events that decide are not in hand. Hence
 * history_ready(): two cuts in hand, or the end of history.
 */
#include "engine/history.h"

#include <string.h>

#include "base/mem.h"

struct history_page {
	struct history_page *next;
	struct arena arena;
	int64_t last_id; /* of its newest event */
};

void history_finish(struct history *history)
{
	struct history_page *next;

	for (struct history_page *page = history->pages; page; page = next) {
		next = page->next;
		arena_finish(&page->arena);
		mem_free(page);
	}
	mem_free(history->events);
	*history = (struct history){ 0 };
}

/*
 * Room for more, with what was taken already moved out of the array. Half of the old capacity on
 * top makes the copying of a long history linear.
 */
static bool reserve(struct history *history, size_t more)
{
	if (history->head) {
		history->count -= history->head;
		memmove(history->events, history->events + history->head,
			history->count * sizeof(*history->events));
		history->head = 0;
		history->peeked.count = 0;
	}
	if (history->count + more <= history->capacity)
		return true;

	size_t capacity = history->count + more + history->capacity / 2;
	const History__HistoryEvent **events =
		mem_realloc(history->events, capacity * sizeof(*events));

	if (!events)
		return false;
	history->events = events;
	history->capacity = capacity;
	return true;
}

/*
 * Takes the arena over into a new page at the end of the list. Pages are few (one in hand and one
 * to come), so the walk to the end costs nothing.
 */
static struct history_page *add_page(struct history *history, struct arena *arena)
{
	struct history_page *page = mem_zalloc(sizeof(*page));
	struct history_page **last = &history->pages;

	if (!page) {
		arena_finish(arena);
		return NULL;
	}
	page->arena = *arena;
	arena_init(arena, 1024, ARENA_NO_BUDGET);
	while (*last)
		last = &(*last)->next;
	*last = page;
	return page;
}

/*
 * Events that are there already are passed by: the first page of a history that was fetched from
 * its start repeats what the poll brought, and pages may overlap. Ids decide, not positions.
 */
bool history_add(struct history *history, History__HistoryEvent *const *events, size_t count,
	struct arena *arena)
{
	struct history_page *page = NULL;
	int64_t last_id = 0;

	if (arena) {
		page = add_page(history, arena);
		if (!page)
			return false;
	}
	if (!reserve(history, count))
		return false;
	if (history->count)
		last_id = history->events[history->count - 1]->event_id;
	for (size_t i = 0; i < count; i++) {
		if (events[i]->event_id <= last_id)
			continue;
		history->events[history->count++] = events[i];
	}
	if (page && count)
		page->last_id = events[count - 1]->event_id;
	return true;
}

bool history_end(struct history *history)
{
	history->complete = true;
	if (!history->n_held)
		return true;

	bool ok = history_add(history, history->held, history->n_held, NULL);

	history->n_held = 0;
	return ok;
}

/* UNSPECIFIED behind the end: no history has an event of that type. */
static Enums__EventType type_at(const struct history *history, size_t at)
{
	return at < history->count ? history->events[at]->event_type
				   : ENUMS__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED;
}

/*
 * An update was accepted by the task that WorkflowTaskStarted `at` began, but its request may have
 * been sequenced in an earlier sequence: it ends at the newest started event before the request
 * that was not skipped. The order on the wire is this: the server sequences the request behind some
 * event, and the acceptance shows only in the completion of the task that saw it. To give the
 * update to the workflow in the same portion as the first time, the portion must end where the
 * request stood.
 */
static size_t end_before_update(const struct history *history, size_t begin, size_t at)
{
	const History__HistoryEvent *accepted = history->events[at + 2];

	if (!event_has_attributes(accepted))
		return at;

	int64_t limit = accepted->workflow_execution_update_accepted_event_attributes
				->accepted_request_sequencing_event_id;

	for (size_t i = at + 1; i-- > begin;) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_type != ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED ||
			event->event_id >= limit)
			continue;
		if (!(event_info(history->events[i + 1])->flags & EVENT_ENDS_TASK))
			return i;
	}
	return at;
}

/*
 * What find_end() has seen of the sequence so far. Without an event of a command a completed task
 * may have been a heartbeat; without either, a started event is one of an empty task, which is
 * passed by.
 */
struct scan {
	bool command;  /* an event of a command was seen */
	bool activity; /* that, or the start of the run */
};

enum verdict {
	GOES_ON,
	ENDS,
	ENDS_BEFORE_UPDATE
};

/*
 * Does the sequence end with the WorkflowTaskStarted `at`? See the table at the top; where fewer
 * events are in hand than it takes, `at` is the newest task and the answer is by what there is to
 * see.
 */
static enum verdict judge_started(const struct history *history, size_t at, const struct scan *scan)
{
	if (at + 1 >= history->count)
		return scan->activity ? ENDS : GOES_ON;
	if (event_info(history->events[at + 1])->flags & EVENT_ENDS_TASK)
		return GOES_ON;
	if (type_at(history, at + 1) != ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
		return scan->activity ? ENDS : GOES_ON;
	if (at + 2 >= history->count)
		return scan->activity ? ENDS : GOES_ON;

	Enums__EventType behind = type_at(history, at + 2);

	/* Completed without a command and scheduled again at once: a heartbeat, no end. */
	if (!scan->command && behind == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
		return GOES_ON;
	if (behind == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
		return ENDS_BEFORE_UPDATE;
	return ENDS;
}

/*
 * Finds the end (index of the last event) of the sequence that begins at `begin`, behind the event
 * `from_id`. `ahead` may be NULL.
 */
static bool find_end(
	const struct history *history, size_t begin, int64_t from_id, size_t *end, bool *ahead)
{
	struct scan scan = { 0 };
	unsigned seen = 0;
	bool found = false;

	for (size_t i = begin; i < history->count; i++) {
		const History__HistoryEvent *event = history->events[i];
		unsigned flags = event_info(event)->flags;
		enum verdict verdict = GOES_ON;

		if (event->event_id <= from_id)
			continue;
		if (flags & EVENT_COMMAND)
			scan.command = scan.activity = true;
		seen |= flags;
		if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
			scan.activity = true;
		if (flags & EVENT_FINAL)
			verdict = ENDS;
		else if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED)
			verdict = judge_started(history, i, &scan);
		if (verdict == GOES_ON)
			continue;
		found = true;
		*end = verdict == ENDS ? i : end_before_update(history, begin, i);
		break;
	}
	if (ahead)
		*ahead = seen & EVENT_AHEAD;
	return found;
}

/*
 * One sequence ahead must be in hand: the end of the first is sure only when the second is, and
 * replay.c looks for the completion of the first sequence's task in the second.
 */
bool history_ready(const struct history *history, int64_t from_started_id)
{
	size_t end;

	if (history->complete)
		return true;
	if (!find_end(history, history->head, from_started_id, &end, NULL))
		return false;
	return find_end(history, end + 1, history->events[end]->event_id, &end, NULL);
}

/*
 * What is left without an end, when history is complete, is a sequence too: events that came while
 * no task was started, as in the history of a closed or a waiting run.
 */
struct history_sequence history_take(struct history *history, int64_t from_started_id)
{
	size_t end;

	while (history->head < history->count &&
		history->events[history->head]->event_id <= from_started_id)
		history->head++;
	if (history->head == history->count)
		return (struct history_sequence){ .is_last = true };

	size_t begin = history->head;

	if (history->peeked.count == history->count && history->peeked.head == begin &&
		history->peeked.from_id == from_started_id)
		end = history->peeked.end;
	else if (!find_end(history, begin, from_started_id, &end, NULL))
		end = history->count - 1;
	history->head = end + 1;
	return (struct history_sequence){
		.events = history->events + begin,
		.count = end + 1 - begin,
		.is_last = history->complete && history->head == history->count,
	};
}

/*
 * What it finds is kept: on replay the next history_take asks the same. The key is all that the
 * answer depends on; where positions change without it, reserve() forgets the answer.
 */
struct history_sequence history_peek(struct history *history, int64_t from_started_id)
{
	size_t begin = history->head, end;
	bool ahead = false;

	if (begin == history->count)
		return (struct history_sequence){ .is_last = true };
	if (!find_end(history, begin, from_started_id, &end, &ahead))
		end = history->count - 1;
	history->peeked.head = begin;
	history->peeked.count = history->count;
	history->peeked.end = end;
	history->peeked.from_id = from_started_id;
	return (struct history_sequence){
		.events = history->events + begin,
		.count = end + 1 - begin,
		.is_last = history->complete && end + 1 == history->count,
		.ahead = ahead,
	};
}

const History__WorkflowTaskCompletedEventAttributes *history_next_completed(
	const struct history *history)
{
	for (size_t i = history->head; i < history->count; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED &&
			event_has_attributes(event))
			return event->workflow_task_completed_event_attributes;
	}
	return NULL;
}

/*
 * Pages stand in the order of their events, so it ends at the first that is still needed. The
 * poll's own events are in the task's arena and stay.
 */
void history_release(struct history *history, int64_t before_id)
{
	while (history->pages && history->pages->last_id < before_id) {
		struct history_page *page = history->pages;

		history->pages = page->next;
		arena_finish(&page->arena);
		mem_free(page);
	}
}

size_t history_memory(const struct history *history)
{
	size_t size = history->capacity * sizeof(*history->events);

	for (const struct history_page *page = history->pages; page; page = page->next)
		size += sizeof(*page) + page->arena.held;
	return size;
}
