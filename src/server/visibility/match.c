/*
 * match.c: evaluates a filter on one row, with SQL's three truth values, so that a list of open
 * runs (in memory) and of closed ones (in the database) obeys the same filter in the same way.
 *
 * No allocation and no recursion: the filter comes in postfix order, its depth is bounded by the
 * parser. Any thread.
 */
#include "server/visibility/match.h"

#include <assert.h>

/* In this order AND is the minimum and OR the maximum. */
enum truth {
	NO,
	UNKNOWN,
	YES
};

static enum truth truth(bool yes)
{
	return yes ? YES : NO;
}

/* An integer against a double; 2^63 is the first double that no int64_t reaches. */
static int compare_mixed(int64_t number, double real)
{
	if (real >= 9223372036854775808.0)
		return -1;
	if (real < -9223372036854775808.0)
		return 1;
	int64_t whole = (int64_t)real;

	if (number != whole)
		return number < whole ? -1 : 1;
	double rest = real - (double)whole;
	return (rest < 0) - (rest > 0);
}

static int compare_text(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int sign = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return sign ? sign : (a.len > b.len) - (a.len < b.len);
}

int match_compare(const struct visibility_value *value, const struct visibility_value *other)
{
	bool real = value->kind == VISIBILITY_IS_DOUBLE;
	bool other_real = other->kind == VISIBILITY_IS_DOUBLE;

	if (value->kind == VISIBILITY_IS_TEXT)
		return compare_text(value->text, other->text);
	if (real && other_real)
		return (value->real > other->real) - (value->real < other->real);
	if (other_real)
		return compare_mixed(value->number, other->real);
	if (real)
		return -compare_mixed(other->number, value->real);
	return (value->number > other->number) - (value->number < other->number);
}

static bool starts_with(struct str text, struct str start)
{
	return text.len >= start.len && (!start.len || !memcmp(text.ptr, start.ptr, start.len));
}

static bool any_equal(
	const struct visibility_value *value, const struct filter_condition *condition)
{
	for (size_t i = 0; i < condition->n_values; i++) {
		if (match_compare(value, &condition->values[i]) == 0)
			return true;
	}
	return false;
}

static bool list_has_any(
	const struct visibility_value *value, const struct filter_condition *condition)
{
	for (size_t i = 0; i < value->n_list; i++) {
		struct visibility_value item = { VISIBILITY_IS_TEXT, .text = value->list[i] };
		if (any_equal(&item, condition))
			return true;
	}
	return false;
}

static bool contains(struct str text, struct str part)
{
	for (size_t at = 0; at + part.len <= text.len; at++) {
		if (memcmp(text.ptr + at, part.ptr, part.len) == 0)
			return true;
	}
	return false;
}

static bool text_has_any(
	const struct visibility_value *value, const struct visibility_value *phrases)
{
	if (value->kind != VISIBILITY_IS_TEXT)
		return false;
	for (size_t i = 0; i < phrases->n_list; i++) {
		if (contains(value->text, phrases->list[i]))
			return true;
	}
	return false;
}

static bool compare(const struct filter_condition *condition, const struct visibility_value *value)
{
	const struct visibility_value *first = condition->values;

	switch (condition->op) {
	case FILTER_EQUAL:
	case FILTER_IN:
		return any_equal(value, condition);
	case FILTER_NOT_EQUAL:
	case FILTER_NOT_IN:
		return !any_equal(value, condition);
	case FILTER_LESS:
		return match_compare(value, first) < 0;
	case FILTER_LESS_EQUAL:
		return match_compare(value, first) <= 0;
	case FILTER_GREATER:
		return match_compare(value, first) > 0;
	case FILTER_GREATER_EQUAL:
		return match_compare(value, first) >= 0;
	case FILTER_STARTS_WITH:
		return starts_with(value->text, first->text);
	case FILTER_NOT_STARTS_WITH:
		return !starts_with(value->text, first->text);
	case FILTER_BETWEEN:
		return match_compare(value, first) >= 0 && match_compare(value, first + 1) <= 0;
	default: /* NOT BETWEEN */
		return match_compare(value, first) < 0 || match_compare(value, first + 1) > 0;
	}
}

static enum truth test(const struct filter_condition *condition, const struct match_row *row)
{
	struct visibility_value value = row->get(row->user, condition->column);
	bool negative = condition->op == FILTER_NOT_EQUAL || condition->op == FILTER_NOT_IN;

	if (condition->op == FILTER_IS_NULL || condition->op == FILTER_IS_NOT_NULL)
		return truth((value.kind == VISIBILITY_NULL) == (condition->op == FILTER_IS_NULL));
	if (condition->column->type == VISIBILITY_TEXT)
		return truth(text_has_any(&value, condition->values) != negative);
	if (condition->column->type == VISIBILITY_KEYWORD_LIST)
		return truth(list_has_any(&value, condition) != negative);
	if (value.kind == VISIBILITY_NULL)
		return UNKNOWN;
	return truth(compare(condition, &value));
}

static enum truth lesser(enum truth a, enum truth b)
{
	return a < b ? a : b;
}

static enum truth greater(enum truth a, enum truth b)
{
	return a > b ? a : b;
}

bool filter_match(const struct filter *filter, const struct match_row *row)
{
	enum truth stack[FILTER_STACK_MAX + 2];
	size_t n = 0;

	for (size_t i = 0; i < filter->n_postfix; i++) {
		const struct filter_step *step = &filter->postfix[i];
		if (step->kind == FILTER_CONDITION) {
			assert(n < FILTER_STACK_MAX + 2);
			stack[n++] = test(step->condition, row);
		} else if (step->kind == FILTER_NOT) {
			stack[n - 1] = YES - stack[n - 1];
		} else {
			n--;
			stack[n - 1] = step->kind == FILTER_AND ? lesser(stack[n - 1], stack[n])
								: greater(stack[n - 1], stack[n]);
		}
	}
	return !n || stack[0] == YES;
}
