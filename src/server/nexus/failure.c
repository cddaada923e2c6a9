/*
 * failure.c: failures of the Nexus API as those of Temporal.
 *
 * What a failure is, its metadata say: one of Temporal that was wrapped, an operation's or a
 * handler's error; anything else becomes an application failure of type NexusFailure whose details
 * are the rest of it as JSON (text.c). Chains of causes are walked from the innermost outwards,
 * without recursion: they come from the network. The JSON of a cause is copied into that of what it
 * causes, at each step outwards; it is made only where it is needed, and only so much of it.
 *
 * Pure.
 */
#include "base/base64.h"
#include "google/protobuf/struct.pb-c.h"
#include "proto/json.h"
#include "proto/json_text.h"
#include "proto/payload.h"
#include "server/nexus/text.h"

#define CAUSES_MAX 128
#define COPIED_MAX (4U * 1024 * 1024) /* bytes of JSON, of all steps together */

static const char *metadata(const Nexus__Failure *failure, const char *key)
{
	for (size_t i = 0; i < failure->n_metadata; i++) {
		if (str_same(failure->metadata[i]->key, key))
			return failure->metadata[i]->value;
	}
	return "";
}

/* A JSON text as a value; NULL: it is none. */
static const Google__Value *json_of(struct arena *arena, ProtobufCBinaryData data)
{
	return proto_from_json(arena, &google__value__descriptor,
		(struct str){ (const char *)data.data, data.len }, true, NULL);
}

/* A member of a JSON object, or NULL. */
static const Google__Value *member(const Google__Value *json, const char *name)
{
	if (!json || json->kind_case != GOOGLE__VALUE__KIND_STRUCT_VALUE)
		return NULL;
	for (size_t i = 0; i < json->struct_value->n_fields; i++) {
		if (str_same(json->struct_value->fields[i]->key, name))
			return json->struct_value->fields[i]->value;
	}
	return NULL;
}

static const char *text_of(const Google__Value *json)
{
	return json && json->kind_case == GOOGLE__VALUE__KIND_STRING_VALUE ? json->string_value
									   : "";
}

bool nexus_details_valid(struct arena *arena, const Nexus__Failure *failure)
{
	return !failure || failure->details.len == 0 || json_of(arena, failure->details);
}

static void as_operation_error(struct arena *arena, const Nexus__Failure *in, Failure__Failure *out)
{
	const Google__Value *json = json_of(arena, in->details);

	if (str_same(text_of(member(json, "state")), "canceled")) {
		out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
		out->canceled_failure_info = PROTO_NEW(
			arena, Failure__CanceledFailureInfo, failure__canceled_failure_info);
		return;
	}
	Failure__ApplicationFailureInfo *info = PROTO_NEW(
		arena, Failure__ApplicationFailureInfo, failure__application_failure_info);
	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	out->application_failure_info = info;
	if (!info)
		return;
	info->type = "OperationError";
	info->non_retryable = true;
}

/* What the handler's codec has hidden: a payload as JSON, in base64. NULL: it is none. */
static Common__Payload *attributes_of(struct arena *arena, const char *text)
{
	size_t len = strlen(text);
	uint8_t *json = arena_alloc(arena, BASE64_ROOM(len));

	if (!*text || !json || !base64_decode_loose(text, len, json, &len))
		return NULL;
	return proto_from_json(arena, &common__payload__descriptor,
		(struct str){ (const char *)json, len }, true, NULL);
}

static void as_handler_error(struct arena *arena, const Nexus__Failure *in, Failure__Failure *out)
{
	const Google__Value *json = json_of(arena, in->details);
	const Google__Value *override = member(json, "retryableOverride");
	Failure__NexusHandlerFailureInfo *info = PROTO_NEW(
		arena, Failure__NexusHandlerFailureInfo, failure__nexus_handler_failure_info);

	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO;
	out->nexus_handler_failure_info = info;
	if (!info)
		return;
	info->type = text_of(member(json, "type"));
	out->encoded_attributes = attributes_of(arena, text_of(member(json, "encodedAttributes")));
	if (override && override->kind_case == GOOGLE__VALUE__KIND_BOOL_VALUE)
		info->retry_behavior = override->bool_value ? NEXUS_BEHAVIOR(RETRYABLE)
							    : NEXUS_BEHAVIOR(NON_RETRYABLE);
}

static void as_application(struct arena *arena, struct str details, Failure__Failure *out)
{
	Failure__ApplicationFailureInfo *info = PROTO_NEW(
		arena, Failure__ApplicationFailureInfo, failure__application_failure_info);

	out->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	out->application_failure_info = info;
	if (!info)
		return;
	info->type = "NexusFailure";
	info->details = proto_payloads_new(arena, 1);
	if (info->details)
		info->details->payloads[0] =
			proto_payload_new(arena, PROTO_ENCODING_JSON, details.ptr, details.len);
}

/* One failure without its causes; `rest` is what follows it, as JSON, for as_application. */
static Failure__Failure *convert(struct arena *arena, const Nexus__Failure *in, struct str cause)
{
	const char *type = metadata(in, "type");
	Failure__Failure *out = PROTO_NEW(arena, Failure__Failure, failure__failure);

	if (out && str_same(type, "temporal.api.failure.v1.Failure")) {
		Failure__Failure *wrapped = proto_from_json(arena, &failure__failure__descriptor,
			(struct str){ (const char *)in->details.data, in->details.len }, true,
			NULL);

		out = wrapped ? wrapped : out;
	} else if (out && str_same(type, "nexus.OperationError")) {
		as_operation_error(arena, in, out);
	} else if (out && str_same(type, "nexus.HandlerError")) {
		as_handler_error(arena, in, out);
	} else if (out && (in->n_metadata || in->details.len)) {
		struct nexus_text text = { .arena = arena };

		nexus_text_failure(&text, in, cause, false);
		as_application(arena, nexus_text_str(&text), out);
	}
	if (out) {
		out->message = in->message;
		out->stack_trace = in->stack_trace;
	}
	return out;
}

/* The outermost failure of a chain whose JSON is part of what becomes of it; `n`: there is none. */
static size_t first_with_json(const Nexus__Failure *const *chain, size_t n)
{
	static const char *const others[] = { "temporal.api.failure.v1.Failure",
		"nexus.OperationError", "nexus.HandlerError" };

	for (size_t i = 0; i < n; i++) {
		const char *type = metadata(chain[i], "type");
		bool other = !chain[i]->n_metadata && !chain[i]->details.len;

		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
			other |= str_same(type, others[j]);
		if (!other)
			return i;
	}
	return n;
}

Failure__Failure *nexus_failure_to_temporal(struct arena *arena, const Nexus__Failure *failure)
{
	const Nexus__Failure *chain[CAUSES_MAX];
	Failure__Failure *cause = NULL;
	struct str cause_json = { 0 };
	size_t n = 0, copied = 0;

	for (; failure && n < CAUSES_MAX; failure = failure->cause)
		chain[n++] = failure;
	size_t first = first_with_json(chain, n);
	while (n-- > 0) {
		struct nexus_text text = { .arena = arena };

		copied += cause_json.len;
		if (copied > COPIED_MAX) /* nobody could keep it */
			cause_json = (struct str){ 0 };
		Failure__Failure *out = convert(arena, chain[n], cause_json);

		if (!out)
			return NULL;
		if (cause)
			out->cause = cause;
		cause = out;
		if (n <= first)
			continue;
		nexus_text_failure(&text, chain[n], cause_json, true);
		cause_json = nexus_text_str(&text);
	}
	return cause;
}
