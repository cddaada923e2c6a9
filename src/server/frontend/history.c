/*
 * history.c: histories for clients and workers: pages forwards, waiting for news or for the end,
 * and backwards. A page's token holds the run and the next event; what was asked for is asked
 * again.
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define STATUS(name_) ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##name_
#define CONTINUED_CASE \
	HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_CONTINUED_AS_NEW_EVENT_ATTRIBUTES
#define CLOSE_EVENT ENUMS__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT

/* Where to read: the execution and the next event, 0 at first. NULL: answered. */
static struct execution *find(struct request *request, const char *name,
	const Common__WorkflowExecution *wanted, ProtobufCBinaryData token_data, int64_t *next)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct server_namespace *space = frontend_namespace(request, name);
	struct execution *execution;
	struct task_token token;

	*next = 0;
	if (!space || !frontend_named(request, wanted))
		return NULL;
	if (token_data.len == 0)
		return frontend_execution(request, space, wanted);
	if (!token_read(token_data, &token) || str_empty(token.run_id)) {
		token_finish(&token);
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "Invalid NextPageToken.");
		return NULL;
	}
	*next = token.scheduled_id;
	execution = state_numbered(request->server, (uint64_t)token.run);
	if (execution && (execution->space != space || !str_same(execution->run_id, token.run_id)))
		execution = NULL;
	token_finish(&token);
	if (!execution)
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			"Workflow execution history not found.");
	return execution;
}

static int64_t page_size(const struct server *server, int32_t asked)
{
	int64_t most = server->config.history_page_max;

	return asked <= 0 || asked > most ? most : asked;
}

static Workflowservice__GetWorkflowExecutionHistoryResponse *response_new(struct request *request)
{
	Workflowservice__GetWorkflowExecutionHistoryResponse *response =
		REQUEST_NEW(request, Workflowservice__GetWorkflowExecutionHistoryResponse,
			workflowservice__get_workflow_execution_history_response);

	response->history = REQUEST_NEW(request, History__History, history__history);
	return response;
}

void frontend_history_expired(struct request *request, struct execution *execution)
{
	const Workflowservice__GetWorkflowExecutionHistoryRequest *in = request->message;
	Workflowservice__GetWorkflowExecutionHistoryResponse *response = response_new(request);

	response->next_page_token = in->next_page_token;
	if (in->next_page_token.len == 0)
		response->next_page_token =
			token_page(request, execution, execution->next_event_id, 0);
	request_reply(request, response);
}

/* The last event of a closed run. One that was followed by another run is shown as continued, since
 * clients of old look for the next run there alone. */
static void reply_close(struct request *request, struct execution *execution)
{
	Workflowservice__GetWorkflowExecutionHistoryResponse *response = response_new(request);
	History__HistoryEvent **events = arena_alloc(request->arena, sizeof(*events));
	History__HistoryEvent *event =
		event_read(execution, execution->next_event_id - 1, request->arena);
	History__WorkflowExecutionContinuedAsNewEventAttributes *continued;

	if (!events || !event) {
		request_unread(request);
		request_reply(request, response);
		return;
	}
	if (!str_empty(execution->new_run_id) && execution->status != STATUS(CONTINUED_AS_NEW)) {
		continued = REQUEST_NEW(request,
			History__WorkflowExecutionContinuedAsNewEventAttributes,
			history__workflow_execution_continued_as_new_event_attributes);
		continued->new_execution_run_id = request_text(request, execution->new_run_id);
		event->event_type =
			ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW;
		event->attributes_case = CONTINUED_CASE;
		event->workflow_execution_continued_as_new_event_attributes = continued;
	}
	events[0] = event;
	response->history->events = events;
	response->history->n_events = 1;
	request_reply(request, response);
}

/*
 * A start of a workflow task does not hurry to the disk; but who has read its event must find it
 * there again, so what he reads goes now, and the answer waits for it.
 */
static void make_durable(struct server *server)
{
	if (server->batch->len || server->touched)
		transition_durable(server);
}

static void get_close(struct request *request, struct execution *execution)
{
	const Workflowservice__GetWorkflowExecutionHistoryRequest *in = request->message;
	Workflowservice__GetWorkflowExecutionHistoryResponse *response;

	if (!state_running(execution)) {
		reply_close(request, execution);
		return;
	}
	if (in->wait_new_event) {
		history_poll(execution, request);
		return;
	}
	make_durable(request->server);
	response = response_new(request);
	History__HistoryEvent **events = arena_alloc(request->arena, sizeof(*events));
	if (events) {
		events[0] = event_read(execution, execution->next_event_id - 1, request->arena);
		response->history->events = events;
		response->history->n_events = events[0] ? 1 : 0;
	}
	if (!events || !events[0])
		request_unread(request);
	request_reply(request, response);
}

/* The official command line and its page show what is, not what a task may come to. */
static bool wants_pending(struct request *request)
{
	const char *name = request->ops->header(request, "client-name");

	return !name || (!str_same(name, "temporal-cli") && !str_same(name, "temporal-ui"));
}

void frontend_get_history(struct request *request)
{
	const Workflowservice__GetWorkflowExecutionHistoryRequest *in = request->message;
	Workflowservice__GetWorkflowExecutionHistoryResponse *response;
	int64_t next, end;
	struct execution *execution =
		find(request, in->namespace_, in->execution, in->next_page_token, &next);

	if (!execution || !frontend_history(request, execution))
		return;
	if (in->history_event_filter_type == CLOSE_EVENT) {
		get_close(request, execution);
		return;
	}
	end = execution->next_event_id;
	if (in->wait_new_event && next >= end && state_running(execution)) {
		history_poll(execution, request);
		return;
	}
	make_durable(request->server);
	response = response_new(request);
	response->history = event_range(execution, next, &end,
		page_size(request->server, in->maximum_page_size), request->arena);
	bool whole = end == execution->next_event_id;
	if (!response->history)
		request_unread(request);
	else if (whole && state_running(execution) && !in->wait_new_event && wants_pending(request))
		workflow_task_transient_events(execution, response->history, request->arena);
	if (!whole || (in->wait_new_event && state_running(execution)))
		response->next_page_token = token_page(request, execution, end, 0);
	request_reply(request, response);
}

void frontend_get_history_reverse(struct request *request)
{
	const Workflowservice__GetWorkflowExecutionHistoryReverseRequest *in = request->message;
	Workflowservice__GetWorkflowExecutionHistoryReverseResponse *response =
		REQUEST_NEW(request, Workflowservice__GetWorkflowExecutionHistoryReverseResponse,
			workflowservice__get_workflow_execution_history_reverse_response);
	int64_t next, n;
	struct execution *execution =
		find(request, in->namespace_, in->execution, in->next_page_token, &next);

	if (!execution || !frontend_history(request, execution))
		return;
	make_durable(request->server);
	if (next == 0 || next >= execution->next_event_id)
		next = execution->next_event_id - 1;
	n = page_size(request->server, in->maximum_page_size);
	response->history = REQUEST_NEW(request, History__History, history__history);
	response->history->events =
		request_array(request, (size_t)n, sizeof(*response->history->events));
	for (; response->history->events && n > 0 && next > 0; n--, next--) {
		History__HistoryEvent *event = event_read(execution, next, request->arena);

		if (event)
			response->history->events[response->history->n_events++] = event;
		else
			request_unread(request);
	}
	if (next > 0)
		response->next_page_token = token_page(request, execution, next, 0);
	request_reply(request, response);
}
