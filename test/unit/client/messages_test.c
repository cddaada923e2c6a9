/*
 * Goal: signals, queries, cancels, terminations, reports of activities, descriptions, histories and
 * calls by path ask what the header says, and tell what the server answered.
 * Method: a fake server with a script; the requests that the client sent are looked at.
 */
#include "fake_server.h"

#include <temporal/api/history/v1/message.pb-c.h>

#include "proto/json.h"

struct approve_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(approve, "approve", by);

struct status_in {
	bool verbose;
};
typedef const char *status_out;
TEMPORAL_QUERY_CONTRACT(status, "status", verbose);

typedef int64_t count_out;
TEMPORAL_QUERY_CONTRACT_0(count, "count");

struct charge_in {
	double amount;
};
typedef const char *charge_out;
TEMPORAL_ACTIVITY_CONTRACT(charge, "charge", amount);

static const struct temporal_payloads no_payloads;
static const struct temporal_payload detail = { .data = { "\"half\"", 6 } };
static const struct temporal_payloads details = { &detail, 1 };

struct fixture {
	struct fake_server *server;
	struct temporal_client *client;
	struct temporal_run *run;   /* bound to its run */
	struct temporal_run *chain; /* bound to its chain */
	struct temporal_error err;
};

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	f->server = fake_new();
	f->client = fake_connect(f->server);
	f->run = temporal_run_handle(f->client, "order-1", "run-1", NULL);
	f->chain = temporal_chain_handle(f->client, "order-1", "first-1", NULL);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	temporal_run_unref(f->run);
	temporal_run_unref(f->chain);
	temporal_client_unref(f->client);
	fake_free(f->server);
	test_free(f);
	return 0;
}

#define REPLY(Name_, NAME_) \
	(&(Workflowservice__##Name_##Response)WORKFLOWSERVICE__##NAME_##_RESPONSE__INIT)

static void signals(void **state)
{
	struct fixture *f = *state;
	const Workflowservice__SignalWorkflowExecutionRequest *request;

	fake_expect(f->server, &rpc_workflow_signal_workflow_execution,
		REPLY(SignalWorkflowExecution, SIGNAL_WORKFLOW_EXECUTION));
	fake_expect(f->server, &rpc_workflow_signal_workflow_execution,
		REPLY(SignalWorkflowExecution, SIGNAL_WORKFLOW_EXECUTION));
	assert_int_equal(temporal_signal(f->run, approve, &f->err, .by = "ann"), TEMPORAL_OK);
	assert_int_equal(temporal_signal_named(
				 f->chain, "approve", details, &f->err, .request_id = "request-1"),
		TEMPORAL_OK);
	request = f->server->asked[0].message;
	assert_string_equal(request->workflow_execution->workflow_id, "order-1");
	assert_string_equal(request->workflow_execution->run_id, "run-1");
	assert_string_equal(request->signal_name, "approve");
	assert_string_equal(request->identity, "tester");
	assert_int_equal(strlen(request->request_id), 36);
	assert_memory_equal(request->input->payloads[0]->data.data, "\"ann\"", 5);
	request = f->server->asked[1].message;
	assert_string_equal(request->workflow_execution->run_id, ""); /* the newest of the chain */
	assert_string_equal(request->request_id, "request-1");
}

static void cancels(void **state)
{
	struct fixture *f = *state;
	const Workflowservice__RequestCancelWorkflowExecutionRequest *request;

	fake_expect(f->server, &rpc_workflow_request_cancel_workflow_execution,
		REPLY(RequestCancelWorkflowExecution, REQUEST_CANCEL_WORKFLOW_EXECUTION));
	fake_expect(f->server, &rpc_workflow_request_cancel_workflow_execution,
		REPLY(RequestCancelWorkflowExecution, REQUEST_CANCEL_WORKFLOW_EXECUTION));
	assert_int_equal(temporal_run_cancel(f->chain, &f->err, .reason = "too late"), TEMPORAL_OK);
	assert_int_equal(temporal_run_cancel_0(f->run, &f->err), TEMPORAL_OK);
	request = f->server->asked[0].message;
	assert_string_equal(request->workflow_execution->run_id, "");
	assert_string_equal(request->first_execution_run_id, "first-1");
	assert_string_equal(request->reason, "too late");
	request = f->server->asked[1].message;
	assert_string_equal(request->workflow_execution->run_id, "run-1");
	assert_string_equal(request->first_execution_run_id, "");
}

static void terminates(void **state)
{
	struct fixture *f = *state;
	const Workflowservice__TerminateWorkflowExecutionRequest *request;

	fake_expect(f->server, &rpc_workflow_terminate_workflow_execution,
		REPLY(TerminateWorkflowExecution, TERMINATE_WORKFLOW_EXECUTION));
	assert_int_equal(
		temporal_run_terminate(f->chain, &f->err, .reason = "enough", .details = details),
		TEMPORAL_OK);
	request = f->server->asked[0].message;
	assert_string_equal(request->reason, "enough");
	assert_string_equal(request->first_execution_run_id, "first-1");
	assert_memory_equal(request->details->payloads[0]->data.data, "\"half\"", 6);
}

/* ---- queries ---- */

static const Workflowservice__QueryWorkflowResponse *answer(struct fixture *f, const char *json)
{
	struct arena *arena = &f->server->arena;
	Workflowservice__QueryWorkflowResponse *made = PROTO_NEW(arena,
		Workflowservice__QueryWorkflowResponse, workflowservice__query_workflow_response);
	Common__Payload *payload = PROTO_NEW(arena, Common__Payload, common__payload);

	payload->metadata = arena_array(arena, 1, sizeof(void *));
	payload->metadata[0] =
		PROTO_NEW(arena, Common__Payload__MetadataEntry, common__payload__metadata_entry);
	payload->metadata[0]->key = "encoding";
	payload->metadata[0]->value.data = (uint8_t *)arena_strdup(arena, "json/plain");
	payload->metadata[0]->value.len = strlen("json/plain");
	payload->n_metadata = 1;
	payload->data.data = (uint8_t *)arena_strdup(arena, json);
	payload->data.len = strlen(json);
	made->query_result = PROTO_NEW(arena, Common__Payloads, common__payloads);
	made->query_result->payloads = arena_array(arena, 1, sizeof(void *));
	made->query_result->payloads[0] = payload;
	made->query_result->n_payloads = 1;
	return made;
}

static void queries(void **state)
{
	struct fixture *f = *state;
	const Workflowservice__QueryWorkflowRequest *request;
	struct temporal_result *keep = NULL;
	status_out text = NULL;
	count_out number = 0;

	fake_expect(f->server, &rpc_workflow_query_workflow, answer(f, "\"shipped\""));
	fake_expect(f->server, &rpc_workflow_query_workflow, answer(f, "42"));
	assert_int_equal(temporal_query(f->run, status, &text, &keep, &f->err, .verbose = true),
		TEMPORAL_OK);
	assert_string_equal(text, "shipped");
	temporal_result_unref(keep);
	assert_int_equal(temporal_query_0(f->run, count, &number, NULL, &f->err), TEMPORAL_OK);
	assert_int_equal(number, 42);
	request = f->server->asked[0].message;
	assert_string_equal(request->execution->run_id, "run-1");
	assert_string_equal(request->query->query_type, "status");
	assert_memory_equal(request->query->query_args->payloads[0]->data.data, "true", 4);
	assert_int_equal(request->query_reject_condition,
		ENUMS__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_NONE);
	request = f->server->asked[1].message;
	assert_null(request->query->query_args);
}

static void tells_of_a_bad_answer(void **state)
{
	struct fixture *f = *state;
	struct temporal_result *keep = NULL;
	count_out number = 0;

	fake_expect(f->server, &rpc_workflow_query_workflow, answer(f, "\"many\""));
	assert_int_equal(
		temporal_query_0(f->run, count, &number, &keep, &f->err), TEMPORAL_BAD_PAYLOAD);
	assert_null(keep);
	assert_non_null(strstr(f->err.message, "\"count\" of workflow \"order-1\""));
}

static void refuses_to_lose_what_is_pointed_to(void **state)
{
	struct fixture *f = *state;
	status_out text = NULL;

	assert_int_equal(temporal_query(f->run, status, &text, NULL, &f->err, .verbose = true),
		TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(f->server->n_asked, 0);
}

static void tells_a_rejected_query(void **state)
{
	struct fixture *f = *state;
	const struct temporal_query_opts opts = { .reject = TEMPORAL_QUERY_REJECT_NOT_OPEN };
	Query__QueryRejected rejected = QUERY__QUERY_REJECTED__INIT;
	Workflowservice__QueryWorkflowResponse response =
		WORKFLOWSERVICE__QUERY_WORKFLOW_RESPONSE__INIT;
	struct temporal_result *keep = NULL;
	count_out number = 0;

	rejected.status = ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_FAILED;
	response.query_rejected = &rejected;
	fake_expect(f->server, &rpc_workflow_query_workflow, &response);
	assert_int_equal(temporal_query_with_0(f->run, count, &opts, &number, &keep, &f->err),
		TEMPORAL_QUERY_REJECTED);
	assert_string_equal(f->err.message,
		"query \"count\" of workflow \"order-1\": not answered: the workflow failed");
	assert_non_null(keep);
	assert_int_equal(temporal_result_status(keep), TEMPORAL_STATUS_FAILED);
	temporal_result_unref(keep);
}

static void tells_a_failed_query(void **state)
{
	struct fixture *f = *state;
	struct arena *arena = &f->server->arena;
	Common__GrpcStatus *with_failure =
		PROTO_NEW(arena, Common__GrpcStatus, common__grpc_status);
	Errordetails__QueryFailedFailure failed = ERRORDETAILS__QUERY_FAILED_FAILURE__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	struct temporal_result *keep = NULL;
	count_out number = 0;
	struct bytes bytes;

	failure.message = "nothing to count";
	failed.failure = &failure;
	assert_int_equal(proto_encode(arena, &failed, 0, &bytes, NULL), TEMPORAL_OK);
	with_failure->details = arena_array(arena, 1, sizeof(void *));
	with_failure->details[0] = PROTO_NEW(arena, Google__Any, google__any);
	with_failure->details[0]->type_url =
		"type.googleapis.com/temporal.api.errordetails.v1.QueryFailedFailure";
	with_failure->details[0]->value.data = bytes.ptr;
	with_failure->details[0]->value.len = bytes.len;
	with_failure->n_details = 1;
	fake_expect_error(f->server, &rpc_workflow_query_workflow, TEMPORAL_INVALID_ARGUMENT,
		"nothing to count", with_failure);
	assert_int_equal(
		temporal_query_0(f->run, count, &number, &keep, &f->err), TEMPORAL_QUERY_FAILED);
	assert_int_equal(f->err.code, TEMPORAL_QUERY_FAILED);
	assert_non_null(keep);
	assert_string_equal(temporal_result_failure(keep)->message, "nothing to count");
	temporal_result_unref(keep);
}

/* ---- activities ---- */

static void completes_an_activity_by_token(void **state)
{
	struct fixture *f = *state;
	const struct temporal_activity_target target = { .task_token = { "token", 5 } };
	const Workflowservice__RespondActivityTaskCompletedRequest *request;
	charge_out out = "txn-1";

	fake_expect(f->server, &rpc_workflow_respond_activity_task_completed,
		REPLY(RespondActivityTaskCompleted, RESPOND_ACTIVITY_TASK_COMPLETED));
	assert_int_equal(
		temporal_activity_complete(f->client, charge, &target, &out, &f->err), TEMPORAL_OK);
	request = f->server->asked[0].message;
	assert_memory_equal(request->task_token.data, "token", 5);
	assert_string_equal(request->identity, "tester");
	assert_int_equal(request->result->n_payloads, 1);
	assert_memory_equal(request->result->payloads[0]->data.data, "\"txn-1\"", 7);
}

/* The next attempt finds them, even if no heartbeat has carried them. */
static void fails_an_activity_with_its_last_details(void **state)
{
	struct fixture *f = *state;
	const struct temporal_activity_target target = { .task_token = { "token", 5 } };
	const struct temporal_failure failure = { .kind = TEMPORAL_FAILURE_APPLICATION,
		.message = "declined" };
	const Workflowservice__RespondActivityTaskFailedRequest *request;

	fake_expect(f->server, &rpc_workflow_respond_activity_task_failed,
		REPLY(RespondActivityTaskFailed, RESPOND_ACTIVITY_TASK_FAILED));
	assert_int_equal(temporal_activity_fail(f->client, &target, &failure, details, &f->err),
		TEMPORAL_OK);
	request = f->server->asked[0].message;
	assert_string_equal(request->failure->message, "declined");
	assert_int_equal(request->last_heartbeat_details->n_payloads, 1);
}

static void reports_an_activity_by_id(void **state)
{
	struct fixture *f = *state;
	const struct temporal_activity_target target = {
		.workflow_id = "order-1", .run_id = "run-1", .activity_id = "5"
	};
	const struct temporal_failure failure = {
		.kind = TEMPORAL_FAILURE_APPLICATION, .message = "declined", .type = "CardDeclined"
	};
	const Workflowservice__RespondActivityTaskCompletedByIdRequest *completed;
	const Workflowservice__RespondActivityTaskFailedByIdRequest *failed;
	const Workflowservice__RespondActivityTaskCanceledByIdRequest *cancelled;

	fake_expect(f->server, &rpc_workflow_respond_activity_task_completed_by_id,
		REPLY(RespondActivityTaskCompletedById, RESPOND_ACTIVITY_TASK_COMPLETED_BY_ID));
	fake_expect(f->server, &rpc_workflow_respond_activity_task_failed_by_id,
		REPLY(RespondActivityTaskFailedById, RESPOND_ACTIVITY_TASK_FAILED_BY_ID));
	fake_expect(f->server, &rpc_workflow_respond_activity_task_canceled_by_id,
		REPLY(RespondActivityTaskCanceledById, RESPOND_ACTIVITY_TASK_CANCELED_BY_ID));
	assert_int_equal(temporal_activity_complete_payloads(f->client, &target, details, &f->err),
		TEMPORAL_OK);
	assert_int_equal(temporal_activity_fail(f->client, &target, &failure, details, &f->err),
		TEMPORAL_OK);
	assert_int_equal(temporal_activity_report_cancelled(f->client, &target, details, &f->err),
		TEMPORAL_OK);
	completed = f->server->asked[0].message;
	assert_string_equal(completed->workflow_id, "order-1");
	assert_string_equal(completed->run_id, "run-1");
	assert_string_equal(completed->activity_id, "5");
	assert_int_equal(completed->result->n_payloads, 1);
	failed = f->server->asked[1].message;
	assert_string_equal(failed->failure->message, "declined");
	assert_string_equal(failed->failure->application_failure_info->type, "CardDeclined");
	assert_int_equal(failed->last_heartbeat_details->n_payloads, 1);
	cancelled = f->server->asked[2].message;
	assert_int_equal(cancelled->details->n_payloads, 1);
}

static void beats_the_heart_of_an_activity(void **state)
{
	struct fixture *f = *state;
	const struct temporal_activity_target by_token = { .task_token = { "token", 5 } };
	const struct temporal_activity_target by_id = { .workflow_id = "order-1",
		.activity_id = "5" };
	Workflowservice__RecordActivityTaskHeartbeatResponse response =
		WORKFLOWSERVICE__RECORD_ACTIVITY_TASK_HEARTBEAT_RESPONSE__INIT;
	Workflowservice__RecordActivityTaskHeartbeatByIdResponse response_by_id =
		WORKFLOWSERVICE__RECORD_ACTIVITY_TASK_HEARTBEAT_BY_ID_RESPONSE__INIT;
	struct temporal_heartbeat_reply reply = { 0 };

	response.cancel_requested = true;
	response_by_id.activity_paused = true;
	fake_expect(f->server, &rpc_workflow_record_activity_task_heartbeat, &response);
	fake_expect(f->server, &rpc_workflow_record_activity_task_heartbeat_by_id, &response_by_id);
	fake_expect_error(f->server, &rpc_workflow_record_activity_task_heartbeat_by_id,
		TEMPORAL_NOT_FOUND, "no such activity", NULL);
	assert_int_equal(
		temporal_activity_heartbeat(f->client, &by_token, details, &reply, &f->err),
		TEMPORAL_OK);
	assert_true(reply.cancel_requested);
	assert_false(reply.paused);
	assert_int_equal(temporal_activity_heartbeat(f->client, &by_id, details, &reply, &f->err),
		TEMPORAL_OK);
	assert_false(reply.cancel_requested);
	assert_true(reply.paused);
	assert_int_equal(temporal_activity_heartbeat(f->client, &by_id, details, NULL, &f->err),
		TEMPORAL_NOT_FOUND);
}

static void wants_to_know_which_activity(void **state)
{
	struct fixture *f = *state;
	const struct temporal_activity_target half = { .workflow_id = "order-1" };
	const struct temporal_activity_target target = { .task_token = { "token", 5 } };

	assert_int_equal(
		temporal_activity_complete_payloads(f->client, &half, no_payloads, &f->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(temporal_activity_fail(f->client, &target, NULL, no_payloads, &f->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(f->err.message, "failure of an activity: no failure is given");
	assert_int_equal(f->server->n_asked, 0);
}

/* ---- descriptions, histories, calls by path ---- */

static const void *description(struct fixture *f)
{
	struct arena *arena = &f->server->arena;
	Workflowservice__DescribeWorkflowExecutionResponse *response =
		PROTO_NEW(arena, Workflowservice__DescribeWorkflowExecutionResponse,
			workflowservice__describe_workflow_execution_response);
	Workflow__WorkflowExecutionInfo *info = PROTO_NEW(
		arena, Workflow__WorkflowExecutionInfo, workflow__workflow_execution_info);
	Workflow__PendingActivityInfo *pending =
		PROTO_NEW(arena, Workflow__PendingActivityInfo, workflow__pending_activity_info);

	info->type = PROTO_NEW(arena, Common__WorkflowType, common__workflow_type);
	info->type->name = "OrderWorkflow";
	info->status = ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
	info->start_time = PROTO_NEW(arena, Google__Timestamp, google__timestamp);
	info->start_time->seconds = 1700000000;
	info->start_time->nanos = 5;
	info->close_time = PROTO_NEW(arena, Google__Timestamp, google__timestamp);
	info->close_time->seconds = -62135596800; /* the year 1: how a server in Go says "not" */
	info->execution_time = PROTO_NEW(arena, Google__Timestamp, google__timestamp);
	info->execution_time->seconds = INT64_MAX / 1000000000 - 1;
	info->execution_time->nanos = INT32_MAX; /* together more than an int64_t holds */
	info->history_length = 11;
	pending->activity_id = "5";
	pending->attempt = 3;
	pending->state = ENUMS__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_STARTED;
	pending->last_failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	pending->last_failure->message = "declined";
	response->workflow_execution_info = info;
	response->pending_activities = arena_array(arena, 1, sizeof(void *));
	response->pending_activities[0] = pending;
	response->n_pending_activities = 1;
	return response;
}

static void describes(void **state)
{
	struct fixture *f = *state;
	struct temporal_run_description *made;

	fake_expect(f->server, &rpc_workflow_describe_workflow_execution, description(f));
	made = temporal_run_describe(f->run, &f->err);
	assert_non_null(made);
	assert_string_equal(made->type, "OrderWorkflow");
	assert_int_equal(made->status, TEMPORAL_STATUS_RUNNING);
	assert_true(made->start_ns == INT64_C(1700000000000000005));
	assert_true(made->close_ns == 0);
	assert_true(made->execution_ns == 0);
	assert_int_equal(made->history_length, 11);
	assert_int_equal(made->n_activities, 1);
	assert_string_equal(made->activities[0].id, "5");
	assert_true(made->activities[0].started);
	assert_int_equal(made->activities[0].attempt, 3);
	assert_string_equal(made->activities[0].last_failure->message, "declined");
	assert_string_equal(made->summary, "");
	assert_int_equal(made->n_children, 0);
	temporal_run_description_unref(made);
	temporal_run_description_unref(NULL);
}

static const void *history_page(struct fixture *f, int64_t first, size_t n, const char *token)
{
	struct arena *arena = &f->server->arena;
	Workflowservice__GetWorkflowExecutionHistoryResponse *page =
		PROTO_NEW(arena, Workflowservice__GetWorkflowExecutionHistoryResponse,
			workflowservice__get_workflow_execution_history_response);

	page->history = PROTO_NEW(arena, History__History, history__history);
	page->history->events = arena_array(arena, n, sizeof(void *));
	page->history->n_events = n;
	for (size_t i = 0; i < n; i++) {
		page->history->events[i] =
			PROTO_NEW(arena, History__HistoryEvent, history__history_event);
		page->history->events[i]->event_id = first + (int64_t)i;
	}
	page->next_page_token.data = (uint8_t *)arena_strdup(arena, token);
	page->next_page_token.len = strlen(token);
	return page;
}

static void fetches_a_history_of_pages(void **state)
{
	struct fixture *f = *state;
	const struct rpc_method *method = &rpc_workflow_get_workflow_execution_history;
	const Workflowservice__GetWorkflowExecutionHistoryRequest *request;
	struct temporal_buffer *json;

	fake_expect(f->server, method, history_page(f, 1, 2, "next"));
	fake_expect(f->server, method, history_page(f, 3, 1, ""));
	json = temporal_run_history_json(f->run, &f->err);
	assert_non_null(json);
	assert_int_equal(strlen(json->data), json->len);
	History__History *history = proto_from_json(&f->server->arena,
		&history__history__descriptor, (struct str){ json->data, json->len }, false, NULL);
	assert_non_null(history);
	assert_int_equal(history->n_events, 3);
	assert_int_equal(history->events[2]->event_id, 3);
	temporal_buffer_unref(json);
	request = f->server->asked[0].message;
	assert_false(request->wait_new_event);
	request = f->server->asked[1].message;
	assert_memory_equal(request->next_page_token.data, "next", 4);

	fake_expect(f->server, method, history_page(f, 1, 2, "next"));
	fake_expect_error(f->server, method, TEMPORAL_NOT_FOUND, "it is gone", NULL);
	assert_null(temporal_run_history_json(f->run, &f->err));
	assert_string_equal(f->err.message, "history of workflow \"order-1\": it is gone");
}

static void calls_by_path(void **state)
{
	static const char path[] =
		"/temporal.api.workflowservice.v1.WorkflowService/CountWorkflowExecutions";
	static const char query[] = "{\"namespace\": \"shop\"}";
	struct fixture *f = *state;
	Workflowservice__CountWorkflowExecutionsResponse response =
		WORKFLOWSERVICE__COUNT_WORKFLOW_EXECUTIONS_RESPONSE__INIT;
	const Workflowservice__CountWorkflowExecutionsRequest *request;
	struct temporal_buffer *reply;

	response.count = 7;
	fake_expect(f->server, &rpc_workflow_count_workflow_executions, &response);
	fake_expect(f->server, &rpc_workflow_count_workflow_executions, &response);
	reply = temporal_client_call(
		f->client, path, (struct temporal_bytes){ query, strlen(query) }, true, &f->err);
	assert_non_null(reply);
	assert_non_null(strstr(reply->data, "\"7\""));
	temporal_buffer_unref(reply);
	request = f->server->asked[0].message;
	assert_string_equal(request->namespace_, "shop");
	reply = temporal_client_call(
		f->client, path, (struct temporal_bytes){ "\x0A\x01z", 3 }, false, &f->err);
	assert_non_null(reply);
	assert_int_equal(reply->len, 2);
	assert_memory_equal(reply->data, "\x08\x07", 2);
	temporal_buffer_unref(reply);
	request = f->server->asked[1].message;
	assert_string_equal(request->namespace_, "z");
	assert_null(temporal_client_call(
		f->client, "/no.Such/Method", (struct temporal_bytes){ NULL, 0 }, false, &f->err));
	assert_int_equal(f->err.code, TEMPORAL_UNIMPLEMENTED);
}

/* ---- without memory ---- */

static enum temporal_code ask_count(struct fixture *f)
{
	struct temporal_error err = { 0 };
	count_out number = 0;

	return temporal_query_0(f->run, count, &number, NULL, &err);
}

static enum temporal_code describe_one(struct fixture *f)
{
	struct temporal_error err = { 0 };
	struct temporal_run_description *made = temporal_run_describe(f->run, &err);

	temporal_run_description_unref(made);
	return err.code;
}

static enum temporal_code fetch_history(struct fixture *f)
{
	struct temporal_error err = { 0 };

	temporal_buffer_unref(temporal_run_history_json(f->run, &err));
	return err.code;
}

static enum temporal_code beat_heart(struct fixture *f)
{
	const struct temporal_activity_target target = { .workflow_id = "order-1",
		.activity_id = "5" };
	struct temporal_error err = { 0 };

	return temporal_activity_heartbeat(f->client, &target, details, NULL, &err);
}

static enum temporal_code fail_activity(struct fixture *f)
{
	const struct temporal_activity_target target = { .task_token = { "token", 5 } };
	const struct temporal_failure failure = { .message = "declined" };
	struct temporal_error err = { 0 };

	return temporal_activity_fail(f->client, &target, &failure, details, &err);
}

/* Every allocation of each kind of call fails in turn; nothing leaks, nothing is misread. */
static void fails_cleanly_without_memory(void **state)
{
	struct fixture *f = *state;
	const struct {
		const struct rpc_method *method;
		const void *reply;
		enum temporal_code (*call)(struct fixture *f);
	} calls[] = {
		{ &rpc_workflow_query_workflow, answer(f, "42"), ask_count },
		{ &rpc_workflow_describe_workflow_execution, description(f), describe_one },
		{ &rpc_workflow_get_workflow_execution_history, history_page(f, 1, 2, ""),
			fetch_history },
		{ &rpc_workflow_record_activity_task_heartbeat_by_id,
			REPLY(RecordActivityTaskHeartbeatById,
				RECORD_ACTIVITY_TASK_HEARTBEAT_BY_ID),
			beat_heart },
		{ &rpc_workflow_respond_activity_task_failed,
			REPLY(RespondActivityTaskFailed, RESPOND_ACTIVITY_TASK_FAILED),
			fail_activity },
	};

	f->server->forgetful = true;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		bool hit = true;

		for (long after = 0; hit; after++) {
			enum temporal_code code;

			f->server->n_lines = f->server->n_asked = 0;
			fake_expect(f->server, calls[i].method, calls[i].reply);
			mem_fault_set(after, 0);
			code = calls[i].call(f);
			hit = mem_fault_hit();
			mem_fault_set(-1, 0);
			if (code && code != TEMPORAL_NO_MEMORY &&
				code != TEMPORAL_RESOURCE_EXHAUSTED)
				fail_msg("call %zu, allocation %ld: %s", i, after,
					temporal_code_name(code));
			assert_true(hit || code == TEMPORAL_OK);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(signals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(terminates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(queries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_of_a_bad_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			refuses_to_lose_what_is_pointed_to, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_a_rejected_query, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_a_failed_query, set_up, tear_down),
		cmocka_unit_test_setup_teardown(completes_an_activity_by_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			fails_an_activity_with_its_last_details, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reports_an_activity_by_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(beats_the_heart_of_an_activity, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wants_to_know_which_activity, set_up, tear_down),
		cmocka_unit_test_setup_teardown(describes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fetches_a_history_of_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_by_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fails_cleanly_without_memory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
