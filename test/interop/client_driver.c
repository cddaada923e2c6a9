/*
 * client_driver ADDRESS TASK_QUEUE FOLDER: the C half of client_worker_test.py, which has the
 * worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <temporal/client.h>

struct approval_in {
	const char *order_id;
};
typedef const char *approval_out;
TEMPORAL_WORKFLOW_CONTRACT(approval, "Approval", order_id);

struct approve_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(approve, "approve", by);

struct status_in {
	bool verbose;
};
typedef const char *status_out;
TEMPORAL_QUERY_CONTRACT(status, "status", verbose);
typedef int broken_out;
TEMPORAL_QUERY_CONTRACT_0(broken, "broken");
typedef int missing_out;
TEMPORAL_QUERY_CONTRACT_0(missing, "missing");

struct line {
	const char *sku;
	int count;
};
TEMPORAL_RECORD(line, sku, count);

struct echo_in {
	const char *text;
	int64_t number;
	double share;
	bool yes;
	struct line line;
};
typedef struct line echo_out;
TEMPORAL_WORKFLOW_CONTRACT(
	echo, "Echo", text, number, share, yes, RECORD(line, struct line), RETURNS(struct line));

typedef const char *failing_out;
TEMPORAL_WORKFLOW_CONTRACT_0(failing, "Failing");

struct countdown_in {
	int left;
};
typedef const char *countdown_out;
TEMPORAL_WORKFLOW_CONTRACT(countdown, "Countdown", left);

typedef int second_try_out;
TEMPORAL_WORKFLOW_CONTRACT_0(second_try, "SecondTry");

typedef void patient_out;
TEMPORAL_WORKFLOW_CONTRACT_0(patient, "Patient");

struct waiting_in {
	const char *token_file;
};
typedef const char *waiting_out;
TEMPORAL_WORKFLOW_CONTRACT(waiting, "Waiting", token_file);

typedef const char *later_out;
TEMPORAL_ACTIVITY_CONTRACT_0(later, "later");

static struct temporal_client *client;
static struct temporal_start_opts opts;
static const char *folder;

/* Shows why, and fails the test, where the code is not the expected one. */
#define CHECK(call_, code_) check((call_), (code_), &err, __LINE__)
static void check(enum temporal_code code, enum temporal_code expected,
	const struct temporal_error *err, int line)
{
	if (code != expected)
		fail_msg("line %d: %s: %s", line, temporal_code_name(code), err->message);
}

static void gets_a_result_after_a_signal(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_run *run =
		temporal_start(client, approval, &opts, &err, .order_id = "order-1");
	struct temporal_result *keep = NULL;
	status_out text;
	approval_out out;

	(void)state;
	assert_non_null(run);
	CHECK(temporal_query(run, status, &text, &keep, &err, .verbose = true), TEMPORAL_OK);
	assert_string_equal(text, "waiting for an \"approve\" \xE2\x80\x93 \xC3\xBC");
	temporal_result_unref(keep);
	CHECK(temporal_signal(run, approve, &err, .by = "ann"), TEMPORAL_OK);
	CHECK(temporal_result(run, approval, &out, &keep, &err), TEMPORAL_OK);
	assert_string_equal(out, "order-1 approved by ann");
	temporal_result_unref(keep);
	CHECK(temporal_query(run, status, &text, &keep, &err, .verbose = false), TEMPORAL_OK);
	assert_string_equal(text, "waiting"); /* an ended run still answers */
	temporal_result_unref(keep);
	CHECK(temporal_query_with(run, status,
		      (&(const struct temporal_query_opts){
			      .reject = TEMPORAL_QUERY_REJECT_NOT_OPEN }),
		      &text, &keep, &err, .verbose = false),
		TEMPORAL_QUERY_REJECTED);
	assert_int_equal(temporal_result_status(keep), TEMPORAL_STATUS_COMPLETED);
	temporal_result_unref(keep);
	temporal_run_unref(run);
}

static void tells_why_a_query_failed(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_run *run = temporal_start(client, approval, &opts, &err, .order_id = "o");
	struct temporal_result *keep = NULL;
	broken_out number;

	(void)state;
	assert_non_null(run);
	CHECK(temporal_query_0(run, broken, &number, &keep, &err), TEMPORAL_QUERY_FAILED);
	assert_non_null(strstr(err.message, "nothing to count"));
	temporal_result_unref(keep);
	CHECK(temporal_query_0(run, missing, &number, &keep, &err), TEMPORAL_QUERY_FAILED);
	assert_non_null(strstr(err.message, "missing"));
	temporal_result_unref(keep);
	CHECK(temporal_run_terminate_0(run, &err), TEMPORAL_OK);
	temporal_run_unref(run);
}

static void carries_values_of_all_kinds(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_result *keep = NULL;
	echo_out out;

	(void)state;
	CHECK(temporal_execute(client, echo, &opts, &out, &keep, &err, .text = "t\xC3\xA9st",
		      .number = 9007199254740993, .share = 0.1, .yes = true,
		      .line = { .sku = "A-", .count = 41 }),
		TEMPORAL_OK);
	assert_string_equal(out.sku, "A-t\xC3\xA9st");
	assert_int_equal(out.count, 42);
	temporal_result_unref(keep);
}

static void shows_the_chain_of_causes(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_result *keep = NULL;
	const struct temporal_failure *failure;
	failing_out out;

	(void)state;
	CHECK(temporal_execute_0(client, failing, &opts, &out, &keep, &err), TEMPORAL_RUN_FAILED);
	assert_non_null(strstr(err.message, "card declined"));
	assert_int_equal(temporal_result_status(keep), TEMPORAL_STATUS_FAILED);
	failure = temporal_result_failure(keep);
	assert_int_equal(failure->kind, TEMPORAL_FAILURE_ACTIVITY);
	assert_string_equal(failure->activity_type, "charge");
	assert_int_equal(failure->retry_state, TEMPORAL_RETRY_STATE_NON_RETRYABLE_FAILURE);
	failure = failure->cause;
	assert_non_null(failure);
	assert_int_equal(failure->kind, TEMPORAL_FAILURE_APPLICATION);
	assert_string_equal(failure->message, "card declined");
	assert_string_equal(failure->type, "CardDeclined");
	assert_true(failure->non_retryable);
	assert_int_equal(failure->details.count, 1);
	assert_memory_equal(failure->details.items[0].data.data, "\"4711\"", 6);
	assert_null(failure->cause);
	temporal_result_unref(keep);
}

static void follows_a_countdown(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_run *run = temporal_start(client, countdown, &opts, &err, .left = 3);
	struct temporal_result *keep = NULL;
	countdown_out out;

	(void)state;
	assert_non_null(run);
	CHECK(temporal_result(run, countdown, &out, &keep, &err), TEMPORAL_OK);
	assert_string_equal(out, "lift-off");
	assert_string_not_equal(temporal_result_run_id(keep), temporal_run_run_id(run));
	temporal_result_unref(keep);
	CHECK(temporal_result_with(run, countdown,
		      (&(const struct temporal_wait_opts){ .no_follow = true }), &out, &keep, &err),
		TEMPORAL_RUN_FAILED);
	assert_int_equal(temporal_result_status(keep), TEMPORAL_STATUS_CONTINUED_AS_NEW);
	assert_non_null(strstr(err.message, temporal_result_next_run_id(keep)));
	temporal_result_unref(keep);
	temporal_run_unref(run);
}

static void follows_a_second_try(void **state)
{
	const struct temporal_retry_policy retry = { .initial_interval_ms = 1 };
	struct temporal_start_opts retried = opts;
	struct temporal_error err = { 0 };
	second_try_out attempt = 0;

	(void)state;
	retried.retry_policy = &retry;
	CHECK(temporal_execute_0(client, second_try, &retried, &attempt, NULL, &err), TEMPORAL_OK);
	assert_int_equal(attempt, 2);
}

static void is_cancelled(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_run *run = temporal_start_0(client, patient, &opts, &err);
	struct temporal_result *keep = NULL;

	(void)state;
	assert_non_null(run);
	CHECK(temporal_run_cancel(run, &err, .reason = "too late"), TEMPORAL_OK);
	CHECK(temporal_result(run, patient, NULL, &keep, &err), TEMPORAL_RUN_FAILED);
	assert_int_equal(temporal_result_status(keep), TEMPORAL_STATUS_CANCELED);
	assert_int_equal(temporal_result_failure(keep)->kind, TEMPORAL_FAILURE_CANCELLED);
	temporal_result_unref(keep);
	temporal_run_unref(run);
}

/* Waits until the activity of the workflow has started. */
static void await_activity(struct temporal_run *run)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	bool started = false;

	while (!started) {
		struct temporal_error err = { 0 };
		struct temporal_run_description *made = temporal_run_describe(run, &err);

		assert_non_null(made);
		started = made->n_activities == 1 && made->activities[0].started;
		if (started) {
			assert_string_equal(made->activities[0].id, "the-activity");
			assert_string_equal(made->activities[0].type, "later");
		}
		temporal_run_description_unref(made);
		nanosleep(&pause, NULL);
	}
}

static void completes_an_activity_by_id(void **state)
{
	const struct temporal_payload half = { .data = { "0.5", 3 } };
	const struct temporal_payloads details = { &half, 1 };
	struct temporal_heartbeat_reply reply = { true, true, true };
	struct temporal_error err = { 0 };
	struct temporal_run *run = temporal_start(client, waiting, &opts, &err, .token_file = "");
	struct temporal_result *keep = NULL;
	later_out value = "from C";
	waiting_out out;

	(void)state;
	assert_non_null(run);
	const struct temporal_activity_target target = {
		.workflow_id = temporal_run_workflow_id(run), .activity_id = "the-activity"
	};

	await_activity(run);
	CHECK(temporal_activity_heartbeat(client, &target, details, &reply, &err), TEMPORAL_OK);
	assert_false(reply.cancel_requested);
	CHECK(temporal_activity_complete(client, later, &target, &value, &err), TEMPORAL_OK);
	CHECK(temporal_result(run, waiting, &out, &keep, &err), TEMPORAL_OK);
	assert_string_equal(out, "from C");
	temporal_result_unref(keep);
	CHECK(temporal_activity_complete(client, later, &target, &value, &err), TEMPORAL_NOT_FOUND);
	temporal_run_unref(run);
}

static size_t read_token(const char *path, char *token, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	assert_non_null(file);
	n = fread(token, 1, size, file);
	fclose(file);
	assert_true(n > 0);
	return n;
}

static void fails_an_activity_by_token(void **state)
{
	const struct temporal_failure failure = { .kind = TEMPORAL_FAILURE_APPLICATION,
		.message = "said C",
		.type = "FromC",
		.non_retryable = true };
	char path[512], token[4096];
	struct temporal_error err = { 0 };
	struct temporal_result *keep = NULL;
	struct temporal_run *run;
	waiting_out out;

	(void)state;
	snprintf(path, sizeof(path), "%s/token", folder);
	run = temporal_start(client, waiting, &opts, &err, .token_file = path);
	assert_non_null(run);
	await_activity(run);
	const struct temporal_activity_target target = {
		.task_token = { token, read_token(path, token, sizeof(token)) }
	};

	CHECK(temporal_activity_fail(
		      client, &target, &failure, (struct temporal_payloads){ NULL, 0 }, &err),
		TEMPORAL_OK);
	CHECK(temporal_result(run, waiting, &out, &keep, &err), TEMPORAL_RUN_FAILED);
	assert_string_equal(temporal_result_failure(keep)->cause->message, "said C");
	assert_string_equal(temporal_result_failure(keep)->cause->type, "FromC");
	temporal_result_unref(keep);
	temporal_run_unref(run);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_a_result_after_a_signal),
		cmocka_unit_test(tells_why_a_query_failed),
		cmocka_unit_test(carries_values_of_all_kinds),
		cmocka_unit_test(shows_the_chain_of_causes),
		cmocka_unit_test(follows_a_countdown),
		cmocka_unit_test(follows_a_second_try),
		cmocka_unit_test(is_cancelled),
		cmocka_unit_test(completes_an_activity_by_id),
		cmocka_unit_test(fails_an_activity_by_token),
	};
	struct temporal_error err = { 0 };
	int failed;

	if (argc != 4)
		return 2;
	client = temporal_client_connect(&err, .target = argv[1]);
	if (!client) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	opts.task_queue = argv[2];
	folder = argv[3];
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	temporal_client_unref(client);
	return failed;
}
