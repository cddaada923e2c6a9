/*
 * condition.c: one condition of a query: a name, an operator, and what stands on its right.
 *
 * Of SQL's operands only names and literals mean anything here. The others (arithmetic, functions,
 * parentheses, subqueries) are read as far as it takes to refuse them by name; what is in
 * parentheses is skipped, not parsed, so there is no recursion. One parse owns all of it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "server/visibility/parser.h"

#define STR_ARG(str_) (int)(str_).len, (str_).ptr

/* An operator of comparison as it was read; LIKE and the like are known so as to be refused. */
struct comparison {
	enum filter_operator op;
	bool supported;
	bool missing; /* there is no operator */
	const char *name;
};

static const char *const operator_names[] = { "=", "!=", "<", "<=", ">", ">=", "STARTS_WITH",
	"NOT STARTS_WITH", "IN", "NOT IN", "BETWEEN", "NOT BETWEEN", "IS NULL", "IS NOT NULL" };

static const char *const classes[] = { "*sqlparser.ColName", "*sqlparser.SQLVal",
	"*sqlparser.SQLVal", "sqlparser.BoolVal", "*sqlparser.NullVal", "*sqlparser.UnaryExpr",
	"*sqlparser.BinaryExpr", "*sqlparser.ParenExpr", "sqlparser.ValTuple",
	"*sqlparser.Subquery", "*sqlparser.FuncExpr", "*sqlparser.CollateExpr" };

const char *filter_operator_name(enum filter_operator op)
{
	return operator_names[op];
}

const char *operand_class(enum operand_kind kind)
{
	return classes[kind];
}

void parser_advance(struct parser *parser)
{
	token_next(&parser->lexer, &parser->token);
}

bool parser_syntax(struct parser *parser)
{
	const struct token *token = &parser->token;

	if (token->text.len)
		error_set(parser->err, TEMPORAL_INVALID_ARGUMENT,
			"invalid query: malformed SQL query: syntax error at position %zu near "
			"'%.*s'",
			parser->position + token->end, STR_ARG(token->text));
	else
		error_set(parser->err, TEMPORAL_INVALID_ARGUMENT,
			"invalid query: malformed SQL query: syntax error at position %zu",
			parser->position + token->end);
	return false;
}

bool parser_no_memory(struct parser *parser)
{
	error_no_memory(parser->err, "a filter");
	return false;
}

void parser_meaning(struct parser *parser, const char *format, ...)
{
	char text[2 * sizeof(parser->meaning.message)]; /* error_set cuts, at a character's edge */
	va_list args;

	if (parser->meaning.code != TEMPORAL_OK)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	error_set(&parser->meaning, TEMPORAL_INVALID_ARGUMENT, "invalid query: %s", text);
}

/* With "Temporal" put before it or taken away, system names are known too. */
static const struct visibility_column *find_system(struct parser *parser, struct str name)
{
	const struct visibility_column *column = visibility_column_find(name);
	struct str prefix = STR("Temporal");

	if (column || name.len > 64)
		return column;
	if (name.len > prefix.len && memcmp(name.ptr, prefix.ptr, prefix.len) == 0)
		return visibility_column_find(
			(struct str){ name.ptr + prefix.len, name.len - prefix.len });
	char longer[80];
	int len = snprintf(longer, sizeof(longer), "%s%.*s", prefix.ptr, STR_ARG(name));
	return visibility_column_find((struct str){ longer, (size_t)len });
}

bool parser_reference(struct parser *parser, const struct operand *operand, struct reference *out)
{
	const struct filter_resolver *resolver = parser->resolver;

	if (operand->kind != OPERAND_COLUMN) {
		parser_meaning(parser, "invalid expression: must be a column name but was %s",
			operand_class(operand->kind));
		return false;
	}
	*out = (struct reference){ .name = operand->text };
	if (resolver)
		out->column = resolver->find(resolver->user, operand->text);
	if (!out->column && str_eq(operand->text, STR("ScheduleId"))) {
		out->column = visibility_column_find(STR("WorkflowId"));
		out->prefix = "temporal-sys-scheduler:";
	}
	if (!out->column)
		out->column = find_system(parser, operand->text);
	if (!out->column) {
		parser_meaning(parser, "invalid search attribute: %.*s", STR_ARG(operand->text));
		return false;
	}
	if (str_same(out->column->name, "TemporalNamespaceDivision"))
		parser->division = true;
	return true;
}

/* ---- Operands ---- */

/* Skips from an opening parenthesis to behind its partner. False: syntax error. */
static bool skip_parentheses(struct parser *parser, struct operand *out)
{
	size_t open = 0;

	out->kind = OPERAND_PAREN;
	do {
		if (parser->token.kind == TOKEN_END || parser->token.kind == TOKEN_ERROR)
			return parser_syntax(parser);
		open += parser->token.kind == TOKEN_OPEN;
		open -= parser->token.kind == TOKEN_CLOSE;
		if (parser->token.kind == TOKEN_COMMA && open == 1)
			out->kind = OPERAND_TUPLE;
		if (parser->token.kind == TOKEN_SELECT && open == 1)
			out->kind = OPERAND_SUBQUERY;
		parser_advance(parser);
	} while (open);
	return true;
}

/* a, a.b, a.b.c, or with parentheses behind it a function. */
static bool name(struct parser *parser, struct operand *out)
{
	out->kind = OPERAND_COLUMN;
	out->text = parser->token.text;
	parser_advance(parser);
	for (int parts = 1; parser->token.kind == TOKEN_DOT && parts < 3; parts++) {
		parser_advance(parser);
		if (parser->token.kind != TOKEN_NAME)
			return parser_syntax(parser);
		char *joined = arena_printf(parser->arena, "%.*s.%.*s", STR_ARG(out->text),
			STR_ARG(parser->token.text));
		if (!joined)
			return parser_no_memory(parser);
		out->text = str_from(joined);
		parser_advance(parser);
	}
	if (parser->token.kind != TOKEN_OPEN)
		return true;
	bool ok = skip_parentheses(parser, out);
	out->kind = OPERAND_FUNCTION;
	return ok;
}

static bool primary(struct parser *parser, struct operand *out)
{
	*out = (struct operand){ .text = parser->token.text };
	switch (parser->token.kind) {
	case TOKEN_NAME:
		return name(parser, out);
	case TOKEN_OPEN:
		return skip_parentheses(parser, out);
	case TOKEN_STRING:
		out->kind = OPERAND_STRING;
		break;
	case TOKEN_NUMBER:
	case TOKEN_DIGITS:
	case TOKEN_HEX:
	case TOKEN_PLACEHOLDER:
		out->kind = OPERAND_NUMBER;
		break;
	case TOKEN_TRUE:
	case TOKEN_FALSE:
		out->kind = OPERAND_BOOL;
		out->truth = parser->token.kind == TOKEN_TRUE;
		break;
	case TOKEN_NULL:
		out->kind = OPERAND_NULL;
		break;
	default:
		return parser_syntax(parser);
	}
	parser_advance(parser);
	return true;
}

static const char *unary_name(enum token_kind kind)
{
	switch (kind) {
	case TOKEN_PLUS:
		return "+";
	case TOKEN_MINUS:
		return "-";
	case TOKEN_TILDE:
		return "~";
	case TOKEN_BANG:
		return "!";
	case TOKEN_BINARY:
		return "binary ";
	default:
		return NULL;
	}
}

/* Signs before a number belong to it; before anything else they make an expression. */
static bool unary(struct parser *parser, struct operand *out)
{
	const char *first = unary_name(parser->token.kind), *at;
	size_t start = parser->token.end - 1, end = 0;
	bool signs = true, negative = false;

	while ((at = unary_name(parser->token.kind))) {
		signs = signs && (*at == '+' || *at == '-');
		negative ^= *at == '-';
		parser_advance(parser);
	}
	end = parser->token.end;
	if (!primary(parser, out))
		return false;
	if (first && signs && out->kind == OPERAND_NUMBER) {
		out->negative = negative;
	} else if (first) {
		if (out->kind == OPERAND_PAREN)
			end = parser->token.end - (parser->token.kind != TOKEN_END);
		out->kind = OPERAND_UNARY;
		out->unary = first;
		out->text = (struct str){ parser->lexer.query.ptr + start, end - start };
	}
	return true;
}

static bool is_arithmetic(enum token_kind kind)
{
	return kind == TOKEN_ARITHMETIC || kind == TOKEN_PLUS || kind == TOKEN_MINUS ||
	       kind == TOKEN_STAR;
}

bool parser_operand(struct parser *parser, struct operand *out)
{
	if (!unary(parser, out))
		return false;
	if (parser->token.kind == TOKEN_COLLATE) {
		parser_advance(parser);
		if (parser->token.kind != TOKEN_NAME && parser->token.kind != TOKEN_STRING)
			return parser_syntax(parser);
		parser_advance(parser);
		out->kind = OPERAND_COLLATE;
	}
	while (is_arithmetic(parser->token.kind)) {
		struct operand next;
		parser_advance(parser);
		if (!unary(parser, &next))
			return false;
		out->kind = OPERAND_BINARY;
	}
	return true;
}

/* ---- The condition ---- */

static bool unsupported(struct parser *parser, const struct reference *reference,
	const struct comparison *comparison)
{
	parser_meaning(parser,
		"operation is not supported: operator '%s' not supported for %s type search "
		"attribute '%.*s'",
		comparison->name, visibility_type_name(reference->column->type),
		STR_ARG(reference->name));
	return false;
}

static bool operator_fits(enum visibility_type type, enum filter_operator op)
{
	bool equality = op == FILTER_EQUAL || op == FILTER_NOT_EQUAL;
	bool starts = op == FILTER_STARTS_WITH || op == FILTER_NOT_STARTS_WITH;

	switch (type) {
	case VISIBILITY_TEXT:
		return equality;
	case VISIBILITY_KEYWORD_LIST:
		return equality || op == FILTER_IN || op == FILTER_NOT_IN;
	case VISIBILITY_KEYWORD:
		return true;
	default:
		return !starts;
	}
}

static bool check_operator(struct parser *parser, const struct reference *reference,
	const struct comparison *comparison, const struct visibility_value *first)
{
	bool starts =
		comparison->op == FILTER_STARTS_WITH || comparison->op == FILTER_NOT_STARTS_WITH;

	if (!comparison->supported || !operator_fits(reference->column->type, comparison->op))
		return unsupported(parser, reference, comparison);
	if (starts && first->kind != VISIBILITY_IS_TEXT) {
		parser_meaning(parser,
			"invalid expression: right-hand side of \"%s\" operator must be a literal "
			"string (got: %s)",
			comparison->op == FILTER_STARTS_WITH ? "starts_with" : "not starts_with",
			visibility_status_name(first->number));
		return false;
	}
	return true;
}

static bool check_range(struct parser *parser, const struct reference *reference)
{
	enum visibility_type type = reference->column->type;

	if (type == VISIBILITY_KEYWORD || type == VISIBILITY_INT || type == VISIBILITY_DOUBLE ||
		type == VISIBILITY_DATETIME)
		return true;
	parser_meaning(parser,
		"invalid expression: cannot do range condition on search attribute '%.*s' of type "
		"%s",
		STR_ARG(reference->name), visibility_type_name(type));
	return false;
}

static bool build(struct parser *parser, const struct operand *left,
	const struct comparison *comparison, const struct operand *right, size_t n,
	const struct filter_condition **out)
{
	struct filter_condition *condition = ARENA_NEW(parser->arena, struct filter_condition);
	struct visibility_value *values = arena_array(parser->arena, n, sizeof(*values));
	struct reference reference;
	enum filter_operator op = comparison->op;

	if (!condition || !values)
		return parser_no_memory(parser);
	if (!parser_reference(parser, left, &reference))
		return true;
	bool range = op == FILTER_BETWEEN || op == FILTER_NOT_BETWEEN;
	if (range && !check_range(parser, &reference))
		return true;
	for (size_t i = 0; i < n; i++) {
		if (!parser_value(parser, &reference, &right[i], &values[i]))
			return parser->meaning.code != TEMPORAL_OK;
	}
	if (n && !range && !check_operator(parser, &reference, comparison, values))
		return true;
	*condition = (struct filter_condition){ reference.column, op, values, n };
	*out = condition;
	return true;
}

static enum token_kind next_kind(const struct parser *parser)
{
	struct lexer ahead = parser->lexer;
	struct token next;

	token_next(&ahead, &next);
	return next.kind;
}

/* The operands of IN, in parentheses. False: syntax error or no memory. */
static bool list(struct parser *parser, struct operand **operands, size_t *n)
{
	size_t capacity = 4;
	struct operand *found = arena_array(parser->arena, capacity, sizeof(*found));

	if (parser->token.kind != TOKEN_OPEN)
		return parser_syntax(parser);
	if (found && next_kind(parser) == TOKEN_SELECT) {
		*n = 1;
		*operands = found;
		return skip_parentheses(parser, found);
	}
	do {
		if (found && *n == capacity) {
			struct operand *more =
				arena_array(parser->arena, capacity *= 2, sizeof(*more));
			if (more)
				memcpy(more, found, *n * sizeof(*found));
			found = more;
		}
		if (!found)
			return parser_no_memory(parser);
		parser_advance(parser);
		if (!parser_operand(parser, &found[(*n)++]))
			return false;
	} while (parser->token.kind == TOKEN_COMMA);
	if (parser->token.kind != TOKEN_CLOSE)
		return parser_syntax(parser);
	parser_advance(parser);
	*operands = found;
	return true;
}

/* The operator at the token, which is taken. False: syntax error. */
static bool comparison_operator(struct parser *parser, struct comparison *out)
{
	bool negated = parser->token.kind == TOKEN_NOT;

	if (negated)
		parser_advance(parser);
	enum token_kind kind = parser->token.kind;
	*out = (struct comparison){ .supported = true };
	if (!negated && kind >= TOKEN_EQUAL && kind <= TOKEN_GREATER_EQUAL) {
		out->op = FILTER_EQUAL + (kind - TOKEN_EQUAL);
	} else if (kind == TOKEN_STARTS_WITH) {
		out->op = FILTER_STARTS_WITH + negated;
	} else if (kind == TOKEN_IN) {
		out->op = FILTER_IN + negated;
	} else if (kind == TOKEN_BETWEEN) {
		out->op = FILTER_BETWEEN + negated;
	} else if (kind == TOKEN_LIKE || kind == TOKEN_REGEXP ||
		   (kind == TOKEN_SAFE_EQUAL && !negated)) {
		out->supported = false;
		out->name = kind == TOKEN_SAFE_EQUAL ? "<=>"
			    : kind == TOKEN_LIKE     ? &"NOT LIKE"[negated ? 0 : 4]
						     : &"NOT REGEXP"[negated ? 0 : 4];
	} else if (negated) {
		return parser_syntax(parser);
	} else {
		out->missing = true;
		return true;
	}
	if (out->supported)
		out->name = operator_names[out->op];
	parser_advance(parser);
	return true;
}

static void incomplete(struct parser *parser, const struct operand *operand)
{
	if (operand->kind == OPERAND_COLUMN)
		parser_meaning(parser, "invalid expression: incomplete expression");
	else if (operand->kind == OPERAND_FUNCTION)
		parser_meaning(parser, "operation is not supported: function expression");
	else
		parser_meaning(parser, "operation is not supported: expression of type %s",
			operand_class(operand->kind));
}

/* IS [NOT] NULL; the word IS is the token. False: syntax error or no memory. */
static bool is_null(
	struct parser *parser, const struct operand *left, const struct filter_condition **out)
{
	struct comparison comparison = { .op = FILTER_IS_NULL, .supported = true };

	parser_advance(parser);
	if (parser->token.kind == TOKEN_NOT) {
		comparison.op = FILTER_IS_NOT_NULL;
		parser_advance(parser);
	}
	enum token_kind kind = parser->token.kind;
	if (kind != TOKEN_NULL && kind != TOKEN_TRUE && kind != TOKEN_FALSE)
		return parser_syntax(parser);
	parser_advance(parser);
	if (!build(parser, left, &comparison, NULL, 0, out))
		return false;
	if (kind != TOKEN_NULL && *out) {
		*out = NULL;
		parser_meaning(parser, "invalid expression: 'IS' operator can only be used as 'IS "
				       "NULL' or 'IS NOT NULL'");
	}
	return true;
}

/* The right side of an operator. False: syntax error or no memory. */
static bool right_side(struct parser *parser, const struct comparison *comparison,
	struct operand pair[2], struct operand **operands, size_t *n)
{
	*operands = pair;
	*n = 0;
	if (comparison->supported &&
		(comparison->op == FILTER_IN || comparison->op == FILTER_NOT_IN))
		return list(parser, operands, n);
	*n = 1;
	if (!parser_operand(parser, &pair[0]))
		return false;
	if (comparison->op != FILTER_BETWEEN && comparison->op != FILTER_NOT_BETWEEN)
		return true;
	if (parser->token.kind != TOKEN_AND)
		return parser_syntax(parser);
	*n = 2;
	parser_advance(parser);
	return parser_operand(parser, &pair[1]);
}

bool parser_compares(const struct token *token)
{
	return token->kind >= TOKEN_EQUAL && token->kind <= TOKEN_IS;
}

bool parser_comparison(
	struct parser *parser, const struct operand *left, const struct filter_condition **out)
{
	struct operand pair[2], *operands;
	struct comparison comparison;
	size_t n;

	*out = NULL;
	if (parser->token.kind == TOKEN_IS)
		return is_null(parser, left, out);
	if (!comparison_operator(parser, &comparison))
		return false;
	if (comparison.missing) {
		incomplete(parser, left);
		return true;
	}
	if (!right_side(parser, &comparison, pair, &operands, &n))
		return false;
	if (parser->token.kind != TOKEN_IS)
		return build(parser, left, &comparison, operands, n, out);
	parser_meaning(parser, "invalid expression: must be a column name but was "
			       "*sqlparser.ComparisonExpr");
	return is_null(parser, left, out);
}

bool parser_condition(struct parser *parser, const struct filter_condition **out)
{
	struct operand left;

	return parser_operand(parser, &left) && parser_comparison(parser, &left, out);
}
