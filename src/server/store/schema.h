/*
 * schema.h: the tables, and how a database of an older version becomes one of this.
 */
#ifndef SERVER_STORE_SCHEMA_H
#define SERVER_STORE_SCHEMA_H

#include "server/store/conn.h"

/* SQLite's application_id of our databases ("TmpC"), and the version of the newest migration. */
#define STORE_APPLICATION_ID 0x546d7043
#define STORE_SCHEMA_VERSION 3

/* The columns of closed_run, in the order in which closed.c binds and reads them. */
#define STORE_CLOSED_COLUMNS \
	"run, name_space, status, workflow_id, run_id, type, task_queue," \
	"parent_workflow_id, parent_run_id, root_workflow_id, root_run_id," \
	"start_ns, execution_ns, close_ns, expire_ns," \
	"history_length, history_size, transitions, info, checksum"

/* A step from version - 1 to version. */
struct store_migration {
	int version;
	const char *sql;
};

/*
 * Is it empty or ours, and not newer than this program? Else FAILED_PRECONDITION; DATA_LOSS when it
 * cannot be read.
 */
enum temporal_code store_schema_check(struct store_conn *conn, struct temporal_error *err);

/* Runs the migrations that are missing, all in one transaction. */
enum temporal_code store_schema_migrate(struct store_conn *conn, struct temporal_error *err);

/* The same with another table of migrations (ascending versions, ended by version 0): for tests. */
enum temporal_code store_schema_migrate_by(struct store_conn *conn,
	const struct store_migration *migrations, struct temporal_error *err);

#endif
