/*
 * Goal: closed runs are found by id, by conditions and page by page; their history is read whole;
 * deletion and retention take all of them; a database in memory does the same.
 * Method: a manual store, once on a disk in memory, once without a file.
 */
#include <unistd.h>

#include "store_fixture.h"

#include <limits.h>

static struct fault_disk *disk;
static struct store_opts opts = { .path = "db", .vfs = "disk", .no_lock = true, .manual = true };

struct seen {
	char text[4000];
	int pages, n;
	bool more;
	struct store_cursor next;
	struct store_count count;
};

static int set_up(void **state)
{
	disk = fault_disk_new("disk", 1);
	opts.path = "db";
	return 0;
}

static int set_up_memory(void **state)
{
	disk = fault_disk_new("disk", 1);
	opts.path = NULL;
	return 0;
}

static int tear_down(void **state)
{
	fault_disk_free(disk);
	return 0;
}

static void on_page(void *user, const struct store_page *page)
{
	struct seen *seen = user;

	assert_int_equal(page->code, TEMPORAL_OK);
	seen->pages++;
	seen->n += (int)page->n;
	seen->more = page->more;
	seen->next = page->next;
	for (size_t i = 0; i < page->n; i++) {
		size_t at = strlen(seen->text), room = sizeof(seen->text) - at;

		snprintf(seen->text + at, room, "%" PRIu64 " ", page->rows[i].run);
	}
}

static void on_count(void *user, const struct store_count *count)
{
	struct seen *seen = user;

	assert_int_equal(count->code, TEMPORAL_OK);
	seen->count = *count;
}

/* Runs 1 to n, closed one after the other; every third is of namespace 2. */
static struct store *open_with_runs(int n)
{
	static const struct store_history history[] = { { 1, 3, "a", 1 }, { 4, 2, "bb", 2 },
		{ 6, 5, "ccc", 3 } };
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&opts, &recovered);

	for (int run = 1; run <= n; run++) {
		struct store_attribute attribute = { "color", run % 2 ? "red" : "blue" };
		struct sample sample;

		sample_init(&sample, (uint64_t)run, 1000 + run);
		sample.closed.name_space = run % 3 ? 1 : 2;
		sample.closed.status = run % 4 + 2;
		sample.closed.expire_ns = 5000 + run;
		sample.closed.attributes = &attribute;
		sample.closed.n_attributes = 1;
		assert_int_equal(
			append_text(store, (uint64_t)run, 1, "open", &outcomes), TEMPORAL_OK);
		close_run(store, &sample.closed, history, 3, &outcomes);
	}
	settle(store);
	assert_int_equal(outcomes.ok, 2 * n);
	return store;
}

#define RED "run IN (SELECT run FROM closed_attribute WHERE name = 'color' AND value = 'red')"

static const char *list(struct store *store, struct seen *seen, const char *condition,
	const struct store_value *value)
{
	struct store_query query = { .name_space = 1,
		.condition = condition,
		.values = value,
		.n_values = value ? 1 : 0,
		.limit = 50 };

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(store_list(store, &query, on_page, seen, NULL), TEMPORAL_OK);
	settle(store);
	assert_int_equal(seen->pages, 1);
	return seen->text;
}

/* A closed run has left the journal, and is found with all its columns. */
static void closed_run_is_found(void **state)
{
	struct store *store = open_with_runs(5);
	struct temporal_error err;
	struct store_closed row;
	struct arena arena;

	arena_init(&arena, 256, ARENA_NO_BUDGET);
	assert_int_equal(store_find(store, 1, "wf-4", NULL, &arena, &row, &err), TEMPORAL_OK);
	assert_int_equal(row.run, 4);
	assert_string_equal(row.run_id, "id-4");
	assert_string_equal(row.type, "even");
	assert_string_equal(row.parent_run_id, "");
	assert_int_equal(row.start_ns, 994);
	assert_int_equal(row.expire_ns, 5004);
	assert_int_equal(row.info_size, 4);
	assert_memory_equal(row.info, "memo", 4);
	assert_int_equal(store_find(store, 1, "wf-4", "id-4", &arena, &row, &err), TEMPORAL_OK);
	assert_int_equal(
		store_find(store, 1, "wf-4", "id-5", &arena, &row, &err), TEMPORAL_NOT_FOUND);
	assert_int_equal(
		store_find(store, 2, "wf-4", NULL, &arena, &row, &err), TEMPORAL_NOT_FOUND);
	/* Of two runs of one id the one that was started last. */
	struct outcomes outcomes = { 0 };
	struct sample sample;
	sample_init(&sample, 50, 3000);
	sample.closed.workflow_id = "wf-4";
	close_run(store, &sample.closed, NULL, 0, &outcomes);
	settle(store);
	assert_int_equal(store_find(store, 1, "wf-4", NULL, &arena, &row, &err), TEMPORAL_OK);
	assert_int_equal(row.run, 50);
	arena_finish(&arena);
	store_close(store);
	if (!opts.path)
		return;
	struct recovered recovered;
	store = open_store(&opts, &recovered);
	assert_int_equal(recovered.n_records, 0);
	store_close(store);
}

/* Newest close first; each page goes on where the last ended; none is missed or doubled. */
static void pages_follow_each_other(void **state)
{
	struct store *store = open_with_runs(20);
	struct store_query query = { .name_space = 1, .limit = 3 };
	struct seen seen = { .more = true };

	while (seen.more) {
		assert_int_equal(store_list(store, &query, on_page, &seen, NULL), TEMPORAL_OK);
		settle(store);
		query.after = seen.next;
	}
	assert_string_equal(seen.text, "20 19 17 16 14 13 11 10 8 7 5 4 2 1 ");
	assert_int_equal(seen.pages, 5);
	store_close(store);
}

/* A condition with a value of each kind; no value is ever SQL. */
static void conditions_select(void **state)
{
	struct store *store = open_with_runs(20);
	struct seen seen;

	const struct {
		const char *condition;
		struct store_value value;
		const char *runs;
	} cases[] = {
		{ "workflow_id = ?2", { STORE_TEXT, .text = "wf-7", .length = 4 }, "7 " },
		{ "workflow_id = ?2", { STORE_TEXT, .text = "wf-70", .length = 4 }, "7 " },
		{ "status = ?2", { STORE_NUMBER, .number = 2 }, "20 16 8 4 " },
		{ "close_ns >= ?2", { STORE_NUMBER, .number = 1017 }, "20 19 17 " },
		{ "close_ns < ?2", { STORE_REAL, .real = 1003.5 }, "2 1 " },
		{ "task_queue = ?2", { STORE_TEXT, .text = "x' OR '1'='1", .length = 12 }, "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			list(store, &seen, cases[i].condition, &cases[i].value), cases[i].runs);
	assert_string_equal(list(store, &seen, RED, NULL), "19 17 13 11 7 5 1 ");
	store_close(store);
}

/* Counts are by status if that is asked for; the total is the same. */
static void counts_are_by_status(void **state)
{
	struct store *store = open_with_runs(20);
	struct seen seen = { 0 };
	struct store_query query = { .name_space = 1, .by_status = true };

	for (int by_status = 0; by_status < 2; by_status++) {
		query.by_status = by_status;
		assert_int_equal(store_count(store, &query, on_count, &seen, NULL), TEMPORAL_OK);
		settle(store);
		assert_int_equal(seen.count.total, 14);
	}
	assert_int_equal(seen.count.by_status[2], 4);
	assert_int_equal(seen.count.by_status[3], 4);
	store_close(store);
}

/* Whether the narrow condition is walked at once, after the other index was walked for too long, or
 * not at all: the page is the same. */
static void narrow_pages_are_the_same(void **state)
{
	enum {
		MANY = STORE_NARROW_MAX + 1000,
		FAR = 20000
	};
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&opts, &recovered);
	const struct store_query query = {
		.name_space = 1,
		.condition = "workflow_id >= 'old' AND workflow_id < 'ole'",
		.index = STORE_BY_CLOSE,
		.narrow = { .kind = STORE_NARROW_ID, .text = "old", .end = "ole" },
		.limit = 3,
	};
	struct seen seen = { 0 };

	for (int run = 1; run <= MANY + FAR; run++) {
		struct store_batch *batch = store_batch_new();
		struct sample sample;

		sample_init(&sample, (uint64_t)run, 1000 + run);
		sample.closed.name_space = 1;
		sample.closed.workflow_id = run <= MANY ? "old" : "new";
		store_batch_close(batch, &sample.closed, NULL, 0);
		assert_int_equal(store_submit(store, batch, STORE_LAZY, on_done, &outcomes, NULL),
			TEMPORAL_OK);
		if (run == 10 || run == MANY || run == MANY + FAR) {
			char expected[64];
			int last = run < MANY ? run : MANY;

			settle(store);
			seen = (struct seen){ 0 };
			assert_int_equal(
				store_list(store, &query, on_page, &seen, NULL), TEMPORAL_OK);
			settle(store);
			snprintf(expected, sizeof(expected), "%d %d %d ", last, last - 1, last - 2);
			assert_string_equal(seen.text, expected);
			assert_true(seen.more);
		}
		if (run % 500 == 0)
			settle(store);
	}
	store_close(store);
}

static void on_stopped(void *user, const struct store_count *count)
{
	*(enum temporal_code *)user = count->code;
}

/* A count that would take hours does not keep the store from being closed. */
static void closing_ends_a_count(void **state)
{
	const struct store_opts threaded = { 0 };
	const struct store_query query = { .name_space = 1,
		.condition = "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c"
			     " WHERE x < 1000000000000) SELECT count(*) FROM c) > 0" };
	enum temporal_code code = TEMPORAL_OK;
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&threaded, &recovered);
	struct store_batch *batch = store_batch_new();
	struct sample sample;

	sample_init(&sample, 1, 1000);
	sample.closed.name_space = 1;
	store_batch_close(batch, &sample.closed, NULL, 0);
	assert_int_equal(
		store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, NULL), TEMPORAL_OK);
	while (!outcomes.ok) {
		usleep(1000);
		store_step(store);
	}
	assert_int_equal(store_count(store, &query, on_stopped, &code, NULL), TEMPORAL_OK);
	usleep(20000); /* it runs; if it does not yet, it is refused, which is as good */
	store_close(store);
	assert_int_equal(code, TEMPORAL_UNAVAILABLE);
}

static enum temporal_code take_part(
	void *user, const struct store_history *part, struct temporal_error *err)
{
	struct seen *seen = user;
	size_t at = strlen(seen->text);

	snprintf(seen->text + at, sizeof(seen->text) - at, "%" PRId64 ":%.*s ", part->first_event,
		(int)part->size, (const char *)part->data);
	return TEMPORAL_OK;
}

static const char *history(struct store *store, struct seen *seen, uint64_t run)
{
	memset(seen, 0, sizeof(*seen));
	assert_int_equal(store_load_history(store, run, take_part, seen, NULL), TEMPORAL_OK);
	return seen->text;
}

/* Part by part, in order; of a run that is not there, none. */
static void history_is_read_in_parts(void **state)
{
	struct store *store = open_with_runs(5);
	struct seen seen;

	assert_string_equal(history(store, &seen, 4), "1:a 4:bb 6:ccc ");
	assert_string_equal(history(store, &seen, 99), "");
	store_close(store);
}

/* Deletion takes row, history and attributes; retention the oldest first, as many as it is told. */
static void deletion_and_retention(void **state)
{
	struct store *store = open_with_runs(10);
	struct outcomes outcomes = { 0 };
	struct store_batch *batch = store_batch_new();
	struct seen seen;
	int64_t expiry = 0;

	assert_int_equal(store_next_expiry(store, &expiry, NULL), TEMPORAL_OK);
	assert_int_equal(expiry, 5001);
	store_batch_delete(batch, 4);
	store_batch_delete(batch, 4000);
	store_batch_expire(batch, 5007, 5);
	assert_int_equal(
		store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, NULL), TEMPORAL_OK);
	settle(store);
	assert_int_equal(outcomes.deleted, 6);
	assert_string_equal(list(store, &seen, NULL, NULL), "10 8 7 ");
	assert_string_equal(history(store, &seen, 4), "");
	assert_string_equal(list(store, &seen, RED, NULL), "7 ");
	assert_int_equal(store_next_expiry(store, &expiry, NULL), TEMPORAL_OK);
	assert_int_equal(expiry, 5007);
	batch = store_batch_new();
	store_batch_expire(batch, INT64_MAX - 1, INT_MAX / 1024);
	assert_int_equal(
		store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, NULL), TEMPORAL_OK);
	settle(store);
	assert_int_equal(store_next_expiry(store, &expiry, NULL), TEMPORAL_OK);
	assert_true(expiry == INT64_MAX);
	store_close(store);
}

#define TEST(name_) \
	cmocka_unit_test_setup_teardown(name_, set_up, tear_down), \
		cmocka_unit_test_setup_teardown(name_, set_up_memory, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(closed_run_is_found),
		TEST(pages_follow_each_other),
		TEST(conditions_select),
		TEST(counts_are_by_status),
		TEST(narrow_pages_are_the_same),
		cmocka_unit_test(closing_ends_a_count),
		TEST(history_is_read_in_parts),
		TEST(deletion_and_retention),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
