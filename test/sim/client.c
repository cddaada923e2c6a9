/*
 * client.c: the clients: each workflow id has a plan, and what was acknowledged of it is noted.
 *
 *     start --ok--> signals, a cancellation or a termination, at random times
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

static Common__WorkflowExecution execution_of(struct sim_plan *plan)
{
	Common__WorkflowExecution execution = COMMON__WORKFLOW_EXECUTION__INIT;

	execution.workflow_id = plan->id;
	return execution;
}

static Common__Payload *number(int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	return convert_payload_to_api(
		&sim_arena, &(struct temporal_payload){ .data = { text, strlen(text) } });
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
	Common__WorkflowExecution execution = execution_of(signal->plan);
	Common__Payloads input = COMMON__PAYLOADS__INIT;
	Common__Payload *payload = number(signal->number);
	char request_id[48];

	snprintf(request_id, sizeof(request_id), "%s-%d", signal->plan->id, signal->number);
	input.payloads = &payload;
	input.n_payloads = 1;
	message.namespace_ = SIM_NAMESPACE;
	message.workflow_execution = &execution;
	message.signal_name = "tell";
	message.input = &input;
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
	Common__WorkflowExecution execution = execution_of(plan);

	message.namespace_ = SIM_NAMESPACE;
	message.workflow_execution = &execution;
	message.request_id = plan->request_id;
	net_insist(&rpc_workflow_request_cancel_workflow_execution, &message, noted,
		&plan->cancelled_ns);
}

static void terminate(void *arg)
{
	Workflowservice__TerminateWorkflowExecutionRequest message =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct sim_plan *plan = arg;
	Common__WorkflowExecution execution = execution_of(plan);

	message.namespace_ = SIM_NAMESPACE;
	message.workflow_execution = &execution;
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
	/* Answers may overtake one another: the longest counts. */
	if ((int64_t)response->history->n_events <= plan->read_events || plan->kind == SIM_RELAY)
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
	Common__WorkflowExecution execution = execution_of(plan);
	Query__WorkflowQuery query = QUERY__WORKFLOW_QUERY__INIT;

	query.query_type = "seen";
	message.namespace_ = SIM_NAMESPACE;
	message.execution = &execution;
	message.query = &query;
	net_call(&rpc_workflow_query_workflow, &message, 10 * SIM_SECOND, ignore, NULL);
}

static void look(void *arg)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct sim_plan *plan = &client_plans[sim_random((uint64_t)client_n_plans)];
	Common__WorkflowExecution execution = execution_of(plan);

	if (!sim_faults)
		return;
	message.namespace_ = SIM_NAMESPACE;
	message.execution = &execution;
	message.wait_new_event = true; /* without the events of a transient task */
	net_call(&rpc_workflow_get_workflow_execution_history, &message, 5 * SIM_SECOND,
		read_history, plan);
	if (sim_random(2) && plan->kind == SIM_MIXED)
		ask(plan);
	sim_after(sim_between(SIM_MS, SIM_SECOND), look, NULL);
}

/* ---- the end ---- */

static void wait_for_end(void *arg);

static void waited(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *response = message;
	struct sim_plan *plan = user;
	const History__HistoryEvent *last;

	if (code != TEMPORAL_OK || !response->history->n_events) {
		sim_after(sim_between(SIM_MS, SIM_SECOND), wait_for_end, plan);
		return;
	}
	last = response->history->events[response->history->n_events - 1];
	if (last->event_type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW)
		sim_after(0, wait_for_end, plan);
	else
		plan->over = true;
}

/* Without a run id: of the current run. */
static void wait_for_end(void *arg)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct sim_plan *plan = arg;
	Common__WorkflowExecution execution = execution_of(plan);

	message.namespace_ = SIM_NAMESPACE;
	message.execution = &execution;
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

/* ---- the start ---- */

static void started(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__StartWorkflowExecutionResponse *response = message;
	struct sim_plan *plan = user;

	if (code == TEMPORAL_OK) {
		snprintf(plan->run_id, sizeof(plan->run_id), "%s", response->run_id);
		sim_figures.starts++;
	} else if (code != TEMPORAL_ALREADY_EXISTS || plan->kind != SIM_RELAY) {
		/* A later run of a relay does not know the first one's request. */
		sim_violation("the start of %s got code %d", plan->id, code);
	}
	for (int i = 0; i < plan->signals; i++)
		sim_after(sim_between(0, SPREAD_NS), send_signal, &plan->signal[i]);
	if (plan->to_cancel)
		sim_after(sim_between(0, SPREAD_NS), cancel, plan);
	if (plan->to_terminate)
		sim_after(sim_between(0, SPREAD_NS), terminate, plan);
	sim_after(0, wait_for_end, plan);
}

static void start(void *arg)
{
	Workflowservice__StartWorkflowExecutionRequest message =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct sim_plan *plan = arg;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	Common__Payloads input = COMMON__PAYLOADS__INIT;
	Common__Payload *payloads[2] = { number(sim_between(0, 5)), number(plan->signals) };

	type.name = plan->kind == SIM_MIXED ? "sim_mixed" : "sim_relay";
	queue.name = SIM_QUEUE;
	input.payloads = payloads;
	input.n_payloads = plan->kind == SIM_MIXED ? 2 : 1;
	message.namespace_ = SIM_NAMESPACE;
	message.workflow_id = plan->id;
	message.workflow_type = &type;
	message.task_queue = &queue;
	message.input = &input;
	message.request_id = plan->request_id;
	message.workflow_id_reuse_policy =
		ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE;
	net_insist(&rpc_workflow_start_workflow_execution, &message, started, plan);
}

static void make_plan(struct sim_plan *plan, int index)
{
	*plan = (struct sim_plan){ .index = index };
	plan->kind = sim_random(4) ? SIM_MIXED : SIM_RELAY;
	snprintf(plan->id, sizeof(plan->id), "workflow-%d", index);
	snprintf(plan->request_id, sizeof(plan->request_id), "request-%d", index);
	if (plan->kind == SIM_RELAY)
		return;
	plan->signals = (int)sim_random(SIM_SIGNALS + 1);
	plan->to_cancel = sim_random(8) == 0;
	plan->to_terminate = sim_random(8) == 0;
	for (int i = 0; i < plan->signals; i++)
		plan->signal[i] = (struct sim_signal){ plan, i, false };
}

void client_begin(int n_plans)
{
	client_n_plans = n_plans;
	for (int i = 0; i < client_n_plans; i++) {
		make_plan(&client_plans[i], i);
		sim_after(sim_between(0, SPREAD_NS), start, &client_plans[i]);
	}
	sim_after(sim_between(SIM_MS, SIM_SECOND), look, NULL);
}
