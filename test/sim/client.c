/*
 * client.c: the clients: each workflow id has a plan, and what was acknowledged of it is noted.
 *
 *     start --ok--> signals, updates, a reset, a cancellation or a termination, at random times
 *               --> a caller that waits for the end, run after run
 *     and now and then somebody reads a history, of which later ones must be continuations
 */
#include <stdio.h>
#include <string.h>

#include "convert/convert.h"
#include "proto/codec.h"
#include "rpc/methods.h"
#include "sim.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define SPREAD_NS (20 * SIM_SECOND)
#define WAIT_NS   (25 * SIM_SECOND)

struct sim_plan client_plans[SIM_PLANS];
int client_n_plans;

/* ---- what is sent ---- */

Common__WorkflowExecution *client_execution(const char *workflow_id, const char *run_id)
{
	Common__WorkflowExecution *execution = sim_alloc(sizeof(*execution));

	*execution = (Common__WorkflowExecution)COMMON__WORKFLOW_EXECUTION__INIT;
	execution->workflow_id = workflow_id;
	execution->run_id = run_id;
	return execution;
}

Common__Payload *client_number(int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	return convert_payload_to_api(
		&sim_arena, &(struct temporal_payload){ .data = { text, strlen(text) } });
}

Common__Payloads *client_numbers(const int64_t *values, size_t n_values)
{
	Common__Payloads *payloads = sim_alloc(sizeof(*payloads));

	*payloads = (Common__Payloads)COMMON__PAYLOADS__INIT;
	payloads->payloads = sim_alloc(n_values * sizeof(*payloads->payloads) + 1);
	payloads->n_payloads = n_values;
	for (size_t i = 0; i < n_values; i++)
		payloads->payloads[i] = client_number(values[i]);
	return payloads;
}

Workflowservice__StartWorkflowExecutionRequest *client_start_message(
	const char *workflow_id, const char *type, const char *request_id, Common__Payloads *input)
{
	Workflowservice__StartWorkflowExecutionRequest *message = sim_alloc(sizeof(*message));

	*message = (Workflowservice__StartWorkflowExecutionRequest)
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	message->workflow_type = sim_alloc(sizeof(*message->workflow_type));
	*message->workflow_type = (Common__WorkflowType)COMMON__WORKFLOW_TYPE__INIT;
	message->workflow_type->name = type;
	message->task_queue = sim_alloc(sizeof(*message->task_queue));
	*message->task_queue = (Taskqueue__TaskQueue)TASKQUEUE__TASK_QUEUE__INIT;
	message->task_queue->name = SIM_QUEUE;
	message->namespace_ = SIM_NAMESPACE;
	message->workflow_id = workflow_id;
	message->request_id = request_id;
	message->input = input;
	message->workflow_id_reuse_policy =
		ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE;
	return message;
}

/* ---- signals, cancellation, termination ---- */

static void signalled(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	struct sim_signal *signal = user;

	if (code == TEMPORAL_OK) {
		signal->acknowledged = true;
		sim_figures.signals++;
	} else if (code != TEMPORAL_NOT_FOUND) {
		/* (It may have come, its answer lost, and the workflow have ended since; without it
		 * the workflow does not.) */
		sim_violation(
			"signal %d of %s got code %d", signal->number, signal->plan->id, code);
	}
}

static void send_signal(void *arg)
{
	Workflowservice__SignalWorkflowExecutionRequest message =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct sim_signal *signal = arg;
	int64_t number = signal->number;
	char request_id[48];

	snprintf(request_id, sizeof(request_id), "%s-%d", signal->plan->id, signal->number);
	message.namespace_ = SIM_NAMESPACE;
	message.workflow_execution = client_execution(signal->plan->id, "");
	message.signal_name = "tell";
	message.input = client_numbers(&number, 1);
	message.request_id = request_id;
	net_insist(&rpc_workflow_signal_workflow_execution, &message, signalled, signal);
}

/* Notes when. */
static void noted(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	if (code == TEMPORAL_OK)
		*(int64_t *)user = sim_now_ns;
}

static void cancel(void *arg)
{
	Workflowservice__RequestCancelWorkflowExecutionRequest message =
		WORKFLOWSERVICE__REQUEST_CANCEL_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct sim_plan *plan = arg;

	message.namespace_ = SIM_NAMESPACE;
	message.workflow_execution = client_execution(plan->id, "");
	message.request_id = plan->request_id;
	net_insist(&rpc_workflow_request_cancel_workflow_execution, &message, noted,
		&plan->cancelled_ns);
}

static void terminate(void *arg)
{
	Workflowservice__TerminateWorkflowExecutionRequest message =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct sim_plan *plan = arg;

	message.namespace_ = SIM_NAMESPACE;
	message.workflow_execution = client_execution(plan->id, "");
	net_insist(
		&rpc_workflow_terminate_workflow_execution, &message, noted, &plan->terminated_ns);
}

/* ---- readers ---- */

/* The events of a history are never changed: of two answers one is a beginning of the other. */
static void read_history(
	void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *response = message;
	struct sim_plan *plan = user;
	uint64_t hash = 0;

	if (code != TEMPORAL_OK || !response->history->n_events)
		return;
	sim_figures.reads++;
	for (size_t i = 0; i < response->history->n_events; i++) {
		struct bytes event = { 0 };

		if (proto_encode(arena, response->history->events[i], 0, &event, NULL) ==
			TEMPORAL_OK)
			hash = check_hash(hash, event.ptr, event.len);
	}
	/* Answers may overtake one another: the longest counts. (Of a chain of runs it may be any.)
	 */
	if ((int64_t)response->history->n_events <= plan->read_events || plan->kind == SIM_RELAY ||
		plan->kind == SIM_CRON || plan->reset)
		return;
	plan->read_events = (int64_t)response->history->n_events;
	plan->read_hash = hash;
}

static void ignore(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
}

static void ask(struct sim_plan *plan)
{
	Workflowservice__QueryWorkflowRequest message =
		WORKFLOWSERVICE__QUERY_WORKFLOW_REQUEST__INIT;
	Query__WorkflowQuery query = QUERY__WORKFLOW_QUERY__INIT;

	query.query_type = "seen";
	message.namespace_ = SIM_NAMESPACE;
	message.execution = client_execution(plan->id, "");
	message.query = &query;
	net_call(&rpc_workflow_query_workflow, &message, 10 * SIM_SECOND, ignore, NULL);
}

static void look(void *arg)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct sim_plan *plan = &client_plans[sim_random((uint64_t)client_n_plans)];

	if (!sim_faults)
		return;
	message.namespace_ = SIM_NAMESPACE;
	message.execution = client_execution(plan->id, "");
	message.wait_new_event = true; /* without the events of a transient task */
	net_call(&rpc_workflow_get_workflow_execution_history, &message, 5 * SIM_SECOND,
		read_history, plan);
	if (sim_random(2) && plan->kind == SIM_MIXED)
		ask(plan);
	sim_after(sim_between(SIM_MS, SIM_SECOND), look, NULL);
}

/* ---- the end ---- */

static void wait_for_end(void *arg);

/* Is what was seen the end of all? A reset begins anew what has been asked for before it. */
static bool is_end(const struct sim_plan *plan, const History__HistoryEvent *event)
{
	if (plan->reset == SIM_RESET_WANTED || plan->waits_ns < plan->reset_ns)
		return false;
	if (event->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
		return true;
	return plan->kind != SIM_CRON &&
	       event->event_type !=
		       ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW;
}

static void waited(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *response = message;
	struct sim_plan *plan = user;

	plan->over = code == TEMPORAL_OK && response->history->n_events &&
		     is_end(plan, response->history->events[response->history->n_events - 1]);
	if (!plan->over)
		sim_after(sim_between(SIM_MS, SIM_SECOND), wait_for_end, plan);
}

/* Without a run id: of the current run. */
static void wait_for_end(void *arg)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct sim_plan *plan = arg;

	plan->waits_ns = sim_now_ns;
	message.namespace_ = SIM_NAMESPACE;
	message.execution = client_execution(plan->id, "");
	message.wait_new_event = true;
	message.history_event_filter_type =
		ENUMS__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
	net_call(&rpc_workflow_get_workflow_execution_history, &message, WAIT_NS, waited, plan);
}

bool client_all_over(void)
{
	for (int i = 0; i < client_n_plans; i++) {
		if (!client_plans[i].over)
			return false;
	}
	return true;
}

/* ---- resets ---- */

static void reset_is_over(struct sim_plan *plan)
{
	plan->reset = SIM_RESET_DONE;
	plan->reset_ns = sim_now_ns;
}

static void was_reset(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__ResetWorkflowExecutionResponse *response = message;
	struct sim_plan *plan = user;

	if (code != TEMPORAL_OK) {
		sim_violation("the reset of %s got code %d", plan->id, code);
		return;
	}
	snprintf(plan->reset_run_id, sizeof(plan->reset_run_id), "%s", response->run_id);
	sim_figures.resets++;
	reset_is_over(plan);
}

static void reset(void *arg);

/* To the first workflow task that was completed, if there is one by now. */
static void found_task(
	void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *response = message;
	Workflowservice__ResetWorkflowExecutionRequest reset_message =
		WORKFLOWSERVICE__RESET_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct sim_plan *plan = user;
	char request_id[40];
	bool ended = false;

	snprintf(request_id, sizeof(request_id), "%s-reset", plan->request_id);
	reset_message.namespace_ = SIM_NAMESPACE;
	reset_message.workflow_execution = client_execution(plan->id, plan->run_id);
	reset_message.request_id = request_id;
	for (size_t i = 0; code == TEMPORAL_OK && i < response->history->n_events; i++) {
		const History__HistoryEvent *event = response->history->events[i];

		ended |= event->event_type ==
			 ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED;
		if (event->event_type != ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
			continue;
		reset_message.workflow_task_finish_event_id = event->event_id;
		net_insist(&rpc_workflow_reset_workflow_execution, &reset_message, was_reset, plan);
		return;
	}
	if (ended)
		reset_is_over(plan); /* there never will be one */
	else
		sim_after(SIM_SECOND, reset, plan);
}

static void reset(void *arg)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct sim_plan *plan = arg;

	message.namespace_ = SIM_NAMESPACE;
	message.execution = client_execution(plan->id, plan->run_id);
	net_insist(&rpc_workflow_get_workflow_execution_history, &message, found_task, plan);
}

/* ---- the start ---- */

void client_started(struct sim_plan *plan, enum temporal_code code, const char *run_id)
{
	bool chain = plan->kind == SIM_RELAY || plan->kind == SIM_CRON;

	if (code == TEMPORAL_OK) {
		snprintf(plan->run_id, sizeof(plan->run_id), "%s", run_id);
		sim_figures.starts++;
	} else if (code != TEMPORAL_ALREADY_EXISTS || !chain) {
		/* A later run of a chain does not know the first one's request. */
		sim_violation("the start of %s got code %d", plan->id, code);
	}
	for (int i = 0; i < plan->signals; i++)
		sim_after(sim_between(0, SPREAD_NS), send_signal, &plan->signal[i]);
	updates_begin(plan);
	if (plan->reset)
		sim_after(sim_between(0, SPREAD_NS), reset, plan);
	if (plan->to_cancel)
		sim_after(sim_between(0, SPREAD_NS), cancel, plan);
	if (plan->to_terminate)
		sim_after(sim_between(0, plan->kind == SIM_CRON ? 10 * SPREAD_NS : SPREAD_NS),
			terminate, plan);
	sim_after(0, wait_for_end, plan);
}

static void started(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__StartWorkflowExecutionResponse *response = message;

	client_started(user, code, code == TEMPORAL_OK ? response->run_id : "");
}

Workflowservice__StartWorkflowExecutionRequest *client_plan_message(const struct sim_plan *plan)
{
	static const char *const types[] = { "sim_mixed", "sim_relay", "sim_updated", "sim_family",
		"sim_cron", "sim_caller" };
	int64_t numbers[2] = { sim_between(0, 5), plan->signals };
	Workflowservice__StartWorkflowExecutionRequest *message;

	if (plan->kind == SIM_UPDATED)
		numbers[0] = plan->updates - (plan->updates > 2); /* one of three is refused */
	if (plan->kind == SIM_FAMILY || plan->kind == SIM_CALLER)
		numbers[0] = sim_between(1, 4);
	message = client_start_message(plan->id, types[plan->kind], plan->request_id,
		client_numbers(numbers, plan->kind == SIM_MIXED ? 2 : plan->kind != SIM_CRON));
	message->cron_schedule = plan->kind == SIM_CRON ? plan->schedule : "";
	return message;
}

static void start(void *arg)
{
	struct sim_plan *plan = arg;

	if (plan->starts_by_update)
		updates_start(plan);
	else
		net_insist(&rpc_workflow_start_workflow_execution, client_plan_message(plan),
			started, plan);
}

static enum sim_kind some_kind(void)
{
	static const enum sim_kind kinds[] = { SIM_MIXED, SIM_MIXED, SIM_MIXED, SIM_RELAY,
		SIM_UPDATED, SIM_UPDATED, SIM_FAMILY, SIM_FAMILY, SIM_CRON, SIM_CALLER,
		SIM_CALLER };

	return kinds[sim_random(sizeof(kinds) / sizeof(kinds[0]))];
}

static void make_plan(struct sim_plan *plan, int index, enum sim_kind kind)
{
	*plan = (struct sim_plan){ .index = index, .kind = kind };
	snprintf(plan->id, sizeof(plan->id), "workflow-%d", index);
	snprintf(plan->request_id, sizeof(plan->request_id), "request-%d", index);
	plan->schedule = sim_random(2) ? "* * * * *" : "@every 7s";
	plan->to_terminate = kind == SIM_CRON || (kind != SIM_RELAY && sim_random(8) == 0);
	plan->to_cancel = kind != SIM_RELAY && kind != SIM_CRON && sim_random(8) == 0;
	if (kind == SIM_MIXED) {
		plan->signals = (int)sim_random(SIM_SIGNALS + 1);
		/* (What began anew would wait for signals that came too late for a first end.) */
		if (!plan->to_cancel && !plan->to_terminate && sim_random(3) == 0)
			plan->reset = SIM_RESET_WANTED;
	}
	if (kind == SIM_UPDATED) {
		plan->updates = 1 + (int)sim_random(SIM_UPDATES);
		plan->starts_by_update = sim_random(2);
	}
	for (int i = 0; i < plan->signals; i++)
		plan->signal[i] = (struct sim_signal){ plan, i, false };
	for (int i = 0; i < plan->updates; i++)
		plan->update[i] = (struct sim_update){ .plan = plan, .number = i };
}

void client_begin(uint64_t seed, bool few)
{
	client_n_plans = few ? SIM_FEW_PLANS : SIM_PLANS;
	for (int i = 0; i < client_n_plans; i++) {
		uint64_t turn = seed * SIM_FEW_PLANS + (uint64_t)i;

		make_plan(
			&client_plans[i], i, few ? (enum sim_kind)(turn % SIM_KINDS) : some_kind());
		sim_after(sim_between(0, SPREAD_NS), start, &client_plans[i]);
	}
	sim_after(sim_between(SIM_MS, SIM_SECOND), look, NULL);
}
