/*
 * Goal: a client outlives its server's restart: calls that wait go on, later calls connect again.
 * Search attributes make the way there and back.
 * Method: a server of the test's own on a database file, killed and started again on its ports.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <temporal/client.h>

#include "lib/server.h"

#define QUEUE "client-restart-nobody-polls"
#define RUNS  20

static const struct temporal_payloads no_arguments;

struct ended {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int times, terminated;
};

static void note_end(struct temporal_result *result, const struct temporal_error *err, void *user)
{
	struct ended *ended = user;

	pthread_mutex_lock(&ended->lock);
	ended->times++;
	if (result && temporal_result_status(result) == TEMPORAL_STATUS_TERMINATED)
		ended->terminated++;
	if (err)
		print_message("%s\n", err->message);
	pthread_cond_signal(&ended->cond);
	pthread_mutex_unlock(&ended->lock);
	temporal_result_unref(result);
}

static void waits_across_a_restart(void **state)
{
	struct test_server *server = *state;
	struct ended ended = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
	const struct temporal_start_opts opts = { .task_queue = QUEUE };
	struct temporal_error err = { 0 };
	struct temporal_client *client = temporal_client_connect(&err, .target = server->address);
	struct temporal_run *runs[RUNS];

	assert_non_null(client);
	for (int i = 0; i < RUNS; i++) {
		runs[i] = temporal_start_named(client, "OrderWorkflow", no_arguments, &opts, &err);
		assert_non_null(runs[i]);
		assert_int_equal(
			temporal_run_wait_0_async(runs[i], note_end, &ended, &err), TEMPORAL_OK);
	}
	test_server_kill(server);
	test_server_restart(server);
	for (int i = 0; i < RUNS; i++) {
		assert_int_equal(temporal_run_terminate_0(runs[i], &err), TEMPORAL_OK);
		temporal_run_unref(runs[i]);
	}
	pthread_mutex_lock(&ended.lock);
	while (ended.times < RUNS)
		pthread_cond_wait(&ended.cond, &ended.lock);
	pthread_mutex_unlock(&ended.lock);
	assert_int_equal(ended.terminated, RUNS);
	temporal_client_unref(client);
}

static const struct temporal_payload *find(const struct temporal_entries *entries, const char *key)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (strcmp(entries->items[i].key, key) == 0)
			return &entries->items[i].value;
	}
	return NULL;
}

static void keeps_search_attributes(void **state)
{
	struct test_server *server = *state;
	const struct temporal_entry attributes[] = {
		{ .key = "Customer", .value = { .data = { "\"ann\"", 5 } } },
		{ .key = "Lines", .value = { .data = { "12", 2 } } },
	};
	const struct temporal_entries both = { attributes, 2 };
	const struct temporal_entry unknown = { .key = "Nope", .value = { .data = { "1", 1 } } };
	const struct temporal_entries one = { &unknown, 1 };
	struct temporal_start_opts opts = { .task_queue = QUEUE, .search_attributes = &both };
	struct temporal_error err = { 0 };
	struct temporal_client *client = temporal_client_connect(&err, .target = server->address);
	struct temporal_run_description *made;
	struct temporal_run *run;

	assert_non_null(client);
	run = temporal_start_named(client, "OrderWorkflow", no_arguments, &opts, &err);
	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	made = temporal_run_describe(run, &err);
	assert_non_null(made);
	assert_memory_equal(find(&made->search_attributes, "Customer")->data.data, "\"ann\"", 5);
	assert_memory_equal(find(&made->search_attributes, "Lines")->data.data, "12", 2);
	temporal_run_description_unref(made);
	assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_OK);
	temporal_run_unref(run);
	opts.search_attributes = &one;
	assert_null(temporal_start_named(client, "OrderWorkflow", no_arguments, &opts, &err));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "Nope"));
	temporal_client_unref(client);
}

static char db[] = "/tmp/client-restart-XXXXXX";

static int set_up(void **state)
{
	static const char *const attributes[] = { "Customer=Keyword", "Lines=Int", NULL };
	static struct test_server server;
	int fd = mkstemp(db);

	if (fd < 0)
		return -1;
	close(fd);
	unlink(db); /* the server makes it */
	test_server_start(
		&server, &(struct test_server_opts){ .db = db, .search_attributes = attributes });
	*state = &server;
	return 0;
}

static int tear_down(void **state)
{
	test_server_stop(*state);
	unlink(db);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_search_attributes),
		cmocka_unit_test(waits_across_a_restart),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
