/*
 * restore.c: a closed run comes back from the store: first what it was at its end, by two look-ups
 * of an index; its events only when somebody reads them.
 *
 * What the store keeps of it beside the columns is a batch as the journal has them: the execution's
 * record, without what the columns have, and those of what belongs to it.
 *
 * Loop's thread; during recovery the caller's.
 */
#include "base/error.h"
#include "base/mem.h"
#include "server/archive/archive.h"
#include "server/history/history.h"
#include "server/journal.h"
#include "server/store/store.h"
#include "server/visibility/closed_row.h"

/* What was recorded beside the execution: callbacks, updates. False: it does not fit. */
static bool restore_rest(
	struct server *server, const struct store_closed *row, struct temporal_error *err)
{
	const uint8_t *data = row->info;
	struct batch_entry entry;
	size_t at = 0, start = 0;
	bool bad;

	for (; batch_next(data, row->info_size, &at, &entry, &bad); start = at) {
		if (entry.key.kind != ENTITY_EXECUTION &&
			journal_apply(server, row->run, data + start, at - start, err) !=
				TEMPORAL_OK)
			return false;
	}
	return true;
}

/* What could not be made of a row: for want of memory, or it is damaged. */
static void lose(struct server *server, const struct store_closed *row)
{
	if (mem_watch_hit())
		server_no_memory(server);
	else
		(void)error_set(&server->archive.lost, TEMPORAL_DATA_LOSS,
			"the row of closed run %s cannot be read", row->run_id);
}

struct execution *archive_restore(struct server *server, const struct store_closed *row)
{
	struct execution *execution = state_here(server, row->run);
	struct temporal_error err;

	if (execution)
		return execution;
	execution = mem_zalloc(sizeof(*execution));
	if (!execution) {
		server_no_memory(server);
		return NULL;
	}
	if (!closed_row_read(server, row, execution) || !state_execution_link(server, execution)) {
		record_finish(&state_execution_type, execution);
		mem_free(execution);
		lose(server, row);
		return NULL;
	}
	execution->archive.history_missing = true;
	if (restore_rest(server, row, &err)) {
		archive_keep(execution);
		return execution;
	}
	state_execution_free(execution);
	lose(server, row);
	return NULL;
}

/* What a look-up found. */
static struct execution *found(struct server *server, enum temporal_code code,
	const struct store_closed *row, const struct temporal_error *err)
{
	if (code == TEMPORAL_OK)
		return archive_restore(server, row);
	if (code == TEMPORAL_DATA_LOSS)
		server->archive.lost = *err;
	else if (code != TEMPORAL_NOT_FOUND)
		server_fail(server, "%s", err->message);
	return NULL;
}

struct execution *archive_find(struct server *server, const struct server_namespace *space,
	const char *workflow_id, const char *run_id)
{
	struct arena_mark mark = arena_mark(&server->scratch);
	struct store_closed row;
	struct temporal_error err;

	if (!server->archive.open || server->failed)
		return NULL;
	enum temporal_code code = store_find(server->store, (uint32_t)space->number, workflow_id,
		run_id, &server->scratch, &row, &err);
	struct execution *execution = found(server, code, &row, &err);
	arena_release(&server->scratch, mark);
	return execution;
}

struct execution *archive_find_number(struct server *server, uint64_t number)
{
	struct arena_mark mark = arena_mark(&server->scratch);
	struct store_closed row;
	struct temporal_error err;

	if (!server->store || server->failed || number > STORE_RUN_MAX)
		return NULL;
	enum temporal_code code =
		store_find_run(server->store, number, &server->scratch, &row, &err);
	struct execution *execution = found(server, code, &row, &err);
	arena_release(&server->scratch, mark);
	return execution;
}

static enum temporal_code take_part(
	void *user, const struct store_history *part, struct temporal_error *err)
{
	struct execution *execution = user;

	if (event_restore(execution, part->first_event, part->data, part->size))
		return TEMPORAL_OK;
	if (mem_watch_hit())
		return error_no_memory(err, "the events of a closed run");
	return error_set(err, TEMPORAL_DATA_LOSS, "events %lld and on of run %s cannot be read",
		(long long)part->first_event, execution->run_id);
}

bool archive_history(const struct execution *constant, struct temporal_error *err)
{
	/* Where the events lie is no part of what the run is: readers see no change. */
	struct execution *execution = (struct execution *)(uintptr_t)constant;
	struct server *server = execution->server;

	if (!execution->archive.history_missing)
		return true;
	if (store_load_history(server->store, execution->number, take_part, execution, err) !=
		TEMPORAL_OK)
		return false;
	const struct event_block *last =
		execution->n_blocks ? execution->blocks[execution->n_blocks - 1] : NULL;
	if (!last || last->first_id + last->count != execution->next_event_id) {
		(void)error_set(err, TEMPORAL_DATA_LOSS, "the last events of run %s are missing",
			execution->run_id);
		return false;
	}
	execution->archive.history_missing = false;
	archive_use(execution);
	return true;
}
