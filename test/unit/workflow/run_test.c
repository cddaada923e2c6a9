/*
 * A run from its start to its end: arguments, activities, timers, results, failures. Method: small
 * workflows driven by hand-made activations; the answers are compared as text (play.h).
 */
#include "play.h"

struct charge_in {
	const char *card;
	double amount;
};
typedef const char *charge_out;
TEMPORAL_ACTIVITY_CONTRACT(charge, "charge", card, amount);

typedef void ping_out;
TEMPORAL_ACTIVITY_CONTRACT_0(ping, "ping");

static const struct wf_activity_opts ten_seconds = { .start_to_close_ms = TEMPORAL_SECONDS(10) };

/* ---- the workflows ---- */

struct order_in {
	const char *order_id;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "OrderWorkflow", order_id);

static order_out order_run(struct wf *wf, const struct order_in *in)
{
	const char *txn = wf_activity(wf, charge, &ten_seconds, .card = "c1", .amount = 99.5);

	return wf_printf(wf, "Order %s: %s", in->order_id, txn);
}
TEMPORAL_WORKFLOW(order);

typedef void sleeper_out;
TEMPORAL_WORKFLOW_CONTRACT_0(sleeper, "Sleeper");

static sleeper_out sleeper_run(struct wf *wf)
{
	wf_sleep(wf, TEMPORAL_SECONDS(1));
	wf_activity_0(
		wf, ping, WF_ACTIVITY_OPTS(.schedule_to_close_ms = 5000, .task_queue = "other"));
	wf_sleep(wf, 0);
	wf_sleep(wf, 1);
}
TEMPORAL_WORKFLOW_0(sleeper);

typedef int fails_out;
struct fails_in {
	const char *how;
};
TEMPORAL_WORKFLOW_CONTRACT(fails, "Fails", how);

static fails_out fails_run(struct wf *wf, const struct fails_in *in)
{
	struct temporal_failure *failure = wf_failure(wf, "Other", "in %d ways", 2);

	if (!strcmp(in->how, "fail"))
		wf_fail(wf, "Broken", "by %s", in->how);
	if (!strcmp(in->how, "raise")) {
		failure->non_retryable = true;
		wf_raise(wf, failure);
	}
	if (!strcmp(in->how, "opts"))
		wf_activity_0(wf, ping, NULL);
	if (!strcmp(in->how, "negative"))
		wf_sleep(wf, -5);
	if (!strcmp(in->how, "null"))
		(void)wf_activity(wf, charge, &ten_seconds, .amount = 1);
	return 1;
}
TEMPORAL_WORKFLOW(fails);

typedef const char *both_out;
TEMPORAL_WORKFLOW_CONTRACT_0(both, "Both");

static both_out both_run(struct wf *wf)
{
	struct wf_future *first = wf_start_activity(wf, charge, &ten_seconds, .card = "a");
	struct wf_future *second = wf_start_activity(wf, charge, &ten_seconds, .card = "b");
	struct wf_future *timer = wf_timer(wf, 1000);

	wf_wait(wf, timer);
	const char *b = wf_await(wf, charge, second), *a = wf_await(wf, charge, first);
	return wf_printf(wf, "%s%s%s", a, b, wf_await(wf, charge, first));
}
TEMPORAL_WORKFLOW_0(both);

static const struct temporal_workflow *const workflows[] = { &order_workflow, &sleeper_workflow,
	&fails_workflow, &both_workflow, NULL };

/* ---- the tests ---- */

static void an_activity_between_start_and_result(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "OrderWorkflow", "\"order-123\"", NULL);
	play_expect(&play, "activity 1 charge(\"c1\", 99.5)\n");
	assert_int_equal(play.completion->commands[0].schedule_activity.start_to_close_ms, 10000);
	assert_string_equal(play.completion->commands[0].schedule_activity.task_queue, "queue");
	play_activity(&play, 1, "\"txn-99.99\"");
	play_expect(&play, "complete \"Order order-123: txn-99.99\"\n");
	play_close(&play);
}

static void timers_and_an_activity_without_arguments(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Sleeper", NULL);
	play_expect(&play, "timer 1 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "activity 1 ping()\n");
	assert_string_equal(play.completion->commands[0].schedule_activity.task_queue, "other");
	play_activity(&play, 1, "null");
	play_expect(&play, "timer 2 0.001s\n"); /* one of 0 ms needs no command */
	play_fire(&play, 2);
	play_expect(&play, "complete nothing\n");
	play_close(&play);
}

static void an_activitys_failure_fails_the_run(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "OrderWorkflow", "\"1\"", NULL);
	play_run(&play);
	play_activity_failed(&play, 1, TEMPORAL_FAILURE_APPLICATION, "CardDeclined");
	play_expect(&play, "fail activity error <- CardDeclined: it broke\n");
	play_close(&play);
}

static void fails_as(const char *how, const char *expected)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Fails", how, NULL);
	play_expect(&play, expected);
	play_close(&play);
}

static void what_fails_the_run_and_what_its_task(void **state)
{
	fails_as("\"not at all\"", "complete 1\n");
	fails_as("\"fail\"", "fail Broken: by fail\n");
	fails_as("\"raise\"", "fail Other: in 2 ways\n");
	fails_as("\"opts\"",
		"task failed: InvalidArgument: activity ping must have start_to_close_ms or "
		"schedule_to_close_ms\n");
	fails_as("\"negative\"", "task failed: InvalidArgument: wf_timer: -5 ms is no duration\n");
	fails_as("\"null\"",
		"task failed: BadPayload: activity charge: argument 1 (card): expected a string, "
		"got NULL\n");
}

static void an_unknown_type_fails_the_task(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Nobody", NULL);
	play_expect(&play, "task failed: NotFoundError: this worker has no workflow \"Nobody\"; "
			   "it has: OrderWorkflow, Sleeper, Fails, Both\n");
	play_fire(&play, 1);
	play_expect(&play, "task failed: InternalError: the run's task has failed before\n");
	play_job(&play, JOB_REMOVE_FROM_CACHE)->remove_from_cache.message = "";
	play_expect(&play, "");
	play_close(&play);
}

static void wrong_arguments_fail_the_task(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "OrderWorkflow", "17", NULL);
	play_run(&play);
	assert_non_null(strstr(play.text,
		"task failed: BadPayload: decoding the arguments: argument 1 (order_id)"));
	play_close(&play);
	play_open(&play, workflows);
	play_start(&play, "OrderWorkflow", NULL);
	play_run(&play);
	assert_non_null(strstr(play.text, "task failed: BadPayload: decoding the arguments"));
	play_close(&play);
}

static void a_result_that_is_not_of_the_contract_fails_the_task(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "OrderWorkflow", "\"1\"", NULL);
	play_run(&play);
	play_activity(&play, 1, "{}");
	play_run(&play);
	assert_non_null(
		strstr(play.text, "task failed: BadPayload: Failed decoding the result of charge"));
	play_close(&play);
}

/* Goal: a result that nobody has read yet outlives the activation that brought it. */
static void results_may_come_before_they_are_awaited(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Both", NULL);
	play_expect(&play,
		"activity 1 charge(\"a\", 0.0)\nactivity 2 charge(\"b\", 0.0)\ntimer 1 1s\n");
	play_activity(&play, 2, "\"B\"");
	play_expect(&play, "");
	play_activity(&play, 1, "\"A\"");
	play_expect(&play, "");
	play_fire(&play, 1);
	play_expect(&play, "complete \"ABA\"\n");
	play_close(&play);
}

static void eviction_ends_a_run_that_waits(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Both", NULL);
	play_run(&play);
	play_job(&play, JOB_REMOVE_FROM_CACHE)->remove_from_cache.message = "";
	play_expect(&play, "");
	assert_false(play.completion->failed);
	play_close(&play);
}

static void an_unknown_activity_fails_the_task(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Sleeper", NULL);
	play_run(&play);
	play_activity(&play, 7, "1");
	play_expect(&play,
		"task failed: InternalError: Failed finding the activity of sequence number 7\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_activity_between_start_and_result),
		cmocka_unit_test(timers_and_an_activity_without_arguments),
		cmocka_unit_test(an_activitys_failure_fails_the_run),
		cmocka_unit_test(what_fails_the_run_and_what_its_task),
		cmocka_unit_test(an_unknown_type_fails_the_task),
		cmocka_unit_test(wrong_arguments_fail_the_task),
		cmocka_unit_test(a_result_that_is_not_of_the_contract_fails_the_task),
		cmocka_unit_test(results_may_come_before_they_are_awaited),
		cmocka_unit_test(eviction_ends_a_run_that_waits),
		cmocka_unit_test(an_unknown_activity_fails_the_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
