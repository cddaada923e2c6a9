/*
 * Goal: replies are put off exactly where that was asked for: those of lazy calls, and, while there
 * is work, all of them until the next tick. Method: our client against our server over loopback,
 * and the time a call takes. A slow machine can only lengthen it, so what must be late is late each
 * time, and of what must be prompt it is enough that it is so once in many calls.
 */
#include "rpc_fixture.h"

#include "rpc/limits.h"

#include <poll.h>

#define INTERVAL_MS 100
#define LATE_MS     (INTERVAL_MS - 25) /* a tick counts from the reading before the call */
#define SLOW        "slow 40"          /* well within the interval, and no sign of haste */
#define TRIES       40

static int64_t call_ms(struct fixture *f, const char *what, struct rpc_request request)
{
	int64_t start_ns = rpc_now_ns();

	assert_int_equal(describe(f, what, request, NULL), TEMPORAL_OK);
	return (rpc_now_ns() - start_ns) / RPC_MS_NS;
}

static bool is_prompt_once(struct fixture *f)
{
	for (int i = 0; i < TRIES; i++) {
		if (call_ms(f, "hello", CALL(.retry = RPC_RETRY_NONE)) < LATE_MS)
			return true;
	}
	return false;
}

/* The work is the loop's to count. */
struct change {
	struct rpc_task task;
	struct rpc_channel *channel;
	int by;
	atomic_int done;
};

static void do_change(struct rpc_task *task)
{
	struct change *change =
		(struct change *)(void *)((char *)task - offsetof(struct change, task));

	rpc_channel_work(change->channel, change->by);
	atomic_store(&change->done, 1);
}

static void change_work(struct fixture *f, int by)
{
	struct change change = { .task.run = do_change, .channel = f->channel, .by = by };

	rpc_loop_post(rpc_channel_loop(f->channel), &change.task);
	wait_for(&change.done, 1);
}

static void lazy_replies_wait(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_true(is_prompt_once(f));
	for (int i = 0; i < 3; i++)
		assert_true(call_ms(f, "hello", CALL(.lazy = true)) >= RPC_LAZY_MS - 1);
	assert_true(is_prompt_once(f));
}

static void work_is_read_at_an_interval(void **state)
{
	struct fixture *f = *state;
	int late = 0;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ .read_interval_ms = INTERVAL_MS });
	assert_true(is_prompt_once(f));
	change_work(f, RPC_TICK_WORK);
	for (int i = 0; i < TRIES && late < 5; i++)
		late += call_ms(f, SLOW, CALL(.retry = RPC_RETRY_NONE)) >= LATE_MS;
	assert_int_equal(late, 5);
	change_work(f, -RPC_TICK_WORK);
	call_ms(f, SLOW, CALL(.retry = RPC_RETRY_NONE));
	assert_true(is_prompt_once(f));
}

static void a_fast_server_is_not_held_up(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ .read_interval_ms = INTERVAL_MS });
	change_work(f, RPC_TICK_WORK);
	/* Two slow ones begin it; then all replies come at the interval's beginning. */
	for (int i = 0; i < 3; i++)
		call_ms(f, SLOW, CALL(.retry = RPC_RETRY_NONE));
	assert_true(is_prompt_once(f));
}

static void an_empty_interval_ends_it(void **state)
{
	struct fixture *f = *state;
	bool prompt = false;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ .read_interval_ms = INTERVAL_MS });
	change_work(f, RPC_TICK_WORK);
	for (int i = 0; i < 3; i++)
		call_ms(f, SLOW, CALL(.retry = RPC_RETRY_NONE));
	for (int i = 0; i < TRIES && !prompt; i++) {
		poll(NULL, 0, 2 * INTERVAL_MS + 20);
		prompt = call_ms(f, "hello", CALL(.retry = RPC_RETRY_NONE)) < LATE_MS;
	}
	assert_true(prompt);
}

static void without_the_option_work_is_prompt(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	connect_with(f, (struct rpc_connect_opts){ 0 });
	change_work(f, RPC_TICK_WORK);
	call_ms(f, "hello", CALL(.retry = RPC_RETRY_NONE));
	assert_true(is_prompt_once(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lazy_replies_wait, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			work_is_read_at_an_interval, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_fast_server_is_not_held_up, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_empty_interval_ends_it, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			without_the_option_work_is_prompt, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
