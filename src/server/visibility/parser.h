/*
 * parser.h: what the parts of the parser share: filter.c (AND, OR, NOT, clauses), condition.c (one
 * condition), value.c (the values in it). Internal to this folder.
 *
 * There are two sorts of errors. A syntax error ends the parse. What is wrong with the meaning is
 * noted, the first only, and told once the syntax is known to be right: so the official server
 * does it, and the message a user gets depends on this order.
 */
#ifndef SERVER_VISIBILITY_PARSER_H
#define SERVER_VISIBILITY_PARSER_H

#include "server/visibility/filter.h"
#include "server/visibility/token.h"

struct parser {
	struct arena *arena;
	const struct filter_resolver *resolver;
	struct lexer lexer;
	struct token token;            /* the one to look at */
	size_t position;               /* what a syntax error's position counts from */
	struct temporal_error meaning; /* the first error of meaning; code OK: none yet */
	struct temporal_error *err;
	bool division; /* TemporalNamespaceDivision has been spoken of */
};

/* What stands on one side of an operator. */
enum operand_kind {
	OPERAND_COLUMN,
	OPERAND_STRING,
	OPERAND_NUMBER, /* text as written, perhaps with a sign */
	OPERAND_BOOL,
	OPERAND_NULL,
	OPERAND_UNARY,
	OPERAND_BINARY,
	OPERAND_PAREN,
	OPERAND_TUPLE,
	OPERAND_SUBQUERY,
	OPERAND_FUNCTION,
	OPERAND_COLLATE,
};

struct operand {
	enum operand_kind kind;
	struct str text;   /* of a column, string, number; of a unary operator with what follows */
	bool negative;     /* a number's sign */
	bool truth;        /* of BOOL */
	const char *unary; /* the operator, if UNARY */
};

/* A name, and what it stands for. */
struct reference {
	const struct visibility_column *column;
	struct str name;    /* as the query has it */
	const char *prefix; /* to be put before texts compared with it; NULL: none */
};

void parser_advance(struct parser *parser);

/* A syntax error at the current token, or NO_MEMORY: writes to parser->err. Always false. */
bool parser_syntax(struct parser *parser);
bool parser_no_memory(struct parser *parser);

/* Notes an error of meaning: "invalid query: " and the text. */
void parser_meaning(struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* False: syntax error. */
bool parser_operand(struct parser *parser, struct operand *out) __attribute__((warn_unused_result));

/* The column that an operand names; notes an error and returns false if there is none. */
bool parser_reference(struct parser *parser, const struct operand *operand, struct reference *out)
	__attribute__((warn_unused_result));

/* "*sqlparser.SQLVal", ...: the official server's messages name its own classes. */
const char *operand_class(enum operand_kind kind);

/*
 * One condition. *out is NULL if an error of meaning was noted. False: syntax error or no memory.
 */
bool parser_condition(struct parser *parser, const struct filter_condition **out)
	__attribute__((warn_unused_result));

/* The same from behind its left side. */
bool parser_comparison(struct parser *parser, const struct operand *left,
	const struct filter_condition **out) __attribute__((warn_unused_result));

/* Does the token go on after a complete condition or parenthesis, as an operator of comparison? */
bool parser_compares(const struct token *token);

/*
 * The operand as a value for the column. False: an error of meaning was noted, or memory is out
 * (then parser->err is set).
 */
bool parser_value(struct parser *parser, const struct reference *reference,
	const struct operand *operand, struct visibility_value *out)
	__attribute__((warn_unused_result));

#endif
