/*
 * Goal: wherever the process is killed or power is lost, what was acknowledged is there after
 * reopening, what was not is there as a whole batch or not at all, in order, and the store goes on.
 * A failed sync ends the store; a full disk does not.
 * Method: one scenario on a disk in memory, stopped at every write and sync in turn, with each of
 * five ideas of what reached the disk. What is found must be the state after exactly the first k
 * batches, as a run without crash has it, with k between what was acknowledged and submitted. Many
 * crashes leave the same bytes: each content of the disk is looked at once.
 */
#include "store_fixture.h"

#define BATCHES 18

static const struct store_opts manual = {
	.path = "db",
	.vfs = "disk",
	.no_lock = true,
	.manual = true,
	.wal_pages = 12,
};
static const struct store_history history[] = { { 1, 2, "events 1 to 2", 13 }, { 3, 1, "3", 1 } };

/* What batch number i changes: records of three runs, settings, snapshots, closing, deletion. */
static struct store_batch *make_batch(int i)
{
	struct store_batch *batch = store_batch_new();
	char text[3000], key[16];
	struct sample sample;

	memset(text, 'a' + i, sizeof(text));
	(void)snprintf(text, sizeof(text), "batch %d", i);
	text[strlen(text)] = ' ';
	sample_init(&sample, (uint64_t)i, 1000 + i);
	(void)snprintf(key, sizeof(key), "key%d", i % 3);
	store_batch_append(batch, (uint64_t)i + 1, 1, text, sizeof(text));
	store_batch_append(batch, 100, 2, text, 40);
	store_batch_set(batch, 1, key, text, 8);
	if (i % 3 == 0)
		store_batch_close(batch, &sample.closed, history, 2);
	if (i % 5 == 0)
		store_batch_drop(batch, 100);
	if (i % 7 == 0)
		store_batch_delete(batch, 6);
	store_batch_append(batch, 101, 3, text, 20);
	return batch;
}

/* Opens, submits batches `from` to `to`, some together, and closes. Returns how many were
 * acknowledged; *opened says whether it came so far. */
static int play(int from, int to, bool *opened, struct outcomes *outcomes)
{
	struct store *store = store_open(&manual, NULL);
	struct recovered recovered;

	*opened = store && recover(store, &recovered, NULL) == TEMPORAL_OK;
	for (int i = from; i <= to && *opened; i++) {
		enum store_urgency urgency = i % 4 ? STORE_DURABLE : STORE_LAZY;

		if (store_submit(store, make_batch(i), urgency, on_done, outcomes, NULL) !=
			TEMPORAL_OK)
			break;
		if (i % 3 != 1) {
			(void)store_run(store, false);
			store_step(store);
		}
	}
	store_close(store);
	return outcomes->ok;
}

struct dump {
	char text[6000];
};

static enum temporal_code take_part(
	void *user, const struct store_history *part, struct temporal_error *err)
{
	struct dump *dump = user;
	size_t at = strlen(dump->text);

	(void)snprintf(dump->text + at, sizeof(dump->text) - at, "%.*s,", (int)part->size,
		(const char *)part->data);
	return TEMPORAL_OK;
}

static void on_rows(void *user, const struct store_page *page)
{
	struct dump *dump = user;
	size_t at = strlen(dump->text);

	assert_int_equal(page->code, TEMPORAL_OK);
	for (size_t i = 0; i < page->n; i++) {
		(void)snprintf(dump->text + at, sizeof(dump->text) - at, "[%s] ",
			page->rows[i].workflow_id);
		at = strlen(dump->text);
	}
}

/* All that is in the database. */
static void dump_database(struct dump *dump)
{
	struct recovered recovered;
	struct store *store = open_store(&manual, &recovered);
	struct store_query query = { .name_space = 1, .limit = 100 };

	assert_true(snprintf(dump->text, sizeof(dump->text), "%s| %s| ", recovered.records,
			    recovered.settings) < 5000);
	assert_int_equal(store_list(store, &query, on_rows, dump, NULL), TEMPORAL_OK);
	settle(store);
	for (uint64_t run = 1; run <= BATCHES; run++)
		assert_int_equal(
			store_load_history(store, run, take_part, dump, NULL), TEMPORAL_OK);
	store_close(store);
}

/* The state after the first k batches, for each k. */
static struct dump models[BATCHES + 1];

/* A new database, and the calls that make it; then those of all batches, on it. */
static struct fault_saved *created;
static long create_calls, create_syncs, all_calls, all_syncs;

/* A disk with a new database that nobody has open. */
static struct fault_disk *new_disk(uint64_t seed)
{
	struct fault_disk *disk = fault_disk_new("disk", seed);

	fault_disk_put_back(disk, created, seed);
	return disk;
}

static int make_models(void **state)
{
	struct fault_disk *first = fault_disk_new("disk", 1);
	struct outcomes none = { 0 };
	bool opened;

	assert_int_equal(play(1, 0, &opened, &none), 0);
	create_calls = fault_disk_calls(first);
	create_syncs = fault_disk_syncs(first);
	created = fault_disk_save(first);
	fault_disk_free(first);
	for (int k = 0; k <= BATCHES; k++) {
		struct fault_disk *disk = new_disk(1);
		struct outcomes outcomes = { 0 };

		assert_int_equal(play(1, k, &opened, &outcomes), k);
		all_calls = fault_disk_calls(disk);
		all_syncs = fault_disk_syncs(disk);
		dump_database(&models[k]);
		fault_disk_free(disk);
	}
	return 0;
}

static int free_models(void **state)
{
	fault_saved_free(created);
	return 0;
}

static int find_model(const struct dump *dump)
{
	for (int k = 0; k <= BATCHES; k++) {
		if (strcmp(models[k].text, dump->text) == 0)
			return k;
	}
	return -1;
}

/* Checks what is on the disk; returns after how many batches it is. */
static int check_disk(int acknowledged, const char *what, long at)
{
	struct temporal_error err = { 0 };
	struct dump dump;

	dump_database(&dump);
	int k = find_model(&dump);
	if (k < acknowledged)
		fail_msg("%s at %ld: %d acknowledged, %d found:\n%s", what, at, acknowledged, k,
			dump.text);
	if (store_check("db", "disk", &err) != TEMPORAL_OK)
		fail_msg("%s at %ld: %s", what, at, err.message);
	return k;
}

/* What is known of a content of the disk: after how many batches it is, and whether the store was
 * seen to go on from there. */
struct seen {
	uint64_t digest; /* 0: unused */
	int batches;
	bool continued;
};
#define SEEN_MAX 16384
static struct seen all_seen[SEEN_MAX];

static struct seen *find_seen(uint64_t digest)
{
	size_t at = digest % SEEN_MAX;

	while (all_seen[at].digest && all_seen[at].digest != digest)
		at = (at + 1) % SEEN_MAX;
	return &all_seen[at];
}

static void check_crash(struct fault_disk *disk, int acknowledged, long at, int keep)
{
	uint64_t digest = fault_disk_digest(disk) | 1;
	struct seen *seen = find_seen(digest);
	struct outcomes rest = { 0 };
	bool opened;

	if (!seen->digest)
		*seen = (struct seen){ digest, check_disk(acknowledged, "crash", at), false };
	if (seen->batches < acknowledged)
		fail_msg(
			"crash at %ld: %d acknowledged, %d found", at, acknowledged, seen->batches);
	if (seen->continued || (at + keep) % 4)
		return;
	/* It goes on where it was. */
	assert_int_equal(play(seen->batches + 1, BATCHES, &opened, &rest), BATCHES - seen->batches);
	assert_int_equal(check_disk(BATCHES, "continued after crash", at), BATCHES);
	seen->continued = true;
}

static void crash_at(struct fault_disk *disk, long at)
{
	struct outcomes outcomes = { 0 };
	bool opened;

	fault_disk_crash_after(disk, at);
	int acknowledged = play(1, BATCHES, &opened, &outcomes);
	struct fault_saved *saved = fault_disk_save(disk);
	for (int keep = 0; keep < FAULT_KEEPS; keep++) {
		fault_disk_put_back(disk, saved, (uint64_t)(at * 8 + keep));
		fault_disk_restart(disk, (enum fault_keep)keep);
		check_crash(disk, acknowledged, at, keep);
	}
	fault_saved_free(saved);
	fault_disk_free(disk);
}

static void nothing_acknowledged_is_lost(void **state)
{
	int contents = 0;

	assert_true(create_calls > 10 && all_calls > 100);
	for (long at = 0; at < create_calls; at++)
		crash_at(fault_disk_new("disk", 0), at);
	for (long at = 0; at < all_calls; at++)
		crash_at(new_disk(0), at);
	for (int i = 0; i < SEEN_MAX; i++)
		contents += all_seen[i].digest != 0;
	print_message("%ld crashes left %d contents\n", (create_calls + all_calls) * FAULT_KEEPS,
		contents);
	assert_true(contents > all_calls / 2 && contents < SEEN_MAX / 2);
}

/* Of a crash during recovery from a crash, nothing is lost either. */
static void crash_while_recovering(void **state)
{
	for (long at = 0; at < 40; at++) {
		struct fault_disk *disk = new_disk((uint64_t)at);
		struct outcomes outcomes = { 0 }, none = { 0 };
		bool opened;

		fault_disk_crash_after(disk, all_calls - 20);
		int acknowledged = play(1, BATCHES, &opened, &outcomes);
		fault_disk_restart(disk, FAULT_KEEP_RANDOM);
		fault_disk_crash_after(disk, at);
		(void)play(1, 0, &opened, &none);
		fault_disk_restart(disk, FAULT_KEEP_TORN);
		(void)check_disk(acknowledged, "second crash", at);
		fault_disk_free(disk);
	}
}

static void on_failed(void *user, const struct temporal_error *why)
{
	++*(int *)user;
}

/* A sync that fails ends the store at once: nothing is acknowledged after it. */
static void failed_sync_ends_the_store(void **state)
{
	for (long at = 0; at < create_syncs + all_syncs; at++) {
		struct fault_disk *disk = fault_disk_new("disk", (uint64_t)at);
		struct store_opts opts = manual;
		struct outcomes outcomes = { 0 };
		struct recovered recovered;
		int told = 0, refused = 0;

		opts.failed = on_failed;
		opts.user = &told;
		fault_disk_fail_after(disk, at, SQLITE_IOERR_FSYNC, true);
		struct store *store = store_open(&opts, NULL);
		bool opened = store && recover(store, &recovered, NULL) == TEMPORAL_OK;
		for (int i = 1; i <= BATCHES && opened; i++) {
			refused += store_submit(store, make_batch(i), STORE_DURABLE, on_done,
					   &outcomes, NULL) == TEMPORAL_UNAVAILABLE;
			settle(store);
			assert_int_equal(store_failed(store), told);
			assert_true(told || !refused);
		}
		int acknowledged = outcomes.ok;
		if (opened) {
			assert_int_equal(acknowledged + outcomes.unavailable + refused, BATCHES);
			assert_int_equal(told, acknowledged < BATCHES || store_failed(store));
		}
		store_close(store);
		fault_disk_restart(disk, FAULT_KEEP_NONE);
		(void)check_disk(acknowledged, "failed sync", at);
		fault_disk_free(disk);
	}
}

/* Each write fails once since the disk is full: told, rolled back, and the rest goes on. */
static void full_disk_is_rolled_back(void **state)
{
	for (long at = 0; at < all_calls - all_syncs; at++) {
		struct fault_disk *disk = new_disk((uint64_t)at);
		struct recovered recovered;
		struct outcomes outcomes = { 0 };
		struct store *store = open_store(&manual, &recovered);

		fault_disk_fail_after(disk, at, SQLITE_FULL, false);
		for (int i = 1; i <= BATCHES;) {
			int ok = outcomes.ok;

			assert_int_equal(store_submit(store, make_batch(i), STORE_DURABLE, on_done,
						 &outcomes, NULL),
				TEMPORAL_OK);
			settle(store);
			i += outcomes.ok - ok;
		}
		assert_true(outcomes.exhausted <= 1);
		assert_false(store_failed(store));
		store_close(store);
		fault_disk_restart(disk, FAULT_KEEP_NONE);
		assert_int_equal(check_disk(BATCHES, "full disk", at), BATCHES);
		fault_disk_free(disk);
	}
}

/* Each of our allocations fails once: the batch is refused or rolled back, and can be repeated. */
static void memory_runs_out(void **state)
{
	int hit = 1;

	for (long at = 0; hit; at += 3) {
		struct fault_disk *disk = new_disk((uint64_t)at);
		struct recovered recovered;
		struct outcomes outcomes = { 0 };
		struct store *store = open_store(&manual, &recovered);
		int refused = 0;

		mem_fault_set(at, 0);
		while (outcomes.ok < BATCHES) {
			enum temporal_code code = store_submit(store, make_batch(outcomes.ok + 1),
				STORE_DURABLE, on_done, &outcomes, NULL);

			assert_true(code == TEMPORAL_OK || code == TEMPORAL_NO_MEMORY);
			refused += code != TEMPORAL_OK;
			settle(store);
		}
		hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		assert_int_equal(refused + outcomes.exhausted, hit);
		store_close(store);
		assert_int_equal(check_disk(BATCHES, "no memory", at), BATCHES);
		fault_disk_free(disk);
	}
}

/* What is queued behind a commit that is rolled back fails with it; until that has been told,
 * nothing is taken; then a run can be read again as it is on disk. */
static void what_builds_on_a_rollback_fails(void **state)
{
	struct fault_disk *disk = fault_disk_new("disk", 1);
	struct outcomes outcomes = { 0 };
	struct recovered recovered;
	struct temporal_error err;
	struct store_opts opts = manual;

	opts.wal_pages = 1000; /* the log grows with each commit */
	struct store *store = open_store(&opts, &recovered);
	assert_int_equal(append_text(store, 1, 1, "one", &outcomes), TEMPORAL_OK);
	settle(store);
	fault_disk_full(disk, true);
	assert_int_equal(append_text(store, 1, 1, "two", &outcomes), TEMPORAL_OK);
	assert_true(store_run(store, false));
	assert_int_equal(outcomes.exhausted, 0);
	assert_int_equal(append_text(store, 1, 1, "three", &outcomes), TEMPORAL_RESOURCE_EXHAUSTED);
	store_step(store);
	assert_int_equal(outcomes.exhausted, 1);
	assert_non_null(strstr(outcomes.message, "full"));
	fault_disk_full(disk, false);
	assert_int_equal(append_text(store, 1, 1, "four", &outcomes), TEMPORAL_OK);
	settle(store);
	assert_int_equal(outcomes.ok, 2);
	memset(&recovered, 0, sizeof(recovered));
	struct store_visitor visitor = { .record = on_record, .user = &recovered };
	assert_int_equal(store_reload(store, 1, &visitor, &err), TEMPORAL_OK);
	assert_string_equal(recovered.records, "1.1:1=one 1.2:1=four ");
	store_close(store);
	fault_disk_free(disk);
}

/* What the owner of a store with threads of its own hears, in order. */
struct chain {
	int told, ok, ok_after;
};

static void on_link(void *user, const struct store_done *done)
{
	struct chain *chain = user;

	chain->told += done->code != TEMPORAL_OK;
	chain->ok += done->code == TEMPORAL_OK;
	chain->ok_after += done->code == TEMPORAL_OK && chain->told;
}

/*
 * The same while the owner steps and submits as fast as it can beside the writer's thread: of a
 * chain of batches none is committed behind one that was rolled back, until that has been told.
 */
static void no_step_comes_before_the_news(void **state)
{
	for (int round = 0; round < 100; round++) {
		struct fault_disk *disk = fault_disk_new("disk", 1);
		struct store_opts opts = manual;
		struct outcomes before = { 0 };
		struct recovered recovered;
		struct chain chain = { 0 };
		int submitted = 0;

		struct store *store = open_store(&opts, &recovered);
		assert_int_equal(append_text(store, 1, 1, "one", &before), TEMPORAL_OK);
		settle(store);
		store_close(store);
		opts.manual = false;
		opts.wal_pages = 100000; /* no checkpoint, whose failure would not be told */
		store = store_open(&opts, NULL);
		assert_non_null(store);
		fault_disk_fail_after(disk, 20 + round % 7, SQLITE_FULL, false);
		assert_int_equal(recover(store, &recovered, NULL), TEMPORAL_OK);
		while (!chain.told) {
			struct store_batch *batch = store_batch_new();

			store_batch_append(batch, 1, 1, "link", 4);
			submitted += store_submit(store, batch, STORE_DURABLE, on_link, &chain,
					     NULL) == TEMPORAL_OK;
			store_step(store);
		}
		store_close(store);
		assert_int_equal(chain.told + chain.ok, submitted);
		assert_int_equal(chain.ok_after, 0);
		fault_disk_free(disk);
	}
}

/* A changed byte anywhere in the file is found by the check, or was in no row. */
static void damage_is_found(void **state)
{
	struct fault_disk *disk = fault_disk_new("disk", 1);
	struct outcomes outcomes = { 0 };
	struct temporal_error err;
	struct dump dump;
	int found = 0, silent = 0;
	size_t size = 1;
	bool opened;

	assert_int_equal(play(1, BATCHES, &opened, &outcomes), BATCHES);
	for (size_t at = 0; at < size; at += 251) {
		fault_disk_restart(disk, FAULT_KEEP_ALL);
		fault_disk_file(disk, "db", &size)[at] ^= 0x55;
		if (store_check("db", "disk", &err) != TEMPORAL_OK) {
			found++;
		} else {
			silent++;
			dump_database(&dump);
			if (strcmp(dump.text, models[BATCHES].text) != 0)
				fail_msg("byte %zu changed:\n%s", at, dump.text);
		}
		fault_disk_file(disk, "db", &size)[at] ^= 0x55;
	}
	fault_disk_free(disk);
	print_message("%d changes found, %d harmless\n", found, silent);
	assert_true(found > silent / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost),
		cmocka_unit_test(crash_while_recovering),
		cmocka_unit_test(failed_sync_ends_the_store),
		cmocka_unit_test(full_disk_is_rolled_back),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(what_builds_on_a_rollback_fails),
		cmocka_unit_test(no_step_comes_before_the_news),
		cmocka_unit_test(damage_is_found),
	};

	return cmocka_run_group_tests(tests, make_models, free_models);
}
