/*
 * state.c: the tables of what is recorded, and making, finding and freeing what is in memory.
 *
 * Names come from the network, so the maps hash them with a secret key. Invariant: an execution
 * that is linked is in three maps (number, run id, and the list of its workflow id).
 *
 * Loop's thread.
 */
#include "server/state.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "proto/codec.h"
#include "server/history/child.h"
#include "server/history/history.h"
#include "server/history/update.h"
#include "server/journal.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/nexus/nexus.h"

#define SCRATCH_FIRST 4096

static const struct record_field namespace_fields[] = {
	RECORD_FIELD(1, INT, server_namespace, number),
	RECORD_FIELD(2, TEXT, server_namespace, id),
	RECORD_FIELD(3, TEXT, server_namespace, name),
	RECORD_FIELD(4, TEXT, server_namespace, description),
	RECORD_FIELD(5, TEXT, server_namespace, owner_email),
	RECORD_FIELD(6, INT, server_namespace, retention_ms),
	RECORD_FIELD(20, SMALL, server_namespace, state),
	RECORD_FIELD(21, BYTES, server_namespace, info),
	RECORD_FIELD(22, BYTES, server_namespace, config),
	RECORD_FIELD(23, INT, server_namespace, delete_due_ns),
	RECORD_FIELD(24, BOOL, server_namespace, by_call),
};
const struct record_type state_namespace_type = RECORD_TYPE(namespace_fields);

static const struct record_field activity_fields[] = {
	RECORD_FIELD(1, INT, activity, scheduled_id),
	RECORD_FIELD(2, TEXT, activity, id),
	RECORD_FIELD(3, TEXT, activity, type),
	RECORD_FIELD(4, TEXT, activity, task_queue),
	RECORD_FIELD(5, SMALL, activity, state),
	RECORD_FIELD(6, SMALL, activity, attempt),
	RECORD_FIELD(7, INT, activity, scheduled_ns),
	RECORD_FIELD(8, INT, activity, attempt_scheduled_ns),
	RECORD_FIELD(9, INT, activity, started_ns),
	RECORD_FIELD(10, INT, activity, heartbeat_ns),
	RECORD_FIELD(11, INT, activity, attempt_completed_ns),
	RECORD_FIELD(12, INT, activity, schedule_to_close_ms),
	RECORD_FIELD(13, INT, activity, schedule_to_start_ms),
	RECORD_FIELD(14, INT, activity, start_to_close_ms),
	RECORD_FIELD(15, INT, activity, heartbeat_ms),
	RECORD_FIELD(16, BYTES, activity, retry_policy),
	RECORD_FIELD(17, INT, activity, cancel_requested_id),
	RECORD_FIELD(18, BYTES, activity, heartbeat_details),
	RECORD_FIELD(19, BYTES, activity, last_failure),
	RECORD_FIELD(20, TEXT, activity, request_id),
	RECORD_FIELD(21, TEXT, activity, identity),
	RECORD_FIELD(22, INT, activity, starts),
	RECORD_FIELD(40, BOOL, activity, paused),
	RECORD_FIELD(41, BOOL, activity, reset),
	RECORD_FIELD(42, BOOL, activity, reset_heartbeat),
	RECORD_FIELD(43, INT, activity, paused_ns),
	RECORD_FIELD(44, TEXT, activity, pause_identity),
	RECORD_FIELD(45, TEXT, activity, pause_reason),
	RECORD_FIELD(46, TEXT, activity, pause_request_id),
	RECORD_FIELD(47, BYTES, activity, priority),
	RECORD_FIELD(48, BOOL, activity, has_priority),
};
const struct record_type state_activity_type = RECORD_TYPE(activity_fields);

static const struct record_field timer_fields[] = {
	RECORD_FIELD(1, INT, user_timer, started_id),
	RECORD_FIELD(2, TEXT, user_timer, id),
	RECORD_FIELD(3, INT, user_timer, due_ns),
};
const struct record_type state_timer_type = RECORD_TYPE(timer_fields);

static const struct record_field execution_fields[] = {
	RECORD_FIELD(1, INT, execution, number),
	RECORD_FIELD(2, TEXT, execution, namespace_id),
	RECORD_FIELD(3, TEXT, execution, workflow_id),
	RECORD_FIELD(4, TEXT, execution, run_id),
	RECORD_FIELD(5, TEXT, execution, first_run_id),
	RECORD_FIELD(6, TEXT, execution, new_run_id),
	RECORD_FIELD(7, TEXT, execution, type),
	RECORD_FIELD(8, TEXT, execution, task_queue),
	RECORD_FIELD(9, TEXT, execution, create_request_id),
	RECORD_FIELD(10, TEXT, execution, cancel_request_id),
	RECORD_FIELD(11, SMALL, execution, status),
	RECORD_FIELD(12, INT, execution, start_ns),
	RECORD_FIELD(13, INT, execution, execution_ns),
	RECORD_FIELD(14, INT, execution, close_ns),
	RECORD_FIELD(15, INT, execution, next_event_id),
	RECORD_FIELD(16, INT, execution, history_size),
	RECORD_FIELD(17, INT, execution, execution_timeout_ms),
	RECORD_FIELD(18, INT, execution, run_timeout_ms),
	RECORD_FIELD(19, INT, execution, task_timeout_ms),
	RECORD_FIELD(20, INT, execution, execution_expires_ns),
	RECORD_FIELD(21, INT, execution, run_expires_ns),
	RECORD_FIELD(22, BYTES, execution, retry_policy),
	RECORD_FIELD(23, SMALL, execution, attempt),
	RECORD_FIELD(24, TEXT, execution, cron),
	RECORD_FIELD(25, BYTES, execution, memo),
	RECORD_FIELD(26, BYTES, execution, search_attributes),
	RECORD_FIELD(27, BYTES, execution, user_metadata),
	RECORD_FIELD(28, BOOL, execution, cancel_requested),
	RECORD_FIELD(29, TEXT, execution, sticky_queue),
	RECORD_FIELD(30, INT, execution, sticky_timeout_ms),
	RECORD_FIELD(31, INT, execution, signals),
	RECORD_FIELD(32, INT, execution, transitions),
	RECORD_FIELD(33, INT, execution, records),
	RECORD_FIELD(34, INT, execution, task_scheduled_id),
	RECORD_FIELD(35, INT, execution, task_started_id),
	RECORD_FIELD(36, SMALL, execution, task_attempt),
	RECORD_FIELD(37, BOOL, execution, task_transient),
	RECORD_FIELD(38, INT, execution, task_scheduled_ns),
	RECORD_FIELD(39, INT, execution, task_original_scheduled_ns),
	RECORD_FIELD(40, INT, execution, task_started_ns),
	RECORD_FIELD(41, INT, execution, task_timeout_now_ms),
	RECORD_FIELD(42, TEXT, execution, task_request_id),
	RECORD_FIELD(43, TEXT, execution, task_identity),
	RECORD_FIELD(44, INT, execution, previous_started_id),
	RECORD_FIELD(45, INT, execution, last_completed_id),
	RECORD_FIELD(46, BOOL, execution, backing_off),
	RECORD_FIELD(47, INT, execution, first_task_due_ns),
	RECORD_FIELD(48, BYTES, execution, priority),
	RECORD_FIELD(90, BOOL, execution, is_reset),
	RECORD_FIELD(91, TEXT, execution, reset_run_id),
	RECORD_FIELD(92, BYTES, execution, reset_points),
	RECORD_FIELD(93, BYTES, execution, versioning_override),
	RECORD_FIELD(110, BOOL, execution, task_speculative),
	RECORD_FIELD(111, INT, execution, task_history_size),
	RECORD_FIELD(112, SMALL, execution, task_suggestions),
	RECORD_FIELD(113, INT, execution, task_problems),
	RECORD_FIELD(114, INT, execution, task_problem),
	RECORD_FIELD(60, TEXT, execution, parent_namespace_id),
	RECORD_FIELD(61, TEXT, execution, parent_workflow_id),
	RECORD_FIELD(62, TEXT, execution, parent_run_id),
	RECORD_FIELD(63, INT, execution, parent_initiated_id),
	RECORD_FIELD(64, TEXT, execution, root_workflow_id),
	RECORD_FIELD(65, TEXT, execution, root_run_id),
	RECORD_FIELD(94, TEXT, execution, reset_request_id),
};
const struct record_type state_execution_type = RECORD_TYPE(execution_fields);

static const struct record_field update_fields[] = {
	RECORD_FIELD(1, TEXT, update, id),
	RECORD_FIELD(2, INT, update, admitted_id),
	RECORD_FIELD(3, INT, update, accepted_id),
	RECORD_FIELD(4, INT, update, completed_id),
};
const struct record_type state_update_type = RECORD_TYPE(update_fields);

void server_fail(struct server *server, const char *format, ...)
{
	va_list args;

	if (server->failed)
		return;
	server->failed = true;
	va_start(args, format);
	vsnprintf(server->failure, sizeof(server->failure), format, args);
	va_end(args);
}

void server_no_memory(struct server *server)
{
	server_fail(server, "the server is out of memory");
}

void server_unread(struct server *server)
{
	if (server->unread.code == TEMPORAL_OK)
		server_no_memory(server);
	else
		server_fail(server, "%s", server->unread.message);
}

void state_init(struct server *server, const struct server_io *io)
{
	*server = (struct server){ .io = *io };
	server_config_init(&server->config);
	arena_init(&server->scratch, SCRATCH_FIRST, ARENA_NO_BUDGET);
	server->answers_last = &server->answers;
	server->held_last = &server->held;
	io->random(io->user, server->hash_key, sizeof(server->hash_key));
	server->batch = mem_zalloc(sizeof(*server->batch));
	if (!server->batch)
		server_no_memory(server);
}

uint64_t state_hash(const struct server *server, int64_t space, const char *name)
{
	/* A text of ours for which memory was out is NULL for the rest of the input. */
	struct str text = str_from(name ? name : "");

	return siphash13(
		text.ptr, text.len, server->hash_key[0] ^ (uint64_t)space, server->hash_key[1]);
}

/* Finding. */

struct server_namespace *state_namespace(const struct server *server, const char *name)
{
	struct server_namespace *space = server->namespaces;

	while (space && (space->gone || !str_same(space->name, name)))
		space = space->next;
	return space;
}

struct server_namespace *state_namespace_by_id(const struct server *server, const char *id)
{
	struct server_namespace *space = server->namespaces;

	while (space && !str_same(space->id, id))
		space = space->next;
	return space;
}

struct workflow_id *state_workflow_id(
	const struct server *server, const struct server_namespace *space, const char *id)
{
	struct workflow_id *found =
		map_get(&server->workflow_ids, state_hash(server, space->number, id));

	while (found && (found->space != space || !str_same(found->id, id)))
		found = found->next_hash;
	return found;
}

/* Of what is in memory the latest run may not be the latest: unless one is running, that is known
 * once the closed runs have been asked. */
static struct execution *find_current(
	struct server *server, const struct server_namespace *space, const char *workflow_id)
{
	struct workflow_id *id = state_workflow_id(server, space, workflow_id);

	if (id && (id->current_known || (id->current && state_running(id->current)))) {
		archive_use(id->current);
		return id->current;
	}
	(void)archive_find(server, space, workflow_id, NULL);
	id = state_workflow_id(server, space, workflow_id);
	if (!id || server->archive.lost.code != TEMPORAL_OK)
		return NULL;
	id->current_known = true;
	return id->current;
}

struct execution *state_execution(struct server *server, const struct server_namespace *space,
	const char *workflow_id, const char *run_id)
{
	if (str_empty(run_id))
		return find_current(server, space, workflow_id);
	struct execution *execution = map_get(&server->runs, state_hash(server, 0, run_id));
	while (execution && (execution->space != space || !str_same(execution->run_id, run_id) ||
				    !str_same(execution->workflow_id, workflow_id)))
		execution = execution->next_hash;
	if (!execution)
		return archive_find(server, space, workflow_id, run_id);
	archive_use(execution);
	return execution;
}

struct execution *state_here(const struct server *server, uint64_t number)
{
	return map_get(&server->numbers, number);
}

struct execution *state_numbered(struct server *server, uint64_t number)
{
	struct execution *execution = state_here(server, number);

	return execution || !server->archive.open ? execution : archive_find_number(server, number);
}

struct activity *state_activity(const struct execution *execution, int64_t scheduled_id)
{
	struct activity *activity = execution->activities;

	while (activity && activity->scheduled_id != scheduled_id)
		activity = activity->next;
	return activity;
}

struct activity *state_activity_by_id(const struct execution *execution, const char *id)
{
	struct activity *activity = execution->activities;

	while (activity && !str_same(activity->id, id))
		activity = activity->next;
	return activity;
}

struct user_timer *state_timer_by_id(const struct execution *execution, const char *id)
{
	struct user_timer *timer = execution->timers;

	while (timer && !str_same(timer->id, id))
		timer = timer->next;
	return timer;
}

/* Making. */

void state_set_text(struct server *server, char **field, const char *text)
{
	if (!record_set_text(field, text))
		server_no_memory(server);
}

void state_set_bytes(struct server *server, struct bytes *field, const void *message)
{
	size_t size = message ? proto_size(message) : 0;
	uint8_t *data = size ? mem_alloc(size) : NULL;

	if (size && !data) {
		server_no_memory(server);
		return;
	}
	if (data)
		proto_write(message, data, size);
	mem_free(field->ptr);
	*field = (struct bytes){ data, size };
}

void state_activity_set(struct activity *activity, struct bytes *field, const void *message)
{
	struct execution *execution = activity->execution;

	execution->activities_size -= field->len;
	state_set_bytes(execution->server, field, message);
	execution->activities_size += field->len;
}

void state_activity_read(struct activity *activity)
{
	activity->execution->activities_size +=
		activity->heartbeat_details.len + activity->last_failure.len;
}

struct server_namespace *state_namespace_new(struct server *server, const char *name)
{
	struct server_namespace *space = mem_zalloc(sizeof(*space));

	if (!space || !record_set_text(&space->name, name)) {
		mem_free(space);
		server_no_memory(server);
		return NULL;
	}
	space->number = ++server->next_namespace;
	space->next = server->namespaces;
	server->namespaces = space;
	return space;
}

static struct workflow_id *workflow_id_new(
	struct server *server, struct server_namespace *space, const char *name)
{
	struct workflow_id *id = mem_zalloc(sizeof(*id));

	if (!id)
		return NULL;
	id->space = space;
	id->hash = state_hash(server, space->number, name);
	id->next_hash = map_get(&server->workflow_ids, id->hash);
	if (!record_set_text(&id->id, name) || !map_put(&server->workflow_ids, id->hash, id)) {
		mem_free(id->id);
		mem_free(id);
		return NULL;
	}
	return id;
}

/* Newest first; all but those of a recovery are the newest. */
static void open_add(struct execution *execution)
{
	struct execution *newer = NULL, *older = execution->server->open_newest;

	if (execution->status > 1) /* ended: it comes back from the store */
		return;
	while (older && older->number > execution->number) {
		newer = older;
		older = older->open_older;
	}
	execution->space->n_open++;
	execution->open_newer = newer;
	execution->open_older = older;
	if (older)
		older->open_newer = execution;
	if (newer)
		newer->open_older = execution;
	else
		execution->server->open_newest = execution;
}

void state_open_remove(struct execution *execution)
{
	struct server *server = execution->server;

	if (server->open_newest != execution && !execution->open_newer)
		return;
	execution->space->n_open--;
	server_metrics_closed(execution);
	if (execution->open_newer)
		execution->open_newer->open_older = execution->open_older;
	else
		server->open_newest = execution->open_older;
	if (execution->open_older)
		execution->open_older->open_newer = execution->open_newer;
	execution->open_newer = execution->open_older = NULL;
}

static void leave_runs(struct execution *execution)
{
	struct server *server = execution->server;
	uint64_t hash = state_hash(server, 0, execution->run_id);
	struct execution *first = map_get(&server->runs, hash);

	if (first != execution) {
		while (first->next_hash != execution)
			first = first->next_hash;
		first->next_hash = execution->next_hash;
	} else if (!execution->next_hash) {
		(void)map_remove(&server->runs, hash);
	} else if (!map_put(&server->runs, hash, execution->next_hash)) {
		server_no_memory(server);
	}
}

bool state_execution_link(struct server *server, struct execution *execution)
{
	struct server_namespace *space = state_namespace_by_id(server, execution->namespace_id);

	if (!space)
		return false;
	execution->server = server;
	execution->space = space;
	execution->buffered_last = &execution->buffered;
	execution->id = state_workflow_id(server, space, execution->workflow_id);
	if (!execution->id)
		execution->id = workflow_id_new(server, space, execution->workflow_id);
	uint64_t hash = state_hash(server, 0, execution->run_id);
	execution->next_hash = map_get(&server->runs, hash);
	if (!execution->id || !map_put(&server->runs, hash, execution)) {
		server_no_memory(server);
		return false;
	}
	if (!map_put(&server->numbers, execution->number, execution)) {
		leave_runs(execution);
		server_no_memory(server);
		return false;
	}
	/* Recovery brings the runs of an id in any order. */
	struct execution **at = &execution->id->current;
	while (*at && (*at)->number > execution->number)
		at = &(*at)->older;
	execution->older = *at;
	*at = execution;
	open_add(execution);
	return true;
}

struct execution *state_execution_new(
	struct server *server, struct server_namespace *space, const char *workflow_id)
{
	struct execution *execution = mem_zalloc(sizeof(*execution));
	char run_id[SERVER_UUID_SIZE];

	if (!execution) {
		server_no_memory(server);
		return NULL;
	}
	server_run_uuid(&server->io, server->now_ns, run_id);
	execution->number = journal_new_run(server);
	execution->next_event_id = 1;
	state_set_text(server, &execution->namespace_id, space->id);
	state_set_text(server, &execution->workflow_id, workflow_id);
	state_set_text(server, &execution->run_id, run_id);
	if (server->failed || !state_execution_link(server, execution)) {
		record_finish(&state_execution_type, execution);
		mem_free(execution);
		return NULL;
	}
	execution->id->current_known = true;
	return execution;
}

struct activity *state_activity_new(struct execution *execution)
{
	struct activity *activity = mem_zalloc(sizeof(*activity));

	if (!activity) {
		server_no_memory(execution->server);
		return NULL;
	}
	activity->execution = execution;
	activity->task.kind = MATCHING_ACTIVITY;
	activity->task.owner = activity;
	activity->next = execution->activities;
	execution->activities = activity;
	execution->n_activities++;
	return activity;
}

struct user_timer *state_timer_new(struct execution *execution)
{
	struct user_timer *timer = mem_zalloc(sizeof(*timer));

	if (!timer) {
		server_no_memory(execution->server);
		return NULL;
	}
	timer->execution = execution;
	timer->next = execution->timers;
	execution->timers = timer;
	return timer;
}

/* Ending. */

void state_activity_free(struct activity *activity)
{
	struct execution *execution = activity->execution;
	struct activity **at = &execution->activities;

	while (*at != activity)
		at = &(*at)->next;
	*at = activity->next;
	execution->n_activities--;
	execution->activities_size -= activity->heartbeat_details.len + activity->last_failure.len;
	timers_stop(&execution->server->timers, &activity->timer);
	matching_withdraw(&activity->task);
	record_finish(&state_activity_type, activity);
	mem_free(activity);
}

void state_timer_free(struct user_timer *timer)
{
	struct execution *execution = timer->execution;
	struct user_timer **at = &execution->timers;

	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timers_stop(&execution->server->timers, &timer->timer);
	record_finish(&state_timer_type, timer);
	mem_free(timer);
}

static void request_ids_finish(struct execution *execution)
{
	for (uint32_t i = 0; i < execution->request_ids.capacity; i++)
		mem_free(execution->request_ids.slots[i].value);
	map_finish(&execution->request_ids);
}

/* Out of every list that others go through: when the server ends, too, they are freed after it. */
static void execution_free(struct execution *execution)
{
	timers_stop(&execution->server->timers, &execution->task_timer);
	timers_stop(&execution->server->timers, &execution->run_timer);
	matching_withdraw(&execution->task);
	while (execution->activities)
		state_activity_free(execution->activities);
	while (execution->timers)
		state_timer_free(execution->timers);
	while (execution->children)
		child_free(execution->children);
	while (execution->buffered) {
		struct buffered_event *event = execution->buffered;

		execution->buffered = event->next;
		mem_free(event);
	}
	for (uint32_t i = 0; i < execution->n_blocks; i++)
		mem_free(execution->blocks[i]);
	mem_free(execution->blocks);
	request_ids_finish(execution);
	update_finish(execution);
	nexus_execution_finish(execution);
	record_finish(&state_execution_type, execution);
	mem_free(execution);
}

/* Out of the chain of its workflow id, which goes with its last run. */
static void leave_id(struct execution *execution)
{
	struct server *server = execution->server;
	struct workflow_id *id = execution->id;
	struct execution **at = &id->current;

	if (id->current == execution)
		id->current_known = false;
	while (*at != execution)
		at = &(*at)->older;
	*at = execution->older;
	if (id->current)
		return;
	struct workflow_id *first = map_get(&server->workflow_ids, id->hash);
	if (first != id) {
		while (first->next_hash != id)
			first = first->next_hash;
		first->next_hash = id->next_hash;
	} else if (!id->next_hash) {
		(void)map_remove(&server->workflow_ids, id->hash);
	} else if (!map_put(&server->workflow_ids, id->hash, id->next_hash)) {
		server_no_memory(server);
	}
	mem_free(id->id);
	mem_free(id);
}

void state_execution_free(struct execution *execution)
{
	struct server *server = execution->server;

	leave_runs(execution);
	(void)map_remove(&server->numbers, execution->number);
	leave_id(execution);
	execution_free(execution);
}

static void workflow_ids_finish(struct workflow_id *id)
{
	while (id) {
		struct workflow_id *next = id->next_hash;

		while (id->current) {
			struct execution *execution = id->current;

			id->current = execution->older;
			execution_free(execution);
		}
		mem_free(id->id);
		mem_free(id);
		id = next;
	}
}

/* The requests that wait have been answered before. */
void state_finish(struct server *server)
{
	for (uint32_t i = 0; i < server->workflow_ids.capacity; i++)
		workflow_ids_finish(server->workflow_ids.slots[i].value);
	map_finish(&server->workflow_ids);
	map_finish(&server->runs);
	map_finish(&server->numbers);
	nexus_finish(server);
	matching_finish(server);
	workers_finish(&server->workers);
	while (server->namespaces) {
		struct server_namespace *space = server->namespaces;

		server->namespaces = space->next;
		search_attributes_finish(&space->search_attributes);
		mem_free(space->metrics);
		record_finish(&state_namespace_type, space);
		mem_free(space);
	}
	timers_finish(&server->timers);
	timers_finish(&server->waits);
	if (server->batch)
		mem_free(server->batch->data);
	mem_free(server->batch);
	mem_free(server->cluster_id);
	mem_free(server->address);
	arena_finish(&server->scratch);
}
