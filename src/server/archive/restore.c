/*
 * restore.c: a closed run comes back from the store: first what it was at its end, by two look-ups
 * of an index; its events only when somebody reads them.
 *
 * What the store keeps of it beside the columns is a batch as the journal has them, so that the
 * journal's code reads it.
 *
 * Loop's thread; during recovery the caller's.
 */
#include "base/error.h"
#include "server/archive/archive.h"
#include "server/history/history.h"
#include "server/journal.h"
#include "server/store/store.h"

struct execution *archive_restore(struct server *server, const struct store_closed *row)
{
	struct execution *execution = state_here(server, row->run);
	struct temporal_error err;

	if (execution)
		return execution;
	if (journal_apply(server, row->info, row->info_size, &err) != TEMPORAL_OK) {
		server_fail(server, "%s", err.message);
		return NULL;
	}
	execution = state_here(server, row->run);
	if (!execution) {
		server_fail(server, "closed run %llu of the store is another one's",
			(unsigned long long)row->run);
		return NULL;
	}
	execution->archive.history_missing = true;
	archive_keep(execution);
	return execution;
}

/* What a look-up found. */
static struct execution *found(struct server *server, enum temporal_code code,
	const struct store_closed *row, const struct temporal_error *err)
{
	if (code == TEMPORAL_OK)
		return archive_restore(server, row);
	if (code != TEMPORAL_NOT_FOUND && code != TEMPORAL_DATA_LOSS)
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
