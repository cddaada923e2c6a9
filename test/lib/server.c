/*
 * server.c: a server for tests: temporald, or the real one.
 *
 * temporald is ready when it says so. The real one is when it answers for its namespace over HTTP,
 * its JSON form of the API: that takes one GET and no code of ours that is under test. Ports are
 * chosen before the server binds them, so another process may take one in between; a server that
 * ends before it is ready is started again on other ports, a few times.
 */
#include "lib/server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 60000
#define STOP_TIMEOUT_MS  20000
#define START_TRIES      3
#define ARGS_MAX         96

/* One shard and a few requests a second are a laptop's defaults: without these, tests wait for
 * timers and limits. The last two make what was just registered visible at once. */
static const char *const tuned[] = {
	"history.transferProcessorMaxPollRPS=1000000",
	"history.timerProcessorMaxPollRPS=1000000",
	"history.visibilityProcessorMaxPollRPS=1000000",
	"history.timerProcessorMaxTimeShift=\"1ms\"",
	"frontend.rps=1000000",
	"frontend.namespaceRPS=1000000",
	"frontend.namespaceRPS.visibility=1000000",
	"frontend.namespaceCount=100000",
	"history.rps=1000000",
	"matching.rps=1000000",
	"frontend.persistenceMaxQPS=1000000",
	"history.persistenceMaxQPS=1000000",
	"matching.persistenceMaxQPS=1000000",
	"system.forceSearchAttributesCacheRefreshOnRead=true",
	"system.refreshNexusEndpointsMinWait=\"0s\"",
	NULL,
};

bool test_server_is_real(void)
{
	const char *which = getenv("TEMPORAL_TEST_SERVER");

	return !which || strcmp(which, "temporald") != 0;
}

const char *test_server_cli(void)
{
	const char *cli = getenv("TEMPORAL_TEST_CLI");

	if (!cli || access(cli, X_OK))
		test_skip("the real server is not here: TEMPORAL_TEST_CLI (%s) is no program; "
			  "scripts/test-python installs it",
			cli ? cli : "unset");
	return cli;
}

struct args {
	const char *list[ARGS_MAX];
	size_t count;
};

static void push(struct args *args, const char *arg)
{
	if (args->count + 1 == ARGS_MAX)
		test_die("more than %d arguments for the server", ARGS_MAX - 1);
	args->list[args->count++] = arg;
}

static void push_each(struct args *args, const char *flag, const char *const *values)
{
	for (; values && *values; values++) {
		push(args, flag);
		push(args, *values);
	}
}

/* How the server is called, up to the address that it listens on. */
static void push_program(struct args *args, bool real)
{
	static const char *const command[] = { "server", "start-dev", "--headless", "--log-level",
		"error", "--ip", "127.0.0.1", NULL };

	push(args, real ? test_server_cli() : test_program("temporald"));
	for (const char *const *arg = command; *arg; arg++)
		push(args, *arg);
}

static void spawn(struct test_server *server)
{
	bool real = test_server_is_real();
	char port[8], http_port[8];
	struct args args = { 0 };

	snprintf(port, sizeof(port), "%d", server->port);
	snprintf(http_port, sizeof(http_port), "%d", server->http_port);
	push_program(&args, real);
	push(&args, "--port");
	push(&args, port);
	push(&args, "--http-port");
	push(&args, http_port);
	if (server->opts.db) {
		push(&args, "--db-filename");
		push(&args, server->opts.db);
	}
	if (real && !server->opts.untuned)
		push_each(&args, "--dynamic-config-value", tuned);
	push_each(&args, "--dynamic-config-value", server->opts.dynamic_config);
	push_each(&args, "--search-attribute", server->opts.search_attributes);
	test_process_spawn(&server->process, args.list);
}

/* Does GET /api/v1/namespaces/default say 200? */
static bool answers(int http_port)
{
	static const char request[] =
		"GET /api/v1/namespaces/default HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
	const struct timeval patience = { .tv_sec = 5 };
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_port) };
	char reply[16] = "";
	bool ok = false;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
		send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1 &&
		recv(fd, reply, sizeof(reply) - 1, MSG_WAITALL) > 0)
		ok = !strncmp(reply, "HTTP/1.", 7) && !strncmp(reply + 8, " 200", 4);
	close(fd);
	return ok;
}

/* False if the server ended before it was ready. */
static bool wait_ready(struct test_server *server)
{
	int64_t deadline = test_now_ms() + READY_TIMEOUT_MS;

	if (!test_server_is_real())
		return test_process_wait_output(&server->process, "listens on", READY_TIMEOUT_MS);
	while (!answers(server->http_port)) {
		if (test_process_ended(&server->process))
			return false;
		if (test_now_ms() >= deadline)
			test_die("the server on %s is not ready after %d ms", server->address,
				READY_TIMEOUT_MS);
		test_pause();
	}
	return !test_process_ended(&server->process);
}

void test_server_start(struct test_server *server, const struct test_server_opts *opts)
{
	*server = (struct test_server){ 0 };
	if (opts)
		server->opts = *opts;
	for (int i = 0; i < START_TRIES; i++) {
		server->port = test_free_port();
		server->http_port = test_free_port();
		snprintf(server->address, sizeof(server->address), "127.0.0.1:%d", server->port);
		spawn(server);
		if (wait_ready(server))
			return;
	}
	test_die("the server does not start: %s", test_process_output(&server->process));
}

void test_server_kill(struct test_server *server)
{
	test_process_kill(&server->process);
}

void test_server_stop(struct test_server *server)
{
	test_process_signal(&server->process, SIGTERM);
	if (test_process_wait(&server->process, STOP_TIMEOUT_MS) < 0)
		test_die("the server on %s still runs %d ms after SIGTERM", server->address,
			STOP_TIMEOUT_MS);
}

void test_server_restart(struct test_server *server)
{
	test_server_kill(server);
	spawn(server);
	if (!wait_ready(server))
		test_die("the server does not start again on %s: %s", server->address,
			test_process_output(&server->process));
}

/* The address in the file that the run's server wrote, false if there is none. */
static bool read_address(char *address, size_t size)
{
	const char *path = getenv("TEMPORAL_TEST_SERVER_FILE");
	FILE *file = path ? fopen(path, "r") : NULL;
	bool ok = file && fgets(address, (int)size, file);

	if (file)
		fclose(file);
	if (ok)
		address[strcspn(address, "\n")] = '\0';
	return ok;
}

const char *test_server_shared(void)
{
	static struct test_server own;
	static char address[64];
	const char *given = getenv("TEMPORAL_TEST_ADDRESS");

	if (given)
		return given;
	if (address[0] || read_address(address, sizeof(address)))
		return address;
	if (!own.port)
		test_server_start(&own, NULL);
	return own.address;
}

int test_server_run_cli(const char *address, const char *const args[], char **output)
{
	struct args all = { 0 };

	push(&all, test_server_cli());
	for (; *args; args++)
		push(&all, *args);
	push(&all, "--address");
	push(&all, address);
	return test_run(all.list, output, READY_TIMEOUT_MS);
}
