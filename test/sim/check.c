/*
 * check.c: after the last crash, with no faults any more: is what the server says what it has said
 * before? Every history is read and compared with all that was acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/time.h"
#include "rpc/methods.h"
#include "sim.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define EVENTS_MAX       4096
#define EVENT(Name_)     ENUMS__EVENT_TYPE__EVENT_TYPE_##Name_
#define FAILED_BY(Name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##Name_

bool check_done;

/* The plan whose runs are being read, and the run. */
struct reading {
	int plan;
	bool first;
	char run_id[40];
};

static struct reading reading;

static void read_run(void);

static int64_t number_of(const Common__Payloads *payloads)
{
	char text[24] = "-1";

	if (payloads && payloads->n_payloads && payloads->payloads[0]->data.len < sizeof(text)) {
		memcpy(text, payloads->payloads[0]->data.data, payloads->payloads[0]->data.len);
		text[payloads->payloads[0]->data.len] = '\0';
	}
	return strtoll(text, NULL, 10);
}

/* ---- one promise a function ---- */

static void check_order(const struct sim_plan *plan, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		if (history->events[i]->event_id != (int64_t)i + 1)
			sim_violation("%s: event %zu has id %lld", plan->id, i + 1,
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

static void check_signals(const struct sim_plan *plan, const History__History *history)
{
	int times[SIM_SIGNALS] = { 0 };

	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];
		int64_t number;

		if (event->event_type != EVENT(WORKFLOW_EXECUTION_SIGNALED))
			continue;
		number = number_of(event->workflow_execution_signaled_event_attributes->input);
		if (number < 0 || number >= SIM_SIGNALS)
			sim_violation("%s: a signal that nobody has sent", plan->id);
		else
			times[number]++;
	}
	for (int i = 0; i < plan->signals; i++) {
		if (times[i] > 1 || (plan->signal[i].acknowledged && !times[i]))
			sim_violation("%s: signal %d is there %d times%s", plan->id, i, times[i],
				plan->signal[i].acknowledged ? ", and was acknowledged" : "");
	}
}

static const History__HistoryEvent *event_of(const History__History *history, int64_t id)
{
	return id > 0 && id <= (int64_t)history->n_events ? history->events[id - 1] : NULL;
}

static int64_t time_of(const History__HistoryEvent *event)
{
	int64_t ns = 0;

	return proto_timestamp_ns(event->event_time, &ns) ? ns : 0;
}

/* Each timer fires once, and not before its time. */
static void check_timers(const struct sim_plan *plan, const History__History *history)
{
	static bool ended[EVENTS_MAX];

	memset(ended, 0, sizeof(ended));
	for (size_t i = 0; i < history->n_events && i < EVENTS_MAX; i++) {
		const History__HistoryEvent *event = history->events[i], *begin;
		bool fired = event->event_type == EVENT(TIMER_FIRED);
		int64_t started, wait_ns = 0;

		if (!fired && event->event_type != EVENT(TIMER_CANCELED))
			continue;
		started = fired ? event->timer_fired_event_attributes->started_event_id
				: event->timer_canceled_event_attributes->started_event_id;
		begin = event_of(history, started);
		if (!begin || begin->event_type != EVENT(TIMER_STARTED) || ended[started]) {
			sim_violation("%s: the timer of event %lld ends twice, or never began",
				plan->id, (long long)started);
			continue;
		}
		ended[started] = true;
		sim_figures.timers += fired;
		if (!proto_duration_ns(
			    begin->timer_started_event_attributes->start_to_fire_timeout, &wait_ns))
			sim_violation("%s: a timer without duration", plan->id);
		if (fired && time_of(event) < time_of(begin) + wait_ns)
			sim_violation("%s: the timer of event %lld fires too early", plan->id,
				(long long)started);
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

static void check_activities(const struct sim_plan *plan, const History__History *history)
{
	static bool ended[EVENTS_MAX];

	memset(ended, 0, sizeof(ended));
	for (size_t i = 0; i < history->n_events && i < EVENTS_MAX; i++) {
		int64_t scheduled = scheduled_by(history->events[i]);
		const History__HistoryEvent *begin = event_of(history, scheduled);

		if (!scheduled)
			continue;
		if (!begin || begin->event_type != EVENT(ACTIVITY_TASK_SCHEDULED) ||
			ended[scheduled])
			sim_violation("%s: the activity of event %lld ends twice, or never began",
				plan->id, (long long)scheduled);
		else
			ended[scheduled] = true;
	}
}

static bool is_of(const struct sim_completion *completion, const History__History *history,
	const History__HistoryEvent *event)
{
	const History__HistoryEvent *begin;
	char identity[32];

	if (!completion->activity) {
		snprintf(identity, sizeof(identity), "answer-%lld", (long long)completion->number);
		return event->event_type == EVENT(WORKFLOW_TASK_COMPLETED) &&
		       strcmp(event->workflow_task_completed_event_attributes->identity,
			       identity) == 0;
	}
	if (event->event_type != EVENT(ACTIVITY_TASK_COMPLETED))
		return false;
	begin = event_of(history, scheduled_by(event));
	return begin &&
	       strtoll(begin->activity_task_scheduled_event_attributes->activity_id, NULL, 10) ==
		       completion->activity &&
	       number_of(event->activity_task_completed_event_attributes->result) ==
		       completion->number;
}

static void check_completions(
	const struct sim_plan *plan, const History__History *history, const char *run_id)
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
				plan->id, (long long)at->number,
				at->activity ? "activity" : "a workflow task",
				(long long)at->activity, times);
	}
}

/* A worker fails a task only for what the server did wrong. */
static void check_tasks(const struct sim_plan *plan, const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_type == EVENT(WORKFLOW_TASK_FAILED) &&
			event->workflow_task_failed_event_attributes->cause ==
				FAILED_BY(NON_DETERMINISTIC_ERROR))
			sim_violation("%s: event %zu: the history could not be replayed", plan->id,
				i + 1);
	}
}

static int count(const History__History *history, Enums__EventType type)
{
	int n = 0;

	for (size_t i = 0; i < history->n_events; i++)
		n += history->events[i]->event_type == type;
	return n;
}

static void check_end(const struct sim_plan *plan, const History__History *history)
{
	const History__HistoryEvent *last = history->events[history->n_events - 1];
	bool ok = false;

	switch (last->event_type) {
	case EVENT(WORKFLOW_EXECUTION_COMPLETED):
		ok = !plan->terminated_ns &&
		     number_of(last->workflow_execution_completed_event_attributes->result) ==
			     plan->signals;
		break;
	case EVENT(WORKFLOW_EXECUTION_TERMINATED):
		ok = plan->to_terminate;
		break;
	case EVENT(WORKFLOW_EXECUTION_CANCELED):
		ok = plan->to_cancel && !plan->terminated_ns;
		break;
	case EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
		ok = plan->kind == SIM_RELAY;
		break;
	default:
		break;
	}
	if (!ok)
		sim_violation("%s ends with event %lld of type %d, against its plan", plan->id,
			(long long)last->event_id, last->event_type);
	if (count(history, EVENT(WORKFLOW_EXECUTION_STARTED)) != 1)
		sim_violation("%s was not started once", plan->id);
	if (count(history, EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED)) > 1 ||
		(plan->cancelled_ns && plan->cancelled_ns < time_of(last) &&
			!count(history, EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED))))
		sim_violation("%s: its cancellation was lost or doubled", plan->id);
}

/* ---- run after run ---- */

static void next_plan(void)
{
	reading.plan++;
	reading.run_id[0] = '\0';
	reading.first = true;
	if (reading.plan == client_n_plans)
		check_done = true;
	else
		read_run();
}

static const char *next_run(const History__History *history)
{
	const History__HistoryEvent *last = history->events[history->n_events - 1];

	if (last->event_type != EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW))
		return NULL;
	return last->workflow_execution_continued_as_new_event_attributes->new_execution_run_id;
}

static void was_read(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *response = message;
	struct sim_plan *plan = &client_plans[reading.plan];
	const History__History *history;

	if (code != TEMPORAL_OK || !response->history->n_events) {
		sim_violation("%s, run %s, is not there (code %d)", plan->id, reading.run_id, code);
		return;
	}
	history = response->history;
	if (!reading.run_id[0])
		snprintf(reading.run_id, sizeof(reading.run_id), "%s",
			history->events[0]
				->workflow_execution_started_event_attributes
				->original_execution_run_id);
	check_order(plan, history);
	if (plan->kind == SIM_MIXED)
		check_read(plan, history, arena);
	check_signals(plan, history);
	check_timers(plan, history);
	check_activities(plan, history);
	check_completions(plan, history, reading.run_id);
	check_tasks(plan, history);
	check_end(plan, history);
	if (!next_run(history)) {
		next_plan();
		return;
	}
	reading.first = false;
	snprintf(reading.run_id, sizeof(reading.run_id), "%s", next_run(history));
	read_run();
}

/*
 * The first run is that whose start was acknowledged. A workflow that does not continue has no
 * other, so it is asked for without its run id: a second one would be found in its place.
 */
static void read_run(void)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	Common__WorkflowExecution execution = COMMON__WORKFLOW_EXECUTION__INIT;
	struct sim_plan *plan = &client_plans[reading.plan];

	if (reading.first && plan->kind == SIM_RELAY)
		snprintf(reading.run_id, sizeof(reading.run_id), "%s", plan->run_id);
	execution.workflow_id = plan->id;
	execution.run_id = reading.run_id;
	message.namespace_ = SIM_NAMESPACE;
	message.execution = &execution;
	message.maximum_page_size = EVENTS_MAX;
	net_insist(&rpc_workflow_get_workflow_execution_history, &message, was_read, NULL);
}

void check_begin(void)
{
	check_done = false;
	reading = (struct reading){ .plan = -1 };
	next_plan();
}
