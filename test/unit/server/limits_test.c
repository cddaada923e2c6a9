/*
 * Limits. Goal: at a limit all is well, above it comes the official server's code and text, and a
 * run that has become too large is ended with the official reason. Method: a workflow "w" by hand,
 * with small limits where reaching the default ones takes long; the defaults are compared apart.
 */
#include <unistd.h>

#include "fake_endpoint.h"
#include "server/limits.h"

#define COUNT_TEXT "Workflow history count exceeds limit."
#define SIZE_TEXT  "Workflow history size exceeds limit."
#define STATE_TEXT "Workflow mutable state size exceeds limit."

static const Workflowservice__SignalWorkflowExecutionRequest signal_request =
	WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;

static Workflowservice__SignalWorkflowExecutionRequest a_signal(void)
{
	Workflowservice__SignalWorkflowExecutionRequest in = signal_request;

	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	in.signal_name = "hello";
	return in;
}

static void signal_is_refused(const char *text)
{
	const Workflowservice__SignalWorkflowExecutionRequest in = a_signal();

	call_badly(frontend_signal, &in, TEMPORAL_INVALID_ARGUMENT, text);
}

/* Asked again, it is told of the end. */
static void run_is_over(void)
{
	const Workflowservice__SignalWorkflowExecutionRequest in = a_signal();

	call_badly(
		frontend_signal, &in, TEMPORAL_NOT_FOUND, "workflow execution already completed");
}

/* Payloads of so many bytes in the data. */
static Common__Payloads *payloads_of(size_t size)
{
	static uint8_t data[4096];
	static Common__Payload payload, *items[] = { &payload };
	static Common__Payloads payloads;

	assert_true(size <= sizeof(data));
	payload = (Common__Payload)COMMON__PAYLOAD__INIT;
	payload.data = (ProtobufCBinaryData){ size, data };
	payloads = (Common__Payloads)COMMON__PAYLOADS__INIT;
	payloads.payloads = items;
	payloads.n_payloads = 1;
	return &payloads;
}

static void expect_terminated(const char *reason)
{
	struct arena arena;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const struct execution *run = current_run();
	const History__HistoryEvent *event = event_read(run, run->next_event_id - 1, &arena);
	assert_int_equal(
		event->event_type, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED);
	assert_string_equal(event->workflow_execution_terminated_event_attributes->reason, reason);
	assert_string_equal(
		event->workflow_execution_terminated_event_attributes->identity, "history-service");
	arena_finish(&arena);
	assert_false(state_running(run));
}

/* ---- the defaults ---- */

static void defaults_are_the_official_ones(void **state)
{
	const struct server_config *config = &world.server.config;

	(void)state;
	assert_int_equal(config->blob_max, 2 * 1024 * 1024);
	assert_int_equal(config->memo_max, 2 * 1024 * 1024);
	assert_int_equal(config->history_size_max, 50 * 1024 * 1024);
	assert_int_equal(config->history_size_suggest, 4 * 1024 * 1024);
	assert_int_equal(config->history_count_max, 51200);
	assert_int_equal(config->history_count_suggest, 4096);
	assert_int_equal(config->state_size_max, 8 * 1024 * 1024);
	assert_int_equal(config->pending_activities_max, 2000);
	assert_int_equal(config->pending_children_max, 2000);
	assert_int_equal(config->pending_signals_max, 2000);
	assert_int_equal(config->pending_cancels_max, 2000);
	assert_int_equal(config->signals_max, 10000);
	assert_int_equal(config->buffered_max, 100);
	assert_int_equal(config->callbacks_max, 2000);
	assert_int_equal(config->id_max, 1000);
	assert_int_equal(config->updates_open_max, 10);
	assert_int_equal(config->updates_max, 2000);
	assert_int_equal(config->updates_size_max, 20 * 1024 * 1024);
}

static void signals_up_to_ten_thousand(void **state)
{
	(void)state;
	start_workflow();
	current_run()->signals = 9999;
	signal_workflow("the last one");
	signal_is_refused("exceeded workflow execution limit for signal events");
	assert_int_equal(current_run()->signals, 10000);
	assert_true(state_running(current_run()));
}

/* ---- the history's length ---- */

static void signal_reaches_the_count(void **state)
{
	(void)state;
	start_workflow();
	world.server.config.history_count_max = 4;
	signal_workflow("third event");
	signal_workflow("fourth event");
	assert_true(state_running(current_run()));
	signal_is_refused(COUNT_TEXT);
	assert_string_equal(world_events(current_run()), "1 5 26 26 27");
	expect_terminated(COUNT_TEXT);
	run_is_over();
}

/* A signal that wakes the workflow is two events. */
static void signal_and_its_task_count(void **state)
{
	(void)state;
	start_workflow();
	decide(NULL, 0);
	world.server.config.history_count_max = 6;
	signal_workflow("both fit");
	assert_string_equal(world_events(current_run()), "1 5 6 7 26 5");
}

static void signal_without_its_task_is_refused(void **state)
{
	(void)state;
	start_workflow();
	decide(NULL, 0);
	world.server.config.history_count_max = 5;
	signal_is_refused(COUNT_TEXT);
	assert_string_equal(world_events(current_run()), "1 5 6 7 27");
	expect_terminated(COUNT_TEXT);
}

/* What waits for the end of a task has no number yet. */
static void buffered_signals_do_not_count(void **state)
{
	struct answer task;

	(void)state;
	start_workflow();
	assert_non_null(poll_workflow(&task));
	world.server.config.history_count_max = 3;
	signal_workflow("waits");
	signal_workflow("waits too");
	assert_true(state_running(current_run()));
	forget(&task);
}

/* Completes the task that was polled; the code. */
static enum temporal_code complete(const struct answer *task, size_t n_commands, char text[200])
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	Command__RecordMarkerCommandAttributes marker =
		COMMAND__RECORD_MARKER_COMMAND_ATTRIBUTES__INIT;
	Command__Command command = COMMAND__COMMAND__INIT, *commands[8];
	struct answer answer;

	marker.marker_name = "marker";
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_RECORD_MARKER;
	command.attributes_case = COMMAND__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES;
	command.record_marker_command_attributes = &marker;
	for (size_t i = 0; i < n_commands; i++)
		commands[i] = &command;
	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)task->message)->task_token;
	in.commands = commands;
	in.n_commands = n_commands;
	call(&answer, frontend_workflow_completed, &in);
	memcpy(text, answer.text, sizeof(answer.text));
	forget(&answer);
	return answer.code;
}

static void commands_reach_the_count(void **state)
{
	struct answer task;
	char text[200];

	(void)state;
	start_workflow();
	world.server.config.history_count_max = 6;
	assert_non_null(poll_workflow(&task));
	assert_int_equal(complete(&task, 2, text), TEMPORAL_OK);
	forget(&task);
	assert_string_equal(world_events(current_run()), "1 5 6 7 25 25");
	world.server.config.history_count_max = 100;
	signal_workflow("wake up");
	assert_non_null(poll_workflow(&task));
	world.server.config.history_count_max = 11;
	assert_int_equal(complete(&task, 2, text), TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(text, COUNT_TEXT);
	forget(&task);
	expect_terminated(COUNT_TEXT);
}

/* What nobody is told of ends the run all the same. */
static void activity_reaches_the_count(void **state)
{
	Workflowservice__RespondActivityTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;
	struct answer task;

	(void)state;
	start_workflow();
	schedule_activity("a", NULL);
	const Workflowservice__PollActivityTaskQueueResponse *work = poll_activity(&task);
	in.namespace_ = "default";
	in.task_token = work->task_token;
	world.server.config.history_count_max = 7;
	call_well(frontend_activity_completed, &in);
	forget(&task);
	assert_string_equal(world_events(current_run()), "1 5 6 7 10 11 12 5 27");
	expect_terminated(COUNT_TEXT);
}

static void history_size_is_limited(void **state)
{
	(void)state;
	start_workflow();
	world.server.config.history_size_max = current_run()->history_size;
	signal_workflow("at the limit");
	assert_true(state_running(current_run()));
	signal_is_refused(SIZE_TEXT);
	expect_terminated(SIZE_TEXT);
}

static void signal_with_start_is_limited(void **state)
{
	Workflowservice__SignalWithStartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__SIGNAL_WITH_START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;

	(void)state;
	start_workflow();
	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.signal_name = "hello";
	world.server.config.history_count_max = 3;
	call_well(frontend_signal_with_start, &in);
	call_badly(frontend_signal_with_start, &in, TEMPORAL_INVALID_ARGUMENT, COUNT_TEXT);
	expect_terminated(COUNT_TEXT);
}

/* ---- what is kept beside the history ---- */

static void beat(ProtobufCBinaryData token, size_t size, const char *text)
{
	Workflowservice__RecordActivityTaskHeartbeatRequest in =
		WORKFLOWSERVICE__RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_token = token;
	in.details = payloads_of(size);
	if (text)
		call_badly(frontend_activity_heartbeat, &in, TEMPORAL_INVALID_ARGUMENT, text);
	else
		call_well(frontend_activity_heartbeat, &in);
}

static void heartbeats_are_limited_together(void **state)
{
	struct answer task;

	(void)state;
	start_workflow();
	schedule_activity("a", NULL);
	const Workflowservice__PollActivityTaskQueueResponse *work = poll_activity(&task);
	int64_t size = (int64_t)proto_size(payloads_of(2000));
	world.server.config.state_size_max =
		256 + size + (int64_t)current_run()->search_attributes.len;
	beat(work->task_token, 2000, NULL);
	beat(work->task_token, 2000, NULL); /* in place of the first one */
	beat(work->task_token, 2001, STATE_TEXT);
	expect_terminated(STATE_TEXT);
	forget(&task);
}

static void expect_counted(bool something)
{
	size_t size = 0;

	for (const struct activity *at = current_run()->activities; at; at = at->next)
		size += at->heartbeat_details.len + at->last_failure.len;
	assert_int_equal(current_run()->activities_size, size);
	assert_int_equal(size > 0, something);
}

static void fail_activity(ProtobufCBinaryData token)
{
	Workflowservice__RespondActivityTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;

	failure.message = "not this time";
	in.namespace_ = "default";
	in.task_token = token;
	in.failure = &failure;
	call_well(frontend_activity_failed, &in);
}

static void reopen(const char *path)
{
	const struct server_io io = world.server.io;
	struct temporal_error err;

	journal_close(&world.server);
	state_finish(&world.server);
	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, path, world_wake, &err), TEMPORAL_OK);
	if (!state_namespace(&world.server, "default"))
		namespace_register(&world.server, "default", "", "", 0);
	transition_end(&world.server);
	world_settle();
}

/* Signals ask for the sum, so it is kept, not counted: over attempts, a restart, the end. */
static void what_activities_keep_is_counted_as_it_changes(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-lock" };
	Workflowservice__RespondActivityTaskCompletedRequest done =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;
	char path[64], name[80];
	struct answer task;

	(void)state;
	snprintf(path, sizeof(path), "limits_test_%d.db", (int)getpid());
	reopen(path);
	start_workflow();
	schedule_activity("a", NULL);
	expect_counted(false);
	const Workflowservice__PollActivityTaskQueueResponse *work = poll_activity(&task);

	beat(work->task_token, 2000, NULL);
	beat(work->task_token, 10, NULL);
	expect_counted(true);
	fail_activity(work->task_token);
	expect_counted(true);
	forget(&task);
	reopen(path);
	expect_counted(true);
	world_pass(2000000000);
	work = poll_activity(&task);
	done.namespace_ = "default";
	done.task_token = work->task_token;
	call_well(frontend_activity_completed, &done);
	forget(&task);
	expect_counted(false);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static void buffered_signals_are_limited_together(void **state)
{
	Workflowservice__SignalWorkflowExecutionRequest in = a_signal();
	struct answer task;

	(void)state;
	start_workflow();
	assert_non_null(poll_workflow(&task));
	in.input = payloads_of(1000);
	call_well(frontend_signal, &in);
	world.server.config.state_size_max =
		(int64_t)(current_run()->buffered_size + proto_size(in.input));
	call_well(frontend_signal, &in);
	call_badly(frontend_signal, &in, TEMPORAL_INVALID_ARGUMENT, STATE_TEXT);
	expect_terminated(STATE_TEXT);
	forget(&task);
}

/* ---- starts ---- */

static Workflowservice__StartWorkflowExecutionRequest a_start(void)
{
	static const Common__WorkflowType type_init = COMMON__WORKFLOW_TYPE__INIT;
	static Common__WorkflowType type;
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;

	type = type_init;
	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	return in;
}

static void memo_is_limited(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = a_start();
	Common__Memo memo = COMMON__MEMO__INIT;
	Common__Memo__FieldsEntry field = COMMON__MEMO__FIELDS_ENTRY__INIT, *fields[] = { &field };

	(void)state;
	field.key = "note";
	field.value = payloads_of(1000)->payloads[0];
	memo.fields = fields;
	memo.n_fields = 1;
	in.memo = &memo;
	world.server.config.memo_max = (int64_t)proto_size(&memo) - 1;
	call_badly(frontend_start, &in, TEMPORAL_INVALID_ARGUMENT, "Memo size exceeds limit.");
	world.server.config.memo_max++;
	call_well(frontend_start, &in);
}

static void input_is_limited(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = a_start();

	(void)state;
	in.input = payloads_of(1000);
	world.server.config.blob_max = (int64_t)proto_size(in.input) - 1;
	call_badly(frontend_start, &in, TEMPORAL_INVALID_ARGUMENT, "Blob data size exceeds limit.");
	world.server.config.blob_max++;
	call_well(frontend_start, &in);
}

/* So many lists of one keyword, each in so many bytes of JSON. */
static void start_with_attributes(size_t n, size_t size, const char *text)
{
	Workflowservice__StartWorkflowExecutionRequest in = a_start();
	Common__SearchAttributes attributes = COMMON__SEARCH_ATTRIBUTES__INIT;
	Common__SearchAttributes__IndexedFieldsEntry
		field = COMMON__SEARCH_ATTRIBUTES__INDEXED_FIELDS_ENTRY__INIT,
		*fields[101];
	Common__Payload__MetadataEntry type = COMMON__PAYLOAD__METADATA_ENTRY__INIT,
				       encoding = type, *metadata[] = { &type, &encoding };
	Common__Payload *value = payloads_of(size)->payloads[0];

	memset(value->data.data, 'x', size);
	value->data.data[0] = '[';
	value->data.data[1] = value->data.data[size - 2] = '"';
	value->data.data[size - 1] = ']';
	type.key = "type";
	type.value = (ProtobufCBinaryData){ 11, (uint8_t *)(uintptr_t) "KeywordList" };
	encoding.key = "encoding";
	encoding.value = (ProtobufCBinaryData){ 10, (uint8_t *)(uintptr_t) "json/plain" };
	value->metadata = metadata;
	value->n_metadata = 2;
	field.key = "BuildIds";
	field.value = value;
	for (size_t i = 0; i < n; i++)
		fields[i] = &field;
	attributes.indexed_fields = fields;
	attributes.n_indexed_fields = n;
	in.search_attributes = &attributes;
	if (text)
		call_badly(frontend_start, &in, TEMPORAL_INVALID_ARGUMENT, text);
	else
		call_well(frontend_start, &in);
}

static void search_attributes_are_limited(void **state)
{
	(void)state;
	start_with_attributes(101, 10, "number of search attributes 101 exceeds limit 100");
	start_with_attributes(
		1, 2049, "search attribute BuildIds value size 2049 exceeds size limit 2048");
	start_with_attributes(
		20, 2048, "total size of search attributes 42240 exceeds size limit 40960");
	start_with_attributes(19, 2048, NULL);
}

/* ---- names, callbacks, operations ---- */

static void length_of_names_is_settable(void **state)
{
	Workflowservice__RegisterNamespaceRequest space =
		WORKFLOWSERVICE__REGISTER_NAMESPACE_REQUEST__INIT;
	Workflowservice__UnpauseWorkflowExecutionRequest unpause =
		WORKFLOWSERVICE__UNPAUSE_WORKFLOW_EXECUTION_REQUEST__INIT;
	Google__Duration day = GOOGLE__DURATION__INIT;

	(void)state;
	world.server.config.id_max = 7;
	day.seconds = 86400;
	space.workflow_execution_retention_period = &day;
	space.namespace_ = "seven__";
	call_well(frontend_register_namespace, &space);
	space.namespace_ = "eight___";
	call_badly(frontend_register_namespace, &space, TEMPORAL_INVALID_ARGUMENT,
		"Namespace length exceeds limit.");
	unpause.namespace_ = "default";
	unpause.workflow_id = "w";
	unpause.reason = "eight___";
	call_badly(
		frontend_unpause_run, &unpause, TEMPORAL_INVALID_ARGUMENT, "reason is too long.");
}

/* All callbacks of a run together, whichever starts have brought them. */
static void callbacks_are_limited(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = a_start();
	Workflow__OnConflictOptions opts = WORKFLOW__ON_CONFLICT_OPTIONS__INIT;
	Common__Callback callback = COMMON__CALLBACK__INIT, *callbacks[] = { &callback, &callback };
	Common__Callback__Nexus nexus = COMMON__CALLBACK__NEXUS__INIT;

	(void)state;
	nexus.url = NEXUS_SYSTEM_URL;
	callback.variant_case = COMMON__CALLBACK__VARIANT_NEXUS;
	callback.nexus = &nexus;
	opts.attach_request_id = opts.attach_completion_callbacks = true;
	in.completion_callbacks = callbacks;
	in.n_completion_callbacks = 1;
	in.request_id = "first";
	in.workflow_id_conflict_policy =
		ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING;
	in.on_conflict_options = &opts;
	world.server.config.callbacks_max = 2;
	call_well(frontend_start, &in);
	in.request_id = "second";
	call_well(frontend_start, &in);
	in.request_id = "third";
	call_badly(frontend_start, &in, TEMPORAL_FAILED_PRECONDITION,
		"cannot attach more than 2 callbacks to a workflow (2 callbacks already "
		"attached)");
	in.request_id = "second"; /* again: nothing new */
	call_well(frontend_start, &in);
	world.server.config.callbacks_max = 1;
	in.n_completion_callbacks = 2;
	call_badly(frontend_start, &in, TEMPORAL_INVALID_ARGUMENT,
		"cannot attach more than 1 callbacks to an execution");
}

/* One task with so many operations. */
static void operate(size_t n)
{
	static const Command__ScheduleNexusOperationCommandAttributes init =
		COMMAND__SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES__INIT;
	Command__ScheduleNexusOperationCommandAttributes operation = init;
	Command__Command command = COMMAND__COMMAND__INIT, *commands[40];

	operation.endpoint = "endpoint";
	operation.service = "service";
	operation.operation = "operation";
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
	command.schedule_nexus_operation_command_attributes = &operation;
	for (size_t i = 0; i < n; i++)
		commands[i] = &command;
	struct answer task, answer;
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	assert_non_null(poll_workflow(&task));
	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)task.message)->task_token;
	in.commands = commands;
	in.n_commands = n;
	call(&answer, frontend_workflow_completed, &in);
	forget(&answer);
	forget(&task);
}

static void operations_are_limited(void **state)
{
	struct arena arena;

	(void)state;
	make_endpoint("endpoint");
	start_workflow();
	operate(30);
	assert_int_equal(current_run()->n_nexus_operations, 30);
	signal_workflow("wake up");
	operate(1);
	assert_int_equal(current_run()->n_nexus_operations, 30);
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const struct execution *run = current_run();
	const History__HistoryEvent *event = event_read(run, run->next_event_id - 1, &arena);
	assert_int_equal(event->event_type, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_FAILED);
	assert_string_equal(event->workflow_task_failed_event_attributes->failure->message,
		"PendingNexusOperationsLimitExceeded: workflow has reached the pending nexus "
		"operation limit of 30 for this namespace");
	arena_finish(&arena);
}

/* Given as a whole, a policy is looked at as well. */
static void policies_of_activities_are_checked(void **state)
{
	Workflowservice__UpdateActivityOptionsRequest in =
		WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__INIT;
	Activity__ActivityOptions opts = ACTIVITY__ACTIVITY_OPTIONS__INIT;
	Common__RetryPolicy policy = COMMON__RETRY_POLICY__INIT;
	Google__FieldMask mask = GOOGLE__FIELD_MASK__INIT;
	const char *path = "retry_policy";

	(void)state;
	start_workflow();
	schedule_activity("a", NULL);
	mask.paths = &path;
	mask.n_paths = 1;
	policy.maximum_attempts = -1;
	opts.retry_policy = &policy;
	in.namespace_ = "default";
	in.execution = &workflow;
	in.activity_case = WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_ID;
	in.id = "a";
	in.activity_options = &opts;
	in.update_mask = &mask;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"MaximumAttempts cannot be negative on retry policy.");
	policy.maximum_attempts = 3;
	call_well(frontend_update_activity_options, &in);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_the_official_ones),
		TEST(signals_up_to_ten_thousand),
		TEST(signal_reaches_the_count),
		TEST(signal_and_its_task_count),
		TEST(signal_without_its_task_is_refused),
		TEST(buffered_signals_do_not_count),
		TEST(commands_reach_the_count),
		TEST(activity_reaches_the_count),
		TEST(history_size_is_limited),
		TEST(signal_with_start_is_limited),
		TEST(heartbeats_are_limited_together),
		TEST(what_activities_keep_is_counted_as_it_changes),
		TEST(buffered_signals_are_limited_together),
		TEST(memo_is_limited),
		TEST(input_is_limited),
		TEST(search_attributes_are_limited),
		TEST(length_of_names_is_settable),
		TEST(callbacks_are_limited),
		TEST(operations_are_limited),
		TEST(policies_of_activities_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
