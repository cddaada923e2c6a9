/*
 * query.c: questions to a workflow. A worker has to be there: the server waits for its answer.
 *
 * Three ends have content: the answer; a refusal because of the run's status; a failure of the
 * handler, which comes as a status of gRPC with the failure in its details.
 */
#include <temporal/api/common/v1/grpc_status.pb-c.h>
#include <temporal/api/errordetails/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "client/call.h"
#include "client/intercept.h"
#include "client/request.h"
#include "client/result_object.h"
#include "client/run.h"
#include "convert/convert.h"

struct query_state {
	const char *workflow_id, *run_id;
};

/* The failure in the status' details; older servers send none. Out of memory counts as none. */
static void take_failure(struct temporal_result *result, const Common__GrpcStatus *status)
{
	const Errordetails__QueryFailedFailure *detail;

	result->status = TEMPORAL_STATUS_FAILED;
	if (!status || !status->n_details)
		return;
	detail = proto_decode(&result->arena, &errordetails__query_failed_failure__descriptor,
		status->details[0]->value.data, status->details[0]->value.len, NULL, NULL);
	if (detail && detail->failure)
		result->failure = convert_failure_from_api(&result->arena, detail->failure);
}

/*
 * The handler's failure is an answer, though gRPC calls it an error: the code tells it from a query
 * that did not get through. Without memory for the object the error is told without it.
 */
static void end_failed(struct client_call *call, struct rpc_reply *reply)
{
	const struct query_state *state = call->state;
	struct temporal_result *result = NULL;

	if (reply->error.detail == TEMPORAL_DETAIL_QUERY_FAILED) {
		reply->error.code = TEMPORAL_QUERY_FAILED;
		result = client_result_new(state->workflow_id, state->run_id, NULL);
	}
	if (result)
		take_failure(result, reply->status);
	client_call_end(call, result, &reply->error);
}

/* A refusal is an error with an object, which has the run's status. */
static void took_answer(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__QueryWorkflowResponse *answer = reply->message;
	const struct query_state *state = call->state;
	struct temporal_error err = { 0 };
	struct temporal_result *result;

	if (reply->code) {
		end_failed(call, reply);
		return;
	}
	result = client_result_new(state->workflow_id, state->run_id, &err);
	if (result && answer->query_rejected) {
		result->status = (enum temporal_status)answer->query_rejected->status;
		error_set(&err, TEMPORAL_QUERY_REJECTED, "not answered: the workflow %s",
			client_result_status_name(result->status));
	} else if (result) {
		result->status = TEMPORAL_STATUS_COMPLETED;
		if (client_result_take_payloads(result, answer->query_result, &err)) {
			temporal_result_unref(result);
			result = NULL;
		}
	}
	client_call_end(call, result, err.code ? &err : NULL);
}

/* The API's 0 is "unspecified"; ours is never, so it is translated and not cast. */
static Enums__QueryRejectCondition reject_condition(
	struct client_request *builder, enum temporal_query_reject reject)
{
	switch (reject) {
	case TEMPORAL_QUERY_REJECT_NEVER:
		return ENUMS__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_NONE;
	case TEMPORAL_QUERY_REJECT_NOT_OPEN:
		return ENUMS__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_NOT_OPEN;
	case TEMPORAL_QUERY_REJECT_NOT_COMPLETED_CLEANLY:
		return ENUMS__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY;
	}
	client_request_fail(
		builder, "reject is %d: expected one of TEMPORAL_QUERY_REJECT_...", (int)reject);
	return ENUMS__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_UNSPECIFIED;
}

static void fill_in(struct client_request *builder, struct client_call *call,
	const struct temporal_run *run, const struct client_input *input,
	const struct temporal_query_opts *opts)
{
	Workflowservice__QueryWorkflowRequest *message = REQUEST_NEW(builder,
		Workflowservice__QueryWorkflowRequest, workflowservice__query_workflow_request);
	Query__WorkflowQuery *query =
		REQUEST_NEW(builder, Query__WorkflowQuery, query__workflow_query);

	query->query_type = input->name;
	query->query_args = client_request_input_payloads(builder, input, TEMPORAL_DEFINES_QUERY);
	query->header = client_request_header(builder, opts->headers);
	message->namespace_ = client_namespace(call->client);
	message->execution = client_request_execution(builder, run->workflow_id, run->bound_run_id);
	message->query = query;
	message->query_reject_condition = reject_condition(builder, opts->reject);
	call->method = &rpc_workflow_query_workflow;
	call->message = message;
	call->took = took_answer;
}

/* Ids are copied: the result object names the run, and the handle may be given up meanwhile. */
static struct client_call *prepare(struct temporal_run *run, const struct client_input *input,
	const struct temporal_query_opts *given, size_t size, struct temporal_error *err)
{
	struct temporal_query_opts opts;
	struct client_input own = *input;
	struct client_request builder;
	struct query_state *state;
	struct client_call *call;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	call = client_call_new(run->client, CLIENT_CALL_OPTS(&opts), err);
	if (!call)
		return NULL;
	client_call_name(call, "query \"%s\" of workflow \"%s\"", input->name ? input->name : "",
		run->workflow_id);
	client_request_init(&builder, &call->arena, err);
	state = arena_zalloc(&call->arena, sizeof(*state));
	if (state) {
		state->workflow_id = arena_strdup(&call->arena, run->workflow_id);
		state->run_id = arena_strdup(&call->arena, run->bound_run_id);
	}
	if (!state || !state->workflow_id || !state->run_id)
		builder.code = error_no_memory(err, "a query");
	if (!builder.code)
		builder.code = client_intercept(call,
			&(const struct client_outbound){ .operation = TEMPORAL_CALL_QUERY,
				.workflow_id = run->workflow_id,
				.run_id = run->bound_run_id,
				.input = &own,
				.headers = &opts.headers },
			err);
	if (!builder.code)
		fill_in(&builder, call, run, &own, &opts);
	if (!builder.code) {
		call->state = state;
		return call;
	}
	if (call->what)
		error_prefix(err, "%s", call->what);
	client_call_free(call);
	return NULL;
}

/* Waits; an answer, or with the error the object that goes with it. */
static struct temporal_result *ask(struct client_call *call, struct temporal_error *err)
{
	void *result = NULL;

	if (!call)
		return NULL;
	(void)!client_call_wait(call, &result, err); /* what it says is in `err` */
	return result;
}

/* An object that comes with an error goes to *keep, or ends here. */
struct temporal_result *temporal_query_named_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_query_opts *opts, size_t size,
	struct temporal_result **keep, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct temporal_result *result =
		ask(prepare(run, &REQUEST_UNTYPED(name, arguments), opts, size, &own), &own);

	if (keep)
		*keep = NULL;
	if (!own.code)
		return result;
	client_result_hand_over(result, own.code, keep, &own, err);
	return NULL;
}

static enum temporal_code ask_async(struct client_call *call, const struct temporal_error *why,
	temporal_result_fn *done, void *user, struct temporal_error *err)
{
	if (call)
		return client_call_result_async(call, done, user, err);
	if (err)
		*err = *why;
	return why->code;
}

enum temporal_code temporal_query_named_async_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_query_opts *opts, size_t size,
	temporal_result_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return ask_async(prepare(run, &REQUEST_UNTYPED(name, arguments), opts, size, &why), &why,
		done, user, err);
}

enum temporal_code temporal_query_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_query_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return ask_async(prepare(run, &REQUEST_TYPED(contract, in), opts, size, &why), &why, done,
		user, err);
}

enum temporal_code temporal_query_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_query_opts *opts, size_t size, void *out,
	struct temporal_result **keep, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct temporal_result *result = NULL;

	if (!client_result_check_keep(contract, out, keep, &own))
		result = ask(prepare(run, &REQUEST_TYPED(contract, in), opts, size, &own), &own);
	if (!own.code)
		(void)!temporal_result_get_(result, contract, out, &own);
	return client_result_hand_over(result, own.code, keep, &own, err);
}
