/*
 * fsm.h: state machines as tables. A machine is an array of rows { STATE, EVENT, NEXT, action };
 * fsm_step() is the only writer of a state. A pair of state and event that has no row is refused:
 * the caller says what that means.
 */
#ifndef BASE_FSM_H
#define BASE_FSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs when its row is taken, before the state changes; false (the action has said why) leaves the
 * state as it was. */
typedef bool fsm_action(void *machine, void *context);

struct fsm_row {
	uint8_t state, event, next;
	fsm_action *action; /* NULL: nothing to do but the move */
};

struct fsm_table {
	const char *name;
	const struct fsm_row *rows; /* the rows of one state stand together */
	size_t n_rows;
	const char *const *states, *const *events; /* names, for traces and messages */
	uint8_t n_states, n_events;
};

#define FSM_TABLE(name_, rows_, states_, events_) \
	{ \
		.name = (name_), .rows = (rows_), .n_rows = sizeof(rows_) / sizeof((rows_)[0]), \
		.states = (states_), .events = (events_), \
		.n_states = sizeof(states_) / sizeof((states_)[0]), \
		.n_events = sizeof(events_) / sizeof((events_)[0]), \
	}

enum fsm_result {
	FSM_MOVED,
	FSM_NO_ROW,  /* the table has no row for this state and event */
	FSM_REFUSED, /* the row's action failed */
};

enum fsm_result fsm_step(const struct fsm_table *table, uint8_t *state, unsigned event,
	void *machine, void *context);

/* Is there a row? */
bool fsm_can(const struct fsm_table *table, uint8_t state, unsigned event);

/* Test only: is called with each row that is taken (its index in the table). Set it while no other
 * thread steps. */
extern void (*fsm_trace)(const struct fsm_table *table, size_t row);

/* Test only: NULL if the table is sound (names complete, no pair twice, states together), else what
 * is wrong with it. */
const char *fsm_check(const struct fsm_table *table);

#endif
