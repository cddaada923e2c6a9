/*
 * journal.h: between the transitions and the store: batches go down, their commits come back up;
 * at the start the records become the state again.
 */
#ifndef SERVER_JOURNAL_H
#define SERVER_JOURNAL_H

#include "server/state.h"

/* Hands server->batch to the store as number server->submitted, and empties it. */
void journal_submit(struct server *server);

/*
 * Opens the store (`path` NULL: in memory) and rebuilds the state from it. `wake` is called on the
 * store's threads when journal_step is due.
 */
enum temporal_code journal_open(struct server *server, const char *path, void (*wake)(void *server),
	struct temporal_error *err) __attribute__((warn_unused_result));
void journal_step(struct server *server);
void journal_close(struct server *server);

/* Spaces of the store's settings. The numbers are in database files. */
#define JOURNAL_SEARCH_ATTRIBUTES 13 /* key: namespace's number, '/', column; the alias */

/* Hands another batch to the store; answers of this input wait for its commit too. */
struct store_batch;
void journal_submit_other(struct server *server, struct store_batch *batch);

/* A namespace was made or changed. */
void journal_namespace(struct server *server, const struct server_namespace *space);
/* It has another name now, or none (NULL: it is gone). */
void journal_namespace_renamed(
	struct server *server, const struct server_namespace *space, const char *old_name);

/* The clock has been skipped ahead: from where it is a restart goes on. */
void journal_time(struct server *server);

/* Sets a setting of the store, or (no bytes) deletes it. */
#define JOURNAL_NEXUS_ENDPOINTS 11
void journal_setting(
	struct server *server, uint32_t space, const char *key, const void *data, size_t size);

/* A number for a new run. */
uint64_t journal_new_run(struct server *server);

/* Applies one record of the journal, a batch of this run, to the state. */
enum temporal_code journal_apply(struct server *server, uint64_t run, const uint8_t *data,
	size_t len, struct temporal_error *err) __attribute__((warn_unused_result));

/* After the last record: timers and tasks of all that is running. */
void journal_revive(struct server *server);

#endif
