/*
 * Goal: one server at a time has a database; strangers' and newer databases are refused untouched;
 * older ones are brought up to date, all steps or none; a backup is whole; the threads do what the
 * manual form does.
 * Method: files in a fresh folder of the system's temporary files.
 */
#include "store_fixture.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "server/store/conn.h"
#include "server/store/schema.h"

struct files {
	char folder[64], db[96], copy[96];
};

static void in_folder(char *out, size_t size, const struct files *files, const char *name)
{
	(void)snprintf(out, size, "%s/%s", files->folder, name);
}

static int set_up(void **state)
{
	struct files *files = calloc(1, sizeof(*files));

	(void)snprintf(files->folder, sizeof(files->folder), "/tmp/store-test-XXXXXX");
	assert_non_null(mkdtemp(files->folder));
	in_folder(files->db, sizeof(files->db), files, "db");
	in_folder(files->copy, sizeof(files->copy), files, "copy");
	*state = files;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "db", "db-wal", "db-shm", "db-lock", "copy",
		"copy-wal", "copy-shm", "copy-lock" };
	struct files *files = *state;
	char path[96];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		in_folder(path, sizeof(path), files, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(files->folder);
	free(files);
	return 0;
}

static void execute(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A second store is refused, in this process and in another; after closing it may open. */
static void one_server_a_database(void **state)
{
	struct files *files = *state;
	struct store_opts opts = { .path = files->db, .manual = true };
	struct recovered recovered;
	struct temporal_error err = { 0 };
	struct store *store = open_store(&opts, &recovered);

	assert_null(store_open(&opts, &err));
	assert_int_equal(err.code, TEMPORAL_FAILED_PRECONDITION);
	assert_non_null(strstr(err.message, "another server"));
	assert_int_equal(store_check(files->db, NULL, &err), TEMPORAL_FAILED_PRECONDITION);
	pid_t child = fork();
	if (child == 0)
		_exit(store_open(&opts, NULL) ? 1 : 0);
	int status = 1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	store_close(store);
	store = open_store(&opts, &recovered);
	store_close(store);
	assert_int_equal(store_check(files->db, NULL, &err), TEMPORAL_OK);
}

static void refuse(struct files *files, enum temporal_code code, const char *part)
{
	struct store_opts opts = { .path = files->db, .manual = true };
	struct temporal_error err = { 0 };

	assert_null(store_open(&opts, &err));
	assert_int_equal(err.code, code);
	if (!strstr(err.message, part))
		fail_msg("'%s' does not say '%s'", err.message, part);
}

/* What is not ours is not opened. */
static void strange_files_are_refused(void **state)
{
	struct files *files = *state;

	execute(files->db, "CREATE TABLE theirs(x)");
	refuse(files, TEMPORAL_FAILED_PRECONDITION, "another program");
	assert_int_equal(unlink(files->db), 0);
	execute(files->db,
		"PRAGMA application_id=1416458307; PRAGMA user_version=99; CREATE TABLE x(y)");
	refuse(files, TEMPORAL_FAILED_PRECONDITION, "version 99");
	FILE *file = fopen(files->db, "w");
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("this is no database\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	refuse(files, TEMPORAL_DATA_LOSS, "not a database");
	in_folder(files->db, sizeof(files->db), files, "no/such/folder");
	refuse(files, TEMPORAL_UNAVAILABLE, "lock file");
}

/* Missing steps are done in order, once; when one fails, none is. */
static void migrations_are_all_or_none(void **state)
{
	static const struct store_migration first[] = { { 1, "CREATE TABLE a(x)" }, { 0, NULL } };
	static const struct store_migration broken[] = { { 1, "CREATE TABLE a(x)" },
		{ 2, "CREATE TABLE b(x)" }, { 3, "CREATE TABLE" }, { 0, NULL } };
	static const struct store_migration third[] = { { 1, "CREATE TABLE a(x)" },
		{ 2, "ALTER TABLE a ADD COLUMN y" }, { 3, "INSERT INTO a VALUES(1, 2)" },
		{ 0, NULL } };
	struct store_conn conn = { 0 };
	struct temporal_error err;

	assert_int_equal(sqlite3_open(":memory:", &conn.db), SQLITE_OK);
	assert_int_equal(store_schema_migrate_by(&conn, first, &err), TEMPORAL_OK);
	assert_int_equal(store_sql_pragma(&conn, "PRAGMA user_version"), 1);
	assert_int_equal(store_sql_pragma(&conn, "PRAGMA application_id"), STORE_APPLICATION_ID);
	assert_int_not_equal(store_schema_migrate_by(&conn, broken, &err), TEMPORAL_OK);
	assert_int_equal(store_sql_pragma(&conn, "PRAGMA user_version"), 1);
	assert_int_equal(store_sql_pragma(&conn, "SELECT count(*) FROM sqlite_schema"), 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(store_schema_migrate_by(&conn, third, &err), TEMPORAL_OK);
	assert_int_equal(store_sql_pragma(&conn, "PRAGMA user_version"), 3);
	assert_int_equal(store_sql_pragma(&conn, "SELECT sum(x + y) FROM a"), 3);
	store_conn_close(&conn);
}

/* The copy has what was committed before, opens as a database, and is never written over. */
static void backup_is_whole(void **state)
{
	struct files *files = *state;
	struct store_opts opts = { .path = files->db, .manual = true };
	struct outcomes outcomes = { 0 };
	struct recovered recovered;
	struct temporal_error err;
	struct store *store = open_store(&opts, &recovered);

	assert_int_equal(append_text(store, 1, 1, "before", &outcomes), TEMPORAL_OK);
	assert_int_equal(store_backup(store, files->copy, on_done, &outcomes, &err), TEMPORAL_OK);
	assert_int_equal(append_text(store, 1, 1, "after", &outcomes), TEMPORAL_OK);
	settle(store);
	assert_int_equal(outcomes.ok, 3);
	/* One file: no log beside it. */
	for (const char *const *end = (const char *const[]){ "-wal", "-shm", NULL }; *end; end++) {
		char beside[110];

		(void)snprintf(beside, sizeof(beside), "%s%s", files->copy, *end);
		assert_int_not_equal(access(beside, F_OK), 0);
	}
	assert_int_equal(store_backup(store, files->copy, on_done, &outcomes, &err), TEMPORAL_OK);
	settle(store);
	assert_int_equal(outcomes.other, 1);
	assert_non_null(strstr(outcomes.message, "there already"));
	store_close(store);
	opts.path = files->copy;
	store = open_store(&opts, &recovered);
	assert_string_equal(recovered.records, "1.1:1=before ");
	store_close(store);
}

static void on_wake(void *user)
{
	uint64_t one = 1;

	if (write(*(int *)user, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void wait_ok(struct store *store, int fd, const struct outcomes *outcomes, int ok)
{
	while (outcomes->ok < ok) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		uint64_t count;

		assert_int_equal(poll(&ready, 1, 20000), 1);
		assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
		store_step(store);
	}
}

static void on_page(void *user, const struct store_page *page)
{
	struct outcomes *outcomes = user;

	assert_int_equal(page->code, TEMPORAL_OK);
	outcomes->ok++;
	outcomes->deleted += (int64_t)page->n;
}

/* With threads: batches come back by wake and step, lazy ones after a while, reads beside them. */
static void threads_work(void **state)
{
	struct files *files = *state;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct store_opts opts = { .path = files->db, .wake = on_wake, .user = &fd, .lazy_ms = 20 };
	struct outcomes outcomes = { 0 };
	struct recovered recovered;
	struct store *store = open_store(&opts, &recovered);
	struct sample sample;

	for (int i = 0; i < 500; i++) {
		assert_int_equal(
			append_text(store, (uint64_t)(1 + i % 5), 1, "x", &outcomes), TEMPORAL_OK);
		if (i % 50 == 49)
			wait_ok(store, fd, &outcomes, i + 1);
	}
	sample_init(&sample, 3, 100);
	close_run(store, &sample.closed, NULL, 0, &outcomes);
	wait_ok(store, fd, &outcomes, 501);
	struct store_query query = { .name_space = 1, .limit = 10 };
	assert_int_equal(store_list(store, &query, on_page, &outcomes, NULL), TEMPORAL_OK);
	wait_ok(store, fd, &outcomes, 502);
	assert_int_equal(outcomes.deleted, 1);
	assert_int_equal(append_text(store, 1, 1, "last", &outcomes), TEMPORAL_OK);
	store_close(store);
	assert_int_equal(outcomes.ok, 503);
	opts.manual = true;
	store = open_store(&opts, &recovered);
	assert_int_equal(recovered.n_records, 401);
	store_close(store);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_server_a_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(strange_files_are_refused, set_up, tear_down),
		cmocka_unit_test(migrations_are_all_or_none),
		cmocka_unit_test_setup_teardown(backup_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_work, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
