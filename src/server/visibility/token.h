/*
 * token.h: a query string as tokens: SQL's, since the filter language is a corner of SQL.
 */
#ifndef SERVER_VISIBILITY_TOKEN_H
#define SERVER_VISIBILITY_TOKEN_H

#include "base/arena.h"

enum token_kind {
	TOKEN_END,
	TOKEN_ERROR, /* no token begins here, or one does not end */
	TOKEN_NAME,
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_DIGITS,      /* x'41', b'1': the text between the quotes */
	TOKEN_HEX,         /* 0x41 */
	TOKEN_PLACEHOLDER, /* ? or :name */
	TOKEN_KEYWORD,     /* a reserved word that no query has a use for */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_DOT,
	TOKEN_SEMICOLON,
	TOKEN_EQUAL, /* comparisons, as in enum filter_operator's order */
	TOKEN_NOT_EQUAL,
	TOKEN_LESS,
	TOKEN_LESS_EQUAL,
	TOKEN_GREATER,
	TOKEN_GREATER_EQUAL,
	TOKEN_STARTS_WITH,
	TOKEN_LIKE,
	TOKEN_REGEXP,
	TOKEN_SAFE_EQUAL, /* <=> */
	TOKEN_IN,
	TOKEN_BETWEEN,
	TOKEN_IS,
	TOKEN_ARITHMETIC, /* between two operands */
	TOKEN_PLUS,
	TOKEN_MINUS,
	TOKEN_TILDE,
	TOKEN_BANG,
	TOKEN_BINARY,
	TOKEN_STAR,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_NOT,
	TOKEN_NULL,
	TOKEN_TRUE,
	TOKEN_FALSE,
	TOKEN_COLLATE,
	TOKEN_SELECT,
	TOKEN_GROUP,
	TOKEN_BY,
	TOKEN_HAVING,
	TOKEN_ORDER,
	TOKEN_LIMIT,
	TOKEN_ASC,
	TOKEN_DESC,
};

struct token {
	enum token_kind kind;
	struct str text; /* without quotes and escapes; keywords in small letters */
	size_t end;      /* behind it, in the query */
};

struct lexer {
	struct str query;
	size_t at;
	char *texts; /* what stands between quotes, escapes resolved; as long as the query */
	size_t used;
};

/* False when memory is out. The query stays the caller's. */
bool token_begin(struct lexer *lexer, struct arena *arena, struct str query)
	__attribute__((warn_unused_result));

/* The next token. Its text is in the query or the arena. */
void token_next(struct lexer *lexer, struct token *out);

#endif
