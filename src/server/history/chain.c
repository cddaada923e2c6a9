/*
 * chain.c: the run after this one: by a retry, by cron, or as the workflow wants it. It has the
 * workflow id, the parent and the root of this one, and what its start event was given; who started
 * the chain and under which summary is known of its first run alone.
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/cron.h"
#include "server/history/history.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define INITIATOR(name_) ENUMS__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_##name_

static History__HistoryEvent *first_event(struct execution *execution)
{
	History__HistoryEvent *event = event_read(execution, 1, &execution->server->scratch);

	if (!event)
		server_unread(execution->server);
	return event;
}

History__WorkflowExecutionStartedEventAttributes *start_attributes(struct execution *execution)
{
	History__HistoryEvent *event = first_event(execution);

	return event ? event->workflow_execution_started_event_attributes : NULL;
}

/* Runs of a chain do not follow each other faster than so: none may spin. */
static int64_t spaced(const struct execution *execution, int64_t delay_ms)
{
	const struct server *server = execution->server;
	int64_t lived_ns = server->now_ns - execution->execution_ns;
	int64_t interval_ns = server->config.run_interval_ms * NS_PER_MS;

	if (timers_after(lived_ns, delay_ms) >= interval_ns)
		return delay_ms;
	return (interval_ns - lived_ns + NS_PER_MS - 1) / NS_PER_MS;
}

struct execution *start_next(struct execution *execution,
	History__WorkflowExecutionStartedEventAttributes *attributes, int64_t delay_ms)
{
	struct server *server = execution->server;
	const History__HistoryEvent *first = first_event(execution);
	struct start_opts opts = {
		.space = execution->space,
		.workflow_id = execution->workflow_id,
		.attributes = attributes,
		.first_run_id = execution->first_run_id,
		.execution_expires_ns = execution->execution_expires_ns,
		.delay_ms = spaced(execution, delay_ms),
	};
	char request_id[SERVER_UUID_SIZE];

	if (!first)
		return NULL;
	server_uuid(&server->io, request_id);
	opts.request_id = request_id;
	opts.extras.links = first->links;
	opts.extras.n_links = first->n_links;
	attributes->continued_execution_run_id = execution->run_id;
	attributes->prev_auto_reset_points = reset_points_hand_on(execution);
	/* Who waits for the end of a run by cron is not told of later ones. */
	attributes->n_completion_callbacks = 0;
	if (attributes->initiator != INITIATOR(CRON_SCHEDULE))
		attributes->completion_callbacks = nexus_callbacks_of(
			execution, &server->scratch, &attributes->n_completion_callbacks);
	attributes->identity = NULL;
	attributes->eager_execution_accepted = false;
	/* What was overridden by hand holds for the run that it was meant for. */
	attributes->versioning_override = NULL;
	struct execution *next = start_execution(server, &opts);
	if (next)
		state_set_text(server, &execution->new_run_id, next->run_id);
	return next;
}

static int64_t retry_delay_ms(
	struct execution *execution, const Failure__Failure *failure, Enums__RetryState *state)
{
	struct server *server = execution->server;
	const Common__RetryPolicy *policy = NULL;

	if (execution->retry_policy.len)
		policy = proto_decode(&server->scratch, &common__retry_policy__descriptor,
			execution->retry_policy.ptr, execution->retry_policy.len, NULL, NULL);
	return retry_backoff_ms(policy, execution->attempt, server->now_ns,
		execution->execution_expires_ns, failure, state);
}

static struct execution *start_by_cron(struct execution *execution, int64_t delay_ms,
	const Common__Payloads *result, const Failure__Failure *failure)
{
	History__WorkflowExecutionStartedEventAttributes *attributes = start_attributes(execution);

	if (!attributes)
		return NULL;
	attributes->attempt = 1;
	attributes->initiator = INITIATOR(CRON_SCHEDULE);
	attributes->continued_failure = (Failure__Failure *)(uintptr_t)failure;
	/* A run that failed leaves the result of the one before it. */
	if (!failure)
		attributes->last_completion_result = (Common__Payloads *)(uintptr_t)result;
	return start_next(execution, attributes, delay_ms);
}

static int64_t cron_delay_ms(const struct execution *execution)
{
	return cron_backoff_ms(execution->cron, execution->execution_ns, execution->server->now_ns);
}

struct execution *start_after_success(struct execution *execution, const Common__Payloads *result)
{
	int64_t delay_ms = cron_delay_ms(execution);

	return delay_ms < 0 ? NULL : start_by_cron(execution, delay_ms, result, NULL);
}

struct execution *start_after_failure(struct execution *execution, const Failure__Failure *failure,
	bool timed_out, Enums__RetryState *state)
{
	int64_t delay_ms = retry_delay_ms(execution, failure, state);

	if (delay_ms < 0) {
		delay_ms = cron_delay_ms(execution);
		return delay_ms < 0 ? NULL : start_by_cron(execution, delay_ms, NULL, failure);
	}
	History__WorkflowExecutionStartedEventAttributes *attributes = start_attributes(execution);
	if (!attributes)
		return NULL;
	attributes->attempt = execution->attempt + 1;
	attributes->initiator = INITIATOR(RETRY);
	attributes->continued_failure = (Failure__Failure *)(uintptr_t)failure;
	if (!timed_out)
		attributes->last_completion_result = NULL;
	return start_next(execution, attributes, delay_ms);
}
