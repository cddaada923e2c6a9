/*
 * filter.h: the filter language of List-, Count- and ScanWorkflowExecutions, parsed.
 *
 *   WorkflowType = 'order' AND (Amount > 100 OR ExecutionStatus IN ('Failed', 'TimedOut'))
 *
 * What is accepted and what is refused, and with which words, follows the official development
 * server (README.md lists the differences). A filter is constant once parsed: match.h evaluates
 * it on a row, sql.h writes it as SQL.
 */
#ifndef SERVER_VISIBILITY_FILTER_H
#define SERVER_VISIBILITY_FILTER_H

#include <temporal/error.h>

#include "base/arena.h"
#include "server/visibility/column.h"

#define FILTER_QUERY_MAX 65536 /* bytes of a query: an IN with a thousand ids */
#define FILTER_STEPS_MAX 700   /* conditions and what joins them: SQL as deep has its own limit */
#define FILTER_DEPTH_MAX 50    /* of parentheses and NOTs in each other */
#define FILTER_STACK_MAX 256   /* values that wait for an AND or OR: follows from the depth */

enum filter_operator {
	FILTER_EQUAL,
	FILTER_NOT_EQUAL,
	FILTER_LESS,
	FILTER_LESS_EQUAL,
	FILTER_GREATER,
	FILTER_GREATER_EQUAL,
	FILTER_STARTS_WITH,
	FILTER_NOT_STARTS_WITH,
	FILTER_IN,
	FILTER_NOT_IN,
	FILTER_BETWEEN,
	FILTER_NOT_BETWEEN,
	FILTER_IS_NULL,
	FILTER_IS_NOT_NULL,
};

/*
 * The values have the kind that the column has: IS_INT for Datetime and the status; for Int and
 * Double either IS_INT or IS_DOUBLE; for Text one IS_LIST of phrases in the form of
 * visibility_words(), of which one has to be in the row's words.
 */
struct filter_condition {
	const struct visibility_column *column;
	enum filter_operator op;
	const struct visibility_value *values;
	size_t n_values; /* 1; IN: 1 or more; BETWEEN: 2; IS NULL: 0 */
};

enum filter_step_kind {
	FILTER_CONDITION,
	FILTER_AND,
	FILTER_OR,
	FILTER_NOT,
	FILTER_OPEN, /* parentheses: in `infix` only */
	FILTER_CLOSE,
};

struct filter_step {
	enum filter_step_kind kind;
	const struct filter_condition *condition;
};

/* The same expression twice; no steps at all: every row. */
struct filter {
	const struct filter_step *infix, *postfix;
	size_t n_infix, n_postfix;
	const struct visibility_column *group_by; /* NULL: not grouped */
};

/* Which column a namespace's alias stands for; NULL: none. Called during filter_parse only. */
struct filter_resolver {
	const struct visibility_column *(*find)(void *user, struct str alias);
	void *user;
};

/*
 * Parses a query; an empty one is fine. Unless the query speaks of TemporalNamespaceDivision, the
 * filter demands that it is null. All is in the arena; the query's text need not stay. `resolver`
 * may be NULL: no custom attributes. NULL on failure: INVALID_ARGUMENT with the text for the
 * caller, NO_MEMORY. Any thread.
 */
const struct filter *filter_parse(struct arena *arena, struct str query,
	const struct filter_resolver *resolver, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * The conditions that each row of the filter fulfils for certain, since only ANDs stand above
 * them; at most `max`, in the query's order. What an index can be asked for before filter_match
 * decides. Returns their number.
 */
size_t filter_required(
	const struct filter *filter, const struct filter_condition **out, size_t max);

/* "=", "NOT IN", ... */
const char *filter_operator_name(enum filter_operator op);

#endif
