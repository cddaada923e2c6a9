/*
 * Goal: calls keep their promises about threads: callbacks come once, on the client's thread, after
 * the call that registered them; a blocking call there is refused; references may be given up
 * anywhere; and nothing is lost or leaked when memory runs out.
 * Method: a fake server in the process; every allocation of a start and a wait made to fail in
 * turn.
 */
#include "fake_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <temporal/api/history/v1/message.pb-c.h>

static const struct rpc_method *const signal_method = &rpc_workflow_signal_workflow_execution;
static const struct rpc_method *const start_method = &rpc_workflow_start_workflow_execution;
static const struct rpc_method *const get_history = &rpc_workflow_get_workflow_execution_history;
static const struct temporal_payloads no_arguments;

/* What callbacks tell the test. */
struct ended {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int times;
	enum temporal_code code;
	char message[240];
	bool here; /* it ran on the client's thread */
	struct temporal_client *client;
};

static void ended_init(struct ended *ended, struct temporal_client *client)
{
	memset(ended, 0, sizeof(*ended));
	pthread_mutex_init(&ended->lock, NULL);
	pthread_cond_init(&ended->cond, NULL);
	ended->client = client;
}

static void ended_note(struct ended *ended, const struct temporal_error *err)
{
	pthread_mutex_lock(&ended->lock);
	ended->times++;
	ended->code = err ? err->code : TEMPORAL_OK;
	snprintf(ended->message, sizeof(ended->message), "%s", err ? err->message : "");
	pthread_cond_signal(&ended->cond);
	pthread_mutex_unlock(&ended->lock);
}

static void ended_wait(struct ended *ended, int times)
{
	pthread_mutex_lock(&ended->lock);
	while (ended->times < times)
		pthread_cond_wait(&ended->cond, &ended->lock);
	pthread_mutex_unlock(&ended->lock);
}

static int set_up(void **state)
{
	*state = fake_new();
	return 0;
}

static int tear_down(void **state)
{
	fake_free(*state);
	return 0;
}

static void note_done(const struct temporal_error *err, void *user)
{
	struct ended *ended = user;

	ended->here = rpc_loop_here(client_loop(ended->client));
	ended_note(ended, err);
}

static void tells_the_end_on_its_thread(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__SignalWorkflowExecutionResponse response =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	struct temporal_client *client = fake_connect(server);
	struct temporal_run *run = temporal_run_handle(client, "order-1", NULL, NULL);
	struct ended ended;

	ended_init(&ended, client);
	fake_expect(server, signal_method, &response);
	fake_expect_error(server, signal_method, TEMPORAL_NOT_FOUND, "no such workflow", NULL);
	assert_int_equal(temporal_signal_named_async_(
				 run, "approve", no_arguments, NULL, 0, note_done, &ended, NULL),
		TEMPORAL_OK);
	ended_wait(&ended, 1);
	assert_int_equal(ended.code, TEMPORAL_OK);
	assert_true(ended.here);
	assert_int_equal(temporal_signal_named_async_(
				 run, "approve", no_arguments, NULL, 0, note_done, &ended, NULL),
		TEMPORAL_OK);
	ended_wait(&ended, 2);
	assert_int_equal(ended.code, TEMPORAL_NOT_FOUND);
	assert_string_equal(
		ended.message, "signal \"approve\" to workflow \"order-1\": no such workflow");
	temporal_run_unref(run);
	temporal_client_unref(client);
}

/* In a callback: a blocking call is refused, an asynchronous one works. */
static void try_both(struct temporal_run *run, const struct temporal_error *err, void *user)
{
	struct ended *ended = user;
	struct temporal_error own = { 0 };

	assert_null(err);
	if (temporal_signal_named_0(run, "approve", no_arguments, &own) ==
			TEMPORAL_FAILED_PRECONDITION &&
		strstr(own.message, "..._async") &&
		temporal_signal_named_async_(run, "approve", no_arguments, NULL, 0, note_done,
			ended, NULL) == TEMPORAL_OK)
		ended_note(ended, NULL);
	temporal_run_unref(run);
}

static void refuses_to_block_in_a_callback(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__StartWorkflowExecutionResponse started =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;
	Workflowservice__SignalWorkflowExecutionResponse response =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	const struct temporal_start_opts opts = { .task_queue = "orders" };
	struct temporal_client *client = fake_connect(server);
	struct ended ended;

	ended_init(&ended, client);
	fake_expect(server, start_method, &started);
	fake_expect(server, signal_method, &response);
	assert_int_equal(temporal_start_named_async(client, "OrderWorkflow", no_arguments, &opts,
				 try_both, &ended, NULL),
		TEMPORAL_OK);
	ended_wait(&ended, 2);
	assert_int_equal(server->n_asked, 2);
	temporal_client_unref(client);
}

/* The last references, to the run and with it to the client, go in the callback. */
static void give_up_all(struct temporal_run *run, const struct temporal_error *err, void *user)
{
	struct ended *ended = user;

	temporal_client_unref(ended->client);
	temporal_run_unref(run);
	ended_note(ended, err);
}

static void ends_in_its_own_callback(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__StartWorkflowExecutionResponse started =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;
	const struct temporal_start_opts opts = { .task_queue = "orders" };
	struct temporal_client *client = fake_connect(server);
	struct ended ended;

	ended_init(&ended, client);
	fake_expect(server, start_method, &started);
	assert_int_equal(temporal_start_named_async(client, "OrderWorkflow", no_arguments, &opts,
				 give_up_all, &ended, NULL),
		TEMPORAL_OK);
	ended_wait(&ended, 1);
	assert_int_equal(ended.code, TEMPORAL_OK);
	/* The client goes by itself now; the fake server, which it uses until then, has to wait. */
	while (!atomic_load(&server->closed))
		sched_yield();
}

typedef void patient_out;

#define SENDERS 4
#define SIGNALS 5

static void *send_signals(void *arg)
{
	for (int i = 0; i < SIGNALS; i++) {
		if (temporal_signal_named_0(arg, "approve", no_arguments, NULL))
			return arg;
	}
	return NULL;
}

static void serves_many_threads(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__SignalWorkflowExecutionResponse response =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	struct temporal_client *client = fake_connect(server);
	struct temporal_run *run = temporal_run_handle(client, "order-1", NULL, NULL);
	pthread_t threads[SENDERS];

	for (int i = 0; i < SENDERS * SIGNALS; i++)
		fake_expect(server, signal_method, &response);
	for (int i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_signals, run), 0);
	for (int i = 0; i < SENDERS; i++) {
		void *failed = run;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(server->n_asked, SENDERS * SIGNALS);
	temporal_run_unref(run);
	temporal_client_unref(client);
}

/* The page that ends a run. */
static const void *completed_page(struct fake_server *server)
{
	Workflowservice__GetWorkflowExecutionHistoryResponse *page =
		PROTO_NEW(&server->arena, Workflowservice__GetWorkflowExecutionHistoryResponse,
			workflowservice__get_workflow_execution_history_response);
	History__HistoryEvent *event =
		PROTO_NEW(&server->arena, History__HistoryEvent, history__history_event);

	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_COMPLETED_EVENT_ATTRIBUTES;
	event->workflow_execution_completed_event_attributes =
		PROTO_NEW(&server->arena, History__WorkflowExecutionCompletedEventAttributes,
			history__workflow_execution_completed_event_attributes);
	page->history = PROTO_NEW(&server->arena, History__History, history__history);
	page->history->events = arena_array(&server->arena, 1, sizeof(void *));
	page->history->events[0] = event;
	page->history->n_events = 1;
	return page;
}

/* One start and its result; NO_MEMORY may come at any point. */
static enum temporal_code start_and_wait(struct temporal_client *client)
{
	const struct temporal_start_opts opts = {
		.task_queue = "orders", .summary = "short", .run_timeout_ms = 5
	};
	struct temporal_error err = { 0 };
	struct temporal_result *result = NULL;
	struct temporal_run *run =
		temporal_start_named(client, "OrderWorkflow", no_arguments, &opts, &err);

	if (run)
		result = temporal_run_wait_0(run, &err);
	if (result)
		assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_COMPLETED);
	temporal_result_unref(result);
	temporal_run_unref(run);
	return result ? TEMPORAL_OK : err.code;
}

static void note_result(
	struct temporal_result *result, const struct temporal_error *err, void *user)
{
	assert_true(!result == !!err);
	temporal_result_unref(result);
	ended_note(user, err);
}

TEMPORAL_WORKFLOW_CONTRACT_0(patient, "Patient");

static void executes_without_waiting(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__StartWorkflowExecutionResponse started =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;
	const struct temporal_start_opts opts = { .task_queue = "orders" };
	struct temporal_client *client = fake_connect(server);
	struct temporal_error err = { 0 };
	struct ended ended;

	ended_init(&ended, client);
	started.run_id = "run-1";
	fake_expect(server, start_method, &started);
	fake_expect(server, get_history, completed_page(server));
	fake_expect_error(server, start_method, TEMPORAL_NOT_FOUND, "no such namespace", NULL);
	assert_int_equal(
		temporal_execute_0_async(client, patient, &opts, note_result, &ended, &err),
		TEMPORAL_OK);
	ended_wait(&ended, 1);
	assert_int_equal(ended.code, TEMPORAL_OK);
	assert_int_equal(
		temporal_execute_0_async(client, patient, &opts, note_result, &ended, &err),
		TEMPORAL_OK);
	ended_wait(&ended, 2);
	assert_int_equal(ended.code, TEMPORAL_NOT_FOUND);
	temporal_client_unref(client);
}

/* Each way to say it without waiting arrives as its own request. */
static void has_a_form_that_does_not_wait(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__SignalWorkflowExecutionResponse signalled =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	Workflowservice__RequestCancelWorkflowExecutionResponse cancelled =
		WORKFLOWSERVICE__REQUEST_CANCEL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	Workflowservice__TerminateWorkflowExecutionResponse terminated =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_RESPONSE__INIT;
	Workflowservice__QueryWorkflowResponse answered =
		WORKFLOWSERVICE__QUERY_WORKFLOW_RESPONSE__INIT;
	struct temporal_client *client = fake_connect(server);
	struct temporal_run *run = temporal_run_handle(client, "order-1", NULL, NULL);
	const struct temporal_query_opts opts = { .reject = TEMPORAL_QUERY_REJECT_NOT_OPEN };
	struct ended ended;

	ended_init(&ended, client);
	fake_expect(server, signal_method, &signalled);
	fake_expect(server, &rpc_workflow_request_cancel_workflow_execution, &cancelled);
	fake_expect(server, &rpc_workflow_terminate_workflow_execution, &terminated);
	fake_expect(server, &rpc_workflow_query_workflow, &answered);
	assert_int_equal(temporal_signal_named_async(run, "approve", no_arguments, note_done,
				 &ended, NULL, .request_id = "one"),
		TEMPORAL_OK);
	ended_wait(&ended, 1);
	assert_int_equal(temporal_run_cancel_async(run, note_done, &ended, NULL, .reason = "late"),
		TEMPORAL_OK);
	ended_wait(&ended, 2);
	assert_int_equal(
		temporal_run_terminate_async(run, note_done, &ended, NULL, .reason = "enough"),
		TEMPORAL_OK);
	ended_wait(&ended, 3);
	assert_int_equal(temporal_query_named_async(
				 run, "status", no_arguments, &opts, note_result, &ended, NULL),
		TEMPORAL_OK);
	ended_wait(&ended, 4);
	assert_int_equal(ended.code, TEMPORAL_OK);
	assert_int_equal(server->n_asked, 4);
	temporal_run_unref(run);
	temporal_client_unref(client);
}

static void fails_cleanly_without_memory(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__StartWorkflowExecutionResponse started =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;
	struct temporal_client *client = fake_connect(server);
	const void *page = completed_page(server);
	bool hit = true;

	started.run_id = "run-1";
	server->forgetful = true; /* its own notes would take memory, too */
	for (long after = 0; hit; after++) {
		enum temporal_code code;

		server->n_lines = server->n_asked = 0;
		fake_expect(server, start_method, &started);
		fake_expect(server, get_history, page);
		mem_fault_set(after, 0);
		code = start_and_wait(client);
		hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		if (code != TEMPORAL_OK && code != TEMPORAL_NO_MEMORY &&
			code != TEMPORAL_RESOURCE_EXHAUSTED)
			fail_msg("allocation %ld: %s", after, temporal_code_name(code));
		assert_true(hit || code == TEMPORAL_OK);
	}
	temporal_client_unref(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_the_end_on_its_thread, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_to_block_in_a_callback, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ends_in_its_own_callback, set_up, tear_down),
		cmocka_unit_test_setup_teardown(serves_many_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(executes_without_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(has_a_form_that_does_not_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fails_cleanly_without_memory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
