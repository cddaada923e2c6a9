/*
 * Goal: nothing is lost when a worker or the server dies in the middle of a workflow, and code that
 * does not fit a history is told so. Method: this program is its own worker: started again with
 * "worker" it runs the workflow below, in the variant that it is told, until it is killed. The
 * server is the test's own, on a database file, and is killed and restarted too.
 */
#include "worker_fixture.h"

#include <signal.h>
#include <stdlib.h>

#define QUEUE "takeover"

struct step_in {
	const char *name;
};
typedef const char *step_out;
TEMPORAL_ACTIVITY_CONTRACT(step, "step", name);

/* Two steps with a signal between them. */
struct trip_in {
	const char *to;
};
typedef const char *trip_out;
TEMPORAL_WORKFLOW_CONTRACT(trip, "Trip", to);
TEMPORAL_SIGNAL_CONTRACT_0(go, "go");

static bool is_changed; /* the variant whose first command is another one */

static const struct temporal_failure *step_run(
	struct act *act, const struct step_in *in, step_out *out)
{
	printf("step %s, attempt %d\n", in->name, (int)act_info(act)->attempt);
	if (strcmp(in->name, "slow") == 0 && act_info(act)->attempt == 1)
		act_wait(act, 60000);
	*out = act_printf(act, "%s by %s", in->name, "worker");
	return NULL;
}
TEMPORAL_ACTIVITY(step);

static trip_out trip_run(struct wf *wf, const struct trip_in *in)
{
	static const struct temporal_retry_policy quick = { .initial_interval_ms = 10 };
	const struct wf_activity_opts opts = {
		.start_to_close_ms = 60000, .heartbeat_ms = 1000, .retry = &quick
	};

	if (is_changed)
		wf_sleep(wf, 10);
	const char *first = wf_activity(wf, step, &opts, .name = in->to);

	wf_receive_0(wf, go);
	return wf_printf(wf, "%s, %s", first, wf_activity(wf, step, &opts, .name = "back"));
}
TEMPORAL_WORKFLOW(trip);

/* ---- the worker's program ---- */

static void print_event(const struct temporal_worker_event *event, void *user)
{
	(void)user;
	if (event->kind == TEMPORAL_EVENT_WORKER_STARTED)
		printf("started\n");
	if (event->kind == TEMPORAL_EVENT_ACTIVITY_COMPLETED)
		printf("completed: %s\n", event->text);
	if (event->kind == TEMPORAL_EVENT_WORKFLOW_TASK_FAILED)
		printf("task failed: %s\n", event->text);
}

static int worker_main(const char *address)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client =
		temporal_client_connect(&err, .target = address, .lazy = true);

	setvbuf(stdout, NULL, _IOLBF, 0);
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = QUEUE,
		.workflows = WORKFLOWS(&trip_workflow), .activities = ACTIVITIES(&step_activity),
		.sticky_schedule_to_start_timeout_ms = 500, .shutdown_on_signals = true,
		.on_event = print_event, .on_log = on_log);

	if (!worker || temporal_worker_run(worker, &err) != TEMPORAL_OK)
		printf("error: %s\n", err.message);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	return err.code == TEMPORAL_OK ? 0 : 1;
}

/* ---- the tests ---- */

static char self[512];
static struct test_server server;

static void start_process(struct test_process *process, const char *variant)
{
	test_process_spawn(
		process, (const char *const[]){ self, "worker", server.address, variant, NULL });
	assert_true(test_process_wait_output(process, "started", 20000));
}

static struct temporal_run *start_trip(const char *to)
{
	/* A task that a killed worker had is given to the next one after a second. */
	struct temporal_start_opts opts = {
		.task_queue = QUEUE, .execution_timeout_ms = 120000, .task_timeout_ms = 1000
	};
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run = temporal_start(fixture.client, trip, &opts, &err, .to = to);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	return run;
}

static void signal_go(struct temporal_run *run)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	if (temporal_signal_0(run, go, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
}

/* The run waits for the signal; its worker is gone; the next one knows nothing but the history. */
static void another_worker_goes_on_by_replay(void **state)
{
	struct test_process first = { 0 }, second = { 0 };

	start_process(&first, "");
	struct temporal_run *run = start_trip("there");

	assert_true(test_process_wait_output(&first, "completed: there by worker", 20000));
	test_process_kill(&first);
	start_process(&second, "");
	int64_t begun_ms = test_now_ms();

	signal_go(run);
	assert_result(run, &trip, "there by worker, back by worker");
	assert_true(
		test_now_ms() - begun_ms < 9000); /* its half a second, not the default of ten */
	test_process_kill(&second);
}

/* Killed in the middle of an activity: the heartbeat's time-out gives it to the next one. */
static void another_worker_repeats_the_activity(void **state)
{
	struct test_process first = { 0 }, second = { 0 };

	start_process(&first, "");
	struct temporal_run *run = start_trip("slow");

	assert_true(test_process_wait_output(&first, "step slow, attempt 1", 20000));
	test_process_kill(&first);
	start_process(&second, "");
	assert_true(test_process_wait_output(&second, "step slow, attempt 2", 20000));
	signal_go(run);
	assert_result(run, &trip, "slow by worker, back by worker");
	test_process_kill(&second);
}

/* The server is killed and comes back on its file and port: the same worker process goes on. */
static void a_worker_outlives_its_server(void **state)
{
	struct test_process process = { 0 };

	start_process(&process, "");
	struct temporal_run *run = start_trip("there");

	assert_true(test_process_wait_output(&process, "completed: there by worker", 20000));
	test_server_kill(&server);
	test_server_restart(&server);
	signal_go(run);
	assert_result(run, &trip, "there by worker, back by worker");
	test_process_signal(&process, SIGTERM);
	assert_int_equal(test_process_wait(&process, 20000), 0);
}

/* Code that has changed since the history was made is told which event and which command do not
 * fit. */
static void changed_code_is_told_what_does_not_fit(void **state)
{
	struct test_process first = { 0 }, changed = { 0 }, third = { 0 };

	start_process(&first, "");
	struct temporal_run *run = start_trip("there");

	assert_true(test_process_wait_output(&first, "completed: there by worker", 20000));
	test_process_kill(&first);
	start_process(&changed, "changed");
	signal_go(run);
	assert_true(test_process_wait_output(&changed, "task failed: ", 20000));
	char *output = test_process_output(&changed);

	print_message("%s", output);
	assert_non_null(strstr(output, "TMPRL1100"));
	assert_non_null(strstr(output, "ActivityTaskScheduled"));
	assert_non_null(strstr(output, "timer"));
	free(output);
	test_process_kill(&changed);
	/* With the code as it was, the run goes on as if nothing had happened. */
	start_process(&third, "");
	assert_result(run, &trip, "there by worker, back by worker");
	test_process_kill(&third);
}

static int start_server(void **state)
{
	static char db[300];
	const struct test_server_opts opts = { .db = db };

	snprintf(db, sizeof(db), "%s/takeover.db", test_temp_dir());
	test_server_start(&server, &opts);
	connect_client(server.address);
	return 0;
}

static int stop_server(void **state)
{
	end_all(state);
	test_server_kill(&server);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_worker_goes_on_by_replay),
		cmocka_unit_test(another_worker_repeats_the_activity),
		cmocka_unit_test(a_worker_outlives_its_server),
		cmocka_unit_test(changed_code_is_told_what_does_not_fit),
	};

	if (argc == 4 && strcmp(argv[1], "worker") == 0) {
		is_changed = strcmp(argv[3], "changed") == 0;
		return worker_main(argv[2]);
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
