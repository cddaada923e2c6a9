/*
 * encode.c: the structs of a contract to payloads.
 *
 * A scalar is written straight into its payload, which is one allocation; records and arrays go
 * through a growing text. The recursion follows the types of the contract, which the program wrote.
 *
 * Called by the workflow layer, the worker and the client for all that goes out, on a thread's own
 * stack. Errors are the caller's: a NULL string, a NaN, text that is not UTF-8.
 *
 * Each kind has one form, that of the official SDKs' default converters: JSON for scalars, strings,
 * records and arrays; binary/plain for bytes; json/protobuf for messages; binary/null for what is
 * absent. Members stand in the order of the contract, so that equal values give equal bytes.
 *
 * Nothing is repaired on the way out: the peer would see a value that the program did not mean.
 * Only failures are (failure_out.c), since these must arrive.
 */
#include "convert/convert.h"

#include <math.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/str.h"
#include "convert/context.h"
#include "convert/json_writer.h"
#include "convert/payload.h"

static bool encode_json(struct convert_context *context, struct json_writer *writer,
	const struct temporal_field *field, const void *base);

/* ---- loads: the field may be any of the types of its size ---- */

static int64_t load_int(const void *at, size_t size)
{
	int8_t one;
	int16_t two;
	int32_t four;
	int64_t eight;

	switch (size) {
	case 1:
		memcpy(&one, at, sizeof(one));
		return one;
	case 2:
		memcpy(&two, at, sizeof(two));
		return two;
	case 4:
		memcpy(&four, at, sizeof(four));
		return four;
	default:
		memcpy(&eight, at, sizeof(eight));
		return eight;
	}
}

/* The sign that load_int() has spread is cut off again. */
static uint64_t load_uint(const void *at, size_t size)
{
	return (uint64_t)load_int(at, size) & UINT64_MAX >> (64 - size * 8);
}

static const void *load_pointer(const void *at)
{
	const void *pointer;

	memcpy(&pointer, at, sizeof(pointer));
	return pointer;
}

/* ---- one value ---- */

/* JSON must be UTF-8, and the server refuses the whole request else. */
static bool check_text(struct convert_context *context, const char *text, size_t *len)
{
	*len = text ? strlen(text) : 0;
	if (!text)
		return convert_fail(context, "expected a string, got NULL");
	return str_is_utf8(text, *len) || convert_fail(context, "the string is not valid UTF-8");
}

static bool check_bytes(struct convert_context *context, const struct temporal_bytes *bytes)
{
	return bytes->data || bytes->len == 0 ||
	       convert_fail(context, "expected bytes, got NULL with a length");
}

/*
 * The text of a number or a boolean; its length, 0 for an error.
 *
 * NaN and infinities have no form in JSON. What some encoders write for them is not JSON, and fails
 * in the peer, far from the cause.
 */
static size_t write_scalar(struct convert_context *context, const struct temporal_field *field,
	const void *at, char text[static NUMBER_TEXT_MAX])
{
	double value;
	float single;
	bool yes;

	switch (field->kind) {
	case TEMPORAL_KIND_BOOL:
		memcpy(&yes, at, sizeof(yes));
		memcpy(text, yes ? "true" : "false", 5);
		return yes ? 4 : 5;
	case TEMPORAL_KIND_INT:
		return (size_t)(str_put_int(text, load_int(at, field->size)) - text);
	case TEMPORAL_KIND_UINT:
		return (size_t)(str_put_uint(text, load_uint(at, field->size)) - text);
	default:
		break;
	}
	if (field->size == sizeof(double)) {
		memcpy(&value, at, sizeof(value));
	} else {
		memcpy(&single, at, sizeof(single));
		value = (double)single;
	}
	if (!isfinite(value)) {
		convert_fail(context, "expected a finite number, got %s",
			isnan(value) ? "NaN" : "an infinity");
		return 0;
	}
	return field->size == sizeof(double) ? number_write_double(text, value)
					     : number_write_float(text, (float)value);
}

static bool is_scalar(enum temporal_kind kind)
{
	return kind == TEMPORAL_KIND_BOOL || kind == TEMPORAL_KIND_INT ||
	       kind == TEMPORAL_KIND_UINT || kind == TEMPORAL_KIND_FLOAT;
}

/* A payload that goes into JSON must be JSON itself; its text is checked. */
static bool encode_raw(struct convert_context *context, struct json_writer *writer,
	const struct temporal_payload *payload)
{
	struct json_reader reader;

	if (str_same(payload->encoding, "binary/null")) {
		JSON_PUT(writer, "null");
		return true;
	}
	if (payload->encoding && !str_same(payload->encoding, "json/plain"))
		return convert_fail(
			context, "expected a payload json/plain, got one %.60s", payload->encoding);
	json_reader_init(&reader, payload->data.data, payload->data.len);
	if (!json_skip(&reader, NULL) || !json_end(&reader))
		return convert_fail(context, "the payload is not valid JSON at byte %zu: %s",
			(size_t)(reader.next - reader.start), reader.problem);
	json_put(writer, payload->data.data, payload->data.len);
	return true;
}

/* Made as a text of its own, then copied: the layer below writes to the arena. */
static bool encode_message(struct convert_context *context, struct json_writer *writer,
	const struct temporal_field *field, const void *message)
{
	struct str text;

	if (!convert_encode_message(context, field, message, &text))
		return false;
	json_put(writer, text.ptr, text.len);
	return true;
}

/* See decode_member() for the step. */
static bool encode_member(struct convert_context *context, struct json_writer *writer,
	const struct temporal_field *field, const void *base)
{
	struct convert_step step = { .up = context->at, .name = field->name };
	struct convert_context inner = *context;

	inner.at = &step;
	json_put_string(writer, field->name, strlen(field->name));
	JSON_PUT(writer, ":");
	if (encode_json(&inner, writer, field, base))
		return true;
	context->failed = inner.failed;
	return false;
}

/* The depth ends a chain of optional records that leads back to itself. */
static bool encode_record(struct convert_context *context, struct json_writer *writer,
	const struct temporal_type *type, const void *at)
{
	if (context->depth == JSON_DEPTH_MAX)
		return convert_fail(context, "the record's type is nested too deep");
	context->depth++;
	JSON_PUT(writer, "{");
	for (size_t i = 0; i < type->n_fields; i++) {
		if (i > 0)
			JSON_PUT(writer, ",");
		if (!encode_member(context, writer, &type->fields[i], at))
			return false;
	}
	JSON_PUT(writer, "}");
	context->depth--;
	return true;
}

/* One value, whatever the field's shape. */
static bool encode_value(struct convert_context *context, struct json_writer *writer,
	const struct temporal_field *field, const void *at)
{
	char text[NUMBER_TEXT_MAX];
	const struct temporal_bytes *bytes = at;
	size_t len = 0;

	if (is_scalar(field->kind)) {
		len = write_scalar(context, field, at, text);
		json_put(writer, text, len);
		return len > 0;
	}
	switch (field->kind) {
	case TEMPORAL_KIND_STRING:
		if (!check_text(context, load_pointer(at), &len))
			return false;
		json_put_string(writer, load_pointer(at), len);
		return true;
	case TEMPORAL_KIND_BYTES:
		if (!check_bytes(context, bytes))
			return false;
		JSON_PUT(writer, "\"");
		char *room = json_put_room(writer, BASE64_SIZE(bytes->len));
		if (room)
			(void)base64_encode(room, bytes->data, bytes->len, BASE64_PADDED);
		JSON_PUT(writer, "\"");
		return true;
	case TEMPORAL_KIND_PAYLOAD:
		return encode_raw(context, writer, at);
	case TEMPORAL_KIND_RECORD:
		return encode_record(context, writer, field->type, at);
	case TEMPORAL_KIND_MESSAGE:
		return encode_message(context, writer, field, load_pointer(at));
	default:
		return convert_fail(context, "the contract has a field of an unknown kind");
	}
}

/* NULL without a count is an array without elements. */
static bool encode_array(struct convert_context *context, struct json_writer *writer,
	const struct temporal_field *field, const char *base)
{
	struct convert_step step = { .up = context->at };
	struct convert_context inner = *context;
	const char *items = load_pointer(base + field->offset);
	size_t count;

	memcpy(&count, base + field->count_offset, sizeof(count));
	if (!items && count > 0)
		return convert_fail(context, "expected an array, got NULL with a count");
	inner.at = &step;
	JSON_PUT(writer, "[");
	for (; step.index < count; step.index++) {
		if (step.index > 0)
			JSON_PUT(writer, ",");
		if (!encode_value(
			    &inner, writer, field, items + step.index * convert_stride(field))) {
			context->failed = inner.failed;
			return false;
		}
	}
	JSON_PUT(writer, "]");
	return true;
}

/*
 * Where the field's value is; NULL for an optional one that is absent. A string or message that is
 * NULL counts as absent, since its pointer is the field itself.
 */
static const void *field_value(const struct temporal_field *field, const void *base)
{
	const void *at = (const char *)base + field->offset;

	if (field->shape != TEMPORAL_SHAPE_OPTIONAL)
		return at;
	const void *pointer = load_pointer(at);
	return pointer && convert_is_pointer(field->kind) ? at : pointer;
}

/* The field of the struct at `base` as JSON; what is absent is null. */
static bool encode_json(struct convert_context *context, struct json_writer *writer,
	const struct temporal_field *field, const void *base)
{
	if (field->shape == TEMPORAL_SHAPE_ARRAY)
		return encode_array(context, writer, field, base);
	const void *at = field_value(field, base);
	if (at)
		return encode_value(context, writer, field, at);
	JSON_PUT(writer, "null");
	return true;
}

/* ---- payloads ---- */

/* With the data, or room for it if `data` is NULL. */
static Common__Payload *payload_or_fail(struct convert_context *context,
	enum payload_encoding encoding, const void *data, size_t len)
{
	Common__Payload *payload = payload_new(context->arena, encoding, len);

	if (!payload)
		convert_fail_memory(context);
	else if (len > 0 && data)
		memcpy(payload->data.data, data, len);
	return payload;
}

static Common__Payload *payload_of_scalar(
	struct convert_context *context, const struct temporal_field *field, const void *at)
{
	char text[NUMBER_TEXT_MAX];
	size_t len = write_scalar(context, field, at, text);

	return len ? payload_or_fail(context, PAYLOAD_JSON, text, len) : NULL;
}

/*
 * Measured first, then written straight into the payload: most arguments are strings, and this is
 * one allocation for each.
 */
static Common__Payload *payload_of_string(struct convert_context *context, const char *text)
{
	size_t len = 0;

	if (!check_text(context, text, &len))
		return NULL;
	size_t size = json_string_size(text, len);
	Common__Payload *payload = payload_or_fail(context, PAYLOAD_JSON, NULL, size);
	if (payload)
		json_write_string((char *)payload->data.data, size, text, len);
	return payload;
}

/* With the name of its type, by which peers find the class. */
static Common__Payload *payload_of_message(
	struct convert_context *context, const struct temporal_field *field, const void *message)
{
	const ProtobufCMessageDescriptor *descriptor = field->message;
	struct str text;

	if (!convert_encode_message(context, field, message, &text))
		return NULL;
	Common__Payload *payload =
		payload_or_fail(context, PAYLOAD_JSON_PROTOBUF, text.ptr, text.len);
	if (payload && !payload_add_metadata(context->arena, payload, "messageType",
			       str_from(descriptor->name))) {
		convert_fail_memory(context);
		return NULL;
	}
	return payload;
}

/* The only way that needs a text of unknown length. */
static Common__Payload *payload_of_json(
	struct convert_context *context, const struct temporal_field *field, const void *base)
{
	Common__Payload *payload = NULL;
	struct json_writer writer;

	json_writer_init(&writer);
	bool ok = encode_json(context, &writer, field, base);
	if (writer.failed)
		convert_fail_memory(context);
	else if (ok)
		payload = payload_or_fail(context, PAYLOAD_JSON, writer.data, writer.len);
	json_writer_finish(&writer);
	return payload;
}

/* An empty struct is most likely one that was forgotten; a payload without data has an encoding. */
static Common__Payload *payload_as_it_is(
	struct convert_context *context, const struct temporal_payload *in)
{
	if (!in->encoding && in->data.len == 0) {
		convert_fail(context, "expected a payload, got an empty struct");
		return NULL;
	}
	Common__Payload *payload = convert_payload_to_api(context->arena, in);
	if (!payload)
		convert_fail_memory(context);
	return payload;
}

/* The payload of the field of the struct at `base`; NULL after an error. */
static Common__Payload *encode_payload(
	struct convert_context *context, const struct temporal_field *field, const void *base)
{
	if (field->shape == TEMPORAL_SHAPE_ARRAY)
		return payload_of_json(context, field, base);
	const void *at = field_value(field, base);
	if (!at)
		return payload_or_fail(context, PAYLOAD_NULL, NULL, 0);
	const struct temporal_bytes *bytes = at;
	switch (field->kind) {
	case TEMPORAL_KIND_STRING:
		return payload_of_string(context, load_pointer(at));
	case TEMPORAL_KIND_BYTES:
		if (!check_bytes(context, bytes))
			return NULL;
		return payload_or_fail(context, PAYLOAD_BINARY, bytes->data, bytes->len);
	case TEMPORAL_KIND_PAYLOAD:
		return payload_as_it_is(context, at);
	case TEMPORAL_KIND_MESSAGE:
		return payload_of_message(context, field, load_pointer(at));
	default:
		return is_scalar(field->kind) ? payload_of_scalar(context, field, at)
					      : payload_of_json(context, field, base);
	}
}

/* On an error nothing is written to the results; what was allocated goes with the arena. */
enum temporal_code convert_encode_arguments(struct arena *arena,
	const struct temporal_contract *contract, const void *in, Common__Payload ***payloads,
	size_t *n_payloads, struct temporal_error *err)
{
	size_t count = contract->in.n_fields;
	struct convert_context context = {
		.arena = arena, .err = err, .code = TEMPORAL_INVALID_ARGUMENT
	};
	Common__Payload **list = arena_array(arena, count, sizeof(*list));

	if (!list)
		return error_no_memory(err, "arguments");
	for (size_t i = 0; i < count; i++) {
		const struct temporal_field *field = &contract->in.fields[i];
		struct convert_step step = { .name = field->name, .index = i };

		context.at = &step;
		list[i] = encode_payload(&context, field, in);
		if (!list[i])
			return context.failed;
	}
	*payloads = list;
	*n_payloads = count;
	return TEMPORAL_OK;
}

enum temporal_code convert_encode_result(struct arena *arena,
	const struct temporal_contract *contract, const void *out, Common__Payload **payload,
	struct temporal_error *err)
{
	struct convert_context context = {
		.arena = arena, .err = err, .code = TEMPORAL_INVALID_ARGUMENT
	};

	*payload = NULL;
	if (contract->out.kind == TEMPORAL_KIND_VOID)
		return TEMPORAL_OK;
	*payload = encode_payload(&context, &contract->out, out);
	return context.failed;
}
