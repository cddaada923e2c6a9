/*
 * What decoding and encoding a history costs: a poll's reply with 1,001 events of a workflow that
 * runs 166 activities one after another, as the real server writes them (some 120 KB), built here.
 *
 * Prints microseconds of processor time (the median of the rounds) and MB/s.   bench_codec [rounds]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/codec.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define ACTIVITIES 166
#define EVENTS     (5 + ACTIVITIES * 6)

static struct arena arena;

static void *need(void *memory)
{
	if (!memory) {
		fputs("bench_codec: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

#define NEW(Type_, prefix_) need(PROTO_NEW(&arena, Type_, prefix_))

static Google__Duration *seconds(int64_t n)
{
	Google__Duration *duration = NEW(Google__Duration, google__duration);

	duration->seconds = n;
	return duration;
}

static Taskqueue__TaskQueue *task_queue(void)
{
	Taskqueue__TaskQueue *queue = NEW(Taskqueue__TaskQueue, taskqueue__task_queue);

	queue->name = "bench";
	queue->kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	return queue;
}

static Common__Payloads *payloads(const char *json)
{
	Common__Payloads *all = NEW(Common__Payloads, common__payloads);
	Common__Payload *one = NEW(Common__Payload, common__payload);
	Common__Payload__MetadataEntry *entry =
		NEW(Common__Payload__MetadataEntry, common__payload__metadata_entry);

	entry->key = "encoding";
	entry->value.data = need(arena_strdup(&arena, "json/plain"));
	entry->value.len = strlen("json/plain");
	one->n_metadata = 1;
	one->metadata = need(arena_memdup(&arena, &entry, sizeof(entry)));
	one->data.data = need(arena_strdup(&arena, json));
	one->data.len = strlen(json);
	all->n_payloads = 1;
	all->payloads = need(arena_memdup(&arena, &one, sizeof(one)));
	return all;
}

static History__HistoryEvent *event_new(int64_t id, Enums__EventType type)
{
	History__HistoryEvent *event = NEW(History__HistoryEvent, history__history_event);

	event->event_id = id;
	event->event_type = type;
	event->task_id = 1048576 + id;
	event->event_time = NEW(Google__Timestamp, google__timestamp);
	event->event_time->seconds = 1763900000 + id / 100;
	event->event_time->nanos = (int32_t)(id % 100) * 9999999;
	return event;
}

static void activity_scheduled(History__HistoryEvent *event)
{
	History__ActivityTaskScheduledEventAttributes *attributes =
		NEW(History__ActivityTaskScheduledEventAttributes,
			history__activity_task_scheduled_event_attributes);

	attributes->activity_id = need(arena_printf(&arena, "%lld", (long long)event->event_id));
	attributes->activity_type = NEW(Common__ActivityType, common__activity_type);
	attributes->activity_type->name = "echo";
	attributes->task_queue = task_queue();
	attributes->input = payloads("\"hello\"");
	attributes->schedule_to_close_timeout = seconds(0);
	attributes->schedule_to_start_timeout = seconds(0);
	attributes->start_to_close_timeout = seconds(10);
	attributes->heartbeat_timeout = seconds(0);
	attributes->workflow_task_completed_event_id = event->event_id - 1;
	attributes->retry_policy = NEW(Common__RetryPolicy, common__retry_policy);
	attributes->retry_policy->initial_interval = seconds(1);
	attributes->retry_policy->backoff_coefficient = 2;
	attributes->retry_policy->maximum_interval = seconds(100);
	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_ACTIVITY_TASK_SCHEDULED_EVENT_ATTRIBUTES;
	event->activity_task_scheduled_event_attributes = attributes;
}

static void activity_started(History__HistoryEvent *event)
{
	History__ActivityTaskStartedEventAttributes *attributes =
		NEW(History__ActivityTaskStartedEventAttributes,
			history__activity_task_started_event_attributes);

	attributes->scheduled_event_id = event->event_id - 1;
	attributes->identity = "12345@benchmark-host.example.net";
	attributes->request_id = "1a2b3c4d-0000-4000-8000-0123456789ab";
	attributes->attempt = 1;
	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_ACTIVITY_TASK_STARTED_EVENT_ATTRIBUTES;
	event->activity_task_started_event_attributes = attributes;
}

static Common__WorkerVersionStamp *worker_version(void)
{
	Common__WorkerVersionStamp *stamp =
		NEW(Common__WorkerVersionStamp, common__worker_version_stamp);

	stamp->build_id = "0123456789abcdef0123456789abcdef";
	return stamp;
}

static void activity_completed(History__HistoryEvent *event)
{
	History__ActivityTaskCompletedEventAttributes *attributes =
		NEW(History__ActivityTaskCompletedEventAttributes,
			history__activity_task_completed_event_attributes);

	attributes->result = payloads("\"hello\"");
	attributes->scheduled_event_id = event->event_id - 2;
	attributes->started_event_id = event->event_id - 1;
	attributes->identity = "12345@benchmark-host.example.net";
	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_ACTIVITY_TASK_COMPLETED_EVENT_ATTRIBUTES;
	event->activity_task_completed_event_attributes = attributes;
}

static void workflow_task_scheduled(History__HistoryEvent *event)
{
	History__WorkflowTaskScheduledEventAttributes *attributes =
		NEW(History__WorkflowTaskScheduledEventAttributes,
			history__workflow_task_scheduled_event_attributes);

	attributes->task_queue = task_queue();
	attributes->task_queue->kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY;
	attributes->task_queue->name =
		"12345@benchmark-host.example.net:0123456789abcdef0123456789abcdef";
	attributes->task_queue->normal_name = "bench";
	attributes->start_to_close_timeout = seconds(10);
	attributes->attempt = 1;
	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_SCHEDULED_EVENT_ATTRIBUTES;
	event->workflow_task_scheduled_event_attributes = attributes;
}

static void workflow_task_started(History__HistoryEvent *event)
{
	History__WorkflowTaskStartedEventAttributes *attributes =
		NEW(History__WorkflowTaskStartedEventAttributes,
			history__workflow_task_started_event_attributes);

	attributes->scheduled_event_id = event->event_id - 1;
	attributes->identity = "12345@benchmark-host.example.net";
	attributes->request_id = "1a2b3c4d-0000-4000-8000-0123456789ab";
	attributes->history_size_bytes = event->event_id * 120;
	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_STARTED_EVENT_ATTRIBUTES;
	event->workflow_task_started_event_attributes = attributes;
}

static void workflow_task_completed(History__HistoryEvent *event)
{
	History__WorkflowTaskCompletedEventAttributes *attributes =
		NEW(History__WorkflowTaskCompletedEventAttributes,
			history__workflow_task_completed_event_attributes);

	attributes->scheduled_event_id = event->event_id - 2;
	attributes->started_event_id = event->event_id - 1;
	attributes->identity = "12345@benchmark-host.example.net";
	attributes->sdk_metadata =
		NEW(Sdk__WorkflowTaskCompletedMetadata, sdk__workflow_task_completed_metadata);
	attributes->metering_metadata = NEW(Common__MeteringMetadata, common__metering_metadata);
	attributes->worker_version = worker_version();
	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_COMPLETED_EVENT_ATTRIBUTES;
	event->workflow_task_completed_event_attributes = attributes;
}

static void workflow_started(History__HistoryEvent *event)
{
	History__WorkflowExecutionStartedEventAttributes *attributes =
		NEW(History__WorkflowExecutionStartedEventAttributes,
			history__workflow_execution_started_event_attributes);

	attributes->workflow_type = NEW(Common__WorkflowType, common__workflow_type);
	attributes->workflow_type->name = "chain";
	attributes->task_queue = task_queue();
	attributes->input = payloads("\"hello\"");
	attributes->identity = "12345@benchmark-host.example.net";
	attributes->original_execution_run_id = "019abcde-0000-7000-8000-0123456789ab";
	attributes->first_execution_run_id = "019abcde-0000-7000-8000-0123456789ab";
	attributes->attempt = 1;
	attributes->workflow_id = "chain-1";
	event->attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES;
	event->workflow_execution_started_event_attributes = attributes;
}

struct step {
	Enums__EventType type;
	void (*fill)(History__HistoryEvent *event);
};

static const struct step steps[] = {
	{ ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled },
	{ ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED, workflow_task_started },
	{ ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED, workflow_task_completed },
	{ ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, activity_scheduled },
	{ ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_STARTED, activity_started },
	{ ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_COMPLETED, activity_completed },
};

static History__History *history(void)
{
	static const struct step start = { ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		workflow_started };
	History__History *history = NEW(History__History, history__history);

	history->n_events = EVENTS;
	history->events = need(arena_array(&arena, EVENTS, sizeof(history->events[0])));
	for (size_t i = 0; i < EVENTS; i++) {
		const struct step *step = i ? &steps[(i - 1) % 6] : &start;

		history->events[i] = event_new((int64_t)i + 1, step->type);
		step->fill(history->events[i]);
	}
	return history;
}

static struct bytes poll_reply(void)
{
	Workflowservice__PollWorkflowTaskQueueResponse *reply =
		NEW(Workflowservice__PollWorkflowTaskQueueResponse,
			workflowservice__poll_workflow_task_queue_response);
	struct bytes out;

	reply->workflow_execution = NEW(Common__WorkflowExecution, common__workflow_execution);
	reply->workflow_execution->workflow_id = "chain-1";
	reply->workflow_execution->run_id = "019abcde-0000-7000-8000-0123456789ab";
	reply->workflow_type = NEW(Common__WorkflowType, common__workflow_type);
	reply->workflow_type->name = "chain";
	reply->started_event_id = EVENTS;
	reply->attempt = 1;
	reply->history = history();
	if (proto_encode(&arena, reply, 0, &out, NULL) != TEMPORAL_OK)
		exit(1);
	return out;
}

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static void report(const char *what, double *times, size_t n, size_t bytes)
{
	qsort(times, n, sizeof(times[0]), by_value);
	printf("%-7s %8.1f us  %7.1f MB/s  (median of %zu; best %.1f us)\n", what, times[n / 2],
		(double)bytes / times[n / 2], n, times[0]);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 500;
	double *decode = calloc(rounds + 1, sizeof(double));
	double *encode = calloc(rounds + 1, sizeof(double));
	struct arena task = { 0 };
	struct bytes out = { 0 };

	if (!decode || !encode || rounds == 0)
		return 1;
	arena_init(&arena, 64 * 1024, ARENA_NO_BUDGET);
	arena_init(&task, 1024 * 1024, ARENA_NO_BUDGET);
	struct bytes data = poll_reply();
	for (size_t i = 0; i < rounds; i++) {
		double started = cpu_us();
		const void *reply = need(proto_decode(&task,
			&workflowservice__poll_workflow_task_queue_response__descriptor, data.ptr,
			data.len, NULL, NULL));
		double decoded = cpu_us();

		if (proto_encode(&task, reply, 5, &out, NULL) != TEMPORAL_OK)
			return 1;
		encode[i] = cpu_us() - decoded;
		decode[i] = decoded - started;
		if (out.len != data.len + 5 || memcmp(out.ptr + 5, data.ptr, data.len) != 0)
			return 1;
		arena_reset(&task);
	}
	printf("%d events, %zu bytes\n", EVENTS, data.len);
	report("decode", decode, rounds, data.len);
	report("encode", encode, rounds, data.len);
	arena_finish(&task);
	arena_finish(&arena);
	free(decode);
	free(encode);
	return 0;
}
