/*
 * poll.c: callers that wait until an execution gets an event or ends (GetWorkflowExecutionHistory
 * with wait_new_event). At the end of a transition that added events all of them are asked to look
 * again. Loop's thread.
 */
#include "server/frontend/frontend.h"
#include "server/limits.h"

static void leave(struct request *request)
{
	struct execution *execution = request->waiting_for;
	struct request **at = &execution->history_polls;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	request->next = NULL;
	request_wake(request);
}

static void expired(struct request *request)
{
	struct execution *execution = request->waiting_for;

	leave(request);
	frontend_history_expired(request, execution);
}

void history_poll(struct execution *execution, struct request *request)
{
	request->next = execution->history_polls;
	execution->history_polls = request;
	request_wait(request, request->server->config.history_poll_ms, expired, execution);
}

void history_wake(struct execution *execution)
{
	struct request *request = execution->history_polls;

	execution->history_polls = NULL;
	if (request && !state_running(execution))
		virtual_time_hold(execution->server);
	while (request) {
		struct request *next = request->next;

		request->next = NULL;
		request_wake(request);
		frontend_get_history(request);
		request = next;
	}
}
