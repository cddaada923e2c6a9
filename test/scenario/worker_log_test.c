/*
 * What the log says of failures. Goal: a failed attempt of an activity, remote or local, and a
 * failed workflow task stand in the log with their names; what is expected to fail is no news.
 *
 * Method: a workflow whose first task fails by a mistake of its own, or which calls an activity
 * that fails once; each line is kept with its fields.
 */
#include "worker_fixture.h"

#define LINES 16

struct line {
	enum temporal_log_level level;
	int32_t attempt;
	char message[128], workflow_id[64], activity_type[32], activity_id[16];
};

static struct line lines[LINES]; /* fixture.lock */
static int n_lines;              /* fixture.lock */

static void keep(const struct temporal_worker_log *line, void *user)
{
	pthread_mutex_lock(&fixture.lock);
	if (n_lines < LINES) {
		struct line *to = &lines[n_lines++];

		to->level = line->level;
		to->attempt = line->attempt;
		snprintf(to->message, sizeof(to->message), "%s", line->message);
		snprintf(to->workflow_id, sizeof(to->workflow_id), "%s", line->workflow_id);
		snprintf(to->activity_type, sizeof(to->activity_type), "%s", line->activity_type);
		snprintf(to->activity_id, sizeof(to->activity_id), "%s", line->activity_id);
	}
	pthread_mutex_unlock(&fixture.lock);
}

struct pay_in {
	bool is_benign;
};
typedef int pay_out;
TEMPORAL_ACTIVITY_CONTRACT(pay, "pay", is_benign);

static const struct temporal_failure *pay_run(
	struct act *act, const struct pay_in *in, pay_out *out)
{
	const struct act_failure_opts opts = { .type = "Declined",
		.category = in->is_benign ? TEMPORAL_CATEGORY_BENIGN : 0 };

	*out = act_info(act)->attempt;
	return *out == 1 ? act_failure_with(act, &opts, "no money") : NULL;
}
TEMPORAL_ACTIVITY(pay);

struct buy_in {
	const char *way;
};
typedef int buy_out;
TEMPORAL_WORKFLOW_CONTRACT(buy, "Buy", way);

static int mistakes; /* one thread runs workflow code */

static buy_out buy_run(struct wf *wf, const struct buy_in *in)
{
	const struct temporal_retry_policy soon = { .initial_interval_ms = 1 };
	bool is_benign = strcmp(in->way, "benign") == 0;

	if (strcmp(in->way, "mistake") == 0 && mistakes++ == 0)
		return wf_activity(wf, pay, WF_ACTIVITY_OPTS(.heartbeat_ms = 1), .is_benign = true);
	if (strcmp(in->way, "mistake") == 0)
		return 0;
	if (strcmp(in->way, "local") == 0)
		return wf_local(wf, pay, WF_LOCAL_OPTS(.start_to_close_ms = 10000, .retry = &soon),
			.is_benign = false);
	return wf_activity(wf, pay, WF_ACTIVITY_OPTS(.start_to_close_ms = 10000, .retry = &soon),
		.is_benign = is_benign);
}
TEMPORAL_WORKFLOW(buy);

/* Runs the workflow; the line that it left in the log from the level on, or NULL; never two. */
static const struct line *line_of(const char *way, enum temporal_log_level level)
{
	struct temporal_error err;
	struct temporal_worker *worker = temporal_worker_new(fixture.client, &err,
		.task_queue = fixture.queue, .workflows = WORKFLOWS(&buy_workflow),
		.activities = ACTIVITIES(&pay_activity), .workflow_threads = 1, .on_log = keep,
		.log_level = level);
	struct temporal_start_opts opts = {
		.task_queue = fixture.queue, .task_timeout_ms = 1000, .id = fixture.queue
	};
	int result = -1;

	assert_non_null(worker);
	n_lines = 0;
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	struct temporal_run *run = temporal_start(fixture.client, buy, &opts, &err, .way = way);

	assert_non_null(run);
	assert_int_equal(temporal_result(run, buy, &result, NULL, &err), TEMPORAL_OK);
	temporal_run_unref(run);
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	assert_true(n_lines < 2);
	if (n_lines > 0)
		assert_string_equal(lines[0].workflow_id, fixture.queue);
	return n_lines > 0 ? &lines[0] : NULL;
}

static void assert_attempt(const struct line *line, enum temporal_log_level level)
{
	assert_non_null(line);
	assert_int_equal(line->level, level);
	assert_string_equal(line->message, "activity failed: no money");
	assert_string_equal(line->activity_type, "pay");
	assert_string_equal(line->activity_id, "1");
	assert_int_equal(line->attempt, 1);
}

static void a_failed_attempt_is_told(void **state)
{
	assert_attempt(line_of("remote", 0), TEMPORAL_LOG_WARN);
	begin_test(state);
	assert_attempt(line_of("local", 0), TEMPORAL_LOG_WARN);
}

static void what_is_expected_is_no_news(void **state)
{
	assert_null(line_of("benign", TEMPORAL_LOG_INFO));
}

static void a_failed_task_is_told(void **state)
{
	const struct line *line = line_of("mistake", 0);

	assert_non_null(line);
	assert_int_equal(line->level, TEMPORAL_LOG_WARN);
	assert_non_null(strstr(line->message, "workflow task failed: "));
	assert_non_null(strstr(line->message, "start_to_close"));
	assert_string_equal(line->activity_type, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_failed_attempt_is_told, begin_test, end_test),
		cmocka_unit_test_setup_teardown(what_is_expected_is_no_news, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_failed_task_is_told, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
