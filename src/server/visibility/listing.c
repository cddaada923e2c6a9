/*
 * listing.c: a filter on the running runs, one by one, and as a query of the store.
 *
 * Which index the store walks is decided here, from the conditions that hold for every row of the
 * filter: an equality on an id, a type, a task queue or a status, in this order, has an index in
 * the order of lists. A prefix of an id, a span of start times and an equality on a search
 * attribute have one in another order, which the store takes if it gives few rows.
 *
 * Loop's thread.
 */
#include "server/visibility/listing.h"

#include "base/error.h"
#include "proto/codec.h"
#include "server/state.h"
#include "server/store/store.h"
#include "server/visibility/match.h"
#include "server/visibility/sql.h"

#define DIVISION "TemporalNamespaceDivision"
#define RUNNING  1 /* WORKFLOW_EXECUTION_STATUS_RUNNING */

#define REQUIRED_MAX 32 /* conditions of a filter that are looked at for an index */

/* ---- Running ---- */

struct open_row {
	struct arena *arena;
	const struct execution *execution;
	const Common__SearchAttributes *attributes; /* decoded when one is asked for */
	bool decoded;
};

static struct visibility_value text_value(const char *text)
{
	if (str_empty(text))
		return (struct visibility_value){ .kind = VISIBILITY_NULL };
	return (struct visibility_value){ .kind = VISIBILITY_IS_TEXT, .text = str_from(text) };
}

static struct visibility_value int_value(int64_t number)
{
	return (struct visibility_value){ VISIBILITY_IS_INT, .number = number };
}

static struct visibility_value attribute_value(
	struct open_row *row, const struct visibility_column *column)
{
	const struct bytes *encoded = &row->execution->search_attributes;

	if (!row->decoded && encoded->len)
		row->attributes = proto_decode(row->arena, &common__search_attributes__descriptor,
			encoded->ptr, encoded->len, NULL, NULL);
	row->decoded = true;
	return search_attributes_get(
		row->arena, &row->execution->space->search_attributes, row->attributes, column);
}

static struct visibility_value get(void *user, const struct visibility_column *column)
{
	struct open_row *row = user;
	const struct execution *execution = row->execution;

	switch (column->place) {
	case VISIBILITY_WORKFLOW_ID:
		return text_value(execution->workflow_id);
	case VISIBILITY_RUN_ID:
		return text_value(execution->run_id);
	case VISIBILITY_WORKFLOW_TYPE:
		return text_value(execution->type);
	case VISIBILITY_TASK_QUEUE:
		return text_value(execution->task_queue);
	case VISIBILITY_PARENT_WORKFLOW_ID:
		return text_value(execution->parent_workflow_id);
	case VISIBILITY_PARENT_RUN_ID:
		return text_value(execution->parent_run_id);
	case VISIBILITY_ROOT_WORKFLOW_ID:
		return text_value(execution->root_run_id ? execution->root_workflow_id
							 : execution->workflow_id);
	case VISIBILITY_ROOT_RUN_ID:
		return text_value(
			execution->root_run_id ? execution->root_run_id : execution->run_id);
	case VISIBILITY_STATUS:
		return int_value(execution->status);
	case VISIBILITY_START_TIME:
		return int_value(execution->start_ns);
	case VISIBILITY_EXECUTION_TIME:
		return int_value(execution->execution_ns);
	case VISIBILITY_ATTRIBUTE:
		return attribute_value(row, column);
	default:
		return (struct visibility_value){ .kind = VISIBILITY_NULL };
	}
}

static bool matches(
	const struct filter *filter, const struct execution *execution, struct arena *scratch)
{
	struct arena_mark mark = arena_mark(scratch);
	struct open_row row = { .arena = scratch, .execution = execution };
	bool yes = filter_match(filter, &(struct match_row){ get, &row });

	arena_release(scratch, mark);
	return yes;
}

/* The condition of the filter on this place, with this operator, that holds for every row. */
static const struct filter_condition *required(
	const struct filter *filter, enum visibility_place place, enum filter_operator op)
{
	const struct filter_condition *conditions[REQUIRED_MAX];
	size_t n = filter_required(filter, conditions, REQUIRED_MAX);

	for (size_t i = 0; i < n; i++) {
		if (conditions[i]->column->place == place && conditions[i]->op == op)
			return conditions[i];
	}
	return NULL;
}

bool listing_wants_open(const struct filter *filter)
{
	const struct filter_condition *status = required(filter, VISIBILITY_STATUS, FILTER_EQUAL);

	return !status || status->values[0].number == RUNNING;
}

bool listing_wants_closed(const struct filter *filter)
{
	const struct filter_condition *status = required(filter, VISIBILITY_STATUS, FILTER_EQUAL);

	return !status || status->values[0].number != RUNNING;
}

/* The first one to look at: all others before it have been given. */
static struct execution *first_after(const struct server *server, uint64_t after)
{
	struct execution *at = after ? state_here(server, after) : NULL;

	if (at && state_running(at))
		return at->open_older;
	at = server->open_newest;
	while (after && at && at->number >= after)
		at = at->open_older;
	return at;
}

void listing_open(struct server *server, const struct server_namespace *space,
	const struct filter *filter, uint64_t after, struct arena *scratch,
	bool (*take)(void *user, struct execution *execution), void *user)
{
	const struct filter_condition *id = required(filter, VISIBILITY_WORKFLOW_ID, FILTER_EQUAL);
	struct execution *at = first_after(server, after);

	if (id) {
		const char *text = arena_str(scratch, id->values[0].text);
		const struct workflow_id *found =
			text ? state_workflow_id(server, space, text) : NULL;

		at = found ? found->current : NULL;
		if (at && state_running(at) && (!after || at->number < after) &&
			matches(filter, at, scratch))
			(void)take(user, at);
		return;
	}
	for (; at; at = at->open_older) {
		if (at->space == space && matches(filter, at, scratch) && !take(user, at))
			return;
	}
}

/* ---- Ended ---- */

static enum store_index choose_index(const struct filter *filter)
{
	static const struct {
		enum visibility_place place;
		enum store_index index;
	} choices[] = {
		{ VISIBILITY_RUN_ID, STORE_BY_RUN_ID },
		{ VISIBILITY_WORKFLOW_ID, STORE_BY_WORKFLOW_ID },
		{ VISIBILITY_WORKFLOW_TYPE, STORE_BY_TYPE },
		{ VISIBILITY_TASK_QUEUE, STORE_BY_TASK_QUEUE },
		{ VISIBILITY_STATUS, STORE_BY_STATUS },
	};

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (required(filter, choices[i].place, FILTER_EQUAL))
			return choices[i].index;
	}
	return STORE_BY_CLOSE;
}

/* The earliest and the latest start that the filter allows; true if it has a latest. */
static bool start_span(const struct filter *filter, int64_t *first, int64_t *last)
{
	const struct filter_condition *conditions[REQUIRED_MAX];
	size_t n = filter_required(filter, conditions, REQUIRED_MAX);

	*first = INT64_MIN;
	*last = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		const struct filter_condition *at = conditions[i];
		bool between = at->op == FILTER_BETWEEN;

		if (at->column->place != VISIBILITY_START_TIME)
			continue;
		if ((between || at->op == FILTER_EQUAL || at->op == FILTER_GREATER ||
			    at->op == FILTER_GREATER_EQUAL) &&
			at->values[0].number > *first)
			*first = at->values[0].number;
		if ((between || at->op == FILTER_EQUAL || at->op == FILTER_LESS ||
			    at->op == FILTER_LESS_EQUAL) &&
			at->values[between ? 1 : 0].number < *last)
			*last = at->values[between ? 1 : 0].number;
	}
	return *last != INT64_MAX;
}

/* An equality on a search attribute whose texts closed_attribute has as they are. */
static const struct filter_condition *required_attribute(const struct filter *filter)
{
	const struct filter_condition *conditions[REQUIRED_MAX];
	size_t n = filter_required(filter, conditions, REQUIRED_MAX);

	for (size_t i = 0; i < n; i++) {
		enum visibility_type type = conditions[i]->column->type;

		if (conditions[i]->column->place == VISIBILITY_ATTRIBUTE &&
			conditions[i]->op == FILTER_EQUAL && type != VISIBILITY_TEXT &&
			type != VISIBILITY_DOUBLE &&
			conditions[i]->values[0].kind != VISIBILITY_IS_DOUBLE)
			return conditions[i];
	}
	return NULL;
}

/* The first text that does not begin so; UTF-8 has no byte 0xff. */
static const char *after_prefix(struct arena *arena, struct str prefix)
{
	char *end = arena_str(arena, prefix);

	if (end && prefix.len)
		end[prefix.len - 1] = (char)(end[prefix.len - 1] + 1);
	return end;
}

static bool choose_narrow(
	struct arena *arena, const struct filter *filter, struct store_narrow *out)
{
	const struct filter_condition *prefix =
		required(filter, VISIBILITY_WORKFLOW_ID, FILTER_STARTS_WITH);
	const struct filter_condition *attribute = required_attribute(filter);
	size_t n;

	if (attribute) {
		const struct str *texts = sql_attribute_texts(arena, &attribute->values[0], &n);

		out->kind = STORE_NARROW_ATTRIBUTE;
		out->name = attribute->column->name;
		out->text = texts ? arena_str(arena, texts[0]) : NULL;
		return out->text;
	}
	if (prefix && prefix->values[0].text.len) {
		out->kind = STORE_NARROW_ID;
		out->text = arena_str(arena, prefix->values[0].text);
		out->end = after_prefix(arena, prefix->values[0].text);
		return out->text && out->end;
	}
	if (start_span(filter, &out->first, &out->last))
		out->kind = STORE_NARROW_START;
	return true;
}

static bool bind_values(
	struct arena *arena, const struct sql_condition *sql, size_t room, struct store_query *out)
{
	struct store_value *values = arena_array(arena, sql->n_values + room, sizeof(*values));

	for (size_t i = 0; i < sql->n_values && values; i++) {
		const struct visibility_value *from = &sql->values[i];

		values[i] = (struct store_value){
			.kind = from->kind == VISIBILITY_IS_TEXT     ? STORE_TEXT
				: from->kind == VISIBILITY_IS_DOUBLE ? STORE_REAL
								     : STORE_NUMBER,
			.number = from->number,
			.real = from->real,
			.text = from->text.ptr,
			.length = from->text.len,
		};
	}
	out->values = values;
	out->n_values = sql->n_values;
	return values;
}

/* Every run of this status (0: any), of the namespace's own division? */
static bool is_plain(const struct filter *filter, int32_t *status)
{
	*status = 0;
	for (size_t i = 0; i < filter->n_postfix; i++) {
		const struct filter_condition *at = filter->postfix[i].condition;

		if (filter->postfix[i].kind == FILTER_AND)
			continue;
		if (filter->postfix[i].kind != FILTER_CONDITION)
			return false;
		if (at->op == FILTER_IS_NULL && str_same(at->column->name, DIVISION))
			continue;
		if (at->column->place != VISIBILITY_STATUS || at->op != FILTER_EQUAL || *status)
			return false;
		*status = (int32_t)at->values[0].number;
	}
	return true;
}

/* Does it ask for a time of the end? */
static bool closes(const struct filter *filter)
{
	const struct filter_condition *conditions[REQUIRED_MAX];
	size_t n = filter_required(filter, conditions, REQUIRED_MAX);

	for (size_t i = 0; i < n; i++) {
		if (conditions[i]->column->place == VISIBILITY_CLOSE_TIME)
			return true;
	}
	return false;
}

bool listing_closed(struct arena *arena, const struct server_namespace *space,
	const struct filter *filter, bool count, struct store_query *out)
{
	struct sql_condition sql;
	int64_t first, last;

	if (filter_to_sql(arena, filter, 2, &sql, NULL) != TEMPORAL_OK ||
		!bind_values(arena, &sql, 1, out) || !choose_narrow(arena, filter, &out->narrow))
		return false;
	out->name_space = (uint32_t)space->number;
	out->condition = sql.text;
	out->index = choose_index(filter);
	/* What started later ended later: so an index by close need not be walked to its end. */
	(void)start_span(filter, &first, &last);
	if (count && is_plain(filter, &out->totals_status))
		out->totals_without = DIVISION;
	out->by_status = count && filter->group_by;
	if (count && out->index == STORE_BY_CLOSE && !closes(filter) &&
		(first == INT64_MIN || out->by_status))
		out->index = STORE_BY_STATUS;
	if (first != INT64_MIN) {
		struct store_value *bound =
			(struct store_value *)(uintptr_t)&out->values[out->n_values++];

		*bound = (struct store_value){ .kind = STORE_NUMBER, .number = first };
		out->condition = arena_printf(
			arena, "(%s) AND closed_run.close_ns>=?%zu", sql.text, out->n_values + 1);
	}
	return out->condition;
}
