/*
 * Goal: no type of event is forgotten. Each that the API has is either worked on, or fails its task
 * with a text that has its name; and what the server lets workers ignore is passed by where the
 * core SDK does that. Method: a history of two tasks with one event of each type between them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/event.h"
#include "proto/codec.h"
#include "proto/enum_name.h"

#define EVENTS 8

static const struct engine_config config = {
	.namespace_ = "default",
	.task_queue = "orders",
	.identity = "tester",
	.sdk_name = "temporal-c",
	.sdk_version = "1.0",
	.sticky_queue = "sticky",
};

struct builder {
	struct arena arena;
	Workflowservice__PollWorkflowTaskQueueResponse *task;
};

/* Its attributes' member of the event: "timer_fired_event_attributes" of TIMER_FIRED. */
static const ProtobufCFieldDescriptor *attributes_of(int type)
{
	const char *name = proto_enum_name(&enums__event_type__descriptor, type);
	char member[128];
	size_t len;

	assert_non_null(name);
	snprintf(member, sizeof(member), "%s_event_attributes", name + strlen("EVENT_TYPE_"));
	len = strlen(member);
	for (size_t i = 0; i < len; i++)
		if (member[i] >= 'A' && member[i] <= 'Z')
			member[i] = (char)(member[i] - 'A' + 'a');
	return protobuf_c_message_descriptor_get_field_by_name(
		&history__history_event__descriptor, member);
}

static History__HistoryEvent *add(struct builder *builder, int type)
{
	const ProtobufCFieldDescriptor *field = attributes_of(type);
	History__HistoryEvent *event =
		PROTO_NEW(&builder->arena, History__HistoryEvent, history__history_event);

	assert_non_null(field);
	assert_non_null(event);
	event->event_id = (int64_t)builder->task->history->n_events + 1;
	event->event_type = (Enums__EventType)type;
	event->attributes_case = (History__HistoryEvent__AttributesCase)field->id;
	event->workflow_execution_started_event_attributes =
		proto_new(&builder->arena, field->descriptor);
	assert_non_null(event->workflow_execution_started_event_attributes);
	builder->task->history->events[builder->task->history->n_events++] = event;
	return event;
}

static void add_task(struct builder *builder)
{
	History__HistoryEvent *started;

	add(builder, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
	started = add(builder, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED);
	started->workflow_task_started_event_attributes->scheduled_event_id = started->event_id - 1;
	builder->task->started_event_id = started->event_id;
}

static void begin(struct builder *builder)
{
	static uint8_t token[] = "token";
	History__HistoryEvent *started;

	arena_init(&builder->arena, 4096, ARENA_NO_BUDGET);
	builder->task = PROTO_NEW(&builder->arena, Workflowservice__PollWorkflowTaskQueueResponse,
		workflowservice__poll_workflow_task_queue_response);
	assert_non_null(builder->task);
	builder->task->task_token = (ProtobufCBinaryData){ sizeof(token), token };
	builder->task->attempt = 1;
	builder->task->history = PROTO_NEW(&builder->arena, History__History, history__history);
	assert_non_null(builder->task->history);
	builder->task->history->events = arena_array(&builder->arena, EVENTS, sizeof(void *));
	assert_non_null(builder->task->history->events);
	started = add(builder, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED);
	started->workflow_execution_started_event_attributes->workflow_type =
		PROTO_NEW(&builder->arena, Common__WorkflowType, common__workflow_type);
	started->workflow_execution_started_event_attributes->workflow_id = "order-123";
}

/* Where a history with such an event leads: the step behind the first activation. `text` gets what
 * a failure says. */
static enum engine_action walk(int type, bool may_ignore, char text[512])
{
	struct builder builder = { 0 };
	struct engine_run *run = engine_run_new(&config, "f0c8aa07-5dd4-4ba1-9c4a-0d7dbb5ea4a1");
	struct completion nothing = { .failed = false };
	struct engine_step step;

	assert_non_null(run);
	begin(&builder);
	add_task(&builder);
	add(&builder, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
		->workflow_task_completed_event_attributes->scheduled_event_id = 2;
	add(&builder, type)->worker_may_ignore = may_ignore;
	add_task(&builder);
	step = engine_run_task(run, builder.task, &builder.arena);
	if (step.action == ENGINE_ACTIVATE)
		step = engine_run_complete(run, &nothing);
	snprintf(text, 512, "%s", step.failure_text ? step.failure_text : "");
	engine_run_free(run);
	return step.action;
}

static bool is_type(int type)
{
	return type != ENUMS__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED &&
	       proto_enum_name(&enums__event_type__descriptor, type);
}

static void each_type_is_known(void **state)
{
	unsigned n = 0;

	(void)state;
	for (int type = 0; type < 4096; type++) {
		History__HistoryEvent event = HISTORY__HISTORY_EVENT__INIT;

		if (!is_type(type))
			continue;
		n++;
		event.event_type = (Enums__EventType)type;
		if (!event_is_known(&event))
			print_message("%s is not in the table\n",
				proto_enum_name(&enums__event_type__descriptor, type));
		assert_true(event_is_known(&event));
		assert_int_equal(event_table[type].attributes, attributes_of(type)->id);
	}
	assert_int_equal(n, enums__event_type__descriptor.n_values - 1);
}

static void each_type_is_worked_on_or_named(void **state)
{
	(void)state;
	for (int type = 0; type < EVENT_TYPES; type++) {
		char text[512], name[PROTO_ENUM_TEXT];
		enum engine_action action;

		if (!is_type(type))
			continue;
		action = walk(type, false, text);
		proto_event_name(type, name);
		if (action != ENGINE_RESPOND_FAILED) {
			assert_int_not_equal(event_table[type].info.machine, MACHINE_NOT_BUILT);
			continue;
		}
		if (!strstr(text, name))
			print_message("%s: %s\n", name, text);
		assert_non_null(strstr(text, name));
	}
}

/* Those alone, of the types that are known: others count even if the server is lenient. */
static void what_may_be_ignored_is_as_in_the_core_sdk(void **state)
{
	static const int ignored[] = {
		ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
		ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED,
		ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED,
		ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
	};
	char text[512];

	(void)state;
	for (int type = 0; type < EVENT_TYPES; type++) {
		bool expected = false;

		if (!is_type(type))
			continue;
		for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
			expected = expected || ignored[i] == type;
		assert_int_equal(expected, (event_table[type].info.flags & EVENT_IGNORABLE) != 0);
		if (expected)
			assert_int_equal(walk(type, true, text), ENGINE_RESPOND_COMPLETED);
		else if (event_table[type].info.machine == MACHINE_NOT_BUILT)
			assert_int_equal(walk(type, true, text), ENGINE_RESPOND_FAILED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_is_known),
		cmocka_unit_test(each_type_is_worked_on_or_named),
		cmocka_unit_test(what_may_be_ignored_is_as_in_the_core_sdk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
