/*
 * Servers that are none. Goal: whatever answers at the address (nobody, noise, a page of HTTP/1.1,
 * silence, somebody who hangs up while we write), an eager client gets a clear error in time, and a
 * worker neither crashes nor stops by itself nor refuses to be shut down. Method: a thread that
 * listens on a port and plays the part; SIGPIPE keeps its default action, which would end us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <temporal/worker.h>

#define NOISE_SIZE 70000
#define HELD_MAX   64

struct nothing_in {
	const char *name;
};
typedef void nothing_out;
TEMPORAL_WORKFLOW_CONTRACT(nothing, "Nothing", name);

static void nothing_run(struct wf *wf, const struct nothing_in *in)
{
	wf_sleep(wf, TEMPORAL_SECONDS(1));
}
TEMPORAL_WORKFLOW(nothing);

enum part {
	HANGS_UP,
	IS_SILENT,
	SERVES_PAGES,
	MAKES_NOISE,
	SAYS_GO_AWAY
};

struct impostor {
	enum part part;
	int listener, held[HELD_MAX], n_held; /* held: connections that are left unanswered */
	char address[32];
	atomic_int visits;
	atomic_bool over;
	pthread_t thread;
};

static void say(int peer, const void *data, size_t len)
{
	if (send(peer, data, len, MSG_NOSIGNAL) < 0)
		return; /* it has gone: its right */
}

static void make_noise(int peer)
{
	static unsigned char noise[NOISE_SIZE];
	uint32_t state = 12345;

	for (size_t i = 0; i < sizeof(noise); i++) {
		state = state * 1664525u + 1013904223u;
		noise[i] = (unsigned char)(state >> 24);
	}
	say(peer, noise, sizeof(noise));
}

static void meet(struct impostor *impostor, int peer)
{
	static const char page[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	/* SETTINGS, then GOAWAY of stream 0 for ENHANCE_YOUR_CALM */
	static const unsigned char go_away[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 11 };
	struct pollfd readable = { .fd = peer, .events = POLLIN };

	if (impostor->part == SERVES_PAGES)
		say(peer, page, sizeof(page) - 1);
	else if (impostor->part == MAKES_NOISE)
		make_noise(peer);
	else if (impostor->part == SAYS_GO_AWAY)
		say(peer, go_away, sizeof(go_away));
	if (impostor->part == IS_SILENT && impostor->n_held < HELD_MAX) {
		impostor->held[impostor->n_held++] = peer;
		return;
	}
	poll(&readable, 1, 20); /* its preface is unread when the connection goes: a reset */
	close(peer);
}

static void *play(void *arg)
{
	struct impostor *impostor = arg;
	struct pollfd knock = { .fd = impostor->listener, .events = POLLIN };

	while (!impostor->over) {
		if (poll(&knock, 1, 5) <= 0)
			continue;
		int peer = accept(impostor->listener, NULL, NULL);

		atomic_fetch_add(&impostor->visits, 1);
		if (peer >= 0)
			meet(impostor, peer);
	}
	return NULL;
}

static void impostor_start(struct impostor *impostor, enum part part)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);

	*impostor = (struct impostor){ .part = part };
	impostor->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(impostor->listener, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(impostor->listener, 16), 0);
	assert_int_equal(getsockname(impostor->listener, (struct sockaddr *)&at, &size), 0);
	snprintf(impostor->address, sizeof(impostor->address), "127.0.0.1:%d", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&impostor->thread, NULL, play, impostor), 0);
}

static void impostor_stop(struct impostor *impostor)
{
	impostor->over = true;
	pthread_join(impostor->thread, NULL);
	while (impostor->n_held > 0)
		close(impostor->held[--impostor->n_held]);
	close(impostor->listener);
}

static void expect_connection_fails(const char *address)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client = temporal_client_connect(
		&err, .target = address, .connect_timeout_ms = 300, .rpc_timeout_ms = 300);

	assert_null(client);
	assert_true(err.code == TEMPORAL_UNAVAILABLE || err.code == TEMPORAL_DEADLINE_EXCEEDED);
	assert_true(strlen(err.message) > 10);
}

static void expect_worker_survives(struct impostor *impostor)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client = temporal_client_connect(
		&err, .target = impostor->address, .lazy = true, .connect_timeout_ms = 300);
	int before = impostor->visits;

	assert_non_null(client);
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = "q",
		.workflows = (const struct temporal_workflow *const[]){ &nothing_workflow, NULL });

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	for (int i = 0; impostor->visits == before; i++) {
		assert_true(i < 2000);
		poll(NULL, 0, 5);
	}
	poll(NULL, 0, 50); /* time to choke on what was said */
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

static void run_against(enum part part)
{
	struct impostor impostor;

	impostor_start(&impostor, part);
	expect_connection_fails(impostor.address);
	expect_worker_survives(&impostor);
	impostor_stop(&impostor);
}

static void nobody_listens(void **state)
{
	struct impostor impostor;

	impostor_start(&impostor, HANGS_UP); /* only for a port that was free just now */
	impostor_stop(&impostor);
	expect_connection_fails(impostor.address);
}

static void a_peer_that_hangs_up(void **state)
{
	run_against(HANGS_UP);
}

static void a_peer_that_is_silent(void **state)
{
	run_against(IS_SILENT);
}

static void a_web_server(void **state)
{
	run_against(SERVES_PAGES);
}

static void noise(void **state)
{
	run_against(MAKES_NOISE);
}

static void a_server_that_sends_us_away(void **state)
{
	run_against(SAYS_GO_AWAY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_peer_that_hangs_up),
		cmocka_unit_test(a_peer_that_is_silent),
		cmocka_unit_test(a_web_server),
		cmocka_unit_test(noise),
		cmocka_unit_test(a_server_that_sends_us_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
