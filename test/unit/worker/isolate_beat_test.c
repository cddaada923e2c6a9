/*
 * Goal: of the heartbeats that a child leaves in shared memory the worker reads the latest, whole
 * or not at all, whatever the child does, and is told when it has stopped to look. Method: both
 * sides on one place of memory, in one thread; then a writer that never stops beside a reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/sanitize.h"
#include "worker/isolate_wire.h"

#define OWNER 7

static struct isolate_shared shared;
static struct isolate_beat beat;

static int begin(void **state)
{
	memset(&shared, 0, sizeof(shared));
	memset(&beat, 0, sizeof(beat));
	isolate_beat_reset(&shared);
	return 0;
}

static void leave(const char *details)
{
	(void)isolate_beat_write(&shared, OWNER, 1000, details, strlen(details));
}

static bool look(uint64_t after)
{
	return isolate_beat_read(&shared, OWNER, after, &beat);
}

static void the_latest_is_read_once(void **state)
{
	assert_false(look(0));
	leave("first");
	leave("second");
	assert_true(look(0));
	assert_int_equal(beat.number, 2);
	assert_int_equal(beat.made_ns, 1000);
	assert_int_equal(beat.size, 6);
	assert_memory_equal(beat.details, "second", 6);
	assert_false(look(beat.number));
	leave("");
	assert_true(look(2));
	assert_int_equal(beat.size, 0);
}

/* The child was killed while it wrote the third. */
static void half_a_heartbeat_is_none(void **state)
{
	leave("first");
	leave("second");
	memcpy(shared.beats[1].details, "thi", 3);
	shared.beats[1].size = 5;
	assert_true(look(0));
	assert_memory_equal(beat.details, "second", 6);
}

static void what_is_large_goes_another_way(void **state)
{
	static char large[sizeof(beat.details) + 1];

	leave("first");
	assert_int_equal(isolate_beat_write(&shared, OWNER, 1, large, sizeof(large)), 2);
	assert_false(look(0));
	leave("third");
	assert_true(look(2));
	assert_memory_equal(beat.details, "third", 5);
	assert_int_equal(isolate_beat_write(&shared, OWNER, 1, large, sizeof(large) - 1), 4);
	assert_true(look(3));
	assert_int_equal(beat.size, sizeof(large) - 1);
}

static void only_the_first_is_told_of(void **state)
{
	leave("first");
	assert_true(isolate_beat_is_wanted(&shared));
	leave("second");
	assert_false(isolate_beat_is_wanted(&shared));
	assert_true(look(0));
	isolate_beat_want(&shared);
	assert_false(look(2));
	leave("third");
	assert_true(isolate_beat_is_wanted(&shared));
}

/* What a child may not write there does no harm to who reads. */
static void lies_are_not_believed(void **state)
{
	leave("first");
	shared.beats[1].size = UINT32_MAX;
	assert_true(look(0));
	assert_int_equal(beat.size, 0);
	(void)isolate_beat_write(&shared, OWNER + 1, 1, "of another", 10);
	assert_false(look(1));
	isolate_beat_reset(&shared);
	assert_false(look(0));
	leave("of the next attempt");
	assert_true(look(0));
	assert_int_equal(beat.number, 1);
}

#if !defined(SANITIZE_THREAD) /* between two processes nothing else is possible */
static _Atomic bool over;

static void *write_on(void *user)
{
	char details[100];

	for (int i = 0; !over; i++) {
		memset(details, 'a' + i % 26, sizeof(details));
		(void)isolate_beat_write(&shared, OWNER, i, details, sizeof(details));
	}
	return NULL;
}

static void what_is_read_is_whole(void **state)
{
	pthread_t writer;
	uint64_t after = 0;
	int read = 0;

	over = false;
	assert_int_equal(pthread_create(&writer, NULL, write_on, NULL), 0);
	while (read < 50) {
		if (!look(after)) {
			sched_yield();
			continue;
		}
		assert_true(beat.number > after);
		assert_int_equal(beat.number, beat.made_ns + 1);
		for (size_t at = 0; at < 100; at++)
			assert_int_equal(beat.details[at], 'a' + beat.made_ns % 26);
		after = beat.number;
		read++;
	}
	over = true;
	pthread_join(writer, NULL);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_latest_is_read_once, begin),
		cmocka_unit_test_setup(half_a_heartbeat_is_none, begin),
		cmocka_unit_test_setup(what_is_large_goes_another_way, begin),
		cmocka_unit_test_setup(only_the_first_is_told_of, begin),
		cmocka_unit_test_setup(lies_are_not_believed, begin),
#if !defined(SANITIZE_THREAD)
		cmocka_unit_test_setup(what_is_read_is_whole, begin),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
