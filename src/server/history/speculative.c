/*
 * speculative.c: workflow tasks that exist for updates alone.
 *
 * Such a task has numbers for its events, as a transient one has, but nothing of it is recorded
 * and nothing is in the history:
 *
 *   - it is completed with nothing but rejections: it was never there, and the worker is told to
 *     go back to where it was (reset_history_event_id)
 *   - it is completed with anything else, fails or times out: its events are written first
 *   - something else happens in the run meanwhile: its events are written at once, and it goes on
 *     as an ordinary task (speculative_settle, called before any event is added)
 *   - the server restarts: it is lost, with the update, whose caller asks again
 *
 * So a rejected update costs no history and no write to the disk. Unlike an ordinary task it times
 * out on a normal queue too when nobody takes it: then it becomes one that is on disk.
 *
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "server/history/update.h"
#include "server/limits.h"

#define REJECTION_TYPE "temporal.api.update.v1.Rejection"

void speculative_hasten(struct execution *execution)
{
	if (!execution->backing_off)
		return;
	execution->backing_off = false;
	timers_stop(&execution->server->timers, &execution->task_timer);
}

void speculative_schedule(struct execution *execution)
{
	if (!state_running(execution) || execution->task_scheduled_id)
		return;
	speculative_hasten(execution);
	execution->task_speculative = true;
	workflow_task_schedule(execution);
}

void speculative_settle(struct execution *execution)
{
	if (execution->task_speculative)
		workflow_task_write(execution, "");
}

/* The part of a type URL after its last slash. */
static bool is_rejection(const Google__Any *body)
{
	const char *slash = body ? strrchr(body->type_url, '/') : NULL;

	return body && str_same(slash ? slash + 1 : body->type_url, REJECTION_TYPE);
}

bool speculative_discards(const struct execution *execution,
	const Workflowservice__RespondWorkflowTaskCompletedRequest *message)
{
	/* Started and Completed of the last task; more events went out with this one. */
	int64_t events = execution->next_event_id - execution->previous_started_id - 2;
	bool capable = message->capabilities &&
		       message->capabilities->discard_speculative_workflow_task_with_events;

	if (!execution->task_speculative || message->n_commands ||
		message->force_create_new_workflow_task)
		return false;
	if (events > (capable ? SERVER_SPECULATIVE_EVENTS_MAX : 0))
		return false;
	for (size_t i = 0; i < message->n_messages; i++) {
		if (!is_rejection(message->messages[i]->body))
			return false;
	}
	return true;
}

void speculative_discard(struct execution *execution)
{
	workflow_task_forget(execution);
	/* The delay that the update did not wait for goes on. */
	if (!execution->previous_started_id && execution->first_task_due_ns) {
		execution->backing_off = true;
		start_arm(execution);
	}
}
