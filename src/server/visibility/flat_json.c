/*
 * flat_json.c: a reader for one scalar or an array of scalars; anything deeper is no search
 * attribute. So there is no recursion, and no tree to build. Any thread.
 */
#include "server/visibility/flat_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct reader {
	struct arena *arena;
	const char *at, *end;
};

static void skip_blank(struct reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
		reader->at++;
}

static bool take(struct reader *reader, struct str word)
{
	if ((size_t)(reader->end - reader->at) < word.len ||
		memcmp(reader->at, word.ptr, word.len) != 0)
		return false;
	reader->at += word.len;
	return true;
}

/* Four hexadecimal digits; -1 for anything else. */
static int32_t take_hex(struct reader *reader)
{
	static const char digits[] = "0123456789abcdef";
	int32_t value = 0;

	if (reader->end - reader->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = *reader->at++;
		const char *digit = strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
		if (!c || !digit)
			return -1;
		value = value * 16 + (int32_t)(digit - digits);
	}
	return value;
}

static size_t put_utf8(uint32_t point, char *out)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

/* Behind "\u"; half of a surrogate pair alone becomes U+FFFD. False: no such escape. */
static bool take_point(struct reader *reader, char *out, size_t *n)
{
	int32_t point = take_hex(reader);

	if (point < 0)
		return false;
	if (point >= 0xd800 && point < 0xdc00) {
		struct reader ahead = *reader;
		int32_t low = take(&ahead, STR("\\u")) ? take_hex(&ahead) : -1;
		if (low >= 0xdc00 && low < 0xe000) {
			*reader = ahead;
			point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	if (point >= 0xd800 && point < 0xe000)
		point = 0xfffd;
	*n += put_utf8((uint32_t)point, out + *n);
	return true;
}

static bool take_escape(struct reader *reader, char *out, size_t *n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	if (reader->at == reader->end)
		return false;
	char c = *reader->at++;
	if (c == 'u')
		return take_point(reader, out, n);
	const char *found = c ? strchr(from, c) : NULL;
	if (!found)
		return false;
	out[(*n)++] = to[found - from];
	return true;
}

/* Behind the opening quote. An escape is never shorter than what it stands for. */
static enum flat_json_result text(struct reader *reader, struct visibility_value *out)
{
	char *copy = arena_alloc(reader->arena, (size_t)(reader->end - reader->at) + 1);
	size_t n = 0;

	if (!copy)
		return FLAT_JSON_NO_MEMORY;
	while (reader->at < reader->end) {
		char c = *reader->at++;
		if (c == '"') {
			*out = (struct visibility_value){ VISIBILITY_IS_TEXT, .text = { copy, n } };
			return FLAT_JSON_OK;
		}
		if (c == '\\') {
			if (!take_escape(reader, copy, &n))
				return FLAT_JSON_BROKEN;
		} else if ((uint8_t)c < 32) {
			return FLAT_JSON_BROKEN;
		} else {
			copy[n++] = c;
		}
	}
	return FLAT_JSON_BROKEN;
}

static enum flat_json_result number(struct reader *reader, struct visibility_value *out)
{
	const char *start = reader->at;
	char *end;

	while (reader->at < reader->end && strchr("+-.0123456789eE", *reader->at) && *reader->at)
		reader->at++;
	char *copy = arena_str(reader->arena, (struct str){ start, (size_t)(reader->at - start) });
	if (!copy)
		return FLAT_JSON_NO_MEMORY;
	const char *digits = copy + (*copy == '-');
	if (*digits < '0' || *digits > '9' ||
		(*digits == '0' && digits[1] >= '0' && digits[1] <= '9'))
		return FLAT_JSON_BROKEN;
	errno = 0;
	*out = (struct visibility_value){ VISIBILITY_IS_INT, .number = strtoll(copy, &end, 10) };
	if (!*end && !errno)
		return FLAT_JSON_OK;
	*out = (struct visibility_value){ VISIBILITY_IS_DOUBLE, .real = strtod(copy, &end) };
	return *end || !isfinite(out->real) ? FLAT_JSON_BROKEN : FLAT_JSON_OK;
}

static enum flat_json_result scalar(struct reader *reader, struct visibility_value *out)
{
	*out = (struct visibility_value){ 0 };
	if (take(reader, STR("null")))
		return FLAT_JSON_OK;
	if (take(reader, STR("true"))) {
		*out = (struct visibility_value){ VISIBILITY_IS_BOOL, .number = 1 };
		return FLAT_JSON_OK;
	}
	if (take(reader, STR("false"))) {
		out->kind = VISIBILITY_IS_BOOL;
		return FLAT_JSON_OK;
	}
	if (take(reader, STR("\"")))
		return text(reader, out);
	if (reader->at < reader->end && (*reader->at == '{' || *reader->at == '['))
		return reader->end[-1] == '}' || reader->end[-1] == ']' ? FLAT_JSON_NESTED
									: FLAT_JSON_BROKEN;
	return number(reader, out);
}

/* Behind the opening bracket. No element takes less than two characters. */
static enum flat_json_result array(struct reader *reader, struct flat_json *out)
{
	size_t max = (size_t)(reader->end - reader->at) / 2 + 1;
	struct visibility_value *items = arena_array(reader->arena, max, sizeof(*items));

	if (!items)
		return FLAT_JSON_NO_MEMORY;
	out->items = items;
	out->array = true;
	skip_blank(reader);
	if (take(reader, STR("]")))
		return FLAT_JSON_OK;
	do {
		skip_blank(reader);
		enum flat_json_result result =
			out->n < max ? scalar(reader, &items[out->n++]) : FLAT_JSON_BROKEN;
		if (result != FLAT_JSON_OK)
			return result;
		skip_blank(reader);
	} while (take(reader, STR(",")));
	return take(reader, STR("]")) ? FLAT_JSON_OK : FLAT_JSON_BROKEN;
}

enum flat_json_result flat_json_read(struct arena *arena, struct str json, struct flat_json *out)
{
	struct reader reader = { arena, json.ptr, json.ptr };
	enum flat_json_result result;

	*out = (struct flat_json){ 0 };
	if (!json.len)
		return FLAT_JSON_BROKEN;
	reader.end += json.len;
	skip_blank(&reader);
	if (take(&reader, STR("["))) {
		result = array(&reader, out);
	} else {
		struct visibility_value *only = ARENA_NEW(arena, struct visibility_value);
		out->items = only;
		out->n = 1;
		result = only ? scalar(&reader, only) : FLAT_JSON_NO_MEMORY;
	}
	skip_blank(&reader);
	return result == FLAT_JSON_OK && reader.at != reader.end ? FLAT_JSON_BROKEN : result;
}
