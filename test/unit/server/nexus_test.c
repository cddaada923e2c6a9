/*
 * Nexus operations. Goal: what handlers answer becomes the event that the official server writes,
 * in its order; calls that fail come back after a back-off; time-outs, cancellations and callbacks
 * do what they say; all of it goes on after a restart. Method: one workflow "w" and one endpoint on
 * its queue, calls by hand on a clock that the test sets.
 */
#include "fake_endpoint.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

#define STATE(name_) ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_##name_
#define TYPE(name_)  ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_
#define SECOND       (1000 * MS)

/* Completes the workflow task with an operation; 0 s: no such time-out. */
static void schedule(int64_t to_close_s, int64_t to_start_s, int64_t start_to_close_s)
{
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__ScheduleNexusOperationCommandAttributes attributes =
		COMMAND__SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES__INIT;
	Google__Duration to_close = GOOGLE__DURATION__INIT, to_start = GOOGLE__DURATION__INIT,
			 start_to_close = GOOGLE__DURATION__INIT;

	to_close.seconds = to_close_s;
	to_start.seconds = to_start_s;
	start_to_close.seconds = start_to_close_s;
	attributes.endpoint = "endpoint";
	attributes.service = "service";
	attributes.operation = "operation";
	attributes.schedule_to_close_timeout = &to_close;
	attributes.schedule_to_start_timeout = &to_start;
	attributes.start_to_close_timeout = &start_to_close;
	command.command_type = TYPE(SCHEDULE_NEXUS_OPERATION);
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
	command.schedule_nexus_operation_command_attributes = &attributes;
	decide(&commands, 1);
}

static void begin(void)
{
	make_endpoint("endpoint");
	start_workflow();
	schedule(0, 0, 0);
}

static struct nexus_operation *the_operation(void)
{
	return current_run()->nexus_operations;
}

static const Workflowservice__PollNexusTaskQueueResponse *poll_nexus(struct answer *answer)
{
	Workflowservice__PollNexusTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	in.identity = "handler";
	call(answer, nexus_poll, &in);
	return answer->message;
}

/* Answers a task that was polled; the answer's text, "" for success. */
static const char *respond(const struct answer *poll, Nexus__StartOperationResponse *start)
{
	Workflowservice__RespondNexusTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_REQUEST__INIT;
	Nexus__Response response = NEXUS__RESPONSE__INIT;
	Nexus__CancelOperationResponse cancel = NEXUS__CANCEL_OPERATION_RESPONSE__INIT;
	static char text[200];
	struct answer answer;

	response.variant_case = start ? NEXUS__RESPONSE__VARIANT_START_OPERATION
				      : NEXUS__RESPONSE__VARIANT_CANCEL_OPERATION;
	if (start)
		response.start_operation = start;
	else
		response.cancel_operation = &cancel;
	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollNexusTaskQueueResponse *)poll->message)->task_token;
	in.response = &response;
	call(&answer, nexus_task_completed, &in);
	snprintf(text, sizeof(text), "%s", answer.text);
	forget(&answer);
	return text;
}

static const char *answer_with(Nexus__StartOperationResponse *start)
{
	struct answer poll;

	assert_non_null(poll_nexus(&poll));
	const char *text = respond(&poll, start);
	forget(&poll);
	return text;
}

static const char *answer_async(const char *token)
{
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Async async = NEXUS__START_OPERATION_RESPONSE__ASYNC__INIT;

	async.operation_token = token;
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_ASYNC_SUCCESS;
	start.async_success = &async;
	return answer_with(&start);
}

static void answer_error(const char *type)
{
	Workflowservice__RespondNexusTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_FAILED_REQUEST__INIT;
	Nexus__HandlerError error = NEXUS__HANDLER_ERROR__INIT;
	Nexus__Failure failure = NEXUS__FAILURE__INIT;
	struct answer poll;

	assert_non_null(poll_nexus(&poll));
	failure.message = "no";
	error.error_type = type;
	error.failure = &failure;
	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollNexusTaskQueueResponse *)poll.message)->task_token;
	in.error = &error;
	call_well(nexus_task_failed, &in);
	forget(&poll);
}

/* The last event but those of the workflow task that follows. */
static const History__HistoryEvent *event_at(int64_t id, struct arena *arena)
{
	const History__HistoryEvent *event = event_read(current_run(), id, arena);

	assert_non_null(event);
	return event;
}

static void request_cancel(int64_t scheduled_id)
{
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__RequestCancelNexusOperationCommandAttributes attributes =
		COMMAND__REQUEST_CANCEL_NEXUS_OPERATION_COMMAND_ATTRIBUTES__INIT;

	attributes.scheduled_event_id = scheduled_id;
	command.command_type = TYPE(REQUEST_CANCEL_NEXUS_OPERATION);
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_REQUEST_CANCEL_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
	command.request_cancel_nexus_operation_command_attributes = &attributes;
	decide(&commands, 1);
}

static void result_at_once(void **state)
{
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Sync sync = NEXUS__START_OPERATION_RESPONSE__SYNC__INIT;
	Nexus__Link link = NEXUS__LINK__INIT, other = NEXUS__LINK__INIT,
		    *links[] = { &other, &link };
	struct arena arena;

	(void)state;
	begin();
	link.type = "temporal.api.common.v1.Link.WorkflowEvent";
	link.url = "temporal:///namespaces/default/workflows/a%2Fb/r/history?eventID=3"
		   "&eventType=WorkflowExecutionStarted&referenceType=EventReference";
	other.type = "other";
	other.url = "http://elsewhere";
	sync.links = links;
	sync.n_links = 2;
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS;
	start.sync_success = &sync;
	assert_string_equal(answer_with(&start), "");
	assert_null(the_operation());
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 50 5");
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const History__HistoryEvent *event = event_at(6, &arena);
	assert_int_equal(event->n_links, 1);
	assert_string_equal(event->links[0]->workflow_event->workflow_id, "a/b");
	assert_int_equal(event->links[0]->workflow_event->event_ref->event_id, 3);
	arena_finish(&arena);
}

static void task_carries_what_a_handler_needs(void **state)
{
	struct answer answer;

	(void)state;
	begin();
	const Nexus__Request *request = poll_nexus(&answer)->request;
	const Nexus__StartOperationRequest *start = request->start_operation;
	assert_string_equal(request->endpoint, "endpoint");
	assert_true(request->capabilities->temporal_failure_responses);
	assert_string_equal(start->service, "service");
	assert_string_equal(start->operation, "operation");
	assert_string_equal(start->callback, "temporal://system");
	assert_int_equal(start->n_callback_header, 1);
	assert_int_equal(start->n_links, 1);
	assert_string_equal(start->request_id, the_operation()->request_id);
	forget(&answer);
}

static void errors_end_it_or_come_back(void **state)
{
	(void)state;
	begin();
	answer_error("UNAVAILABLE");
	assert_int_equal(the_operation()->state, STATE(BACKING_OFF));
	assert_int_equal(the_operation()->attempt, 1);
	world_pass(SECOND - 1);
	assert_int_equal(the_operation()->state, STATE(SCHEDULED));
	answer_error("UPSTREAM_TIMEOUT");
	int64_t wait = the_operation()->next_attempt_ns - world.now_ns;
	assert_true(wait >= 2 * SECOND * 4 / 5 && wait <= 2 * SECOND);
	world_pass(2 * SECOND);
	answer_error("BAD_REQUEST");
	assert_null(the_operation());
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 51 5");
}

static bool is_offered(void)
{
	return the_operation()->start_call && the_operation()->start_call->task.queue;
}

/* Six errors in a row: nothing is asked of the endpoint for a minute, then one call. */
static void endpoint_that_does_not_answer(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 6; i++) {
		assert_true(is_offered());
		answer_error("UNAVAILABLE");
		world_pass(32 * SECOND);
	}
	assert_int_equal(the_operation()->state, STATE(SCHEDULED));
	assert_false(is_offered());
	world_pass(28 * SECOND - 1);
	assert_false(is_offered());
	world_pass(SECOND);
	assert_true(is_offered());
	answer_error("UNAVAILABLE");
	world_pass(64 * SECOND);
	assert_true(is_offered());
	assert_string_equal(answer_async("token"), "");
	assert_int_equal(world.server.nexus_endpoints->failures, 0);
}

static void nobody_answers_in_time(void **state)
{
	(void)state;
	begin();
	transition_tick(&world.server, 9 * SECOND - 1);
	assert_int_equal(the_operation()->state, STATE(SCHEDULED));
	transition_tick(&world.server, 9 * SECOND);
	world_settle();
	assert_int_equal(the_operation()->state, STATE(BACKING_OFF));
	assert_true(the_operation()->last_failure.len > 0);
}

static void time_outs(void **state)
{
	struct arena arena;

	(void)state;
	make_endpoint("endpoint");
	start_workflow();
	schedule(1, 0, 0); /* too little for a call */
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 53 5");
	schedule(0, 2, 0);
	world_pass(2 * SECOND);
	assert_null(the_operation());
	schedule(0, 0, 3);
	assert_string_equal(answer_async("token"), "");
	world_pass(3 * SECOND - 1);
	assert_non_null(the_operation());
	world_pass(1);
	assert_null(the_operation());
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const History__HistoryEvent *event = event_at(current_run()->next_event_id - 1, &arena);
	assert_int_equal(
		event->event_type, ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT);
	assert_int_equal(event->nexus_operation_timed_out_event_attributes->failure->cause
				 ->timeout_failure_info->timeout_type,
		ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE);
	arena_finish(&arena);
}

static void canceled_while_it_runs(void **state)
{
	(void)state;
	begin();
	assert_string_equal(answer_async("token"), "");
	request_cancel(5);
	answer_error("UNAVAILABLE");
	world_pass(SECOND);
	assert_string_equal(answer_with(NULL), "");
	assert_int_equal(the_operation()->cancel_attempt, 2);
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 49 5 6 7 54 56 5");
}

static void canceled_before_it_runs(void **state)
{
	(void)state;
	begin();
	signal_workflow("s");
	request_cancel(5);
	assert_int_equal(the_operation()->cancel_state, 0);
	assert_string_equal(answer_async("token"), "");
	answer_error("NOT_FOUND");
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 26 5 6 7 54 49 5 57");
}

/* Another run that calls back with the token of the operation. */
static void start_handler(const char *id)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	Common__Callback callback = COMMON__CALLBACK__INIT, *callbacks = &callback;
	Common__Callback__Nexus nexus = COMMON__CALLBACK__NEXUS__INIT;
	Common__Callback__Nexus__HeaderEntry entry = COMMON__CALLBACK__NEXUS__HEADER_ENTRY__INIT,
					     *entries = &entry;

	entry.key = "Temporal-Callback-Token";
	entry.value = nexus_token_make(&world.server.scratch, the_operation());
	nexus.url = "temporal://system";
	nexus.header = &entries;
	nexus.n_header = 1;
	callback.variant_case = COMMON__CALLBACK__VARIANT_NEXUS;
	callback.nexus = &nexus;
	type.name = "handler";
	in.namespace_ = "default";
	in.workflow_id = id;
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.request_id = "request";
	in.completion_callbacks = &callbacks;
	in.n_completion_callbacks = 1;
	call_well(frontend_start, &in);
}

static void terminate(const char *id)
{
	Workflowservice__TerminateWorkflowExecutionRequest in =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowExecution execution = COMMON__WORKFLOW_EXECUTION__INIT;

	execution.workflow_id = id;
	in.namespace_ = "default";
	in.workflow_execution = &execution;
	in.reason = "secret";
	call_well(frontend_terminate, &in);
}

static struct nexus_callback *callback_of(const char *id)
{
	struct execution *execution =
		state_execution(&world.server, state_namespace(&world.server, "default"), id, NULL);

	assert_non_null(execution->nexus_callbacks);
	return execution->nexus_callbacks;
}

static void run_calls_back(void **state)
{
	struct arena arena;

	(void)state;
	begin();
	assert_string_equal(answer_async("token"), "");
	start_handler("handler");
	terminate("handler");
	assert_int_equal(
		callback_of("handler")->state, ENUMS__CALLBACK_STATE__CALLBACK_STATE_SUCCEEDED);
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 49 5 51");
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	assert_string_equal(
		event_at(8, &arena)
			->nexus_operation_failed_event_attributes->failure->cause->message,
		"operation terminated");
	arena_finish(&arena);
}

/* The end tells of the start, and the workflow learns of both at once. */
static void run_ends_before_its_start_is_told(void **state)
{
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Async async = NEXUS__START_OPERATION_RESPONSE__ASYNC__INIT;
	struct answer poll;

	(void)state;
	begin();
	assert_non_null(poll_nexus(&poll));
	start_handler("handler");
	terminate("handler");
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 49 51 5");
	async.operation_token = "token";
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_ASYNC_SUCCESS;
	start.async_success = &async;
	assert_string_equal(respond(&poll, &start), "");
	assert_string_equal(respond(&poll, &start), "Nexus task not found or already expired");
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 49 51 5");
	forget(&poll);
}

static void callback_that_leads_nowhere(void **state)
{
	(void)state;
	begin();
	start_handler("handler");
	terminate("w");
	terminate("handler");
	const struct nexus_callback *callback = callback_of("handler");
	struct arena arena;
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const Failure__Failure *failure = proto_decode(&arena, &failure__failure__descriptor,
		callback->last_failure.ptr, callback->last_failure.len, NULL, NULL);
	assert_int_equal(callback->state, ENUMS__CALLBACK_STATE__CALLBACK_STATE_FAILED);
	assert_string_equal(failure->message,
		"handler error (NOT_FOUND): workflow execution already completed");
	arena_finish(&arena);
}

static void buffered_end_comes_after_signals(void **state)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Sync sync = NEXUS__START_OPERATION_RESPONSE__SYNC__INIT;
	struct answer task;

	(void)state;
	begin();
	signal_workflow("1");
	assert_non_null(poll_workflow(&task));
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS;
	start.sync_success = &sync;
	assert_string_equal(answer_with(&start), "");
	signal_workflow("2");
	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)task.message)->task_token;
	call_well(frontend_workflow_completed, &in);
	forget(&task);
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 26 5 6 7 26 50 5");
}

/* The run that takes over has the operation too, and the token of the old one leads to it. */
static void goes_on_after_a_reset(void **state)
{
	Workflowservice__ResetWorkflowExecutionRequest in =
		WORKFLOWSERVICE__RESET_WORKFLOW_EXECUTION_REQUEST__INIT;

	(void)state;
	begin();
	assert_string_equal(answer_async("token"), "");
	start_handler("handler");
	decide(NULL, 0);
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	in.workflow_task_finish_event_id = 9;
	in.request_id = "reset";
	call_well(frontend_reset, &in);
	assert_int_equal(the_operation()->state, STATE(STARTED));
	assert_string_equal(the_operation()->token, "token");
	terminate("handler");
	assert_null(the_operation());
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 49 5 6 9 5 51");
}

/* Nobody is told of a run's end that another one follows. */
static void next_run_has_the_callbacks(void **state)
{
	struct execution *first;

	(void)state;
	begin();
	start_handler("handler");
	first = state_execution(
		&world.server, state_namespace(&world.server, "default"), "handler", NULL);
	transition_begin(&world.server);
	struct execution *next = start_next(first, start_attributes(first), 0);
	execution_close(first, ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_FAILED);
	transition_end(&world.server);
	world_settle();
	assert_int_equal(first->nexus_callbacks->state, 1); /* it stands by for ever */
	assert_int_equal(next->nexus_callbacks->state, 1);
	assert_non_null(the_operation());
	terminate("handler");
	assert_int_equal(
		next->nexus_callbacks->state, ENUMS__CALLBACK_STATE__CALLBACK_STATE_SUCCEEDED);
	assert_null(the_operation());
}

static void bad_answers(void **state)
{
	char longest[4098];

	(void)state;
	begin();
	assert_string_equal(answer_async(""), "missing opration token in response");
	memset(longest, 'x', sizeof(longest));
	longest[4097] = '\0';
	call_badly(nexus_task_completed,
		&(Workflowservice__RespondNexusTaskCompletedRequest)
			WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_REQUEST__INIT,
		TEMPORAL_INVALID_ARGUMENT, "Task token not set on request.");
	call_badly(nexus_poll,
		&(Workflowservice__PollNexusTaskQueueRequest){
			.base = PROTOBUF_C_MESSAGE_INIT(
				&workflowservice__poll_nexus_task_queue_request__descriptor),
			.namespace_ = "default",
			.identity = "",
			.poller_group_id = "",
			.worker_instance_key = "",
		},
		TEMPORAL_INVALID_ARGUMENT, "taskQueue is not set");
}

static void endpoint_that_is_gone(void **state)
{
	Operatorservice__DeleteNexusEndpointRequest in =
		OPERATORSERVICE__DELETE_NEXUS_ENDPOINT_REQUEST__INIT;

	(void)state;
	begin();
	in.id = nexus_endpoint_by_name(&world.server, "endpoint")->id;
	in.version = 1;
	call_well(nexus_delete_endpoint, &in);
	answer_error("UNAVAILABLE");
	world_pass(SECOND);
	assert_null(the_operation());
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 51 5");
}

/* As after a restart, which finds the endpoint alone. */
static void namespace_of_the_endpoint_is_gone(void **state)
{
	(void)state;
	begin();
	answer_error("UNAVAILABLE");
	state_set_text(&world.server,
		&nexus_endpoint_by_name(&world.server, "endpoint")->namespace_id, "gone");
	world_pass(SECOND);
	assert_null(the_operation());
	assert_string_equal(world_events(current_run()), "1 5 6 7 48 51 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(result_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			task_carries_what_a_handler_needs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_end_it_or_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(endpoint_that_does_not_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_answers_in_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_outs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(canceled_while_it_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(canceled_before_it_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(run_calls_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			run_ends_before_its_start_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(callback_that_leads_nowhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			buffered_end_comes_after_signals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(goes_on_after_a_reset, set_up, tear_down),
		cmocka_unit_test_setup_teardown(next_run_has_the_callbacks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			namespace_of_the_endpoint_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(endpoint_that_is_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
