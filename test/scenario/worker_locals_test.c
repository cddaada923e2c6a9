/*
 * Local activities against a server: results, failures, retries here and by a timer, timeouts,
 * cancellation, tasks that take longer than their timeout, more than there are slots, a worker that
 * stops meanwhile; with a cache and without one.
 *
 * Method: one workflow type that plays a scene by its argument; what it returns says all.
 */
#include "worker_fixture.h"

#include <stdatomic.h>

struct job_in {
	const char *how;
	int number;
};
typedef int job_out;
TEMPORAL_ACTIVITY_CONTRACT(job, "job", how, number);

static atomic_int at_work, most_at_work, attempts, waits;
static atomic_int tries[16]; /* of the jobs with these numbers */

/* Takes all that an attempt may have: there is none left for its failure either. */
static const struct temporal_failure *fail_without_memory(struct act *act)
{
	for (size_t size = 1 << 28; size >= 8; size /= 2)
		while (act_alloc(act, size))
			;
	return act_failure(act, "Greedy", "there is no memory left");
}

static void leave_open(struct act *act)
{
	const struct temporal_bytes token = act_complete_later(act);

	assert_int_equal(token.len, 0); /* it has none */
}

static const struct temporal_failure *job_run(
	struct act *act, const struct job_in *in, job_out *out)
{
	int now = atomic_fetch_add(&at_work, 1) + 1, most = atomic_load(&most_at_work);

	while (now > most && !atomic_compare_exchange_weak(&most_at_work, &most, now))
		;
	atomic_fetch_add(&attempts, 1);
	atomic_fetch_add(&tries[in->number % 16], 1);
	const struct temporal_failure *failure = NULL;
	if (!strcmp(in->how, "fail"))
		failure = act_failure(act, "Broken", "job %d is broken", in->number);
	else if (!strcmp(in->how, "thrice") && act_info(act)->attempt < 3)
		failure = act_failure(act, "Again", "not yet");
	else if (!strcmp(in->how, "end"))
		failure = act_failure_with(act,
			&(const struct act_failure_opts){ .type = "Last", .non_retryable = true },
			"job %d is over", in->number);
	else if (!strcmp(in->how, "soon") && act_info(act)->attempt < 3)
		failure = act_failure_with(
			act, &(const struct act_failure_opts){ .next_retry_delay_ms = 1 }, "soon");
	else if (!strcmp(in->how, "sleep"))
		nanosleep(&(struct timespec){ .tv_sec = in->number / 1000,
				  .tv_nsec = in->number % 1000 * 1000000L },
			NULL);
	else if (!strcmp(in->how, "later"))
		leave_open(act);
	else if (!strcmp(in->how, "greedy"))
		failure = fail_without_memory(act);
	else if (!strcmp(in->how, "wait") && act_wait(act, 20000))
		failure = act_cancelled_failure(act);
	else if (!strcmp(in->how, "once") && atomic_exchange(&waits, 0) && act_wait(act, 20000))
		failure = act_cancelled_failure(act);
	*out = in->number;
	atomic_fetch_sub(&at_work, 1);
	return failure;
}
TEMPORAL_ACTIVITY(job);

struct boss_in {
	const char *scene;
};
typedef const char *boss_out;
TEMPORAL_WORKFLOW_CONTRACT(boss, "Boss", scene);

static const struct wf_local_opts quick = { .start_to_close_ms = 5000 };

static const char *told(const struct temporal_failure *failure)
{
	while (failure && failure->cause)
		failure = failure->cause;
	return failure ? failure->message : "none";
}

static boss_out results(struct wf *wf)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	struct wf_future *fails =
		wf_start_local(wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 5000, .retry = &once),
			.how = "fail", .number = 7);
	int sum = 0;

	for (int i = 1; i <= 3; i++)
		sum += wf_local(wf, job, &quick, .how = "ok", .number = i);
	wf_sleep(wf, 1);
	return wf_printf(wf, "%d %s", sum, told(wf_try(wf, fails)));
}

static boss_out retries(struct wf *wf)
{
	static const struct temporal_retry_policy soon = { .initial_interval_ms = 20 };
	int here = wf_local(wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 5000, .retry = &soon),
		.how = "thrice", .number = 1);
	uint32_t history = wf_info(wf)->history_length;
	int by_timer = wf_local(wf, job,
		WF_LOCAL_OPTS(.start_to_close_ms = 5000, .retry = &soon, .retry_threshold_ms = 30),
		.how = "thrice", .number = 2);

	return wf_printf(wf, "%d %d %s", here, by_timer,
		wf_info(wf)->history_length > history ? "later" : "at once");
}

static int fails(struct wf *wf, struct wf_local_opts opts, const char *how, int number)
{
	return wf_try(wf, wf_start_local(wf, job, &opts, .how = how, .number = number)) != NULL;
}

static boss_out policies(struct wf *wf)
{
	static const char *const types[] = { "Other", "Broken", NULL };
	static const struct temporal_retry_policy twice = { .initial_interval_ms = 1,
		.maximum_attempts = 2 },
						  not_those = { .initial_interval_ms = 1,
							  .non_retryable_types = types },
						  slow = { .initial_interval_ms = 20000 },
						  grows = { .initial_interval_ms = 20,
							  .backoff_coefficient = 10 };

	const struct wf_local_opts opts[] = { { .start_to_close_ms = 5000, .retry = &twice },
		{ .start_to_close_ms = 5000, .retry = &slow },
		{ .start_to_close_ms = 5000, .retry = &not_those },
		{ .start_to_close_ms = 5000, .retry = &grows } };
	int failed = fails(wf, opts[0], "fail", 1) + fails(wf, opts[1], "end", 2) +
		     fails(wf, opts[2], "fail", 3);
	int later = fails(wf, opts[1], "soon", 4) + fails(wf, opts[3], "thrice", 5);

	return wf_printf(wf, "%d %d", failed, later);
}

/* All attempts together have a time: here, and where timers of the run are between them. */
static boss_out limits(struct wf *wf)
{
	static const struct temporal_retry_policy steady = { .initial_interval_ms = 150,
		.backoff_coefficient = 1 };
	const struct temporal_failure *here =
		wf_try(wf, wf_start_local(wf, job,
				   WF_LOCAL_OPTS(.schedule_to_close_ms = 400, .retry = &steady),
				   .how = "fail", .number = 6));
	const struct temporal_failure *by_timer =
		wf_try(wf, wf_start_local(wf, job,
				   WF_LOCAL_OPTS(.schedule_to_close_ms = 400, .retry = &steady,
					   .retry_threshold_ms = 1),
				   .how = "fail", .number = 7));
	const struct temporal_failure *long_one =
		wf_try(wf, wf_start_local(wf, job, WF_LOCAL_OPTS(.schedule_to_close_ms = 100),
				   .how = "sleep", .number = 200));

	return wf_printf(wf, "%s, %s, timeout %d", told(here), told(by_timer),
		long_one ? (int)long_one->cause->timeout_type : -1);
}

/* One slot, which the first one has. */
static boss_out queue(struct wf *wf)
{
	struct wf_future *first = wf_start_local(wf, job, &quick, .how = "sleep", .number = 150);
	const struct temporal_failure *failure = wf_try(
		wf, wf_start_local(wf, job,
			    WF_LOCAL_OPTS(.start_to_close_ms = 5000, .schedule_to_start_ms = 50),
			    .how = "ok", .number = 1));

	return wf_printf(wf, "%d, timeout %d", wf_await(wf, job, first),
		failure ? (int)failure->cause->timeout_type : -1);
}

static boss_out later(struct wf *wf)
{
	return told(wf_try(wf, wf_start_local(wf, job, &quick, .how = "later", .number = 1)));
}

/* Each task that was completed in between is three events. */
static boss_out measured(struct wf *wf)
{
	int slept = wf_local(
		wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 30000), .how = "sleep", .number = 2500);

	return wf_printf(wf, "%d at event %u", slept, (unsigned)wf_info(wf)->history_length);
}

static boss_out greed(struct wf *wf)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	const struct temporal_failure *failure = wf_try(wf,
		wf_start_local(wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 30000, .retry = &once),
			.how = "greedy", .number = 1));

	return failure && failure->kind == TEMPORAL_FAILURE_ACTIVITY ? "failed" : told(failure);
}

/* The first one is done when the worker stops, the second one then ends by that. */
static boss_out stops(struct wf *wf)
{
	int first = wf_local(wf, job, &quick, .how = "ok", .number = 1);

	return wf_printf(wf, "%d %d", first,
		wf_local(wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 30000), .how = "once",
			.number = 2));
}

static boss_out timeouts(struct wf *wf)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	const struct temporal_failure *failure = wf_try(
		wf, wf_start_local(wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 100, .retry = &once),
			    .how = "sleep", .number = 300));

	return failure && failure->kind == TEMPORAL_FAILURE_ACTIVITY &&
			       failure->cause->kind == TEMPORAL_FAILURE_TIMEOUT
		       ? "timed out"
		       : told(failure);
}

static boss_out cancellations(struct wf *wf)
{
	static const enum temporal_cancellation_type types[] = { TEMPORAL_TRY_CANCEL,
		TEMPORAL_WAIT_CANCELLATION_COMPLETED, TEMPORAL_ABANDON };
	struct wf_future *jobs[3];
	int cancelled = 0;

	for (int i = 0; i < 3; i++)
		jobs[i] = wf_start_local(wf, job,
			WF_LOCAL_OPTS(.start_to_close_ms = 30000, .cancellation = types[i]),
			.how = "wait", .number = 1);
	wf_sleep(wf, 1);
	for (int i = 0; i < 3; i++)
		wf_cancel(wf, jobs[i]);
	for (int i = 0; i < 3; i++) {
		const struct temporal_failure *failure = wf_try(wf, jobs[i]);

		cancelled += failure && wf_is_cancelled(failure);
	}
	return wf_printf(wf, "%d cancelled", cancelled);
}

static boss_out crowd(struct wf *wf)
{
	struct wf_future *jobs[40];
	int sum = 0;

	for (int i = 0; i < 40; i++)
		jobs[i] = wf_start_local(wf, job, &quick, .how = "sleep", .number = 5);
	for (int i = 0; i < 40; i++)
		sum += wf_await(wf, job, jobs[i]);
	return wf_printf(wf, "%d", sum);
}

static boss_out boss_run(struct wf *wf, const struct boss_in *in)
{
	static const struct {
		const char *name;
		boss_out (*play)(struct wf *wf);
	} scenes[] = { { "results", results }, { "retries", retries }, { "timeouts", timeouts },
		{ "measured", measured }, { "later", later }, { "policies", policies },
		{ "limits", limits }, { "queue", queue }, { "stops", stops }, { "greed", greed },
		{ "cancellations", cancellations }, { "crowd", crowd } };

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (!strcmp(scenes[i].name, in->scene))
			return scenes[i].play(wf);
	return wf_printf(wf, "%d",
		wf_local(wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 30000), .how = "sleep",
			.number = 2500));
}
TEMPORAL_WORKFLOW(boss);

static int max_cached;

static void start_boss_worker(int local_slots)
{
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&boss_workflow),
		.activities = ACTIVITIES(&job_activity),
		.no_remote_activities = true,
		.max_cached_workflows = max_cached,
		.max_concurrent_local_activities = local_slots,
	});
}

/* A run whose tasks time out after two seconds. */
static struct temporal_run *start_hasty(const char *scene)
{
	struct temporal_start_opts opts = {
		.task_queue = fixture.queue, .execution_timeout_ms = 60000, .task_timeout_ms = 2000
	};
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run =
		temporal_start(fixture.client, boss, &opts, &err, .scene = scene);

	assert_non_null(run);
	return run;
}

static void they_have_results_and_failures(void **state)
{
	start_boss_worker(0);
	assert_result(START(boss, .scene = "results"), &boss, "6 job 7 is broken");
}

static void they_are_tried_again(void **state)
{
	atomic_store(&attempts, 0);
	start_boss_worker(0);
	assert_result(START(boss, .scene = "retries"), &boss, "1 2 later");
	/* Without a cache some run twice, as their task was replayed before they were recorded. */
	assert_true(max_cached || atomic_load(&attempts) == 6);
}

static void they_cannot_be_completed_later(void **state)
{
	start_boss_worker(0);
	assert_result(
		START(boss, .scene = "later"), &boss, "a local activity cannot be completed later");
}

static void policies_are_kept_to(void **state)
{
	static const int expected[] = { 0, 2, 1, 1, 3, 3 };
	int64_t begun_ms = test_now_ms();

	if (max_cached)
		skip(); /* some run twice */
	for (int i = 0; i < 16; i++)
		atomic_store(&tries[i], 0);
	start_boss_worker(0);
	assert_result(START(boss, .scene = "policies"), &boss, "3 0");
	for (int i = 0; i < 6; i++)
		assert_int_equal(atomic_load(&tries[i]), expected[i]);
	assert_in_range(test_now_ms() - begun_ms, 220, 10000);
}

/* Attempts that would come too late are not made: the failure is the last one's. */
static void all_attempts_have_a_time(void **state)
{
	start_boss_worker(0);
	char expected[64];

	snprintf(expected, sizeof(expected), "job 6 is broken, job 7 is broken, timeout %d",
		TEMPORAL_TIMEOUT_SCHEDULE_TO_CLOSE);
	assert_result(START(boss, .scene = "limits"), &boss, expected);
}

static void who_waits_too_long_for_a_slot_fails(void **state)
{
	start_boss_worker(1);
	char expected[64];

	snprintf(expected, sizeof(expected), "150, timeout %d", TEMPORAL_TIMEOUT_SCHEDULE_TO_START);
	assert_result(START(boss, .scene = "queue"), &boss, expected);
}

static void without_memory_they_fail(void **state)
{
	start_boss_worker(0);
	assert_result(START(boss, .scene = "greed"), &boss, "failed");
}

static void they_time_out(void **state)
{
	start_boss_worker(0);
	assert_result(START(boss, .scene = "timeouts"), &boss, "timed out");
}

static void they_are_cancelled(void **state)
{
	if (max_cached)
		skip(); /* its timer fires when the task is over, which waits for the activities */
	start_boss_worker(0);
	assert_result(start_hasty("cancellations"), &boss, "3 cancelled");
}

static void no_more_run_than_there_are_slots(void **state)
{
	atomic_store(&most_at_work, 0);
	start_boss_worker(4);
	assert_result(START(boss, .scene = "crowd"), &boss, "200");
	assert_in_range(atomic_load(&most_at_work), 2, 4);
}

/* The task's timeout is two seconds, the activity takes longer: it runs once all the same. At 80 %
 * of the timeout the task is completed for another one, once. */
static void the_task_asks_for_more_time(void **state)
{
	if (max_cached)
		skip(); /* what is not cached cannot go on with it */
	atomic_store(&attempts, 0);
	start_boss_worker(0);
	assert_result(start_hasty("measured"), &boss, "2500 at event 6");
	assert_int_equal(atomic_load(&attempts), 1);
}

/* What it has a result for is told before it stops. */
static void a_worker_may_stop_meanwhile(void **state)
{
	atomic_store(&attempts, 0);
	start_boss_worker(0);
	struct temporal_run *run = START(boss, .scene = "long");

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, 1);
	stop_worker();
	assert_result(run, &boss, "2500");
	assert_int_equal(atomic_load(&attempts), 1);
}

/* What it has no result for is another worker's at once, not after the task's timeout; what it has
 * one for is not done again. */
static void the_rest_is_for_others(void **state)
{
	atomic_store(&attempts, 0);
	atomic_store(&waits, 1);
	start_boss_worker(0);
	struct temporal_run *run = START(boss, .scene = "stops");

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, 2);
	stop_worker();
	int64_t begun_ms = test_now_ms();

	start_boss_worker(0);
	assert_result(run, &boss, "1 2");
	assert_true(test_now_ms() - begun_ms < 5000);
	assert_int_equal(atomic_load(&attempts), 3);
}

static int run_with(const char *name, int cached)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			they_have_results_and_failures, begin_test, end_test),
		cmocka_unit_test_setup_teardown(they_are_tried_again, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			they_cannot_be_completed_later, begin_test, end_test),
		cmocka_unit_test_setup_teardown(policies_are_kept_to, begin_test, end_test),
		cmocka_unit_test_setup_teardown(all_attempts_have_a_time, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			who_waits_too_long_for_a_slot_fails, begin_test, end_test),
		cmocka_unit_test_setup_teardown(without_memory_they_fail, begin_test, end_test),
		cmocka_unit_test_setup_teardown(they_time_out, begin_test, end_test),
		cmocka_unit_test_setup_teardown(they_are_cancelled, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			no_more_run_than_there_are_slots, begin_test, end_test),
		cmocka_unit_test_setup_teardown(the_task_asks_for_more_time, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_worker_may_stop_meanwhile, begin_test, end_test),
		cmocka_unit_test_setup_teardown(the_rest_is_for_others, begin_test, end_test),
	};

	max_cached = cached;
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	int failed = begin_all(NULL);

	failed += run_with("with a cache", 0);
	failed += run_with("without a cache", TEMPORAL_OFF);
	return failed + end_all(NULL);
}
