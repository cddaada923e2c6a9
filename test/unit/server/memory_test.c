/*
 * Memory that runs out. Goal: whichever allocation of a call fails, either the server has failed,
 * or the call was answered and changed the state as if nothing had been; no run of which a part is
 * missing reaches the store; nothing crashes. Method: each allocation of a call fails once, one
 * after the other, with no memory left over from before; each time in a new server, compared with
 * one that had all memory.
 */
#include "base/mem.h"
#include "fake_workflow.h"
#include "server/store/store.h"

#define STATE_MAX 4096

/* What is left of a call. */
struct outcome {
	enum temporal_code code;
	size_t answer_size, state_size;
	uint8_t state[STATE_MAX];
};

static struct answer task;

static void put(struct outcome *out, const struct record_type *type, const void *object)
{
	size_t size = record_size(type, object);

	assert_true(out->state_size + size <= STATE_MAX);
	record_write(type, object, out->state + out->state_size);
	out->state_size += size;
}

static struct outcome look(const struct answer *answer)
{
	struct outcome out = { .code = answer->code };
	struct execution *run = current_run();

	assert_true(answer->done);
	out.answer_size = answer->message ? proto_size(answer->message) : 0;
	put(&out, &state_execution_type, run);
	for (const struct activity *at = run->activities; at; at = at->next)
		put(&out, &state_activity_type, at);
	return out;
}

/* Makes the call with its allocation number `at` failing; a negative one: none. */
static void starve(struct answer *answer, frontend_handler *handle, const void *message, long at)
{
	*answer = (struct answer){ 0 };
	arena_init(&answer->arena, 64, ARENA_NO_BUDGET);
	answer->request = (struct request){
		.server = &world.server,
		.ops = &answer_ops,
		.arena = &answer->arena,
		.message = message,
		.deadline_ns = INT64_MAX,
	};
	arena_finish(&world.server.scratch);
	world.server.scratch.chunk_size = 64;
	mem_fault_set(at, 0);
	frontend_serve(&answer->request, handle);
}

/* ---- Calls ---- */

struct scenario {
	void (*prepare)(void);
	void (*act)(struct answer *answer, long at);
};

static void prepare_activity(void)
{
	start_workflow();
	schedule_activity("a", NULL);
	poll_activity(&task);
}

static void fail_activity(struct answer *answer, long at)
{
	Workflowservice__RespondActivityTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;

	failure.message = "no";
	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollActivityTaskQueueResponse *)task.message)->task_token;
	in.failure = &failure;
	starve(answer, frontend_activity_failed, &in, at);
}

static void prepare_task(void)
{
	start_workflow();
	poll_workflow(&task);
}

static void complete_task(struct answer *answer, Command__Command *command, long at)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollWorkflowTaskQueueResponse *)task.message)->task_token;
	in.commands = &command;
	in.n_commands = 1;
	starve(answer, frontend_workflow_completed, &in, at);
}

/* Neither a queue nor a retry policy is named: both are made. */
static void order_activity(struct answer *answer, long at)
{
	Command__Command command = COMMAND__COMMAND__INIT;
	Command__ScheduleActivityTaskCommandAttributes activity =
		COMMAND__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
	Common__ActivityType type = COMMON__ACTIVITY_TYPE__INIT;
	Google__Duration minute = GOOGLE__DURATION__INIT;

	minute.seconds = 60;
	type.name = "work";
	activity.activity_id = "a";
	activity.activity_type = &type;
	activity.start_to_close_timeout = &minute;
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	command.schedule_activity_task_command_attributes = &activity;
	complete_task(answer, &command, at);
}

static void end_run(struct answer *answer, long at)
{
	Command__Command command = COMMAND__COMMAND__INIT;
	Command__CompleteWorkflowExecutionCommandAttributes end =
		COMMAND__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;

	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.complete_workflow_execution_command_attributes = &end;
	complete_task(answer, &command, at);
}

static void take_task(struct answer *answer, long at)
{
	Workflowservice__PollWorkflowTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	in.identity = "worker";
	starve(answer, frontend_poll_workflow, &in, at);
}

/* ---- The sweep ---- */

/* One world. True: an allocation failed. */
static bool try_once(const struct scenario *scenario, long at, struct outcome *out)
{
	struct answer answer;
	bool hit;

	set_up(NULL);
	scenario->prepare();
	scenario->act(&answer, at);
	hit = mem_fault_hit();
	mem_fault_set(-1, 0);
	if (!world.server.failed)
		world_settle();
	assert_true(answer.done);
	if (world.server.failed) {
		assert_true(hit);
		assert_int_equal(answer.code, TEMPORAL_UNAVAILABLE);
	} else {
		*out = look(&answer);
	}
	out->code = answer.code;
	forget(&answer);
	forget(&task);
	task = (struct answer){ 0 };
	tear_down(NULL);
	return hit;
}

static void sweep(const struct scenario *scenario)
{
	struct outcome whole = { 0 };
	long at = 0;

	try_once(scenario, -1, &whole);
	assert_int_equal(whole.code, TEMPORAL_OK);
	for (bool hit = true; hit; at++) {
		struct outcome out = whole;

		hit = try_once(scenario, at, &out);
		if (out.code == TEMPORAL_UNAVAILABLE)
			continue;
		assert_int_equal(out.code, TEMPORAL_OK);
		assert_int_equal(out.answer_size, whole.answer_size);
		assert_int_equal(out.state_size, whole.state_size);
		assert_memory_equal(out.state, whole.state, whole.state_size);
	}
	assert_true(at > 5);
}

static void failed_activity_is_tried_again(void **state)
{
	sweep(&(struct scenario){ prepare_activity, fail_activity });
}

static void scheduled_activity_is_whole(void **state)
{
	sweep(&(struct scenario){ prepare_task, order_activity });
}

static void handed_out_task_is_whole(void **state)
{
	sweep(&(struct scenario){ start_workflow, take_task });
}

static void run_ends_or_goes_on(void **state)
{
	sweep(&(struct scenario){ prepare_task, end_run });
}

/* A run that has ended is handed to the store with all that belongs to it, or not at all. */
static void row_is_whole_or_none(void **state)
{
	size_t whole = 0;
	bool hit = true;

	for (long at = -1; hit || at < 1; at++) {
		const void *data;
		size_t size;

		set_up(NULL);
		start_workflow();
		arena_finish(&world.server.scratch);
		mem_fault_set(at, 0);
		bool made = archive_snapshot(current_run(), &data, &size);
		hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		assert_int_equal(made, !world.server.failed);
		if (at < 0)
			whole = size;
		assert_true(!made || size == whole);
		assert_true(made || hit);
		tear_down(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failed_activity_is_tried_again),
		cmocka_unit_test(scheduled_activity_is_whole),
		cmocka_unit_test(handed_out_task_is_whole),
		cmocka_unit_test(run_ends_or_goes_on),
		cmocka_unit_test(row_is_whole_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
