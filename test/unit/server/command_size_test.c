/*
 * Goal: each payload of a command is taken up to its limit; one byte more terminates the run, with
 * the cause and the text of the official server.
 * Method: small limits; a run decides each command at the limit and above it; no network, no
 * waiting.
 */
#include "fake_workflow.h"

#define BLOB_MAX    2000
#define MEMO_MAX    1000
#define TYPE(name_) ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_
#define CASE(name_) COMMAND__COMMAND__ATTRIBUTES_##name_##_COMMAND_ATTRIBUTES

static uint8_t zeros[2 * BLOB_MAX];

/* A message of one payload, as payloads, failure or memo, that has a size of its own. */
static struct {
	Common__Payload payload;
	Common__Payload *list;
	Common__Payloads payloads;
	Failure__Failure failure;
	Common__Memo__FieldsEntry field;
	Common__Memo__FieldsEntry *fields;
	Common__Memo memo;
	Command__RecordMarkerCommandAttributes__DetailsEntry detail;
	Command__RecordMarkerCommandAttributes__DetailsEntry *details;
} big;

static void big_init(void)
{
	big.payload = (Common__Payload)COMMON__PAYLOAD__INIT;
	big.list = &big.payload;
	big.payloads = (Common__Payloads)COMMON__PAYLOADS__INIT;
	big.payloads.payloads = &big.list;
	big.payloads.n_payloads = 1;
	big.failure = (Failure__Failure)FAILURE__FAILURE__INIT;
	big.failure.encoded_attributes = &big.payload;
	big.field = (Common__Memo__FieldsEntry)COMMON__MEMO__FIELDS_ENTRY__INIT;
	big.field.key = "k";
	big.field.value = &big.payload;
	big.fields = &big.field;
	big.memo = (Common__Memo)COMMON__MEMO__INIT;
	big.memo.fields = &big.fields;
	big.memo.n_fields = 1;
	big.detail = (Command__RecordMarkerCommandAttributes__DetailsEntry)
		COMMAND__RECORD_MARKER_COMMAND_ATTRIBUTES__DETAILS_ENTRY__INIT;
	big.detail.key = "k";
	big.detail.value = &big.payloads;
	big.details = &big.detail;
	big.payload.data.data = zeros;
	big.payload.data.len = sizeof(zeros);
}

/* So much data that the message has this size. */
static void fill(const void *message, size_t size)
{
	while (proto_size(message) > size)
		big.payload.data.len--;
	assert_int_equal(proto_size(message), size);
}

static void activity(Command__Command *command, size_t size)
{
	static Command__ScheduleActivityTaskCommandAttributes in;
	static Common__ActivityType type;
	static Google__Duration minute;

	type = (Common__ActivityType)COMMON__ACTIVITY_TYPE__INIT;
	type.name = "work";
	minute = (Google__Duration)GOOGLE__DURATION__INIT;
	minute.seconds = 60;
	in = (Command__ScheduleActivityTaskCommandAttributes)
		COMMAND__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
	in.activity_id = "a";
	in.activity_type = &type;
	in.start_to_close_timeout = &minute;
	in.input = &big.payloads;
	fill(in.input, size);
	command->command_type = TYPE(SCHEDULE_ACTIVITY_TASK);
	command->attributes_case = CASE(SCHEDULE_ACTIVITY_TASK);
	command->schedule_activity_task_command_attributes = &in;
}

static void completion(Command__Command *command, size_t size)
{
	static Command__CompleteWorkflowExecutionCommandAttributes in;

	in = (Command__CompleteWorkflowExecutionCommandAttributes)
		COMMAND__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	in.result = &big.payloads;
	fill(in.result, size);
	command->command_type = TYPE(COMPLETE_WORKFLOW_EXECUTION);
	command->attributes_case = CASE(COMPLETE_WORKFLOW_EXECUTION);
	command->complete_workflow_execution_command_attributes = &in;
}

static void failing(Command__Command *command, size_t size)
{
	static Command__FailWorkflowExecutionCommandAttributes in;

	in = (Command__FailWorkflowExecutionCommandAttributes)
		COMMAND__FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	in.failure = &big.failure;
	fill(in.failure, size);
	command->command_type = TYPE(FAIL_WORKFLOW_EXECUTION);
	command->attributes_case = CASE(FAIL_WORKFLOW_EXECUTION);
	command->fail_workflow_execution_command_attributes = &in;
}

static void marker(Command__Command *command, size_t size)
{
	static Command__RecordMarkerCommandAttributes in;

	in = (Command__RecordMarkerCommandAttributes)
		COMMAND__RECORD_MARKER_COMMAND_ATTRIBUTES__INIT;
	in.marker_name = "m";
	in.details = &big.details;
	in.n_details = 1;
	fill(&big.payloads, size - 1); /* the key counts */
	command->command_type = TYPE(RECORD_MARKER);
	command->attributes_case = CASE(RECORD_MARKER);
	command->record_marker_command_attributes = &in;
}

static void next_run(
	Command__Command *command, Command__ContinueAsNewWorkflowExecutionCommandAttributes *in)
{
	*in = (Command__ContinueAsNewWorkflowExecutionCommandAttributes)
		COMMAND__CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	command->command_type = TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
	command->attributes_case = CASE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
	command->continue_as_new_workflow_execution_command_attributes = in;
}

static void next_input(Command__Command *command, size_t size)
{
	static Command__ContinueAsNewWorkflowExecutionCommandAttributes in;

	next_run(command, &in);
	in.input = &big.payloads;
	fill(in.input, size);
}

static void next_memo(Command__Command *command, size_t size)
{
	static Command__ContinueAsNewWorkflowExecutionCommandAttributes in;

	next_run(command, &in);
	in.memo = &big.memo;
	fill(in.memo, size);
}

static void child(
	Command__Command *command, Command__StartChildWorkflowExecutionCommandAttributes *in)
{
	static Common__WorkflowType type;

	type = (Common__WorkflowType)COMMON__WORKFLOW_TYPE__INIT;
	type.name = "type";
	*in = (Command__StartChildWorkflowExecutionCommandAttributes)
		COMMAND__START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	in->workflow_id = "child";
	in->workflow_type = &type;
	command->command_type = TYPE(START_CHILD_WORKFLOW_EXECUTION);
	command->attributes_case = CASE(START_CHILD_WORKFLOW_EXECUTION);
	command->start_child_workflow_execution_command_attributes = in;
}

static void child_input(Command__Command *command, size_t size)
{
	static Command__StartChildWorkflowExecutionCommandAttributes in;

	child(command, &in);
	in.input = &big.payloads;
	fill(in.input, size);
}

static void child_memo(Command__Command *command, size_t size)
{
	static Command__StartChildWorkflowExecutionCommandAttributes in;

	child(command, &in);
	in.memo = &big.memo;
	fill(in.memo, size);
}

static void signal_other(Command__Command *command, size_t size)
{
	static Command__SignalExternalWorkflowExecutionCommandAttributes in;
	static Common__WorkflowExecution other;

	other = (Common__WorkflowExecution)COMMON__WORKFLOW_EXECUTION__INIT;
	other.workflow_id = "other";
	in = (Command__SignalExternalWorkflowExecutionCommandAttributes)
		COMMAND__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	in.execution = &other;
	in.signal_name = "s";
	in.input = &big.payloads;
	fill(in.input, size);
	command->command_type = TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION);
	command->attributes_case = CASE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION);
	command->signal_external_workflow_execution_command_attributes = &in;
}

static void properties(Command__Command *command)
{
	static Command__ModifyWorkflowPropertiesCommandAttributes in;

	in = (Command__ModifyWorkflowPropertiesCommandAttributes)
		COMMAND__MODIFY_WORKFLOW_PROPERTIES_COMMAND_ATTRIBUTES__INIT;
	in.upserted_memo = &big.memo;
	command->command_type = TYPE(MODIFY_WORKFLOW_PROPERTIES);
	command->attributes_case = CASE(MODIFY_WORKFLOW_PROPERTIES);
	command->modify_workflow_properties_command_attributes = &in;
}

static void changes(Command__Command *command, size_t size)
{
	properties(command);
	big.payload.data.len = size - 1; /* the key counts, the rest does not */
	world.server.config.memo_max = 2 * BLOB_MAX;
}

static void merged_memo(Command__Command *command, size_t size)
{
	properties(command);
	fill(&big.memo, size);
}

static const struct {
	void (*make)(Command__Command *command, size_t size);
	size_t max;
	const char *text;
} cases[] = {
	{ activity, BLOB_MAX,
		"BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input" },
	{ completion, BLOB_MAX,
		"BadScheduleActivityAttributes: "
		"CompleteWorkflowExecutionCommandAttributes.Result" },
	{ failing, BLOB_MAX,
		"BadFailWorkflowExecutionAttributes: FailWorkflowExecutionCommandAttributes."
		"Failure" },
	{ marker, BLOB_MAX, "BadRecordMarkerAttributes: RecordMarkerCommandAttributes.Details" },
	{ next_input, BLOB_MAX,
		"BadContinueAsNewAttributes: ContinueAsNewWorkflowExecutionCommandAttributes. "
		"Input" },
	{ next_memo, MEMO_MAX,
		"BadContinueAsNewAttributes: ContinueAsNewWorkflowExecutionCommandAttributes. "
		"Memo" },
	{ child_input, BLOB_MAX,
		"BadStartChildExecutionAttributes: StartChildWorkflowExecutionCommandAttributes. "
		"Input" },
	{ child_memo, MEMO_MAX,
		"BadStartChildExecutionAttributes: "
		"StartChildWorkflowExecutionCommandAttributes.Memo" },
	{ signal_other, BLOB_MAX,
		"BadSignalWorkflowExecutionAttributes: "
		"SignalExternalWorkflowExecutionCommandAttributes.Input" },
	{ changes, BLOB_MAX,
		"BadModifyWorkflowPropertiesAttributes: "
		"ModifyWorkflowPropertiesCommandAttributes" },
	{ merged_memo, MEMO_MAX,
		"BadModifyWorkflowPropertiesAttributes: "
		"ModifyWorkflowPropertiesCommandAttributes. Memo" },
};

/* One completion with this command, which has to be refused with the text, or taken if NULL. */
static void decide_one(Command__Command *command, const char *text)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	struct answer answer;
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll_workflow(&answer);

	assert_non_null(task);
	in.namespace_ = "default";
	in.task_token = task->task_token;
	in.commands = &command;
	in.n_commands = 1;
	if (text)
		call_badly(frontend_workflow_completed, &in, TEMPORAL_INVALID_ARGUMENT, text);
	else
		call_well(frontend_workflow_completed, &in);
	forget(&answer);
}

static void test_at_and_over_each_limit(void **state)
{
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		Command__Command command = COMMAND__COMMAND__INIT;
		char text[200];
		bool over = i % 2;

		set_up(state);
		world.server.config.blob_max = BLOB_MAX;
		world.server.config.memo_max = MEMO_MAX;
		snprintf(text, sizeof(text), "%s exceeds size limit.", cases[i / 2].text);
		start_workflow();
		big_init();
		cases[i / 2].make(&command, cases[i / 2].max + over);
		decide_one(&command, over ? text : NULL);
		/* Started, Scheduled, Started, Failed, Terminated */
		if (over)
			assert_string_equal(world_events(current_run()), "1 5 6 9 27");
		tear_down(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_at_and_over_each_limit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
