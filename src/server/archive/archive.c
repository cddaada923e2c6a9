/*
 * archive.c: how an ended run leaves: the batch that moves it to the store, the cache, deletion.
 *
 * A run that has ended may still change (a late answer to a caller, a callback that is retried):
 * then it is due again and its row is replaced. Between the change and the new row the journal
 * holds the change; recovery puts it upon the row (journal.c).
 *
 * Invariant: an execution is in the list of its state, and in none while it is running. What
 * moves it is submitted after the batch of its transition, so the store sees them in that order.
 *
 * Loop's thread.
 */
#include "server/archive/archive.h"

#include "base/mem.h"
#include "server/history/child.h"
#include "server/history/history.h"
#include "server/history/update.h"
#include "server/journal.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"
#include "server/store/store.h"
#include "server/visibility/closed_row.h"

#define PART_BYTES  (16 * 1024)       /* of a part of a history in the store */
#define BATCH_BYTES (4 * 1024 * 1024) /* of the histories in one batch, but for the last */
#define RETRY_NS    INT64_C(1000000000)

/* ---- Lists ---- */

static struct archive_list *list_of(struct execution *execution)
{
	struct archive *archive = &execution->server->archive;

	switch (execution->archive.state) {
	case ARCHIVE_DUE:
		return &archive->due;
	case ARCHIVE_LEAVING:
		return &archive->leaving;
	case ARCHIVE_STORED:
		return &archive->stored;
	default:
		return NULL;
	}
}

static void leave_list(struct execution *execution)
{
	struct archive_list *list = list_of(execution);
	struct archive_link *link = &execution->archive;

	if (!list)
		return;
	if (link->prev)
		link->prev->archive.next = link->next;
	else
		list->first = link->next;
	if (link->next)
		link->next->archive.prev = link->prev;
	else
		list->last = link->prev;
	link->next = link->prev = NULL;
	if (link->state == ARCHIVE_STORED) {
		execution->server->archive.bytes -= link->bytes;
		execution->server->archive.n_stored--;
	}
	link->state = ARCHIVE_NONE;
}

static void move(struct execution *execution, enum archive_state state)
{
	struct archive_link *link = &execution->archive;

	leave_list(execution);
	link->state = state;
	struct archive_list *list = list_of(execution);
	link->prev = list->last;
	if (list->last)
		list->last->archive.next = execution;
	else
		list->first = execution;
	list->last = execution;
}

/* What it costs in memory, about. */
static size_t cost(const struct execution *execution)
{
	size_t size = sizeof(*execution) + record_size(&state_execution_type, execution) +
		      execution->blocks_capacity * sizeof(struct event_block *);

	size += map_memory(&execution->updates.by_id) +
		execution->updates.n_completed * sizeof(struct update);
	for (uint32_t i = 0; i < execution->n_blocks; i++)
		size += sizeof(struct event_block) + execution->blocks[i]->capacity;
	return size;
}

void archive_keep(struct execution *execution)
{
	struct archive *archive = &execution->server->archive;

	move(execution, ARCHIVE_STORED);
	execution->archive.bytes = cost(execution);
	archive->bytes += execution->archive.bytes;
	archive->n_stored++;
}

void archive_use(struct execution *execution)
{
	if (execution->archive.state == ARCHIVE_STORED)
		archive_keep(execution);
}

void archive_note(struct execution *execution)
{
	state_open_remove(execution);
	move(execution, ARCHIVE_DUE);
}

/* Does something in memory still refer to it, or wait at it? */
static bool is_held(const struct execution *execution)
{
	return nexus_is_pending(execution) || execution->touched || execution->queries ||
	       execution->history_polls || execution->activities || execution->timers ||
	       execution->task.queue || state_running(execution);
}

/* ---- Leaving ---- */

bool archive_snapshot(struct execution *execution, const void **data, size_t *size)
{
	struct server *server = execution->server;
	struct entity_key key = { ENTITY_EXECUTION, execution->number, 0 };
	struct batch *batch = server->batch, gathered = { 0 };
	struct execution bare = closed_row_bare(execution);

	/* Records are written to the server's batch; for a moment that is another one. */
	server->batch = &gathered;
	transition_record(server, key, &state_execution_type, &bare);
	update_record_all(execution);
	nexus_snapshot(execution);
	child_snapshot(execution);
	server->batch = batch;
	*data = arena_memdup(&server->scratch, gathered.data, gathered.len);
	*size = gathered.len;
	mem_free(gathered.data);
	if (!*data)
		server_no_memory(server);
	return !server->failed; /* else a record may be missing */
}

/* Blocks are of one transition each; the store gets larger parts. Their number. */
static size_t make_parts(
	const struct execution *execution, struct store_history *parts, uint8_t *data)
{
	size_t n = 0;

	for (uint32_t i = 0; i < execution->n_blocks; i++) {
		const struct event_block *block = execution->blocks[i];
		struct store_history *part = n ? &parts[n - 1] : NULL;

		if (!part || part->size + block->len > PART_BYTES) {
			part = &parts[n++];
			*part = (struct store_history){ block->first_id, 0, data, 0 };
		}
		memcpy(data, block->data, block->len);
		data += block->len;
		part->size += block->len;
		part->events += block->count;
	}
	return n;
}

static size_t history_bytes(const struct execution *execution)
{
	size_t size = 0;

	for (uint32_t i = 0; i < execution->n_blocks; i++)
		size += execution->blocks[i]->len;
	return size;
}

static void add_close(struct execution *execution, struct store_batch *out)
{
	struct server *server = execution->server;
	struct arena *arena = &server->scratch;
	struct store_closed row = { 0 };
	struct store_history *parts = arena_array(arena, execution->n_blocks + 1, sizeof(*parts));
	uint8_t *data = arena_alloc(arena, history_bytes(execution));

	if (!parts || !data || !archive_snapshot(execution, &row.info, &row.info_size) ||
		!closed_row_fill(execution, arena, &row)) {
		server_no_memory(server);
		return;
	}
	/* The journal keeps it as well until all are told of its end. */
	row.keep_records = nexus_is_pending(execution);
	size_t n = make_parts(execution, parts, data);
	store_batch_close(out, &row, parts, n);
	if (row.expire_ns < server->archive.expiry_ns)
		server->archive.expiry_ns = row.expire_ns;
}

static void committed(void *user, const struct store_done *done)
{
	struct server *server = user;
	struct archive *archive = &server->archive;

	if (done->code != TEMPORAL_OK)
		server_fail(server, "%s", done->err->message);
	archive->committed++;
	while (archive->leaving.first &&
		archive->leaving.first->archive.ticket <= archive->committed)
		archive_keep(archive->leaving.first);
	/* Many may have come at once; the next input could be long in coming. */
	archive_run(server, false);
}

/* Out of the store and out of memory; the answer of whoever wished it waits for the commit. */
static void delete (struct execution *execution)
{
	struct server *server = execution->server;
	struct store_batch *out = store_batch_new();

	store_batch_drop(out, execution->number);
	store_batch_delete(out, execution->number);
	journal_submit_other(server, out);
	query_fail_all(execution, "the workflow execution has been deleted");
	leave_list(execution);
	state_execution_free(execution);
}

void archive_delete(struct execution *execution)
{
	execution->archive.delete = true;
	transition_touch(execution);
	transition_durable(execution->server);
}

/* Moves the first of those that are due to the batch; how many bytes it adds. */
static size_t take_due(struct server *server, struct store_batch *out)
{
	struct execution *execution = server->archive.due.first;
	struct temporal_error err;

	if (execution->archive.delete) {
		delete (execution);
		return 0;
	}
	/* One that came back needs its events to be written again. If they are damaged, the row
	 * stays as it was, and the journal has what has changed. */
	if (!archive_history(execution, &err)) {
		archive_keep(execution);
		return 0;
	}
	add_close(execution, out);
	execution->archive.ticket = server->archive.submitted;
	move(execution, ARCHIVE_LEAVING);
	return history_bytes(execution);
}

/* One batch. False: the store takes no more for now (its queue has a limit). */
static bool submit_some(struct server *server)
{
	struct archive *archive = &server->archive;
	struct store_batch *out = store_batch_new();
	struct temporal_error err;
	size_t bytes = 0;

	archive->submitted++;
	while (archive->due.first && !server->failed && bytes < BATCH_BYTES)
		bytes += take_due(server, out);
	if (server->failed) {
		store_batch_free(out);
		return false;
	}
	enum temporal_code code =
		store_submit(server->store, out, STORE_LAZY, committed, server, &err);
	if (code == TEMPORAL_OK)
		return true;
	while (archive->leaving.last && archive->leaving.last->archive.ticket == archive->submitted)
		move(archive->leaving.last, ARCHIVE_DUE);
	archive->submitted--;
	if (code != TEMPORAL_RESOURCE_EXHAUSTED)
		server_fail(server, "%s", err.message);
	return false;
}

static void submit_due(struct server *server)
{
	struct archive *archive = &server->archive;

	archive->refused = false;
	while (archive->due.first && !server->failed && !archive->refused)
		archive->refused = !submit_some(server);
}

static void evict(struct server *server)
{
	struct archive *archive = &server->archive;

	for (unsigned left = archive->n_stored; left && archive->bytes > archive->limit_bytes;
		left--) {
		struct execution *execution = archive->stored.first;

		if (is_held(execution)) {
			archive_keep(execution);
			continue;
		}
		leave_list(execution);
		state_execution_free(execution);
	}
}

void archive_run(struct server *server, bool submitted)
{
	struct archive *archive = &server->archive;

	if (!archive->open || server->failed)
		return;
	/* After a refusal it is tried again once the queue is empty, not with each input. */
	if (archive->refused)
		submitted = !server->batch->len && server->committed == server->submitted;
	if (submitted && archive->due.first) {
		struct arena_mark mark = arena_mark(&server->scratch);

		submit_due(server);
		arena_release(&server->scratch, mark);
	}
	evict(server);
}

void archive_open(struct server *server)
{
	struct archive *archive = &server->archive;
	struct temporal_error err;

	archive->open = true;
	for (uint32_t i = 0; i < server->numbers.capacity; i++) {
		struct execution *execution = server->numbers.slots[i].value;

		if (execution && !state_running(execution))
			archive_note(execution);
	}
	if (store_next_expiry(server->store, &archive->expiry_ns, &err) != TEMPORAL_OK)
		server_fail(server, "%s", err.message);
	archive_run(server, true);
}

/* ---- Waiting for the store ---- */

struct flush {
	void (*done)(void *user);
	void *user;
};

static void flushed(void *user, const struct store_done *done)
{
	struct flush *flush = user;

	flush->done(flush->user);
	mem_free(flush);
}

bool archive_flush(struct server *server, void (*done)(void *user), void *user)
{
	struct temporal_error err;

	if (!server->archive.due.first && !server->archive.leaving.first)
		return true;
	transition_submit(server);
	if (server->archive.due.first)
		submit_due(server);
	struct flush *flush = mem_alloc(sizeof(*flush));
	if (!flush) {
		server_no_memory(server);
		return true;
	}
	*flush = (struct flush){ done, user };
	/* An empty batch: batches are committed in the order of their submission. */
	enum temporal_code code =
		store_submit(server->store, store_batch_new(), STORE_DURABLE, flushed, flush, &err);
	if (code == TEMPORAL_OK)
		return false;
	mem_free(flush);
	if (code != TEMPORAL_RESOURCE_EXHAUSTED)
		server_fail(server, "%s", err.message);
	return true;
}

/* ---- Retention ---- */

static void expired(void *user, const struct store_done *done)
{
	struct server *server = user;
	struct archive *archive = &server->archive;
	struct temporal_error err;

	archive->expiring = false;
	if (done->code != TEMPORAL_OK)
		server_fail(server, "%s", done->err->message);
	else if (store_next_expiry(server->store, &archive->expiry_ns, &err) != TEMPORAL_OK)
		server_fail(server, "%s", err.message);
	if (server->changed)
		server->changed(server);
}

/* Those of the expired ones that are in memory as well. */
static void forget_expired(struct server *server)
{
	struct execution *next = server->archive.stored.first;

	while (next) {
		struct execution *execution = next;

		next = execution->archive.next;
		if (closed_row_expiry(execution) > server->now_ns || is_held(execution))
			continue;
		leave_list(execution);
		state_execution_free(execution);
	}
}

void archive_expire(struct server *server)
{
	struct archive *archive = &server->archive;
	struct temporal_error err;

	if (!archive->open || archive->expiring || archive->expiry_ns > server->now_ns)
		return;
	struct store_batch *out = store_batch_new();
	store_batch_expire(out, server->now_ns, SERVER_EXPIRE_BATCH);
	archive->expiring = true;
	archive->expiry_ns = INT64_MAX;
	forget_expired(server);
	enum temporal_code code =
		store_submit(server->store, out, STORE_LAZY, expired, server, &err);
	if (code == TEMPORAL_OK)
		return;
	archive->expiring = false;
	archive->expiry_ns = server->now_ns + RETRY_NS;
	if (code != TEMPORAL_RESOURCE_EXHAUSTED)
		server_fail(server, "%s", err.message);
}
