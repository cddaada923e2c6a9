/* The retry policies as tables: failure in, wait out. `chance` in the middle of the spread gives
 * the plain waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/limits.h"
#include "rpc/retry.h"

#define MS(ms_) ((int64_t)(ms_)*RPC_MS_NS)

static int64_t next(
	struct rpc_retry_state *state, enum temporal_code code, const char *message, int64_t now_ms)
{
	const struct rpc_failure failure = { .code = code, .message = message };

	return rpc_retry_next(state, &failure, MS(now_ms), 0); /* chance 0: 80 % of the wait */
}

static void calls_wait_longer_each_time(void **state)
{
	struct rpc_retry_state retry;
	const int64_t waits[] = { 80, 136, 231, 392, 667, 1135 };
	int64_t now_ms = 0;

	rpc_retry_init(&retry, RPC_RETRY_CALL, 0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		int64_t wait = next(&retry, TEMPORAL_UNAVAILABLE, "", now_ms);

		assert_in_range(wait, waits[i] - 2, waits[i] + 2);
		now_ms += wait;
	}
}

static void a_scaled_poll_tells_of_load(void **state)
{
	static const enum temporal_code told[] = { TEMPORAL_RESOURCE_EXHAUSTED, TEMPORAL_CANCELLED,
		TEMPORAL_DEADLINE_EXCEEDED };
	struct rpc_retry_state retry;

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		rpc_retry_init(&retry, RPC_RETRY_SCALED_POLL, 0);
		assert_int_equal(next(&retry, told[i], "", 0), -1);
	}
	rpc_retry_init(&retry, RPC_RETRY_SCALED_POLL, 0);
	assert_int_equal(next(&retry, TEMPORAL_UNAVAILABLE, "", 0), 160);
	assert_int_equal(next(&retry, TEMPORAL_PERMISSION_DENIED, "", 0), 10000);
}

static void calls_end_after_ten_tries(void **state)
{
	struct rpc_retry_state retry;

	rpc_retry_init(&retry, RPC_RETRY_CALL, 0);
	for (int i = 0; i < 9; i++)
		assert_true(next(&retry, TEMPORAL_INTERNAL, "", 0) >= 0);
	assert_int_equal(next(&retry, TEMPORAL_INTERNAL, "", 0), -1);
}

static void calls_end_after_ten_seconds(void **state)
{
	struct rpc_retry_state retry;

	rpc_retry_init(&retry, RPC_RETRY_CALL, 0);
	assert_true(next(&retry, TEMPORAL_UNAVAILABLE, "", 9000) >= 0);
	assert_int_equal(next(&retry, TEMPORAL_UNAVAILABLE, "", 9990), -1);
}

static void what_calls_try_again(void **state)
{
	static const bool again[] = {
		[TEMPORAL_UNKNOWN] = true,
		[TEMPORAL_RESOURCE_EXHAUSTED] = true,
		[TEMPORAL_ABORTED] = true,
		[TEMPORAL_OUT_OF_RANGE] = true,
		[TEMPORAL_INTERNAL] = true,
		[TEMPORAL_UNAVAILABLE] = true,
		[TEMPORAL_DATA_LOSS] = true,
		[TEMPORAL_UNAUTHENTICATED] = false,
	};

	for (unsigned code = 1; code < sizeof(again) / sizeof(again[0]); code++) {
		struct rpc_retry_state retry;

		rpc_retry_init(&retry, RPC_RETRY_CALL, 0);
		assert_int_equal(next(&retry, (enum temporal_code)code, "", 0) >= 0, again[code]);
		rpc_retry_init(&retry, RPC_RETRY_NONE, 0);
		assert_int_equal(next(&retry, (enum temporal_code)code, "", 0), -1);
	}
}

static void throttled_calls_wait_a_second(void **state)
{
	struct rpc_retry_state retry;

	rpc_retry_init(&retry, RPC_RETRY_CALL, 0);
	assert_in_range(next(&retry, TEMPORAL_RESOURCE_EXHAUSTED, "busy", 0), 800, 1200);
	assert_in_range(next(&retry, TEMPORAL_RESOURCE_EXHAUSTED, "busy", 0), 1600, 2400);
	assert_in_range(next(&retry, TEMPORAL_UNAVAILABLE, "", 0), 200, 400);
}

/* A program hears of it; a worker's own calls wait for memory. */
static void a_worker_waits_for_memory(void **state)
{
	static const struct {
		enum rpc_retry policy;
		int64_t wait_ms;
	} cases[] = { { RPC_RETRY_NONE, -1 }, { RPC_RETRY_CALL, -1 }, { RPC_RETRY_USER_POLL, -1 },
		{ RPC_RETRY_REPORT, 80 }, { RPC_RETRY_LONG_POLL, 160 },
		{ RPC_RETRY_SCALED_POLL, 160 } };
	struct rpc_retry_state retry;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rpc_retry_init(&retry, cases[i].policy, 0);
		assert_int_equal(next(&retry, TEMPORAL_NO_MEMORY, "", 0), cases[i].wait_ms);
	}
}

static void too_large_is_final(void **state)
{
	struct rpc_retry_state retry;

	rpc_retry_init(&retry, RPC_RETRY_LONG_POLL, 0);
	assert_int_equal(next(&retry, TEMPORAL_RESOURCE_EXHAUSTED,
				 "grpc: received message larger than max (9 vs. 4)", 0),
		-1);
	assert_int_equal(next(&retry, TEMPORAL_RESOURCE_EXHAUSTED,
				 "grpc: received message after decompression larger than max 4", 0),
		-1);
}

static void polls_never_end(void **state)
{
	struct rpc_retry_state retry;
	int64_t wait = 0;

	rpc_retry_init(&retry, RPC_RETRY_LONG_POLL, 0);
	for (int i = 0; i < 50; i++)
		wait = next(&retry, i % 2 ? TEMPORAL_CANCELLED : TEMPORAL_DEADLINE_EXCEEDED, "",
			i * 100000);
	assert_in_range(wait, 8000, 12000);
}

/* Other failures are tried again for a minute, each ten seconds. */
static void polls_forgive_for_a_minute(void **state)
{
	struct rpc_retry_state retry;

	rpc_retry_init(&retry, RPC_RETRY_LONG_POLL, 0);
	assert_int_equal(next(&retry, TEMPORAL_NOT_FOUND, "", 0), 10000);
	assert_int_equal(next(&retry, TEMPORAL_PERMISSION_DENIED, "", 60000), 10000);
	assert_int_equal(next(&retry, TEMPORAL_NOT_FOUND, "", 61000), -1);
}

static void a_users_poll_counts_from_its_first_failure(void **state)
{
	struct rpc_retry_state retry;

	rpc_retry_init(&retry, RPC_RETRY_USER_POLL, 0);
	assert_true(next(&retry, TEMPORAL_UNAVAILABLE, "", 65000) >= 0);
	assert_int_equal(next(&retry, TEMPORAL_UNAVAILABLE, "", 75500), -1);
	rpc_retry_init(&retry, RPC_RETRY_USER_POLL, 0);
	assert_int_equal(next(&retry, TEMPORAL_NOT_FOUND, "", 0), -1);
}

static void a_cancelled_connection_is_tried_once(void **state)
{
	const struct rpc_failure failure = { .code = TEMPORAL_CANCELLED, .transport = true };
	struct rpc_retry_state retry;

	rpc_retry_init(&retry, RPC_RETRY_CALL, 0);
	assert_true(rpc_retry_next(&retry, &failure, 0, 0) >= 0);
	assert_int_equal(rpc_retry_next(&retry, &failure, 0, 0), -1);
}

static void waits_are_spread(void **state)
{
	int64_t least = 1000, most = 0;

	for (uint32_t chance = 0; chance < 1000; chance++) {
		const struct rpc_failure failure = { .code = TEMPORAL_UNAVAILABLE };
		struct rpc_retry_state retry;

		rpc_retry_init(&retry, RPC_RETRY_CALL, 0);
		int64_t wait = rpc_retry_next(&retry, &failure, 0, chance);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_int_equal(least, 80);
	assert_int_equal(most, 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_wait_longer_each_time),
		cmocka_unit_test(a_scaled_poll_tells_of_load),
		cmocka_unit_test(calls_end_after_ten_tries),
		cmocka_unit_test(calls_end_after_ten_seconds),
		cmocka_unit_test(what_calls_try_again),
		cmocka_unit_test(throttled_calls_wait_a_second),
		cmocka_unit_test(a_worker_waits_for_memory),
		cmocka_unit_test(too_large_is_final),
		cmocka_unit_test(polls_never_end),
		cmocka_unit_test(polls_forgive_for_a_minute),
		cmocka_unit_test(a_users_poll_counts_from_its_first_failure),
		cmocka_unit_test(a_cancelled_connection_is_tried_once),
		cmocka_unit_test(waits_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
