/*
 * Commands to workers. Goal: a request of the server is read as the API has it, whatever the bytes
 * are, and the answer has one result for each command, in order. Method: bytes written by hand, as
 * the messages themselves are not among those that the API's packages have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/commands.h"

static struct arena arena;

static int begin(void **state)
{
	arena_init(&arena, 256, ARENA_NO_BUDGET);
	return 0;
}

static int end(void **state)
{
	arena_finish(&arena);
	return 0;
}

/* Two cancellations, with the tokens "ab" and "c", and a command of a kind that is not known. */
static const uint8_t three[] = { 0x0A, 6, 0x0A, 4, 0x0A, 2, 'a', 'b', 0x0A, 2, 0x12, 0, 0x0A, 5,
	0x0A, 3, 0x0A, 1, 'c' };

static void commands_are_read_and_answered(void **state)
{
	static const uint8_t expected[] = { 0x0A, 2, 0x0A, 0, 0x0A, 0, 0x0A, 2, 0x0A, 0 };
	Worker__WorkerCommand **commands;
	struct bytes answer;
	size_t n;

	assert_true(worker_commands_read(&arena, three, sizeof(three), &commands, &n));
	assert_int_equal(n, 3);
	assert_int_equal(commands[0]->cancel_activity->task_token.len, 2);
	assert_memory_equal(commands[0]->cancel_activity->task_token.data, "ab", 2);
	assert_int_equal(commands[1]->type_case, WORKER__WORKER_COMMAND__TYPE__NOT_SET);
	assert_memory_equal(commands[2]->cancel_activity->task_token.data, "c", 1);
	assert_true(worker_commands_answer(&arena, commands, n, &answer));
	assert_int_equal(answer.len, sizeof(expected));
	assert_memory_equal(answer.ptr, expected, sizeof(expected));
}

static void none_are_as_good(void **state)
{
	Worker__WorkerCommand **commands;
	struct bytes answer;
	size_t n;

	assert_true(worker_commands_read(&arena, NULL, 0, &commands, &n));
	assert_int_equal(n, 0);
	assert_true(worker_commands_answer(&arena, commands, n, &answer));
	assert_int_equal(answer.len, 0);
}

/* Cut anywhere but between two commands it is none; with any byte changed nothing bad happens. */
static void what_is_no_request_is_refused(void **state)
{
	Worker__WorkerCommand **commands;
	uint8_t bytes[sizeof(three)];
	size_t n;

	for (size_t len = 1; len < sizeof(three); len++) {
		if (len != 8 && len != 12)
			assert_false(worker_commands_read(&arena, three, len, &commands, &n));
	}
	for (size_t i = 0; i < sizeof(three) * 256; i++) {
		memcpy(bytes, three, sizeof(three));
		bytes[i / 256] = (uint8_t)i;
		if (worker_commands_read(&arena, bytes, sizeof(bytes), &commands, &n))
			assert_in_range(n, 0, sizeof(three) / 2);
	}
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commands_are_read_and_answered),
		TEST(none_are_as_good),
		TEST(what_is_no_request_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
