/*
 * server.h: a server for tests: temporald, or the real one (`temporal server start-dev`).
 *
 * Which it is says TEMPORAL_TEST_SERVER in the environment, "temporald" or "real"; CTest runs each
 * test of this kind twice, once on each, and expects the same of both. test_server_shared gives the
 * one server of a CTest run; a test that stops or restarts a server, or wants other options, starts
 * its own. Both end the program as skipped, with the reason, where the server cannot be had.
 * TEMPORAL_TEST_CLI in the environment is the path of the `temporal` program.
 */
#ifndef TEST_LIB_SERVER_H
#define TEST_LIB_SERVER_H

#include <stdbool.h>

#include "lib/process.h"

struct test_server_opts {
	const char *db; /* a database file, which survives the server; NULL: in memory */
	bool untuned;   /* true: the real server's own pace and limits */
	const char *const *dynamic_config;    /* "key=JSON value", NULL at the end; or NULL */
	const char *const *search_attributes; /* "Name=Type", NULL at the end; or NULL */
};

struct test_server {
	struct test_process process;
	char address[32];             /* of gRPC: 127.0.0.1:PORT */
	int port, http_port;          /* http_port: of the real server's API as JSON over HTTP */
	struct test_server_opts opts; /* borrowed: its strings live as long as the server */
};

/* Is it the real server that this run of the test is about? */
bool test_server_is_real(void);

/* The address of the server that the tests of this run share (namespace "default"); valid until the
 * program ends. */
const char *test_server_shared(void);

/* The path of the `temporal` program. */
const char *test_server_cli(void);

/* Starts a server (opts may be NULL) and returns when it answers calls. */
void test_server_start(struct test_server *server, const struct test_server_opts *opts);

/* kill -9. */
void test_server_kill(struct test_server *server);

/* SIGTERM, and waits for the end. */
void test_server_stop(struct test_server *server);

/* Starts it again on the same ports, with the same options; returns when it answers calls. */
void test_server_restart(struct test_server *server);

/* Runs `temporal ARGS... --address ADDRESS`; NULL ends args. Returns its exit status, *output
 * (malloc'ed) its output. */
int test_server_run_cli(const char *address, const char *const args[], char **output);

#endif
