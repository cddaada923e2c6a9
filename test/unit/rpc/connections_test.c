/*
 * Goal: one address cannot have more connections than it may, and others are served meanwhile.
 * Method: a server on a loop, plain sockets from two addresses of this machine, a client beside
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#define MOST 3

/* A connection from that address of this machine. */
static int connect_from(const struct fixture *f, const char *address)
{
	struct sockaddr_in own = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &own.sin_addr);
	to.sin_port = htons(f->port);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* The server says hello with its settings, or closes. */
static bool is_served(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	char first;

	assert_int_equal(poll(&readable, 1, 10000), 1);
	return recv(fd, &first, 1, 0) == 1;
}

static void one_address_has_its_share(void **state)
{
	struct fixture *f = *state;
	int fds[MOST];

	f->server_opts.max_connections_per_address = MOST;
	server_start(f);
	for (int i = 0; i < MOST; i++) {
		fds[i] = connect_from(f, "127.0.0.2");
		assert_true(is_served(fds[i]));
	}
	int more = connect_from(f, "127.0.0.2"), other = connect_from(f, "127.0.0.3");

	assert_false(is_served(more));
	assert_true(is_served(other));
	connect_with(f, (struct rpc_connect_opts){ 0 });
	assert_int_equal(describe(f, "honest", (struct rpc_request){ .timeout_ms = 10000 }, NULL),
		TEMPORAL_OK);
	close(more);
	close(other);
	for (int i = 0; i < MOST; i++)
		close(fds[i]);
	/* Its share is free again once the server has seen them go. */
	for (int tries = 0;; tries++) {
		int again = connect_from(f, "127.0.0.2");
		bool served = is_served(again);

		close(again);
		if (served)
			break;
		assert_true(tries < 1000);
	}
}

static void this_machine_may_have_all(void **state)
{
	struct fixture *f = *state;
	int fds[4];

	f->server_opts.max_connections = 4;
	server_start(f);
	for (int i = 0; i < 4; i++) {
		fds[i] = connect_from(f, "127.0.0.2");
		assert_true(is_served(fds[i]));
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			one_address_has_its_share, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			this_machine_may_have_all, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
