/*
 * conn.c: connections, their settings, and the table of statements.
 *
 * The settings are what durability rests on, so the two that matter are read back: a write-ahead
 * log, and a sync at every commit. Nothing checkpoints by itself: SQLite 3.40 can corrupt a
 * database when two connections write and checkpoint at once, so only the writer does, when it is
 * told to. A statement is prepared when it is first used: opening stays quick.
 */
#include "server/store/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "server/store/schema.h"

static const char *const statements[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_META_GET] = "SELECT value FROM meta WHERE name = ?",
	[SQL_META_PUT] = "INSERT INTO meta(name, value) VALUES(?, ?)"
			 " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
	[SQL_SETTINGS] = "SELECT space, key, checksum, data FROM setting ORDER BY space, key",
	[SQL_SETTING_PUT] = "INSERT INTO setting(space, key, checksum, data) VALUES(?, ?, ?, ?)"
			    " ON CONFLICT(space, key) DO UPDATE SET"
			    " checksum = excluded.checksum, data = excluded.data",
	[SQL_SETTING_DELETE] = "DELETE FROM setting WHERE space = ? AND key = ?",
	[SQL_JOURNAL] = "SELECT seq, run, ordinal, kind, checksum, data FROM journal ORDER BY seq",
	[SQL_JOURNAL_INDEX] = "SELECT seq, run FROM journal ORDER BY seq",
	[SQL_JOURNAL_RUN] = "SELECT seq, run, ordinal, kind, checksum, data FROM journal"
			    " WHERE run = ? ORDER BY seq",
	[SQL_JOURNAL_PUT] = "INSERT INTO journal(seq, run, ordinal, kind, checksum, data)"
			    " VALUES(?, ?, ?, ?, ?, ?)",
	[SQL_JOURNAL_DELETE] = "DELETE FROM journal WHERE seq BETWEEN ? AND ?",
	[SQL_CLOSED_PUT] = "INSERT OR REPLACE INTO closed_run(" STORE_CLOSED_COLUMNS ")"
			   " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_CLOSED_ALL] = "SELECT " STORE_CLOSED_COLUMNS " FROM closed_run",
	[SQL_CLOSED_DELETE] = "DELETE FROM closed_run WHERE run = ?",
	[SQL_CLOSED_EXPIRED] = "SELECT run FROM closed_run WHERE expire_ns <= ?"
			       " ORDER BY expire_ns LIMIT ?",
	[SQL_CLOSED_NEXT_EXPIRY] = "SELECT min(expire_ns) FROM closed_run",
	[SQL_CLOSED_LAST] = "SELECT " STORE_CLOSED_COLUMNS " FROM closed_run"
			    " WHERE name_space = ? AND workflow_id = ?"
			    " ORDER BY close_ns DESC, start_ns DESC, run DESC LIMIT 1",
	[SQL_CLOSED_BY_RUN_ID] = "SELECT " STORE_CLOSED_COLUMNS " FROM closed_run"
				 " WHERE run_id = ? AND +name_space = ? AND +workflow_id = ?",
	[SQL_CLOSED_BY_NUMBER] = "SELECT " STORE_CLOSED_COLUMNS " FROM closed_run WHERE run = ?",
	[SQL_HISTORY_PUT] = "INSERT OR REPLACE INTO closed_history(part, events, checksum, data)"
			    " VALUES(?, ?, ?, ?)",
	[SQL_HISTORY_DELETE] = "DELETE FROM closed_history WHERE part BETWEEN ? AND ?",
	[SQL_HISTORY] = "SELECT part, events, checksum, data FROM closed_history"
			" WHERE part BETWEEN ? AND ? ORDER BY part",
	[SQL_HISTORY_ALL] = "SELECT part, events, checksum, data FROM closed_history ORDER BY part",
	[SQL_ATTRIBUTE_PUT] = "INSERT OR IGNORE INTO closed_attribute(name, value, run)"
			      " VALUES(?, ?, ?)",
	[SQL_ATTRIBUTE_DELETE] = "DELETE FROM closed_attribute WHERE run = ?",
	[SQL_ATTRIBUTE_ANY] = "SELECT 1 FROM closed_attribute WHERE name = ? LIMIT 1",
	[SQL_COUNT_TOTALS] = "SELECT status, n FROM closed_count"
			     " WHERE name_space = ?1 AND (?2 = 0 OR status = ?2)",
	[SQL_COUNT_LATER] = "SELECT status, -count(*) FROM closed_run"
			    " INDEXED BY closed_run_by_close WHERE name_space = ?1"
			    " AND close_ns >= ?3 AND (?2 = 0 OR status = ?2) GROUP BY status",
};

enum temporal_code store_sql_error(
	const struct store_conn *conn, int code, const char *what, struct temporal_error *err)
{
	enum temporal_code meaning = TEMPORAL_UNAVAILABLE;

	switch (code & 0xff) {
	case SQLITE_FULL:
	case SQLITE_NOMEM:
	case SQLITE_BUSY:
	case SQLITE_TOOBIG:
		meaning = TEMPORAL_RESOURCE_EXHAUSTED;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		meaning = TEMPORAL_DATA_LOSS;
		break;
	}
	if (code == SQLITE_IOERR_NOMEM)
		meaning = TEMPORAL_RESOURCE_EXHAUSTED;
	return error_set(err, meaning, "%s: %s (SQLite %d: %s)", what, sqlite3_errstr(code), code,
		conn->db ? sqlite3_errmsg(conn->db) : "no connection");
}

int store_sql_code(const struct store_conn *conn)
{
	int code = sqlite3_extended_errcode(conn->db);

	/* A statement that could not be made leaves a code; anything else would be read as success.
	 */
	return code == SQLITE_OK ? SQLITE_NOMEM : code;
}

static int bind_one(sqlite3_stmt *stmt, int at, char type, va_list *args)
{
	if (type == 'i')
		return sqlite3_bind_int64(stmt, at, va_arg(*args, int64_t));
	if (type == 't') {
		const char *text = va_arg(*args, const char *);

		return sqlite3_bind_text(stmt, at, text ? text : "", -1, SQLITE_STATIC);
	}
	const void *data = va_arg(*args, const void *);
	size_t size = va_arg(*args, size_t);
	return sqlite3_bind_blob64(stmt, at, size ? data : "", size, SQLITE_STATIC);
}

static sqlite3_stmt *statement(
	struct store_conn *conn, enum store_sql sql, const char *types, va_list *args)
{
	sqlite3_stmt **slot = &conn->stmts[sql];

	if (!*slot && sqlite3_prepare_v3(conn->db, statements[sql], -1, SQLITE_PREPARE_PERSISTENT,
			      slot, NULL) != SQLITE_OK)
		return NULL;
	for (int i = 0; types[i]; i++) {
		if (bind_one(*slot, i + 1, types[i], args) != SQLITE_OK) {
			store_sql_end(*slot);
			return NULL;
		}
	}
	return *slot;
}

sqlite3_stmt *store_sql(struct store_conn *conn, enum store_sql sql, const char *types, ...)
{
	va_list args;

	va_start(args, types);
	sqlite3_stmt *stmt = statement(conn, sql, types, &args);
	va_end(args);
	return stmt;
}

void store_sql_end(sqlite3_stmt *stmt)
{
	/* The code of the reset is that of the last step, which its caller has seen. */
	(void)sqlite3_reset(stmt);
}

int store_sql_run(struct store_conn *conn, enum store_sql sql, const char *types, ...)
{
	va_list args;

	va_start(args, types);
	sqlite3_stmt *stmt = statement(conn, sql, types, &args);
	va_end(args);
	if (!stmt)
		return store_sql_code(conn);
	int code = sqlite3_step(stmt);
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		code = sqlite3_extended_errcode(conn->db);
	else
		code = SQLITE_OK;
	store_sql_end(stmt);
	return code;
}

int store_sql_text(struct store_conn *conn, const char *text)
{
	int code = sqlite3_exec(conn->db, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? code : sqlite3_extended_errcode(conn->db);
}

int64_t store_sql_pragma(struct store_conn *conn, const char *text)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(conn->db, text, -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

const char *store_column_text(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text ? text : "";
}

static int note_frames(void *user, sqlite3 *db, const char *name, int frames)
{
	struct store_conn *conn = user;

	conn->wal_frames = frames;
	return SQLITE_OK;
}

/*
 * Switches, and asks again: the switch is committed when its statement ends, so what the statement
 * itself says comes too early. In the old mode a commit would outlive a loss of power only once the
 * directory is synced, which synchronous=FULL does not do there.
 */
static int use_wal(struct store_conn *conn)
{
	sqlite3_stmt *stmt = NULL;
	int code = store_sql_text(conn, "PRAGMA journal_mode=WAL");

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(conn->db, "PRAGMA journal_mode", -1, &stmt, NULL);
	if (code == SQLITE_OK && (sqlite3_step(stmt) != SQLITE_ROW ||
					 strcmp(store_column_text(stmt, 0), "wal") != 0))
		code = SQLITE_CANTOPEN;
	sqlite3_finalize(stmt);
	return code;
}

/* What every connection is told first; the schema cannot call functions or be written directly. */
static int set_up_defence(sqlite3 *db)
{
	int code = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);

	if (code == SQLITE_OK)
		code = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	if (code == SQLITE_OK)
		code = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	if (code == SQLITE_OK)
		code = sqlite3_busy_timeout(db, 5000);
	return code;
}

static enum temporal_code set_up(struct store_conn *conn, const char *path,
	enum store_conn_role role, struct temporal_error *err)
{
	int code = set_up_defence(conn->db);

	if (code == SQLITE_OK)
		code = store_sql_text(
			conn, role == STORE_WRITER
				      ? "PRAGMA page_size=4096; PRAGMA cell_size_check=ON;"
					/* REPLACE deletes: closed_run_gone */
					"PRAGMA recursive_triggers=ON;"
					"PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY"
				      : "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
					"PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0;"
					"PRAGMA query_only=ON");
	if (code != SQLITE_OK)
		return store_sql_error(conn, code, "cannot set up the database", err);
	if (role == STORE_READER)
		return TEMPORAL_OK;
	/* First whose it is: nothing is written to a database of somebody else. */
	enum temporal_code result = store_schema_check(conn, err);
	if (result != TEMPORAL_OK)
		return result;
	if (path)
		code = use_wal(conn);
	if (code != SQLITE_OK)
		return store_sql_error(
			conn, code, "cannot switch the database to a write-ahead log", err);
	code = store_sql_text(conn, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
	if (code != SQLITE_OK || (path && store_sql_pragma(conn, "PRAGMA synchronous") != 2))
		return store_sql_error(conn, code, "cannot make commits durable", err);
	sqlite3_wal_hook(conn->db, note_frames, conn);
	return store_schema_migrate(conn, err);
}

enum temporal_code store_conn_open(struct store_conn *conn, const char *path, const char *vfs,
	enum store_conn_role role, struct temporal_error *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		    (role == STORE_WRITER ? SQLITE_OPEN_CREATE : 0);
	int code = sqlite3_open_v2(path ? path : ":memory:", &conn->db, flags, path ? vfs : NULL);
	enum temporal_code result;

	if (code != SQLITE_OK)
		result = store_sql_error(conn, code, "cannot open the database", err);
	else
		result = set_up(conn, path, role, err);
	if (result != TEMPORAL_OK)
		store_conn_close(conn);
	return result;
}

void store_conn_close(struct store_conn *conn)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(conn->stmts[i]);
		conn->stmts[i] = NULL;
	}
	(void)sqlite3_close(conn->db);
	conn->db = NULL;
}
