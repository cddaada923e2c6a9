/*
 * match.h: a filter on one row. Any thread; the filter is only read.
 */
#ifndef SERVER_VISIBILITY_MATCH_H
#define SERVER_VISIBILITY_MATCH_H

#include "server/visibility/filter.h"

/*
 * Where a row's values come from. `get` is asked for the columns the filter names and gives the
 * kind that the column's type has: Datetime and status IS_INT, Bool IS_BOOL, Double IS_DOUBLE,
 * Text IS_TEXT in the form of visibility_words(), KeywordList IS_LIST; VISIBILITY_NULL for what is
 * not set, and for an empty list. What it points to has to stay during the call.
 */
struct match_row {
	struct visibility_value (*get)(void *user, const struct visibility_column *column);
	void *user;
};

/*
 * Is the row one of those? As in SQL a comparison with null is neither true nor false; but one of
 * a KeywordList or Text asks whether there is such an element, and is false without one.
 */
bool filter_match(const struct filter *filter, const struct match_row *row);

/*
 * One condition as `sign` = -1, 0, 1 of value against other: numbers by value, Int with Double
 * exactly, texts by their bytes.
 */
int match_compare(const struct visibility_value *value, const struct visibility_value *other);

#endif
