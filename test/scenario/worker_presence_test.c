/*
 * Goal: a worker tells the server of itself, as often as its client says or not at all, and what
 * it tells is right; workers of a client do not take each other's tasks by mistake; a workflow that
 * is started eagerly needs no poll. Method: workers with few tasks, asked for by the `temporal`
 * program; the polls that brought something are counted by a metric.
 */
#include "worker_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

struct step_in {
	bool fails;
};
typedef int64_t step_out;
TEMPORAL_ACTIVITY_CONTRACT(step, "step", fails);

struct walk_in {
	int64_t steps;
};
typedef int64_t walk_out;
TEMPORAL_WORKFLOW_CONTRACT(walk, "Walk", steps);

static const struct temporal_failure *step_run(
	struct act *act, const struct step_in *in, step_out *out)
{
	*out = 1;
	return in->fails ? act_failure(act, "Stumbled", "over a stone") : NULL;
}
TEMPORAL_ACTIVITY(step);

/* The last step fails. */
static walk_out walk_run(struct wf *wf, const struct walk_in *in)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	static const struct wf_activity_opts opts = {
		.start_to_close_ms = 10000, .retry = &once, .no_eager = true
	};
	int64_t done = 0;

	for (int64_t i = 0; i < in->steps; i++)
		done += !wf_try(wf, wf_start_activity(wf, step, &opts, .fails = i == 3));
	return done;
}
TEMPORAL_WORKFLOW(walk);

static struct temporal_worker_opts walks(void)
{
	static const struct temporal_workflow *const workflows[] = { &walk_workflow, NULL };
	static const struct temporal_activity *const activities[] = { &step_activity, NULL };

	return (struct temporal_worker_opts){ .workflows = workflows, .activities = activities };
}

static void take_walk(struct temporal_start_opts opts, int64_t steps, int64_t expected)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t done = -1;

	opts.task_queue = fixture.queue;
	struct temporal_run *run = temporal_start_contract_(fixture.client, &walk,
		&(const struct walk_in){ .steps = steps }, &opts, sizeof(opts), &err);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	assert_int_equal(temporal_result_(run, &walk, &done, NULL, 0, NULL, &err), TEMPORAL_OK);
	assert_int_equal(done, expected);
	temporal_run_unref(run);
}

/* ---- polls that brought a workflow task ---- */

static atomic_int polled;

static void on_value(const struct temporal_metric_value *value, void *user)
{
	if (!strcmp(value->name, "temporal_workflow_task_queue_poll_succeed"))
		atomic_fetch_add(&polled, (int)value->value);
}

static struct temporal_client *connect_with(int64_t heartbeat_ms)
{
	struct temporal_error err;
	struct temporal_metrics *metrics = temporal_metrics_new(&err, .on_value = on_value);
	struct temporal_client *client;

	assert_non_null(metrics);
	client = temporal_client_connect(&err, .target = test_server_shared(), .metrics = metrics,
		.worker_heartbeat_interval_ms = heartbeat_ms);
	if (!client)
		print_message("%s\n", err.message);
	assert_non_null(client);
	temporal_metrics_unref(metrics);
	return client;
}

/* ---- what the server knows of the workers of the queue ---- */

static char *cli(const char *command, const char *option, const char *value)
{
	const char *const args[] = { "worker", command, option, value, "--output", "json", NULL };
	char *output = NULL;
	int status = test_server_run_cli(test_server_shared(), args, &output);

	if (status != 0)
		print_message("%s\n", output);
	assert_int_equal(status, 0);
	return output;
}

/* Of the worker of the test's queue; false: the server knows none. */
static bool find_key(char key[64])
{
	char query[128];

	snprintf(query, sizeof(query), "TaskQueue=\"%s\"", fixture.queue);
	char *list = cli("list", "--query", query);
	const char *at = strstr(list, "nstanceKey\": \"");

	if (at)
		snprintf(key, 64, "%.36s", strchr(at, ':') + 3);
	free(list);
	return at != NULL;
}

/* Asks until the description has all the words; fails the test if it never has. */
static void wait_for_words(const char *key, const char *const words[])
{
	for (int64_t end_ms = test_now_ms() + TEST_WAIT_MS;;) {
		char *text = cli("describe", "--worker-instance-key", key);
		const char *const *missing = words;

		while (*missing && strstr(text, *missing))
			missing++;
		if (*missing && test_now_ms() > end_ms)
			fail_msg("no %s in %s", *missing, text);
		free(text);
		if (!*missing)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 150000000 }, NULL);
	}
}

static void a_worker_tells_of_itself(void **state)
{
	struct temporal_worker_opts opts = walks();
	char key[64], process[64];

	opts.tuner = &(const struct temporal_tuner){ .activity = { .fixed_slots = 7 },
		.local_activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES },
		.resources = { .target_memory = 0.9, .target_cpu = 0.9 } };
	opts.activity_task_autoscaling = &(const struct temporal_autoscaling){ 0 };
	start_worker(opts);
	wait_for_events(TEMPORAL_EVENT_WORKER_STARTED, 1);
	test_wait_until(find_key(key));
	take_walk((struct temporal_start_opts){ 0 }, 4, 3);
	snprintf(process, sizeof(process), "\"processId\": \"%d\"", (int)getpid());
	wait_for_words(
		key, (const char *const[]){ process, "\"sdkName\": \"temporal-c\"",
			     "WORKER_STATUS_RUNNING", "\"totalProcessedTasks\": 4",
			     "\"totalFailedTasks\": 1", "\"totalProcessedTasks\": 5",
			     "\"currentAvailableSlots\": 7", "\"Fixed\"", "\"ResourceBased\"",
			     "\"isAutoscaling\": true", "\"currentAvailableSlots\": -1",
			     "\"currentStickyCacheSize\": ", NULL });
	stop_worker();
	wait_for_words(key, (const char *const[]){ "WORKER_STATUS_SHUTTING_DOWN", NULL });
}

static void a_worker_may_keep_it_to_itself(void **state)
{
	struct temporal_client *shared = fixture.client;
	char key[64];

	fixture.client = connect_with(TEMPORAL_OFF);
	start_worker(walks());
	take_walk((struct temporal_start_opts){ 0 }, 2, 2);
	assert_false(find_key(key));
	stop_worker();
	temporal_client_unref(fixture.client);
	fixture.client = shared;
}

/* ---- one worker for a task ---- */

static void workers_do_not_overlap(void **state)
{
	struct temporal_worker_opts opts = walks();
	struct temporal_error err;
	struct temporal_worker *other;

	start_worker(opts);
	opts.task_queue = fixture.queue;
	other = temporal_worker_new_(fixture.client, &opts, sizeof(opts), &err);
	assert_null(other);
	assert_int_equal(err.code, TEMPORAL_ALREADY_EXISTS);
	assert_non_null(strstr(err.message, fixture.queue));
	opts.activities = NULL; /* workflows overlap, too */
	assert_null(temporal_worker_new_(fixture.client, &opts, sizeof(opts), &err));
	/* One of another version does not. */
	opts.deployment =
		&(const struct temporal_deployment_opts){ .name = "walks", .build_id = "2" };
	other = temporal_worker_new_(fixture.client, &opts, sizeof(opts), &err);
	assert_non_null(other);
	temporal_worker_unref(other);
	opts.deployment = NULL;
	opts.skip_overlap_check = true;
	other = temporal_worker_new_(fixture.client, &opts, sizeof(opts), &err);
	assert_non_null(other);
	temporal_worker_unref(other);
	stop_worker();
	/* Once it has stopped, another one may take over; and one of other kinds joins it. */
	opts = walks();
	opts.activities = NULL;
	start_worker(opts);
	opts = walks();
	opts.workflows = NULL;
	opts.task_queue = fixture.queue;
	other = temporal_worker_new_(fixture.client, &opts, sizeof(opts), &err);
	assert_non_null(other);
	assert_int_equal(temporal_worker_start(other, &err), TEMPORAL_OK);
	take_walk((struct temporal_start_opts){ 0 }, 2, 2);
	temporal_worker_unref(other);
}

/* ---- eager starts ---- */

static void an_eager_start_needs_no_poll(void **state)
{
	struct temporal_worker_opts opts = walks();

	start_worker(opts);
	wait_for_events(TEMPORAL_EVENT_WORKER_STARTED, 1);
	atomic_store(&polled, 0);
	for (int i = 0; i < 5; i++)
		take_walk((struct temporal_start_opts){ .request_eager_start = true }, 0, 0);
	assert_int_equal(atomic_load(&polled), 0);
	take_walk((struct temporal_start_opts){ 0 }, 0, 0);
	assert_int_equal(atomic_load(&polled), 1);
	/* The task that follows an activity comes by a poll, as always. */
	take_walk((struct temporal_start_opts){ .request_eager_start = true }, 1, 1);
	assert_int_equal(atomic_load(&polled), 2);
	wait_for_events(TEMPORAL_EVENT_WORKFLOW_COMPLETED, 7);
	stop_worker();
}

static bool never(const struct temporal_slot_request *request, void **permit, void *user)
{
	return false;
}

static void release(const struct temporal_slot_use *use, void *user)
{
}

/* A worker without a free slot is not given any task; nor is one of another queue. */
static void without_a_slot_it_is_an_ordinary_start(void **state)
{
	static const struct temporal_slot_callbacks none = { .try_reserve = never,
		.release = release };
	struct temporal_worker_opts opts = walks();
	struct temporal_error err;

	opts.tuner = &(const struct temporal_tuner){
		.workflow = { .source = TEMPORAL_SLOTS_BY_CALLBACKS, .callbacks = &none }
	};
	start_worker(opts);
	wait_for_events(TEMPORAL_EVENT_WORKER_STARTED, 1);
	opts = walks();
	opts.task_queue = fixture.queue;
	opts.skip_overlap_check = true;
	struct temporal_client *client = connect_with(TEMPORAL_OFF);
	struct temporal_worker *other = temporal_worker_new_(client, &opts, sizeof(opts), &err);

	assert_non_null(other);
	assert_int_equal(temporal_worker_start(other, &err), TEMPORAL_OK);
	atomic_store(&polled, 0);
	take_walk((struct temporal_start_opts){ .request_eager_start = true }, 0, 0);
	assert_int_equal(atomic_load(&polled), 1);
	temporal_worker_unref(other);
	temporal_client_unref(client);
}

static int begin_file(void **state)
{
	struct temporal_error err;

	assert_null(temporal_client_connect(
		&err, .target = test_server_shared(), .worker_heartbeat_interval_ms = 999));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	fixture.client = connect_with(1000);
	return 0;
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin_test, end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_worker_tells_of_itself),
		TEST(a_worker_may_keep_it_to_itself),
		TEST(workers_do_not_overlap),
		TEST(an_eager_start_needs_no_poll),
		TEST(without_a_slot_it_is_an_ordinary_start),
	};

	return cmocka_run_group_tests(tests, begin_file, end_all);
}
