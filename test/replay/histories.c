/*
 * histories.c: walks recorded histories of other SDKs through the engine.
 *
 * Goal: no shape that a server and the SDKs have written crashes the engine, and what it has
 * machines for it replays. Method: a mirror plays the workflow: at each activation it gives the
 * commands whose events history has behind that task. So the engine must come to the end of the
 * history; or, if history has an event without a machine, fail and name the first one of them. Each
 * history is replayed whole, and again as a task whose history comes in pages of three events.
 *
 * The folder is $TEMPORAL_SHARED/histories (default: ../shared beside the source); without one the
 * test is skipped. The ids of timers are numbers in the histories of core-based SDKs and of Go; the
 * others have names that a sequence number is not, so their histories may only not crash.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/machine.h"
#include "engine/marker.h"
#include "proto/json.h"

#define SKIPPED   77
#define PATHS_MAX 2048
#define PAGE      3

static char *paths[PATHS_MAX];
static size_t n_paths;

static int note_path(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	const char *dot = strrchr(path, '.');

	(void)info;
	(void)ftw;
	if (type == FTW_F && dot && n_paths < PATHS_MAX &&
		(strcmp(dot, ".json") == 0 || strcmp(dot, ".bin") == 0))
		paths[n_paths++] = strdup(path);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct str read_all(struct arena *arena, const char *path)
{
	FILE *file = fopen(path, "rb");
	struct str text = { 0 };
	long size;

	if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 0) {
		char *data = arena_alloc(arena, (size_t)size);

		rewind(file);
		if (data)
			text = (struct str){ data, fread(data, 1, (size_t)size, file) };
	}
	if (file)
		fclose(file);
	return text;
}

/* The mirror: where it is in history, and the number that it gave to each timer and activity. */
struct mirror {
	const History__History *history;
	int64_t answered; /* the started event whose commands were given */
	/* History does not say it: what does not fit one type is tried with the other. */
	enum nexus_cancellation_type nexus_type;
	uint32_t n_commands;
	struct command commands[512];
};

static uint32_t number_of(const char *id)
{
	char *end;
	unsigned long number = strtoul(id, &end, 10);

	return *end || !number ? 0 : (uint32_t)number;
}

/* A number for an activity: its event's, which no other has. */
static uint32_t activity_number(const History__HistoryEvent *scheduled)
{
	return (uint32_t)scheduled->event_id;
}

#define TYPE(name_) ENUMS__EVENT_TYPE__EVENT_TYPE_##name_

/* The newest child of that id; 0: there is none. */
static uint32_t child_of(const History__History *history, const char *workflow_id)
{
	uint32_t found = 0;

	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_type == TYPE(START_CHILD_WORKFLOW_EXECUTION_INITIATED) &&
			strcmp(event->start_child_workflow_execution_initiated_event_attributes
					->workflow_id,
				workflow_id) == 0)
			found = (uint32_t)event->event_id;
	}
	return found;
}

/*
 * The marker of a patch, or the local activity whose outcome it is; or nothing: the engine makes
 * the upsert behind a patch itself.
 */
static bool mirror_marker(struct command *command, const History__HistoryEvent *event)
{
	static struct marker_patch patch;
	static struct marker_local local;
	static struct arena arena;

	if (!arena.budget)
		arena_init(&arena, 4096, ARENA_NO_BUDGET);
	if (marker_kind(event) == MARKER_LOCAL_ACTIVITY &&
		marker_read_local(event, &arena, &local)) {
		command->kind = COMMAND_SCHEDULE_LOCAL_ACTIVITY;
		command->schedule_local_activity.seq = local.seq;
		command->schedule_local_activity.activity_id = local.activity_id;
		command->schedule_local_activity.activity_type = local.activity_type;
		return true;
	}
	if (marker_kind(event) != MARKER_PATCH || !marker_read_patch(event, &arena, &patch))
		return false;
	command->kind = COMMAND_SET_PATCH_MARKER;
	command->set_patch_marker.patch_id = patch.id;
	command->set_patch_marker.deprecated = patch.deprecated;
	return true;
}

/* A number is that of the event: no other of its kind has it. False: no command made the event. */
static bool mirror_other(
	const struct mirror *mirror, struct command *command, const History__HistoryEvent *event)
{
	uint32_t seq = (uint32_t)event->event_id;

	switch (event->event_type) {
	case TYPE(START_CHILD_WORKFLOW_EXECUTION_INITIATED):
		command->kind = COMMAND_START_CHILD;
		command->start_child.seq = seq;
		command->start_child.workflow_id =
			event->start_child_workflow_execution_initiated_event_attributes
				->workflow_id;
		command->start_child.workflow_type =
			event->start_child_workflow_execution_initiated_event_attributes
				->workflow_type->name;
		command->start_child.cancellation_type = CHILD_WAIT_CANCELLATION_COMPLETED;
		return true;
	case TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED): {
		const History__RequestCancelExternalWorkflowExecutionInitiatedEventAttributes *to;

		to = event->request_cancel_external_workflow_execution_initiated_event_attributes;

		command->kind = to->child_workflow_only ? COMMAND_CANCEL_CHILD
							: COMMAND_REQUEST_CANCEL_EXTERNAL;
		command->cancel_external.seq =
			to->child_workflow_only
				? child_of(mirror->history, to->workflow_execution->workflow_id)
				: seq;
		return true;
	}
	case TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
		command->kind = COMMAND_SIGNAL_EXTERNAL;
		command->signal_external.seq = seq;
		return true;
	case TYPE(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
		command->kind = COMMAND_UPSERT_SEARCH_ATTRIBUTES;
		return !patch_is_versions(event);
	case TYPE(WORKFLOW_PROPERTIES_MODIFIED):
		command->kind = COMMAND_MODIFY_PROPERTIES;
		return true;
	case TYPE(NEXUS_OPERATION_SCHEDULED):
		command->kind = COMMAND_SCHEDULE_NEXUS;
		command->schedule_nexus.seq = seq;
		command->schedule_nexus.cancellation_type = mirror->nexus_type;
		return true;
	case TYPE(NEXUS_OPERATION_CANCEL_REQUESTED):
		command->kind = COMMAND_REQUEST_CANCEL_NEXUS;
		command->request_cancel_nexus.seq =
			(uint32_t)event->nexus_operation_cancel_requested_event_attributes
				->scheduled_event_id;
		return true;
	case TYPE(MARKER_RECORDED):
		return mirror_marker(command, event);
	default:
		return false;
	}
}

static void mirror_event(struct mirror *mirror, const History__HistoryEvent *event)
{
	struct command *command = &mirror->commands[mirror->n_commands];

	*command = (struct command){ 0 };
	switch (event->event_type) {
	case TYPE(TIMER_STARTED):
		command->kind = COMMAND_START_TIMER;
		command->start_timer.seq =
			number_of(event->timer_started_event_attributes->timer_id);
		break;
	case TYPE(TIMER_CANCELED):
		command->kind = COMMAND_CANCEL_TIMER;
		command->cancel_timer.seq =
			number_of(event->timer_canceled_event_attributes->timer_id);
		break;
	case TYPE(ACTIVITY_TASK_SCHEDULED):
		command->kind = COMMAND_SCHEDULE_ACTIVITY;
		command->schedule_activity.seq = activity_number(event);
		command->schedule_activity.activity_id =
			event->activity_task_scheduled_event_attributes->activity_id;
		command->schedule_activity.activity_type =
			event->activity_task_scheduled_event_attributes->activity_type->name;
		command->schedule_activity.cancellation_type = ACTIVITY_WAIT_CANCELLATION_COMPLETED;
		break;
	case TYPE(ACTIVITY_TASK_CANCEL_REQUESTED):
		command->kind = COMMAND_REQUEST_CANCEL_ACTIVITY;
		command->request_cancel_activity.seq =
			(uint32_t)event->activity_task_cancel_requested_event_attributes
				->scheduled_event_id;
		break;
	case TYPE(WORKFLOW_EXECUTION_UPDATE_ACCEPTED):
		command->kind = COMMAND_UPDATE_RESPONSE;
		command->update_response.protocol_instance_id =
			event->workflow_execution_update_accepted_event_attributes
				->protocol_instance_id;
		break;
	case TYPE(WORKFLOW_EXECUTION_UPDATE_COMPLETED):
		command->kind = COMMAND_UPDATE_RESPONSE;
		command->update_response.response = UPDATE_COMPLETED;
		command->update_response.protocol_instance_id =
			event->workflow_execution_update_completed_event_attributes->meta
				->update_id;
		break;
	case TYPE(WORKFLOW_EXECUTION_COMPLETED):
		command->kind = COMMAND_COMPLETE_WORKFLOW;
		break;
	case TYPE(WORKFLOW_EXECUTION_FAILED):
		command->kind = COMMAND_FAIL_WORKFLOW;
		break;
	case TYPE(WORKFLOW_EXECUTION_CANCELED):
		command->kind = COMMAND_CANCEL_WORKFLOW;
		break;
	case TYPE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
		command->kind = COMMAND_CONTINUE_AS_NEW;
		break;
	default:
		if (!mirror_other(mirror, command, event))
			return;
		break;
	}
	mirror->n_commands++;
}

/* The commands of the task that began with the event `started`; none the second time. */
static struct completion mirror_answer(struct mirror *mirror, int64_t started)
{
	size_t i = 0;

	mirror->n_commands = 0;
	if (started > mirror->answered) {
		while (i < mirror->history->n_events &&
			mirror->history->events[i]->event_id <= started)
			i++;
		for (i++; i < mirror->history->n_events && mirror->n_commands < 500; i++) {
			if (!(event_info(mirror->history->events[i])->flags & EVENT_COMMAND))
				break;
			mirror_event(mirror, mirror->history->events[i]);
		}
		mirror->answered = started;
	}
	return (struct completion){
		.commands = mirror->commands,
		.n_commands = mirror->n_commands,
	};
}

static const struct engine_config config = { .task_queue = "q", .sticky_queue = "s" };

static Workflowservice__GetWorkflowExecutionHistoryResponse page_at(
	const History__History *history, size_t at, History__History *part)
{
	Workflowservice__GetWorkflowExecutionHistoryResponse page =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_RESPONSE__INIT;

	*part = (History__History)HISTORY__HISTORY__INIT;
	part->events = history->events + at;
	part->n_events = history->n_events - at < PAGE ? history->n_events - at : PAGE;
	page.history = part;
	if (at + part->n_events < history->n_events)
		page.next_page_token = (ProtobufCBinaryData){ 4, (uint8_t *)(uintptr_t) "more" };
	return page;
}

/* Plays worker and server until the engine is done with the task; the step says how. */
static struct engine_step drive(
	struct engine_run *run, struct mirror *mirror, struct engine_step step)
{
	size_t at = 0;

	for (;;) {
		if (step.action == ENGINE_ACTIVATE) {
			struct completion completion =
				mirror_answer(mirror, (int64_t)step.activation->history_length);

			step = engine_run_complete(run, &completion);
		} else if (step.action == ENGINE_FETCH_HISTORY) {
			History__History part;
			struct arena arena;
			Workflowservice__GetWorkflowExecutionHistoryResponse page =
				page_at(mirror->history, at, &part);

			at += part.n_events;
			arena_init(&arena, 256, ARENA_NO_BUDGET);
			step = engine_run_history(run, &page, &arena, TEMPORAL_OK);
		} else {
			return step;
		}
	}
}

static struct engine_step replay_whole(struct engine_run *run, struct mirror *mirror)
{
	return drive(run, mirror, engine_run_replay(run, mirror->history, "id", NULL));
}

/* As a query's task that says nothing of history. */
static struct engine_step replay_pages(struct engine_run *run, struct mirror *mirror)
{
	Workflowservice__PollWorkflowTaskQueueResponse task =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_RESPONSE__INIT;
	Query__WorkflowQuery query = QUERY__WORKFLOW_QUERY__INIT;
	struct arena arena;

	arena_init(&arena, 256, ARENA_NO_BUDGET);
	task.task_token = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "t" };
	task.attempt = 1;
	task.query = &query;
	task.previous_started_event_id = INT64_MAX;
	return drive(run, mirror, engine_run_task(run, &task, &arena));
}

/* The first event that the engine has no machine for; NULL if it has all. */
static const History__HistoryEvent *first_unbuilt(const History__History *history)
{
	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event_info(event)->machine == MACHINE_NOT_BUILT && !event->worker_may_ignore)
			return event;
		if (event->event_type == TYPE(MARKER_RECORDED) &&
			marker_kind(event) == MARKER_OTHER)
			return event;
	}
	return NULL;
}

/* The event that this one cancels what it began; 0 if it cancels nothing. */
static int64_t cancels(const History__HistoryEvent *event)
{
	if (event->event_type == TYPE(TIMER_CANCELED))
		return event->timer_canceled_event_attributes->started_event_id;
	if (event->event_type == TYPE(ACTIVITY_TASK_CANCEL_REQUESTED))
		return event->activity_task_cancel_requested_event_attributes->scheduled_event_id;
	if (event->event_type == TYPE(NEXUS_OPERATION_CANCEL_REQUESTED))
		return event->nexus_operation_cancel_requested_event_attributes->scheduled_event_id;
	return 0;
}

/*
 * Do ids and shape allow the mirror to play this one? What is begun and cancelled in one task, as
 * Go writes it, a core-based SDK never sends.
 */
static bool is_playable(const History__History *history)
{
	int64_t task = 0;

	for (size_t i = 0; i < history->n_events; i++) {
		const History__HistoryEvent *event = history->events[i];

		if (event->event_id != (int64_t)i + 1)
			return false;
		if (event->event_type == TYPE(WORKFLOW_TASK_COMPLETED))
			task = event->event_id;
		if (event->event_type == TYPE(TIMER_STARTED) &&
			!number_of(event->timer_started_event_attributes->timer_id))
			return false;
		if (cancels(event) > task)
			return false;
	}
	return true;
}

struct tally {
	unsigned histories, replayed, named, unplayable, failed;
};

static void judge(struct tally *tally, const char *path, const char *how,
	const History__History *history, const struct engine_step *step, bool done)
{
	const History__HistoryEvent *unbuilt = first_unbuilt(history);
	char expected[96] = "";

	if (!is_playable(history)) {
		tally->unplayable++;
		return;
	}
	if (!unbuilt && done) {
		tally->replayed++;
		return;
	}
	if (unbuilt)
		snprintf(expected, sizeof(expected), "event %lld ", (long long)unbuilt->event_id);
	if (unbuilt && step->failure_text && strstr(step->failure_text, expected)) {
		tally->named++;
		return;
	}
	tally->failed++;
	fprintf(stderr, "%s (%s): expected %s%s; the engine says %d: %s\n", path, how,
		unbuilt ? "a failure that names " : "the end of history", expected,
		(int)step->action, step->failure_text ? step->failure_text : "");
}

static bool is_whole(const struct engine_step *step)
{
	return step->action == ENGINE_IDLE;
}

/* The mirror does not answer the query, which the engine says at the end. */
static bool is_all_pages(const struct engine_step *step)
{
	return step->failure_text && strstr(step->failure_text, "no answer to the query");
}

static void walk_as(struct tally *tally, const char *path, const History__History *history,
	const char *how, struct engine_step (*replay)(struct engine_run *, struct mirror *),
	bool (*is_done)(const struct engine_step *))
{
	static struct mirror mirror;
	struct engine_run *run = NULL;
	struct engine_step step;

	for (int type = NEXUS_WAIT_CANCELLATION_COMPLETED;
		type <= NEXUS_WAIT_CANCELLATION_REQUESTED; type++) {
		engine_run_free(run);
		run = engine_run_new(&config, "run");
		mirror = (struct mirror){ .history = history,
			.nexus_type = (enum nexus_cancellation_type)type };
		step = replay(run, &mirror);
		if (is_done(&step))
			break;
	}
	judge(tally, path, how, history, &step, is_done(&step));
	engine_run_free(run);
}

static void walk(struct tally *tally, const char *path, const History__History *history)
{
	tally->histories++;
	walk_as(tally, path, history, "whole", replay_whole, is_whole);
	walk_as(tally, path, history, "in pages", replay_pages, is_all_pages);
}

/* One history, or an array of them. */
static unsigned walk_json(struct tally *tally, const char *path, struct str text)
{
	struct temporal_error err;
	struct arena arena;
	unsigned unread = 0;

	arena_init(&arena, 4096, ARENA_NO_BUDGET);

	History__History *history =
		proto_from_json(&arena, &history__history__descriptor, text, true, &err);

	if (history) {
		walk(tally, path, history);
	} else {
		fprintf(stderr, "%s: not read: %s\n", path, err.message);
		unread = 1;
	}
	arena_finish(&arena);
	return unread;
}

static unsigned walk_file(struct tally *tally, const char *path)
{
	struct arena arena;
	struct str text;
	unsigned unread = 0;

	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	text = read_all(&arena, path);
	if (strcmp(strrchr(path, '.'), ".bin") != 0) {
		while (text.len && text.ptr[0] == '[') { /* an array of one, as the CLI writes it */
			text.ptr++;
			text.len--;
			while (text.len && text.ptr[text.len - 1] != ']')
				text.len--;
			text.len -= text.len ? 1 : 0;
		}
		unread = walk_json(tally, path, text);
	} else {
		History__History *history = proto_decode(
			&arena, &history__history__descriptor, text.ptr, text.len, NULL, NULL);

		if (history)
			walk(tally, path, history);
		else
			unread = 1;
	}
	arena_finish(&arena);
	return unread;
}

int main(int argc, char **argv)
{
	const char *shared = getenv("TEMPORAL_SHARED");
	struct tally tally = { 0 };
	unsigned unread = 0;
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s%s/histories",
		shared     ? shared
		: argc > 1 ? argv[1]
			   : "..",
		shared ? "" : "/../shared");
	if (nftw(folder, note_path, 16, FTW_PHYS) != 0 || !n_paths) {
		printf("no recorded histories in %s (TEMPORAL_SHARED)\n", folder);
		return SKIPPED;
	}
	qsort(paths, n_paths, sizeof(*paths), by_name);
	for (size_t i = 0; i < n_paths; i++) {
		unread += walk_file(&tally, paths[i]);
		free(paths[i]);
	}
	printf("%u histories, each whole and in pages: %u replayed, %u failed naming the event, "
	       "%u of a shape that only must not crash, %u wrong; %u files not read\n",
		tally.histories, tally.replayed, tally.named, tally.unplayable, tally.failed,
		unread);
	return tally.failed || !tally.replayed ? 1 : 0;
}
