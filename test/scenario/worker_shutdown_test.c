/*
 * Workers that go while there is work. Goal: where the server ends the polls of a worker that shuts
 * down they are waited for, elsewhere the worker ends them; both are quick, and work goes on.
 *
 * Method: one workflow asks for activities all the time, while two workers take turns: the next one
 * comes, then the other one goes. On temporald not one task may be lost: it would take a minute.
 * The real server loses some that it has just matched with a poll that it ends: these are tried
 * again after a second. Polls that came back without a task are counted by the metrics.
 */
#include <stdatomic.h>

#include "worker_fixture.h"

#define POLLS     10
#define TURNS     8
#define AT_A_TIME 20
#define LOST_MS   20000 /* far less than a lost task would take, or all of them after one another */
#define QUICK_MS  3000 /* less than the worker's patience with polls that the server does not end */

struct pass_in {
	int n;
};
typedef int pass_out;
TEMPORAL_ACTIVITY_CONTRACT(pass, "pass", n);

static const struct temporal_failure *pass_run(
	struct act *act, const struct pass_in *in, pass_out *out)
{
	*out = in->n;
	return NULL;
}
TEMPORAL_ACTIVITY(pass);

struct busy_in {
	int patience_ms;
};
typedef int busy_out;
TEMPORAL_WORKFLOW_CONTRACT(busy, "Busy", patience_ms);
struct busy {
	bool is_enough;
};
TEMPORAL_SIGNAL_CONTRACT_0(busy_enough, "enough");

static void busy_enough_run(struct wf *wf, struct busy *self)
{
	self->is_enough = true;
}
TEMPORAL_SIGNAL_0(busy, enough);

static busy_out busy_run(struct wf *wf, struct busy *self, const struct busy_in *in)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = in->patience_ms,
		.no_eager = true };
	int sum = 0;

	while (!self->is_enough) {
		struct wf_mark mark = wf_mark(wf);
		struct wf_future *futures[AT_A_TIME];

		for (int i = 0; i < AT_A_TIME; i++)
			futures[i] = wf_start_activity(wf, pass, &opts, .n = 1);
		for (int i = 0; i < AT_A_TIME; i++)
			sum += wf_await(wf, pass, futures[i]);
		wf_release(wf, mark);
		wf_sleep(wf, 10); /* a history has its limits */
	}
	return sum;
}
static const struct temporal_handler *const busy_handlers[] = { &busy_enough_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(busy, busy_handlers);

static int64_t elapsed_ms(int64_t since_ms)
{
	return test_now_ms() - since_ms;
}

/* Activities alone: a worker that is gone takes no run's memory with it. */
static void begin_turn(struct temporal_worker **worker)
{
	struct temporal_error err;

	*worker = temporal_worker_new(fixture.client, &err, .task_queue = fixture.queue,
		.activities = ACTIVITIES(&pass_activity), .activity_task_pollers = POLLS,
		.on_log = on_log, .skip_overlap_check = true);
	assert_non_null(*worker);
	assert_int_equal(temporal_worker_start(*worker, &err), TEMPORAL_OK);
}

static void end_turn(struct temporal_worker *worker)
{
	struct temporal_error err;
	int64_t begin_ms = test_now_ms();

	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	assert_true(elapsed_ms(begin_ms) < QUICK_MS);
}

static void take_turns(void)
{
	struct temporal_worker *here, *next;
	struct temporal_error err;
	int sum = 0;

	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&busy_workflow), .skip_overlap_check = true });
	struct temporal_run *run = START(busy, .patience_ms = test_server_is_real() ? 1000 : 60000);
	int64_t begin_ms = test_now_ms();

	begin_turn(&here);
	for (int i = 0; i < TURNS; i++, here = next) {
		begin_turn(&next);
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL); /* it is at work */
		end_turn(here);
	}
	assert_int_equal(temporal_signal_0(run, busy_enough, &err), TEMPORAL_OK);
	if (temporal_result(run, busy, &sum, NULL, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_true(elapsed_ms(begin_ms) < LOST_MS);
	assert_true(sum >= AT_A_TIME);
	end_turn(here);
	temporal_run_unref(run);
	stop_worker();
}

static atomic_int polls_in_vain;

static void count(const struct temporal_metric_value *value, void *user)
{
	if (strcmp(value->name, "temporal_activity_poll_no_task") == 0)
		atomic_fetch_add(&polls_in_vain, (int)value->value);
}

/* With work, and then with polls that only wait. */
static void on_server(const char *address, bool ends_polls)
{
	struct temporal_error err;
	struct temporal_metrics *metrics = temporal_metrics_new(&err, .on_value = count);
	struct temporal_worker *idle;

	fixture.client = temporal_client_connect(&err, .target = address, .metrics = metrics);
	assert_non_null(fixture.client);
	take_turns();
	begin_turn(&idle);
	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL); /* its polls wait */
	atomic_store(&polls_in_vain, 0);
	end_turn(idle);
	assert_int_equal(atomic_load(&polls_in_vain), ends_polls ? POLLS : 0);
	temporal_client_unref(fixture.client);
	fixture.client = NULL;
	temporal_metrics_unref(metrics);
}

static void the_server_ends_the_polls(void **state)
{
	static const char *const config[] = { "frontend.enableCancelWorkerPollsOnShutdown=true",
		NULL };
	struct test_server server;

	test_server_start(&server, &(const struct test_server_opts){ .dynamic_config = config });
	on_server(server.address, true);
	test_server_stop(&server);
}

static void or_the_worker_does(void **state)
{
	if (!test_server_is_real())
		skip(); /* temporald always does */
	on_server(test_server_shared(), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_server_ends_the_polls, begin_test, end_test),
		cmocka_unit_test_setup_teardown(or_the_worker_does, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
