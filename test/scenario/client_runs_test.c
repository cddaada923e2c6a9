/*
 * Goal: client and server understand each other in all that needs no worker: options
 * of a start arrive and are seen in descriptions, id policies hold, runs end and their results are
 * found along the chain, errors are told with their details.
 * Method: the run's shared server; each test has workflow ids and a task queue of its own, which no
 * worker polls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <temporal/client.h>

#include "base/sanitize.h"
#include "lib/server.h"

struct order_in {
	const char *order_id;
	int64_t quantity;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "OrderWorkflow", order_id, quantity);

struct approve_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(approve, "approve", by);

typedef const char *status_out;
TEMPORAL_QUERY_CONTRACT_0(status, "status");

#define QUEUE "client-runs-nobody-polls"

static struct temporal_client *client;

static int set_up_all(void **state)
{
	struct temporal_error err = { 0 };

	(void)state;
	client = temporal_client_connect(&err, .target = test_server_shared());
	if (!client)
		print_message("%s\n", err.message);
	return client ? 0 : -1;
}

static int tear_down_all(void **state)
{
	(void)state;
	temporal_client_unref(client);
	return 0;
}

static struct temporal_run *start(const struct temporal_start_opts *opts)
{
	struct temporal_error err = { 0 };
	struct temporal_run *run =
		temporal_start(client, order, opts, &err, .order_id = "a \"b\"", .quantity = 3);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	return run;
}

static struct temporal_run *start_with_defaults(void)
{
	return start(&(const struct temporal_start_opts){ .task_queue = QUEUE });
}

static struct temporal_run_description *describe(struct temporal_run *run)
{
	struct temporal_error err = { 0 };
	struct temporal_run_description *made = temporal_run_describe(run, &err);

	if (!made)
		print_message("%s\n", err.message);
	assert_non_null(made);
	return made;
}

static void end(struct temporal_run *run)
{
	assert_int_equal(temporal_run_terminate_0(run, NULL), TEMPORAL_OK);
	temporal_run_unref(run);
}

static void is_running_once_started(void **state)
{
	struct temporal_run *run = start_with_defaults();
	struct temporal_run_description *made = describe(run);

	(void)state;
	assert_true(temporal_run_was_started(run));
	assert_string_equal(temporal_run_first_run_id(run), temporal_run_run_id(run));
	assert_int_equal(made->status, TEMPORAL_STATUS_RUNNING);
	assert_string_equal(made->workflow_id, temporal_run_workflow_id(run));
	assert_string_equal(made->run_id, temporal_run_run_id(run));
	assert_string_equal(made->first_run_id, temporal_run_run_id(run));
	assert_string_equal(made->type, "OrderWorkflow");
	assert_string_equal(made->task_queue, QUEUE);
	assert_true(made->start_ns > INT64_C(1600000000000000000));
	assert_true(made->close_ns == 0);
	assert_true(made->task_pending);
	assert_int_equal(made->task_timeout_ms, 10000);
	temporal_run_description_unref(made);
	end(run);
}

static void keeps_the_options_of_a_start(void **state)
{
	const struct temporal_entry note = { .key = "note", .value = { .data = { "[1,2]", 5 } } };
	const struct temporal_entries memo = { &note, 1 };
	const struct temporal_priority priority = { .key = 2 };
	struct temporal_run *run = start(&(const struct temporal_start_opts){
		.task_queue = QUEUE,
		.execution_timeout_ms = TEMPORAL_HOURS(2),
		.run_timeout_ms = TEMPORAL_HOURS(1),
		.task_timeout_ms = TEMPORAL_SECONDS(7),
		.start_delay_ms = TEMPORAL_MINUTES(5),
		.memo = &memo,
		.summary = "an order",
		.details = "of \"many\" lines",
		.priority = &priority,
	});
	struct temporal_run_description *made = describe(run);

	(void)state;
	assert_int_equal(made->execution_timeout_ms, TEMPORAL_HOURS(2));
	assert_int_equal(made->run_timeout_ms, TEMPORAL_HOURS(1));
	assert_int_equal(made->task_timeout_ms, TEMPORAL_SECONDS(7));
	assert_true(made->execution_ns - made->start_ns == INT64_C(300000000000));
	assert_false(made->task_started);
	assert_int_equal(made->memo.count, 1);
	assert_string_equal(made->memo.items[0].key, "note");
	assert_int_equal(made->memo.items[0].value.data.len, 5);
	assert_memory_equal(made->memo.items[0].value.data.data, "[1,2]", 5);
	assert_string_equal(made->memo.items[0].value.encoding, "json/plain");
	assert_string_equal(made->summary, "an order");
	assert_string_equal(made->details, "of \"many\" lines");
	assert_int_equal(made->priority.key, 2);
	temporal_run_description_unref(made);
	end(run);
}

static void holds_to_id_policies(void **state)
{
	struct temporal_run *first = start_with_defaults(), *second;
	struct temporal_start_opts opts = { .task_queue = QUEUE };
	struct temporal_error err = { 0 };

	(void)state;
	opts.id = temporal_run_workflow_id(first);
	assert_null(temporal_start(client, order, &opts, &err, .order_id = "x"));
	assert_int_equal(err.code, TEMPORAL_ALREADY_EXISTS);
	assert_int_equal(err.detail, TEMPORAL_DETAIL_WORKFLOW_ALREADY_STARTED);
	assert_string_equal(err.run_id, temporal_run_run_id(first));
	assert_non_null(strstr(err.message, opts.id));

	opts.id_conflict_policy = TEMPORAL_ID_CONFLICT_USE_EXISTING;
	second = start(&opts);
	assert_false(temporal_run_was_started(second));
	assert_string_equal(temporal_run_run_id(second), temporal_run_run_id(first));
	temporal_run_unref(second);

	opts.id_conflict_policy = TEMPORAL_ID_CONFLICT_TERMINATE_EXISTING;
	second = start(&opts);
	assert_string_not_equal(temporal_run_run_id(second), temporal_run_run_id(first));
	end(second);

	opts.id_conflict_policy = TEMPORAL_ID_CONFLICT_DEFAULT;
	opts.id_reuse_policy = TEMPORAL_ID_REUSE_REJECT_DUPLICATE;
	assert_null(temporal_start(client, order, &opts, &err, .order_id = "x"));
	assert_int_equal(err.code, TEMPORAL_ALREADY_EXISTS);
	opts.id_reuse_policy = TEMPORAL_ID_REUSE_ALLOW_DUPLICATE_FAILED_ONLY;
	second = start(&opts); /* a terminated run counts as failed */
	end(second);
	temporal_run_unref(first);
}

/* The same request id is the same start. */
static void starts_once_for_a_request(void **state)
{
	char id[64];
	struct temporal_start_opts opts = { .id = id, .task_queue = QUEUE, .request_id = "once" };

	(void)state;
	snprintf(id, sizeof(id), "once-%ld", (long)getpid());
	struct temporal_run *first = start(&opts), *again = start(&opts);

	assert_string_equal(temporal_run_run_id(first), temporal_run_run_id(again));
	temporal_run_unref(again);
	end(first);
}

static void tells_how_it_was_terminated(void **state)
{
	struct temporal_run *run = start_with_defaults();
	struct temporal_error err = { 0 };
	struct temporal_result *keep = NULL;
	order_out receipt;

	(void)state;
	assert_int_equal(temporal_run_terminate(run, &err, .reason = "enough"), TEMPORAL_OK);
	assert_int_equal(temporal_result(run, order, &receipt, &keep, &err), TEMPORAL_RUN_FAILED);
	assert_int_equal(err.code, TEMPORAL_RUN_FAILED);
	assert_non_null(strstr(err.message, "was terminated: enough"));
	assert_non_null(keep);
	assert_int_equal(temporal_result_status(keep), TEMPORAL_STATUS_TERMINATED);
	assert_int_equal(temporal_result_failure(keep)->kind, TEMPORAL_FAILURE_TERMINATED);
	assert_string_equal(
		temporal_result_failure(keep)->identity, temporal_client_identity(client));
	temporal_result_unref(keep);
	assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_NOT_FOUND);
	assert_int_equal(temporal_signal(run, approve, &err, .by = "ann"), TEMPORAL_NOT_FOUND);
	assert_int_equal(temporal_run_cancel_0(run, &err), TEMPORAL_OK); /* the server bears it */
	temporal_run_unref(run);
}

/* A run that times out is tried again by its retry policy: the result is the second run's. */
static void follows_a_retried_run(void **state)
{
	const struct temporal_retry_policy twice = { .initial_interval_ms = 1,
		.maximum_attempts = 2 };
	struct temporal_run *run = start(&(const struct temporal_start_opts){ .task_queue = QUEUE,
		.run_timeout_ms = TEMPORAL_SECONDS(1),
		.retry_policy = &twice });
	const struct temporal_wait_opts no_follow = { .no_follow = true };
	struct temporal_error err = { 0 };
	struct temporal_result *result = temporal_run_wait_0(run, &err);

	(void)state;
	assert_non_null(result);
	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_TIMED_OUT);
	assert_int_equal(temporal_result_failure(result)->kind, TEMPORAL_FAILURE_TIMEOUT);
	assert_string_not_equal(temporal_result_run_id(result), temporal_run_run_id(run));
	temporal_result_unref(result);
	result = temporal_run_wait(run, &no_follow, &err);
	assert_non_null(result);
	assert_string_equal(temporal_result_run_id(result), temporal_run_run_id(run));
	assert_string_not_equal(temporal_result_next_run_id(result), "");
	temporal_result_unref(result);
	temporal_run_unref(run);
}

static void waits_no_longer_than_told(void **state)
{
	struct temporal_run *run = start_with_defaults();
	const struct temporal_wait_opts opts = { .timeout_ms = 200 };
	struct temporal_result *keep = NULL;
	struct temporal_error err = { 0 };
	order_out receipt;

	(void)state;
	assert_int_equal(temporal_result_with(run, order, &opts, &receipt, &keep, &err),
		TEMPORAL_DEADLINE_EXCEEDED);
	assert_null(keep);
	end(run);
}

static void remembers_a_request_to_cancel(void **state)
{
	struct temporal_run *run = start_with_defaults();
	struct temporal_run_description *made;

	(void)state;
	assert_int_equal(temporal_run_cancel(run, NULL, .reason = "too late"), TEMPORAL_OK);
	assert_int_equal(temporal_run_cancel(run, NULL, .reason = "too late"), TEMPORAL_OK);
	made = describe(run);
	assert_true(made->cancel_requested);
	assert_int_equal(made->status, TEMPORAL_STATUS_RUNNING);
	temporal_run_description_unref(made);
	end(run);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void signals_what_it_starts(void **state)
{
	char id[64];
	const struct temporal_start_opts opts = { .id = id, .task_queue = QUEUE };
	struct temporal_error err = { 0 };
	struct temporal_run *first, *second;
	struct temporal_buffer *json;

	(void)state;
	snprintf(id, sizeof(id), "signalled-%ld", (long)getpid());
	first = temporal_signal_with_start(client, order, &opts, approve,
		&(const struct approve_in){ .by = "ann" }, &err, .order_id = "o");
	assert_non_null(first);
	assert_true(temporal_run_was_started(first));
	second = temporal_signal_with_start(client, order, &opts, approve,
		&(const struct approve_in){ .by = "bob" }, &err, .order_id = "o");
	assert_non_null(second);
	assert_false(temporal_run_was_started(second));
	assert_string_equal(temporal_run_run_id(first), temporal_run_run_id(second));
	assert_int_equal(temporal_signal(second, approve, &err, .by = "cy"), TEMPORAL_OK);
	json = temporal_run_history_json(first, &err);
	if (!json)
		print_message("%s\n", err.message);
	assert_non_null(json);
	assert_int_equal(count(json->data, "\"EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED\""), 3);
	assert_int_equal(count(json->data, "\"EVENT_TYPE_WORKFLOW_EXECUTION_STARTED\""), 1);
	temporal_buffer_unref(json);
	temporal_run_unref(second);
	end(first);
}

static void asks_nobody(void **state)
{
	struct temporal_run *run = start_with_defaults();
	const struct temporal_query_opts opts = { .timeout_ms = 300 };
	struct temporal_result *keep = NULL;
	struct temporal_error err = { 0 };
	status_out answer;

	(void)state;
	if (temporal_query_with_0(run, status, &opts, &answer, &keep, &err) !=
		TEMPORAL_DEADLINE_EXCEEDED)
		fail_msg("%s: %s", temporal_code_name(err.code), err.message);
	assert_null(keep);
	end(run);
}

static void names_what_it_did_not_find(void **state)
{
	struct temporal_run *run = temporal_run_handle(client, "no-such-workflow", NULL, NULL);
	struct temporal_error err = { 0 };

	(void)state;
	assert_null(temporal_run_describe(run, &err));
	assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
	assert_non_null(strstr(err.message, "description of workflow \"no-such-workflow\""));
	assert_null(temporal_run_wait_0(run, &err));
	assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
	assert_int_equal(temporal_signal(run, approve, &err, .by = "ann"), TEMPORAL_NOT_FOUND);
	assert_int_equal(temporal_run_cancel_0(run, &err), TEMPORAL_NOT_FOUND);
	assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_NOT_FOUND);
	temporal_run_unref(run);
}

/* Cancel and terminate act on the chain that the handle knows, not on whoever has the id now. */
static void leaves_another_chain_alone(void **state)
{
	struct temporal_run *old = start_with_defaults(), *new;
	struct temporal_error err = { 0 };

	(void)state;
	assert_int_equal(temporal_run_terminate_0(old, NULL), TEMPORAL_OK);
	new = start(&(const struct temporal_start_opts){
		.id = temporal_run_workflow_id(old), .task_queue = QUEUE });
	assert_int_equal(temporal_run_terminate_0(old, &err), TEMPORAL_NOT_FOUND);
	assert_int_equal(temporal_run_cancel_0(old, &err), TEMPORAL_NOT_FOUND);
	temporal_run_unref(old);
	end(new);
}

static void tells_of_a_missing_namespace(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_client *other = temporal_client_connect(
		&err, .target = test_server_shared(), .namespace_ = "no-such-namespace");
	const struct temporal_start_opts opts = { .task_queue = QUEUE };

	(void)state;
	assert_non_null(other);
	assert_null(temporal_start(other, order, &opts, &err, .order_id = "x"));
	assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
	assert_int_equal(err.detail, TEMPORAL_DETAIL_NAMESPACE_NOT_FOUND);
	temporal_client_unref(other);
}

static void tells_of_a_refused_connection(void **state)
{
	struct temporal_error err = { 0 };

	(void)state;
	assert_null(temporal_client_connect(&err, .target = "127.0.0.1:1"));
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
	assert_non_null(strstr(err.message, "connect to 127.0.0.1:1"));
}

static void calls_by_path(void **state)
{
	struct temporal_error err = { 0 };
	struct temporal_buffer *reply = temporal_client_call(client,
		"/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace",
		(struct temporal_bytes){ "{\"namespace\":\"default\"}", 23 }, true, &err);

	(void)state;
	if (!reply)
		print_message("%s\n", err.message);
	assert_non_null(reply);
	assert_non_null(strstr(reply->data, "\"NAMESPACE_STATE_REGISTERED\""));
	temporal_buffer_unref(reply);
}

static void goes_on_in_a_forked_child(void **state)
{
	struct temporal_run *run;
	int how = -1;
	pid_t pid;

	(void)state;
#ifdef SANITIZE_THREAD
	skip(); /* its runtime starts no threads in a forked child */
#endif
	run = start_with_defaults();
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(30);
		_exit(temporal_signal(run, approve, NULL, .by = "child") == TEMPORAL_OK ? 0 : 1);
	}
	assert_int_equal(temporal_signal(run, approve, NULL, .by = "parent"), TEMPORAL_OK);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how));
	assert_int_equal(WEXITSTATUS(how), 0);
	assert_int_equal(temporal_signal(run, approve, NULL, .by = "parent"), TEMPORAL_OK);
	end(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_running_once_started),
		cmocka_unit_test(keeps_the_options_of_a_start),
		cmocka_unit_test(holds_to_id_policies),
		cmocka_unit_test(starts_once_for_a_request),
		cmocka_unit_test(tells_how_it_was_terminated),
		cmocka_unit_test(follows_a_retried_run),
		cmocka_unit_test(waits_no_longer_than_told),
		cmocka_unit_test(remembers_a_request_to_cancel),
		cmocka_unit_test(signals_what_it_starts),
		cmocka_unit_test(asks_nobody),
		cmocka_unit_test(names_what_it_did_not_find),
		cmocka_unit_test(leaves_another_chain_alone),
		cmocka_unit_test(tells_of_a_missing_namespace),
		cmocka_unit_test(tells_of_a_refused_connection),
		cmocka_unit_test(calls_by_path),
		cmocka_unit_test(goes_on_in_a_forked_child),
	};

	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
