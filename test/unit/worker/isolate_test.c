/*
 * Goal: an attempt in a child process is killed some time after its cancellation, but nothing is
 * left to happen to one that has ended. Method: attempts made by hand, on a loop that does not run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/loop.h"
#include "worker/act.h"
#include "worker/isolate.h"
#include "worker/worker.h"

static struct temporal_worker worker;

static int begin(void **state)
{
	worker = (struct temporal_worker){ .opts.isolated_kill_grace_ms = 1000 };
	worker.loop = rpc_loop_new(NULL);
	return worker.loop ? 0 : -1;
}

static int end(void **state)
{
	rpc_loop_free(worker.loop);
	return 0;
}

static bool cancel(struct act *act)
{
	act->worker = &worker;
	pthread_mutex_init(&act->lock, NULL);
	pthread_cond_init(&act->cancelled, NULL);
	worker_act_cancel(act, ACT_NOT_FOUND, true);
	bool armed = act->kill_timer.armed;

	assert_int_equal(act_cancel_reason(act), ACT_NOT_FOUND);
	rpc_timer_stop(&act->kill_timer);
	pthread_cond_destroy(&act->cancelled);
	pthread_mutex_destroy(&act->lock);
	return armed;
}

static void it_will_be_killed(void **state)
{
	struct act act = { .isolated = true };

	assert_true(cancel(&act));
}

static void a_thread_cannot_be_killed(void **state)
{
	struct act act = { .isolated = false };

	assert_false(cancel(&act));
}

/* The answer to its last heartbeat comes after that to its result: then it is freed at once. */
static void what_has_ended_needs_no_killing(void **state)
{
	struct act act = { .isolated = true, .ended = true };

	assert_false(cancel(&act));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_will_be_killed, begin, end),
		cmocka_unit_test_setup_teardown(a_thread_cannot_be_killed, begin, end),
		cmocka_unit_test_setup_teardown(what_has_ended_needs_no_killing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
