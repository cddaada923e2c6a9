/*
 * Tokens, timeouts and types of errors of Nexus. Goal: tokens are those of the other SDKs, byte for
 * byte, and whatever comes back as one is either read or refused with its reason; all durations
 * that Go writes are read; each code has the error that the other SDKs give it. Method: literals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "worker/nexus_text.h"

static struct arena arena;

static int begin(void **state)
{
	arena_init(&arena, 256, ARENA_NO_BUDGET);
	return 0;
}

static int end(void **state)
{
	arena_finish(&arena);
	return 0;
}

/* What sdk-python makes of {"t":1,"ns":"default","wid":"ship-7"}. */
#define SHIP_7 "eyJ0IjoxLCJucyI6ImRlZmF1bHQiLCJ3aWQiOiJzaGlwLTcifQ"

static void a_token_is_that_of_the_other_sdks(void **state)
{
	struct worker_nexus_target target;

	assert_string_equal(worker_nexus_token(&arena, "default", "ship-7"), SHIP_7);
	assert_null(worker_nexus_token_read(&arena, SHIP_7, &target));
	assert_string_equal(target.namespace_, "default");
	assert_string_equal(target.workflow_id, "ship-7");
}

static void any_id_comes_back(void **state)
{
	static const char *const ids[] = { "a", "ab", "abc", "\"\\\n\x01", "gr\xC3\xBC\xC3\x9F",
		"~~~?>>>", "\xF0\x9F\x9A\xB2" };
	struct worker_nexus_target target;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const char *token = worker_nexus_token(&arena, "some space", ids[i]);

		assert_non_null(token);
		assert_null(strpbrk(token, "+/="));
		assert_null(worker_nexus_token_read(&arena, token, &target));
		assert_string_equal(target.workflow_id, ids[i]);
		assert_string_equal(target.namespace_, "some space");
	}
}

static const char *problem_of(const char *json)
{
	struct worker_nexus_target target;
	char token[512] = { 0 };

	(void)base64_encode(token, json, strlen(json), BASE64_PADDED);
	return worker_nexus_token_read(&arena, token, &target);
}

static void a_token_that_is_none_is_refused(void **state)
{
	static const struct {
		const char *json, *problem;
	} cases[] = {
		{ "{}", "invalid workflow token type" },
		{ "[]", "failed to unmarshal" },
		{ "1", "failed to unmarshal" },
		{ "{\"t\":1", "failed to unmarshal" },
		{ "{\"t\":1,\"ns\":\"a\",\"wid\":\"b\"} x", "failed to unmarshal" },
		{ "{\"t\":2,\"ns\":\"a\",\"aid\":\"b\"}", "invalid workflow token type" },
		{ "{\"t\":\"1\",\"ns\":\"a\",\"wid\":\"b\"}", "invalid workflow token type" },
		{ "{\"t\":1,\"ns\":\"a\"}", "missing workflow id" },
		{ "{\"t\":1,\"ns\":\"a\",\"wid\":\"\"}", "missing workflow id" },
		{ "{\"t\":1,\"ns\":\"a\",\"wid\":7}", "failed to unmarshal" },
		{ "{\"t\":1,\"ns\":\"a\",\"wid\":\"x\\u0000y\"}", "failed to unmarshal" },
		{ "{\"t\":1,\"wid\":\"b\"}", "expected namespace" },
		{ "{\"t\":1,\"v\":1,\"ns\":\"a\",\"wid\":\"b\"}", "'v' field" },
	};
	struct worker_nexus_target target;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *problem = problem_of(cases[i].json);

		assert_non_null(problem);
		assert_non_null(strstr(problem, cases[i].problem));
	}
	assert_non_null(strstr(worker_nexus_token_read(&arena, "", &target), "empty"));
	assert_non_null(strstr(worker_nexus_token_read(&arena, "!!", &target), "base64url"));
	assert_null(problem_of("{\"new\":[{}],\"t\":1,\"v\":0,\"ns\":\"\",\"wid\":\"b\"}"));
	assert_null(problem_of("{\"v\":null,\"t\":1,\"ns\":\"a\",\"wid\":\"b\",\"rid\":\"c\"}"));
}

/* The caller of a token that is wrong gives up; of one that could not be read it must not. */
static void a_token_without_memory_is_not_wrong(void **state)
{
	const char *problem = "";
	size_t budget = 0;

	for (; problem; budget += 16) {
		struct worker_nexus_target target;
		struct arena small;

		arena_init(&small, 64, budget);
		problem = worker_nexus_token_read(&small, SHIP_7, &target);
		assert_int_equal(target.no_memory, problem != NULL);
		arena_finish(&small);
	}
	assert_true(budget > 64);
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "30s", 30000000000 },
		{ "10m", 600000000000 },
		{ "500ms", 500000000 },
		{ "9.155416ms", 9155416 },
		{ "1m30.5s", 90500000000 },
		{ "2h0m1s", 7201000000000 },
		{ "125.25\xC2\xB5s", 125250 },
		{ "125us", 125000 },
		{ "7ns", 7 },
		{ " .5s ", 500000000 },
		{ "1.s", 1000000000 },
		{ "0s", 0 },
		{ "-125.136\xC2\xB5s", 0 },
	};
	static const char *const wrong[] = { "", " ", "-", "- ", "5", "s", ".s", "1x", "1 s",
		"1s x", "1s-1s", "99999999999999999999h", "1e3s", "0x1s", "nan", "inf", "1m30" };
	int64_t ns;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(worker_nexus_timeout(cases[i].text, &ns));
		assert_true(llabs(ns - cases[i].ns) <= 1);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(worker_nexus_timeout(wrong[i], &ns));
}

static void each_code_has_its_error(void **state)
{
	static const struct {
		enum temporal_code code;
		const char *name;
		enum temporal_handler_retry retry;
	} cases[] = {
		{ TEMPORAL_INVALID_ARGUMENT, "BAD_REQUEST", TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_ALREADY_EXISTS, "INTERNAL", TEMPORAL_HANDLER_NON_RETRYABLE },
		{ TEMPORAL_FAILED_PRECONDITION, "INTERNAL", TEMPORAL_HANDLER_NON_RETRYABLE },
		{ TEMPORAL_OUT_OF_RANGE, "INTERNAL", TEMPORAL_HANDLER_NON_RETRYABLE },
		{ TEMPORAL_ABORTED, "UNAVAILABLE", TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_UNAVAILABLE, "UNAVAILABLE", TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_NOT_FOUND, "NOT_FOUND", TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED",
			TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_UNIMPLEMENTED, "NOT_IMPLEMENTED", TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_DEADLINE_EXCEEDED, "UPSTREAM_TIMEOUT", TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_UNAUTHENTICATED, "INTERNAL", TEMPORAL_HANDLER_RETRY_DEFAULT },
		{ TEMPORAL_NO_MEMORY, "INTERNAL", TEMPORAL_HANDLER_RETRY_DEFAULT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum temporal_handler_retry retry;
		enum nexus_error_type type = worker_nexus_error_of(cases[i].code, &retry);

		assert_string_equal(worker_nexus_error_name(type), cases[i].name);
		assert_int_equal(retry, cases[i].retry);
	}
	assert_string_equal(worker_nexus_error_name((enum nexus_error_type)99), "INTERNAL");
	assert_string_equal(worker_nexus_error_name(NEXUS_ERROR_UNAUTHORIZED), "UNAUTHORIZED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_token_is_that_of_the_other_sdks, begin, end),
		cmocka_unit_test_setup_teardown(any_id_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(a_token_that_is_none_is_refused, begin, end),
		cmocka_unit_test(a_token_without_memory_is_not_wrong),
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(each_code_has_its_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
