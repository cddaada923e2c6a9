/*
 * outcome.c: what came of a call, from what a worker answered.
 *
 * Workers answer in two forms: older ones with failures of the Nexus API, newer ones with those of
 * Temporal. Everything behind this file knows Temporal's alone.
 *
 * Pure.
 */
#include "proto/codec.h"
#include "server/nexus/nexus.h"

#define RETRYABLE     NEXUS_BEHAVIOR(RETRYABLE)
#define NON_RETRYABLE NEXUS_BEHAVIOR(NON_RETRYABLE)

bool nexus_retryable(const char *type, Enums__NexusHandlerErrorRetryBehavior behavior)
{
	static const char *const final[] = { "BAD_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED",
		"NOT_FOUND", "CONFLICT", "NOT_IMPLEMENTED" };

	if (behavior == RETRYABLE || behavior == NON_RETRYABLE)
		return behavior == RETRYABLE;
	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++) {
		if (str_same(type, final[i]))
			return false;
	}
	return true;
}

static Failure__Failure *handler_failure(struct arena *arena, const char *type,
	Enums__NexusHandlerErrorRetryBehavior behavior, const char *message)
{
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__NexusHandlerFailureInfo *info = PROTO_NEW(
		arena, Failure__NexusHandlerFailureInfo, failure__nexus_handler_failure_info);

	if (!failure || !info)
		return NULL;
	failure->message = message;
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO;
	failure->nexus_handler_failure_info = info;
	info->type = type;
	info->retry_behavior = behavior;
	return failure;
}

void nexus_outcome_error(
	struct arena *arena, const char *type, const char *text, struct nexus_outcome *out)
{
	out->result = NEXUS_ERROR;
	out->failure = handler_failure(arena, type, 0, text);
	out->retryable = nexus_retryable(type, 0);
}

void nexus_outcome_of_failure(struct arena *arena,
	const Workflowservice__RespondNexusTaskFailedRequest *in, struct nexus_outcome *out)
{
	out->result = NEXUS_ERROR;
	out->from_worker = true;
	if (in->error) {
		Failure__Failure *failure = handler_failure(
			arena, in->error->error_type, in->error->retry_behavior, "");

		if (failure && in->error->failure)
			failure->cause = nexus_failure_to_temporal(arena, in->error->failure);
		else if (failure)
			failure->cause = PROTO_NEW(arena, Failure__Failure, failure__failure);
		out->failure = failure;
		out->retryable = nexus_retryable(in->error->error_type, in->error->retry_behavior);
		return;
	}
	const Failure__NexusHandlerFailureInfo *info = in->failure->nexus_handler_failure_info;
	Failure__Failure *failure = proto_copy(arena, in->failure);
	/* What a Nexus error does not carry gets lost on the way. */
	if (failure)
		failure->source = "";
	out->failure = failure;
	out->retryable = nexus_retryable(info->type, info->retry_behavior);
}

static void unsuccessful(struct arena *arena, const Nexus__UnsuccessfulOperationError *error,
	struct nexus_outcome *out)
{
	Failure__Failure *failure = error->failure
					    ? nexus_failure_to_temporal(arena, error->failure)
					    : PROTO_NEW(arena, Failure__Failure, failure__failure);

	if (!str_same(error->operation_state, "failed") &&
		!str_same(error->operation_state, "canceled")) {
		nexus_outcome_error(arena, "INTERNAL", "", out);
		return;
	}
	out->result = NEXUS_UNSUCCESSFUL;
	out->failure = failure;
	out->canceled = str_same(error->operation_state, "canceled");
}

void nexus_outcome_of_response(
	struct arena *arena, const Nexus__Response *response, struct nexus_outcome *out)
{
	out->from_worker = true;
	if (response && response->variant_case == NEXUS__RESPONSE__VARIANT_CANCEL_OPERATION) {
		out->result = NEXUS_SYNC;
		return;
	}
	const Nexus__StartOperationResponse *start =
		response && response->variant_case == NEXUS__RESPONSE__VARIANT_START_OPERATION
			? response->start_operation
			: NULL;
	switch (start ? start->variant_case : 0) {
	case NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS:
		out->result = NEXUS_SYNC;
		out->payload = start->sync_success->payload;
		out->links = start->sync_success->links;
		out->n_links = start->sync_success->n_links;
		break;
	case NEXUS__START_OPERATION_RESPONSE__VARIANT_ASYNC_SUCCESS:
		out->result = NEXUS_ASYNC;
		out->token = str_empty(start->async_success->operation_token)
				     ? start->async_success->operation_id
				     : start->async_success->operation_token;
		out->links = start->async_success->links;
		out->n_links = start->async_success->n_links;
		break;
	case NEXUS__START_OPERATION_RESPONSE__VARIANT_OPERATION_ERROR:
		unsuccessful(arena, start->operation_error, out);
		break;
	case NEXUS__START_OPERATION_RESPONSE__VARIANT_FAILURE:
		out->result = NEXUS_UNSUCCESSFUL;
		out->failure = start->failure;
		out->canceled = start->failure->failure_info_case ==
				FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
		break;
	default:
		nexus_outcome_error(arena, "INTERNAL", "empty outcome", out);
	}
}
