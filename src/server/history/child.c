/*
 * child.c: the children of a run: their records, how one starts, and what becomes of them when
 * their parent ends.
 *
 * A child starts in the input whose command asked for it (effect.h), or never: a parent that ends
 * with the same workflow task starts none, even one that is to be abandoned.
 *
 * Loop's thread.
 */
#include "server/history/child.h"

#include "base/mem.h"
#include "proto/codec.h"
#include "server/history/cron.h"
#include "server/history/external.h"
#include "server/history/id_policy.h"
#include "server/limits.h"

#define EVENT(name_)  ENUMS__EVENT_TYPE__EVENT_TYPE_##name_
#define POLICY(name_) ENUMS__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_##name_
/* A value of an enum of the API, by the name of the enum and its own. */
#define VALUE(enum_, name_) ENUMS__##enum_##__##enum_##_##name_
#define FAILED(name_)       VALUE(START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE, name_)

static const struct record_field fields[] = {
	RECORD_FIELD(1, INT, child, initiated_id),
	RECORD_FIELD(2, INT, child, started_id),
	RECORD_FIELD(3, TEXT, child, namespace_id),
	RECORD_FIELD(4, TEXT, child, workflow_id),
	RECORD_FIELD(5, TEXT, child, type),
	RECORD_FIELD(6, TEXT, child, run_id),
	RECORD_FIELD(7, SMALL, child, parent_close_policy),
};
static const struct record_type child_type = RECORD_TYPE(fields);

static struct entity_key key_of(const struct child *child)
{
	return (struct entity_key){ ENTITY_CHILD, child->parent->number, child->initiated_id };
}

struct child *child_find(const struct execution *parent, int64_t initiated_id)
{
	struct child *child = parent->children;

	while (child && child->initiated_id != initiated_id)
		child = child->next;
	return child;
}

struct child *child_new(struct execution *parent)
{
	struct child *child = mem_zalloc(sizeof(*child));

	if (!child) {
		server_no_memory(parent->server);
		return NULL;
	}
	child->parent = parent;
	child->next = parent->children;
	parent->children = child;
	parent->n_children++;
	return child;
}

void child_free(struct child *child)
{
	struct child **at = &child->parent->children;

	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	child->parent->n_children--;
	record_finish(&child_type, child);
	mem_free(child);
}

void child_record(struct child *child)
{
	transition_record(child->parent->server, key_of(child), &child_type, child);
	transition_touch(child->parent);
}

void child_snapshot(const struct execution *parent)
{
	for (const struct child *child = parent->children; child; child = child->next)
		transition_record(parent->server, key_of(child), &child_type, child);
}

void child_erase(struct child *child)
{
	transition_erase(child->parent->server, key_of(child));
	transition_touch(child->parent);
	child_free(child);
}

bool child_restore(struct execution *parent, int64_t initiated_id, const uint8_t *data, size_t len)
{
	struct child *child = child_find(parent, initiated_id);

	if (child)
		child_free(child);
	if (len == 0)
		return true;
	child = child_new(parent);
	return child && record_read(&child_type, child, data, len);
}

void child_started_numbered(struct execution *parent, int64_t initiated_id, int64_t started_id)
{
	struct child *child = child_find(parent, initiated_id);

	if (!child)
		return;
	child->started_id = started_id;
	child_record(child);
}

/* ---- Out of a history ---- */

static void rebuild_initiated(struct execution *parent, const History__HistoryEvent *event)
{
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *in =
		event->start_child_workflow_execution_initiated_event_attributes;
	struct child *child = child_new(parent);

	if (!child)
		return;
	child->initiated_id = event->event_id;
	state_set_text(parent->server, &child->namespace_id, in->namespace_id);
	state_set_text(parent->server, &child->workflow_id, in->workflow_id);
	state_set_text(parent->server, &child->type, in->workflow_type->name);
	child->parent_close_policy = (int32_t)in->parent_close_policy;
}

static void rebuild_started(struct execution *parent, const History__HistoryEvent *event)
{
	const History__ChildWorkflowExecutionStartedEventAttributes *in =
		event->child_workflow_execution_started_event_attributes;
	struct child *child = child_find(parent, in->initiated_event_id);

	if (!child)
		return;
	child->started_id = event->event_id;
	state_set_text(parent->server, &child->run_id, in->workflow_execution->run_id);
}

/* The child that an event is the end of. */
static int64_t rebuild_ended(const History__HistoryEvent *event)
{
	switch (event->event_type) {
	case EVENT(START_CHILD_WORKFLOW_EXECUTION_FAILED):
		return event->start_child_workflow_execution_failed_event_attributes
			->initiated_event_id;
	case EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED):
		return event->child_workflow_execution_completed_event_attributes
			->initiated_event_id;
	case EVENT(CHILD_WORKFLOW_EXECUTION_FAILED):
		return event->child_workflow_execution_failed_event_attributes->initiated_event_id;
	case EVENT(CHILD_WORKFLOW_EXECUTION_CANCELED):
		return event->child_workflow_execution_canceled_event_attributes
			->initiated_event_id;
	case EVENT(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
		return event->child_workflow_execution_timed_out_event_attributes
			->initiated_event_id;
	default:
		return event->child_workflow_execution_terminated_event_attributes
			->initiated_event_id;
	}
}

void child_rebuild(struct execution *parent, const History__HistoryEvent *event)
{
	struct child *child;

	if (event->event_type == EVENT(START_CHILD_WORKFLOW_EXECUTION_INITIATED)) {
		rebuild_initiated(parent, event);
	} else if (event->event_type == EVENT(CHILD_WORKFLOW_EXECUTION_STARTED)) {
		rebuild_started(parent, event);
	} else {
		child = child_find(parent, rebuild_ended(event));
		if (child)
			child_free(child);
	}
}

/* ---- The start ---- */

static Common__Priority *merge(
	struct arena *arena, const Common__Priority *own, const Common__Priority *parents)
{
	Common__Priority *out = proto_copy(arena, own ? own : parents);

	if (!own || !parents || !out)
		return out;
	if (!out->priority_key)
		out->priority_key = parents->priority_key;
	if (str_empty(out->fairness_key))
		out->fairness_key = parents->fairness_key;
	if (out->fairness_weight == 0)
		out->fairness_weight = parents->fairness_weight;
	return out;
}

static Common__Priority *priority_of(
	const struct execution *parent, const Common__Priority *own, struct arena *arena)
{
	const Common__Priority *parents = NULL;

	if (parent->priority.len)
		parents = proto_decode(arena, &common__priority__descriptor, parent->priority.ptr,
			parent->priority.len, NULL, NULL);
	return own || parents ? merge(arena, own, parents) : NULL;
}

/* The Started attributes that do not speak of parent and root. */
static void take_command(History__WorkflowExecutionStartedEventAttributes *out,
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *in)
{
	out->workflow_type = in->workflow_type;
	out->task_queue = in->task_queue;
	out->input = in->input;
	out->header = in->header;
	out->workflow_execution_timeout = in->workflow_execution_timeout;
	out->workflow_run_timeout = in->workflow_run_timeout;
	out->workflow_task_timeout = in->workflow_task_timeout;
	out->retry_policy = in->retry_policy;
	out->cron_schedule = in->cron_schedule;
	out->memo = in->memo;
	out->search_attributes = in->search_attributes;
	out->versioning_override = in->versioning_override;
}

static struct execution *start(struct execution *parent, struct server_namespace *space,
	const History__HistoryEvent *event, int64_t *delay_ms)
{
	struct server *server = parent->server;
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *in =
		event->start_child_workflow_execution_initiated_event_attributes;
	History__WorkflowExecutionStartedEventAttributes out =
		HISTORY__WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES__INIT;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT,
				  root = COMMON__WORKFLOW_EXECUTION__INIT;
	char request_id[SERVER_UUID_SIZE];
	struct start_opts opts = {
		.space = space,
		.workflow_id = in->workflow_id,
		.attributes = &out,
		.request_id = request_id,
		.extras = { .user_metadata = event->user_metadata },
		.no_task = true,
	};

	server_uuid(&server->io, request_id);
	take_command(&out, in);
	out.priority = priority_of(parent, in->priority, &server->scratch);
	out.parent_workflow_namespace = parent->space->name;
	out.parent_workflow_namespace_id = parent->space->id;
	out.parent_initiated_event_id = event->event_id;
	name.workflow_id = parent->workflow_id;
	name.run_id = parent->run_id;
	out.parent_workflow_execution = &name;
	root.workflow_id = parent->root_run_id ? parent->root_workflow_id : parent->workflow_id;
	root.run_id = parent->root_run_id ? parent->root_run_id : parent->run_id;
	out.root_workflow_execution = &root;
	cron_first(server, &opts);
	*delay_ms = opts.delay_ms;
	return start_execution(server, &opts);
}

void child_start(struct execution *parent, int64_t initiated_id)
{
	struct server *server = parent->server;
	struct child *child = child_find(parent, initiated_id);
	const History__HistoryEvent *event = event_read(parent, initiated_id, &server->scratch);

	if (!child || child->run_id || !state_running(parent))
		return;
	if (!event) {
		server_unread(server);
		return;
	}
	const History__StartChildWorkflowExecutionInitiatedEventAttributes *in =
		event->start_child_workflow_execution_initiated_event_attributes;
	struct server_namespace *space = state_namespace_by_id(server, child->namespace_id);
	if (!space) {
		child_add_start_failed(child, in, FAILED(NAMESPACE_NOT_FOUND));
		return;
	}
	struct execution *current = state_execution(server, space, in->workflow_id, NULL);
	/* What the run that this one took over from had started makes room. */
	bool again = parent->is_reset && current && state_running(current) &&
		     child_parent(current) == parent;
	if (!again && !id_policy_child(current, in->workflow_id_reuse_policy)) {
		child_add_start_failed(child, in, FAILED(WORKFLOW_ALREADY_EXISTS));
		return;
	}
	int64_t delay_ms;
	struct execution *execution = start(parent, space, event, &delay_ms);
	if (!execution)
		return;
	child_add_started(child, execution, in);
	start_first_task(execution, delay_ms);
	if (current && state_running(current))
		id_policy_terminate(current, execution);
}

/* ---- The parent's end ---- */

void child_leave_all(struct execution *parent)
{
	struct arena *arena = &parent->server->scratch;

	for (const struct child *child = parent->children; child; child = child->next) {
		enum effect_kind kind = child->parent_close_policy == POLICY(REQUEST_CANCEL)
						? EFFECT_CHILD_CANCEL
						: EFFECT_CHILD_TERMINATE;

		if (!child->run_id || child->parent_close_policy == POLICY(ABANDON))
			continue;
		struct effect *effect = effect_add(parent, kind, child->initiated_id);
		if (!effect)
			return;
		effect->namespace_id = arena_strdup(arena, child->namespace_id);
		effect->workflow_id = arena_strdup(arena, child->workflow_id);
		effect->first_run_id = arena_strdup(arena, child->run_id);
		if (!effect->namespace_id || !effect->workflow_id || !effect->first_run_id)
			server_no_memory(parent->server);
	}
}

struct execution *child_running(struct server *server, const char *namespace_id,
	const char *workflow_id, const struct execution *parent)
{
	struct server_namespace *space = state_namespace_by_id(server, namespace_id);
	struct execution *execution =
		space ? state_execution(server, space, workflow_id, NULL) : NULL;

	if (!execution || !state_running(execution) ||
		!str_same(execution->parent_run_id, parent->run_id) ||
		!str_same(execution->parent_workflow_id, parent->workflow_id))
		return NULL;
	return execution;
}

void child_leave(struct execution *parent, const struct effect *effect)
{
	struct execution *execution =
		child_running(parent->server, effect->namespace_id, effect->workflow_id, parent);
	History__WorkflowExecutionCancelRequestedEventAttributes request =
		HISTORY__WORKFLOW_EXECUTION_CANCEL_REQUESTED_EVENT_ATTRIBUTES__INIT;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;

	/* The children of a run that another one has taken over from are that one's. */
	if (parent->reset_run_id || !execution ||
		!str_same(execution->first_run_id, effect->first_run_id))
		return;
	if (effect->kind == EFFECT_CHILD_TERMINATE) {
		execution_terminate(
			execution, "by parent close policy", NULL, SERVER_HISTORY_IDENTITY, NULL);
		return;
	}
	name.workflow_id = parent->workflow_id;
	name.run_id = parent->run_id;
	request.identity = SERVER_HISTORY_IDENTITY;
	request.external_workflow_execution = &name;
	execution_request_cancel(execution, &request, NULL, NULL);
}
