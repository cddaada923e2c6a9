/*
 * machine_workflow_task.c: a workflow task itself. There is one at a time, so it lies in the run.
 *
 *	         scheduled            started           completed
 *	created ----------> scheduled --------> started ----------> completed
 *	                        |                  | failed
 *	                        | timed out        +--------------> failed
 *	                        |                  | timed out
 *	                        +------------------+--------------> timed out
 *
 * The workflow runs (clock and started id move on) at the started event that ends the sequence
 * being applied; a task that was completed in passing, as a heartbeat is, moves them at its
 * completion. A reset of the run shows as a failed task and gives it a new random seed.
 *
 * What holds in each state:
 *
 *	scheduled   scheduled_id names the task: all its events refer to that
 *	started     if this event is the target, current_started_id and the clock are those of this
 *	            task and the workflow runs now
 *	completed   the workflow has run with this task's clock, however it was found
 *	failed, timed out    nobody has run: the next scheduled event begins the machine anew
 *
 * Hence the workflow's clock is the time of WorkflowTaskStarted, never that of the computer: on
 * replay it is the same to the nanosecond. (Before the first task it is the run's start, job.c.)
 */
#include "engine/run.h"
#include "proto/time.h"

enum state {
	CREATED,
	SCHEDULED,
	STARTED,
	COMPLETED,
	FAILED,
	TIMED_OUT
};

/* The clock never goes back, though the server's clocks may (another host starts the next task). */
static void task_runs(struct engine_run *run, int64_t started_id, int64_t time_ns)
{
	run->current_started_id = started_id;
	if (time_ns > run->time_ns)
		run->time_ns = time_ns;
}

/*
 * The target is where the sequence being applied ends: a task that is started earlier in it did not
 * run the workflow, or only as a heartbeat.
 */
static bool on_scheduled(void *self, void *context)
{
	struct engine_run *run = context;

	run->workflow_task.scheduled_id = run->event->event_id;
	run->workflow_task.target_id = run->next_started_id;
	return true;
}

static bool on_started(void *self, void *context)
{
	struct engine_run *run = context;

	run->workflow_task.started_id = run->event->event_id;
	run->workflow_task.started_ns = proto_timestamp_ns_clamped(run->event->event_time);
	if (run->event->event_id >= run->workflow_task.target_id)
		task_runs(run, run->workflow_task.target_id, run->workflow_task.started_ns);
	return true;
}

/*
 * Catches the heartbeat: it was passed by as started, but it was completed, so the workflow had
 * seen it. Of the target itself it says nothing new.
 */
static bool on_completed(void *self, void *context)
{
	struct engine_run *run = context;

	task_runs(run, run->workflow_task.started_id, run->workflow_task.started_ns);
	return true;
}

/* Every other cause is the past's own affair: the task was tried again. */
static bool on_failed(void *self, void *context)
{
	struct engine_run *run = context;
	const History__WorkflowTaskFailedEventAttributes *attributes =
		run->event->workflow_task_failed_event_attributes;
	struct activation_job *job;

	if (attributes->cause != TASK_FAILED(RESET_WORKFLOW))
		return true;
	job = job_add(run, JOB_UPDATE_RANDOM_SEED);
	if (!job)
		return false;
	job->update_random_seed.seed = randomness_seed(attributes->new_run_id);
	return true;
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED,   WORKFLOW_TASK_SCHEDULED, SCHEDULED, on_scheduled },

	{ SCHEDULED, WORKFLOW_TASK_STARTED,   STARTED,   on_started },
	{ SCHEDULED, WORKFLOW_TASK_TIMED_OUT, TIMED_OUT, NULL },

	{ STARTED,   WORKFLOW_TASK_COMPLETED, COMPLETED, on_completed },
	{ STARTED,   WORKFLOW_TASK_FAILED,    FAILED,    on_failed },
	{ STARTED,   WORKFLOW_TASK_TIMED_OUT, TIMED_OUT, NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "scheduled", "started", "completed", "failed",
	"timed out" };
static const char *const events[] = { "WorkflowTaskScheduled", "WorkflowTaskStarted",
	"WorkflowTaskCompleted", "WorkflowTaskFailed", "WorkflowTaskTimedOut" };

static const struct fsm_table table = FSM_TABLE("workflow task", rows, states, events);

const struct machine_kind machine_workflow_task = {
	.name = "workflow task",
	.table = &table,
	.final_states = 1U << COMPLETED | 1U << FAILED | 1U << TIMED_OUT,
};

/*
 * Not machine_step(): there is no entry of the queue and no number; and each task begins the same
 * machine anew. Events must belong to the task that was scheduled last, as there is one at a time.
 */
bool machine_workflow_task_event(struct engine_run *run, unsigned event)
{
	int64_t initial_id = event_initial_id(run->event);

	if (event == WORKFLOW_TASK_SCHEDULED)
		run->workflow_task.state = CREATED;
	else if (initial_id != run->workflow_task.scheduled_id)
		return run_nondeterminism(run,
			"%s belongs to event %lld, which began no workflow task",
			event_describe(run, run->event), (long long)initial_id);
	switch (fsm_step(&table, &run->workflow_task.state, event, NULL, run)) {
	case FSM_MOVED:
		return true;
	case FSM_REFUSED:
		return false;
	case FSM_NO_ROW:
		break;
	}
	return run_nondeterminism(run, "%s does not fit the workflow task, which is %s",
		event_describe(run, run->event), states[run->workflow_task.state]);
}
