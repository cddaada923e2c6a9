/*
 * Goal: a worker's metrics are there under their names and labels, and right; its readiness follows
 * its polls. Method: a worker with an endpoint runs workflows that complete, fail, are cancelled,
 * continue as new, fail a task, and run activities and local ones of every outcome; the text is
 * searched for the line of each series.
 */
#include "worker_fixture.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <temporal/metrics.h>

static struct temporal_metrics *metrics;

struct job_in {
	const char *how;
};
typedef int job_out;
TEMPORAL_ACTIVITY_CONTRACT(job, "job", how);

static const struct temporal_failure *job_run(
	struct act *act, const struct job_in *in, job_out *out)
{
	*out = 1;
	if (!strcmp(in->how, "fail"))
		return act_failure(act, "Broken", "it is broken");
	if (!strcmp(in->how, "benign"))
		return act_failure_with(act,
			&(const struct act_failure_opts){
				.type = "Expected", .category = TEMPORAL_CATEGORY_BENIGN },
			"as expected");
	if (!strcmp(in->how, "wait") && act_wait(act, 20000))
		return act_cancelled_failure(act);
	return NULL;
}
TEMPORAL_ACTIVITY(job);

struct boss_in {
	const char *scene;
};
typedef const char *boss_out;
TEMPORAL_WORKFLOW_CONTRACT(boss, "Boss", scene);

static boss_out boss_run(struct wf *wf, const struct boss_in *in)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	static const struct wf_activity_opts remote = { .start_to_close_ms = 5000, .retry = &once };
	static const struct wf_local_opts here = { .start_to_close_ms = 5000, .retry = &once };

	if (!strcmp(in->scene, "fail"))
		wf_fail(wf, "Bad", "it went wrong");
	if (!strcmp(in->scene, "sleep"))
		wf_sleep(wf, 60000);
	if (!strcmp(in->scene, "again"))
		wf_continue_as_new(
			wf, boss, WF_CONTINUE_AS_NEW_OPTS(.task_queue = NULL), .scene = "end");
	if (!strcmp(in->scene, "end"))
		return "end";
	int done = wf_activity(wf, job, &remote, .how = "ok");
	int failed = 0;

	failed += wf_try(wf, wf_start_activity(wf, job, &remote, .how = "fail")) != NULL;
	failed += wf_try(wf, wf_start_activity(wf, job, &remote, .how = "benign")) != NULL;
	failed += wf_try(wf, wf_start_local(wf, job, &here, .how = "fail")) != NULL;
	struct wf_future *waits = wf_start_local(wf, job, &here, .how = "wait");

	done += wf_local(wf, job, &here, .how = "ok"); /* so that it runs when it is cancelled */
	wf_cancel(wf, waits);
	failed += wf_try(wf, waits) != NULL;
	return wf_printf(wf, "%d done, %d failed", done, failed);
}
TEMPORAL_WORKFLOW(boss);

/* ---- reading ---- */

/* The value of the series: `name` with a suffix, and its labels after namespace and task queue; -1:
 * there is none. */
static long value_of(const char *name, const char *labels)
{
	static char text[1 << 17];
	char line[512];

	assert_true(temporal_metrics_text(metrics, text, sizeof(text)) < sizeof(text));
	snprintf(line, sizeof(line), "\ntemporal_%s{namespace=\"default\",task_queue=\"%s\"%s} ",
		name, fixture.queue, labels);
	const char *at = strstr(text, line);

	return at ? strtol(at + strlen(line), NULL, 10) : -1;
}

/* Waits for it to be so much at least: what is counted may come a little after what it tells of. */
static void assert_reaches(const char *name, const char *labels, long least)
{
	int64_t end_ms = test_now_ms() + TEST_WAIT_MS;

	for (; value_of(name, labels) < least; test_pause()) {
		if (test_now_ms() > end_ms)
			fail_msg("%s%s is %ld", name, labels, value_of(name, labels));
	}
}

#define BOSS    ",workflow_type=\"Boss\""
#define JOB     ",activity_type=\"job\",workflow_type=\"Boss\""
#define REASON  BOSS ",failure_reason="
#define POLLER  ",poller_type="
#define WORKER_ ",worker_type="

/* The status of GET path; the body goes to `body`. */
static int get(const char *path, char *body, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) },
		.sin_port = htons(temporal_metrics_port(metrics)) };
	char request[128];
	int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
	size_t len = 0;
	ssize_t n;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
	while (len < size - 1 && (n = recv(fd, body + len, size - 1 - len, 0)) > 0)
		len += (size_t)n;
	body[len] = '\0';
	close(fd);
	assert_int_equal(sscanf(body, "HTTP/%*s %d", &status), 1);
	return status;
}

static void wait_for_status(const char *path, int status)
{
	char body[1024];

	test_wait_until(get(path, body, sizeof(body)) == status);
}

/* ---- tests ---- */

static void end_in(const char *scene, bool fails)
{
	struct temporal_run *run = start_contract(&boss, &(const struct boss_in){ scene });
	struct temporal_error err;

	if (fails) {
		temporal_result_unref(failed_result(run));
		return;
	}
	struct temporal_result *result = temporal_run_wait_0(run, &err);

	assert_non_null(result);
	assert_null(temporal_result_failure(result));
	temporal_result_unref(result);
	temporal_run_unref(run);
}

static void run_all(void)
{
	struct temporal_error err;
	struct temporal_run *sleeper, *stranger;

	end_in("all", false);
	end_in("fail", true);
	end_in("again", false);
	long answered = value_of("workflow_task_execution_latency_count", BOSS);

	sleeper = START(boss, .scene = "sleep");
	assert_reaches("workflow_task_execution_latency_count", BOSS, answered + 1);
	end_in("end", false); /* takes the sleeper's place in the cache */
	assert_int_equal(temporal_run_cancel_0(sleeper, &err), TEMPORAL_OK);
	temporal_result_unref(failed_result(sleeper));
	stranger = start_named("Stranger", (struct temporal_payloads){ 0 });
	assert_reaches("workflow_task_execution_failed",
		",workflow_type=\"Stranger\",failure_reason=\"WorkflowError\"", 1);
	assert_int_equal(temporal_run_terminate_0(stranger, &err), TEMPORAL_OK);
	temporal_run_unref(stranger);
}

static void counts_all(void **state)
{
	static const struct {
		const char *name, *labels;
		long least;
	} expected[] = {
		{ "worker_start", "", 1 },
		{ "num_pollers", POLLER "\"workflow_task\"", 1 },
		{ "num_pollers", POLLER "\"sticky_workflow_task\"", 1 },
		{ "num_pollers", POLLER "\"activity_task\"", 1 },
		{ "worker_task_slots_available", WORKER_ "\"WorkflowWorker\"", 8 },
		{ "worker_task_slots_available", WORKER_ "\"ActivityWorker\"", 7 },
		{ "worker_task_slots_available", WORKER_ "\"LocalActivityWorker\"", 6 },
		{ "worker_task_slots_used", WORKER_ "\"WorkflowWorker\"", 0 },
		{ "worker_task_slots_used", WORKER_ "\"ActivityWorker\"", 0 },
		{ "worker_task_slots_used", WORKER_ "\"LocalActivityWorker\"", 0 },
		{ "sticky_cache_size", "", 0 },
		{ "sticky_cache_hit", BOSS, 1 },
		{ "sticky_cache_miss", "", 1 },
		{ "sticky_cache_total_forced_eviction", "", 1 },
		{ "workflow_task_queue_poll_succeed", "", 6 },
		{ "workflow_task_queue_poll_empty", "", 0 },
		{ "workflow_task_schedule_to_start_latency_count", "", 6 },
		{ "workflow_task_execution_latency_count", BOSS, 6 },
		{ "workflow_task_replay_latency_count", BOSS, 1 },
		{ "workflow_task_execution_failed", REASON "\"NonDeterminismError\"", 0 },
		{ "workflow_completed", BOSS, 3 },
		{ "workflow_failed", BOSS, 1 },
		{ "workflow_canceled", BOSS, 1 },
		{ "workflow_continue_as_new", BOSS, 1 },
		{ "workflow_endtoend_latency_count", BOSS, 6 },
		{ "activity_poll_no_task", "", 0 },
		{ "activity_schedule_to_start_latency_count", "", 3 },
		{ "activity_task_received", JOB ",eager=\"false\"", 0 },
		{ "activity_task_received", JOB ",eager=\"true\"", 0 },
		{ "activity_execution_failed", JOB, 1 },
		{ "activity_execution_latency_count", JOB, 3 },
		{ "activity_succeed_endtoend_latency_count", JOB, 1 },
		{ "local_activity_total", JOB, 3 },
		{ "local_activity_execution_cancelled", JOB, 1 },
		{ "local_activity_execution_failed", JOB, 1 },
		{ "local_activity_execution_latency_count", JOB, 3 },
		{ "local_activity_succeed_endtoend_latency_count", JOB, 1 },
	};

	(void)state;
	start_worker((struct temporal_worker_opts){ .workflows = WORKFLOWS(&boss_workflow),
		.activities = ACTIVITIES(&job_activity),
		.max_cached_workflows = 1,
		.max_concurrent_workflow_tasks = 8,
		.max_concurrent_activities = 7,
		.max_concurrent_local_activities = 6 });
	run_all();
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_reaches(expected[i].name, expected[i].labels, expected[i].least);
	assert_int_equal(value_of("activity_task_received", JOB ",eager=\"false\"") +
				 value_of("activity_task_received", JOB ",eager=\"true\""),
		3);
	assert_int_equal(value_of("activity_execution_failed", JOB), 1); /* not the benign one */
	assert_int_equal(value_of("workflow_completed", BOSS), 3);
	assert_true(value_of("worker_task_slots_available", WORKER_ "\"WorkflowWorker\"") <= 8);
	assert_true(value_of("worker_task_slots_available", WORKER_ "\"ActivityWorker\"") <= 7);
	stop_worker();
	assert_int_equal(value_of("num_pollers", POLLER "\"workflow_task\""), 0);
	assert_int_equal(value_of("worker_task_slots_available", WORKER_ "\"WorkflowWorker\""), 0);
}

static void counts_requests(void **state)
{
	static char body[1 << 17];
	static const char *const lines[] = {
		"\ntemporal_request{namespace=\"default\",operation=\"StartWorkflowExecution\"} ",
		"\ntemporal_request_latency_count{namespace=\"default\",operation="
		"\"GetSystemInfo\"} ",
		"\ntemporal_request_failure{namespace=\"default\",operation="
		"\"DescribeWorkflowExecution\","
		"status_code=\"NOT_FOUND\"} 1\n",
		"\ntemporal_long_request{namespace=\"default\",operation=\"PollWorkflowTaskQueue\"}"
		" ",
		"\ntemporal_long_request_latency_bucket{namespace=\"default\",operation="
		"\"PollWorkflowTaskQueue\",le=\"+Inf\"} ",
	};
	struct temporal_error err;
	struct temporal_run *nobody =
		temporal_run_handle(fixture.client, "nobody-has-this-id", NULL, &err);

	(void)state;
	assert_non_null(nobody);
	assert_null(temporal_run_describe(nobody, &err));
	assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
	temporal_run_unref(nobody);
	assert_int_equal(get("/metrics", body, sizeof(body)), 200);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!strstr(body, lines[i]))
			print_message("no %s\n", lines[i]);
		assert_non_null(strstr(body, lines[i]));
	}
}

static void is_ready_while_it_polls(void **state)
{
	(void)state;
	wait_for_status("/readyz", 503); /* there is no worker */
	wait_for_status("/healthz", 200);
	start_worker((struct temporal_worker_opts){ .workflows = WORKFLOWS(&boss_workflow) });
	wait_for_status("/readyz", 200);
	wait_for_status("/healthz", 200);
	stop_worker();
	wait_for_status("/readyz", 503);
}

static int connect_counted(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	(void)state;
	metrics = temporal_metrics_new(&err, .listen = "127.0.0.1:0");
	assert_non_null(metrics);
	fixture.client =
		temporal_client_connect(&err, .target = test_server_shared(), .metrics = metrics);
	assert_non_null(fixture.client);
	return 0;
}

static int disconnect_counted(void **state)
{
	end_all(state);
	temporal_metrics_unref(metrics);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_all, begin_test, end_test),
		cmocka_unit_test_setup_teardown(counts_requests, begin_test, end_test),
		cmocka_unit_test_setup_teardown(is_ready_while_it_polls, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, connect_counted, disconnect_counted);
}
