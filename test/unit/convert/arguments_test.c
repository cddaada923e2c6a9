/*
 * Arguments and results through payloads: every kind and shape of field, as JSON has it, and the
 * errors with the place and the expectation in them.
 *
 * Method: the contracts of test/compile/study.h; values there and back, compared with text as other
 * SDKs write it.
 */
#include <math.h>
#include <stdlib.h>

#include "convert_fixture.h"

static void simple_values_go_there_and_back(void **state)
{
	struct fixture *fixture = *state;
	struct temporal_payload payload = { .encoding = "binary/x", .data = { "\x01\x02", 2 } };
	struct simple_in in = { true, -128, -32768, INT32_MIN, INT64_MIN, INT64_MAX, 255, 65535,
		UINT32_MAX, UINT64_MAX, UINT64_MAX, 0.1F, 99.99, "a\"\\\n\x01\xC3\xA9",
		{ "\0\xFF", 2 }, payload };
	static const char *const texts[] = { "true", "-128", "-32768", "-2147483648",
		"-9223372036854775808", "9223372036854775807", "255", "65535", "4294967295",
		"18446744073709551615", "18446744073709551615", "0.1", "99.99",
		"\"a\\\"\\\\\\n\\u0001\xC3\xA9\"" };
	Common__Payload **payloads;
	size_t count;
	struct simple_in out;

	assert_int_equal(convert_encode_arguments(
				 &fixture->arena, &simple, &in, &payloads, &count, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(count, 16);
	for (size_t i = 0; i < 14; i++)
		assert_payload(payloads[i], "json/plain", texts[i]);
	assert_int_equal(payloads[14]->data.len, 2);
	assert_memory_equal(payloads[14]->metadata[0]->value.data, "binary/plain", 12);
	assert_payload(payloads[15], "binary/x", "\x01\x02");

	assert_int_equal(convert_decode_arguments(
				 &fixture->arena, &simple, payloads, count, &out, &fixture->err),
		TEMPORAL_OK);
	assert_true(out.yes && out.i8 == -128 && out.i16 == -32768 && out.i32 == INT32_MIN);
	assert_true(out.i64 == INT64_MIN && out.i64_too == INT64_MAX && out.u8 == 255);
	assert_true(out.u16 == 65535 && out.u32 == UINT32_MAX && out.u64 == UINT64_MAX);
	assert_true(out.single == 0.1F && out.number == 99.99);
	assert_string_equal(out.text, in.text);
	assert_memory_equal(out.bytes.data, "\0\xFF", 2);
	assert_string_equal(out.payload.encoding, "binary/x");
	assert_memory_equal(out.payload.data.data, "\x01\x02", 2);
}

static const char line_text[] = "{\"sku\":\"a\",\"n\":2,\"discount\":0.5}";
static const char bare_line_text[] = "{\"sku\":\"b\",\"n\":-1,\"discount\":null}";
static const char parcel_text[] =
	"{\"to\":{\"street\":\"S\",\"city\":\"C\"},\"from\":null,\"lines\":["
	"{\"sku\":\"a\",\"n\":2,\"discount\":0.5},{\"sku\":\"b\",\"n\":-1,\"discount\":null}],"
	"\"tags\":[\"x\",\"y\"],\"extra\":{\"k\":[1,2]}}";

static void records_go_there_and_back(void **state)
{
	struct fixture *fixture = *state;
	const double discount = 0.5, weights[] = { 1, 2.5 };
	const struct line lines[] = { { "a", 2, &discount }, { "b", -1, NULL } };
	const char *const tags[] = { "x", "y" };
	const struct temporal_bytes images[] = { { "f", 1 }, { "fo", 2 }, { "foo", 3 }, { "", 0 } };
	struct parcel parcel = { { "S", "C" }, NULL, lines, 2, tags, 2,
		{ .data = { "{\"k\":[1,2]}", 11 } } };
	struct send_in in = { .parcel = parcel,
		.weights = weights,
		.n_weights = 2,
		.images = images,
		.n_images = 4,
		.backup = &parcel };
	Common__Payload **payloads;
	struct send_in out;
	size_t count;

	assert_int_equal(convert_encode_arguments(
				 &fixture->arena, &send, &in, &payloads, &count, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(count, 6);
	assert_payload(payloads[0], "json/plain", parcel_text);
	assert_payload(payloads[1], "json/plain", "[1.0,2.5]");
	assert_payload(payloads[2], "json/plain", "[\"Zg==\",\"Zm8=\",\"Zm9v\",\"\"]");
	assert_payload(payloads[3], "binary/null", "");
	assert_payload(payloads[4], "binary/null", "");
	assert_payload(payloads[5], "json/plain", parcel_text);

	assert_int_equal(convert_decode_arguments(
				 &fixture->arena, &send, payloads, count, &out, &fixture->err),
		TEMPORAL_OK);
	assert_string_equal(out.parcel.to.city, "C");
	assert_null(out.parcel.from);
	assert_int_equal(out.parcel.n_lines, 2);
	assert_string_equal(out.parcel.lines[1].sku, "b");
	assert_int_equal(out.parcel.lines[1].count, -1);
	assert_true(*out.parcel.lines[0].discount == 0.5 && !out.parcel.lines[1].discount);
	assert_string_equal(out.parcel.tags[1], "y");
	assert_string_equal(out.parcel.extra.encoding, "json/plain");
	assert_memory_equal(out.parcel.extra.data.data, "{\"k\":[1,2]}", 11);
	assert_true(out.n_weights == 2 && out.weights[1] == 2.5 && !out.note && !out.priority);
	assert_true(out.n_images == 4 && out.images[2].len == 3 && out.images[3].len == 0);
	assert_memory_equal(out.images[1].data, "fo", 2);
	assert_string_equal(out.backup->to.street, "S");
}

static void records_are_read_in_any_form(void **state)
{
	struct fixture *fixture = *state;
	struct line line;
	struct temporal_contract contract = {
		.name = "line",
		.out = { .kind = TEMPORAL_KIND_RECORD, .size = sizeof(line), .type = &line_record },
		.out_size = sizeof(line),
	};
	static const char text[] =
		" {\t\"unknown\" : [ { \"deep\" : [ null , true, -1e5, \"\\u00e9\\\\\" ] } ] ,\n"
		"\"n\":7.0,\"sk\\u0075\":\"\\ud83d\\ude00\\/\",\"sku2\":\"\",\"n\":8} ";

	assert_int_equal(convert_decode_result(&fixture->arena, &contract,
				 json_payload(fixture, text), &line, &fixture->err),
		TEMPORAL_OK);
	assert_string_equal(line.sku, "\xF0\x9F\x98\x80/");
	assert_int_equal(line.count, 8); /* the last one counts */
	assert_null(line.discount);
	assert_int_equal(convert_decode_result(&fixture->arena, &contract,
				 json_payload(fixture, line_text), &line, &fixture->err),
		TEMPORAL_OK);
	assert_true(line.count == 2 && *line.discount == 0.5);
	assert_int_equal(convert_decode_result(&fixture->arena, &contract,
				 json_payload(fixture, bare_line_text), &line, &fixture->err),
		TEMPORAL_OK);
	assert_null(line.discount);
}

static void optional_arguments_may_be_absent(void **state)
{
	struct fixture *fixture = *state;
	struct maybe_in in;

	assert_int_equal(DECODE_TEXTS(fixture, maybe, &in, NULL), TEMPORAL_OK);
	assert_true(!in.yes && !in.i16 && !in.text && !in.payload);
	assert_int_equal(DECODE_TEXTS(fixture, maybe, &in, "true", "null", "255"), TEMPORAL_OK);
	assert_true(*in.yes && !in.i16 && *in.u8 == 255 && !in.single && !in.text);
	assert_int_equal(DECODE_TEXTS(fixture, maybe, &in, "null", "-5", "null", "1.5", "\"t\"",
				 "\"AAE\"", "[1]"),
		TEMPORAL_OK);
	assert_true(!in.yes && *in.i16 == -5 && *in.single == 1.5F && in.bytes->len == 2);
	assert_string_equal(in.text, "t");
	assert_memory_equal(in.payload->data.data, "[1]", 3);

	Common__Payload *nulls[7];
	for (size_t i = 0; i < 7; i++)
		nulls[i] = payload_of(fixture, "binary/null", "", 0);
	assert_int_equal(
		convert_decode_arguments(&fixture->arena, &maybe, nulls, 7, &in, &fixture->err),
		TEMPORAL_OK);
	assert_true(!in.yes && !in.text && !in.bytes);
}

static void nothing_and_void(void **state)
{
	struct fixture *fixture = *state;
	Common__Payload **payloads, *payload = json_payload(fixture, "5");
	size_t count = 5;
	clock_read_out out = 0;

	assert_int_equal(convert_encode_arguments(
				 &fixture->arena, &tick, NULL, &payloads, &count, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(count, 0);
	assert_int_equal(
		convert_decode_arguments(&fixture->arena, &tick, NULL, 0, NULL, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(
		convert_decode_result(&fixture->arena, &clock_read, payload, &out, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(out, 5);
	assert_int_equal(
		convert_decode_result(&fixture->arena, &tick, payload, NULL, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(
		convert_encode_result(&fixture->arena, &tick, NULL, &payload, &fixture->err),
		TEMPORAL_OK);
	assert_null(payload);
}

static void results_of_all_forms(void **state)
{
	struct fixture *fixture = *state;
	const struct line lines[] = { { "b", -1, NULL } };
	struct lines some = { lines, 1 }, back;
	nickname_out name = NULL;
	balance_out amount = NULL;
	last_line_out last = lines;
	Common__Payload *payload;

	assert_int_equal(
		convert_encode_result(&fixture->arena, &list, &some, &payload, &fixture->err),
		TEMPORAL_OK);
	assert_payload(payload, "json/plain", "[{\"sku\":\"b\",\"n\":-1,\"discount\":null}]");
	assert_int_equal(
		convert_decode_result(&fixture->arena, &list, payload, &back, &fixture->err),
		TEMPORAL_OK);
	assert_true(back.count == 1 && back.items[0].count == -1);
	/* Go writes an empty list as null. */
	assert_int_equal(convert_decode_result(&fixture->arena, &list,
				 json_payload(fixture, "null"), &back, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(back.count, 0);

	assert_int_equal(
		convert_encode_result(&fixture->arena, &nickname, &name, &payload, &fixture->err),
		TEMPORAL_OK);
	assert_payload(payload, "binary/null", "");
	assert_int_equal(
		convert_decode_result(&fixture->arena, &nickname, payload, &name, &fixture->err),
		TEMPORAL_OK);
	assert_null(name);
	assert_int_equal(convert_decode_result(&fixture->arena, &balance,
				 json_payload(fixture, "12.5"), &amount, &fixture->err),
		TEMPORAL_OK);
	assert_true(*amount == 12.5);
	assert_int_equal(
		convert_encode_result(&fixture->arena, &last_line, &last, &payload, &fixture->err),
		TEMPORAL_OK);
	assert_payload(payload, "json/plain", "{\"sku\":\"b\",\"n\":-1,\"discount\":null}");
	assert_int_equal(
		convert_decode_result(&fixture->arena, &last_line, payload, &last, &fixture->err),
		TEMPORAL_OK);
	assert_string_equal(last->sku, "b");
}

static void messages_go_there_and_back(void **state)
{
	struct fixture *fixture = *state;
	Google__Duration duration = GOOGLE__DURATION__INIT;
	struct wait_in in = { .at_most = &duration }, out;
	Common__Payload **payloads;
	struct bytes encoded;
	size_t count;

	duration.seconds = 3;
	duration.nanos = 5;
	assert_int_equal(convert_encode_arguments(
				 &fixture->arena, &wait, &in, &payloads, &count, &fixture->err),
		TEMPORAL_OK);
	assert_int_equal(count, 2);
	/* As Python's SDK writes it. */
	assert_payload(payloads[0], "json/protobuf", "\"3.000000005s\"");
	assert_int_equal(payloads[0]->n_metadata, 2);
	assert_string_equal(payloads[0]->metadata[1]->key, "messageType");
	assert_memory_equal(payloads[0]->metadata[1]->value.data, "google.protobuf.Duration", 24);
	assert_payload(payloads[1], "binary/null", "");
	assert_int_equal(convert_decode_arguments(
				 &fixture->arena, &wait, payloads, count, &out, &fixture->err),
		TEMPORAL_OK);
	assert_true(out.at_most->seconds == 3 && out.at_most->nanos == 5 && !out.at_least);

	assert_int_equal(
		proto_encode(&fixture->arena, &duration, 0, &encoded, &fixture->err), TEMPORAL_OK);
	payloads[0] = payload_of(fixture, "binary/protobuf", encoded.ptr, encoded.len);
	assert_int_equal(convert_decode_arguments(
				 &fixture->arena, &wait, payloads, count, &out, &fixture->err),
		TEMPORAL_OK);
	assert_true(out.at_most->seconds == 3 && out.at_most->nanos == 5);
}

/* ---- errors ---- */

struct wrong {
	const char *text; /* of the second argument of "pay" */
	const char *message;
};

struct pay_in {
	const char *order_id;
	int16_t amount;
	const double *tip;
};
typedef void pay_out;
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", order_id, amount, OPTIONAL(tip));

static void wrong_values_are_named(void **state)
{
	static const struct wrong wrongs[] = {
		{ "\"5\"", "expected an integer from -32768 to 32767, got a string" },
		{ "null", "expected an integer from -32768 to 32767, got null" },
		{ "true", "expected an integer from -32768 to 32767, got a boolean" },
		{ "[1]", "expected an integer from -32768 to 32767, got an array" },
		{ "{}", "expected an integer from -32768 to 32767, got an object" },
		{ "32768", "expected an integer from -32768 to 32767, got 32768" },
		{ "1.5", "expected an integer from -32768 to 32767, got 1.5" },
		{ "", "not valid JSON at byte 0: no value" },
		{ "1 2", "not valid JSON at byte 2: more behind the value" },
		{ "01", "not valid JSON at byte 0: malformed number" },
		{ "NaN", "not valid JSON at byte 0: no value" },
	};
	struct fixture *fixture = *state;
	struct pay_in in;
	char expected[200];

	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		assert_int_equal(DECODE_TEXTS(fixture, pay, &in, "\"o\"", wrongs[i].text),
			TEMPORAL_BAD_PAYLOAD);
		snprintf(expected, sizeof(expected), "argument 2 (amount): %s", wrongs[i].message);
		assert_string_equal(fixture->err.message, expected);
		assert_int_equal(fixture->err.code, TEMPORAL_BAD_PAYLOAD);
	}
}

static void wrong_counts_are_named(void **state)
{
	struct fixture *fixture = *state;
	struct pay_in in;

	assert_int_equal(DECODE_TEXTS(fixture, pay, &in, "\"o\""), TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"argument 2 (amount): missing, expected an integer from -32768 to 32767 "
		"(got 1 of 3 arguments)");
	assert_int_equal(
		DECODE_TEXTS(fixture, pay, &in, "\"o\"", "1", "2", "3"), TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message, "pay takes 3 arguments, got 4");
	assert_int_equal(DECODE_TEXTS(fixture, tick, NULL, "1"), TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message, "tick takes 0 arguments, got 1");
}

/* Go's client sends one null for SignalWorkflow(..., nil). */
static void surplus_nulls_are_nothing(void **state)
{
	struct fixture *fixture = *state;
	Common__Payload *nulls[2] = { payload_of(fixture, "binary/null", "", 0),
		payload_of(fixture, "binary/null", "", 0) };

	assert_int_equal(
		convert_decode_arguments(&fixture->arena, &tick, nulls, 2, NULL, &fixture->err),
		TEMPORAL_OK);
	nulls[1] = payload_of(fixture, "json/plain", "1", 1);
	assert_int_equal(
		convert_decode_arguments(&fixture->arena, &tick, nulls, 2, NULL, &fixture->err),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message, "tick takes 0 arguments, got 2");
}

static void places_in_records_are_named(void **state)
{
	struct fixture *fixture = *state;
	struct send_in in;
	static const char text[] =
		"{\"to\":{\"street\":\"S\",\"city\":\"C\"},\"tags\":[],\"extra\":0,"
		"\"lines\":[{\"sku\":\"a\",\"n\":1},{\"sku\":5,\"n\":1}]}";

	assert_int_equal(DECODE_TEXTS(fixture, send, &in, text), TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"argument 1 (parcel).lines[1].sku: expected a string, got a number");
	assert_int_equal(DECODE_TEXTS(fixture, send, &in, "{\"to\":{\"street\":\"S\"}}"),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"argument 1 (parcel).to: the member \"city\" is missing: expected a string");
	assert_int_equal(
		DECODE_TEXTS(fixture, send, &in, parcel_text, "[1,\"2\"]"), TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(
		fixture->err.message, "argument 2 (weights)[1]: expected a number, got a string");
	assert_int_equal(DECODE_TEXTS(fixture, send, &in, parcel_text, "[]", "[\"?\"]"),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"argument 3 (pictures)[0]: expected bytes (in base64), got another string");
	assert_int_equal(DECODE_TEXTS(fixture, send, &in, parcel_text, "[]", "[]", "\"a\\u0000b\""),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"argument 4 (remark): expected a string without NUL, got one with NUL");
}

static void wrong_encodings_are_named(void **state)
{
	struct fixture *fixture = *state;
	struct note_in note_arguments;
	struct wait_in wait_arguments;
	balance_out amount;
	clock_read_out now;
	Common__Payload *payload = payload_of(fixture, "binary/encrypted", "x", 1);

	assert_int_equal(convert_decode_arguments(&fixture->arena, &note, &payload, 1,
				 &note_arguments, &fixture->err),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"argument 1 (text): expected a string, got a payload with the encoding "
		"\"binary/encrypted\"");
	payload = payload_of(fixture, "binary/plain", "x", 1);
	assert_int_equal(
		convert_decode_result(&fixture->arena, &balance, payload, &amount, &fixture->err),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"result: expected a number, got a payload with the encoding \"binary/plain\"");
	assert_int_equal(
		convert_decode_result(&fixture->arena, &clock_read, NULL, &now, &fixture->err),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"result: expected an integer from -9223372036854775808 to 9223372036854775807, "
		"got nothing");
	payload = json_payload(fixture, "\"3s\"");
	assert_int_equal(convert_decode_arguments(&fixture->arena, &wait, &payload, 1,
				 &wait_arguments, &fixture->err),
		TEMPORAL_BAD_PAYLOAD);
	struct temporal_metadata type = { "messageType", { "a.B", 3 } };
	struct temporal_payload typed = {
		.encoding = "json/protobuf", .data = { "{}", 2 }, .metadata = &type, .n_metadata = 1
	};
	payload = convert_payload_to_api(&fixture->arena, &typed);
	assert_int_equal(convert_decode_arguments(&fixture->arena, &wait, &payload, 1,
				 &wait_arguments, &fixture->err),
		TEMPORAL_BAD_PAYLOAD);
	assert_string_equal(fixture->err.message,
		"argument 1 (at_most): expected a message google.protobuf.Duration, got a message "
		"a.B");
}

/* Encodes and asserts the error. */
static void assert_refused(struct fixture *fixture, const struct temporal_contract *contract,
	const void *in, const char *message)
{
	Common__Payload **payloads;
	size_t count;

	assert_int_equal(convert_encode_arguments(
				 &fixture->arena, contract, in, &payloads, &count, &fixture->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(fixture->err.message, message);
}

static void what_cannot_travel_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct temporal_payload binary = { .encoding = "binary/plain", .data = { "x", 1 } };
	struct temporal_payload broken = { .data = { "[1", 2 } };
	double nan_value = (double)NAN, infinite = (double)INFINITY;
	struct pay_in pay_arguments = { .order_id = "o", .tip = &nan_value };
	struct send_in send_arguments = { .parcel.to = { "S", NULL } };

	assert_refused(fixture, &pay, &pay_arguments,
		"argument 3 (tip): expected a finite number, got NaN");
	pay_arguments.tip = &infinite;
	assert_refused(fixture, &pay, &pay_arguments,
		"argument 3 (tip): expected a finite number, got an infinity");
	pay_arguments.order_id = NULL;
	assert_refused(fixture, &pay, &pay_arguments,
		"argument 1 (order_id): expected a string, got NULL");
	pay_arguments.order_id = "a\xFF";
	assert_refused(fixture, &pay, &pay_arguments,
		"argument 1 (order_id): the string is not valid UTF-8");
	assert_refused(fixture, &send, &send_arguments,
		"argument 1 (parcel).to.city: expected a string, got NULL");
	send_arguments.parcel.to.city = "C";
	send_arguments.parcel.extra = binary;
	assert_refused(fixture, &send, &send_arguments,
		"argument 1 (parcel).extra: expected a payload json/plain, got one binary/plain");
	send_arguments.parcel.extra = broken;
	assert_refused(fixture, &send, &send_arguments,
		"argument 1 (parcel).extra: the payload is not valid JSON at byte 2: array without "
		"end");
	send_arguments.parcel.n_tags = 1;
	assert_refused(fixture, &send, &send_arguments,
		"argument 1 (parcel).tags: expected an array, got NULL with a count");
}

/* Encodes and decodes in an arena of its own; true when memory was enough. */
static bool survives(struct fixture *fixture, const struct send_in *in, size_t budget)
{
	struct arena arena;
	Common__Payload **payloads;
	struct send_in out;
	size_t count;

	arena_init(&arena, 64, budget);
	enum temporal_code code =
		convert_encode_arguments(&arena, &send, in, &payloads, &count, &fixture->err);
	if (!code)
		code = convert_decode_arguments(
			&arena, &send, payloads, count, &out, &fixture->err);
	arena_finish(&arena);
	assert_true(code == TEMPORAL_OK || code == TEMPORAL_NO_MEMORY);
	return code == TEMPORAL_OK;
}

static void no_memory_is_reported(void **state)
{
	struct fixture *fixture = *state;
	const char *const tags[] = { "x" };
	char long_text[2000];
	struct send_in in = { .parcel = { { "S", "C" }, NULL, NULL, 0, tags, 1,
				      { .data = { "1", 1 } } },
		.note = "n" };
	size_t budget = 64;

	/* Each allocation in the arena is once the one that does not fit. */
	while (!survives(fixture, &in, budget))
		budget += 8;
	assert_true(budget > 500);
	/* The text of a record that is too long for the writer's own room. */
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	in.parcel.to.city = long_text;
	for (long after = 0;; after++) {
		mem_fault_set(after, 1);
		bool survived = survives(fixture, &in, ARENA_NO_BUDGET);
		bool hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		assert_int_equal(survived, !hit);
		if (!hit)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(simple_values_go_there_and_back),
		FIXTURE_TEST(records_go_there_and_back),
		FIXTURE_TEST(records_are_read_in_any_form),
		FIXTURE_TEST(optional_arguments_may_be_absent),
		FIXTURE_TEST(nothing_and_void),
		FIXTURE_TEST(results_of_all_forms),
		FIXTURE_TEST(messages_go_there_and_back),
		FIXTURE_TEST(wrong_values_are_named),
		FIXTURE_TEST(wrong_counts_are_named),
		FIXTURE_TEST(surplus_nulls_are_nothing),
		FIXTURE_TEST(places_in_records_are_named),
		FIXTURE_TEST(wrong_encodings_are_named),
		FIXTURE_TEST(what_cannot_travel_is_refused),
		FIXTURE_TEST(no_memory_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
