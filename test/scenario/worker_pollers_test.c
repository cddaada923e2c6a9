/*
 * Goal: the number of polls follows the server's hints where the worker wants that: more while
 * there is a backlog, fewer when they wait in vain, never out of bounds; else it stays what the
 * options say. Method: many activities at once, then a few after a quiet time; the numbers of polls
 * are what the gauge num_pollers told.
 */
#include "worker_fixture.h"

#include <stdatomic.h>

struct nap_in {
	int64_t ms;
};
typedef int64_t nap_out;
TEMPORAL_ACTIVITY_CONTRACT(nap, "nap", ms);

struct naps_in {
	int64_t n, ms;
};
typedef int64_t naps_out;
TEMPORAL_WORKFLOW_CONTRACT(naps, "Naps", n, ms);

typedef int64_t wake_out;
TEMPORAL_NEXUS_CONTRACT_0(wake, "wake");
TEMPORAL_NEXUS_SERVICE_CONTRACT(inn, "inn", &wake);

static const struct temporal_failure *nap_run(
	struct act *act, const struct nap_in *in, nap_out *out)
{
	nanosleep(&(struct timespec){ .tv_nsec = in->ms * 1000000 }, NULL);
	*out = in->ms;
	return NULL;
}
TEMPORAL_ACTIVITY(nap);

static naps_out naps_run(struct wf *wf, const struct naps_in *in)
{
	static const struct wf_activity_opts opts = { .start_to_close_ms = 30000 };
	struct wf_future **futures = wf_alloc(wf, (size_t)in->n * sizeof(*futures));

	for (int64_t i = 0; i < in->n; i++)
		futures[i] = wf_start_activity(wf, nap, &opts, .ms = in->ms);
	for (int64_t i = 0; i < in->n; i++)
		wf_wait(wf, futures[i]);
	return in->n;
}
TEMPORAL_WORKFLOW(naps);

static const struct temporal_failure *wake_run(struct nexus *nexus, wake_out *out)
{
	*out = 6;
	return NULL;
}
TEMPORAL_NEXUS_0(wake);
TEMPORAL_NEXUS_SERVICE(inn, &wake_operation);
static const struct temporal_nexus_service *const inns[] = { &inn_service, NULL };

/* ---- the gauges ---- */

enum polls {
	NORMAL,
	STICKY,
	ACTIVITY,
	NEXUS,
	KINDS
};

static atomic_int polls[KINDS], polls_max[KINDS];

static void on_value(const struct temporal_metric_value *value, void *user)
{
	static const char *const names[KINDS] = { "workflow_task", "sticky_workflow_task",
		"activity_task", "nexus_task" };

	if (strcmp(value->name, "temporal_num_pollers") != 0)
		return;
	for (size_t i = 0; i < value->n_labels * KINDS; i++) {
		const struct temporal_metric_label *label = &value->labels[i / KINDS];

		if (strcmp(label->name, "poller_type") != 0 ||
			strcmp(label->value, names[i % KINDS]) != 0)
			continue;
		atomic_store(&polls[i % KINDS], (int)value->value);
		if (value->value > atomic_load(&polls_max[i % KINDS]))
			atomic_store(&polls_max[i % KINDS], (int)value->value);
	}
}

static void start_naps(struct temporal_worker_opts opts)
{
	opts.workflows = WORKFLOWS(&naps_workflow);
	opts.activities = ACTIVITIES(&nap_activity);
	for (int i = 0; i < KINDS; i++)
		atomic_store(&polls_max[i], 0);
	start_worker(opts);
}

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void take_naps(int64_t n, int64_t ms)
{
	struct temporal_run *run = START(naps, .n = n, .ms = ms);
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t done = 0;

	assert_int_equal(temporal_result_(run, &naps, &done, NULL, 0, NULL, &err), TEMPORAL_OK);
	assert_int_equal(done, n);
	temporal_run_unref(run);
}

/* ---- the tests ---- */

static void polls_grow_with_a_backlog_and_shrink_when_idle(void **state)
{
	start_naps((struct temporal_worker_opts){ .no_eager_activities = true,
		.workflow_task_autoscaling =
			&(const struct temporal_autoscaling){ .initial_pollers = 2 },
		.activity_task_autoscaling = &(const struct temporal_autoscaling){ 2, 40, 2 } });
	take_naps(200, 60);
	print_message("activity polls: %d at most\n", atomic_load(&polls_max[ACTIVITY]));
	assert_in_range(atomic_load(&polls_max[ACTIVITY]), 3, 40);
	/* Those that have waited for a second are too many, as soon as they bring something. */
	for (int i = 0; i < 30 && atomic_load(&polls[ACTIVITY]) > 2; i++) {
		sleep_ms(1100);
		take_naps(20, 0);
	}
	print_message("activity polls: %d when idle\n", atomic_load(&polls[ACTIVITY]));
	assert_int_equal(atomic_load(&polls[ACTIVITY]), 2);
	/* Two of each queue at first, and fewer since there is little to do. */
	assert_in_range(atomic_load(&polls_max[NORMAL]), 1, 4);
}

static void a_number_of_polls_is_kept(void **state)
{
	start_naps((struct temporal_worker_opts){ .no_eager_activities = true,
		.workflow_task_pollers = 4,
		.nonsticky_to_sticky_poll_ratio = 0.5,
		.activity_task_pollers = 3,
		.nexus_services = inns,
		.nexus_task_pollers = 2 });
	take_naps(300, 10);
	assert_int_equal(atomic_load(&polls_max[ACTIVITY]), 3);
	assert_int_equal(atomic_load(&polls_max[NEXUS]), 2);
	assert_int_equal(atomic_load(&polls_max[NORMAL]), 2);
	assert_int_equal(atomic_load(&polls_max[STICKY]), 2);
	stop_worker();
	for (int i = 0; i < KINDS; i++)
		test_wait_until(atomic_load(&polls[i]) == 0);
}

/* Of each queue by itself: a ratio is for polls that are a number. */
static void a_range_of_one_is_a_number(void **state)
{
	static const struct temporal_autoscaling three = { 3, 3, 3 };

	start_naps((struct temporal_worker_opts){ .no_eager_activities = true,
		.workflow_task_autoscaling = &three,
		.activity_task_autoscaling = &three });
	take_naps(50, 1);
	assert_int_equal(atomic_load(&polls_max[ACTIVITY]), 3);
	assert_int_equal(atomic_load(&polls_max[NORMAL]), 3);
	assert_int_equal(atomic_load(&polls_max[STICKY]), 3);
}

static void polls_are_made_for_what_is_done_here(void **state)
{
	start_naps((struct temporal_worker_opts){ .no_remote_activities = true });
	test_wait_until(atomic_load(&polls_max[NORMAL]));
	stop_worker();
	assert_in_range(atomic_load(&polls_max[NORMAL]), 1, 5);
	assert_int_equal(atomic_load(&polls_max[ACTIVITY]), 0);
	assert_int_equal(atomic_load(&polls_max[NEXUS]), 0);
}

/* With none of these options there are five, and as many with one that is passed over. */
static void polls_for_nexus_are_so_many(void **state)
{
	static const struct temporal_autoscaling scaled = { .initial_pollers = 2 };
	const struct temporal_worker_opts ways[] = {
		{ .nexus_services = inns, .nexus_task_pollers = 1 },
		{ .nexus_services = inns, .nexus_task_autoscaling = &scaled },
		{ .nexus_services = inns, .nexus_task_pollers = 7 },
	};
	const int expected[] = { 1, 2, 7 };

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		begin_test(state); /* a queue that no poll has been cancelled on */
		start_naps(ways[i]);
		take_naps(3, 0);
		test_wait_until(atomic_load(&polls[NEXUS]) == expected[i]);
		assert_int_equal(atomic_load(&polls_max[NEXUS]), expected[i]);
		stop_worker();
		test_wait_until(atomic_load(&polls[NEXUS]) == 0);
	}
}

/* Each poll holds a slot, so there are no more polls than slots, however many may wait. */
static void workflow_tasks_have_so_many_slots(void **state)
{
	start_naps((struct temporal_worker_opts){ .no_eager_activities = true,
		.workflow_task_pollers = 20,
		.nonsticky_to_sticky_poll_ratio = 0.5,
		.max_concurrent_workflow_tasks = 3 });
	take_naps(50, 1);
	assert_in_range(atomic_load(&polls_max[NORMAL]), 1, 3);
	assert_in_range(atomic_load(&polls_max[STICKY]), 1, 3);
	test_wait_until(atomic_load(&polls[NORMAL]) + atomic_load(&polls[STICKY]) == 3);
}

static struct temporal_client *connect_counted(const char *address)
{
	struct temporal_error err;
	struct temporal_metrics *metrics = temporal_metrics_new(&err, .on_value = on_value);
	struct temporal_client *client;

	assert_non_null(metrics);
	client = temporal_client_connect(&err, .target = address, .metrics = metrics);
	assert_non_null(client);
	temporal_metrics_unref(metrics);
	return client;
}

/* Five polls of the common queue instead of one, with a namespace that enrolls its workers. Those
 * of temporald do not. */
static void a_namespace_enrolls_its_workers(void **state)
{
	static const char *const config[] = { "frontend.pollerAutoscalingAutoEnroll=true", NULL };
	struct temporal_client *shared = fixture.client;
	struct test_server server;
	int expected = test_server_is_real() ? 5 : 1;

	test_server_start(&server, &(const struct test_server_opts){ .dynamic_config = config });
	fixture.client = connect_counted(server.address);
	start_naps((struct temporal_worker_opts){ 0 });
	if (test_server_is_real())
		test_wait_until(atomic_load(&polls[NORMAL]) >= expected);
	else
		sleep_ms(300); /* it has been told by then, if ever */
	assert_int_equal(atomic_load(&polls[NORMAL]), expected);
	stop_worker();
	begin_test(state); /* a queue that no poll has been cancelled on */
	start_naps((struct temporal_worker_opts){
		.workflow_task_pollers = 4, .activity_task_pollers = 2 });
	take_naps(10, 0);
	assert_int_equal(atomic_load(&polls_max[NORMAL]), 1);
	assert_int_equal(atomic_load(&polls_max[ACTIVITY]), 2);
	stop_worker();
	temporal_client_unref(fixture.client);
	fixture.client = shared;
	test_server_stop(&server);
}

/* With the server's help and without it no poll is left, long before a worker would lose patience.
 */
static void polls_end_with_their_worker(void **state)
{
	static const char *const helps[] = { "frontend.enableCancelWorkerPollsOnShutdown=true",
		NULL },
				 *const leaves[] = {
					 "frontend.enableCancelWorkerPollsOnShutdown=false", NULL
				 };
	const char *const *configs[] = { helps, leaves };
	struct temporal_client *shared = fixture.client;

	for (size_t i = 0; i < 2; i++) {
		struct test_server_opts opts = { .dynamic_config = configs[i] };
		struct test_server server;
		int64_t begun_ms;

		test_server_start(&server, &opts);
		fixture.client = connect_counted(server.address);
		start_naps((struct temporal_worker_opts){ .nexus_services = inns });
		take_naps(20, 1);
		begun_ms = test_now_ms();
		stop_worker();
		assert_in_range(test_now_ms() - begun_ms, 0, 4000);
		for (int kind = 0; kind < KINDS; kind++)
			assert_int_equal(atomic_load(&polls[kind]), 0);
		temporal_client_unref(fixture.client);
		test_server_stop(&server);
	}
	fixture.client = shared;
}

static int begin_file(void **state)
{
	fixture.client = connect_counted(test_server_shared());
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			polls_grow_with_a_backlog_and_shrink_when_idle, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_number_of_polls_is_kept, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_range_of_one_is_a_number, begin_test, end_test),
		cmocka_unit_test_setup_teardown(polls_for_nexus_are_so_many, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			workflow_tasks_have_so_many_slots, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			polls_are_made_for_what_is_done_here, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_namespace_enrolls_its_workers, begin_test, end_test),
		cmocka_unit_test_setup_teardown(polls_end_with_their_worker, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_file, end_all);
}
