/*
 * nexus.c: an endpoint, and the workers that handle the requests to it: an answer at once, a
 * workflow that answers later by a callback, a failure, silence. A cancellation is passed on to
 * the workflow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/convert.h"
#include "rpc/methods.h"
#include "sim.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"
#include "workflows.h"

#define POLLS   2
#define POLL_NS (70 * SIM_SECOND)

/* A request that is being handled. */
struct handling {
	ProtobufCBinaryData token;
	char operation[12], request_id[80], workflow_id[48];
	Common__Callback *callback;
	int64_t number; /* of an answer at once */
};

static int64_t next_number;

/* ---- the endpoint ---- */

static void made(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	if (code != TEMPORAL_OK && code != TEMPORAL_ALREADY_EXISTS)
		sim_violation("the endpoint cannot be made: code %d", code);
}

static void make_endpoint(void)
{
	Operatorservice__CreateNexusEndpointRequest message =
		OPERATORSERVICE__CREATE_NEXUS_ENDPOINT_REQUEST__INIT;
	Nexus__EndpointSpec spec = NEXUS__ENDPOINT_SPEC__INIT;
	Nexus__EndpointTarget target = NEXUS__ENDPOINT_TARGET__INIT;
	Nexus__EndpointTarget__Worker worker = NEXUS__ENDPOINT_TARGET__WORKER__INIT;

	worker.namespace_ = SIM_NAMESPACE;
	worker.task_queue = SIM_QUEUE;
	target.variant_case = NEXUS__ENDPOINT_TARGET__VARIANT_WORKER;
	target.worker = &worker;
	spec.name = SIM_ENDPOINT;
	spec.target = &target;
	message.spec = &spec;
	net_insist(&rpc_operator_create_nexus_endpoint, &message, made, NULL);
}

/* ---- answers ---- */

static void responded(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	struct handling *handling = user;

	if (code == TEMPORAL_OK && handling->number) {
		sim_figures.operations++;
		sim_completed(handling->workflow_id + strlen("for-"), -1, handling->number);
	}
}

static void respond(struct handling *handling, Nexus__Response *response)
{
	Workflowservice__RespondNexusTaskCompletedRequest message =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_REQUEST__INIT;

	message.namespace_ = SIM_NAMESPACE;
	message.task_token = handling->token;
	message.response = response;
	net_insist(&rpc_workflow_respond_nexus_task_completed, &message, responded, handling);
}

static void respond_start(struct handling *handling, Nexus__StartOperationResponse *start)
{
	Nexus__Response response = NEXUS__RESPONSE__INIT;

	response.variant_case = NEXUS__RESPONSE__VARIANT_START_OPERATION;
	response.start_operation = start;
	respond(handling, &response);
}

static void answer_now(struct handling *handling)
{
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Sync sync = NEXUS__START_OPERATION_RESPONSE__SYNC__INIT;

	handling->number = ++next_number;
	sync.payload = client_number(handling->number);
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS;
	start.sync_success = &sync;
	respond_start(handling, &start);
}

static void answer_failure(struct handling *handling)
{
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ApplicationFailureInfo info = FAILURE__APPLICATION_FAILURE_INFO__INIT;

	failure.message = "as asked for";
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure.application_failure_info = &info;
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_FAILURE;
	start.failure = &failure;
	respond_start(handling, &start);
}

/* ---- a workflow answers ---- */

/* Each workflow that was started for an operation. */
struct known {
	struct known *next;
	const char *workflow_id, *run_id;
};

static struct known *known;

/* There is one run for each, however often the operation is asked for. */
static void check_once(const char *workflow_id, const char *run_id)
{
	struct known *at = known;

	while (at && strcmp(at->workflow_id, workflow_id) != 0)
		at = at->next;
	if (at && strcmp(at->run_id, run_id) != 0)
		sim_violation("%s was started twice for one operation", workflow_id);
	if (at)
		return;
	at = sim_alloc(sizeof(*at));
	at->workflow_id = arena_strdup(&sim_arena, workflow_id);
	at->run_id = arena_strdup(&sim_arena, run_id);
	at->next = known;
	known = at;
}

static void was_started(
	void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__StartWorkflowExecutionResponse *response = message;
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Async async = NEXUS__START_OPERATION_RESPONSE__ASYNC__INIT;
	struct handling *handling = user;

	if (code != TEMPORAL_OK) {
		sim_violation("the start of %s got code %d", handling->workflow_id, code);
		return;
	}
	check_once(handling->workflow_id, response->run_id);
	async.operation_token = handling->workflow_id;
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_ASYNC_SUCCESS;
	start.async_success = &async;
	respond_start(handling, &start);
}

static void answer_later(struct handling *handling)
{
	Workflowservice__StartWorkflowExecutionRequest *message;
	int64_t kind = (int64_t)sim_random(SIM_CHILD_ENDLESS); /* it may come twice: no chain */

	if (strcmp(handling->operation, "endless") == 0)
		kind = SIM_CHILD_ENDLESS;
	message = client_start_message(
		handling->workflow_id, "sim_child", handling->request_id, client_numbers(&kind, 1));
	message->completion_callbacks = &handling->callback;
	message->n_completion_callbacks = 1;
	net_insist(&rpc_workflow_start_workflow_execution, message, was_started, handling);
}

/* ---- cancellation ---- */

static void was_asked(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	Nexus__Response response = NEXUS__RESPONSE__INIT;
	Nexus__CancelOperationResponse cancel = NEXUS__CANCEL_OPERATION_RESPONSE__INIT;

	response.variant_case = NEXUS__RESPONSE__VARIANT_CANCEL_OPERATION;
	response.cancel_operation = &cancel;
	respond(user, &response);
}

static void cancel(struct handling *handling)
{
	Workflowservice__RequestCancelWorkflowExecutionRequest message =
		WORKFLOWSERVICE__REQUEST_CANCEL_WORKFLOW_EXECUTION_REQUEST__INIT;

	message.namespace_ = SIM_NAMESPACE;
	message.workflow_execution = client_execution(handling->workflow_id, "");
	message.request_id = handling->workflow_id;
	net_insist(&rpc_workflow_request_cancel_workflow_execution, &message, was_asked, handling);
}

/* ---- polls ---- */

static Common__Callback *callback_of(const Nexus__StartOperationRequest *start)
{
	Common__Callback *callback = sim_alloc(sizeof(*callback));
	Common__Callback__Nexus *nexus = sim_alloc(sizeof(*nexus));

	*callback = (Common__Callback)COMMON__CALLBACK__INIT;
	*nexus = (Common__Callback__Nexus)COMMON__CALLBACK__NEXUS__INIT;
	nexus->url = arena_strdup(&sim_arena, start->callback);
	nexus->header = sim_alloc(start->n_callback_header * sizeof(*nexus->header) + 1);
	nexus->n_header = start->n_callback_header;
	for (size_t i = 0; i < nexus->n_header; i++) {
		nexus->header[i] = sim_alloc(sizeof(*nexus->header[i]));
		*nexus->header[i] = (Common__Callback__Nexus__HeaderEntry)
			COMMON__CALLBACK__NEXUS__HEADER_ENTRY__INIT;
		nexus->header[i]->key = arena_strdup(&sim_arena, start->callback_header[i]->key);
		nexus->header[i]->value =
			arena_strdup(&sim_arena, start->callback_header[i]->value);
	}
	callback->variant_case = COMMON__CALLBACK__VARIANT_NEXUS;
	callback->nexus = nexus;
	return callback;
}

static void work_on(void *arg)
{
	struct handling *handling = arg;

	if (!handling->callback)
		cancel(handling);
	else if (strcmp(handling->operation, "now") == 0)
		answer_now(handling);
	else if (strcmp(handling->operation, "fail") == 0)
		answer_failure(handling);
	else
		answer_later(handling);
}

static struct handling *handling_of(const Workflowservice__PollNexusTaskQueueResponse *response)
{
	const Nexus__Request *request = response->request;
	struct handling *handling = sim_alloc(sizeof(*handling));

	handling->token.len = response->task_token.len;
	handling->token.data = sim_alloc(handling->token.len);
	memcpy(handling->token.data, response->task_token.data, handling->token.len);
	if (request->variant_case == NEXUS__REQUEST__VARIANT_CANCEL_OPERATION) {
		snprintf(handling->workflow_id, sizeof(handling->workflow_id), "%s",
			request->cancel_operation->operation_token);
		return handling;
	}
	const Nexus__StartOperationRequest *start = request->start_operation;
	snprintf(handling->operation, sizeof(handling->operation), "%s", start->operation);
	snprintf(handling->request_id, sizeof(handling->request_id), "%s", start->request_id);
	/* The caller's text, without its quotes. */
	snprintf(handling->workflow_id, sizeof(handling->workflow_id), "for-%.*s",
		(int)start->payload->data.len - 2, (const char *)start->payload->data.data + 1);
	handling->callback = callback_of(start);
	return handling;
}

static void poll(void *arg);

static void polled(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__PollNexusTaskQueueResponse *response = message;

	if (code != TEMPORAL_OK) {
		sim_after(sim_between(SIM_MS, 200 * SIM_MS), poll, NULL);
		return;
	}
	sim_after(0, poll, NULL);
	if (response->task_token.len && !sim_chance(60))
		sim_after(sim_between(0, 200 * SIM_MS), work_on, handling_of(response));
}

static void poll(void *arg)
{
	Workflowservice__PollNexusTaskQueueRequest message =
		WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_REQUEST__INIT;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;

	queue.name = SIM_QUEUE;
	message.namespace_ = SIM_NAMESPACE;
	message.task_queue = &queue;
	message.identity = "nexus-worker";
	net_call(&rpc_workflow_poll_nexus_task_queue, &message, POLL_NS, polled, NULL);
}

void sim_nexus_begin(void)
{
	known = NULL;
	next_number = 0;
	make_endpoint();
	for (int i = 0; i < POLLS; i++)
		sim_after(sim_between(0, SIM_MS), poll, NULL);
}
