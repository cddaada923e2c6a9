/*
 * listing.h: the two halves of what a filter finds: runs that are running, in memory, and those
 * that have ended, in the store.
 */
#ifndef SERVER_VISIBILITY_LISTING_H
#define SERVER_VISIBILITY_LISTING_H

#include "base/arena.h"
#include "server/visibility/filter.h"

struct server;
struct server_namespace;
struct execution;
struct store_query;

/*
 * The running runs that the filter means, newest first, from the one after number `after` (0: all):
 * `take` is called for each until it says false. `scratch` is for values.
 */
void listing_open(struct server *server, const struct server_namespace *space,
	const struct filter *filter, uint64_t after, struct arena *scratch,
	bool (*take)(void *user, struct execution *execution), void *user);

/* Can the filter mean any run that is running, or any that has ended? */
bool listing_wants_open(const struct filter *filter);
bool listing_wants_closed(const struct filter *filter);

/*
 * Fills in what the store needs to find, or to count, those that have ended: condition, values,
 * index, narrow; the rest of the query is the caller's. All in the arena. False: memory is out.
 */
bool listing_closed(struct arena *arena, const struct server_namespace *space,
	const struct filter *filter, bool count, struct store_query *out);

#endif
