/*
 * A new database file. Goal: it is there in one piece or not at all, and what lies around is not
 * mistaken for a part of it. Method: stores on real files in a folder of their own.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_fixture.h"

static char folder[64], path[80];

static int set_up(void **state)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/temporal-create-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/db", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static const char *beside(const char *suffix)
{
	static char name[96];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	return name;
}

static bool is_there(const char *name)
{
	return access(name, F_OK) == 0;
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

/* Opens, appends a record, closes, and finds it again. */
static void use(void)
{
	const struct store_opts opts = { .path = path, .manual = true };
	struct recovered recovered;
	struct outcomes outcomes = { 0 };
	struct store *store = open_store(&opts, &recovered);

	assert_int_equal(append_text(store, 1, 1, "one", &outcomes), TEMPORAL_OK);
	settle(store);
	assert_int_equal(outcomes.ok, 1);
	store_close(store);
	store = open_store(&opts, &recovered);
	assert_string_equal(recovered.records, "1.1:1=one ");
	store_close(store);
	assert_int_equal(store_check(path, NULL, NULL), TEMPORAL_OK);
}

static void a_new_file_is_whole(void **state)
{
	use();
	assert_false(is_there(beside("-new")));
	assert_false(is_there(beside("-journal")));
}

/* A kill during the making leaves the file beside: the next one takes its place. */
static void what_was_begun_is_begun_again(void **state)
{
	write_file(beside("-new"), "half of a page");
	use();
	assert_false(is_there(beside("-new")));
}

static void a_log_without_its_database_is_not_played(void **state)
{
	write_file(beside("-wal"), "a log that has outlived its database");
	use();
}

static void an_empty_file_is_filled(void **state)
{
	struct stat before, after;

	write_file(path, "");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(stat(path, &before), 0);
	use();
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_mode & 0777, 0600);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	struct temporal_error err = { .message = "" };

	(void)snprintf(path, sizeof(path), "%s/none/db", folder);
	assert_null(store_open(&(struct store_opts){ .path = path, .manual = true }, &err));
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
	assert_string_not_equal(err.message, "");
}

#define TEST(test_) cmocka_unit_test_setup_teardown((test_), set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_file_is_whole),
		TEST(what_was_begun_is_begun_again),
		TEST(a_log_without_its_database_is_not_played),
		TEST(an_empty_file_is_filled),
		TEST(a_folder_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
