/*
 * machine_continue_as_new.c: the command that ends the run and begins the next one.
 *
 *	         issue            WorkflowExecutionContinuedAsNew
 *	created -------> issued -------------------------------------> recorded
 *
 * Issued, the command waits to be sent; its event is the last of this run, and whoever replays a
 * closed run comes to it. The next run has an engine_run of its own: nothing is handed over but
 * what the command carries (emit.c).
 */
#include "engine/run.h"

enum state {
	CREATED,
	ISSUED,
	RECORDED
};

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED, TERMINAL_ISSUE,    ISSUED,   NULL },
	{ ISSUED,  TERMINAL_RECORDED, RECORDED, NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "issued", "recorded" };
static const char *const events[] = { "issue", "WorkflowExecutionContinuedAsNew" };

static const struct fsm_table table = FSM_TABLE("continue as new", rows, states, events);

const struct machine_kind machine_continue_as_new = {
	.name = "continue as new",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "ContinueAsNewWorkflowExecution",
};
