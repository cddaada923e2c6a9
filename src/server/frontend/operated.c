/*
 * operated.c: what the calls of operators check in common: the run that they are about, and
 * priorities. Loop's thread.
 */
#include <ctype.h>

#include "server/frontend/frontend.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

static bool is_uuid(const char *text)
{
	size_t i = 0;

	for (; text[i]; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return i == SERVER_UUID_SIZE - 1;
}

struct execution *frontend_operated(struct request *request, struct server_namespace *space,
	const Common__WorkflowExecution *execution)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	struct execution *found;

	if (!str_empty(execution->run_id) && !is_uuid(execution->run_id)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "RunId is not valid UUID.");
		return NULL;
	}
	found = state_execution(request->server, space, execution->workflow_id, execution->run_id);
	if (found && state_running(found))
		return found;
	if (found)
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			"workflow execution already completed");
	else if (str_empty(execution->run_id))
		request_fail(request, TEMPORAL_NOT_FOUND, &detail, "workflow not found for ID: %s",
			execution->workflow_id);
	else
		request_fail(request, TEMPORAL_NOT_FOUND, &detail,
			"workflow execution not found for workflow ID \"%s\" and run ID \"%s\"",
			execution->workflow_id, execution->run_id);
	return NULL;
}

bool frontend_priority(struct request *request, const Common__Priority *priority)
{
	const char *wrong = NULL;

	if (!priority)
		return true;
	if (priority->priority_key < 0)
		wrong = "priority key can't be negative";
	else if (strlen(priority->fairness_key) > SERVER_FAIRNESS_KEY_MAX)
		wrong = "fairness key length exceeds limit";
	else if (!(priority->fairness_weight >= 0))
		wrong = "must be greater than zero";
	if (wrong)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", wrong);
	return !wrong;
}
