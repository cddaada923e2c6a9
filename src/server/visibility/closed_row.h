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

/* When its retention ends. */
int64_t closed_row_expiry(const struct execution *execution);

/*
 * Fills in the columns and the search attributes; `info` is the caller's. Texts are the
 * execution's or lie in the arena. False: memory is out.
 */
bool closed_row_fill(
	const struct execution *execution, struct arena *arena, struct store_closed *out);

#endif
