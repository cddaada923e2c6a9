/*
 * internal.h: the store's parts, and which thread may touch what.
 */
#ifndef SERVER_STORE_INTERNAL_H
#define SERVER_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "server/store/conn.h"
#include "server/store/store.h"

/* ---- What is handed back to the owner's thread ---- */

/* First member of what is done; `deliver` calls its callback and frees it. */
struct store_item {
	struct store_item *next;
	void (*deliver)(struct store_item *item);
};

struct store_items {
	struct store_item *first, **last;
};

void store_items_init(struct store_items *items);
void store_items_add(struct store_items *items, struct store_item *item);
/* Puts all of one list behind the other; it is empty then. */
void store_items_move(struct store_items *to, struct store_items *from);

/* Makes an empty database at the path if there is none, in one piece; if it can. */
void store_create(const char *path);

/* ---- Batches ---- */

enum store_op_kind {
	OP_APPEND,
	OP_DROP,
	OP_SET,
	OP_UNSET,
	OP_CLOSE,
	OP_DELETE,
	OP_EXPIRE,
};

struct store_op {
	struct store_op *next;
	enum store_op_kind kind;
	int limit;       /* EXPIRE */
	uint32_t number; /* APPEND: the record's kind; SET, UNSET: the space */
	uint64_t run;
	const char *key;
	const void *data;
	size_t size;
	int64_t now_ns;
	struct store_closed *closed;
	struct store_history *history;
	size_t n_history;
};

struct store_batch {
	struct store_item item;
	struct arena arena; /* of the operations and all that they point to */
	struct store_op *first, **last;
	size_t bytes;
	int64_t records;
	bool lazy;
	const char *backup; /* not NULL: this is no batch, but a backup to this file */
	store_done_fn *done;
	void *user;
	int64_t deleted;
	enum temporal_code code;
	struct temporal_error err;
};

/* ---- The journal's index: writer only ---- */

/* The rows of an open run, ascending. */
struct journal_run {
	uint32_t n, capacity;
	int64_t seqs[];
};

struct journal {
	struct map runs; /* run -> struct journal_run */
	int64_t next_seq;
	uint64_t reserved; /* runs below it have been noted in the database */
};

void journal_finish(struct journal *journal);

/* Reads it from the database; also after a rollback. */
enum temporal_code journal_load(
	struct journal *journal, struct store_conn *conn, struct temporal_error *err);

/* Visits the records; the index is built (checked) on the way. run 0: all. */
enum temporal_code journal_visit(struct store_conn *conn, uint64_t run, struct journal *index,
	const struct store_visitor *visitor, struct temporal_error *err);

/* Within a transaction. SQLite's codes. */
int journal_append(struct journal *journal, struct store_conn *conn, const struct store_op *op);
int journal_drop(struct journal *journal, struct store_conn *conn, uint64_t run);

/* ---- Closed runs ---- */

/* The place of each of a closed run's texts, in the order of their columns. */
#define CLOSED_TEXTS 8
const char **closed_text(struct store_closed *closed, int i);

int closed_put(struct store_conn *conn, const struct store_op *op);
/* Deletes; adds to *deleted if there was one. */
int closed_delete(struct store_conn *conn, uint64_t run, int64_t *deleted);
/* The current row; its pointers hold until the next step. False when its checksum differs. */
bool closed_read(sqlite3_stmt *stmt, struct store_closed *out);
/* The current row of a history of this run, checked; its data holds until the next step. */
enum temporal_code closed_part(
	sqlite3_stmt *stmt, uint64_t run, struct store_history *part, struct temporal_error *err);
/* DATA_LOSS, told. */
enum temporal_code closed_damaged(uint64_t run, struct temporal_error *err);
/* A copy of which everything is in the arena. False when memory is out. */
bool closed_copy(struct arena *arena, const struct store_closed *closed, struct store_closed *out);

/* ---- Reads ---- */

enum store_read_kind {
	READ_LIST,
	READ_COUNT
};

struct store_read {
	struct store_item item;
	enum store_read_kind kind;
	struct arena arena;
	struct store_query query;
	store_page_fn *page_done;
	store_count_fn *count_done;
	void *user;
	struct store_page page;
	struct store_count count;
	struct temporal_error err;
};

/* query.c: execute one on a connection. The result is in the read. */
enum temporal_code query_list(struct store_conn *conn, struct store_read *read, atomic_bool *stop);
enum temporal_code query_count(struct store_conn *conn, struct store_read *read, atomic_bool *stop);

/* ---- The store ---- */

struct store {
	/* Set when it is opened, then only read. */
	struct store_opts opts;
	char *path, *vfs;
	int lock_fd;
	bool recovered; /* the threads run */
	pthread_t writer_thread, reader_thread;

	/* Owner's thread only. */
	struct store_conn lookup; /* for store_find; opened at first use */
	uint64_t next_run;
	bool failure_told;

	/* Writer's thread only (owner's until it is started and after it has been joined). */
	struct store_conn writer;
	struct journal journal;
	int checkpoint_at; /* frames */

	/* Reader's thread only. */
	struct store_conn reader;

	/* In memory there is one connection, the writer's, for all; this guards it. */
	pthread_mutex_t shared;

	/* Guarded by `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t writer_cond, reader_cond;
	struct store_items queue; /* batches */
	uint64_t queued_batches, queued_bytes;
	bool urgent;         /* a durable batch is queued */
	int64_t lazy_due_ns; /* CLOCK_MONOTONIC, when the oldest lazy batch is to go; 0: none */
	struct store_items reads;
	size_t n_reads;
	struct store_items done;
	bool woken; /* wake was called, store_step not yet */
	bool closing;
	bool refusing; /* a commit was rolled back and the owner does not know yet */
	struct temporal_error failure; /* why it has failed */
	struct store_stats stats;

	atomic_bool failed, stop;
};

/* Locks and gives the connection for a look-up or a read; NULL on failure. */
struct store_conn *store_enter(
	struct store *store, struct store_conn *own, struct temporal_error *err);
void store_leave(struct store *store);

/* Puts what is done on the list and wakes the owner. Any thread, without the lock. */
void store_publish(struct store *store, struct store_items *items);

/* Of a setting. */
uint32_t setting_checksum(uint32_t space, const char *key, const void *data, size_t size);
/* Visits all, checked. */
enum temporal_code settings_visit(
	struct store_conn *conn, const struct store_visitor *visitor, struct temporal_error *err);

/* writer.c */
void *writer_main(void *store);
bool writer_once(struct store *store, bool lazy); /* false: nothing to do */
void writer_checkpoint(struct store *store, bool truncate);
void writer_fail(struct store *store, const struct temporal_error *why);
/* Executes the operation within a transaction. */
int store_apply(struct store *store, struct store_batch *batch, const struct store_op *op);

/* reader.c */
void *reader_main(void *store);
bool reader_once(struct store *store);
void reader_refuse_all(struct store *store);

/* care.c: on the writer's connection. */
enum temporal_code care_backup(struct store *store, const char *path, struct temporal_error *err);

#endif
