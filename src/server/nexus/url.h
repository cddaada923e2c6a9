/*
 * url.h: URLs that users give the server. Private to the folder. Pure.
 */
#ifndef SERVER_NEXUS_URL_H
#define SERVER_NEXUS_URL_H

#include "base/url.h"
#include "server/nexus/nexus.h"

/*
 * Checks an absolute URL as far as its scheme and host: false with a text, in Go's words, of what
 * is wrong. `scheme` and `host` (with its port) are set; in the arena.
 */
bool url_check(struct arena *arena, const char *url, const char **scheme, const char **host,
	const char **text);

#endif
