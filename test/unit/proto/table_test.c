/*
 * Goal: threads that meet a type for the first time at once agree on one table. Method: several
 * threads start together and decode and encode messages of many types that nobody has used before;
 * the thread sanitizer watches.
 */
#include <pthread.h>

#include "proto/table.h"
#include "proto_fixture.h"

enum {
	THREADS = 4
};

static const ProtobufCMessageDescriptor *const types[] = {
	&history__history__descriptor,
	&history__history_event__descriptor,
	&failure__failure__descriptor,
	&common__payloads__descriptor,
	&common__retry_policy__descriptor,
	&workflowservice__poll_workflow_task_queue_response__descriptor,
	&workflowservice__poll_activity_task_queue_response__descriptor,
	&workflowservice__respond_workflow_task_completed_request__descriptor,
	&workflowservice__start_workflow_execution_request__descriptor,
};

enum {
	TYPES = sizeof(types) / sizeof(types[0])
};

struct racer {
	pthread_t thread;
	pthread_barrier_t *barrier;
	const struct proto_table *tables[TYPES];
	bool ok;
};

static void *race(void *data)
{
	struct racer *racer = data;
	struct arena arena;
	struct bytes out;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	pthread_barrier_wait(racer->barrier);
	racer->ok = true;
	for (size_t i = 0; i < TYPES; i++) {
		/* field 1 as an empty submessage, or as a string: its own table is made as well */
		const void *message = proto_decode(&arena, types[i], "\x0a\x00", 2, NULL, NULL);

		racer->ok &= message && proto_encode(&arena, message, 0, &out, NULL) == TEMPORAL_OK;
		racer->tables[i] = proto_table_of(types[i]);
	}
	arena_finish(&arena);
	return NULL;
}

static void table_is_one_for_all_threads(void **state)
{
	struct racer racers[THREADS];
	pthread_barrier_t barrier;

	assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		racers[i].barrier = &barrier;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	pthread_barrier_destroy(&barrier);
	for (int i = 0; i < THREADS; i++) {
		assert_true(racers[i].ok);
		for (size_t k = 0; k < TYPES; k++)
			assert_ptr_equal(racers[i].tables[k], racers[0].tables[k]);
	}
}

static void table_finds_every_field(void **state)
{
	for (size_t i = 0; i < TYPES; i++) {
		const struct proto_table *table = proto_table_of(types[i]);

		assert_ptr_equal(table->type, types[i]);
		for (unsigned k = 0; k < types[i]->n_fields; k++) {
			const struct proto_field *field =
				proto_table_find(table, types[i]->fields[k].id);

			assert_non_null(field);
			assert_ptr_equal(
				proto_table_descriptor(table, field), &types[i]->fields[k]);
			assert_ptr_equal(proto_table_search(table, types[i]->fields[k].id), field);
		}
		assert_null(proto_table_find(table, 0));
		assert_null(proto_table_find(table, 900));
		assert_null(proto_table_find(table, 0x1FFFFFFF));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_one_for_all_threads),
		cmocka_unit_test(table_finds_every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
