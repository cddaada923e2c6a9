/*
 * visibility_row.h: rows for the filters' tests: every column has a value or is null, whatever the
 * column. The four of visibility_official_test.c and the random ones of visibility_sql_test.c.
 */
#ifndef TEST_VISIBILITY_ROW_H
#define TEST_VISIBILITY_ROW_H

#include "server/visibility/filter.h"
#include "server/visibility/match.h"

#define ROW_COLUMNS_MAX 80

struct test_row {
	struct visibility_value values[ROW_COLUMNS_MAX]; /* by the columns' order */
};

static inline struct visibility_value *test_row_at(struct test_row *row, const char *name)
{
	size_t n;

	return &row->values[visibility_column_find(str_from(name)) - visibility_columns(&n)];
}

static inline struct visibility_value test_row_get(
	void *user, const struct visibility_column *column)
{
	const struct test_row *row = user;
	size_t n;

	return row->values[column - visibility_columns(&n)];
}

static inline struct visibility_value test_int(int64_t number)
{
	return (struct visibility_value){ VISIBILITY_IS_INT, .number = number };
}

static inline struct visibility_value test_bool(bool truth)
{
	return (struct visibility_value){ VISIBILITY_IS_BOOL, .number = truth };
}

static inline struct visibility_value test_double(double real)
{
	return (struct visibility_value){ VISIBILITY_IS_DOUBLE, .real = real };
}

static inline struct visibility_value test_text(const char *text)
{
	return (struct visibility_value){ VISIBILITY_IS_TEXT, .text = str_from(text) };
}

static inline struct visibility_value test_list(const struct str *list, size_t n)
{
	return (struct visibility_value){ VISIBILITY_IS_LIST, .list = list, .n_list = n };
}

/* The namespace's aliases in all these tests. */
static inline const struct visibility_column *test_alias(void *user, struct str alias)
{
	static const char *const pairs[][2] = { { "CInt", "Int01" }, { "CKw", "Keyword01" },
		{ "CList", "KeywordList01" }, { "CText", "Text01" }, { "CBool", "Bool01" },
		{ "CDbl", "Double01" }, { "CTime", "Datetime01" } };

	(void)user;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (str_eq(alias, str_from(pairs[i][0])))
			return visibility_column_find(str_from(pairs[i][1]));
	}
	return NULL;
}

static const struct filter_resolver test_aliases = { test_alias, NULL };

#endif
