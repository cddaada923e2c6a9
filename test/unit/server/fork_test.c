/*
 * A process with a server in it forks. Goal: the child is told that the server is not its own and
 * waits for nothing, and keeps neither port nor database: the parent can stop the server and start
 * another one though the child lives. Method: a real server on a file, real forks.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <temporal/client.h>
#include <temporal/server.h>

#include "base/sanitize.h"

static char folder[] = "/tmp/temporal-fork-XXXXXX";
static char path[64];

static struct temporal_server *start(int32_t port)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_server *server = temporal_server_start(
		&err, .db = path, .port = port, .time_skipping = TEMPORAL_TIME_SKIPPING_UNLOCKED);

	if (!server)
		print_message("%s\n", err.message);
	assert_non_null(server);
	return server;
}

static struct temporal_client *connect_to(struct temporal_server *server)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client = temporal_client_connect(&err, .server = server);

	assert_non_null(client);
	return client;
}

/* 0: as it should be. */
static int use_in_child(struct temporal_server *server, struct temporal_client *client)
{
	struct temporal_start_opts opts = { .task_queue = "q" };
	struct temporal_error err = { .code = TEMPORAL_OK };

	if (temporal_start_named(client, "T", (struct temporal_payloads){ 0 }, &opts, &err))
		return 1;
	if (err.code != TEMPORAL_FAILED_PRECONDITION || !strstr(err.message, "forked from"))
		return 2;
	if (temporal_client_connect(&err, .server = server) ||
		err.code != TEMPORAL_FAILED_PRECONDITION)
		return 3;
	if (temporal_server_skip(server, 1, &err) != TEMPORAL_FAILED_PRECONDITION)
		return 4;
	if (temporal_server_time_ns(server) != 0)
		return 5;
	temporal_client_unref(client);
	temporal_server_stop(server);
	return 0;
}

static void a_child_is_told(void **state)
{
	struct temporal_server *server = start(0);
	struct temporal_client *client = connect_to(server);
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		alarm(20); /* one that waits dies by it */
		_exit(use_in_child(server, client));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	temporal_client_unref(client);
	temporal_server_stop(server);
}

static void a_child_keeps_nothing(void **state)
{
	struct temporal_server *server = start(TEMPORAL_SERVER_ANY_PORT);
	uint16_t port = temporal_server_port(server);
	int ready[2], status;
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();

	if (child == 0) {
		alarm(20);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	temporal_server_stop(server);
	server = start(port);
	assert_int_equal(temporal_server_port(server), port);
	temporal_server_stop(server);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(ready[0]);
	close(ready[1]);
}

static int set_up(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/db", folder);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = { "", "-lock", "-wal", "-shm" };
	char name[80];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_told),
		cmocka_unit_test(a_child_keeps_nothing),
	};

#ifdef SANITIZE_THREAD
	return 77; /* its runtime starts no threads in a forked child */
#endif
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
