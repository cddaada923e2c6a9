/*
 * care.c: copies and checks. A copy is made by SQLite's backup within one step, so it is one moment
 * of the database; and it is checked before it is reported. The source is the writer's connection
 * of an open store, or a file that another process may be writing.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "server/store/internal.h"
#include "server/store/lock.h"
#include "server/store/schema.h"

static enum temporal_code check_pages(struct store_conn *conn, struct temporal_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum temporal_code result = TEMPORAL_OK;
	int code = sqlite3_prepare_v2(conn->db, "PRAGMA integrity_check(1)", -1, &stmt, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_ROW)
		result = store_sql_error(conn, code, "cannot check the database", err);
	else if (strcmp(store_column_text(stmt, 0), "ok") != 0)
		result = error_set(err, TEMPORAL_DATA_LOSS, "the database is corrupt: %s",
			store_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return result;
}

/* The current part, which must follow on the one before (`run`, `next` event). */
static enum temporal_code check_part(
	sqlite3_stmt *stmt, uint64_t *run, int64_t *next, struct temporal_error *err)
{
	uint64_t owner = (uint64_t)sqlite3_column_int64(stmt, 0) >> 20;
	int64_t expected = owner == *run ? *next : 1;
	struct store_history part;
	enum temporal_code code = closed_part(stmt, owner, &part, err);

	if (code != TEMPORAL_OK)
		return code;
	if (part.first_event != expected)
		return error_set(err, TEMPORAL_DATA_LOSS,
			"the history of run %llu has event %lld where event %lld was expected",
			(unsigned long long)owner, (long long)part.first_event,
			(long long)expected);
	*run = owner;
	*next = part.first_event + part.events;
	return TEMPORAL_OK;
}

static enum temporal_code check_histories(struct store_conn *conn, struct temporal_error *err)
{
	sqlite3_stmt *stmt = store_sql(conn, SQL_HISTORY_ALL, "");
	enum temporal_code result = TEMPORAL_OK;
	uint64_t run = UINT64_MAX;
	int64_t next = 1;
	int code = stmt ? sqlite3_step(stmt) : store_sql_code(conn);

	while (code == SQLITE_ROW && result == TEMPORAL_OK) {
		result = check_part(stmt, &run, &next, err);
		code = sqlite3_step(stmt);
	}
	if (stmt)
		store_sql_end(stmt);
	if (result == TEMPORAL_OK && code != SQLITE_DONE)
		result = store_sql_error(conn, code, "cannot read the histories", err);
	return result;
}

static enum temporal_code check_rows(struct store_conn *conn, struct temporal_error *err)
{
	sqlite3_stmt *stmt = store_sql(conn, SQL_CLOSED_ALL, "");
	enum temporal_code result = TEMPORAL_OK;
	struct store_closed row;
	int code = stmt ? sqlite3_step(stmt) : store_sql_code(conn);

	while (code == SQLITE_ROW && result == TEMPORAL_OK) {
		if (!closed_read(stmt, &row))
			result = closed_damaged(row.run, err);
		code = sqlite3_step(stmt);
	}
	if (result == TEMPORAL_OK && code != SQLITE_DONE)
		result = store_sql_error(conn, code, "cannot read the closed runs", err);
	if (stmt)
		store_sql_end(stmt);
	return result;
}

static enum temporal_code check_all(struct store_conn *conn, struct temporal_error *err)
{
	struct journal index = { 0 };
	enum temporal_code code = store_schema_check(conn, err);

	if (code == TEMPORAL_OK)
		code = check_pages(conn, err);
	if (code == TEMPORAL_OK)
		code = journal_visit(conn, 0, &index, NULL, err);
	if (code == TEMPORAL_OK)
		code = settings_visit(conn, NULL, err);
	if (code == TEMPORAL_OK)
		code = check_rows(conn, err);
	if (code == TEMPORAL_OK)
		code = check_histories(conn, err);
	journal_finish(&index);
	return code;
}

/* `copy`: a file of ours alone, beside which no log is to stay behind. */
static enum temporal_code check_file(
	const char *path, const char *vfs, bool copy, struct temporal_error *err)
{
	struct store_conn conn = { 0 };
	enum temporal_code code = store_conn_open(&conn, path, vfs, STORE_READER, err);

	if (code != TEMPORAL_OK)
		return code;
	code = check_all(&conn, err);
	if (copy)
		(void)sqlite3_db_config(conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, (int *)NULL);
	store_conn_close(&conn);
	return code;
}

enum temporal_code store_check(const char *path, const char *vfs, struct temporal_error *err)
{
	enum temporal_code code = TEMPORAL_OK;
	int lock_fd = -1;

	if (!vfs)
		code = store_lock_take(path, &lock_fd, err);
	if (code == TEMPORAL_OK)
		code = check_file(path, vfs, false, err);
	store_lock_release(lock_fd);
	return code;
}

static enum temporal_code copy(
	struct store_conn *from, struct store_conn *to, struct temporal_error *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");

	if (!backup)
		return store_sql_error(to, store_sql_code(to), "cannot write the backup", err);
	int code = sqlite3_backup_step(backup, -1);
	int end = sqlite3_backup_finish(backup);
	if (code == SQLITE_DONE && end == SQLITE_OK)
		return TEMPORAL_OK;
	return store_sql_error(to, end != SQLITE_OK ? end : code, "cannot write the backup", err);
}

static enum temporal_code write_backup(
	struct store_conn *from, const char *name, const char *path, struct temporal_error *err)
{
	struct store_conn to = { 0 };
	enum temporal_code result;
	int code = sqlite3_open_v2(path, &to.db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, name);

	if (code == SQLITE_OK)
		code = store_sql_text(&to, "PRAGMA synchronous=FULL");
	if (code != SQLITE_OK)
		result = store_sql_error(&to, code, "cannot make the backup's file", err);
	else
		result = copy(from, &to, err);
	store_conn_close(&to);
	return result;
}

static void delete_all(sqlite3_vfs *vfs, const char *path)
{
	static const char *const endings[] = { "-wal", "-shm", "" };
	char name[4096];

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (snprintf(name, sizeof(name), "%s%s", path, endings[i]) < (int)sizeof(name))
			(void)vfs->xDelete(vfs, name, 1);
	}
}

/* From an open database to a new file; `name` is the VFS's. */
static enum temporal_code back_up(
	struct store_conn *from, const char *name, const char *path, struct temporal_error *err)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(name);
	int exists = 0;

	if (!vfs || vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK)
		return error_set(err, TEMPORAL_UNAVAILABLE, "cannot look at %s", path);
	if (exists)
		return error_set(err, TEMPORAL_ALREADY_EXISTS,
			"the backup's file %s is there already; expected a new name", path);
	enum temporal_code code = write_backup(from, name, path, err);
	if (code == TEMPORAL_OK)
		code = check_file(path, name, true, err);
	if (code != TEMPORAL_OK)
		delete_all(vfs, path);
	return code;
}

enum temporal_code care_backup(struct store *store, const char *path, struct temporal_error *err)
{
	return back_up(&store->writer, store->vfs, path, err);
}

enum temporal_code store_backup_file(const char *db, const char *path, struct temporal_error *err)
{
	struct store_conn from = { 0 };
	enum temporal_code code = store_conn_open(&from, db, NULL, STORE_READER, err);

	if (code != TEMPORAL_OK)
		return code;
	code = store_schema_check(&from, err);
	if (code == TEMPORAL_OK)
		code = back_up(&from, NULL, path, err);
	store_conn_close(&from);
	return code;
}
