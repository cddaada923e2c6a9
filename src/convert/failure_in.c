/*
 * failure_in.c: failures of the API to the user's struct temporal_failure, and copies of these.
 *
 * A chain of causes comes from outside and may be long: it is walked, not recursed into, and cut
 * after FAILURE_CHAIN_MAX. Strings that were not sent are "", so that nobody has to check for NULL.
 * Called by the workflow layer and the client for what failed. Any thread.
 *
 * The kinds of the API are a union of messages; the public struct is flat, with one field for each
 * idea (the event that scheduled is the same field for an activity and a child). So user's code
 * looks at `kind` and reads on, without a type for each.
 */
#include "convert/convert.h"
#include "convert/failure.h"
#include "convert/json_reader.h"
#include "convert/payload.h"
#include "proto/time.h"

/* In place too: out may be where text came from. */
static bool copy_string(struct arena *arena, const char *text, const char **out)
{
	*out = text && *text ? arena_strdup(arena, text) : "";
	return *out != NULL;
}

static bool copy_details(
	struct arena *arena, const Common__Payloads *details, struct temporal_payloads *out)
{
	return !details ||
	       convert_payloads_from_api(arena, details->payloads, details->n_payloads, out);
}

/* ---- one function a kind: what only that kind has; strings are borrowed until they are copied
 * ---- */

static bool read_application(
	struct arena *arena, const Failure__Failure *in, struct temporal_failure *out)
{
	const Failure__ApplicationFailureInfo *info = in->application_failure_info;

	out->kind = TEMPORAL_FAILURE_APPLICATION;
	out->type = info->type;
	out->non_retryable = info->non_retryable;
	out->next_retry_delay_ms = proto_duration_ms_clamped(info->next_retry_delay);
	out->category = (enum temporal_category)info->category;
	return copy_details(arena, info->details, &out->details);
}

static bool read_timeout(
	struct arena *arena, const Failure__Failure *in, struct temporal_failure *out)
{
	out->kind = TEMPORAL_FAILURE_TIMEOUT;
	out->timeout_type = (enum temporal_timeout_type)in->timeout_failure_info->timeout_type;
	return copy_details(arena, in->timeout_failure_info->last_heartbeat_details, &out->details);
}

static bool read_cancelled(
	struct arena *arena, const Failure__Failure *in, struct temporal_failure *out)
{
	out->kind = TEMPORAL_FAILURE_CANCELLED;
	out->identity = in->canceled_failure_info->identity;
	return copy_details(arena, in->canceled_failure_info->details, &out->details);
}

static void read_activity(const Failure__ActivityFailureInfo *info, struct temporal_failure *out)
{
	out->kind = TEMPORAL_FAILURE_ACTIVITY;
	out->activity_id = info->activity_id;
	out->activity_type = info->activity_type ? info->activity_type->name : NULL;
	out->identity = info->identity;
	out->scheduled_event_id = info->scheduled_event_id;
	out->started_event_id = info->started_event_id;
	out->retry_state = (enum temporal_retry_state)info->retry_state;
}

static void read_child(
	const Failure__ChildWorkflowExecutionFailureInfo *info, struct temporal_failure *out)
{
	const Common__WorkflowExecution *execution = info->workflow_execution;

	out->kind = TEMPORAL_FAILURE_CHILD_WORKFLOW;
	out->namespace_ = info->namespace_;
	out->workflow_id = execution ? execution->workflow_id : NULL;
	out->run_id = execution ? execution->run_id : NULL;
	out->workflow_type = info->workflow_type ? info->workflow_type->name : NULL;
	out->scheduled_event_id = info->initiated_event_id;
	out->started_event_id = info->started_event_id;
	out->retry_state = (enum temporal_retry_state)info->retry_state;
}

static void read_nexus_operation(
	const Failure__NexusOperationFailureInfo *info, struct temporal_failure *out)
{
	out->kind = TEMPORAL_FAILURE_NEXUS_OPERATION;
	out->endpoint = info->endpoint;
	out->service = info->service;
	out->operation = info->operation;
	out->operation_token = info->operation_token;
	out->scheduled_event_id = info->scheduled_event_id;
}

/*
 * The retry behaviour "unspecified" leaves it to the type of the error, which is the caller's to
 * know.
 */
static void read_nexus_handler(
	const Failure__NexusHandlerFailureInfo *info, struct temporal_failure *out)
{
	out->kind = TEMPORAL_FAILURE_NEXUS_HANDLER;
	out->type = info->type;
	out->non_retryable = info->retry_behavior == FAILURE_NEXUS_NON_RETRYABLE;
	if (info->retry_behavior == FAILURE_NEXUS_RETRYABLE)
		out->handler_retry = TEMPORAL_HANDLER_RETRYABLE;
	else if (out->non_retryable)
		out->handler_retry = TEMPORAL_HANDLER_NON_RETRYABLE;
}

/*
 * A failure of no known kind counts as the application's. A case without its message cannot come:
 * the decoder sets both or none.
 */
static bool read_kind(struct arena *arena, const Failure__Failure *in, struct temporal_failure *out)
{
	switch (in->failure_info_case) {
	case FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO:
		return read_application(arena, in, out);
	case FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO:
		return read_timeout(arena, in, out);
	case FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO:
		return read_cancelled(arena, in, out);
	case FAILURE__FAILURE__FAILURE_INFO_TERMINATED_FAILURE_INFO:
		out->kind = TEMPORAL_FAILURE_TERMINATED;
		out->identity = in->terminated_failure_info->identity;
		return true;
	case FAILURE__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO:
		out->kind = TEMPORAL_FAILURE_SERVER;
		out->non_retryable = in->server_failure_info->non_retryable;
		return true;
	case FAILURE__FAILURE__FAILURE_INFO_RESET_WORKFLOW_FAILURE_INFO:
		out->kind = TEMPORAL_FAILURE_RESET_WORKFLOW;
		return copy_details(arena, in->reset_workflow_failure_info->last_heartbeat_details,
			&out->details);
	case FAILURE__FAILURE__FAILURE_INFO_ACTIVITY_FAILURE_INFO:
		read_activity(in->activity_failure_info, out);
		return true;
	case FAILURE__FAILURE__FAILURE_INFO_CHILD_WORKFLOW_EXECUTION_FAILURE_INFO:
		read_child(in->child_workflow_execution_failure_info, out);
		return true;
	case FAILURE__FAILURE__FAILURE_INFO_NEXUS_OPERATION_EXECUTION_FAILURE_INFO:
		read_nexus_operation(in->nexus_operation_execution_failure_info, out);
		return true;
	case FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO:
		read_nexus_handler(in->nexus_handler_failure_info, out);
		return true;
	default:
		out->kind = TEMPORAL_FAILURE_APPLICATION;
		return true;
	}
}

/* ---- the whole ---- */

/* So that a new string is one line here, and cannot be forgotten in one of copy and decoding. */
static const size_t string_offsets[] = {
	offsetof(struct temporal_failure, message),
	offsetof(struct temporal_failure, source),
	offsetof(struct temporal_failure, stack_trace),
	offsetof(struct temporal_failure, type),
	offsetof(struct temporal_failure, activity_id),
	offsetof(struct temporal_failure, activity_type),
	offsetof(struct temporal_failure, identity),
	offsetof(struct temporal_failure, namespace_),
	offsetof(struct temporal_failure, workflow_id),
	offsetof(struct temporal_failure, run_id),
	offsetof(struct temporal_failure, workflow_type),
	offsetof(struct temporal_failure, endpoint),
	offsetof(struct temporal_failure, service),
	offsetof(struct temporal_failure, operation),
	offsetof(struct temporal_failure, operation_token),
};

/* Replaces all strings by copies in the arena, NULL by "". */
static bool own_strings(struct arena *arena, struct temporal_failure *failure)
{
	for (size_t i = 0; i < sizeof(string_offsets) / sizeof(string_offsets[0]); i++) {
		const char **text = (const char **)((char *)failure + string_offsets[i]);

		if (!copy_string(arena, *text, text))
			return false;
	}
	return true;
}

/*
 * Attributes that a failure converter has hidden in a payload: message and stack trace as members
 * of a JSON object. What is not of that form (it may be encrypted) leaves the failure as it is.
 */
static bool read_encoded(
	struct arena *arena, const Common__Payload *payload, struct temporal_failure *out)
{
	struct json_reader reader;
	struct str name, text;
	bool ok, first = true;

	if (!payload || payload_encoding(payload, &name) != PAYLOAD_JSON)
		return true;
	json_reader_init(&reader, payload->data.data, payload->data.len);
	if (json_peek(&reader) != JSON_OBJECT)
		return true;
	json_open(&reader);
	for (; json_more(&reader, '}', first, &ok); first = false) {
		if (!json_take_name(&reader, arena, &name))
			break;
		bool message = str_eq(name, STR("message"));
		bool wanted = message || str_eq(name, STR("stack_trace"));
		if (!wanted || json_peek(&reader) != JSON_STRING) {
			if (!json_skip(&reader, NULL))
				break;
		} else if (json_take_string(&reader, arena, &text)) {
			*(message ? &out->message : &out->stack_trace) = text.ptr;
		} else {
			break;
		}
	}
	return !reader.no_memory;
}

/*
 * Encoded attributes replace message and stack trace before the strings are copied, so that only
 * what is kept is.
 */
static struct temporal_failure *read_one(struct arena *arena, const Failure__Failure *in)
{
	struct temporal_failure *out = ARENA_NEW(arena, struct temporal_failure);

	if (!out)
		return NULL;
	out->message = in->message;
	out->source = in->source;
	out->stack_trace = in->stack_trace;
	if (!read_encoded(arena, in->encoded_attributes, out) || !read_kind(arena, in, out))
		return NULL;
	return own_strings(arena, out) ? out : NULL;
}

/*
 * A loop over the causes; `link` is where the next one goes. Cut silently: the head of a chain is
 * what people read.
 */
const struct temporal_failure *convert_failure_from_api(
	struct arena *arena, const Failure__Failure *failure)
{
	const struct temporal_failure *first = NULL;
	const struct temporal_failure **link = &first;

	for (int i = 0; failure && i < FAILURE_CHAIN_MAX; i++, failure = failure->cause) {
		struct temporal_failure *out = read_one(arena, failure);

		if (!out)
			return NULL;
		*link = out;
		link = &out->cause;
	}
	return first;
}

/* All of it, metadata included: the source may be a result that is about to be freed. */
static bool copy_payload(
	struct arena *arena, const struct temporal_payload *in, struct temporal_payload *out)
{
	struct temporal_metadata *list = arena_array(arena, in->n_metadata, sizeof(*list));

	*out = *in;
	out->data.data = arena_memdup(arena, in->data.data, in->data.len);
	out->metadata = list;
	if (in->encoding)
		out->encoding = arena_strdup(arena, in->encoding);
	if (!list || !out->data.data || (in->encoding && !out->encoding))
		return false;
	for (size_t i = 0; i < in->n_metadata; i++) {
		const struct temporal_metadata *from = &in->metadata[i];

		list[i].key = arena_strdup(arena, from->key ? from->key : "");
		list[i].value.len = from->value.len;
		list[i].value.data = arena_memdup(arena, from->value.data, from->value.len);
		if (!list[i].key || !list[i].value.data)
			return false;
	}
	return true;
}

/* Without its cause, which the caller appends. */
static struct temporal_failure *copy_one(struct arena *arena, const struct temporal_failure *in)
{
	struct temporal_failure *out = arena_memdup(arena, in, sizeof(*in));
	struct temporal_payload *items =
		arena_array(arena, in->details.count, sizeof(struct temporal_payload));

	if (!out || !items || !own_strings(arena, out))
		return NULL;
	for (size_t i = 0; i < in->details.count; i++) {
		if (!copy_payload(arena, &in->details.items[i], &items[i]))
			return NULL;
	}
	out->details.items = items;
	out->cause = NULL;
	return out;
}

const struct temporal_failure *convert_failure_copy(
	struct arena *arena, const struct temporal_failure *failure)
{
	const struct temporal_failure *first = NULL;
	const struct temporal_failure **link = &first;

	for (int i = 0; failure && i < FAILURE_CHAIN_MAX; i++, failure = failure->cause) {
		struct temporal_failure *out = copy_one(arena, failure);

		if (!out)
			return NULL;
		*link = out;
		link = &out->cause;
	}
	return first;
}
