/*
 * Filters as SQL. Goal: the condition finds the rows that filter_match() finds, for any filter and
 * any row. Method: a table of random rows in SQLite with the columns of the closed runs; random
 * queries from a grammar, 3,000 of them; the two sets of rows have to be equal. And: nothing of the
 * query is in the SQL text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "server/visibility/sql.h"
#include "visibility_row.h"

#define ROWS    60
#define QUERIES 3000
#define SEED    20261124u

struct fixture {
	sqlite3 *db;
	struct arena arena;
	struct test_row rows[ROWS];
	uint64_t random;
};

static const char *const texts[] = { "", "a", "A", "ab", "a b", "b", "al%", "it's", "zz \"q\"" };
static const char *const words[] = { "hello world", "Hello-there", "w\xc3\xb6rld", "!!", "foo" };
#define COUNT(array_) (sizeof(array_) / sizeof(*(array_)))

static unsigned below(struct fixture *fixture, size_t n)
{
	fixture->random = fixture->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)((fixture->random >> 33) % n);
}

static void execute(struct fixture *fixture, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(fixture->db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

/* ---- Rows ---- */

static struct visibility_value random_attribute(struct fixture *fixture, enum visibility_type type)
{
	struct visibility_value value = { 0 };
	struct str *list;

	if (below(fixture, 3) == 0)
		return value;
	switch (type) {
	case VISIBILITY_INT:
	case VISIBILITY_DATETIME:
		return test_int((int64_t)below(fixture, 7) - 3);
	case VISIBILITY_DOUBLE:
		return test_double(((double)below(fixture, 9) - 4) / 2);
	case VISIBILITY_BOOL:
		return test_bool(below(fixture, 2));
	case VISIBILITY_KEYWORD_LIST:
		list = arena_array(&fixture->arena, 2, sizeof(*list));
		list[0] = str_from(texts[below(fixture, COUNT(texts))]);
		list[1] = str_from(texts[below(fixture, COUNT(texts))]);
		return test_list(list, 1 + below(fixture, 2));
	case VISIBILITY_TEXT:
		value = test_text(words[below(fixture, COUNT(words))]);
		char *copy = arena_alloc(&fixture->arena, VISIBILITY_WORDS_MAX(value.text.len));
		value.text = (struct str){ copy, visibility_words(value.text, copy) };
		return value;
	default:
		return test_text(texts[below(fixture, COUNT(texts))]);
	}
}

static struct visibility_value random_system(
	struct fixture *fixture, const struct visibility_column *column)
{
	struct visibility_value value = { 0 };

	switch (column->place) {
	case VISIBILITY_PARENT_WORKFLOW_ID:
	case VISIBILITY_PARENT_RUN_ID: /* an empty one is none */
		return below(fixture, 2) ? test_text("a") : value;
	case VISIBILITY_STATUS:
		return test_int(1 + below(fixture, 7));
	default:
		return column->type == VISIBILITY_KEYWORD
			       ? test_text(texts[below(fixture, COUNT(texts))])
			       : test_int(below(fixture, 8));
	}
}

static void bind_value(sqlite3_stmt *stmt, int at, const struct visibility_value *value)
{
	int code = SQLITE_OK;

	if (value->kind == VISIBILITY_IS_TEXT)
		code = sqlite3_bind_text(stmt, at, value->text.len ? value->text.ptr : "",
			(int)value->text.len, SQLITE_STATIC);
	else if (value->kind == VISIBILITY_IS_DOUBLE)
		code = sqlite3_bind_double(stmt, at, value->real);
	else if (value->kind == VISIBILITY_IS_INT)
		code = sqlite3_bind_int64(stmt, at, value->number);
	else if (value->kind != VISIBILITY_NULL)
		fail_msg("a value of kind %d is bound", (int)value->kind);
	assert_int_equal(code, SQLITE_OK);
}

static sqlite3_stmt *prepare(struct fixture *fixture, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(fixture->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(fixture->db));
	return stmt;
}

static void insert_attribute(struct fixture *fixture, int64_t run, const char *name,
	const struct visibility_value *value)
{
	size_t n;
	const struct str *list = sql_attribute_texts(&fixture->arena, value, &n);

	for (size_t i = 0; i < n; i++) {
		sqlite3_stmt *stmt = prepare(fixture, "INSERT INTO closed_attribute VALUES(?,?,?)");
		struct visibility_value columns[] = { test_text(name),
			{ VISIBILITY_IS_TEXT, .text = list[i] }, test_int(run) };
		for (int j = 0; j < 3; j++)
			bind_value(stmt, j + 1, &columns[j]);
		assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
		sqlite3_finalize(stmt);
	}
}

static void insert_row(struct fixture *fixture, int64_t run)
{
	static const char *const names[] = { "ExecutionStatus", "WorkflowId", "RunId",
		"WorkflowType", "TaskQueue", "ParentWorkflowId", "ParentRunId", "RootWorkflowId",
		"RootRunId", "StartTime", "ExecutionTime", "CloseTime", "HistoryLength",
		"HistorySizeBytes", "StateTransitionCount" };
	struct test_row *row = &fixture->rows[run];
	size_t n;
	const struct visibility_column *columns = visibility_columns(&n);
	sqlite3_stmt *stmt = prepare(fixture,
		"INSERT INTO closed_run VALUES(?,?,?,?,?,?,coalesce(?,''),coalesce(?,''),?,?,?,?,?"
		",?,?,?)");

	for (size_t i = 0; i < n; i++)
		row->values[i] = columns[i].place == VISIBILITY_ATTRIBUTE
					 ? random_attribute(fixture, columns[i].type)
					 : random_system(fixture, &columns[i]);
	*test_row_at(row, "ExecutionDuration") = test_int(
		test_row_at(row, "CloseTime")->number - test_row_at(row, "ExecutionTime")->number);
	*test_row_at(row, "TemporalNamespaceDivision") =
		run % 8 ? (struct visibility_value){ 0 } : test_text("d");
	struct visibility_value number = test_int(run);
	bind_value(stmt, 1, &number);
	for (size_t i = 0; i < COUNT(names); i++)
		bind_value(stmt, (int)i + 2, test_row_at(row, names[i]));
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	sqlite3_finalize(stmt);
	for (size_t i = 0; i < n; i++) {
		if (columns[i].place == VISIBILITY_ATTRIBUTE)
			insert_attribute(fixture, run, columns[i].name, &row->values[i]);
	}
}

/* ---- Queries ---- */

struct query {
	char text[FILTER_QUERY_MAX];
	size_t n;
};

static void put(struct query *query, const char *text)
{
	size_t len = strlen(text);

	assert_true(query->n + len < sizeof(query->text));
	memcpy(query->text + query->n, text, len + 1);
	query->n += len;
}

static void put_quoted(struct query *query, const char *text)
{
	put(query, "'");
	for (; *text; text++) {
		char letter[3] = { *text };
		put(query, *text == '\'' ? "''" : letter);
	}
	put(query, "'");
}

static void put_value(struct fixture *fixture, struct query *query, const char *name)
{
	char text[40];
	int small = (int)below(fixture, 9) - 4;

	if (str_same(name, "CText")) {
		put_quoted(query, words[below(fixture, COUNT(words))]);
	} else if (str_same(name, "CBool")) {
		put(query, below(fixture, 2) ? "true" : "false");
	} else if (str_same(name, "ExecutionStatus")) {
		put_quoted(query, visibility_status_name(below(fixture, 9)));
	} else if (str_same(name, "CDbl") || (str_same(name, "CInt") && below(fixture, 2))) {
		(void)snprintf(text, sizeof(text), "%.1f", (double)small / 2);
		put(query, text);
	} else if (visibility_column_find(str_from(name)) && strstr(name, "Id")) {
		put_quoted(query, texts[below(fixture, COUNT(texts))]);
	} else if (str_same(name, "CKw") || str_same(name, "CList")) {
		put_quoted(query, texts[below(fixture, COUNT(texts))]);
	} else {
		(void)snprintf(text, sizeof(text), "%d", small);
		put(query, text);
	}
}

static void put_condition(struct fixture *fixture, struct query *query)
{
	static const char *const names[] = { "CInt", "CKw", "CList", "CText", "CBool", "CDbl",
		"CTime", "WorkflowId", "ParentWorkflowId", "RootRunId", "ExecutionStatus",
		"StartTime", "CloseTime", "ExecutionDuration", "HistoryLength", "BuildIds",
		"TemporalScheduledById" };
	static const char *const operators[] = { "=", "!=", "<", "<=", ">", ">=", "STARTS_WITH",
		"NOT STARTS_WITH" };
	const char *name = names[below(fixture, COUNT(names))];
	unsigned kind = below(fixture, 8);

	put(query, name);
	if (kind == 0) {
		put(query, below(fixture, 2) ? " IS NULL" : " IS NOT NULL");
	} else if (kind < 3) {
		put(query, kind == 1 ? " IN (" : " NOT IN (");
		for (unsigned i = 0, n = 1 + below(fixture, 3); i < n; i++) {
			put(query, i ? ", " : "");
			put_value(fixture, query, name);
		}
		put(query, ")");
	} else if (kind == 3) {
		put(query, below(fixture, 2) ? " BETWEEN " : " NOT BETWEEN ");
		put_value(fixture, query, name);
		put(query, " AND ");
		put_value(fixture, query, name);
	} else {
		put(query, " ");
		put(query, operators[below(fixture, COUNT(operators))]);
		put(query, " ");
		put_value(fixture, query, name);
	}
}

static void put_query(struct fixture *fixture, struct query *query)
{
	unsigned open = 0;

	for (unsigned i = 0, n = 1 + below(fixture, 5); i < n; i++) {
		if (i)
			put(query, below(fixture, 2) ? " AND " : " OR ");
		if (below(fixture, 4) == 0)
			put(query, "NOT ");
		if (below(fixture, 3) == 0) {
			put(query, "(");
			open++;
		}
		put_condition(fixture, query);
		if (open && below(fixture, 2)) {
			put(query, ")");
			open--;
		}
	}
	while (open--)
		put(query, ")");
}

/* True if the query was one that is accepted. */
static bool check(struct fixture *fixture, const char *text)
{
	struct temporal_error err = { 0 };
	struct sql_condition condition;
	struct arena arena;
	bool found[ROWS] = { false };

	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	const struct filter *filter = filter_parse(&arena, str_from(text), &test_aliases, &err);
	if (!filter) { /* an operator that does not fit the type */
		if (!strstr(err.message, "not supported") && !strstr(err.message, "range") &&
			!strstr(err.message, "invalid value type") &&
			!strstr(err.message, "literal string"))
			fail_msg("%s: %s", text, err.message);
		arena_finish(&arena);
		return false;
	}
	assert_int_equal(filter_to_sql(&arena, filter, 1, &condition, NULL), TEMPORAL_OK);
	assert_null(strchr(condition.text, '"'));
	const char *sql =
		arena_printf(&arena, "SELECT run FROM closed_run WHERE %s", condition.text);
	sqlite3_stmt *stmt = prepare(fixture, sql);
	for (size_t i = 0; i < condition.n_values; i++)
		bind_value(stmt, (int)i + 1, &condition.values[i]);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		found[sqlite3_column_int(stmt, 0)] = true;
	sqlite3_finalize(stmt);
	for (size_t i = 0; i < ROWS; i++) {
		struct match_row row = { test_row_get, &fixture->rows[i] };
		if (filter_match(filter, &row) != found[i])
			fail_msg("row %zu, SQL says %d: %s", i, found[i], text);
	}
	arena_finish(&arena);
	return true;
}

static void sql_finds_what_match_finds(void **state)
{
	static struct fixture fixture = { .random = SEED };
	int accepted = 0;

	arena_init(&fixture.arena, 4096, ARENA_NO_BUDGET);
	assert_int_equal(sqlite3_open(":memory:", &fixture.db), SQLITE_OK);
	execute(&fixture,
		"CREATE TABLE closed_run(run INTEGER PRIMARY KEY, status INTEGER, workflow_id TEXT,"
		" run_id TEXT, type TEXT, task_queue TEXT, parent_workflow_id TEXT,"
		" parent_run_id TEXT, root_workflow_id TEXT, root_run_id TEXT, start_ns INTEGER,"
		" execution_ns INTEGER, close_ns INTEGER, history_length INTEGER,"
		" history_size INTEGER, transitions INTEGER) STRICT;"
		"CREATE TABLE closed_attribute(name TEXT NOT NULL, value TEXT NOT NULL,"
		" run INTEGER NOT NULL, PRIMARY KEY(name, value, run)) STRICT, WITHOUT ROWID;"
		"BEGIN");
	for (int64_t run = 0; run < ROWS; run++)
		insert_row(&fixture, run);
	execute(&fixture, "COMMIT");
	assert_true(check(&fixture, ""));
	for (int i = 0; i < QUERIES; i++) {
		struct query query = { .n = 0 };
		put_query(&fixture, &query);
		accepted += check(&fixture, query.text);
	}
	assert_true(accepted > QUERIES / 3);
	sqlite3_close(fixture.db);
	arena_finish(&fixture.arena);
}

static void values_are_bound(void **state)
{
	struct sql_condition condition;
	struct arena arena;

	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	const struct filter *filter = filter_parse(&arena,
		STR("CKw = 'x'' OR 1=1 --' AND CList IN ('evil') AND CText = 'bad'"), &test_aliases,
		NULL);
	assert_non_null(filter);
	assert_int_equal(filter_to_sql(&arena, filter, 7, &condition, NULL), TEMPORAL_OK);
	assert_null(strstr(condition.text, "1=1"));
	assert_null(strstr(condition.text, "evil"));
	assert_null(strstr(condition.text, "bad"));
	assert_null(strstr(condition.text, "Keyword01"));
	assert_non_null(strstr(condition.text, "?7"));
	assert_int_equal(condition.n_values, 8); /* the last two: the hidden division's name */
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sql_finds_what_match_finds),
		cmocka_unit_test(values_are_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
