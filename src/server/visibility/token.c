/*
 * token.c: cuts a query into tokens. Belongs to one parse; no state beyond the lexer's.
 *
 * Follows the official server's lexer, odd corners included ('12abc' is an error at 12, a name may
 * hold '@'), since error messages tell where it stopped and users read them.
 */
#include "server/visibility/token.h"

static const struct {
	const char *word;
	enum token_kind kind;
} words[] = {
	{ "and", TOKEN_AND },
	{ "as", TOKEN_KEYWORD },
	{ "asc", TOKEN_ASC },
	{ "between", TOKEN_BETWEEN },
	{ "binary", TOKEN_BINARY },
	{ "by", TOKEN_BY },
	{ "case", TOKEN_KEYWORD },
	{ "collate", TOKEN_COLLATE },
	{ "create", TOKEN_KEYWORD },
	{ "cross", TOKEN_KEYWORD },
	{ "default", TOKEN_KEYWORD },
	{ "delete", TOKEN_KEYWORD },
	{ "desc", TOKEN_DESC },
	{ "describe", TOKEN_KEYWORD },
	{ "distinct", TOKEN_KEYWORD },
	{ "div", TOKEN_ARITHMETIC },
	{ "drop", TOKEN_KEYWORD },
	{ "else", TOKEN_KEYWORD },
	{ "end", TOKEN_KEYWORD },
	{ "escape", TOKEN_KEYWORD },
	{ "exists", TOKEN_KEYWORD },
	{ "explain", TOKEN_KEYWORD },
	{ "false", TOKEN_FALSE },
	{ "for", TOKEN_KEYWORD },
	{ "force", TOKEN_KEYWORD },
	{ "from", TOKEN_KEYWORD },
	{ "group", TOKEN_GROUP },
	{ "having", TOKEN_HAVING },
	{ "ignore", TOKEN_KEYWORD },
	{ "in", TOKEN_IN },
	{ "index", TOKEN_KEYWORD },
	{ "inner", TOKEN_KEYWORD },
	{ "insert", TOKEN_KEYWORD },
	{ "interval", TOKEN_KEYWORD },
	{ "into", TOKEN_KEYWORD },
	{ "is", TOKEN_IS },
	{ "join", TOKEN_KEYWORD },
	{ "key", TOKEN_KEYWORD },
	{ "left", TOKEN_KEYWORD },
	{ "like", TOKEN_LIKE },
	{ "limit", TOKEN_LIMIT },
	{ "lock", TOKEN_KEYWORD },
	{ "match", TOKEN_KEYWORD },
	{ "mod", TOKEN_ARITHMETIC },
	{ "natural", TOKEN_KEYWORD },
	{ "not", TOKEN_NOT },
	{ "null", TOKEN_NULL },
	{ "on", TOKEN_KEYWORD },
	{ "or", TOKEN_OR },
	{ "order", TOKEN_ORDER },
	{ "outer", TOKEN_KEYWORD },
	{ "regexp", TOKEN_REGEXP },
	{ "replace", TOKEN_KEYWORD },
	{ "right", TOKEN_KEYWORD },
	{ "rlike", TOKEN_REGEXP },
	{ "select", TOKEN_SELECT },
	{ "set", TOKEN_KEYWORD },
	{ "show", TOKEN_KEYWORD },
	{ "starts_with", TOKEN_STARTS_WITH },
	{ "status", TOKEN_NAME }, /* no reserved word, but one that becomes small */
	{ "table", TOKEN_KEYWORD },
	{ "then", TOKEN_KEYWORD },
	{ "to", TOKEN_KEYWORD },
	{ "true", TOKEN_TRUE },
	{ "union", TOKEN_KEYWORD },
	{ "unique", TOKEN_KEYWORD },
	{ "update", TOKEN_KEYWORD },
	{ "use", TOKEN_KEYWORD },
	{ "using", TOKEN_KEYWORD },
	{ "when", TOKEN_KEYWORD },
	{ "where", TOKEN_KEYWORD },
	{ "xor", TOKEN_KEYWORD },
};

/* Longest first where one begins another. */
static const struct {
	struct str text;
	enum token_kind kind;
} symbols[] = {
	{ { "<=>", 3 }, TOKEN_SAFE_EQUAL },
	{ { "->>", 3 }, TOKEN_ARITHMETIC },
	{ { "->", 2 }, TOKEN_ARITHMETIC },
	{ { "<=", 2 }, TOKEN_LESS_EQUAL },
	{ { ">=", 2 }, TOKEN_GREATER_EQUAL },
	{ { "<>", 2 }, TOKEN_NOT_EQUAL },
	{ { "!=", 2 }, TOKEN_NOT_EQUAL },
	{ { "<<", 2 }, TOKEN_ARITHMETIC },
	{ { ">>", 2 }, TOKEN_ARITHMETIC },
	{ { "&&", 2 }, TOKEN_AND },
	{ { "||", 2 }, TOKEN_OR },
	{ { "=", 1 }, TOKEN_EQUAL },
	{ { "<", 1 }, TOKEN_LESS },
	{ { ">", 1 }, TOKEN_GREATER },
	{ { "(", 1 }, TOKEN_OPEN },
	{ { ")", 1 }, TOKEN_CLOSE },
	{ { ",", 1 }, TOKEN_COMMA },
	{ { ";", 1 }, TOKEN_SEMICOLON },
	{ { ".", 1 }, TOKEN_DOT },
	{ { "+", 1 }, TOKEN_PLUS },
	{ { "-", 1 }, TOKEN_MINUS },
	{ { "*", 1 }, TOKEN_STAR },
	{ { "~", 1 }, TOKEN_TILDE },
	{ { "!", 1 }, TOKEN_BANG },
	{ { "/", 1 }, TOKEN_ARITHMETIC },
	{ { "%", 1 }, TOKEN_ARITHMETIC },
	{ { "&", 1 }, TOKEN_ARITHMETIC },
	{ { "|", 1 }, TOKEN_ARITHMETIC },
	{ { "^", 1 }, TOKEN_ARITHMETIC },
};

/* The character `ahead` of the current one; 0 behind the end. */
static char peek(const struct lexer *lexer, size_t ahead)
{
	size_t at = lexer->at + ahead;

	return at < lexer->query.len ? lexer->query.ptr[at] : 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static struct str since(const struct lexer *lexer, size_t start)
{
	return (struct str){ lexer->query.ptr + start, lexer->at - start };
}

/* Skips blanks and comments. False: a comment that does not end, from *start. */
static bool skip_blank(struct lexer *lexer, size_t *start)
{
	for (;;) {
		char c = peek(lexer, 0);
		*start = lexer->at;
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			lexer->at++;
		} else if (c == '#' || (c == '-' && peek(lexer, 1) == '-')) {
			while (lexer->at < lexer->query.len && peek(lexer, 0) != '\n')
				lexer->at++;
		} else if (c == '/' && peek(lexer, 1) == '*') {
			lexer->at += 2;
			while (lexer->at < lexer->query.len &&
				!(peek(lexer, 0) == '*' && peek(lexer, 1) == '/'))
				lexer->at++;
			if (lexer->at >= lexer->query.len)
				return false;
			lexer->at += 2;
		} else {
			return true;
		}
	}
}

static void lex_word(struct lexer *lexer, struct token *out)
{
	size_t start = lexer->at;
	char small[16];

	while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)) || peek(lexer, 0) == '$')
		lexer->at++;
	out->kind = TOKEN_NAME;
	out->text = since(lexer, start);
	if (out->text.len >= sizeof(small))
		return;
	for (size_t i = 0; i < out->text.len; i++) {
		char c = out->text.ptr[i];
		small[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	small[out->text.len] = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (str_same(small, words[i].word)) {
			out->kind = words[i].kind;
			out->text.ptr = words[i].word;
			return;
		}
	}
}

static void skip_digits(struct lexer *lexer)
{
	while (is_digit(peek(lexer, 0)))
		lexer->at++;
}

static void lex_number(struct lexer *lexer, struct token *out)
{
	size_t start = lexer->at;

	out->kind = TOKEN_NUMBER;
	if (peek(lexer, 0) == '0' && (peek(lexer, 1) == 'x' || peek(lexer, 1) == 'X')) {
		out->kind = TOKEN_HEX;
		lexer->at += 2;
		while (is_hex(peek(lexer, 0)))
			lexer->at++;
	} else {
		skip_digits(lexer);
		if (peek(lexer, 0) == '.') {
			lexer->at++;
			skip_digits(lexer);
		}
		if (peek(lexer, 0) == 'e' || peek(lexer, 0) == 'E') {
			lexer->at++;
			if (peek(lexer, 0) == '+' || peek(lexer, 0) == '-')
				lexer->at++;
			skip_digits(lexer);
		}
	}
	if (is_letter(peek(lexer, 0)))
		out->kind = TOKEN_ERROR;
	out->text = since(lexer, start);
}

static char unescape(char c)
{
	switch (c) {
	case '0':
		return 0;
	case 'b':
		return '\b';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'Z':
		return 26;
	default:
		return c;
	}
}

/* What stands between quotes; two of them are one. Unterminated: TOKEN_ERROR with what there is. */
static void lex_quoted(struct lexer *lexer, enum token_kind kind, struct token *out)
{
	char quote = peek(lexer, 0);
	char *text = lexer->texts + lexer->used;
	size_t n = 0;

	out->kind = TOKEN_ERROR;
	for (lexer->at++; lexer->at < lexer->query.len; lexer->at++) {
		char c = peek(lexer, 0);
		if (c == quote && peek(lexer, 1) != quote) {
			lexer->at++;
			out->kind = kind;
			break;
		}
		if (c == quote || (c == '\\' && quote != '`')) {
			lexer->at++;
			if (lexer->at == lexer->query.len)
				break;
			c = c == quote ? c : unescape(peek(lexer, 0));
		}
		text[n++] = c;
	}
	lexer->used += n; /* never more than was read */
	out->text = (struct str){ text, n };
}

/* x'41' and b'1'; the quotes must close. */
static void lex_digits(struct lexer *lexer, struct token *out)
{
	size_t start = lexer->at += 2;

	while (is_hex(peek(lexer, 0)))
		lexer->at++;
	out->text = since(lexer, start);
	out->kind = peek(lexer, 0) == '\'' && out->text.len ? TOKEN_DIGITS : TOKEN_ERROR;
	if (out->kind == TOKEN_DIGITS)
		lexer->at++;
}

static void lex_placeholder(struct lexer *lexer, struct token *out)
{
	size_t start = lexer->at++;

	out->kind = TOKEN_PLACEHOLDER;
	if (lexer->query.ptr[start] == '?') {
		out->text = STR(":v1");
		return;
	}
	if (peek(lexer, 0) == ':')
		lexer->at++;
	if (!is_letter(peek(lexer, 0)))
		out->kind = TOKEN_ERROR;
	while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)) || peek(lexer, 0) == '.')
		lexer->at++;
	out->text = since(lexer, start);
}

static void lex_symbol(struct lexer *lexer, struct token *out)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		struct str text = symbols[i].text;
		if (lexer->query.len - lexer->at >= text.len &&
			memcmp(lexer->query.ptr + lexer->at, text.ptr, text.len) == 0) {
			lexer->at += text.len;
			out->kind = symbols[i].kind;
			return;
		}
	}
	out->kind = TOKEN_ERROR;
	lexer->at++;
	out->text = since(lexer, lexer->at - 1);
	if ((uint8_t)out->text.ptr[0] >= 0x80) /* messages are UTF-8: the mark for what is not */
		out->text = STR("\xef\xbf\xbd");
}

bool token_begin(struct lexer *lexer, struct arena *arena, struct str query)
{
	*lexer = (struct lexer){ .query = query, .texts = arena_alloc(arena, query.len + 1) };
	return lexer->texts != NULL;
}

void token_next(struct lexer *lexer, struct token *out)
{
	size_t start;

	*out = (struct token){ 0 };
	if (!skip_blank(lexer, &start)) {
		out->kind = TOKEN_ERROR;
		out->text = since(lexer, start);
	} else if (lexer->at < lexer->query.len) {
		char c = peek(lexer, 0), next = peek(lexer, 1);
		if (strchr("xXbB", c) && c && next == '\'')
			lex_digits(lexer, out);
		else if (is_letter(c))
			lex_word(lexer, out);
		else if (is_digit(c) || (c == '.' && is_digit(next)))
			lex_number(lexer, out);
		else if (c == '\'' || c == '"')
			lex_quoted(lexer, TOKEN_STRING, out);
		else if (c == '`')
			lex_quoted(lexer, TOKEN_NAME, out);
		else if (c == '?' || c == ':')
			lex_placeholder(lexer, out);
		else
			lex_symbol(lexer, out);
	}
	out->end = lexer->at;
}
