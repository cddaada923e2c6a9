/*
 * A worker on the program's own loop. Goal: with a client that has no thread, workflows and
 * activities within the step, a program of one thread connects, starts a workflow, works on it and
 * stops; waiting calls there are refused; a worker with threads of its own goes on the same loop;
 * temporal_worker_run turns the loop by itself.
 *
 * Method: poll(2), and a count of this process's threads. The clients of this file have no thread,
 * so nothing is done that the test does not step.
 */
#include <dirent.h>
#include <poll.h>

#include "worker_fixture.h"

struct greet_in {
	const char *name;
};
typedef const char *greet_out;
TEMPORAL_ACTIVITY_CONTRACT(greet, "greet", name);
struct hail_in {
	const char *name;
};
typedef const char *hail_out;
TEMPORAL_WORKFLOW_CONTRACT(hail, "Hail", name);

static const struct temporal_failure *greet_run(
	struct act *act, const struct greet_in *in, greet_out *out)
{
	*out = act_printf(act, "hello %s", in->name);
	return NULL;
}
TEMPORAL_ACTIVITY(greet);

static hail_out hail_run(struct wf *wf, const struct hail_in *in)
{
	wf_sleep(wf, 5);
	return wf_activity(
		wf, greet, WF_ACTIVITY_OPTS(.start_to_close_ms = 5000), .name = in->name);
}
TEMPORAL_WORKFLOW(hail);

static int thread_count(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int n = -2; /* "." and ".." */

	assert_non_null(tasks);
	while (readdir(tasks))
		n++;
	closedir(tasks);
	return n;
}

static struct temporal_client *client;

static void step_until(const bool *done)
{
	for (int64_t end_ms = test_now_ms() + TEST_WAIT_MS; !*done;) {
		struct pollfd ready = { .fd = temporal_client_fd(client), .events = POLLIN };

		assert_true(test_now_ms() < end_ms);
		assert_true(ready.fd >= 0);
		assert_true(poll(&ready, 1, temporal_client_timeout_ms(client)) >= 0);
		temporal_client_step(client);
	}
}

/* What a callback has got. */
struct end {
	bool done;
	char text[256];
};

static void on_result(struct temporal_result *result, const struct temporal_error *err, void *user)
{
	struct end *end = user;
	const char *text = "";

	if (err)
		snprintf(end->text, sizeof(end->text), "%s", err->message);
	else if (temporal_result_get(result, hail, &text, NULL) == TEMPORAL_OK)
		snprintf(end->text, sizeof(end->text), "%s", text);
	end->done = true;
	temporal_result_unref(result);
}

static void hail_async(const char *queue, struct end *end)
{
	struct temporal_start_opts opts = { .task_queue = queue, .execution_timeout_ms = 60000 };
	struct temporal_error err;

	assert_int_equal(
		temporal_execute_async(client, hail, &opts, on_result, end, &err, .name = "you"),
		TEMPORAL_OK);
}

static struct temporal_worker *worker_on(const char *queue, bool threads)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = queue,
		.workflows = WORKFLOWS(&hail_workflow), .activities = ACTIVITIES(&greet_activity),
		.workflow_threads = threads ? 1 : TEMPORAL_OFF, .short_activities = !threads,
		.on_log = on_log);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	return worker;
}

/* Not by its client: temporal_worker_step is what is tried here. */
static void end_stepped(struct temporal_worker *worker)
{
	struct temporal_error err;

	temporal_worker_shutdown(worker);
	while (temporal_worker_step(worker)) {
		struct pollfd ready = { .fd = temporal_worker_fd(worker), .events = POLLIN };

		assert_true(poll(&ready, 1, temporal_worker_timeout_ms(worker)) >= 0);
	}
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
}

static void one_thread_does_it_all(void **state)
{
	struct temporal_worker *worker = worker_on(fixture.queue, false);
	struct temporal_error err;
	struct end end = { false, "" };

	hail_async(fixture.queue, &end);
	step_until(&end.done);
	assert_string_equal(end.text, "hello you");
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_FAILED_PRECONDITION);
	end_stepped(worker);
	assert_int_equal(thread_count(), 1);
}

static void waiting_calls_are_refused(void **state)
{
	struct temporal_start_opts opts = { .task_queue = fixture.queue };
	struct temporal_error err;

	assert_null(temporal_start(client, hail, &opts, &err, .name = "you"));
	assert_int_equal(err.code, TEMPORAL_FAILED_PRECONDITION);
	assert_non_null(strstr(err.message, "..._async"));
}

static void workers_share_the_loop(void **state)
{
	char other[sizeof(fixture.queue) + 2];
	struct end ends[2] = { { false, "" }, { false, "" } };

	snprintf(other, sizeof(other), "%s-b", fixture.queue);
	struct temporal_worker *plain = worker_on(fixture.queue, false),
			       *threaded = worker_on(other, true);

	hail_async(fixture.queue, &ends[0]);
	hail_async(other, &ends[1]);
	step_until(&ends[0].done);
	step_until(&ends[1].done);
	assert_string_equal(ends[0].text, "hello you");
	assert_string_equal(ends[1].text, "hello you");
	end_stepped(plain);
	end_stepped(threaded);
}

/* Given up while it runs: it is shut down and turned to its end. */
static void giving_up_turns_the_loop(void **state)
{
	temporal_worker_unref(worker_on(fixture.queue, true));
}

static struct temporal_worker *running;

static void stop_running(
	struct temporal_result *result, const struct temporal_error *err, void *user)
{
	on_result(result, err, user);
	temporal_worker_shutdown(running);
}

static void run_turns_the_loop(void **state)
{
	struct temporal_start_opts opts = { .task_queue = fixture.queue,
		.execution_timeout_ms = 60000 };
	struct temporal_error err;
	struct end end = { false, "" };

	for (int signals = 0; signals < 2; signals++) {
		running = temporal_worker_new(client, &err, .task_queue = fixture.queue,
			.workflows = WORKFLOWS(&hail_workflow),
			.activities = ACTIVITIES(&greet_activity), .short_activities = true,
			.shutdown_on_signals = signals);
		assert_non_null(running);
		assert_int_equal(temporal_execute_async(client, hail, &opts, stop_running, &end,
					 &err, .name = "me"),
			TEMPORAL_OK);
		assert_int_equal(temporal_worker_run(running, &err), TEMPORAL_OK);
		assert_string_equal(end.text, "hello me");
		temporal_worker_unref(running);
	}
}

/* A client with a thread needs no steps: they do nothing. */
static void others_have_a_thread(void **state)
{
	struct temporal_error err;
	struct temporal_client *other =
		temporal_client_connect(&err, .target = test_server_shared());

	assert_non_null(other);
	assert_int_equal(temporal_client_fd(other), -1);
	assert_int_equal(temporal_client_timeout_ms(other), -1);
	temporal_client_step(other);
	temporal_client_unref(other);
}

static int connect_without_thread(void **state)
{
	struct temporal_error err;

	client = temporal_client_connect(&err, .target = test_server_shared(), .no_thread = true);
	if (!client)
		print_message("%s\n", err.message);
	return client ? 0 : -1;
}

static int disconnect(void **state)
{
	temporal_client_unref(client);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_thread_does_it_all, begin_test),
		cmocka_unit_test_setup(waiting_calls_are_refused, begin_test),
		cmocka_unit_test_setup(workers_share_the_loop, begin_test),
		cmocka_unit_test_setup(giving_up_turns_the_loop, begin_test),
		cmocka_unit_test_setup(run_turns_the_loop, begin_test),
		cmocka_unit_test(others_have_a_thread),
	};

	return cmocka_run_group_tests(tests, connect_without_thread, disconnect);
}
