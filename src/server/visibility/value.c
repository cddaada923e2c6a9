/*
 * value.c: the values in a query: what an operand is worth to the column that it is compared with.
 * One parse owns all of it; any thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "server/visibility/parser.h"
#include "server/visibility/print.h"

#define STR_ARG(str_) (int)(str_).len, (str_).ptr

/* Go's names of the types in error messages. */
static const char *kind_name(enum visibility_kind kind)
{
	switch (kind) {
	case VISIBILITY_IS_BOOL:
		return "bool";
	case VISIBILITY_IS_INT:
		return "int64";
	case VISIBILITY_IS_DOUBLE:
		return "float64";
	default:
		return "string";
	}
}

static bool number(
	struct parser *parser, const struct operand *operand, struct visibility_value *out)
{
	char *text = arena_printf(
		parser->arena, "%s%.*s", operand->negative ? "-" : "", STR_ARG(operand->text));
	char *end;

	if (!text)
		return parser_no_memory(parser);
	errno = 0;
	out->kind = VISIBILITY_IS_INT;
	out->number = strtoll(text, &end, 10);
	if (!errno && !*end && *text)
		return true;
	errno = 0;
	out->kind = VISIBILITY_IS_DOUBLE;
	/* strtod would take 0x10 and more: a number here is of digits alone. */
	out->real = strspn(text, "0123456789+-.eE") == strlen(text) ? strtod(text, &end) : NAN;
	if (isfinite(out->real) && !*end && end != text)
		return true;
	parser_meaning(parser, "invalid expression: unable to parse value \"%s\"", text);
	return false;
}

/* The value as it stands there, without regard to a column. */
static bool literal(
	struct parser *parser, const struct operand *operand, struct visibility_value *out)
{
	*out = (struct visibility_value){ 0 };
	switch (operand->kind) {
	case OPERAND_STRING:
		out->kind = VISIBILITY_IS_TEXT;
		out->text = operand->text;
		return true;
	case OPERAND_NUMBER:
		return number(parser, operand, out);
	case OPERAND_BOOL:
		out->kind = VISIBILITY_IS_BOOL;
		out->number = operand->truth;
		return true;
	case OPERAND_COLUMN:
		parser_meaning(parser,
			"operation is not supported: column name on the right side of comparison "
			"expression (did you forget to quote \"%.*s\"?)",
			STR_ARG(operand->text));
		return false;
	case OPERAND_FUNCTION:
		parser_meaning(parser, "operation is not supported: nested func");
		return false;
	case OPERAND_UNARY:
		if (*operand->unary == '-' || *operand->unary == '+')
			parser_meaning(parser,
				"invalid expression: unary operator not supported in \"%.*s\"",
				STR_ARG(operand->text));
		else
			parser_meaning(parser, "operation is not supported: unary operator \"%s\"",
				operand->unary);
		return false;
	default:
		parser_meaning(parser, "invalid expression: unexpected value type %s",
			operand_class(operand->kind));
		return false;
	}
}

static bool mismatch(struct parser *parser, const struct reference *reference,
	const struct visibility_value *value)
{
	char text[PRINT_VALUE_MAX];

	print_quoted_value(value, text);
	parser_meaning(parser,
		"invalid expression: invalid value type for search attribute %.*s of type %s: "
		"%s (type: %s)",
		STR_ARG(reference->name), visibility_type_name(reference->column->type), text,
		kind_name(value->kind));
	return false;
}

static bool unexpected_double(struct parser *parser, const struct reference *reference)
{
	parser_meaning(parser,
		"invalid expression: unexpected value type float64 for search attribute %.*s",
		STR_ARG(reference->name));
	return false;
}

static bool status(
	struct parser *parser, const struct reference *reference, struct visibility_value *value)
{
	int found;

	switch (value->kind) {
	case VISIBILITY_IS_TEXT:
		found = visibility_status_find(value->text);
		if (found < 0) {
			parser_meaning(parser,
				"invalid expression: invalid ExecutionStatus value '%.*s'",
				STR_ARG(value->text));
			return false;
		}
		*value = (struct visibility_value){ VISIBILITY_IS_INT, .number = found };
		return true;
	case VISIBILITY_IS_INT:
		if (visibility_status_name(value->number))
			return true;
		parser_meaning(parser, "invalid expression: invalid ExecutionStatus value %" PRId64,
			value->number);
		return false;
	case VISIBILITY_IS_DOUBLE:
		return unexpected_double(parser, reference);
	default:
		return mismatch(parser, reference, value);
	}
}

static bool duration(
	struct parser *parser, const struct reference *reference, struct visibility_value *value)
{
	int64_t ns;

	switch (value->kind) {
	case VISIBILITY_IS_INT:
		return true;
	case VISIBILITY_IS_DOUBLE:
		return unexpected_double(parser, reference);
	case VISIBILITY_IS_TEXT:
		if (visibility_duration_parse(value->text, &ns)) {
			*value = (struct visibility_value){ VISIBILITY_IS_INT, .number = ns };
			return true;
		}
		parser_meaning(parser,
			"invalid expression: invalid duration value for search attribute %.*s: "
			"%.*s",
			STR_ARG(reference->name), STR_ARG(value->text));
		return false;
	default:
		return mismatch(parser, reference, value);
	}
}

static bool datetime(
	struct parser *parser, const struct reference *reference, struct visibility_value *value)
{
	int64_t ns;

	if (value->kind == VISIBILITY_IS_INT)
		return true;
	if (value->kind != VISIBILITY_IS_TEXT)
		return mismatch(parser, reference, value);
	if (!visibility_time_parse(value->text, &ns)) {
		parser_meaning(parser, "invalid expression: unable to parse datetime '%.*s'",
			STR_ARG(value->text));
		return false;
	}
	*value = (struct visibility_value){ VISIBILITY_IS_INT, .number = ns };
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A text's words between blanks, each a phrase of its own; those without a letter are dropped. */
static bool phrases(
	struct parser *parser, const struct reference *reference, struct visibility_value *value)
{
	struct str text = value->text;
	struct str *list = arena_array(parser->arena, text.len / 2 + 1, sizeof(*list));
	size_t n = 0, seen = 0;

	if (!list)
		return parser_no_memory(parser);
	for (size_t at = 0, end; at < text.len; at = end + 1) {
		for (end = at; end < text.len && !is_blank(text.ptr[end]); end++)
			;
		if (end == at)
			continue;
		seen++;
		char *words = arena_alloc(parser->arena, VISIBILITY_WORDS_MAX(end - at));
		if (!words)
			return parser_no_memory(parser);
		size_t len = visibility_words((struct str){ text.ptr + at, end - at }, words);
		if (len > 1)
			list[n++] = (struct str){ words, len };
	}
	if (!seen) {
		parser_meaning(parser,
			"invalid expression: no tokens found filtering on Text type search "
			"attribute %.*s",
			STR_ARG(reference->name));
		return false;
	}
	*value = (struct visibility_value){ VISIBILITY_IS_LIST, .list = list, .n_list = n };
	return true;
}

static bool keyword(
	struct parser *parser, const struct reference *reference, struct visibility_value *value)
{
	if (!reference->prefix)
		return true;
	char *text = arena_printf(parser->arena, "%s%.*s", reference->prefix, STR_ARG(value->text));
	if (!text)
		return parser_no_memory(parser);
	value->text = str_from(text);
	return true;
}

bool parser_value(struct parser *parser, const struct reference *reference,
	const struct operand *operand, struct visibility_value *out)
{
	const struct visibility_column *column = reference->column;

	if (!literal(parser, operand, out))
		return false;
	if (column->place == VISIBILITY_STATUS)
		return status(parser, reference, out);
	if (column->place == VISIBILITY_EXECUTION_DURATION)
		return duration(parser, reference, out);
	switch (column->type) {
	case VISIBILITY_DATETIME:
		return datetime(parser, reference, out);
	case VISIBILITY_INT:
	case VISIBILITY_DOUBLE:
		return out->kind == VISIBILITY_IS_INT || out->kind == VISIBILITY_IS_DOUBLE ||
		       mismatch(parser, reference, out);
	case VISIBILITY_BOOL:
		return out->kind == VISIBILITY_IS_BOOL || mismatch(parser, reference, out);
	case VISIBILITY_TEXT:
		return out->kind == VISIBILITY_IS_TEXT ? phrases(parser, reference, out)
						       : mismatch(parser, reference, out);
	default:
		return out->kind == VISIBILITY_IS_TEXT ? keyword(parser, reference, out)
						       : mismatch(parser, reference, out);
	}
}
