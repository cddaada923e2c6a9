/*
 * Goal: what a cached run costs, that it gives back what a task needed, and what is true of a run
 * before any history. Method: a run is brought to wait for an activity, then idle; its own account
 * is compared with a limit and, over many activities, with itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/event.h"
#include "proto/codec.h"

static const struct engine_config config = {
	.namespace_ = "default",
	.task_queue = "orders",
	.identity = "tester",
	.sdk_name = "temporal-c",
	.sdk_version = "1.0",
	.sticky_queue = "sticky",
};

static const char run_id[] = "f0c8aa07-5dd4-4ba1-9c4a-0d7dbb5ea4a1";

struct builder {
	struct arena arena;
	Workflowservice__PollWorkflowTaskQueueResponse *task;
	int64_t id;
};

static void *add(struct builder *builder, Enums__EventType type,
	History__HistoryEvent__AttributesCase attributes_case,
	const ProtobufCMessageDescriptor *descriptor)
{
	History__HistoryEvent *event =
		PROTO_NEW(&builder->arena, History__HistoryEvent, history__history_event);

	assert_non_null(event);
	event->event_id = ++builder->id;
	event->event_type = type;
	event->attributes_case = attributes_case;
	event->workflow_execution_started_event_attributes = proto_new(&builder->arena, descriptor);
	assert_non_null(event->workflow_execution_started_event_attributes);
	builder->task->history->events[builder->task->history->n_events++] = event;
	return event->workflow_execution_started_event_attributes;
}

#define ADD(builder_, NAME_, name_) \
	add((builder_), ENUMS__EVENT_TYPE__EVENT_TYPE_##NAME_, \
		HISTORY__HISTORY_EVENT__ATTRIBUTES_##NAME_##_EVENT_ATTRIBUTES, \
		&history__##name_##_event_attributes__descriptor)

static void begin_task(struct builder *builder)
{
	static uint8_t token[] = "token";

	arena_init(&builder->arena, 4096, ARENA_NO_BUDGET);
	builder->task = PROTO_NEW(&builder->arena, Workflowservice__PollWorkflowTaskQueueResponse,
		workflowservice__poll_workflow_task_queue_response);
	assert_non_null(builder->task);
	builder->task->task_token = (ProtobufCBinaryData){ sizeof(token), token };
	builder->task->attempt = 1;
	builder->task->previous_started_event_id = builder->id;
	builder->task->history = PROTO_NEW(&builder->arena, History__History, history__history);
	assert_non_null(builder->task->history);
	builder->task->history->events = arena_array(&builder->arena, 16, sizeof(void *));
	assert_non_null(builder->task->history->events);
}

static struct engine_step end_task(struct builder *builder, struct engine_run *run)
{
	ADD(builder, WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled);

	History__WorkflowTaskStartedEventAttributes *started =
		ADD(builder, WORKFLOW_TASK_STARTED, workflow_task_started);

	started->scheduled_event_id = builder->id - 1;
	builder->task->started_event_id = builder->id;
	return engine_run_task(run, builder->task, &builder->arena);
}

static struct engine_step first_task(struct builder *builder, struct engine_run *run)
{
	begin_task(builder);

	History__WorkflowExecutionStartedEventAttributes *started =
		ADD(builder, WORKFLOW_EXECUTION_STARTED, workflow_execution_started);

	started->workflow_type =
		PROTO_NEW(&builder->arena, Common__WorkflowType, common__workflow_type);
	assert_non_null(started->workflow_type);
	started->workflow_type->name = "OrderWorkflow";
	started->workflow_id = "order-123";
	return end_task(builder, run);
}

/* The next task: the activity has completed. */
static struct engine_step next_task(struct builder *builder, struct engine_run *run, uint32_t seq)
{
	char id[16];

	begin_task(builder);

	History__WorkflowTaskCompletedEventAttributes *completed =
		ADD(builder, WORKFLOW_TASK_COMPLETED, workflow_task_completed);
	History__ActivityTaskScheduledEventAttributes *scheduled =
		ADD(builder, ACTIVITY_TASK_SCHEDULED, activity_task_scheduled);
	int64_t scheduled_id = builder->id;
	History__ActivityTaskStartedEventAttributes *started =
		ADD(builder, ACTIVITY_TASK_STARTED, activity_task_started);
	History__ActivityTaskCompletedEventAttributes *done =
		ADD(builder, ACTIVITY_TASK_COMPLETED, activity_task_completed);

	snprintf(id, sizeof(id), "%u", seq);
	completed->scheduled_event_id = scheduled_id - 3;
	scheduled->activity_id = arena_strdup(&builder->arena, id);
	scheduled->activity_type =
		PROTO_NEW(&builder->arena, Common__ActivityType, common__activity_type);
	assert_non_null(scheduled->activity_type);
	scheduled->activity_type->name = "charge_card";
	started->scheduled_event_id = scheduled_id;
	done->scheduled_event_id = scheduled_id;
	return end_task(builder, run);
}

/* The workflow calls an activity; the server takes it. */
static struct engine_step call_activity(struct engine_run *run, uint32_t seq)
{
	struct command command = {
		.kind = COMMAND_SCHEDULE_ACTIVITY,
		.schedule_activity = { .seq = seq, .activity_type = "charge_card" },
	};
	struct completion completion = { .commands = &command, .n_commands = 1 };
	struct engine_step step = engine_run_complete(run, &completion);

	assert_int_equal(step.action, ENGINE_RESPOND_COMPLETED);
	assert_int_equal(step.completed->n_commands, 1);
	return engine_run_responded(run, TEMPORAL_OK, NULL, NULL, NULL);
}

static void an_idle_run_is_small(void **state)
{
	struct builder builder = { 0 };
	struct engine_run *run = engine_run_new(&config, run_id);

	(void)state;
	assert_non_null(run);
	assert_int_equal(first_task(&builder, run).action, ENGINE_ACTIVATE);
	assert_int_equal(call_activity(run, 1).action, ENGINE_IDLE);
	print_message(
		"an idle run that waits for an activity: %zu bytes\n", engine_run_memory(run));
	assert_in_range(engine_run_memory(run), 1, 1536);
	engine_run_free(run);
}

static void a_long_run_is_as_small(void **state)
{
	struct builder builder = { 0 };
	struct engine_run *run = engine_run_new(&config, run_id);
	size_t early = 0;

	(void)state;
	assert_non_null(run);
	assert_int_equal(first_task(&builder, run).action, ENGINE_ACTIVATE);
	for (uint32_t seq = 1; seq <= 1000; seq++) {
		assert_int_equal(call_activity(run, seq).action, ENGINE_IDLE);
		if (seq == 10)
			early = engine_run_memory(run);
		assert_int_equal(next_task(&builder, run, seq).action, ENGINE_ACTIVATE);
	}
	assert_int_equal(call_activity(run, 1001).action, ENGINE_IDLE);
	assert_in_range(engine_run_memory(run), 1, early + 64);
	engine_run_free(run);
}

static void names_are_empty_before_history(void **state)
{
	struct engine_run *run = engine_run_new(&config, run_id);

	(void)state;
	assert_non_null(run);
	assert_string_equal(engine_run_id(run), run_id);
	assert_string_equal(engine_run_workflow_type(run), "");
	assert_string_equal(engine_run_workflow_id(run), "");
	engine_run_free(run);
	engine_run_free(NULL);
}

static void names_come_with_history(void **state)
{
	struct builder builder = { 0 };
	struct engine_run *run = engine_run_new(&config, run_id);

	(void)state;
	assert_non_null(run);
	assert_int_equal(first_task(&builder, run).action, ENGINE_ACTIVATE);
	assert_string_equal(engine_run_workflow_type(run), "OrderWorkflow");
	assert_string_equal(engine_run_workflow_id(run), "order-123");
	engine_run_free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_run_is_small),
		cmocka_unit_test(a_long_run_is_as_small),
		cmocka_unit_test(names_are_empty_before_history),
		cmocka_unit_test(names_come_with_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
