/*
 * closed_row.h: a run that has ended as a row of the store.
 */
#ifndef SERVER_VISIBILITY_CLOSED_ROW_H
#define SERVER_VISIBILITY_CLOSED_ROW_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct execution;
struct store_closed;

struct server;

/* The execution without what the columns have: what `info` holds of it. Borrowed. */
struct execution closed_row_bare(const struct execution *execution);

/*
 * The execution of a row, zeroed before: its recorded fields, and nothing else but `server` and
 * `space`; it is in no list. Ended by record_finish. False: no such record, or memory is out.
 */
bool closed_row_read(struct server *server, const struct store_closed *row, struct execution *out);

/* When its retention ends. */
int64_t closed_row_expiry(const struct execution *execution);

/*
 * Fills in the columns and the search attributes; `info` is the caller's. Texts are the
 * execution's or lie in the arena. False: memory is out.
 */
bool closed_row_fill(
	const struct execution *execution, struct arena *arena, struct store_closed *out);

#endif
