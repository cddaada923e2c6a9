/*
 * check.c: after the last crash, with no faults any more: is what the server says what it has said
 * before? Every history is read and compared with all that was acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "rpc/methods.h"

#define PATIENCE         7200 /* in seconds, until a run that has been left alone is over */
#define FAILED_BY(Name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##Name_

bool check_done;

static struct check_run *queue, **queue_end; /* the first one is being read */
static int patience;

static void read_run(void *arg);

struct check_run *check_add(
	const struct sim_plan *plan, const char *workflow_id, const char *run_id)
{
	struct check_run *run = sim_alloc(sizeof(*run));

	run->plan = plan;
	run->workflow_id = arena_strdup(&sim_arena, workflow_id);
	run->run_id = arena_strdup(&sim_arena, run_id);
	run->seen.value = -1;
	*queue_end = run;
	queue_end = &run->next;
	return run;
}

int64_t check_payload(const Common__Payload *payload)
{
	char text[24] = "-1";

	if (payload && payload->data.len < sizeof(text)) {
		memcpy(text, payload->data.data, payload->data.len);
		text[payload->data.len] = '\0';
	}
	return strtoll(text, NULL, 10);
}

int64_t check_number(const Common__Payloads *payloads)
{
	return payloads && payloads->n_payloads ? check_payload(payloads->payloads[0]) : -1;
}

int64_t check_time(const History__HistoryEvent *event)
{
	int64_t ns = 0;

	return proto_timestamp_ns(event->event_time, &ns) ? ns : 0;
}

const History__HistoryEvent *check_event(const History__History *history, int64_t id)
{
	return id > 0 && id <= (int64_t)history->n_events ? history->events[id - 1] : NULL;
}

const History__HistoryEvent *check_last(const History__History *history)
{
	return history->events[history->n_events - 1];
}

int check_count(const History__History *history, Enums__EventType type)
{
	int n = 0;

	for (size_t i = 0; i < history->n_events; i++)
		n += history->events[i]->event_type == type;
	return n;
}

bool check_is_due(int64_t at_ns, int64_t due_ns)
{
	return at_ns == due_ns || (at_ns > due_ns && node_came_up(at_ns));
}

/* ---- one promise a function ---- */

static void check_order(const char *id, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		if (history->events[i]->event_id != (int64_t)i + 1)
			sim_violation("%s: event %zu has id %lld", id, i + 1,
				(long long)history->events[i]->event_id);
	}
}

static void check_read(
	const struct sim_plan *plan, const History__History *history, struct arena *arena)
{
	uint64_t hash = 0;

	if (!plan->read_events)
		return;
	for (size_t i = 0; i < history->n_events && (int64_t)i < plan->read_events; i++) {
		struct bytes event = { 0 };

		if (proto_encode(arena, history->events[i], 0, &event, NULL) == TEMPORAL_OK)
			hash = check_hash(hash, event.ptr, event.len);
	}
	if ((int64_t)history->n_events < plan->read_events || hash != plan->read_hash)
		sim_violation("%s: %lld events were read, and are not the first of its %zu",
			plan->id, (long long)plan->read_events, history->n_events);
}

/* Of a run that was reset, some are in its successor alone. */
static void check_signals(
	const struct sim_plan *plan, const History__History *history, bool is_last)
{
	int times[SIM_SIGNALS] = { 0 };

	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];
		int64_t number;

		if (event->event_type != EVENT(WORKFLOW_EXECUTION_SIGNALED))
			continue;
		number = check_number(event->workflow_execution_signaled_event_attributes->input);
		if (number < 0 || number >= SIM_SIGNALS)
			sim_violation("%s: a signal that nobody has sent", plan->id);
		else
			times[number]++;
	}
	for (int i = 0; i < plan->signals; i++) {
		if (times[i] > 1 || (is_last && plan->signal[i].acknowledged && !times[i]))
			sim_violation("%s: signal %d is there %d times%s", plan->id, i, times[i],
				plan->signal[i].acknowledged ? ", and was acknowledged" : "");
	}
}

/* Each timer fires once, and to the nanosecond: when it is due, or when the server is there again.
 */
static void check_timers(const char *id, const History__History *history)
{
	static bool ended[CHECK_EVENTS_MAX];

	memset(ended, 0, sizeof(ended));
	for (size_t i = 0; i < history->n_events && i < CHECK_EVENTS_MAX; i++) {
		const History__HistoryEvent *event = history->events[i], *begin;
		bool fired = event->event_type == EVENT(TIMER_FIRED);
		int64_t started, wait_ns = 0;

		if (!fired && event->event_type != EVENT(TIMER_CANCELED))
			continue;
		started = fired ? event->timer_fired_event_attributes->started_event_id
				: event->timer_canceled_event_attributes->started_event_id;
		begin = check_event(history, started);
		if (!begin || begin->event_type != EVENT(TIMER_STARTED) || ended[started]) {
			sim_violation("%s: the timer of event %lld ends twice, or never began", id,
				(long long)started);
			continue;
		}
		ended[started] = true;
		sim_figures.timers += fired;
		if (!proto_duration_ns(
			    begin->timer_started_event_attributes->start_to_fire_timeout, &wait_ns))
			sim_violation("%s: a timer without duration", id);
		if (fired && !check_is_due(check_time(event), check_time(begin) + wait_ns))
			sim_violation("%s: the timer of event %lld fires %lld ns after it was due",
				id, (long long)started,
				(long long)(check_time(event) - check_time(begin) - wait_ns));
	}
}

static int64_t scheduled_by(const History__HistoryEvent *event)
{
	switch (event->event_type) {
	case EVENT(ACTIVITY_TASK_COMPLETED):
		return event->activity_task_completed_event_attributes->scheduled_event_id;
	case EVENT(ACTIVITY_TASK_FAILED):
		return event->activity_task_failed_event_attributes->scheduled_event_id;
	case EVENT(ACTIVITY_TASK_TIMED_OUT):
		return event->activity_task_timed_out_event_attributes->scheduled_event_id;
	case EVENT(ACTIVITY_TASK_CANCELED):
		return event->activity_task_canceled_event_attributes->scheduled_event_id;
	default:
		return 0;
	}
}

static void check_activities(const char *id, const History__History *history)
{
	static bool ended[CHECK_EVENTS_MAX];

	memset(ended, 0, sizeof(ended));
	for (size_t i = 0; i < history->n_events && i < CHECK_EVENTS_MAX; i++) {
		int64_t scheduled = scheduled_by(history->events[i]);
		const History__HistoryEvent *begin = check_event(history, scheduled);

		if (!scheduled)
			continue;
		if (!begin || begin->event_type != EVENT(ACTIVITY_TASK_SCHEDULED) ||
			ended[scheduled])
			sim_violation("%s: the activity of event %lld ends twice, or never began",
				id, (long long)scheduled);
		else
			ended[scheduled] = true;
	}
}

static bool is_of(const struct sim_completion *completion, const History__History *history,
	const History__HistoryEvent *event)
{
	const History__HistoryEvent *begin;
	char identity[32];

	if (completion->activity == 0) {
		snprintf(identity, sizeof(identity), "answer-%lld", (long long)completion->number);
		return event->event_type == EVENT(WORKFLOW_TASK_COMPLETED) &&
		       strcmp(event->workflow_task_completed_event_attributes->identity,
			       identity) == 0;
	}
	if (event->event_type != EVENT(ACTIVITY_TASK_COMPLETED))
		return false;
	begin = check_event(history, scheduled_by(event));
	return begin &&
	       strtoll(begin->activity_task_scheduled_event_attributes->activity_id, NULL, 10) ==
		       completion->activity &&
	       check_number(event->activity_task_completed_event_attributes->result) ==
		       completion->number;
}

static void check_completions(const char *id, const History__History *history, const char *run_id)
{
	for (const struct sim_completion *at = sim_completions; at; at = at->next) {
		int times = 0;

		if (strcmp(at->run_id, run_id) != 0)
			continue;
		for (size_t i = 0; i < history->n_events; i++)
			times += is_of(at, history, history->events[i]);
		if (times != 1)
			sim_violation("%s: completion %lld of %s %lld was acknowledged, and is "
				      "there %d times",
				id, (long long)at->number,
				at->activity ? "activity" : "a workflow task",
				(long long)at->activity, times);
	}
}

/* A worker fails a task only for what the server did wrong. */
static void check_tasks(const char *id, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_type == EVENT(WORKFLOW_TASK_FAILED) &&
			event->workflow_task_failed_event_attributes->cause ==
				FAILED_BY(NON_DETERMINISTIC_ERROR))
			sim_violation(
				"%s: event %zu: the history could not be replayed", id, i + 1);
	}
}

/* ---- the end ---- */

static bool result_is_right(const struct check_run *run, const History__History *history)
{
	const struct sim_plan *plan = run->plan;
	int64_t result = check_number(
		check_last(history)->workflow_execution_completed_event_attributes->result);

	switch (plan->kind) {
	case SIM_MIXED:
		return result == plan->signals;
	case SIM_UPDATED:
		return result == plan->updates - (plan->updates > 2);
	case SIM_FAMILY:
		return result >= 0 &&
		       result <= check_count(history, EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED));
	case SIM_CRON:
		return result == run->carried + 1;
	case SIM_CALLER:
		return result >= 0 &&
		       result <= check_count(history, EVENT(NEXUS_OPERATION_COMPLETED));
	default:
		return result == 0;
	}
}

static bool is_base(const struct check_run *run)
{
	return run->plan->reset_run_id[0] && strcmp(run->run_id, run->plan->reset_run_id) != 0;
}

static bool end_is_right(const struct check_run *run, const History__History *history)
{
	const struct sim_plan *plan = run->plan;
	bool terminated = plan->terminated_ns && plan->kind != SIM_CRON && !plan->reset;

	switch (check_last(history)->event_type) {
	case EVENT(WORKFLOW_EXECUTION_COMPLETED):
		return !terminated && result_is_right(run, history);
	case EVENT(WORKFLOW_EXECUTION_TERMINATED):
		return plan->to_terminate || is_base(run);
	case EVENT(WORKFLOW_EXECUTION_CANCELED):
		return plan->to_cancel && !terminated;
	case EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
		return plan->kind == SIM_RELAY;
	case EVENT(WORKFLOW_EXECUTION_FAILED):
		return plan->kind == SIM_CRON;
	default:
		return false;
	}
}

static void check_end(const struct check_run *run, const History__History *history)
{
	const struct sim_plan *plan = run->plan;
	const History__HistoryEvent *last = check_last(history);
	int cancels = check_count(history, EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED));

	if (!end_is_right(run, history))
		sim_violation("%s ends with event %lld of type %d, against its plan", plan->id,
			(long long)last->event_id, last->event_type);
	if (check_count(history, EVENT(WORKFLOW_EXECUTION_STARTED)) != 1)
		sim_violation("%s was not started once", plan->id);
	/* (A reset does not ask again.) */
	if (cancels > 1 || (plan->cancelled_ns && plan->cancelled_ns < check_time(last) &&
				   !cancels && !plan->reset))
		sim_violation("%s: its cancellation was lost or doubled", plan->id);
}

/* ---- run after run ---- */

static const char *next_run(const History__History *history)
{
	const History__HistoryEvent *last = check_last(history);

	switch (last->event_type) {
	case EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
		return last->workflow_execution_continued_as_new_event_attributes
			->new_execution_run_id;
	case EVENT(WORKFLOW_EXECUTION_COMPLETED):
		return last->workflow_execution_completed_event_attributes->new_execution_run_id;
	case EVENT(WORKFLOW_EXECUTION_FAILED):
		return last->workflow_execution_failed_event_attributes->new_execution_run_id;
	default:
		return "";
	}
}

static bool has_ended(const History__History *history)
{
	switch (check_last(history)->event_type) {
	case EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
	case EVENT(WORKFLOW_EXECUTION_COMPLETED):
	case EVENT(WORKFLOW_EXECUTION_FAILED):
	case EVENT(WORKFLOW_EXECUTION_CANCELED):
	case EVENT(WORKFLOW_EXECUTION_TERMINATED):
	case EVENT(WORKFLOW_EXECUTION_TIMED_OUT):
		return true;
	default:
		return false;
	}
}

static void check_plan(struct check_run *run, const History__History *history, struct arena *arena)
{
	const struct sim_plan *plan = run->plan;
	const char *next = next_run(history);

	if (plan->kind != SIM_RELAY && plan->kind != SIM_CRON && !plan->reset)
		check_read(plan, history, arena);
	check_signals(plan, history, !is_base(run));
	check_end(run, history);
	check_updates(run, history);
	check_children(run, history);
	check_operations(run, history);
	if (plan->kind == SIM_CRON)
		check_cron(run, history);
	if (next[0]) {
		struct check_run *follower = check_add(plan, plan->id, next);

		follower->first_run_id = run->first_run_id;
		follower->carried = run->carried;
		follower->due_ns = run->due_ns;
	}
}

static void check_run(struct check_run *run, const History__History *history, struct arena *arena)
{
	const History__WorkflowExecutionStartedEventAttributes *started =
		history->events[0]->workflow_execution_started_event_attributes;

	if (!run->run_id[0])
		run->run_id = arena_strdup(&sim_arena, started->original_execution_run_id);
	if (run->first_run_id && strcmp(run->first_run_id, started->first_execution_run_id) != 0)
		sim_violation("%s was started twice: %s and %s", run->workflow_id,
			run->first_run_id, started->first_execution_run_id);
	run->first_run_id = arena_strdup(&sim_arena, started->first_execution_run_id);
	check_order(run->workflow_id, history);
	check_timers(run->workflow_id, history);
	check_activities(run->workflow_id, history);
	check_locals(run->workflow_id, history);
	check_completions(run->workflow_id, history, run->run_id);
	check_tasks(run->workflow_id, history);
	if (run->plan)
		check_plan(run, history, arena);
	else
		check_seen(run, history);
	if (sim_broken()) {
		node_print(run->run_id);
		node_print(run->seen.by_run_id);
	}
}

/* What operations were told at once has to be in some history. */
static void finish(void)
{
	for (const struct sim_completion *at = sim_completions; at; at = at->next) {
		if (at->activity == -1 && at->found != 1)
			sim_violation("the result %lld of an operation was acknowledged, and is "
				      "there %d times",
				(long long)at->number, at->found);
	}
	check_done = true;
}

static void was_read(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *response = message;
	struct check_run *run = queue;

	if (code != TEMPORAL_OK || !response->history->n_events) {
		sim_violation(
			"%s, run %s, is not there (code %d)", run->workflow_id, run->run_id, code);
		return;
	}
	if (!has_ended(response->history)) {
		if (patience-- > 0)
			sim_after(SIM_SECOND, read_run, NULL);
		else
			sim_violation("%s never comes to its end", run->workflow_id);
		return;
	}
	check_run(run, response->history, arena);
	queue = run->next;
	if (queue)
		read_run(NULL);
	else
		finish();
}

static void read_run(void *arg)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;

	message.namespace_ = SIM_NAMESPACE;
	message.execution = client_execution(queue->workflow_id, queue->run_id);
	message.maximum_page_size = CHECK_EVENTS_MAX;
	net_insist(&rpc_workflow_get_workflow_execution_history, &message, was_read, NULL);
}

/*
 * Of a chain, the first run is that whose start was acknowledged. A workflow that has one run is
 * asked for without its run id: a second one would be found in its place.
 */
void check_begin(void)
{
	check_done = false;
	queue = NULL;
	queue_end = &queue;
	patience = PATIENCE;
	for (int i = 0; i < client_n_plans; i++) {
		const struct sim_plan *plan = &client_plans[i];
		bool chain = plan->kind == SIM_RELAY || plan->kind == SIM_CRON || plan->reset;

		check_add(plan, plan->id, chain ? plan->run_id : "");
		if (plan->reset_run_id[0])
			check_add(plan, plan->id, plan->reset_run_id);
	}
	read_run(NULL);
}
