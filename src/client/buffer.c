/*
 * buffer.c: texts and bytes that a user gets and gives back; histories as JSON; calls by path.
 *
 * A history comes in pages. Each page's events are moved, with the arena they lie in, to the call,
 * so that the JSON is written once, over all of them, and nothing is copied before.
 *
 * JSON is written on the loop's thread: a long history holds the client's other calls up for as
 * long as that takes, which is the price of having no thread for it.
 */
#include "client/buffer.h"

#include <string.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "base/mem.h"
#include "client/call.h"
#include "client/request.h"
#include "client/run.h"
#include "proto/json.h"

#define JSON_INDENT 1

struct buffer {
	struct temporal_buffer public; /* the first member, since it is what the user gives back */
	char bytes[];
};

/* Header and bytes in one allocation. */
struct temporal_buffer *client_buffer_new(const void *data, size_t len, struct temporal_error *err)
{
	struct buffer *made = mem_alloc(sizeof(*made) + len + 1);

	if (!made) {
		error_no_memory(err, "a buffer");
		return NULL;
	}
	if (len)
		memcpy(made->bytes, data, len);
	made->bytes[len] = '\0';
	made->public = (struct temporal_buffer){ made->bytes, len };
	return &made->public;
}

void temporal_buffer_unref(struct temporal_buffer *buffer)
{
	mem_free(buffer);
}

static void tell(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.buffer(value, err, call->user);
}

static struct temporal_buffer *wait_buffer(struct client_call *call, struct temporal_error *err)
{
	void *made;

	return call && client_call_wait(call, &made, err) == TEMPORAL_OK ? made : NULL;
}

static enum temporal_code start_buffer(struct client_call *call, const struct temporal_error *why,
	temporal_buffer_fn *done, void *user, struct temporal_error *err)
{
	if (call) {
		call->ended = tell;
		call->tell.buffer = done;
		call->user = user;
		return client_call_start(call, err);
	}
	if (err)
		*err = *why;
	return why->code;
}

/* ---- histories ---- */

struct history_page {
	struct arena arena; /* holds the events */
	History__HistoryEvent **events;
	size_t n;
	struct history_page *next;
};

struct history_state {
	Workflowservice__GetWorkflowExecutionHistoryRequest *message;
	struct history_page *first, **last;
	size_t n_events;
};

/* The pages' arenas are not the call's, so they are freed apart, however the call ends. */
static void finish_pages(struct client_call *call)
{
	const struct history_state *state = call->state;

	for (struct history_page *page = state->first; page; page = page->next)
		arena_finish(&page->arena);
}

/* All events of all pages as one message, written as JSON. */
static struct temporal_buffer *write_history(
	const struct history_state *state, struct temporal_error *err)
{
	History__History history = HISTORY__HISTORY__INIT;
	struct temporal_buffer *made = NULL;
	struct arena scratch;
	struct str json;

	arena_init(&scratch, 4096, ARENA_NO_BUDGET);
	history.events = arena_array(&scratch, state->n_events, sizeof(*history.events));
	for (struct history_page *page = state->first; page && history.events; page = page->next) {
		if (page->n)
			memcpy(history.events + history.n_events, page->events,
				page->n * sizeof(*page->events));
		history.n_events += page->n;
	}
	if (!history.events)
		error_no_memory(err, "a history");
	else if (!proto_to_json(&scratch, &history, JSON_INDENT, &json, err))
		made = client_buffer_new(json.ptr, json.len, err);
	arena_finish(&scratch);
	return made;
}

/* Takes over the page with its arena, in which the token of the next page lies, too. */
static bool take_page(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__GetWorkflowExecutionHistoryResponse *from = reply->message;
	struct history_state *state = call->state;
	struct history_page *page = ARENA_NEW(&call->arena, struct history_page);

	if (!page)
		return false;
	if (from->history) {
		page->events = from->history->events;
		page->n = from->history->n_events;
	}
	state->message->next_page_token = from->next_page_token;
	state->n_events += page->n;
	page->arena = reply->arena;
	memset(&reply->arena, 0, sizeof(reply->arena));
	*state->last = page;
	state->last = &page->next;
	return true;
}

/* Page after page, until one has no token. */
static void took_history(struct client_call *call, struct rpc_reply *reply)
{
	const struct history_state *state = call->state;
	struct temporal_error *err = &reply->error;
	struct temporal_buffer *made = NULL;

	if (!reply->code && !take_page(call, reply))
		reply->code = error_no_memory(err, "a page of a history");
	if (!reply->code && state->message->next_page_token.len) {
		client_call_again(call);
		return;
	}
	if (!reply->code)
		made = write_history(state, err);
	client_call_end(call, made, made ? NULL : err);
}

static struct client_call *prepare_history(struct temporal_run *run, struct temporal_error *err)
{
	struct client_call *call = client_call_new(run->client, NULL, err);
	struct history_state *state;
	struct client_request builder;

	if (!call)
		return NULL;
	client_call_name(call, "history of workflow \"%s\"", run->workflow_id);
	client_request_init(&builder, &call->arena, err);
	state = ARENA_NEW(&call->arena, struct history_state);
	if (!state) {
		error_no_memory(err, "a history");
		client_call_free(call);
		return NULL;
	}
	state->last = &state->first;
	state->message = REQUEST_NEW(&builder, Workflowservice__GetWorkflowExecutionHistoryRequest,
		workflowservice__get_workflow_execution_history_request);
	state->message->namespace_ = client_namespace(call->client);
	state->message->execution =
		client_request_execution(&builder, client_request_text(&builder, run->workflow_id),
			client_request_text(&builder, run->run_id));
	call->method = &rpc_workflow_get_workflow_execution_history;
	call->message = state->message;
	call->took = took_history;
	call->finish = finish_pages;
	call->state = state;
	if (!builder.code)
		return call;
	client_call_free(call);
	return NULL;
}

struct temporal_buffer *temporal_run_history_json(
	struct temporal_run *run, struct temporal_error *err)
{
	return wait_buffer(prepare_history(run, err), err);
}

enum temporal_code temporal_run_history_json_async(
	struct temporal_run *run, temporal_buffer_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_buffer(prepare_history(run, &why), &why, done, user, err);
}

/* ---- calls by path ---- */

struct raw_state {
	bool json;
};

/*
 * The reply was decoded by the method's type and is written again, as JSON or bytes: unknown fields
 * survive in the bytes.
 */
static void took_raw(struct client_call *call, struct rpc_reply *reply)
{
	const struct raw_state *state = call->state;
	struct temporal_error *err = &reply->error;
	struct temporal_buffer *made = NULL;
	struct bytes bytes;
	struct str json;

	if (!reply->code && state->json) {
		if (!proto_to_json(&call->arena, reply->message, JSON_INDENT, &json, err))
			made = client_buffer_new(json.ptr, json.len, err);
	} else if (!reply->code) {
		if (!proto_encode(&call->arena, reply->message, 0, &bytes, err))
			made = client_buffer_new(bytes.ptr, bytes.len, err);
	}
	client_call_end(call, made, made ? NULL : err);
}

/* The request is read before it is sent, so that its mistakes are told here. */
static struct client_call *prepare_raw(struct temporal_client *client, const char *path,
	struct temporal_bytes request, bool json, struct temporal_error *err)
{
	const struct rpc_method *method = rpc_method_find(path);
	struct client_call *call;
	struct raw_state *state;

	if (!method) {
		error_set(err, TEMPORAL_UNIMPLEMENTED,
			"\"%s\" is no method of the API that is known here", path);
		return NULL;
	}
	call = client_call_new(client, NULL, err);
	if (!call)
		return NULL;
	client_call_name(call, "call of %s", path);
	state = ARENA_NEW(&call->arena, struct raw_state);
	if (!state)
		error_no_memory(err, "a call");
	else if (json)
		call->message = proto_from_json(&call->arena, method->request,
			(struct str){ request.data, request.len }, false, err);
	else
		call->message = proto_decode(
			&call->arena, method->request, request.data, request.len, NULL, err);
	if (!state || !call->message) {
		if (call->what)
			error_prefix(err, "%s", call->what);
		client_call_free(call);
		return NULL;
	}
	state->json = json;
	call->method = method;
	call->took = took_raw;
	call->state = state;
	return call;
}

struct temporal_buffer *temporal_client_call(struct temporal_client *client, const char *path,
	struct temporal_bytes request, bool json, struct temporal_error *err)
{
	return wait_buffer(prepare_raw(client, path, request, json, err), err);
}

enum temporal_code temporal_client_call_async(struct temporal_client *client, const char *path,
	struct temporal_bytes request, bool json, temporal_buffer_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start_buffer(prepare_raw(client, path, request, json, &why), &why, done, user, err);
}
