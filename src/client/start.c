/*
 * start.c: starting workflows, alone or with a signal; start and wait in one.
 *
 * A start carries a random request id, so that a retry of the request after a lost reply finds the
 * run that it has started itself. Runs on the caller's thread up to the send; the reply is taken on
 * the loop's.
 *
 * Whether a second start with the same workflow id fails, joins or replaces the run in the way is
 * the server's to decide, by the two policies; an error of that kind names the run in its detail. A
 * reply tells by `started` whether the run is a new one.
 */
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/call.h"
#include "client/intercept.h"
#include "client/links.h"
#include "client/request.h"
#include "client/run.h"
#include "client/start.h"
#include "client/workers.h"

struct start_state {
	const char *workflow_id; /* in the call's arena: the reply does not repeat it */
	/* Eager: whose slot waits for the first task; NULL: nobody's. Loop. */
	struct client_worker *worker;
	void *permit;
};

/*
 * The handle remembers the run that the reply names; for a run that was joined, the chain is known
 * only from servers that tell it.
 */
static struct temporal_run *started_run(struct client_call *call, const char *run_id,
	const char *first_run_id, bool started, struct temporal_error *err)
{
	const struct start_state *state = call->state;
	struct temporal_run *run;

	/* Servers before 1.30 do not name the first run. A run that was just started is the first.
	 */
	if (str_empty(first_run_id) && started)
		first_run_id = run_id;
	run = client_run_new(call->client, state->workflow_id, run_id, first_run_id, err);
	if (run)
		run->started = started;
	return run;
}

/* The task came with the reply, or the worker's slot is free again. Takes the reply's arena. */
static void give_task(struct start_state *state, struct rpc_reply *reply)
{
	const Workflowservice__StartWorkflowExecutionResponse *response = reply->message;
	struct client_worker *worker = state->worker;

	state->worker = NULL;
	if (worker)
		worker->give(worker, state->permit,
			reply->code ? NULL : response->eager_workflow_task, &reply->arena);
}

/* The loop's thread, where workers have their slots: asks for the first task if one is free. */
static void start_eagerly(struct rpc_task *task)
{
	struct client_call *call =
		(struct client_call *)((char *)task - offsetof(struct client_call, task));
	Workflowservice__StartWorkflowExecutionRequest *message =
		(Workflowservice__StartWorkflowExecutionRequest *)(uintptr_t)call->message;
	struct start_state *state = call->state;

	state->worker =
		client_workers_reserve(call->client, message->task_queue->name, &state->permit);
	message->request_eager_execution = state->worker != NULL;
	if (state->worker)
		message->eager_worker_deployment_options =
			(Deployment__WorkerDeploymentOptions *)(uintptr_t)state->worker->version;
	client_call_again(call);
}

/* A call that could not be sent has no reply. */
static void give_back(struct client_call *call)
{
	struct start_state *state = call->state;
	struct rpc_reply none = { .code = TEMPORAL_CANCELLED };

	give_task(state, &none);
}

/* The two replies are alike, but of different types. */
static void took_start(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__StartWorkflowExecutionResponse *response = reply->message;
	struct temporal_error *err = &reply->error;
	struct temporal_run *run = NULL;

	if (!reply->code) {
		run = started_run(call, response->run_id, response->first_execution_run_id,
			response->started, err);
		client_call_linked(call, response->link);
	}
	give_task(call->state, reply);
	client_call_end(call, run, run ? NULL : err);
}

static void took_signal_with_start(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__SignalWithStartWorkflowExecutionResponse *response = reply->message;
	struct temporal_error *err = &reply->error;
	struct temporal_run *run = NULL;

	if (!reply->code) {
		run = started_run(call, response->run_id, response->first_execution_run_id,
			response->started, err);
		client_call_linked(call, response->signal_link);
	}
	client_call_end(call, run, run ? NULL : err);
}

/* What the server would refuse with a less helpful text. */
static void check_policies(struct client_request *builder, const struct temporal_start_opts *opts)
{
	if ((unsigned)opts->id_reuse_policy > TEMPORAL_ID_REUSE_REJECT_DUPLICATE)
		client_request_fail(builder,
			"id_reuse_policy is %d: expected one of TEMPORAL_ID_REUSE_...",
			(int)opts->id_reuse_policy);
	if ((unsigned)opts->id_conflict_policy > TEMPORAL_ID_CONFLICT_TERMINATE_EXISTING)
		client_request_fail(builder,
			"id_conflict_policy is %d: expected one of "
			"TEMPORAL_ID_CONFLICT_...",
			(int)opts->id_conflict_policy);
	if (opts->id_reuse_policy == TEMPORAL_ID_REUSE_REJECT_DUPLICATE &&
		opts->id_conflict_policy == TEMPORAL_ID_CONFLICT_TERMINATE_EXISTING)
		client_request_fail(builder,
			"id_conflict_policy TERMINATE_EXISTING needs an id_reuse_policy "
			"that lets another run start");
	if (opts->start_delay_ms > 0 && !str_empty(opts->cron_schedule))
		client_request_fail(builder, "start_delay_ms and cron_schedule exclude each other");
}

/* What both requests have in common; their fields have the same names. */
#define FILL_IN(builder_, message_, client_, input_, opts_) \
	do { \
		(message_)->namespace_ = client_namespace(client_); \
		(message_)->identity = client_identity(client_); \
		(message_)->workflow_id = client_request_id((builder_), (opts_)->id); \
		(message_)->request_id = client_request_id((builder_), (opts_)->request_id); \
		(message_)->workflow_type = client_request_type((builder_), (input_)->name); \
		(message_)->task_queue = \
			client_request_task_queue((builder_), (opts_)->task_queue); \
		(message_)->input = client_request_input_payloads( \
			(builder_), (input_), TEMPORAL_DEFINES_WORKFLOW); \
		(message_)->workflow_execution_timeout = client_request_duration( \
			(builder_), (opts_)->execution_timeout_ms, "execution_timeout_ms"); \
		(message_)->workflow_run_timeout = client_request_duration( \
			(builder_), (opts_)->run_timeout_ms, "run_timeout_ms"); \
		(message_)->workflow_task_timeout = client_request_duration( \
			(builder_), (opts_)->task_timeout_ms, "task_timeout_ms"); \
		(message_)->workflow_start_delay = client_request_duration( \
			(builder_), (opts_)->start_delay_ms, "start_delay_ms"); \
		(message_)->workflow_id_reuse_policy = \
			(Enums__WorkflowIdReusePolicy)(opts_)->id_reuse_policy; \
		(message_)->workflow_id_conflict_policy = \
			(Enums__WorkflowIdConflictPolicy)(opts_)->id_conflict_policy; \
		(message_)->retry_policy = \
			client_request_retry_policy((builder_), (opts_)->retry_policy); \
		(message_)->cron_schedule = (opts_)->cron_schedule; \
		(message_)->memo = client_request_memo((builder_), (opts_)->memo); \
		(message_)->search_attributes = \
			client_request_search_attributes((builder_), (opts_)->search_attributes); \
		(message_)->header = client_request_header((builder_), (opts_)->headers); \
		(message_)->user_metadata = client_request_user_metadata( \
			(builder_), (opts_)->summary, (opts_)->details); \
		(message_)->versioning_override = \
			client_request_versioning((builder_), (opts_)->versioning_override); \
		(message_)->priority = client_request_priority((builder_), (opts_)->priority); \
	} while (0)

/* Of a run that is there already, too. */
static void link_up(
	struct client_request *builder, Workflowservice__StartWorkflowExecutionRequest *message)
{
	const struct client_links *here = client_links_here();

	message->links = here->links;
	message->n_links = here->n_links;
	message->on_conflict_options =
		REQUEST_NEW(builder, Workflow__OnConflictOptions, workflow__on_conflict_options);
	message->on_conflict_options->attach_request_id = true;
	message->on_conflict_options->attach_completion_callbacks = true;
	message->on_conflict_options->attach_links = true;
}

Workflowservice__StartWorkflowExecutionRequest *client_start_request(struct client_request *builder,
	const struct temporal_client *client, const struct client_input *input,
	const struct temporal_start_opts *opts)
{
	Workflowservice__StartWorkflowExecutionRequest *message =
		REQUEST_NEW(builder, Workflowservice__StartWorkflowExecutionRequest,
			workflowservice__start_workflow_execution_request);

	check_policies(builder, opts);
	FILL_IN(builder, message, client, input, opts);
	if (client_links_here())
		link_up(builder, message);
	return message;
}

static const char *fill_in_start(struct client_request *builder, struct client_call *call,
	const struct client_input *input, const struct temporal_start_opts *opts)
{
	Workflowservice__StartWorkflowExecutionRequest *message =
		client_start_request(builder, call->client, input, opts);

	call->method = &rpc_workflow_start_workflow_execution;
	call->message = message;
	call->took = took_start;
	return message->workflow_id;
}

static const char *fill_in_signal_with_start(struct client_request *builder,
	struct client_call *call, const struct client_input *input,
	const struct client_input *signal, const struct temporal_start_opts *opts)
{
	Workflowservice__SignalWithStartWorkflowExecutionRequest *message =
		REQUEST_NEW(builder, Workflowservice__SignalWithStartWorkflowExecutionRequest,
			workflowservice__signal_with_start_workflow_execution_request);

	check_policies(builder, opts);
	FILL_IN(builder, message, call->client, input, opts);
	if (client_links_here()) {
		message->links = client_links_here()->links;
		message->n_links = client_links_here()->n_links;
	}
	message->signal_name = signal->name;
	message->signal_input =
		client_request_input_payloads(builder, signal, TEMPORAL_DEFINES_SIGNAL);
	call->method = &rpc_workflow_signal_with_start_workflow_execution;
	call->message = message;
	call->took = took_signal_with_start;
	return message->workflow_id;
}

#undef FILL_IN

/*
 * A call that is ready to be sent. `signal` is NULL for a plain start. The workflow id may have
 * been made up here; the handle needs it, and the request's memory is borrowed.
 */
static struct client_call *prepare(struct temporal_client *client, const struct client_input *input,
	const struct client_input *signal, const struct temporal_start_opts *given, size_t size,
	struct temporal_error *err)
{
	struct temporal_start_opts opts;
	struct client_request builder;
	struct client_input own = *input, with = signal ? *signal : own;
	struct start_state *state;
	struct client_call *call;
	const char *id;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	call = client_call_new(client, CLIENT_CALL_OPTS(&opts), err);
	if (!call)
		return NULL;
	client_request_init(&builder, &call->arena, err);
	opts.id = client_request_id(&builder, opts.id);
	if (builder.code || client_intercept(call,
				    &(const struct client_outbound){
					    .operation = signal ? TEMPORAL_CALL_SIGNAL_WITH_START
								: TEMPORAL_CALL_START,
					    .workflow_id = opts.id,
					    .input = &own,
					    .with = signal ? &with : NULL,
					    .headers = &opts.headers,
					    .start = &opts },
				    err)) {
		client_call_free(call);
		return NULL;
	}
	state = arena_alloc(&call->arena, sizeof(*state));
	if (!state)
		builder.code = error_no_memory(err, "a start");
	if (!builder.code && signal)
		id = fill_in_signal_with_start(&builder, call, &own, &with, &opts);
	else if (!builder.code)
		id = fill_in_start(&builder, call, &own, &opts);
	if (!builder.code)
		state->workflow_id = client_request_text(&builder, id);
	if (builder.code) {
		error_prefix(err, "start of workflow \"%s\"", input->name ? input->name : "");
		client_call_free(call);
		return NULL;
	}
	call->state = state;
	state->worker = NULL;
	if (!signal && opts.request_eager_start && opts.start_delay_ms == 0 &&
		str_empty(opts.cron_schedule) && client_workers_has(client, opts.task_queue)) {
		call->task.run = start_eagerly;
		call->finish = give_back;
	}
	client_call_name(call, "start of workflow \"%s\" with id \"%s\"", input->name, id);
	return call;
}

static struct temporal_run *start_and_wait(struct client_call *call, struct temporal_error *err)
{
	void *run;

	return call && client_call_wait(call, &run, err) == TEMPORAL_OK ? run : NULL;
}

/* `why` is an error of the preparation, if there is no call: the callback is not called then. */
static enum temporal_code start_async(struct client_call *call, const struct temporal_error *why,
	temporal_run_fn *done, void *user, struct temporal_error *err)
{
	if (call)
		return client_call_run_async(call, done, user, err);
	if (err)
		*err = *why;
	return why->code;
}

/* ---- the public forms ---- */

struct temporal_run *temporal_start_contract_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, struct temporal_error *err)
{
	return start_and_wait(
		prepare(client, &REQUEST_TYPED(contract, in), NULL, opts, size, err), err);
}

struct temporal_run *temporal_start_named_(struct temporal_client *client, const char *type,
	struct temporal_payloads arguments, const struct temporal_start_opts *opts, size_t size,
	struct temporal_error *err)
{
	return start_and_wait(
		prepare(client, &REQUEST_UNTYPED(type, arguments), NULL, opts, size, err), err);
}

enum temporal_code temporal_start_contract_async_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, temporal_run_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_async(prepare(client, &REQUEST_TYPED(contract, in), NULL, opts, size, &why),
		&why, done, user, err);
}

enum temporal_code temporal_start_named_async_(struct temporal_client *client, const char *type,
	struct temporal_payloads arguments, const struct temporal_start_opts *opts, size_t size,
	temporal_run_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_async(
		prepare(client, &REQUEST_UNTYPED(type, arguments), NULL, opts, size, &why), &why,
		done, user, err);
}

struct temporal_run *temporal_signal_with_start_contract_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *signal,
	const void *signal_in, struct temporal_error *err)
{
	return start_and_wait(prepare(client, &REQUEST_TYPED(contract, in),
				      &REQUEST_TYPED(signal, signal_in), opts, size, err),
		err);
}

struct temporal_run *temporal_signal_with_start_named_(struct temporal_client *client,
	const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size, const char *signal,
	struct temporal_payloads signal_arguments, struct temporal_error *err)
{
	return start_and_wait(prepare(client, &REQUEST_UNTYPED(type, arguments),
				      &REQUEST_UNTYPED(signal, signal_arguments), opts, size, err),
		err);
}

enum temporal_code temporal_signal_with_start_contract_async_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *signal,
	const void *signal_in, temporal_run_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_async(prepare(client, &REQUEST_TYPED(contract, in),
				   &REQUEST_TYPED(signal, signal_in), opts, size, &why),
		&why, done, user, err);
}

enum temporal_code temporal_signal_with_start_named_async_(struct temporal_client *client,
	const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size, const char *signal,
	struct temporal_payloads signal_arguments, temporal_run_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_async(prepare(client, &REQUEST_UNTYPED(type, arguments),
				   &REQUEST_UNTYPED(signal, signal_arguments), opts, size, &why),
		&why, done, user, err);
}

/* If the wait fails the run goes on: the workflow's id is in the error's text. */
enum temporal_code temporal_execute_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, void *out,
	struct temporal_result **keep, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct temporal_run *run = temporal_start_contract_(client, contract, in, opts, size, &own);
	enum temporal_code code = own.code;

	if (keep)
		*keep = NULL;
	if (!run) {
		if (err)
			*err = own;
		return code;
	}
	code = temporal_result_(run, contract, out, NULL, 0, keep, err);
	temporal_run_unref(run);
	return code;
}

/* Whom to tell the result, between the start and the wait. */
struct executed {
	temporal_result_fn *done;
	void *user;
};

/*
 * On the loop's thread, between the two calls. An error of either comes to the user's one callback.
 */
static void wait_for_it(struct temporal_run *run, const struct temporal_error *err, void *user)
{
	struct executed executed = *(struct executed *)user;
	struct temporal_error own = { 0 };

	mem_free(user);
	if (err)
		own = *err;
	else if (temporal_run_wait_async_(run, NULL, 0, executed.done, executed.user, &own))
		err = &own;
	if (err)
		executed.done(NULL, &own, executed.user);
	temporal_run_unref(run);
}

/* The struct is freed by wait_for_it(), which is called exactly once if the start was sent. */
enum temporal_code temporal_execute_async_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err)
{
	struct executed *executed = mem_alloc(sizeof(*executed));
	enum temporal_code code;

	if (!executed)
		return error_no_memory(err, "a start");
	*executed = (struct executed){ done, user };
	code = temporal_start_contract_async_(
		client, contract, in, opts, size, wait_for_it, executed, err);
	if (code)
		mem_free(executed);
	return code;
}
