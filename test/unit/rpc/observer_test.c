/*
 * Goal: a channel's observer hears of each try of its calls, once. Method: a server that fails as
 * told, and one that does not answer in time.
 */
#include "rpc_fixture.h"

struct counting {
	struct rpc_observer observer;
	int tries, unavailable, late, odd; /* the loop's, and ours after a call */
};

static void count_try(struct rpc_observer *observer, const struct rpc_method *method,
	bool long_poll, enum temporal_code code, int64_t took_ns)
{
	struct counting *counting = (struct counting *)(void *)observer;

	counting->odd += method != &rpc_workflow_describe_namespace || long_poll || took_ns < 0;
	counting->tries++;
	counting->unavailable += code == TEMPORAL_UNAVAILABLE;
	counting->late += code == TEMPORAL_DEADLINE_EXCEEDED;
}

static void observers_hear_of_each_try_once(void **state)
{
	struct fixture *f = *state;
	struct counting counting = { .observer.tried = count_try };
	char id[100];

	f->failures_left = 2;
	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	rpc_channel_observe(f->channel, &counting.observer);
	assert_int_equal(describe(f, "flaky", CALL(.retry = RPC_RETRY_CALL), id), TEMPORAL_OK);
	assert_int_equal(counting.tries, 3);
	assert_int_equal(counting.unavailable, 2);
	assert_int_equal(
		describe(f, "hold", CALL(.timeout_ms = 60), NULL), TEMPORAL_DEADLINE_EXCEEDED);
	assert_int_equal(counting.tries, 4);
	assert_int_equal(counting.late, 1);
	assert_int_equal(counting.odd, 0);
	wait_for(&f->cancelled, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			observers_hear_of_each_try_once, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
