/*
 * updates.c: updates of the workflows of kind SIM_UPDATED, and those who wait for what comes of
 * them.
 *
 *     update --accepted--> poll --nothing yet--> poll ... --> the outcome
 *          \--the outcome, or that it was refused, or that the run has ended
 *
 * Each is asked for under the same id until something final was told; that is noted, and what is
 * told later has to agree with it.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "rpc/methods.h"
#include "sim.h"

#define SPREAD_NS       (20 * SIM_SECOND)
#define STAGE(name_)    ENUMS__UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE__##name_
#define STAGE_ACCEPTED  STAGE(UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED)
#define STAGE_COMPLETED STAGE(UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED)

static Update__WaitPolicy *wait_for(Enums__UpdateWorkflowExecutionLifecycleStage stage)
{
	Update__WaitPolicy *policy = sim_alloc(sizeof(*policy));

	*policy = (Update__WaitPolicy)UPDATE__WAIT_POLICY__INIT;
	policy->lifecycle_stage = stage;
	return policy;
}

static const char *id_of(const struct sim_update *update)
{
	char *id = sim_alloc(16);

	snprintf(id, 16, "update-%d", update->number);
	return id;
}

static Workflowservice__UpdateWorkflowExecutionRequest *message_of(const struct sim_update *update)
{
	Workflowservice__UpdateWorkflowExecutionRequest *message = sim_alloc(sizeof(*message));
	Update__Request *request = sim_alloc(sizeof(*request));
	Update__Meta *meta = sim_alloc(sizeof(*meta));
	Update__Input *input = sim_alloc(sizeof(*input));
	int64_t number = update->number;

	*message = (Workflowservice__UpdateWorkflowExecutionRequest)
		WORKFLOWSERVICE__UPDATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	*request = (Update__Request)UPDATE__REQUEST__INIT;
	*meta = (Update__Meta)UPDATE__META__INIT;
	*input = (Update__Input)UPDATE__INPUT__INIT;
	meta->update_id = id_of(update);
	input->name = "add";
	input->args = client_numbers(&number, 1);
	request->meta = meta;
	request->input = input;
	message->namespace_ = SIM_NAMESPACE;
	message->workflow_execution = client_execution(update->plan->id, "");
	message->wait_policy = wait_for(sim_random(2) ? STAGE_ACCEPTED : STAGE_COMPLETED);
	message->request = request;
	return message;
}

/* ---- what is told ---- */

static void poll(void *arg);
static void ask(void *arg);

/* A failure that the update's handler or check has not made says that the run has ended. */
static void tell_failure(struct sim_update *update, const Failure__Failure *failure)
{
	const Failure__ApplicationFailureInfo *info =
		failure->failure_info_case ==
				FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO
			? failure->application_failure_info
			: NULL;

	if (info && strcmp(info->type, "Refused") == 0)
		update->rejected = true;
	else
		update->failed_ns = sim_now_ns;
	if (update->rejected && (update->accepted || update->number % 3 != 2))
		sim_violation("%s: update %d was accepted, or had to be, and is refused",
			update->plan->id, update->number);
}

static void tell(struct sim_update *update, const Update__Outcome *outcome)
{
	if (outcome->value_case == UPDATE__OUTCOME__VALUE_FAILURE) {
		tell_failure(update, outcome->failure);
		return;
	}
	update->outcome = check_number(outcome->success);
	update->accepted = update->completed = true;
	sim_figures.updates++;
}

static void go_on(struct sim_update *update, enum temporal_code code,
	Enums__UpdateWorkflowExecutionLifecycleStage stage, const Update__Outcome *outcome,
	void (*again)(void *arg))
{
	if (code == TEMPORAL_OK && outcome) {
		tell(update, outcome);
	} else if (code == TEMPORAL_OK) {
		update->accepted |= stage >= STAGE_ACCEPTED;
		sim_after(sim_between(SIM_MS, SIM_SECOND), update->accepted ? poll : again, update);
	} else if (code == TEMPORAL_NOT_FOUND) {
		update->failed_ns = sim_now_ns;
	} else {
		/* Too many at once, or the run gave way to another: it may be tried again. */
		sim_after(sim_between(SIM_MS, SIM_SECOND), again, update);
	}
}

static void polled(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__PollWorkflowExecutionUpdateResponse *response = message;

	go_on(user, code, response ? response->stage : 0, response ? response->outcome : NULL,
		poll);
}

static void poll(void *arg)
{
	Workflowservice__PollWorkflowExecutionUpdateRequest message =
		WORKFLOWSERVICE__POLL_WORKFLOW_EXECUTION_UPDATE_REQUEST__INIT;
	Update__UpdateRef reference = UPDATE__UPDATE_REF__INIT;
	struct sim_update *update = arg;

	reference.workflow_execution = client_execution(update->plan->id, "");
	reference.update_id = id_of(update);
	message.namespace_ = SIM_NAMESPACE;
	message.update_ref = &reference;
	message.wait_policy = wait_for(STAGE_COMPLETED);
	net_insist(&rpc_workflow_poll_workflow_execution_update, &message, polled, update);
}

static void answered(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__UpdateWorkflowExecutionResponse *response = message;

	go_on(user, code, response ? response->stage : 0, response ? response->outcome : NULL, ask);
}

static void ask(void *arg)
{
	net_insist(&rpc_workflow_update_workflow_execution, message_of(arg), answered, arg);
}

void updates_begin(struct sim_plan *plan)
{
	for (int i = plan->starts_by_update ? 1 : 0; i < plan->updates; i++)
		sim_after(sim_between(0, SPREAD_NS), ask, &plan->update[i]);
}

/* ---- a start by the first ---- */

#define OPERATION(name_) \
	WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__OPERATION__OPERATION_##name_

static void try_start(void *arg);

static void both_answered(
	void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__ExecuteMultiOperationResponse *response = message;
	struct sim_update *update = user;
	const Workflowservice__UpdateWorkflowExecutionResponse *second;

	if (code != TEMPORAL_OK) {
		/* Its first attempt may have succeeded, and the run be over. */
		if (code != TEMPORAL_ALREADY_EXISTS && code != TEMPORAL_NOT_FOUND) {
			sim_after(sim_between(SIM_MS, SIM_SECOND), try_start, update);
			return;
		}
		update->failed_ns = sim_now_ns;
		client_started(update->plan, TEMPORAL_OK, "");
		return;
	}
	second = response->responses[1]->update_workflow;
	client_started(update->plan, TEMPORAL_OK, response->responses[0]->start_workflow->run_id);
	go_on(update, code, second->stage, second->outcome, ask);
}

static void try_start(void *arg)
{
	Workflowservice__ExecuteMultiOperationRequest message =
		WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__INIT;
	Workflowservice__ExecuteMultiOperationRequest__Operation first =
		WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__OPERATION__INIT;
	Workflowservice__ExecuteMultiOperationRequest__Operation second = first, *both[2];
	struct sim_update *update = arg;

	first.operation_case = OPERATION(START_WORKFLOW);
	first.start_workflow = client_plan_message(update->plan);
	first.start_workflow->workflow_id_conflict_policy =
		ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING;
	second.operation_case = OPERATION(UPDATE_WORKFLOW);
	second.update_workflow = message_of(update);
	both[0] = &first;
	both[1] = &second;
	message.namespace_ = SIM_NAMESPACE;
	message.operations = both;
	message.n_operations = 2;
	net_insist(&rpc_workflow_execute_multi_operation, &message, both_answered, update);
}

void updates_start(struct sim_plan *plan)
{
	try_start(&plan->update[0]);
}
