/*
 * reader.c: lists and counts of closed runs, one after the other on a thread and a
 * connection of their own, so that a long scan delays neither commits nor the owner. Each read ends
 * its statement before the next begins: no snapshot is held that would keep the log from being
 * reused. In memory there is one connection for all, which store_enter() lends.
 */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "server/store/internal.h"

static void free_read(struct store_read *read)
{
	arena_finish(&read->arena);
	mem_free(read);
}

static void deliver_read(struct store_item *item)
{
	struct store_read *read = (struct store_read *)item;

	if (read->kind == READ_COUNT)
		read->count_done(read->user, &read->count);
	else
		read->page_done(read->user, &read->page);
	free_read(read);
}

static void set_result(struct store_read *read, enum temporal_code code)
{
	const struct temporal_error *err = code == TEMPORAL_OK ? NULL : &read->err;

	read->page.code = read->count.code = code;
	read->page.err = read->count.err = err;
	if (code != TEMPORAL_OK) {
		read->page.n = 0;
		read->page.more = false;
	}
}

static enum temporal_code execute(struct store *store, struct store_read *read)
{
	struct store_conn *conn = store_enter(store, &store->reader, &read->err);
	enum temporal_code code;

	if (!conn)
		return TEMPORAL_UNAVAILABLE;
	code = read->kind == READ_LIST ? query_list(conn, read, &store->stop)
				       : query_count(conn, read, &store->stop);
	store_leave(store);
	return code;
}

/* The oldest read; with the lock. */
static struct store_read *take(struct store *store)
{
	struct store_read *read = (struct store_read *)store->reads.first;

	if (!read)
		return NULL;
	store->reads.first = read->item.next;
	if (!store->reads.first)
		store->reads.last = &store->reads.first;
	store->n_reads--;
	store->stats.reads++;
	return read;
}

static void answer(struct store *store, struct store_read *read)
{
	struct store_items items;

	store_items_init(&items);
	set_result(read, execute(store, read));
	store_items_add(&items, &read->item);
	store_publish(store, &items);
}

bool reader_once(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	struct store_read *read = take(store);
	pthread_mutex_unlock(&store->lock);
	if (read)
		answer(store, read);
	return read;
}

void *reader_main(void *user)
{
	struct store *store = user;

	for (;;) {
		pthread_mutex_lock(&store->lock);
		while (!store->reads.first && !store->closing)
			pthread_cond_wait(&store->reader_cond, &store->lock);
		bool more = store->reads.first && !store->closing;
		pthread_mutex_unlock(&store->lock);
		if (!more)
			return NULL;
		(void)reader_once(store);
	}
}

/* When the store is being closed: those that were not begun. */
void reader_refuse_all(struct store *store)
{
	struct store_items items;
	struct store_read *read;

	store_items_init(&items);
	pthread_mutex_lock(&store->lock);
	while ((read = take(store))) {
		set_result(read,
			error_set(&read->err, TEMPORAL_UNAVAILABLE, "the store is being closed"));
		store_items_add(&items, &read->item);
	}
	pthread_mutex_unlock(&store->lock);
	store_publish(store, &items);
}

static struct store_read *new_read(enum store_read_kind kind, void *user)
{
	struct store_read *read = mem_zalloc(sizeof(*read));

	if (!read)
		return NULL;
	read->item.deliver = deliver_read;
	read->kind = kind;
	read->user = user;
	arena_init(&read->arena, 1024, ARENA_NO_BUDGET);
	return read;
}

static enum temporal_code check_queue(struct store *store, struct temporal_error *err)
{
	if (atomic_load(&store->failed))
		return error_set(err, TEMPORAL_UNAVAILABLE, "the store has failed: %s",
			store->failure.message);
	if (store->closing)
		return error_set(err, TEMPORAL_UNAVAILABLE, "the store is being closed");
	if (store->n_reads >= STORE_READS_MAX)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"%d reads are waiting; expected fewer", STORE_READS_MAX);
	return TEMPORAL_OK;
}

/* Queues the read, or frees it. */
static enum temporal_code queue_read(
	struct store *store, struct store_read *read, struct temporal_error *err)
{
	pthread_mutex_lock(&store->lock);
	enum temporal_code code = check_queue(store, err);
	if (code == TEMPORAL_OK) {
		store_items_add(&store->reads, &read->item);
		store->n_reads++;
		pthread_cond_signal(&store->reader_cond);
	}
	pthread_mutex_unlock(&store->lock);
	if (code != TEMPORAL_OK)
		free_read(read);
	return code;
}

static bool keep_text(struct store_read *read, const char **text)
{
	const char *given = *text;

	*text = arena_strdup(&read->arena, given);
	return *text || !given;
}

/* The read's own copy. */
static bool keep_query(struct store_read *read, const struct store_query *query)
{
	struct store_value *values = arena_array(&read->arena, query->n_values, sizeof(*values));
	bool kept = values;

	read->query = *query;
	if (!read->query.limit || read->query.limit > STORE_PAGE_MAX)
		read->query.limit = STORE_PAGE_MAX;
	for (size_t i = 0; i < query->n_values && kept; i++) {
		values[i] = query->values[i];
		if (values[i].kind == STORE_TEXT)
			values[i].text = arena_memdup(&read->arena,
				values[i].text ? values[i].text : "", values[i].length);
		kept = values[i].kind != STORE_TEXT || values[i].text;
	}
	read->query.values = values;
	return kept && keep_text(read, &read->query.condition) &&
	       keep_text(read, &read->query.totals_without) &&
	       keep_text(read, &read->query.narrow.name) &&
	       keep_text(read, &read->query.narrow.text) &&
	       keep_text(read, &read->query.narrow.end);
}

static enum temporal_code query_read(struct store *store, struct store_read *read,
	const struct store_query *query, struct temporal_error *err)
{
	if (read && keep_query(read, query))
		return queue_read(store, read, err);
	if (read)
		free_read(read);
	return error_no_memory(err, "a query");
}

enum temporal_code store_list(struct store *store, const struct store_query *query,
	store_page_fn *done, void *user, struct temporal_error *err)
{
	struct store_read *read = new_read(READ_LIST, user);

	if (read)
		read->page_done = done;
	return query_read(store, read, query, err);
}

enum temporal_code store_count(struct store *store, const struct store_query *query,
	store_count_fn *done, void *user, struct temporal_error *err)
{
	struct store_read *read = new_read(READ_COUNT, user);

	if (read)
		read->count_done = done;
	return query_read(store, read, query, err);
}
