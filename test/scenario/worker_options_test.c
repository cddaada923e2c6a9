/*
 * Goal: options of the worker that no other test shows do what they say. Method: for each a case
 * that comes out otherwise, or not in time, without the option: heartbeats by which a cancellation
 * is noticed long before the default interval, frames that the default stacks cannot hold.
 */
#include "worker_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LARGE_FRAME 300000  /* bytes, on a workflow's stack of 64 KiB by default */
#define HUGE_FRAME  3000000 /* the same, on an activity's of 1 MiB */

struct work_in {
	const char *what;
};
typedef const char *work_out;
TEMPORAL_ACTIVITY_CONTRACT(work, "work", what);

struct call_in {
	const char *what;
	int64_t heartbeat_ms, n;
};
typedef const char *call_out;
TEMPORAL_WORKFLOW_CONTRACT(call, "Call", what, heartbeat_ms, n);

static atomic_int beats, starts, lines;
static char last_user;

/* Writes to both ends of a frame of that size; not to be inlined into one that is not used. */
static __attribute__((noinline)) int use_stack(size_t size)
{
	volatile char *frame = __builtin_alloca(size);

	frame[0] = 1;
	frame[size - 1] = 2;
	return frame[0] + frame[size - 1];
}

static const struct temporal_failure *work_run(
	struct act *act, const struct work_in *in, work_out *out)
{
	*out = in->what;
	if (strcmp(in->what, "stack") == 0)
		*out = use_stack(HUGE_FRAME) == 3 ? "held" : "lost";
	if (strcmp(in->what, "beat") != 0)
		return NULL;
	while (!act_cancelled(act)) {
		act_heartbeat_0(act);
		atomic_fetch_add(&beats, 1);
		act_wait(act, 20);
	}
	return act_cancelled_failure(act);
}
TEMPORAL_ACTIVITY(work);

/* "changed": what it does depends on how often it was started, which code must not do. */
static call_out call_run(struct wf *wf, const struct call_in *in)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = 30000,
		.heartbeat_ms = in->heartbeat_ms,
		.cancellation = TEMPORAL_WAIT_CANCELLATION_COMPLETED };
	const char *last = "";

	if (strcmp(in->what, "changed") == 0) {
		if (atomic_fetch_add(&starts, 1) == 0)
			wf_sleep(wf, 1);
		return wf_activity(wf, work, &opts, .what = "changed");
	}
	if (strcmp(in->what, "frame") == 0)
		return use_stack(LARGE_FRAME) == 3 ? "held" : "lost";
	if (strcmp(in->what, "log") == 0)
		wf_log(wf, TEMPORAL_LOG_INFO, "a line");
	if (strcmp(in->what, "wait") == 0) {
		atomic_fetch_add(&starts, 1);
		wf_receive_raw(wf, "go on");
	}
	if (strcmp(in->what, "patch") == 0)
		return wf_patched(wf, "way") ? "new" : "old";
	for (int64_t i = 0; i < in->n; i++)
		last = wf_activity(wf, work, &opts, .what = in->what);
	if (strcmp(in->what, "build") == 0)
		return wf_info(wf)->build_id;
	return last;
}
TEMPORAL_WORKFLOW(call);

static void count_line(const struct temporal_worker_log *line, void *user)
{
	if (user == &last_user && strcmp(line->message, "a line") == 0)
		atomic_fetch_add(&lines, 1);
}

static void start_all(struct temporal_worker_opts opts)
{
	opts.workflows = WORKFLOWS(&call_workflow);
	opts.activities = ACTIVITIES(&work_activity);
	start_worker(opts);
}

/* The activity is cancelled while it beats; how long until it has noticed. */
static int64_t cancelled_after_ms(int64_t heartbeat_ms)
{
	struct temporal_run *run =
		START(call, .what = "beat", .heartbeat_ms = heartbeat_ms, .n = 1);
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t start_ms;

	atomic_store(&beats, 0);
	while (atomic_load(&beats) < 3)
		test_pause();
	start_ms = test_now_ms();
	assert_int_equal(temporal_run_cancel_0(run, &err), TEMPORAL_OK);
	temporal_result_unref(failed_result(run));
	return test_now_ms() - start_ms;
}

/* 24 s otherwise: 0.8 of the heartbeat timeout. */
static void heartbeats_come_at_least_so_often(void **state)
{
	start_all((struct temporal_worker_opts){ .max_heartbeat_throttle_interval_ms = 100 });
	assert_in_range(cancelled_after_ms(30000), 0, 10000);
}

/* 30 s otherwise. */
static void without_a_timeout_heartbeats_have_an_interval(void **state)
{
	start_all((struct temporal_worker_opts){ .default_heartbeat_throttle_interval_ms = 100 });
	assert_in_range(cancelled_after_ms(0), 0, 10000);
}

static void stacks_have_their_size(void **state)
{
	start_all((struct temporal_worker_opts){
		.workflow_stack_size = 1 << 20, .activity_stack_size = 8 << 20 });
	assert_result(START(call, .what = "frame"), &call, "held");
	assert_result(START(call, .what = "stack", .n = 1), &call, "held");
}

/* Its task fails for ever otherwise. */
static void changed_code_may_fail_the_run(void **state)
{
	start_all((struct temporal_worker_opts){
		.fail_run_on_nondeterminism = true, .max_cached_workflows = TEMPORAL_OFF });
	atomic_store(&starts, 0);

	struct temporal_result *result = failed_result(START(call, .what = "changed"));

	assert_non_null(strstr(temporal_result_failure(result)->message, "TMPRL1100"));
	temporal_result_unref(result);
}

/* Both servers let a second's worth pass at once. */
static void a_queue_has_a_rate(void **state)
{
	int64_t start_ms;

	start_all((struct temporal_worker_opts){ .max_task_queue_activities_per_second = 4 });
	start_ms = test_now_ms();
	assert_result(START(call, .what = "quick", .n = 13), &call, "quick");
	assert_true(test_now_ms() - start_ms >= 1000);
}

static void its_name_stands_in_history(void **state)
{
	struct temporal_run *run;
	char *output = NULL;

	start_all((struct temporal_worker_opts){ .identity = "ann-at-work" });
	run = START(call, .what = "quick", .n = 1);

	char id[128];

	snprintf(id, sizeof(id), "%s", temporal_run_workflow_id(run));
	assert_result(run, &call, "quick");
	const char *const args[] = { "workflow", "show", "--output", "json", "--workflow-id", id,
		NULL };

	assert_int_equal(test_server_run_cli(test_server_shared(), args, &output), 0);
	assert_non_null(strstr(output, "\"identity\": \"ann-at-work\""));
	free(output);
}

/* A worker of its own: the fixture's has other callbacks. Each activity is another task, and each
 * task replays the run. */
static int lines_of(enum temporal_log_level level, bool on_replay, int activities)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(fixture.client, &err,
		.task_queue = fixture.queue, .workflows = WORKFLOWS(&call_workflow),
		.activities = ACTIVITIES(&work_activity), .max_cached_workflows = TEMPORAL_OFF,
		.on_log = count_line, .log_level = level, .user = &last_user,
		.log_on_replay = on_replay);

	assert_non_null(worker);
	atomic_store(&lines, 0);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	assert_result(START(call, .what = "log", .n = activities), &call, activities ? "log" : "");
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	return atomic_load(&lines);
}

static void the_log_has_a_level(void **state)
{
	assert_int_equal(lines_of(TEMPORAL_LOG_INFO, false, 0), 1);
	begin_test(state);
	assert_int_equal(lines_of(0, false, 0), 0);
}

static void the_log_may_repeat_itself(void **state)
{
	assert_int_equal(lines_of(TEMPORAL_LOG_INFO, false, 2), 1);
	begin_test(state);
	assert_int_equal(lines_of(TEMPORAL_LOG_INFO, true, 2), 3);
}

static bool not_yet(const char *patch_id, const struct wf_info *info, void *user)
{
	return strcmp(patch_id, "way") != 0;
}

static void a_patch_may_wait(void **state)
{
	start_all((struct temporal_worker_opts){ .use_patch = not_yet });
	assert_result(START(call, .what = "patch"), &call, "old");
	stop_worker();
	begin_test(state);
	start_all((struct temporal_worker_opts){ 0 });
	assert_result(START(call, .what = "patch"), &call, "new");
}

/* Three wait for their signal at a time: with room for one, others have to begin again. */
static void a_cache_has_so_many_runs(void **state)
{
	struct temporal_run *waiting[3];

	atomic_store(&starts, 0);
	start_all((struct temporal_worker_opts){ .max_cached_workflows = 1 });
	for (int i = 0; i < 3; i++)
		waiting[i] = START(call, .what = "wait");
	wait_for_events(TEMPORAL_EVENT_WORKFLOW_STARTED, 3);
	for (int i = 0; i < 3; i++) {
		const struct temporal_payloads none = { NULL, 0 };
		struct temporal_error err;

		assert_int_equal(
			temporal_signal_named_0(waiting[i], "go on", none, &err), TEMPORAL_OK);
		assert_result(waiting[i], &call, "");
	}
	assert_true(atomic_load(&starts) > 3);
}

/* How often the history of a run with one activity names the build; and what its code is told. */
static int builds_told(const char *build_id, char told[128])
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	const char *text = NULL, *at;
	struct temporal_result *result;
	char stamp[160];
	int n = 0;

	start_all((struct temporal_worker_opts){ .build_id = build_id });
	struct temporal_run *run = START(call, .what = "build", .n = 1);

	assert_int_equal(temporal_result_(run, &call, &text, NULL, 0, &result, &err), TEMPORAL_OK);
	snprintf(told, 128, "%s", text);
	temporal_result_unref(result);
	snprintf(stamp, sizeof(stamp), "\"buildId\": \"%s\"", told);
	struct temporal_buffer *history = temporal_run_history_json(run, &err);

	assert_non_null(history);
	for (at = *told ? history->data : NULL; at && (at = strstr(at, stamp)); at++)
		n++;
	temporal_buffer_unref(history);
	temporal_run_unref(run);
	stop_worker();
	return n;
}

/* The real server notes it for starts of tasks and of activities as well as for ends. */
static void the_build_is_in_the_history(void **state)
{
	int least = test_server_is_real() ? 4 : 2;
	char told[128];

	assert_in_range(builds_told(NULL, told), least, 9);
	assert_true(strlen(told) >= 16);
	assert_in_range(builds_told("of mine", told), least, 9);
	assert_string_equal(told, "of mine");
	assert_int_equal(builds_told("", told), 0);
	assert_string_equal(told, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			heartbeats_come_at_least_so_often, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			without_a_timeout_heartbeats_have_an_interval, begin_test, end_test),
		cmocka_unit_test_setup_teardown(stacks_have_their_size, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			changed_code_may_fail_the_run, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_queue_has_a_rate, begin_test, end_test),
		cmocka_unit_test_setup_teardown(its_name_stands_in_history, begin_test, end_test),
		cmocka_unit_test_setup_teardown(the_log_has_a_level, begin_test, end_test),
		cmocka_unit_test_setup_teardown(the_log_may_repeat_itself, begin_test, end_test),
		cmocka_unit_test_setup_teardown(the_build_is_in_the_history, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_patch_may_wait, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_cache_has_so_many_runs, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
