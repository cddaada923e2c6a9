/*
 * callback.c: callbacks of runs, from the request that brought them to their delivery.
 *
 *              the run ends             delivered
 *     STANDBY ------------> SCHEDULED -----------> SUCCEEDED
 *                            ^   |  \  refused
 *                            |   v   +-----------> FAILED
 *                          BACKING_OFF
 *
 * A run that is followed by another one of its chain calls nobody: its callbacks go over to that
 * one. What is told of the end is made from its event, so nothing more has to be kept.
 *
 * Loop's thread.
 */

#include "proto/codec.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"
#include "server/nexus/url.h"

#define STATE(name_)  ENUMS__CALLBACK_STATE__CALLBACK_STATE_##name_
#define STATUS(name_) ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##name_
#define EVENT(name_)  ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_##name_

#define OPERATION_TOKEN_HEADER "nexus-operation-token"

/* ---- Checks ---- */

static bool refuse(struct request *request, const char *format, const char *what)
{
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, format, what);
	return false;
}

static bool check_url(struct request *request, const char *url)
{
	const char *scheme, *host, *text;

	if (strlen(url) > SERVER_NEXUS_CALLBACK_URL_MAX) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"invalid url: url length longer than max length allowed of %d",
			SERVER_NEXUS_CALLBACK_URL_MAX);
		return false;
	}
	if (str_same(url, NEXUS_SYSTEM_URL))
		return true;
	if (!url_check(request->arena, url, &scheme, &host, &text))
		return refuse(request, "invalid callback url: %s", text);
	if (!str_same(scheme, "http") && !str_same(scheme, "https"))
		return refuse(request, "invalid url: unknown scheme: %s", url);
	if (str_empty(host))
		return refuse(request, "invalid url: missing host", "");
	switch (nexus_rules_judge(request->server, host, str_same(scheme, "https"))) {
	case NEXUS_ALLOWED:
		return true;
	case NEXUS_INSECURE:
		return refuse(request,
			"invalid url: callback address does not allow insecure connections: %s",
			url);
	default:
		return refuse(request,
			"invalid url: url does not match any configured callback address: %s", url);
	}
}

/* Keys in lower case, as they will be looked for. */
static bool check_header(struct request *request, Common__Callback__Nexus *nexus)
{
	size_t size = 0;

	for (size_t i = 0; i < nexus->n_header; i++) {
		char *key = arena_lower(request->arena, nexus->header[i]->key);

		size += strlen(nexus->header[i]->key) + strlen(nexus->header[i]->value);
		if (key)
			nexus->header[i]->key = key;
		else
			server_no_memory(request->server);
	}
	if (size <= SERVER_NEXUS_HEADER_MAX)
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"invalid header: header size longer than max allowed size of %d",
		SERVER_NEXUS_HEADER_MAX);
	return false;
}

bool nexus_callbacks_check(
	struct request *request, Common__Callback *const *callbacks, size_t n_callbacks)
{
	if (server_over(n_callbacks, request->server->config.callbacks_max)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"cannot attach more than %d callbacks to an execution",
			(int)request->server->config.callbacks_max);
		return false;
	}
	for (size_t i = 0; i < n_callbacks; i++) {
		if (callbacks[i]->variant_case == COMMON__CALLBACK__VARIANT_INTERNAL)
			continue;
		if (callbacks[i]->variant_case != COMMON__CALLBACK__VARIANT_NEXUS) {
			request_fail(request, TEMPORAL_UNIMPLEMENTED, NULL,
				"unknown callback variant: %s",
				callbacks[i]->variant_case ? "*common.Callback_NexusHandler_"
							   : "<nil>");
			return false;
		}
		if (!check_url(request, callbacks[i]->nexus->url) ||
			!check_header(request, callbacks[i]->nexus))
			return false;
	}
	return true;
}

/* ---- Registration ---- */

void nexus_callbacks_add(struct execution *execution, const char *request_id,
	Common__Callback *const *callbacks, size_t n_callbacks)
{
	struct server *server = execution->server;

	for (size_t i = 0; i < n_callbacks; i++) {
		struct nexus_callback *callback = nexus_callback_new(execution);

		if (!callback)
			return;
		callback->number = ++execution->records;
		callback->state = STATE(STANDBY);
		callback->registered_ns = server->now_ns;
		state_set_text(server, &callback->request_id, request_id);
		state_set_bytes(server, &callback->callback, callbacks[i]);
		nexus_callback_record(callback);
	}
}

Common__Callback **nexus_callbacks_of(
	const struct execution *execution, struct arena *arena, size_t *n)
{
	size_t count = 0;

	for (struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next)
		count += at->callback.len != 0;
	Common__Callback **callbacks = arena_array(arena, count, sizeof(*callbacks));
	*n = 0;
	for (struct nexus_callback *at = execution->nexus_callbacks; at && callbacks;
		at = at->next) {
		if (!at->callback.len)
			continue;
		callbacks[*n] = proto_decode(arena, &common__callback__descriptor, at->callback.ptr,
			at->callback.len, NULL, NULL);
		if (!callbacks[*n])
			break;
		++*n;
	}
	/* The next run may not go without some of them. */
	if (*n < count)
		server_no_memory(execution->server);
	return callbacks;
}

/* ---- What is told ---- */

static Failure__Failure *failure_new(struct arena *arena, const char *text)
{
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);

	if (failure)
		failure->message = text;
	return failure;
}

static Failure__Failure *canceled(
	struct arena *arena, const History__WorkflowExecutionCanceledEventAttributes *attributes)
{
	Failure__Failure *failure = failure_new(arena, "operation canceled");

	if (!failure)
		return NULL;
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	failure->canceled_failure_info =
		PROTO_NEW(arena, Failure__CanceledFailureInfo, failure__canceled_failure_info);
	if (failure->canceled_failure_info)
		failure->canceled_failure_info->details = attributes->details;
	return failure;
}

/* Reasons of a termination and the like are nobody else's business. */
static void outcome_of(
	struct arena *arena, const History__HistoryEvent *event, struct nexus_completion *out)
{
	const Common__Payloads *result;
	Failure__Failure *failure;

	switch (event->event_type) {
	case EVENT(COMPLETED):
		result = event->workflow_execution_completed_event_attributes->result;
		out->result = result && result->n_payloads ? result->payloads[0] : NULL;
		return;
	case EVENT(FAILED):
		failure = event->workflow_execution_failed_event_attributes->failure;
		out->failure = failure ? failure : failure_new(arena, "");
		return;
	case EVENT(CANCELED):
		out->canceled = true;
		out->failure = canceled(arena, event->workflow_execution_canceled_event_attributes);
		return;
	case EVENT(TERMINATED):
		failure = failure_new(arena, "operation terminated");
		if (failure)
			failure->failure_info_case =
				FAILURE__FAILURE__FAILURE_INFO_TERMINATED_FAILURE_INFO;
		if (failure)
			failure->terminated_failure_info = PROTO_NEW(arena,
				Failure__TerminatedFailureInfo, failure__terminated_failure_info);
		break;
	default:
		failure = failure_new(arena, "operation exceeded internal timeout");
		if (failure)
			failure->failure_info_case =
				FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
		if (failure)
			failure->timeout_failure_info = PROTO_NEW(
				arena, Failure__TimeoutFailureInfo, failure__timeout_failure_info);
	}
	out->failure = failure;
}

/* A link to the run, for a caller that has not been told of its start. */
static void link_to(
	const struct nexus_callback *callback, struct arena *arena, struct nexus_completion *out)
{
	const struct execution *execution = callback->execution;

	out->links = arena_alloc(arena, sizeof(void *));
	if (!out->links)
		return;
	out->links[0] = nexus_run_link(execution, callback->request_id, arena);
	out->n_links = out->links[0] != NULL;
}

static bool completion_of(const struct nexus_callback *callback, struct nexus_completion *out)
{
	struct execution *execution = callback->execution;
	struct arena *arena = &execution->server->scratch;
	const History__HistoryEvent *event =
		event_read(execution, execution->next_event_id - 1, arena);

	if (!event) {
		server_unread(execution->server);
		return false;
	}
	outcome_of(arena, event, out);
	link_to(callback, arena, out);
	out->start_ns = execution->start_ns;
	out->close_ns = execution->close_ns;
	return true;
}

/* ---- Delivery ---- */

void nexus_callback_attempted(struct nexus_callback *callback, const char *error, bool retryable)
{
	struct server *server = callback->execution->server;
	int32_t state = STATE(SUCCEEDED);
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ApplicationFailureInfo info = FAILURE__APPLICATION_FAILURE_INFO__INIT;

	if (error)
		state = retryable ? STATE(BACKING_OFF) : STATE(FAILED);
	failure.message = error;
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure.application_failure_info = &info;
	info.non_retryable = state == STATE(FAILED);
	callback->state = state;
	callback->attempt++;
	callback->last_attempt_ns = server->now_ns;
	callback->next_attempt_ns =
		state == STATE(BACKING_OFF)
			? server->now_ns + nexus_backoff_ns(server, callback->attempt)
			: 0;
	state_set_bytes(server, &callback->last_failure, error ? &failure : NULL);
	nexus_callback_record(callback);
	transition_durable(server);
	nexus_callback_arm(callback);
}

static const char *header_of(const Common__Callback__Nexus *nexus, const char *key)
{
	for (size_t i = 0; i < nexus->n_header; i++) {
		if (str_same(nexus->header[i]->key, key))
			return nexus->header[i]->value;
	}
	return NULL;
}

static void deliver(struct nexus_due *due)
{
	struct nexus_callback *callback =
		(struct nexus_callback *)(void *)((char *)due -
						  offsetof(struct nexus_callback, due));
	struct server *server = callback->execution->server;
	const Common__Callback *spec = proto_decode(&server->scratch, &common__callback__descriptor,
		callback->callback.ptr, callback->callback.len, NULL, NULL);
	struct nexus_completion completion = { 0 };
	const char *text = "";

	if (!str_empty(callback->execution->reset_run_id)) {
		/* Its end was a reset's: the run that took over has it too. */
		callback->state = STATE(STANDBY);
		nexus_callback_record(callback);
		return;
	}
	if (!spec || !completion_of(callback, &completion)) {
		server_no_memory(server);
		return;
	}
	if (spec->variant_case != COMMON__CALLBACK__VARIANT_NEXUS) {
		nexus_callback_attempted(callback, "unprocessable callback variant", false);
		return;
	}
	if (!str_same(spec->nexus->url, NEXUS_SYSTEM_URL)) {
		nexus_callback_post(callback, spec->nexus, &completion);
		return;
	}
	/* The handler has told it us before its caller, if the run was that quick. */
	completion.token = header_of(spec->nexus, OPERATION_TOKEN_HEADER);
	const char *error = nexus_complete(
		server, header_of(spec->nexus, NEXUS_TOKEN_HEADER), NULL, &completion, &text);
	if (error) {
		text = arena_printf(&server->scratch, "handler error (%s): %s", error, text);
		error = text ? text : error;
	}
	nexus_callback_attempted(callback, error, false);
}

static void fired(struct timers_entry *timer)
{
	struct nexus_callback *callback =
		(struct nexus_callback *)(void *)((char *)timer -
						  offsetof(struct nexus_callback, timer));

	callback->state = STATE(SCHEDULED);
	callback->next_attempt_ns = 0;
	nexus_callback_record(callback);
	nexus_callback_arm(callback);
}

void nexus_callback_arm(struct nexus_callback *callback)
{
	struct server *server = callback->execution->server;

	if (callback->state == STATE(SCHEDULED))
		nexus_due_add(server, &callback->due, deliver);
	else if (callback->state == STATE(BACKING_OFF) &&
		 !timers_set(&server->timers, &callback->timer, callback->next_attempt_ns, fired))
		server_no_memory(server);
}

void nexus_closed(struct execution *execution)
{
	while (execution->nexus_operations) {
		transition_erase(execution->server,
			(struct entity_key){ ENTITY_NEXUS_OPERATION, execution->number,
				execution->nexus_operations->scheduled_id });
		nexus_operation_free(execution->nexus_operations);
	}
	if (execution->status == STATUS(CONTINUED_AS_NEW) || !str_empty(execution->new_run_id))
		return;
	for (struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next) {
		if (at->state != STATE(STANDBY) || !at->callback.len)
			continue;
		at->state = STATE(SCHEDULED);
		nexus_callback_record(at);
		nexus_callback_arm(at);
	}
}

bool nexus_is_pending(const struct execution *execution)
{
	const struct nexus_callback *at = execution->nexus_callbacks;

	while (at && at->state != STATE(SCHEDULED) && at->state != STATE(BACKING_OFF))
		at = at->next;
	return at;
}
