/*
 * url.h: the parts of URLs. Pure; any thread.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

/* A text as a part of a path or a query. NULL: memory is out. */
const char *url_escape(struct arena *arena, const char *text, bool in_query);
/* ... and back. NULL: it is none. */
const char *url_unescape(struct arena *arena, struct str text);

/*
 * Splits "/a/b/c?query" into exactly `n` parts, unescaped, without empty ones. Returns the query,
 * as it stands there, or NULL: there are more or fewer parts.
 */
const char *url_split(struct arena *arena, const char *url, const char *path[], size_t n);

/* A value of a query ("a=b&c=d"), unescaped. NULL: it has none of that name. */
const char *url_query(struct arena *arena, const char *query, const char *name);

#endif
