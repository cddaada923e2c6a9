/*
 * update.c: the registry of a run's updates.
 *
 *     admitted --> sent --> accepted --> completed        worker's messages: update_message.c
 *        ^  |        |          |
 *        |  |        |          +-- the run ends: its outcome is a failure
 *        |  |        +--> rejected: answered, and forgotten without trace
 *        |  +-----------> aborted: the run ended first; remembered while we live
 *        +-- its task failed, timed out or was lost: it goes out again
 *
 * From acceptance on an update is in the history and in the journal; before, it is in memory alone,
 * and a restart forgets it: its caller asks again with the same id. A completed one is found by its
 * id for as long as its run is known; its outcome is read from the event.
 *
 * Who waits is told at the end of the input (update_settle), so that an update that is accepted and
 * completed by one workflow task is never seen half way. The answers wait for the commit of both.
 *
 * Loop's thread.
 */
#include "server/history/update.h"

#include "base/mem.h"
#include "proto/codec.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define CAUSE(name_)     ENUMS__RESOURCE_EXHAUSTED_CAUSE__RESOURCE_EXHAUSTED_CAUSE_##name_
#define SCOPE_NAMESPACE  ENUMS__RESOURCE_EXHAUSTED_SCOPE__RESOURCE_EXHAUSTED_SCOPE_NAMESPACE
#define EVENT(name_)     ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_##name_
#define FAILING_ATTEMPTS 3 /* of a workflow task, from which on an update fails at once */

#define ANY_SIZE 57 /* of the message that a request travels in, beside it */

#define CLOSING "workflow operation can not be applied because workflow is closing"

static uint64_t hash_of(const struct execution *execution, const char *id)
{
	return state_hash(execution->server, (int64_t)execution->number, id);
}

struct update *update_find(const struct execution *execution, const char *id)
{
	struct update *update = map_get(&execution->updates.by_id, hash_of(execution, id));

	while (update && !str_same(update->id, id))
		update = update->next_hash;
	return update;
}

static bool is_open(const struct update *update)
{
	return update->state != UPDATE_COMPLETED;
}

static void link_open(struct update *update)
{
	struct updates *updates = &update->execution->updates;

	update->prev = updates->last;
	*(updates->last ? &updates->last->next : &updates->first) = update;
	updates->last = update;
	updates->n_open++;
}

static void unlink_open(struct update *update)
{
	struct updates *updates = &update->execution->updates;

	*(update->prev ? &update->prev->next : &updates->first) = update->next;
	*(update->next ? &update->next->prev : &updates->last) = update->prev;
	update->next = update->prev = NULL;
	updates->n_open--;
}

/* Into the map. False: memory is out. */
static bool link_id(struct update *update)
{
	struct map *by_id = &update->execution->updates.by_id;
	uint64_t hash = hash_of(update->execution, update->id);

	update->next_hash = map_get(by_id, hash);
	return map_put(by_id, hash, update);
}

static void unlink_id(struct update *update)
{
	struct map *by_id = &update->execution->updates.by_id;
	uint64_t hash = hash_of(update->execution, update->id);
	struct update *at = map_get(by_id, hash);

	if (at == update) {
		map_remove(by_id, hash);
		/* The place is there, so this takes no memory. */
		if (update->next_hash && !map_put(by_id, hash, update->next_hash))
			server_no_memory(update->execution->server);
		return;
	}
	while (at && at->next_hash != update)
		at = at->next_hash;
	if (at)
		at->next_hash = update->next_hash;
}

static void release(struct update *update)
{
	mem_free(update->id);
	mem_free(update->request.ptr);
	mem_free(update);
}

struct update *update_new(
	struct execution *execution, const char *id, const Update__Request *request)
{
	struct server *server = execution->server;
	struct update *update = mem_zalloc(sizeof(*update));

	if (!update) {
		server_no_memory(server);
		return NULL;
	}
	update->execution = execution;
	state_set_text(server, &update->id, id);
	state_set_bytes(server, &update->request, request);
	if (server->failed || !link_id(update)) {
		server_no_memory(server);
		release(update);
		return NULL;
	}
	link_open(update);
	return update;
}

void update_free(struct update *update)
{
	if (is_open(update))
		unlink_open(update);
	unlink_id(update);
	release(update);
}

void update_finish(struct execution *execution)
{
	struct map *by_id = &execution->updates.by_id;

	for (uint32_t i = 0; i < by_id->capacity; i++) {
		struct update *update = by_id->slots[i].value;

		while (update) {
			struct update *next = update->next_hash;

			release(update);
			update = next;
		}
	}
	map_finish(by_id);
}

/* ---- The journal ---- */

void update_record(struct update *update)
{
	struct execution *execution = update->execution;

	if (!update->number)
		update->number = ++execution->records;
	transition_record(execution->server,
		(struct entity_key){ ENTITY_UPDATE, execution->number, update->number },
		&state_update_type, update);
	transition_touch(execution);
}

void update_record_all(const struct execution *execution)
{
	const struct map *by_id = &execution->updates.by_id;

	for (uint32_t i = 0; i < by_id->capacity; i++) {
		for (const struct update *at = by_id->slots[i].value; at; at = at->next_hash) {
			struct entity_key key = { ENTITY_UPDATE, execution->number, at->number };

			if (at->number)
				transition_record(execution->server, key, &state_update_type, at);
		}
	}
}

/* Its place among the open ones follows from its state. */
static void place(struct update *update)
{
	update->state = UPDATE_ADMITTED;
	if (update->accepted_id)
		update->state = UPDATE_ACCEPTED;
	if (update->completed_id)
		update->state = UPDATE_COMPLETED;
	if (is_open(update))
		link_open(update);
	else
		update->execution->updates.n_completed++;
}

/* A record comes once for each step: the last one counts. */
static void replace(struct execution *execution, const char *id)
{
	struct update *before = update_find(execution, id);

	if (!before)
		return;
	if (!is_open(before))
		execution->updates.n_completed--;
	update_free(before);
}

bool update_restore(struct execution *execution, const struct batch_entry *entry)
{
	struct update *update = mem_zalloc(sizeof(*update));

	if (!update)
		return false;
	update->execution = execution;
	update->number = entry->key.id;
	if (!record_read(&state_update_type, update, entry->data, entry->len) || !update->id) {
		release(update);
		return false;
	}
	replace(execution, update->id);
	if (!link_id(update)) {
		release(update);
		return false;
	}
	place(update);
	return true;
}

/* ---- Reset: updates of the history that a run begins with ---- */

static const char *id_of(const History__HistoryEvent *event)
{
	const Update__Request *request;
	const Update__Meta *meta;

	switch (event->event_type) {
	case EVENT(ADMITTED):
		request = event->workflow_execution_update_admitted_event_attributes->request;
		meta = request ? request->meta : NULL;
		break;
	case EVENT(ACCEPTED):
		return event->workflow_execution_update_accepted_event_attributes
			->protocol_instance_id;
	default:
		meta = event->workflow_execution_update_completed_event_attributes->meta;
	}
	return meta ? meta->update_id : "";
}

void update_rebuild(struct execution *execution, const History__HistoryEvent *event)
{
	struct update *update = update_find(execution, id_of(event));

	if (!update)
		update = update_new(execution, id_of(event), NULL);
	if (!update)
		return;
	unlink_open(update);
	if (event->event_type == EVENT(ADMITTED))
		update->admitted_id = event->event_id;
	else if (event->event_type == EVENT(ACCEPTED))
		update->accepted_id = event->event_id;
	else
		update->completed_id = event->event_id;
	place(update);
	update_record(update);
}

void update_reapply(struct execution *execution, const History__HistoryEvent *event)
{
	const History__WorkflowExecutionUpdateAdmittedEventAttributes *admitted =
		event->workflow_execution_update_admitted_event_attributes;
	const History__WorkflowExecutionUpdateAcceptedEventAttributes *accepted =
		event->workflow_execution_update_accepted_event_attributes;

	if (event->event_type == EVENT(ADMITTED))
		update_admit_event(execution, admitted->request, admitted->origin);
	/* Without a request it was admitted by an event before. */
	else if (accepted->accepted_request)
		update_admit_event(execution, accepted->accepted_request,
			ENUMS__UPDATE_ADMITTED_EVENT_ORIGIN__UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY);
}

/* ---- Asking ---- */

/* Refuses for a limit or a conflict that a later call may not meet. */
static void refuse_busy(
	struct request *request, Enums__ResourceExhaustedCause cause, const char *text)
{
	Errordetails__ResourceExhaustedFailure detail =
		ERRORDETAILS__RESOURCE_EXHAUSTED_FAILURE__INIT;

	detail.cause = cause;
	detail.scope = SCOPE_NAMESPACE;
	request_fail(request, TEMPORAL_RESOURCE_EXHAUSTED, &detail, "%s", text);
}

static int64_t total(const struct execution *execution)
{
	return (int64_t)execution->updates.n_open + execution->updates.n_completed;
}

const char *update_over_total(const struct execution *execution, struct arena *arena)
{
	int64_t limit = execution->server->config.updates_max;

	if (total(execution) < limit)
		return NULL;
	return arena_printf(arena,
		"The limit on the total number of distinct updates in this workflow has been "
		"reached (%lld). Make sure any duplicate updates share an Update ID so the server "
		"can deduplicate them, and consider rejecting updates that you aren't going to "
		"process. You can also Continue-as-New to avoid this; we recommend you check "
		"Continue-as-New Suggested in your Workflow.",
		(long long)limit);
}

bool update_many(const struct execution *execution)
{
	int64_t limit = execution->server->config.updates_max;

	return total(execution) >= (limit * SERVER_UPDATES_SUGGEST + 99) / 100;
}

/* What the open ones hold. */
static size_t size_of(const struct execution *execution)
{
	size_t size = 0;

	for (const struct update *at = execution->updates.first; at; at = at->next)
		size += 2 * strlen(at->id) + (at->request.len ? at->request.len + ANY_SIZE : 0);
	return size;
}

/* Is there room for one more? False: answered. */
static bool has_room(
	const struct execution *execution, struct request *request, const Update__Request *in)
{
	const struct server_config *config = &execution->server->config;
	const char *over = update_over_total(execution, request->arena);

	if (execution->updates.n_open >= config->updates_open_max) {
		refuse_busy(request, CAUSE(CONCURRENT_LIMIT),
			arena_printf(request->arena,
				"limit on number of concurrent in-flight updates has been reached "
				"(%lld)",
				(long long)config->updates_open_max));
		return false;
	}
	if (over) {
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL, "%s", over);
		return false;
	}
	if (!server_over(size_of(execution) + proto_size(in) + 1, config->updates_size_max))
		return true;
	refuse_busy(request, CAUSE(CONCURRENT_LIMIT),
		arena_printf(request->arena,
			"limit on total payload size of in-flight updates has been reached (%lld "
			"bytes)",
			(long long)config->updates_size_max));
	return false;
}

/* Can this run take an update now? False: answered. */
static bool is_able(struct execution *execution, struct request *request)
{
	Errordetails__WorkflowNotReadyFailure not_ready =
		ERRORDETAILS__WORKFLOW_NOT_READY_FAILURE__INIT;

	if (execution->task_attempt >= FAILING_ATTEMPTS) {
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, &not_ready,
			"Unable to perform workflow execution update due to Workflow Task in "
			"failed state.");
		return false;
	}
	if (execution->close_attempted && execution->task_started_id) {
		refuse_busy(request, CAUSE(BUSY_WORKFLOW), CLOSING);
		return false;
	}
	return true;
}

struct update *update_admit(struct execution *execution, struct request *request,
	const Workflowservice__UpdateWorkflowExecutionRequest *in)
{
	Errordetails__NotFoundFailure not_found = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;
	const char *id = in->request->meta->update_id;
	struct update *update = update_find(execution, id);

	if (!str_empty(in->first_execution_run_id) &&
		!str_same(in->first_execution_run_id, execution->first_run_id)) {
		request_fail(
			request, TEMPORAL_NOT_FOUND, &not_found, "workflow execution not found");
		return NULL;
	}
	if (!state_running(execution)) {
		if (!update)
			request_fail(request, TEMPORAL_NOT_FOUND, &not_found,
				"workflow execution already completed");
		return update;
	}
	if (!is_able(execution, request))
		return NULL;
	if (update)
		return update;
	if (!has_room(execution, request, in->request))
		return NULL;
	update = update_new(execution, id, in->request);
	if (update)
		speculative_schedule(execution);
	else
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
	return update;
}

void update_admit_event(struct execution *execution, Update__Request *request,
	Enums__UpdateAdmittedEventOrigin origin)
{
	History__WorkflowExecutionUpdateAdmittedEventAttributes attributes =
		HISTORY__WORKFLOW_EXECUTION_UPDATE_ADMITTED_EVENT_ATTRIBUTES__INIT;
	struct update *update;

	if (!request || !request->meta || update_find(execution, request->meta->update_id))
		return;
	attributes.request = request;
	attributes.origin = origin;
	update = update_new(execution, request->meta->update_id, NULL);
	if (!update)
		return;
	update->admitted_id = event_add(execution, EVENT(ADMITTED), &attributes);
	update_record(update);
}

bool update_pending(const struct execution *execution)
{
	const struct update *update = execution->updates.first;

	while (update && update->state != UPDATE_ADMITTED && update->state != UPDATE_SENT)
		update = update->next;
	return update;
}

/* ---- Waiting ---- */

static const Update__Outcome *failed_outcome(
	struct arena *arena, const char *type, const char *message)
{
	Update__Outcome *outcome = PROTO_NEW(arena, Update__Outcome, update__outcome);
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__ApplicationFailureInfo *info = PROTO_NEW(
		arena, Failure__ApplicationFailureInfo, failure__application_failure_info);

	if (!outcome || !failure || !info)
		return NULL;
	info->type = type;
	info->non_retryable = true;
	failure->message = message;
	failure->source = "Server";
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	outcome->value_case = UPDATE__OUTCOME__VALUE_FAILURE;
	outcome->failure = failure;
	return outcome;
}

/* The outcome of a completed one: of this input, or from its event. */
static const Update__Outcome *read_outcome(const struct update *update, struct arena *arena)
{
	const History__HistoryEvent *event;

	if (update->outcome)
		return update->outcome;
	event = event_read(update->execution, update->completed_id, arena);
	return event ? event->workflow_execution_update_completed_event_attributes->outcome : NULL;
}

/* The end of an update whose run ended first. */
static void tell_abort(
	const struct update *update, struct arena *arena, struct update_status *status)
{
	Errordetails__ResourceExhaustedFailure *busy;

	status->code = TEMPORAL_NOT_FOUND;
	status->text = UPDATE_ABORTED_TEXT;
	status->detail =
		PROTO_NEW(arena, Errordetails__NotFoundFailure, errordetails__not_found_failure);
	if (str_empty(update->execution->new_run_id))
		return;
	/* A later call finds the next run. */
	busy = PROTO_NEW(arena, Errordetails__ResourceExhaustedFailure,
		errordetails__resource_exhausted_failure);
	if (!busy)
		return;
	busy->cause = CAUSE(BUSY_WORKFLOW);
	busy->scope = SCOPE_NAMESPACE;
	status->code = TEMPORAL_RESOURCE_EXHAUSTED;
	status->text = CLOSING;
	status->detail = busy;
}

static struct update_status status_of(const struct update *update, struct arena *arena)
{
	struct update_status status = { .stage = UPDATE_STAGE(ADMITTED) };

	switch (update->state) {
	case UPDATE_ADMITTED:
	case UPDATE_SENT:
		break;
	case UPDATE_ACCEPTED:
		status.stage = UPDATE_STAGE(ACCEPTED);
		if (state_running(update->execution))
			break;
		status.stage = UPDATE_STAGE(COMPLETED);
		status.outcome = failed_outcome(arena, "AcceptedUpdateCompletedWorkflow",
			"Workflow Update failed because the Workflow completed before the Update "
			"completed.");
		break;
	case UPDATE_COMPLETED:
	case UPDATE_REJECTED:
		status.stage = UPDATE_STAGE(COMPLETED);
		status.outcome = read_outcome(update, arena);
		break;
	case UPDATE_ABORTED:
		tell_abort(update, arena, &status);
		break;
	}
	if (status.stage == UPDATE_STAGE(COMPLETED) && !status.outcome)
		server_no_memory(update->execution->server);
	return status;
}

static void answer(struct update_waiter *waiter, const struct update_status *status)
{
	request_wake(waiter->request);
	waiter->answer(waiter, status);
}

static void leave(struct update_waiter *waiter)
{
	struct update_waiter **at = &waiter->update->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
}

/* Its time is up, or its caller has gone. */
static void expired(struct request *request)
{
	struct update_waiter *waiter = request->waiting_for;
	struct update_status status = status_of(waiter->update, request->arena);

	leave(waiter);
	if (waiter->limited)
		status = (struct update_status){ .code = TEMPORAL_DEADLINE_EXCEEDED,
			.text = "context deadline exceeded" };
	answer(waiter, &status);
}

static bool is_reached(const struct update_waiter *waiter, const struct update_status *status)
{
	return waiter->stage <= UPDATE_STAGE(ADMITTED) || status->code != TEMPORAL_OK ||
	       status->stage >= waiter->stage;
}

/* Unlike a poll it is not answered a little before its caller's deadline: an answer without a
 * result would be asked for again at once. So the caller's own clock comes first. */
static void wait(struct update_waiter *waiter)
{
	struct request *request = waiter->request;
	struct server *server = request->server;
	int64_t now = server->io.steady_ns(server->io.user);

	request_wait(request, SERVER_UPDATE_POLL_MS, expired, waiter);
	if (request->deadline_ns >= now + SERVER_UPDATE_POLL_MS * INT64_C(1000000))
		return;
	waiter->limited = true;
	if (!timers_set(&server->waits, &request->timer,
		    request->deadline_ns + SERVER_DEADLINE_GRACE_MS * INT64_C(1000000), NULL))
		server_no_memory(server);
}

void update_wait(struct update *update, struct update_waiter *waiter)
{
	struct update_status status = status_of(update, waiter->request->arena);

	waiter->update = update;
	if (is_reached(waiter, &status)) {
		waiter->answer(waiter, &status);
		return;
	}
	waiter->next = update->waiters;
	update->waiters = waiter;
	wait(waiter);
}

static void notify(struct update *update)
{
	struct update_waiter **at = &update->waiters;

	while (*at) {
		struct update_waiter *waiter = *at;
		struct update_status status = status_of(update, waiter->request->arena);

		if (!is_reached(waiter, &status)) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		answer(waiter, &status);
	}
}

void update_settle(struct execution *execution)
{
	struct update *update = execution->updates.first;

	while (update) {
		struct update *next = update->next;

		if (update->state == UPDATE_COMPLETED) {
			unlink_open(update);
			execution->updates.n_completed++;
		}
		notify(update);
		update->outcome = NULL;
		if (update->state == UPDATE_REJECTED)
			update_free(update);
		update = next;
	}
}

void update_close(struct execution *execution)
{
	/* What the worker rejected with the command that ended the run stays rejected. */
	for (struct update *at = execution->updates.first; at; at = at->next) {
		if (at->state == UPDATE_ADMITTED || at->state == UPDATE_SENT)
			at->state = UPDATE_ABORTED;
	}
	update_settle(execution);
}

void update_resend(struct execution *execution)
{
	struct update *update = execution->updates.first;

	while (update) {
		struct update *next = update->next;

		if (update->resurrected)
			update_free(update);
		else if (update->state == UPDATE_SENT)
			update->state = UPDATE_ADMITTED;
		update = next;
	}
}

/* Those that the worker has seen fail, lest they fail the task again; the others go out anew. */
void update_task_failed(struct execution *execution)
{
	Errordetails__WorkflowNotReadyFailure not_ready =
		ERRORDETAILS__WORKFLOW_NOT_READY_FAILURE__INIT;
	const struct update_status failed = {
		.code = TEMPORAL_FAILED_PRECONDITION,
		.text = "Unable to perform workflow execution update due to unexpected workflow "
			"task failure.",
		.detail = &not_ready,
	};
	struct update *update = execution->updates.first;

	while (update) {
		struct update *next = update->next;

		bool sent = update->state == UPDATE_SENT;

		while (sent && update->waiters) {
			struct update_waiter *waiter = update->waiters;

			update->waiters = waiter->next;
			answer(waiter, &failed);
		}
		if (update->resurrected || (sent && !update->admitted_id))
			update_free(update);
		else if (sent)
			update->state = UPDATE_ADMITTED;
		update = next;
	}
}
