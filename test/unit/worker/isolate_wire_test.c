/*
 * Goal: what the worker hears of a child process is whole, or is told from what is not; and nothing
 * that a child may send takes descriptors or memory from the worker. Method: both ends of a socket
 * in one process; packets that isolate_send would not make are written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/isolate_wire.h"
#include "worker/limits.h"

/* As in isolate_wire.c. */
struct head {
	uint32_t kind, flags;
	uint64_t id, size, offset;
};

static struct {
	int child, worker;
	struct arena arena;
	struct isolate_message message;
} ends;

static int begin(void **state)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	ends.child = pair[0];
	ends.worker = pair[1];
	arena_init(&ends.arena, 256, ARENA_NO_BUDGET);
	return 0;
}

static int end(void **state)
{
	close(ends.child);
	close(ends.worker);
	arena_finish(&ends.arena);
	return 0;
}

static enum isolate_got hear(bool passes)
{
	return isolate_receive(ends.worker, passes, &ends.arena, &ends.message);
}

static void say(uint32_t kind, uint64_t size, uint64_t offset, size_t sent)
{
	struct {
		struct head head;
		char data[64];
	} packet = { { .kind = kind, .size = size, .offset = offset }, "abcdefgh" };

	assert_int_equal(send(ends.child, &packet, sizeof(packet.head) + sent, 0),
		sizeof(packet.head) + sent);
}

static int open_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(all);
	while (readdir(all))
		n++;
	closedir(all);
	return n;
}

static void a_message_comes_in_pieces(void **state)
{
	static char large[100000];
	const struct isolate_message message = { .kind = ISOLATE_COMPLETED,
		.flags = 1,
		.id = 7,
		.data = large,
		.size = sizeof(large),
		.fd = -1 };

	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = 'y';
	assert_true(isolate_send(ends.child, &message));
	assert_int_equal(hear(false), ISOLATE_GOT);
	assert_int_equal(ends.message.kind, ISOLATE_COMPLETED);
	assert_int_equal(ends.message.flags, 1);
	assert_int_equal(ends.message.id, 7);
	assert_int_equal(ends.message.size, sizeof(large));
	assert_memory_equal(ends.message.data, large, sizeof(large));
	assert_int_equal(ends.message.fd, -1);
}

static void a_death_ends_what_was_begun(void **state)
{
	const struct isolate_died died = { .status = 9 };

	say(ISOLATE_FAILED, 20, 0, 8);
	isolate_send_last(ends.child, ISOLATE_DIED, &died, sizeof(died));
	assert_int_equal(hear(false), ISOLATE_GOT);
	assert_int_equal(ends.message.kind, ISOLATE_DIED);
	assert_int_equal(ends.message.size, sizeof(died));
	assert_memory_equal(ends.message.data, &died, sizeof(died));
}

/* On one thread, while another was sending. */
static void a_crash_is_heard_in_the_middle(void **state)
{
	static const struct isolate_crash crash = { .signal = 11 };

	say(ISOLATE_BEAT, 20, 0, 8);
	isolate_send_last(ends.child, ISOLATE_CRASH, &crash, sizeof(crash));
	assert_int_equal(hear(false), ISOLATE_GOT);
	assert_int_equal(ends.message.kind, ISOLATE_CRASH);
	assert_memory_equal(ends.message.data, &crash, sizeof(crash));
}

/* No memory is taken for more than a line has. */
static void a_line_of_the_log_has_its_size(void **state)
{
	say(ISOLATE_LOG, 8, 0, 8);
	assert_int_equal(hear(false), ISOLATE_GOT);
	assert_string_equal(ends.message.data, "abcdefgh");
	say(ISOLATE_LOG, ISOLATE_LOG_MAX + 1, 0, 8);
	assert_int_equal(hear(false), ISOLATE_GARBLED);
}

static void what_does_not_fit_is_garbled(void **state)
{
	static const struct {
		uint64_t size, offset;
		size_t sent;
	} packets[] = {
		{ (uint64_t)WORKER_ISOLATE_MESSAGE_MAX + 1, 0, 8 },
		{ UINT64_MAX, 0, 8 },
		{ 8, 8, 8 },
		{ 8, UINT64_MAX, 8 },
		{ 4, 0, 8 },
		{ 8, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		say(ISOLATE_BEAT, packets[i].size, packets[i].offset, packets[i].sent);
		assert_int_equal(hear(false), ISOLATE_GARBLED);
		while (recv(ends.worker, &(char){ 0 }, 1, MSG_DONTWAIT) > 0)
			continue;
	}
	assert_int_equal(send(ends.child, "short", 5, 0), 5);
	assert_int_equal(hear(false), ISOLATE_GARBLED);
}

static void another_message_in_the_middle_is_garbled(void **state)
{
	say(ISOLATE_FAILED, 20, 0, 8);
	say(ISOLATE_BEAT, 20, 8, 8);
	assert_int_equal(hear(false), ISOLATE_GARBLED);
}

static void a_descriptor_comes_only_where_it_is_wanted(void **state)
{
	const struct isolate_message message = {
		.kind = ISOLATE_FORK, .data = "", .fd = ends.child
	};
	int before = open_descriptors();

	assert_true(isolate_send(ends.child, &message));
	assert_int_equal(hear(false), ISOLATE_GOT);
	assert_int_equal(ends.message.fd, -1);
	assert_int_equal(open_descriptors(), before);
	assert_true(isolate_send(ends.child, &message));
	assert_int_equal(hear(true), ISOLATE_GOT);
	assert_true(ends.message.fd >= 0);
	assert_int_equal(open_descriptors(), before + 1);
	close(ends.message.fd);
}

static void the_last_words_are_heard_after_the_end(void **state)
{
	assert_true(isolate_send(ends.worker,
		&(const struct isolate_message){ .kind = ISOLATE_RUN, .data = "", .fd = -1 }));
	say(ISOLATE_LATER, 0, 0, 0);
	close(ends.child); /* with something unread in it */
	assert_int_equal(hear(false), ISOLATE_GOT);
	assert_int_equal(ends.message.kind, ISOLATE_LATER);
	assert_int_equal(hear(false), ISOLATE_CLOSED);
	ends.child = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_comes_in_pieces, begin, end),
		cmocka_unit_test_setup_teardown(a_death_ends_what_was_begun, begin, end),
		cmocka_unit_test_setup_teardown(a_crash_is_heard_in_the_middle, begin, end),
		cmocka_unit_test_setup_teardown(a_line_of_the_log_has_its_size, begin, end),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_garbled, begin, end),
		cmocka_unit_test_setup_teardown(
			another_message_in_the_middle_is_garbled, begin, end),
		cmocka_unit_test_setup_teardown(
			a_descriptor_comes_only_where_it_is_wanted, begin, end),
		cmocka_unit_test_setup_teardown(the_last_words_are_heard_after_the_end, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
