/*
 * query.c: questions to workflow code.
 *
 *     asked --> waiting ----> in task ----> answered      a workflow task is pending or runs: with
 *                  ^  |          |                        the next one that starts
 *                  |  |          +-- task failed, or ended without an answer: waiting again
 *                  |  +--> direct ---------> answered     none is: a task of its own, to the sticky
 *                  |         |                            queue while it is polled, else to the
 *                  |         +-- nobody polls it          normal one with the whole history
 *
 * Nothing of it is recorded, and the history does not show it. The answer waits for the commit of
 * what it may have seen, as all answers do.
 *
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/history.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define QUERY_MS 3600000 /* the caller's deadline ends it before */

static void query_free(struct query *query)
{
	struct execution *execution = query->execution;
	struct query **at = &execution->queries;

	while (*at != query)
		at = &(*at)->next;
	*at = query->next;
	execution->n_queries--;
	matching_withdraw(&query->task);
	timers_stop(&execution->server->timers, &query->sticky_timer);
	mem_free(query);
}

struct query *query_find(const struct execution *execution, const char *id)
{
	struct query *query = execution->queries;

	while (query && !str_same(query->id, id))
		query = query->next;
	return query;
}

static void given_up(struct request *request)
{
	struct query *query = request->waiting_for;

	request_wake(request);
	request_fail(request, TEMPORAL_DEADLINE_EXCEEDED, NULL, "context deadline exceeded");
	query_free(query);
}

static void offer_normal(struct query *query)
{
	struct execution *execution = query->execution;

	matching_offer(
		matching_queue(execution->server, execution->space, execution->task_queue, false),
		&query->task);
}

static void sticky_silent(struct timers_entry *timer)
{
	offer_normal(
		(struct query *)(void *)((char *)timer - offsetof(struct query, sticky_timer)));
}

static void dispatch(struct query *query)
{
	struct execution *execution = query->execution;
	struct server *server = execution->server;
	struct task_queue *sticky = NULL;

	query->direct = true;
	query->task.kind = MATCHING_QUERY;
	query->task.owner = query;
	if (!str_empty(execution->sticky_queue))
		sticky = matching_queue(server, execution->space, execution->sticky_queue, false);
	if (!sticky || !matching_alive(sticky)) {
		offer_normal(query);
		return;
	}
	sticky->sticky = true;
	matching_offer(sticky, &query->task);
	if (!timers_set(&server->timers, &query->sticky_timer,
		    timers_after(server->now_ns, execution->sticky_timeout_ms), sticky_silent))
		server_no_memory(server);
}

static bool must_wait(const struct execution *execution)
{
	return state_running(execution) && (execution->task_scheduled_id || execution->backing_off);
}

void query_ask(struct execution *execution, struct request *request)
{
	struct query *query = mem_zalloc(sizeof(*query));

	if (!query) {
		server_no_memory(request->server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	query->execution = execution;
	query->request = request;
	server_uuid(&request->server->io, query->id);
	query->next = execution->queries;
	execution->queries = query;
	execution->n_queries++;
	request_wait(request, QUERY_MS, given_up, query);
	if (!must_wait(execution))
		dispatch(query);
}

static Query__WorkflowQuery *question(const struct query *query, struct request *request)
{
	const Workflowservice__QueryWorkflowRequest *asked = query->request->message;
	Query__WorkflowQuery *copy = proto_copy(request->arena, asked->query);

	if (!copy)
		server_no_memory(request->server);
	return copy;
}

void query_deliver(struct query *query, struct request *request, bool sticky)
{
	struct execution *execution = query->execution;
	Workflowservice__PollWorkflowTaskQueueResponse *response =
		REQUEST_NEW(request, Workflowservice__PollWorkflowTaskQueueResponse,
			workflowservice__poll_workflow_task_queue_response);
	struct task_token token = {
		.run = (int64_t)execution->number,
		.query = query->id,
		.run_id = execution->run_id,
	};

	timers_stop(&execution->server->timers, &query->sticky_timer);
	response->task_token = token_make(request, &token);
	workflow_task_subject(execution, request, response);
	response->previous_started_event_id = execution->previous_started_id;
	response->attempt = 1;
	response->query = question(query, request);
	response->history = REQUEST_NEW(request, History__History, history__history);
	if (!sticky)
		workflow_task_history(execution, request, 1, response);
	request_reply(request, response);
}

void query_attach(struct execution *execution, struct request *request,
	Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	Workflowservice__PollWorkflowTaskQueueResponse__QueriesEntry **entries;

	if (!execution->n_queries)
		return;
	entries = arena_array(request->arena, execution->n_queries, sizeof(*entries));
	if (!entries) {
		server_no_memory(request->server);
		return;
	}
	response->queries = entries;
	for (struct query *query = execution->queries; query; query = query->next) {
		if (query->direct)
			continue;
		Workflowservice__PollWorkflowTaskQueueResponse__QueriesEntry *entry = REQUEST_NEW(
			request, Workflowservice__PollWorkflowTaskQueueResponse__QueriesEntry,
			workflowservice__poll_workflow_task_queue_response__queries_entry);
		entry->key = request_text(request, query->id);
		entry->value = question(query, request);
		entries[response->n_queries++] = entry;
	}
}

void query_tell(struct query *query, Enums__QueryResultType type, const Common__Payloads *result,
	const char *error, const Failure__Failure *failure)
{
	struct request *request = query->request;

	request_wake(request);
	if (result && server_over(proto_size(result), request->server->config.blob_max)) {
		type = ENUMS__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_FAILED;
		error = "Blob data size exceeds limit.";
		failure = NULL;
	}
	if (type == ENUMS__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED) {
		Workflowservice__QueryWorkflowResponse *response =
			REQUEST_NEW(request, Workflowservice__QueryWorkflowResponse,
				workflowservice__query_workflow_response);

		if (result)
			response->query_result = proto_copy(request->arena, result);
		request_reply(request, response);
	} else {
		Errordetails__QueryFailedFailure detail = ERRORDETAILS__QUERY_FAILED_FAILURE__INIT;

		detail.failure = (Failure__Failure *)(uintptr_t)failure;
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, &detail, "%s", error ? error : "");
	}
	query_free(query);
}

void query_answers(struct execution *execution,
	const Workflowservice__RespondWorkflowTaskCompletedRequest *message)
{
	for (size_t i = 0; i < message->n_query_results; i++) {
		const Query__WorkflowQueryResult *result = message->query_results[i]->value;
		struct query *query = query_find(execution, message->query_results[i]->key);

		if (query && result)
			query_tell(query, result->result_type, result->answer,
				result->error_message, result->failure);
	}
}

void query_again(struct execution *execution)
{
	for (struct query *query = execution->queries; query; query = query->next) {
		if (!query->direct && !must_wait(execution))
			dispatch(query);
	}
}

void query_fail_all(struct execution *execution, const char *text)
{
	while (execution->queries) {
		struct query *query = execution->queries;

		request_wake(query->request);
		request_fail(query->request, TEMPORAL_UNAVAILABLE, NULL, "%s", text);
		query_free(query);
	}
}
