/*
 * writer.c: the one thread that writes, commits and checkpoints.
 *
 *   queue -> everything that is there, up to a size -> one transaction -> sync -> done list
 *
 * Group commit by load: while a commit syncs, batches gather; the next takes them all. There is no
 * waiting for company, but for lazy batches, which wait for a durable one (or a while). Batches are
 * committed in the order in which they came, so none is durable before one that it builds on.
 *
 * What a failure means is decided in one place, commit_failed(): a full disk is rolled back and
 * told; anything else ends the store, since after a failed write or sync nobody knows what is on
 * the disk (the kernel marks the pages clean).
 */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "server/store/internal.h"

/* Of one transaction: beyond, a commit takes long for those who wait for it. */
#define GROUP_BYTES   (8 << 20)
#define GROUP_BATCHES 4096
/* So many lazy batches go without waiting longer. */
#define LAZY_BYTES   (1 << 20)
#define LAZY_BATCHES 256

/* ---- Queue ---- */

static void deliver_batch(struct store_item *item)
{
	struct store_batch *batch = (struct store_batch *)item;
	struct store_done done = {
		.code = batch->code,
		.err = batch->code == TEMPORAL_OK ? NULL : &batch->err,
		.deleted = batch->code == TEMPORAL_OK ? batch->deleted : 0,
	};

	if (batch->done)
		batch->done(batch->user, &done);
	store_batch_free(batch);
}

/* With the lock. */
static enum temporal_code check_submit(
	const struct store *store, const struct store_batch *batch, struct temporal_error *err)
{
	if (atomic_load(&store->failed))
		return error_set(err, TEMPORAL_UNAVAILABLE, "the store has failed: %s",
			store->failure.message);
	if (store->closing || !store->recovered)
		return error_set(err, TEMPORAL_UNAVAILABLE, "the store is not open");
	if (store->refusing)
		return error_set(
			err, TEMPORAL_RESOURCE_EXHAUSTED, "an earlier commit was rolled back");
	if (store->queued_batches >= store->opts.queue_batches ||
		(store->queued_batches &&
			store->queued_bytes + batch->bytes > store->opts.queue_bytes))
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"%llu batches with %llu bytes wait to be committed; expected fewer",
			(unsigned long long)store->queued_batches,
			(unsigned long long)store->queued_bytes);
	return TEMPORAL_OK;
}

/* With the lock: puts the batch in, and wakes the writer if it would sleep too long. */
static void enqueue(struct store *store, struct store_batch *batch)
{
	bool wake = !batch->lazy && !store->urgent;

	store_items_add(&store->queue, &batch->item);
	store->queued_batches++;
	store->queued_bytes += batch->bytes;
	if (!batch->lazy) {
		store->urgent = true;
	} else if (!store->lazy_due_ns) {
		store->lazy_due_ns = clock_steady_ns() + store->opts.lazy_ms * 1000000;
		wake = true;
	} else if (store->queued_batches >= LAZY_BATCHES || store->queued_bytes >= LAZY_BYTES) {
		wake = true;
	}
	if (wake)
		pthread_cond_signal(&store->writer_cond);
}

static enum temporal_code submit(
	struct store *store, struct store_batch *batch, struct temporal_error *err)
{
	pthread_mutex_lock(&store->lock);
	enum temporal_code code = check_submit(store, batch, err);
	if (code == TEMPORAL_OK)
		enqueue(store, batch);
	pthread_mutex_unlock(&store->lock);
	if (code != TEMPORAL_OK)
		store_batch_free(batch);
	return code;
}

enum temporal_code store_submit(struct store *store, struct store_batch *batch,
	enum store_urgency urgency, store_done_fn *done, void *user, struct temporal_error *err)
{
	if (!batch)
		return error_no_memory(err, "a batch for the store");
	if (batch->code != TEMPORAL_OK) {
		enum temporal_code code = batch->code;

		if (err)
			*err = batch->err;
		store_batch_free(batch);
		return code;
	}
	batch->item.deliver = deliver_batch;
	batch->lazy = urgency == STORE_LAZY;
	batch->done = done;
	batch->user = user;
	return submit(store, batch, err);
}

enum temporal_code store_backup(struct store *store, const char *path, store_done_fn *done,
	void *user, struct temporal_error *err)
{
	if (!store->path)
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"a database in memory cannot be copied; expected one with a file");
	struct store_batch *batch = store_batch_new();
	if (!batch)
		return error_no_memory(err, "a backup");
	batch->backup = arena_strdup(&batch->arena, path);
	if (!batch->backup)
		batch->code = error_no_memory(&batch->err, "a backup");
	return store_submit(store, batch, STORE_DURABLE, done, user, err);
}

/* With the lock: moves the front of the queue, which is one transaction, to `group`. */
static void take_group(struct store *store, struct store_items *group)
{
	struct store_batch *batch;
	uint64_t bytes = 0;
	int n = 0;

	store_items_init(group);
	while ((batch = (struct store_batch *)store->queue.first)) {
		if (n &&
			(batch->backup || n == GROUP_BATCHES || bytes + batch->bytes > GROUP_BYTES))
			break;
		store->queue.first = batch->item.next;
		store->queued_batches--;
		store->queued_bytes -= batch->bytes;
		bytes += batch->bytes;
		n++;
		store_items_add(group, &batch->item);
		if (batch->backup)
			break;
	}
	if (store->queue.first)
		return; /* what is left goes next, whatever it is */
	store_items_init(&store->queue);
	store->urgent = false;
	store->lazy_due_ns = 0;
}

/* ---- Commit ---- */

static int apply_batch(struct store *store, struct store_batch *batch)
{
	int code = SQLITE_OK;

	batch->deleted = 0;
	for (const struct store_op *op = batch->first; op && code == SQLITE_OK; op = op->next)
		code = store_apply(store, batch, op);
	return code;
}

static int transact(struct store *store, const struct store_items *group)
{
	int code = store_sql_run(&store->writer, SQL_BEGIN, "");

	for (struct store_item *item = group->first; item && code == SQLITE_OK; item = item->next)
		code = apply_batch(store, (struct store_batch *)item);
	return code == SQLITE_OK ? store_sql_run(&store->writer, SQL_COMMIT, "") : code;
}

void writer_fail(struct store *store, const struct temporal_error *why)
{
	pthread_mutex_lock(&store->lock);
	if (!atomic_load(&store->failed)) {
		store->failure = *why;
		atomic_store(&store->failed, true);
	}
	pthread_mutex_unlock(&store->lock);
}

/*
 * Rolls back. RESOURCE_EXHAUSTED: the database and the index are as before; else the store has
 * failed.
 */
static enum temporal_code commit_failed(struct store *store, int code, struct temporal_error *err)
{
	enum temporal_code result = store_sql_error(&store->writer, code, "cannot commit", err);

	if (result == TEMPORAL_RESOURCE_EXHAUSTED && !sqlite3_get_autocommit(store->writer.db)) {
		code = store_sql_run(&store->writer, SQL_ROLLBACK, "");
		if (code != SQLITE_OK)
			result = error_set(
				err, TEMPORAL_UNAVAILABLE, "cannot roll back: SQLite %d", code);
	}
	if (result == TEMPORAL_RESOURCE_EXHAUSTED &&
		journal_load(&store->journal, &store->writer, err) == TEMPORAL_OK)
		return result;
	writer_fail(store, err);
	return TEMPORAL_UNAVAILABLE;
}

static void note_commit(struct store *store, const struct store_items *group, int64_t took_ns)
{
	struct store_stats *stats = &store->stats;

	metrics_add(store->opts.commit_count, 1);
	metrics_observe(store->opts.commit_latency, took_ns);
	stats->commits++;
	stats->commit_ns += (uint64_t)took_ns;
	if ((uint64_t)took_ns > stats->commit_max_ns)
		stats->commit_max_ns = (uint64_t)took_ns;
	for (const struct store_item *item = group->first; item; item = item->next) {
		const struct store_batch *batch = (const struct store_batch *)item;

		stats->batches++;
		stats->records += (uint64_t)batch->records;
		stats->bytes += batch->bytes;
	}
}

/*
 * With the lock: the failure is that of the group and, since they may build on it, of all that are
 * queued. Until the owner has been told, nothing more is taken. So all of them go to the done list
 * at once: a store_step() between the two would take the owner for told. The group is empty then.
 */
static void fail_group(struct store *store, struct store_items *group, enum temporal_code code,
	const struct temporal_error *err)
{
	store_items_move(group, &store->queue);
	store->queued_batches = store->queued_bytes = 0;
	store->urgent = false;
	store->lazy_due_ns = 0;
	store->refusing = true;
	for (struct store_item *item = group->first; item; item = item->next) {
		struct store_batch *batch = (struct store_batch *)item;

		batch->code = code;
		batch->err = *err;
		batch->err.code = code;
	}
	store_items_move(&store->done, group);
}

static void commit_group(struct store *store, struct store_items *group)
{
	struct temporal_error err = { 0 };
	enum temporal_code result = TEMPORAL_OK;
	int64_t start_ns = clock_steady_ns();

	if (!store->path)
		pthread_mutex_lock(&store->shared);
	int code = transact(store, group);
	if (code != SQLITE_OK)
		result = commit_failed(store, code, &err);
	if (!store->path)
		pthread_mutex_unlock(&store->shared);
	pthread_mutex_lock(&store->lock);
	if (result == TEMPORAL_OK)
		note_commit(store, group, clock_steady_ns() - start_ns);
	else
		fail_group(store, group, result, &err);
	pthread_mutex_unlock(&store->lock);
}

static void back_up(struct store *store, struct store_batch *batch)
{
	batch->code = care_backup(store, batch->backup, &batch->err);
}

/* ---- Checkpoints ---- */

void writer_checkpoint(struct store *store, bool truncate)
{
	struct temporal_error err;
	int log = 0, copied = 0;

	if (!store->path || atomic_load(&store->failed))
		return;
	int code = sqlite3_wal_checkpoint_v2(store->writer.db, NULL,
		truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &log, &copied);
	/* A reader was in the way, or the disk is full: nothing is lost, it is tried again later.
	 */
	if (code != SQLITE_OK && store_sql_error(&store->writer, code, "cannot checkpoint", &err) !=
					 TEMPORAL_RESOURCE_EXHAUSTED)
		writer_fail(store, &err);
	pthread_mutex_lock(&store->lock);
	store->stats.checkpoints++;
	pthread_mutex_unlock(&store->lock);
}

/* After a checkpoint the log begins anew, or goes on if a reader still used it. */
static void checkpoint_if_due(struct store *store)
{
	int frames = store->writer.wal_frames;

	if (frames < store->checkpoint_at - store->opts.wal_pages)
		store->checkpoint_at = store->opts.wal_pages;
	if (frames < store->checkpoint_at)
		return;
	writer_checkpoint(store, false);
	store->checkpoint_at = frames + store->opts.wal_pages;
}

/* ---- Thread ---- */

/* The batches that came after the store had failed. */
static bool refuse_rest(struct store *store)
{
	struct store_items group;

	store_items_init(&group);
	pthread_mutex_lock(&store->lock);
	bool any = store->queue.first;
	fail_group(store, &group, TEMPORAL_UNAVAILABLE, &store->failure);
	pthread_mutex_unlock(&store->lock);
	store_publish(store, &group);
	return any;
}

bool writer_once(struct store *store, bool lazy)
{
	struct store_items group;

	if (atomic_load(&store->failed))
		return refuse_rest(store);
	pthread_mutex_lock(&store->lock);
	if (!store->urgent && !lazy)
		store_items_init(&group);
	else
		take_group(store, &group);
	pthread_mutex_unlock(&store->lock);
	if (!group.first)
		return false;
	struct store_batch *first = (struct store_batch *)group.first;
	if (first->backup)
		back_up(store, first);
	else
		commit_group(store, &group);
	store_publish(store, &group);
	checkpoint_if_due(store);
	if (atomic_load(&store->failed))
		(void)refuse_rest(store);
	return true;
}

/* With the lock: is there something to do now? */
static bool ready(const struct store *store)
{
	if (store->urgent || store->closing)
		return true;
	return store->lazy_due_ns &&
	       (store->queued_batches >= LAZY_BATCHES || store->queued_bytes >= LAZY_BYTES ||
		       clock_steady_ns() >= store->lazy_due_ns);
}

static void wait_for_work(struct store *store)
{
	while (!ready(store)) {
		struct timespec due = {
			.tv_sec = store->lazy_due_ns / 1000000000,
			.tv_nsec = store->lazy_due_ns % 1000000000,
		};

		if (store->lazy_due_ns)
			(void)pthread_cond_timedwait(&store->writer_cond, &store->lock, &due);
		else
			(void)pthread_cond_wait(&store->writer_cond, &store->lock);
	}
}

void *writer_main(void *user)
{
	struct store *store = user;

	for (;;) {
		pthread_mutex_lock(&store->lock);
		wait_for_work(store);
		bool closing = store->closing;
		pthread_mutex_unlock(&store->lock);
		if (!writer_once(store, true) && closing)
			return NULL;
	}
}
