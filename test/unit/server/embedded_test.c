/*
 * Server, worker and client in one process. Goal: they work together with no socket, and a database
 * file holds what was acknowledged when the server is started again. Method: a workflow with an
 * activity and a timer is run; the server is stopped and started on the same file, and asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <temporal/client.h>
#include <temporal/server.h>
#include <temporal/worker.h>

struct twice_in {
	int64_t number;
};
typedef int64_t twice_out;
TEMPORAL_ACTIVITY_CONTRACT(twice, "twice", number);

struct count_in {
	int64_t rounds;
};
typedef int64_t count_out;
TEMPORAL_WORKFLOW_CONTRACT(count, "count", rounds);

static const struct temporal_failure *twice_run(
	struct act *act, const struct twice_in *in, twice_out *out)
{
	*out = in->number * 2;
	return NULL;
}
TEMPORAL_ACTIVITY(twice);

static count_out count_run(struct wf *wf, const struct count_in *in)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = TEMPORAL_SECONDS(10) };
	int64_t sum = 0;

	for (int64_t i = 0; i < in->rounds; i++) {
		wf_sleep(wf, 1);
		sum += wf_activity(wf, twice, &opts, .number = i);
	}
	return sum;
}
TEMPORAL_WORKFLOW(count);

static char folder[] = "/tmp/temporal-embedded-XXXXXX", path[64];

static struct temporal_server *server;
static struct temporal_client *client;

static void open_server(void)
{
	struct temporal_error err = { .message = "" };

	server = temporal_server_start(&err, .db = path);
	if (!server)
		fail_msg("%s", err.message);
	client = temporal_client_connect(&err, .server = server);
	if (!client)
		fail_msg("%s", err.message);
}

static void close_server(void)
{
	temporal_client_unref(client);
	temporal_server_stop(server);
}

static void runs_a_workflow(void **state)
{
	struct temporal_error err = { .message = "" };
	struct temporal_result *keep = NULL;
	count_out sum = 0;

	(void)state;
	open_server();
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = "numbers",
		.workflows = (const struct temporal_workflow *const[]){ &count_workflow, NULL },
		.activities = (const struct temporal_activity *const[]){ &twice_activity, NULL });
	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	struct temporal_run *run = temporal_start(client, count,
		(&(const struct temporal_start_opts){ .task_queue = "numbers", .id = "five" }),
		&err, .rounds = 5);
	if (!run)
		fail_msg("%s", err.message);
	if (temporal_result(run, count, &sum, &keep, &err) != TEMPORAL_OK)
		fail_msg("%s", err.message);
	assert_int_equal(sum, 20);
	temporal_result_unref(keep);
	temporal_run_unref(run);
	temporal_worker_unref(worker);
	close_server();
}

static void finds_it_again(void **state)
{
	struct temporal_error err = { .message = "" };
	struct temporal_result *keep = NULL;
	count_out sum = 0;

	(void)state;
	open_server();
	struct temporal_run *run = temporal_run_handle(client, "five", NULL, &err);
	assert_non_null(run);
	if (temporal_result(run, count, &sum, &keep, &err) != TEMPORAL_OK)
		fail_msg("%s", err.message);
	assert_int_equal(sum, 20);
	temporal_result_unref(keep);
	temporal_run_unref(run);
	close_server();
}

static int set_up(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/server.db", folder);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "", "-wal", "-shm", "-lock", ".lock" };
	char name[96];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, files[i]);
		unlink(name);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_a_workflow),
		cmocka_unit_test(finds_it_again),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
