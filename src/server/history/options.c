/*
 * options.c: what operators change of a run while it lives: priority and versioning override. An
 * event of the history tells each change. Loop's thread.
 */
#include "proto/codec.h"
#include "server/history/history.h"

Workflow__WorkflowExecutionOptions *execution_options(
	const struct execution *execution, struct arena *arena)
{
	Workflow__WorkflowExecutionOptions *out = PROTO_NEW(
		arena, Workflow__WorkflowExecutionOptions, workflow__workflow_execution_options);

	if (!out)
		return NULL;
	if (execution->priority.len)
		out->priority = proto_decode(arena, &common__priority__descriptor,
			execution->priority.ptr, execution->priority.len, NULL, NULL);
	if (execution->versioning_override.len)
		out->versioning_override =
			proto_decode(arena, &workflow__versioning_override__descriptor,
				execution->versioning_override.ptr,
				execution->versioning_override.len, NULL, NULL);
	return out;
}

void execution_take_options(struct execution *execution,
	const History__WorkflowExecutionOptionsUpdatedEventAttributes *options)
{
	struct server *server = execution->server;

	if (options->versioning_override || options->unset_versioning_override)
		state_set_bytes(
			server, &execution->versioning_override, options->versioning_override);
	if (options->priority)
		state_set_bytes(server, &execution->priority, options->priority);
	transition_touch(execution);
}

/* Encoded alike? */
static bool same(const void *a, const struct bytes *b, struct arena *arena)
{
	struct bytes encoded = { 0 };

	if (a && proto_encode(arena, a, 0, &encoded, NULL) != TEMPORAL_OK)
		return false;
	return encoded.len == b->len && (!b->len || memcmp(encoded.ptr, b->ptr, b->len) == 0);
}

void execution_set_options(struct execution *execution,
	const Workflow__WorkflowExecutionOptions *options, const char *identity)
{
	struct arena *arena = &execution->server->scratch;
	History__WorkflowExecutionOptionsUpdatedEventAttributes out =
		HISTORY__WORKFLOW_EXECUTION_OPTIONS_UPDATED_EVENT_ATTRIBUTES__INIT;

	if (same(options->priority, &execution->priority, arena) &&
		same(options->versioning_override, &execution->versioning_override, arena))
		return;
	out.versioning_override = options->versioning_override;
	out.unset_versioning_override = !options->versioning_override;
	out.priority = options->priority;
	out.identity = identity;
	event_add(
		execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED, &out);
	execution_take_options(execution, &out);
	transition_durable(execution->server);
}
