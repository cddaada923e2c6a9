/*
 * Nexus operations that somebody else completes. Goal: an operation with a token of its own goes on
 * after its handler, and whoever has the work ends it by what the handler was told: callback URL
 * and headers, over HTTP.
 *
 * Method: a server of the test's own, for its HTTP port; the handler leaves the callback with the
 * test, which posts a result, a failure or a cancellation and looks what the caller got.
 */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "worker_fixture.h"

#include <temporal/endpoint.h>

#define POST_TRIES 200

struct keep_in {
	const char *token;
};
typedef const char *keep_out;
TEMPORAL_NEXUS_CONTRACT(keep, "keep", token);
TEMPORAL_NEXUS_SERVICE_CONTRACT(cellar, "cellar", &keep);

struct ask_in {
	const char *endpoint;
};
typedef const char *ask_out;
TEMPORAL_WORKFLOW_CONTRACT(ask, "Ask", endpoint);

/* What the handler leaves for the test; all of it before `kept` counts on. */
static char callback_path[256], callback_headers[8192];
static atomic_int kept;

static const struct temporal_failure *keep_run(
	struct nexus *nexus, const struct keep_in *in, keep_out *out)
{
	const struct nexus_info *info = nexus_info(nexus);
	const char *url = info->callback_url, *host = strstr(url, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;
	size_t len = 0;

	/* temporal://system stands for the server itself. */
	snprintf(callback_path, sizeof(callback_path), "%s", path ? path : "/nexus/callback");
	for (size_t i = 0; i < info->n_callback_headers; i++)
		len += (size_t)snprintf(callback_headers + len, sizeof(callback_headers) - len,
			"%s: %s\r\n", info->callback_headers[i].name,
			info->callback_headers[i].value);
	const struct temporal_failure *failure = nexus_complete_later(nexus, in->token);

	atomic_fetch_add(&kept, 1);
	return failure;
}
TEMPORAL_NEXUS(keep);
TEMPORAL_NEXUS_SERVICE(cellar, &keep_operation);

static ask_out ask_run(struct wf *wf, const struct ask_in *in)
{
	struct wf_future *kept_one = wf_start_nexus(wf, keep,
		WF_NEXUS_OPTS(.endpoint = in->endpoint, .service = cellar.name,
			.schedule_to_close_ms = 60000),
		.token = "shelf 7");
	const struct temporal_failure *failure = wf_try(wf, wf_nexus_started(wf, kept_one));

	if (failure)
		return failure->message;
	const char *token = wf_nexus_token(wf, kept_one);

	failure = wf_try(wf, kept_one);
	if (failure && wf_is_cancelled(failure))
		return wf_printf(wf, "%s: cancelled", token);
	if (failure)
		return wf_printf(wf, "%s: failed: %s", token, failure->cause->message);
	return wf_printf(wf, "%s: %s", token, wf_await(wf, keep, kept_one));
}
TEMPORAL_WORKFLOW(ask);

/* The status of the answer; 0: there was none. */
static int post(int port, const char *state, const char *body)
{
	const struct timeval patience = { .tv_sec = 10 };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	char request[sizeof(callback_path) + sizeof(callback_headers) + 512], reply[16] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	int len = snprintf(request, sizeof(request),
		"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
		"Content-Type: application/json\r\nNexus-Operation-State: %s\r\n"
		"Nexus-Operation-Token: shelf 7\r\nContent-Length: %zu\r\n%s\r\n%s",
		callback_path, state, strlen(body), callback_headers, body);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		send(fd, request, (size_t)len, MSG_NOSIGNAL) == len &&
		recv(fd, reply, sizeof(reply) - 1, MSG_WAITALL) > 9)
		sscanf(reply, "HTTP/1.1 %d", &status);
	close(fd);
	return status;
}

/* The server may not have taken the handler's answer yet. */
static void post_until_taken(int port, const char *state, const char *body)
{
	int status = 0;

	for (int i = 0; i < POST_TRIES && status != 200; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		status = post(port, state, body);
	}
	assert_int_equal(status, 200);
}

static void somebody_else_completes_it(void **state)
{
	static const struct {
		const char *state, *body, *result;
	} ends[] = {
		{ "succeeded", "\"a bottle of 1811\"", "shelf 7: a bottle of 1811" },
		{ "failed", "{\"message\":\"it is empty\"}", "shelf 7: failed: it is empty" },
		{ "canceled", "{\"message\":\"nobody is thirsty\"}", "shelf 7: cancelled" },
	};
	struct test_server server;
	struct temporal_error err;

	test_server_start(&server, NULL);
	connect_client(server.address);
	struct temporal_nexus_endpoint *endpoint = temporal_nexus_endpoint_create(
		fixture.client, &err, .name = "cellar", .task_queue = fixture.queue);

	assert_non_null(endpoint);
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&ask_workflow),
		.nexus_services =
			(const struct temporal_nexus_service *const[]){ &cellar_service, NULL },
	});
	for (int i = 0; i < (int)(sizeof(ends) / sizeof(ends[0])); i++) {
		struct temporal_run *run = START(ask, .endpoint = endpoint->name);

		for (int tries = 0; atomic_load(&kept) <= i; tries++) {
			assert_true(tries < 20000);
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
		post_until_taken(server.http_port, ends[i].state, ends[i].body);
		assert_result(run, &ask, ends[i].result);
	}
	stop_worker();
	temporal_nexus_endpoint_unref(endpoint);
	temporal_client_unref(fixture.client);
	fixture.client = NULL;
	test_server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(somebody_else_completes_it, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
