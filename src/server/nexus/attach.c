/*
 * attach.c: a start that finds the run already going, and joins it: its request id, callbacks and
 * links become the run's. The request ids of a run lie with its callbacks (an id that brought none
 * is a callback without a target).
 *
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "server/nexus/nexus.h"

#define OPTIONS_UPDATED ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
#define STARTED         ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED

static struct nexus_callback *find(const struct execution *execution, const char *request_id)
{
	struct nexus_callback *at = execution->nexus_callbacks;

	while (at && !str_same(at->request_id, request_id))
		at = at->next;
	return at;
}

bool nexus_is_attached(const struct execution *execution, const char *request_id)
{
	return !str_same(execution->create_request_id, request_id) && find(execution, request_id);
}

bool nexus_attach_check(
	struct request *request, const Workflowservice__StartWorkflowExecutionRequest *in)
{
	const Workflow__OnConflictOptions *opts = in->on_conflict_options;

	if (opts && opts->attach_completion_callbacks && !opts->attach_request_id) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"attaching request ID is required for attaching completion callbacks");
		return false;
	}
	return nexus_callbacks_check(request, in->completion_callbacks, in->n_completion_callbacks);
}

static bool is_among(
	const Common__Link *link, Common__Callback *const *callbacks, size_t n, struct arena *arena)
{
	struct bytes one = { 0 }, other = { 0 };

	if (proto_encode(arena, link, 0, &one, NULL) != TEMPORAL_OK)
		return false;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < callbacks[i]->n_links; k++) {
			if (proto_encode(arena, callbacks[i]->links[k], 0, &other, NULL) ==
					TEMPORAL_OK &&
				one.len == other.len && memcmp(one.ptr, other.ptr, one.len) == 0)
				return true;
		}
	}
	return false;
}

Common__Link **nexus_links_without(struct request *request,
	const Workflowservice__StartWorkflowExecutionRequest *in, size_t *n)
{
	Common__Link **links = arena_array(request->arena, in->n_links, sizeof(*links));

	*n = 0;
	if (!links)
		server_no_memory(request->server);
	for (size_t i = 0; i < in->n_links && links; i++) {
		if (!is_among(in->links[i], in->completion_callbacks, in->n_completion_callbacks,
			    request->arena))
			links[(*n)++] = in->links[i];
	}
	return links;
}

/* All of a run's together. False: answered. */
static bool check_number(struct request *request, const struct execution *execution, size_t more)
{
	int64_t limit = request->server->config.callbacks_max;
	size_t count = 0;

	for (const struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next)
		count += at->callback.len != 0;
	if (!server_over(count + more, limit))
		return true;
	request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
		"cannot attach more than %d callbacks to a workflow (%zu callbacks already "
		"attached)",
		(int)limit, count);
	return false;
}

bool nexus_attach(struct request *request, struct execution *execution,
	const Workflowservice__StartWorkflowExecutionRequest *in)
{
	const Workflow__OnConflictOptions *opts = in->on_conflict_options;
	struct server *server = execution->server;
	History__WorkflowExecutionOptionsUpdatedEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_OPTIONS_UPDATED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .worker_may_ignore = true };
	Common__Callback nobody = COMMON__CALLBACK__INIT, *none = &nobody;

	if (!opts || find(execution, in->request_id) ||
		str_same(execution->create_request_id, in->request_id))
		return true;
	if (opts->attach_completion_callbacks &&
		!check_number(request, execution, in->n_completion_callbacks))
		return false;
	if (opts->attach_links)
		extras.links = nexus_links_without(request, in, &extras.n_links);
	if (opts->attach_request_id)
		attributes.attached_request_id = in->request_id;
	if (opts->attach_completion_callbacks) {
		attributes.attached_completion_callbacks = in->completion_callbacks;
		attributes.n_attached_completion_callbacks = in->n_completion_callbacks;
	}
	if (attributes.n_attached_completion_callbacks)
		nexus_callbacks_add(execution, in->request_id, in->completion_callbacks,
			in->n_completion_callbacks);
	else if (opts->attach_request_id)
		nexus_callbacks_add(execution, in->request_id, &none, 1);
	int64_t id = event_add_with(execution, OPTIONS_UPDATED, &attributes, &extras);
	if (id && opts->attach_request_id)
		nexus_attached(execution, in->request_id, id);
	transition_touch(execution);
	transition_durable(server);
	return true;
}

void nexus_attached(struct execution *execution, const char *request_id, int64_t event_id)
{
	for (struct nexus_callback *at = execution->nexus_callbacks; at; at = at->next) {
		if (!str_same(at->request_id, request_id))
			continue;
		at->event_id = event_id;
		nexus_callback_record(at);
	}
}

Common__Link *nexus_run_link(
	const struct execution *execution, const char *request_id, struct arena *arena)
{
	Common__Link *link = PROTO_NEW(arena, Common__Link, common__link);
	Common__Link__WorkflowEvent *event =
		PROTO_NEW(arena, Common__Link__WorkflowEvent, common__link__workflow_event);
	Common__Link__WorkflowEvent__EventReference *start =
		PROTO_NEW(arena, Common__Link__WorkflowEvent__EventReference,
			common__link__workflow_event__event_reference);
	Common__Link__WorkflowEvent__RequestIdReference *joined =
		PROTO_NEW(arena, Common__Link__WorkflowEvent__RequestIdReference,
			common__link__workflow_event__request_id_reference);

	if (!link || !event || !start || !joined)
		return NULL;
	link->variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link->workflow_event = event;
	event->namespace_ = arena_strdup(arena, execution->space->name);
	event->workflow_id = arena_strdup(arena, execution->workflow_id);
	event->run_id = arena_strdup(arena, execution->run_id);
	if (nexus_is_attached(execution, request_id)) {
		joined->request_id = arena_strdup(arena, request_id);
		joined->event_type = OPTIONS_UPDATED;
		event->reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF;
		event->request_id_ref = joined;
		return joined->request_id && event->run_id ? link : NULL;
	}
	start->event_id = 1;
	start->event_type = STARTED;
	event->reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF;
	event->event_ref = start;
	return event->namespace_ && event->workflow_id && event->run_id ? link : NULL;
}

void nexus_flushed(
	struct execution *execution, const History__HistoryEvent *event, int64_t event_id)
{
	const History__WorkflowExecutionOptionsUpdatedEventAttributes *attributes =
		event->workflow_execution_options_updated_event_attributes;

	if (event->event_type == OPTIONS_UPDATED && !str_empty(attributes->attached_request_id))
		nexus_attached(execution, attributes->attached_request_id, event_id);
}
