/*
 * store.h: what the server keeps. All SQL of the server is behind this header.
 *
 * Two things are kept. *Open* runs are a journal: each transition of a run is one record (a blob
 * that the store does not understand); the state lives in the server's memory and is rebuilt from
 * the records when the store is opened. *Closed* runs are rows: columns to find them by, and their
 * history; they stay on disk and are read on demand. Beside them there are settings (namespaces,
 * search attributes, endpoints): small values by space and key, all given back at opening.
 *
 * Changes are gathered in a batch, which is committed as a whole or not at all, in the order in
 * which batches were submitted. Its completion comes back through store_step() on the thread that
 * owns the store (the server's loop), after its commit has been synced to the disk.
 *
 *   store_open -> store_recover (settings, then records in order) -> submit, read, look up
 *   writer or reader thread -> opts.wake() -> the loop calls store_step() -> done callbacks
 *
 * Unless a function says otherwise it is called on the owner's thread, and never blocks on a sync.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

struct metrics_series;

struct arena;
struct store;
struct store_batch;

#define STORE_RUN_MAX       ((UINT64_C(1) << 42) - 1) /* a run's number */
#define STORE_EVENT_MAX     ((1 << 20) - 1)           /* the number of an event in its history */
#define STORE_BLOB_MAX      (64 << 20)                /* bytes of one record or history batch */
#define STORE_TEXT_MAX      (64 << 10)                /* bytes of one text column or key */
#define STORE_QUEUE_BYTES   (64 << 20)                /* default limits of what is queued */
#define STORE_QUEUE_BATCHES 100000
#define STORE_READS_MAX     10000
#define STORE_PAGE_MAX      1000 /* rows of one read */

/* ---- Opening ---- */

struct store_opts {
	const char *path; /* the database file; NULL: in memory, gone when it is closed */
	const char *vfs;  /* SQLite's name of another VFS (tests); NULL: the system's */
	bool no_lock;     /* no lock file beside it (with another VFS) */
	/*
	 * No threads: what is queued is worked off inside store_run(). For simulation and tests.
	 */
	bool manual;
	size_t queue_bytes, queue_batches; /* 0: the defaults above */
	int64_t lazy_ms; /* a lazy batch waits at most so long for company; 0: 200 */
	int wal_pages;   /* checkpoint when the write-ahead log is longer; 0: 4000 */
	/* The number of commits, and how long each took; NULL: not counted. */
	struct metrics_series *commit_count, *commit_latency;
	/*
	 * There is something for store_step(). Called on the store's own threads (manual: inside
	 * store_run or a read), with no lock held; not again until store_step() has been called.
	 */
	void (*wake)(void *user);
	/*
	 * The store has failed (a sync or write failed, the file is corrupt): nothing more will be
	 * committed until the database is opened again. Called once, from store_step().
	 */
	void (*failed)(void *user, const struct temporal_error *why);
	void *user; /* of these two */
};

/*
 * Opens or makes the database, takes its lock and brings its schema up to date. Strings are
 * copied. NULL on failure: FAILED_PRECONDITION when another process has it open, or it is no
 * database of ours, or of a newer version; DATA_LOSS when it is corrupt; UNAVAILABLE when the file
 * cannot be opened.
 */
struct store *store_open(const struct store_opts *opts, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* What is given back when a database is opened. Pointers hold during the callback. */
struct store_setting {
	uint32_t space; /* the server's own numbers */
	const char *key;
	const void *data;
	size_t size;
};

struct store_record {
	uint64_t run;     /* whose it is: a number from store_new_run() */
	uint32_t kind;    /* the server's own numbers */
	uint32_t ordinal; /* 1, 2, ... within the run since it was begun or dropped */
	const void *data;
	size_t size;
};

/* Callbacks return OK to go on; anything else stops and becomes the result. Either may be NULL. */
struct store_visitor {
	enum temporal_code (*setting)(
		void *user, const struct store_setting *setting, struct temporal_error *err);
	enum temporal_code (*record)(
		void *user, const struct store_record *record, struct temporal_error *err);
	void *user;
};

/*
 * Gives back all settings, then all records of open runs in the order in which they were
 * submitted, and starts the store's threads. Called once, before anything below. DATA_LOSS when a
 * record is damaged or missing.
 */
enum temporal_code store_recover(struct store *store, const struct store_visitor *visitor,
	struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * Commits what is still queued, calls all callbacks that are due (inside this call), checkpoints
 * and closes. NULL is fine.
 */
void store_close(struct store *store);

/* Calls the callbacks of all that is done. */
void store_step(struct store *store);

/*
 * manual only: commits what is queued (one transaction; `lazy`: even when only lazy batches are
 * there) and executes the queued reads. True if there was anything to do.
 */
bool store_run(struct store *store, bool lazy);

/* A number that no run, open, closed or deleted, has had in this database. */
uint64_t store_new_run(struct store *store);

bool store_failed(const struct store *store);

/* ---- Changes ---- */

/*
 * An empty batch. What is put in is copied; if memory is out or a limit is broken on the way,
 * the batch remembers it and store_submit() says so. NULL when memory is out (and NULL may be
 * handed to all functions below).
 */
struct store_batch *store_batch_new(void) __attribute__((warn_unused_result));
void store_batch_free(struct store_batch *batch); /* one that is not submitted */

/* Appends a record to the journal of an open run. In memory: nothing to do. */
void store_batch_append(
	struct store_batch *batch, uint64_t run, uint32_t kind, const void *data, size_t size);

/*
 * Deletes all records of the run: an open run is deleted; or, with an append after it in the same
 * batch, the journal of a run is replaced by a snapshot.
 */
void store_batch_drop(struct store_batch *batch, uint64_t run);

/* Sets or deletes a setting. */
void store_batch_set(
	struct store_batch *batch, uint32_t space, const char *key, const void *data, size_t size);
void store_batch_unset(struct store_batch *batch, uint32_t space, const char *key);

/* A part of a history: events first_event ... first_event + events - 1, encoded. */
struct store_history {
	int64_t first_event, events;
	const void *data;
	size_t size;
};

/* A search attribute, by whose value closed runs are found quickly. */
struct store_attribute {
	const char *name, *value;
};

/* A closed run. Times in ns since the epoch; NULL strings are kept as empty ones. */
struct store_closed {
	uint64_t run;        /* its number */
	uint32_t name_space; /* the number of its namespace */
	int32_t status;      /* WorkflowExecutionStatus */
	const char *workflow_id, *run_id, *type, *task_queue;
	const char *parent_workflow_id, *parent_run_id, *root_workflow_id, *root_run_id;
	int64_t start_ns, execution_ns, close_ns;
	int64_t expire_ns; /* when retention ends; INT64_MAX: never */
	int64_t history_length, history_size, transitions;
	const void *info; /* whatever else the server wants back with it: memo, ... */
	size_t info_size;
	/* The run's records stay in the journal too: it still has something to do. */
	bool keep_records;
	const struct store_attribute *attributes; /* not given back by reads */
	size_t n_attributes;
};

/*
 * Moves a run from the journal to the closed runs: its records are deleted, the row and the
 * history written. Done again, it replaces the row. For a lazy batch.
 */
void store_batch_close(struct store_batch *batch, const struct store_closed *closed,
	const struct store_history *history, size_t n_history);

/* Deletes a closed run and its history; nothing if there is none. */
void store_batch_delete(struct store_batch *batch, uint64_t run);

/* Deletes at most `limit` closed runs with expire_ns <= now_ns, oldest first. */
void store_batch_expire(struct store_batch *batch, int64_t now_ns, int limit);

/* What of a batch `done` reports. */
struct store_done {
	enum temporal_code code;
	const struct temporal_error *err; /* when code is not OK; holds during the call */
	int64_t deleted;                  /* closed runs that delete and expire took away */
};
typedef void store_done_fn(void *user, const struct store_done *done);

enum store_urgency {
	STORE_DURABLE, /* commit as soon as the disk can */
	STORE_LAZY,    /* rides with the next durable batch, or goes after opts.lazy_ms, or when
			  much has gathered; what is acknowledged elsewhere may not depend on it */
};

/*
 * Queues the batch, which belongs to the store from now on, whatever comes back. OK: `done` (may
 * be NULL) is called exactly once, from a later store_step(). Otherwise it is never called:
 *   RESOURCE_EXHAUSTED  the queue is full, or the disk was (see below)
 *   UNAVAILABLE         the store has failed
 *   NO_MEMORY, INVALID_ARGUMENT (a limit above) of the batch itself
 *
 * A commit that fails since the disk or memory is full is rolled back: `done` says
 * RESOURCE_EXHAUSTED for all its batches and for all that are queued behind them, and store_submit
 * says so until store_step() has told; so nothing is ever committed that builds on what was rolled
 * back. The owner then goes back to what store_reload() gives. After any other failure every batch
 * gets UNAVAILABLE: it may or may not be found when the database is opened again.
 */
enum temporal_code store_submit(struct store *store, struct store_batch *batch,
	enum store_urgency urgency, store_done_fn *done, void *user, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * Gives the committed records of one open run again. Reads the disk: only after
 * RESOURCE_EXHAUSTED. FAILED_PRECONDITION in memory.
 */
enum temporal_code store_reload(struct store *store, uint64_t run,
	const struct store_visitor *visitor, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* ---- Reading closed runs ---- */

/*
 * The closed run of this id that was started last, or with run_id (not NULL or empty) that one;
 * strings and info in `arena`. A look-up by index of a few microseconds on the calling thread, so
 * that the server's decisions need not wait. It sees all batches whose `done` has been called. OK,
 * NOT_FOUND, or UNAVAILABLE, NO_MEMORY.
 */
enum temporal_code store_find(struct store *store, uint32_t name_space, const char *workflow_id,
	const char *run_id, struct arena *arena, struct store_closed *out,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* The closed run of this number; otherwise as store_find. */
enum temporal_code store_find_run(struct store *store, uint64_t run, struct arena *arena,
	struct store_closed *out, struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * The whole history of a closed run, part by part in order, on the calling thread: for one that
 * comes back into memory. The part holds during the call; what `take` returns other than OK ends
 * it. DATA_LOSS when a part is damaged or missing.
 */
typedef enum temporal_code store_part_fn(
	void *user, const struct store_history *part, struct temporal_error *err);
enum temporal_code store_load_history(struct store *store, uint64_t run, store_part_fn *take,
	void *user, struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * Where a page ended; all zero is the beginning. Opaque, but may be carried over the wire. With
 * close_ns alone: before all that was closed at that time or later.
 */
struct store_cursor {
	int64_t close_ns, start_ns;
	uint64_t run;
};

/* A value to be bound to the parameters of a condition. */
struct store_value {
	enum {
		STORE_NUMBER,
		STORE_REAL,
		STORE_TEXT
	} kind;
	int64_t number;
	double real;
	const char *text;
	size_t length;
};

/*
 * Which index a query is to walk: the caller knows best which of its conditions leaves the fewest
 * rows. These give the rows in the order of a list (BY_RUN_ID: there is one).
 */
enum store_index {
	STORE_BY_CHOICE, /* SQLite's */
	STORE_BY_CLOSE,
	STORE_BY_WORKFLOW_ID, /* the condition demands a workflow id; and so on */
	STORE_BY_TYPE,
	STORE_BY_TASK_QUEUE,
	STORE_BY_STATUS,
	STORE_BY_RUN_ID,
};

/*
 * A condition with an index that gives the rows in another order: it is walked, and what it gives
 * sorted, if it gives few (STORE_NARROW_MAX); else the query's own index is, and this one only if
 * that takes long. The query's condition has to imply it.
 */
#define STORE_NARROW_MAX 5000
struct store_narrow {
	enum {
		STORE_NO_NARROW,
		STORE_NARROW_ID,        /* workflow ids from `text` up to, but not, `end` */
		STORE_NARROW_START,     /* start_ns from `first` to `last` */
		STORE_NARROW_ATTRIBUTE, /* the search attribute `name` has the value `text` */
	} kind;
	const char *name, *text, *end;
	int64_t first, last;
};

/* Which closed runs, newest close first (then newest start). */
struct store_query {
	uint32_t name_space;
	/*
	 * NULL: all; or SQL over closed_run and closed_attribute that has to hold; its parameters
	 * are ?2 and on, bound to `values`. Its text is the server's own: nothing of a request may
	 * be in it.
	 */
	const char *condition;
	const struct store_value *values;
	size_t n_values;
	enum store_index index;
	struct store_narrow narrow;
	/*
	 * Counts alone: the condition says no more than that the status is this one (0: any), as
	 * long as no closed run has this search attribute. Then totals that are kept are the
	 * answer. NULL: it says more.
	 */
	const char *totals_without;
	int32_t totals_status;
	bool by_status;            /* counts alone: by_status is wanted, not only the total */
	struct store_cursor after; /* for counts too */
	size_t limit;              /* rows of the page; at most STORE_PAGE_MAX */
};

/* All pointers hold during the callback. */
struct store_page {
	enum temporal_code code;
	const struct temporal_error *err;
	const struct store_closed *rows;
	size_t n;
	bool more;
	struct store_cursor next; /* if more */
};
typedef void store_page_fn(void *user, const struct store_page *page);

struct store_count {
	enum temporal_code code;
	const struct temporal_error *err;
	int64_t total;
#define STORE_STATUS_MAX 32
	int64_t by_status[STORE_STATUS_MAX]; /* unless it is wanted, all may be in its first */
};
typedef void store_count_fn(void *user, const struct store_count *count);

/*
 * Reads on the reader's thread; the callback comes from a later store_step(). The query is copied.
 * Errors as those of store_submit; on error the callback is never called.
 */
enum temporal_code store_list(struct store *store, const struct store_query *query,
	store_page_fn *done, void *user, struct temporal_error *err)
	__attribute__((warn_unused_result));
enum temporal_code store_count(struct store *store, const struct store_query *query,
	store_count_fn *done, void *user, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* The earliest expire_ns of a closed run, INT64_MAX if there is none. By index, as store_find. */
enum temporal_code store_next_expiry(struct store *store, int64_t *expire_ns,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* ---- Care ---- */

/*
 * Copies the database to a new file while it is in use, and checks the copy. Runs on the writer's
 * thread: commits wait meanwhile. `done` as of store_submit. ALREADY_EXISTS when the file is
 * there.
 */
enum temporal_code store_backup(struct store *store, const char *path, store_done_fn *done,
	void *user, struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * The same from a file, which a store may have open in this or another process: the copy has what
 * was committed when it began. Blocks; any thread.
 */
enum temporal_code store_backup_file(const char *db, const char *path, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * Checks a database that nobody has open: SQLite's integrity_check, and each record and history by
 * its checksum. OK; DATA_LOSS with the first problem. Blocks; any thread.
 */
enum temporal_code store_check(const char *path, const char *vfs, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Figures since opening, for metrics. Any thread. */
struct store_stats {
	uint64_t commits, batches, records, bytes; /* committed */
	uint64_t queued_batches, queued_bytes;     /* now */
	uint64_t checkpoints, reads;
	uint64_t commit_ns, commit_max_ns; /* sum and longest, from begin to synced */
};
void store_stats(struct store *store, struct store_stats *out);

#endif
