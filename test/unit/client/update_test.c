/*
 * Goal: an update is sent until it is accepted and then asked for until it has an outcome; of an
 * update with a start the operation that failed is told; no memory is an error and nothing else.
 * Method: a fake server with a script; the requests that the client sent are looked at; each
 * allocation fails alone, and together with all that follow.
 */
#include "fake_server.h"

typedef Workflowservice__UpdateWorkflowExecutionResponse update_response;
typedef Workflowservice__UpdateWorkflowExecutionRequest update_request;
typedef Workflowservice__PollWorkflowExecutionUpdateResponse poll_response;
typedef Workflowservice__PollWorkflowExecutionUpdateRequest poll_request;
typedef Workflowservice__StartWorkflowExecutionResponse start_response;
typedef Workflowservice__ExecuteMultiOperationResponse multi_response;
typedef Workflowservice__ExecuteMultiOperationResponse__Response multi_one;
typedef Errordetails__MultiOperationExecutionFailure multi_failure;
typedef Errordetails__MultiOperationExecutionFailure__OperationStatus operation_status;

/* Names of the generator, too long for a line of code. */
#define JOIN_(a_, b_) a_##b_
#define STAGE_(name_) \
	JOIN_(ENUMS__UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE__, \
		UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_##name_)
#define ACCEPTED STAGE_(ACCEPTED)
#define RESPONSE_(name_) \
	WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_RESPONSE__RESPONSE__RESPONSE_##name_

static const struct rpc_method *const update_method = &rpc_workflow_update_workflow_execution;
static const struct rpc_method *const poll_method = &rpc_workflow_poll_workflow_execution_update;
static const struct rpc_method *const multi_method = &rpc_workflow_execute_multi_operation;
static const struct temporal_payloads nothing = { NULL, 0 };

struct fixture {
	struct fake_server *server;
	struct temporal_client *client;
	struct temporal_run *run;
	struct temporal_error err;
	char padding[1200]; /* of a header: what else is in the call's arena */
};

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	f->server = fake_new();
	f->client = fake_connect(f->server);
	f->run = temporal_run_handle(f->client, "order-1", NULL, &f->err);
	assert_non_null(f->run);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	temporal_run_unref(f->run);
	temporal_client_unref(f->client);
	fake_free(f->server);
	test_free(f);
	return 0;
}

/* Not accepted yet; accepted by a run; no outcome yet; the outcome. */
static void expect_all_stages(struct fixture *f)
{
	struct arena *arena = &f->server->arena;
	update_response *accepted =
		PROTO_NEW(arena, Workflowservice__UpdateWorkflowExecutionResponse,
			workflowservice__update_workflow_execution_response);
	poll_response *done = PROTO_NEW(arena, Workflowservice__PollWorkflowExecutionUpdateResponse,
		workflowservice__poll_workflow_execution_update_response);

	accepted->stage = ACCEPTED;
	accepted->update_ref = PROTO_NEW(arena, Update__UpdateRef, update__update_ref);
	accepted->update_ref->workflow_execution =
		PROTO_NEW(arena, Common__WorkflowExecution, common__workflow_execution);
	accepted->update_ref->workflow_execution->run_id = "run-7";
	done->outcome = PROTO_NEW(arena, Update__Outcome, update__outcome);
	done->outcome->value_case = UPDATE__OUTCOME__VALUE_SUCCESS;
	done->outcome->success = PROTO_NEW(arena, Common__Payloads, common__payloads);
	fake_expect(f->server, update_method,
		PROTO_NEW(arena, Workflowservice__UpdateWorkflowExecutionResponse,
			workflowservice__update_workflow_execution_response));
	fake_expect(f->server, update_method, accepted);
	fake_expect(f->server, poll_method,
		PROTO_NEW(arena, Workflowservice__PollWorkflowExecutionUpdateResponse,
			workflowservice__poll_workflow_execution_update_response));
	fake_expect(f->server, poll_method, done);
}

static enum temporal_code update_and_wait(struct fixture *f)
{
	const struct temporal_header header = { "padding", f->padding };
	const struct temporal_entry note = { .key = "note", .value = { .data = { "1", 1 } } };
	const struct temporal_entries notes = { &note, 1 };
	const struct temporal_update_opts opts = {
		.rpc_headers = &header, .n_rpc_headers = 1, .headers = &notes
	};

	f->err = (struct temporal_error){ .code = TEMPORAL_OK };
	temporal_result_unref(temporal_update_named(f->run, "refill", nothing, &opts, &f->err));
	return f->err.code;
}

static void goes_on_to_the_outcome(void **state)
{
	struct fixture *f = *state;

	temporal_run_unref(f->run);
	f->run = temporal_chain_handle(f->client, "order-1", "first-7", &f->err);
	expect_all_stages(f);
	assert_int_equal(update_and_wait(f), TEMPORAL_OK);
	assert_int_equal(f->server->n_asked, 4);
	const update_request *first = f->server->asked[0].message;
	const update_request *second = f->server->asked[1].message;
	const poll_request *last = f->server->asked[3].message;

	assert_string_equal(first->first_execution_run_id, "first-7");
	assert_string_equal(first->request->input->name, "refill");
	assert_string_equal(first->request->meta->identity, "tester");
	assert_int_equal(strlen(first->request->meta->update_id), 36);
	assert_string_equal(first->request->meta->update_id, second->request->meta->update_id);
	assert_string_equal(first->request->meta->update_id, last->update_ref->update_id);
	assert_string_equal(last->update_ref->workflow_execution->run_id, "run-7");
}

/* The start was given up for the update, or the other way round. */
static const Common__GrpcStatus *which_failed(struct fixture *f, enum temporal_code codes[2])
{
	struct arena *arena = &f->server->arena;
	multi_failure failure = ERRORDETAILS__MULTI_OPERATION_EXECUTION_FAILURE__INIT;
	operation_status both[2], *statuses[2] = { &both[0], &both[1] };
	Common__GrpcStatus *status = PROTO_NEW(arena, Common__GrpcStatus, common__grpc_status);
	struct bytes bytes;

	for (size_t i = 0; i < 2; i++) {
		both[i] = (operation_status)
			ERRORDETAILS__MULTI_OPERATION_EXECUTION_FAILURE__OPERATION_STATUS__INIT;
		both[i].code = (int)codes[i];
		both[i].message = codes[i] == TEMPORAL_ABORTED ? "given up" : "its own words";
	}
	failure.statuses = statuses;
	failure.n_statuses = 2;
	assert_int_equal(proto_encode(arena, &failure, 0, &bytes, NULL), TEMPORAL_OK);
	status->details = arena_array(arena, 1, sizeof(void *));
	status->details[0] = PROTO_NEW(arena, Google__Any, google__any);
	status->details[0]->type_url =
		"type.googleapis.com/temporal.api.errordetails.v1.MultiOperationExecutionFailure";
	status->details[0]->value.data = bytes.ptr;
	status->details[0]->value.len = bytes.len;
	status->n_details = 1;
	return status;
}

static enum temporal_code update_with_start(struct fixture *f)
{
	const struct temporal_entry note = { .key = "note", .value = { .data = { "1", 1 } } };
	const struct temporal_entries notes = { &note, 1 };
	const struct temporal_start_opts opts = { .task_queue = "orders",
		.memo = &notes,
		.search_attributes = &notes,
		.id_conflict_policy = TEMPORAL_ID_CONFLICT_USE_EXISTING };
	const struct temporal_header header = { "padding", f->padding };
	const struct temporal_update_opts update_opts = { .rpc_headers = &header,
		.n_rpc_headers = 1 };

	f->err = (struct temporal_error){ .code = TEMPORAL_OK };
	temporal_update_unref(temporal_update_with_start_named(f->client, "OrderWorkflow", nothing,
		&opts, "refill", nothing, &update_opts, &f->err));
	return f->err.code;
}

/* The two parts of an answer, in their order. */
static void answer_both(multi_one both[2], start_response *started, update_response *updated)
{
	const multi_one none = WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_RESPONSE__RESPONSE__INIT;

	both[0] = both[1] = none;
	both[0].response_case = RESPONSE_(START_WORKFLOW);
	both[0].start_workflow = started;
	both[1].response_case = RESPONSE_(UPDATE_WORKFLOW);
	both[1].update_workflow = updated;
}

static void tells_which_operation_failed(void **state)
{
	struct fixture *f = *state;
	enum temporal_code start[] = { TEMPORAL_ALREADY_EXISTS, TEMPORAL_ABORTED };
	enum temporal_code update[] = { TEMPORAL_ABORTED, TEMPORAL_NOT_FOUND };

	fake_expect_error(f->server, multi_method, TEMPORAL_ALREADY_EXISTS, "one of both failed",
		which_failed(f, start));
	fake_expect_error(f->server, multi_method, TEMPORAL_NOT_FOUND, "one of both failed",
		which_failed(f, update));
	assert_int_equal(update_with_start(f), TEMPORAL_ALREADY_EXISTS);
	assert_non_null(strstr(f->err.message, "its own words"));
	assert_int_equal(f->err.detail, TEMPORAL_DETAIL_MULTI_OPERATION);
	assert_int_equal(update_with_start(f), TEMPORAL_NOT_FOUND);
	assert_non_null(strstr(f->err.message, "its own words"));
}

/* None, and both in the wrong order, where one must not be read as the other. */
static void odd_answers_are_errors(void **state)
{
	struct fixture *f = *state;
	multi_response none = WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_RESPONSE__INIT, swapped;
	multi_one both[2], *responses[] = { &both[1], &both[0] };
	update_response updated = WORKFLOWSERVICE__UPDATE_WORKFLOW_EXECUTION_RESPONSE__INIT;
	start_response started = WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;

	answer_both(both, &started, &updated);
	swapped = none;
	swapped.responses = responses;
	swapped.n_responses = 2;
	fake_expect(f->server, multi_method, &none);
	fake_expect(f->server, multi_method, &swapped);
	assert_int_equal(update_with_start(f), TEMPORAL_INTERNAL);
	assert_int_equal(update_with_start(f), TEMPORAL_INTERNAL);
}

static void fail_allocations(
	struct fixture *f, enum temporal_code (*call)(struct fixture *f), bool all_that_follow)
{
	bool hit = true;

	for (long after = 0; hit; after++) {
		f->server->n_asked = 0;
		mem_fault_set(after, all_that_follow);
		enum temporal_code code = call(f);
		hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		if (code && code != TEMPORAL_NO_MEMORY && code != TEMPORAL_RESOURCE_EXHAUSTED)
			fail_msg("allocation %ld: %s: %s", after, temporal_code_name(code),
				f->err.message);
		assert_true(hit || code == TEMPORAL_OK);
	}
}

/* With the arena full at each of the request's parts. */
static void fail_all_that_follow(struct fixture *f, enum temporal_code (*call)(struct fixture *f))
{
	for (size_t n = 0; n < sizeof(f->padding); n += 8) {
		memset(f->padding, 'x', n);
		fail_allocations(f, call, true);
	}
}

static void fails_cleanly_without_memory(void **state)
{
	struct fixture *f = *state;

	f->server->forgetful = true;
	expect_all_stages(f);
	fail_allocations(f, update_and_wait, false);
	fail_all_that_follow(f, update_and_wait);
}

static void fails_cleanly_without_memory_for_a_start(void **state)
{
	struct fixture *f = *state;
	multi_response response = WORKFLOWSERVICE__EXECUTE_MULTI_OPERATION_RESPONSE__INIT;
	multi_one both[2], *responses[] = { &both[0], &both[1] };
	update_response accepted = WORKFLOWSERVICE__UPDATE_WORKFLOW_EXECUTION_RESPONSE__INIT;
	start_response started = WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;

	accepted.stage = ACCEPTED;
	started.run_id = "run-7";
	answer_both(both, &started, &accepted);
	response.responses = responses;
	response.n_responses = 2;
	f->server->forgetful = true;
	fake_expect(f->server, multi_method, &response);
	fail_allocations(f, update_with_start, false);
	fail_all_that_follow(f, update_with_start);
}

#define WITH_FIXTURE(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(goes_on_to_the_outcome),
		WITH_FIXTURE(tells_which_operation_failed),
		WITH_FIXTURE(odd_answers_are_errors),
		WITH_FIXTURE(fails_cleanly_without_memory),
		WITH_FIXTURE(fails_cleanly_without_memory_for_a_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
