/*
 * result.c: waiting for the end of a workflow: long polls for the closing event of a run, then on
 * to the run that follows, until one has none.
 *
 *	poll run ----> no event, but a token ----> poll run with the token
 *	     +-------> closed, a next run -------> poll the next run   (unless no_follow)
 *	     +-------> closed, no next run ------> the result
 *
 * Two forms of "closed, a next run" are read: by default the server shows a run that was retried or
 * is run by cron as continued as new; to those who ask for it, as it was (completed, failed or
 * timed out) with the next run's id in the event. The state machine lives on the loop's thread.
 *
 * The server answers a long poll after some 20 seconds without an event, with a token to go on
 * with. A poll has no timeout of its own but rpc's for long polls, and is tried again for ten
 * seconds from a failure on (RPC_RETRY_USER_POLL); the user's timeout is the limit of all polls
 * together (call.c). So a wait of days is one call, as long as the server is not away for longer.
 */
#include <stdio.h>
#include <string.h>

#include <temporal/api/history/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "base/str.h"
#include "client/call.h"
#include "client/request.h"
#include "client/result_object.h"
#include "client/run.h"
#include "convert/convert.h"

#define RUN_ID_SIZE 1001 /* no server gives out longer ones */

typedef History__WorkflowExecutionCompletedEventAttributes completed_attributes;
typedef History__WorkflowExecutionFailedEventAttributes failed_attributes;
typedef History__WorkflowExecutionTimedOutEventAttributes timed_out_attributes;
typedef History__WorkflowExecutionCanceledEventAttributes canceled_attributes;
typedef History__WorkflowExecutionTerminatedEventAttributes terminated_attributes;
typedef History__WorkflowExecutionContinuedAsNewEventAttributes continued_attributes;

/*
 * In the call's arena. run_id is an array, because it changes with each run while the request
 * points to it.
 */
struct wait_state {
	bool follow;
	const char *workflow_id;
	char run_id[RUN_ID_SIZE]; /* the run that is being polled; "" at first: the newest */
	Workflowservice__GetWorkflowExecutionHistoryRequest *message;
	struct arena_mark mark; /* behind it lies the token of the page alone */
};

/* What a closing event says. */
struct closing {
	enum temporal_status status;
	const char *next_run_id;
	const Common__Payloads *payloads; /* the result */
	const Common__Payloads *details;  /* of the failure that is made of message and details */
	const Failure__Failure *failure;  /* or the failure itself */
	enum temporal_failure_kind kind;
	const char *message;
	const char *identity;
};

static const char *or_default(const char *text, const char *otherwise)
{
	return str_empty(text) ? otherwise : text;
}

static void read_failed(struct closing *closing, const failed_attributes *attributes)
{
	closing->status = TEMPORAL_STATUS_FAILED;
	closing->failure = attributes->failure;
	closing->kind = TEMPORAL_FAILURE_APPLICATION;
	closing->message = "the workflow failed and does not say why";
	closing->next_run_id = attributes->new_execution_run_id;
}

static void read_terminated(struct closing *closing, const terminated_attributes *attributes)
{
	closing->status = TEMPORAL_STATUS_TERMINATED;
	closing->kind = TEMPORAL_FAILURE_TERMINATED;
	closing->message = or_default(attributes->reason, "the workflow was terminated");
	closing->details = attributes->details;
	closing->identity = attributes->identity;
}

#define RUN_(end_) HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_##end_##_EVENT_ATTRIBUTES

/* One case a closing event. Texts for failures that have none are ours. */
static bool read_event(struct closing *closing, const History__HistoryEvent *event)
{
	switch (event->attributes_case) {
	case RUN_(COMPLETED):
		closing->status = TEMPORAL_STATUS_COMPLETED;
		closing->payloads = event->workflow_execution_completed_event_attributes->result;
		closing->next_run_id =
			event->workflow_execution_completed_event_attributes->new_execution_run_id;
		return true;
	case RUN_(FAILED):
		read_failed(closing, event->workflow_execution_failed_event_attributes);
		return true;
	case RUN_(TIMED_OUT):
		closing->status = TEMPORAL_STATUS_TIMED_OUT;
		closing->kind = TEMPORAL_FAILURE_TIMEOUT;
		closing->message = "the workflow timed out";
		closing->next_run_id =
			event->workflow_execution_timed_out_event_attributes->new_execution_run_id;
		return true;
	case RUN_(CANCELED):
		closing->status = TEMPORAL_STATUS_CANCELED;
		closing->kind = TEMPORAL_FAILURE_CANCELLED;
		closing->message = "the workflow was cancelled";
		closing->details = event->workflow_execution_canceled_event_attributes->details;
		return true;
	case RUN_(TERMINATED):
		read_terminated(closing, event->workflow_execution_terminated_event_attributes);
		return true;
	case RUN_(CONTINUED_AS_NEW):
		closing->status = TEMPORAL_STATUS_CONTINUED_AS_NEW;
		closing->next_run_id = event->workflow_execution_continued_as_new_event_attributes
					       ->new_execution_run_id;
		return true;
	default:
		return false;
	}
}

#undef RUN_

/* The failure of a run that has none of its own, such as one that was terminated. */
static enum temporal_code make_failure(
	struct temporal_result *result, const struct closing *closing, struct temporal_error *err)
{
	struct temporal_failure failure = {
		.kind = closing->kind,
		.message = closing->message,
		.identity = closing->identity,
		.timeout_type = closing->kind == TEMPORAL_FAILURE_TIMEOUT
					? TEMPORAL_TIMEOUT_START_TO_CLOSE
					: TEMPORAL_TIMEOUT_UNSPECIFIED,
	};
	enum temporal_code code =
		client_payloads_from_api(&result->arena, closing->details, &failure.details, err);

	if (code)
		return code;
	result->failure = convert_failure_copy(&result->arena, &failure);
	return result->failure ? TEMPORAL_OK : error_no_memory(err, "a failure");
}

/* Everything is copied to the result: the reply's memory goes when this returns. */
static enum temporal_code fill_in(
	struct temporal_result *result, const struct closing *closing, struct temporal_error *err)
{
	result->status = closing->status;
	if (!str_empty(closing->next_run_id)) {
		result->next_run_id = arena_strdup(&result->arena, closing->next_run_id);
		if (!result->next_run_id)
			return error_no_memory(err, "a result");
	}
	if (closing->status == TEMPORAL_STATUS_COMPLETED)
		return client_result_take_payloads(result, closing->payloads, err);
	if (closing->status == TEMPORAL_STATUS_CONTINUED_AS_NEW)
		return TEMPORAL_OK;
	if (!closing->failure)
		return make_failure(result, closing, err);
	result->failure = convert_failure_from_api(&result->arena, closing->failure);
	return result->failure ? TEMPORAL_OK : error_no_memory(err, "a failure");
}

static void end_closed(struct client_call *call, const struct closing *closing)
{
	const struct wait_state *state = call->state;
	struct temporal_error err = { 0 };
	struct temporal_result *result = client_result_new(state->workflow_id, state->run_id, &err);

	if (result && fill_in(result, closing, &err)) {
		temporal_result_unref(result);
		result = NULL;
	}
	client_call_end(call, result, result ? NULL : &err);
}

/* What a server must not do; said so, since retrying would not help. */
static void end_badly(struct client_call *call, const char *what)
{
	struct temporal_error err = { 0 };

	error_set(&err, TEMPORAL_INTERNAL, "the server sent %s", what);
	client_call_end(call, NULL, &err);
}

/* From the start of the next run: a token is of one run. */
static void poll_next_run(struct client_call *call, const char *run_id)
{
	struct wait_state *state = call->state;

	if (strlen(run_id) >= sizeof(state->run_id)) {
		end_badly(call, "a run id that is too long");
		return;
	}
	snprintf(state->run_id, sizeof(state->run_id), "%s", run_id);
	state->message->next_page_token = (ProtobufCBinaryData){ 0 };
	client_call_again(call);
}

/* The old token's memory is released first: a wait of days has a thousand tokens. */
static void poll_same_run(struct client_call *call, ProtobufCBinaryData token)
{
	struct wait_state *state = call->state;
	struct temporal_error err = { 0 };

	arena_release(&call->arena, state->mark);
	state->message->next_page_token.data = arena_memdup(&call->arena, token.data, token.len);
	state->message->next_page_token.len = token.len;
	if (!state->message->next_page_token.data) {
		error_no_memory(&err, "a page's token");
		client_call_end(call, NULL, &err);
		return;
	}
	client_call_again(call);
}

/*
 * The filter makes the server send the closing event alone; the last one is looked at, in case that
 * one sends more.
 */
static void took_page(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *page = reply->message;
	const struct wait_state *state = call->state;
	struct closing closing = { 0 };

	if (reply->code) {
		client_call_end(call, NULL, &reply->error);
		return;
	}
	if (!page->history || !page->history->n_events) {
		if (page->next_page_token.len)
			poll_same_run(call, page->next_page_token);
		else
			end_badly(call, "neither the end of the run nor a way to wait for it");
		return;
	}
	if (!read_event(&closing, page->history->events[page->history->n_events - 1])) {
		end_badly(call, "an event that ends no run, though it was asked for the end");
		return;
	}
	if (state->follow && !str_empty(closing.next_run_id))
		poll_next_run(call, closing.next_run_id);
	else
		end_closed(call, &closing);
}

/* Workflow id and run id are copied, since the handle may be given up while the call waits. */
static struct client_call *prepare(struct temporal_run *run, const struct temporal_wait_opts *given,
	size_t size, struct temporal_error *err)
{
	struct temporal_wait_opts opts;
	struct client_request builder;
	struct client_call *call;
	struct wait_state *state;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	call = client_call_new(run->client, CLIENT_CALL_OPTS(&opts), err);
	if (!call)
		return NULL;
	client_call_name(call, "result of workflow \"%s\"", run->workflow_id);
	client_request_init(&builder, &call->arena, err);
	state = arena_zalloc(&call->arena, sizeof(*state));
	if (!state) {
		error_no_memory(err, "a wait for a result");
		client_call_free(call);
		return NULL;
	}
	state->follow = !opts.no_follow;
	state->workflow_id = client_request_text(&builder, run->workflow_id);
	snprintf(state->run_id, sizeof(state->run_id), "%s", run->run_id);
	state->message = REQUEST_NEW(&builder, Workflowservice__GetWorkflowExecutionHistoryRequest,
		workflowservice__get_workflow_execution_history_request);
	state->message->namespace_ = client_namespace(call->client);
	state->message->execution =
		client_request_execution(&builder, state->workflow_id, state->run_id);
	state->message->wait_new_event = true;
	state->message->skip_archival = true;
	state->message->history_event_filter_type =
		ENUMS__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
	if (builder.code) {
		client_call_free(call);
		return NULL;
	}
	state->mark = arena_mark(&call->arena);
	call->method = &rpc_workflow_get_workflow_execution_history;
	call->message = state->message;
	call->retry = RPC_RETRY_USER_POLL;
	call->timeout_ms = 0;
	call->limit_ms = opts.timeout_ms;
	call->took = took_page;
	call->state = state;
	return call;
}

struct temporal_result *temporal_run_wait_(struct temporal_run *run,
	const struct temporal_wait_opts *opts, size_t size, struct temporal_error *err)
{
	struct client_call *call = prepare(run, opts, size, err);
	void *result;

	return call && client_call_wait(call, &result, err) == TEMPORAL_OK ? result : NULL;
}

enum temporal_code temporal_run_wait_async_(struct temporal_run *run,
	const struct temporal_wait_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare(run, opts, size, &why);

	if (call)
		return client_call_result_async(call, done, user, err);
	if (err)
		*err = why;
	return why.code;
}

/*
 * The result's object goes to *keep if the caller wants it, else it ends here: then `out` must not
 * point into it, which is checked before anything is sent.
 */
enum temporal_code temporal_result_(struct temporal_run *run,
	const struct temporal_contract *contract, void *out, const struct temporal_wait_opts *opts,
	size_t size, struct temporal_result **keep, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct temporal_result *result = NULL;
	enum temporal_code code = client_result_check_keep(contract, out, keep, &own);

	if (!code) {
		result = temporal_run_wait_(run, opts, size, &own);
		code = result ? temporal_result_get_(result, contract, out, &own) : own.code;
	}
	return client_result_hand_over(result, code, keep, &own, err);
}
