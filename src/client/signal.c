/*
 * signal.c: what is sent to a run and needs no answer: signals, the request to cancel, termination.
 *
 * Each is one request. Signals and requests to cancel carry a request id, so that a retry after a
 * lost reply is not a second one.
 *
 * Termination has no request id in the API: a second one finds the run closed. All three address
 * the run by the handle's rules (run.c).
 *
 * Each prepare_... function gives a call that is ready, or NULL with the reason; the public forms
 * differ only in how the end is told.
 */
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "client/call.h"
#include "client/intercept.h"
#include "client/links.h"
#include "client/request.h"
#include "client/run.h"

/* Blocks until the call is done; NULL: it could not be made, `err` says why. */
static enum temporal_code wait_done(
	struct client_call *call, const struct temporal_error *why, struct temporal_error *err)
{
	if (call)
		return client_call_wait(call, NULL, err);
	if (err)
		*err = *why;
	return why->code;
}

static enum temporal_code start_done(struct client_call *call, const struct temporal_error *why,
	temporal_done_fn *done, void *user, struct temporal_error *err)
{
	if (call)
		return client_call_done_async(call, done, user, err);
	if (err)
		*err = *why;
	return why->code;
}

/* The one place where a builder's error becomes the caller's. */
static struct client_call *built(
	struct client_call *call, const struct client_request *builder, struct temporal_error *err)
{
	call->took = client_took_nothing;
	if (!builder->code)
		return call;
	if (call->what)
		error_prefix(err, "%s", call->what);
	client_call_free(call);
	return NULL;
}

static void took_signal(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__SignalWorkflowExecutionResponse *response = reply->message;

	if (!reply->code)
		client_call_linked(call, response->link);
	client_took_nothing(call, reply);
}

static struct client_call *prepare_signal(struct temporal_run *run,
	const struct client_input *signal, const struct temporal_signal_opts *given, size_t size,
	struct temporal_error *err)
{
	struct temporal_signal_opts opts;
	struct client_input own = *signal;
	struct client_request builder;
	struct client_call *call;
	Workflowservice__SignalWorkflowExecutionRequest *message;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	call = client_call_new(run->client, CLIENT_CALL_OPTS(&opts), err);
	if (!call)
		return NULL;
	client_call_name(call, "signal \"%s\" to workflow \"%s\"", signal->name ? signal->name : "",
		run->workflow_id);
	client_request_init(&builder, &call->arena, err);
	builder.code = client_intercept(call,
		&(const struct client_outbound){ .operation = TEMPORAL_CALL_SIGNAL,
			.workflow_id = run->workflow_id,
			.run_id = run->bound_run_id,
			.input = &own,
			.headers = &opts.headers },
		err);
	message = REQUEST_NEW(&builder, Workflowservice__SignalWorkflowExecutionRequest,
		workflowservice__signal_workflow_execution_request);
	message->namespace_ = client_namespace(call->client);
	message->identity = client_identity(call->client);
	message->workflow_execution =
		client_request_execution(&builder, run->workflow_id, run->bound_run_id);
	message->signal_name = own.name;
	message->input = client_request_input_payloads(&builder, &own, TEMPORAL_DEFINES_SIGNAL);
	message->request_id = client_request_id(&builder, opts.request_id);
	message->header = client_request_header(&builder, opts.headers);
	if (client_links_here()) {
		message->links = client_links_here()->links;
		message->n_links = client_links_here()->n_links;
	}
	call->method = &rpc_workflow_signal_workflow_execution;
	call->message = message;
	call = built(call, &builder, err);
	if (call)
		call->took = took_signal;
	return call;
}

enum temporal_code temporal_signal_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return wait_done(
		prepare_signal(run, &REQUEST_TYPED(contract, in), NULL, 0, &why), &why, err);
}

enum temporal_code temporal_signal_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in, temporal_done_fn *done,
	void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_done(prepare_signal(run, &REQUEST_TYPED(contract, in), NULL, 0, &why), &why,
		done, user, err);
}

enum temporal_code temporal_signal_named_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_signal_opts *opts, size_t size,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return wait_done(prepare_signal(run, &REQUEST_UNTYPED(name, arguments), opts, size, &why),
		&why, err);
}

enum temporal_code temporal_signal_named_async_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_signal_opts *opts, size_t size,
	temporal_done_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_done(prepare_signal(run, &REQUEST_UNTYPED(name, arguments), opts, size, &why),
		&why, done, user, err);
}

/* ---- cancel ---- */

/*
 * A request: the workflow decides what it does about it. first_execution_run_id keeps it from
 * hitting a later chain of the same workflow id.
 */
static struct client_call *prepare_cancel(struct temporal_run *run,
	const struct temporal_cancel_opts *given, size_t size, struct temporal_error *err)
{
	struct temporal_cancel_opts opts;
	struct client_request builder;
	struct client_call *call;
	Workflowservice__RequestCancelWorkflowExecutionRequest *message;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	call = client_call_new(run->client, CLIENT_CALL_OPTS(&opts), err);
	if (!call)
		return NULL;
	client_call_name(call, "cancel of workflow \"%s\"", run->workflow_id);
	client_request_init(&builder, &call->arena, err);
	builder.code = client_intercept(call,
		&(const struct client_outbound){ .operation = TEMPORAL_CALL_CANCEL,
			.workflow_id = run->workflow_id,
			.run_id = run->bound_run_id,
			.reason = &opts.reason },
		err);
	message = REQUEST_NEW(&builder, Workflowservice__RequestCancelWorkflowExecutionRequest,
		workflowservice__request_cancel_workflow_execution_request);
	message->namespace_ = client_namespace(call->client);
	message->identity = client_identity(call->client);
	message->workflow_execution =
		client_request_execution(&builder, run->workflow_id, run->bound_run_id);
	message->first_execution_run_id = run->first_run_id;
	message->reason = opts.reason;
	message->request_id = client_request_id(&builder, NULL);
	call->method = &rpc_workflow_request_cancel_workflow_execution;
	call->message = message;
	return built(call, &builder, err);
}

enum temporal_code temporal_run_cancel_(struct temporal_run *run,
	const struct temporal_cancel_opts *opts, size_t size, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return wait_done(prepare_cancel(run, opts, size, &why), &why, err);
}

enum temporal_code temporal_run_cancel_async_(struct temporal_run *run,
	const struct temporal_cancel_opts *opts, size_t size, temporal_done_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_done(prepare_cancel(run, opts, size, &why), &why, done, user, err);
}

/* ---- terminate ---- */

/* The server ends the run at once; its code does not hear of it. */
static struct client_call *prepare_terminate(struct temporal_run *run,
	const struct temporal_terminate_opts *given, size_t size, struct temporal_error *err)
{
	struct temporal_terminate_opts opts;
	struct client_request builder;
	struct client_call *call;
	Workflowservice__TerminateWorkflowExecutionRequest *message;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	call = client_call_new(run->client, CLIENT_CALL_OPTS(&opts), err);
	if (!call)
		return NULL;
	client_call_name(call, "termination of workflow \"%s\"", run->workflow_id);
	client_request_init(&builder, &call->arena, err);
	builder.code = client_intercept(call,
		&(const struct client_outbound){ .operation = TEMPORAL_CALL_TERMINATE,
			.workflow_id = run->workflow_id,
			.run_id = run->bound_run_id,
			.reason = &opts.reason },
		err);
	message = REQUEST_NEW(&builder, Workflowservice__TerminateWorkflowExecutionRequest,
		workflowservice__terminate_workflow_execution_request);
	message->namespace_ = client_namespace(call->client);
	message->identity = client_identity(call->client);
	message->workflow_execution =
		client_request_execution(&builder, run->workflow_id, run->bound_run_id);
	message->first_execution_run_id = run->first_run_id;
	message->reason = opts.reason;
	message->details = client_request_payloads(&builder, opts.details);
	call->method = &rpc_workflow_terminate_workflow_execution;
	call->message = message;
	return built(call, &builder, err);
}

enum temporal_code temporal_run_terminate_(struct temporal_run *run,
	const struct temporal_terminate_opts *opts, size_t size, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return wait_done(prepare_terminate(run, opts, size, &why), &why, err);
}

enum temporal_code temporal_run_terminate_async_(struct temporal_run *run,
	const struct temporal_terminate_opts *opts, size_t size, temporal_done_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_done(prepare_terminate(run, opts, size, &why), &why, done, user, err);
}
