/*
 * Workers that tell of themselves. Goal: the last heartbeat of each is kept for five minutes and no
 * longer, within a bound of memory; filters answer as the official server's do, also to what they
 * cannot answer; pages hold each worker once. Method: heartbeats by calls on a clock that the test
 * sets; queries also alone.
 */
#include "fake_workflow.h"
#include "server/limits.h"
#include "server/workers/query.h"

static void tell(const char *key, Enums__WorkerStatus status)
{
	Workflowservice__RecordWorkerHeartbeatRequest in =
		WORKFLOWSERVICE__RECORD_WORKER_HEARTBEAT_REQUEST__INIT;
	Worker__WorkerHeartbeat heartbeat = WORKER__WORKER_HEARTBEAT__INIT, *list = &heartbeat;

	heartbeat.worker_instance_key = key;
	heartbeat.task_queue = "queue";
	heartbeat.status = status;
	in.namespace_ = "default";
	in.worker_heartbeat = &list;
	in.n_worker_heartbeat = 1;
	call_well(frontend_worker_heartbeat, &in);
}

static int64_t count(const char *query)
{
	Workflowservice__CountWorkersRequest in = WORKFLOWSERVICE__COUNT_WORKERS_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	in.query = query;
	call(&answer, frontend_count_workers, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	int64_t n = ((const Workflowservice__CountWorkersResponse *)answer.message)->count;
	forget(&answer);
	return n;
}

static void silent_ones_are_forgotten(void **state)
{
	Workflowservice__DescribeWorkerRequest in = WORKFLOWSERVICE__DESCRIBE_WORKER_REQUEST__INIT;

	(void)state;
	tell("a", ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING);
	world_pass(200 * 1000 * MS);
	tell("b", ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING);
	in.namespace_ = "default";
	in.worker_instance_key = "a";
	call_well(frontend_describe_worker, &in);
	world_pass(100 * 1000 * MS - 1);
	assert_int_equal(count(""), 2);
	world_pass(1);
	assert_int_equal(count(""), 1);
	call_badly(frontend_describe_worker, &in, TEMPORAL_NOT_FOUND, "Worker a not found");
	tell("b", ENUMS__WORKER_STATUS__WORKER_STATUS_SHUTDOWN);
	assert_int_equal(count(""), 0);
}

static void the_last_word_counts(void **state)
{
	(void)state;
	tell("a", ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING);
	tell("a", ENUMS__WORKER_STATUS__WORKER_STATUS_SHUTTING_DOWN);
	assert_int_equal(count("WorkerStatus = 'Running'"), 0);
	assert_int_equal(count("WorkerStatus = 'ShuttingDown'"), 1);
	assert_int_equal(world.server.workers.n, 1);
}

static void memory_is_bounded(void **state)
{
	static char long_text[SERVER_WORKER_HEARTBEAT_MAX];
	struct server_namespace *space = state_namespace(&world.server, "default");
	Worker__WorkerHeartbeat heartbeat = WORKER__WORKER_HEARTBEAT__INIT;
	char key[20];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	heartbeat.sdk_name = long_text;
	heartbeat.worker_instance_key = "too large";
	workers_record(&world.server, space, &heartbeat);
	assert_int_equal(world.server.workers.n, 0);
	long_text[sizeof(long_text) - 100] = '\0';
	heartbeat.worker_instance_key = key;
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "%d", i);
		workers_record(&world.server, space, &heartbeat);
	}
	assert_true(world.server.workers.bytes <= SERVER_WORKERS_BYTES);
	assert_non_null(workers_find(&world.server, space, "299"));
	assert_null(workers_find(&world.server, space, "0"));
}

static void pages_hold_each_once(void **state)
{
	Workflowservice__ListWorkersRequest in = WORKFLOWSERVICE__LIST_WORKERS_REQUEST__INIT;
	const Workflowservice__ListWorkersResponse *out;
	struct answer first, second;

	(void)state;
	tell("c", ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING);
	tell("a", ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING);
	tell("b", ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING);
	in.namespace_ = "default";
	in.page_size = 2;
	call(&first, frontend_list_workers, &in);
	out = first.message;
	assert_int_equal(out->n_workers, 2);
	assert_string_equal(out->workers[1]->worker_instance_key, "b");
	in.next_page_token = out->next_page_token;
	call(&second, frontend_list_workers, &in);
	out = second.message;
	assert_int_equal(out->n_workers, 1);
	assert_string_equal(out->workers_info[0]->worker_heartbeat->worker_instance_key, "c");
	assert_int_equal(out->next_page_token.len, 0);
	forget(&first);
	forget(&second);
	in.next_page_token = (ProtobufCBinaryData){ 3, (uint8_t *)(uintptr_t) "foo" };
	call_badly(
		frontend_list_workers, &in, TEMPORAL_INVALID_ARGUMENT, "invalid next_page_token");
}

static void queries(void **state)
{
	static const struct {
		const char *query;
		enum worker_verdict verdict;
	} cases[] = {
		{ "", WORKER_YES },
		{ "TaskQueue = 'q'", WORKER_YES },
		{ "TaskQueue != 'q'", WORKER_NO },
		{ "TaskQueue STARTS_WITH 'q'", WORKER_YES },
		{ "TaskQueue NOT STARTS_WITH 'q'", WORKER_NO },
		{ "taskqueue = 'q'", WORKER_UNKNOWN },
		{ "TaskQueue > 'a'", WORKER_UNKNOWN },
		{ "TaskQueue IN ('q', 'r')", WORKER_UNKNOWN },
		{ "NOT TaskQueue = 'q'", WORKER_UNKNOWN },
		{ "TaskQueue = ''", WORKER_UNKNOWN },
		{ "TaskQueue", WORKER_UNKNOWN },
		{ "WorkerStatus = 'Running' AND TaskQueue = 'q'", WORKER_YES },
		{ "Status = 'Running'", WORKER_YES },
		{ "foo = 1 OR TaskQueue = 'q'", WORKER_UNKNOWN },
		{ "TaskQueue = 'q' OR foo = 1", WORKER_YES },
		{ "TaskQueue = 'r' AND foo = 1", WORKER_NO },
		{ "(TaskQueue = 'r' OR SdkName = 's') AND HostName = 'h'", WORKER_YES },
		{ "BuildId IS NULL", WORKER_YES },
		{ "HostName IS NOT NULL", WORKER_YES },
		{ "HeartbeatTime IS NULL", WORKER_YES },
		{ "StartTime > '2023-11-14T00:00:00Z'", WORKER_YES },
		{ "StartTime BETWEEN '2023-11-14T00:00:00Z' AND '2023-11-15T00:00:00Z'",
			WORKER_YES },
		{ "StartTime NOT BETWEEN '2023-11-14T00:00:00Z' AND '2023-11-15T00:00:00Z'",
			WORKER_NO },
		{ "HeartbeatTime BETWEEN '2023-11-14T00:00:00Z' AND '2023-11-15T00:00:00Z'",
			WORKER_NO },
		{ "StartTime > 'yesterday'", WORKER_UNKNOWN },
		{ "TaskQueue = 'q' AND", WORKER_MALFORMED },
		{ "(TaskQueue = 'q'", WORKER_MALFORMED },
		{ "TaskQueue = 'q' TaskQueue", WORKER_MALFORMED },
		{ "= 'q'", WORKER_MALFORMED },
		{ "TaskQueue = 'q", WORKER_MALFORMED },
	};
	Worker__WorkerHeartbeat worker = WORKER__WORKER_HEARTBEAT__INIT;
	Worker__WorkerHostInfo host = WORKER__WORKER_HOST_INFO__INIT;
	Google__Timestamp start = GOOGLE__TIMESTAMP__INIT;
	char deep[200] = "";
	struct arena arena;

	(void)state;
	start.seconds = 1700000000;
	host.host_name = "h";
	worker.host_info = &host;
	worker.task_queue = "q";
	worker.sdk_name = "s";
	worker.start_time = &start;
	worker.status = ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING;
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum worker_verdict verdict = worker_query(&arena, cases[i].query, &worker);

		if (verdict != cases[i].verdict)
			fail_msg("%s: %d", cases[i].query, (int)verdict);
	}
	memset(deep, '(', 100);
	assert_int_equal(worker_query(&arena, deep, &worker), WORKER_MALFORMED);
	arena_finish(&arena);
}

/* As many as a request can hold: each a level of the stack would end the process. */
static void many_nots(void **state)
{
	static char query[4 * 1000000 + sizeof("TaskQueue = 'q'")];
	Worker__WorkerHeartbeat worker = WORKER__WORKER_HEARTBEAT__INIT;
	size_t n = sizeof(query) / 4;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < 4 * (n - 4); i += 4)
		memcpy(query + i, "NOT ", 4);
	memcpy(query + 4 * (n - 4), "TaskQueue = 'q'", sizeof("TaskQueue = 'q'"));
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	assert_int_equal(worker_query(&arena, query, &worker), WORKER_UNKNOWN);
	arena_finish(&arena);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(silent_ones_are_forgotten),
		TEST(the_last_word_counts),
		TEST(memory_is_bounded),
		TEST(pages_hold_each_once),
		cmocka_unit_test(queries),
		cmocka_unit_test(many_nots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
