/*
 * Goal: where the server gives commands to workers, a cancelled activity hears of it at once,
 * without a heartbeat; where it does not, with the next heartbeat, as always. Method: servers of
 * the test's own, the real one with and without commands; an activity that waits to be cancelled,
 * with and without heartbeats. temporald gives no commands: there both are as the second.
 */
#include "worker_fixture.h"

#include <stdatomic.h>

struct wait_in {
	bool beats;
	int64_t ms;
};
typedef bool wait_out;
TEMPORAL_ACTIVITY_CONTRACT(wait, "wait", beats, ms);

struct nothing_in {
	int64_t n;
};
typedef int64_t nothing_out;
TEMPORAL_ACTIVITY_CONTRACT(nothing, "nothing", n);

struct cancel_in {
	bool beats;
};
typedef bool cancel_out;
TEMPORAL_WORKFLOW_CONTRACT(cancel, "Cancel", beats);

static atomic_int patience_ms; /* after which the one that is cancelled ends by itself */

static const struct temporal_failure *wait_run(
	struct act *act, const struct wait_in *in, wait_out *out)
{
	int64_t begun_ms = test_now_ms();

	while (test_now_ms() - begun_ms < in->ms && !act_wait(act, 50)) {
		if (in->beats)
			act_heartbeat(act, 1);
	}
	*out = act_cancelled(act);
	return *out ? act_cancelled_failure(act) : NULL;
}
TEMPORAL_ACTIVITY(wait);

static const struct temporal_failure *nothing_run(
	struct act *act, const struct nothing_in *in, nothing_out *out)
{
	*out = in->n;
	return NULL;
}
TEMPORAL_ACTIVITY(nothing);

/* Was the activity cancelled, and not the one beside it? */
static cancel_out cancel_run(struct wf *wf, const struct cancel_in *in)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	static const struct wf_activity_opts opts = { .start_to_close_ms = 20000,
		.heartbeat_ms = 1000,
		.retry = &once,
		.no_eager = true,
		.cancellation = TEMPORAL_WAIT_CANCELLATION_COMPLETED },
					     patient = { .start_to_close_ms = 20000,
						     .retry = &once,
						     .no_eager = true,
						     .cancellation =
							     TEMPORAL_WAIT_CANCELLATION_COMPLETED };

	int64_t first = 0;

	/* The polls that have waited since before the commands were known of. */
	for (int64_t i = 0; i < 8; i++)
		first += wf_activity(wf, nothing, &patient, .n = i);
	struct wf_future *waits = wf_start_activity(wf, wait, in->beats ? &opts : &patient,
		.beats = in->beats, .ms = atomic_load(&patience_ms));
	struct wf_future *beside = wf_start_activity(wf, wait, &patient, .ms = 900);

	wf_sleep(wf, 300);
	wf_cancel(wf, waits);
	const struct temporal_failure *failure = wf_try(wf, waits);
	bool too = wf_await(wf, wait, beside);

	return failure != NULL && first == 28 && !too;
}
TEMPORAL_WORKFLOW(cancel);

static bool is_cancelled(bool beats)
{
	struct temporal_run *run = START(cancel, .beats = beats);
	struct temporal_error err = { .code = TEMPORAL_OK };
	bool cancelled = false;

	if (temporal_result_(run, &cancel, &cancelled, NULL, 0, NULL, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
	temporal_run_unref(run);
	return cancelled;
}

static void with_server(const char *const config[], bool commands)
{
	static const struct temporal_workflow *const workflows[] = { &cancel_workflow, NULL };
	static const struct temporal_activity *const activities[] = { &wait_activity,
		&nothing_activity, NULL };
	struct test_server server;

	test_server_start(&server, &(const struct test_server_opts){ .dynamic_config = config });
	connect_client(server.address);
	start_worker((struct temporal_worker_opts){
		.workflows = workflows, .activities = activities, .activity_task_pollers = 2 });
	atomic_store(&patience_ms, 15000);
	assert_true(is_cancelled(true));
	if (!commands)
		atomic_store(&patience_ms, 1500); /* five times as long as it would take */
	assert_int_equal(is_cancelled(false), commands);
	stop_worker();
	temporal_client_unref(fixture.client);
	fixture.client = NULL;
	test_server_stop(&server);
}

static void a_command_cancels_without_heartbeats(void **state)
{
	static const char *const config[] = { "frontend.WorkerCommandsEnabled=true",
		"system.enableCancelActivityWorkerCommand=true", NULL };

	with_server(config, test_server_is_real());
}

static void without_commands_it_takes_a_heartbeat(void **state)
{
	with_server(NULL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_command_cancels_without_heartbeats, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			without_commands_it_takes_a_heartbeat, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
