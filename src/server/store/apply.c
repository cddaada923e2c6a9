/*
 * apply.c: executes the operations of a batch within the writer's transaction. Each is safe to do
 * again: an owner that does not know whether a batch was committed may repeat it.
 */
#include "base/mem.h"
#include "server/store/internal.h"

/*
 * Notes that runs up to this one have been used, so that a number is not given again after all
 * traces of its run are gone. In steps: few transactions write it.
 */
static int reserve(struct store *store, uint64_t run)
{
	uint64_t reserved = run + 4096;

	if (run < store->journal.reserved)
		return SQLITE_OK;
	int code = store_sql_run(&store->writer, SQL_META_PUT, "ti", "runs", (int64_t)reserved);
	if (code == SQLITE_OK)
		store->journal.reserved = reserved;
	return code;
}

static int apply_append(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	/* In memory nobody would ever read it. */
	if (!store->path)
		return SQLITE_OK;
	int code = reserve(store, op->run);
	return code != SQLITE_OK ? code : journal_append(&store->journal, &store->writer, op);
}

static int apply_drop(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	return journal_drop(&store->journal, &store->writer, op->run);
}

static int apply_set(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	uint32_t checksum = setting_checksum(op->number, op->key, op->data, op->size);

	return store_sql_run(&store->writer, SQL_SETTING_PUT, "itib", (int64_t)op->number, op->key,
		(int64_t)checksum, op->data, op->size);
}

static int apply_unset(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	return store_sql_run(
		&store->writer, SQL_SETTING_DELETE, "it", (int64_t)op->number, op->key);
}

static int apply_close(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	int code = reserve(store, op->run);

	if (code == SQLITE_OK && !op->closed->keep_records)
		code = journal_drop(&store->journal, &store->writer, op->run);
	return code != SQLITE_OK ? code : closed_put(&store->writer, op);
}

static int apply_delete(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	return closed_delete(&store->writer, op->run, &batch->deleted);
}

/* The numbers are gathered before the first is deleted: no statement reads what another changes. */
static int expired(struct store_conn *conn, const struct store_op *op, uint64_t *runs, int *n)
{
	sqlite3_stmt *stmt =
		store_sql(conn, SQL_CLOSED_EXPIRED, "ii", op->now_ns, (int64_t)op->limit);
	int code;

	if (!stmt)
		return store_sql_code(conn);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW && *n < op->limit)
		runs[(*n)++] = (uint64_t)sqlite3_column_int64(stmt, 0);
	if (code == SQLITE_ROW)
		code = SQLITE_DONE;
	else if (code != SQLITE_DONE)
		code = sqlite3_extended_errcode(conn->db);
	store_sql_end(stmt);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int apply_expire(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	int n = 0;

	if (op->limit <= 0)
		return SQLITE_OK;
	uint64_t *runs = mem_alloc((size_t)op->limit * sizeof(*runs));
	if (!runs)
		return SQLITE_NOMEM;
	int code = expired(&store->writer, op, runs, &n);
	for (int i = 0; i < n && code == SQLITE_OK; i++)
		code = closed_delete(&store->writer, runs[i], &batch->deleted);
	mem_free(runs);
	return code;
}

static int (*const appliers[])(
	struct store *store, struct store_batch *batch, const struct store_op *op) = {
	[OP_APPEND] = apply_append,
	[OP_DROP] = apply_drop,
	[OP_SET] = apply_set,
	[OP_UNSET] = apply_unset,
	[OP_CLOSE] = apply_close,
	[OP_DELETE] = apply_delete,
	[OP_EXPIRE] = apply_expire,
};

int store_apply(struct store *store, struct store_batch *batch, const struct store_op *op)
{
	return appliers[op->kind](store, batch, op);
}
