/*
 * replay.c: applies history, one workflow task's sequence at a time, to the machines of a run,
 * which give jobs for the workflow. Used alike for replay and for what is new.
 *
 * Invariants: every event is applied once and in the order of its id; an event of a command is
 * given to the machine of the oldest command that waits for one; an event that goes on with an
 * earlier one to the machine that began there. What does not fit is nondeterminism; what this SDK
 * cannot handle fails the task and names the event.
 *
 * The thread that owns the run.
 *
 * A sequence is what the server had written when a task was started (history.c). Within one, in the
 * order of history:
 *
 *	WorkflowTaskCompleted        of the task before: flags and worker are looked up ahead
 *	events of its commands       -> the queue's oldest command         apply_command_event()
 *	what happened since          -> its machine, or a job of its own   apply_further_event(),
 *	                                                                   apply_plain_event()
 *	WorkflowTaskScheduled
 *	WorkflowTaskStarted          -> the clock moves, the workflow may run
 *
 * No job leaves before the whole sequence is applied. So the workflow sees all that happened
 * between two tasks at once, in one activation, exactly as it did the first time.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/marker.h"
#include "engine/run.h"

/* Servers still read the fields of the older ways of versioning workers. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/*
 * What a completed task says of the flags in force and of the worker that did it. A deployment's
 * version, where there is one, replaces the older stamp in both its fields.
 */
static bool apply_completed(
	struct engine_run *run, const History__WorkflowTaskCompletedEventAttributes *completed)
{
	const Common__WorkerVersionStamp *stamp = completed->worker_version;
	const Deployment__WorkerDeploymentVersion *version = completed->deployment_version;
	const char *name = completed->worker_deployment_name;
	const char *build_id = stamp ? stamp->build_id : "";

	if (version) {
		name = version->deployment_name;
		build_id = version->build_id;
	}
	if (!flags_from_completed(&run->flags, completed))
		return run_no_memory(run);
	if (str_empty(name) && str_empty(build_id))
		return true;
	return (run_set_text(&run->deployment_name, name) &&
		       run_set_text(&run->build_id, build_id)) ||
	       run_no_memory(run);
}

/* One that a heartbeat leaves; a sequence of these alone goes on with the count of activations. */
static bool is_of_task(const History__HistoryEvent *event)
{
	return event->event_type >= ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_SCHEDULED &&
	       event->event_type <= ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_FAILED;
}

/*
 * Of all tasks completed in the sequence and, since it tells what the sequence's own task came to,
 * of the next one: that lies behind the sequence, but the flags it has recorded were decided while
 * the workflow ran in this one. Without the look ahead a flag would come into force one task too
 * late, and the replay would take the old path where history took the new.
 */
static bool apply_all_completed(struct engine_run *run, const struct history_sequence *sequence)
{
	for (size_t i = 0; i < sequence->count; i++) {
		const History__HistoryEvent *event = sequence->events[i];

		if (!is_of_task(event))
			run->activation_index = 0;
		if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED &&
			event_has_attributes(event) &&
			!apply_completed(run, event->workflow_task_completed_event_attributes))
			return false;
	}
	const History__WorkflowTaskCompletedEventAttributes *next =
		history_next_completed(&run->task->history);

	return !next || apply_completed(run, next);
}

/*
 * Noted for every started event, also of tasks that came to nothing: the newest is right, and the
 * last one of the sequence is the one that the workflow sees.
 */
static void note_task_started(struct engine_run *run)
{
	const History__WorkflowTaskStartedEventAttributes *started =
		run->event->workflow_task_started_event_attributes;
	size_t n = started->n_suggest_continue_as_new_reasons;

	if (n > CAN_REASONS_MAX)
		n = CAN_REASONS_MAX;
	run->n_continue_as_new_reasons = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		run->continue_as_new_reasons[i] = started->suggest_continue_as_new_reasons[i];
	run->continue_as_new_suggested = started->suggest_continue_as_new;
	run->target_version_changed = started->target_worker_deployment_version_changed;
	run->history_size_bytes =
		started->history_size_bytes > 0 ? (uint64_t)started->history_size_bytes : 0;
}

/*
 * Patches may be in history and not in the code, or the other way round (machine_patch.c). True in
 * `*skip`: the event is none of the commands'.
 */
static bool fit_patches(struct engine_run *run, bool *skip)
{
	for (;;) {
		enum patch_fit fit = machine_patch_fit(run, queue_head(run));
		struct machine *dropped;

		*skip = fit == PATCH_SKIP_EVENT;
		if (fit != PATCH_DROP_COMMAND)
			break;
		dropped = queue_pop(run);
		machine_forget(run, dropped);
	}
	if (*skip || run->event->event_type != ENUMS__EVENT_TYPE__EVENT_TYPE_MARKER_RECORDED ||
		marker_kind(run->event) == MARKER_PATCH)
		return true;
	return run_fatal(run, "this SDK cannot handle %s", event_describe(run, run->event));
}

/*
 * The marker of a local activity. On replay no command stands for it: its machine waits for the
 * marker by its number.
 */
static bool apply_local_marker(struct engine_run *run)
{
	struct marker_local marker;
	struct machine *machine;

	if (!marker_read_local(run->event, &run->task->arena, &marker))
		return run_fatal(run, "%s cannot be read", event_describe(run, run->event));
	machine = machine_find(run, MACHINE_LOCAL_ACTIVITY, marker.seq);
	if (!machine || (machine_local_is_resolved(machine) && queue_pop(run) != machine))
		return run_nondeterminism(run,
			"%s is of local activity %u, which the workflow has not scheduled or whose "
			"turn it is not",
			event_describe(run, run->event), marker.seq);
	run->task->marker = &marker;

	bool ok = machine_step(run, machine, LOCAL_MARKER);

	run->task->marker = NULL;
	if (ok)
		machine_release_if_done(run, machine);
	return ok;
}

/* Only the order and the kind are compared here; id and type are the machine's affair. */
static bool apply_command_event(struct engine_run *run, const struct event_info *info)
{
	struct machine *machine;
	bool skip = false;

	if (run->event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_MARKER_RECORDED &&
		marker_kind(run->event) == MARKER_LOCAL_ACTIVITY)
		return apply_local_marker(run);
	if (run->n_patches || info->flags & EVENT_AHEAD) {
		if (!fit_patches(run, &skip))
			return false;
		if (skip)
			return true;
	}
	machine = queue_pop(run);

	if (!machine)
		return run_nondeterminism(run,
			"%s was made by a command that the workflow has not given",
			event_describe(run, run->event));
	if (machine->type != info->machine)
		return run_nondeterminism(run, "%s does not match %s",
			event_describe(run, run->event), machine_describe(run, machine));
	if (!machine_step(run, machine, info->event))
		return false;
	machine_release_if_done(run, machine);
	return true;
}

/*
 * An event that names an unknown beginning is nondeterminism, not a broken history: the likely
 * cause is code that no longer starts the thing.
 */
static bool apply_further_event(struct engine_run *run, const struct event_info *info)
{
	int64_t initial_id = event_initial_id(run->event);
	struct machine *machine = initial_id > 0 ? machine_of_event(run, initial_id) : NULL;

	if (!machine && info->flags & EVENT_MAY_BE_LATE)
		return true;
	if (!machine)
		return run_nondeterminism(run,
			"%s goes on with event %lld, from which the workflow expects nothing",
			event_describe(run, run->event), (long long)initial_id);
	if (machine->type != info->machine)
		return run_nondeterminism(run, "%s goes on with event %lld, which began %s",
			event_describe(run, run->event), (long long)initial_id,
			machine_describe(run, machine));
	if (!machine_step(run, machine, info->event))
		return false;
	machine_release_if_done(run, machine);
	return true;
}

/*
 * Events that no machine follows: each is a job, or the end of the run by other hands than the
 * workflow's. Behind such an end nothing may come: `more_follows` says that something does.
 */
static bool apply_plain_event(struct engine_run *run, bool more_follows)
{
	switch (run->event->event_type) {
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		return job_add_initialize(run);
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		return job_add_signal(run);
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		return job_add_cancel(run);
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
		return protocol_admitted(run);
	default: /* terminated, or timed out */
		return !more_follows ||
		       run_fatal(run, "history goes on behind %s", event_describe(run, run->event));
	}
}

/* The workflow can begin only with the event that says what it is. */
static bool begins_well(struct engine_run *run)
{
	bool starts =
		run->event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED;

	if (starts == (run->event->event_id == 1))
		return true;
	return run_fatal(run,
		starts ? "%s is not the first of history"
		       : "%s is the first of history: WorkflowExecutionStarted was expected",
		event_describe(run, run->event));
}

/*
 * The order of the checks matters. The final event is noted even if it is of a kind that is not
 * built, so that a closed run is known as closed. An event that may be ignored is passed by before
 * its attributes are looked at, since a newer server's are of a type unknown here. Behind
 * event_has_attributes() every action may follow the pointer without a check of its own.
 */
static bool apply_event(struct engine_run *run, bool more_follows)
{
	const struct event_info *info = event_info(run->event);

	if (!begins_well(run))
		return false;

	if (info->flags & EVENT_FINAL)
		run->seen_final_event = true;
	if (info->flags & EVENT_IGNORABLE && run->event->worker_may_ignore)
		return true;
	if (!event_has_attributes(run->event)) {
		if (run->event->worker_may_ignore)
			return true;
		return run_fatal(run,
			"%s is of a type that this SDK does not know, or has no attributes",
			event_describe(run, run->event));
	}
	if (info->machine == MACHINE_NOT_BUILT)
		return run_fatal(run, "this SDK cannot handle %s", event_describe(run, run->event));
	if (info->flags & EVENT_COMMAND)
		return apply_command_event(run, info);
	if (info->machine == MACHINE_NONE)
		return apply_plain_event(run, more_follows);
	if (run->event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED)
		note_task_started(run);
	if (info->machine == MACHINE_WORKFLOW_TASK)
		return machine_workflow_task_event(run, info->event);
	return apply_further_event(run, info);
}

/*
 * Replay ends with the first event of the last sequence that the workflow has not seen and did not
 * make: neither one of its commands nor the completion that brought them. From there on the run's
 * deeds are new, and what is logged is logged for the first time.
 */
static bool is_news(const struct engine_run *run, const History__HistoryEvent *event)
{
	return run->task->last_sequence &&
	       event->event_id > run->task->history.previous_started_id &&
	       event->event_type != ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED &&
	       !(event_info(event)->flags & EVENT_COMMAND);
}

/*
 * run->event is set for just as long as an event is applied: machine_step() tells by it whether
 * history or the workflow is speaking.
 */
static bool apply_sequence(struct engine_run *run, const struct history_sequence *sequence)
{
	for (size_t i = 0; i < sequence->count; i++) {
		const History__HistoryEvent *event = sequence->events[i];
		bool ok;

		if (event->event_id != run->last_event_id + 1)
			return run_fatal(run,
				"history is out of order: event %lld follows event %lld",
				(long long)event->event_id, (long long)run->last_event_id);
		if (run->replaying && is_news(run, event))
			run->replaying = false;
		if (run->task->n_requests && !protocol_deliver(run, event->event_id))
			return false;
		run->event = event;
		if (run->skip_versions) {
			run->skip_versions = false;
			if (patch_is_versions(event)) {
				run->event = NULL;
				run->last_event_id = event->event_id;
				continue;
			}
		}
		ok = apply_event(run, i + 1 < sequence->count || !sequence->is_last);
		run->event = NULL;
		if (!ok)
			return false;
		run->last_event_id = event->event_id;
	}
	return true;
}

static bool know_ahead(struct engine_run *run, const History__HistoryEvent *event)
{
	if (!event_has_attributes(event))
		return true; /* it fails when it is applied */
	if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
		return protocol_accepted(run, event);
	switch (marker_kind(event)) {
	case MARKER_PATCH:
		return patch_ahead(run, event);
	case MARKER_LOCAL_ACTIVITY:
		return locals_ahead(run, event);
	case MARKER_OTHER:
		break;
	}
	return true;
}

/*
 * What the next task's commands have left in history and the workflow must know while it makes
 * them: an update that it will accept, a patch, a local activity's outcome. In history's order.
 */
static bool look_ahead(struct engine_run *run)
{
	struct history_sequence next = history_peek(&run->task->history, run->current_started_id);

	run->task->ahead = NULL; /* what was there has been applied */
	for (size_t i = 0; next.ahead && i < next.count; i++)
		if (event_info(next.events[i])->flags & EVENT_AHEAD &&
			!know_ahead(run, next.events[i]))
			return false;
	locals_ahead_end(run);
	if (!run->locals)
		return true;
	if (!locals_deliver(run))
		return false;
	return run->replaying || !run->task->response || locals_new_task(run);
}

/*
 * The replay of a whole history is stricter than a task is: what the workflow commanded must all be
 * in it. (A task sends on what history lacks, as the core SDK does.)
 */
static bool is_used_up(struct engine_run *run)
{
	struct machine *machine;

	if (run->task->response)
		return true;
	machine = queue_pop(run);
	return !machine || run_nondeterminism(run, "history has no event for %s",
				   machine_describe(run, machine));
}

/*
 * Nothing is applied behind the end of the run, nor what was applied before: a sticky task's
 * history begins behind last_event_id, but a page fetched from the start repeats it.
 *
 * An empty sequence ends the replay too: the task brings only queries, or an answer's new task with
 * nothing in it. One that has been applied already, with others behind it, does not: a query showed
 * events that no task had seen yet, and a task then brings history from its start.
 */
bool replay_apply_next(struct engine_run *run, size_t *applied, bool *passed_by)
{
	struct history *history = &run->task->history;

	*applied = 0;
	*passed_by = false;
	if (run->seen_final_event) {
		run->replaying = false;
		return true;
	}
	struct history_sequence sequence = history_take(history, run->current_started_id);
	size_t taken = sequence.count;

	while (sequence.count && sequence.events[0]->event_id <= run->last_event_id) {
		sequence.events++;
		sequence.count--;
	}
	*applied = sequence.count;
	if (!sequence.count) {
		*passed_by = taken && !sequence.is_last;
		run->replaying &= *passed_by;
		return true;
	}
	if (!apply_all_completed(run, &sequence))
		return false;

	const History__HistoryEvent *last = sequence.events[sequence.count - 1];

	if (last->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED)
		run->next_started_id = last->event_id;
	run->task->last_sequence = sequence.is_last;
	return apply_sequence(run, &sequence) && look_ahead(run) && is_used_up(run);
}
