/*
 * sql.c: writes a filter as SQL. The text is made of constants of this file alone; everything that
 * came with the query, names of attributes included, is bound. So no query can break out of it.
 *
 * Truth values come out as in match.c: a scalar that is not set is SQL's NULL, a KeywordList or
 * Text is asked with EXISTS, which is never NULL. Any thread.
 */
#include "server/visibility/sql.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"

struct writer {
	struct arena *arena;
	char *text;
	size_t len, capacity;
	struct visibility_value *values;
	size_t n_values, values_capacity;
	unsigned first;
	bool no_memory;
};

static const char *const columns[] = {
	[VISIBILITY_WORKFLOW_ID] = "closed_run.workflow_id",
	[VISIBILITY_RUN_ID] = "closed_run.run_id",
	[VISIBILITY_WORKFLOW_TYPE] = "closed_run.type",
	[VISIBILITY_TASK_QUEUE] = "closed_run.task_queue",
	[VISIBILITY_PARENT_WORKFLOW_ID] = "nullif(closed_run.parent_workflow_id,'')",
	[VISIBILITY_PARENT_RUN_ID] = "nullif(closed_run.parent_run_id,'')",
	[VISIBILITY_ROOT_WORKFLOW_ID] = "closed_run.root_workflow_id",
	[VISIBILITY_ROOT_RUN_ID] = "closed_run.root_run_id",
	[VISIBILITY_STATUS] = "closed_run.status",
	[VISIBILITY_START_TIME] = "closed_run.start_ns",
	[VISIBILITY_EXECUTION_TIME] = "closed_run.execution_ns",
	[VISIBILITY_CLOSE_TIME] = "closed_run.close_ns",
	[VISIBILITY_EXECUTION_DURATION] = "(closed_run.close_ns-closed_run.execution_ns)",
	[VISIBILITY_HISTORY_LENGTH] = "closed_run.history_length",
	[VISIBILITY_HISTORY_SIZE] = "closed_run.history_size",
	[VISIBILITY_STATE_TRANSITIONS] = "closed_run.transitions",
};

static void put(struct writer *writer, const char *text)
{
	size_t len = strlen(text);

	if (writer->no_memory)
		return;
	if (writer->len + len >= writer->capacity) {
		size_t capacity = 2 * (writer->len + len) + 256;
		char *more = arena_alloc(writer->arena, capacity);
		if (!more) {
			writer->no_memory = true;
			return;
		}
		if (writer->len)
			memcpy(more, writer->text, writer->len);
		writer->text = more;
		writer->capacity = capacity;
	}
	memcpy(writer->text + writer->len, text, len + 1);
	writer->len += len;
}

/* A parameter and its value. */
static void bind(struct writer *writer, const struct visibility_value *value)
{
	char name[16];

	if (writer->n_values == writer->values_capacity) {
		size_t capacity = 2 * writer->values_capacity + 8;
		struct visibility_value *more = arena_array(writer->arena, capacity, sizeof(*more));
		writer->no_memory = writer->no_memory || !more;
		if (!more)
			return;
		if (writer->n_values)
			memcpy(more, writer->values, writer->n_values * sizeof(*more));
		writer->values = more;
		writer->values_capacity = capacity;
	}
	(void)snprintf(name, sizeof(name), "?%u", writer->first + (unsigned)writer->n_values);
	writer->values[writer->n_values] = *value;
	if (value->kind == VISIBILITY_IS_BOOL)
		writer->values[writer->n_values].kind = VISIBILITY_IS_INT;
	writer->n_values++;
	put(writer, name);
}

static void bind_text(struct writer *writer, struct str text)
{
	bind(writer, &(struct visibility_value){ VISIBILITY_IS_TEXT, .text = text });
}

/* "FROM ... WHERE" the rows of this attribute of this run. */
static void put_attribute(struct writer *writer, const struct visibility_column *column)
{
	put(writer, " FROM closed_attribute a WHERE a.run=closed_run.run AND a.name=");
	bind_text(writer, str_from(column->name));
}

static void put_column(struct writer *writer, const struct visibility_column *column)
{
	if (column->place != VISIBILITY_ATTRIBUTE) {
		put(writer, columns[column->place]);
		return;
	}
	put(writer, column->type == VISIBILITY_KEYWORD  ? "(SELECT a.value"
		    : column->type == VISIBILITY_DOUBLE ? "(SELECT CAST(a.value AS REAL)"
							: "(SELECT CAST(a.value AS INTEGER)");
	put_attribute(writer, column);
	put(writer, ")");
}

static void put_values(struct writer *writer, const struct filter_condition *condition)
{
	put(writer, "(");
	for (size_t i = 0; i < condition->n_values; i++) {
		if (i)
			put(writer, ",");
		bind(writer, &condition->values[i]);
	}
	put(writer, ")");
}

/* Has the attribute an element that is one of the values, or that holds one of the phrases? */
static void put_exists(struct writer *writer, const struct filter_condition *condition)
{
	bool negative = condition->op == FILTER_NOT_EQUAL || condition->op == FILTER_NOT_IN;

	put(writer, negative ? "NOT EXISTS(SELECT 1" : "EXISTS(SELECT 1");
	put_attribute(writer, condition->column);
	put(writer, " AND ");
	if (condition->column->type == VISIBILITY_KEYWORD_LIST) {
		put(writer, "a.value IN");
		put_values(writer, condition);
	} else {
		const struct visibility_value *phrases = condition->values;
		put(writer, "(0");
		for (size_t i = 0; i < phrases->n_list; i++) {
			put(writer, " OR instr(a.value,");
			bind_text(writer, phrases->list[i]);
			put(writer, ")>0");
		}
		put(writer, ")");
	}
	put(writer, ")");
}

static void put_null(struct writer *writer, const struct filter_condition *condition)
{
	bool null = condition->op == FILTER_IS_NULL;

	if (condition->column->place != VISIBILITY_ATTRIBUTE) {
		put_column(writer, condition->column);
		put(writer, null ? " IS NULL" : " IS NOT NULL");
		return;
	}
	/* Most of what is asked for so no run has at all, TemporalNamespaceDivision above all:
	 * that is found out once a statement. */
	if (null) {
		put(writer, "NOT EXISTS(SELECT 1 FROM closed_attribute b WHERE b.name=");
		bind_text(writer, str_from(condition->column->name));
		put(writer, ") OR NOT ");
	}
	put(writer, "EXISTS(SELECT 1");
	put_attribute(writer, condition->column);
	put(writer, ")");
}

/*
 * As a range, which an index can serve: from the text up to the first that does not start with it.
 * Its last byte is one higher (no UTF-8 has 0xff); texts are compared byte by byte, valid or not.
 */
static void put_starts_with(struct writer *writer, const struct filter_condition *condition)
{
	struct str start = condition->values->text;
	char *end = arena_str(writer->arena, start);

	if (!end) {
		writer->no_memory = true;
		return;
	}
	put(writer, condition->op == FILTER_STARTS_WITH ? "(" : "NOT(");
	put_column(writer, condition->column);
	put(writer, ">=");
	bind_text(writer, start);
	if (start.len) {
		end[start.len - 1] = (char)(end[start.len - 1] + 1);
		put(writer, " AND ");
		put_column(writer, condition->column);
		put(writer, "<");
		bind_text(writer, (struct str){ end, start.len });
	}
	put(writer, ")");
}

static void put_comparison(struct writer *writer, const struct filter_condition *condition)
{
	put_column(writer, condition->column);
	put(writer, " ");
	put(writer, filter_operator_name(condition->op));
	put(writer, " ");
	switch (condition->op) {
	case FILTER_IN:
	case FILTER_NOT_IN:
		put_values(writer, condition);
		break;
	case FILTER_BETWEEN:
	case FILTER_NOT_BETWEEN:
		bind(writer, &condition->values[0]);
		put(writer, " AND ");
		bind(writer, &condition->values[1]);
		break;
	default:
		bind(writer, &condition->values[0]);
	}
}

static void put_condition(struct writer *writer, const struct filter_condition *condition)
{
	enum visibility_type type = condition->column->type;

	put(writer, "(");
	if (condition->op == FILTER_IS_NULL || condition->op == FILTER_IS_NOT_NULL)
		put_null(writer, condition);
	else if (type == VISIBILITY_KEYWORD_LIST || type == VISIBILITY_TEXT)
		put_exists(writer, condition);
	else if (condition->op == FILTER_STARTS_WITH || condition->op == FILTER_NOT_STARTS_WITH)
		put_starts_with(writer, condition);
	else
		put_comparison(writer, condition);
	put(writer, ")");
}

enum temporal_code filter_to_sql(struct arena *arena, const struct filter *filter, unsigned first,
	struct sql_condition *out, struct temporal_error *err)
{
	static const char *const words[] = { [FILTER_AND] = " AND ",
		[FILTER_OR] = " OR ",
		[FILTER_NOT] = "NOT ",
		[FILTER_OPEN] = "(",
		[FILTER_CLOSE] = ")" };
	struct writer writer = { .arena = arena, .first = first };

	for (size_t i = 0; i < filter->n_infix; i++) {
		if (filter->infix[i].kind == FILTER_CONDITION)
			put_condition(&writer, filter->infix[i].condition);
		else
			put(&writer, words[filter->infix[i].kind]);
	}
	if (!filter->n_infix)
		put(&writer, "1");
	if (writer.no_memory)
		return error_no_memory(err, "a filter's SQL");
	*out = (struct sql_condition){ writer.text, writer.values, writer.n_values };
	return TEMPORAL_OK;
}

/* The list's elements without doubles. */
static const struct str *distinct(
	struct arena *arena, const struct visibility_value *value, size_t *n)
{
	struct str *list = arena_array(arena, value->n_list + 1, sizeof(*list));

	if (!list)
		return NULL;
	for (size_t i = 0; i < value->n_list; i++) {
		size_t j = 0;
		while (j < *n && !str_eq(list[j], value->list[i]))
			j++;
		if (j == *n)
			list[(*n)++] = value->list[i];
	}
	return list;
}

const struct str *sql_attribute_texts(
	struct arena *arena, const struct visibility_value *value, size_t *n)
{
	struct str *one = ARENA_NEW(arena, struct str);

	*n = 0;
	if (value->kind == VISIBILITY_IS_LIST)
		return distinct(arena, value, n);
	if (!one || value->kind == VISIBILITY_NULL)
		return one;
	*n = 1;
	if (value->kind == VISIBILITY_IS_TEXT) {
		*one = value->text;
		return one;
	}
	char *text = value->kind == VISIBILITY_IS_DOUBLE
			     ? arena_printf(arena, "%.17g", value->real)
			     : arena_printf(arena, "%" PRId64, value->number);
	*one = str_from(text);
	return text ? one : NULL;
}
