/*
 * nexus_answer.h: what a handler returned, as messages. Pure; any thread.
 */
#ifndef WORKER_NEXUS_ANSWER_H
#define WORKER_NEXUS_ANSWER_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/types.h>

#include "base/arena.h"
#include "worker/nexus.h"

/*
 * The operation is done with that result (NULL: none), or, if nexus->token is set, goes on
 * elsewhere; with the links of `nexus`. NULL: no memory, here and below.
 */
Nexus__Response *worker_nexus_answer_started(
	struct arena *arena, const struct nexus *nexus, Common__Payload *result);

/* The request to cancel was passed on. */
Nexus__Response *worker_nexus_answer_cancel(struct arena *arena);

/*
 * The operation has failed, or (kind CANCELLED) was cancelled. Whether the failure goes as it is,
 * or in the older form of the Nexus API, is as the request asks.
 */
Nexus__Response *worker_nexus_answer_unsuccessful(
	struct arena *arena, const struct temporal_failure *failure, const Nexus__Request *request);

/* The handler's error, of kind NEXUS_HANDLER, likewise. Without memory for its text it still says
 * that it is one. */
void worker_nexus_answer_failed(struct arena *arena, const struct temporal_failure *failure,
	const Nexus__Request *request, Workflowservice__RespondNexusTaskFailedRequest *message);

#endif
