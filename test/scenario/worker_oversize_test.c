/*
 * Goal: what is larger than the namespace takes fails the task here, with the cause that says so,
 * and the run lives; with the check switched off, the server has its say. Method: a workflow and an
 * activity whose answers are of the size that they are asked for.
 */
#include "worker_fixture.h"

#include <stdlib.h>

struct fill_in {
	int64_t bytes;
};
typedef const char *fill_out;
TEMPORAL_ACTIVITY_CONTRACT(fill, "fill", bytes);

struct full_in {
	int64_t bytes;
	bool by_activity;
};
typedef int64_t full_out;
TEMPORAL_WORKFLOW_CONTRACT(full, "Full", bytes, by_activity);

struct swallow_in {
	const char *text;
};
typedef int64_t swallow_out;
TEMPORAL_ACTIVITY_CONTRACT(swallow, "swallow", text);

static const struct temporal_failure *fill_run(
	struct act *act, const struct fill_in *in, fill_out *out)
{
	char *text = act_alloc(act, (size_t)in->bytes + 1);

	memset(text, 'x', (size_t)in->bytes);
	text[in->bytes] = '\0';
	*out = text;
	return NULL;
}
TEMPORAL_ACTIVITY(fill);

static const struct temporal_failure *swallow_run(
	struct act *act, const struct swallow_in *in, swallow_out *out)
{
	*out = (int64_t)strlen(in->text);
	return NULL;
}
TEMPORAL_ACTIVITY(swallow);

static full_out full_run(struct wf *wf, const struct full_in *in)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	static const struct wf_activity_opts opts = { .start_to_close_ms = 10000, .retry = &once };

	if (in->by_activity)
		return (int64_t)strlen(wf_activity(wf, fill, &opts, .bytes = in->bytes));
	char *text = wf_alloc(wf, (size_t)in->bytes + 1);

	memset(text, 'x', (size_t)in->bytes);
	text[in->bytes] = '\0';
	return wf_activity(wf, swallow, &opts, .text = text);
}
TEMPORAL_WORKFLOW(full);

static const struct temporal_workflow *const workflows[] = { &full_workflow, NULL };
static const struct temporal_activity *const activities[] = { &fill_activity, &swallow_activity,
	NULL };

/* The worker knows the limits once a workflow has run that needed several tasks. */
static void start_full(struct temporal_worker_opts opts)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t n = 0;

	opts.workflows = workflows;
	opts.activities = activities;
	start_worker(opts);
	struct temporal_run *run = START(full, .bytes = 1000, .by_activity = true);

	assert_int_equal(temporal_result_(run, &full, &n, NULL, 0, NULL, &err), TEMPORAL_OK);
	assert_int_equal(n, 1000);
	temporal_run_unref(run);
	memset(fixture.events, 0, sizeof(fixture.events));
}

#define LARGE (2 * 1024 * 1024 + 1000) /* the servers' default limit, and some more */

static void an_activity_whose_result_is_too_large_fails(void **state)
{
	start_full((struct temporal_worker_opts){ 0 });
	struct temporal_result *result =
		failed_result(START(full, .bytes = LARGE, .by_activity = true));
	const struct temporal_failure *failure = temporal_result_failure(result);

	while (failure->cause)
		failure = failure->cause;
	assert_string_equal(failure->type, "PayloadsTooLarge");
	assert_non_null(strstr(failure->message, "TMPRL1103"));
	temporal_result_unref(result);
}

static void a_task_whose_commands_are_too_large_fails(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	start_full((struct temporal_worker_opts){ 0 });
	struct temporal_run *run = START(full, .bytes = LARGE);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, 1);
	assert_non_null(
		strstr(fixture.last_text[TEMPORAL_EVENT_WORKFLOW_TASK_FAILED], "TMPRL1103"));
	/* It waits for better code, and can be ended. */
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKFLOW_FAILED), 0);
	assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_OK);
	temporal_run_unref(run);
}

static void without_the_check_the_server_decides(void **state)
{
	start_full((struct temporal_worker_opts){ .no_payload_limit = true });
	struct temporal_result *result =
		failed_result(START(full, .bytes = LARGE, .by_activity = true));
	const struct temporal_failure *failure = temporal_result_failure(result);

	while (failure->cause)
		failure = failure->cause;
	assert_null(strstr(failure->message, "TMPRL1103"));
	temporal_result_unref(result);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin_test, end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_activity_whose_result_is_too_large_fails),
		TEST(a_task_whose_commands_are_too_large_fails),
		TEST(without_the_check_the_server_decides),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
