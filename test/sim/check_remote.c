/*
 * check_remote.c: what runs have to do with others: is what the one has seen of the other what the
 * other's own history says? And updates, whose callers are told what the history has.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "proto/time.h"

/* ---- updates ---- */

/* The events of one update; more than one of a kind is a violation. */
struct update_events {
	const History__HistoryEvent *accepted, *completed;
	int times;
};

static void note_update(struct update_events *found, const History__HistoryEvent *event)
{
	const History__HistoryEvent **at =
		event->event_type == EVENT(WORKFLOW_EXECUTION_UPDATE_ACCEPTED) ? &found->accepted
									       : &found->completed;

	found->times += *at ? 2 : 0;
	*at = event;
}

static const char *update_of(const History__HistoryEvent *event)
{
	switch (event->event_type) {
	case EVENT(WORKFLOW_EXECUTION_UPDATE_ACCEPTED):
		return event->workflow_execution_update_accepted_event_attributes
			->protocol_instance_id;
	case EVENT(WORKFLOW_EXECUTION_UPDATE_COMPLETED):
		return event->workflow_execution_update_completed_event_attributes->meta->update_id;
	default:
		return "";
	}
}

static int64_t outcome_of(const History__HistoryEvent *event)
{
	const Update__Outcome *outcome =
		event ? event->workflow_execution_update_completed_event_attributes->outcome : NULL;

	return outcome && outcome->value_case == UPDATE__OUTCOME__VALUE_SUCCESS
		       ? check_number(outcome->success)
		       : -1;
}

static void check_update(const struct sim_update *update, const History__History *history)
{
	struct update_events found = { 0 };
	const char *text = NULL;
	char id[16];

	snprintf(id, sizeof(id), "update-%d", update->number);
	for (size_t i = 0; i < history->n_events; i++) {
		if (strcmp(update_of(history->events[i]), id) == 0)
			note_update(&found, history->events[i]);
	}
	if (found.times)
		text = "is there more than once";
	else if (update->accepted && !found.accepted)
		text = "was acknowledged, and is not there";
	else if (update->rejected && found.accepted)
		text = "was refused, and is there";
	else if (update->completed && outcome_of(found.completed) != update->outcome)
		text = "has another outcome than its caller was told";
	else if (update->failed_ns && found.completed && update->number % 3 != 2)
		text = "has an outcome, and its caller was told that it never will";
	else if (found.completed && !found.accepted)
		text = "was completed, and not accepted";
	if (text)
		sim_violation("%s: update %d %s", update->plan->id, update->number, text);
}

void check_updates(const struct check_run *run, const History__History *history)
{
	for (int i = 0; i < run->plan->updates; i++)
		check_update(&run->plan->update[i], history);
}

/* ---- what a parent has seen ---- */

/* The event that began what this one tells of, and what it tells. 0: nothing of that kind. */
struct told {
	int64_t initiated;
	Enums__EventType end; /* of the child */
	int64_t value;
	const char *run_id; /* it was started */
};

#define END(Name_, name_) \
	case EVENT(CHILD_WORKFLOW_EXECUTION_##Name_): \
		told.initiated = event->child_workflow_execution_##name_##_event_attributes \
					 ->initiated_event_id; \
		told.end = EVENT(WORKFLOW_EXECUTION_##Name_); \
		break

static struct told told_by(const History__HistoryEvent *event)
{
	struct told told = { .value = -1 };

	switch (event->event_type) {
	case EVENT(CHILD_WORKFLOW_EXECUTION_STARTED):
		told.initiated = event->child_workflow_execution_started_event_attributes
					 ->initiated_event_id;
		told.run_id = event->child_workflow_execution_started_event_attributes
				      ->workflow_execution->run_id;
		break;
		END(COMPLETED, completed);
		END(FAILED, failed);
		END(CANCELED, canceled);
		END(TERMINATED, terminated);
		END(TIMED_OUT, timed_out);
	default:
		break;
	}
	if (told.end == EVENT(WORKFLOW_EXECUTION_COMPLETED))
		told.value = check_number(
			event->child_workflow_execution_completed_event_attributes->result);
	return told;
}
#undef END

#define CANCEL_INITIATED request_cancel_external_workflow_execution_initiated_event_attributes

/* Signals and cancellations to a workflow: how many were sent, how many have come. */
static void count_external(
	struct check_seen *seen, const char *workflow_id, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];
		const Common__WorkflowExecution *to = NULL;
		int64_t *number = NULL;

		switch (event->event_type) {
		case EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
			to = event->signal_external_workflow_execution_initiated_event_attributes
				     ->workflow_execution;
			number = &seen->signals;
			break;
		case EVENT(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED):
			to = event->external_workflow_execution_signaled_event_attributes
				     ->workflow_execution;
			number = &seen->signalled;
			break;
		case EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
			to = event->CANCEL_INITIATED->workflow_execution;
			number = &seen->cancels;
			break;
		case EVENT(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED):
			to = event->external_workflow_execution_cancel_requested_event_attributes
				     ->workflow_execution;
			number = &seen->cancelled;
			break;
		default:
			break;
		}
		if (!number || strcmp(to->workflow_id, workflow_id) != 0)
			continue;
		++*number;
		if (number == &seen->cancelled)
			seen->cancelled_ns = check_time(event);
	}
}

static void check_child(const struct check_run *run, const History__History *history,
	const History__HistoryEvent *begin)
{
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *attributes =
		begin->start_child_workflow_execution_initiated_event_attributes;
	struct check_seen seen = { .by = run->workflow_id, .by_run_id = run->run_id, .value = -1 };
	const char *run_id = NULL;
	int starts = 0, ends = 0;

	for (size_t i = 0; i < history->n_events; i++) {
		struct told told = told_by(history->events[i]);

		if (told.initiated != begin->event_id)
			continue;
		starts += told.run_id != NULL;
		ends += told.end != 0;
		run_id = told.run_id ? told.run_id : run_id;
		seen.end = told.end ? told.end : seen.end;
		seen.value = told.end ? told.value : seen.value;
	}
	if (starts > 1 || ends > 1 || (ends && !starts))
		sim_violation("%s: the child %s was started %d times and has ended %d times",
			run->workflow_id, attributes->workflow_id, starts, ends);
	if (!run_id)
		return;
	seen.policy = attributes->parent_close_policy;
	seen.by_end_ns = check_time(check_last(history));
	seen.is_chain = check_number(attributes->input) == 4;
	count_external(&seen, attributes->workflow_id, history);
	struct check_run *child = check_add(NULL, attributes->workflow_id, "");
	child->first_run_id = arena_strdup(&sim_arena, run_id);
	child->seen = seen;
	sim_figures.children++;
}

void check_children(const struct check_run *run, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_type == EVENT(START_CHILD_WORKFLOW_EXECUTION_INITIATED))
			check_child(run, history, event);
		if (event->event_type == EVENT(START_CHILD_WORKFLOW_EXECUTION_FAILED))
			sim_violation("%s: a child could not be started", run->workflow_id);
	}
}

/* ---- what the other one says ---- */

static void check_policy(const struct check_run *run, const History__History *history)
{
	const struct check_seen *seen = &run->seen;
	const History__HistoryEvent *last = check_last(history);
	bool before = check_time(last) <= seen->by_end_ns;
	bool kept = true;

	if (seen->policy == ENUMS__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_TERMINATE)
		kept = before || last->event_type == EVENT(WORKFLOW_EXECUTION_TERMINATED);
	if (seen->policy == ENUMS__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_REQUEST_CANCEL)
		kept = before || seen->is_chain ||
		       check_count(history, EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED)) == 1;
	if (seen->policy == ENUMS__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_ABANDON)
		kept = last->event_type != EVENT(WORKFLOW_EXECUTION_TERMINATED);
	if (!kept)
		sim_violation("%s: the end of %s was not passed on as policy %d says",
			run->workflow_id, seen->by, seen->policy);
}

void check_seen(const struct check_run *run, const History__History *history)
{
	const struct check_seen *seen = &run->seen;
	const History__HistoryEvent *last = check_last(history);
	int signals = check_count(history, EVENT(WORKFLOW_EXECUTION_SIGNALED));
	int cancels = check_count(history, EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED));

	if (seen->end && seen->end != last->event_type)
		sim_violation("%s: ends with event type %d, and %s has seen %d", run->workflow_id,
			last->event_type, seen->by, seen->end);
	if (seen->value >= 0 &&
		seen->value !=
			check_number(last->workflow_execution_completed_event_attributes->result))
		sim_violation("%s has another result than %s has seen", run->workflow_id, seen->by);
	if (signals > seen->signals || (!seen->is_chain && signals < seen->signalled))
		sim_violation("%s has %d signals of %lld, and %s was told of %lld",
			run->workflow_id, signals, (long long)seen->signals, seen->by,
			(long long)seen->signalled);
	/* (To cancel what has ended is no error.) */
	if (cancels > 1 || (!seen->is_chain && !cancels && seen->cancelled_ns &&
				   seen->cancelled_ns < check_time(last)))
		sim_violation("%s: its cancellation by %s was lost or doubled", run->workflow_id,
			seen->by);
	check_policy(run, history);
}

/* ---- Nexus operations ---- */

#define END(Name_, name_, end_) \
	case EVENT(NEXUS_OPERATION_##Name_): \
		told.initiated = \
			event->nexus_operation_##name_##_event_attributes->scheduled_event_id; \
		told.end = EVENT(end_); \
		break

static struct told told_of_operation(const History__HistoryEvent *event)
{
	struct told told = { .value = -1 };

	switch (event->event_type) {
	case EVENT(NEXUS_OPERATION_STARTED):
		told.initiated =
			event->nexus_operation_started_event_attributes->scheduled_event_id;
		told.run_id = event->nexus_operation_started_event_attributes->operation_token;
		break;
		END(COMPLETED, completed, WORKFLOW_EXECUTION_COMPLETED);
		END(FAILED, failed, WORKFLOW_EXECUTION_FAILED);
		END(CANCELED, canceled, WORKFLOW_EXECUTION_CANCELED);
		END(TIMED_OUT, timed_out, WORKFLOW_EXECUTION_TIMED_OUT);
	default:
		break;
	}
	if (told.end == EVENT(WORKFLOW_EXECUTION_COMPLETED))
		told.value =
			check_payload(event->nexus_operation_completed_event_attributes->result);
	return told;
}
#undef END

/* What was told at once of this operation is its result, or comes too late for it. */
static void found_result(const History__HistoryEvent *begin, const struct check_seen *seen)
{
	const Common__Payload *input = begin->nexus_operation_scheduled_event_attributes->input;
	bool is_result = seen->end == EVENT(WORKFLOW_EXECUTION_COMPLETED);
	char name[40];

	snprintf(name, sizeof(name), "%.*s", (int)input->data.len - 2,
		(const char *)input->data.data + 1);
	for (struct sim_completion *at = sim_completions; at; at = at->next) {
		if (at->activity == -1 && strcmp(at->run_id, name) == 0)
			at->found += !is_result || at->number == seen->value;
	}
}

static void check_operation(const struct check_run *run, const History__History *history,
	const History__HistoryEvent *begin)
{
	struct check_seen seen = { .by = run->workflow_id, .by_run_id = run->run_id, .value = -1 };
	const char *token = NULL;
	int starts = 0, ends = 0;
	/* A caller that has asked for the end need not have waited for it. */
	bool all = check_last(history)->event_type == EVENT(WORKFLOW_EXECUTION_COMPLETED) &&
		   !check_count(history, EVENT(NEXUS_OPERATION_CANCEL_REQUESTED));

	for (size_t i = 0; i < history->n_events; i++) {
		struct told told = told_of_operation(history->events[i]);

		if (told.initiated != begin->event_id)
			continue;
		starts += told.run_id != NULL;
		ends += told.end != 0;
		token = told.run_id ? told.run_id : token;
		seen.end = told.end ? told.end : seen.end;
		seen.value = told.end ? told.value : seen.value;
	}
	if (starts > 1 || ends > 1 || (all && !ends && !run->plan->to_cancel))
		sim_violation("%s: the operation of event %lld was started %d times and has ended "
			      "%d times",
			run->workflow_id, (long long)begin->event_id, starts, ends);
	if (!token)
		found_result(begin, &seen);
	if (!token || !token[0]) /* it was called back before it had been answered */
		return;
	if (seen.end == EVENT(WORKFLOW_EXECUTION_TIMED_OUT))
		seen.end = 0; /* of the operation alone */
	seen.policy = ENUMS__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_ABANDON;
	check_add(NULL, token, "")->seen = seen;
}

void check_operations(const struct check_run *run, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		if (history->events[i]->event_type == EVENT(NEXUS_OPERATION_SCHEDULED))
			check_operation(run, history, history->events[i]);
	}
}

/* ---- runs by the clock ---- */

/* Each begins when its schedule says, and knows of the result before. */
void check_cron(struct check_run *run, const History__History *history)
{
	const History__WorkflowExecutionStartedEventAttributes *started =
		history->events[0]->workflow_execution_started_event_attributes;
	const History__HistoryEvent *last = check_last(history);
	int64_t period_ns = (strcmp(run->plan->schedule, "@every 7s") == 0 ? 7 : 60) * SIM_SECOND;
	int64_t wait_ns = 0, due_ns;

	if (started->first_workflow_task_backoff &&
		!proto_duration_ns(started->first_workflow_task_backoff, &wait_ns))
		sim_violation("%s: a run without a valid wait", run->workflow_id);
	due_ns = check_time(history->events[0]) + wait_ns;
	if (period_ns == 60 * SIM_SECOND && due_ns % period_ns >= SIM_SECOND)
		sim_violation("%s: a run is not due at its minute", run->workflow_id);
	if (run->due_ns && due_ns < run->due_ns + period_ns - SIM_SECOND)
		sim_violation("%s: a run is due too early", run->workflow_id);
	if (history->n_events > 1 &&
		history->events[1]->event_type == EVENT(WORKFLOW_TASK_SCHEDULED) &&
		!check_is_due(check_time(history->events[1]), due_ns))
		sim_violation("%s: a run does not begin when it is due", run->workflow_id);
	run->due_ns = due_ns;
	if (!run->plan->run_id[0] && !run->carried) /* which run the first was is not known */
		run->carried = check_number(started->last_completion_result);
	run->carried = run->carried > 0 ? run->carried : 0;
	if (check_number(started->last_completion_result) != (run->carried ? run->carried : -1))
		sim_violation("%s: a run was not given the result before it", run->workflow_id);
	if (last->event_type == EVENT(WORKFLOW_EXECUTION_COMPLETED))
		run->carried++;
}

/* ---- local activities ---- */

static int64_t local_result(const History__HistoryEvent *event)
{
	const History__MarkerRecordedEventAttributes *attributes =
		event->marker_recorded_event_attributes;

	if (event->event_type != EVENT(MARKER_RECORDED) ||
		strcmp(attributes->marker_name, "core_local_activity") != 0)
		return -1;
	for (size_t i = 0; i < attributes->n_details; i++) {
		if (strcmp(attributes->details[i]->key, "result") == 0)
			return check_number(attributes->details[i]->value);
	}
	return -1;
}

/* Each result is recorded once. */
void check_locals(const char *id, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		int64_t result = local_result(history->events[i]);

		for (size_t j = 0; j < i && result >= 0; j++) {
			if (local_result(history->events[j]) == result)
				sim_violation("%s: the local result %lld is there twice", id,
					(long long)result);
		}
	}
}
