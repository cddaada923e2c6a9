/*
 * Local activities: results, back-offs by a timer, cancellation. Method: as run_test.c.
 */
#include "play.h"

struct weigh_in {
	const char *what;
};
typedef int weigh_out;
TEMPORAL_ACTIVITY_CONTRACT(weigh, "weigh", what);
typedef int tick_out;
TEMPORAL_ACTIVITY_CONTRACT_0(tick, "tick");

struct shop_in {
	bool cancel;
};
typedef const char *shop_out;
TEMPORAL_WORKFLOW_CONTRACT(shop, "Shop", cancel);

static const struct wf_local_opts quick = { .start_to_close_ms = 1000 };

static shop_out shop_run(struct wf *wf, const struct shop_in *in)
{
	struct wf_future *ticks = wf_start_local_0(wf, tick, &quick);

	if (in->cancel) {
		wf_sleep(wf, 5);
		wf_cancel(wf, ticks);
		const struct temporal_failure *failure = wf_try(wf, ticks);
		return failure ? failure->message : "done";
	}
	int weight = wf_local(wf, weigh, &quick, .what = "tea");
	return wf_printf(wf, "%d %d", weight, wf_await(wf, tick, ticks));
}
TEMPORAL_WORKFLOW(shop);

static const struct temporal_workflow *const workflows[] = { &shop_workflow, NULL };

static void play_local(struct play *play, uint32_t seq, const char *json)
{
	play_activity(play, seq, json);
	play->jobs[play->activation.n_jobs - 1].resolve_activity.is_local = true;
}

static void play_back_off(struct play *play, uint32_t seq, uint32_t attempt, int64_t ms)
{
	struct activation_job *job = play_job(play, JOB_RESOLVE_ACTIVITY);

	job->resolve_activity.seq = seq;
	job->resolve_activity.is_local = true;
	job->resolve_activity.result = (struct resolution){ .status = RESOLUTION_BACKOFF,
		.backoff_attempt = attempt,
		.backoff_ms = ms,
		.backoff_original_schedule_ns = 77 };
}

static void results_come_as_of_activities(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Shop", "false", NULL);
	play_expect(&play, "local 1 tick attempt 1()\nlocal 2 weigh attempt 1(\"tea\")\n");
	play_local(&play, 2, "9");
	play_local(&play, 1, "1");
	play_expect(&play, "complete \"9 1\"\n");
	play_close(&play);
}

static void a_long_wait_is_a_timer(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Shop", "false", NULL);
	play_run(&play);
	play_back_off(&play, 2, 4, 90000);
	play_expect(&play, "timer 1 90s\n");
	play_fire(&play, 1);
	play_expect(&play, "local 3 weigh attempt 4(\"tea\")\n");
	assert_int_equal(
		play.completion->commands[0].schedule_local_activity.original_schedule_ns, 77);
	play_local(&play, 3, "9");
	play_local(&play, 1, "1");
	play_expect(&play, "complete \"9 1\"\n");
	play_close(&play);
}

static void one_that_runs_is_asked_to_stop(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Shop", "true", NULL);
	play_expect(&play, "local 1 tick attempt 1()\ntimer 1 0.005s\n");
	play_fire(&play, 1);
	play_expect(&play, "cancel local 1\n");
	play_activity_failed(&play, 1, TEMPORAL_FAILURE_CANCELLED, "");
	play_expect(&play, "complete \"activity error\"\n");
	play_close(&play);
}

static void one_that_waits_ends_at_once(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Shop", "true", NULL);
	play_run(&play);
	play_back_off(&play, 1, 2, 90000);
	play_expect(&play, "timer 2 90s\n");
	play_fire(&play, 1);
	play_expect(&play, "cancel timer 2\ncomplete \"Local activity cancelled\"\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_come_as_of_activities),
		cmocka_unit_test(a_long_wait_is_a_timer),
		cmocka_unit_test(one_that_runs_is_asked_to_stop),
		cmocka_unit_test(one_that_waits_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
