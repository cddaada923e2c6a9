/*
 * Failures: every kind there and back, chains of causes, what Python's SDK writes, and text that
 * the server would refuse.
 */
#include "convert/failure.h"
#include "convert_fixture.h"

static const struct temporal_payload details[] = {
	{ .encoding = "json/plain", .data = { "1", 1 } },
	{ .encoding = "binary/plain", .data = { "\0x", 2 } },
};

static const struct temporal_failure failures[] = {
	{ .kind = TEMPORAL_FAILURE_APPLICATION,
		.message = "m",
		.source = "GoSDK",
		.stack_trace = "at x",
		.type = "T",
		.non_retryable = true,
		.next_retry_delay_ms = 1500,
		.category = TEMPORAL_CATEGORY_BENIGN,
		.details = { details, 2 } },
	{ .kind = TEMPORAL_FAILURE_TIMEOUT,
		.message = "late",
		.timeout_type = TEMPORAL_TIMEOUT_HEARTBEAT,
		.details = { details, 1 } },
	{ .kind = TEMPORAL_FAILURE_CANCELLED,
		.message = "stop",
		.identity = "i",
		.details = { details, 2 } },
	{ .kind = TEMPORAL_FAILURE_TERMINATED, .message = "killed", .identity = "i" },
	{ .kind = TEMPORAL_FAILURE_SERVER, .message = "oops", .non_retryable = true },
	{ .kind = TEMPORAL_FAILURE_RESET_WORKFLOW, .message = "again", .details = { details, 1 } },
	{ .kind = TEMPORAL_FAILURE_ACTIVITY,
		.message = "activity error",
		.activity_id = "5",
		.activity_type = "Charge",
		.identity = "worker",
		.scheduled_event_id = 7,
		.started_event_id = 8,
		.retry_state = TEMPORAL_RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED },
	{ .kind = TEMPORAL_FAILURE_CHILD_WORKFLOW,
		.message = "child error",
		.namespace_ = "ns",
		.workflow_id = "w",
		.run_id = "r",
		.workflow_type = "Ship",
		.scheduled_event_id = 3,
		.started_event_id = 4,
		.retry_state = TEMPORAL_RETRY_STATE_TIMEOUT },
	{ .kind = TEMPORAL_FAILURE_NEXUS_OPERATION,
		.message = "nexus",
		.endpoint = "e",
		.service = "s",
		.operation = "o",
		.operation_token = "t",
		.scheduled_event_id = 9 },
	{ .kind = TEMPORAL_FAILURE_NEXUS_HANDLER,
		.message = "handler",
		.type = "INTERNAL",
		.non_retryable = true,
		.handler_retry = TEMPORAL_HANDLER_NON_RETRYABLE },
	{ .kind = TEMPORAL_FAILURE_NEXUS_HANDLER,
		.message = "handler",
		.type = "CONFLICT",
		.handler_retry = TEMPORAL_HANDLER_RETRYABLE },
	{ .kind = TEMPORAL_FAILURE_NEXUS_HANDLER, .message = "handler", .type = "NOT_FOUND" },
};

static void assert_text(const char *actual, const char *expected)
{
	assert_non_null(actual);
	assert_string_equal(actual, expected ? expected : "");
}

static void assert_same_details(
	const struct temporal_payloads *actual, const struct temporal_payloads *expected)
{
	assert_int_equal(actual->count, expected->count);
	for (size_t i = 0; i < expected->count; i++) {
		assert_string_equal(actual->items[i].encoding, expected->items[i].encoding);
		assert_int_equal(actual->items[i].data.len, expected->items[i].data.len);
		assert_memory_equal(actual->items[i].data.data, expected->items[i].data.data,
			expected->items[i].data.len);
	}
}

static void assert_same(const struct temporal_failure *actual, const struct temporal_failure *in)
{
	assert_non_null(actual);
	assert_int_equal(actual->kind, in->kind);
	assert_text(actual->message, in->message);
	assert_text(actual->source, in->source ? in->source : "CSDK");
	assert_text(actual->stack_trace, in->stack_trace);
	assert_text(actual->type, in->type);
	assert_int_equal(actual->non_retryable, in->non_retryable);
	assert_int_equal(actual->handler_retry, in->handler_retry);
	assert_int_equal(actual->next_retry_delay_ms, in->next_retry_delay_ms);
	assert_int_equal(actual->category, in->category);
	assert_int_equal(actual->timeout_type, in->timeout_type);
	assert_text(actual->activity_id, in->activity_id);
	assert_text(actual->activity_type, in->activity_type);
	assert_text(actual->identity, in->identity);
	assert_text(actual->namespace_, in->namespace_);
	assert_text(actual->workflow_id, in->workflow_id);
	assert_text(actual->run_id, in->run_id);
	assert_text(actual->workflow_type, in->workflow_type);
	assert_text(actual->endpoint, in->endpoint);
	assert_text(actual->service, in->service);
	assert_text(actual->operation, in->operation);
	assert_text(actual->operation_token, in->operation_token);
	assert_int_equal(actual->scheduled_event_id, in->scheduled_event_id);
	assert_int_equal(actual->started_event_id, in->started_event_id);
	assert_int_equal(actual->retry_state, in->retry_state);
	assert_same_details(&actual->details, &in->details);
}

#define COUNT (sizeof(failures) / sizeof(failures[0]))

/* Through the bytes of the wire, so that what cannot be encoded is found here. */
static Failure__Failure *over_the_wire(struct fixture *fixture, const Failure__Failure *failure)
{
	struct bytes bytes;

	assert_non_null(failure);
	assert_int_equal(
		proto_encode(&fixture->arena, failure, 0, &bytes, &fixture->err), TEMPORAL_OK);
	return proto_decode(&fixture->arena, &failure__failure__descriptor, bytes.ptr, bytes.len,
		NULL, &fixture->err);
}

static void every_kind_goes_there_and_back(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT; i++) {
		Failure__Failure *out = convert_failure_to_api(&fixture->arena, &failures[i]);

		out = over_the_wire(fixture, out);
		assert_same(convert_failure_from_api(&fixture->arena, out), &failures[i]);
		assert_null(out->cause);
	}
}

static void causes_stay_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct temporal_failure chain[COUNT];

	memcpy(chain, failures, sizeof(chain));
	for (size_t i = 0; i + 1 < COUNT; i++)
		chain[i].cause = &chain[i + 1];
	const struct temporal_failure *copy = convert_failure_copy(&fixture->arena, chain);
	Failure__Failure *out = convert_failure_to_api(&fixture->arena, copy);
	const struct temporal_failure *back =
		convert_failure_from_api(&fixture->arena, over_the_wire(fixture, out));
	for (size_t i = 0; i < COUNT; i++) {
		assert_same(back, &chain[i]);
		/* The copy has "" where there was NULL, and nothing of the original. */
		assert_ptr_not_equal(copy, &chain[i]);
		assert_text(copy->message, chain[i].message);
		assert_ptr_not_equal(copy->message, chain[i].message);
		assert_same_details(&copy->details, &chain[i].details);
		copy = copy->cause;
		back = back->cause;
	}
	assert_null(back);
	assert_null(copy);
}

static void endless_chains_are_cut(void **state)
{
	struct fixture *fixture = *state;
	struct temporal_failure failure = { .message = "round" };
	Failure__Failure message = FAILURE__FAILURE__INIT;
	size_t count = 0;

	failure.cause = &failure;
	message.cause = &message;
	for (Failure__Failure *out = convert_failure_to_api(&fixture->arena, &failure); out;
		out = out->cause)
		count++;
	assert_int_equal(count, FAILURE_CHAIN_SENT_MAX);
	const struct temporal_failure *in = convert_failure_from_api(&fixture->arena, &message);
	for (count = 0; in; in = in->cause)
		count++;
	assert_int_equal(count, FAILURE_CHAIN_MAX);
	in = convert_failure_copy(&fixture->arena, &failure);
	for (count = 0; in; in = in->cause)
		count++;
	assert_int_equal(count, FAILURE_CHAIN_MAX);
}

static void encoded_attributes_are_decoded(void **state)
{
	struct fixture *fixture = *state;
	Failure__Failure message = FAILURE__FAILURE__INIT;
	const struct temporal_failure *in;

	/* As Python's SDK hides them. */
	message.message = "Encoded failure";
	message.encoded_attributes = json_payload(
		fixture, "{\"message\":\"secret\",\"stack_trace\":\"at\\u0020y\",\"x\":[1]}");
	in = convert_failure_from_api(&fixture->arena, &message);
	assert_text(in->message, "secret");
	assert_text(in->stack_trace, "at y");
	assert_int_equal(in->kind, TEMPORAL_FAILURE_APPLICATION);
	/* What is not of this form leaves the failure as it is. */
	static const char *const others[] = { "", "[]", "{", "{\"message\":5}", "{\"message\"}" };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		message.encoded_attributes = json_payload(fixture, others[i]);
		in = convert_failure_from_api(&fixture->arena, &message);
		assert_text(in->message, "Encoded failure");
	}
	message.encoded_attributes = payload_of(fixture, "binary/encrypted", "x", 1);
	in = convert_failure_from_api(&fixture->arena, &message);
	assert_text(in->message, "Encoded failure");
}

static void text_that_is_not_utf8_is_repaired(void **state)
{
	struct fixture *fixture = *state;
	struct temporal_failure failure = { .message = "caf\xE9 \xC3\xA9\xF0\x9F\x98",
		.type = "\xFF" };
	Failure__Failure *out = convert_failure_to_api(&fixture->arena, &failure);
	const struct temporal_failure *in =
		convert_failure_from_api(&fixture->arena, over_the_wire(fixture, out));

	assert_text(in->message, "caf\xEF\xBF\xBD \xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
	assert_text(in->type, "\xEF\xBF\xBD");
}

static void odd_values_are_borne(void **state)
{
	struct fixture *fixture = *state;
	struct temporal_failure failure = { .kind = (enum temporal_failure_kind)77 };
	Failure__Failure *out = convert_failure_to_api(&fixture->arena, &failure);
	Google__Duration delay = GOOGLE__DURATION__INIT;

	assert_int_equal(
		out->failure_info_case, FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO);
	delay.seconds = INT64_MAX;
	out->application_failure_info->next_retry_delay = &delay;
	assert_true(
		convert_failure_from_api(&fixture->arena, out)->next_retry_delay_ms == INT64_MAX);
	delay.seconds = INT64_MIN;
	assert_true(
		convert_failure_from_api(&fixture->arena, out)->next_retry_delay_ms == INT64_MIN);
	delay.seconds = 0;
	delay.nanos = 1; /* a delay of less than a millisecond is one */
	assert_true(convert_failure_from_api(&fixture->arena, out)->next_retry_delay_ms == 1);
	delay.nanos = INT32_MAX; /* more than a second of them: wrong, but from outside */
	assert_true(convert_failure_from_api(&fixture->arena, out)->next_retry_delay_ms == 2148);
	assert_null(convert_failure_from_api(&fixture->arena, NULL));
	assert_null(convert_failure_to_api(&fixture->arena, NULL));
}

static void no_memory_is_reported(void **state)
{
	struct temporal_failure chain[COUNT];
	size_t budget = 64;

	memcpy(chain, failures, sizeof(chain));
	for (size_t i = 0; i + 1 < COUNT; i++)
		chain[i].cause = &chain[i + 1];
	for (bool done = false; !done; budget += 16) {
		struct arena arena;
		const struct temporal_failure *back = NULL;

		arena_init(&arena, 64, budget);
		Failure__Failure *out = convert_failure_to_api(&arena, chain);
		if (out)
			back = convert_failure_from_api(&arena, out);
		done = back && convert_failure_copy(&arena, back);
		arena_finish(&arena);
	}
	assert_true(budget > 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(every_kind_goes_there_and_back),
		FIXTURE_TEST(causes_stay_in_order),
		FIXTURE_TEST(endless_chains_are_cut),
		FIXTURE_TEST(encoded_attributes_are_decoded),
		FIXTURE_TEST(text_that_is_not_utf8_is_repaired),
		FIXTURE_TEST(odd_values_are_borne),
		FIXTURE_TEST(no_memory_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
