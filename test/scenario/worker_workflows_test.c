/*
 * Goal: workflows run as promised: timers, signals, queries, cancellation,
 * continue-as-new, failure of run and of task, with a large cache, a tiny one and none at all.
 * Method: one workflow a feature on a worker in this process; the client compares results and
 * failures. The cases that depend on what is cached run once for each size of the cache and each
 * kind of thread.
 */
#include "worker_fixture.h"

#include <stdatomic.h>

struct greet_in {
	const char *name;
};
typedef const char *greet_out;
TEMPORAL_WORKFLOW_CONTRACT(greet, "Greet", name);

struct nobody_in {
	const char *name;
};
typedef const char *nobody_out;
TEMPORAL_WORKFLOW_CONTRACT(nobody, "Nobody", name);

struct count_in {
	int64_t from, to;
};
typedef int64_t count_out;
TEMPORAL_WORKFLOW_CONTRACT(count, "Count", from, to);

struct fail_in {
	const char *how;
};
typedef const char *fail_out;
TEMPORAL_WORKFLOW_CONTRACT(fail, "Fail", how);

struct rest_in {
	int64_t ms;
};
typedef const char *rest_out;
TEMPORAL_WORKFLOW_CONTRACT(rest, "Rest", ms);

/* An order that waits for three approvals. */
struct order_in {
	const char *id;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "Order", id);

struct order_approve_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(order_approve, "approve", by);

typedef const char *order_status_out;
TEMPORAL_QUERY_CONTRACT_0(order_status, "status");

struct order {
	const char *id, *approved_by;
	int approvals;
};

static greet_out greet_run(struct wf *wf, const struct greet_in *in)
{
	return wf_printf(wf, "Hello, %s!", in->name);
}
TEMPORAL_WORKFLOW(greet);

static count_out count_run(struct wf *wf, const struct count_in *in)
{
	wf_sleep(wf, 1);
	if (in->from < in->to)
		wf_continue_as_new(wf, count, WF_CONTINUE_AS_NEW_OPTS(.task_queue = NULL),
			.from = in->from + 1, .to = in->to);
	return in->from;
}
TEMPORAL_WORKFLOW(count);

static fail_out fail_run(struct wf *wf, const struct fail_in *in)
{
	wf_sleep(wf, 1);
	wf_fail(wf, "Broken", "it broke: %s", in->how);
}
TEMPORAL_WORKFLOW(fail);

/* The threads that the first runs of Rest began on, since n_rested was 0. */
static pthread_t rested_on[9];
static atomic_int n_rested;

static rest_out rest_run(struct wf *wf, const struct rest_in *in)
{
	struct wf_future *timer = wf_timer(wf, in->ms);
	int at = atomic_fetch_add(&n_rested, 1);

	if (at < 9)
		rested_on[at] = pthread_self();
	for (int i = 0; i < 5; i++)
		wf_sleep(wf, 1);
	wf_wait(wf, timer);
	return "rested";
}
TEMPORAL_WORKFLOW(rest);

static void order_approve_run(struct wf *wf, struct order *o, const struct order_approve_in *in)
{
	o->approved_by = o->approved_by ? wf_printf(wf, "%s, %s", o->approved_by, in->by) : in->by;
	o->approvals++;
}
TEMPORAL_SIGNAL(order, approve);

static order_status_out order_status_run(const struct wf *wf, const struct order *o)
{
	return wf_printf(wf, "%s: %d approvals", o->id, o->approvals);
}
TEMPORAL_QUERY_0(order, status);

static bool is_approved(const void *state)
{
	return ((const struct order *)state)->approvals >= 3;
}

static order_out order_run(struct wf *wf, struct order *o, const struct order_in *in)
{
	o->id = in->id;
	wf_wait(wf, wf_until(wf, is_approved, o));
	return wf_printf(wf, "%s approved by %s", o->id, o->approved_by);
}
static const struct temporal_handler *const order_handlers[] = { &order_approve_handler,
	&order_status_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(order, order_handlers);

/* ---- the sizes of the cache ---- */

static struct temporal_worker_opts chosen;

static void start_all(void)
{
	struct temporal_worker_opts opts = chosen;

	opts.workflows = WORKFLOWS(
		&greet_workflow, &count_workflow, &fail_workflow, &rest_workflow, &order_workflow);
	start_worker(opts);
}

/* ---- the tests ---- */

static void a_workflow_gives_its_result(void **state)
{
	start_all();
	assert_result(START(greet, .name = "world"), &greet, "Hello, world!");
	wait_for_events(TEMPORAL_EVENT_WORKFLOW_COMPLETED, 1);
	assert_string_equal(fixture.last_text[TEMPORAL_EVENT_WORKFLOW_COMPLETED], "Hello, world!");
}

static void timers_fire(void **state)
{
	struct temporal_run *runs[20];

	start_all();
	for (int i = 0; i < 20; i++)
		runs[i] = START(rest, .ms = 20);
	for (int i = 0; i < 20; i++)
		assert_result(runs[i], &rest, "rested");
}

static void assert_status(struct temporal_run *run, const char *expected)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *keep = NULL;
	const char *status = NULL;

	if (temporal_query_0(run, order_status, &status, &keep, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
	assert_string_equal(status, expected);
	temporal_result_unref(keep);
}

static void signals_and_queries_reach_the_run(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	static const char *const names[] = { "ann", "bob", "eve" };

	start_all();
	struct temporal_run *run = START(order, .id = "o-1");

	assert_status(run, "o-1: 0 approvals");
	for (int i = 0; i < 3; i++) {
		char expected[64];

		assert_int_equal(
			temporal_signal(run, order_approve, &err, .by = names[i]), TEMPORAL_OK);
		snprintf(expected, sizeof(expected), "o-1: %d approvals", i + 1);
		assert_status(run, expected);
	}
	temporal_run_ref(run);
	assert_result(run, &order, "o-1 approved by ann, bob, eve");
	assert_status(run, "o-1: 3 approvals"); /* a closed run is asked by replay */
	temporal_run_unref(run);
}

/* More runs than the cache holds, each with several tasks. */
static void many_runs_at_a_time(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *runs[30];

	start_all();
	for (int i = 0; i < 30; i++)
		runs[i] = START(order, .id = "o");
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 30; i++)
			assert_int_equal(temporal_signal(runs[i], order_approve, &err, .by = "x"),
				TEMPORAL_OK);
	}
	for (int i = 0; i < 30; i++)
		assert_result(runs[i], &order, "o approved by x, x, x");
}

static int threads_rested_on(void)
{
	int n = 0;

	for (int i = 0; i < 9; i++) {
		int known = 0;

		while (!pthread_equal(rested_on[known], rested_on[i]))
			known++;
		n += known == i;
	}
	return n;
}

static void runs_are_on_so_many_threads(void **state)
{
	const struct temporal_worker_opts before = chosen;

	for (int threads = 1; threads <= 3; threads++) {
		struct temporal_run *runs[9];

		begin_test(state);
		atomic_store(&n_rested, 0);
		chosen.workflow_threads = threads;
		start_all();
		for (int i = 0; i < 9; i++)
			runs[i] = START(rest, .ms = 300);
		for (int i = 0; i < 9; i++)
			assert_result(runs[i], &rest, "rested");
		chosen = before;
		assert_int_equal(threads_rested_on(), threads);
		stop_worker();
	}
}

static void a_run_continues_as_new(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t n = 0;

	/* Limits that a single run does not come near to; the server takes a second each time. */
	if (chosen.max_cached_workflows > 0 || chosen.max_cached_bytes ||
		chosen.max_concurrent_workflow_tasks)
		skip();
	start_all();
	struct temporal_run *run = START(count, .from = 1, .to = 2);

	assert_int_equal(temporal_result(run, count, &n, NULL, &err), TEMPORAL_OK);
	assert_int_equal(n, 2);
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKFLOW_CONTINUED_AS_NEW), 1);
	temporal_run_unref(run);
}

static void a_run_is_cancelled(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	start_all();
	struct temporal_run *run = START(rest, .ms = 60000);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_STARTED, 1);
	assert_int_equal(temporal_run_cancel_0(run, &err), TEMPORAL_OK);
	struct temporal_result *result = failed_result(run);

	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_CANCELED);
	temporal_result_unref(result);
}

static void a_failure_ends_the_run(void **state)
{
	start_all();
	struct temporal_result *result = failed_result(START(fail, .how = "badly"));
	const struct temporal_failure *failure = temporal_result_failure(result);

	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_FAILED);
	assert_string_equal(failure->type, "Broken");
	assert_string_equal(failure->message, "it broke: badly");
	temporal_result_unref(result);
	wait_for_events(TEMPORAL_EVENT_WORKFLOW_FAILED, 1);
}

/* The task fails, not the run: a worker that knows the type can still take it. */
static void an_unknown_type_fails_the_task(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	start_all();
	struct temporal_run *run = START(nobody, .name = "");

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, 1);
	assert_non_null(strstr(fixture.last_text[TEMPORAL_EVENT_WORKFLOW_TASK_FAILED], "Nobody"));
	assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_OK);
	temporal_run_unref(run);
}

static void wrong_arguments_fail_the_task(void **state)
{
	const struct temporal_payload number = { .data = { "7", 1 } };
	struct temporal_error err = { .code = TEMPORAL_OK };

	start_all();
	struct temporal_run *run = start_named("Greet", (struct temporal_payloads){ &number, 1 });

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, 1);
	assert_non_null(strstr(fixture.last_text[TEMPORAL_EVENT_WORKFLOW_TASK_FAILED], "name"));
	assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_OK);
	temporal_run_unref(run);
}

/* ---- life of the worker itself ---- */

static void a_worker_stops_while_runs_are_open(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	start_all();
	struct temporal_run *run = START(order, .id = "o-2");

	assert_status(run, "o-2: 0 approvals");
	stop_worker();
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			temporal_signal(run, order_approve, &err, .by = "ann"), TEMPORAL_OK);
	/* The next one replays what the first has done. */
	start_all();
	assert_result(run, &order, "o-2 approved by ann, ann, ann");
}

static void a_worker_runs_once(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	start_all();
	assert_int_equal(temporal_worker_start(fixture.worker, &err), TEMPORAL_FAILED_PRECONDITION);
	temporal_worker_shutdown(fixture.worker);
	temporal_worker_shutdown(fixture.worker);
	assert_int_equal(temporal_worker_wait(fixture.worker, &err), TEMPORAL_OK);
	temporal_worker_shutdown(fixture.worker);
}

static void a_shutdown_before_the_start_counts(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(fixture.client, &err,
		.task_queue = fixture.queue, .workflows = WORKFLOWS(&greet_workflow));

	assert_non_null(worker);
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_run(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	worker = temporal_worker_new(fixture.client, &err, .task_queue = fixture.queue,
		.workflows = WORKFLOWS(&greet_workflow));
	temporal_worker_unref(worker); /* never started */
}

static void a_worker_that_runs_can_be_given_up(void **state)
{
	start_all();
	assert_result(START(greet, .name = "you"), &greet, "Hello, you!");
	temporal_worker_unref(fixture.worker);
	fixture.worker = NULL;
}

static void a_missing_namespace_ends_the_worker(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client = temporal_client_connect(
		&err, .target = test_server_shared(), .namespace_ = "there-is-none", .lazy = true);
	struct temporal_worker *worker = temporal_worker_new(
		client, &err, .task_queue = fixture.queue, .workflows = WORKFLOWS(&greet_workflow));

	assert_non_null(worker);
	assert_int_equal(temporal_worker_run(worker, &err), TEMPORAL_NOT_FOUND);
	assert_non_null(strstr(err.message, "there-is-none"));
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

static void a_server_that_is_not_there_is_waited_for(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client =
		temporal_client_connect(&err, .target = "127.0.0.1:1", .lazy = true);
	struct temporal_worker *worker = temporal_worker_new(
		client, &err, .task_queue = fixture.queue, .workflows = WORKFLOWS(&greet_workflow));

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

static int run_with(const char *name, struct temporal_worker_opts opts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_workflow_gives_its_result, begin_test, end_test),
		cmocka_unit_test_setup_teardown(timers_fire, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			signals_and_queries_reach_the_run, begin_test, end_test),
		cmocka_unit_test_setup_teardown(many_runs_at_a_time, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_run_continues_as_new, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_run_is_cancelled, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_failure_ends_the_run, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_worker_stops_while_runs_are_open, begin_test, end_test),
	};

	chosen = opts;
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_unknown_type_fails_the_task, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			wrong_arguments_fail_the_task, begin_test, end_test),
		cmocka_unit_test_setup_teardown(runs_are_on_so_many_threads, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_worker_runs_once, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_shutdown_before_the_start_counts, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_worker_that_runs_can_be_given_up, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_missing_namespace_ends_the_worker, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_server_that_is_not_there_is_waited_for, begin_test, end_test),
	};
	int failed = begin_all(NULL);

	failed += run_with("default", (struct temporal_worker_opts){ 0 });
	failed +=
		run_with("cache of 2", (struct temporal_worker_opts){ .max_cached_workflows = 2 });
	failed += run_with(
		"cache of 64 KiB", (struct temporal_worker_opts){ .max_cached_bytes = 65536 });
	failed += run_with(
		"no cache", (struct temporal_worker_opts){ .max_cached_workflows = TEMPORAL_OFF });
	failed += run_with(
		"2 slots", (struct temporal_worker_opts){ .max_concurrent_workflow_tasks = 2 });
	failed += run_with("client's thread",
		(struct temporal_worker_opts){ .workflow_threads = TEMPORAL_OFF });
	chosen = (struct temporal_worker_opts){ 0 };
	failed += cmocka_run_group_tests_name("the worker", tests, NULL, NULL);
	return failed + end_all(NULL);
}
