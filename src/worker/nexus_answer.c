/*
 * nexus_answer.c: answers to Nexus tasks.
 *
 * Failures have two forms. Servers that say so in the request take Temporal's own message; for
 * others it is wrapped: message and stack trace as the Nexus API has them, all of the rest as JSON
 * in the details, with its type's name in the metadata. Pure.
 */
#include "worker/nexus_answer.h"

#include "base/str.h"
#include "convert/convert.h"
#include "proto/json.h"
#include "proto/payload.h"

#define FAILURE_TYPE "temporal.api.failure.v1.Failure"

static bool takes_failures(const Nexus__Request *request)
{
	return request && request->capabilities &&
	       request->capabilities->temporal_failure_responses;
}

static bool add_type(struct arena *arena, Nexus__Failure *failure)
{
	Nexus__Failure__MetadataEntry *entry =
		PROTO_NEW(arena, Nexus__Failure__MetadataEntry, nexus__failure__metadata_entry);

	failure->metadata = arena_array(arena, 1, sizeof(failure->metadata[0]));
	if (!entry || !failure->metadata)
		return false;
	entry->key = "type";
	entry->value = FAILURE_TYPE;
	failure->metadata[0] = entry;
	failure->n_metadata = 1;
	return true;
}

/* The older form. */
static Nexus__Failure *wrap(struct arena *arena, const Failure__Failure *failure)
{
	Nexus__Failure *out = PROTO_NEW(arena, Nexus__Failure, nexus__failure);
	Failure__Failure rest = *failure;
	struct str json;

	if (!out || !add_type(arena, out))
		return NULL;
	out->message = failure->message;
	out->stack_trace = failure->stack_trace;
	rest.message = "";
	if (proto_to_json(arena, &rest, 0, &json, NULL) != TEMPORAL_OK)
		return NULL;
	out->details.data = arena_memdup(arena, json.ptr, json.len);
	out->details.len = json.len;
	return out->details.data ? out : NULL;
}

static Nexus__Response *response_new(struct arena *arena, Nexus__StartOperationResponse **start)
{
	Nexus__Response *response = PROTO_NEW(arena, Nexus__Response, nexus__response);

	*start = PROTO_NEW(arena, Nexus__StartOperationResponse, nexus__start_operation_response);
	if (!response || !*start)
		return NULL;
	response->variant_case = NEXUS__RESPONSE__VARIANT_START_OPERATION;
	response->start_operation = *start;
	return response;
}

static Nexus__Link **links_of(struct arena *arena, const struct nexus *nexus)
{
	Nexus__Link **links = arena_array(arena, nexus->n_links, sizeof(*links));
	size_t n = 0;

	for (const struct worker_nexus_link *link = nexus->links; links && link; link = link->next)
		links[n++] = link->link;
	return links;
}

Nexus__Response *worker_nexus_answer_started(
	struct arena *arena, const struct nexus *nexus, Common__Payload *result)
{
	Nexus__StartOperationResponse *start;
	Nexus__Response *response = response_new(arena, &start);
	Nexus__StartOperationResponse__Async *async = PROTO_NEW(arena,
		Nexus__StartOperationResponse__Async, nexus__start_operation_response__async);
	Nexus__StartOperationResponse__Sync *sync = PROTO_NEW(
		arena, Nexus__StartOperationResponse__Sync, nexus__start_operation_response__sync);
	Nexus__Link **links = links_of(arena, nexus);

	if (!response || !async || !sync || !links)
		return NULL;
	if (nexus->token) {
		start->variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_ASYNC_SUCCESS;
		start->async_success = async;
		async->operation_token = nexus->token;
		async->links = links;
		async->n_links = nexus->n_links;
		return response;
	}
	/* Other SDKs decode what they get, so that nothing is a payload too. */
	start->variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS;
	start->sync_success = sync;
	sync->payload = result ? result : proto_payload_new(arena, PROTO_ENCODING_NULL, "", 0);
	sync->links = links;
	sync->n_links = nexus->n_links;
	return sync->payload ? response : NULL;
}

Nexus__Response *worker_nexus_answer_cancel(struct arena *arena)
{
	Nexus__Response *response = PROTO_NEW(arena, Nexus__Response, nexus__response);
	Nexus__CancelOperationResponse *cancel =
		PROTO_NEW(arena, Nexus__CancelOperationResponse, nexus__cancel_operation_response);

	if (!response || !cancel)
		return NULL;
	response->variant_case = NEXUS__RESPONSE__VARIANT_CANCEL_OPERATION;
	response->cancel_operation = cancel;
	return response;
}

Nexus__Response *worker_nexus_answer_unsuccessful(
	struct arena *arena, const struct temporal_failure *failure, const Nexus__Request *request)
{
	Nexus__StartOperationResponse *start;
	Nexus__Response *response = response_new(arena, &start);
	Failure__Failure *message = convert_failure_to_api(arena, failure);
	Nexus__UnsuccessfulOperationError *error = PROTO_NEW(
		arena, Nexus__UnsuccessfulOperationError, nexus__unsuccessful_operation_error);

	if (!response || !message || !error)
		return NULL;
	if (takes_failures(request)) {
		start->variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_FAILURE;
		start->failure = message;
		return response;
	}
	start->variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_OPERATION_ERROR;
	start->operation_error = error;
	error->operation_state =
		failure->kind == TEMPORAL_FAILURE_CANCELLED ? "canceled" : "failed";
	error->failure = wrap(arena, message);
	return error->failure ? response : NULL;
}

static bool fill_failed(struct arena *arena, const struct temporal_failure *failure,
	const Nexus__Request *request, Workflowservice__RespondNexusTaskFailedRequest *message)
{
	Failure__Failure *own = convert_failure_to_api(arena, failure);

	if (!own)
		return false;
	if (takes_failures(request)) {
		message->failure = own;
		return true;
	}
	Nexus__HandlerError *error = PROTO_NEW(arena, Nexus__HandlerError, nexus__handler_error);

	if (!error)
		return false;
	error->error_type = own->nexus_handler_failure_info->type;
	error->retry_behavior = own->nexus_handler_failure_info->retry_behavior;
	error->failure = wrap(arena, own);
	message->error = error;
	return error->failure != NULL;
}

void worker_nexus_answer_failed(struct arena *arena, const struct temporal_failure *failure,
	const Nexus__Request *request, Workflowservice__RespondNexusTaskFailedRequest *message)
{
	/* In the older form, which all servers take. */
	static Nexus__HandlerError bare = {
		.base = PROTOBUF_C_MESSAGE_INIT(&nexus__handler_error__descriptor),
		.error_type = "INTERNAL",
	};

	if (fill_failed(arena, failure, request, message))
		return;
	message->failure = NULL;
	message->error = &bare;
}
