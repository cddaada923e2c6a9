/*
 * Goal: an attempt hears why it is to stop: its cancellation, a pause, a reset, a run that is gone;
 * and what it answers then is what the server expects: a pause and a reset are followed by another
 * attempt, what the server does not know any more is not answered. Method: an activity that beats
 * until it is told to stop, and notes the reason; what is to happen to it is asked for by calls of
 * the API.
 */
#include "worker_fixture.h"

#include <stdatomic.h>

typedef const char *stay_out;
TEMPORAL_ACTIVITY_CONTRACT_0(stay, "stay");
typedef const char *host_out;
TEMPORAL_WORKFLOW_CONTRACT_0(host, "Host");

static atomic_int beats, reason;

/* The second attempt is over at once. */
static const struct temporal_failure *stay_run(struct act *act, stay_out *out)
{
	*out = "the second";
	if (act_info(act)->attempt > 1 || atomic_load(&reason) != ACT_NOT_CANCELLED)
		return NULL;
	while (!act_wait(act, 20)) {
		act_heartbeat_0(act);
		atomic_fetch_add(&beats, 1);
	}
	atomic_store(&reason, (int)act_cancel_reason(act));
	return act_cancel_reason(act) == ACT_NOT_FOUND ? act_failure(act, "Late", "nobody hears it")
						       : act_cancelled_failure(act);
}
TEMPORAL_ACTIVITY_0(stay);

static host_out host_run(struct wf *wf)
{
	static const struct temporal_retry_policy quick = { .initial_interval_ms = 10 };
	static const struct wf_activity_opts opts = { .start_to_close_ms = 30000,
		.retry = &quick,
		.cancellation = TEMPORAL_WAIT_CANCELLATION_COMPLETED };

	return wf_activity_0(wf, stay, &opts);
}
TEMPORAL_WORKFLOW_0(host);

/* The activity beats when this returns. */
static struct temporal_run *start_staying(void)
{
	atomic_store(&beats, 0);
	atomic_store(&reason, ACT_NOT_CANCELLED);
	start_worker((struct temporal_worker_opts){ .workflows = WORKFLOWS(&host_workflow),
		.activities = ACTIVITIES(&stay_activity),
		.default_heartbeat_throttle_interval_ms = 50 });
	struct temporal_run *run = START_0(host);

	for (int i = 0; atomic_load(&beats) < 3; i++) {
		assert_true(i < 2000);
		test_pause();
	}
	return run;
}

static void ask_for(const char *method, const struct temporal_run *run)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	char path[96], request[512];

	snprintf(path, sizeof(path), "/temporal.api.workflowservice.v1.WorkflowService/%s", method);
	snprintf(request, sizeof(request),
		"{\"namespace\":\"default\",\"execution\":{\"workflowId\":\"%s\"},\"id\":\"1\","
		"\"identity\":\"me\"}",
		temporal_run_workflow_id(run));
	temporal_buffer_unref(temporal_client_call(fixture.client, path,
		(struct temporal_bytes){ request, strlen(request) }, true, &err));
	if (err.code != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
}

static int heard_reason(void)
{
	for (int i = 0; atomic_load(&reason) == ACT_NOT_CANCELLED; i++) {
		assert_true(i < 2000);
		test_pause();
	}
	return atomic_load(&reason);
}

static void a_cancellation_is_a_reason(void **state)
{
	struct temporal_run *run = start_staying();
	struct temporal_error err;

	assert_int_equal(temporal_run_cancel_0(run, &err), TEMPORAL_OK);
	assert_int_equal(heard_reason(), ACT_CANCEL_REQUESTED);
	struct temporal_result *result = failed_result(run);

	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_CANCELED);
	temporal_result_unref(result);
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_CANCELED), 1);
}

static void a_pause_is_a_reason(void **state)
{
	struct temporal_run *run = start_staying();

	ask_for("PauseActivity", run);
	assert_int_equal(heard_reason(), ACT_PAUSED);
	wait_for_events(TEMPORAL_EVENT_ACTIVITY_FAILED, 1);
	assert_string_equal(
		fixture.last_text[TEMPORAL_EVENT_ACTIVITY_FAILED], "the activity was paused");
	ask_for("UnpauseActivity", run);
	assert_result(run, &host, "the second");
}

static void a_reset_is_a_reason(void **state)
{
	struct temporal_run *run = start_staying();

	ask_for("ResetActivity", run);
	assert_int_equal(heard_reason(), ACT_RESET);
	assert_result(run, &host, "the second");
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 1);
}

static void what_is_not_known_is_a_reason(void **state)
{
	struct temporal_run *run = start_staying();
	struct temporal_error err;

	assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_OK);
	assert_int_equal(heard_reason(), ACT_NOT_FOUND);
	wait_for_events(TEMPORAL_EVENT_ACTIVITY_CANCELED, 1);
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 0);
	temporal_run_unref(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_cancellation_is_a_reason, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_pause_is_a_reason, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_reset_is_a_reason, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			what_is_not_known_is_a_reason, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
