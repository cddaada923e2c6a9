/*
 * failure_out.c: the user's failures to those of the API.
 *
 * Text in a failure is often not ours (a message from errno, from a library, from a peer): what is
 * not UTF-8 in it is replaced, because the server would refuse the whole completion for it, and a
 * failure that cannot be reported is worse than one with a blemish. Any thread.
 *
 * Functions named ..._out and MAKE tell of failed allocations by *ok, so that a message can be
 * filled without a branch a line; each write_... function looks at its end.
 */
#include <temporal/api/failure/v1/message.pb-c.h>

#include "convert/convert.h"
#include "convert/failure.h"
#include "proto/codec.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* The length of the valid character at the start of the text; 0 if there is none. */
static size_t character_len(const char *text, size_t len)
{
	for (size_t i = 1; i <= 4 && i <= len; i++) {
		if (str_is_utf8(text, i))
			return i;
	}
	return 0;
}

/* A byte that begins no character becomes one replacement; at worst each byte takes three. */
static const char *repaired(struct arena *arena, const char *text, size_t len)
{
	char *out = len < SIZE_MAX / 3 ? arena_alloc_aligned(arena, len * 3 + 1, 1) : NULL;
	char *next = out;

	while (out && len > 0) {
		size_t count = character_len(text, len);

		memcpy(next, count ? text : REPLACEMENT, count ? count : 3);
		next += count ? count : 3;
		text += count ? count : 1;
		len -= count ? count : 1;
	}
	if (out)
		*next = '\0';
	return out;
}

/* A copy of a string in the arena; `ok` becomes false when memory is out. */
static const char *text_out(struct arena *arena, const char *text, bool *ok)
{
	struct str in = str_from(text);
	const char *out = "";

	if (in.len > 0)
		out = str_is_utf8(in.ptr, in.len) ? arena_str(arena, in)
						  : repaired(arena, in.ptr, in.len);
	*ok = *ok && out;
	return out;
}

/* Makes a message; `ok` becomes false when memory is out. */
#define MAKE(arena_, Type_, prefix_, ok_) ((Type_ *)make((arena_), &prefix_##__descriptor, (ok_)))

/* `ok` is only ever cleared. */
static void *make(struct arena *arena, const ProtobufCMessageDescriptor *type, bool *ok)
{
	void *message = proto_new(arena, type);

	*ok = *ok && message;
	return message;
}

static Common__Payloads *details_out(
	struct arena *arena, const struct temporal_payloads *details, bool *ok)
{
	if (details->count == 0)
		return NULL;
	Common__Payloads *out = *ok ? convert_payloads_to_api(arena, details) : NULL;

	*ok = out != NULL;
	return out;
}

/* 0 means: none given. */
static Google__Duration *duration_out(struct arena *arena, int64_t ms, bool *ok)
{
	if (ms == 0)
		return NULL;
	Google__Duration *out = MAKE(arena, Google__Duration, google__duration, ok);
	if (out) {
		out->seconds = ms / 1000;
		out->nanos = (int32_t)(ms % 1000 * 1000000);
	}
	return out;
}

/* ---- one function a kind; each returns false when memory is out ---- */

static bool write_application(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__ApplicationFailureInfo *info = MAKE(
		arena, Failure__ApplicationFailureInfo, failure__application_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	out->application_failure_info = info;
	info->type = text_out(arena, in->type, &ok);
	info->non_retryable = in->non_retryable;
	info->next_retry_delay = duration_out(arena, in->next_retry_delay_ms, &ok);
	info->category = (Enums__ApplicationErrorCategory)in->category;
	info->details = details_out(arena, &in->details, &ok);
	return ok;
}

static bool write_timeout(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__TimeoutFailureInfo *info =
		MAKE(arena, Failure__TimeoutFailureInfo, failure__timeout_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
	out->timeout_failure_info = info;
	info->timeout_type = (Enums__TimeoutType)in->timeout_type;
	info->last_heartbeat_details = details_out(arena, &in->details, &ok);
	return ok;
}

static bool write_cancelled(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__CanceledFailureInfo *info =
		MAKE(arena, Failure__CanceledFailureInfo, failure__canceled_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	out->canceled_failure_info = info;
	info->identity = text_out(arena, in->identity, &ok);
	info->details = details_out(arena, &in->details, &ok);
	return ok;
}

static bool write_terminated(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__TerminatedFailureInfo *info =
		MAKE(arena, Failure__TerminatedFailureInfo, failure__terminated_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TERMINATED_FAILURE_INFO;
	out->terminated_failure_info = info;
	info->identity = text_out(arena, in->identity, &ok);
	return ok;
}

static bool write_server(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__ServerFailureInfo *info =
		MAKE(arena, Failure__ServerFailureInfo, failure__server_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
	out->server_failure_info = info;
	info->non_retryable = in->non_retryable;
	return true;
}

static bool write_reset(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__ResetWorkflowFailureInfo *info = MAKE(arena, Failure__ResetWorkflowFailureInfo,
		failure__reset_workflow_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_RESET_WORKFLOW_FAILURE_INFO;
	out->reset_workflow_failure_info = info;
	info->last_heartbeat_details = details_out(arena, &in->details, &ok);
	return ok;
}

static bool write_activity(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__ActivityFailureInfo *info =
		MAKE(arena, Failure__ActivityFailureInfo, failure__activity_failure_info, &ok);
	Common__ActivityType *type = MAKE(arena, Common__ActivityType, common__activity_type, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_ACTIVITY_FAILURE_INFO;
	out->activity_failure_info = info;
	info->activity_id = text_out(arena, in->activity_id, &ok);
	type->name = text_out(arena, in->activity_type, &ok);
	info->activity_type = type;
	info->identity = text_out(arena, in->identity, &ok);
	info->scheduled_event_id = in->scheduled_event_id;
	info->started_event_id = in->started_event_id;
	info->retry_state = (Enums__RetryState)in->retry_state;
	return ok;
}

static bool write_child(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__ChildWorkflowExecutionFailureInfo *info =
		MAKE(arena, Failure__ChildWorkflowExecutionFailureInfo,
			failure__child_workflow_execution_failure_info, &ok);
	Common__WorkflowExecution *execution =
		MAKE(arena, Common__WorkflowExecution, common__workflow_execution, &ok);
	Common__WorkflowType *type = MAKE(arena, Common__WorkflowType, common__workflow_type, &ok);

	if (!ok)
		return false;
	out->failure_info_case =
		FAILURE__FAILURE__FAILURE_INFO_CHILD_WORKFLOW_EXECUTION_FAILURE_INFO;
	out->child_workflow_execution_failure_info = info;
	info->namespace_ = text_out(arena, in->namespace_, &ok);
	execution->workflow_id = text_out(arena, in->workflow_id, &ok);
	execution->run_id = text_out(arena, in->run_id, &ok);
	info->workflow_execution = execution;
	type->name = text_out(arena, in->workflow_type, &ok);
	info->workflow_type = type;
	info->initiated_event_id = in->scheduled_event_id;
	info->started_event_id = in->started_event_id;
	info->retry_state = (Enums__RetryState)in->retry_state;
	return ok;
}

static bool write_nexus_operation(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__NexusOperationFailureInfo *info = MAKE(arena, Failure__NexusOperationFailureInfo,
		failure__nexus_operation_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case =
		FAILURE__FAILURE__FAILURE_INFO_NEXUS_OPERATION_EXECUTION_FAILURE_INFO;
	out->nexus_operation_execution_failure_info = info;
	info->endpoint = text_out(arena, in->endpoint, &ok);
	info->service = text_out(arena, in->service, &ok);
	info->operation = text_out(arena, in->operation, &ok);
	info->operation_token = text_out(arena, in->operation_token, &ok);
	info->scheduled_event_id = in->scheduled_event_id;
	return ok;
}

static bool write_nexus_handler(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out)
{
	bool ok = true;
	Failure__NexusHandlerFailureInfo *info = MAKE(
		arena, Failure__NexusHandlerFailureInfo, failure__nexus_handler_failure_info, &ok);

	if (!ok)
		return false;
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO;
	out->nexus_handler_failure_info = info;
	info->type = text_out(arena, in->type, &ok);
	if (in->non_retryable || in->handler_retry == TEMPORAL_HANDLER_NON_RETRYABLE)
		info->retry_behavior = FAILURE_NEXUS_NON_RETRYABLE;
	else if (in->handler_retry == TEMPORAL_HANDLER_RETRYABLE)
		info->retry_behavior = FAILURE_NEXUS_RETRYABLE;
	return ok;
}

typedef bool write_function(
	struct arena *arena, const struct temporal_failure *in, Failure__Failure *out);

/* By kind. NULL for none: all kinds of the public enum have one. */
static write_function *const writers[] = {
	[TEMPORAL_FAILURE_APPLICATION] = write_application,
	[TEMPORAL_FAILURE_TIMEOUT] = write_timeout,
	[TEMPORAL_FAILURE_CANCELLED] = write_cancelled,
	[TEMPORAL_FAILURE_TERMINATED] = write_terminated,
	[TEMPORAL_FAILURE_SERVER] = write_server,
	[TEMPORAL_FAILURE_RESET_WORKFLOW] = write_reset,
	[TEMPORAL_FAILURE_ACTIVITY] = write_activity,
	[TEMPORAL_FAILURE_CHILD_WORKFLOW] = write_child,
	[TEMPORAL_FAILURE_NEXUS_OPERATION] = write_nexus_operation,
	[TEMPORAL_FAILURE_NEXUS_HANDLER] = write_nexus_handler,
};

/*
 * A kind that this version does not know (from a newer header) becomes an application failure: the
 * message still arrives.
 */
static Failure__Failure *write_one(struct arena *arena, const struct temporal_failure *in)
{
	bool ok = true;
	Failure__Failure *out = MAKE(arena, Failure__Failure, failure__failure, &ok);
	const char *source = str_empty(in->source) ? FAILURE_SOURCE : in->source;
	size_t kind = (size_t)in->kind;

	if (!ok)
		return NULL;
	out->message = text_out(arena, in->message, &ok);
	out->source = text_out(arena, source, &ok);
	out->stack_trace = text_out(arena, in->stack_trace, &ok);
	if (kind >= sizeof(writers) / sizeof(writers[0]))
		kind = TEMPORAL_FAILURE_APPLICATION;
	return ok && writers[kind](arena, in, out) ? out : NULL;
}

Failure__Failure *convert_failure_to_api(
	struct arena *arena, const struct temporal_failure *failure)
{
	Failure__Failure *first = NULL;
	Failure__Failure **link = &first;

	for (int i = 0; failure && i < FAILURE_CHAIN_SENT_MAX; i++, failure = failure->cause) {
		*link = write_one(arena, failure);
		if (!*link)
			return NULL;
		link = &(*link)->cause;
	}
	return first;
}
