/*
 * Goal: a table's rows are taken as they stand, what is not in it is refused, and a faulty table is
 * found. Method: one small machine, stepped; and tables with one mistake each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fsm.h"

enum state {
	CLOSED,
	OPEN,
	LOCKED
};
enum event {
	PUSH,
	TURN
};

struct door {
	int pushes;
	bool jammed;
};

static bool on_push(void *machine, void *context)
{
	struct door *door = machine;

	*(int *)context += 1;
	door->pushes++;
	return !door->jammed;
}

static const struct fsm_row rows[] = {
	{ CLOSED, PUSH, OPEN, on_push },
	{ CLOSED, TURN, LOCKED, NULL },
	{ LOCKED, TURN, CLOSED, NULL },
};
static const char *const states[] = { "closed", "open", "locked" };
static const char *const events[] = { "push", "turn" };
static const struct fsm_table table = FSM_TABLE("door", rows, states, events);

static void moves_and_runs_the_action(void **state)
{
	struct door door = { 0 };
	uint8_t at = CLOSED;
	int calls = 0;

	(void)state;
	assert_int_equal(fsm_step(&table, &at, PUSH, &door, &calls), FSM_MOVED);
	assert_int_equal(at, OPEN);
	assert_int_equal(door.pushes, 1);
	assert_int_equal(calls, 1);
}

static void refuses_what_is_not_in_the_table(void **state)
{
	struct door door = { 0 };
	uint8_t at = LOCKED;
	int calls = 0;

	(void)state;
	assert_false(fsm_can(&table, LOCKED, PUSH));
	assert_int_equal(fsm_step(&table, &at, PUSH, &door, &calls), FSM_NO_ROW);
	assert_int_equal(at, LOCKED);
	assert_int_equal(calls, 0);
	assert_true(fsm_can(&table, LOCKED, TURN));
}

static void stays_when_the_action_fails(void **state)
{
	struct door door = { .jammed = true };
	uint8_t at = CLOSED;
	int calls = 0;

	(void)state;
	assert_int_equal(fsm_step(&table, &at, PUSH, &door, &calls), FSM_REFUSED);
	assert_int_equal(at, CLOSED);
}

static size_t traced_row;

static void note_row(const struct fsm_table *of, size_t row)
{
	assert_ptr_equal(of, &table);
	traced_row = row;
}

static void tells_which_row_was_taken(void **state)
{
	uint8_t at = LOCKED;

	(void)state;
	fsm_trace = note_row;
	assert_int_equal(fsm_step(&table, &at, TURN, NULL, NULL), FSM_MOVED);
	fsm_trace = NULL;
	assert_int_equal(traced_row, 2);
}

static void finds_faulty_tables(void **state)
{
	static const struct fsm_row twice[] = { { CLOSED, PUSH, OPEN, NULL },
		{ CLOSED, PUSH, LOCKED, NULL } };
	static const struct fsm_row apart[] = { { CLOSED, PUSH, OPEN, NULL },
		{ OPEN, PUSH, CLOSED, NULL }, { CLOSED, TURN, LOCKED, NULL } };
	static const struct fsm_row nameless[] = { { CLOSED, PUSH, 7, NULL } };
	static const char *const holes[] = { "closed", NULL, "locked" };
	const struct fsm_table bad[] = {
		FSM_TABLE("twice", twice, states, events),
		FSM_TABLE("apart", apart, states, events),
		FSM_TABLE("nameless", nameless, states, events),
		FSM_TABLE("holes", rows, holes, events),
	};

	(void)state;
	assert_null(fsm_check(&table));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(fsm_check(&bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_and_runs_the_action),
		cmocka_unit_test(refuses_what_is_not_in_the_table),
		cmocka_unit_test(stays_when_the_action_fails),
		cmocka_unit_test(tells_which_row_was_taken),
		cmocka_unit_test(finds_faulty_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
