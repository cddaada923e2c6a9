/*
 * decode.c: payloads to the structs of a contract.
 *
 * A contract is a table of fields; each is read by its kind straight from the JSON text to its
 * place. The recursion follows the types of the contract, which the program wrote, not the data:
 * what the contract does not name is skipped without recursion. All that a value points to is
 * copied to the arena, which is the run's, the task's or the request's.
 *
 * Called by the workflow layer, the worker and the client for all that comes in, on a thread's own
 * stack. A scalar argument costs some tens of nanoseconds.
 *
 * What is accepted, by the field and the payload's encoding:
 *
 *	                 json/plain   binary/plain   json/, binary/protobuf   binary/null
 *	scalar, string   yes          -              -                        if it may be absent
 *	bytes            base64       yes            -                        if it may be absent
 *	record, array    yes          -              -                        if it may be absent
 *	message          -            -              yes                      if it may be absent
 *	payload          yes          yes            yes                      yes: as it is
 *
 * Everything else is an error that names the argument, what was expected and what came. Decoding is
 * strict where a wrong value would be taken for a right one (ranges, NULs in strings, missing
 * members), and lenient where peers differ without harm (members that the contract does not know,
 * numbers like 3.0 for an integer, null for an empty array).
 *
 * Input comes from the network: every length is checked against the input before memory is asked
 * for, and the arena has a budget.
 */
#include "convert/convert.h"

#include <math.h>

#include "base/base64.h"
#include "base/error.h"
#include "convert/context.h"
#include "convert/payload.h"
#include "proto/payload.h"

#define FIELDS_MAX 64 /* members of a record; the bits of `seen` */

static bool decode_json(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field, void *base);

/* An error of syntax at the place where the reader stopped. */
static bool fail_syntax(struct convert_context *context, const struct json_reader *reader)
{
	if (reader->no_memory)
		return convert_fail_memory(context);
	return convert_fail(context, "not valid JSON at byte %zu: %s",
		(size_t)(reader->next - reader->start), reader->problem);
}

/* A value of another kind. JSON_NONE is no kind: the text itself is broken there. */
static bool fail_kind(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field)
{
	struct convert_expected expected;
	enum json_kind kind = json_peek(reader);

	if (kind == JSON_NONE) {
		reader->problem = "no value";
		return fail_syntax(context, reader);
	}
	return convert_fail(context, "expected %s, got %s", convert_expected(field, &expected),
		convert_json_kind(kind));
}

/* ---- one value of a simple kind ---- */

/*
 * A number's bytes, by memcpy: the field may be any of the types of its size (int64_t is long, and
 * long long is another).
 */
static bool store_int(void *at, size_t size, int64_t value)
{
	int64_t most = INT64_MAX >> (64 - size * 8);

	if (value > most || value < -most - 1)
		return false;
	switch (size) {
	case 1:
		memcpy(at, &(int8_t){ (int8_t)value }, size);
		break;
	case 2:
		memcpy(at, &(int16_t){ (int16_t)value }, size);
		break;
	case 4:
		memcpy(at, &(int32_t){ (int32_t)value }, size);
		break;
	default:
		memcpy(at, &value, sizeof(value));
	}
	return true;
}

/* As store_int(). */
static bool store_uint(void *at, size_t size, uint64_t value)
{
	if (value > UINT64_MAX >> (64 - size * 8))
		return false;
	switch (size) {
	case 1:
		memcpy(at, &(uint8_t){ (uint8_t)value }, size);
		break;
	case 2:
		memcpy(at, &(uint16_t){ (uint16_t)value }, size);
		break;
	case 4:
		memcpy(at, &(uint32_t){ (uint32_t)value }, size);
		break;
	default:
		memcpy(at, &value, sizeof(value));
	}
	return true;
}

/*
 * A double that is too large for a float is an error; one that is too small becomes 0, as any
 * rounding.
 */
static bool store_float(void *at, size_t size, double value)
{
	float single = (float)value;

	if (size == sizeof(double))
		memcpy(at, &value, sizeof(value));
	else
		memcpy(at, &single, sizeof(single));
	return size == sizeof(double) || isfinite(single);
}

/* By memcpy, since the field is of another pointer type. */
static void store_pointer(void *at, const void *pointer)
{
	memcpy(at, &pointer, sizeof(pointer));
}

/* Integers do not go through a double, so all 64 bits arrive. */
static bool store_number(const struct temporal_field *field, const struct number *number, void *at)
{
	int64_t signed_value;
	uint64_t unsigned_value;
	double value;

	switch (field->kind) {
	case TEMPORAL_KIND_INT:
		return number_to_int(number, &signed_value) &&
		       store_int(at, field->size, signed_value);
	case TEMPORAL_KIND_UINT:
		return number_to_uint(number, &unsigned_value) &&
		       store_uint(at, field->size, unsigned_value);
	default:
		return number_to_double(number, &value) && store_float(at, field->size, value);
	}
}

/* The message has the number as it was written, cut: it may be a thousand digits. */
static bool decode_number(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field, void *at)
{
	struct convert_expected expected;
	struct number number;

	if (!json_take_number(reader, &number))
		return fail_syntax(context, reader);
	if (store_number(field, &number, at))
		return true;
	return convert_fail(context, "expected %s, got %.*s%s", convert_expected(field, &expected),
		(int)(number.len > 40 ? 40 : number.len), number.text,
		number.len > 40 ? "..." : "");
}

/* C strings end at a NUL: one inside would be cut off silently, so it is refused. */
static bool decode_string(struct convert_context *context, struct json_reader *reader, void *at)
{
	struct str text;

	if (!json_take_string(reader, context->arena, &text))
		return fail_syntax(context, reader);
	if (memchr(text.ptr, '\0', text.len))
		return convert_fail(context, "expected a string without NUL, got one with NUL");
	store_pointer(at, text.ptr);
	return true;
}

/*
 * The text goes to the arena first, as it may have escapes. It is lost there; bytes in JSON are
 * rare.
 */
static bool decode_base64(struct convert_context *context, struct json_reader *reader, void *at)
{
	struct temporal_bytes *bytes = at;
	struct str text;

	if (!json_take_string(reader, context->arena, &text))
		return fail_syntax(context, reader);
	unsigned char *data = arena_alloc(context->arena, BASE64_ROOM(text.len));
	if (!data)
		return convert_fail_memory(context);
	if (!base64_decode(text.ptr, text.len, data, &bytes->len))
		return convert_fail(context, "expected bytes (in base64), got another string");
	bytes->data = data;
	return true;
}

/* A payload inside of JSON is the JSON text that stands there. */
static bool decode_raw(struct convert_context *context, struct json_reader *reader, void *at)
{
	struct temporal_payload *payload = at;
	struct str text;

	if (!json_skip(reader, &text))
		return fail_syntax(context, reader);
	void *data = arena_memdup(context->arena, text.ptr, text.len);
	if (!data)
		return convert_fail_memory(context);
	*payload =
		(struct temporal_payload){ .encoding = "json/plain", .data = { data, text.len } };
	return true;
}

/* A member that is a message stands there in proto3 JSON; its extent is found by skipping it. */
static bool decode_message_in_json(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field, void *at)
{
	struct str text;

	if (!json_skip(reader, &text))
		return fail_syntax(context, reader);
	return convert_decode_message(context, field, text, true, at);
}

/* ---- records ---- */

/* A walk: records have few fields, and peers mostly send them in their order. */
static size_t find_field(const struct temporal_type *type, struct str name)
{
	size_t i = 0;

	while (i < type->n_fields && !str_eq(str_from(type->fields[i].name), name))
		i++;
	return i;
}

/*
 * One member: its name, and its value to its field, or to nowhere if there is none. The step lies
 * on this frame: the path to an error costs nothing until there is one (context.c). A member that
 * comes twice counts the second time, as in most parsers.
 */
static bool decode_member(struct convert_context *context, struct json_reader *reader,
	const struct temporal_type *type, void *at, uint64_t *seen)
{
	struct str name;

	if (!json_take_name(reader, context->arena, &name))
		return fail_syntax(context, reader);
	size_t i = find_field(type, name);
	if (i == type->n_fields)
		return json_skip(reader, NULL) || fail_syntax(context, reader);
	struct convert_step step = { .up = context->at, .name = type->fields[i].name };
	struct convert_context inner = *context;
	inner.at = &step;
	*seen |= UINT64_C(1) << i;
	if (decode_json(&inner, reader, &type->fields[i], at))
		return true;
	context->failed = inner.failed;
	return false;
}

/*
 * What was not there must be optional. An array without elements must still be written, be it as
 * null: a peer that leaves a member out most likely speaks of another record.
 */
static bool check_members(
	struct convert_context *context, const struct temporal_type *type, uint64_t seen)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct temporal_field *field = &type->fields[i];
		struct convert_expected expected;

		if (seen & UINT64_C(1) << i || field->shape == TEMPORAL_SHAPE_OPTIONAL)
			continue;
		return convert_fail(context, "the member \"%s\" is missing: expected %s",
			field->name, convert_expected(field, &expected));
	}
	return true;
}

/*
 * The depth is that of the types and bounded by them; the check is for a contract of a type that
 * holds itself, which no data can reach the end of.
 */
static bool decode_record(struct convert_context *context, struct json_reader *reader,
	const struct temporal_type *type, void *at)
{
	bool ok, first = true;
	uint64_t seen = 0;

	if (context->depth == JSON_DEPTH_MAX || type->n_fields > FIELDS_MAX)
		return convert_fail(context, "the record's type is nested too deep or too large");
	context->depth++;
	memset(at, 0, type->size);
	json_open(reader);
	while (json_more(reader, '}', first, &ok)) {
		if (!decode_member(context, reader, type, at, &seen))
			return false;
		first = false;
	}
	if (!ok)
		return fail_syntax(context, reader);
	context->depth--;
	return check_members(context, type, seen);
}

/* ---- fields ---- */

/* The kind of JSON that holds values of the field; NONE: any. */
static enum json_kind wanted_kind(const struct temporal_field *field)
{
	switch (field->kind) {
	case TEMPORAL_KIND_BOOL:
		return JSON_BOOL;
	case TEMPORAL_KIND_INT:
	case TEMPORAL_KIND_UINT:
	case TEMPORAL_KIND_FLOAT:
		return JSON_NUMBER;
	case TEMPORAL_KIND_STRING:
	case TEMPORAL_KIND_BYTES:
		return JSON_STRING;
	case TEMPORAL_KIND_RECORD:
		return JSON_OBJECT;
	default:
		return JSON_NONE;
	}
}

/* One value, whatever the field's shape. */
static bool decode_value(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field, void *at)
{
	enum json_kind kind = json_peek(reader), wanted = wanted_kind(field);

	if (wanted != JSON_NONE && kind != wanted)
		return fail_kind(context, reader, field);
	switch (field->kind) {
	case TEMPORAL_KIND_BOOL:
		return json_take_bool(reader, at) || fail_syntax(context, reader);
	case TEMPORAL_KIND_INT:
	case TEMPORAL_KIND_UINT:
	case TEMPORAL_KIND_FLOAT:
		return decode_number(context, reader, field, at);
	case TEMPORAL_KIND_STRING:
		return decode_string(context, reader, at);
	case TEMPORAL_KIND_BYTES:
		return decode_base64(context, reader, at);
	case TEMPORAL_KIND_PAYLOAD:
		return decode_raw(context, reader, at);
	case TEMPORAL_KIND_RECORD:
		return decode_record(context, reader, field->type, at);
	case TEMPORAL_KIND_MESSAGE:
		return decode_message_in_json(context, reader, field, at);
	case TEMPORAL_KIND_VOID:
		return json_skip(reader, NULL) || fail_syntax(context, reader);
	}
	return convert_fail(context, "the contract has a field of an unknown kind");
}

/* The element is the field without its shape: an array of arrays does not exist in contracts. */
static bool decode_elements(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field, char *items)
{
	struct convert_step step = { .up = context->at };
	struct temporal_field element = *field;
	struct convert_context inner = *context;
	bool ok, first = true;

	element.shape = TEMPORAL_SHAPE_PLAIN;
	inner.at = &step;
	json_open(reader);
	while (json_more(reader, ']', first, &ok)) {
		first = false;
		if (!decode_value(
			    &inner, reader, &element, items + step.index * convert_stride(field))) {
			context->failed = inner.failed;
			return false;
		}
		step.index++;
	}
	return ok || fail_syntax(context, reader);
}

/*
 * The elements are counted first, so that they get exactly their memory: no element costs less than
 * two bytes of text, so the count is bounded by the input. Counting also checks the syntax of all
 * of it; `failed` is the reader that it was done with, for the place of an error.
 */
static bool decode_array(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field, char *base)
{
	struct json_reader failed;
	size_t count;

	if (json_peek(reader) != JSON_ARRAY)
		return fail_kind(context, reader, field);
	if (!json_count(reader, &count, &failed))
		return fail_syntax(context, &failed);
	char *items = arena_array(context->arena, count, convert_stride(field));
	if (!items)
		return convert_fail_memory(context);
	if (!decode_elements(context, reader, field, items))
		return false;
	store_pointer(base + field->offset, items);
	memcpy(base + field->count_offset, &count, sizeof(count));
	return true;
}

/*
 * Makes the place for an optional value, which the field then points to. A value that is a pointer
 * already (a string) needs no further one.
 */
static void *optional_room(
	struct convert_context *context, const struct temporal_field *field, char *base)
{
	void *at = base + field->offset;

	if (field->shape == TEMPORAL_SHAPE_PLAIN || convert_is_pointer(field->kind))
		return at;
	void *room = arena_zalloc(context->arena, field->size);
	if (!room)
		convert_fail_memory(context);
	store_pointer(at, room);
	return room;
}

/* Where null means something: absent, or an array without elements (as Go writes an empty one). */
static bool may_be_absent(const struct temporal_field *field)
{
	return field->shape != TEMPORAL_SHAPE_PLAIN;
}

/* The field of the struct at `base` from the reader's next value. */
static bool decode_json(struct convert_context *context, struct json_reader *reader,
	const struct temporal_field *field, void *base)
{
	if (json_peek(reader) == JSON_NULL && may_be_absent(field))
		return json_take_null(reader) || fail_syntax(context, reader);
	if (field->shape == TEMPORAL_SHAPE_ARRAY)
		return decode_array(context, reader, field, base);
	void *at = optional_room(context, field, base);
	return at && decode_value(context, reader, field, at);
}

/* ---- payloads ---- */

static bool decode_bytes(struct convert_context *context, const Common__Payload *payload, void *at)
{
	struct temporal_bytes *bytes = at;

	bytes->len = payload->data.len;
	bytes->data = arena_memdup(context->arena, payload->data.data, payload->data.len);
	return bytes->data || convert_fail_memory(context);
}

/* Nothing may stand behind the value. */
static bool decode_whole_json(struct convert_context *context, const Common__Payload *payload,
	const struct temporal_field *field, void *base)
{
	struct json_reader reader;

	json_reader_init(&reader, payload->data.data, payload->data.len);
	if (!decode_json(context, &reader, field, base))
		return false;
	return json_end(&reader) || fail_syntax(context, &reader);
}

/* The type's name is checked only when it is there: not all SDKs send it. */
static bool decode_typed_message(struct convert_context *context, const Common__Payload *payload,
	bool json, const struct temporal_field *field, void *base)
{
	const ProtobufCMessageDescriptor *descriptor = field->message;
	struct str type = payload_metadata(payload, "messageType");
	struct str data = { (const char *)payload->data.data, payload->data.len };

	if (type.len && !str_eq(type, str_from(descriptor->name)))
		return convert_fail(context, "expected a message %s, got a message %.*s",
			descriptor->name, (int)(type.len > 80 ? 80 : type.len), type.ptr);
	return convert_decode_message(context, field, data, json, (char *)base + field->offset);
}

/* For codecs and converters of the user's: nothing is looked at. */
static bool decode_raw_payload(struct convert_context *context, const Common__Payload *payload,
	const struct temporal_field *field, void *base)
{
	void *at = optional_room(context, field, base);

	if (!at)
		return false;
	if (convert_payload_from_api(context->arena, payload, at))
		return convert_fail_memory(context);
	return true;
}

static bool fail_encoding(
	struct convert_context *context, const struct temporal_field *field, struct str name)
{
	struct convert_expected expected;

	return convert_fail(context, "expected %s, got a payload with the encoding \"%.*s\"",
		convert_expected(field, &expected), (int)(name.len > 60 ? 60 : name.len), name.ptr);
}

/*
 * The field of the struct at `base` from a payload; NULL is the same as binary/null. A message in
 * json/plain is refused, since it would be guessed whose JSON it is.
 */
static bool decode_payload(struct convert_context *context, const Common__Payload *payload,
	const struct temporal_field *field, void *base)
{
	struct str name = STR("binary/null");
	enum payload_encoding encoding = payload ? payload_encoding(payload, &name) : PAYLOAD_NULL;
	bool whole = field->shape != TEMPORAL_SHAPE_ARRAY;
	struct convert_expected expected;

	if (encoding == PAYLOAD_NULL && may_be_absent(field))
		return true;
	if (field->kind == TEMPORAL_KIND_PAYLOAD && whole && payload)
		return decode_raw_payload(context, payload, field, base);
	switch (encoding) {
	case PAYLOAD_NULL:
		return convert_fail(context, "expected %s, got %s",
			convert_expected(field, &expected), payload ? "null" : "nothing");
	case PAYLOAD_JSON:
		if (field->kind == TEMPORAL_KIND_MESSAGE)
			break;
		return decode_whole_json(context, payload, field, base);
	case PAYLOAD_BINARY:
		if (field->kind != TEMPORAL_KIND_BYTES || !whole)
			break;
		void *at = optional_room(context, field, base);
		return at && decode_bytes(context, payload, at);
	case PAYLOAD_JSON_PROTOBUF:
	case PAYLOAD_BINARY_PROTOBUF:
		if (field->kind != TEMPORAL_KIND_MESSAGE || !whole)
			break;
		return decode_typed_message(
			context, payload, encoding == PAYLOAD_JSON_PROTOBUF, field, base);
	default:
		break;
	}
	return fail_encoding(context, field, name);
}

/* Arguments that were not sent must be optional. */
static bool check_missing(struct convert_context *context, const struct temporal_contract *contract,
	size_t n_payloads)
{
	for (size_t i = n_payloads; i < contract->in.n_fields; i++) {
		const struct temporal_field *field = &contract->in.fields[i];
		struct convert_step step = { .name = field->name, .index = i };
		struct convert_expected expected;

		if (field->shape == TEMPORAL_SHAPE_OPTIONAL)
			continue;
		context->at = &step;
		convert_fail(context, "missing, expected %s (got %zu of %zu arguments)",
			convert_expected(field, &expected), n_payloads, contract->in.n_fields);
		context->at = NULL;
		return false;
	}
	return true;
}

/* Callers in other languages pass a nil where they mean nothing: surplus nulls do not count. */
static size_t count_arguments(Common__Payload *const *payloads, size_t n_payloads, size_t n_fields)
{
	while (n_payloads > n_fields &&
		proto_payload_is(payloads[n_payloads - 1], PROTO_ENCODING_NULL))
		n_payloads--;
	return n_payloads;
}

/* `in` is zeroed even on an error, so that nobody reads what was there before. */
enum temporal_code convert_decode_arguments(struct arena *arena,
	const struct temporal_contract *contract, Common__Payload *const *payloads,
	size_t n_payloads, void *in, struct temporal_error *err)
{
	struct convert_context context = {
		.arena = arena, .err = err, .code = TEMPORAL_BAD_PAYLOAD
	};

	if (contract->in.size)
		memset(in, 0, contract->in.size);
	n_payloads = count_arguments(payloads, n_payloads, contract->in.n_fields);
	if (n_payloads > contract->in.n_fields)
		return error_set(err, TEMPORAL_BAD_PAYLOAD, "%s takes %zu arguments, got %zu",
			contract->name, contract->in.n_fields, n_payloads);
	for (size_t i = 0; i < n_payloads; i++) {
		const struct temporal_field *field = &contract->in.fields[i];
		struct convert_step step = { .name = field->name, .index = i };

		context.at = &step;
		if (!decode_payload(&context, payloads[i], field, in))
			return context.failed;
	}
	context.at = NULL;
	check_missing(&context, contract, n_payloads);
	return context.failed;
}

enum temporal_code convert_decode_result(struct arena *arena,
	const struct temporal_contract *contract, const Common__Payload *payload, void *out,
	struct temporal_error *err)
{
	struct convert_context context = {
		.arena = arena, .err = err, .code = TEMPORAL_BAD_PAYLOAD
	};

	if (contract->out.kind == TEMPORAL_KIND_VOID)
		return TEMPORAL_OK;
	memset(out, 0, contract->out_size);
	decode_payload(&context, payload, &contract->out, out);
	return context.failed;
}
