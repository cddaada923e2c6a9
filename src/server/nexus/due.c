/*
 * due.c: calls that an input has made due. They are made at its end, when all its changes are: a
 * command that follows may still take them back, and what a call changes (a run that ends calls
 * back another one) never happens in the middle of something else.
 *
 * Loop's thread.
 */
#include "server/nexus/nexus.h"

#define BACKOFF_NS     INT64_C(1000000000)
#define BACKOFF_MAX_NS (INT64_C(3600) * 1000000000)

void nexus_due_add(struct server *server, struct nexus_due *due, void (*run)(struct nexus_due *))
{
	if (due->queued)
		return;
	*due = (struct nexus_due){ .run = run, .prev = server->nexus_due_last, .queued = true };
	*(server->nexus_due_last ? &server->nexus_due_last->next : &server->nexus_due) = due;
	server->nexus_due_last = due;
}

void nexus_due_remove(struct server *server, struct nexus_due *due)
{
	if (!due->queued)
		return;
	*(due->prev ? &due->prev->next : &server->nexus_due) = due->next;
	*(due->next ? &due->next->prev : &server->nexus_due_last) = due->prev;
	due->queued = false;
}

void nexus_run(struct server *server)
{
	while (server->nexus_due && !server->failed) {
		struct nexus_due *due = server->nexus_due;

		nexus_due_remove(server, due);
		due->run(due);
	}
}

/* A fifth of it is left to chance, so that many that failed together do not come back together. */
int64_t nexus_backoff_ns(struct server *server, int32_t attempt)
{
	int64_t delay = BACKOFF_NS;
	uint32_t chance = 0;

	for (int32_t i = 1; i < attempt && delay < BACKOFF_MAX_NS; i++)
		delay *= 2;
	if (delay > BACKOFF_MAX_NS)
		delay = BACKOFF_MAX_NS;
	server->io.random(server->io.user, &chance, sizeof(chance));
	return delay / 5 * 4 + (int64_t)((double)chance / 4294967296.0 * (double)(delay / 5));
}
