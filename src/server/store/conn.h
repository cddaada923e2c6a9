/*
 * conn.h: one connection to the database with its prepared statements, and what the other files
 * of this folder need of SQLite.
 */
#ifndef SERVER_STORE_CONN_H
#define SERVER_STORE_CONN_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include <temporal/error.h>

/* All statements that are known beforehand; their text is the table in conn.c. */
enum store_sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_META_GET,
	SQL_META_PUT,
	SQL_SETTINGS,
	SQL_SETTING_PUT,
	SQL_SETTING_DELETE,
	SQL_JOURNAL,
	SQL_JOURNAL_INDEX,
	SQL_JOURNAL_RUN,
	SQL_JOURNAL_PUT,
	SQL_JOURNAL_DELETE,
	SQL_CLOSED_PUT,
	SQL_CLOSED_ALL,
	SQL_CLOSED_DELETE,
	SQL_CLOSED_EXPIRED,
	SQL_CLOSED_NEXT_EXPIRY,
	SQL_CLOSED_LAST,
	SQL_CLOSED_BY_RUN_ID,
	SQL_CLOSED_BY_NUMBER,
	SQL_HISTORY_PUT,
	SQL_HISTORY_DELETE,
	SQL_HISTORY,
	SQL_HISTORY_ALL,
	SQL_ATTRIBUTE_PUT,
	SQL_ATTRIBUTE_DELETE,
	SQL_ATTRIBUTE_ANY,
	SQL_COUNT_TOTALS,
	SQL_COUNT_LATER,
	SQL_COUNT,
};

enum store_conn_role {
	STORE_WRITER, /* makes the database, writes, checkpoints */
	STORE_READER, /* query only; never checkpoints */
};

/* Zeroed: none. Used by one thread at a time; what is shared is locked by store_conn_enter. */
struct store_conn {
	sqlite3 *db;
	sqlite3_stmt *stmts[SQL_COUNT];
	int wal_frames; /* in the log after the last commit (writer) */
};

/*
 * Opens the file (NULL: in memory) and sets it up. The writer also brings the schema up to date.
 */
enum temporal_code store_conn_open(struct store_conn *conn, const char *path, const char *vfs,
	enum store_conn_role role, struct temporal_error *err) __attribute__((warn_unused_result));
void store_conn_close(struct store_conn *conn);

/*
 * The statement, prepared at first use, its parameters bound by `types`: one letter each, 'i' an
 * int64_t, 't' a text (NULL is an empty one), 'b' a const void * and a size_t. What is bound must
 * stay until store_sql_end. NULL on failure. Ended by store_sql_end.
 */
sqlite3_stmt *store_sql(struct store_conn *conn, enum store_sql sql, const char *types, ...)
	__attribute__((warn_unused_result));
void store_sql_end(sqlite3_stmt *stmt);

/* Executes a statement that gives no rows. SQLITE_OK or SQLite's extended code. */
int store_sql_run(struct store_conn *conn, enum store_sql sql, const char *types, ...)
	__attribute__((warn_unused_result));

/* Any SQL that gives no rows. */
int store_sql_text(struct store_conn *conn, const char *text) __attribute__((warn_unused_result));

/* A pragma's value as an integer, -1 if there is none. */
int64_t store_sql_pragma(struct store_conn *conn, const char *text);

/* SQLite's last extended code of this connection (after store_sql returned NULL). */
int store_sql_code(const struct store_conn *conn);

/*
 * What a failed call means to the caller: RESOURCE_EXHAUSTED (disk or memory full, busy: nothing
 * has happened), DATA_LOSS (corrupt), UNAVAILABLE (the rest). `what` names what was tried.
 */
enum temporal_code store_sql_error(
	const struct store_conn *conn, int code, const char *what, struct temporal_error *err);

/* A text column; "" for NULL. */
const char *store_column_text(sqlite3_stmt *stmt, int column);

#endif
