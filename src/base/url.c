/*
 * url.c: percent-encoding, paths, queries.
 *
 * Pure.
 */
#include "base/url.h"

#include <ctype.h>
#include <string.h>

#define HEX "0123456789ABCDEF"

static bool is_plain(char c, bool in_query)
{
	return isalnum((unsigned char)c) || (c && strchr("-_.~", c)) ||
	       (c && !in_query && strchr("$&+:=@", c));
}

const char *url_escape(struct arena *arena, const char *text, bool in_query)
{
	size_t len = text ? strlen(text) : 0;
	char *out = arena_alloc(arena, 3 * len + 1), *at = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_plain(text[i], in_query)) {
			*at++ = text[i];
			continue;
		}
		*at++ = '%';
		*at++ = HEX[c >> 4];
		*at++ = HEX[c & 15];
	}
	*at = '\0';
	return out;
}

static int digit(char c)
{
	const char *at = c ? strchr(HEX, toupper((unsigned char)c)) : NULL;

	return at ? (int)(at - HEX) : -1;
}

const char *url_unescape(struct arena *arena, struct str text)
{
	char *out = arena_alloc(arena, text.len + 1), *at = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '%') {
			*at++ = text.ptr[i];
			continue;
		}
		bool whole = text.len - i > 2;
		int high = whole ? digit(text.ptr[i + 1]) : -1;
		int low = whole ? digit(text.ptr[i + 2]) : -1;

		/* A zero would end the text. */
		if (high < 0 || low < 0 || high + low == 0)
			return NULL;
		*at++ = (char)(high * 16 + low);
		i += 2;
	}
	*at = '\0';
	return str_is_utf8(out, (size_t)(at - out)) ? out : NULL;
}

const char *url_split(struct arena *arena, const char *url, const char *path[], size_t n)
{
	size_t found = 0;

	while (*url == '/') {
		size_t len = strcspn(++url, "/?");

		if (len == 0 || found == n)
			return NULL;
		path[found] = url_unescape(arena, (struct str){ url, len });
		if (!path[found++])
			return NULL;
		url += len;
	}
	if (found != n)
		return NULL;
	return *url == '?' ? url + 1 : url;
}

const char *url_query(struct arena *arena, const char *query, const char *name)
{
	size_t name_len = strlen(name);

	while (*query) {
		size_t len = strcspn(query, "&");

		if (len > name_len && strncmp(query, name, name_len) == 0 && query[name_len] == '=')
			return url_unescape(
				arena, (struct str){ query + name_len + 1, len - name_len - 1 });
		query += len + (query[len] == '&');
	}
	return NULL;
}
