/*
 * id_policy.c: whether another run of a workflow id may start. Loop's thread.
 */
#include "server/history/id_policy.h"

#include "proto/payload.h"
#include "server/limits.h"

#define REUSE(name_)  ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name_
#define STATUS(name_) ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##name_

bool id_policy_reuse(const struct execution *ended, Enums__WorkflowIdReusePolicy policy)
{
	if (policy == REUSE(REJECT_DUPLICATE))
		return false;
	return policy != REUSE(ALLOW_DUPLICATE_FAILED_ONLY) ||
	       (ended->status != STATUS(COMPLETED) && ended->status != STATUS(CONTINUED_AS_NEW));
}

bool id_policy_child(const struct execution *current, Enums__WorkflowIdReusePolicy policy)
{
	if (!current)
		return true;
	if (state_running(current))
		return policy == REUSE(TERMINATE_IF_RUNNING);
	return id_policy_reuse(current, policy);
}

void id_policy_terminate(struct execution *old, const struct execution *replacement)
{
	struct arena *arena = &old->server->scratch;
	char *text = arena_printf(arena, "\"terminated by new runID: %s\"", replacement->run_id);
	Common__Payloads details = COMMON__PAYLOADS__INIT;
	Common__Payload *payload =
		text ? proto_payload_new(arena, PROTO_ENCODING_JSON, text, strlen(text)) : NULL;

	if (!payload) {
		server_no_memory(old->server);
		return;
	}
	details.payloads = &payload;
	details.n_payloads = 1;
	execution_terminate(old, "TerminateIfRunning WorkflowIdReusePolicy", &details,
		SERVER_HISTORY_IDENTITY, NULL);
}
