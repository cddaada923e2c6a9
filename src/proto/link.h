/*
 * link.h: links between what happened here and there, in their two forms: messages in histories,
 * and URLs with a type on the way to a handler of Nexus operations and back. Pure; any thread.
 */
#ifndef PROTO_LINK_H
#define PROTO_LINK_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/nexus/v1/message.pb-c.h>

#include "base/arena.h"

/* NULL: no memory, or a link of a kind that has no URL. */
Nexus__Link *proto_link_write(struct arena *arena, const Common__Link *link);

/* Those that can be read; the others are passed by. NULL: no memory, and `*n_read` is 0. */
Common__Link **proto_links_read(
	struct arena *arena, Nexus__Link *const *links, size_t n_links, size_t *n_read);

#endif
