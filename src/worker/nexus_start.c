/*
 * nexus_start.c: operations that a workflow run does: started and cancelled by the handler; and
 * signals to others.
 *
 * The start carries the request's own id, so that a request which is sent again after a lost answer
 * finds the run that it has started; the callback by which the server brings the run's end to the
 * caller, with the operation's token in its headers; and the links to the caller. Where the options
 * let a run that is there be used, the server attaches all of these to it.
 *
 * Handler's thread. The calls go straight to the channel, since they want more of request and reply
 * than the client's own do.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/request.h"
#include "client/start.h"
#include "proto/link.h"
#include "proto/time.h"
#include "rpc/methods.h"
#include "worker/nexus.h"
#include "worker/nexus_text.h"
#include "worker/worker.h"

#define TOKEN_HEADER "nexus-operation-token"

/* ---- the request ---- */

static Common__Callback__Nexus__HeaderEntry *header_new(
	struct client_request *builder, const char *name, const char *value)
{
	Common__Callback__Nexus__HeaderEntry *entry = REQUEST_NEW(builder,
		Common__Callback__Nexus__HeaderEntry, common__callback__nexus__header_entry);

	entry->key = name;
	entry->value = value;
	return entry;
}

static void out_of_memory(struct client_request *builder)
{
	if (!builder->code)
		builder->code =
			error_no_memory(builder->err, "the start of an operation's workflow");
}

/* Whom the server tells of the run's end. */
static void add_callback(struct client_request *builder, const struct nexus *nexus,
	Workflowservice__StartWorkflowExecutionRequest *message, const char *token)
{
	const struct nexus_info *info = &nexus->info;
	Common__Callback *callback = REQUEST_NEW(builder, Common__Callback, common__callback);
	Common__Callback__Nexus *target =
		REQUEST_NEW(builder, Common__Callback__Nexus, common__callback__nexus);
	Common__Callback **list = arena_array(builder->arena, 1, sizeof(Common__Callback *));
	size_t n = info->n_callback_headers + 1;

	target->header = arena_array(builder->arena, n, sizeof(target->header[0]));
	if (!list || !target->header || builder->code) {
		out_of_memory(builder);
		return;
	}
	for (size_t i = 0; i + 1 < n; i++)
		target->header[i] = header_new(
			builder, info->callback_headers[i].name, info->callback_headers[i].value);
	target->header[n - 1] = header_new(builder, TOKEN_HEADER, token);
	target->n_header = n;
	target->url = info->callback_url;
	callback->variant_case = COMMON__CALLBACK__VARIANT_NEXUS;
	callback->nexus = target;
	callback->links = message->links;
	callback->n_links = message->n_links;
	list[0] = callback;
	message->completion_callbacks = list;
	message->n_completion_callbacks = 1;
}

static Workflowservice__StartWorkflowExecutionRequest *start_request(struct client_request *builder,
	struct nexus *nexus, const struct client_input *input,
	const struct temporal_start_opts *opts)
{
	Workflowservice__StartWorkflowExecutionRequest *message =
		client_start_request(builder, nexus_client(nexus), input, opts);

	if (builder->code) /* without memory it is scrap, which may have no id for the token */
		return message;
	Workflow__OnConflictOptions *conflict =
		REQUEST_NEW(builder, Workflow__OnConflictOptions, workflow__on_conflict_options);
	const char *token =
		worker_nexus_token(&nexus->arena, nexus->info.namespace_, message->workflow_id);

	if (!token)
		out_of_memory(builder);
	conflict->attach_request_id = true;
	conflict->attach_completion_callbacks = true;
	conflict->attach_links = true;
	message->on_conflict_options = conflict;
	/* Newer servers take the links from the callback; older ones know these alone. */
	message->links = proto_links_read(
		&nexus->arena, nexus->start->links, nexus->start->n_links, &message->n_links);
	if (!str_empty(nexus->info.callback_url))
		add_callback(builder, nexus, message, token);
	nexus->token = token;
	return message;
}

/* ---- calls ---- */

/* Ends with the request at the latest. 0: the default. */
static int64_t timeout_ms(const struct nexus *nexus, int64_t wanted_ms)
{
	if (nexus->info.deadline_ns == 0)
		return wanted_ms;
	int64_t left_ms = (nexus->info.deadline_ns - clock_epoch_ns()) / NS_PER_MS;

	if (left_ms < 1)
		left_ms = 1;
	return wanted_ms > 0 && wanted_ms < left_ms ? wanted_ms : left_ms;
}

static enum temporal_code call(struct nexus *nexus, const struct rpc_method *method,
	const void *message, const struct temporal_start_opts *opts, struct rpc_reply *reply,
	struct temporal_error *err)
{
	struct rpc_request request = {
		.method = method,
		.message = message,
		.retry = RPC_RETRY_CALL,
		.timeout_ms = timeout_ms(nexus, opts->timeout_ms),
		.n_headers = opts->n_rpc_headers,
	};
	struct rpc_header *headers =
		arena_array(&nexus->arena, opts->n_rpc_headers, sizeof(*headers));

	if (!headers)
		return error_no_memory(err, "the headers of a call");
	for (size_t i = 0; i < opts->n_rpc_headers; i++) {
		const struct temporal_header *from = &opts->rpc_headers[i];
		enum temporal_code code = client_check_header(from->name, from->value, err);

		if (code != TEMPORAL_OK)
			return code;
		headers[i] = (struct rpc_header){ from->name, from->value, strlen(from->value) };
	}
	request.headers = headers;
	struct rpc_channel *channel = worker_channel_ref(nexus->worker);
	enum temporal_code code = rpc_wait(channel, &request, reply, err);

	rpc_channel_unref(channel);
	if (code != TEMPORAL_OK)
		arena_finish(&reply->arena);
	return code;
}

/* What an older server does not say itself: the run's first event, by the id of the request. */
static const Common__Link *link_to_start(struct nexus *nexus, const char *workflow_id,
	const Workflowservice__StartWorkflowExecutionResponse *response)
{
	Common__Link *link = PROTO_NEW(&nexus->arena, Common__Link, common__link);
	Common__Link__WorkflowEvent *event =
		PROTO_NEW(&nexus->arena, Common__Link__WorkflowEvent, common__link__workflow_event);
	Common__Link__WorkflowEvent__RequestIdReference *reference =
		PROTO_NEW(&nexus->arena, Common__Link__WorkflowEvent__RequestIdReference,
			common__link__workflow_event__request_id_reference);

	if (!link || !event || !reference)
		return NULL;
	reference->request_id = nexus->info.request_id;
	reference->event_type = ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED;
	event->namespace_ = nexus->info.namespace_;
	event->workflow_id = workflow_id;
	event->run_id = response->run_id;
	event->reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF;
	event->request_id_ref = reference;
	link->variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link->workflow_event = event;
	return link;
}

/* A link is help for a reader: without memory for it the operation goes on all the same. */
static void add_run_link(struct nexus *nexus, const char *workflow_id,
	const Workflowservice__StartWorkflowExecutionResponse *response)
{
	const Common__Link *link =
		response->link ? response->link : link_to_start(nexus, workflow_id, response);
	Nexus__Link *text = link ? proto_link_write(&nexus->arena, link) : NULL;

	if (text)
		worker_nexus_add_link(nexus, text);
}

static const struct temporal_failure *start(struct nexus *nexus, const struct client_input *input,
	const struct temporal_start_opts *given, size_t size)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_start_opts opts;
	struct client_request builder;
	struct rpc_reply reply;

	if (!nexus->start)
		return nexus_error(nexus, NEXUS_ERROR_INTERNAL,
			"a request to cancel an operation cannot start one");
	if (client_opts_copy(&opts, sizeof(opts), given, size, &err) != TEMPORAL_OK)
		return nexus_error_of(nexus, &err);
	if (str_empty(opts.id))
		opts.id = nexus->info.request_id;
	if (str_empty(opts.task_queue))
		opts.task_queue = nexus->info.task_queue;
	opts.request_id = nexus->info.request_id;
	client_request_init(&builder, &nexus->arena, &err);
	const Workflowservice__StartWorkflowExecutionRequest *message =
		start_request(&builder, nexus, input, &opts);
	enum temporal_code code = builder.code;

	if (code == TEMPORAL_OK)
		code = call(nexus, &rpc_workflow_start_workflow_execution, message, &opts, &reply,
			&err);
	if (code != TEMPORAL_OK) {
		nexus->token = NULL;
		error_prefix(&err, "start of workflow \"%s\" with id \"%s\"",
			input->name ? input->name : "", opts.id);
		return nexus_error_of(nexus, &err);
	}
	add_run_link(nexus, message->workflow_id, reply.message);
	arena_finish(&reply.arena);
	return NULL;
}

const struct temporal_failure *nexus_start_workflow_contract_(struct nexus *nexus,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size)
{
	return start(nexus, &REQUEST_TYPED(contract, in), opts, size);
}

const struct temporal_failure *nexus_start_workflow_named_(struct nexus *nexus, const char *type,
	struct temporal_payloads arguments, const struct temporal_start_opts *opts, size_t size)
{
	return start(nexus, &REQUEST_UNTYPED(type, arguments), opts, size);
}

/* ---- signals ---- */

static const Workflowservice__SignalWorkflowExecutionRequest *signal_request(
	struct client_request *builder, struct nexus *nexus, const char *workflow_id,
	const struct client_input *signal)
{
	Workflowservice__SignalWorkflowExecutionRequest *message =
		REQUEST_NEW(builder, Workflowservice__SignalWorkflowExecutionRequest,
			workflowservice__signal_workflow_execution_request);
	/* Of a request to cancel nothing names the tries; so it is sent again. */
	const char *request_id = nexus->start ? nexus_printf(nexus, "%s-%u", nexus->info.request_id,
							nexus->n_signals++)
					      : client_request_id(builder, NULL);

	if (!request_id)
		out_of_memory(builder);
	message->namespace_ = nexus->info.namespace_;
	message->identity = nexus->worker->opts.identity;
	message->workflow_execution = client_request_execution(builder, workflow_id, "");
	message->signal_name = signal->name;
	message->input = client_request_input_payloads(builder, signal, TEMPORAL_DEFINES_SIGNAL);
	message->request_id = request_id;
	if (nexus->start)
		message->links = proto_links_read(&nexus->arena, nexus->start->links,
			nexus->start->n_links, &message->n_links);
	return message;
}

static const struct temporal_failure *send_signal(
	struct nexus *nexus, const char *workflow_id, const struct client_input *signal)
{
	static const struct temporal_start_opts none;
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct client_request builder;
	struct rpc_reply reply;

	client_request_init(&builder, &nexus->arena, &err);
	const void *message = signal_request(&builder, nexus, workflow_id, signal);
	enum temporal_code code = builder.code;

	if (code == TEMPORAL_OK)
		code = call(nexus, &rpc_workflow_signal_workflow_execution, message, &none, &reply,
			&err);
	if (code != TEMPORAL_OK) {
		error_prefix(&err, "signal \"%s\" to workflow \"%s\"",
			signal->name ? signal->name : "", workflow_id ? workflow_id : "");
		return nexus_error_of(nexus, &err);
	}
	const Workflowservice__SignalWorkflowExecutionResponse *response = reply.message;
	Nexus__Link *link = response->link ? proto_link_write(&nexus->arena, response->link) : NULL;

	if (link)
		worker_nexus_add_link(nexus, link);
	arena_finish(&reply.arena);
	return NULL;
}

const struct temporal_failure *nexus_signal_contract_(struct nexus *nexus, const char *workflow_id,
	const struct temporal_contract *contract, const void *in)
{
	return send_signal(nexus, workflow_id, &REQUEST_TYPED(contract, in));
}

const struct temporal_failure *nexus_signal_named(struct nexus *nexus, const char *workflow_id,
	const char *name, struct temporal_payloads arguments)
{
	return send_signal(nexus, workflow_id, &REQUEST_UNTYPED(name, arguments));
}

/* ---- the way back ---- */

static const struct temporal_failure *bad_token(
	struct nexus *nexus, const char *problem, const char *text)
{
	const struct temporal_failure cause = {
		.kind = TEMPORAL_FAILURE_APPLICATION, .message = problem, .type = "TypeError"
	};

	return nexus_error_with(nexus,
		&(const struct nexus_error_opts){ .type = NEXUS_ERROR_NOT_FOUND, .cause = &cause },
		"%s", text);
}

const struct temporal_failure *nexus_cancel_workflow(struct nexus *nexus, const char *token)
{
	struct worker_nexus_target target;
	struct temporal_error err = { .code = TEMPORAL_OK };
	const char *problem = worker_nexus_token_read(&nexus->arena, token ? token : "", &target);

	/* NOT_FOUND would be final, and the run would go on: this is tried again. */
	if (problem && target.no_memory)
		return nexus_error(nexus, NEXUS_ERROR_INTERNAL, "%s", problem);
	if (problem)
		return bad_token(nexus, problem,
			"Failed to decode operation token as a workflow operation token. "
			"Canceling non-workflow operations is not supported.");
	if (strcmp(target.namespace_, nexus->info.namespace_) != 0) {
		problem = nexus_printf(nexus,
			"Client namespace %s does not match operation token namespace %s",
			nexus->info.namespace_, target.namespace_);
		return bad_token(nexus, problem,
			"Failed to construct workflow handle from workflow operation token");
	}
	struct temporal_run *run =
		temporal_run_handle(nexus_client(nexus), target.workflow_id, NULL, &err);

	if (run && temporal_run_cancel_0(run, &err) == TEMPORAL_OK)
		err.code = TEMPORAL_OK;
	temporal_run_unref(run);
	return err.code == TEMPORAL_OK ? NULL : nexus_error_of(nexus, &err);
}
