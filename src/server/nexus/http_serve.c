/*
 * http_serve.c: the routes of the Nexus HTTP API.
 *
 *   POST /nexus/endpoints/ID/services/SERVICE/OPERATION[?callback=URL]          start
 *   POST /namespaces/NS/task-queues/QUEUE/nexus-services/SERVICE/OPERATION      start
 *   POST .../cancel, with the header nexus-operation-token                      cancel
 *   POST /namespaces/NS/nexus/callback, /nexus/callback                         complete
 *
 * Start and cancel become a call (call.c) and are answered with its outcome; a caller that has gone
 * is answered all the same, into the void. Answers wait for the commit, as those of the RPCs do.
 *
 * Loop's thread.
 */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "proto/codec.h"
#include "proto/link.h"
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "server/limits.h"
#include "server/nexus/http.h"
#include "server/nexus/url.h"

#define ARENA_FIRST     4096
#define PARTS_MAX       10
#define CALL_MS         60000
#define TIMEOUT_MAX_MS  1e12 /* in ns it still fits */
#define CALLBACK_PREFIX "nexus-callback-"
#define JSON_TYPE       "application/json"

/* ---- Exchanges ---- */

static void replied(struct request *request, const void *message)
{
	struct nexus_exchange *exchange = (struct nexus_exchange *)(void *)request;

	exchange->answered(exchange);
}

static struct nexus_exchange *of(struct request *request)
{
	return (struct nexus_exchange *)(void *)request;
}

static void add_out(struct nexus_exchange *exchange, const char *name, const char *value)
{
	if (value && exchange->n_out < NEXUS_HTTP_HEADERS_MAX)
		exchange->out[exchange->n_out++] = (struct nexus_header){ name, value };
}

/* The server has failed. */
static void failed(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	struct nexus_exchange *exchange = of(request);

	exchange->status = 503;
	exchange->n_out = 0;
	add_out(exchange, "content-type", JSON_TYPE);
	exchange->out_body = STR("{\"message\":\"service unavailable\"}");
	exchange->answered(exchange);
}

static const char *header(struct request *request, const char *name)
{
	return nexus_http_get(of(request)->headers, of(request)->n_headers, name);
}

static const struct request_ops exchange_ops = { replied, failed, header };

void nexus_exchange_init(struct nexus_exchange *exchange, struct server *server,
	void (*answered)(struct nexus_exchange *exchange))
{
	exchange->answered = answered;
	arena_init(&exchange->arena, ARENA_FIRST, ARENA_NO_BUDGET);
	exchange->request = (struct request){
		.server = server,
		.ops = &exchange_ops,
		.arena = &exchange->arena,
		.deadline_ns = INT64_MAX,
	};
}

void nexus_exchange_finish(struct nexus_exchange *exchange)
{
	arena_finish(&exchange->arena);
}

void nexus_exchange_header(struct nexus_exchange *exchange, const char *name, const char *value)
{
	const char *small = arena_lower(&exchange->arena, name);
	const char *copy = arena_strdup(&exchange->arena, value ? value : "");

	if (!small || !copy || exchange->n_headers == NEXUS_HTTP_HEADERS_MAX)
		return;
	exchange->headers[exchange->n_headers++] = (struct nexus_header){ small, copy };
}

/* ---- Answers ---- */

static unsigned status_of(const char *type)
{
	static const struct {
		const char *type;
		unsigned status;
	} known[] = {
		{ "BAD_REQUEST", 400 },
		{ "REQUEST_TIMEOUT", 408 },
		{ "CONFLICT", 409 },
		{ "UNAUTHENTICATED", 401 },
		{ "UNAUTHORIZED", 403 },
		{ "NOT_FOUND", 404 },
		{ "RESOURCE_EXHAUSTED", 429 },
		{ "NOT_IMPLEMENTED", 501 },
		{ "UNAVAILABLE", 503 },
		{ "UPSTREAM_TIMEOUT", 520 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_same(type, known[i].type))
			return known[i].status;
	}
	return 500;
}

static void reply(struct nexus_exchange *exchange, unsigned status)
{
	exchange->status = status;
	request_reply(&exchange->request, NULL);
}

/* New callers take an error as it is, old ones its cause. */
static void reply_failure(
	struct nexus_exchange *exchange, unsigned status, const Failure__Failure *failure)
{
	bool whole = str_same(header(&exchange->request, "temporal-nexus-failure-support"), "true");
	const Failure__Failure *told = !whole && failure->cause ? failure->cause : failure;

	exchange->out_body = nexus_failure_write(&exchange->arena, told);
	add_out(exchange, "content-type", JSON_TYPE);
	reply(exchange, status);
}

static void reply_handler_error(
	struct nexus_exchange *exchange, const Failure__Failure *failure, bool from_worker)
{
	const Failure__NexusHandlerFailureInfo *info =
		failure ? failure->nexus_handler_failure_info : NULL;

	if (!info) {
		server_no_memory(exchange->request.server);
		reply(exchange, 500);
		return;
	}
	if (info->retry_behavior)
		add_out(exchange, "nexus-request-retryable",
			nexus_retryable(info->type, info->retry_behavior) ? "true" : "false");
	if (from_worker)
		add_out(exchange, "temporal-nexus-failure-source", "worker");
	reply_failure(exchange, status_of(info->type), failure);
}

static void refuse(struct nexus_exchange *exchange, const char *type, const char *text)
{
	struct nexus_outcome outcome = { 0 };

	nexus_outcome_error(&exchange->arena, type, text, &outcome);
	reply_handler_error(exchange, outcome.failure, false);
}

/* ... whatever the type says of another try. */
static void refuse_finally(struct nexus_exchange *exchange, const char *type, const char *text)
{
	struct nexus_outcome outcome = { 0 };

	nexus_outcome_error(&exchange->arena, type, text, &outcome);
	if (outcome.failure)
		outcome.failure->nexus_handler_failure_info->retry_behavior =
			NEXUS_BEHAVIOR(NON_RETRYABLE);
	reply_handler_error(exchange, outcome.failure, false);
}

/* The operation's own failure, wrapped as new callers expect it. */
static void reply_unsuccessful(
	struct nexus_exchange *exchange, const Failure__Failure *failure, bool canceled)
{
	const char *state = canceled ? "canceled" : "failed";
	struct str cause = nexus_failure_write(&exchange->arena, failure);
	const char *text = NULL;

	if (str_same(header(&exchange->request, "temporal-nexus-failure-support"), "true"))
		text = arena_printf(&exchange->arena,
			"{\"message\":\"operation error\",\"metadata\":{\"type\":"
			"\"nexus.OperationError\",\"unwrap-error\":\"true\"},\"details\":"
			"{\"state\":\"%s\"},\"cause\":%.*s}",
			state, (int)cause.len, cause.ptr);
	exchange->out_body = text ? str_from(text) : cause;
	add_out(exchange, "nexus-operation-state", state);
	add_out(exchange, "temporal-nexus-failure-source", "worker");
	add_out(exchange, "content-type", JSON_TYPE);
	reply(exchange, 424);
}

static void add_links(struct nexus_exchange *exchange, const struct nexus_outcome *outcome)
{
	for (size_t i = 0; i < outcome->n_links; i++)
		add_out(exchange, "nexus-link",
			nexus_link_header(&exchange->arena, outcome->links[i]));
}

static void reply_result(struct nexus_exchange *exchange, const struct nexus_outcome *outcome)
{
	const char *type;
	struct str body;
	char *copy = NULL;

	if (nexus_content_write(&exchange->arena, outcome->payload, &body, &type))
		copy = arena_str(&exchange->arena, body);
	if (!copy) {
		refuse(exchange, "INTERNAL", "internal error");
		return;
	}
	add_links(exchange, outcome);
	if (*type)
		add_out(exchange, "content-type", type);
	exchange->out_body = (struct str){ copy, body.len };
	reply(exchange, 200);
}

static void reply_token(struct nexus_exchange *exchange, const struct nexus_outcome *outcome)
{
	struct nexus_text text = { .arena = &exchange->arena };

	nexus_text_puts(&text, "{\"token\":");
	nexus_text_quote(&text, outcome->token);
	nexus_text_puts(&text, ",\"state\":\"running\"}");
	add_links(exchange, outcome);
	add_out(exchange, "content-type", JSON_TYPE);
	exchange->out_body = nexus_text_str(&text);
	reply(exchange, 201);
}

static void start_done(struct nexus_call *call, const struct nexus_outcome *outcome)
{
	struct nexus_exchange *exchange = call->owner;

	exchange->call = NULL;
	switch (outcome->result) {
	case NEXUS_SYNC:
		reply_result(exchange, outcome);
		break;
	case NEXUS_ASYNC:
		reply_token(exchange, outcome);
		break;
	case NEXUS_UNSUCCESSFUL:
		reply_unsuccessful(exchange, outcome->failure, outcome->canceled);
		break;
	default:
		reply_handler_error(exchange, outcome->failure, outcome->from_worker);
	}
}

static void cancel_done(struct nexus_call *call, const struct nexus_outcome *outcome)
{
	struct nexus_exchange *exchange = call->owner;

	exchange->call = NULL;
	if (outcome->result == NEXUS_ERROR)
		reply_handler_error(exchange, outcome->failure, outcome->from_worker);
	else
		reply(exchange, 202);
}

/* ---- Requests ---- */

/* Where a call goes, and what it is. */
struct route {
	struct server_namespace *space;
	const char *task_queue, *endpoint;
	const char *service, *operation;
	const char *query;
	bool cancel;
};

/* A time like "10s", "1.5m", "200ms"; 0: it is none. */
static int64_t timeout_ms(const char *text)
{
	char *unit;
	double value = strtod(text, &unit);
	double ms = str_same(unit, "ms")  ? value
		    : str_same(unit, "s") ? value * 1000
		    : str_same(unit, "m") ? value * 60000
					  : 0;

	/* Written so that what is no number is none either. */
	return value <= 1e9 && ms > 0 && ms <= TIMEOUT_MAX_MS ? (int64_t)ms : 0;
}

/* Headers that are the transport's, or go elsewhere. */
static bool is_kept(const struct nexus_header *header, bool cancel)
{
	static const char *const dropped[] = { "accept-encoding", "connection", "host",
		"nexus-operation-token", "request-timeout", "temporal-nexus-failure-support",
		"transfer-encoding", "x-forwarded-for", "xdc-redirection", "xdc-redirection-api" };

	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		if (str_same(header->name, dropped[i]))
			return false;
	}
	return cancel ||
	       (strncmp(header->name, "content-", 8) != 0 &&
		       strncmp(header->name, CALLBACK_PREFIX, strlen(CALLBACK_PREFIX)) != 0);
}

static void take_headers(
	const struct nexus_exchange *exchange, struct nexus_call *call, bool cancel)
{
	for (size_t i = 0; i < exchange->n_headers; i++) {
		if (is_kept(&exchange->headers[i], cancel))
			nexus_call_header(
				call, exchange->headers[i].name, exchange->headers[i].value);
	}
}

static void take_callback(const struct nexus_exchange *exchange, struct arena *arena,
	const char *query, Nexus__StartOperationRequest *start)
{
	const char *url = url_query(arena, query, "callback");

	start->callback = url ? url : "";
	start->callback_header =
		arena_array(arena, exchange->n_headers, sizeof(*start->callback_header));
	for (size_t i = 0; i < exchange->n_headers && start->callback_header; i++) {
		const struct nexus_header *one = &exchange->headers[i];
		Nexus__StartOperationRequest__CallbackHeaderEntry *entry;

		if (strncmp(one->name, CALLBACK_PREFIX, strlen(CALLBACK_PREFIX)) != 0)
			continue;
		entry = PROTO_NEW(arena, Nexus__StartOperationRequest__CallbackHeaderEntry,
			nexus__start_operation_request__callback_header_entry);
		if (!entry)
			return;
		entry->key = arena_strdup(arena, one->name + strlen(CALLBACK_PREFIX));
		entry->value = arena_strdup(arena, one->value);
		start->callback_header[start->n_callback_header++] = entry;
	}
}

static void make_start(
	struct nexus_exchange *exchange, struct nexus_call *call, const struct route *route)
{
	struct arena *arena = &call->arena;
	Nexus__StartOperationRequest *start =
		PROTO_NEW(arena, Nexus__StartOperationRequest, nexus__start_operation_request);
	size_t n_links;
	Nexus__Link **links =
		nexus_http_links(arena, exchange->headers, exchange->n_headers, &n_links);

	if (!start) {
		server_no_memory(call->server);
		return;
	}
	call->request->variant_case = NEXUS__REQUEST__VARIANT_START_OPERATION;
	call->request->start_operation = start;
	start->service = arena_strdup(arena, route->service);
	start->operation = arena_strdup(arena, route->operation);
	start->request_id = arena_strdup(arena, header(&exchange->request, "nexus-request-id"));
	start->links = links;
	start->n_links = n_links;
	start->payload =
		nexus_content_read(arena, exchange->headers, exchange->n_headers, exchange->body);
	take_callback(exchange, arena, route->query, start);
	call->done = start_done;
}

static void make_cancel(struct nexus_call *call, const struct route *route, const char *token)
{
	struct arena *arena = &call->arena;
	Nexus__CancelOperationRequest *cancel =
		PROTO_NEW(arena, Nexus__CancelOperationRequest, nexus__cancel_operation_request);

	if (!cancel) {
		server_no_memory(call->server);
		return;
	}
	call->request->variant_case = NEXUS__REQUEST__VARIANT_CANCEL_OPERATION;
	call->request->cancel_operation = cancel;
	cancel->service = arena_strdup(arena, route->service);
	cancel->operation = arena_strdup(arena, route->operation);
	cancel->operation_token = arena_strdup(arena, token);
	cancel->operation_id = cancel->operation_token;
	call->done = cancel_done;
}

static void send(struct nexus_exchange *exchange, const struct route *route, const char *token)
{
	const char *limit = header(&exchange->request, "request-timeout");
	int64_t ms = *limit ? timeout_ms(limit) : CALL_MS + SERVER_NEXUS_CALL_SLACK_MS;

	if (ms == 0) {
		refuse(exchange, "BAD_REQUEST", "invalid request timeout header");
		return;
	}
	struct nexus_call *call = nexus_call_new(exchange->request.server);
	if (!call) {
		refuse(exchange, "INTERNAL", "internal error");
		return;
	}
	call->owner = exchange;
	exchange->call = call;
	call->request->endpoint = arena_strdup(&call->arena, route->endpoint);
	call->request->capabilities =
		PROTO_NEW(&call->arena, Nexus__Request__Capabilities, nexus__request__capabilities);
	if (call->request->capabilities)
		call->request->capabilities->temporal_failure_responses = str_same(
			header(&exchange->request, "temporal-nexus-failure-support"), "true");
	take_headers(exchange, call, route->cancel);
	if (route->cancel)
		make_cancel(call, route, token);
	else
		make_start(exchange, call, route);
	ms -= SERVER_NEXUS_CALL_SLACK_MS;
	nexus_call_send(call, route->space, route->task_queue, ms > 0 ? ms : 0);
}

static void call(struct nexus_exchange *exchange, const struct route *route)
{
	const char *token = header(&exchange->request, "nexus-operation-token");

	if (!str_same(exchange->method, "POST")) {
		refuse(exchange, "BAD_REQUEST",
			arena_printf(&exchange->arena,
				"invalid request method: expected POST, got \"%s\"",
				exchange->method));
		return;
	}
	if (route->cancel && !*token) {
		token = url_query(&exchange->arena, route->query, "token");
		if (str_empty(token)) {
			refuse(exchange, "BAD_REQUEST", "missing operation token");
			return;
		}
	}
	if (!route->cancel &&
		server_over(exchange->body.len, exchange->request.server->config.blob_max)) {
		refuse(exchange, "BAD_REQUEST", "input exceeds size limit");
		return;
	}
	send(exchange, route, token);
}

/* SERVICE/OPERATION[/cancel] at the end of a path. False: neither. */
static bool take_operation(const char *const path[], size_t n, struct route *route)
{
	if (n < 2 || n > 3 || (n == 3 && !str_same(path[2], "cancel")))
		return false;
	route->service = path[0];
	route->operation = path[1];
	route->cancel = n == 3;
	return true;
}

static void by_endpoint(
	struct nexus_exchange *exchange, const char *const path[], size_t n, const char *query)
{
	struct server *server = exchange->request.server;
	const struct nexus_endpoint *endpoint = nexus_endpoint_by_id(server, path[2]);
	struct route route = { .query = query };

	if (!endpoint) {
		refuse_finally(exchange, "NOT_FOUND", "nexus endpoint not found");
		return;
	}
	if (!str_empty(endpoint->url)) {
		refuse(exchange, "BAD_REQUEST", "invalid endpoint target");
		return;
	}
	route.space = nexus_endpoint_space(server, endpoint);
	route.task_queue = endpoint->task_queue;
	route.endpoint = endpoint->name;
	if (!route.space || !take_operation(path + 4, n - 4, &route))
		refuse(exchange, "NOT_FOUND", "not found");
	else
		call(exchange, &route);
}

static void by_queue(
	struct nexus_exchange *exchange, const char *const path[], size_t n, const char *query)
{
	struct route route = {
		.space = state_namespace(exchange->request.server, path[1]),
		.task_queue = path[3],
		.endpoint = "",
		.query = query,
	};

	if (!take_operation(path + 5, n - 5, &route))
		refuse(exchange, "NOT_FOUND", "not found");
	else if (!route.space)
		refuse(exchange, "NOT_FOUND",
			arena_printf(&exchange->arena, "namespace not found: \"%s\"", path[1]));
	else if (server_over(strlen(path[3]), exchange->request.server->config.id_max))
		refuse(exchange, "BAD_REQUEST", "invalid URL");
	else
		call(exchange, &route);
}

/* ---- Completion ---- */

/* False: answered. */
static bool read_outcome(
	struct nexus_exchange *exchange, const char *state, struct nexus_completion *out)
{
	struct arena *arena = &exchange->arena;

	if (str_same(state, "succeeded")) {
		out->result = nexus_content_read(
			arena, exchange->headers, exchange->n_headers, exchange->body);
		if (out->result && server_over(proto_size(out->result),
					   exchange->request.server->config.blob_max))
			refuse(exchange, "BAD_REQUEST", "result exceeds size limit");
		else if (!out->result)
			refuse(exchange, "BAD_REQUEST", "invalid result content");
		return exchange->status == 0;
	}
	if (!str_same(state, "failed") && !str_same(state, "canceled")) {
		refuse(exchange, "BAD_REQUEST",
			arena_printf(arena, "invalid request operation state: \"%s\"", state));
		return false;
	}
	const char *type = header(&exchange->request, "content-type");
	if (strncmp(type, JSON_TYPE, strlen(JSON_TYPE)) != 0) {
		refuse(exchange, "BAD_REQUEST",
			arena_printf(arena, "invalid request content type: \"%s\"", type));
		return false;
	}
	const Nexus__Failure *failure = nexus_failure_read(arena, exchange->body);
	out->failure =
		failure ? nexus_failure_to_temporal(arena, nexus_failure_unwrap(failure)) : NULL;
	out->canceled = str_same(state, "canceled");
	if (!out->failure)
		refuse(exchange, "BAD_REQUEST", "failed to decode Failure from request body");
	return out->failure;
}

/* A date as HTTP writes it, in ns; 0: none is given. False: it cannot be read. */
static bool read_time(const char *text, int64_t *ns)
{
	struct tm time = { 0 };

	*ns = 0;
	if (!*text)
		return true;
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &time);
	if (!end || *end)
		return false;
	int64_t seconds = (int64_t)timegm(&time);
	/* What is sent has started after 1970, and before nanoseconds are at their end. */
	if (seconds < 0 || seconds > INT64_MAX / NS_PER_SECOND - 1)
		return false;
	*ns = seconds * NS_PER_SECOND;
	return true;
}

static void complete(struct nexus_exchange *exchange, const char *space)
{
	struct nexus_completion completion = { 0 };
	const char *state = header(&exchange->request, "nexus-operation-state"), *text = "";
	size_t n;
	Nexus__Link **links =
		nexus_http_links(&exchange->arena, exchange->headers, exchange->n_headers, &n);

	if (!read_time(header(&exchange->request, "nexus-operation-start-time"),
		    &completion.start_ns)) {
		refuse(exchange, "BAD_REQUEST", "failed to parse operation start time header");
		return;
	}
	if (!read_outcome(exchange, state, &completion))
		return;
	completion.links = proto_links_read(&exchange->arena, links, n, &completion.n_links);
	completion.token = header(&exchange->request, "nexus-operation-token");
	if (strlen(completion.token) > SERVER_NEXUS_TOKEN_MAX) {
		refuse(exchange, "BAD_REQUEST",
			arena_printf(&exchange->arena,
				"operation token length exceeds allowed limit (%zu/%d)",
				strlen(completion.token), SERVER_NEXUS_TOKEN_MAX));
		return;
	}
	const char *error = nexus_complete(exchange->request.server,
		header(&exchange->request, NEXUS_TOKEN_HEADER), space, &completion, &text);
	if (error)
		refuse(exchange, error, text);
	else
		reply(exchange, 200);
}

/* ---- Routes ---- */

/* Do the fixed parts of a route ("*" for any) begin the path? */
static bool is_at(const char *const path[], size_t n, const char *const route[], size_t n_route)
{
	for (size_t i = 0; i < n_route; i++) {
		if (i >= n || (!str_same(route[i], "*") && !str_same(route[i], path[i])))
			return false;
	}
	return true;
}

void nexus_http_serve(struct request *request)
{
	static const char *const endpoint[] = { "nexus", "endpoints", "*", "services" };
	static const char *const queue[] = { "namespaces", "*", "task-queues", "*",
		"nexus-services" };
	static const char *const callback[] = { "namespaces", "*", "nexus", "callback" };
	struct nexus_exchange *exchange = of(request);
	const char *path[PARTS_MAX] = { NULL }, *query = NULL;
	size_t n = 0;

	for (n = 1; n <= PARTS_MAX && !query; n++)
		query = url_split(&exchange->arena, exchange->url, path, n);
	n--;
	if (query && is_at(path, n, endpoint, 4))
		by_endpoint(exchange, path, n, query);
	else if (query && is_at(path, n, queue, 5))
		by_queue(exchange, path, n, query);
	else if (query && n == 2 && is_at(path, n, &callback[2], 2))
		complete(exchange, NULL);
	else if (query && n == 4 && is_at(path, n, callback, 4))
		complete(exchange, path[1]);
	else
		refuse(exchange, "NOT_FOUND", "not found");
}
