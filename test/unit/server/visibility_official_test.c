/*
 * Filters against the official development server (1.32). Goal: the same rows, and the same words
 * for what is refused. Method: visibility_official.txt holds some 600 queries, each with a tab and
 * the answer that server gave: the letters of the executions it listed, or '!' and the error's
 * text. It had four executions, none, a, b and c'q, of which b was terminated; they are rebuilt
 * here as rows. Where the answer is another on purpose, `different` says what and why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "visibility_row.h"

#define STARTED INT64_C(1795517109000000000)

static const struct {
	const char *query, *answer;
} different[] = {
	/* There, a Datetime without exactly three decimals is compared as another text. */
	{ "CTime = '2024-01-02T03:04:05Z'", "a" },
	{ "CTime = '2024-01-02T04:04:05+01:00'", "a" },
	{ "CTime = 1704164645000000000", "a" },
	{ "CTime IN ('2024-01-02T03:04:05Z')", "a" },
	/* There, it wraps around. */
	{ "ExecutionDuration = '99999999:00:00'",
		"!invalid query: invalid expression: invalid duration value for search attribute "
		"ExecutionDuration: 99999999:00:00" },
	{ "ExecutionDuration < '99999999:00:00'",
		"!invalid query: invalid expression: invalid duration value for search attribute "
		"ExecutionDuration: 99999999:00:00" },
	/* SQL that is no filter is not parsed further than it takes to see that. */
	{ "CInt = 1 HAVING CInt = 2",
		"!invalid query: malformed SQL query: syntax error at position 43 near 'having'" },
	{ "GROUP BY ExecutionStatus HAVING ExecutionStatus = 1",
		"!invalid query: malformed SQL query: syntax error at position 53 near 'having'" },
	{ "CInt = 1 FOR UPDATE",
		"!invalid query: malformed SQL query: syntax error at position 40 near 'for'" },
	{ "EXISTS (select 1)",
		"!invalid query: malformed SQL query: syntax error at position 34 near 'exists'" },
	{ "case when 1 then 2 end",
		"!invalid query: malformed SQL query: syntax error at position 32 near 'case'" },
	{ "(1,2) = 1", "!invalid query: malformed SQL query: syntax error at position 31" },
	{ "(1,2)", "!invalid query: malformed SQL query: syntax error at position 31" },
	{ "default = 1",
		"!invalid query: malformed SQL query: syntax error at position 35 near 'default'" },
	{ "interval 1 day", "!invalid query: malformed SQL query: syntax error at position 36 near "
			    "'interval'" },
	{ "CInt = interval 1 day", "!invalid query: malformed SQL query: syntax error at position "
				   "43 near 'interval'" },
	{ "convert(1, char) = 1", "!invalid query: invalid expression: must be a column name but "
				  "was *sqlparser.FuncExpr" },
	{ "current_timestamp = 1", "!invalid query: invalid search attribute: current_timestamp" },
	{ "values = 1", "!invalid query: invalid search attribute: values" },
	/* There, the doubled quote falls out of the name. */
	{ "`Workflow``Id` = 'a'", "!invalid query: invalid search attribute: Workflow`Id" },
};

static struct test_row rows[4]; /* none, a, b, c'q */
static const char letters[] = "nabc";

static const struct str list_a[] = { { "x", 1 }, { "y", 1 } };
static const struct str list_b[] = { { "y", 1 }, { "z", 1 } };
static const struct str list_c[] = { { "x y", 3 }, { "single", 6 } };

static void fill_common(struct test_row *row, const char *id, const char *type)
{
	*test_row_at(row, "WorkflowId") = test_text(id);
	*test_row_at(row, "RootWorkflowId") = test_text(id);
	*test_row_at(row, "WorkflowType") = test_text(type);
	*test_row_at(row, "RunId") = test_text("run");
	*test_row_at(row, "RootRunId") = test_text("run");
	*test_row_at(row, "TaskQueue") = test_text("tq");
	*test_row_at(row, "ExecutionStatus") = test_int(1);
	*test_row_at(row, "StartTime") = test_int(STARTED);
	*test_row_at(row, "ExecutionTime") = test_int(STARTED);
}

static void fill_rows(void)
{
	fill_common(&rows[0], "none", "WfA");
	fill_common(&rows[1], "a", "WfA");
	*test_row_at(&rows[1], "Int01") = test_int(1);
	*test_row_at(&rows[1], "Keyword01") = test_text("alpha");
	*test_row_at(&rows[1], "KeywordList01") = test_list(list_a, 2);
	*test_row_at(&rows[1], "Text01") = test_text(" hello world foo bar ");
	*test_row_at(&rows[1], "Bool01") = test_bool(true);
	*test_row_at(&rows[1], "Double01") = test_double(1.5);
	*test_row_at(&rows[1], "Datetime01") = test_int(INT64_C(1704164645000000000));
	fill_common(&rows[2], "b", "WfB");
	*test_row_at(&rows[2], "Int01") = test_int(2);
	*test_row_at(&rows[2], "Keyword01") = test_text("Beta");
	*test_row_at(&rows[2], "KeywordList01") = test_list(list_b, 2);
	*test_row_at(&rows[2], "Text01") = test_text(" hello there ");
	*test_row_at(&rows[2], "Bool01") = test_bool(false);
	*test_row_at(&rows[2], "Double01") = test_double(-2);
	*test_row_at(&rows[2], "Datetime01") = test_int(INT64_C(1735787045678000000));
	*test_row_at(&rows[2], "ExecutionStatus") = test_int(5);
	*test_row_at(&rows[2], "CloseTime") = test_int(STARTED + 7300000);
	*test_row_at(&rows[2], "ExecutionDuration") = test_int(7300000);
	*test_row_at(&rows[2], "HistoryLength") = test_int(3);
	*test_row_at(&rows[2], "HistorySizeBytes") = test_int(700);
	*test_row_at(&rows[2], "StateTransitionCount") = test_int(2);
	fill_common(&rows[3], "c'q", "WfA");
	*test_row_at(&rows[3], "Int01") = test_int(-3);
	*test_row_at(&rows[3], "Keyword01") = test_text("al%p_ha");
	*test_row_at(&rows[3], "KeywordList01") = test_list(list_c, 2);
	*test_row_at(&rows[3], "Text01") = test_text(" don t panic world ");
}

/* In the file's form: the letters in the order of the alphabet, or '!' and the error. */
static void ask(struct str query, char answer[300])
{
	static const size_t alphabetical[] = { 1, 2, 3, 0 };
	struct temporal_error err = { 0 };
	struct arena arena;
	size_t n = 0;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	const struct filter *filter = filter_parse(&arena, query, &test_aliases, &err);
	for (size_t i = 0; filter && i < 4; i++) {
		struct match_row row = { test_row_get, &rows[alphabetical[i]] };
		if (filter_match(filter, &row))
			answer[n++] = letters[alphabetical[i]];
	}
	answer[n] = 0;
	if (!filter)
		(void)snprintf(answer, 300, "!%s", err.message);
	arena_finish(&arena);
}

static const char *expected(const char *query, const char *official)
{
	for (size_t i = 0; i < sizeof(different) / sizeof(*different); i++) {
		if (str_same(different[i].query, query))
			return different[i].answer;
	}
	return official;
}

static void official_answers(void **state)
{
	const char *root = getenv("TEMPORAL_TEST_SOURCE_DIR");
	char path[1024], line[1024], answer[300];
	int n = 0, failed = 0;

	(void)snprintf(path, sizeof(path), "%s/test/unit/server/visibility_official.txt",
		root ? root : ".");
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open %s", path);
	fill_rows();
	while (fgets(line, sizeof(line), file)) {
		char *tab = strchr(line, '\t');
		assert_non_null(tab);
		*tab++ = 0;
		tab[strcspn(tab, "\n")] = 0;
		ask(str_from(line), answer);
		n++;
		if (str_same(answer, expected(line, tab)))
			continue;
		failed++;
		print_error(
			"%s\n  is:       %s\n  expected: %s\n", line, answer, expected(line, tab));
	}
	(void)fclose(file);
	assert_true(n > 600);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(official_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
