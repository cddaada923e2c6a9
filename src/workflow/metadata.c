/*
 * metadata.c: the queries that every workflow answers, unless it has handlers of these names:
 *
 *	__stack_trace                 a line for each coroutine: what it is and what it waits for
 *	__temporal_workflow_metadata  its type and handlers, and what wf_set_current_details said
 *
 * The results are encoded as those of any contract.
 *
 * The official command line and Web UI ask these two and print what they get. Texts are built in
 * the thread's scratch arena, as for any query; both run on the thread's stack without a coroutine,
 * since no user's code is involved.
 */
#include "workflow/run.h"

#include <stdlib.h>
#include <string.h>

#include <temporal/api/sdk/v1/workflow_metadata.pb-c.h>

#include "base/str.h"
#include "convert/convert.h"
#include "proto/codec.h"

typedef const char *stack_trace_out;
TEMPORAL_QUERY_CONTRACT_0(stack_trace, "__stack_trace");
typedef const Sdk__WorkflowMetadata *metadata_out;
TEMPORAL_QUERY_CONTRACT_0(metadata, "__temporal_workflow_metadata",
	RETURNS(MESSAGE(Sdk__WorkflowMetadata, sdk__workflow_metadata)));

static void answer(
	struct wf *wf, const char *id, const struct temporal_contract *contract, const void *out)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	Common__Payload *payload = NULL;

	if (convert_encode_result(&wf->task, contract, out, &payload, &err))
		run_break_error(wf, &err, contract->name);
	else
		query_answer(wf, id, payload, NULL);
}

/* ---- the stack trace ---- */

/* `text` with the future behind it; NULL goes through, so that callers check once. */
static char *say_future(struct arena *arena, const char *text, const struct wf_future *future)
{
	if (!text)
		return NULL;
	switch (future->kind) {
	case FUTURE_TIMER:
		return arena_printf(arena, "%s timer %u", text, future->seq);
	case FUTURE_ACTIVITY:
		return arena_printf(arena, "%s activity %s (%u)", text, future->what, future->seq);
	case FUTURE_COROUTINE:
		return arena_printf(arena, "%s a coroutine", text);
	case FUTURE_LOCAL:
		return arena_printf(
			arena, "%s local activity %s (%u)", text, future->what, future->seq);
	case FUTURE_CHILD:
		return arena_printf(
			arena, "%s child %s (%s)", text, future->what, future->remote->id);
	case FUTURE_NEXUS:
		return arena_printf(
			arena, "%s Nexus operation %s (%u)", text, future->what, future->seq);
	case FUTURE_STARTED:
		return arena_printf(arena, "%s the start of %s", text, future->of->what);
	case FUTURE_SIGNAL:
		return arena_printf(arena, "%s the delivery of signal %s", text, future->what);
	case FUTURE_CANCEL:
		return arena_printf(arena, "%s a request to cancel %s", text, future->what);
	case FUTURE_CONDITION:
		break;
	}
	return future->what ? arena_printf(arena, "%s signal %s", text, future->what)
			    : arena_printf(arena, "%s a condition", text);
}

/*
 * A line. Written anew with each piece: the text is short and the arena is reset after the query.
 */
static char *say_coroutine(struct arena *arena, const char *text, const struct coroutine *each)
{
	char *line = arena_printf(arena, "%s%s%s%s:", text, each->class->name,
		each->name ? " " : "", each->name ? each->name : "");

	if (!each->waits)
		return line ? arena_printf(arena, "%s ready\n", line) : NULL;
	if (line)
		line = arena_printf(arena, "%s %s:", line, each->waits_as);
	for (const struct waiter *waiter = each->waits; waiter && line; waiter = waiter->also) {
		line = say_future(arena, line, waiter->future);
		if (line && waiter->also)
			line = arena_printf(arena, "%s,", line);
	}
	return line ? arena_printf(arena, "%s\n", line) : NULL;
}

/*
 * In the order in which the coroutines were made. Queries and checks are no part of the run and are
 * left out, this one included.
 */
static void answer_stack_trace(struct wf *wf, const char *id)
{
	struct arena *scratch = &wf->thread->scratch;
	stack_trace_out text = arena_strdup(scratch, "");

	for (const struct coroutine *each = wf->first; each && text; each = each->next) {
		if (!each->read_only)
			text = say_coroutine(scratch, text, each);
	}
	if (text)
		answer(wf, id, &stack_trace, &text);
	else
		run_out_of_memory(wf);
}

/* ---- the metadata ---- */

typedef Sdk__WorkflowInteractionDefinition interaction;

/* The server compares nothing, but people do: sorted, the list is the same for every worker. */
static int by_name(const void *a, const void *b)
{
	const interaction *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static interaction *interaction_new(struct arena *arena, const char *name, const char *description)
{
	interaction *out = PROTO_NEW(arena, interaction, sdk__workflow_interaction_definition);

	if (out) {
		out->name = name;
		out->description = description ? description : "";
	}
	return out;
}

/* The handlers of one kind, by name; and for queries our own. False: no memory. */
static bool interactions(
	struct wf *wf, enum temporal_definition kind, interaction ***items, size_t *count)
{
	const struct temporal_handler *const *each = wf->definition->handlers;
	struct arena *scratch = &wf->thread->scratch;
	size_t n = 0, room = 2;

	for (; each && *each; each++)
		room++;
	*items = arena_array(scratch, room, sizeof(**items));
	if (!*items)
		return false;
	for (each = wf->definition->handlers; each && *each; each++) {
		if ((*each)->definition == kind)
			(*items)[n++] =
				interaction_new(scratch, handler_name(*each), (*each)->description);
	}
	if (kind == TEMPORAL_DEFINES_QUERY) {
		(*items)[n++] =
			interaction_new(scratch, stack_trace.name, "What each coroutine waits for");
		(*items)[n++] =
			interaction_new(scratch, metadata.name, "What the workflow can be asked");
	}
	*count = n;
	for (size_t i = 0; i < n; i++) {
		if (!(*items)[i])
			return false;
	}
	qsort(*items, n, sizeof(**items), by_name);
	return true;
}

static void answer_metadata(struct wf *wf, const char *id)
{
	struct arena *scratch = &wf->thread->scratch;
	Sdk__WorkflowMetadata *out =
		PROTO_NEW(scratch, Sdk__WorkflowMetadata, sdk__workflow_metadata);
	Sdk__WorkflowDefinition *definition =
		PROTO_NEW(scratch, Sdk__WorkflowDefinition, sdk__workflow_definition);

	if (!out || !definition ||
		!interactions(wf, TEMPORAL_DEFINES_QUERY, &definition->query_definitions,
			&definition->n_query_definitions) ||
		!interactions(wf, TEMPORAL_DEFINES_SIGNAL, &definition->signal_definitions,
			&definition->n_signal_definitions) ||
		!interactions(wf, TEMPORAL_DEFINES_UPDATE, &definition->update_definitions,
			&definition->n_update_definitions)) {
		run_out_of_memory(wf);
		return;
	}
	definition->type = wf->info.workflow_type;
	out->definition = definition;
	out->current_details = wf->current_details ? wf->current_details : "";
	metadata_out result = out;
	answer(wf, id, &metadata, &result);
}

/* A handler for all names does not hide ours: whoever asks for the stack trace wants this one. */
bool metadata_query(struct wf *wf, const struct activation_query *job)
{
	bool trace = str_same(job->query_type, stack_trace.name);

	if (!trace && !str_same(job->query_type, metadata.name))
		return false;
	const struct temporal_handler *own =
		handler_find(wf, TEMPORAL_DEFINES_QUERY, job->query_type);
	if (own && *handler_name(own))
		return false;
	if (trace)
		answer_stack_trace(wf, job->query_id);
	else
		answer_metadata(wf, job->query_id);
	return true;
}
