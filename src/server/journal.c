/*
 * journal.c: what the store holds for the server, and how it becomes the state again.
 *
 * A record of the store is a batch of entries of one run (transition.h). Recovery knows no logic of
 * workflows: entries replace one another by key, blocks of events follow one another. What is not
 * recorded (timers, tasks in queues) is rebuilt at the end by journal_revive().
 *
 * Loop's thread; at opening the caller's, before there is a loop.
 */
#include "server/journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "server/history/child.h"
#include "server/history/history.h"
#include "server/history/update.h"
#include "server/limits.h"
#include "server/matching/config.h"
#include "server/metrics.h"
#include "server/nexus/nexus.h"
#include "server/store/store.h"

#define SPACE_NAMESPACES 1 /* of the store's settings */
#define SPACE_TIME       16
#define KEY_AHEAD        "ahead" /* the clock, in ns: 8 bytes, little-endian */
#define KIND_BATCH       1       /* of its records */

/* Down. */

static void committed(void *user, const struct store_done *done)
{
	struct server *server = user;

	if (done->code != TEMPORAL_OK)
		server_fail(server, "%s", done->err->message);
	transition_committed(server, server->committed + 1);
}

/* Most batches are of one run; the entries of a mixed one are gathered run by run. */
static void append_run(
	struct store_batch *out, const struct batch *batch, uint64_t run, uint8_t *gathered)
{
	struct batch_entry entry;
	size_t at = 0, len = 0, start = 0;
	bool bad;

	while (batch_next(batch->data, batch->len, &at, &entry, &bad)) {
		if (entry.key.run == run) {
			memcpy(gathered + len, batch->data + start, at - start);
			len += at - start;
		}
		start = at;
	}
	store_batch_append(out, run, KIND_BATCH, gathered, len);
}

/* Has the run come before this place? */
static bool seen(const struct batch *batch, uint64_t run, size_t before)
{
	struct batch_entry entry;
	size_t at = 0;
	bool bad;

	while (at < before && batch_next(batch->data, batch->len, &at, &entry, &bad)) {
		if (entry.key.run == run)
			return at <= before && at != before;
	}
	return false;
}

static void append_all(struct server *server, struct store_batch *out)
{
	struct batch *batch = server->batch;
	uint8_t *gathered = mem_alloc(batch->len);
	struct batch_entry entry;
	size_t at = 0;
	uint64_t last = 0;
	bool bad;

	if (!gathered) {
		server_no_memory(server);
		return;
	}
	while (batch_next(batch->data, batch->len, &at, &entry, &bad)) {
		if (entry.key.run != last && !seen(batch, entry.key.run, at))
			append_run(out, batch, entry.key.run, gathered);
		last = entry.key.run;
	}
	mem_free(gathered);
}

void journal_submit(struct server *server)
{
	struct store_batch *out = store_batch_new();
	struct temporal_error err;

	append_all(server, out);
	server->batch->len = 0;
	if (server->failed) {
		store_batch_free(out);
		return;
	}
	if (store_submit(server->store, out, STORE_DURABLE, committed, server, &err) != TEMPORAL_OK)
		server_fail(server, "%s", err.message);
}

void journal_submit_other(struct server *server, struct store_batch *batch)
{
	struct temporal_error err;

	/* It may be what was half made when the server failed. */
	if (server->failed) {
		store_batch_free(batch);
		return;
	}
	server->submitted++;
	if (store_submit(server->store, batch, STORE_DURABLE, committed, server, &err) !=
		TEMPORAL_OK)
		server_fail(server, "%s", err.message);
}

void journal_namespace(struct server *server, const struct server_namespace *space)
{
	struct store_batch *out = store_batch_new();
	size_t size = record_size(&state_namespace_type, space);
	uint8_t *data = arena_alloc(&server->scratch, size);

	if (!data) {
		store_batch_free(out);
		server_no_memory(server);
		return;
	}
	record_write(&state_namespace_type, space, data);
	store_batch_set(out, SPACE_NAMESPACES, space->name, data, size);
	journal_submit_other(server, out);
}

void journal_namespace_renamed(
	struct server *server, const struct server_namespace *space, const char *old_name)
{
	struct store_batch *out = store_batch_new();

	store_batch_unset(out, SPACE_NAMESPACES, old_name);
	journal_submit_other(server, out);
	if (space)
		journal_namespace(server, space);
}

void journal_setting(
	struct server *server, uint32_t space, const char *key, const void *data, size_t size)
{
	struct store_batch *out = store_batch_new();

	if (size)
		store_batch_set(out, space, key, data, size);
	else
		store_batch_unset(out, space, key);
	journal_submit_other(server, out);
}

void journal_time(struct server *server)
{
	struct store_batch *out = store_batch_new();
	uint64_t ahead = (uint64_t)server->time.ahead_ns;
	uint8_t data[8];

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(ahead >> (8 * i));
	store_batch_set(out, SPACE_TIME, KEY_AHEAD, data, sizeof(data));
	journal_submit_other(server, out);
}

uint64_t journal_new_run(struct server *server)
{
	return server->store ? store_new_run(server->store) : ++server->next_run;
}

/* Up. */

static enum temporal_code damaged(const struct batch_entry *entry, struct temporal_error *err)
{
	return error_set(err, TEMPORAL_DATA_LOSS,
		"the journal's entry of kind %u, run %" PRIu64 ", id %" PRId64
		" does not fit what came before",
		entry->key.kind, entry->key.run, entry->key.id);
}

/* Is it of the run of its key, and of the same one as before? By these a run is found. */
static bool is_of(const struct execution *read, uint64_t run, const struct execution *before)
{
	return read->number == run && !str_empty(read->run_id) &&
	       (!before || (str_same(read->run_id, before->run_id) &&
				   str_same(read->workflow_id, before->workflow_id) &&
				   str_same(read->namespace_id, before->namespace_id)));
}

static bool apply_execution(struct server *server, const struct batch_entry *entry)
{
	struct execution *execution = state_here(server, entry->key.run);
	struct execution read = { 0 };

	if (!record_read(&state_execution_type, &read, entry->data, entry->len) ||
		!is_of(&read, entry->key.run, execution)) {
		record_finish(&state_execution_type, &read);
		return false;
	}
	if (execution) {
		record_finish(&state_execution_type, execution);
		for (size_t i = 0; i < state_execution_type.n_fields; i++) {
			static const uint8_t sizes[] = { 8, 4, 1, 8, sizeof(char *),
				sizeof(struct bytes) };
			const struct record_field *field = &state_execution_type.fields[i];

			memcpy((char *)execution + field->offset, (char *)&read + field->offset,
				sizes[field->kind]);
		}
		return true;
	}
	execution = mem_zalloc(sizeof(*execution));
	if (execution)
		*execution = read;
	if (execution && state_execution_link(server, execution))
		return true;
	record_finish(&state_execution_type, &read);
	mem_free(execution);
	return false;
}

static bool apply_activity(struct execution *execution, const struct batch_entry *entry)
{
	struct activity *activity = state_activity(execution, entry->key.id);

	if (activity)
		state_activity_free(activity);
	if (entry->len == 0)
		return true;
	activity = state_activity_new(execution);
	if (!activity || !record_read(&state_activity_type, activity, entry->data, entry->len))
		return false;
	state_activity_read(activity);
	return true;
}

static bool apply_timer(struct execution *execution, const struct batch_entry *entry)
{
	struct user_timer *timer = execution->timers;

	while (timer && timer->started_id != entry->key.id)
		timer = timer->next;
	if (timer)
		state_timer_free(timer);
	if (entry->len == 0)
		return true;
	timer = state_timer_new(execution);
	return timer && record_read(&state_timer_type, timer, entry->data, entry->len);
}

/* The execution's own record is the last of its transition, so its events may come first. */
static bool apply_part(struct server *server, uint64_t run, const struct batch_entry *entry)
{
	struct execution *execution = state_here(server, run);

	if (entry->key.run != run)
		return false;
	if (entry->key.kind == ENTITY_EXECUTION)
		return apply_execution(server, entry);
	if (!execution)
		return false;
	switch (entry->key.kind) {
	case BATCH_EVENTS:
		return event_restore(execution, entry->key.id, entry->data, entry->len);
	case ENTITY_ACTIVITY:
		return apply_activity(execution, entry);
	case ENTITY_TIMER:
		return apply_timer(execution, entry);
	case ENTITY_CHILD:
		return child_restore(execution, entry->key.id, entry->data, entry->len);
	case ENTITY_BUFFERED:
		return event_restore_buffered(execution, entry->key.id, entry->data, entry->len);
	case ENTITY_REQUEST_ID:
		return execution_restore_request_id(
			execution, (const char *)entry->data, entry->len);
	case ENTITY_UPDATE:
		return update_restore(execution, entry);
	case ENTITY_NEXUS_OPERATION:
		return nexus_operation_restore(execution, entry->key.id, entry->data, entry->len);
	case ENTITY_NEXUS_CALLBACK:
		return nexus_callback_restore(execution, entry->key.id, entry->data, entry->len);
	default:
		return false;
	}
}

enum temporal_code journal_apply(struct server *server, uint64_t run, const uint8_t *data,
	size_t len, struct temporal_error *err)
{
	struct batch_entry entry = { 0 };
	size_t at = 0;
	bool bad;

	/* The execution first: the others belong to it. */
	while (batch_next(data, len, &at, &entry, &bad)) {
		if (entry.key.kind == ENTITY_EXECUTION && !apply_part(server, run, &entry))
			return damaged(&entry, err);
	}
	if (bad)
		return error_set(err, TEMPORAL_DATA_LOSS,
			"a record of the journal ends within an entry, at byte %zu of %zu", at,
			len);
	at = 0;
	while (batch_next(data, len, &at, &entry, &bad)) {
		if (entry.key.kind != ENTITY_EXECUTION && !apply_part(server, run, &entry))
			return damaged(&entry, err);
	}
	return TEMPORAL_OK;
}

static enum temporal_code on_time(
	struct server *server, const struct store_setting *setting, struct temporal_error *err)
{
	const uint8_t *data = setting->data;
	uint64_t ahead = 0;

	if (setting->size != sizeof(ahead))
		return error_set(err, TEMPORAL_DATA_LOSS,
			"the clock's setting has %zu bytes; expected %zu", setting->size,
			sizeof(ahead));
	for (unsigned i = 0; i < sizeof(ahead); i++)
		ahead |= (uint64_t)data[i] << (8 * i);
	server->time.ahead_ns = (int64_t)ahead;
	return TEMPORAL_OK;
}

/* Namespaces come before, since their space has a lower number. */
static enum temporal_code restore_alias(
	struct server *server, const struct store_setting *setting, struct temporal_error *err)
{
	struct server_namespace *space = server->namespaces;
	const char *column = strchr(setting->key, '/');
	char alias[STORE_TEXT_MAX + 1];
	char *end;

	long long number = strtoll(setting->key, &end, 10);
	while (space && space->number != number)
		space = space->next;
	if (!space && end == column)
		return TEMPORAL_OK; /* of a namespace that is gone */
	if (space && end == column && setting->size < sizeof(alias)) {
		memcpy(alias, setting->data, setting->size);
		alias[setting->size] = '\0';
		if (search_attributes_restore(&space->search_attributes, column + 1, alias))
			return TEMPORAL_OK;
	}
	return error_set(err, TEMPORAL_DATA_LOSS,
		"the record of search attribute \"%s\" cannot be read", setting->key);
}

static enum temporal_code on_setting(
	void *user, const struct store_setting *setting, struct temporal_error *err)
{
	struct server *server = user;

	if (setting->space == SPACE_TIME)
		return on_time(server, setting, err);
	if (setting->space == JOURNAL_NEXUS_ENDPOINTS)
		return nexus_endpoint_restore(server, setting->data, setting->size)
			       ? TEMPORAL_OK
			       : error_set(err, TEMPORAL_DATA_LOSS,
					 "the record of Nexus endpoint %s cannot be read",
					 setting->key);
	if (setting->space == JOURNAL_SEARCH_ATTRIBUTES)
		return restore_alias(server, setting, err);
	if (setting->space == CONFIG_SPACE)
		return matching_config_restore(server, setting->key, setting->data, setting->size)
			       ? TEMPORAL_OK
			       : error_set(err, TEMPORAL_DATA_LOSS,
					 "the record of task queue \"%s\" cannot be read",
					 setting->key);
	if (setting->space != SPACE_NAMESPACES)
		return TEMPORAL_OK;
	struct server_namespace *space = state_namespace_new(server, "");
	if (!space || !record_read(&state_namespace_type, space, setting->data, setting->size))
		return error_set(err, TEMPORAL_DATA_LOSS,
			"the record of namespace \"%s\" cannot be read", setting->key);
	if (space->number > server->next_namespace)
		server->next_namespace = space->number;
	return TEMPORAL_OK;
}

/* Does the record begin a run, with its first event? */
static bool begins_run(const struct store_record *record)
{
	struct batch_entry entry;
	size_t at = 0;
	bool bad;

	while (batch_next(record->data, record->size, &at, &entry, &bad)) {
		if (entry.key.kind == BATCH_EVENTS)
			return entry.key.id == 1;
	}
	return false;
}

/* A run that changed after it had been moved to the closed ones: the change is one upon its row. */
static bool bring_back(struct server *server, uint64_t run, struct temporal_error *err)
{
	struct execution *execution = archive_find_number(server, run);

	if (execution)
		return archive_history(execution, err);
	if (server->archive.lost.code == TEMPORAL_OK)
		return true;
	*err = server->archive.lost;
	return false;
}

static enum temporal_code on_record(
	void *user, const struct store_record *record, struct temporal_error *err)
{
	struct server *server = user;

	if (record->ordinal == 1 && !begins_run(record) && !state_here(server, record->run) &&
		!bring_back(server, record->run, err))
		return err->code;
	return journal_apply(user, record->run, record->data, record->size, err);
}

static void on_failed(void *user, const struct temporal_error *why)
{
	server_fail(user, "%s", why->message);
}

static void revive(struct execution *execution)
{
	nexus_revive(execution);
	if (!state_running(execution))
		return;
	/* The updates that it was for are gone. */
	if (execution->task_speculative)
		speculative_discard(execution);
	start_arm(execution);
	for (struct activity *activity = execution->activities; activity;
		activity = activity->next) {
		activity_arm(activity);
		if (activity->state == ACTIVITY_SCHEDULED)
			activity_dispatch(activity);
	}
	for (struct user_timer *timer = execution->timers; timer; timer = timer->next)
		timer_arm(timer);
	if (execution->task_scheduled_id) {
		workflow_task_arm(execution);
		if (!execution->task_started_id)
			workflow_task_offer(execution);
	}
}

void journal_revive(struct server *server)
{
	for (uint32_t i = 0; i < server->numbers.capacity; i++) {
		struct execution *execution = server->numbers.slots[i].value;

		if (execution)
			revive(execution);
	}
}

enum temporal_code journal_open(struct server *server, const char *path, void (*wake)(void *server),
	struct temporal_error *err)
{
	struct store_visitor visitor = { on_setting, on_record, server };

	struct store_opts opts = {
		.path = path,
		.vfs = server->io.disk,
		.no_lock = server->io.disk,
		.manual = server->io.disk,
		.wake = wake,
		.failed = on_failed,
		.user = server,
	};

	server_metrics_store(server, &opts);
	server->store = store_open(&opts, err);
	if (!server->store)
		return err ? err->code : TEMPORAL_UNAVAILABLE;
	enum temporal_code code = store_recover(server->store, &visitor, err);
	if (code == TEMPORAL_OK) {
		transition_begin(server); /* the clock is what the file says */
		journal_revive(server);
		server->archive.limit_bytes =
			path ? SERVER_CLOSED_CACHE_BYTES : SERVER_CLOSED_CACHE_SMALL;
		archive_open(server);
	}
	return code;
}

void journal_step(struct server *server)
{
	store_step(server->store);
	archive_run(server, false);
}

void journal_close(struct server *server)
{
	store_close(server->store);
	server->store = NULL;
}
