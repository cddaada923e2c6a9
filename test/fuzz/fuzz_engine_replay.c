/*
 * The engine. Goal: no history, no behaviour of the workflow and no answer of the server crashes
 * it, makes it leak, or keeps it going for ever. Method: the input's first byte chooses how history
 * comes (replay, task, pages), the next 31 are a tape that the workflow's commands and the server's
 * answers are read from, the rest is decoded as a History. With one bit of the first byte the
 * events are numbered anew, with another the workflow follows history where it can, so that mutated
 * histories get further than their first event.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/event.h"
#include "fuzz/fuzz.h"
#include "proto/codec.h"

#define MEMORY_MAX   (64U << 20)
#define TAPE         31
#define STEPS_MAX    200
#define COMMANDS_MAX 8

enum mode {
	RENUMBER = 1,
	FOLLOW = 2,
	TASK = 4,
	PAGES = 8,
	UNCACHED = 16,
	FAIL_RUN = 32,
	QUERY = 64
};

struct fuzz {
	const uint8_t *tape;
	size_t at;
	unsigned mode;
	const History__History *history;
	size_t fetched; /* events given out in pages */
	struct command commands[COMMANDS_MAX];
};

static uint8_t draw(struct fuzz *fuzz)
{
	return fuzz->tape[fuzz->at++ % TAPE];
}

static void renumber(const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++)
		history->events[i]->event_id = (int64_t)i + 1;
}

static struct command random_command(struct fuzz *fuzz)
{
	static const Failure__Failure failure = FAILURE__FAILURE__INIT;
	struct command command = { .kind = draw(fuzz) % (COMMAND_REQUEST_CANCEL_NEXUS + 2) };
	uint32_t seq = draw(fuzz) % 6;

	switch (command.kind) {
	case COMMAND_START_TIMER:
		command.start_timer.seq = seq;
		command.start_timer.start_to_fire_ns = draw(fuzz);
		break;
	case COMMAND_CANCEL_TIMER:
		command.cancel_timer.seq = seq;
		break;
	case COMMAND_SCHEDULE_ACTIVITY:
		command.schedule_activity.seq = seq;
		command.schedule_activity.activity_type = "a";
		command.schedule_activity.cancellation_type = draw(fuzz) % 4;
		break;
	case COMMAND_REQUEST_CANCEL_ACTIVITY:
		command.request_cancel_activity.seq = seq;
		break;
	case COMMAND_QUERY_RESULT:
		command.query_result.query_id = "q";
		command.query_result.failure = seq & 1 ? &failure : NULL;
		break;
	default:
		break;
	}
	return command;
}

/* The command that the event was made by, if the engine has such. */
static bool follow_event(const History__HistoryEvent *event, struct command *command)
{
	*command = (struct command){ 0 };
	if (!event_has_attributes(event))
		return false;
	switch (event->event_type) {
	case ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_STARTED:
		command->kind = COMMAND_START_TIMER;
		command->start_timer.seq = (uint32_t)strtoul(
			event->timer_started_event_attributes->timer_id, NULL, 10);
		return true;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_CANCELED:
		command->kind = COMMAND_CANCEL_TIMER;
		command->cancel_timer.seq = (uint32_t)strtoul(
			event->timer_canceled_event_attributes->timer_id, NULL, 10);
		return true;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		command->kind = COMMAND_SCHEDULE_ACTIVITY;
		command->schedule_activity.seq = (uint32_t)event->event_id;
		command->schedule_activity.activity_id =
			event->activity_task_scheduled_event_attributes->activity_id;
		command->schedule_activity.activity_type = "a";
		command->schedule_activity.cancellation_type =
			(enum activity_cancellation_type)((uint64_t)event->event_id % 3);
		return true;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
		command->kind = COMMAND_REQUEST_CANCEL_ACTIVITY;
		command->request_cancel_activity.seq =
			(uint32_t)event->activity_task_cancel_requested_event_attributes
				->scheduled_event_id;
		return true;
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		command->kind = COMMAND_COMPLETE_WORKFLOW;
		return true;
	default:
		return false;
	}
}

static size_t follow(struct fuzz *fuzz, uint32_t started)
{
	size_t count = 0;

	for (size_t i = (size_t)started + 1; i < fuzz->history->n_events; i++) {
		const History__HistoryEvent *event = fuzz->history->events[i];

		if (!(event_info(event)->flags & EVENT_COMMAND) || count == COMMANDS_MAX)
			break;
		if (follow_event(event, &fuzz->commands[count]))
			count++;
	}
	return count;
}

static struct completion answer(struct fuzz *fuzz, const struct activation *activation)
{
	struct completion completion = { .commands = fuzz->commands };

	for (size_t i = 0; i < activation->n_jobs; i++)
		if (activation->jobs[i].kind == JOB_REMOVE_FROM_CACHE)
			return completion;
	if (fuzz->mode & FOLLOW && draw(fuzz) % 8) {
		completion.n_commands = follow(fuzz, activation->history_length);
	} else {
		completion.n_commands = draw(fuzz) % COMMANDS_MAX;
		for (size_t i = 0; i < completion.n_commands; i++)
			fuzz->commands[i] = random_command(fuzz);
	}
	completion.failed = draw(fuzz) % 32 == 31;
	return completion;
}

static struct engine_step give_page(struct fuzz *fuzz, struct engine_run *run)
{
	Workflowservice__GetWorkflowExecutionHistoryResponse page =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_RESPONSE__INIT;
	History__History part = HISTORY__HISTORY__INIT;
	struct arena arena;
	size_t left = fuzz->history->n_events - fuzz->fetched;

	if (draw(fuzz) % 64 == 63)
		return engine_run_history(run, NULL, NULL, TEMPORAL_UNAVAILABLE);
	part.n_events = draw(fuzz) % 5;
	if (part.n_events > left)
		part.n_events = left;
	if (left)
		part.events = fuzz->history->events + fuzz->fetched;
	fuzz->fetched += part.n_events;
	page.history = &part;
	if (fuzz->fetched < fuzz->history->n_events)
		page.next_page_token = (ProtobufCBinaryData){ 4, (uint8_t *)(uintptr_t) "more" };
	arena_init(&arena, 256, MEMORY_MAX);
	return engine_run_history(run, &page, &arena, TEMPORAL_OK);
}

/* A task with the whole history, or with none of it. */
static struct engine_step give_task(struct fuzz *fuzz, struct engine_run *run)
{
	struct arena arena;
	Workflowservice__PollWorkflowTaskQueueResponse *task;
	Query__WorkflowQuery *query;

	arena_init(&arena, 1024, MEMORY_MAX);
	task = PROTO_NEW(&arena, Workflowservice__PollWorkflowTaskQueueResponse,
		workflowservice__poll_workflow_task_queue_response);
	query = PROTO_NEW(&arena, Query__WorkflowQuery, query__workflow_query);
	if (!task || !query)
		abort();
	task->task_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "t" };
	task->attempt = 1 + draw(fuzz) % 2;
	task->previous_started_event_id = draw(fuzz) % 32;
	task->started_event_id = draw(fuzz) % 32;
	if (!(fuzz->mode & PAGES))
		task->history = proto_copy(&arena, fuzz->history);
	if (fuzz->mode & QUERY)
		task->query = query;
	return engine_run_task(run, task, &arena);
}

static struct engine_step respond(struct fuzz *fuzz, struct engine_run *run)
{
	static const enum temporal_code codes[] = { TEMPORAL_OK, TEMPORAL_NOT_FOUND,
		TEMPORAL_INVALID_ARGUMENT, TEMPORAL_RESOURCE_EXHAUSTED };
	Workflowservice__RespondWorkflowTaskCompletedResponse response =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_RESPONSE__INIT;
	unsigned how = draw(fuzz);

	if (how % 8 == 7)
		response.reset_history_event_id = draw(fuzz);
	return engine_run_responded(
		run, how >= 192 ? codes[how % 4] : TEMPORAL_OK, "larger than max", &response, NULL);
}

/* Some local activities end, whether there are such or not; or the time or the worker is over. */
static struct engine_step end_locals(struct fuzz *fuzz, struct engine_run *run)
{
	static Common__Payload value = COMMON__PAYLOAD__INIT;
	static Failure__Failure failure = FAILURE__FAILURE__INIT;
	struct local_result results[3];
	unsigned how = draw(fuzz);

	if (how % 16 == 15)
		return engine_run_drop(run);
	if (how % 16 == 14)
		return engine_run_heartbeat(run);
	for (size_t i = 0; i < 3; i++) {
		results[i] = (struct local_result){ .seq = draw(fuzz) % 8, .attempt = 1 };
		if (how & 32)
			results[i].failure = &failure;
		else
			results[i].result = &value;
		if (how & 64)
			results[i].backoff_ms = 60000;
	}
	return engine_run_locals(run, results, 3);
}

static void drive(struct fuzz *fuzz, struct engine_run *run, struct engine_step step)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		struct completion completion;

		switch (step.action) {
		case ENGINE_ACTIVATE:
			completion = answer(fuzz, step.activation);
			step = engine_run_complete(run, &completion);
			break;
		case ENGINE_FETCH_HISTORY:
			step = give_page(fuzz, run);
			break;
		case ENGINE_WAIT_LOCALS:
			step = end_locals(fuzz, run);
			break;
		case ENGINE_IDLE:
			step = draw(fuzz) % 4 ? give_task(fuzz, run)
					      : engine_run_evict(run, EVICTION_CACHE_FULL, "");
			break;
		case ENGINE_EVICT:
			return;
		default:
			step = respond(fuzz, run);
			break;
		}
		(void)engine_run_memory(run);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct engine_config config = { .task_queue = "q", .identity = "i", .sticky_queue = "s" };
	struct fuzz fuzz = { 0 };
	struct engine_run *run;
	struct arena arena;

	if (size < 1 + TAPE)
		return 0;
	fuzz.mode = data[0];
	fuzz.tape = data + 1;
	arena_init(&arena, 1024, MEMORY_MAX);
	fuzz.history = proto_decode(&arena, &history__history__descriptor, data + 1 + TAPE,
		size - 1 - TAPE, NULL, NULL);
	config.sticky_queue = fuzz.mode & UNCACHED ? NULL : "s";
	config.fail_run_on_nondeterminism = fuzz.mode & FAIL_RUN;
	run = engine_run_new(&config, "run");
	if (!run)
		abort();
	if (fuzz.history) {
		if (fuzz.mode & RENUMBER)
			renumber(fuzz.history);
		drive(&fuzz, run,
			fuzz.mode & TASK ? give_task(&fuzz, run)
					 : engine_run_replay(run, fuzz.history, "id", NULL));
	}
	engine_run_free(run);
	arena_finish(&arena);
	return 0;
}
