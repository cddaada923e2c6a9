/*
 * Goal: the decoder follows protobuf's rules on every legal form, and refuses what is not legal.
 * Method: bytes written by hand against what the struct has to hold, and what its encoding has to
 * be.
 */
#include "proto_fixture.h"

static void assert_encodes_as(struct fixture *f, const void *message, const void *data, size_t len)
{
	struct bytes out;

	assert_int_equal(proto_encode(&f->arena, message, 0, &out, &f->err), TEMPORAL_OK);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.ptr, data, len);
	assert_int_equal(proto_size(message), len);
}

static void decode_empty_message_has_defaults(void **state)
{
	struct fixture *f = *state;
	const Common__WorkflowExecution *run = proto_decode(
		&f->arena, &common__workflow_execution__descriptor, NULL, 0, NULL, &f->err);

	assert_non_null(run);
	assert_string_equal(run->workflow_id, "");
	assert_string_equal(run->run_id, "");
	assert_int_equal(proto_size(run), 0);
}

static void decode_scalars_and_strings(void **state)
{
	struct fixture *f = *state;
	static const char data[] =
		"\x08\x96\x01\x12\x02\x08\x07\x18\x11\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
	const History__HistoryEvent *event = DECODE(f, history__history_event__descriptor, data);

	assert_non_null(event);
	assert_int_equal(event->event_id, 150);
	assert_int_equal(event->event_time->seconds, 7);
	assert_int_equal(event->event_type, ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_STARTED);
	assert_true(event->version == -1);
	assert_encodes_as(f, event, data, sizeof(data) - 1);
}

static void decode_last_member_of_oneof_wins(void **state)
{
	struct fixture *f = *state;
	/* application_failure_info (5) with a type, then timeout_failure_info (6): the first is
	 * gone */
	const Failure__Failure *failure = DECODE(f, failure__failure__descriptor,
		"\x2a\x03\x0a\x01"
		"A\x32\x02\x08\x02");

	assert_non_null(failure);
	assert_int_equal(
		failure->failure_info_case, FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO);
	assert_int_equal(failure->timeout_failure_info->timeout_type, 2);
	assert_encodes_as(f, failure, "\x32\x02\x08\x02", 4);
}

static void decode_merges_singular_submessages(void **state)
{
	struct fixture *f = *state;
	/* twice the same member of the oneof, twice the same plain submessage (cause, 4) */
	const Failure__Failure *failure = DECODE(f, failure__failure__descriptor,
		"\x22\x03\x0a\x01m\x22\x03\x12\x01s"
		"\x2a\x03\x0a\x01T\x2a\x02\x10\x01");

	assert_non_null(failure);
	assert_string_equal(failure->cause->message, "m");
	assert_string_equal(failure->cause->source, "s");
	assert_string_equal(failure->application_failure_info->type, "T");
	assert_true(failure->application_failure_info->non_retryable);
}

static void decode_keeps_unknown_fields_and_groups(void **state)
{
	struct fixture *f = *state;
	/* 1000: varint, 1001: a group with a group in it, 1002: bytes, 1003: 64 bit, 1004: 32 bit
	 */
	static const char data[] =
		"\x0a\x01w\xc0\x3e\x05\xcb\x3e\x0b\x08\x01\x0c\xcc\x3e\xd2\x3e\x02zz"
		"\xd9\x3e"
		"12345678\xe5\x3e"
		"1234";
	const Common__WorkflowExecution *run =
		DECODE(f, common__workflow_execution__descriptor, data);

	assert_non_null(run);
	assert_int_equal(run->base.n_unknown_fields, 5);
	assert_encodes_as(f, run, data, sizeof(data) - 1);
}

static void decode_keeps_known_field_of_wrong_wire_type(void **state)
{
	struct fixture *f = *state;
	const Common__WorkflowExecution *run =
		DECODE(f, common__workflow_execution__descriptor, "\x08\x01\x12\x01r");

	assert_non_null(run);
	assert_string_equal(run->workflow_id, "");
	assert_int_equal(run->base.n_unknown_fields, 1);
	assert_encodes_as(f, run, "\x12\x01r\x08\x01", 5);
}

static void decode_packed_and_unpacked_alike(void **state)
{
	struct fixture *f = *state;
	const Sdk__WorkflowTaskCompletedMetadata *data =
		DECODE(f, sdk__workflow_task_completed_metadata__descriptor,
			"\x08\x01\x0a\x03\x02\xac\x02\x08\x04\x0a\x00");

	assert_non_null(data);
	assert_int_equal(data->n_core_used_flags, 4);
	assert_int_equal(data->core_used_flags[2], 300);
	assert_int_equal(data->core_used_flags[3], 4);
	assert_encodes_as(f, data, "\x0a\x05\x01\x02\xac\x02\x04", 7);
}

static void decode_map_entry_without_key_or_value(void **state)
{
	struct fixture *f = *state;
	const Common__Payload *payload = DECODE(
		f, common__payload__descriptor, "\x0a\x00\x0a\x03\x12\x01v\x0a\x03\x0a\x01k");

	assert_non_null(payload);
	assert_int_equal(payload->n_metadata, 3);
	assert_string_equal(payload->metadata[0]->key, "");
	assert_int_equal(payload->metadata[0]->value.len, 0);
	assert_string_equal(payload->metadata[1]->key, "");
	assert_int_equal(payload->metadata[1]->value.len, 1);
	assert_string_equal(payload->metadata[2]->key, "k");
}

static void decode_keeps_open_enums_and_negative_zero(void **state)
{
	struct fixture *f = *state;
	/* backoff_coefficient (2) is -0.0; a timeout_type that nobody knows */
	const Common__RetryPolicy *policy =
		DECODE(f, common__retry_policy__descriptor, "\x11\0\0\0\0\0\0\0\x80");
	const Failure__TimeoutFailureInfo *info =
		DECODE(f, failure__timeout_failure_info__descriptor, "\x08\xe7\x07");

	assert_encodes_as(f, policy, "\x11\0\0\0\0\0\0\0\x80", 9);
	assert_int_equal(info->timeout_type, 999);
}

struct bad {
	const char *what, *data;
	size_t len;
};
#define BAD(what_, data_) \
	{ \
		what_, data_, sizeof(data_) - 1 \
	}

static void decode_refuses_ill_formed_bytes(void **state)
{
	struct fixture *f = *state;
	static const struct bad bads[] = {
		BAD("truncated tag", "\x8a"),
		BAD("truncated varint", "\x08"),
		BAD("truncated varint in the middle", "\x08\x80"),
		BAD("varint of eleven bytes", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
		BAD("varint without end", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		BAD("field number 0", "\x00\x01"),
		BAD("tag above 32 bits", "\xff\xff\xff\xff\x7f\x01"),
		BAD("tag equal to the end mark", "\xff\xff\xff\xff\x0f\x01"),
		BAD("wire type 6", "\x0e\x01"),
		BAD("end of a group that was not begun", "\x0c"),
		BAD("submessage that goes too far", "\x12\x05\x08\x01"),
		BAD("length above 32 bits", "\x12\xff\xff\xff\xff\x7f"),
		BAD("inner length beyond the outer end", "\x32\x04\x0a\x09zz"),
		BAD("unknown bytes that go too far", "\xd2\x3e\x03zz"),
		BAD("unknown fixed64 cut short", "\xd9\x3e\x01"),
		BAD("unknown fixed32 cut short", "\xe5\x3e\x01"),
		BAD("group without end", "\xcb\x3e\x08\x01"),
		BAD("group with another's end", "\xcb\x3e\xd4\x3e"),
		BAD("field number 0 in a group", "\xcb\x3e\x00\x01\xcc\x3e"),
	};

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		f->err.code = TEMPORAL_OK;
		if (proto_decode(&f->arena, &history__history_event__descriptor, bads[i].data,
			    bads[i].len, NULL, &f->err))
			fail_msg("accepted: %s", bads[i].what);
		if (f->err.code != TEMPORAL_INTERNAL)
			fail_msg("%s: %s", bads[i].what, f->err.message);
	}
}

static void decode_refuses_text_that_is_none(void **state)
{
	struct fixture *f = *state;
	static const struct bad bads[] = {
		BAD("NUL", "\x0a\x05"
			   "ab\0cd"),
		BAD("NUL in the first eight", "\x0a\x0a"
					      "abc\0defghi"),
		BAD("NUL after UTF-8", "\x0a\x04\xc3\xa9\0x"),
		BAD("lone continuation", "\x0a\x01\x80"),
		BAD("surrogate", "\x0a\x03\xed\xa0\x80"),
		BAD("cut", "\x0a\x0a"
			   "12345678\xe2\x82"),
	};

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		if (proto_decode(&f->arena, &common__workflow_execution__descriptor, bads[i].data,
			    bads[i].len, NULL, &f->err))
			fail_msg("accepted: %s", bads[i].what);
		assert_int_equal(f->err.code, TEMPORAL_INTERNAL);
		assert_non_null(strstr(f->err.message, "WorkflowExecution.workflow_id, byte 1"));
	}
}

static void decode_accepts_all_utf8(void **state)
{
	struct fixture *f = *state;
	const Common__WorkflowExecution *run = DECODE(f, common__workflow_execution__descriptor,
		"\x0a\x0d\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\x01\x21\x21");

	assert_non_null(run);
	assert_string_equal(run->workflow_id, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\x01!!");
}

static void decode_survives_each_failing_allocation(void **state)
{
	struct fixture *f = *state;
	static const char data[] =
		"\x22\x03\x0a\x01m\x22\x03\x12\x01s\x2a\x03\x0a\x01T\xc0\x3e\x05";

	for (long n = 0;; n++) {
		arena_finish(&f->arena);
		arena_init(&f->arena, 64, ARENA_NO_BUDGET);
		mem_fault_set(n, 0);
		const void *message = DECODE(f, failure__failure__descriptor, data);
		const void *copy = message ? proto_copy(&f->arena, message) : NULL;
		int hit = mem_fault_hit();

		mem_fault_set(-1, 0);
		if (!hit) {
			assert_non_null(copy);
			assert_true(n > 2);
			return;
		}
		if (!message)
			assert_int_equal(f->err.code, TEMPORAL_NO_MEMORY);
		assert_null(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(decode_survives_each_failing_allocation),
		FIXTURE_TEST(decode_empty_message_has_defaults),
		FIXTURE_TEST(decode_scalars_and_strings),
		FIXTURE_TEST(decode_last_member_of_oneof_wins),
		FIXTURE_TEST(decode_merges_singular_submessages),
		FIXTURE_TEST(decode_keeps_unknown_fields_and_groups),
		FIXTURE_TEST(decode_keeps_known_field_of_wrong_wire_type),
		FIXTURE_TEST(decode_packed_and_unpacked_alike),
		FIXTURE_TEST(decode_map_entry_without_key_or_value),
		FIXTURE_TEST(decode_keeps_open_enums_and_negative_zero),
		FIXTURE_TEST(decode_refuses_ill_formed_bytes),
		FIXTURE_TEST(decode_refuses_text_that_is_none),
		FIXTURE_TEST(decode_accepts_all_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
