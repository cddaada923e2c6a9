/*
 * machine_fail.c: the command that fails the run.
 *
 *	         issue            WorkflowExecutionFailed
 *	created -------> issued -----------------------------> recorded
 *
 * Issued, the command waits to be sent; its event is the last of the run, and whoever replays a
 * closed run comes to it. Not to be mixed up with a failed task, which is no command and leaves the
 * run open (respond.c).
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
static const char *const events[] = { "issue", "WorkflowExecutionFailed" };

static const struct fsm_table table = FSM_TABLE("fail", rows, states, events);

const struct machine_kind machine_fail = {
	.name = "fail",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "FailWorkflowExecution",
};
