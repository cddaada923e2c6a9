/*
 * Goal: every option of a start arrives in the request, defaults are what the header promises,
 * mistakes are told before anything is sent, and a run in the way is named.
 * Method: a fake server with a script; the requests that the client sent are looked at.
 */
#include "fake_server.h"

struct order_in {
	const char *order_id;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "OrderWorkflow", order_id);

struct approve_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(approve, "approve", by);

typedef Workflowservice__StartWorkflowExecutionRequest start_request;
typedef Workflowservice__SignalWithStartWorkflowExecutionRequest signal_with_start_request;

static const struct rpc_method *const start_method = &rpc_workflow_start_workflow_execution;

struct fixture {
	struct fake_server *server;
	struct temporal_client *client;
	Workflowservice__StartWorkflowExecutionResponse response;
	struct temporal_error err;
};

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	Workflowservice__StartWorkflowExecutionResponse response =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;

	f->server = fake_new();
	f->client = fake_connect(f->server);
	f->response = response;
	f->response.run_id = "run-7";
	f->response.started = true;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	temporal_client_unref(f->client);
	fake_free(f->server);
	test_free(f);
	return 0;
}

static const start_request *asked(const struct fixture *f, size_t n)
{
	assert_true(n < f->server->n_asked);
	assert_ptr_equal(f->server->asked[n].method, start_method);
	return f->server->asked[n].message;
}

static void has_defaults(void **state)
{
	struct fixture *f = *state;
	const struct temporal_start_opts opts = { .task_queue = "orders" };

	fake_expect(f->server, start_method, &f->response);
	struct temporal_run *run =
		temporal_start(f->client, order, &opts, &f->err, .order_id = "order-1");
	assert_non_null(run);
	const start_request *request = asked(f, 0);

	assert_string_equal(request->namespace_, "default");
	assert_string_equal(request->identity, "tester");
	assert_string_equal(request->workflow_type->name, "OrderWorkflow");
	assert_string_equal(request->task_queue->name, "orders");
	assert_int_equal(strlen(request->workflow_id), 36);
	assert_int_equal(request->workflow_id[14], '4');
	assert_int_equal(strlen(request->request_id), 36);
	assert_string_not_equal(request->request_id, request->workflow_id);
	assert_int_equal(request->input->n_payloads, 1);
	assert_int_equal(request->input->payloads[0]->data.len, strlen("\"order-1\""));
	assert_memory_equal(request->input->payloads[0]->data.data, "\"order-1\"", 9);
	assert_null(request->workflow_execution_timeout);
	assert_null(request->workflow_run_timeout);
	assert_null(request->workflow_task_timeout);
	assert_null(request->workflow_start_delay);
	assert_null(request->retry_policy);
	assert_null(request->memo);
	assert_null(request->search_attributes);
	assert_null(request->header);
	assert_null(request->user_metadata);
	assert_null(request->priority);
	assert_null(request->versioning_override);
	assert_string_equal(temporal_run_workflow_id(run), request->workflow_id);
	assert_string_equal(temporal_run_run_id(run), "run-7");
	assert_string_equal(temporal_run_first_run_id(run), "run-7");
	assert_true(temporal_run_was_started(run));
	temporal_run_unref(run);
}

static void check_each_option(const start_request *request)
{
	assert_string_equal(request->workflow_id, "order-1");
	assert_int_equal(
		request->workflow_id_reuse_policy, TEMPORAL_ID_REUSE_ALLOW_DUPLICATE_FAILED_ONLY);
	assert_int_equal(request->workflow_id_conflict_policy,
		ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
	assert_int_equal(request->workflow_execution_timeout->seconds, 3600);
	assert_int_equal(request->workflow_run_timeout->seconds, 90);
	assert_int_equal(request->workflow_run_timeout->nanos, 500000000);
	assert_int_equal(request->workflow_task_timeout->seconds, 0);
	assert_int_equal(request->workflow_task_timeout->nanos, 5000000);
	assert_int_equal(request->workflow_start_delay->seconds, 3);
	assert_int_equal(request->retry_policy->initial_interval->nanos, 500000000);
	assert_true(request->retry_policy->backoff_coefficient == 2.0);
	assert_int_equal(request->retry_policy->maximum_interval->seconds, 60);
	assert_int_equal(request->retry_policy->maximum_attempts, 4);
	assert_int_equal(request->retry_policy->n_non_retryable_error_types, 2);
	assert_string_equal(request->retry_policy->non_retryable_error_types[1], "NoSuchCard");
	assert_int_equal(request->memo->n_fields, 1);
	assert_string_equal(request->memo->fields[0]->key, "note");
	assert_memory_equal(request->memo->fields[0]->value->data.data, "\"hi\"", 4);
	assert_string_equal(request->search_attributes->indexed_fields[0]->key, "note");
	assert_string_equal(request->header->fields[0]->key, "note");
	assert_memory_equal(request->user_metadata->summary->data.data, "\"short\"", 7);
	assert_memory_equal(request->user_metadata->details->data.data, "\"long\"", 6);
	assert_int_equal(request->priority->priority_key, 2);
	assert_string_equal(request->priority->fairness_key, "ann");
	assert_int_equal(request->versioning_override->override_case,
		WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_PINNED);
	assert_string_equal(request->versioning_override->pinned->version->deployment_name, "shop");
	assert_string_equal(request->versioning_override->pinned->version->build_id, "v2");
	assert_string_equal(request->request_id, "request-1");
}

static void sends_each_option(void **state)
{
	struct fixture *f = *state;
	const struct temporal_entry note = { .key = "note", .value = { .data = { "\"hi\"", 4 } } };
	const struct temporal_entries notes = { &note, 1 };
	const char *const types[] = { "CardDeclined", "NoSuchCard", NULL };
	const struct temporal_retry_policy retry = { .initial_interval_ms = 1500,
		.maximum_interval_ms = TEMPORAL_MINUTES(1),
		.maximum_attempts = 4,
		.non_retryable_types = types };
	const struct temporal_priority priority = {
		.key = 2, .fairness_key = "ann", .fairness_weight = 0.5F
	};
	const struct temporal_versioning_override pinned = { .deployment = "shop",
		.build_id = "v2" };
	const struct temporal_start_opts opts = {
		.id = "order-1",
		.task_queue = "orders",
		.id_reuse_policy = TEMPORAL_ID_REUSE_ALLOW_DUPLICATE_FAILED_ONLY,
		.id_conflict_policy = TEMPORAL_ID_CONFLICT_USE_EXISTING,
		.execution_timeout_ms = TEMPORAL_HOURS(1),
		.run_timeout_ms = 90500,
		.task_timeout_ms = 5,
		.start_delay_ms = TEMPORAL_SECONDS(3),
		.retry_policy = &retry,
		.memo = &notes,
		.search_attributes = &notes,
		.headers = &notes,
		.summary = "short",
		.details = "long",
		.priority = &priority,
		.versioning_override = &pinned,
		.request_id = "request-1",
		.timeout_ms = 1234,
	};

	fake_expect(f->server, start_method, &f->response);
	struct temporal_run *run =
		temporal_start(f->client, order, &opts, &f->err, .order_id = "order-1");
	assert_non_null(run);
	check_each_option(asked(f, 0));
	assert_int_equal(f->server->asked[0].timeout_ns, 1234000000);

	temporal_run_unref(run);
}

/* As in a workflow's options: no retry is one attempt, while the server's 0 is no limit. */
static void turns_retries_off(void **state)
{
	struct fixture *f = *state;
	const struct temporal_retry_policy off = { .maximum_attempts = TEMPORAL_OFF };
	const struct temporal_start_opts opts = { .task_queue = "orders", .retry_policy = &off };

	fake_expect(f->server, start_method, &f->response);
	struct temporal_run *run =
		temporal_start(f->client, order, &opts, &f->err, .order_id = "order-1");
	assert_non_null(run);
	assert_int_equal(asked(f, 0)->retry_policy->maximum_attempts, 1);
	temporal_run_unref(run);
}

static void refuses_mistakes_unsent(void **state)
{
	struct fixture *f = *state;
	const struct temporal_retry_policy shrinking = { .backoff_coefficient = 0.5 };
	const struct temporal_versioning_override both = { "shop", "v2", true };
	const struct {
		const char *message;
		struct temporal_start_opts opts;
	} mistakes[] = {
		{ "start of workflow \"OrderWorkflow\": task_queue is not set", { .id = "a" } },
		{ "run_timeout_ms is -5: expected", { .task_queue = "q", .run_timeout_ms = -5 } },
		{ "start_delay_ms and cron_schedule exclude each other",
			{ .task_queue = "q", .start_delay_ms = 1, .cron_schedule = "* * * * *" } },
		{ "backoff_coefficient is 0.5: expected at least 1",
			{ .task_queue = "q", .retry_policy = &shrinking } },
		{ "versioning_override: expected either",
			{ .task_queue = "q", .versioning_override = &both } },
		{ "id_conflict_policy TERMINATE_EXISTING needs an id_reuse_policy",
			{ .task_queue = "q",
				.id_reuse_policy = TEMPORAL_ID_REUSE_REJECT_DUPLICATE,
				.id_conflict_policy = TEMPORAL_ID_CONFLICT_TERMINATE_EXISTING } },
		{ "id_reuse_policy is 9: expected",
			{ .task_queue = "q",
				.id_reuse_policy = (enum temporal_id_reuse_policy)9 } },
		{ "timeout_ms is -1: a call has to end",
			{ .task_queue = "q", .timeout_ms = TEMPORAL_OFF } },
	};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		assert_null(temporal_start(
			f->client, order, &mistakes[i].opts, &f->err, .order_id = "order-1"));
		assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
		if (!strstr(f->err.message, mistakes[i].message))
			fail_msg("expected \"%s\" in \"%s\"", mistakes[i].message, f->err.message);
	}
	assert_int_equal(f->server->n_asked, 0);
}

/* The macros find this out when they are compiled; other languages call the functions. */
static void refuses_contracts_that_do_not_fit(void **state)
{
	struct fixture *f = *state;
	const struct temporal_start_opts opts = { .task_queue = "orders" };
	const struct approve_in in = { "ann" };

	assert_null(
		temporal_start_contract_(f->client, &approve, &in, &opts, sizeof(opts), &f->err));
	assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(f->err.message, "\"approve\" is a signal: expected a workflow"));
	assert_null(
		temporal_start_contract_(f->client, &order, NULL, &opts, sizeof(opts), &f->err));
	assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(f->err.message, "\"OrderWorkflow\" has arguments"));
}

/* The status as the real server sends it. */
static const Common__GrpcStatus *already_started(struct fixture *f)
{
	struct arena *arena = &f->server->arena;
	Errordetails__WorkflowExecutionAlreadyStartedFailure failure =
		ERRORDETAILS__WORKFLOW_EXECUTION_ALREADY_STARTED_FAILURE__INIT;
	Common__GrpcStatus *status = PROTO_NEW(arena, Common__GrpcStatus, common__grpc_status);
	struct bytes bytes;

	failure.run_id = "run-3";
	assert_int_equal(proto_encode(arena, &failure, 0, &bytes, NULL), TEMPORAL_OK);
	status->details = arena_array(arena, 1, sizeof(void *));
	status->details[0] = PROTO_NEW(arena, Google__Any, google__any);
	status->details[0]->type_url =
		"type.googleapis.com/"
		"temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure";
	status->details[0]->value.data = bytes.ptr;
	status->details[0]->value.len = bytes.len;
	status->n_details = 1;
	return status;
}

static void names_the_run_in_the_way(void **state)
{
	struct fixture *f = *state;
	const struct temporal_start_opts opts = { .id = "order-1", .task_queue = "orders" };

	fake_expect_error(f->server, start_method, TEMPORAL_ALREADY_EXISTS,
		"Workflow execution is already running", already_started(f));
	assert_null(temporal_start(f->client, order, &opts, &f->err, .order_id = "order-1"));
	assert_int_equal(f->err.code, TEMPORAL_ALREADY_EXISTS);
	assert_int_equal(f->err.detail, TEMPORAL_DETAIL_WORKFLOW_ALREADY_STARTED);
	assert_string_equal(f->err.run_id, "run-3");
	assert_string_equal(f->err.message,
		"start of workflow \"OrderWorkflow\" with id \"order-1\": "
		"Workflow execution is already running");
}

static void retries_with_the_same_request_id(void **state)
{
	struct fixture *f = *state;
	const struct temporal_start_opts opts = { .id = "order-1", .task_queue = "orders" };

	fake_expect_error(f->server, start_method, TEMPORAL_UNAVAILABLE, "not now", NULL);
	fake_expect(f->server, start_method, &f->response);
	struct temporal_run *run =
		temporal_start(f->client, order, &opts, &f->err, .order_id = "order-1");
	assert_non_null(run);
	assert_string_equal(asked(f, 0)->request_id, asked(f, 1)->request_id);
	temporal_run_unref(run);
}

static void signals_with_start(void **state)
{
	struct fixture *f = *state;
	const struct temporal_start_opts opts = { .id = "order-1", .task_queue = "orders" };
	Workflowservice__SignalWithStartWorkflowExecutionResponse response =
		WORKFLOWSERVICE__SIGNAL_WITH_START_WORKFLOW_EXECUTION_RESPONSE__INIT;

	response.run_id = "run-8";
	response.first_execution_run_id = "run-6";
	fake_expect(f->server, &rpc_workflow_signal_with_start_workflow_execution, &response);
	struct temporal_run *run = temporal_signal_with_start(f->client, order, &opts, approve,
		&(const struct approve_in){ .by = "ann" }, &f->err, .order_id = "order-1");
	assert_non_null(run);
	const signal_with_start_request *request = f->server->asked[0].message;

	assert_string_equal(request->workflow_id, "order-1");
	assert_string_equal(request->signal_name, "approve");
	assert_memory_equal(request->signal_input->payloads[0]->data.data, "\"ann\"", 5);
	assert_memory_equal(request->input->payloads[0]->data.data, "\"order-1\"", 9);
	assert_string_equal(temporal_run_run_id(run), "run-8");
	assert_string_equal(temporal_run_first_run_id(run), "run-6");
	assert_false(temporal_run_was_started(run));
	temporal_run_unref(run);
}

static void starts_by_name(void **state)
{
	struct fixture *f = *state;
	const struct temporal_start_opts opts = { .id = "any-1", .task_queue = "orders" };
	const struct temporal_payload payloads[] = { { .data = { "1", 1 } },
		{ .data = { "2", 1 } } };

	fake_expect(f->server, start_method, &f->response);
	struct temporal_run *run = temporal_start_named(f->client, "AnyWorkflow",
		((struct temporal_payloads){ payloads, 2 }), &opts, &f->err);
	assert_non_null(run);
	assert_string_equal(asked(f, 0)->workflow_type->name, "AnyWorkflow");
	assert_int_equal(asked(f, 0)->input->n_payloads, 2);
	assert_memory_equal(asked(f, 0)->input->payloads[1]->data.data, "2", 1);
	temporal_run_unref(run);
	assert_null(temporal_start_named(
		f->client, "", ((struct temporal_payloads){ NULL, 0 }), &opts, &f->err));
	assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
}

/* A caller that was compiled for an older or a newer library passes structs of another size. */
static void takes_options_of_other_versions(void **state)
{
	struct fixture *f = *state;
	struct {
		struct temporal_start_opts opts;
		int64_t newer;
	} grown = { .opts = { .task_queue = "orders", .timeout_ms = 99 }, .newer = 0 };
	const struct order_in in = { "order-1" };
	struct temporal_run *run;

	fake_expect(f->server, start_method, &f->response);
	fake_expect(f->server, start_method, &f->response);
	run = temporal_start_contract_(f->client, &order, &in, &grown.opts, sizeof(grown), &f->err);
	assert_non_null(run);
	temporal_run_unref(run);
	run = temporal_start_contract_(f->client, &order, &in, &grown.opts,
		offsetof(struct temporal_start_opts, timeout_ms), &f->err);
	assert_non_null(run);
	temporal_run_unref(run);
	assert_true(f->server->asked[0].timeout_ns == 99000000);
	assert_true(f->server->asked[1].timeout_ns != 99000000);
	grown.newer = 1;
	assert_null(temporal_start_contract_(
		f->client, &order, &in, &grown.opts, sizeof(grown), &f->err));
	assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(has_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sends_each_option, set_up, tear_down),
		cmocka_unit_test_setup_teardown(turns_retries_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_mistakes_unsent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			refuses_contracts_that_do_not_fit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_the_run_in_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			retries_with_the_same_request_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signals_with_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(starts_by_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_options_of_other_versions, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
