/*
 * Goal: what is committed is given back, in order, and nothing else; batches are grouped, urgent
 * and lazy ones as promised; numbers of runs are never given twice.
 * Method: a manual store on a disk in memory, closed and opened again.
 */
#include "store_fixture.h"

#include <time.h>

#include "server/store/checksum.h"

static struct fault_disk *disk;
static const struct store_opts manual = {
	.path = "db", .vfs = "disk", .no_lock = true, .manual = true
};

static int set_up(void **state)
{
	disk = fault_disk_new("disk", 1);
	return 0;
}

static int tear_down(void **state)
{
	fault_disk_free(disk);
	return 0;
}

/* Records and settings come back, in the order of submission, with their places in their run. */
static void records_come_back_in_order(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&manual, &recovered);

	assert_int_equal(recovered.n_records, 0);
	uint64_t a = store_new_run(store), b = store_new_run(store);
	assert_true(a > 0 && b > a);
	assert_int_equal(append_text(store, b, 7, "b1", &outcomes), TEMPORAL_OK);
	struct store_batch *batch = store_batch_new();
	store_batch_append(batch, a, 1, "a1", 2);
	store_batch_append(batch, b, 8, "", 0);
	store_batch_set(batch, 3, "default", "namespace", 9);
	store_batch_set(batch, 3, "gone", "x", 1);
	store_batch_unset(batch, 3, "gone");
	assert_int_equal(
		store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, NULL), TEMPORAL_OK);
	assert_int_equal(outcomes.ok, 0);
	settle(store);
	assert_int_equal(outcomes.ok, 2);
	store_close(store);
	char expected[128];
	snprintf(expected, sizeof(expected),
		"%" PRIu64 ".1:7=b1 %" PRIu64 ".1:1=a1 %" PRIu64 ".2:8= ", b, a, b);
	store = open_store(&manual, &recovered);
	assert_string_equal(recovered.records, expected);
	assert_string_equal(recovered.settings, "3/default=namespace ");
	store_close(store);
}

/* A snapshot replaces the records of its run alone; the places begin anew. */
static void snapshot_replaces_records(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&manual, &recovered);

	for (int i = 0; i < 20; i++) {
		assert_int_equal(append_text(store, 1, 1, "old", &outcomes), TEMPORAL_OK);
		if (i % 5 == 0)
			assert_int_equal(append_text(store, 2, 2, "keep", &outcomes), TEMPORAL_OK);
	}
	struct store_batch *batch = store_batch_new();
	store_batch_drop(batch, 1);
	store_batch_append(batch, 1, 9, "snapshot", 8);
	assert_int_equal(
		store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, NULL), TEMPORAL_OK);
	assert_int_equal(append_text(store, 1, 1, "new", &outcomes), TEMPORAL_OK);
	settle(store);
	store_close(store);
	store = open_store(&manual, &recovered);
	assert_string_equal(recovered.records,
		"2.1:2=keep 2.2:2=keep 2.3:2=keep 2.4:2=keep 1.1:9=snapshot 1.2:1=new ");
	store_close(store);
}

/* All that is queued is one commit with one sync. */
static void queue_is_one_commit(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store_stats before, after;
	struct store *store = open_store(&manual, &recovered);

	/* The first commit also makes the log's header. */
	assert_int_equal(append_text(store, 1, 1, "first", &outcomes), TEMPORAL_OK);
	settle(store);
	store_stats(store, &before);
	long syncs = fault_disk_syncs(disk);
	for (int i = 0; i < 100; i++)
		assert_int_equal(append_text(store, 1, 1, "x", &outcomes), TEMPORAL_OK);
	store_stats(store, &after);
	assert_int_equal(after.queued_batches, 100);
	settle(store);
	store_stats(store, &after);
	assert_int_equal(after.commits - before.commits, 1);
	assert_int_equal(after.records - before.records, 100);
	assert_int_equal(after.queued_batches, 0);
	assert_int_equal(fault_disk_syncs(disk) - syncs, 1);
	assert_int_equal(outcomes.ok, 101);
	store_close(store);
}

/* A lazy batch alone waits; with a durable one behind it, both go, in order. */
static void lazy_batch_rides_along(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&manual, &recovered);
	struct store_batch *batch = store_batch_new();

	store_batch_append(batch, 1, 1, "lazy", 4);
	assert_int_equal(
		store_submit(store, batch, STORE_LAZY, on_done, &outcomes, NULL), TEMPORAL_OK);
	assert_false(store_run(store, false));
	assert_int_equal(append_text(store, 1, 1, "durable", &outcomes), TEMPORAL_OK);
	assert_true(store_run(store, false));
	store_step(store);
	assert_int_equal(outcomes.ok, 2);
	store_close(store);
	store = open_store(&manual, &recovered);
	assert_string_equal(recovered.records, "1.1:1=lazy 1.2:1=durable ");
	store_close(store);
}

/* What is still queued at closing is committed and told. */
static void closing_commits_the_queue(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&manual, &recovered);

	assert_int_equal(append_text(store, 1, 1, "late", &outcomes), TEMPORAL_OK);
	store_close(store);
	assert_int_equal(outcomes.ok, 1);
	store = open_store(&manual, &recovered);
	assert_string_equal(recovered.records, "1.1:1=late ");
	store_close(store);
}

/* A number is not given again, even when its run has left no trace. */
static void run_numbers_are_not_reused(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	uint64_t last = 0;

	for (int round = 0; round < 5; round++) {
		struct store *store = open_store(&manual, &recovered);
		uint64_t run = store_new_run(store);

		assert_true(run > last);
		last = run;
		assert_int_equal(append_text(store, run, 1, "x", &outcomes), TEMPORAL_OK);
		struct store_batch *batch = store_batch_new();
		store_batch_drop(batch, run);
		assert_int_equal(
			store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, NULL),
			TEMPORAL_OK);
		settle(store);
		store_close(store);
	}
	assert_int_equal(outcomes.ok, 10);
}

/* Each limit refuses at once, and says which. */
static void limits_are_kept(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct temporal_error err = { 0 };
	struct store_opts opts = manual;

	opts.queue_batches = 3;
	struct store *store = open_store(&opts, &recovered);
	struct store_batch *batch = store_batch_new();
	store_batch_append(batch, STORE_RUN_MAX + 1, 1, "x", 1);
	assert_int_equal(store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, &err),
		TEMPORAL_INVALID_ARGUMENT);
	batch = store_batch_new();
	store_batch_append(batch, 1, 1, "x", STORE_BLOB_MAX + (size_t)1);
	assert_int_equal(store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, &err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "67108865 bytes"));
	batch = store_batch_new();
	struct sample sample;
	sample_init(&sample, 1, 100);
	struct store_history gap[] = { { 1, 2, "ab", 2 }, { 4, 1, "c", 1 } };
	store_batch_close(batch, &sample.closed, gap, 2);
	assert_int_equal(store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, &err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(store_submit(store, NULL, STORE_DURABLE, on_done, &outcomes, &err),
		TEMPORAL_NO_MEMORY);
	for (int i = 0; i < 3; i++)
		assert_int_equal(append_text(store, 1, 1, "x", &outcomes), TEMPORAL_OK);
	assert_int_equal(append_text(store, 1, 1, "x", &outcomes), TEMPORAL_RESOURCE_EXHAUSTED);
	settle(store);
	assert_int_equal(outcomes.ok, 3);
	assert_int_equal(append_text(store, 1, 1, "x", &outcomes), TEMPORAL_OK);
	store_close(store);
	assert_int_equal(outcomes.ok, 4);
}

static enum temporal_code count_record(
	void *user, const struct store_record *record, struct temporal_error *err)
{
	++*(int *)user;
	return TEMPORAL_OK;
}

/* Recovery of 100,000 records takes well below the time in which a user notices it. */
static void recovery_is_quick(void **state)
{
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&manual, &recovered);
	char text[300];

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 1000; i++) {
		struct store_batch *batch = store_batch_new();

		for (int j = 0; j < 100; j++)
			store_batch_append(
				batch, (uint64_t)(1 + (i * 7 + j) % 5000), 1, text, sizeof(text));
		assert_int_equal(
			store_submit(store, batch, STORE_DURABLE, on_done, &outcomes, NULL),
			TEMPORAL_OK);
		if (i % 50 == 49)
			settle(store);
	}
	store_close(store);
	assert_int_equal(outcomes.ok, 1000);
	clock_t start = clock();
	int n = 0;
	struct store_visitor visitor = { .record = count_record, .user = &n };
	store = store_open(&manual, NULL);
	assert_non_null(store);
	assert_int_equal(store_recover(store, &visitor, NULL), TEMPORAL_OK);
	double took_ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	assert_int_equal(n, 100000);
	print_message("100,000 records recovered in %.0f ms of CPU\n", took_ms);
	assert_true(took_ms < 5000);
	store_close(store);
}

/* The checksum is CRC-32C: known values, and both ways of computing it agree. */
static void checksum_is_crc32c(void **state)
{
	unsigned char data[300];

	assert_int_equal(store_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(store_crc32c_portable(0, "123456789", 9), 0xe3069283);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 37 + 11);
	for (size_t size = 0; size <= sizeof(data); size++)
		assert_int_equal(store_crc32c(5, data, size), store_crc32c_portable(5, data, size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_come_back_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(snapshot_replaces_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(queue_is_one_commit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lazy_batch_rides_along, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_commits_the_queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(run_numbers_are_not_reused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(recovery_is_quick, set_up, tear_down),
		cmocka_unit_test(checksum_is_crc32c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
