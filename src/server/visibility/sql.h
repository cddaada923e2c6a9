/*
 * sql.h: a filter as the condition of a SQL statement over the closed runs.
 *
 * The text speaks of the table closed_run by its own name (columns workflow_id, run_id, type,
 * task_queue, parent_workflow_id, parent_run_id, root_workflow_id, root_run_id, status, start_ns,
 * execution_ns, close_ns, history_length, history_size, transitions; no parent is "") and of
 * closed_attribute(run, name, value), which has one row for each text of sql_attribute_texts().
 * Nothing from the query is in the text: values are bound.
 */
#ifndef SERVER_VISIBILITY_SQL_H
#define SERVER_VISIBILITY_SQL_H

#include "server/visibility/filter.h"

struct sql_condition {
	const char *text; /* "1" for a filter without conditions; its parameters are ?1, ?2, ... */
	const struct visibility_value *values; /* to bind: IS_INT, IS_DOUBLE, IS_TEXT */
	size_t n_values;
};

/*
 * Writes the condition, its first parameter being ?<first>. All in the arena; the filter has to
 * stay. NO_MEMORY; RESOURCE_EXHAUSTED never, since a query's length bounds the text. Any thread.
 */
enum temporal_code filter_to_sql(struct arena *arena, const struct filter *filter, unsigned first,
	struct sql_condition *out, struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * What of an attribute's value closed_attribute has to hold, one row each; *n is 0 for null.
 * Numbers in decimal, lists element by element without doubles, Text as its words. NULL when
 * memory is out.
 */
const struct str *sql_attribute_texts(struct arena *arena, const struct visibility_value *value,
	size_t *n) __attribute__((warn_unused_result));

#endif
