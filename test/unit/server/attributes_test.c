/*
 * Search attributes of a run. Goal: a command with attributes that are unknown, of another type,
 * too large or the system's fails its task with the official text and changes nothing; an upsert
 * merges, and null takes away; continue-as-new carries what the command says; five failed tasks in
 * a row are reported with the cause of the first, until one is completed; the builds that completed
 * tasks are kept; the operators' calls add, list and remove, and outlive a restart. Method: calls
 * by hand on a clock that the test sets.
 */
#include <stdio.h>
#include <unistd.h>

#include "fake_world.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

static Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;

static void define(const char *definition)
{
	struct temporal_error err;

	transition_begin(&world.server);
	assert_int_equal(namespace_add_attribute(&world.server,
				 state_namespace(&world.server, "default"), definition, &err),
		TEMPORAL_OK);
	transition_end(&world.server);
	world_settle();
}

static int set_up(void **state)
{
	world_open();
	queue.name = "queue";
	define("Size=Int");
	define("Name=Keyword");
	return 0;
}

static int tear_down(void **state)
{
	world_close();
	return 0;
}

/* Attributes in static memory: pairs of a name and JSON. */
static Common__SearchAttributes *attributes(size_t n, const char *const pairs[][2])
{
	static Common__SearchAttributes out;
	static Common__SearchAttributes__IndexedFieldsEntry entries[4], *pointers[4];
	static Common__Payload payloads[4];
	static Common__Payload__MetadataEntry encoding, *metadata = &encoding;

	out = (Common__SearchAttributes)COMMON__SEARCH_ATTRIBUTES__INIT;
	encoding = (Common__Payload__MetadataEntry)COMMON__PAYLOAD__METADATA_ENTRY__INIT;
	encoding.key = "encoding";
	encoding.value = (ProtobufCBinaryData){ 10, (uint8_t *)(uintptr_t) "json/plain" };
	for (size_t i = 0; i < n; i++) {
		const char *json = pairs[i][1];

		payloads[i] = (Common__Payload)COMMON__PAYLOAD__INIT;
		payloads[i].metadata = &metadata;
		payloads[i].n_metadata = 1;
		payloads[i].data =
			(ProtobufCBinaryData){ strlen(json), (uint8_t *)(uintptr_t)json };
		entries[i] = (Common__SearchAttributes__IndexedFieldsEntry)
			COMMON__SEARCH_ATTRIBUTES__INDEXED_FIELDS_ENTRY__INIT;
		entries[i].key = pairs[i][0];
		entries[i].value = &payloads[i];
		pointers[i] = &entries[i];
	}
	out.indexed_fields = pointers;
	out.n_indexed_fields = n;
	return &out;
}

static void start(void)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	struct answer answer;

	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.search_attributes = attributes(1, (const char *const[][2]){ { "Size", "5" } });
	call(&answer, frontend_start, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

static ProtobufCBinaryData poll_task(struct answer *answer)
{
	Workflowservice__PollWorkflowTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	call(answer, frontend_poll_workflow, &in);
	assert_true(answer->done);
	return ((const Workflowservice__PollWorkflowTaskQueueResponse *)answer->message)
		->task_token;
}

/* Completes the next task with the command (NULL: none); the error's text, "" if there is none. */
static const char *complete(Command__Command *command, const char *build)
{
	static char text[200];
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	Common__WorkerVersionStamp stamp = COMMON__WORKER_VERSION_STAMP__INIT;
	struct answer poll, answer;

	stamp.build_id = build;
	in.namespace_ = "default";
	in.task_token = poll_task(&poll);
	in.commands = &command;
	in.n_commands = command ? 1 : 0;
	in.worker_version_stamp = build ? &stamp : NULL;
	in.force_create_new_workflow_task = true;
	call(&answer, frontend_workflow_completed, &in);
	snprintf(text, sizeof(text), "%s", answer.text);
	forget(&poll);
	forget(&answer);
	return text;
}

static const char *upsert(Common__SearchAttributes *values)
{
	Command__UpsertWorkflowSearchAttributesCommandAttributes in =
		COMMAND__UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES__INIT;
	Command__Command command = COMMAND__COMMAND__INIT;

	in.search_attributes = values;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES;
	command.upsert_workflow_search_attributes_command_attributes = &in;
	return complete(&command, NULL);
}

/* The value of the run's attribute as JSON; "" if it is not set. */
static const char *value(const char *name)
{
	static char text[200];
	Workflowservice__DescribeWorkflowExecutionRequest in =
		WORKFLOWSERVICE__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowExecution workflow = COMMON__WORKFLOW_EXECUTION__INIT;
	struct answer answer;

	workflow.workflow_id = "w";
	in.namespace_ = "default";
	in.execution = &workflow;
	call(&answer, frontend_describe, &in);
	const Workflowservice__DescribeWorkflowExecutionResponse *out = answer.message;
	const Common__SearchAttributes *all = out->workflow_execution_info->search_attributes;
	text[0] = '\0';
	for (size_t i = 0; i < all->n_indexed_fields; i++) {
		const Common__Payload *payload = all->indexed_fields[i]->value;

		if (strcmp(all->indexed_fields[i]->key, name) == 0)
			snprintf(text, sizeof(text), "%.*s", (int)payload->data.len,
				(const char *)payload->data.data);
	}
	forget(&answer);
	return text;
}

static void upserts_merge(void **state)
{
	(void)state;
	start();
	assert_string_equal(value("Size"), "5");
	assert_string_equal(
		upsert(attributes(1, (const char *const[][2]){ { "Name", "\"a\"" } })), "");
	assert_string_equal(value("Size"), "5");
	assert_string_equal(value("Name"), "\"a\"");
	assert_string_equal(upsert(attributes(2, (const char *const[][2]){ { "Size", "null" },
							 { "Name", "\"b\"" } })),
		"");
	assert_string_equal(value("Size"), "");
	assert_string_equal(value("Name"), "\"b\"");
}

static void bad_upserts_fail_the_task(void **state)
{
	static char large[2100];

	(void)state;
	start();
	assert_string_equal(upsert(NULL), "BadSearchAttributes: SearchAttributes is not set on "
					  "UpsertWorkflowSearchAttributesCommand.");
	/* Of a task that fails again nothing is in the history, and it runs until it times out. */
	world_pass(10000 * MS);
	assert_string_equal(upsert(attributes(0, NULL)),
		"BadSearchAttributes: IndexedFields is not set on "
		"UpsertWorkflowSearchAttributesCommand.");
	world_pass(10000 * MS);
	assert_string_equal(upsert(attributes(1, (const char *const[][2]){ { "Nope", "1" } })),
		"BadSearchAttributes: Namespace default has no mapping defined for search "
		"attribute Nope");
	world_pass(10000 * MS);
	assert_string_equal(upsert(attributes(1, (const char *const[][2]){ { "Size", "\"x\"" } })),
		"BadSearchAttributes: invalid value for search attribute Size of type Int: x");
	world_pass(15000 * MS);
	assert_string_equal(upsert(attributes(1, (const char *const[][2]){ { "RunId", "\"x\"" } })),
		"BadSearchAttributes: RunId attribute can't be set in SearchAttributes");
	world_pass(25000 * MS);
	memset(large, 'x', 2049);
	large[0] = large[2048] = '"';
	assert_string_equal(upsert(attributes(1, (const char *const[][2]){ { "Name", large } })),
		"BadSearchAttributes: search attribute Name value size 2049 exceeds size limit "
		"2048");
	assert_string_equal(value("Size"), "5");
	assert_string_equal(value("Name"), "");
}

static void value_of_the_limit_is_accepted(void **state)
{
	static char large[2100];

	(void)state;
	start();
	memset(large, 'x', 2048);
	large[0] = large[2047] = '"';
	assert_string_equal(
		upsert(attributes(1, (const char *const[][2]){ { "Name", large } })), "");
}

static const char *continue_with(Common__SearchAttributes *values)
{
	Command__ContinueAsNewWorkflowExecutionCommandAttributes in =
		COMMAND__CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	Command__Command command = COMMAND__COMMAND__INIT;

	in.search_attributes = values;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.continue_as_new_workflow_execution_command_attributes = &in;
	return complete(&command, NULL);
}

static void continuing_says_what_goes_on(void **state)
{
	(void)state;
	start();
	assert_string_equal(
		continue_with(attributes(1, (const char *const[][2]){ { "Name", "\"c\"" } })), "");
	assert_string_equal(value("Size"), "");
	assert_string_equal(value("Name"), "\"c\"");
	world_pass(1000 * MS); /* a run that is so short is followed by a pause */
	assert_string_equal(
		continue_with(attributes(1, (const char *const[][2]){ { "Size", "true" } })),
		"BadSearchAttributes: invalid SearchAttributes on "
		"ContinueAsNewWorkflowExecutionCommand: invalid value for search attribute Size of "
		"type Int: true. WorkflowType=type TaskQueue=name:\"queue\" kind:TASK_Q");
}

#define CAUSE(name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_

static void fail_task(Enums__WorkflowTaskFailedCause cause)
{
	Workflowservice__RespondWorkflowTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;
	struct answer poll, answer;

	in.namespace_ = "default";
	in.task_token = poll_task(&poll);
	in.cause = cause;
	call(&answer, frontend_workflow_failed, &in);
	forget(&poll);
	forget(&answer);
}

static void problems_are_reported_and_builds_kept(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 5; i++) {
		assert_string_equal(value("TemporalReportedProblems"), "");
		fail_task(i ? CAUSE(UNHANDLED_COMMAND) : CAUSE(NON_DETERMINISTIC_ERROR));
	}
	assert_string_equal(value("TemporalReportedProblems"),
		"[\"category=WorkflowTaskFailed\","
		"\"cause=WorkflowTaskFailedCauseNonDeterministicError\"]");
	assert_string_equal(complete(NULL, "one"), "");
	assert_string_equal(value("TemporalReportedProblems"), "");
	assert_string_equal(value("BuildIds"), "[\"unversioned\",\"unversioned:one\"]");
	assert_string_equal(complete(NULL, "two"), "");
	assert_string_equal(complete(NULL, "one"), "");
	assert_string_equal(
		value("BuildIds"), "[\"unversioned\",\"unversioned:one\",\"unversioned:two\"]");
}

/* ---- Operators ---- */

#define ENTRY_INIT OPERATORSERVICE__ADD_SEARCH_ATTRIBUTES_REQUEST__SEARCH_ATTRIBUTES_ENTRY__INIT

static const char *add(const char *space, const char *name, Enums__IndexedValueType type)
{
	static char text[200];
	Operatorservice__AddSearchAttributesRequest in =
		OPERATORSERVICE__ADD_SEARCH_ATTRIBUTES_REQUEST__INIT;
	Operatorservice__AddSearchAttributesRequest__SearchAttributesEntry entry = ENTRY_INIT,
									   *entries = &entry;
	struct answer answer;

	entry.key = name;
	entry.value = type;
	in.namespace_ = space;
	in.search_attributes = &entries;
	in.n_search_attributes = name ? 1 : 0;
	call(&answer, frontend_add_search_attributes, &in);
	snprintf(text, sizeof(text), "%s", answer.text);
	forget(&answer);
	return text;
}

static const char *take_away(const char *space, const char *name)
{
	static char text[200];
	Operatorservice__RemoveSearchAttributesRequest in =
		OPERATORSERVICE__REMOVE_SEARCH_ATTRIBUTES_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = space;
	in.search_attributes = &name;
	in.n_search_attributes = name ? 1 : 0;
	call(&answer, frontend_remove_search_attributes, &in);
	snprintf(text, sizeof(text), "%s", answer.text);
	forget(&answer);
	return text;
}

/* How many custom ones there are, and system ones. */
static void count_attributes(size_t *custom, size_t *system)
{
	Operatorservice__ListSearchAttributesRequest in =
		OPERATORSERVICE__LIST_SEARCH_ATTRIBUTES_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	call(&answer, frontend_list_search_attributes, &in);
	const Operatorservice__ListSearchAttributesResponse *out = answer.message;
	*custom = out->n_custom_attributes;
	*system = out->n_system_attributes;
	forget(&answer);
}

static void operators_add_list_and_remove(void **state)
{
	size_t custom, system;

	(void)state;
	assert_string_equal(add("default", NULL, 0), "SearchAttributes are not set on request.");
	assert_string_equal(add("", "X", 2), "Namespace is not set on request.");
	assert_string_equal(add("nope", "X", 2), "Namespace nope is not found.");
	assert_string_equal(
		add("default", "RunId", 2), "Search attribute RunId is reserved by system.");
	assert_string_equal(add("default", "X", 77), "Unknown search attribute type: 77.");
	assert_string_equal(add("default", "B1", 5), "");
	assert_string_equal(add("default", "B1", 5), "");
	assert_string_equal(add("default", "B2", 5), "");
	assert_string_equal(add("default", "B3", 5), "");
	assert_string_equal(add("default", "B4", 5),
		"Unable to create search attributes: cannot have more than 3 search attribute of "
		"type Bool.");
	count_attributes(&custom, &system);
	assert_int_equal(custom, 5);
	assert_int_equal(system, 33);
	assert_string_equal(take_away("default", NULL), "SearchAttributes are not set on request.");
	assert_string_equal(take_away("default", "RunId"),
		"Unable to remove non-custom search attributes: RunId.");
	assert_string_equal(take_away("default", "nobody"), "");
	assert_string_equal(take_away("default", "B1"), "");
	count_attributes(&custom, &system);
	assert_int_equal(custom, 4);
	assert_string_equal(add("default", "B4", 5), "");
}

static void reopen(const char *path)
{
	const struct server_io io = {
		.now_ns = world_now, .steady_ns = world_steady, .random = world_random
	};
	struct temporal_error err;

	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, path, world_wake, &err), TEMPORAL_OK);
	if (!state_namespace(&world.server, "default"))
		namespace_register(&world.server, "default", "", "", 0);
	transition_end(&world.server);
	world_settle();
}

static void attributes_outlive_a_restart(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-lock" };
	size_t custom, system;
	char path[64], name[80];

	(void)state;
	snprintf(path, sizeof(path), "attributes_test_%ld.db", (long)getpid());
	world.now_ns = INT64_C(1700000000000000000);
	reopen(path);
	assert_string_equal(add("default", "Kept", 2), "");
	assert_string_equal(add("default", "Gone", 2), "");
	assert_string_equal(take_away("default", "Gone"), "");
	world_close();
	reopen(path);
	count_attributes(&custom, &system);
	assert_int_equal(custom, 1);
	assert_non_null(search_attributes_find(
		&state_namespace(&world.server, "default")->search_attributes, str_from("Kept")));
	world_close();
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		remove(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(upserts_merge, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_upserts_fail_the_task, set_up, tear_down),
		cmocka_unit_test_setup_teardown(value_of_the_limit_is_accepted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(continuing_says_what_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			problems_are_reported_and_builds_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(operators_add_list_and_remove, set_up, tear_down),
		cmocka_unit_test(attributes_outlive_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
