/*
 * url.c: what the official server says of a URL that is none.
 *
 * Pure.
 */
#include "server/nexus/url.h"

#include <ctype.h>

static bool refuse(struct arena *arena, const char **text, const char *url, const char *what)
{
	*text = arena_printf(arena, "parse \"%s\": %s", url, what);
	return false;
}

/* The length of "scheme:", 0 if there is none. */
static size_t scheme_len(const char *url)
{
	size_t len = 0;

	while (isalnum((unsigned char)url[len]) || (len && url[len] && strchr("+-.", url[len])))
		len++;
	return len && isalpha((unsigned char)*url) && url[len] == ':' ? len + 1 : 0;
}

bool url_check(struct arena *arena, const char *url, const char **scheme, const char **host,
	const char **text)
{
	size_t len = scheme_len(url);
	const char *rest = url + len;

	*scheme = *host = "";
	for (const char *at = url; *at; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return refuse(
				arena, text, url, "net/url: invalid control character in URL");
	}
	if (*url == ':')
		return refuse(arena, text, url, "missing protocol scheme");
	if (len)
		*scheme = arena_str(arena, (struct str){ url, len - 1 });
	if (strncmp(rest, "//", 2) == 0) {
		rest += 2;
		*host = arena_str(arena, (struct str){ rest, strcspn(rest, "/?#") });
	}
	if (!*scheme || !*host)
		return refuse(arena, text, url, "out of memory");
	for (const char *at = *host; *at; at++) {
		if (strchr(" \"<>^`{|}\\", *at)) {
			*text = arena_printf(arena,
				"parse \"%s\": invalid character \"%c\" in host name", url, *at);
			return false;
		}
	}
	return true;
}
