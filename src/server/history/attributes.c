/*
 * attributes.c: a run's search attributes: what commands may change, and what the server itself
 * says in them: the builds of the workers, and the problems of workflow tasks that keep failing.
 *
 * They are kept as they are shown, each with its type. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/enum_name.h"
#include "proto/payload.h"
#include "server/history/history.h"
#include "server/limits.h"

#define BAD_ATTRIBUTES \
	ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
#define PROBLEMS "TemporalReportedProblems"
#define BUILDS   "BuildIds"
#define PAUSED   "TemporalPauseInfo"

void attributes_merge(struct execution *execution, const Common__SearchAttributes *changes)
{
	struct server *server = execution->server;
	struct bytes *field = &execution->search_attributes;
	const Common__SearchAttributes *now = NULL;

	if (field->len)
		now = proto_decode(&server->scratch, &common__search_attributes__descriptor,
			field->ptr, field->len, NULL, NULL);
	const Common__SearchAttributes *merged = search_attributes_merge(
		&server->scratch, &execution->space->search_attributes, now, changes);
	if (!merged) {
		server_no_memory(server);
		return;
	}
	state_set_bytes(server, field, merged);
	transition_touch(execution);
}

Common__SearchAttributes *attributes_typed(struct arena *arena,
	const struct server_namespace *space, const Common__SearchAttributes *values)
{
	return values ? search_attributes_merge(arena, &space->search_attributes, NULL, values)
		      : NULL;
}

/* ---- Commands ---- */

/* What is wrong with the attributes of a command; false: the task fails. */
static bool check(struct decision *decision, const Common__SearchAttributes *values,
	const char *before, const char *after)
{
	const struct server_namespace *space = decision->execution->space;
	const struct search_attributes *known = &space->search_attributes;
	const char *unknown = search_attributes_unknown(known, values);
	struct temporal_error err;

	if (unknown)
		return command_refuse(decision, BAD_ATTRIBUTES,
			"Namespace %s has no mapping defined for search attribute %s", space->name,
			unknown);
	if (search_attributes_check(known, space->name, values, &err) == TEMPORAL_OK)
		return true;
	return command_refuse(decision, BAD_ATTRIBUTES, "%s%s%s", before, err.message, after);
}

bool attributes_check_upsert(struct decision *decision,
	const Command__UpsertWorkflowSearchAttributesCommandAttributes *in)
{
	if (!in->search_attributes)
		return command_refuse(decision, BAD_ATTRIBUTES,
			"SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand.");
	if (!in->search_attributes->n_indexed_fields)
		return command_refuse(decision, BAD_ATTRIBUTES,
			"IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.");
	if (check(decision, in->search_attributes, "", ""))
		return true;
	/* Like all else that a command carries, see command_size.c: it would be too big again. */
	decision->terminate = strstr(decision->text, "exceeds size limit");
	return false;
}

bool attributes_check_continue(struct decision *decision,
	const Command__ContinueAsNewWorkflowExecutionCommandAttributes *in)
{
	const char *type = in->workflow_type ? in->workflow_type->name : "";
	const char *queue = in->task_queue ? in->task_queue->name : "";
	const char *after = arena_printf(decision->request->arena,
		". WorkflowType=%s TaskQueue=name:\"%s\" kind:TASK_QUEUE_KIND_NORMAL",
		str_empty(type) ? decision->execution->type : type,
		str_empty(queue) ? decision->execution->task_queue : queue);

	return check(decision, in->search_attributes,
		"invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: ",
		after ? after : "");
}

bool attributes_check_child(
	struct decision *decision, const Command__StartChildWorkflowExecutionCommandAttributes *in)
{
	const char *space =
		str_empty(in->namespace_) ? decision->execution->space->name : in->namespace_;
	const char *after = arena_printf(decision->request->arena,
		". WorkflowId=%s WorkflowType=%s Namespace=%s", in->workflow_id,
		in->workflow_type ? in->workflow_type->name : "", space);

	return check(decision, in->search_attributes,
		"invalid SearchAttributes on StartChildWorkflowCommand: ", after ? after : "");
}

/* ---- The server's own ---- */

/* One of KeywordList; the texts hold nothing that JSON would escape, and no texts take it away. */
static void set_list(
	struct execution *execution, const char *name, const char *const *texts, size_t n)
{
	struct arena *arena = &execution->server->scratch;
	Common__SearchAttributes changes = COMMON__SEARCH_ATTRIBUTES__INIT;
	Common__SearchAttributes__IndexedFieldsEntry
		entry = COMMON__SEARCH_ATTRIBUTES__INDEXED_FIELDS_ENTRY__INIT,
		*entries = &entry;
	Common__Payload payload = COMMON__PAYLOAD__INIT;
	const char *json = "[";

	for (size_t i = 0; i < n && json; i++)
		json = arena_printf(arena, "%s%s\"%s\"", json, i ? "," : "", texts[i]);
	json = json ? arena_printf(arena, "%s]", json) : NULL;
	if (!json || !proto_payload_set(
			     arena, &payload, PROTO_ENCODING_KEY, str_from(PROTO_ENCODING_JSON))) {
		server_no_memory(execution->server);
		return;
	}
	payload.data.data = (uint8_t *)(uintptr_t)json;
	payload.data.len = strlen(json);
	entry.key = name;
	entry.value = &payload;
	changes.indexed_fields = &entries;
	changes.n_indexed_fields = 1;
	attributes_merge(execution, &changes);
}

/* What the attribute holds now; nothing if it is not set. */
static struct visibility_value list_now(const struct execution *execution, const char *name)
{
	const struct bytes *field = &execution->search_attributes;
	struct arena *arena = &execution->server->scratch;
	const Common__SearchAttributes *now = NULL;

	if (field->len)
		now = proto_decode(arena, &common__search_attributes__descriptor, field->ptr,
			field->len, NULL, NULL);
	return search_attributes_get(arena, &execution->space->search_attributes, now,
		visibility_column_find(str_from(name)));
}

static void report(struct execution *execution)
{
	struct arena *arena = &execution->server->scratch;
	bool timeout = execution->task_problem < 0;
	const char *category = timeout ? "WorkflowTaskTimedOut" : "WorkflowTaskFailed";
	char name[PROTO_ENUM_TEXT];
	const char *cause =
		timeout ? proto_enum_short(&enums__timeout_type__descriptor,
				  (int)-execution->task_problem, name)
			: proto_enum_short(&enums__workflow_task_failed_cause__descriptor,
				  (int)execution->task_problem, name);
	const char *texts[] = { arena_printf(arena, "category=%s", category),
		arena_printf(arena, "cause=%sCause%s", category, cause) };

	if (texts[0] && texts[1])
		set_list(execution, PROBLEMS, texts, 2);
	else
		server_no_memory(execution->server);
}

/* A later attempt of the same task leaves no event, and the cause is that of the first. */
static void failed(struct execution *execution, int64_t problem)
{
	if (!execution->task_transient)
		execution->task_problem = problem;
	/* After a sticky queue's task the normal queue has its try first. */
	if (str_empty(execution->sticky_queue) &&
		++execution->task_problems >= SERVER_TASK_PROBLEMS)
		report(execution);
}

void attributes_task_failed(struct execution *execution, Enums__WorkflowTaskFailedCause cause)
{
	failed(execution, (int64_t)cause);
}

void attributes_task_timed_out(struct execution *execution, Enums__TimeoutType type)
{
	failed(execution, -(int64_t)type);
}

static bool has_text(const struct visibility_value *list, const char *text)
{
	for (size_t i = 0; i < list->n_list; i++) {
		if (str_eq(list->list[i], str_from(text)))
			return true;
	}
	return false;
}

/* "unversioned", and each build that has completed a task. */
static void add_build(struct execution *execution, const Common__WorkerVersionStamp *stamp)
{
	struct arena *arena = &execution->server->scratch;
	struct visibility_value now = list_now(execution, BUILDS);
	const char *build = NULL;
	size_t n = 0;

	if (stamp && !str_empty(stamp->build_id) && !strpbrk(stamp->build_id, "\"\\"))
		build = arena_printf(arena, "%s:%s",
			stamp->use_versioning ? "versioned" : "unversioned", stamp->build_id);
	if (has_text(&now, "unversioned") && (!build || has_text(&now, build)))
		return;
	const char **texts = arena_array(arena, now.n_list + 2, sizeof(*texts));
	if (!texts) {
		server_no_memory(execution->server);
		return;
	}
	texts[n++] = "unversioned";
	for (size_t i = 0; i < now.n_list; i++) {
		const char *text = arena_str(arena, now.list[i]);

		if (text && !str_same(text, "unversioned"))
			texts[n++] = text;
	}
	if (build && !has_text(&now, build))
		texts[n++] = build;
	set_list(execution, BUILDS, texts, n);
}

void attributes_task_completed(struct execution *execution, const Common__WorkerVersionStamp *stamp)
{
	if (execution->task_problems >= SERVER_TASK_PROBLEMS)
		set_list(execution, PROBLEMS, NULL, 0);
	execution->task_problems = 0;
	add_build(execution, stamp);
}

static bool is_among(const char *const *texts, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (str_same(texts[i], text))
			return true;
	}
	return false;
}

void attributes_paused(struct execution *execution)
{
	struct arena *arena = &execution->server->scratch;
	const char **texts = arena_array(arena, execution->n_activities, sizeof(*texts));
	size_t n = 0;

	for (const struct activity *at = execution->activities; at && texts; at = at->next) {
		const char *text =
			at->paused && !strpbrk(at->type, "\"\\\n\r\t")
				? arena_printf(arena, "property:activityType=%s", at->type)
				: NULL;

		if (text && !is_among(texts, n, text))
			texts[n++] = text;
	}
	if (texts)
		set_list(execution, PAUSED, texts, n);
	else if (execution->n_activities)
		server_no_memory(execution->server);
}
