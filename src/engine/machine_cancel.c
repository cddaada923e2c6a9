/*
 * machine_cancel.c: the command that ends the run as cancelled.
 *
 *	         issue            WorkflowExecutionCanceled
 *	created -------> issued -------------------------------> recorded
 *
 * Issued, the command waits to be sent; its event is the last of the run, and whoever replays a
 * closed run comes to it. It is the workflow's own decision: a request to cancel is only a job, and
 * a workflow may end in another way in spite of it.
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
static const char *const events[] = { "issue", "WorkflowExecutionCanceled" };

static const struct fsm_table table = FSM_TABLE("cancel", rows, states, events);

const struct machine_kind machine_cancel = {
	.name = "cancel",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "CancelWorkflowExecution",
};
