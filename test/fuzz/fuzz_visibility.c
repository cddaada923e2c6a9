/*
 * The filter language and search attributes. Goal: no text crashes the parser, and a filter that it
 * accepts can be evaluated and written as SQL that SQLite accepts, with nothing of the text in it.
 * Method: the text is parsed with a few aliases, evaluated on a row of nulls and on one of values,
 * and its SQL prepared. The same bytes are decoded as the value of every column.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "server/visibility/match.h"
#include "server/visibility/search_attributes.h"
#include "server/visibility/sql.h"

#define MEMORY_MAX    (16u << 20)
#define USERS_COLUMNS 28

static const char schema[] =
	"CREATE TABLE closed_run(run INTEGER PRIMARY KEY, status, workflow_id, run_id, type,"
	" task_queue, parent_workflow_id, parent_run_id, root_workflow_id, root_run_id, start_ns,"
	" execution_ns, close_ns, history_length, history_size, transitions);"
	"CREATE TABLE closed_attribute(name, value, run)";

/* A letter is one of the columns for attributes of users, which are the last ones. */
static const struct visibility_column *alias(void *user, struct str name)
{
	size_t n;
	const struct visibility_column *columns = visibility_columns(&n);

	return name.len == 1 && name.ptr[0] >= 'a'
		       ? &columns[n - USERS_COLUMNS + (size_t)(name.ptr[0] - 'a') % USERS_COLUMNS]
		       : NULL;
}

static struct visibility_value null(void *user, const struct visibility_column *column)
{
	return (struct visibility_value){ 0 };
}

static struct visibility_value something(void *user, const struct visibility_column *column)
{
	static const struct str list[] = { { "a", 1 }, { "b", 1 } };
	enum visibility_kind kind =
		column->place == VISIBILITY_STATUS        ? VISIBILITY_IS_INT
		: column->type == VISIBILITY_KEYWORD_LIST ? VISIBILITY_IS_LIST
		: column->type == VISIBILITY_BOOL         ? VISIBILITY_IS_BOOL
		: column->type == VISIBILITY_DOUBLE       ? VISIBILITY_IS_DOUBLE
		: column->type == VISIBILITY_KEYWORD || column->type == VISIBILITY_TEXT
			? VISIBILITY_IS_TEXT
			: VISIBILITY_IS_INT;

	return (struct visibility_value){ kind, 1, 1.5, STR(" a b "), list, 2 };
}

static void use(struct arena *arena, const struct filter *filter)
{
	static sqlite3 *db;
	struct sql_condition condition;
	sqlite3_stmt *stmt;

	(void)filter_match(filter, &(struct match_row){ null, NULL });
	(void)filter_match(filter, &(struct match_row){ something, NULL });
	if (!db && (sqlite3_open(":memory:", &db) || sqlite3_exec(db, schema, NULL, NULL, NULL)))
		abort();
	if (filter_to_sql(arena, filter, 1, &condition, NULL) != TEMPORAL_OK)
		return;
	const char *sql = arena_printf(arena, "SELECT 1 FROM closed_run WHERE %s", condition.text);
	if (!sql)
		return;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
		(size_t)sqlite3_bind_parameter_count(stmt) != condition.n_values)
		abort();
	sqlite3_finalize(stmt);
}

static void decode(struct arena *arena, const uint8_t *data, size_t size)
{
	Common__Payload__MetadataEntry encoding = COMMON__PAYLOAD__METADATA_ENTRY__INIT;
	Common__Payload__MetadataEntry *entries[] = { &encoding };
	Common__Payload payload = COMMON__PAYLOAD__INIT;
	struct visibility_value value;
	size_t n;
	const struct visibility_column *columns = visibility_columns(&n);

	encoding.key = "encoding";
	encoding.value.data = (uint8_t *)"json/plain";
	encoding.value.len = 10;
	payload.metadata = entries;
	payload.n_metadata = 1;
	payload.data.data = (uint8_t *)(uintptr_t)data;
	payload.data.len = size;
	for (size_t i = 0; i < n; i++) {
		struct temporal_error err = { 0 };
		if (search_attribute_decode(arena, "x", &columns[i], &payload, &value, &err) !=
				TEMPORAL_OK &&
			!err.message[0])
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct filter_resolver resolver = { alias, NULL };
	struct temporal_error err = { 0 };
	struct arena arena;

	arena_init(&arena, 1024, MEMORY_MAX);
	const struct filter *filter = filter_parse(
		&arena, (struct str){ size ? (const char *)data : "", size }, &resolver, &err);

	if (filter)
		use(&arena, filter);
	else if (err.code == TEMPORAL_OK || !err.message[0])
		abort();
	decode(&arena, data, size);
	arena_finish(&arena);
	return 0;
}
