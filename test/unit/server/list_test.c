/*
 * Lists and counts of workflow executions. Goal: what is running comes first, newest start first,
 * then what has ended, last end first; pages of any size give the same rows, each once; a list
 * shows all that was answered before it; counts and groups agree with lists; each limit and each
 * wrong request has its text; search attributes are found by their values, running or not. Method:
 * calls by hand, the store's answers waited for, a clock that the test sets.
 */
#include <stdio.h>

#include "fake_world.h"
#include "server/limits.h"

static Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;

static int set_up(void **state)
{
	world_open();
	world.server.archive.limit_bytes = 1;
	queue.name = "queue";
	return 0;
}

static int tear_down(void **state)
{
	world_close();
	return 0;
}

/* A call whose answer may come from the store's other threads. */
static void ask(struct answer *answer, frontend_handler *handle, const void *message)
{
	call(answer, handle, message);
	for (int i = 0; !answer->done; i++) {
		assert_true(i < 5000);
		if (__atomic_exchange_n(&world.woken, 0, __ATOMIC_ACQUIRE))
			journal_step(&world.server);
		else
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static Common__SearchAttributes *attribute(const char *name, const char *json)
{
	static Common__SearchAttributes out;
	static Common__SearchAttributes__IndexedFieldsEntry entry, *entries = &entry;
	static Common__Payload payload;
	static Common__Payload__MetadataEntry encoding, *metadata = &encoding;

	out = (Common__SearchAttributes)COMMON__SEARCH_ATTRIBUTES__INIT;
	entry = (Common__SearchAttributes__IndexedFieldsEntry)
		COMMON__SEARCH_ATTRIBUTES__INDEXED_FIELDS_ENTRY__INIT;
	payload = (Common__Payload)COMMON__PAYLOAD__INIT;
	encoding = (Common__Payload__MetadataEntry)COMMON__PAYLOAD__METADATA_ENTRY__INIT;
	encoding.key = "encoding";
	encoding.value = (ProtobufCBinaryData){ 10, (uint8_t *)(uintptr_t) "json/plain" };
	payload.metadata = &metadata;
	payload.n_metadata = 1;
	payload.data = (ProtobufCBinaryData){ strlen(json), (uint8_t *)(uintptr_t)json };
	entry.key = name;
	entry.value = &payload;
	out.indexed_fields = &entries;
	out.n_indexed_fields = 1;
	return &out;
}

static enum temporal_code start(
	const char *id, const char *type_name, Common__SearchAttributes *attributes, char text[200])
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	struct answer answer;

	world_pass(MS);
	type.name = type_name;
	in.namespace_ = "default";
	in.workflow_id = id;
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.search_attributes = attributes;
	call(&answer, frontend_start, &in);
	if (text)
		memcpy(text, answer.text, sizeof(answer.text));
	forget(&answer);
	return answer.code;
}

static void terminate(const char *id)
{
	Workflowservice__TerminateWorkflowExecutionRequest in =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowExecution workflow = COMMON__WORKFLOW_EXECUTION__INIT;
	struct answer answer;

	world_pass(MS);
	workflow.workflow_id = id;
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	call(&answer, frontend_terminate, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	forget(&answer);
}

/* All pages; the ids in one text, and "|" between pages. */
static const char *list(const char *query, int32_t page_size)
{
	static char text[400];
	Workflowservice__ListWorkflowExecutionsRequest in =
		WORKFLOWSERVICE__LIST_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	struct answer answers[16];
	size_t at = 0, n = 0;

	text[0] = '\0';
	in.namespace_ = "default";
	in.query = query;
	in.page_size = page_size;
	do {
		assert_true(n < 16);
		ask(&answers[n], frontend_list, &in);
		if (answers[n].code != TEMPORAL_OK) {
			snprintf(text, sizeof(text), "%s", answers[n++].text);
			break;
		}
		const Workflowservice__ListWorkflowExecutionsResponse *out = answers[n++].message;
		for (size_t i = 0; i < out->n_executions; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
				out->executions[i]->execution->workflow_id);
		in.next_page_token = out->next_page_token;
		if (in.next_page_token.len)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "|");
	} while (in.next_page_token.len);
	while (n)
		forget(&answers[--n]);
	return text;
}

/* "total", and for groups " status=count". */
static const char *count(const char *query)
{
	static char text[200];
	Workflowservice__CountWorkflowExecutionsRequest in =
		WORKFLOWSERVICE__COUNT_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	in.query = query;
	ask(&answer, frontend_count, &in);
	if (answer.code != TEMPORAL_OK) {
		snprintf(text, sizeof(text), "%s", answer.text);
		forget(&answer);
		return text;
	}
	const Workflowservice__CountWorkflowExecutionsResponse *out = answer.message;
	size_t at = (size_t)snprintf(text, sizeof(text), "%lld", (long long)out->count);
	for (size_t i = 0; i < out->n_groups; i++) {
		const Common__Payload *name = out->groups[i]->group_values[0];

		at += (size_t)snprintf(text + at, sizeof(text) - at, " %.*s=%lld",
			(int)name->data.len, (const char *)name->data.data,
			(long long)out->groups[i]->count);
	}
	forget(&answer);
	return text;
}

/* Six runs: a and d ended (d last), the others are running; e is of another type. */
static void make_six(void)
{
	const char *const ids[] = { "a", "b", "c", "d", "e", "f" };

	for (size_t i = 0; i < 6; i++)
		assert_int_equal(start(ids[i], i == 4 ? "other" : "type", NULL, NULL), TEMPORAL_OK);
	terminate("a");
	terminate("d");
}

static void running_ones_come_first(void **state)
{
	(void)state;
	make_six();
	assert_string_equal(list("", 0), "f e c b d a");
	assert_string_equal(list("ExecutionStatus = 'Running'", 0), "f e c b");
	assert_string_equal(list("ExecutionStatus = 'Terminated'", 0), "d a");
	assert_string_equal(list("WorkflowType = 'type'", 0), "f c b d a");
	assert_string_equal(list("WorkflowId = 'a'", 0), "a");
	assert_string_equal(list("WorkflowId = 'b'", 0), "b");
	assert_string_equal(list("WorkflowId STARTS_WITH 'd'", 0), "d");
	assert_string_equal(list("CloseTime IS NULL", 0), "f e c b");
	assert_string_equal(list("TaskQueue = 'queue' AND CloseTime IS NOT NULL", 0), "d a");
	assert_string_equal(list("WorkflowId = 'nobody'", 0), "");
}

static void pages_give_each_row_once(void **state)
{
	(void)state;
	make_six();
	assert_string_equal(list("", 1), "f|e|c|b|d|a|");
	assert_string_equal(list("", 2), "f e|c b|d a|");
	assert_string_equal(list("", 4), "f e c b|d a");
	assert_string_equal(list("", 5), "f e c b d|a");
	assert_string_equal(list("", 6), "f e c b d a|");
	assert_string_equal(list("", 7), "f e c b d a");
	assert_string_equal(list("WorkflowType = 'type'", 2), "f c|b d|a");
	assert_string_equal(list("WorkflowId = 'b'", 1), "b|");
}

static void page_size_has_a_limit(void **state)
{
	Workflowservice__ListWorkflowExecutionsRequest in =
		WORKFLOWSERVICE__LIST_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	const Workflowservice__ListWorkflowExecutionsResponse *out;
	struct answer answer;
	char id[16];

	(void)state;
	for (int i = 0; i < SERVER_LIST_PAGE_MAX + 1; i++) {
		snprintf(id, sizeof(id), "%d", i);
		assert_int_equal(start(id, "type", NULL, NULL), TEMPORAL_OK);
	}
	in.namespace_ = "default";
	for (int32_t size = SERVER_LIST_PAGE_MAX - 1; size <= SERVER_LIST_PAGE_MAX + 1; size++) {
		in.page_size = size;
		ask(&answer, frontend_list, &in);
		out = answer.message;
		assert_int_equal(out->n_executions,
			size < SERVER_LIST_PAGE_MAX ? size : SERVER_LIST_PAGE_MAX);
		forget(&answer);
	}
	in.page_size = 0;
	ask(&answer, frontend_list, &in);
	out = answer.message;
	assert_int_equal(out->n_executions, SERVER_LIST_PAGE_MAX);
	assert_string_equal(count(""), "1001");
	forget(&answer);
}

/* What ends between two pages was shown as running, and is not shown again. */
static void pages_are_of_one_moment(void **state)
{
	Workflowservice__ListWorkflowExecutionsRequest in =
		WORKFLOWSERVICE__LIST_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	struct answer first, second;
	const Workflowservice__ListWorkflowExecutionsResponse *out;

	(void)state;
	make_six();
	in.namespace_ = "default";
	in.page_size = 4;
	ask(&first, frontend_list, &in);
	out = first.message;
	in.next_page_token = out->next_page_token;
	terminate("f");
	assert_int_equal(start("g", "type", NULL, NULL), TEMPORAL_OK);
	ask(&second, frontend_list, &in);
	out = second.message;
	assert_int_equal(out->n_executions, 2);
	assert_string_equal(out->executions[0]->execution->workflow_id, "d");
	forget(&first);
	forget(&second);
	assert_string_equal(list("", 0), "g e c b f d a");
}

static void rows_say_what_is_known(void **state)
{
	Workflowservice__ListWorkflowExecutionsRequest in =
		WORKFLOWSERVICE__LIST_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	struct answer answer;

	(void)state;
	assert_int_equal(start("a", "type", NULL, NULL), TEMPORAL_OK);
	assert_int_equal(start("b", "type", NULL, NULL), TEMPORAL_OK);
	terminate("a");
	in.namespace_ = "default";
	ask(&answer, frontend_list, &in);
	const Workflowservice__ListWorkflowExecutionsResponse *out = answer.message;
	const Workflow__WorkflowExecutionInfo *open = out->executions[0],
					      *closed = out->executions[1];
	assert_int_equal(open->status, 1);
	assert_null(open->close_time);
	assert_int_equal(open->history_length, 0);
	assert_int_equal(closed->status, 5);
	assert_int_equal(closed->history_length, 3);
	assert_int_equal(closed->state_transition_count, 2);
	assert_non_null(closed->execution_duration);
	assert_string_equal(closed->type->name, "type");
	assert_string_equal(closed->task_queue, "queue");
	assert_string_equal(closed->root_execution->workflow_id, "a");
	assert_string_equal(closed->first_run_id, "");
	forget(&answer);
}

static void counts_and_groups(void **state)
{
	(void)state;
	assert_string_equal(count(""), "0");
	make_six();
	assert_string_equal(count(""), "6");
	assert_string_equal(count("WorkflowType = 'type'"), "5");
	assert_string_equal(count("ExecutionStatus = 'Running'"), "4");
	assert_string_equal(count("ExecutionStatus != 'Running'"), "2");
	assert_string_equal(count("GROUP BY ExecutionStatus"), "6 \"Running\"=4 \"Terminated\"=2");
	assert_string_equal(
		count("WorkflowId = 'a' GROUP BY ExecutionStatus"), "1 \"Terminated\"=1");
	assert_string_equal(count("WorkflowId = 'x' GROUP BY ExecutionStatus"), "0");
	assert_string_equal(
		count("Nothing = 1"), "invalid query: invalid search attribute: Nothing");
}

/* The kept totals follow a row that is written again, and one that goes. */
static void totals_follow_the_rows(void **state)
{
	struct server_namespace *space = state_namespace(&world.server, "default");
	Workflowservice__DeleteWorkflowExecutionRequest in =
		WORKFLOWSERVICE__DELETE_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowExecution workflow = COMMON__WORKFLOW_EXECUTION__INIT;
	struct answer answer;

	(void)state;
	make_six();
	assert_string_equal(count("ExecutionStatus = 'Terminated'"), "2");
	transition_begin(&world.server);
	transition_touch(state_execution(&world.server, space, "a", NULL));
	transition_durable(&world.server);
	transition_end(&world.server);
	assert_string_equal(count("ExecutionStatus = 'Terminated'"), "2");
	workflow.workflow_id = "d";
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	call(&answer, frontend_delete, &in);
	forget(&answer);
	assert_string_equal(count("ExecutionStatus = 'Terminated'"), "1");
	assert_string_equal(count("GROUP BY ExecutionStatus"), "5 \"Running\"=4 \"Terminated\"=1");
	assert_string_equal(list("", 0), "f e c b a");
}

static void wrong_requests(void **state)
{
	Workflowservice__ListWorkflowExecutionsRequest in =
		WORKFLOWSERVICE__LIST_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	Workflowservice__ListArchivedWorkflowExecutionsRequest archived =
		WORKFLOWSERVICE__LIST_ARCHIVED_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	struct answer answer;

	(void)state;
	ask(&answer, frontend_list, &in);
	assert_int_equal(answer.code, TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(answer.text, "Namespace is empty.");
	forget(&answer);
	in.namespace_ = "nope";
	ask(&answer, frontend_list, &in);
	assert_int_equal(answer.code, TEMPORAL_NOT_FOUND);
	assert_string_equal(answer.text, "Namespace nope is not found.");
	forget(&answer);
	in.namespace_ = "default";
	in.next_page_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "x" };
	ask(&answer, frontend_list, &in);
	assert_int_equal(answer.code, TEMPORAL_UNKNOWN);
	forget(&answer);
	/* The last moment that there is has none after it. */
	uint8_t last[16] = { 1 };
	in.next_page_token.len = (size_t)(record_varint_write(last + 1, INT64_MAX) - last);
	in.next_page_token.data = last;
	ask(&answer, frontend_list, &in);
	assert_string_equal(answer.text, "something went wrong, please retry (620ff7e0)");
	forget(&answer);
	assert_string_equal(list("WorkflowId LIKE 'a%'", 0),
		"invalid query: operation is not supported: operator 'LIKE' not supported for "
		"Keyword type search attribute 'WorkflowId'");
	archived.namespace_ = "default";
	archived.page_size = SERVER_ARCHIVED_PAGE_MAX;
	ask(&answer, frontend_list_archived, &archived);
	assert_string_equal(answer.text, "Cluster is not configured for visibility archival.");
	forget(&answer);
	archived.page_size++;
	ask(&answer, frontend_list_archived, &archived);
	assert_string_equal(answer.text, "PageSize is larger than allowed 10000.");
	forget(&answer);
}

static void older_calls(void **state)
{
	Workflowservice__ListOpenWorkflowExecutionsRequest open =
		WORKFLOWSERVICE__LIST_OPEN_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	Workflowservice__ListClosedWorkflowExecutionsRequest closed =
		WORKFLOWSERVICE__LIST_CLOSED_WORKFLOW_EXECUTIONS_REQUEST__INIT;
	Filter__WorkflowTypeFilter type = FILTER__WORKFLOW_TYPE_FILTER__INIT;
	Filter__StatusFilter status = FILTER__STATUS_FILTER__INIT;
	Filter__StartTimeFilter time = FILTER__START_TIME_FILTER__INIT;
	Google__Timestamp early = GOOGLE__TIMESTAMP__INIT, late = GOOGLE__TIMESTAMP__INIT;
	struct answer answer;

	(void)state;
	make_six();
	open.namespace_ = closed.namespace_ = "default";
	type.name = "other";
	open.filters_case =
		WORKFLOWSERVICE__LIST_OPEN_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_TYPE_FILTER;
	open.type_filter = &type;
	ask(&answer, frontend_list_open, &open);
	const Workflowservice__ListOpenWorkflowExecutionsResponse *out = answer.message;
	assert_int_equal(out->n_executions, 1);
	assert_string_equal(out->executions[0]->execution->workflow_id, "e");
	forget(&answer);
	early.seconds = 1700000000;
	late.seconds = 1699999999;
	time.earliest_time = &early;
	time.latest_time = &late;
	open.start_time_filter = &time;
	ask(&answer, frontend_list_open, &open);
	assert_string_equal(answer.text,
		"EarliestTime in StartTimeFilter should not be larger than LatestTime.");
	forget(&answer);
	closed.filters_case =
		WORKFLOWSERVICE__LIST_CLOSED_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_STATUS_FILTER;
	closed.status_filter = &status;
	status.status = 1;
	ask(&answer, frontend_list_closed, &closed);
	assert_string_equal(answer.text, "StatusFilter must be specified and must be not Running.");
	forget(&answer);
	status.status = 5;
	late.seconds = 1700000001;
	closed.start_time_filter = &time;
	ask(&answer, frontend_list_closed, &closed);
	const Workflowservice__ListClosedWorkflowExecutionsResponse *ended = answer.message;
	assert_int_equal(ended->n_executions, 2);
	forget(&answer);
}

static void attributes_are_found(void **state)
{
	struct server_namespace *space = state_namespace(&world.server, "default");
	struct temporal_error err;
	char text[200];

	(void)state;
	transition_begin(&world.server);
	assert_int_equal(namespace_add_attribute(&world.server, space, "Size=Int", &err), 0);
	assert_int_equal(
		namespace_add_attribute(&world.server, space, "Tags=KeywordList", &err), 0);
	assert_int_equal(namespace_add_attribute(&world.server, space, "Size", &err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(namespace_add_attribute(&world.server, space, "Size=Number", &err),
		TEMPORAL_INVALID_ARGUMENT);
	transition_end(&world.server);
	assert_int_equal(start("a", "type", attribute("Size", "5"), NULL), TEMPORAL_OK);
	assert_int_equal(start("b", "type", attribute("Size", "6"), NULL), TEMPORAL_OK);
	assert_int_equal(start("c", "type", attribute("Tags", "[\"x\",\"y\"]"), NULL), TEMPORAL_OK);
	for (int ended = 0; ended < 2; ended++) {
		assert_string_equal(list("Size = 5", 0), "a");
		assert_string_equal(list("Size > 5", 0), "b");
		assert_string_equal(list("Size BETWEEN 1 AND 9", 0), "b a");
		assert_string_equal(list("Tags = 'y'", 0), "c");
		assert_string_equal(list("Tags IN ('z', 'x') OR Size = 6", 0), "c b");
		assert_string_equal(list("Size IS NULL", 0), "c");
		if (!ended) {
			terminate("a");
			terminate("b");
			terminate("c");
		}
	}
	assert_int_equal(
		start("d", "type", attribute("Nope", "5"), text), TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(
		text, "Namespace default has no mapping defined for search attribute Nope");
	assert_int_equal(
		start("d", "type", attribute("Size", "\"x\""), text), TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(text, "invalid value for search attribute Size of type Int: x");
	assert_int_equal(
		start("d", "type", attribute("RunId", "\"x\""), text), TEMPORAL_INVALID_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(running_ones_come_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pages_give_each_row_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(page_size_has_a_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pages_are_of_one_moment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_say_what_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counts_and_groups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(totals_follow_the_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(older_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(attributes_are_found, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
