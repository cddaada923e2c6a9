/*
 * Goal: no message, whatever its bytes, costs more than its size allows. Method: the inputs that
 * kill protobuf-c's own decoder (depth, merging, amplification), against limits on time and memory.
 */
#include "proto_fixture.h"

#include "proto/wire.h"

/* `levels` failures in a row, each the cause of the one around it; built from the inside, malloc'd.
 */
static uint8_t *nested_causes(unsigned levels, size_t *len)
{
	size_t size = (size_t)levels * 5, at = size;
	uint8_t *data = malloc(size);

	assert_non_null(data);
	for (unsigned i = 0; i < levels; i++) {
		uint64_t inner = size - at;

		at -= wire_varint_size(inner);
		wire_store_varint(data + at, inner);
		data[--at] = 0x22;
	}
	memmove(data, data + at, size - at);
	*len = size - at;
	return data;
}

static void hostile_depth_is_refused(void **state)
{
	struct fixture *f = *state;
	static const unsigned levels[] = { 100, 101, 10000 };

	for (size_t i = 0; i < 3; i++) {
		size_t len;
		uint8_t *data = nested_causes(levels[i], &len);
		const void *message = proto_decode(
			&f->arena, &failure__failure__descriptor, data, len, NULL, &f->err);

		free(data);
		assert_true(!message == (levels[i] > 100));
		if (!message)
			assert_int_equal(f->err.code, TEMPORAL_RESOURCE_EXHAUSTED);
	}
}

/*
 * Milliseconds that the decoder needs here for 400 KB of fields that it only keeps: the measure for
 * the limits on time, so that they hold under valgrind and the sanitizers too.
 */
static double pace_ms(void)
{
	static uint8_t data[400000];
	const struct proto_limits limits = { .memory_max = SIZE_MAX };
	struct arena arena;

	for (size_t i = 0; i < sizeof(data); i += 4)
		memcpy(data + i, "\x2a\x02\x10\x01", 4);
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	double started = cpu_ms();
	assert_non_null(proto_decode(&arena, &common__workflow_execution__descriptor, data,
		sizeof(data), &limits, NULL));
	double took = cpu_ms() - started;
	arena_finish(&arena);
	return took;
}

static void hostile_merge_is_linear(void **state)
{
	struct fixture *f = *state;
	enum {
		TIMES = 100000
	};
	double pace = pace_ms();
	uint8_t *data = malloc(TIMES * 4);

	/* 400 KB: the same submessage (application_failure_info) a hundred thousand times, a field
	 * each */
	assert_non_null(data);
	for (size_t i = 0; i < TIMES; i++)
		memcpy(data + i * 4, "\x2a\x02\x10\x01", 4);
	double started = cpu_ms();
	const Failure__Failure *failure = proto_decode(
		&f->arena, &failure__failure__descriptor, data, TIMES * 4, NULL, &f->err);
	double took = cpu_ms() - started;

	free(data);
	assert_non_null(failure);
	assert_true(failure->application_failure_info->non_retryable);
	assert_true(f->arena.held < 4096);
	assert_true(took < 50 + 10 * pace);
}

/* Decodes `pair` repeated to 4 MiB; checks that it is refused, in time and within 16 times its
 * size. */
static void assert_amplification_refused(
	struct fixture *f, const ProtobufCMessageDescriptor *type, const char *pair)
{
	enum {
		SIZE = 4 << 20
	};
	uint8_t *data = malloc(SIZE);
	double pace = pace_ms();

	assert_non_null(data);
	for (size_t i = 0; i < SIZE; i += 2)
		memcpy(data + i, pair, 2);
	double started = cpu_ms();
	const void *message = proto_decode(&f->arena, type, data, SIZE, NULL, &f->err);
	double took = cpu_ms() - started;

	free(data);
	assert_null(message);
	assert_int_equal(f->err.code, TEMPORAL_RESOURCE_EXHAUSTED);
	assert_true(f->arena.held <= (size_t)SIZE * 17);
	assert_true(took < 1000 + 100 * pace);
	arena_finish(&f->arena);
}

static void hostile_amplification_stays_within_budget(void **state)
{
	struct fixture *f = *state;

	assert_amplification_refused(f, &history__history__descriptor, "\x0a\x00");
	assert_amplification_refused(f, &common__payloads__descriptor, "\x0a\x00");
	assert_amplification_refused(
		f, &common__payload__descriptor, "\x38\x01"); /* unknown fields */
}

static void hostile_message_respects_the_arena(void **state)
{
	struct fixture *f = *state;
	uint8_t data[20000];

	for (size_t i = 0; i < sizeof(data); i += 2)
		memcpy(data + i, "\x0a\x00", 2);
	f->arena.budget = 100 * 1024;
	assert_null(proto_decode(
		&f->arena, &common__payloads__descriptor, data, sizeof(data), NULL, &f->err));
	assert_int_equal(f->err.code, TEMPORAL_RESOURCE_EXHAUSTED);
	assert_true(f->arena.held <= 100 * 1024);
}

static void hostile_elements_are_counted(void **state)
{
	struct fixture *f = *state;
	const struct proto_limits limits = { .elements_max = 7 };
	static const char data[] = "\x0a\x00\x0a\x00\x0a\x00\x0a\x00";

	/* the message itself and two for each element: the pointer and what it points at */
	assert_non_null(
		proto_decode(&f->arena, &common__payloads__descriptor, data, 6, &limits, &f->err));
	assert_null(
		proto_decode(&f->arena, &common__payloads__descriptor, data, 8, &limits, &f->err));
	assert_int_equal(f->err.code, TEMPORAL_RESOURCE_EXHAUSTED);
}

static void hostile_depth_limit_is_the_callers(void **state)
{
	struct fixture *f = *state;
	const struct proto_limits limits = { .depth_max = 1 };

	assert_non_null(proto_decode(
		&f->arena, &failure__failure__descriptor, "\x22\x00", 2, &limits, &f->err));
	assert_null(proto_decode(
		&f->arena, &failure__failure__descriptor, "\x22\x02\x22\x00", 4, &limits, &f->err));
}

static void hostile_groups_are_not_followed(void **state)
{
	struct fixture *f = *state;
	uint8_t data[20000];

	memset(data, 0x7B, sizeof(data)); /* ten thousand beginnings of group 15 */
	assert_null(proto_decode(
		&f->arena, &failure__failure__descriptor, data, sizeof(data), NULL, &f->err));
	assert_int_equal(f->err.code, TEMPORAL_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(hostile_depth_is_refused),
		FIXTURE_TEST(hostile_merge_is_linear),
		FIXTURE_TEST(hostile_amplification_stays_within_budget),
		FIXTURE_TEST(hostile_message_respects_the_arena),
		FIXTURE_TEST(hostile_elements_are_counted),
		FIXTURE_TEST(hostile_depth_limit_is_the_callers),
		FIXTURE_TEST(hostile_groups_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
