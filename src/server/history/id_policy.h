/*
 * id_policy.h: may another run of a workflow id start, and the end of the one that is in its way.
 */
#ifndef SERVER_HISTORY_ID_POLICY_H
#define SERVER_HISTORY_ID_POLICY_H

#include "server/history/history.h"

/* What a reuse policy says of a run that has ended. */
bool id_policy_reuse(const struct execution *ended, Enums__WorkflowIdReusePolicy policy);

/* May a child start? `current`: the last run of the id, or NULL. A run that is running is in the
 * way, unless the policy is to terminate it; that is then up to the caller. */
bool id_policy_child(const struct execution *current, Enums__WorkflowIdReusePolicy policy);

/* Ends a run because another one of its workflow id has started; its details name it. */
void id_policy_terminate(struct execution *old, const struct execution *replacement);

#endif
