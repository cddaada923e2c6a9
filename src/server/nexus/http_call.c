/*
 * http_call.c: a call of an endpoint outside: the request by HTTP, and its answer as an outcome.
 *
 * Loop's thread.
 */
#include <stdio.h>

#include "google/protobuf/struct.pb-c.h"
#include "proto/codec.h"
#include "proto/json.h"
#include "server/nexus/http_client.h"
#include "server/nexus/url.h"

static const char *in_header(const struct nexus_outgoing *outgoing, const char *name)
{
	return nexus_http_get(outgoing->in, outgoing->n_in, name);
}

static struct str in_body(const struct nexus_outgoing *outgoing)
{
	return (struct str){ outgoing->in_body, outgoing->in_len };
}

/* ---- Answers ---- */

/* A failure of the call itself. */
static void call_error(struct arena *arena, const char *text, struct nexus_outcome *out)
{
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__ApplicationFailureInfo *info = PROTO_NEW(
		arena, Failure__ApplicationFailureInfo, failure__application_failure_info);

	out->result = NEXUS_ERROR;
	out->retryable = true;
	if (!failure || !info)
		return;
	info->type = "CallError";
	failure->message = text;
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	out->failure = failure;
}

static const char *type_of(unsigned status)
{
	switch (status) {
	case 400:
		return "BAD_REQUEST";
	case 401:
		return "UNAUTHENTICATED";
	case 403:
		return "UNAUTHORIZED";
	case 404:
		return "NOT_FOUND";
	case 408:
		return "REQUEST_TIMEOUT";
	case 409:
		return "CONFLICT";
	case 429:
		return "RESOURCE_EXHAUSTED";
	case 500:
		return "INTERNAL";
	case 501:
		return "NOT_IMPLEMENTED";
	case 503:
		return "UNAVAILABLE";
	case 520:
		return "UPSTREAM_TIMEOUT";
	default:
		return NULL;
	}
}

static bool is_json(const struct nexus_outgoing *outgoing)
{
	return strncmp(in_header(outgoing, "content-type"), "application/json", 16) == 0;
}

static void by_status(
	struct nexus_outgoing *outgoing, Failure__Failure *cause, struct nexus_outcome *out)
{
	const char *type = type_of(outgoing->status);
	const char *retryable = in_header(outgoing, "nexus-request-retryable");

	if (!type) {
		call_error(&outgoing->arena,
			arena_printf(&outgoing->arena, "unexpected response status: \"%u\"",
				outgoing->status),
			out);
		return;
	}
	nexus_outcome_error(&outgoing->arena, type, "", out);
	if (!out->failure)
		return;
	Failure__NexusHandlerFailureInfo *info = out->failure->nexus_handler_failure_info;
	if (str_same(retryable, "true"))
		info->retry_behavior = NEXUS_BEHAVIOR(RETRYABLE);
	else if (str_same(retryable, "false"))
		info->retry_behavior = NEXUS_BEHAVIOR(NON_RETRYABLE);
	out->failure->cause = cause;
	out->retryable = nexus_retryable(type, info->retry_behavior);
}

void nexus_outgoing_failed(struct nexus_outgoing *outgoing, struct nexus_outcome *out)
{
	struct arena *arena = &outgoing->arena;
	Failure__Failure *failure = NULL;

	out->result = NEXUS_ERROR;
	if (outgoing->status == 0) {
		call_error(arena, outgoing->timed_out ? "request timed out" : outgoing->error, out);
		return;
	}
	if (is_json(outgoing)) {
		const Nexus__Failure *read = nexus_failure_read(arena, in_body(outgoing));

		failure = read ? nexus_failure_to_temporal(arena, read) : NULL;
	}
	if (!failure || failure->failure_info_case !=
				FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO) {
		by_status(outgoing, failure, out);
		return;
	}
	out->failure = failure;
	out->retryable = nexus_retryable(failure->nexus_handler_failure_info->type,
		failure->nexus_handler_failure_info->retry_behavior);
}

static void started(struct nexus_outgoing *outgoing, struct nexus_outcome *out)
{
	const Google__Struct *json =
		is_json(outgoing) ? proto_from_json(&outgoing->arena, &google__struct__descriptor,
					    in_body(outgoing), true, NULL)
				  : NULL;

	for (size_t i = 0; json && i < json->n_fields; i++) {
		const Google__Value *value = json->fields[i]->value;

		if (str_same(json->fields[i]->key, "token") &&
			value->kind_case == GOOGLE__VALUE__KIND_STRING_VALUE)
			out->token = value->string_value;
	}
	out->result = NEXUS_ASYNC;
	if (str_empty(out->token))
		call_error(&outgoing->arena, "empty operation token in response", out);
}

static void unsuccessful(struct nexus_outgoing *outgoing, struct nexus_outcome *out)
{
	struct arena *arena = &outgoing->arena;
	const char *state = in_header(outgoing, "nexus-operation-state");
	const Nexus__Failure *failure = nexus_failure_read(arena, in_body(outgoing));

	if (!failure || (!str_same(state, "failed") && !str_same(state, "canceled"))) {
		call_error(arena, "invalid failure in response", out);
		return;
	}
	out->result = NEXUS_UNSUCCESSFUL;
	out->failure = nexus_failure_to_temporal(arena, nexus_failure_unwrap(failure));
	out->canceled = str_same(state, "canceled");
}

static void on_answer(struct nexus_outgoing *outgoing)
{
	struct nexus_call *call = outgoing->owner;
	struct nexus_outcome out = { 0 };
	bool start = call->request->variant_case == NEXUS__REQUEST__VARIANT_START_OPERATION;

	out.links = nexus_http_links(&outgoing->arena, outgoing->in, outgoing->n_in, &out.n_links);
	if (start && outgoing->status == 200) {
		out.result = NEXUS_SYNC;
		out.payload = nexus_content_read(
			&outgoing->arena, outgoing->in, outgoing->n_in, in_body(outgoing));
	} else if (start && outgoing->status == 201) {
		started(outgoing, &out);
	} else if (start && outgoing->status == 424) {
		unsuccessful(outgoing, &out);
	} else if (!start && outgoing->status >= 200 && outgoing->status < 300) {
		out.result = NEXUS_SYNC;
	} else {
		nexus_outgoing_failed(outgoing, &out);
	}
	nexus_call_finish(call, &out);
}

/* ---- Requests ---- */

static void add_callback(struct nexus_outgoing *outgoing, const Nexus__StartOperationRequest *start)
{
	struct arena *arena = &outgoing->arena;

	if (!str_empty(start->callback)) {
		const char *callback = url_escape(arena, start->callback, true);

		outgoing->url = callback && outgoing->url ? arena_printf(arena, "%s?callback=%s",
								    outgoing->url, callback)
							  : NULL;
	}
	/* Without its callback the operation would never end. */
	if (!outgoing->url)
		server_no_memory(outgoing->server);
	for (size_t i = 0; i < start->n_callback_header; i++)
		nexus_outgoing_header(outgoing,
			arena_printf(arena, "nexus-callback-%s", start->callback_header[i]->key),
			start->callback_header[i]->value);
}

static void add_start(struct nexus_outgoing *outgoing, const Nexus__StartOperationRequest *start)
{
	const char *type = "";

	if (!nexus_content_write(&outgoing->arena, start->payload, &outgoing->body, &type))
		server_no_memory(outgoing->server);
	/* Without one the library would name one of its own. */
	nexus_outgoing_header(outgoing, "content-type", type);
	nexus_outgoing_header(outgoing, "temporal-nexus-failure-support", "true");
	add_callback(outgoing, start);
}

void nexus_call_send_out(struct nexus_call *call, const char *url, int64_t timeout_ms)
{
	struct nexus_outgoing *outgoing = nexus_outgoing_new(call->server);
	const Nexus__Request *request = call->request;
	bool start = request->variant_case == NEXUS__REQUEST__VARIANT_START_OPERATION;
	char limit[32];

	if (!outgoing)
		return;
	const char *service =
		start ? request->start_operation->service : request->cancel_operation->service;
	const char *operation =
		start ? request->start_operation->operation : request->cancel_operation->operation;
	size_t len = strlen(url);
	service = url_escape(&outgoing->arena, service, false);
	operation = url_escape(&outgoing->arena, operation, false);
	if (service && operation)
		outgoing->url = arena_printf(&outgoing->arena, "%.*s/%s/%s%s",
			(int)(len - (len && url[len - 1] == '/')), url, service, operation,
			start ? "" : "/cancel");
	if (!outgoing->url)
		server_no_memory(call->server);
	for (size_t i = 0; i < request->n_header; i++) {
		if (!str_same(request->header[i]->key, "content-length"))
			nexus_outgoing_header(
				outgoing, request->header[i]->key, request->header[i]->value);
	}
	snprintf(limit, sizeof(limit), "%lldms", (long long)timeout_ms);
	nexus_outgoing_header(outgoing, "request-timeout", limit);
	if (start)
		add_start(outgoing, request->start_operation);
	else
		nexus_outgoing_header(outgoing, "nexus-operation-token",
			request->cancel_operation->operation_token);
	outgoing->timeout_ms = timeout_ms;
	outgoing->done = on_answer;
	outgoing->owner = call;
	nexus_outgoing_send(outgoing);
}
