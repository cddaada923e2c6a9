/*
 * query.c: visibility of closed runs: one SELECT of the query's condition, its values as
 * parameters, with the index that fits.
 *
 * A page begins where the last ended by comparing (close, start, run) as a row, which the index
 * by close answers; so each page costs the same, however deep it is.
 *
 * A condition with an index in another order is walked instead if it gives few rows; if it does
 * not, the query's own index is walked for as long as such a page takes as a rule, and then the
 * other one after all: rows that lie far from the newest are found by neither guess alone. A
 * walk ends when the store is being closed. Reader's thread.
 */
#include <string.h>

#include "base/error.h"
#include "server/store/internal.h"
#include "server/store/schema.h"

/* A walk is looked at after so many of SQLite's instructions; one row takes some twenty. */
#define WATCH_INSTRUCTIONS 1000
#define WALK_LOOKS         100   /* how often, before the narrow index is tried after all */
#define COUNT_NARROW_MAX   50000 /* rows that are sorted by status, rather than all be walked */

static const char *const indexes[] = {
	[STORE_BY_CHOICE] = "",
	[STORE_BY_CLOSE] = " INDEXED BY closed_run_by_close",
	[STORE_BY_WORKFLOW_ID] = " INDEXED BY closed_run_by_id",
	[STORE_BY_TYPE] = " INDEXED BY closed_run_by_type",
	[STORE_BY_TASK_QUEUE] = " INDEXED BY closed_run_by_task_queue",
	[STORE_BY_STATUS] = " INDEXED BY closed_run_by_status",
	[STORE_BY_RUN_ID] = " INDEXED BY closed_run_by_run_id",
};

/* By kind of struct store_narrow: the index, and the condition; its parameters come last. */
static const struct {
	const char *index, *condition, *probe;
} narrows[] = {
	[STORE_NARROW_ID] = { " INDEXED BY closed_run_by_id",
		" AND workflow_id >= ? AND workflow_id < ?",
		"SELECT count(*) FROM (SELECT 1 FROM closed_run INDEXED BY closed_run_by_id"
		" WHERE name_space = ? AND workflow_id >= ? AND workflow_id < ? LIMIT ?)" },
	[STORE_NARROW_START] = { " INDEXED BY closed_run_by_start",
		" AND start_ns >= ? AND start_ns <= ?",
		"SELECT count(*) FROM (SELECT 1 FROM closed_run INDEXED BY closed_run_by_start"
		" WHERE name_space = ? AND start_ns >= ? AND start_ns <= ? LIMIT ?)" },
	[STORE_NARROW_ATTRIBUTE] = { " NOT INDEXED",
		" AND run IN (SELECT run FROM closed_attribute WHERE name = ? AND value = ?)",
		"SELECT count(*) FROM (SELECT 1 FROM closed_attribute"
		" WHERE ?1 = ?1 AND name = ?2 AND value = ?3 LIMIT ?4)" },
};

/* Without statistics SQLite cannot know which condition is the narrow one; the caller does. */
static void write_source(sqlite3_str *sql, const struct store_query *query, bool narrow)
{
	const char *index = narrow ? narrows[query->narrow.kind].index : indexes[query->index];

	sqlite3_str_appendf(sql, " FROM closed_run%s WHERE name_space = ?1", index);
	if (query->condition)
		sqlite3_str_appendf(sql, " AND (%s)", query->condition);
}

static int bind_value(sqlite3_stmt *stmt, int at, const struct store_value *value)
{
	if (value->kind == STORE_NUMBER)
		return sqlite3_bind_int64(stmt, at, value->number);
	if (value->kind == STORE_REAL)
		return sqlite3_bind_double(stmt, at, value->real);
	return sqlite3_bind_text64(
		stmt, at, value->text, value->length, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_narrow(sqlite3_stmt *stmt, int *at, const struct store_narrow *narrow)
{
	if (narrow->kind == STORE_NARROW_START) {
		int code = sqlite3_bind_int64(stmt, (*at)++, narrow->first);

		return code == SQLITE_OK ? sqlite3_bind_int64(stmt, (*at)++, narrow->last) : code;
	}
	bool id = narrow->kind == STORE_NARROW_ID;
	int code = sqlite3_bind_text(
		stmt, (*at)++, id ? narrow->text : narrow->name, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(
			stmt, (*at)++, id ? narrow->end : narrow->text, -1, SQLITE_STATIC);
	return code;
}

/* Are there few rows behind the narrow condition? An error shows when the query is made. */
static bool is_few(struct store_conn *conn, const struct store_query *query, int most)
{
	const struct store_narrow *narrow = &query->narrow;
	sqlite3_stmt *stmt = NULL;
	bool few = false;
	int at = 2;

	if (sqlite3_prepare_v2(conn->db, narrows[narrow->kind].probe, -1, &stmt, NULL) ==
			SQLITE_OK &&
		sqlite3_bind_int64(stmt, 1, (int64_t)query->name_space) == SQLITE_OK &&
		bind_narrow(stmt, &at, narrow) == SQLITE_OK &&
		sqlite3_bind_int(stmt, at, most + 1) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		few = sqlite3_column_int(stmt, 0) <= most;
	sqlite3_finalize(stmt);
	return few;
}

/* A count has nothing to sort but the statuses, which only the index by status has in order. */
static bool counts_narrowly(struct store_conn *conn, const struct store_query *query)
{
	if (query->narrow.kind == STORE_NO_NARROW)
		return false;
	return !query->by_status || query->narrow.kind != STORE_NARROW_START ||
	       is_few(conn, query, COUNT_NARROW_MAX);
}

enum cursor_kind {
	CURSOR_NONE,
	CURSOR_TIME, /* close_ns alone */
	CURSOR_ROW,
};

static enum cursor_kind cursor_of(const struct store_cursor *after)
{
	if (after->start_ns || after->run)
		return CURSOR_ROW;
	return after->close_ns ? CURSOR_TIME : CURSOR_NONE;
}

static int bind_cursor(sqlite3_stmt *stmt, int *at, const struct store_cursor *after)
{
	enum cursor_kind kind = cursor_of(after);
	int code = SQLITE_OK;

	if (kind != CURSOR_NONE)
		code = sqlite3_bind_int64(stmt, (*at)++, after->close_ns);
	if (kind != CURSOR_ROW || code != SQLITE_OK)
		return code;
	code = sqlite3_bind_int64(stmt, (*at)++, after->start_ns);
	return code == SQLITE_OK ? sqlite3_bind_int64(stmt, (*at)++, (int64_t)after->run) : code;
}

static int bind_all(sqlite3_stmt *stmt, const struct store_query *query, bool narrow, bool list)
{
	int at = 1, code = sqlite3_bind_int64(stmt, at++, (int64_t)query->name_space);

	for (size_t i = 0; i < query->n_values && code == SQLITE_OK; i++)
		code = bind_value(stmt, at++, &query->values[i]);
	if (code == SQLITE_OK)
		code = bind_cursor(stmt, &at, &query->after);
	if (code == SQLITE_OK && narrow)
		code = bind_narrow(stmt, &at, &query->narrow);
	if (code == SQLITE_OK && list)
		code = sqlite3_bind_int64(stmt, at, (int64_t)query->limit + 1);
	return code;
}

/* Prepares and binds. NULL on failure. */
static sqlite3_stmt *prepare(struct store_conn *conn, const struct store_query *query,
	const char *head, const char *tail, bool narrow, bool list)
{
	static const char *const cursors[] = { "", " AND close_ns < ?",
		" AND (close_ns, start_ns, run) < (?, ?, ?)" };
	sqlite3_str *sql = sqlite3_str_new(conn->db);
	sqlite3_stmt *stmt = NULL;

	sqlite3_str_appendall(sql, head);
	write_source(sql, query, narrow);
	sqlite3_str_appendall(sql, cursors[cursor_of(&query->after)]);
	if (narrow)
		sqlite3_str_appendall(sql, narrows[query->narrow.kind].condition);
	sqlite3_str_appendall(sql, tail);
	char *text = sqlite3_str_finish(sql);
	if (!text)
		return NULL;
	int code = sqlite3_prepare_v2(conn->db, text, -1, &stmt, NULL);
	sqlite3_free(text);
	if (code == SQLITE_OK)
		code = bind_all(stmt, query, narrow, list);
	if (code == SQLITE_OK)
		return stmt;
	sqlite3_finalize(stmt);
	return NULL;
}

/* ---- Watching a walk ---- */

struct watch {
	atomic_bool *stop;
	int looks_left; /* 0: as long as it takes */
	bool spent;     /* no look was left */
};

static int look(void *user)
{
	struct watch *watch = user;

	if (atomic_load(watch->stop))
		return 1;
	watch->spent = watch->looks_left && --watch->looks_left == 0;
	return watch->spent;
}

static void watch_begin(struct store_conn *conn, struct watch *watch)
{
	sqlite3_progress_handler(conn->db, WATCH_INSTRUCTIONS, look, watch);
}

static void watch_end(struct store_conn *conn)
{
	sqlite3_progress_handler(conn->db, 0, NULL, NULL);
}

static enum temporal_code end(
	struct store_conn *conn, struct store_read *read, int code, const char *what)
{
	if (code == SQLITE_INTERRUPT)
		return error_set(&read->err, TEMPORAL_UNAVAILABLE, "the store is being closed");
	if (code == SQLITE_DONE || code == SQLITE_ROW)
		return TEMPORAL_OK;
	return store_sql_error(conn, code, what, &read->err);
}

/* ---- Lists ---- */

static enum temporal_code take_rows(struct store_conn *conn, sqlite3_stmt *stmt,
	struct store_read *read, struct store_closed *rows)
{
	struct store_page *page = &read->page;
	struct store_closed row;
	int code;

	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!closed_read(stmt, &row))
			return closed_damaged(row.run, &read->err);
		if (page->n == read->query.limit) {
			page->more = true;
			break;
		}
		if (!closed_copy(&read->arena, &row, &rows[page->n]))
			return error_no_memory(&read->err, "a page of closed runs");
		page->next = (struct store_cursor){ row.close_ns, row.start_ns, row.run };
		page->n++;
	}
	return end(conn, read, code, "cannot list closed runs");
}

/* Which rows, by the index alone where it has all that is asked, and then only those. */
#define ORDER " ORDER BY close_ns DESC, start_ns DESC, run DESC"
static const char *const list_heads[] = { "SELECT " STORE_CLOSED_COLUMNS,
	"SELECT " STORE_CLOSED_COLUMNS " FROM closed_run WHERE run IN (SELECT run" };
static const char *const list_tails[] = { ORDER " LIMIT ?", ORDER " LIMIT ?)" ORDER };

static enum temporal_code list_by(struct store_conn *conn, struct store_read *read,
	struct store_closed *rows, bool narrow, struct watch *watch)
{
	sqlite3_stmt *stmt =
		prepare(conn, &read->query, list_heads[narrow], list_tails[narrow], narrow, true);

	if (!stmt)
		return store_sql_error(
			conn, store_sql_code(conn), "cannot list closed runs", &read->err);
	watch_begin(conn, watch);
	enum temporal_code result = take_rows(conn, stmt, read, rows);
	watch_end(conn);
	sqlite3_finalize(stmt);
	return result;
}

enum temporal_code query_list(struct store_conn *conn, struct store_read *read, atomic_bool *stop)
{
	struct store_closed *rows = arena_array(&read->arena, read->query.limit, sizeof(*rows));
	bool choice = read->query.narrow.kind != STORE_NO_NARROW;
	bool narrow = choice && is_few(conn, &read->query, STORE_NARROW_MAX);
	struct watch watch = { stop, choice && !narrow ? WALK_LOOKS : 0, false };

	if (!rows)
		return error_no_memory(&read->err, "a page of closed runs");
	enum temporal_code result = list_by(conn, read, rows, narrow, &watch);
	if (watch.spent) {
		struct watch whole = { stop, 0, false };

		read->page = (struct store_page){ 0 };
		result = list_by(conn, read, rows, true, &whole);
	}
	read->page.rows = rows;
	return result;
}

/* ---- Counts ---- */

static void add_to_count(struct store_count *count, int status, int64_t n)
{
	count->total += n;
	if (status >= 0 && status < STORE_STATUS_MAX)
		count->by_status[status] += n;
}

/* Rows of status and number. */
static enum temporal_code add_all(
	struct store_conn *conn, sqlite3_stmt *stmt, struct store_read *read, atomic_bool *stop)
{
	struct watch watch = { stop, 0, false };
	int code;

	watch_begin(conn, &watch);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
		add_to_count(
			&read->count, sqlite3_column_int(stmt, 0), sqlite3_column_int64(stmt, 1));
	watch_end(conn);
	return end(conn, read, code, "cannot count closed runs");
}

/* Does any closed run have the attribute? */
static bool has_attribute(struct store_conn *conn, const char *name)
{
	sqlite3_stmt *stmt = store_sql(conn, SQL_ATTRIBUTE_ANY, "t", name);
	bool any = !stmt || sqlite3_step(stmt) != SQLITE_DONE;

	if (stmt)
		store_sql_end(stmt);
	return any;
}

/* The totals, less what was closed at that time or later. */
static enum temporal_code count_totals(
	struct store_conn *conn, struct store_read *read, atomic_bool *stop)
{
	const struct store_query *query = &read->query;
	int64_t space = query->name_space, status = query->totals_status;
	enum temporal_code result = TEMPORAL_OK;

	for (int later = 0; later < 2 && result == TEMPORAL_OK; later++) {
		sqlite3_stmt *stmt = later ? store_sql(conn, SQL_COUNT_LATER, "iii", space, status,
						     query->after.close_ns)
					   : store_sql(conn, SQL_COUNT_TOTALS, "ii", space, status);

		if (!stmt)
			return store_sql_error(
				conn, store_sql_code(conn), "cannot count closed runs", &read->err);
		result = add_all(conn, stmt, read, stop);
		store_sql_end(stmt);
		if (!query->after.close_ns)
			break;
	}
	return result;
}

enum temporal_code query_count(struct store_conn *conn, struct store_read *read, atomic_bool *stop)
{
	const struct store_query *query = &read->query;

	if (query->totals_without && !has_attribute(conn, query->totals_without))
		return count_totals(conn, read, stop);
	sqlite3_stmt *stmt = prepare(conn, query,
		query->by_status ? "SELECT status, count(*)" : "SELECT 0, count(*)",
		query->by_status ? " GROUP BY status" : "", counts_narrowly(conn, query), false);
	if (!stmt)
		return store_sql_error(
			conn, store_sql_code(conn), "cannot count closed runs", &read->err);
	enum temporal_code result = add_all(conn, stmt, read, stop);
	sqlite3_finalize(stmt);
	return result;
}
