/*
 * Nexus endpoints, against a server. Goal: they are made, found by id and by name, changed, listed
 * and deleted, and what goes wrong has its code. Method: endpoints of names of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include <temporal/client.h>

#include "lib/server.h"

static struct temporal_client *client;
static char name[64];
static struct temporal_error err;

static int begin(void **state)
{
	static int number;

	err = (struct temporal_error){ .code = TEMPORAL_OK };
	snprintf(name, sizeof(name), "endpoint-%d-%d-%lld", (int)getpid(), ++number,
		(long long)test_now_ms());
	return 0;
}

static struct temporal_nexus_endpoint *make(void)
{
	struct temporal_nexus_endpoint *made = temporal_nexus_endpoint_create(
		client, &err, .name = name, .task_queue = "queue", .description = "for **tests**");

	if (!made)
		print_message("%s\n", err.message);
	assert_non_null(made);
	return made;
}

static void drop(struct temporal_nexus_endpoint *endpoint)
{
	assert_int_equal(
		temporal_nexus_endpoint_delete(client, endpoint->id, endpoint->version, &err),
		TEMPORAL_OK);
	temporal_nexus_endpoint_unref(endpoint);
}

static void assert_is(
	const struct temporal_nexus_endpoint *is, const struct temporal_nexus_endpoint *expected)
{
	assert_non_null(is);
	assert_string_equal(is->id, expected->id);
	assert_string_equal(is->name, expected->name);
	assert_string_equal(is->namespace_, expected->namespace_);
	assert_string_equal(is->task_queue, expected->task_queue);
	assert_string_equal(is->url, expected->url);
	assert_string_equal(is->description, expected->description);
	assert_int_equal(is->version, expected->version);
	assert_int_equal(is->created_ns, expected->created_ns);
}

static void an_endpoint_is_made_and_found(void **state)
{
	struct temporal_nexus_endpoint *made = make();

	assert_string_equal(made->name, name);
	assert_string_equal(made->namespace_, "default");
	assert_string_equal(made->task_queue, "queue");
	assert_string_equal(made->url, "");
	assert_string_equal(made->description, "for **tests**");
	assert_string_equal(made->description_payload.encoding, "json/plain");
	assert_int_equal(strlen(made->id), 36);
	assert_int_equal(made->version, 1);
	assert_true(made->created_ns > 0);
	assert_non_null(strstr(made->url_prefix, made->id));
	struct temporal_nexus_endpoint *got = temporal_nexus_endpoint_get(client, made->id, &err);
	struct temporal_nexus_endpoint *found = temporal_nexus_endpoint_find(client, name, &err);

	assert_is(got, made);
	assert_is(found, made);
	temporal_nexus_endpoint_unref(got);
	temporal_nexus_endpoint_unref(found);
	drop(made);
}

static void an_endpoint_is_changed(void **state)
{
	struct temporal_nexus_endpoint *made = make();
	struct temporal_nexus_endpoint *changed = temporal_nexus_endpoint_update(client, made->id,
		made->version, &err, .name = name, .url = "http://nowhere.example/nexus");

	assert_non_null(changed);
	assert_int_equal(changed->version, 2);
	assert_string_equal(changed->url, "http://nowhere.example/nexus");
	assert_string_equal(changed->task_queue, "");
	assert_string_equal(changed->description, "");
	assert_true(changed->modified_ns > 0);
	/* Somebody else was faster: */
	assert_null(temporal_nexus_endpoint_update(
		client, made->id, made->version, &err, .name = name, .task_queue = "other"));
	assert_int_equal(err.code, TEMPORAL_FAILED_PRECONDITION);
	assert_non_null(strstr(err.message, made->id));
	temporal_nexus_endpoint_unref(made);
	drop(changed);
}

static void mistakes_have_their_codes(void **state)
{
	static const char nobody[] = "11111111-2222-3333-4444-555555555555";
	struct temporal_nexus_endpoint *made = make();

	assert_null(
		temporal_nexus_endpoint_create(client, &err, .name = name, .task_queue = "queue"));
	assert_int_equal(err.code, TEMPORAL_ALREADY_EXISTS);
	assert_null(temporal_nexus_endpoint_create(
		client, &err, .name = "no name!", .task_queue = "queue"));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_null(temporal_nexus_endpoint_create(client, &err, .name = "nowhere"));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "either a task_queue or a url"));
	assert_null(temporal_nexus_endpoint_get(client, nobody, &err));
	assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
	assert_null(temporal_nexus_endpoint_find(client, "no-such-endpoint", &err));
	assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
	assert_null(temporal_nexus_endpoint_find(client, "", &err));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(
		temporal_nexus_endpoint_delete(client, nobody, 1, &err), TEMPORAL_NOT_FOUND);
	drop(made);
}

static void all_are_listed(void **state)
{
	struct temporal_nexus_endpoint *made = make();
	struct temporal_nexus_endpoints *list = temporal_nexus_endpoint_list(client, &err);
	size_t found = 0;

	assert_non_null(list);
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].id, made->id) != 0)
			continue;
		assert_is(&list->items[i], made);
		found++;
	}
	assert_int_equal(found, 1);
	temporal_nexus_endpoints_unref(list);
	drop(made);
}

/* What the asynchronous forms gave. */
struct told {
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool is_told;
	struct temporal_nexus_endpoint *endpoint;
	struct temporal_nexus_endpoints *endpoints;
	enum temporal_code code;
};

static void tell(struct told *told, const struct temporal_error *why)
{
	pthread_mutex_lock(&told->lock);
	told->code = why ? why->code : TEMPORAL_OK;
	told->is_told = true;
	pthread_cond_signal(&told->told);
	pthread_mutex_unlock(&told->lock);
}

static void on_endpoint(
	struct temporal_nexus_endpoint *endpoint, const struct temporal_error *why, void *user)
{
	((struct told *)user)->endpoint = endpoint;
	tell(user, why);
}

static void on_endpoints(
	struct temporal_nexus_endpoints *endpoints, const struct temporal_error *why, void *user)
{
	((struct told *)user)->endpoints = endpoints;
	tell(user, why);
}

static void on_done(const struct temporal_error *why, void *user)
{
	tell(user, why);
}

static void wait_told(struct told *told, enum temporal_code code)
{
	pthread_mutex_lock(&told->lock);
	while (!told->is_told)
		pthread_cond_wait(&told->told, &told->lock);
	told->is_told = false;
	pthread_mutex_unlock(&told->lock);
	assert_int_equal(told->code, code);
}

static void nothing_has_to_be_waited_for(void **state)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };

	assert_int_equal(temporal_nexus_endpoint_create_async(client, on_endpoint, &told, &err,
				 .name = name, .task_queue = "queue"),
		TEMPORAL_OK);
	wait_told(&told, TEMPORAL_OK);
	struct temporal_nexus_endpoint *made = told.endpoint;

	assert_int_equal(
		temporal_nexus_endpoint_get_async(client, made->id, on_endpoint, &told, &err),
		TEMPORAL_OK);
	wait_told(&told, TEMPORAL_OK);
	assert_is(told.endpoint, made);
	temporal_nexus_endpoint_unref(told.endpoint);
	assert_int_equal(
		temporal_nexus_endpoint_find_async(client, "none", on_endpoint, &told, &err),
		TEMPORAL_OK);
	wait_told(&told, TEMPORAL_NOT_FOUND);
	assert_null(told.endpoint);
	assert_int_equal(
		temporal_nexus_endpoint_list_async(client, on_endpoints, &told, &err), TEMPORAL_OK);
	wait_told(&told, TEMPORAL_OK);
	assert_true(told.endpoints->count > 0);
	temporal_nexus_endpoints_unref(told.endpoints);
	assert_int_equal(temporal_nexus_endpoint_update_async(client, made->id, made->version,
				 on_endpoint, &told, &err, .name = name, .task_queue = "other"),
		TEMPORAL_OK);
	wait_told(&told, TEMPORAL_OK);
	assert_string_equal(told.endpoint->task_queue, "other");
	assert_int_equal(temporal_nexus_endpoint_delete_async(
				 client, made->id, told.endpoint->version, on_done, &told, &err),
		TEMPORAL_OK);
	wait_told(&told, TEMPORAL_OK);
	temporal_nexus_endpoint_unref(told.endpoint);
	temporal_nexus_endpoint_unref(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_endpoint_is_made_and_found, begin),
		cmocka_unit_test_setup(an_endpoint_is_changed, begin),
		cmocka_unit_test_setup(mistakes_have_their_codes, begin),
		cmocka_unit_test_setup(all_are_listed, begin),
		cmocka_unit_test_setup(nothing_has_to_be_waited_for, begin),
	};

	client = temporal_client_connect(&err, .target = test_server_shared());
	if (!client) {
		print_message("%s\n", err.message);
		return 1;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	temporal_client_unref(client);
	return failed;
}
