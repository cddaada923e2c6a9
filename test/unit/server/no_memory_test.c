/*
 * Memory that runs out while a call is answered. Goal: the answer is whole, or the server has
 * failed and says so; nothing is left out of it in silence, and nothing crashes. Method: each
 * allocation of a call fails in turn, on a run that has something of each kind to tell.
 */
#include "fake_workflow.h"

#include "base/mem.h"

static struct bytes expected;

static struct bytes encoded(struct arena *arena, const void *message)
{
	struct bytes out = { 0 };

	assert_int_equal(proto_encode(arena, message, 0, &out, NULL), TEMPORAL_OK);
	return out;
}

/* The call with its allocation after `after` failing. False: it has not that many. */
static bool fails_at(frontend_handler *handle, const void *in, long after)
{
	struct answer answer = { 0 };

	arena_init(&answer.arena, 64, ARENA_NO_BUDGET);
	answer.request = (struct request){
		.server = &world.server,
		.ops = &answer_ops,
		.arena = &answer.arena,
		.message = in,
		.deadline_ns = INT64_MAX,
	};
	mem_fault_set(after, 0);
	frontend_serve(&answer.request, handle);
	bool hit = mem_fault_hit();
	mem_fault_set(-1, 0);
	assert_true(answer.done);
	if (world.server.failed) {
		assert_int_equal(answer.code, TEMPORAL_UNAVAILABLE);
	} else {
		struct bytes told = encoded(&answer.arena, answer.message);

		if (after < 0) {
			expected.len = told.len;
			expected.ptr = mem_alloc(told.len);
			memcpy(expected.ptr, told.ptr, told.len);
		}
		assert_int_equal(told.len, expected.len);
		assert_memory_equal(told.ptr, expected.ptr, told.len);
	}
	forget(&answer);
	return hit;
}

static void begin(void)
{
	Common__Priority priority = COMMON__PRIORITY__INIT;

	set_up(NULL);
	start_workflow();
	priority.priority_key = 2;
	schedule_activity("a", &priority);
	signal_workflow("more");
}

static void sweep(frontend_handler *handle, const void *in)
{
	bool more = true;

	for (long after = -1; more; after++) {
		begin();
		more = fails_at(handle, in, after) || after < 0;
		tear_down(NULL);
	}
	mem_free(expected.ptr);
}

static void describing_a_run(void **state)
{
	Workflowservice__DescribeWorkflowExecutionRequest in =
		WORKFLOWSERVICE__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;

	(void)state;
	workflow.workflow_id = "w";
	in.namespace_ = "default";
	in.execution = &workflow;
	sweep(frontend_describe, &in);
}

static void reading_a_history(void **state)
{
	Workflowservice__GetWorkflowExecutionHistoryReverseRequest in =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REVERSE_REQUEST__INIT;

	(void)state;
	workflow.workflow_id = "w";
	in.namespace_ = "default";
	in.execution = &workflow;
	sweep(frontend_get_history_reverse, &in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(describing_a_run),
		cmocka_unit_test(reading_a_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
