/*
 * machine_complete.c: the command that completes the run.
 *
 *	         issue            WorkflowExecutionCompleted
 *	created -------> issued --------------------------------> recorded
 *
 * Issued, the command waits to be sent; its event is the last of the run, and whoever replays a
 * closed run comes to it. The result is not compared on replay: code may change what it computes,
 * as long as it does the same things in the same order.
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
static const char *const events[] = { "issue", "WorkflowExecutionCompleted" };

static const struct fsm_table table = FSM_TABLE("complete", rows, states, events);

const struct machine_kind machine_complete = {
	.name = "complete",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "CompleteWorkflowExecution",
};
