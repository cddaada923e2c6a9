/*
 * update.c: updates: sent alone or with a start, waited for, asked for by their id.
 *
 *	send ----> not accepted yet ------------------> send again: the id makes them one
 *	     +---> accepted, and that is enough ------> the handle
 *	     +---> no outcome yet, but it is wanted --> poll ---> no outcome yet --> poll again
 *	     +---> the outcome -----------------------> the result, or the handle with it
 *
 * The server holds each request for some 20 seconds and then says how far it is, so a wait of any
 * length is a chain of requests, tried again for ten seconds from a failure on; the user's timeout
 * is the limit of them all (call.c). Each request is copied whole, as what the caller has written
 * in options is gone when the second one is sent.
 *
 * Requests are made on the caller's thread; replies are taken on the loop's.
 */
#include <stdatomic.h>

#include <temporal/api/common/v1/grpc_status.pb-c.h>
#include <temporal/api/errordetails/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/call.h"
#include "client/intercept.h"
#include "client/request.h"
#include "client/result_object.h"
#include "client/run.h"
#include "client/start.h"
#include "convert/convert.h"

/* Names of the generator, too long for a line of code. */
#define JOIN_(a_, b_)     JOIN_IS_(a_, b_)
#define JOIN_IS_(a_, b_)  a_##b_
#define STAGES_           ENUMS__UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE__
#define STAGE_IS_         JOIN_(STAGES_, UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_)
#define STAGE_(name_)     JOIN_(STAGE_IS_, name_)
#define OPERATION_IS_     WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_REQUEST__OPERATION__OPERATION_
#define OPERATION_(name_) JOIN_(OPERATION_IS_, name_)
#define RESPONSE_IS_      WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_RESPONSE__RESPONSE__RESPONSE_
#define RESPONSE_(name_)  JOIN_(RESPONSE_IS_, name_)

typedef Workflowservice__UpdateWorkflowExecutionRequest update_request;
typedef Workflowservice__UpdateWorkflowExecutionResponse update_response;
typedef Workflowservice__PollWorkflowExecutionUpdateRequest poll_request;
typedef Workflowservice__ExecuteMultiOperationRequest multi_request;
typedef Workflowservice__ExecuteMultiOperationRequest__Operation multi_operation;
typedef Workflowservice__ExecuteMultiOperationResponse multi_response;
typedef Errordetails__MultiOperationExecutionFailure multi_failure;

/* Immutable after it was made. The outcome, if it is known, is encoded: each wait makes its own. */
struct temporal_update {
	atomic_uint refs;
	struct temporal_run *run; /* a reference; bound to the run that has the update */
	struct arena arena;
	const char *id;
	const Update__Outcome *outcome; /* in the arena; NULL: not known */
};

/* In the call's arena, as all that it points to. */
struct update_state {
	const char *workflow_id, *update_id;
	const char *run_id;       /* of the run that has the update; "": not known yet */
	const char *first_run_id; /* of a start */
	bool started;             /* a start has started the run */
	bool wants_handle, wants_outcome;
};

/* ---- handles ---- */

static struct temporal_update *handle_new(
	struct temporal_run *run, const char *id, struct temporal_error *err)
{
	struct temporal_update *update = mem_zalloc(sizeof(*update));

	if (!update) {
		temporal_run_unref(run);
		error_no_memory(err, "an update's handle");
		return NULL;
	}
	atomic_init(&update->refs, 1);
	arena_init(&update->arena, 128, ARENA_NO_BUDGET);
	update->run = run;
	update->id = arena_strdup(&update->arena, id);
	if (update->id)
		return update;
	temporal_update_unref(update);
	error_no_memory(err, "an update's handle");
	return NULL;
}

struct temporal_update *temporal_update_handle(
	struct temporal_run *run, const char *id, struct temporal_error *err)
{
	if (!str_empty(id))
		return handle_new(temporal_run_ref(run), id, err);
	error_set(err, TEMPORAL_INVALID_ARGUMENT, "an update's handle needs the update's id");
	return NULL;
}

struct temporal_update *temporal_update_ref(struct temporal_update *update)
{
	atomic_fetch_add_explicit(&update->refs, 1, memory_order_relaxed);
	return update;
}

/* The run last: it may hold the last reference to the client. */
void temporal_update_unref(struct temporal_update *update)
{
	struct temporal_run *run;

	if (!update || atomic_fetch_sub_explicit(&update->refs, 1, memory_order_acq_rel) != 1)
		return;
	run = update->run;
	arena_finish(&update->arena);
	mem_free(update);
	temporal_run_unref(run);
}

const char *temporal_update_id(const struct temporal_update *update)
{
	return update->id;
}

struct temporal_run *temporal_update_run(const struct temporal_update *update)
{
	return update->run;
}

/* ---- replies ---- */

/* Everything is copied: the reply's memory goes when its taker returns. */
static struct temporal_result *result_of(const char *workflow_id, const char *run_id,
	const char *update_id, const Update__Outcome *outcome, struct temporal_error *err)
{
	struct temporal_result *result = client_result_new(workflow_id, run_id, err);

	if (!result)
		return NULL;
	result->update_id = arena_strdup(&result->arena, update_id);
	result->status = TEMPORAL_STATUS_COMPLETED;
	if (outcome->value_case == UPDATE__OUTCOME__VALUE_FAILURE) {
		result->status = TEMPORAL_STATUS_FAILED;
		result->failure = convert_failure_from_api(&result->arena, outcome->failure);
		if (!result->failure)
			error_no_memory(err, "an update's outcome");
	} else if (outcome->value_case == UPDATE__OUTCOME__VALUE_SUCCESS) {
		(void)!client_result_take_payloads(result, outcome->success, err);
	}
	if (!result->update_id && !err->code)
		error_no_memory(err, "an update's outcome");
	if (!err->code)
		return result;
	temporal_result_unref(result);
	return NULL;
}

/*
 * The handle of a start is bound to the run that has taken the update: the workflow may have gone
 * on to another when somebody asks for the outcome.
 */
static struct temporal_update *handle_of(
	struct client_call *call, const Update__Outcome *outcome, struct temporal_error *err)
{
	const struct update_state *state = call->state;
	struct temporal_run *run = client_run_new(
		call->client, state->workflow_id, state->run_id, state->first_run_id, err);
	struct temporal_update *update;

	if (!run)
		return NULL;
	run->bound_run_id = run->run_id;
	run->started = state->started;
	update = handle_new(run, state->update_id, err);
	if (!update || !outcome)
		return update;
	update->outcome = proto_copy(&update->arena, outcome);
	if (update->outcome)
		return update;
	temporal_update_unref(update);
	error_no_memory(err, "an update's outcome");
	return NULL;
}

/* The end of it. Without an outcome only for a handle that does not want one. */
static void end(struct client_call *call, const Update__Outcome *outcome)
{
	const struct update_state *state = call->state;
	struct temporal_error err = { 0 };
	void *value;

	if (state->wants_handle)
		value = handle_of(call, outcome, &err);
	else
		value = result_of(
			state->workflow_id, state->run_id, state->update_id, outcome, &err);
	client_call_end(call, value, value ? NULL : &err);
}

/* The server names the run, which later requests address. False: no memory. */
static bool note_run(struct client_call *call, const Update__UpdateRef *ref)
{
	struct update_state *state = call->state;

	if (!ref || !ref->workflow_execution || str_empty(ref->workflow_execution->run_id))
		return true;
	state->run_id = arena_strdup(&call->arena, ref->workflow_execution->run_id);
	return state->run_id;
}

static void took_poll(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__PollWorkflowExecutionUpdateResponse *response = reply->message;

	if (reply->code)
		client_call_end(call, NULL, &reply->error);
	else if (response->outcome)
		end(call, response->outcome);
	else
		client_call_again(call);
}

static void fill_in_poll(struct client_request *builder, struct client_call *call)
{
	const struct update_state *state = call->state;
	poll_request *message =
		REQUEST_NEW(builder, Workflowservice__PollWorkflowExecutionUpdateRequest,
			workflowservice__poll_workflow_execution_update_request);
	Update__UpdateRef *ref = REQUEST_NEW(builder, Update__UpdateRef, update__update_ref);

	ref->workflow_execution =
		client_request_execution(builder, state->workflow_id, state->run_id);
	ref->update_id = state->update_id;
	message->namespace_ = client_namespace(call->client);
	message->identity = client_identity(call->client);
	message->update_ref = ref;
	message->wait_policy = REQUEST_NEW(builder, Update__WaitPolicy, update__wait_policy);
	message->wait_policy->lifecycle_stage = STAGE_(COMPLETED);
	call->method = &rpc_workflow_poll_workflow_execution_update;
	call->message = message;
	call->took = took_poll;
}

/* It is accepted: from now on the outcome alone is asked for. */
static void go_on_polling(struct client_call *call)
{
	struct temporal_error err = { 0 };
	struct client_request builder;

	client_request_init(&builder, &call->arena, &err);
	fill_in_poll(&builder, call);
	if (builder.code)
		client_call_end(call, NULL, &err);
	else
		client_call_again(call);
}

static void took_response(struct client_call *call, const update_response *response)
{
	const struct update_state *state = call->state;
	struct temporal_error err = { 0 };

	if (!note_run(call, response->update_ref)) {
		error_no_memory(&err, "an update");
		client_call_end(call, NULL, &err);
	} else if (response->outcome ||
		   (response->stage >= STAGE_(ACCEPTED) && !state->wants_outcome)) {
		end(call, response->outcome);
	} else if (response->stage >= STAGE_(ACCEPTED)) {
		go_on_polling(call);
	} else {
		client_call_again(call);
	}
}

static void took_update(struct client_call *call, struct rpc_reply *reply)
{
	if (reply->code)
		client_call_end(call, NULL, &reply->error);
	else
		took_response(call, reply->message);
}

/*
 * Of the two operations one has failed and the other was given up for it. The error that says so is
 * general; the failed one's is in the details.
 */
static void tell_which_failed(struct client_call *call, struct rpc_reply *reply)
{
	const Common__GrpcStatus *status = reply->status;
	const multi_failure *detail;

	if (reply->error.detail != TEMPORAL_DETAIL_MULTI_OPERATION || !status || !status->n_details)
		return;
	detail = proto_decode(&call->arena,
		&errordetails__multi_operation_execution_failure__descriptor,
		status->details[0]->value.data, status->details[0]->value.len, NULL, NULL);
	for (size_t i = 0; detail && i < detail->n_statuses; i++) {
		if (detail->statuses[i]->code == TEMPORAL_OK ||
			detail->statuses[i]->code == TEMPORAL_ABORTED)
			continue;
		error_set(&reply->error, (enum temporal_code)detail->statuses[i]->code, "%s",
			detail->statuses[i]->message);
		reply->error.detail = TEMPORAL_DETAIL_MULTI_OPERATION;
		return;
	}
}

static void took_multi(struct client_call *call, struct rpc_reply *reply)
{
	const multi_response *both = reply->message;
	struct update_state *state = call->state;
	struct temporal_error err = { 0 };

	if (reply->code) {
		tell_which_failed(call, reply);
		client_call_end(call, NULL, &reply->error);
		return;
	}
	if (both->n_responses != 2 ||
		both->responses[0]->response_case != RESPONSE_(START_WORKFLOW) ||
		both->responses[1]->response_case != RESPONSE_(UPDATE_WORKFLOW)) {
		error_set(&err, TEMPORAL_INTERNAL, "the server did not answer both operations");
		client_call_end(call, NULL, &err);
		return;
	}
	state->started = state->started || both->responses[0]->start_workflow->started;
	state->run_id = arena_strdup(&call->arena, both->responses[0]->start_workflow->run_id);
	if (state->run_id) {
		took_response(call, both->responses[1]->update_workflow);
		return;
	}
	error_no_memory(&err, "an update");
	client_call_end(call, NULL, &err);
}

/* ---- requests ---- */

/* All is linked last: without memory the messages are one scrap, of which nothing may be read. */
static update_request *fill_in(struct client_request *builder, const struct client_call *call,
	const struct client_input *input, const struct temporal_update_opts *opts)
{
	update_request *message =
		REQUEST_NEW(builder, Workflowservice__UpdateWorkflowExecutionRequest,
			workflowservice__update_workflow_execution_request);
	Update__Request *request = REQUEST_NEW(builder, Update__Request, update__request);
	Update__Meta *meta = REQUEST_NEW(builder, Update__Meta, update__meta);
	Update__Input *in = REQUEST_NEW(builder, Update__Input, update__input);
	struct update_state *state = call->state;
	bool completed = opts->wait_for == TEMPORAL_UPDATE_COMPLETED;

	state->update_id = client_request_id(builder, opts->id);
	meta->update_id = state->update_id;
	meta->identity = client_identity(call->client);
	in->name = input->name;
	in->args = client_request_input_payloads(builder, input, TEMPORAL_DEFINES_UPDATE);
	in->header = client_request_header(builder, opts->headers);
	if ((unsigned)opts->wait_for > TEMPORAL_UPDATE_COMPLETED)
		client_request_fail(builder, "wait_for is %d: expected one of TEMPORAL_UPDATE_...",
			(int)opts->wait_for);
	message->namespace_ = client_namespace(call->client);
	message->wait_policy = REQUEST_NEW(builder, Update__WaitPolicy, update__wait_policy);
	message->wait_policy->lifecycle_stage = completed ? STAGE_(COMPLETED) : STAGE_(ACCEPTED);
	request->meta = meta;
	request->input = in;
	message->request = request;
	return message;
}

/* A call that may send many times: its message must not point to what is the caller's. */
static struct client_call *call_new(struct temporal_client *client,
	const struct temporal_update_opts *opts, struct temporal_error *err)
{
	struct client_call *call = client_call_new(client, CLIENT_CALL_OPTS(opts), err);
	struct update_state *state;

	if (!call)
		return NULL;
	state = arena_zalloc(&call->arena, sizeof(*state));
	if (!state) {
		error_no_memory(err, "an update");
		client_call_free(call);
		return NULL;
	}
	call->retry = RPC_RETRY_USER_POLL;
	call->timeout_ms = 0;
	call->limit_ms = opts->timeout_ms;
	call->state = state;
	return call;
}

/* Copies the message, names the call; or frees it. */
static struct client_call *ready(struct client_request *builder, struct client_call *call,
	const void *message, const char *workflow_id, const char *name)
{
	struct update_state *state = call->state;

	if (!builder->code) {
		call->message = proto_copy(&call->arena, message);
		state->workflow_id = client_request_text(builder, workflow_id);
		state->update_id = client_request_text(builder, state->update_id);
		if (!call->message)
			builder->code = error_no_memory(builder->err, "an update");
	}
	client_call_name(call, "update \"%s\" of workflow \"%s\"", name ? name : "",
		workflow_id ? workflow_id : "");
	if (!builder->code)
		return call;
	if (call->what)
		error_prefix(builder->err, "%s", call->what);
	client_call_free(call);
	return NULL;
}

/* What one wants of an update. */
enum want {
	WANT_OUTCOME,
	WANT_HANDLE
};

static struct client_call *prepare(struct temporal_run *run, const struct client_input *input,
	enum want want, const struct temporal_update_opts *given, size_t size,
	struct temporal_error *err)
{
	struct temporal_update_opts opts;
	struct client_input own = *input;
	struct client_request builder;
	struct update_state *state;
	struct client_call *call;
	update_request *message;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	if (want == WANT_OUTCOME)
		opts.wait_for = TEMPORAL_UPDATE_COMPLETED;
	call = call_new(run->client, &opts, err);
	if (!call)
		return NULL;
	client_request_init(&builder, &call->arena, err);
	builder.code = client_intercept(call,
		&(const struct client_outbound){ .operation = TEMPORAL_CALL_UPDATE,
			.workflow_id = run->workflow_id,
			.run_id = run->bound_run_id,
			.input = &own,
			.headers = &opts.headers },
		err);
	message = fill_in(&builder, call, &own, &opts);
	message->workflow_execution =
		client_request_execution(&builder, run->workflow_id, run->bound_run_id);
	message->first_execution_run_id = run->first_run_id;
	state = call->state;
	state->wants_handle = want == WANT_HANDLE;
	state->wants_outcome = opts.wait_for == TEMPORAL_UPDATE_COMPLETED;
	state->run_id = client_request_text(&builder, run->bound_run_id);
	state->first_run_id = client_request_text(&builder, run->first_run_id);
	call->method = &rpc_workflow_update_workflow_execution;
	call->took = took_update;
	return ready(&builder, call, message, run->workflow_id, own.name);
}

/* Start and update as the two operations of one request; the server insists on this order. */
static multi_request *both(struct client_request *builder, const struct client_call *call,
	Workflowservice__StartWorkflowExecutionRequest *start, update_request *update)
{
	multi_request *message = REQUEST_NEW(builder, Workflowservice__ExecuteMultiOperationRequest,
		workflowservice__execute_multi_operation_request);
	multi_operation **operations = arena_array(builder->arena, 2, sizeof(*operations));

	if (!operations) {
		builder->code = error_no_memory(builder->err, "an update");
		return message;
	}
	for (size_t i = 0; i < 2; i++)
		operations[i] = REQUEST_NEW(builder,
			Workflowservice__ExecuteMultiOperationRequest__Operation,
			workflowservice__execute_multi_operation_request__operation);
	operations[0]->operation_case = OPERATION_(START_WORKFLOW);
	operations[0]->start_workflow = start;
	operations[1]->operation_case = OPERATION_(UPDATE_WORKFLOW);
	operations[1]->update_workflow = update;
	message->namespace_ = client_namespace(call->client);
	message->operations = operations;
	message->n_operations = 2;
	return message;
}

/* Both structs of options, with the sizes that the caller knows. */
struct with_start {
	struct temporal_client *client;
	const struct client_input *input, *update;
	const struct temporal_start_opts *start_opts;
	size_t start_size;
	const struct temporal_update_opts *update_opts;
	size_t update_size;
};

static struct client_call *prepare_with_start(
	const struct with_start *with, struct temporal_error *err)
{
	struct temporal_start_opts start_opts;
	struct temporal_update_opts opts;
	struct client_input input = *with->input, own = *with->update;
	struct client_request builder;
	struct update_state *state;
	struct client_call *call;
	update_request *update;

	if (client_opts_copy(
		    &start_opts, sizeof(start_opts), with->start_opts, with->start_size, err) ||
		client_opts_copy(&opts, sizeof(opts), with->update_opts, with->update_size, err))
		return NULL;
	call = call_new(with->client, &opts, err);
	if (!call)
		return NULL;
	client_request_init(&builder, &call->arena, err);
	start_opts.id = client_request_id(&builder, start_opts.id);
	if (!builder.code)
		builder.code = client_intercept(call,
			&(const struct client_outbound){
				.operation = TEMPORAL_CALL_UPDATE_WITH_START,
				.workflow_id = start_opts.id,
				.input = &input,
				.with = &own,
				.headers = &start_opts.headers,
				.start = &start_opts },
			err);
	opts.headers = opts.headers ? opts.headers : start_opts.headers;
	if (start_opts.id_conflict_policy == TEMPORAL_ID_CONFLICT_DEFAULT)
		client_request_fail(&builder, "an update with a start needs an id_conflict_policy");

	start_opts.id = client_request_id(&builder, start_opts.id);
	Workflowservice__StartWorkflowExecutionRequest *start =
		client_start_request(&builder, with->client, &input, &start_opts);

	update = fill_in(&builder, call, &own, &opts);
	update->workflow_execution = client_request_execution(&builder, start_opts.id, "");
	state = call->state;
	state->wants_handle = true;
	state->wants_outcome = opts.wait_for == TEMPORAL_UPDATE_COMPLETED;
	state->run_id = state->first_run_id = "";
	call->method = &rpc_workflow_execute_multi_operation;
	call->took = took_multi;
	return ready(&builder, call, both(&builder, call, start, update), start_opts.id, own.name);
}

/* ---- the public forms ---- */

static void *wait_for(struct client_call *call, struct temporal_error *err)
{
	void *value;

	return call && client_call_wait(call, &value, err) == TEMPORAL_OK ? value : NULL;
}

static void tell_update(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.update(value, err, call->user);
}

/* `why` is an error of the preparation, if there is no call: the callback is not called then. */
static enum temporal_code handle_async(struct client_call *call, const struct temporal_error *why,
	temporal_update_fn *done, void *user, struct temporal_error *err)
{
	if (call) {
		call->ended = tell_update;
		call->tell.update = done;
		call->user = user;
		return client_call_start(call, err);
	}
	if (err)
		*err = *why;
	return why->code;
}

static enum temporal_code outcome_async(struct client_call *call, const struct temporal_error *why,
	temporal_result_fn *done, void *user, struct temporal_error *err)
{
	if (call)
		return client_call_result_async(call, done, user, err);
	if (err)
		*err = *why;
	return why->code;
}

enum temporal_code temporal_update_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size, void *out,
	struct temporal_result **keep, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct temporal_result *result = NULL;

	if (!client_result_check_keep(contract, out, keep, &own))
		result = wait_for(
			prepare(run, &REQUEST_TYPED(contract, in), WANT_OUTCOME, opts, size, &own),
			&own);
	if (result)
		(void)!temporal_result_get_(result, contract, out, &own);
	return client_result_hand_over(result, own.code, keep, &own, err);
}

struct temporal_result *temporal_update_named_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_update_opts *opts, size_t size,
	struct temporal_error *err)
{
	return wait_for(
		prepare(run, &REQUEST_UNTYPED(name, arguments), WANT_OUTCOME, opts, size, err),
		err);
}

enum temporal_code temporal_update_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return outcome_async(
		prepare(run, &REQUEST_TYPED(contract, in), WANT_OUTCOME, opts, size, &why), &why,
		done, user, err);
}

enum temporal_code temporal_update_named_async_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_update_opts *opts, size_t size,
	temporal_result_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return outcome_async(
		prepare(run, &REQUEST_UNTYPED(name, arguments), WANT_OUTCOME, opts, size, &why),
		&why, done, user, err);
}

struct temporal_update *temporal_update_start_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size, struct temporal_error *err)
{
	return wait_for(
		prepare(run, &REQUEST_TYPED(contract, in), WANT_HANDLE, opts, size, err), err);
}

struct temporal_update *temporal_update_start_named_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_update_opts *opts, size_t size,
	struct temporal_error *err)
{
	return wait_for(
		prepare(run, &REQUEST_UNTYPED(name, arguments), WANT_HANDLE, opts, size, err), err);
}

enum temporal_code temporal_update_start_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size, temporal_update_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return handle_async(
		prepare(run, &REQUEST_TYPED(contract, in), WANT_HANDLE, opts, size, &why), &why,
		done, user, err);
}

enum temporal_code temporal_update_start_named_async_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_update_opts *opts, size_t size,
	temporal_update_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return handle_async(
		prepare(run, &REQUEST_UNTYPED(name, arguments), WANT_HANDLE, opts, size, &why),
		&why, done, user, err);
}

struct temporal_update *temporal_update_with_start_contract_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *update,
	const void *update_in, const struct temporal_update_opts *update_opts, size_t update_size,
	struct temporal_error *err)
{
	struct with_start with = { client, &REQUEST_TYPED(contract, in),
		&REQUEST_TYPED(update, update_in), opts, size, update_opts, update_size };

	return wait_for(prepare_with_start(&with, err), err);
}

struct temporal_update *temporal_update_with_start_named_(struct temporal_client *client,
	const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size, const char *update,
	struct temporal_payloads update_arguments, const struct temporal_update_opts *update_opts,
	size_t update_size, struct temporal_error *err)
{
	struct with_start with = { client, &REQUEST_UNTYPED(type, arguments),
		&REQUEST_UNTYPED(update, update_arguments), opts, size, update_opts, update_size };

	return wait_for(prepare_with_start(&with, err), err);
}

enum temporal_code temporal_update_with_start_contract_async_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *update,
	const void *update_in, const struct temporal_update_opts *update_opts, size_t update_size,
	temporal_update_fn *done, void *user, struct temporal_error *err)
{
	struct with_start with = { client, &REQUEST_TYPED(contract, in),
		&REQUEST_TYPED(update, update_in), opts, size, update_opts, update_size };
	struct temporal_error why = { 0 };

	return handle_async(prepare_with_start(&with, &why), &why, done, user, err);
}

/* ---- waiting by the handle ---- */

static struct client_call *prepare_wait(
	struct temporal_update *update, int64_t timeout_ms, struct temporal_error *err)
{
	struct temporal_update_opts opts = { .timeout_ms = timeout_ms };
	struct client_call *call = call_new(update->run->client, &opts, err);
	struct client_request builder;
	struct update_state *state;

	if (!call)
		return NULL;
	client_request_init(&builder, &call->arena, err);
	state = call->state;
	state->workflow_id = client_request_text(&builder, update->run->workflow_id);
	state->run_id = client_request_text(&builder, update->run->bound_run_id);
	state->update_id = client_request_text(&builder, update->id);
	client_call_name(
		call, "update \"%s\" of workflow \"%s\"", update->id, update->run->workflow_id);
	fill_in_poll(&builder, call);
	if (!builder.code)
		return call;
	client_call_free(call);
	return NULL;
}

/* What is known already is not asked for. */
struct temporal_result *temporal_update_wait(
	struct temporal_update *update, int64_t timeout_ms, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct temporal_result *result;

	if (!update->outcome)
		return wait_for(prepare_wait(update, timeout_ms, err), err);
	result = result_of(
		update->run->workflow_id, update->run->run_id, update->id, update->outcome, &own);
	if (!result && err)
		*err = own;
	return result;
}

/* It asks the server in any case: the callback comes on the client's thread. */
enum temporal_code temporal_update_wait_async(struct temporal_update *update, int64_t timeout_ms,
	temporal_result_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return outcome_async(prepare_wait(update, timeout_ms, &why), &why, done, user, err);
}

enum temporal_code temporal_update_result_(struct temporal_update *update,
	const struct temporal_contract *contract, void *out, struct temporal_result **keep,
	struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct temporal_result *result = NULL;

	if (!client_result_check_keep(contract, out, keep, &own))
		result = temporal_update_wait(update, 0, &own);
	if (result)
		(void)!temporal_result_get_(result, contract, out, &own);
	return client_result_hand_over(result, own.code, keep, &own, err);
}
