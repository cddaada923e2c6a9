/*
 * worker_fixture.h: what the scenario tests of the worker share: a client of the run's server, a
 * worker on a task queue of the test's own, and what it told.
 */
#ifndef SCENARIO_WORKER_FIXTURE_H
#define SCENARIO_WORKER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>

#include <temporal/client.h>
#include <temporal/worker.h>

#include "lib/server.h"

#define EVENT_KINDS 32

struct fixture {
	struct temporal_client *client;
	struct temporal_worker *worker;
	char queue[64];
	/* lock */
	pthread_mutex_t lock;
	int events[EVENT_KINDS];          /* how many there were of each kind */
	char last_text[EVENT_KINDS][256]; /* the text of the last one */
	char last_log[8192];
};

static struct fixture fixture = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void on_event(const struct temporal_worker_event *event, void *user)
{
	(void)user;
	pthread_mutex_lock(&fixture.lock);
	fixture.events[event->kind]++;
	snprintf(fixture.last_text[event->kind], sizeof(fixture.last_text[0]), "%s", event->text);
	pthread_mutex_unlock(&fixture.lock);
}

static inline int event_count(enum temporal_worker_event_kind kind)
{
	pthread_mutex_lock(&fixture.lock);
	int count = fixture.events[kind];

	pthread_mutex_unlock(&fixture.lock);
	return count;
}

/* Waits until there have been so many events of the kind. */
static inline void wait_for_events(enum temporal_worker_event_kind kind, int count)
{
	test_wait_until(event_count(kind) >= count);
}

static void on_log(const struct temporal_worker_log *line, void *user)
{
	(void)user;
	pthread_mutex_lock(&fixture.lock);
	snprintf(fixture.last_log, sizeof(fixture.last_log), "%s", line->message);
	pthread_mutex_unlock(&fixture.lock);
	print_message("worker: %s\n", line->message);
}

static inline void connect_client(const char *address)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	fixture.client = temporal_client_connect(&err, .target = address);
	if (!fixture.client)
		print_message("%s\n", err.message);
	assert_non_null(fixture.client);
}

/* Starts the worker; the queue is the test's own, what tells of it is counted. */
static inline void start_worker(struct temporal_worker_opts opts)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	opts.task_queue = fixture.queue;
	opts.on_event = on_event;
	opts.on_log = on_log;
	fixture.worker = temporal_worker_new_(fixture.client, &opts, sizeof(opts), &err);
	if (!fixture.worker || temporal_worker_start(fixture.worker, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
}

static inline void stop_worker(void)
{
	struct temporal_error err;

	if (!fixture.worker)
		return;
	temporal_worker_shutdown(fixture.worker);
	assert_int_equal(temporal_worker_wait(fixture.worker, &err), TEMPORAL_OK);
	temporal_worker_unref(fixture.worker);
	fixture.worker = NULL;
}

/* A queue that no other test, and no earlier run of this one, has used. */
static inline int begin_test(void **state)
{
	static int number;

	(void)state;
	memset(fixture.events, 0, sizeof(fixture.events));
	snprintf(fixture.queue, sizeof(fixture.queue), "worker-test-%d-%d-%lld", (int)getpid(),
		++number, (long long)test_now_ms());
	return 0;
}

static inline int end_test(void **state)
{
	(void)state;
	stop_worker();
	return 0;
}

static inline int begin_all(void **state)
{
	(void)state;
	connect_client(test_server_shared());
	return 0;
}

static inline int end_all(void **state)
{
	(void)state;
	temporal_client_unref(fixture.client);
	fixture.client = NULL;
	return 0;
}

/* Starts the workflow of that type with these arguments; the test fails if it cannot. */
static inline struct temporal_run *start_named(const char *type, struct temporal_payloads arguments)
{
	struct temporal_start_opts opts = { .task_queue = fixture.queue,
		.execution_timeout_ms = 60000 };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run =
		temporal_start_named(fixture.client, type, arguments, &opts, &err);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	return run;
}

#define START(X_, ...) start_contract(&X_, &(const struct X_##_in){ __VA_ARGS__ })
#define START_0(X_)    start_contract(&X_, NULL)
static inline struct temporal_run *start_contract(
	const struct temporal_contract *contract, const void *in)
{
	struct temporal_start_opts opts = { .task_queue = fixture.queue,
		.execution_timeout_ms = 60000 };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run =
		temporal_start_contract_(fixture.client, contract, in, &opts, sizeof(opts), &err);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	return run;
}

/* The result of a run whose contract returns a string, to be freed; the handle is given up. */
static inline char *result_text(struct temporal_run *run, const struct temporal_contract *contract)
{
	struct temporal_result *result = NULL;
	struct temporal_error err = { .code = TEMPORAL_OK };
	const char *text = NULL;

	if (temporal_result_(run, contract, &text, NULL, 0, &result, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
	char *copy = strdup(text);

	assert_non_null(copy);
	temporal_result_unref(result);
	temporal_run_unref(run);
	return copy;
}

static inline void assert_result(
	struct temporal_run *run, const struct temporal_contract *contract, const char *expected)
{
	char *text = result_text(run, contract);

	assert_string_equal(text, expected);
	free(text);
}

/* How a run ended that did not complete; the caller gives the result up. */
static inline struct temporal_result *failed_result(struct temporal_run *run)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *result = temporal_run_wait_0(run, &err);

	if (!result)
		print_message("%s\n", err.message);
	assert_non_null(result);
	assert_non_null(temporal_result_failure(result));
	temporal_run_unref(run);
	return result;
}

#define WORKFLOWS(...)  ((const struct temporal_workflow *const[]){ __VA_ARGS__, NULL })
#define ACTIVITIES(...) ((const struct temporal_activity *const[]){ __VA_ARGS__, NULL })

#endif
