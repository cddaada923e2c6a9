/*
 * schema.c: the table of migrations. A version, once released, is never changed: a new one follows.
 *
 * journal has no index: its rows are appended in the order of seq, and the store knows in memory
 * which of them belong to a run (journal.c). So a commit touches few pages, all at the end.
 * closed_history is keyed by run * 2^20 + first event: a run's history is one stretch of one tree.
 */
#include "server/store/schema.h"

#include <stdio.h>

#include "base/error.h"

static const struct store_migration migrations[] = {
	{ 1, "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL)"
	     " STRICT, WITHOUT ROWID;"
	     "CREATE TABLE setting(space INTEGER NOT NULL, key TEXT NOT NULL,"
	     " checksum INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(space, key))"
	     " STRICT, WITHOUT ROWID;"
	     "CREATE TABLE journal(seq INTEGER PRIMARY KEY, run INTEGER NOT NULL,"
	     " ordinal INTEGER NOT NULL, kind INTEGER NOT NULL, checksum INTEGER NOT NULL,"
	     " data BLOB NOT NULL) STRICT;"
	     "CREATE TABLE closed_run(run INTEGER PRIMARY KEY, name_space INTEGER NOT NULL,"
	     " status INTEGER NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL,"
	     " type TEXT NOT NULL, task_queue TEXT NOT NULL,"
	     " parent_workflow_id TEXT NOT NULL, parent_run_id TEXT NOT NULL,"
	     " root_workflow_id TEXT NOT NULL, root_run_id TEXT NOT NULL,"
	     " start_ns INTEGER NOT NULL, execution_ns INTEGER NOT NULL,"
	     " close_ns INTEGER NOT NULL, expire_ns INTEGER NOT NULL,"
	     " history_length INTEGER NOT NULL, history_size INTEGER NOT NULL,"
	     " transitions INTEGER NOT NULL, info BLOB NOT NULL,"
	     " checksum INTEGER NOT NULL) STRICT;"
	     "CREATE INDEX closed_run_by_id ON closed_run(name_space, workflow_id, start_ns);"
	     "CREATE INDEX closed_run_by_run_id ON closed_run(run_id);"
	     "CREATE INDEX closed_run_by_close ON closed_run(name_space, close_ns, start_ns);"
	     "CREATE INDEX closed_run_by_expiry ON closed_run(expire_ns);"
	     "CREATE TABLE closed_history(part INTEGER PRIMARY KEY, events INTEGER NOT NULL,"
	     " checksum INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
	     "CREATE TABLE closed_attribute(name TEXT NOT NULL, value TEXT NOT NULL,"
	     " run INTEGER NOT NULL, PRIMARY KEY(name, value, run)) STRICT, WITHOUT ROWID;"
	     "CREATE INDEX closed_attribute_by_run ON closed_attribute(run);" },
	/*
	 * Each of these is in the order of a list behind its first columns, and has the status with
	 * it, so that a page or a count by type, queue or status touches no row that it does not
	 * give.
	 */
	{ 2, "DROP INDEX closed_run_by_id;"
	     "DROP INDEX closed_run_by_close;"
	     "CREATE INDEX closed_run_by_id"
	     " ON closed_run(name_space, workflow_id, close_ns, start_ns);"
	     "CREATE INDEX closed_run_by_close"
	     " ON closed_run(name_space, close_ns, start_ns, status);"
	     "CREATE INDEX closed_run_by_type"
	     " ON closed_run(name_space, type, close_ns, start_ns, status);"
	     "CREATE INDEX closed_run_by_task_queue"
	     " ON closed_run(name_space, task_queue, close_ns, start_ns, status);"
	     "CREATE INDEX closed_run_by_status"
	     " ON closed_run(name_space, status, close_ns, start_ns);"
	     "CREATE INDEX closed_run_by_start"
	     " ON closed_run(name_space, start_ns, close_ns, status);" },
	/*
	 * How many closed runs there are of a status: what a list's page shows above it must not
	 * cost a walk over all of them.
	 */
	{ 3, "CREATE TABLE closed_count(name_space INTEGER NOT NULL, status INTEGER NOT NULL,"
	     " n INTEGER NOT NULL, PRIMARY KEY(name_space, status)) STRICT, WITHOUT ROWID;"
	     "INSERT INTO closed_count SELECT name_space, status, count(*) FROM closed_run"
	     " GROUP BY name_space, status;"
	     "CREATE TRIGGER closed_run_added AFTER INSERT ON closed_run BEGIN"
	     " INSERT INTO closed_count VALUES(new.name_space, new.status, 1)"
	     " ON CONFLICT DO UPDATE SET n = n + 1; END;"
	     "CREATE TRIGGER closed_run_gone AFTER DELETE ON closed_run BEGIN"
	     " UPDATE closed_count SET n = n - 1"
	     " WHERE name_space = old.name_space AND status = old.status; END;" },
	{ 0, NULL },
};

enum temporal_code store_schema_check(struct store_conn *conn, struct temporal_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int code =
		sqlite3_prepare_v2(conn->db, "SELECT count(*) FROM sqlite_schema", -1, &stmt, NULL);

	if (code == SQLITE_OK && sqlite3_step(stmt) != SQLITE_ROW)
		code = sqlite3_extended_errcode(conn->db);
	int64_t tables = code == SQLITE_OK ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_finalize(stmt);
	if (code != SQLITE_OK)
		return store_sql_error(conn, code, "cannot read the database", err);
	int64_t application = store_sql_pragma(conn, "PRAGMA application_id");
	int64_t version = store_sql_pragma(conn, "PRAGMA user_version");
	if (application != STORE_APPLICATION_ID && (tables || application || version))
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the file is a database of another program (application id %lld); "
			"expected one of this server, or none",
			(long long)application);
	if (version > STORE_SCHEMA_VERSION)
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the database has version %lld; this server knows versions up to %d",
			(long long)version, STORE_SCHEMA_VERSION);
	return TEMPORAL_OK;
}

static int migrate_one(struct store_conn *conn, const struct store_migration *migration)
{
	char version[64];
	int code = store_sql_text(conn, migration->sql);

	if (code != SQLITE_OK)
		return code;
	(void)snprintf(version, sizeof(version), "PRAGMA user_version=%d", migration->version);
	return store_sql_text(conn, version);
}

enum temporal_code store_schema_migrate_by(
	struct store_conn *conn, const struct store_migration *table, struct temporal_error *err)
{
	char application[64];
	int64_t version = store_sql_pragma(conn, "PRAGMA user_version");

	while (table->version && table->version <= version)
		table++;
	if (!table->version)
		return TEMPORAL_OK;
	(void)snprintf(
		application, sizeof(application), "PRAGMA application_id=%d", STORE_APPLICATION_ID);
	int code = store_sql_run(conn, SQL_BEGIN, "");
	if (code == SQLITE_OK)
		code = store_sql_text(conn, application);
	for (; code == SQLITE_OK && table->version; table++)
		code = migrate_one(conn, table);
	if (code == SQLITE_OK)
		code = store_sql_run(conn, SQL_COMMIT, "");
	if (code == SQLITE_OK)
		return TEMPORAL_OK;
	enum temporal_code result =
		store_sql_error(conn, code, "cannot bring the database up to date", err);
	if (!sqlite3_get_autocommit(conn->db))
		(void)!store_sql_run(conn, SQL_ROLLBACK, "");
	return result;
}

enum temporal_code store_schema_migrate(struct store_conn *conn, struct temporal_error *err)
{
	return store_schema_migrate_by(conn, migrations, err);
}
