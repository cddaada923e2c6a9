/*
 * Answers to workflow tasks that are too large for one request: in pages where the namespace takes
 * them, and failed with the right cause where it does not.
 *
 * Method: two servers of the test's own, one with the option on; a workflow that schedules
 * activities with megabytes of arguments in one task.
 */
#include "worker_fixture.h"

struct swallow_in {
	const char *text;
};
typedef int swallow_out;
TEMPORAL_ACTIVITY_CONTRACT(swallow, "swallow", text);

static const struct temporal_failure *swallow_run(
	struct act *act, const struct swallow_in *in, swallow_out *out)
{
	*out = (int)strlen(in->text);
	return NULL;
}
TEMPORAL_ACTIVITY(swallow);

struct feed_in {
	int count, bytes;
};
typedef int feed_out;
TEMPORAL_WORKFLOW_CONTRACT(feed, "Feed", count, bytes);

static feed_out feed_run(struct wf *wf, const struct feed_in *in)
{
	char *text = wf_alloc(wf, (size_t)in->bytes + 1);
	struct wf_future *futures[16];
	int sum = 0;

	memset(text, 'x', (size_t)in->bytes);
	for (int i = 0; i < in->count; i++)
		futures[i] = wf_start_activity(
			wf, swallow, WF_ACTIVITY_OPTS(.start_to_close_ms = 10000), .text = text);
	for (int i = 0; i < in->count; i++)
		sum += wf_await(wf, swallow, futures[i]);
	return sum;
}
TEMPORAL_WORKFLOW(feed);

static void start_feed_worker(const char *address)
{
	connect_client(address);
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&feed_workflow),
		.activities = ACTIVITIES(&swallow_activity),
	});
}

static bool is_fed(int *sum)
{
	struct temporal_error err;
	struct temporal_run *run = START(feed, .count = 8, .bytes = 1500000);
	enum temporal_code code = temporal_result(run, feed, sum, NULL, &err);

	temporal_run_unref(run);
	return code == TEMPORAL_OK;
}

static void large_answers_come_in_pages(void **state)
{
	static const char *const config[] = { "history.enableWorkflowTaskCompletionPagination=true",
		"system.transactionSizeLimit=100000000", "limit.blobSize.error=4000000",
		"limit.historySize.error=200000000",
		"limit.historySize.suggestContinueAsNew=200000000", NULL };
	struct test_server_opts opts = { .dynamic_config = config };
	struct test_server server;
	int sum = 0;

	if (!test_server_is_real())
		skip(); /* temporald takes larger requests, and no pages */
	test_server_start(&server, &opts);
	start_feed_worker(server.address);
	/* Those that come before it knows what the server takes are ended, as below. */
	test_wait_until(is_fed(&sum));
	assert_int_equal(sum, 8 * 1500000);
	stop_worker();
	temporal_client_unref(fixture.client);
	test_server_stop(&server);
}

static void without_pages_the_task_fails(void **state)
{
	if (!test_server_is_real())
		skip();
	start_feed_worker(test_server_shared());
	struct temporal_run *run = START(feed, .count = 8, .bytes = 1500000);
	struct temporal_result *result = failed_result(run); /* the real server ends the run */
	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_TERMINATED);
	assert_non_null(strstr(fixture.last_text[TEMPORAL_EVENT_WORKFLOW_TASK_FAILED],
		"larger than the server takes"));
	temporal_result_unref(result);
	stop_worker();
	temporal_client_unref(fixture.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(large_answers_come_in_pages, begin_test),
		cmocka_unit_test_setup(without_pages_the_task_fails, begin_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
