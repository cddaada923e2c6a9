/*
 * journal.c: the records of open runs.
 *
 * The table has no index but its key, seq, which only grows. Which rows belong to a run is known
 * from memory: `struct journal` holds their numbers, 8 bytes a record, and is read from the table
 * when the store is opened, and again after a rollback (which is rare). Writer's thread.
 *
 * Each row carries its place within its run: recovery sees when one is missing. A missing last one
 * cannot be seen; but rows vanish only with their whole transaction, which SQLite guards.
 */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "server/store/checksum.h"
#include "server/store/internal.h"

void journal_finish(struct journal *journal)
{
	for (uint32_t i = 0; i < journal->runs.capacity; i++)
		mem_free(journal->runs.slots[i].value);
	map_finish(&journal->runs);
	*journal = (struct journal){ 0 };
}

/* Room for one more row of the run; NULL when memory is out. */
static struct journal_run *room(struct journal *journal, uint64_t run)
{
	struct journal_run *rows = map_get(&journal->runs, run);

	if (rows && rows->n < rows->capacity)
		return rows;
	uint32_t n = rows ? rows->n : 0, capacity = rows ? rows->capacity * 2 : 6;
	struct journal_run *more =
		mem_alloc(sizeof(*more) + (size_t)capacity * sizeof(more->seqs[0]));
	if (!more)
		return NULL;
	more->n = n;
	more->capacity = capacity;
	if (n)
		memcpy(more->seqs, rows->seqs, n * sizeof(more->seqs[0]));
	if (!map_put(&journal->runs, run, more)) {
		mem_free(more);
		return NULL;
	}
	mem_free(rows);
	return more;
}

static bool note(struct journal *journal, uint64_t run, int64_t seq)
{
	struct journal_run *rows = room(journal, run);

	if (!rows)
		return false;
	rows->seqs[rows->n++] = seq;
	return true;
}

int journal_append(struct journal *journal, struct store_conn *conn, const struct store_op *op)
{
	struct journal_run *rows = room(journal, op->run);

	if (!rows)
		return SQLITE_NOMEM;
	int64_t seq = journal->next_seq, ordinal = (int64_t)rows->n + 1;
	uint32_t checksum =
		store_checksum(op->run, (uint64_t)ordinal, op->number, op->data, op->size);
	int code = store_sql_run(conn, SQL_JOURNAL_PUT, "iiiiib", seq, (int64_t)op->run, ordinal,
		(int64_t)op->number, (int64_t)checksum, op->data, op->size);
	if (code != SQLITE_OK)
		return code;
	rows->seqs[rows->n++] = seq;
	journal->next_seq++;
	return SQLITE_OK;
}

/* Deletes stretches of neighbours by one statement each. */
static int delete_rows(struct store_conn *conn, const struct journal_run *rows)
{
	int code = SQLITE_OK;
	uint32_t next;

	for (uint32_t i = 0; i < rows->n && code == SQLITE_OK; i = next) {
		for (next = i + 1; next < rows->n && rows->seqs[next] == rows->seqs[next - 1] + 1;)
			next++;
		code = store_sql_run(
			conn, SQL_JOURNAL_DELETE, "ii", rows->seqs[i], rows->seqs[next - 1]);
	}
	return code;
}

int journal_drop(struct journal *journal, struct store_conn *conn, uint64_t run)
{
	struct journal_run *rows = map_remove(&journal->runs, run);

	if (!rows)
		return SQLITE_OK;
	/* If this fails, the transaction is rolled back and the index read anew. */
	int code = delete_rows(conn, rows);
	mem_free(rows);
	return code;
}

static enum temporal_code load_meta(
	struct journal *journal, struct store_conn *conn, struct temporal_error *err)
{
	sqlite3_stmt *stmt = store_sql(conn, SQL_META_GET, "t", "runs");

	if (!stmt)
		return store_sql_error(conn, store_sql_code(conn), "cannot read the database", err);
	int code = sqlite3_step(stmt);
	journal->reserved = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 1;
	store_sql_end(stmt);
	if (code == SQLITE_ROW || code == SQLITE_DONE)
		return TEMPORAL_OK;
	return store_sql_error(conn, code, "cannot read the database", err);
}

enum temporal_code journal_load(
	struct journal *journal, struct store_conn *conn, struct temporal_error *err)
{
	journal_finish(journal);
	journal->next_seq = 1;
	enum temporal_code result = load_meta(journal, conn, err);
	if (result != TEMPORAL_OK)
		return result;
	sqlite3_stmt *stmt = store_sql(conn, SQL_JOURNAL_INDEX, "");
	int code = stmt ? sqlite3_step(stmt) : store_sql_code(conn);
	for (; code == SQLITE_ROW; code = sqlite3_step(stmt)) {
		int64_t seq = sqlite3_column_int64(stmt, 0);

		if (!note(journal, (uint64_t)sqlite3_column_int64(stmt, 1), seq)) {
			code = SQLITE_NOMEM;
			break;
		}
		journal->next_seq = seq + 1;
	}
	if (stmt)
		store_sql_end(stmt);
	if (code == SQLITE_DONE)
		return TEMPORAL_OK;
	return store_sql_error(conn, code, "cannot read the journal", err);
}

/* One row: checked, noted, handed to the visitor. */
static enum temporal_code visit_row(sqlite3_stmt *stmt, struct journal *index, uint32_t ordinal,
	const struct store_visitor *visitor, struct temporal_error *err)
{
	int64_t seq = sqlite3_column_int64(stmt, 0);
	struct store_record record = {
		.run = (uint64_t)sqlite3_column_int64(stmt, 1),
		.ordinal = (uint32_t)sqlite3_column_int64(stmt, 2),
		.kind = (uint32_t)sqlite3_column_int64(stmt, 3),
		.data = sqlite3_column_blob(stmt, 5),
		.size = (size_t)sqlite3_column_bytes(stmt, 5),
	};
	uint32_t checksum = (uint32_t)sqlite3_column_int64(stmt, 4);

	if (!record.data)
		record.data = "";
	if (checksum !=
		store_checksum(record.run, record.ordinal, record.kind, record.data, record.size))
		return error_set(err, TEMPORAL_DATA_LOSS,
			"record %u of run %llu (row %lld of the journal) is damaged: its checksum "
			"differs",
			record.ordinal, (unsigned long long)record.run, (long long)seq);
	if (record.ordinal != ordinal)
		return error_set(err, TEMPORAL_DATA_LOSS,
			"record %u of run %llu is missing: row %lld of the journal has record %u",
			ordinal, (unsigned long long)record.run, (long long)seq, record.ordinal);
	if (index) {
		if (!note(index, record.run, seq))
			return error_no_memory(err, "the index of the journal");
		index->next_seq = seq + 1;
	}
	if (!visitor || !visitor->record)
		return TEMPORAL_OK;
	return visitor->record(visitor->user, &record, err);
}

static uint32_t next_ordinal(const struct journal *index, uint64_t run)
{
	const struct journal_run *rows = map_get(&index->runs, run);

	return rows ? rows->n + 1 : 1;
}

enum temporal_code journal_visit(struct store_conn *conn, uint64_t run, struct journal *index,
	const struct store_visitor *visitor, struct temporal_error *err)
{
	enum temporal_code result = TEMPORAL_OK;
	uint32_t count = 0;
	sqlite3_stmt *stmt = index ? store_sql(conn, SQL_JOURNAL, "")
				   : store_sql(conn, SQL_JOURNAL_RUN, "i", (int64_t)run);

	if (index) {
		journal_finish(index);
		index->next_seq = 1;
		result = load_meta(index, conn, err);
	}
	int code = stmt ? SQLITE_ROW : store_sql_code(conn);
	while (result == TEMPORAL_OK && code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		uint64_t owner = (uint64_t)sqlite3_column_int64(stmt, 1);
		uint32_t ordinal = index ? next_ordinal(index, owner) : ++count;
		result = visit_row(stmt, index, ordinal, visitor, err);
	}
	if (stmt)
		store_sql_end(stmt);
	if (result == TEMPORAL_OK && code != SQLITE_DONE)
		result = store_sql_error(conn, code, "cannot read the journal", err);
	return result;
}
