/*
 * store.c: opening and closing, and the way back to the owner's thread.
 *
 * Three connections at most: the writer's, opened at once; the reader's and the owner's own (for
 * look-ups), opened when first used, so that an empty database is ready in a few milliseconds. A
 * store is manual (all work inside store_run) or has two threads; everything else is the same.
 */
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "server/store/checksum.h"
#include "server/store/internal.h"
#include "server/store/lock.h"

void store_items_init(struct store_items *items)
{
	items->first = NULL;
	items->last = &items->first;
}

void store_items_add(struct store_items *items, struct store_item *item)
{
	item->next = NULL;
	*items->last = item;
	items->last = &item->next;
}

void store_items_move(struct store_items *to, struct store_items *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	store_items_init(from);
}

/* ---- The way back ---- */

void store_publish(struct store *store, struct store_items *items)
{
	pthread_mutex_lock(&store->lock);
	store_items_move(&store->done, items);
	bool wake = !store->woken &&
		    (store->done.first || (atomic_load(&store->failed) && !store->failure_told));
	if (wake)
		store->woken = true;
	pthread_mutex_unlock(&store->lock);
	if (wake && store->opts.wake)
		store->opts.wake(store->opts.user);
}

/* Takes the list; what is published from now on wakes anew. */
static struct store_item *take_done(struct store *store, bool *refusing, bool *tell)
{
	pthread_mutex_lock(&store->lock);
	struct store_item *first = store->done.first;
	store_items_init(&store->done);
	store->woken = false;
	*refusing = store->refusing;
	*tell = atomic_load(&store->failed) && !store->failure_told;
	if (*tell)
		store->failure_told = true;
	pthread_mutex_unlock(&store->lock);
	return first;
}

void store_step(struct store *store)
{
	bool refusing, tell;
	struct store_item *next, *item = take_done(store, &refusing, &tell);

	for (; item; item = next) {
		next = item->next;
		item->deliver(item);
	}
	if (tell && store->opts.failed)
		store->opts.failed(store->opts.user, &store->failure);
	if (!refusing)
		return;
	/* All whose commit was rolled back know it now. */
	pthread_mutex_lock(&store->lock);
	store->refusing = false;
	pthread_mutex_unlock(&store->lock);
}

bool store_failed(const struct store *store)
{
	return atomic_load(&store->failed);
}

void store_stats(struct store *store, struct store_stats *out)
{
	pthread_mutex_lock(&store->lock);
	*out = store->stats;
	out->queued_batches = store->queued_batches;
	out->queued_bytes = store->queued_bytes;
	pthread_mutex_unlock(&store->lock);
}

bool store_run(struct store *store, bool lazy)
{
	bool any = writer_once(store, lazy);

	while (reader_once(store))
		any = true;
	return any;
}

/* ---- Connections ---- */

struct store_conn *store_enter(
	struct store *store, struct store_conn *own, struct temporal_error *err)
{
	if (!store->path) {
		pthread_mutex_lock(&store->shared);
		return &store->writer;
	}
	if (own->db)
		return own;
	if (store_conn_open(own, store->path, store->vfs, STORE_READER, err) != TEMPORAL_OK)
		return NULL;
	return own;
}

void store_leave(struct store *store)
{
	if (!store->path)
		pthread_mutex_unlock(&store->shared);
}

enum temporal_code store_reload(struct store *store, uint64_t run,
	const struct store_visitor *visitor, struct temporal_error *err)
{
	if (!store->path)
		return error_set(
			err, TEMPORAL_FAILED_PRECONDITION, "a database in memory keeps no journal");
	struct store_conn *conn = store_enter(store, &store->lookup, err);
	if (!conn)
		return TEMPORAL_UNAVAILABLE;
	enum temporal_code code = journal_visit(conn, run, NULL, visitor, err);
	store_leave(store);
	return code;
}

uint64_t store_new_run(struct store *store)
{
	return store->next_run++;
}

/* ---- Opening ---- */

static bool init_locks(struct store *store)
{
	pthread_condattr_t monotonic;

	if (pthread_condattr_init(&monotonic) != 0)
		return false;
	bool ok = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
		  pthread_cond_init(&store->writer_cond, &monotonic) == 0;
	pthread_condattr_destroy(&monotonic);
	/* The rest of these cannot fail on any system we run on. */
	return ok && pthread_cond_init(&store->reader_cond, NULL) == 0 &&
	       pthread_mutex_init(&store->lock, NULL) == 0 &&
	       pthread_mutex_init(&store->shared, NULL) == 0;
}

static bool copy_options(struct store *store, const struct store_opts *opts)
{
	store->opts = *opts;
	if (!store->opts.queue_bytes)
		store->opts.queue_bytes = STORE_QUEUE_BYTES;
	if (!store->opts.queue_batches)
		store->opts.queue_batches = STORE_QUEUE_BATCHES;
	if (!store->opts.lazy_ms)
		store->opts.lazy_ms = 200;
	if (!store->opts.wal_pages)
		store->opts.wal_pages = 4000;
	store->checkpoint_at = store->opts.wal_pages;
	store->path = opts->path ? mem_strdup(opts->path) : NULL;
	store->vfs = opts->vfs ? mem_strdup(opts->vfs) : NULL;
	return (store->path || !opts->path) && (store->vfs || !opts->vfs);
}

static void free_store(struct store *store)
{
	store_conn_close(&store->lookup);
	store_conn_close(&store->reader);
	store_conn_close(&store->writer);
	store_lock_release(store->lock_fd);
	journal_finish(&store->journal);
	pthread_cond_destroy(&store->writer_cond);
	pthread_cond_destroy(&store->reader_cond);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->shared);
	mem_free(store->path);
	mem_free(store->vfs);
	mem_free(store);
}

static enum temporal_code open_database(struct store *store, struct temporal_error *err)
{
	if (store->path && !store->opts.no_lock) {
		enum temporal_code code = store_lock_take(store->path, &store->lock_fd, err);

		if (code != TEMPORAL_OK)
			return code;
	}
	if (store->path && !store->vfs)
		store_create(store->path);
	return store_conn_open(&store->writer, store->path, store->vfs, STORE_WRITER, err);
}

struct store *store_open(const struct store_opts *opts, struct temporal_error *err)
{
	struct store *store = mem_zalloc(sizeof(*store));

	if (!store) {
		(void)error_no_memory(err, "the store");
		return NULL;
	}
	store->lock_fd = -1;
	store_items_init(&store->queue);
	store_items_init(&store->reads);
	store_items_init(&store->done);
	enum temporal_code code = TEMPORAL_OK;
	if (!init_locks(store) || !copy_options(store, opts))
		code = error_no_memory(err, "the store");
	if (code == TEMPORAL_OK)
		code = open_database(store, err);
	if (code == TEMPORAL_OK)
		return store;
	free_store(store);
	return NULL;
}

uint32_t setting_checksum(uint32_t space, const char *key, const void *data, size_t size)
{
	return store_checksum(space, store_crc32c(0, key, strlen(key)), 0, data, size);
}

static enum temporal_code visit_setting(
	sqlite3_stmt *stmt, const struct store_visitor *visitor, struct temporal_error *err)
{
	const void *data = sqlite3_column_blob(stmt, 3);
	struct store_setting setting = {
		.space = (uint32_t)sqlite3_column_int64(stmt, 0),
		.key = store_column_text(stmt, 1),
		.data = data ? data : "",
		.size = (size_t)sqlite3_column_bytes(stmt, 3),
	};

	if (sqlite3_column_int64(stmt, 2) !=
		setting_checksum(setting.space, setting.key, setting.data, setting.size))
		return error_set(err, TEMPORAL_DATA_LOSS,
			"the setting %s of space %u is damaged: its checksum differs", setting.key,
			setting.space);
	if (!visitor || !visitor->setting)
		return TEMPORAL_OK;
	return visitor->setting(visitor->user, &setting, err);
}

enum temporal_code settings_visit(
	struct store_conn *conn, const struct store_visitor *visitor, struct temporal_error *err)
{
	sqlite3_stmt *stmt = store_sql(conn, SQL_SETTINGS, "");
	enum temporal_code result = TEMPORAL_OK;
	int code = stmt ? sqlite3_step(stmt) : store_sql_code(conn);

	while (code == SQLITE_ROW && result == TEMPORAL_OK) {
		result = visit_setting(stmt, visitor, err);
		code = sqlite3_step(stmt);
	}
	if (result == TEMPORAL_OK && code != SQLITE_DONE)
		result = store_sql_error(conn, code, "cannot read the settings", err);
	if (stmt)
		store_sql_end(stmt);
	return result;
}

static enum temporal_code start_thread(pthread_t *thread, void *(*run)(void *), const char *name,
	struct store *store, struct temporal_error *err)
{
	sigset_t all, old;

	/* The program's signals are not for our threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int failure = pthread_create(thread, NULL, run, store);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (failure)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED, "cannot start a thread: %s",
			strerror(failure));
	(void)pthread_setname_np(*thread, name);
	return TEMPORAL_OK;
}

static void stop_thread(struct store *store, pthread_t thread)
{
	pthread_mutex_lock(&store->lock);
	store->closing = true;
	pthread_cond_broadcast(&store->writer_cond);
	pthread_cond_broadcast(&store->reader_cond);
	pthread_mutex_unlock(&store->lock);
	pthread_join(thread, NULL);
}

static enum temporal_code start_threads(struct store *store, struct temporal_error *err)
{
	enum temporal_code code =
		start_thread(&store->writer_thread, writer_main, "temporal-writer", store, err);

	if (code != TEMPORAL_OK)
		return code;
	code = start_thread(&store->reader_thread, reader_main, "temporal-reader", store, err);
	if (code != TEMPORAL_OK)
		stop_thread(store, store->writer_thread);
	return code;
}

enum temporal_code store_recover(
	struct store *store, const struct store_visitor *visitor, struct temporal_error *err)
{
	if (store->recovered)
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the store has given back its records already");
	enum temporal_code code = settings_visit(&store->writer, visitor, err);
	if (code == TEMPORAL_OK)
		code = journal_visit(&store->writer, 0, &store->journal, visitor, err);
	store->next_run = store->journal.reserved;
	if (code == TEMPORAL_OK && !store->opts.manual)
		code = start_threads(store, err);
	store->recovered = code == TEMPORAL_OK;
	return code;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	atomic_store(&store->stop, true);
	if (store->recovered && !store->opts.manual) {
		stop_thread(store, store->writer_thread);
		stop_thread(store, store->reader_thread);
	}
	while (writer_once(store, true))
		;
	pthread_mutex_lock(&store->lock);
	store->closing = true;
	pthread_mutex_unlock(&store->lock);
	reader_refuse_all(store);
	/* A callback may submit no more, so this ends. */
	while (store->done.first)
		store_step(store);
	writer_checkpoint(store, true);
	free_store(store);
}
