/*
 * describe.c: what the server knows of a run, as one public struct in an arena of its own.
 *
 * Strings are copied out of the reply, so that the reply's memory, which is several times larger,
 * does not live as long as the description. Made on the loop's thread.
 *
 * What the server does not send is 0, and strings are never NULL. One failed copy spoils the whole,
 * since a description that lacks something without saying so would be believed.
 */
#include <string.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "base/mem.h"
#include "client/call.h"
#include "client/intercept.h"
#include "client/request.h"
#include "client/result_object.h"
#include "client/run.h"
#include "convert/convert.h"
#include "proto/time.h"

typedef Workflowservice__DescribeWorkflowExecutionResponse response;

/* What the user gets is its first member. */
struct description {
	struct temporal_run_description public;
	struct arena arena;
};

/*
 * Copies into the arena; remembers that memory was out, or what else was wrong. The first error
 * stays.
 */
struct copier {
	struct arena *arena;
	struct temporal_error *err;
	enum temporal_code code;
};

static void *noted(struct copier *copier, void *made)
{
	if (!made && !copier->code)
		copier->code = error_no_memory(copier->err, "a description");
	return made;
}

static const char *text(struct copier *copier, const char *from)
{
	return noted(copier, arena_strdup(copier->arena, from ? from : ""));
}

/* Left zeroed where the server sends none. */
static void payload(struct copier *copier, const Common__Payload *from, struct temporal_payload *to)
{
	enum temporal_code code = from ? convert_payload_from_api(copier->arena, from, to) : 0;

	if (code && !copier->code)
		copier->code = error_set(copier->err, code, "a payload cannot be read");
}

/*
 * A text that the SDKs store as a JSON payload; "" where it is not one: a summary in another
 * encoding is no reason to refuse the rest.
 */
static const char *payload_text(struct copier *copier, const Common__Payload *from)
{
	static const struct temporal_contract contract = {
		.name = "text",
		.out = { .kind = TEMPORAL_KIND_STRING, .size = sizeof(const char *) },
		.out_size = sizeof(const char *),
	};
	const char *decoded = "";

	if (from && convert_decode_result(copier->arena, &contract, from, &decoded, NULL))
		decoded = "";
	return decoded;
}

static struct temporal_entry *new_entries(struct copier *copier, size_t n)
{
	return noted(copier, arena_array(copier->arena, n, sizeof(struct temporal_entry)));
}

static void memo(struct copier *copier, const Common__Memo *from, struct temporal_entries *to)
{
	struct temporal_entry *items;

	if (!from || !from->n_fields)
		return;
	items = new_entries(copier, from->n_fields);
	if (!items)
		return;
	for (size_t i = 0; i < from->n_fields; i++) {
		items[i].key = text(copier, from->fields[i]->key);
		payload(copier, from->fields[i]->value, &items[i].value);
	}
	*to = (struct temporal_entries){ items, from->n_fields };
}

static void search_attributes(
	struct copier *copier, const Common__SearchAttributes *from, struct temporal_entries *to)
{
	struct temporal_entry *items;

	if (!from || !from->n_indexed_fields)
		return;
	items = new_entries(copier, from->n_indexed_fields);
	if (!items)
		return;
	for (size_t i = 0; i < from->n_indexed_fields; i++) {
		items[i].key = text(copier, from->indexed_fields[i]->key);
		payload(copier, from->indexed_fields[i]->value, &items[i].value);
	}
	*to = (struct temporal_entries){ items, from->n_indexed_fields };
}

static void execution(struct copier *copier, const Common__WorkflowExecution *from,
	const char **workflow_id, const char **run_id)
{
	*workflow_id = text(copier, from ? from->workflow_id : NULL);
	*run_id = text(copier, from ? from->run_id : NULL);
}

static void info(struct copier *copier, const Workflow__WorkflowExecutionInfo *from,
	struct temporal_run_description *to)
{
	execution(copier, from->execution, &to->workflow_id, &to->run_id);
	execution(copier, from->parent_execution, &to->parent_workflow_id, &to->parent_run_id);
	execution(copier, from->root_execution, &to->root_workflow_id, &to->root_run_id);
	to->first_run_id = text(copier, from->first_run_id);
	to->type = text(copier, from->type ? from->type->name : NULL);
	to->task_queue = text(copier, from->task_queue);
	to->status = (enum temporal_status)from->status;
	to->start_ns = proto_timestamp_ns_or(from->start_time, 0);
	to->execution_ns = proto_timestamp_ns_or(from->execution_time, 0);
	to->close_ns = proto_timestamp_ns_or(from->close_time, 0);
	to->history_length = from->history_length;
	to->history_bytes = from->history_size_bytes;
	to->state_transitions = from->state_transition_count;
	memo(copier, from->memo, &to->memo);
	search_attributes(copier, from->search_attributes, &to->search_attributes);
	if (from->priority) {
		to->priority.key = from->priority->priority_key;
		to->priority.fairness_key = text(copier, from->priority->fairness_key);
		to->priority.fairness_weight = from->priority->fairness_weight;
	}
}

/* Timeouts as the server has filled them in, not as they were asked for. */
static void config(struct copier *copier, const Workflow__WorkflowExecutionConfig *from,
	struct temporal_run_description *to)
{
	to->execution_timeout_ms = proto_duration_ms_or(from->workflow_execution_timeout, 0);
	to->run_timeout_ms = proto_duration_ms_or(from->workflow_run_timeout, 0);
	to->task_timeout_ms = proto_duration_ms_or(from->default_workflow_task_timeout, 0);
	if (!from->user_metadata)
		return;
	to->summary = payload_text(copier, from->user_metadata->summary);
	to->details = payload_text(copier, from->user_metadata->details);
}

static void activity(struct copier *copier, const Workflow__PendingActivityInfo *from,
	struct temporal_pending_activity *to)
{
	enum temporal_code code;

	to->id = text(copier, from->activity_id);
	to->type = text(copier, from->activity_type ? from->activity_type->name : NULL);
	to->worker_identity = text(copier, from->last_worker_identity);
	to->attempt = from->attempt;
	to->maximum_attempts = from->maximum_attempts;
	to->started =
		from->state == ENUMS__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_STARTED ||
		from->state ==
			ENUMS__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_CANCEL_REQUESTED;
	to->cancel_requested =
		from->state ==
		ENUMS__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_CANCEL_REQUESTED;
	to->paused = from->paused;
	to->scheduled_ns = proto_timestamp_ns_or(from->scheduled_time, 0);
	to->last_started_ns = proto_timestamp_ns_or(from->last_started_time, 0);
	to->last_heartbeat_ns = proto_timestamp_ns_or(from->last_heartbeat_time, 0);
	to->next_attempt_ns = proto_timestamp_ns_or(from->next_attempt_schedule_time, 0);
	code = client_payloads_from_api(
		copier->arena, from->heartbeat_details, &to->heartbeat_details, copier->err);
	if (code && !copier->code)
		copier->code = code;
	if (!from->last_failure)
		return;
	to->last_failure = convert_failure_from_api(copier->arena, from->last_failure);
	if (!to->last_failure && !copier->code)
		copier->code = error_no_memory(copier->err, "a description");
}

/* What the run waits for now. Arrays of no elements are valid pointers. */
static void pending(
	struct copier *copier, const response *from, struct temporal_run_description *to)
{
	struct temporal_pending_activity *activities = noted(copier,
		arena_array(copier->arena, from->n_pending_activities, sizeof(*activities)));
	struct temporal_pending_child *children = noted(
		copier, arena_array(copier->arena, from->n_pending_children, sizeof(*children)));

	if (!activities || !children)
		return;
	for (size_t i = 0; i < from->n_pending_activities; i++)
		activity(copier, from->pending_activities[i], &activities[i]);
	for (size_t i = 0; i < from->n_pending_children; i++) {
		const Workflow__PendingChildExecutionInfo *child = from->pending_children[i];

		children[i].workflow_id = text(copier, child->workflow_id);
		children[i].run_id = text(copier, child->run_id);
		children[i].type = text(copier, child->workflow_type_name);
		children[i].initiated_event_id = child->initiated_id;
	}
	to->activities = activities;
	to->n_activities = from->n_pending_activities;
	to->children = children;
	to->n_children = from->n_pending_children;
	if (!from->pending_workflow_task)
		return;
	to->task_pending = true;
	to->task_attempt = from->pending_workflow_task->attempt;
	to->task_started = from->pending_workflow_task->state ==
			   ENUMS__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_STARTED;
}

/* Only the run's own part must be there. */
static void copy(struct copier *copier, const response *from, struct temporal_run_description *to)
{
	to->summary = to->details = to->priority.fairness_key = "";
	if (from->workflow_execution_info)
		info(copier, from->workflow_execution_info, to);
	else
		copier->code =
			error_set(copier->err, TEMPORAL_INTERNAL, "the server sent no description");
	if (from->execution_config)
		config(copier, from->execution_config, to);
	if (from->workflow_extended_info) {
		to->cancel_requested = from->workflow_extended_info->cancel_requested;
		to->execution_expires_ns = proto_timestamp_ns_or(
			from->workflow_extended_info->execution_expiration_time, 0);
		to->run_expires_ns =
			proto_timestamp_ns_or(from->workflow_extended_info->run_expiration_time, 0);
	}
	pending(copier, from, to);
}

/* On an error the half-made description goes as a whole. */
static struct temporal_run_description *description_new(
	const response *from, struct temporal_error *err)
{
	struct description *made = mem_zalloc(sizeof(*made));
	struct copier copier = { .err = err };

	if (!made) {
		error_no_memory(err, "a description");
		return NULL;
	}
	arena_init(&made->arena, 1024, ARENA_NO_BUDGET);
	copier.arena = &made->arena;
	copy(&copier, from, &made->public);
	if (!copier.code)
		return &made->public;
	temporal_run_description_unref(&made->public);
	return NULL;
}

void temporal_run_description_unref(struct temporal_run_description *description)
{
	struct description *made = (struct description *)(void *)description;

	if (!made)
		return;
	arena_finish(&made->arena);
	mem_free(made);
}

static void took_description(struct client_call *call, struct rpc_reply *reply)
{
	struct temporal_run_description *made = NULL;

	if (!reply->code)
		made = description_new(reply->message, &reply->error);
	client_call_end(call, made, made ? NULL : &reply->error);
}

static struct client_call *prepare(struct temporal_run *run, struct temporal_error *err)
{
	struct client_call *call = client_call_new(run->client, NULL, err);
	struct client_request builder;
	Workflowservice__DescribeWorkflowExecutionRequest *message;

	if (!call)
		return NULL;
	client_call_name(call, "description of workflow \"%s\"", run->workflow_id);
	client_request_init(&builder, &call->arena, err);
	builder.code = client_intercept(call,
		&(const struct client_outbound){ .operation = TEMPORAL_CALL_DESCRIBE,
			.workflow_id = run->workflow_id,
			.run_id = run->bound_run_id },
		err);
	message = REQUEST_NEW(&builder, Workflowservice__DescribeWorkflowExecutionRequest,
		workflowservice__describe_workflow_execution_request);
	message->namespace_ = client_namespace(call->client);
	message->execution =
		client_request_execution(&builder, run->workflow_id, run->bound_run_id);
	call->method = &rpc_workflow_describe_workflow_execution;
	call->message = message;
	call->took = took_description;
	if (!builder.code)
		return call;
	client_call_free(call);
	return NULL;
}

struct temporal_run_description *temporal_run_describe(
	struct temporal_run *run, struct temporal_error *err)
{
	struct client_call *call = prepare(run, err);
	void *made;

	return call && client_call_wait(call, &made, err) == TEMPORAL_OK ? made : NULL;
}

static void tell(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.description(value, err, call->user);
}

enum temporal_code temporal_run_describe_async(struct temporal_run *run,
	temporal_description_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct client_call *call = prepare(run, &own);

	if (call) {
		call->ended = tell;
		call->tell.description = done;
		call->user = user;
		return client_call_start(call, err);
	}
	if (err)
		*err = own;
	return own.code;
}
