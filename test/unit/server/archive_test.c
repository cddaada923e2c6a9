/*
 * Closed runs that have left memory. Goal: whatever is asked of a closed run has the same answer
 * after it has left as before: description, history in both directions, id policies, the answer of
 * a repeated request, completions that come too late; it leaves only when nobody waits at it, and
 * is deleted when its retention ends or somebody wishes so. Method: a cache without room, so that
 * each run leaves at once; calls by hand on a clock that the test sets.
 */
#include <stdio.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_world.h"
#include "server/limits.h"
#include "server/store/store.h"

static Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
static Common__WorkflowExecution workflow = COMMON__WORKFLOW_EXECUTION__INIT;
static char run_id[SERVER_UUID_SIZE];

static int set_up(void **state)
{
	world_open();
	world.server.archive.limit_bytes = 1;
	queue.name = "queue";
	workflow.workflow_id = "w";
	workflow.run_id = (char *)(uintptr_t) "";
	return 0;
}

static int tear_down(void **state)
{
	world_close();
	return 0;
}

/* Lets ended runs reach the store, and leave. */
static void settle(void)
{
	for (int i = 0; world.server.archive.leaving.first || world.server.archive.expiring; i++) {
		assert_true(i < 5000);
		if (__atomic_exchange_n(&world.woken, 0, __ATOMIC_ACQUIRE))
			journal_step(&world.server);
		else
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_false(world.server.failed);
}

static enum temporal_code start_with(
	const char *request_id, Enums__WorkflowIdReusePolicy reuse, struct answer *answer)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;

	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.request_id = request_id;
	in.workflow_id_reuse_policy = reuse;
	call(answer, frontend_start, &in);
	return answer->code;
}

static void start(void)
{
	struct answer answer;

	assert_int_equal(start_with("first", 0, &answer), TEMPORAL_OK);
	const Workflowservice__StartWorkflowExecutionResponse *out = answer.message;
	snprintf(run_id, sizeof(run_id), "%s", out->run_id);
	forget(&answer);
}

static const Workflowservice__PollWorkflowTaskQueueResponse *poll_task(struct answer *answer)
{
	Workflowservice__PollWorkflowTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	call(answer, frontend_poll_workflow, &in);
	return answer->message;
}

static enum temporal_code complete(ProtobufCBinaryData token, struct answer *answer)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__CompleteWorkflowExecutionCommandAttributes done =
		COMMAND__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;

	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.complete_workflow_execution_command_attributes = &done;
	in.namespace_ = "default";
	in.task_token = token;
	in.commands = &commands;
	in.n_commands = 1;
	call(answer, frontend_workflow_completed, &in);
	return answer->code;
}

/* A run that has ended and left; `poll` is its task's answer, to be forgotten. */
static void start_and_complete(struct answer *poll)
{
	struct answer answer;

	start();
	world_pass(MS);
	assert_int_equal(complete(poll_task(poll)->task_token, &answer), TEMPORAL_OK);
	forget(&answer);
	settle();
}

static size_t runs_in_memory(void)
{
	return world.server.numbers.count;
}

static void description_is_the_same(void **state)
{
	Workflowservice__DescribeWorkflowExecutionRequest in =
		WORKFLOWSERVICE__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer poll, before, after, answer;

	(void)state;
	in.namespace_ = "default";
	in.execution = &workflow;
	start();
	assert_int_equal(complete(poll_task(&poll)->task_token, &answer), TEMPORAL_OK);
	call(&before, frontend_describe, &in);
	settle();
	assert_int_equal(runs_in_memory(), 0);
	assert_int_equal(world.server.workflow_ids.count, 0);
	call(&after, frontend_describe, &in);
	const Workflowservice__DescribeWorkflowExecutionResponse *out = after.message;
	assert_string_equal(out->workflow_execution_info->execution->run_id, run_id);
	assert_int_equal(out->workflow_execution_info->status, 2);
	assert_int_equal(out->workflow_execution_info->history_length, 5);
	size_t size = proto_size(after.message);
	assert_int_equal(size, proto_size(before.message));
	void *a = malloc(size), *b = malloc(size);
	proto_write(before.message, a, size);
	proto_write(after.message, b, size);
	assert_memory_equal(a, b, size);
	free(a);
	free(b);
	forget(&poll);
	forget(&before);
	forget(&after);
	forget(&answer);
}

static void history_is_read_from_the_store(void **state)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest in =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	Workflowservice__GetWorkflowExecutionHistoryReverseRequest back =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REVERSE_REQUEST__INIT;
	struct answer poll, first, second, reverse;

	(void)state;
	start_and_complete(&poll);
	in.namespace_ = back.namespace_ = "default";
	in.execution = back.execution = &workflow;
	in.maximum_page_size = 3;
	workflow.run_id = run_id;
	call(&first, frontend_get_history, &in);
	settle();
	assert_int_equal(runs_in_memory(), 0);
	const Workflowservice__GetWorkflowExecutionHistoryResponse *out = first.message;
	assert_int_not_equal(out->next_page_token.len, 0);
	/* The token names the run by number: it comes back by that too. */
	in.next_page_token = out->next_page_token;
	call(&second, frontend_get_history, &in);
	out = second.message;
	assert_int_equal(out->next_page_token.len, 0);
	settle();
	call(&reverse, frontend_get_history_reverse, &back);
	const Workflowservice__GetWorkflowExecutionHistoryReverseResponse *events = reverse.message;
	assert_int_equal(events->history->n_events, 5);
	assert_int_equal(events->history->events[0]->event_type, 2);
	assert_int_equal(events->history->events[4]->event_id, 1);
	forget(&poll);
	forget(&first);
	forget(&second);
	forget(&reverse);
}

/* A caller that waits for the end keeps the run; it is told, and then the run leaves. */
static void caller_is_told_before_it_leaves(void **state)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest in =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct answer poll, wait, answer;

	(void)state;
	start();
	in.namespace_ = "default";
	in.execution = &workflow;
	in.wait_new_event = true;
	in.history_event_filter_type = 2;
	call(&wait, frontend_get_history, &in);
	assert_false(wait.done);
	assert_int_equal(complete(poll_task(&poll)->task_token, &answer), TEMPORAL_OK);
	assert_true(wait.done);
	const Workflowservice__GetWorkflowExecutionHistoryResponse *out = wait.message;
	assert_int_equal(out->history->events[0]->event_type, 2);
	settle();
	assert_int_equal(runs_in_memory(), 0);
	forget(&poll);
	forget(&wait);
	forget(&answer);
}

static void ids_are_remembered(void **state)
{
	struct answer poll, again, refused, next;
	const Workflowservice__StartWorkflowExecutionResponse *out;

	(void)state;
	start_and_complete(&poll);
	assert_int_equal(start_with("first", 0, &again), TEMPORAL_OK);
	out = again.message;
	assert_string_equal(out->run_id, run_id);
	settle();
	assert_int_equal(
		start_with("second",
			ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			&refused),
		TEMPORAL_ALREADY_EXISTS);
	world_pass(MS);
	assert_int_equal(start_with("third", 0, &next), TEMPORAL_OK);
	out = next.message;
	assert_string_not_equal(out->run_id, run_id);
	/* The old one is found by its run id, and does not become the current one by that. */
	struct server_namespace *space = state_namespace(&world.server, "default");
	struct execution *old = state_execution(&world.server, space, "w", run_id);
	assert_non_null(old);
	assert_string_equal(state_execution(&world.server, space, "w", NULL)->run_id, out->run_id);
	forget(&poll);
	forget(&again);
	forget(&refused);
	forget(&next);
}

/* With an older run in memory, the current one is still asked for in the store. */
static void current_run_is_the_latest(void **state)
{
	char old[SERVER_UUID_SIZE];
	struct answer poll;

	(void)state;
	start_and_complete(&poll);
	forget(&poll);
	memcpy(old, run_id, sizeof(old));
	world_pass(MS);
	start_with("other", 0, &poll);
	forget(&poll);
	struct server_namespace *space = state_namespace(&world.server, "default");
	struct execution *current = state_execution(&world.server, space, "w", NULL);
	memcpy(run_id, current->run_id, sizeof(run_id));
	struct answer task, answer;
	complete(poll_task(&task)->task_token, &answer);
	settle();
	assert_int_equal(runs_in_memory(), 0);
	assert_string_equal(state_execution(&world.server, space, "w", old)->run_id, old);
	assert_string_equal(state_execution(&world.server, space, "w", NULL)->run_id, run_id);
	assert_int_equal(runs_in_memory(), 2);
	forget(&task);
	forget(&answer);
}

static void late_completion_is_refused(void **state)
{
	struct answer poll, answer;

	(void)state;
	start_and_complete(&poll);
	const Workflowservice__PollWorkflowTaskQueueResponse *task = poll.message;
	assert_int_equal(complete(task->task_token, &answer), TEMPORAL_NOT_FOUND);
	assert_string_equal(answer.text, "Workflow task not found.");
	forget(&poll);
	forget(&answer);
}

static void retention_deletes(void **state)
{
	struct server_namespace *space = state_namespace(&world.server, "default");
	struct answer poll;

	(void)state;
	start_and_complete(&poll);
	assert_int_equal(world.server.archive.expiry_ns, world.now_ns + SERVER_RETENTION_MS * MS);
	world_pass(SERVER_RETENTION_MS * MS - 1);
	settle();
	assert_non_null(state_execution(&world.server, space, "w", NULL));
	world_pass(1);
	settle();
	assert_null(state_execution(&world.server, space, "w", NULL));
	assert_int_equal(world.server.archive.expiry_ns, INT64_MAX);
	forget(&poll);
}

static void delete_it(enum temporal_code expected)
{
	Workflowservice__DeleteWorkflowExecutionRequest in =
		WORKFLOWSERVICE__DELETE_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	call(&answer, frontend_delete, &in);
	assert_int_equal(answer.code, expected);
	forget(&answer);
}

static void deletion_of_a_closed_run(void **state)
{
	struct server_namespace *space = state_namespace(&world.server, "default");
	struct answer poll;

	(void)state;
	start_and_complete(&poll);
	delete_it(TEMPORAL_OK);
	assert_null(state_execution(&world.server, space, "w", NULL));
	assert_int_equal(runs_in_memory(), 0);
	delete_it(TEMPORAL_NOT_FOUND);
	forget(&poll);
}

/* It is terminated first: who waits for its end is told so. */
static void deletion_of_a_running_run(void **state)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest in =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct answer wait, poll;

	(void)state;
	start();
	in.namespace_ = "default";
	in.execution = &workflow;
	in.wait_new_event = true;
	in.history_event_filter_type = 2;
	call(&wait, frontend_get_history, &in);
	delete_it(TEMPORAL_OK);
	assert_true(wait.done);
	const Workflowservice__GetWorkflowExecutionHistoryResponse *out = wait.message;
	assert_int_equal(out->history->events[0]->event_type, 27);
	assert_int_equal(runs_in_memory(), 0);
	poll_task(&poll);
	assert_false(poll.done);
	forget(&wait);
	forget(&poll);
}

/* ---- With a file ---- */

static char path[64];

static void open_file(void)
{
	const struct server_io io = {
		.now_ns = world_now, .steady_ns = world_steady, .random = world_random
	};
	struct temporal_error err;

	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, path, world_wake, &err), TEMPORAL_OK);
	world.server.archive.limit_bytes = 1;
	if (!state_namespace(&world.server, "default"))
		namespace_register(&world.server, "default", "", "", 0);
	transition_end(&world.server);
	world_settle();
	settle();
}

static int set_up_file(void **state)
{
	queue.name = "queue";
	workflow.workflow_id = "w";
	workflow.run_id = (char *)(uintptr_t) "";
	world.now_ns = INT64_C(1700000000000000000);
	world.chance = 1;
	snprintf(path, sizeof(path), "archive_test_%ld.db", (long)getpid());
	open_file();
	return 0;
}

static int tear_down_file(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-lock" };
	char name[80];

	world_close();
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		remove(name);
	}
	return 0;
}

static void closed_runs_stay_in_the_file(void **state)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest in =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	struct answer poll, answer;

	(void)state;
	start_and_complete(&poll);
	forget(&poll);
	world_close();
	open_file();
	assert_int_equal(runs_in_memory(), 0);
	in.namespace_ = "default";
	in.execution = &workflow;
	in.history_event_filter_type = 2;
	call(&answer, frontend_get_history, &in);
	const Workflowservice__GetWorkflowExecutionHistoryResponse *out = answer.message;
	assert_int_equal(out->history->events[0]->event_type, 2);
	forget(&answer);
	/* Retention goes on where it was. */
	assert_int_equal(world.server.archive.expiry_ns, world.now_ns + SERVER_RETENTION_MS * MS);
}

/* The server ended after the end of a run was on disk, and before the run was moved. */
static void run_that_has_not_moved_yet_moves(void **state)
{
	struct answer poll, answer;

	(void)state;
	start();
	world.server.archive.open = false;
	assert_int_equal(complete(poll_task(&poll)->task_token, &answer), TEMPORAL_OK);
	forget(&poll);
	forget(&answer);
	world_close();
	open_file();
	assert_int_equal(runs_in_memory(), 0);
	struct server_namespace *space = state_namespace(&world.server, "default");
	assert_int_equal(state_execution(&world.server, space, "w", NULL)->status, 2);
}

/* It changed after it had been moved, and the server ended before it was moved again. */
static void change_of_a_moved_run_is_kept(void **state)
{
	struct server_namespace *space = state_namespace(&world.server, "default");
	struct answer poll;

	(void)state;
	start_and_complete(&poll);
	forget(&poll);
	transition_begin(&world.server);
	struct execution *execution = state_execution(&world.server, space, "w", NULL);
	world.server.archive.open = false;
	execution->signals = 77;
	transition_touch(execution);
	transition_durable(&world.server);
	transition_end(&world.server);
	world_settle();
	world_close();
	open_file();
	assert_int_equal(runs_in_memory(), 0);
	space = state_namespace(&world.server, "default");
	execution = state_execution(&world.server, space, "w", NULL);
	assert_int_equal(execution->signals, 77);
	assert_int_equal(execution->next_event_id, 6);
	struct arena arena;
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	assert_non_null(event_read(execution, 5, &arena));
	arena_finish(&arena);
}

static void deleted_run_stays_deleted(void **state)
{
	struct answer poll;

	(void)state;
	start_and_complete(&poll);
	forget(&poll);
	delete_it(TEMPORAL_OK);
	start();
	delete_it(TEMPORAL_OK);
	world_close();
	open_file();
	assert_null(state_execution(
		&world.server, state_namespace(&world.server, "default"), "w", NULL));
}

/* ---- Damage ---- */

/* A file with one ended run that was changed by somebody else, opened again. */
static void damage(const char *sql)
{
	struct answer poll;
	sqlite3 *db = NULL;

	start_and_complete(&poll);
	forget(&poll);
	world_close();
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	open_file();
}

static enum temporal_code describe_code(void)
{
	Workflowservice__DescribeWorkflowExecutionRequest in =
		WORKFLOWSERVICE__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = "default";
	in.execution = &workflow;
	call(&answer, frontend_describe, &in);
	world_settle();
	assert_true(answer.done);
	forget(&answer);
	return answer.code;
}

static enum temporal_code history_code(bool reverse)
{
	Workflowservice__GetWorkflowExecutionHistoryRequest in =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	Workflowservice__GetWorkflowExecutionHistoryReverseRequest back =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REVERSE_REQUEST__INIT;
	struct answer answer;

	in.namespace_ = back.namespace_ = "default";
	in.execution = back.execution = &workflow;
	if (reverse)
		call(&answer, frontend_get_history_reverse, &back);
	else
		call(&answer, frontend_get_history, &in);
	world_settle();
	forget(&answer);
	return answer.code;
}

/* It is neither "not found", which would let its id be taken anew, nor the end of the server. */
static void damaged_row_is_data_loss(void **state)
{
	struct answer answer;

	damage("UPDATE closed_run SET history_length = 7");
	assert_int_equal(describe_code(), TEMPORAL_DATA_LOSS);
	assert_int_equal(history_code(false), TEMPORAL_DATA_LOSS);
	assert_int_equal(start_with("again", 0, &answer), TEMPORAL_DATA_LOSS);
	forget(&answer);
	assert_false(world.server.failed);
	workflow.workflow_id = "other";
	assert_int_equal(describe_code(), TEMPORAL_NOT_FOUND);
}

static void damaged_history_is_data_loss(void **state)
{
	damage("UPDATE closed_history SET data = zeroblob(length(data))");
	assert_int_equal(describe_code(), TEMPORAL_OK);
	assert_int_equal(history_code(false), TEMPORAL_DATA_LOSS);
	assert_int_equal(history_code(true), TEMPORAL_DATA_LOSS);
	assert_false(world.server.failed);
}

/* The row with one byte of its `info` another one, and a checksum that fits. */
static void forge(uint8_t *info, size_t *size, size_t at, uint8_t byte)
{
	struct temporal_error err;
	struct store *store =
		store_open(&(struct store_opts){ .path = path, .manual = true }, &err);
	struct store_batch *batch = store_batch_new();
	struct store_closed row;
	struct arena arena;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	assert_int_equal(store_recover(store, NULL, &err), TEMPORAL_OK);
	assert_int_equal(store_find(store, 1, "w", NULL, &arena, &row, &err), TEMPORAL_OK);
	if (!*size) {
		*size = row.info_size;
		memcpy(info, row.info, row.info_size);
	}
	info[at] ^= byte;
	row.info = info;
	store_batch_close(batch, &row, NULL, 0);
	assert_int_equal(store_submit(store, batch, STORE_DURABLE, NULL, NULL, &err), TEMPORAL_OK);
	store_close(store);
	arena_finish(&arena);
	info[at] ^= byte;
}

/* Whatever byte of what is recorded of a run is another one: no other run is touched, and the
 * server goes on. */
static void forged_rows_do_no_harm(void **state)
{
	static uint8_t info[4096];
	size_t size = 0;
	struct answer poll;

	start_and_complete(&poll);
	forget(&poll);
	for (size_t at = 0; at < 36; at++) {
		world_close();
		forge(info, &size, at, 0x55);
		open_file();
		(void)describe_code();
		(void)history_code(false);
		assert_false(world.server.failed);
	}
	world_close();
	forge(info, &size, 0, 0);
	open_file();
	assert_int_equal(describe_code(), TEMPORAL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(description_is_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(history_is_read_from_the_store, set_up, tear_down),
		cmocka_unit_test_setup_teardown(caller_is_told_before_it_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ids_are_remembered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(current_run_is_the_latest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late_completion_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(retention_deletes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deletion_of_a_closed_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deletion_of_a_running_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			closed_runs_stay_in_the_file, set_up_file, tear_down_file),
		cmocka_unit_test_setup_teardown(
			run_that_has_not_moved_yet_moves, set_up_file, tear_down_file),
		cmocka_unit_test_setup_teardown(
			change_of_a_moved_run_is_kept, set_up_file, tear_down_file),
		cmocka_unit_test_setup_teardown(
			deleted_run_stays_deleted, set_up_file, tear_down_file),
		cmocka_unit_test_setup_teardown(
			damaged_row_is_data_loss, set_up_file, tear_down_file),
		cmocka_unit_test_setup_teardown(
			damaged_history_is_data_loss, set_up_file, tear_down_file),
		cmocka_unit_test_setup_teardown(
			forged_rows_do_no_harm, set_up_file, tear_down_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
