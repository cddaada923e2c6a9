/*
 * fsm.c: the one place that changes the state of a machine. Tables are short (at most some thirty
 * rows), so a row is found by walking them; the rows of one state stand together, which ends the
 * walk early.
 *
 * Any thread; a machine belongs to one at a time. The hook is for tests, which count the rows that
 * were taken.
 *
 * The action runs first and the state changes afterwards: an action that fails leaves the machine
 * where it was, and one that looks at the state sees the old one. An action must not step its own
 * machine.
 */
#include "base/fsm.h"

#include <assert.h>

void (*fsm_trace)(const struct fsm_table *table, size_t row);

static const struct fsm_row *find_row(const struct fsm_table *table, uint8_t state, unsigned event)
{
	bool among = false;

	for (size_t i = 0; i < table->n_rows; i++) {
		const struct fsm_row *row = &table->rows[i];

		if (row->state != state) {
			if (among)
				break;
			continue;
		}
		among = true;
		if (row->event == event)
			return row;
	}
	return NULL;
}

enum fsm_result fsm_step(
	const struct fsm_table *table, uint8_t *state, unsigned event, void *machine, void *context)
{
	assert(*state < table->n_states);
	assert(event < table->n_events);

	const struct fsm_row *row = find_row(table, *state, event);

	if (!row)
		return FSM_NO_ROW;
	if (row->action && !row->action(machine, context))
		return FSM_REFUSED;
	*state = row->next;
	if (fsm_trace)
		fsm_trace(table, (size_t)(row - table->rows));
	return FSM_MOVED;
}

bool fsm_can(const struct fsm_table *table, uint8_t state, unsigned event)
{
	return find_row(table, state, event) != NULL;
}

/* What is wrong with one row, in view of those before it. */
static const char *check_row(const struct fsm_table *table, size_t at)
{
	const struct fsm_row *row = &table->rows[at];

	if (row->state >= table->n_states || row->next >= table->n_states)
		return "a state has no name";
	if (row->event >= table->n_events)
		return "an event has no name";
	for (size_t i = 0; i < at; i++) {
		const struct fsm_row *other = &table->rows[i];

		if (other->state != row->state)
			continue;
		if (other->event == row->event)
			return "a pair of state and event has two rows";
		if (table->rows[at - 1].state != row->state)
			return "the rows of a state do not stand together";
	}
	return NULL;
}

const char *fsm_check(const struct fsm_table *table)
{
	for (size_t i = 0; i < table->n_states; i++)
		if (!table->states[i])
			return "a state has no name";
	for (size_t i = 0; i < table->n_events; i++)
		if (!table->events[i])
			return "an event has no name";
	for (size_t i = 0; i < table->n_rows; i++) {
		const char *problem = check_row(table, i);

		if (problem)
			return problem;
	}
	return NULL;
}
