/* build.c: from lines to the structs that the engine is given. */
#include "build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "message.h"
#include "proto/codec.h"
#include "proto/enum_name.h"
#include "proto/payload.h"

#define EVENTS_MAX   4096
#define COMMANDS_MAX 256

static void *must(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

const struct line *reader_take(struct reader *reader, const char *heads)
{
	char word[64];
	const struct line *line;

	if (reader->at >= reader->script.count)
		return NULL;
	line = &reader->script.lines[reader->at];
	snprintf(word, sizeof(word), " %s ", line->words[0]);
	if (!strstr(heads, word))
		return NULL;
	reader->at++;
	return line;
}

/* The number of an event type by its name; a number stands for itself. */
static Enums__EventType type_of(const char *name)
{
	int type;

	if (!proto_enum_value(&enums__event_type__descriptor, str_from(name), &type))
		type = atoi(name);
	return (Enums__EventType)type;
}

/* Gives the event the attributes of its type, all unset. */
static ProtobufCMessage *add_attributes(struct arena *arena, History__HistoryEvent *event)
{
	const char *name = protobuf_c_enum_descriptor_get_value(
		&enums__event_type__descriptor, (int)event->event_type)
				   ->name;
	char path[128];
	const ProtobufCFieldDescriptor *field;
	ProtobufCMessage *attributes;

	snprintf(path, sizeof(path), "%s_event_attributes", name + strlen("EVENT_TYPE_"));
	for (char *at = path; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	field = protobuf_c_message_descriptor_get_field_by_name(
		&history__history_event__descriptor, path);
	attributes = must(proto_new(arena, must((void *)(uintptr_t)field->descriptor)));
	memcpy((char *)event + field->offset, &attributes, sizeof(attributes));
	event->attributes_case = (History__HistoryEvent__AttributesCase)field->id;
	return attributes;
}

static void set_word(struct reader *reader, const struct line *line, struct arena *arena,
	ProtobufCMessage *first, ProtobufCMessage *second, const char *word)
{
	const char *equals = strchr(word, '=');
	char path[128];

	if (!equals || (size_t)(equals - word) >= sizeof(path))
		script_fail(&reader->script, line, "%s: expected path=value", word);
	memcpy(path, word, (size_t)(equals - word));
	path[equals - word] = '\0';
	if (first && message_set(arena, first, path, equals + 1))
		return;
	if (!message_set(arena, second, path, equals + 1))
		script_fail(&reader->script, line, "%s: there is no such field", path);
}

static void add_detail(History__MarkerRecordedEventAttributes *marker, struct arena *arena,
	const char *key, const char *value, size_t size)
{
	History__MarkerRecordedEventAttributes__DetailsEntry *entry = must(proto_new(
		arena, &history__marker_recorded_event_attributes__details_entry__descriptor));

	if (!marker->details)
		marker->details = must(arena_array(arena, 2, sizeof(*marker->details)));
	entry->key = key;
	entry->value = must(proto_payloads_new(arena, 1));
	entry->value->payloads[0] = must(proto_payload_new(arena, "json/plain", value, size));
	marker->details[marker->n_details++] = entry;
}

/* `patch=ID [deprecated] [old]`: a patch's marker, as it is written or as it was long ago; an id
 * that begins with '{' is the JSON itself. */
static void add_patch(History__MarkerRecordedEventAttributes *marker, const struct line *line,
	struct arena *arena)
{
	const char *id = line_value(line, "patch");
	bool deprecated = line_has(line, "deprecated");
	const char *json = *id == '{'
				   ? id
				   : must(arena_printf(arena, "{\"id\":\"%s\",\"deprecated\":%s}",
					     id, deprecated ? "true" : "false"));

	marker->marker_name = "core_patch";
	if (!line_has(line, "old")) {
		add_detail(marker, arena, "patch-data", json, strlen(json));
		return;
	}
	add_detail(marker, arena, "patch_id", id, strlen(id));
	add_detail(marker, arena, "deprecated", deprecated ? "\1" : "\0", 1);
}

/* `local=MEMBERS [value=]`: a local activity's marker, with these members of its JSON. */
static void add_local(History__MarkerRecordedEventAttributes *marker, const struct line *line,
	struct arena *arena)
{
	const char *json = must(arena_printf(arena, "{%s}", line_value(line, "local")));
	const char *value = line_value(line, "value");

	marker->marker_name = "core_local_activity";
	add_detail(marker, arena, "data", json, strlen(json));
	if (value)
		add_detail(marker, arena, "result", value, strlen(value));
}

static History__HistoryEvent *build_event(
	struct reader *reader, const struct line *line, struct arena *arena)
{
	static char scheduled_id[24], started_id[24];
	History__HistoryEvent *event =
		must(PROTO_NEW(arena, History__HistoryEvent, history__history_event));
	ProtobufCMessage *attributes = NULL;
	char ms[24];

	if (line->count < 3)
		script_fail(&reader->script, line, "expected: event ID Type key=value...");
	event->event_id = strtoll(line->words[1], NULL, 10);
	event->event_type = type_of(line->words[2]);
	if (event_is_known(event) && !line_has(line, "bare"))
		attributes = add_attributes(arena, event);
	snprintf(ms, sizeof(ms), "%lld", (long long)event->event_id * 1000);
	message_set(arena, &event->base, "event_time", ms);
	if (strcmp(line->words[2], "WorkflowTaskScheduled") == 0)
		snprintf(scheduled_id, sizeof(scheduled_id), "%s", line->words[1]);
	else if (strcmp(line->words[2], "WorkflowTaskStarted") == 0)
		snprintf(started_id, sizeof(started_id), "%s", line->words[1]);
	if (attributes && strncmp(line->words[2], "WorkflowTask", 12) == 0) {
		message_set(arena, attributes, "scheduled_event_id", scheduled_id);
		message_set(arena, attributes, "started_event_id", started_id);
	}
	if (attributes && line_value(line, "local"))
		add_local((History__MarkerRecordedEventAttributes *)attributes, line, arena);
	if (attributes && line_value(line, "patch"))
		add_patch((History__MarkerRecordedEventAttributes *)attributes, line, arena);
	for (size_t i = 3; i < line->count; i++)
		if (strncmp(line->words[i], "patch=", 6) != 0 &&
			strncmp(line->words[i], "local=", 6) != 0 &&
			strncmp(line->words[i], "value=", 6) != 0 &&
			!strstr(" bare deprecated old ", line->words[i]))
			set_word(reader, line, arena, attributes, &event->base, line->words[i]);
	return event;
}

static void add_event(History__History *history, History__HistoryEvent *event)
{
	if (history->n_events == EVENTS_MAX)
		abort();
	history->events[history->n_events++] = event;
}

static History__History *new_history(struct arena *arena)
{
	History__History *history = must(PROTO_NEW(arena, History__History, history__history));

	history->events = must(arena_array(arena, EVENTS_MAX, sizeof(*history->events)));
	return history;
}

History__History *build_history(struct reader *reader, struct arena *arena)
{
	History__History *history = new_history(arena);
	const struct line *line;

	while ((line = reader_take(reader, " event ")))
		add_event(history, build_event(reader, line, arena));
	return history;
}

static Query__WorkflowQuery *build_query(const struct line *line, struct arena *arena)
{
	Query__WorkflowQuery *query =
		must(PROTO_NEW(arena, Query__WorkflowQuery, query__workflow_query));

	message_set(arena, &query->base, "query_type", line_value(line, "type"));
	if (line_value(line, "args"))
		message_set(arena, &query->base, "query_args", line_value(line, "args"));
	return query;
}

static void add_query(Workflowservice__PollWorkflowTaskQueueResponse *task, const struct line *line,
	struct arena *arena)
{
	Workflowservice__PollWorkflowTaskQueueResponse__QueriesEntry *item = must(proto_new(arena,
		&workflowservice__poll_workflow_task_queue_response__queries_entry__descriptor));

	if (!task->queries)
		task->queries = must(arena_array(arena, 16, sizeof(*task->queries)));
	item->key = line_value(line, "id");
	item->value = build_query(line, arena);
	task->queries[task->n_queries++] = item;
}

/* An update request, or, with type=, a message of another protocol. */
static void add_message(Workflowservice__PollWorkflowTaskQueueResponse *task,
	const struct line *line, struct arena *arena)
{
	Protocol__Message *message = must(PROTO_NEW(arena, Protocol__Message, protocol__message));
	Update__Request request = UPDATE__REQUEST__INIT;
	Update__Meta meta = UPDATE__META__INIT;
	Update__Input input = UPDATE__INPUT__INIT;
	const char *type = line_value(line, "type");
	struct bytes body;

	if (!task->messages)
		task->messages = must(arena_array(arena, 16, sizeof(*task->messages)));
	meta.update_id = line_value(line, "id");
	meta.identity = line_value(line, "identity");
	input.name = line_value(line, "name") ? line_value(line, "name") : "paint";
	if (line_value(line, "args"))
		message_set(arena, &input.base, "args", line_value(line, "args"));
	request.meta = line_has(line, "no_meta") ? NULL : &meta;
	request.input = line_has(line, "no_input") ? NULL : &input;
	if (proto_encode(arena, &request, 0, &body, NULL))
		abort();
	if (line_has(line, "garbage"))
		body = (struct bytes){ must(arena_strdup(arena, "\xff\xff")), 2 };
	message->id = must(arena_printf(arena, "%s/request", meta.update_id));
	message->protocol_instance_id = meta.update_id;
	message->body = must(proto_new(arena, &google__any__descriptor));
	message->body->type_url =
		type ? type : "type.googleapis.com/temporal.api.update.v1.Request";
	message->body->value = (ProtobufCBinaryData){ .data = body.ptr, .len = body.len };
	if (line_value(line, "event")) {
		message->sequencing_id_case = PROTOCOL__MESSAGE__SEQUENCING_ID_EVENT_ID;
		message->event_id = line_number(line, "event", 0);
	}
	task->messages[task->n_messages++] = message;
}

static ProtobufCBinaryData text_bytes(const char *text)
{
	ProtobufCBinaryData bytes = { 0 };

	if (text) {
		bytes.data = (void *)(uintptr_t)text;
		bytes.len = strlen(text);
	}
	return bytes;
}

static int64_t last_started(const History__History *history)
{
	for (size_t i = history->n_events; i-- > 0;)
		if (history->events[i]->event_type ==
			ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED)
			return history->events[i]->event_id;
	return 0;
}

Workflowservice__PollWorkflowTaskQueueResponse *build_task(
	struct reader *reader, const struct line *head, struct arena *arena)
{
	Workflowservice__PollWorkflowTaskQueueResponse *task =
		must(PROTO_NEW(arena, Workflowservice__PollWorkflowTaskQueueResponse,
			workflowservice__poll_workflow_task_queue_response));
	const struct line *line;

	task->history = new_history(arena);
	while ((line = reader_take(reader, " event query legacy_query message "))) {
		if (strcmp(line->words[0], "event") == 0)
			add_event(task->history, build_event(reader, line, arena));
		else if (strcmp(line->words[0], "query") == 0)
			add_query(task, line, arena);
		else if (strcmp(line->words[0], "message") == 0)
			add_message(task, line, arena);
		else
			task->query = build_query(line, arena);
	}
	task->task_token = text_bytes(line_has(head, "no_token") ? NULL : "token");
	task->next_page_token = text_bytes(line_value(head, "more"));
	task->previous_started_event_id = line_number(head, "previous", 0);
	task->started_event_id = line_number(head, "started", last_started(task->history));
	task->attempt = (int32_t)line_number(head, "attempt", 1);
	message_set(arena, &task->base, "workflow_execution", "order-1");
	if (line_has(head, "no_history"))
		task->history = NULL;
	return task;
}

Workflowservice__GetWorkflowExecutionHistoryResponse *build_page(
	struct reader *reader, const struct line *head, struct arena *arena)
{
	Workflowservice__GetWorkflowExecutionHistoryResponse *page =
		must(PROTO_NEW(arena, Workflowservice__GetWorkflowExecutionHistoryResponse,
			workflowservice__get_workflow_execution_history_response));

	page->history = build_history(reader, arena);
	page->next_page_token = text_bytes(line_value(head, "more"));
	return page;
}

static struct activation_payloads payloads(struct arena *arena, const char *text)
{
	Common__Payloads holder = COMMON__PAYLOADS__INIT;
	Command__CompleteWorkflowExecutionCommandAttributes scratch =
		COMMAND__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;

	if (!text)
		return (struct activation_payloads){ 0 };
	scratch.result = &holder;
	message_set(arena, &scratch.base, "result", text);
	return (struct activation_payloads){ scratch.result->payloads, scratch.result->n_payloads };
}

static Common__Payload *payload(struct arena *arena, const char *text)
{
	return text ? payloads(arena, text).items[0] : NULL;
}

static Failure__Failure *failure(struct arena *arena, const char *text)
{
	Failure__Failure *value =
		text ? must(PROTO_NEW(arena, Failure__Failure, failure__failure)) : NULL;

	if (value)
		value->message = text;
	return value;
}

static enum activity_cancellation_type cancellation(const char *text)
{
	if (text && strcmp(text, "wait") == 0)
		return ACTIVITY_WAIT_CANCELLATION_COMPLETED;
	return text && strcmp(text, "abandon") == 0 ? ACTIVITY_ABANDON : ACTIVITY_TRY_CANCEL;
}

static struct activation_headers headers(struct arena *arena, const char *text)
{
	Common__Header__FieldsEntry **items;

	if (!text)
		return (struct activation_headers){ 0 };
	items = must(arena_array(arena, 1, sizeof(*items)));
	items[0] = must(proto_new(arena, &common__header__fields_entry__descriptor));
	items[0]->key = text;
	items[0]->value = payload(arena, "header");
	return (struct activation_headers){ items, 1 };
}

static enum versioning_intent intent(const char *text)
{
	if (!text)
		return VERSIONING_UNSPECIFIED;
	return strcmp(text, "compatible") == 0 ? VERSIONING_COMPATIBLE : VERSIONING_DEFAULT;
}

static Common__RetryPolicy *retry_policy(struct arena *arena, int64_t attempts)
{
	Common__RetryPolicy *policy =
		attempts ? must(proto_new(arena, &common__retry_policy__descriptor)) : NULL;

	if (policy)
		policy->maximum_attempts = (int32_t)attempts;
	return policy;
}

static void build_activity(const struct line *line, struct arena *arena, struct command *command)
{
	command->schedule_activity = (struct command_schedule_activity){
		.seq = (uint32_t)line_number(line, "seq", 1),
		.activity_id = line_value(line, "id"),
		.activity_type = line_value(line, "type"),
		.task_queue = line_value(line, "queue"),
		.headers = headers(arena, line_value(line, "header")),
		.arguments = payloads(arena, line_value(line, "args")),
		.schedule_to_close_ms = line_number(line, "schedule_to_close", 0),
		.start_to_close_ms = line_number(line, "start_to_close", 0),
		.heartbeat_ms = line_number(line, "heartbeat", 0),
		.cancellation_type = cancellation(line_value(line, "cancel")),
		.do_not_eagerly_execute = line_has(line, "not_eager"),
		.retry_policy = retry_policy(arena, line_number(line, "attempts", 0)),
		.versioning_intent = intent(line_value(line, "intent")),
	};
}

static void build_continue(const struct line *line, struct arena *arena, struct command *command)
{
	command->continue_as_new = (struct command_continue_as_new){
		.workflow_type = line_value(line, "type"),
		.task_queue = line_value(line, "queue"),
		.arguments = payloads(arena, line_value(line, "args")),
		.run_timeout_ms = line_number(line, "run_timeout", 0),
	};
	if (line_value(line, "memo")) {
		Common__Memo__FieldsEntry **items = must(arena_array(arena, 1, sizeof(*items)));

		items[0] = must(proto_new(arena, &common__memo__fields_entry__descriptor));
		items[0]->key = line_value(line, "memo");
		items[0]->value = payload(arena, "memo");
		command->continue_as_new.memo.items = items;
		command->continue_as_new.memo.count = 1;
	}
}

static void add_metadata(const struct line *line, struct arena *arena, struct command *command)
{
	Sdk__UserMetadata *metadata;

	if (!line_value(line, "summary"))
		return;
	metadata = must(proto_new(arena, &sdk__user_metadata__descriptor));
	metadata->summary = payload(arena, line_value(line, "summary"));
	command->user_metadata = metadata;
}

static const char *const kinds[] = { "start_timer", "cancel_timer", "schedule_activity",
	"cancel_activity", "schedule_local_activity", "cancel_local_activity", "query_result",
	"complete_workflow", "fail_workflow", "cancel_workflow", "continue_as_new",
	"set_patch_marker", "start_child", "cancel_child", "cancel_external", "signal_external",
	"cancel_signal", "upsert_search_attributes", "modify_properties", "update_response",
	"schedule_nexus", "cancel_nexus" };

#define KIND_WORDS \
	" start_timer cancel_timer schedule_activity cancel_activity schedule_local_activity" \
	" cancel_local_activity query_result complete_workflow fail_workflow cancel_workflow" \
	" continue_as_new set_patch_marker start_child cancel_child cancel_external" \
	" signal_external cancel_signal upsert_search_attributes modify_properties" \
	" update_response schedule_nexus cancel_nexus "

static unsigned cancellation_of(const char *text, const char *const *names)
{
	unsigned type = 0;

	while (text && names[type] && strcmp(names[type], text) != 0)
		type++;
	return text && names[type] ? type : 0;
}

static void build_child(const struct line *line, struct arena *arena, struct command *command)
{
	static const char *const types[] = { "abandon", "try", "wait", "requested", NULL };

	command->start_child = (struct command_start_child){
		.seq = (uint32_t)line_number(line, "seq", 1),
		.workflow_id = line_value(line, "id"),
		.workflow_type = line_value(line, "type"),
		.namespace_ = line_value(line, "namespace"),
		.task_queue = line_value(line, "queue"),
		.headers = headers(arena, line_value(line, "header")),
		.input = payloads(arena, line_value(line, "args")),
		.execution_timeout_ms = line_number(line, "execution_timeout", 0),
		.run_timeout_ms = line_number(line, "run_timeout", 0),
		.task_timeout_ms = line_number(line, "task_timeout", 0),
		.parent_close_policy =
			(Enums__ParentClosePolicy)line_number(line, "close_policy", 0),
		.workflow_id_reuse_policy =
			(Enums__WorkflowIdReusePolicy)line_number(line, "reuse_policy", 0),
		.cron_schedule = line_value(line, "cron"),
		.retry_policy = retry_policy(arena, line_number(line, "attempts", 0)),
		.cancellation_type = (enum child_cancellation_type)cancellation_of(
			line_value(line, "cancel") ? line_value(line, "cancel") : "wait", types),
	};
}

static void build_nexus(const struct line *line, struct arena *arena, struct command *command)
{
	static const char *const types[] = { "wait", "abandon", "try", "requested", NULL };
	struct command_nexus_header *header;

	command->schedule_nexus = (struct command_schedule_nexus){
		.seq = (uint32_t)line_number(line, "seq", 1),
		.endpoint = line_value(line, "endpoint"),
		.service = line_value(line, "service"),
		.operation = line_value(line, "operation"),
		.input = payload(arena, line_value(line, "input")),
		.schedule_to_close_ms = line_number(line, "schedule_to_close", 0),
		.cancellation_type = (enum nexus_cancellation_type)cancellation_of(
			line_value(line, "cancel"), types),
	};
	if (!line_value(line, "header"))
		return;
	header = must(arena_array(arena, 1, sizeof(*header)));
	*header = (struct command_nexus_header){ line_value(line, "header"), "1" };
	command->schedule_nexus.headers = header;
	command->schedule_nexus.n_headers = 1;
}

static void build_signal(const struct line *line, struct arena *arena, struct command *command)
{
	command->signal_external = (struct command_signal_external){
		.seq = (uint32_t)line_number(line, "seq", 1),
		.child_workflow_id = line_value(line, "child"),
		.execution = { line_value(line, "namespace"), line_value(line, "id"),
			line_value(line, "run") },
		.signal_name = line_value(line, "name"),
		.arguments = payloads(arena, line_value(line, "args")),
		.headers = headers(arena, line_value(line, "header")),
	};
}

/* `KEY=VALUE`..., all of them keywords. */
static Common__SearchAttributes *search_attributes(const struct line *line, struct arena *arena)
{
	Common__SearchAttributes *all =
		must(proto_new(arena, &common__search_attributes__descriptor));

	all->indexed_fields = must(arena_array(arena, line->count, sizeof(*all->indexed_fields)));
	for (size_t i = 1; i < line->count; i++) {
		Common__SearchAttributes__IndexedFieldsEntry *entry = must(proto_new(
			arena, &common__search_attributes__indexed_fields_entry__descriptor));
		const char *equals = strchr(line->words[i], '=');

		entry->key = must(arena_printf(
			arena, "%.*s", (int)(equals - line->words[i]), line->words[i]));
		entry->value = payload(arena, equals + 1);
		all->indexed_fields[all->n_indexed_fields++] = entry;
	}
	return line->count > 1 ? all : NULL;
}

static Common__Memo *memo(const struct line *line, struct arena *arena)
{
	Common__SearchAttributes *from = search_attributes(line, arena);
	Common__Memo *all = must(proto_new(arena, &common__memo__descriptor));

	if (!from)
		return NULL;
	all->fields = must(arena_array(arena, from->n_indexed_fields, sizeof(*all->fields)));
	for (size_t i = 0; i < from->n_indexed_fields; i++) {
		all->fields[i] = must(proto_new(arena, &common__memo__fields_entry__descriptor));
		all->fields[i]->key = from->indexed_fields[i]->key;
		all->fields[i]->value = from->indexed_fields[i]->value;
	}
	all->n_fields = from->n_indexed_fields;
	return all;
}

static void build_local(const struct line *line, struct arena *arena, struct command *command)
{
	command->schedule_local_activity = (struct command_schedule_local_activity){
		.seq = (uint32_t)line_number(line, "seq", 1),
		.activity_id = line_value(line, "id"),
		.activity_type = line_value(line, "type"),
		.attempt = (uint32_t)line_number(line, "attempt", 0),
		.original_schedule_ns = line_number(line, "original", 0) * 1000000,
		.headers = headers(arena, line_value(line, "header")),
		.arguments = payloads(arena, line_value(line, "args")),
		.start_to_close_ms = line_number(line, "start_to_close", 0),
		.local_retry_threshold_ms = line_number(line, "threshold", 0),
		.retry_policy = retry_policy(arena, line_number(line, "attempts", 0)),
		.cancellation_type = cancellation(line_value(line, "cancel")),
	};
}

/* Children, other workflows, Nexus operations, patches, attributes. */
static void build_other(const struct line *line, struct arena *arena, struct command *command)
{
	uint32_t seq = (uint32_t)line_number(line, "seq", 1);

	switch (command->kind) {
	case COMMAND_SCHEDULE_LOCAL_ACTIVITY:
		build_local(line, arena, command);
		break;
	case COMMAND_REQUEST_CANCEL_LOCAL_ACTIVITY:
		command->request_cancel_local_activity.seq = seq;
		break;
	case COMMAND_START_CHILD:
		build_child(line, arena, command);
		break;
	case COMMAND_CANCEL_CHILD:
		command->cancel_child.seq = seq;
		command->cancel_child.reason = line_value(line, "reason");
		break;
	case COMMAND_REQUEST_CANCEL_EXTERNAL:
		command->cancel_external.seq = seq;
		command->cancel_external.reason = line_value(line, "reason");
		command->cancel_external.execution =
			(struct activation_execution){ line_value(line, "namespace"),
				line_value(line, "id"), line_value(line, "run") };
		break;
	case COMMAND_SIGNAL_EXTERNAL:
		build_signal(line, arena, command);
		break;
	case COMMAND_CANCEL_SIGNAL:
		command->cancel_signal.seq = seq;
		break;
	case COMMAND_SET_PATCH_MARKER:
		command->set_patch_marker.patch_id = line_value(line, "id");
		command->set_patch_marker.deprecated = line_has(line, "deprecated");
		break;
	case COMMAND_UPSERT_SEARCH_ATTRIBUTES:
		command->upsert_search_attributes.search_attributes =
			search_attributes(line, arena);
		break;
	case COMMAND_MODIFY_PROPERTIES:
		command->modify_properties.upserted_memo = memo(line, arena);
		break;
	case COMMAND_SCHEDULE_NEXUS:
		build_nexus(line, arena, command);
		break;
	case COMMAND_REQUEST_CANCEL_NEXUS:
		command->request_cancel_nexus.seq = seq;
		break;
	default:
		break;
	}
}

/* `id=UPDATE accepted`, `rejected=MESSAGE`, `completed[=RESULT]`. */
static void build_update(const struct line *line, struct arena *arena, struct command *command)
{
	command->update_response.protocol_instance_id = line_value(line, "id");
	command->update_response.response = UPDATE_ACCEPTED;
	if (line_value(line, "rejected")) {
		command->update_response.response = UPDATE_REJECTED;
		command->update_response.rejected = failure(arena, line_value(line, "rejected"));
	} else if (line_has(line, "completed") || line_value(line, "completed")) {
		command->update_response.response = UPDATE_COMPLETED;
		command->update_response.completed = payload(arena, line_value(line, "completed"));
	}
}

static struct command build_command(const struct line *line, struct arena *arena)
{
	struct command command = { 0 };
	uint32_t seq = (uint32_t)line_number(line, "seq", 1);

	while (strcmp(kinds[command.kind], line->words[0]) != 0)
		command.kind++;
	add_metadata(line, arena, &command);
	switch (command.kind) {
	case COMMAND_START_TIMER:
		command.start_timer.seq = seq;
		command.start_timer.start_to_fire_ns = line_number(line, "ms", 0) * 1000000;
		break;
	case COMMAND_CANCEL_TIMER:
		command.cancel_timer.seq = seq;
		break;
	case COMMAND_SCHEDULE_ACTIVITY:
		build_activity(line, arena, &command);
		break;
	case COMMAND_REQUEST_CANCEL_ACTIVITY:
		command.request_cancel_activity.seq = seq;
		break;
	case COMMAND_QUERY_RESULT:
		command.query_result.query_id = line_value(line, "id");
		command.query_result.response = payload(arena, line_value(line, "response"));
		command.query_result.failure = failure(arena, line_value(line, "failure"));
		break;
	case COMMAND_COMPLETE_WORKFLOW:
		command.complete.result = payload(arena, line_value(line, "result"));
		break;
	case COMMAND_FAIL_WORKFLOW:
		command.fail.failure = failure(arena, line_value(line, "message"));
		break;
	case COMMAND_CONTINUE_AS_NEW:
		build_continue(line, arena, &command);
		break;
	case COMMAND_UPDATE_RESPONSE:
		build_update(line, arena, &command);
		break;
	default:
		build_other(line, arena, &command);
		break;
	}
	return command;
}

static Failure__Failure *cancelled_failure(struct arena *arena)
{
	Failure__Failure *value = must(proto_new(arena, &failure__failure__descriptor));

	value->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	value->canceled_failure_info =
		must(proto_new(arena, &failure__canceled_failure_info__descriptor));
	return value;
}

struct local_result *build_local_results(struct reader *reader, struct arena *arena, size_t *count)
{
	struct local_result *results = must(arena_array(arena, 16, sizeof(*results)));
	const struct line *line;

	*count = 0;
	while ((line = reader_take(reader, " result ")))
		results[(*count)++] = (struct local_result){
			.seq = (uint32_t)line_number(line, "seq", 1),
			.attempt = (uint32_t)line_number(line, "attempt", 1),
			.result = payload(arena, line_value(line, "value")),
			.failure = line_has(line, "cancelled")
					   ? cancelled_failure(arena)
					   : failure(arena, line_value(line, "failure")),
			.backoff_ms = line_number(line, "backoff", 0),
			.original_schedule_ns = line_number(line, "original", 0) * 1000000,
			.runtime_ns = line_number(line, "ran", 0) * 1000000,
		};
	return results;
}

struct completion build_completion(
	struct reader *reader, const struct line *head, struct arena *arena)
{
	struct completion completion = { .failed = strcmp(head->words[0], "fail") == 0 };
	struct command *commands = must(arena_array(arena, COMMANDS_MAX, sizeof(*commands)));
	uint32_t *flag = must(arena_array(arena, 1, sizeof(*flag)));
	const struct line *line;

	completion.commands = commands;
	completion.failure = failure(arena, line_value(head, "message"));
	completion.cause = (Enums__WorkflowTaskFailedCause)line_number(head, "cause", 0);
	completion.versioning_behavior =
		(Enums__VersioningBehavior)line_number(head, "versioning", 0);
	if (line_value(head, "flag")) {
		*flag = (uint32_t)line_number(head, "flag", 0);
		completion.used_flags = flag;
		completion.n_used_flags = 1;
	}
	while ((line = reader_take(reader, KIND_WORDS)))
		commands[completion.n_commands++] = build_command(line, arena);
	return completion;
}
