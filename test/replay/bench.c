/*
 * bench.c: how fast the engine alone replays. A history of a workflow that calls activities one
 * after the other (six events each) is built in memory and replayed; no decoding, no workflow code.
 * `bench [ACTIVITIES [TIMES]]`.
 *
 * Not a test: it prints what it measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "message.h"
#include "proto/codec.h"

struct builder {
	struct arena *arena;
	History__History *history;
};

static void *must(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

static void *add(struct builder *builder, Enums__EventType type,
	History__HistoryEvent__AttributesCase attributes_case,
	const ProtobufCMessageDescriptor *descriptor)
{
	History__HistoryEvent *event =
		must(PROTO_NEW(builder->arena, History__HistoryEvent, history__history_event));

	event->event_id = (int64_t)builder->history->n_events + 1;
	event->event_type = type;
	event->event_time = must(PROTO_NEW(builder->arena, Google__Timestamp, google__timestamp));
	event->event_time->seconds = event->event_id;
	event->attributes_case = attributes_case;
	event->workflow_execution_started_event_attributes =
		must(proto_new(builder->arena, descriptor));
	builder->history->events[builder->history->n_events++] = event;
	return event->workflow_execution_started_event_attributes;
}

#define ADD(builder_, NAME_, name_) \
	add((builder_), ENUMS__EVENT_TYPE__EVENT_TYPE_##NAME_, \
		HISTORY__HISTORY_EVENT__ATTRIBUTES_##NAME_##_EVENT_ATTRIBUTES, \
		&history__##name_##_event_attributes__descriptor)

static int64_t count(const struct builder *builder)
{
	return (int64_t)builder->history->n_events;
}

static void add_started(struct builder *builder)
{
	ADD(builder, WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled);

	History__WorkflowTaskStartedEventAttributes *started =
		ADD(builder, WORKFLOW_TASK_STARTED, workflow_task_started);

	started->scheduled_event_id = count(builder) - 1;
}

static void add_completed(struct builder *builder)
{
	History__WorkflowTaskCompletedEventAttributes *completed =
		ADD(builder, WORKFLOW_TASK_COMPLETED, workflow_task_completed);

	completed->scheduled_event_id = count(builder) - 2;
	completed->started_event_id = count(builder) - 1;
	message_set(builder->arena, &completed->base, "sdk_metadata.core_used_flags", "1,2,3");
}

static void add_activity(struct builder *builder, int number)
{
	char id[16];

	snprintf(id, sizeof(id), "%d", number);

	History__ActivityTaskScheduledEventAttributes *scheduled =
		ADD(builder, ACTIVITY_TASK_SCHEDULED, activity_task_scheduled);
	int64_t scheduled_id = count(builder);

	message_set(builder->arena, &scheduled->base, "activity_id", id);
	message_set(builder->arena, &scheduled->base, "activity_type", "echo");

	History__ActivityTaskStartedEventAttributes *started =
		ADD(builder, ACTIVITY_TASK_STARTED, activity_task_started);

	started->scheduled_event_id = scheduled_id;

	History__ActivityTaskCompletedEventAttributes *completed =
		ADD(builder, ACTIVITY_TASK_COMPLETED, activity_task_completed);

	completed->scheduled_event_id = scheduled_id;
	completed->started_event_id = scheduled_id + 1;
	message_set(builder->arena, &completed->base, "result", "\"result\"");
}

static History__History *build(struct arena *arena, int activities)
{
	struct builder builder = { arena,
		must(PROTO_NEW(arena, History__History, history__history)) };

	builder.history->events =
		must(arena_array(arena, (size_t)activities * 6 + 8, sizeof(void *)));
	ADD(&builder, WORKFLOW_EXECUTION_STARTED, workflow_execution_started);
	add_started(&builder);
	for (int i = 1; i <= activities; i++) {
		add_completed(&builder);
		add_activity(&builder, i);
		add_started(&builder);
	}
	add_completed(&builder);
	ADD(&builder, WORKFLOW_EXECUTION_COMPLETED, workflow_execution_completed);
	return builder.history;
}

static void replay(const History__History *history, int activities)
{
	static const struct engine_config config = { .task_queue = "q", .sticky_queue = "s" };
	struct engine_run *run = must(engine_run_new(&config, "run"));
	struct engine_step step = engine_run_replay(run, history, "id", NULL);

	for (uint32_t seq = 1; step.action == ENGINE_ACTIVATE; seq++) {
		struct command command = { .kind = COMMAND_COMPLETE_WORKFLOW };
		struct completion completion = { .commands = &command, .n_commands = 1 };

		if (seq <= (uint32_t)activities) {
			command.kind = COMMAND_SCHEDULE_ACTIVITY;
			command.schedule_activity = (struct command_schedule_activity){
				.seq = seq,
				.activity_type = "echo",
			};
		}
		step = engine_run_complete(run, &completion);
	}
	if (step.action != ENGINE_IDLE) {
		fprintf(stderr, "%s\n", step.failure_text);
		exit(1);
	}
	engine_run_free(run);
}

int main(int argc, char **argv)
{
	int activities = argc > 1 ? atoi(argv[1]) : 1000;
	int times = argc > 2 ? atoi(argv[2]) : 100;
	struct timespec begin, end;
	struct arena arena;

	arena_init(&arena, 4096, ARENA_NO_BUDGET);

	History__History *history = build(&arena, activities);

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (int i = 0; i < times; i++)
		replay(history, activities);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);

	double seconds =
		(double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;

	printf("%zu events, %d times: %.0f events/s of CPU\n", history->n_events, times,
		(double)history->n_events * times / seconds);
	arena_finish(&arena);
	return 0;
}
