/*
 * http_content.c: what goes over HTTP: payloads as bodies whose type says how they are encoded,
 * failures as JSON, links as headers.
 *
 * Pure.
 */
#include "base/base64.h"
#include "google/protobuf/struct.pb-c.h"
#include "proto/json.h"
#include "proto/json_text.h"
#include "proto/payload.h"
#include "server/nexus/http.h"

#define TYPE_JSON      "application/json"
#define TYPE_PROTOJSON TYPE_JSON "; format=protobuf;"
#define TYPE_PROTOBUF  "application/x-protobuf;"
#define TYPE_BINARY    "application/octet-stream"
#define TYPE_PAYLOAD   "application/x-temporal-payload"
#define TYPE_FAILURE   "temporal.api.failure.v1.Failure"
#define CONTENT        "content-"
#define CAUSES_MAX     128

const char *nexus_http_get(const struct nexus_header *headers, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_same(headers[i].name, name))
			return headers[i].value;
	}
	return "";
}

/* ---- Payloads ---- */

/* Headers that say what the content is, but for its length and the transport's encoding. */
static bool says_what(const struct nexus_header *header)
{
	return strncmp(header->name, CONTENT, strlen(CONTENT)) == 0 &&
	       !str_same(header->name, "content-length") &&
	       !str_same(header->name, "content-encoding");
}

/* Content that is no payload of ours is kept with its headers. */
static Common__Payload *unknown(
	struct arena *arena, const struct nexus_header *headers, size_t n_headers, struct str body)
{
	Common__Payload *payload =
		proto_payload_new(arena, "unknown/nexus-content", body.ptr, body.len);

	for (size_t i = 0; i < n_headers && payload; i++) {
		if (says_what(&headers[i]) &&
			!proto_payload_set(arena, payload, headers[i].name + strlen(CONTENT),
				str_from(headers[i].value)))
			return NULL;
	}
	return payload;
}

/* The value of a parameter message-type="..." of a content type, or NULL. */
static const char *message_type(struct arena *arena, const char *type)
{
	const char *at = strstr(type, "message-type=");
	size_t len;

	if (!at)
		return NULL;
	at += strlen("message-type=");
	at += *at == '"';
	len = strcspn(at, "\"; ");
	return len ? arena_str(arena, (struct str){ at, len }) : NULL;
}

static Common__Payload *protobuf(
	struct arena *arena, const char *encoding, const char *type, struct str body)
{
	const char *name = message_type(arena, type);
	Common__Payload *payload =
		name ? proto_payload_new(arena, encoding, body.ptr, body.len) : NULL;

	if (payload && !proto_payload_set(arena, payload, PROTO_MESSAGE_TYPE_KEY, str_from(name)))
		return NULL;
	return payload;
}

Common__Payload *nexus_content_read(
	struct arena *arena, const struct nexus_header *headers, size_t n_headers, struct str body)
{
	const char *type = nexus_http_get(headers, n_headers, "content-type");
	Common__Payload *payload = NULL;
	size_t n = 0;

	for (size_t i = 0; i < n_headers; i++)
		n += says_what(&headers[i]);
	if (n == 0 && body.len == 0)
		return proto_payload_new(arena, PROTO_ENCODING_NULL, NULL, 0);
	if (n == 1 && str_same(type, TYPE_PAYLOAD))
		return proto_decode(
			arena, &common__payload__descriptor, body.ptr, body.len, NULL, NULL);
	if (n == 1 && str_same(type, TYPE_JSON))
		return proto_payload_new(arena, PROTO_ENCODING_JSON, body.ptr, body.len);
	if (n == 1 && str_same(type, TYPE_BINARY))
		return proto_payload_new(arena, PROTO_ENCODING_BINARY, body.ptr, body.len);
	if (n == 1 && strncmp(type, TYPE_PROTOJSON, strlen(TYPE_PROTOJSON)) == 0)
		payload = protobuf(arena, PROTO_ENCODING_PROTOJSON, type, body);
	else if (n == 1 && strncmp(type, TYPE_PROTOBUF, strlen(TYPE_PROTOBUF)) == 0)
		payload = protobuf(arena, PROTO_ENCODING_PROTOBUF, type, body);
	return payload ? payload : unknown(arena, headers, n_headers, body);
}

static const char *plain_type(struct arena *arena, const Common__Payload *payload)
{
	struct str name = proto_payload_get(payload, PROTO_MESSAGE_TYPE_KEY);
	size_t n = payload->n_metadata;

	if (n == 1 && proto_payload_is(payload, PROTO_ENCODING_JSON))
		return TYPE_JSON;
	if (n == 1 && proto_payload_is(payload, PROTO_ENCODING_BINARY))
		return TYPE_BINARY;
	if (n == 1 && proto_payload_is(payload, PROTO_ENCODING_NULL))
		return "";
	if (n == 2 && name.len && proto_payload_is(payload, PROTO_ENCODING_PROTOJSON))
		return arena_printf(arena, TYPE_JSON "; format=protobuf; message-type=\"%.*s\"",
			(int)name.len, name.ptr);
	if (n == 2 && name.len && proto_payload_is(payload, PROTO_ENCODING_PROTOBUF))
		return arena_printf(arena, "application/x-protobuf; message-type=\"%.*s\"",
			(int)name.len, name.ptr);
	return NULL;
}

bool nexus_content_write(
	struct arena *arena, const Common__Payload *payload, struct str *body, const char **type)
{
	struct bytes encoded = { 0 };

	*body = (struct str){ "", 0 };
	*type = "";
	if (!payload)
		return true;
	*type = plain_type(arena, payload);
	if (*type) {
		*body = proto_payload_data(payload);
		return true;
	}
	/* It says more than a type can. */
	*type = TYPE_PAYLOAD;
	if (proto_encode(arena, payload, 0, &encoded, NULL) != TEMPORAL_OK)
		return false;
	*body = (struct str){ (const char *)encoded.ptr, encoded.len };
	return true;
}

/* ---- Reading failures ---- */

/* The end of the JSON string, object, array or word that begins at `at`; valid JSON. */
static size_t value_end(struct str json, size_t at)
{
	unsigned depth = 0;
	bool in_string = false;

	for (; at < json.len; at++) {
		char c = json.ptr[at];

		if (in_string && c == '\\')
			at++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && depth == 0 && (c == ',' || c == '}' || c == ']'))
			return at;
		else if (!in_string && (c == '}' || c == ']'))
			depth--;
	}
	return at;
}

static size_t skip(struct str json, size_t at)
{
	while (at < json.len && strchr(" \t\r\n,:", json.ptr[at]))
		at++;
	return at;
}

/* A member of an object as it stands there; empty if it has none. Valid JSON. */
static struct str member_of(struct str json, const char *name)
{
	size_t at = skip(json, 0) + 1, len = strlen(name);

	while ((at = skip(json, at)) < json.len && json.ptr[at] == '"') {
		size_t key = at + 1, end = key;

		while (end < json.len && json.ptr[end] != '"')
			end += json.ptr[end] == '\\' ? 2 : 1;
		size_t value = skip(json, end + 1), stop = value_end(json, value);
		if (end - key == len && memcmp(json.ptr + key, name, len) == 0)
			return (struct str){ json.ptr + value, stop - value };
		at = stop;
	}
	return (struct str){ 0 };
}

static const char *text_of(struct arena *arena, struct str json)
{
	const Google__Value *value =
		json.len ? proto_from_json(arena, &google__value__descriptor, json, true, NULL)
			 : NULL;

	return value && value->kind_case == GOOGLE__VALUE__KIND_STRING_VALUE ? value->string_value
									     : "";
}

static bool read_metadata(struct arena *arena, struct str json, Nexus__Failure *out)
{
	const Google__Struct *object =
		json.len ? proto_from_json(arena, &google__struct__descriptor, json, true, NULL)
			 : NULL;
	size_t n = object ? object->n_fields : 0;

	out->metadata = arena_array(arena, n, sizeof(*out->metadata));
	for (size_t i = 0; i < n && out->metadata; i++) {
		Nexus__Failure__MetadataEntry *entry = PROTO_NEW(
			arena, Nexus__Failure__MetadataEntry, nexus__failure__metadata_entry);
		const Google__Value *value = object->fields[i]->value;

		if (!entry)
			return false;
		entry->key = object->fields[i]->key;
		if (value->kind_case == GOOGLE__VALUE__KIND_STRING_VALUE)
			entry->value = value->string_value;
		out->metadata[out->n_metadata++] = entry;
	}
	return out->metadata;
}

static Nexus__Failure *read_one(struct arena *arena, struct str json)
{
	Nexus__Failure *out = PROTO_NEW(arena, Nexus__Failure, nexus__failure);
	struct str details = member_of(json, "details");

	if (!out || !read_metadata(arena, member_of(json, "metadata"), out))
		return NULL;
	out->message = text_of(arena, member_of(json, "message"));
	out->stack_trace = text_of(arena, member_of(json, "stackTrace"));
	out->details = (ProtobufCBinaryData){ details.len, (uint8_t *)(uintptr_t)details.ptr };
	return out;
}

Nexus__Failure *nexus_failure_read(struct arena *arena, struct str json)
{
	Nexus__Failure *first = NULL, **at = &first;

	if (!proto_from_json(arena, &google__struct__descriptor, json, true, NULL))
		return NULL;
	for (unsigned n = 0; n < CAUSES_MAX && json.len && *json.ptr == '{'; n++) {
		*at = read_one(arena, json);
		if (!*at)
			return NULL;
		at = &(*at)->cause;
		json = member_of(json, "cause");
	}
	return first;
}

const Nexus__Failure *nexus_failure_unwrap(const Nexus__Failure *failure)
{
	for (size_t i = 0; i < failure->n_metadata; i++) {
		if (failure->cause && str_same(failure->metadata[i]->key, "unwrap-error") &&
			str_same(failure->metadata[i]->value, "true"))
			return failure->cause;
	}
	return failure;
}

/* ---- Writing failures ---- */

static const char *retry_text(const Failure__NexusHandlerFailureInfo *info)
{
	if (info->retry_behavior == NEXUS_BEHAVIOR(RETRYABLE))
		return ",\"retryableOverride\":true";
	if (info->retry_behavior == NEXUS_BEHAVIOR(NON_RETRYABLE))
		return ",\"retryableOverride\":false";
	return "";
}

/* A failure of the Nexus API that was kept as an application failure is itself again. */
static struct str kept(const Failure__Failure *failure)
{
	const Failure__ApplicationFailureInfo *info = failure->application_failure_info;

	if (failure->failure_info_case != FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO ||
		!str_same(info->type, "NexusFailure") || !info->details ||
		info->details->n_payloads != 1)
		return (struct str){ 0 };
	return proto_payload_data(info->details->payloads[0]);
}

static void put_name(struct nexus_text *text, const char *name)
{
	nexus_text_puts(text, text->len > 1 ? "," : "");
	nexus_text_quote(text, name);
	nexus_text_puts(text, ":");
}

static void put_text(struct nexus_text *text, const char *name, const char *value)
{
	if (str_empty(value))
		return;
	put_name(text, name);
	nexus_text_quote(text, value);
}

/* The payload as JSON, in the alphabet of URLs and without padding. */
static void put_attributes(struct nexus_text *text, const Common__Payload *attributes)
{
	struct nexus_text compact = { .arena = text->arena };
	struct str json = { 0 };

	if (!attributes)
		return;
	if (proto_to_json(text->arena, attributes, 0, &json, NULL) != TEMPORAL_OK) {
		text->out_of_memory = true;
		return;
	}
	nexus_text_compact(&compact, json);
	json = nexus_text_str(&compact);
	char *out = arena_alloc(text->arena, BASE64_BARE_SIZE(json.len));
	if (!out || compact.out_of_memory) {
		text->out_of_memory = true;
		return;
	}
	size_t len = base64_encode(out, json.ptr, json.len, BASE64_URL);

	nexus_text_puts(text, ",\"encodedAttributes\":\"");
	nexus_text_put(text, out, len);
	nexus_text_puts(text, "\"");
}

static void put_details(struct nexus_text *text, const Failure__Failure *failure)
{
	Failure__Failure rest = *failure;
	struct str json = { 0 };

	if (failure->failure_info_case ==
		FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO) {
		const Failure__NexusHandlerFailureInfo *info = failure->nexus_handler_failure_info;

		put_name(text, "metadata");
		nexus_text_puts(text, "{\"type\":\"nexus.HandlerError\"},\"details\":{\"type\":");
		nexus_text_quote(text, info->type);
		nexus_text_puts(text, retry_text(info));
		put_attributes(text, failure->encoded_attributes);
		nexus_text_puts(text, "}");
		return;
	}
	struct str object = kept(failure);
	if (object.len > 2) {
		nexus_text_puts(text, text->len > 1 ? "," : "");
		nexus_text_put(text, object.ptr + 1, object.len - 2);
		return;
	}
	if (failure->failure_info_case == FAILURE__FAILURE__FAILURE_INFO__NOT_SET)
		return;
	rest.message = rest.stack_trace = "";
	rest.cause = NULL;
	if (proto_to_json(text->arena, &rest, 0, &json, NULL) != TEMPORAL_OK)
		text->out_of_memory = true;
	put_name(text, "metadata");
	nexus_text_puts(text, "{\"type\":\"" TYPE_FAILURE "\"},\"details\":");
	nexus_text_compact(text, json);
}

struct str nexus_failure_write(struct arena *arena, const Failure__Failure *failure)
{
	const Failure__Failure *chain[CAUSES_MAX];
	struct str cause = { 0 };
	size_t n = 0;

	for (; failure && n < CAUSES_MAX; failure = failure->cause)
		chain[n++] = failure;
	while (n-- > 0) {
		struct nexus_text text = { .arena = arena };

		nexus_text_puts(&text, "{");
		put_text(&text, "message", chain[n]->message);
		put_text(&text, "stackTrace", chain[n]->stack_trace);
		put_details(&text, chain[n]);
		if (cause.len) {
			put_name(&text, "cause");
			nexus_text_put(&text, cause.ptr, cause.len);
		}
		nexus_text_puts(&text, "}");
		cause = nexus_text_str(&text);
	}
	return cause;
}

/* ---- Links ---- */

/* <URL>; type="TYPE" */
static Nexus__Link *read_link(struct arena *arena, const char *text)
{
	Nexus__Link *link = PROTO_NEW(arena, Nexus__Link, nexus__link);
	size_t len = *text == '<' ? strcspn(text, ">") : 0;
	const char *type = len && text[len] ? strstr(text + len, "type=\"") : NULL;

	if (!link || !type)
		return NULL;
	type += strlen("type=\"");
	link->url = arena_str(arena, (struct str){ text + 1, len - 1 });
	link->type = arena_str(arena, (struct str){ type, strcspn(type, "\"") });
	return link->url && link->type ? link : NULL;
}

Nexus__Link **nexus_http_links(
	struct arena *arena, const struct nexus_header *headers, size_t n_headers, size_t *n)
{
	Nexus__Link **links = arena_array(arena, n_headers, sizeof(*links));

	*n = 0;
	for (size_t i = 0; i < n_headers && links; i++) {
		if (!str_same(headers[i].name, "nexus-link"))
			continue;
		links[*n] = read_link(arena, headers[i].value);
		*n += links[*n] != NULL;
	}
	return links;
}
