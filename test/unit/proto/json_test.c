/*
 * Goal: proto3 JSON as the SDKs and the CLI write it is read, in all its spellings; what is no such
 * JSON is refused with the place named; what is written is canonical. Method: small texts, by hand.
 */
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "proto/json.h"
#include "proto_fixture.h"

static void assert_reads_as(struct fixture *f, const ProtobufCMessageDescriptor *type,
	const char *text, const char *canonical)
{
	struct str out;
	const void *message = proto_from_json(&f->arena, type, str_from(text), false, &f->err);

	if (!message)
		fail_msg("%s: %s", text, f->err.message);
	if (proto_to_json(&f->arena, message, 0, &out, &f->err) != TEMPORAL_OK)
		fail_msg("%s: %s", text, f->err.message);
	assert_string_equal(out.ptr, canonical);
	assert_int_equal(out.len, strlen(canonical));
}

static void json_reads_every_spelling(void **state)
{
	struct fixture *f = *state;
	static const char canonical[] =
		"{\"eventId\":\"150\",\"eventTime\":\"2025-05-01T20:51:16.759226Z\","
		"\"eventType\":\"EVENT_TYPE_TIMER_FIRED\",\"timerFiredEventAttributes\":{"
		"\"timerId\":\"1\","
		"\"startedEventId\":\"5\"}}";
	const ProtobufCMessageDescriptor *type = &history__history_event__descriptor;

	assert_reads_as(f, type, canonical, canonical);
	assert_reads_as(f, type,
		"{\"event_id\":150,\"event_time\":\"2025-05-01T22:51:16.759226000+02:00\","
		"\"event_type\":\"TimerFired\",\"timer_fired_event_attributes\":{\"timer_id\":"
		"\"1\","
		"\"started_event_id\":5.0}, \"links\":[], \"userMetadata\":null}",
		canonical);
	assert_reads_as(f, type,
		"{\"eventId\":\"1.5e2\",\"eventTime\":\"2025-05-01T20:51:16.759226Z\","
		"\"eventType\":18,"
		"\"timerFiredEventAttributes\":{\"timerId\":\"1\",\"startedEventId\":\"5\"}}",
		canonical);
}

static void json_reads_payloads(void **state)
{
	struct fixture *f = *state;
	const ProtobufCMessageDescriptor *type = &common__payload__descriptor;
	static const char canonical[] =
		"{\"metadata\":{\"encoding\":\"anNvbi9wbGFpbg==\"},\"data\":\"+/8=\"}";

	assert_reads_as(f, type, canonical, canonical);
	assert_reads_as(f, type,
		"{\"metadata\":{\"encoding\":\"anNvbi9wbGFpbg\"},\"data\":\"-_8\"}", canonical);
	assert_reads_as(f, type, "{\"data\":\"\"}", "{}");
}

static void json_writes_each_key_once(void **state)
{
	struct fixture *f = *state;
	const void *payload = DECODE(f, common__payload__descriptor,
		"\x0a\x06\x0a\x01"
		"b\x12\x01x\x0a\x03\x0a\x01"
		"a\x0a\x06\x0a\x01"
		"b\x12\x01y");
	struct str out;

	assert_int_equal(proto_to_json(&f->arena, payload, 2, &out, &f->err), TEMPORAL_OK);
	assert_string_equal(
		out.ptr, "{\n  \"metadata\": {\n    \"a\": \"\",\n    \"b\": \"eQ==\"\n  }\n}");
}

static void json_knows_the_well_known_types(void **state)
{
	struct fixture *f = *state;

	assert_reads_as(f, &google__duration__descriptor, "\"-1.5s\"", "\"-1.500s\"");
	assert_reads_as(f, &google__timestamp__descriptor, "\"1969-12-31T23:59:59.9Z\"",
		"\"1969-12-31T23:59:59.900Z\"");
	assert_reads_as(
		f, &google__field_mask__descriptor, "\"a,fooBar.bazQux\"", "\"a,fooBar.bazQux\"");
	assert_reads_as(f, &google__field_mask__descriptor, "\"\"", "\"\"");
	assert_reads_as(f, &google__int64_value__descriptor, "\"-9223372036854775808\"",
		"\"-9223372036854775808\"");
	assert_reads_as(f, &google__uint64_value__descriptor, "\"18446744073709551615\"",
		"\"18446744073709551615\"");
	assert_reads_as(f, &google__double_value__descriptor, "0.1", "0.1");
	assert_reads_as(f, &google__double_value__descriptor, "\"-Infinity\"", "\"-Infinity\"");
	assert_reads_as(f, &google__float_value__descriptor, "\"16777217\"", "16777216");
	assert_reads_as(f, &google__bool_value__descriptor, "true", "true");
	assert_reads_as(f, &google__string_value__descriptor, "\"a\\u0001\\\"\\n\\u00e9\"",
		"\"a\\u0001\\\"\\n\xc3\xa9\"");
	assert_reads_as(f, &google__struct__descriptor,
		"{\"z\":[1,\"x\",null,true,{\"a\":{}}],\"b\":-2.5}",
		"{\"z\":[1,\"x\",null,true,{\"a\":{}}],\"b\":-2.5}");
	assert_reads_as(f, &google__value__descriptor, "null", "null");
}

static void json_names_the_place_of_a_mistake(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *message;
	} mistakes[] = {
		{ "{", "JSON, line 1, column 1: " },
		{ "", "JSON, line 1, column 0: " },
		{ "[]", "JSON: expected an object" },
		{ "{\"events\":{}}", "JSON, events: expected an array" },
		{ "{\"events\":[{},{\"eventId\":\"x\"}]}",
			"JSON, events[1].eventId: expected a whole number in the type's range" },
		{ "{\"events\":[{\"eventId\":\"9223372036854775808\"}]}",
			"JSON, events[0].eventId: expected a whole number in the type's range" },
		{ "{\"events\":[{\"eventType\":\"NoSuchThing\"}]}",
			"JSON, events[0].eventType: expected a value of the enum" },
		{ "{\"events\":[{\"eventTime\":\"2025-02-29T00:00:00Z\"}]}",
			"JSON, events[0].eventTime: expected a time such as "
			"\"2026-01-31T12:00:00Z\"" },
		{ "{\"events\":[{\"noField\":1}]}",
			"JSON, events[0].noField: expected no field of this name" },
		{ "{\"events\":[null]}", "JSON, events[0]: expected an object" },
		{ "{\"events\":[{\"timerFiredEventAttributes\":{},\"timerStartedEventAttributes\":{"
		  "}}]}",
			"JSON, events[0].timerStartedEventAttributes: expected only one member of "
			"its oneof" },
		{ "{\"events\":[],\"events\":[]}",
			"JSON, line 1, column 21: duplicate object key" },
		{ "{\"events\":[{\"eventId\":1}]} x",
			"JSON, line 1, column 28: end of file expected" },
	};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		assert_null(proto_from_json(&f->arena, &history__history__descriptor,
			str_from(mistakes[i].text), false, &f->err));
		assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
		if (strncmp(f->err.message, mistakes[i].message, strlen(mistakes[i].message)) != 0)
			fail_msg("%s: %s", mistakes[i].text, f->err.message);
	}
}

static void json_ignores_unknown_fields_when_asked(void **state)
{
	struct fixture *f = *state;

	assert_non_null(proto_from_json(&f->arena, &history__history__descriptor,
		STR("{\"noField\":{\"a\":[1]}}"), true, &f->err));
}

static void json_refuses_any(void **state)
{
	struct fixture *f = *state;
	struct str out;

	assert_null(
		proto_from_json(&f->arena, &google__any__descriptor, STR("{}"), false, &f->err));
	assert_int_equal(proto_to_json(&f->arena, PROTO_NEW(&f->arena, Google__Any, google__any), 0,
				 &out, &f->err),
		TEMPORAL_INVALID_ARGUMENT);
}

static void json_refuses_to_write_bad_text(void **state)
{
	struct fixture *f = *state;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	struct str out;

	failure.message = "\xff";
	assert_int_equal(
		proto_to_json(&f->arena, &failure, 0, &out, &f->err), TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(f->err.message, "message as JSON"));
}

static void json_depth_is_limited(void **state)
{
	struct fixture *f = *state;
	enum {
		DEEP = 100000
	};
	char *text = malloc(DEEP * 2 + 1);

	assert_non_null(text);
	memset(text, '[', DEEP * 2);
	assert_null(proto_from_json(&f->arena, &google__list_value__descriptor,
		(struct str){ text, DEEP }, false, &f->err));
	assert_non_null(strstr(f->err.message, "nested deeper"));
	/* allowed as a text, but each level is two messages (ListValue and Value) */
	memset(text + 60, ']', 60);
	assert_null(proto_from_json(&f->arena, &google__list_value__descriptor,
		(struct str){ text, 120 }, false, &f->err));
	assert_non_null(strstr(f->err.message, "nested deeper than 100"));
	memset(text + 40, ']', 40);
	assert_non_null(proto_from_json(&f->arena, &google__list_value__descriptor,
		(struct str){ text, 80 }, false, &f->err));
	free(text);
}

static void json_survives_each_failing_allocation(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"{\"events\":[{\"eventId\":\"5\",\"workflowExecutionSignaledEventAttributes\":"
		"{\"signalName\":\"s\",\"input\":{\"payloads\":[{\"data\":\"YWJj\"}]}}}]}";

	for (long n = 0;; n++) {
		struct str out;

		arena_finish(&f->arena);
		arena_init(&f->arena, 64, ARENA_NO_BUDGET);
		mem_fault_set(n, 0);
		const void *message = proto_from_json(&f->arena, &history__history__descriptor,
			(struct str){ text, sizeof(text) - 1 }, false, &f->err);
		enum temporal_code code = TEMPORAL_OK;
		if (message)
			code = proto_to_json(&f->arena, message, 0, &out, &f->err);
		int hit = mem_fault_hit();

		mem_fault_set(-1, 0);
		if (!hit) {
			assert_non_null(message);
			assert_string_equal(out.ptr, text);
			return;
		}
		assert_int_equal(f->err.code, TEMPORAL_NO_MEMORY);
		assert_true(!message || code == TEMPORAL_NO_MEMORY);
	}
}

/* A budget that the text fits in, but not what the writer needs beside it. */
static void json_reports_a_spent_budget_in_a_field_mask(void **state)
{
	struct fixture *f = *state;
	Google__FieldMask mask = GOOGLE__FIELD_MASK__INIT;
	struct arena small;
	const char *path;
	char text[5000];
	struct str out;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	path = text;
	mask.paths = &path;
	mask.n_paths = 1;
	arena_init(&small, 64, 4096);
	assert_int_equal(proto_to_json(&small, &mask, 0, &out, &f->err), TEMPORAL_NO_MEMORY);
	arena_finish(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(json_survives_each_failing_allocation),
		FIXTURE_TEST(json_reports_a_spent_budget_in_a_field_mask),
		FIXTURE_TEST(json_reads_every_spelling),
		FIXTURE_TEST(json_reads_payloads),
		FIXTURE_TEST(json_writes_each_key_once),
		FIXTURE_TEST(json_knows_the_well_known_types),
		FIXTURE_TEST(json_names_the_place_of_a_mistake),
		FIXTURE_TEST(json_ignores_unknown_fields_when_asked),
		FIXTURE_TEST(json_refuses_any),
		FIXTURE_TEST(json_refuses_to_write_bad_text),
		FIXTURE_TEST(json_depth_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
