/*
 * external.h: signals and requests to cancel that a workflow sends to others, and how a request to
 * cancel reaches a run, whoever sends it.
 */
#ifndef SERVER_HISTORY_EXTERNAL_H
#define SERVER_HISTORY_EXTERNAL_H

#include "server/history/history.h"

bool external_check_signal(struct decision *decision, size_t index);
bool external_check_cancel(struct decision *decision, size_t index);
void command_signal_external(struct decision *decision, const Command__Command *command);
void command_cancel_external(struct decision *decision, const Command__Command *command);

/* Effects: what the initiated event says happens, and the run learns how it went. */
void external_signal(struct execution *source, int64_t initiated_id);
void external_cancel(struct execution *source, int64_t initiated_id);

/* A running run is asked to cancel, once; a second request changes nothing. */
void execution_request_cancel(struct execution *execution,
	History__WorkflowExecutionCancelRequestedEventAttributes *attributes,
	const char *request_id, const struct event_extras *extras);

/* Commands reach only into their own namespace, unless the server allows more. `name`: "" for the
 * own one. NULL: the task fails or the call has been answered; decision.cause says which. */
struct server_namespace *external_namespace(
	struct decision *decision, const char *name, Enums__WorkflowTaskFailedCause cause);

#endif
