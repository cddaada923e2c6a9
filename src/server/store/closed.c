/*
 * closed.c: closed runs: their row, their history, their search attributes. Each function works on
 * the connection that it is given, within that one's thread.
 */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "server/store/checksum.h"
#include "server/store/internal.h"
#include "server/store/schema.h"

/* The key of the part of the run's history that begins with the event. */
static int64_t part_key(uint64_t run, int64_t event)
{
	return (int64_t)(run << 20) | event;
}

static int put_history(struct store_conn *conn, uint64_t run, const struct store_history *part)
{
	int64_t key = part_key(run, part->first_event);
	uint32_t checksum = store_checksum(
		run, (uint64_t)part->first_event, (uint64_t)part->events, part->data, part->size);

	return store_sql_run(conn, SQL_HISTORY_PUT, "iiib", key, part->events, (int64_t)checksum,
		part->data, part->size);
}

static uint32_t add_text(uint32_t crc, const char *text)
{
	return store_crc32c(crc, text, strlen(text) + 1);
}

/* Over all columns. */
static uint32_t closed_checksum(const struct store_closed *c)
{
	const int64_t numbers[] = { c->start_ns, c->execution_ns, c->close_ns, c->expire_ns,
		c->history_length, c->history_size, c->transitions };
	uint32_t crc = store_checksum(
		c->run, c->name_space, (uint64_t)(int64_t)c->status, c->info, c->info_size);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		crc = store_checksum(crc, (uint64_t)numbers[i], i, "", 0);
	crc = add_text(add_text(crc, c->workflow_id), c->run_id);
	crc = add_text(add_text(crc, c->type), c->task_queue);
	crc = add_text(add_text(crc, c->parent_workflow_id), c->parent_run_id);
	return add_text(add_text(crc, c->root_workflow_id), c->root_run_id);
}

static int put_row(struct store_conn *conn, const struct store_closed *c)
{
	return store_sql_run(conn, SQL_CLOSED_PUT, "iiittttttttiiiiiiibi", (int64_t)c->run,
		(int64_t)c->name_space, (int64_t)c->status, c->workflow_id, c->run_id, c->type,
		c->task_queue, c->parent_workflow_id, c->parent_run_id, c->root_workflow_id,
		c->root_run_id, c->start_ns, c->execution_ns, c->close_ns, c->expire_ns,
		c->history_length, c->history_size, c->transitions, c->info, c->info_size,
		(int64_t)closed_checksum(c));
}

const char **closed_text(struct store_closed *closed, int i)
{
	const char **const texts[CLOSED_TEXTS] = { &closed->workflow_id, &closed->run_id,
		&closed->type, &closed->task_queue, &closed->parent_workflow_id,
		&closed->parent_run_id, &closed->root_workflow_id, &closed->root_run_id };

	return texts[i];
}

int closed_put(struct store_conn *conn, const struct store_op *op)
{
	const struct store_closed *closed = op->closed;
	int code = put_row(conn, closed);

	/* Of an earlier try nothing may stay that this one does not have. */
	if (code == SQLITE_OK)
		code = store_sql_run(conn, SQL_HISTORY_DELETE, "ii", part_key(closed->run, 0),
			part_key(closed->run, STORE_EVENT_MAX));
	if (code == SQLITE_OK)
		code = store_sql_run(conn, SQL_ATTRIBUTE_DELETE, "i", (int64_t)closed->run);
	for (size_t i = 0; i < op->n_history && code == SQLITE_OK; i++)
		code = put_history(conn, closed->run, &op->history[i]);
	for (size_t i = 0; i < closed->n_attributes && code == SQLITE_OK; i++)
		code = store_sql_run(conn, SQL_ATTRIBUTE_PUT, "tti", closed->attributes[i].name,
			closed->attributes[i].value, (int64_t)closed->run);
	return code;
}

int closed_delete(struct store_conn *conn, uint64_t run, int64_t *deleted)
{
	int code = store_sql_run(conn, SQL_CLOSED_DELETE, "i", (int64_t)run);

	if (code != SQLITE_OK || sqlite3_changes(conn->db) == 0)
		return code;
	++*deleted;
	code = store_sql_run(
		conn, SQL_HISTORY_DELETE, "ii", part_key(run, 0), part_key(run, STORE_EVENT_MAX));
	if (code == SQLITE_OK)
		code = store_sql_run(conn, SQL_ATTRIBUTE_DELETE, "i", (int64_t)run);
	return code;
}

bool closed_read(sqlite3_stmt *stmt, struct store_closed *out)
{
	const void *info = sqlite3_column_blob(stmt, 18);

	*out = (struct store_closed){
		.run = (uint64_t)sqlite3_column_int64(stmt, 0),
		.name_space = (uint32_t)sqlite3_column_int64(stmt, 1),
		.status = sqlite3_column_int(stmt, 2),
		.start_ns = sqlite3_column_int64(stmt, 11),
		.execution_ns = sqlite3_column_int64(stmt, 12),
		.close_ns = sqlite3_column_int64(stmt, 13),
		.expire_ns = sqlite3_column_int64(stmt, 14),
		.history_length = sqlite3_column_int64(stmt, 15),
		.history_size = sqlite3_column_int64(stmt, 16),
		.transitions = sqlite3_column_int64(stmt, 17),
		.info = info ? info : "",
		.info_size = (size_t)sqlite3_column_bytes(stmt, 18),
	};
	for (int i = 0; i < CLOSED_TEXTS; i++)
		*closed_text(out, i) = store_column_text(stmt, 3 + i);
	return sqlite3_column_int64(stmt, 19) == (int64_t)closed_checksum(out);
}

enum temporal_code closed_damaged(uint64_t run, struct temporal_error *err)
{
	return error_set(err, TEMPORAL_DATA_LOSS,
		"the row of closed run %llu is damaged: its checksum differs",
		(unsigned long long)run);
}

bool closed_copy(struct arena *arena, const struct store_closed *closed, struct store_closed *out)
{
	*out = *closed;
	for (int i = 0; i < CLOSED_TEXTS; i++) {
		const char **text = closed_text(out, i);

		*text = arena_strdup(arena, *text);
		if (!*text)
			return false;
	}
	out->info = arena_memdup(arena, closed->info, closed->info_size);
	return out->info;
}

static enum temporal_code find(struct store_conn *conn, sqlite3_stmt *stmt, const char *workflow_id,
	struct arena *arena, struct store_closed *out, struct temporal_error *err)
{
	struct store_closed row;
	int code = stmt ? sqlite3_step(stmt) : store_sql_code(conn);

	if (code == SQLITE_DONE)
		return error_set(
			err, TEMPORAL_NOT_FOUND, "no closed run of workflow id %s", workflow_id);
	if (code != SQLITE_ROW)
		return store_sql_error(conn, code, "cannot look up a closed run", err);
	if (!closed_read(stmt, &row))
		return closed_damaged(row.run, err);
	return closed_copy(arena, &row, out) ? TEMPORAL_OK : error_no_memory(err, "a closed run");
}

enum temporal_code store_find(struct store *store, uint32_t name_space, const char *workflow_id,
	const char *run_id, struct arena *arena, struct store_closed *out,
	struct temporal_error *err)
{
	struct store_conn *conn = store_enter(store, &store->lookup, err);

	if (!conn)
		return TEMPORAL_UNAVAILABLE;
	sqlite3_stmt *stmt = str_empty(run_id) ? store_sql(conn, SQL_CLOSED_LAST, "it",
							 (int64_t)name_space, workflow_id)
					       : store_sql(conn, SQL_CLOSED_BY_RUN_ID, "tit",
							 run_id, (int64_t)name_space, workflow_id);
	enum temporal_code code = find(conn, stmt, workflow_id, arena, out, err);
	if (stmt)
		store_sql_end(stmt);
	store_leave(store);
	return code;
}

enum temporal_code store_find_run(struct store *store, uint64_t run, struct arena *arena,
	struct store_closed *out, struct temporal_error *err)
{
	struct store_conn *conn = store_enter(store, &store->lookup, err);

	if (!conn)
		return TEMPORAL_UNAVAILABLE;
	sqlite3_stmt *stmt = store_sql(conn, SQL_CLOSED_BY_NUMBER, "i", (int64_t)run);
	enum temporal_code code = find(conn, stmt, "of that number", arena, out, err);
	if (stmt)
		store_sql_end(stmt);
	store_leave(store);
	return code;
}

enum temporal_code store_next_expiry(
	struct store *store, int64_t *expire_ns, struct temporal_error *err)
{
	struct store_conn *conn = store_enter(store, &store->lookup, err);

	if (!conn)
		return TEMPORAL_UNAVAILABLE;
	enum temporal_code result = TEMPORAL_OK;
	sqlite3_stmt *stmt = store_sql(conn, SQL_CLOSED_NEXT_EXPIRY, "");
	int code = stmt ? sqlite3_step(stmt) : store_sql_code(conn);
	if (code != SQLITE_ROW)
		result = store_sql_error(conn, code, "cannot look up the next expiry", err);
	else if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		*expire_ns = INT64_MAX;
	else
		*expire_ns = sqlite3_column_int64(stmt, 0);
	if (stmt)
		store_sql_end(stmt);
	store_leave(store);
	return result;
}

enum temporal_code closed_part(
	sqlite3_stmt *stmt, uint64_t run, struct store_history *part, struct temporal_error *err)
{
	const void *data = sqlite3_column_blob(stmt, 3);

	part->first_event = sqlite3_column_int64(stmt, 0) & STORE_EVENT_MAX;
	part->events = sqlite3_column_int64(stmt, 1);
	part->size = (size_t)sqlite3_column_bytes(stmt, 3);
	part->data = data ? data : "";
	if ((uint32_t)sqlite3_column_int64(stmt, 2) ==
		store_checksum(run, (uint64_t)part->first_event, (uint64_t)part->events, part->data,
			part->size))
		return TEMPORAL_OK;
	return error_set(err, TEMPORAL_DATA_LOSS,
		"events %lld and on of run %llu are damaged: their checksum differs",
		(long long)part->first_event, (unsigned long long)run);
}

static enum temporal_code missing_events(uint64_t run, int64_t event, struct temporal_error *err)
{
	return error_set(err, TEMPORAL_DATA_LOSS,
		"events of run %llu beside event %lld are missing", (unsigned long long)run,
		(long long)event);
}

static enum temporal_code load_parts(struct store_conn *conn, sqlite3_stmt *stmt, uint64_t run,
	store_part_fn *take, void *user, struct temporal_error *err)
{
	enum temporal_code result = TEMPORAL_OK;
	struct store_history part;
	int64_t next = 1;
	int code;

	while ((code = sqlite3_step(stmt)) == SQLITE_ROW && result == TEMPORAL_OK) {
		result = closed_part(stmt, run, &part, err);
		if (result == TEMPORAL_OK && part.first_event != next)
			result = missing_events(run, part.first_event, err);
		if (result == TEMPORAL_OK)
			result = take(user, &part, err);
		next = part.first_event + part.events;
	}
	if (result == TEMPORAL_OK && code != SQLITE_DONE)
		result = store_sql_error(conn, code, "cannot read a history", err);
	return result;
}

enum temporal_code store_load_history(struct store *store, uint64_t run, store_part_fn *take,
	void *user, struct temporal_error *err)
{
	int64_t first = part_key(run, 0), last = part_key(run, STORE_EVENT_MAX);
	struct store_conn *conn = store_enter(store, &store->lookup, err);

	if (!conn)
		return TEMPORAL_UNAVAILABLE;
	sqlite3_stmt *stmt = store_sql(conn, SQL_HISTORY, "ii", first, last);
	enum temporal_code result =
		stmt ? load_parts(conn, stmt, run, take, user, err)
		     : store_sql_error(conn, store_sql_code(conn), "cannot read a history", err);
	if (stmt)
		store_sql_end(stmt);
	store_leave(store);
	return result;
}
