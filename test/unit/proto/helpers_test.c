/*
 * Goal: the small helpers on times, payloads, maps and enum names keep their promises at the edges.
 * Method: tables of values by hand.
 */
#include "proto/enum_name.h"
#include "proto/map.h"
#include "proto/payload.h"
#include "proto/time.h"
#include "proto_fixture.h"
#include "temporal/api/enums/v1/common.pb-c.h"
#include "temporal/api/enums/v1/event_type.pb-c.h"

static Google__Timestamp timestamp(int64_t seconds, int32_t nanos)
{
	Google__Timestamp at = GOOGLE__TIMESTAMP__INIT;

	at.seconds = seconds;
	at.nanos = nanos;
	return at;
}

static Google__Duration duration(int64_t seconds, int32_t nanos)
{
	Google__Duration span = GOOGLE__DURATION__INIT;

	span.seconds = seconds;
	span.nanos = nanos;
	return span;
}

static void time_checks_ranges(void **state)
{
	const Google__Timestamp good = timestamp(-1, 999999999), late = timestamp(253402300799, 0),
				bad = timestamp(0, -1), huge = timestamp(INT64_MIN, INT32_MIN);
	const Google__Duration mixed = duration(1, -1), edge = duration(-9223372036, -854775808),
			       over = duration(9223372036, 854775808),
			       wide = duration(INT64_MAX, 0);
	int64_t ns = 7;

	assert_false(proto_timestamp_ns(&late, &ns));
	assert_false(proto_timestamp_ns(&bad, &ns));
	assert_false(proto_timestamp_ns(&huge, &ns));
	assert_false(proto_duration_ns(&mixed, &ns));
	assert_false(proto_duration_ns(&over, &ns));
	assert_false(proto_duration_ns(&wide, &ns));
	assert_false(proto_duration_ms(&wide, &ns));
	assert_true(ns == 7);
	assert_true(proto_timestamp_ns(&good, &ns) && ns == -1);
	assert_true(proto_duration_ns(&edge, &ns) && ns == INT64_MIN);
	assert_true(proto_timestamp_ns(NULL, &ns) && ns == 0);
	assert_true(proto_duration_ms(NULL, &ns) && ns == 0);
}

static void time_is_clamped_or_replaced(void **state)
{
	const Google__Timestamp good = timestamp(12, 5), never = timestamp(-62135596801, 0),
				late = timestamp(INT64_MAX / 1000, 0),
				early = timestamp(INT64_MIN, 0);
	const Google__Duration half = duration(2, 500000000), bit = duration(0, 1),
			       wide = duration(INT64_MAX, 0);

	assert_true(proto_timestamp_ns_clamped(NULL) == 0);
	assert_true(proto_timestamp_ns_clamped(&good) == 12000000005);
	assert_true(proto_timestamp_ns_clamped(&late) == INT64_MAX);
	assert_true(proto_timestamp_ns_clamped(&early) == INT64_MIN);
	assert_true(proto_timestamp_ns_or(&good, 7) == 12000000005);
	assert_true(proto_timestamp_ns_or(&never, 7) == 7);
	assert_true(proto_duration_ms_clamped(NULL) == 0);
	assert_true(proto_duration_ms_clamped(&half) == 2500);
	assert_true(proto_duration_ms_clamped(&bit) == 1);
	assert_true(proto_duration_ms_clamped(&wide) == INT64_MAX);
	assert_true(proto_duration_ms_or(&half, 7) == 2500);
	assert_true(proto_duration_ms_or(&wide, 7) == 7);
}

static void time_rounds_milliseconds_away_from_zero(void **state)
{
	static const struct {
		int64_t seconds;
		int32_t nanos;
		int64_t ms;
	} cases[] = { { 0, 0, 0 }, { 0, 1, 1 }, { 0, -1, -1 }, { 1, 1000000, 1001 },
		{ 1, 1000001, 1002 }, { -1, -999999999, -2000 },
		{ PROTO_DURATION_MAX, 0, PROTO_DURATION_MAX * 1000 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const Google__Duration span = duration(cases[i].seconds, cases[i].nanos);
		int64_t ms;

		assert_true(proto_duration_ms(&span, &ms));
		assert_true(ms == cases[i].ms);
	}
}

static void time_round_trips(void **state)
{
	struct fixture *f = *state;
	static const int64_t values[] = { 0, 1, -1, 999999999, -1000000000, 1746132676759226000,
		INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int64_t ns;

		assert_true(proto_timestamp_ns(proto_timestamp_new(&f->arena, values[i]), &ns));
		assert_true(ns == values[i]);
		assert_true(proto_duration_ns(proto_duration_new_ns(&f->arena, values[i]), &ns));
		assert_true(ns == values[i]);
	}
	assert_int_equal(proto_duration_new_ms(&f->arena, INT64_MAX)->seconds, PROTO_DURATION_MAX);
	assert_int_equal(proto_duration_new_ms(&f->arena, -1500)->nanos, -500000000);
}

static void time_text_round_trips(void **state)
{
	static const char *const texts[] = { "0001-01-01T00:00:00Z",
		"1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z",
		"2000-02-29T12:34:56.100Z", "2024-12-31T23:59:59.000001Z", "1900-03-01T00:00:00Z",
		"9999-12-31T23:59:59.999999999Z" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		Google__Timestamp at = GOOGLE__TIMESTAMP__INIT;
		char text[PROTO_TIME_TEXT];

		assert_true(proto_timestamp_parse(str_from(texts[i]), &at));
		assert_int_equal(proto_timestamp_print(&at, text), strlen(texts[i]));
		assert_string_equal(text, texts[i]);
	}
}

static void time_refuses_bad_text(void **state)
{
	static const char *const times[] = { "", "2025", "2025-13-01T00:00:00Z",
		"2025-00-01T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
		"2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z", "2025-01-01T00:00:60Z",
		"2025-01-01T00:00:00", "2025-01-01T00:00:00.Z", "2025-01-01T00:00:00.1234567890Z",
		"2025-01-01T00:00:00Zx", "2025-01-01 00:00:00Z", "0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01", "2025-01-01T00:00:00+2:00" };
	static const char *const spans[] = { "", "s", "1", "1m", "1.s", ".5s", "--1s", "1s ", "+1s",
		"315576000001s", "9999999999999s", "1.0000000001s" };
	Google__Timestamp at = GOOGLE__TIMESTAMP__INIT;
	Google__Duration span = GOOGLE__DURATION__INIT;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (proto_timestamp_parse(str_from(times[i]), &at))
			fail_msg("accepted: %s", times[i]);
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (proto_duration_parse(str_from(spans[i]), &span))
			fail_msg("accepted: %s", spans[i]);
}

static void payload_metadata_is_found_and_replaced(void **state)
{
	struct fixture *f = *state;
	Common__Payload *payload = proto_payload_new(&f->arena, PROTO_ENCODING_JSON, "1", 1);

	assert_true(proto_payload_is(payload, PROTO_ENCODING_JSON));
	assert_false(proto_payload_is(payload, "json/plai"));
	assert_false(proto_payload_is(NULL, PROTO_ENCODING_JSON));
	assert_true(str_eq(proto_payload_data(payload), STR("1")));
	assert_true(proto_payload_set(&f->arena, payload, "k", STR("v")));
	assert_true(proto_payload_set(&f->arena, payload, PROTO_ENCODING_KEY, STR("x")));
	assert_int_equal(payload->n_metadata, 2);
	assert_true(proto_payload_is(payload, "x"));
	assert_true(str_eq(proto_payload_get(payload, "k"), STR("v")));
	assert_null(proto_payload_get(payload, "other").ptr);

	const Common__Payload *copy = proto_payload_copy(&f->arena, payload);
	assert_true(copy->metadata[0] != payload->metadata[0]);
	assert_true(str_eq(proto_payload_get(copy, "k"), STR("v")));
	assert_int_equal(proto_payloads_count(NULL), 0);
	assert_int_equal(proto_payloads_count(proto_payloads_new(&f->arena, 3)), 3);
}

static void map_takes_the_last_of_a_key(void **state)
{
	struct fixture *f = *state;
	const Common__Payload *payload = DECODE(f, common__payload__descriptor,
		"\x0a\x06\x0a\x01k\x12\x01x\x0a\x03\x0a\x01j\x0a\x06\x0a\x01k\x12\x01y");

	assert_true(str_eq(proto_payload_get(payload, "k"), STR("y")));
	assert_false(proto_map_is_last(payload->metadata, payload->n_metadata, 0));
	assert_true(proto_map_is_last(payload->metadata, payload->n_metadata, 1));
	assert_true(proto_map_is_last(payload->metadata, payload->n_metadata, 2));
	assert_null(proto_map_find(NULL, 0, "k"));
}

static void enum_names_in_both_spellings(void **state)
{
	const ProtobufCEnumDescriptor *type = &enums__event_type__descriptor;
	char text[PROTO_ENUM_TEXT];
	int value = 0;

	for (unsigned i = 0; i < type->n_values; i++) {
		assert_true(proto_enum_value(type, str_from(type->values[i].name), &value));
		assert_int_equal(value, type->values[i].value);
		assert_true(proto_enum_value(type,
			str_from(proto_enum_short(type, type->values[i].value, text)), &value));
		assert_int_equal(value, type->values[i].value);
	}
	assert_string_equal(proto_event_name(10, text), "ActivityTaskScheduled");
	assert_string_equal(proto_event_name(-3, text), "-3");
	assert_string_equal(proto_command_name(1, text), "ScheduleActivityTask");
	assert_true(proto_enum_value(
		&enums__indexed_value_type__descriptor, STR("KeywordList"), &value));
	assert_false(proto_enum_value(type, STR(""), &value));
	assert_false(proto_enum_value(type, STR("EVENT_TYPE_"), &value));
	assert_false(proto_enum_value(type, STR("ActivityTaskSchedule"), &value));
	assert_false(proto_enum_value(type, STR("ActivityTaskScheduledX"), &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(time_checks_ranges),
		FIXTURE_TEST(time_is_clamped_or_replaced),
		FIXTURE_TEST(time_rounds_milliseconds_away_from_zero),
		FIXTURE_TEST(time_round_trips),
		FIXTURE_TEST(time_text_round_trips),
		FIXTURE_TEST(time_refuses_bad_text),
		FIXTURE_TEST(payload_metadata_is_found_and_replaced),
		FIXTURE_TEST(map_takes_the_last_of_a_key),
		FIXTURE_TEST(enum_names_in_both_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
