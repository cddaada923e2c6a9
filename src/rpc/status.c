/*
 * status.c: the one table of error details (temporal.api.errordetails.v1), by name of their
 * message. Pure.
 */
#include "rpc/status.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "proto/codec.h"
#include "temporal/api/common/v1/grpc_status.pb-c.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

struct detail_name {
	const char *name; /* of the message, without its package */
	enum temporal_detail detail;
};

static const struct detail_name detail_names[] = {
	{ "NotFoundFailure", TEMPORAL_DETAIL_NOT_FOUND },
	{ "WorkflowExecutionAlreadyStartedFailure", TEMPORAL_DETAIL_WORKFLOW_ALREADY_STARTED },
	{ "NamespaceNotActiveFailure", TEMPORAL_DETAIL_NAMESPACE_NOT_ACTIVE },
	{ "NamespaceUnavailableFailure", TEMPORAL_DETAIL_NAMESPACE_UNAVAILABLE },
	{ "NamespaceInvalidStateFailure", TEMPORAL_DETAIL_NAMESPACE_INVALID_STATE },
	{ "NamespaceNotFoundFailure", TEMPORAL_DETAIL_NAMESPACE_NOT_FOUND },
	{ "NamespaceAlreadyExistsFailure", TEMPORAL_DETAIL_NAMESPACE_ALREADY_EXISTS },
	{ "ClientVersionNotSupportedFailure", TEMPORAL_DETAIL_CLIENT_VERSION_NOT_SUPPORTED },
	{ "ServerVersionNotSupportedFailure", TEMPORAL_DETAIL_SERVER_VERSION_NOT_SUPPORTED },
	{ "CancellationAlreadyRequestedFailure", TEMPORAL_DETAIL_CANCELLATION_ALREADY_REQUESTED },
	{ "QueryFailedFailure", TEMPORAL_DETAIL_QUERY_FAILED },
	{ "PermissionDeniedFailure", TEMPORAL_DETAIL_PERMISSION_DENIED },
	{ "ResourceExhaustedFailure", TEMPORAL_DETAIL_RESOURCE_EXHAUSTED },
	{ "SystemWorkflowFailure", TEMPORAL_DETAIL_SYSTEM_WORKFLOW },
	{ "WorkflowNotReadyFailure", TEMPORAL_DETAIL_WORKFLOW_NOT_READY },
	{ "NewerBuildExistsFailure", TEMPORAL_DETAIL_NEWER_BUILD_EXISTS },
	{ "MultiOperationExecutionFailure", TEMPORAL_DETAIL_MULTI_OPERATION },
	{ "ActivityExecutionAlreadyStartedFailure", TEMPORAL_DETAIL_ACTIVITY_ALREADY_STARTED },
	{ "NexusOperationExecutionAlreadyStartedFailure",
		TEMPORAL_DETAIL_NEXUS_OPERATION_ALREADY_STARTED },
};

static enum temporal_detail detail_of(const char *type_url)
{
	static const char package[] = "temporal.api.errordetails.v1.";
	const char *slash = strrchr(type_url, '/');
	const char *name = slash ? slash + 1 : type_url;

	if (strncmp(name, package, sizeof(package) - 1) != 0)
		return TEMPORAL_DETAIL_OTHER;
	for (size_t i = 0; i < sizeof(detail_names) / sizeof(detail_names[0]); i++) {
		if (str_same(detail_names[i].name, name + sizeof(package) - 1))
			return detail_names[i].detail;
	}
	return TEMPORAL_DETAIL_OTHER;
}

static void take_run_id(
	struct arena *arena, const ProtobufCBinaryData *value, struct temporal_error *err)
{
	const Errordetails__WorkflowExecutionAlreadyStartedFailure *started = proto_decode(arena,
		&errordetails__workflow_execution_already_started_failure__descriptor, value->data,
		value->len, NULL, NULL);

	if (started && started->run_id)
		snprintf(err->run_id, sizeof(err->run_id), "%s", started->run_id);
}

enum temporal_code rpc_status_code(enum temporal_code code)
{
	if (code <= TEMPORAL_UNAUTHENTICATED)
		return code;
	return code == TEMPORAL_NO_MEMORY ? TEMPORAL_RESOURCE_EXHAUSTED : TEMPORAL_UNKNOWN;
}

const void *rpc_status_decode(
	struct arena *arena, const uint8_t *data, size_t len, struct temporal_error *err)
{
	const Common__GrpcStatus *status =
		proto_decode(arena, &common__grpc_status__descriptor, data, len, NULL, NULL);

	if (!status || status->n_details == 0)
		return status;
	err->detail = detail_of(status->details[0]->type_url);
	if (err->detail == TEMPORAL_DETAIL_WORKFLOW_ALREADY_STARTED)
		take_run_id(arena, &status->details[0]->value, err);
	return status;
}
