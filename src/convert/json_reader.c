/*
 * json_reader.c: the syntax of JSON.
 *
 * decode.c walks over a payload by it, guided by the contract, so that no tree is built: a value
 * goes from the text straight to its place in the struct, and one that nobody asked for is skipped.
 * Invariant: start <= next <= end; after a failure `next` is where it was found. Any thread.
 *
 * A reader is two pointers and can be copied to look ahead (json_count). The caller peeks, and
 * takes what it has seen; so the functions that take do not check the first character again.
 */
#include "convert/json_reader.h"

void json_reader_init(struct json_reader *reader, const void *data, size_t len)
{
	const char *text = len ? data : "";

	*reader = (struct json_reader){ .start = text, .next = text, .end = text + len };
}

/*
 * The place is where `next` stands; the text is a literal, so that reading allocates nothing for
 * it.
 */
static bool json_fail(struct json_reader *reader, const char *problem)
{
	reader->problem = problem;
	return false;
}

static void pass_spaces(struct json_reader *reader)
{
	while (reader->next < reader->end) {
		char c = *reader->next;

		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			return;
		reader->next++;
	}
}

/* By the first character alone: whether "t" goes on as "true" is seen when it is taken. */
enum json_kind json_peek(struct json_reader *reader)
{
	pass_spaces(reader);
	if (reader->next == reader->end)
		return JSON_NONE;
	switch (*reader->next) {
	case 'n':
		return JSON_NULL;
	case 't':
	case 'f':
		return JSON_BOOL;
	case '"':
		return JSON_STRING;
	case '[':
		return JSON_ARRAY;
	case '{':
		return JSON_OBJECT;
	case '-':
		return JSON_NUMBER;
	default:
		return *reader->next >= '0' && *reader->next <= '9' ? JSON_NUMBER : JSON_NONE;
	}
}

static bool take_word(struct json_reader *reader, struct str word)
{
	if ((size_t)(reader->end - reader->next) < word.len ||
		memcmp(reader->next, word.ptr, word.len) != 0)
		return json_fail(reader, "unknown word");
	reader->next += word.len;
	return true;
}

bool json_take_null(struct json_reader *reader)
{
	return take_word(reader, STR("null"));
}

bool json_take_bool(struct json_reader *reader, bool *out)
{
	*out = *reader->next == 't';
	return take_word(reader, *out ? STR("true") : STR("false"));
}

bool json_take_number(struct json_reader *reader, struct number *out)
{
	size_t len = number_scan(reader->next, reader->end, out);

	if (len == 0)
		return json_fail(reader, "malformed number");
	reader->next += len;
	return true;
}

/*
 * Passes a string with its quotes. `*escapes` tells whether there are any; they are checked for
 * their form, but not decoded. UTF-8 is checked over the whole at once, which is quick for ASCII. A
 * backslash takes the next character along, whatever it is, so that an escaped quote does not end
 * the string; hence whoever decodes may rely on a character behind each backslash.
 */
static bool pass_string(struct json_reader *reader, struct str *inside, bool *escapes)
{
	const char *at = reader->next + 1;

	*escapes = false;
	for (; at < reader->end && *at != '"'; at++) {
		if ((unsigned char)*at < 0x20) {
			reader->next = at;
			return json_fail(reader, "control character in a string");
		}
		if (*at == '\\') {
			*escapes = true;
			at += at + 1 < reader->end;
		}
	}
	if (at == reader->end)
		return json_fail(reader, "string without end");
	*inside = (struct str){ reader->next + 1, (size_t)(at - reader->next - 1) };
	if (!str_is_utf8(inside->ptr, inside->len))
		return json_fail(reader, "string that is not UTF-8");
	reader->next = at + 1;
	return true;
}

/* Four hexadecimal digits; -1 if they are none. */
static int32_t hex4(const char *at, const char *end)
{
	int32_t value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

/* Behind "\u": gives the character, of two surrogates where it takes two; -1 if it is none. */
static int32_t take_unicode(const char **at, const char *end)
{
	int32_t high = hex4(*at, end);

	if (high >= 0)
		*at += 4;
	if (high < 0xD800 || high > 0xDFFF)
		return high;
	if (high > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return -1;
	int32_t low = hex4(*at + 2, end);
	*at += 6;
	if (low < 0xDC00 || low > 0xDFFF)
		return -1;
	return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* No escape is shorter than what it stands for in UTF-8, so the output of unescape() fits. */
static char *put_utf8(char *out, int32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xC0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		*out++ = (char)(0xE0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3F));
		*out++ = (char)(0x80 | (c & 0x3F));
	} else {
		*out++ = (char)(0xF0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3F));
		*out++ = (char)(0x80 | (c >> 6 & 0x3F));
		*out++ = (char)(0x80 | (c & 0x3F));
	}
	return out;
}

/* The character of an escape, behind its backslash; -1 if it is none. */
static int32_t take_escape(const char **at, const char *end)
{
	static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
	char letter = *(*at)++;

	if (letter == 'u')
		return take_unicode(at, end);
	const char *found = letter ? strchr(letters, letter) : NULL;
	return found ? characters[found - letters] : -1;
}

/* Decodes what is inside of a string to `out`, which is as long; gives the length, or -1. */
static ptrdiff_t unescape(struct str inside, char *out)
{
	const char *at = inside.ptr, *end = inside.ptr + inside.len;
	char *next = out;

	while (at < end) {
		if (*at != '\\') {
			*next++ = *at++;
			continue;
		}
		at++;
		int32_t c = take_escape(&at, end);
		if (c < 0)
			return -1;
		next = put_utf8(next, c);
	}
	return next - out;
}

/* Always copied, and terminated: the value must outlive the payload, and a C string is wanted. */
bool json_take_string(struct json_reader *reader, struct arena *arena, struct str *out)
{
	const char *begin = reader->next;
	struct str inside;
	bool escapes;

	if (!pass_string(reader, &inside, &escapes))
		return false;
	char *text = arena_alloc_aligned(arena, inside.len + 1, 1);
	if (!text) {
		reader->no_memory = true;
		return false;
	}
	ptrdiff_t len = (ptrdiff_t)inside.len;
	if (escapes)
		len = unescape(inside, text);
	else
		memcpy(text, inside.ptr, inside.len);
	if (len < 0) {
		reader->next = begin;
		return json_fail(reader, "string with a malformed escape");
	}
	text[len] = '\0';
	*out = (struct str){ text, (size_t)len };
	return true;
}

/* Checks the escapes of a string that nobody wants. */
static bool skip_string(struct json_reader *reader)
{
	const char *begin = reader->next;
	struct str inside;
	bool escapes;

	if (!pass_string(reader, &inside, &escapes))
		return false;
	const char *at = inside.ptr, *end = inside.ptr + inside.len;
	while (escapes && at < end) {
		if (*at++ == '\\' && take_escape(&at, end) < 0) {
			reader->next = begin;
			return json_fail(reader, "string with a malformed escape");
		}
	}
	return true;
}

static bool take_colon(struct json_reader *reader)
{
	pass_spaces(reader);
	if (reader->next == reader->end || *reader->next != ':')
		return json_fail(reader, "member without a colon");
	reader->next++;
	return true;
}

/* A name is only compared, so it need not be copied, unless it has escapes. */
bool json_take_name(struct json_reader *reader, struct arena *arena, struct str *out)
{
	struct json_reader before = *reader;
	bool escapes;

	if (json_peek(reader) != JSON_STRING)
		return json_fail(reader, "member without a name");
	before.next = reader->next;
	if (!pass_string(reader, out, &escapes))
		return false;
	if (escapes) {
		*reader = before;
		if (!json_take_string(reader, arena, out))
			return false;
	}
	return take_colon(reader);
}

void json_open(struct json_reader *reader)
{
	reader->next++;
}

/* A trailing comma is found by what follows it: no value begins with a closing bracket. */
bool json_more(struct json_reader *reader, char close, bool first, bool *ok)
{
	*ok = true;
	pass_spaces(reader);
	if (reader->next < reader->end && *reader->next == close) {
		reader->next++;
		return false;
	}
	if (first && reader->next < reader->end)
		return true;
	if (reader->next < reader->end && *reader->next == ',') {
		reader->next++;
		return true;
	}
	*ok = json_fail(reader, close == ']' ? "array without end" : "object without end");
	return false;
}

static bool skip_scalar(struct json_reader *reader, enum json_kind kind)
{
	struct number number;
	bool ignored;

	switch (kind) {
	case JSON_NULL:
		return json_take_null(reader);
	case JSON_BOOL:
		return json_take_bool(reader, &ignored);
	case JSON_NUMBER:
		return json_take_number(reader, &number);
	case JSON_STRING:
		return skip_string(reader);
	default:
		return json_fail(reader, "no value");
	}
}

static bool skip_name(struct json_reader *reader)
{
	if (json_peek(reader) != JSON_STRING)
		return json_fail(reader, "member without a name");
	return skip_string(reader) && take_colon(reader);
}

/*
 * One value at the depth that `closes` holds the closing brackets of. An opening bracket adds to
 * them; `*opened` tells so.
 */
static bool skip_one(struct json_reader *reader, char *closes, unsigned *depth, bool *opened)
{
	enum json_kind kind = json_peek(reader);

	*opened = kind == JSON_ARRAY || kind == JSON_OBJECT;
	if (!*opened)
		return skip_scalar(reader, kind);
	if (*depth == JSON_DEPTH_MAX)
		return json_fail(reader, "nested too deep");
	closes[(*depth)++] = kind == JSON_ARRAY ? ']' : '}';
	json_open(reader);
	return true;
}

/*
 * Without recursion: an array of brackets stands for the stack, and its size is the limit on depth.
 * All of the syntax is checked, so that what is accepted does not depend on which members are
 * known.
 */
bool json_skip(struct json_reader *reader, struct str *out)
{
	char closes[JSON_DEPTH_MAX];
	unsigned depth = 0;
	bool opened, ok;

	pass_spaces(reader);
	const char *begin = reader->next;
	if (!skip_one(reader, closes, &depth, &opened))
		return false;
	while (depth > 0) {
		if (!json_more(reader, closes[depth - 1], opened, &ok)) {
			if (!ok)
				return false;
			depth--;
			opened = false;
			continue;
		}
		if (closes[depth - 1] == '}' && !skip_name(reader))
			return false;
		if (!skip_one(reader, closes, &depth, &opened))
			return false;
	}
	if (out)
		*out = (struct str){ begin, (size_t)(reader->next - begin) };
	return true;
}

/* On a copy, which is given back for the place of an error. */
bool json_count(const struct json_reader *reader, size_t *out, struct json_reader *failed)
{
	bool ok, first = true;

	*failed = *reader;
	*out = 0;
	json_open(failed);
	while (json_more(failed, ']', first, &ok)) {
		if (!json_skip(failed, NULL))
			return false;
		first = false;
		*out += 1;
	}
	return ok;
}

bool json_end(struct json_reader *reader)
{
	pass_spaces(reader);
	return reader->next == reader->end || json_fail(reader, "more behind the value");
}
