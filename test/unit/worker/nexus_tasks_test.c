/*
 * Nexus tasks of all kinds, wrong ones among them. Goal: whatever a task says, the worker lives and
 * answers it once, with the error that fits, in the form that the server asks for; a start that the
 * handler makes carries all that the server needs, and a cancellation finds its workflow. Method: a
 * server in the process that gives out one task and keeps what it is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>

#include <temporal/worker.h>

#include "../client/fake_server.h"
#include "proto/payload.h"
#include "worker/nexus.h"

#define BEHAVIOR(name_) \
	ENUMS__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_##name_

struct weigh_in {
	double kilos;
};
typedef double weigh_out;
TEMPORAL_NEXUS_CONTRACT(weigh, "weigh", kilos);
struct send_in {
	const char *to;
};
typedef void send_out;
TEMPORAL_NEXUS_CONTRACT(send, "send", to);
struct tell_in {
	const char *whom;
};
typedef const char *tell_out;
TEMPORAL_NEXUS_CONTRACT(tell, "tell", whom);
TEMPORAL_NEXUS_SERVICE_CONTRACT(post, "post", &weigh, &send, &tell);

struct note_in {
	const char *text;
};
TEMPORAL_SIGNAL_CONTRACT(note, "note", text);
TEMPORAL_SIGNAL_CONTRACT_0(bell, "bell");

struct trip_in {
	const char *to;
};
typedef void trip_out;
TEMPORAL_WORKFLOW_CONTRACT(trip, "Trip", to);

static atomic_int waited; /* why the wait was over */

static const struct temporal_failure *weigh_run(
	struct nexus *nexus, const struct weigh_in *in, weigh_out *out)
{
	if (in->kilos == -2)
		return nexus_cancelled_failure(nexus, "too light to be weighed");
	if (in->kilos == -3 && nexus_wait(nexus, 10000))
		atomic_store(&waited, (int)nexus_cancel_reason(nexus));
	if (in->kilos < 0)
		return nexus_failure(nexus, "Lighter", "%g kg", in->kilos);
	if (in->kilos == 0)
		return nexus_error_with(nexus,
			&(const struct nexus_error_opts){ .retry = TEMPORAL_HANDLER_RETRYABLE },
			"the scales are broken");
	*out = in->kilos > 1000 ? __builtin_nan("") : in->kilos;
	return NULL;
}
TEMPORAL_NEXUS(weigh);

/* What is left of the request's memory to the handler that starts a workflow. */
static size_t room = SIZE_MAX;

static void leave_room(struct nexus *nexus)
{
	if (room == SIZE_MAX)
		return;
	nexus->arena.budget = nexus->arena.held;
	while ((size_t)(nexus->arena.end - nexus->arena.next) > room && nexus_alloc(nexus, 1))
		;
}

static const struct temporal_failure *send_run(struct nexus *nexus, const struct send_in *in)
{
	leave_room(nexus);
	return nexus_start_workflow(
		nexus, trip, &(const struct temporal_start_opts){ .id = "trip-1" }, .to = in->to);
}
TEMPORAL_NEXUS(send);

static const struct temporal_failure *tell_run(
	struct nexus *nexus, const struct tell_in *in, tell_out *out)
{
	const struct temporal_failure *failure =
		nexus_signal(nexus, in->whom, note, .text = "here");

	*out = "told";
	return failure ? failure : nexus_signal_0(nexus, in->whom, bell);
}

static const struct temporal_failure *tell_cancel(struct nexus *nexus, const char *token)
{
	return nexus_failure(nexus, "Stubborn", "%s cannot be untold", token);
}
TEMPORAL_CANCELLABLE_NEXUS(tell);
TEMPORAL_NEXUS_SERVICE(post, &weigh_operation, &send_operation, &tell_operation);

#include "nexus_play.h"

/* ---- what may come ---- */

static void a_result_is_sent(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "2.5");
	run(test);
	const Nexus__StartOperationResponse *start = response_of(test)->start_operation;

	assert_int_equal(
		start->variant_case, NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS);
	assert_int_equal(start->sync_success->payload->data.len, 3);
	assert_memory_equal(start->sync_success->payload->data.data, "2.5", 3);
}

static void an_unknown_service_is_not_found(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "1");
	test->start->service = "bakery";
	assert_fails(test, "NOT_FOUND", "No handler for service 'bakery'.");
}

static void an_unknown_operation_is_not_found(void **state)
{
	struct test *test = *state;

	starts(test, "stamp", "1");
	assert_fails(test, "NOT_FOUND",
		"Nexus service definition 'post' has no operation 'stamp'. "
		"There are 3 operations in the definition.");
}

static void empty_names_are_not_found(void **state)
{
	struct test *test = *state;

	starts(test, "", NULL);
	test->start->service = "";
	assert_fails(test, "NOT_FOUND", "No handler for service ''.");
}

static void input_that_does_not_fit_is_a_bad_request(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "{\"kilos\":");
	assert_fails(
		test, "BAD_REQUEST", "Payload converter failed to decode Nexus operation input");
	const Failure__Failure *failure = failure_of(test)->failure;

	assert_int_equal(
		failure->nexus_handler_failure_info->retry_behavior, BEHAVIOR(NON_RETRYABLE));
	assert_non_null(failure->cause);
	assert_non_null(strstr(failure->cause->message, "argument 1 (kilos)"));
}

static void input_that_is_missing_is_a_bad_request(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", NULL);
	assert_fails(test, "BAD_REQUEST", "Payload converter");
}

static void input_without_end_is_a_bad_request(void **state)
{
	struct test *test = *state;
	static char deep[200001];

	memset(deep, '[', sizeof(deep) - 1);
	starts(test, "weigh", deep);
	assert_fails(test, "BAD_REQUEST", "Payload converter");
}

static void a_task_without_a_request_is_answered(void **state)
{
	struct test *test = *state;

	run(test); /* neither start nor cancel */
	assert_string_equal(failure_of(test)->error->error_type, "NOT_IMPLEMENTED");
}

static void a_task_without_anything_is_answered(void **state)
{
	struct test *test = *state;

	test->task->request = NULL;
	run(test);
	assert_string_equal(failure_of(test)->error->error_type, "NOT_IMPLEMENTED");
}

static void a_timeout_that_is_none_is_passed_by(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "1");
	set_header(test, "Request-Timeout", "soon");
	run(test);
	assert_non_null(response_of(test));
}

static void what_has_timed_out_is_not_answered(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "1");
	set_header(test, "request-timeout", "-1s");
	run(test);
	const void *completed = asked(test->server, &rpc_workflow_respond_nexus_task_completed, 0);

	assert_null(asked(test->server, &rpc_workflow_respond_nexus_task_failed, 0));
	assert_null(completed);
}

static void a_deadline_is_told_to_the_handler(void **state)
{
	struct test *test = *state;

	atomic_store(&waited, NEXUS_NOT_CANCELLED);
	starts(test, "weigh", "-3");
	set_header(test, "request-timeout", "50ms");
	run(test);
	assert_int_equal(atomic_load(&waited), NEXUS_TIMED_OUT);
	assert_null(asked(test->server, &rpc_workflow_respond_nexus_task_completed, 0));
	assert_null(asked(test->server, &rpc_workflow_respond_nexus_task_failed, 0));
}

static void a_result_that_cannot_be_encoded_is_an_internal_error(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "2000");
	assert_fails(test, "INTERNAL", "encoding the result");
}

/* ---- both forms of failures ---- */

static void an_operations_failure_goes_as_it_is(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "-1");
	takes_failures(test);
	run(test);
	const Nexus__StartOperationResponse *start = response_of(test)->start_operation;

	assert_int_equal(start->variant_case, NEXUS__START_OPERATION_RESPONSE__VARIANT_FAILURE);
	assert_string_equal(start->failure->message, "-1 kg");
	assert_string_equal(start->failure->application_failure_info->type, "Lighter");
	assert_true(start->failure->application_failure_info->non_retryable);
}

static void an_operations_failure_is_wrapped_for_older_servers(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "-1");
	run(test);
	const Nexus__StartOperationResponse *start = response_of(test)->start_operation;

	assert_int_equal(
		start->variant_case, NEXUS__START_OPERATION_RESPONSE__VARIANT_OPERATION_ERROR);
	const Nexus__Failure *failure = start->operation_error->failure;

	assert_string_equal(start->operation_error->operation_state, "failed");
	assert_string_equal(failure->message, "-1 kg");
	assert_int_equal(failure->n_metadata, 1);
	assert_string_equal(failure->metadata[0]->key, "type");
	assert_string_equal(failure->metadata[0]->value, "temporal.api.failure.v1.Failure");
	const char *details = arena_str(&test->arena,
		(struct str){ (const char *)failure->details.data, failure->details.len });

	assert_non_null(strstr(details, "\"type\":\"Lighter\""));
	assert_null(strstr(details, "-1 kg"));
}

static void a_cancelled_operation_is_told_as_such(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "-2");
	run(test);
	const Nexus__StartOperationResponse *start = response_of(test)->start_operation;

	assert_string_equal(start->operation_error->operation_state, "canceled");
	assert_string_equal(start->operation_error->failure->message, "too light to be weighed");
}

static void a_handlers_error_is_wrapped_for_older_servers(void **state)
{
	struct test *test = *state;

	starts(test, "weigh", "0");
	run(test);
	const Nexus__HandlerError *error = failure_of(test)->error;

	assert_null(failure_of(test)->failure);
	assert_string_equal(error->error_type, "INTERNAL");
	assert_int_equal(error->retry_behavior, BEHAVIOR(RETRYABLE));
	assert_string_equal(error->failure->message, "the scales are broken");
}

/* It ends no operation; and as it says that another try is of no use, none is made. */
static void a_failure_of_a_cancel_handler_is_an_internal_error(void **state)
{
	struct test *test = *state;

	cancels(test, "what was said");
	test->cancel->operation = "tell";
	takes_failures(test);
	run(test);
	const Failure__Failure *failure = failure_of(test)->failure;

	assert_string_equal(failure->nexus_handler_failure_info->type, "INTERNAL");
	assert_int_equal(
		failure->nexus_handler_failure_info->retry_behavior, BEHAVIOR(NON_RETRYABLE));
	assert_string_equal(failure->cause->message, "what was said cannot be untold");
}

/* ---- operations that a run does ---- */

#define LINK_URL \
	"temporal:///namespaces/their/workflows/caller/run-9/history" \
	"?eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference"

static void add_caller(struct test *test)
{
	Nexus__StartOperationRequest__CallbackHeaderEntry *header =
		PROTO_NEW(&test->arena, Nexus__StartOperationRequest__CallbackHeaderEntry,
			nexus__start_operation_request__callback_header_entry);
	Nexus__Link *good = PROTO_NEW(&test->arena, Nexus__Link, nexus__link);
	Nexus__Link *strange = PROTO_NEW(&test->arena, Nexus__Link, nexus__link);

	header->key = "Temporal-Callback-Token";
	header->value = "secret";
	test->start->callback = "temporal://system";
	test->start->callback_header = arena_array(&test->arena, 1, sizeof(header));
	test->start->callback_header[0] = header;
	test->start->n_callback_header = 1;
	good->type = "temporal.api.common.v1.Link.WorkflowEvent";
	good->url = LINK_URL;
	strange->type = "no.such.Link";
	strange->url = "::";
	test->start->links = arena_array(&test->arena, 2, sizeof(good));
	test->start->links[0] = strange;
	test->start->links[1] = good;
	test->start->n_links = 2;
}

static void a_start_carries_all_that_the_server_needs(void **state)
{
	struct test *test = *state;
	Workflowservice__StartWorkflowExecutionResponse started =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;

	started.run_id = "run-1";
	fake_expect(test->server, &rpc_workflow_start_workflow_execution, &started);
	starts(test, "send", "\"Bergen\"");
	add_caller(test);
	run(test);
	const Workflowservice__StartWorkflowExecutionRequest *asks =
		asked(test->server, &rpc_workflow_start_workflow_execution, 0);

	assert_non_null(asks);
	assert_string_equal(asks->workflow_id, "trip-1");
	assert_string_equal(asks->request_id, "request-1");
	assert_string_equal(asks->task_queue->name, "queue");
	assert_true(asks->on_conflict_options->attach_request_id &&
		    asks->on_conflict_options->attach_completion_callbacks &&
		    asks->on_conflict_options->attach_links);
	assert_int_equal(asks->n_links, 1);
	assert_string_equal(asks->links[0]->workflow_event->workflow_id, "caller");
	assert_int_equal(asks->n_completion_callbacks, 1);
	const Common__Callback__Nexus *callback = asks->completion_callbacks[0]->nexus;

	assert_int_equal(asks->completion_callbacks[0]->n_links, 1);
	assert_string_equal(callback->url, "temporal://system");
	assert_int_equal(callback->n_header, 2);
	assert_string_equal(callback->header[0]->key, "temporal-callback-token");
	assert_string_equal(callback->header[0]->value, "secret");
	assert_string_equal(callback->header[1]->key, "nexus-operation-token");
	const Nexus__StartOperationResponse__Async *async =
		response_of(test)->start_operation->async_success;

	assert_string_equal(async->operation_token, callback->header[1]->value);
	assert_int_equal(async->n_links, 1);
	assert_string_equal(async->links[0]->url,
		"temporal:///namespaces/default/workflows/trip-1/run-1/history"
		"?eventType=WorkflowExecutionStarted&referenceType=RequestIdReference"
		"&requestID=request-1");
}

static void a_start_without_a_callback_has_none(void **state)
{
	struct test *test = *state;
	Workflowservice__StartWorkflowExecutionResponse started =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;

	fake_expect(test->server, &rpc_workflow_start_workflow_execution, &started);
	starts(test, "send", "\"Bergen\"");
	run(test);
	const Workflowservice__StartWorkflowExecutionRequest *asks =
		asked(test->server, &rpc_workflow_start_workflow_execution, 0);

	assert_int_equal(asks->n_completion_callbacks, 0);
	assert_non_null(response_of(test)->start_operation->async_success);
}

static void a_start_that_is_refused_is_an_error(void **state)
{
	struct test *test = *state;

	fake_expect_error(test->server, &rpc_workflow_start_workflow_execution,
		TEMPORAL_ALREADY_EXISTS, "Workflow execution is already running.", NULL);
	starts(test, "send", "\"Bergen\"");
	assert_fails(test, "INTERNAL", "Workflow execution is already running.");
	assert_int_equal(failure_of(test)->failure->nexus_handler_failure_info->retry_behavior,
		BEHAVIOR(NON_RETRYABLE));
}

static void signals_carry_links_both_ways(void **state)
{
	struct test *test = *state;
	Workflowservice__SignalWorkflowExecutionResponse
		first = WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT,
		second = first;
	Common__Link link = COMMON__LINK__INIT;
	Common__Link__WorkflowEvent event = COMMON__LINK__WORKFLOW_EVENT__INIT;

	event.namespace_ = "default";
	event.workflow_id = "ann";
	event.run_id = "run-3";
	link.variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link.workflow_event = &event;
	first.link = &link;
	fake_expect(test->server, &rpc_workflow_signal_workflow_execution, &first);
	fake_expect(test->server, &rpc_workflow_signal_workflow_execution, &second);
	starts(test, "tell", "\"ann\"");
	add_caller(test);
	run(test);
	for (unsigned i = 0; i < 2; i++) {
		const Workflowservice__SignalWorkflowExecutionRequest *asks =
			asked(test->server, &rpc_workflow_signal_workflow_execution, i);

		assert_non_null(asks);
		assert_string_equal(asks->workflow_execution->workflow_id, "ann");
		assert_string_equal(asks->signal_name, i ? "bell" : "note");
		assert_string_equal(asks->request_id, i ? "request-1-1" : "request-1-0");
		assert_int_equal(asks->n_links, 1);
		assert_string_equal(asks->links[0]->workflow_event->workflow_id, "caller");
	}
	const Nexus__StartOperationResponse__Sync *sync =
		response_of(test)->start_operation->sync_success;

	assert_int_equal(sync->n_links, 1);
	assert_string_equal(
		sync->links[0]->url, "temporal:///namespaces/default/workflows/ann/run-3/history");
}

static void a_signal_that_is_refused_is_an_error(void **state)
{
	struct test *test = *state;

	fake_expect_error(test->server, &rpc_workflow_signal_workflow_execution, TEMPORAL_NOT_FOUND,
		"workflow not found", NULL);
	starts(test, "tell", "\"nobody\"");
	assert_fails(test, "NOT_FOUND", "signal \"note\" to workflow \"nobody\"");
}

/* {"t":1,"ns":"default","wid":"ship-7"}, and the same in namespace "other". */
#define SHIP_7 "eyJ0IjoxLCJucyI6ImRlZmF1bHQiLCJ3aWQiOiJzaGlwLTcifQ"
#define OTHER  "eyJ0IjoxLCJucyI6Im90aGVyIiwid2lkIjoic2hpcC03In0"

static void a_cancellation_finds_its_workflow(void **state)
{
	struct test *test = *state;
	Workflowservice__RequestCancelWorkflowExecutionResponse cancelled =
		WORKFLOWSERVICE__REQUEST_CANCEL_WORKFLOW_EXECUTION_RESPONSE__INIT;

	fake_expect(test->server, &rpc_workflow_request_cancel_workflow_execution, &cancelled);
	cancels(test, SHIP_7);
	run(test);
	const Workflowservice__RequestCancelWorkflowExecutionRequest *asks =
		asked(test->server, &rpc_workflow_request_cancel_workflow_execution, 0);

	assert_string_equal(asks->workflow_execution->workflow_id, "ship-7");
	assert_int_equal(
		response_of(test)->variant_case, NEXUS__RESPONSE__VARIANT_CANCEL_OPERATION);
}

static void the_old_name_of_a_token_is_taken(void **state)
{
	struct test *test = *state;
	Workflowservice__RequestCancelWorkflowExecutionResponse cancelled =
		WORKFLOWSERVICE__REQUEST_CANCEL_WORKFLOW_EXECUTION_RESPONSE__INIT;

	fake_expect(test->server, &rpc_workflow_request_cancel_workflow_execution, &cancelled);
	cancels(test, "");
	test->cancel->operation_id = SHIP_7;
	run(test);
	assert_non_null(response_of(test));
}

static void a_token_that_is_none_is_not_found(void **state)
{
	struct test *test = *state;

	cancels(test, "%%%");
	assert_fails(test, "NOT_FOUND",
		"Failed to decode operation token as a workflow operation token.");
	assert_string_equal(
		failure_of(test)->failure->cause->message, "failed to decode token as base64url");
}

static void a_token_of_another_namespace_is_not_found(void **state)
{
	struct test *test = *state;

	cancels(test, OTHER);
	assert_fails(test, "NOT_FOUND", "Failed to construct workflow handle");
	assert_null(asked(test->server, &rpc_workflow_request_cancel_workflow_execution, 0));
}

static void a_workflow_that_is_gone_is_not_found(void **state)
{
	struct test *test = *state;

	fake_expect_error(test->server, &rpc_workflow_request_cancel_workflow_execution,
		TEMPORAL_NOT_FOUND, "workflow not found", NULL);
	cancels(test, SHIP_7);
	assert_fails(test, "NOT_FOUND", "workflow not found");
}

/* ---- memory ---- */

/* The same start, with the allocation of that number failing. false: there were fewer. */
static bool starts_without(struct test *test, long after)
{
	static const Workflowservice__RespondNexusTaskCompletedResponse completed =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_RESPONSE__INIT;
	static const Workflowservice__RespondNexusTaskFailedResponse failed =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_FAILED_RESPONSE__INIT;
	static const Workflowservice__StartWorkflowExecutionResponse started =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_RESPONSE__INIT;
	static const Workflowservice__ShutdownWorkerResponse shut =
		WORKFLOWSERVICE__SHUTDOWN_WORKER_RESPONSE__INIT;
	const struct temporal_nexus_service *const services[] = { &post_service, NULL };
	struct temporal_client *client = fake_connect(test->server);
	struct temporal_error err = { .code = TEMPORAL_OK };

	test->server->forgetful = true; /* it must not spend what is counted */
	fake_expect(test->server, &rpc_workflow_poll_nexus_task_queue, test->task);
	fake_expect(test->server, &rpc_workflow_start_workflow_execution, &started);
	for (int i = 0; i < 2; i++) { /* once more if there was no memory for what came back */
		fake_expect(test->server, &rpc_workflow_respond_nexus_task_completed, &completed);
		fake_expect(test->server, &rpc_workflow_respond_nexus_task_failed, &failed);
	}
	fake_expect(test->server, &rpc_workflow_shutdown_worker, &shut);
	events = 0;
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = "queue",
		.nexus_services = services, .nexus_task_pollers = 1, .on_event = count_event);

	assert_non_null(worker);
	mem_fault_set(after, 0);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	for (int i = 0; events == 0 && i < 100; i++) /* it may have been lost, which is told */
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	temporal_worker_unref(worker); /* must not wait for what will never come */
	bool hit = mem_fault_hit();

	mem_fault_set(-1, 0);
	temporal_client_unref(client);
	return hit;
}

static void memory_may_be_out_anywhere(void **state)
{
	bool hit = true;
	long after = 0;

	for (; hit; after++) {
		begin(state);
		starts(*state, "send", "\"Bergen\"");
		add_caller(*state);
		hit = starts_without(*state, after);
		if (hit)
			end(state);
	}
	assert_true(after > 20);
}

/* From none at all, for the request of the start itself, to what does for parts of it. */
static void a_start_without_memory_is_an_internal_error(void **state)
{
	for (size_t left = 0; left < 1024; left += 128) {
		begin(state);
		struct test *test = *state;

		starts(test, "send", "\"Bergen\"");
		add_caller(test);
		room = left;
		run(test);
		room = SIZE_MAX;
		assert_string_equal(failure_of(test)->error->error_type, "INTERNAL");
		assert_null(asked(test->server, &rpc_workflow_start_workflow_execution, 0));
		if (left + 128 < 1024)
			end(state);
	}
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_result_is_sent),
		TEST(an_unknown_service_is_not_found),
		TEST(an_unknown_operation_is_not_found),
		TEST(empty_names_are_not_found),
		TEST(input_that_does_not_fit_is_a_bad_request),
		TEST(input_that_is_missing_is_a_bad_request),
		TEST(input_without_end_is_a_bad_request),
		TEST(a_task_without_a_request_is_answered),
		TEST(a_task_without_anything_is_answered),
		TEST(a_timeout_that_is_none_is_passed_by),
		TEST(what_has_timed_out_is_not_answered),
		TEST(a_deadline_is_told_to_the_handler),
		TEST(a_result_that_cannot_be_encoded_is_an_internal_error),
		TEST(an_operations_failure_goes_as_it_is),
		TEST(an_operations_failure_is_wrapped_for_older_servers),
		TEST(a_cancelled_operation_is_told_as_such),
		TEST(a_handlers_error_is_wrapped_for_older_servers),
		TEST(a_failure_of_a_cancel_handler_is_an_internal_error),
		TEST(a_start_carries_all_that_the_server_needs),
		TEST(a_start_without_a_callback_has_none),
		TEST(a_start_that_is_refused_is_an_error),
		TEST(signals_carry_links_both_ways),
		TEST(a_signal_that_is_refused_is_an_error),
		TEST(a_cancellation_finds_its_workflow),
		TEST(the_old_name_of_a_token_is_taken),
		TEST(a_token_that_is_none_is_not_found),
		TEST(a_token_of_another_namespace_is_not_found),
		TEST(a_workflow_that_is_gone_is_not_found),
		cmocka_unit_test_teardown(a_start_without_memory_is_an_internal_error, end),
		cmocka_unit_test_teardown(memory_may_be_out_anywhere, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
