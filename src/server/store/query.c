/*
 * query.c: visibility of closed runs: terms become the text of one SELECT, their values its
 * parameters. The column names and operators come from the tables below, never from the caller, so
 * nothing of a request is ever part of a statement's text.
 *
 * A page begins where the last ended by comparing (close, start, run) as a row, which the index
 * by close answers; so each page costs the same, however deep it is. Reader's thread.
 */
#include <string.h>

#include "base/error.h"
#include "server/store/internal.h"
#include "server/store/schema.h"

static const char *const columns[] = {
	[STORE_WORKFLOW_ID] = "workflow_id",
	[STORE_RUN_ID] = "run_id",
	[STORE_TYPE] = "type",
	[STORE_TASK_QUEUE] = "task_queue",
	[STORE_PARENT_WORKFLOW_ID] = "parent_workflow_id",
	[STORE_PARENT_RUN_ID] = "parent_run_id",
	[STORE_ROOT_WORKFLOW_ID] = "root_workflow_id",
	[STORE_ROOT_RUN_ID] = "root_run_id",
	[STORE_STATUS] = "status",
	[STORE_START] = "start_ns",
	[STORE_EXECUTION] = "execution_ns",
	[STORE_CLOSE] = "close_ns",
	[STORE_DURATION] = "(close_ns - execution_ns)",
	[STORE_HISTORY_LENGTH] = "history_length",
	[STORE_HISTORY_SIZE] = "history_size",
	[STORE_TRANSITIONS] = "transitions",
};

static const char *const operators[] = {
	[STORE_EQUAL] = "=",
	[STORE_NOT_EQUAL] = "<>",
	[STORE_LESS] = "<",
	[STORE_LESS_EQUAL] = "<=",
	[STORE_GREATER] = ">",
	[STORE_GREATER_EQUAL] = ">=",
};

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

/* Parameter i of the statement is value i of the terms: an attribute has two. */
static void write_terms(sqlite3_str *sql, const struct store_query *query, bool narrow)
{
	const char *index = narrow ? narrows[query->narrow.kind].index : indexes[query->index];

	/* Without statistics SQLite cannot know which condition is the narrow one; the caller does.
	 */
	sqlite3_str_appendf(sql, " FROM closed_run%s WHERE name_space = ?1", index);
	if (query->condition)
		sqlite3_str_appendf(sql, " AND (%s)", query->condition);
	for (size_t i = 0; i < query->n_terms; i++) {
		const struct store_term *term = &query->terms[i];

		if (term->column == STORE_ATTRIBUTE)
			sqlite3_str_appendall(sql, " AND run IN (SELECT run FROM closed_attribute"
						   " WHERE name = ? AND value = ?)");
		else if (term->op == STORE_STARTS_WITH)
			sqlite3_str_appendf(sql,
				" AND %s >= ? AND substr(CAST(%s AS BLOB), 1, ?) = ?",
				columns[term->column], columns[term->column]);
		else
			sqlite3_str_appendf(
				sql, " AND %s %s ?", columns[term->column], operators[term->op]);
	}
}

static int bind_term(sqlite3_stmt *stmt, int *at, const struct store_term *term)
{
	const char *text = term->text ? term->text : "";
	int length = (int)strlen(text);

	if (term->column == STORE_ATTRIBUTE) {
		int code = sqlite3_bind_text(stmt, (*at)++, term->name, -1, SQLITE_STATIC);

		if (code != SQLITE_OK)
			return code;
	} else if (term->column >= STORE_STATUS) {
		return sqlite3_bind_int64(stmt, (*at)++, term->number);
	}
	int code = sqlite3_bind_text(stmt, (*at)++, text, -1, SQLITE_STATIC);
	if (term->op != STORE_STARTS_WITH || code != SQLITE_OK)
		return code;
	code = sqlite3_bind_int(stmt, (*at)++, length);
	if (code == SQLITE_OK)
		code = sqlite3_bind_blob(stmt, (*at)++, text, length, SQLITE_STATIC);
	return code;
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

/*
 * Are there few rows behind the narrow condition? Counts have nothing to sort, so for them it is
 * never the worse one. An error shows when the query is made.
 */
static bool is_narrow(struct store_conn *conn, const struct store_query *query, bool count)
{
	const struct store_narrow *narrow = &query->narrow;
	sqlite3_stmt *stmt = NULL;
	bool few = false;
	int at = 2;

	if (narrow->kind == STORE_NO_NARROW || count)
		return count && narrow->kind != STORE_NO_NARROW;
	if (sqlite3_prepare_v2(conn->db, narrows[narrow->kind].probe, -1, &stmt, NULL) ==
			SQLITE_OK &&
		sqlite3_bind_int64(stmt, 1, (int64_t)query->name_space) == SQLITE_OK &&
		bind_narrow(stmt, &at, narrow) == SQLITE_OK &&
		sqlite3_bind_int(stmt, at, STORE_NARROW_MAX + 1) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		few = sqlite3_column_int(stmt, 0) <= STORE_NARROW_MAX;
	sqlite3_finalize(stmt);
	return few;
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

static int bind_all(sqlite3_stmt *stmt, const struct store_query *query, bool narrow)
{
	int at = 1, code = sqlite3_bind_int64(stmt, at++, (int64_t)query->name_space);

	for (size_t i = 0; i < query->n_values && code == SQLITE_OK; i++)
		code = bind_value(stmt, at++, &query->values[i]);
	for (size_t i = 0; i < query->n_terms && code == SQLITE_OK; i++)
		code = bind_term(stmt, &at, &query->terms[i]);
	if (code == SQLITE_OK)
		code = bind_cursor(stmt, &at, &query->after);
	if (code == SQLITE_OK && narrow)
		code = bind_narrow(stmt, &at, &query->narrow);
	return code;
}

/* Prepares and binds. NULL on failure. */
static sqlite3_stmt *prepare(struct store_conn *conn, const struct store_query *query,
	const char *head, const char *tail, const char *order)
{
	static const char *const cursors[] = { "", " AND close_ns < ?",
		" AND (close_ns, start_ns, run) < (?, ?, ?)" };
	bool narrow = is_narrow(conn, query, !*order);
	sqlite3_str *sql = sqlite3_str_new(conn->db);
	sqlite3_stmt *stmt = NULL;

	sqlite3_str_appendall(sql, head);
	write_terms(sql, query, narrow);
	sqlite3_str_appendall(sql, cursors[cursor_of(&query->after)]);
	if (narrow)
		sqlite3_str_appendall(sql, narrows[query->narrow.kind].condition);
	sqlite3_str_appendall(sql, tail);
	sqlite3_str_appendall(sql, order);
	char *text = sqlite3_str_finish(sql);
	if (!text)
		return NULL;
	int code = sqlite3_prepare_v2(conn->db, text, -1, &stmt, NULL);
	sqlite3_free(text);
	if (code == SQLITE_OK)
		code = bind_all(stmt, query, narrow);
	if (code == SQLITE_OK)
		return stmt;
	sqlite3_finalize(stmt);
	return NULL;
}

static enum temporal_code stopped(struct store_read *read)
{
	return error_set(&read->err, TEMPORAL_UNAVAILABLE, "the store is being closed");
}

/* The next row that matches. SQLITE_ROW, SQLITE_DONE or an error; SQLITE_INTERRUPT when stopped. */
static int next_match(sqlite3_stmt *stmt, const struct store_query *query, atomic_bool *stop,
	struct store_closed *row)
{
	int code;

	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (atomic_load(stop))
			return SQLITE_INTERRUPT;
		if (!closed_read(stmt, row))
			return SQLITE_CORRUPT;
		if (!query->match || query->match(query->user, row))
			break;
	}
	return code;
}

static enum temporal_code end(struct store_conn *conn, struct store_read *read, int code)
{
	if (code == SQLITE_INTERRUPT)
		return stopped(read);
	if (code == SQLITE_DONE || code == SQLITE_ROW)
		return TEMPORAL_OK;
	return store_sql_error(conn, code, "cannot list closed runs", &read->err);
}

static enum temporal_code take_rows(struct store_conn *conn, sqlite3_stmt *stmt,
	struct store_read *read, atomic_bool *stop, struct store_closed *rows)
{
	struct store_page *page = &read->page;
	struct store_closed row;
	int code;

	while ((code = next_match(stmt, &read->query, stop, &row)) == SQLITE_ROW) {
		if (page->n == read->query.limit) {
			page->more = true;
			break;
		}
		if (!closed_copy(&read->arena, &row, &rows[page->n]))
			return error_no_memory(&read->err, "a page of closed runs");
		page->next = (struct store_cursor){ row.close_ns, row.start_ns, row.run };
		page->n++;
	}
	return end(conn, read, code);
}

enum temporal_code query_list(struct store_conn *conn, struct store_read *read, atomic_bool *stop)
{
	struct store_closed *rows = arena_array(&read->arena, read->query.limit, sizeof(*rows));

	if (!rows)
		return error_no_memory(&read->err, "a page of closed runs");
	sqlite3_stmt *stmt = prepare(conn, &read->query, "SELECT " STORE_CLOSED_COLUMNS, "",
		" ORDER BY close_ns DESC, start_ns DESC, run DESC");
	if (!stmt)
		return store_sql_error(
			conn, store_sql_code(conn), "cannot list closed runs", &read->err);
	enum temporal_code result = take_rows(conn, stmt, read, stop, rows);
	sqlite3_finalize(stmt);
	read->page.rows = rows;
	return result;
}

static void add_to_count(struct store_count *count, int status, int64_t n)
{
	count->total += n;
	if (status >= 0 && status < STORE_STATUS_MAX)
		count->by_status[status] += n;
}

/* Without `match` SQLite counts. */
static enum temporal_code count_by_status(
	struct store_conn *conn, sqlite3_stmt *stmt, struct store_read *read, atomic_bool *stop)
{
	int code;

	while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
		add_to_count(
			&read->count, sqlite3_column_int(stmt, 0), sqlite3_column_int64(stmt, 1));
	return end(conn, read, code);
}

static enum temporal_code count_matches(
	struct store_conn *conn, sqlite3_stmt *stmt, struct store_read *read, atomic_bool *stop)
{
	struct store_closed row;
	int code;

	while ((code = next_match(stmt, &read->query, stop, &row)) == SQLITE_ROW)
		add_to_count(&read->count, row.status, 1);
	return end(conn, read, code);
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
		result = count_by_status(conn, stmt, read, stop);
		store_sql_end(stmt);
		if (!query->after.close_ns)
			break;
	}
	return result;
}

enum temporal_code query_count(struct store_conn *conn, struct store_read *read, atomic_bool *stop)
{
	bool match = read->query.match;

	if (read->query.totals_without && !has_attribute(conn, read->query.totals_without))
		return count_totals(conn, read, stop);
	sqlite3_stmt *stmt =
		match ? prepare(conn, &read->query, "SELECT " STORE_CLOSED_COLUMNS, "", "")
		      : prepare(conn, &read->query, "SELECT status, count(*)", " GROUP BY status",
				"");

	if (!stmt)
		return store_sql_error(
			conn, store_sql_code(conn), "cannot count closed runs", &read->err);
	enum temporal_code result = match ? count_matches(conn, stmt, read, stop)
					  : count_by_status(conn, stmt, read, stop);
	sqlite3_finalize(stmt);
	return result;
}
