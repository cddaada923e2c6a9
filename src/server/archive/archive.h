/*
 * archive.h: runs that have ended. They move from the journal to the store's closed runs, leave
 * memory when others need the room, and come back when somebody asks for them.
 *
 *   running --end--> due --batch submitted--> leaving --committed--> stored --evicted--> (gone)
 *                     ^                          |                     |  ^                |
 *                     +------- changed again ----+---------------------+  +-- archive_find +
 *
 *   due      ended (or changed after its end); waits for the batch of its transition
 *   leaving  the batch that moves it is with the store; still whole in memory
 *   stored   all of it is in the store as well; in the cache, least recently used first
 *
 * Nothing is evicted but at the end of an input, so that a pointer that a handler has stays good.
 * Loop's thread.
 */
#ifndef SERVER_ARCHIVE_ARCHIVE_H
#define SERVER_ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

struct server;
struct server_namespace;
struct execution;
struct request;
struct archive_list;
struct store_closed;

enum archive_state {
	ARCHIVE_NONE,
	ARCHIVE_DUE,
	ARCHIVE_LEAVING,
	ARCHIVE_STORED,
};

/* In each execution. Zeroed: it is in no list. */
struct archive_link {
	enum archive_state state;
	bool delete;          /* it goes away instead, for good */
	bool history_missing; /* came back from the store; its events did not, yet */
	uint64_t ticket;      /* leaving: the batch */
	size_t bytes;         /* stored: what it costs, as far as the cache has counted */
	struct execution *next, *prev;
};

struct archive_list {
	struct execution *first, *last;
};

/* In struct server. */
struct archive {
	bool open;          /* the store may be asked for closed runs */
	size_t limit_bytes; /* of the cache */
	size_t bytes;       /* of what is in it */
	unsigned n_stored;
	struct archive_list due, leaving, stored;
	uint64_t submitted, committed; /* batches that move runs */
	bool refused;                  /* the store's queue was full: `due` waits */
	int64_t expiry_ns;             /* when retention ends next; INT64_MAX: never */
	bool expiring;                 /* a batch that deletes what has expired is on its way */
	struct temporal_error lost;    /* a run that this input looked for cannot be read */
};

/* The store is open and its journal has been read: what ended before is moved now. */
void archive_open(struct server *server);

/* At the end of a transition that changed an ended run. */
void archive_note(struct execution *execution);

/* The end of an input: what is due is handed to the store if `submitted` (its transition was), and
 * the cache is brought to its size. */
void archive_run(struct server *server, bool submitted);

/*
 * A closed run that is not in memory comes back. NULL: there is none; or it is damaged, which
 * archive.lost says; or the store cannot be read, which stops the server. An empty run id means the
 * run that ended last.
 */
struct execution *archive_find(struct server *server, const struct server_namespace *space,
	const char *workflow_id, const char *run_id);
struct execution *archive_find_number(struct server *server, uint64_t number);

/* Into the cache, as the one that was used last. */
void archive_keep(struct execution *execution);

/* It is being looked at: it stays longer in the cache. */
void archive_use(struct execution *execution);

/* The events of a run that came back, if they have not. False: damaged, `err` says how. */
bool archive_history(const struct execution *execution, struct temporal_error *err);

/*
 * True: all runs that have ended until now are among the store's closed runs. Else `done` is called
 * once they are, from a later journal_step, outside of an input.
 */
bool archive_flush(struct server *server, void (*done)(void *user), void *user)
	__attribute__((warn_unused_result));

/* Deletes an ended run for good, in memory and in the store, at the end of this input. The answer
 * waits for the commit. */
void archive_delete(struct execution *execution);

/* Deletes what has outlived its retention, if it is time. */
void archive_expire(struct server *server);

/* All of a run that ended, as one batch of entries (transition.h): what the store keeps of it
 * beside its columns and events. In the server's scratch arena. False: memory is out. */
bool archive_snapshot(struct execution *execution, const void **data, size_t *size);

/* restore.c: a row of the store becomes a run in memory. NULL: damaged (the server has failed). */
struct execution *archive_restore(struct server *server, const struct store_closed *row);

#endif
