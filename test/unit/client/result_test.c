/*
 * Goal: the result of a workflow is found along its chain of runs, in both forms in which servers
 * tell that a run has a next one, and every way to end is told as it was.
 * Method: a fake server with a script; the requests that the client sent are looked at.
 */
#include "fake_server.h"

#include <temporal/api/failure/v1/message.pb-c.h>
#include <temporal/api/history/v1/message.pb-c.h>

typedef Workflowservice__GetWorkflowExecutionHistoryRequest page_request;
typedef Workflowservice__GetWorkflowExecutionHistoryResponse page_response;

static const struct rpc_method *const get_history = &rpc_workflow_get_workflow_execution_history;

struct fixture {
	struct fake_server *server;
	struct temporal_client *client;
	struct temporal_run *run;
};

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	f->server = fake_new();
	f->client = fake_connect(f->server);
	f->run = temporal_run_handle(f->client, "order-1", "run-1", NULL);
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

/* A page with one event, in the fake server's arena. */
static page_response *page_of(struct fixture *f, History__HistoryEvent *event)
{
	struct arena *arena = &f->server->arena;
	page_response *page = PROTO_NEW(
		arena, page_response, workflowservice__get_workflow_execution_history_response);

	page->history = PROTO_NEW(arena, History__History, history__history);
	page->history->events = arena_array(arena, 1, sizeof(void *));
	page->history->events[0] = event;
	page->history->n_events = 1;
	return page;
}

static page_response *empty_page(struct fixture *f, const char *token)
{
	page_response *page = PROTO_NEW(&f->server->arena, page_response,
		workflowservice__get_workflow_execution_history_response);

	page->next_page_token.data = (uint8_t *)arena_strdup(&f->server->arena, token);
	page->next_page_token.len = strlen(token);
	return page;
}

static History__HistoryEvent *event_of(struct fixture *f, int attributes_case)
{
	History__HistoryEvent *event =
		PROTO_NEW(&f->server->arena, History__HistoryEvent, history__history_event);

	event->attributes_case = (History__HistoryEvent__AttributesCase)attributes_case;
	return event;
}

#define EVENT(f_, field_, FIELD_, Type_, type_) \
	event_of(f_, HISTORY__HISTORY_EVENT__ATTRIBUTES_##FIELD_##_EVENT_ATTRIBUTES); \
	event->field_##_event_attributes = PROTO_NEW(&(f_)->server->arena, \
		History__##Type_##EventAttributes, history__##type_##_event_attributes)

static page_response *completed(struct fixture *f, const char *json, const char *next_run_id)
{
	struct arena *arena = &f->server->arena;
	Common__Payloads *result = PROTO_NEW(arena, Common__Payloads, common__payloads);
	History__HistoryEvent *event =
		EVENT(f, workflow_execution_completed, WORKFLOW_EXECUTION_COMPLETED,
			WorkflowExecutionCompleted, workflow_execution_completed);

	result->payloads = arena_array(arena, 1, sizeof(void *));
	result->payloads[0] = PROTO_NEW(arena, Common__Payload, common__payload);
	result->payloads[0]->data.data = (uint8_t *)arena_strdup(arena, json);
	result->payloads[0]->data.len = strlen(json);
	result->n_payloads = 1;
	event->workflow_execution_completed_event_attributes->result = result;
	event->workflow_execution_completed_event_attributes->new_execution_run_id = next_run_id;
	return page_of(f, event);
}

static page_response *failed(struct fixture *f, const char *message, const char *next_run_id)
{
	History__HistoryEvent *event = EVENT(f, workflow_execution_failed,
		WORKFLOW_EXECUTION_FAILED, WorkflowExecutionFailed, workflow_execution_failed);
	Failure__Failure *failure =
		PROTO_NEW(&f->server->arena, Failure__Failure, failure__failure);

	failure->message = message;
	event->workflow_execution_failed_event_attributes->failure = failure;
	event->workflow_execution_failed_event_attributes->new_execution_run_id = next_run_id;
	return page_of(f, event);
}

static page_response *timed_out(struct fixture *f, const char *next_run_id)
{
	History__HistoryEvent *event =
		EVENT(f, workflow_execution_timed_out, WORKFLOW_EXECUTION_TIMED_OUT,
			WorkflowExecutionTimedOut, workflow_execution_timed_out);

	event->workflow_execution_timed_out_event_attributes->new_execution_run_id = next_run_id;
	return page_of(f, event);
}

static page_response *continued(struct fixture *f, const char *next_run_id)
{
	History__HistoryEvent *event =
		EVENT(f, workflow_execution_continued_as_new, WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
			WorkflowExecutionContinuedAsNew, workflow_execution_continued_as_new);

	event->workflow_execution_continued_as_new_event_attributes->new_execution_run_id =
		next_run_id;
	return page_of(f, event);
}

static page_response *terminated(struct fixture *f, const char *reason)
{
	History__HistoryEvent *event =
		EVENT(f, workflow_execution_terminated, WORKFLOW_EXECUTION_TERMINATED,
			WorkflowExecutionTerminated, workflow_execution_terminated);

	event->workflow_execution_terminated_event_attributes->reason = reason;
	return page_of(f, event);
}

static page_response *canceled(struct fixture *f)
{
	History__HistoryEvent *event =
		EVENT(f, workflow_execution_canceled, WORKFLOW_EXECUTION_CANCELED,
			WorkflowExecutionCanceled, workflow_execution_canceled);

	return page_of(f, event);
}

static const page_request *asked(const struct fixture *f, size_t n)
{
	assert_true(n < f->server->n_asked);
	return f->server->asked[n].message;
}

static struct temporal_result *wait_for(struct fixture *f)
{
	struct temporal_error err = { 0 };
	struct temporal_result *result = temporal_run_wait_0(f->run, &err);

	if (!result)
		print_message("%s\n", err.message);
	assert_non_null(result);
	return result;
}

static void asks_for_the_closing_event(void **state)
{
	struct fixture *f = *state;

	fake_expect(f->server, get_history, completed(f, "\"done\"", ""));
	struct temporal_result *result = wait_for(f);
	const page_request *request = asked(f, 0);

	assert_string_equal(request->namespace_, "default");
	assert_string_equal(request->execution->workflow_id, "order-1");
	assert_string_equal(request->execution->run_id, "run-1");
	assert_true(request->wait_new_event);
	assert_true(request->skip_archival);
	assert_int_equal(request->history_event_filter_type,
		ENUMS__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_COMPLETED);
	assert_null(temporal_result_failure(result));
	assert_int_equal(temporal_result_payloads(result).count, 1);
	assert_memory_equal(temporal_result_payloads(result).items[0].data.data, "\"done\"", 6);
	temporal_result_unref(result);
}

static void polls_on_with_the_token(void **state)
{
	struct fixture *f = *state;

	fake_expect(f->server, get_history, empty_page(f, "token-a"));
	fake_expect(f->server, get_history, empty_page(f, "token-b"));
	fake_expect(f->server, get_history, completed(f, "1", ""));
	temporal_result_unref(wait_for(f));

	assert_int_equal(f->server->n_asked, 3);
	assert_memory_equal(asked(f, 1)->next_page_token.data, "token-a", 7);
	assert_memory_equal(asked(f, 2)->next_page_token.data, "token-b", 7);
	assert_string_equal(asked(f, 2)->execution->run_id, "run-1");
}

static void follows_the_chain(void **state)
{
	struct fixture *f = *state;

	fake_expect(f->server, get_history, continued(f, "run-2"));
	fake_expect(f->server, get_history, empty_page(f, "token"));
	fake_expect(f->server, get_history, failed(f, "first try", "run-3"));
	fake_expect(f->server, get_history, timed_out(f, "run-4"));
	fake_expect(f->server, get_history, completed(f, "1", "run-5"));
	fake_expect(f->server, get_history, completed(f, "2", ""));
	struct temporal_result *result = wait_for(f);

	assert_int_equal(f->server->n_asked, 6);
	assert_string_equal(asked(f, 1)->execution->run_id, "run-2");
	assert_int_equal(asked(f, 1)->next_page_token.len, 0);
	assert_string_equal(asked(f, 2)->execution->run_id, "run-2");
	assert_string_equal(asked(f, 3)->execution->run_id, "run-3");
	assert_int_equal(asked(f, 3)->next_page_token.len, 0);
	assert_string_equal(asked(f, 5)->execution->run_id, "run-5");
	assert_string_equal(temporal_result_run_id(result), "run-5");
	assert_string_equal(temporal_result_next_run_id(result), "");
	temporal_result_unref(result);
}

static void stays_with_its_run_when_told(void **state)
{
	struct fixture *f = *state;
	const struct temporal_wait_opts opts = { .no_follow = true };
	struct temporal_error err = { 0 };

	fake_expect(f->server, get_history, continued(f, "run-2"));
	fake_expect(f->server, get_history, failed(f, "first try", "run-3"));
	struct temporal_result *result = temporal_run_wait(f->run, &opts, &err);

	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_CONTINUED_AS_NEW);
	assert_string_equal(temporal_result_run_id(result), "run-1");
	assert_string_equal(temporal_result_next_run_id(result), "run-2");
	temporal_result_unref(result);
	result = temporal_run_wait(f->run, &opts, &err);
	assert_int_equal(temporal_result_status(result), TEMPORAL_STATUS_FAILED);
	assert_string_equal(temporal_result_next_run_id(result), "run-3");
	temporal_result_unref(result);
}

static void tells_each_way_to_end(void **state)
{
	struct fixture *f = *state;
	const struct {
		enum temporal_status status;
		enum temporal_failure_kind kind;
		const char *message;
		const page_response *page;
	} ends[] = {
		{ TEMPORAL_STATUS_FAILED, TEMPORAL_FAILURE_APPLICATION, "no money",
			failed(f, "no money", "") },
		{ TEMPORAL_STATUS_TIMED_OUT, TEMPORAL_FAILURE_TIMEOUT, "the workflow timed out",
			timed_out(f, "") },
		{ TEMPORAL_STATUS_TERMINATED, TEMPORAL_FAILURE_TERMINATED, "enough",
			terminated(f, "enough") },
		{ TEMPORAL_STATUS_TERMINATED, TEMPORAL_FAILURE_TERMINATED,
			"the workflow was terminated", terminated(f, "") },
		{ TEMPORAL_STATUS_CANCELED, TEMPORAL_FAILURE_CANCELLED,
			"the workflow was cancelled", canceled(f) },
	};
	const size_t n = sizeof(ends) / sizeof(ends[0]);

	for (size_t i = 0; i < n; i++)
		fake_expect(f->server, get_history, ends[i].page);
	for (size_t i = 0; i < n; i++) {
		struct temporal_result *result = wait_for(f);
		const struct temporal_failure *failure = temporal_result_failure(result);

		assert_int_equal(temporal_result_status(result), ends[i].status);
		assert_non_null(failure);
		assert_int_equal(failure->kind, ends[i].kind);
		assert_string_equal(failure->message, ends[i].message);
		assert_null(failure->cause);
		temporal_result_unref(result);
	}
}

static void refuses_what_makes_no_sense(void **state)
{
	struct fixture *f = *state;
	struct temporal_error err = { 0 };

	fake_expect(f->server, get_history, empty_page(f, ""));
	fake_expect(f->server, get_history, page_of(f, event_of(f, 0)));
	for (int i = 0; i < 2; i++) {
		assert_null(temporal_run_wait_0(f->run, &err));
		assert_int_equal(err.code, TEMPORAL_INTERNAL);
		assert_non_null(strstr(err.message, "result of workflow \"order-1\""));
	}
}

static void passes_errors_on(void **state)
{
	struct fixture *f = *state;
	struct temporal_error err = { 0 };

	fake_expect_error(
		f->server, get_history, TEMPORAL_NOT_FOUND, "workflow execution not found", NULL);
	assert_null(temporal_run_wait_0(f->run, &err));
	assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
	assert_string_equal(
		err.message, "result of workflow \"order-1\": workflow execution not found");
}

static void retries_what_passes(void **state)
{
	struct fixture *f = *state;

	fake_expect_error(f->server, get_history, TEMPORAL_UNAVAILABLE, "not now", NULL);
	fake_expect(f->server, get_history, completed(f, "1", ""));
	temporal_result_unref(wait_for(f));
	assert_int_equal(f->server->n_asked, 2);
}

static void ends_at_its_time_limit(void **state)
{
	struct fixture *f = *state;
	const struct temporal_wait_opts opts = { .timeout_ms = 20 };
	struct temporal_error err = { 0 };

	fake_expect(f->server, get_history, empty_page(f, "token"));
	fake_expect_silence(f->server, get_history);
	assert_null(temporal_run_wait(f->run, &opts, &err));
	assert_int_equal(err.code, TEMPORAL_DEADLINE_EXCEEDED);
	assert_string_equal(err.message, "result of workflow \"order-1\": not done after 20 ms");
}

struct ended {
	int times;
	enum temporal_code code;
};

static void note_end(struct temporal_result *result, const struct temporal_error *err, void *user)
{
	struct ended *ended = user;

	ended->times++;
	ended->code = err ? err->code : TEMPORAL_OK;
	temporal_result_unref(result);
}

static void ends_with_its_client(void **state)
{
	struct fixture *f = *state;
	struct ended ended = { 0 };

	fake_expect_silence(f->server, get_history);
	assert_int_equal(temporal_run_wait_0_async(f->run, note_end, &ended, NULL), TEMPORAL_OK);
	temporal_run_unref(f->run);
	temporal_client_unref(f->client);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.code, TEMPORAL_CANCELLED);
	f->run = NULL;
	f->client = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_for_the_closing_event, set_up, tear_down),
		cmocka_unit_test_setup_teardown(polls_on_with_the_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_the_chain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stays_with_its_run_when_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_each_way_to_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_what_makes_no_sense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(passes_errors_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(retries_what_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ends_at_its_time_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ends_with_its_client, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
