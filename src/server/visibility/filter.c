/*
 * filter.c: parses a query: AND, OR, NOT and parentheses around conditions (condition.c), then the
 * clauses. Operator precedence with a stack of its own, so the depth of a query costs no C stack.
 *
 * Pure: the resolver is asked for aliases, nothing else is looked at. Any thread.
 */
#include "server/visibility/filter.h"

#include "base/error.h"
#include "server/visibility/parser.h"

/* The official server parses "select * from table1 where ..."; positions in messages count it. */
#define POSITION_WHERE  (sizeof("select * from table1 where ") - 1 + 1)
#define POSITION_CLAUSE (sizeof("select * from table1 ") - 1 + 1)

/* What waits on the stack, and how many errors of meaning there were before it. */
struct pending {
	enum filter_step_kind kind;
	bool had_error;
};

struct builder {
	struct parser *parser;
	struct filter_step *infix, *postfix;
	size_t n_infix, n_postfix;
	struct pending pending[FILTER_STACK_MAX];
	size_t n_pending;
	unsigned depth;
};

static void infix(struct builder *builder, enum filter_step_kind kind,
	const struct filter_condition *condition)
{
	builder->infix[builder->n_infix++] = (struct filter_step){ kind, condition };
}

static void postfix(struct builder *builder, enum filter_step_kind kind,
	const struct filter_condition *condition)
{
	builder->postfix[builder->n_postfix++] = (struct filter_step){ kind, condition };
}

/* How strongly it binds; a parenthesis holds everything back. */
static int precedence(enum filter_step_kind kind)
{
	switch (kind) {
	case FILTER_NOT:
		return 3;
	case FILTER_AND:
		return 2;
	case FILTER_OR:
		return 1;
	default:
		return 0;
	}
}

/* False: too deep. */
static bool push(struct builder *builder, enum filter_step_kind kind)
{
	struct parser *parser = builder->parser;

	builder->depth += kind == FILTER_OPEN || kind == FILTER_NOT;
	if (builder->depth > FILTER_DEPTH_MAX || builder->n_pending == FILTER_STACK_MAX) {
		error_set(parser->err, TEMPORAL_INVALID_ARGUMENT,
			"invalid query: parentheses and NOTs are nested deeper than the limit of "
			"%d",
			FILTER_DEPTH_MAX);
		return false;
	}
	builder->pending[builder->n_pending++] =
		(struct pending){ kind, parser->meaning.code != TEMPORAL_OK };
	infix(builder, kind, NULL);
	return true;
}

/* Moves to the output what binds at least as strongly. */
static void pop(struct builder *builder, int least)
{
	while (builder->n_pending) {
		enum filter_step_kind kind = builder->pending[builder->n_pending - 1].kind;
		if (precedence(kind) < least)
			return;
		builder->n_pending--;
		builder->depth -= kind == FILTER_NOT;
		postfix(builder, kind, NULL);
	}
}

/* A parenthesis with an operator behind it was no boolean one: "(a) = 1", "(a = 1) IS NULL". */
static bool compared(struct builder *builder, bool had_error)
{
	static const struct operand parenthesis = { .kind = OPERAND_PAREN };
	const struct filter_condition *none;

	if (!had_error)
		builder->parser->meaning = (struct temporal_error){ 0 };
	return parser_comparison(builder->parser, &parenthesis, &none);
}

/* The token is a closing parenthesis. False: an error. */
static bool close(struct builder *builder)
{
	struct parser *parser = builder->parser;

	pop(builder, 1);
	if (!builder->n_pending)
		return parser_syntax(parser);
	bool had_error = builder->pending[--builder->n_pending].had_error;
	builder->depth--;
	infix(builder, FILTER_CLOSE, NULL);
	parser_advance(parser);
	return !parser_compares(&parser->token) || compared(builder, had_error);
}

static bool condition(struct builder *builder)
{
	const struct filter_condition *condition;

	if (!parser_condition(builder->parser, &condition))
		return false;
	infix(builder, FILTER_CONDITION, condition);
	postfix(builder, FILTER_CONDITION, condition);
	return true;
}

/* Up to a condition, with what stands before it. False: an error. */
static bool operand(struct builder *builder)
{
	struct parser *parser = builder->parser;

	while (parser->token.kind == TOKEN_NOT || parser->token.kind == TOKEN_OPEN) {
		if (!push(builder, parser->token.kind == TOKEN_NOT ? FILTER_NOT : FILTER_OPEN))
			return false;
		parser_advance(parser);
	}
	return condition(builder);
}

static bool expression(struct builder *builder)
{
	struct parser *parser = builder->parser;

	for (;;) {
		if (!operand(builder))
			return false;
		while (parser->token.kind == TOKEN_CLOSE) {
			if (!close(builder))
				return false;
		}
		if (parser->token.kind != TOKEN_AND && parser->token.kind != TOKEN_OR)
			break;
		enum filter_step_kind kind =
			parser->token.kind == TOKEN_AND ? FILTER_AND : FILTER_OR;
		pop(builder, precedence(kind));
		if (!push(builder, kind))
			return false;
		parser_advance(parser);
	}
	pop(builder, 1);
	return !builder->n_pending || parser_syntax(parser);
}

/* ---- Clauses ---- */

static bool expect_by(struct parser *parser)
{
	parser_advance(parser);
	if (parser->token.kind != TOKEN_BY)
		return parser_syntax(parser);
	return true;
}

/* GROUP BY; the token is GROUP. */
static bool group_by(struct parser *parser, struct filter *out)
{
	struct operand first, next;
	struct reference reference;
	bool single = true;

	if (!expect_by(parser))
		return false;
	parser_advance(parser);
	if (!parser_operand(parser, &first))
		return false;
	for (; parser->token.kind == TOKEN_COMMA; single = false) {
		parser_advance(parser);
		if (!parser_operand(parser, &next))
			return false;
	}
	if (!single) {
		parser_meaning(parser, "operation is not supported: 'GROUP BY' clause supports "
				       "only a single field");
		return true;
	}
	if (!parser_reference(parser, &first, &reference))
		return true;
	if (reference.column->place != VISIBILITY_STATUS &&
		!str_same(reference.column->name, "TemporalNamespaceDivision"))
		parser_meaning(parser,
			"operation is not supported: 'GROUP BY' clause is not supported for search "
			"attribute %.*s",
			(int)reference.name.len, reference.name.ptr);
	out->group_by = reference.column;
	return true;
}

/* ORDER BY; the token is ORDER. The names are looked at before the clause is refused. */
static bool order_by(struct parser *parser)
{
	struct reference reference;
	struct operand column;

	if (!expect_by(parser))
		return false;
	do {
		parser_advance(parser);
		if (!parser_operand(parser, &column))
			return false;
		(void)!parser_reference(parser, &column, &reference);
		if (parser->token.kind == TOKEN_ASC || parser->token.kind == TOKEN_DESC)
			parser_advance(parser);
	} while (parser->token.kind == TOKEN_COMMA);
	parser_meaning(parser, "operation is not supported: 'ORDER BY' clause");
	return true;
}

/* LIMIT; the token is LIMIT. It is refused before anything else is. */
static bool limit(struct parser *parser)
{
	struct operand number;

	parser_advance(parser);
	if (!parser_operand(parser, &number))
		return false;
	parser->meaning = (struct temporal_error){ 0 };
	parser_meaning(parser, "operation is not supported: 'LIMIT' clause");
	return true;
}

/* All that may come behind the conditions, up to the end of the query. */
static bool clauses(struct parser *parser, struct filter *out)
{
	if (parser->token.kind == TOKEN_GROUP && !group_by(parser, out))
		return false;
	if (parser->token.kind == TOKEN_ORDER && !order_by(parser))
		return false;
	if (parser->token.kind == TOKEN_LIMIT && !limit(parser))
		return false;
	if (parser->token.kind == TOKEN_SEMICOLON)
		parser_advance(parser);
	return parser->token.kind == TOKEN_END || parser_syntax(parser);
}

/* Does the query begin with a clause, without conditions? Then positions count from elsewhere. */
static bool begins_with_clause(struct parser *parser)
{
	struct lexer ahead = parser->lexer;
	struct token next;

	if (parser->token.kind != TOKEN_GROUP && parser->token.kind != TOKEN_ORDER)
		return false;
	token_next(&ahead, &next);
	return next.kind == TOKEN_BY;
}

/* "(...) AND TemporalNamespaceDivision IS NULL": what belongs to the system stays unseen. */
static bool add_division(struct builder *builder)
{
	struct filter_condition *hidden =
		ARENA_NEW(builder->parser->arena, struct filter_condition);
	bool alone = !builder->n_postfix;

	if (!hidden)
		return parser_no_memory(builder->parser);
	hidden->column = visibility_column_find(STR("TemporalNamespaceDivision"));
	hidden->op = FILTER_IS_NULL;
	if (!alone) {
		memmove(builder->infix + 1, builder->infix,
			builder->n_infix * sizeof(*builder->infix));
		builder->infix[0] = (struct filter_step){ FILTER_OPEN, NULL };
		builder->n_infix++;
		infix(builder, FILTER_CLOSE, NULL);
		infix(builder, FILTER_AND, NULL);
	}
	infix(builder, FILTER_CONDITION, hidden);
	postfix(builder, FILTER_CONDITION, hidden);
	if (!alone)
		postfix(builder, FILTER_AND, NULL);
	return true;
}

static bool parse(struct builder *builder, struct filter *out)
{
	struct parser *parser = builder->parser;

	parser_advance(parser);
	parser->position = begins_with_clause(parser) ? POSITION_CLAUSE : POSITION_WHERE;
	if (parser->position == POSITION_WHERE && !expression(builder))
		return false;
	if (!clauses(parser, out))
		return false;
	if (parser->meaning.code != TEMPORAL_OK) {
		if (parser->err)
			*parser->err = parser->meaning;
		return false;
	}
	return parser->division || add_division(builder);
}

static bool is_blank(struct str query)
{
	for (size_t i = 0; i < query.len; i++) {
		if (!strchr(" \t\r\n", query.ptr[i]) || !query.ptr[i])
			return false;
	}
	return true;
}

const struct filter *filter_parse(struct arena *arena, struct str query,
	const struct filter_resolver *resolver, struct temporal_error *err)
{
	struct parser parser = { .arena = arena, .resolver = resolver, .err = err };
	struct builder builder = { .parser = &parser };
	struct filter *out = ARENA_NEW(arena, struct filter);

	if (query.len > FILTER_QUERY_MAX) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"invalid query: %zu bytes are more than the limit of %d", query.len,
			FILTER_QUERY_MAX);
		return NULL;
	}
	/* A step takes a character of the query at least; the rest is for add_division(). */
	builder.infix = arena_array(arena, query.len + 5, sizeof(*builder.infix));
	builder.postfix = arena_array(arena, query.len + 5, sizeof(*builder.postfix));
	char *text = arena_str(arena, query);
	if (!out || !builder.infix || !builder.postfix || !text ||
		!token_begin(&parser.lexer, arena, (struct str){ text, query.len })) {
		error_no_memory(err, "a filter");
		return NULL;
	}
	bool ok = is_blank(query) ? add_division(&builder) : parse(&builder, out);
	out->infix = builder.infix;
	out->postfix = builder.postfix;
	out->n_infix = builder.n_infix;
	out->n_postfix = builder.n_postfix;
	if (ok && out->n_postfix > FILTER_STEPS_MAX) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"invalid query: %zu conditions and operators are more than the limit of %d",
			out->n_postfix, FILTER_STEPS_MAX);
		return NULL;
	}
	return ok ? out : NULL;
}

size_t filter_required(const struct filter *filter, const struct filter_condition **out, size_t max)
{
	size_t starts[FILTER_STACK_MAX + 2]; /* where each operand's conditions begin in `out` */
	size_t n = 0, n_out = 0;

	for (size_t i = 0; i < filter->n_postfix; i++) {
		const struct filter_step *step = &filter->postfix[i];
		if (step->kind == FILTER_CONDITION) {
			starts[n++] = n_out;
			if (n_out < max)
				out[n_out++] = step->condition;
			continue;
		}
		if (step->kind != FILTER_NOT)
			n--;
		if (step->kind != FILTER_AND) /* neither side has to hold any more */
			n_out = starts[n - 1];
	}
	return n_out;
}
