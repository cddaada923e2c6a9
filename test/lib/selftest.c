/*
 * The harness itself. Goal: what the other tests stand on does what it says, and fails when it
 * should. Method: small shell programs, the shared server, and a server of its own that is killed
 * and restarted.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/server.h"

static const char *const two_lines[] = { "sh", "-c", "echo one; echo two >&2; exit 3", NULL };
static const char *const forever[] = { "sh", "-c", "echo up; exec sleep 1000", NULL };

static void process_gives_status_and_output(void **state)
{
	char *output;

	assert_int_equal(test_run(two_lines, &output, 10000), 3);
	assert_string_equal(output, "one\ntwo\n");
	free(output);
}

static void process_that_hangs_is_seen_and_killed(void **state)
{
	struct test_process process = { 0 };

	test_process_spawn(&process, forever);
	assert_true(test_process_wait_output(&process, "up", 10000));
	assert_false(test_process_wait_output(&process, "down", 50));
	assert_int_equal(test_process_wait(&process, 50), -1);
	test_process_kill(&process);
	assert_int_equal(test_process_wait(&process, 0), 128 + SIGKILL);
	test_process_kill(&process);
}

static void program_that_is_missing_says_so(void **state)
{
	static const char *const argv[] = { "./no-such-program", NULL };
	char *output;

	assert_int_equal(test_run(argv, &output, 10000), 127);
	assert_non_null(strstr(output, "no-such-program"));
	free(output);
}

static void names_differ(void **state)
{
	char one[64], two[64];

	assert_string_not_equal(test_unique(one, "queue"), test_unique(two, "queue"));
	assert_int_equal(strncmp(one, "queue-", 6), 0);
}

static void shared_server_answers_the_cli(void **state)
{
	static const char *const args[] = { "workflow", "count", NULL };
	char *output;

	assert_int_equal(test_server_run_cli(test_server_shared(), args, &output), 0);
	assert_non_null(strstr(output, "Total:"));
	free(output);
}

static void server_comes_back_with_its_data(void **state)
{
	static const char *const start[] = { "workflow", "start", "--type", "T", "--task-queue",
		"q", "--workflow-id", "kept", NULL };
	static const char *const describe[] = { "workflow", "describe", "--workflow-id", "kept",
		NULL };
	struct test_server server;
	char db[256], address[32], *output;

	snprintf(db, sizeof(db), "%s/server.db", test_temp_dir());
	test_server_start(&server, &(struct test_server_opts){ .db = db });
	snprintf(address, sizeof(address), "%s", server.address);
	assert_int_equal(test_server_run_cli(server.address, start, NULL), 0);
	test_server_restart(&server);
	assert_string_equal(server.address, address);
	assert_int_equal(test_server_run_cli(server.address, describe, &output), 0);
	assert_non_null(strstr(output, "kept"));
	free(output);
	test_server_stop(&server);
	assert_int_not_equal(test_server_run_cli(server.address, describe, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(process_gives_status_and_output),
		cmocka_unit_test(process_that_hangs_is_seen_and_killed),
		cmocka_unit_test(program_that_is_missing_says_so),
		cmocka_unit_test(names_differ),
		cmocka_unit_test(shared_server_answers_the_cli),
		cmocka_unit_test(server_comes_back_with_its_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
