/*
 * The parser's own rules. Goal: each limit at and above it, what a filter is made of, and no leak
 * or crash when memory runs out. Method: parse, look at the steps. What queries mean is in
 * visibility_official_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "visibility_row.h"

struct fixture {
	struct arena arena;
	struct temporal_error err;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	arena_init(&fixture.arena, 1024, ARENA_NO_BUDGET);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	arena_finish(&fixture->arena);
	return 0;
}

static const struct filter *parse(struct fixture *fixture, const char *query)
{
	fixture->err = (struct temporal_error){ 0 };
	return filter_parse(&fixture->arena, str_from(query), &test_aliases, &fixture->err);
}

static void length_is_limited(void **state)
{
	struct fixture *fixture = *state;
	char query[FILTER_QUERY_MAX + 2];

	memset(query, ' ', sizeof(query));
	memcpy(query, "CInt = 1", 8);
	query[FILTER_QUERY_MAX] = 0;
	assert_non_null(parse(fixture, query));
	query[FILTER_QUERY_MAX] = ' ';
	query[FILTER_QUERY_MAX + 1] = 0;
	assert_null(parse(fixture, query));
	assert_int_equal(fixture->err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(fixture->err.message,
		"invalid query: 65537 bytes are more than the limit of 65536");
}

/* `depth` times `open`, then a condition, then `depth` times `close`. */
static const struct filter *nested(
	struct fixture *fixture, const char *open, const char *close, int depth)
{
	char query[2048];
	int n = 0;

	for (int i = 0; i < depth; i++)
		n += snprintf(query + n, sizeof(query) - (size_t)n, "%s", open);
	n += snprintf(query + n, sizeof(query) - (size_t)n, "CInt = 1");
	for (int i = 0; i < depth; i++)
		n += snprintf(query + n, sizeof(query) - (size_t)n, "%s", close);
	return parse(fixture, query);
}

static void depth_is_limited(void **state)
{
	struct fixture *fixture = *state;

	assert_non_null(nested(fixture, "(", ")", FILTER_DEPTH_MAX));
	assert_null(nested(fixture, "(", ")", FILTER_DEPTH_MAX + 1));
	assert_int_equal(fixture->err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(fixture->err.message, "nested deeper than the limit of 50"));
	assert_non_null(nested(fixture, "NOT ", "", FILTER_DEPTH_MAX));
	assert_null(nested(fixture, "NOT ", "", FILTER_DEPTH_MAX + 1));
	/* The most that can wait: an OR, an AND and a NOT at each depth. */
	assert_non_null(nested(fixture, "CInt=1 OR CInt=2 AND NOT (", ")", FILTER_DEPTH_MAX / 2));
}

static void long_chains_are_no_depth(void **state)
{
	struct fixture *fixture = *state;
	char query[FILTER_QUERY_MAX];
	size_t n = 0;
	static struct test_row nulls;
	struct match_row row = { test_row_get, &nulls };

	for (int i = 2; i < FILTER_STEPS_MAX / 2; i++)
		n += (size_t)snprintf(query + n, sizeof(query) - n, "CInt = 1 OR ");
	(void)snprintf(query + n, sizeof(query) - n, "CInt IS NULL");
	const struct filter *filter = parse(fixture, query);
	assert_non_null(filter);
	assert_true(filter_match(filter, &row));
	(void)snprintf(query + n, sizeof(query) - n, "CInt = 1 OR CInt = 2 OR CInt IS NULL");
	assert_null(parse(fixture, query));
	assert_string_equal(fixture->err.message,
		"invalid query: 703 conditions and operators are more than the limit of 700");
}

static void the_division_is_hidden(void **state)
{
	struct fixture *fixture = *state;
	struct test_row row = { 0 };
	struct match_row match = { test_row_get, &row };

	*test_row_at(&row, "TemporalNamespaceDivision") = test_text("d");
	assert_false(filter_match(parse(fixture, ""), &match));
	assert_false(filter_match(parse(fixture, " \t\n"), &match));
	assert_false(filter_match(parse(fixture, "CInt IS NULL OR CInt = 1"), &match));
	assert_false(filter_match(parse(fixture, "GROUP BY ExecutionStatus"), &match));
	assert_true(filter_match(parse(fixture, "TemporalNamespaceDivision = 'd'"), &match));
	assert_true(filter_match(parse(fixture, "GROUP BY TemporalNamespaceDivision"), &match));
	assert_true(filter_match(
		parse(fixture, "CInt IS NULL OR TemporalNamespaceDivision IS NULL"), &match));
}

static void grouping_names_the_column(void **state)
{
	struct fixture *fixture = *state;
	const struct filter *filter = parse(fixture, "CInt = 1 GROUP BY ExecutionStatus");

	assert_ptr_equal(filter->group_by, visibility_column_find(STR("ExecutionStatus")));
	assert_null(parse(fixture, "CInt = 1")->group_by);
}

static void conditions_hold_values_of_their_column(void **state)
{
	struct fixture *fixture = *state;
	const struct filter_condition *found[4];
	const struct filter *filter = parse(fixture,
		"ExecutionDuration = '1h' AND StartTime < '1970-01-01T00:00:01.5Z' AND "
		"ExecutionStatus IN ('TimedOut', 1) AND CDbl BETWEEN -1.5 AND 2");

	assert_int_equal(filter_required(filter, found, 4), 4);
	assert_int_equal(found[0]->values[0].number, INT64_C(3600000000000));
	assert_int_equal(found[0]->op, FILTER_EQUAL);
	assert_int_equal(found[1]->values[0].number, 1500000000);
	assert_int_equal(found[2]->n_values, 2);
	assert_int_equal(found[2]->values[0].number, 7);
	assert_true(found[3]->values[0].real < -1.4 && found[3]->values[0].real > -1.6);
	assert_int_equal(found[3]->values[1].kind, VISIBILITY_IS_INT);
}

static void required_conditions_have_only_and_above(void **state)
{
	struct fixture *fixture = *state;
	const struct filter_condition *found[8];
	const struct filter *filter = parse(fixture,
		"CInt = 1 AND (CKw = 'a' AND (CDbl = 1 OR CDbl = 2)) AND NOT CBool = true");

	assert_int_equal(filter_required(filter, found, 8), 3);
	assert_string_equal(found[0]->column->name, "Int01");
	assert_string_equal(found[1]->column->name, "Keyword01");
	assert_string_equal(found[2]->column->name, "TemporalNamespaceDivision");
	assert_int_equal(filter_required(parse(fixture, "CInt = 1 OR CKw = 'a'"), found, 8), 1);
	assert_int_equal(filter_required(filter, found, 2), 2);
}

static void schedules_have_a_prefix(void **state)
{
	struct fixture *fixture = *state;
	struct test_row row = { 0 };
	struct match_row match = { test_row_get, &row };

	*test_row_at(&row, "WorkflowId") = test_text("temporal-sys-scheduler:nightly");
	assert_true(filter_match(parse(fixture, "ScheduleId = 'nightly'"), &match));
	assert_true(filter_match(parse(fixture, "ScheduleId STARTS_WITH 'night'"), &match));
	assert_false(filter_match(parse(fixture, "WorkflowId = 'nightly'"), &match));
}

static void numbers_compare_exactly(void **state)
{
	struct fixture *fixture = *state;
	struct test_row row = { 0 };
	struct match_row match = { test_row_get, &row };

	*test_row_at(&row, "Int01") = test_int(INT64_C(9007199254740993)); /* 2^53 + 1 */
	assert_true(filter_match(parse(fixture, "CInt > 9007199254740992.0"), &match));
	assert_false(filter_match(parse(fixture, "CInt = 9007199254740992.0"), &match));
	assert_true(filter_match(parse(fixture, "CInt < 1e300"), &match));
	assert_true(filter_match(parse(fixture, "CInt > -1e300"), &match));
	*test_row_at(&row, "Int01") = test_int(INT64_MAX);
	assert_true(filter_match(parse(fixture, "CInt < 9223372036854775808"), &match));
}

static void memory_may_run_out(void **state)
{
	static const char query[] =
		"CText = 'a b' AND (CKw IN ('a', 'b', 'c', 'd', 'e') OR a.b = 1) OR CInt = -1";
	int failures = 0;

	for (size_t budget = 0; budget < 32768; budget += 128) {
		struct temporal_error err = { 0 };
		struct arena arena;
		arena_init(&arena, 64, budget);
		assert_null(filter_parse(&arena, str_from(query), &test_aliases, &err));
		failures += err.code == TEMPORAL_NO_MEMORY;
		assert_true(
			err.code == TEMPORAL_NO_MEMORY || err.code == TEMPORAL_INVALID_ARGUMENT);
		arena_finish(&arena);
	}
	assert_true(failures > 10 && failures < 256);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(length_is_limited),
		TEST(depth_is_limited),
		TEST(long_chains_are_no_depth),
		TEST(the_division_is_hidden),
		TEST(grouping_names_the_column),
		TEST(conditions_hold_values_of_their_column),
		TEST(required_conditions_have_only_and_above),
		TEST(schedules_have_a_prefix),
		TEST(numbers_compare_exactly),
		TEST(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
