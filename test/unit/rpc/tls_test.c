/*
 * Goal: TLS connects to whom it should, and to nobody else, and says why. Method: certificates made
 * here, our client against our server, through a proxy too.
 */
#include "rpc_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "certificates.h"

#define INTERVAL_MS 100
#define PAUSE_MS    150

static struct identity ca, other_ca, server_identity, client_identity, stranger;

static int make_certificates(void **state)
{
	identity_init(&ca, NULL, NULL);
	identity_init(&other_ca, NULL, NULL);
	identity_init(&server_identity, "DNS:temporal.example,IP:127.0.0.1", &ca);
	identity_init(&client_identity, "DNS:client.example", &ca);
	identity_init(&stranger, "DNS:client.example", &other_ca);
	return 0;
}

static int free_certificates(void **state)
{
	identity_finish(&ca);
	identity_finish(&other_ca);
	identity_finish(&server_identity);
	identity_finish(&client_identity);
	identity_finish(&stranger);
	return 0;
}

static void tls_server_start(struct fixture *f, bool mutual)
{
	f->server_opts.cert_pem = server_identity.cert_pem;
	f->server_opts.cert_pem_len = strlen(server_identity.cert_pem);
	f->server_opts.key_pem = server_identity.key_pem;
	f->server_opts.key_pem_len = strlen(server_identity.key_pem);
	if (mutual) {
		f->server_opts.client_ca_pem = ca.cert_pem;
		f->server_opts.client_ca_pem_len = strlen(ca.cert_pem);
	}
	server_start(f);
}

static struct rpc_connect_opts trusting(const struct identity *root)
{
	return (struct rpc_connect_opts){
		.tls = true, .ca_pem = root->cert_pem, .ca_pem_len = strlen(root->cert_pem)
	};
}

static struct rpc_connect_opts showing(const struct identity *identity)
{
	struct rpc_connect_opts opts = trusting(&ca);

	opts.cert_pem = identity->cert_pem;
	opts.cert_pem_len = strlen(identity->cert_pem);
	opts.key_pem = identity->key_pem;
	opts.key_pem_len = strlen(identity->key_pem);
	return opts;
}

static void calls_pass_through_tls(void **state)
{
	struct fixture *f = *state;

	tls_server_start(f, false);
	connect_with(f, trusting(&ca));
	for (int i = 0; i < 10; i++)
		assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_OK);
	assert_int_equal(describe(f, "size 3000000", CALL(0), NULL), TEMPORAL_OK);
}

static void the_name_can_be_overridden(void **state)
{
	struct fixture *f = *state;
	struct rpc_connect_opts opts = trusting(&ca);

	tls_server_start(f, false);
	opts.server_name = "temporal.example";
	connect_with(f, opts);
	assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_OK);
}

static void assert_refused(struct fixture *f, struct rpc_connect_opts opts, const char *why)
{
	connect_with(f, opts);
	assert_int_equal(describe(f, "x", CALL(.timeout_ms = 5000), NULL), TEMPORAL_UNAVAILABLE);
	if (!strstr(f->err.message, why))
		fail_msg("\"%s\" does not say \"%s\"", f->err.message, why);
	assert_int_equal(f->calls, 0);
	rpc_channel_unref(f->channel);
	f->channel = NULL;
}

static void wrong_certificates_are_refused(void **state)
{
	struct fixture *f = *state;
	struct rpc_connect_opts wrong_name = trusting(&ca);

	tls_server_start(f, false);
	wrong_name.server_name = "elsewhere.example";
	assert_refused(f, wrong_name, "hostname mismatch");
	assert_refused(f, trusting(&other_ca), "certificate");
	assert_refused(f, (struct rpc_connect_opts){ .tls = true }, "certificate");
}

static void clear_and_tls_do_not_mix(void **state)
{
	struct fixture *f = *state;

	tls_server_start(f, false);
	assert_refused(f, (struct rpc_connect_opts){ 0 }, f->target);
	server_stop(f, 0);
	memset(&f->server_opts, 0, sizeof(f->server_opts));
	server_start(f);
	assert_refused(f, trusting(&ca), "TLS handshake failed");
}

static void clients_show_their_certificates(void **state)
{
	struct fixture *f = *state;

	tls_server_start(f, true);
	assert_refused(f, trusting(&ca), "");
	assert_refused(f, showing(&stranger), "");
	connect_with(f, showing(&client_identity));
	assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_OK);
}

static void bad_options_are_refused(void **state)
{
	struct fixture *f = *state;
	struct rpc_connect_opts opts[4] = { trusting(&ca), trusting(&ca), showing(&client_identity),
		trusting(&ca) };

	opts[0].ca_pem = "not a certificate";
	opts[0].ca_pem_len = 17;
	opts[1].cert_pem = client_identity.cert_pem;
	opts[1].cert_pem_len = strlen(client_identity.cert_pem);
	opts[2].key_pem = stranger.key_pem;
	opts[2].key_pem_len = strlen(stranger.key_pem);
	for (int i = 0; i < 4; i++) {
		opts[i].target = i == 3 ? "http://localhost:1" : "localhost:1";
		assert_null(rpc_channel_new(f->client_loop, &opts[i], &f->err));
		assert_int_equal(f->err.code, TEMPORAL_INVALID_ARGUMENT);
	}
}

static void https_means_tls(void **state)
{
	struct fixture *f = *state;
	struct rpc_connect_opts opts = trusting(&ca);
	char target[60];

	tls_server_start(f, false);
	snprintf(target, sizeof(target), "https://%s", f->target);
	opts.target = target;
	opts.tls = false;
	connect_with(f, opts);
	assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_OK);
}

/* A proxy that takes CONNECT from "ann" with "secret", one connection after the other. */

struct proxy {
	pthread_t thread;
	int listener;
	char address[40];
	char asked[200];
	atomic_int served;
	atomic_bool in_pieces; /* what the server sends comes in two halves */
};

static int connect_to(const char *target)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)atoi(strchr(target, ':') + 1));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool pass_on(int fd, const char *bytes, size_t len, bool in_pieces)
{
	size_t first = in_pieces ? len / 2 : 0;

	if (first && send(fd, bytes, first, MSG_NOSIGNAL) != (ssize_t)first)
		return false;
	if (first)
		usleep(PAUSE_MS * 1000);
	return send(fd, bytes + first, len - first, MSG_NOSIGNAL) == (ssize_t)(len - first);
}

static void splice_both(const struct proxy *proxy, int a, int b)
{
	struct pollfd fds[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };
	char buffer[4096];

	while (poll(fds, 2, 10000) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t n =
				fds[i].revents ? recv(fds[i].fd, buffer, sizeof(buffer), 0) : -2;

			if (n == -2)
				continue;
			if (n <= 0 || !pass_on(fds[1 - i].fd, buffer, (size_t)n,
					      i == 1 && atomic_load(&proxy->in_pieces)))
				return;
		}
	}
}

static void proxy_serve(struct proxy *proxy, int fd)
{
	char in[2000] = "";
	size_t len = 0;

	while (!strstr(in, "\r\n\r\n") && len < sizeof(in) - 1) {
		ssize_t n = recv(fd, in + len, sizeof(in) - 1 - len, 0);

		if (n <= 0)
			return;
		len += (size_t)n;
		in[len] = '\0';
	}
	bool allowed = strstr(in, "Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n") != NULL;
	const char *reply = allowed ? "HTTP/1.1 200 Connection established\r\n\r\n"
				    : "HTTP/1.1 407 Who are you\r\n\r\n";
	sscanf(in, "CONNECT %199s", proxy->asked);
	ssize_t put = send(fd, reply, strlen(reply), MSG_NOSIGNAL);
	int onward = allowed && put > 0 ? connect_to(proxy->asked) : -1;
	if (onward < 0)
		return;
	atomic_fetch_add(&proxy->served, 1);
	splice_both(proxy, fd, onward);
	close(onward);
}

static void *proxy_main(void *arg)
{
	struct proxy *proxy = arg;
	int fd;

	while ((fd = accept(proxy->listener, NULL, NULL)) >= 0) {
		proxy_serve(proxy, fd);
		close(fd);
	}
	return NULL;
}

static void proxy_start(struct proxy *proxy)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(proxy->listener, 10), 0);
	getsockname(proxy->listener, (struct sockaddr *)&address, &len);
	snprintf(proxy->address, sizeof(proxy->address), "127.0.0.1:%u", ntohs(address.sin_port));
	pthread_create(&proxy->thread, NULL, proxy_main, proxy);
}

static void calls_pass_through_a_proxy(void **state)
{
	struct fixture *f = *state;
	struct proxy proxy = { 0 };
	struct rpc_connect_opts opts = trusting(&ca);

	proxy_start(&proxy);
	tls_server_start(f, false);
	opts.proxy = proxy.address;
	opts.proxy_user = "ann";
	opts.proxy_password = "wrong";
	assert_refused(f, opts, "the proxy refused to connect: HTTP/1.1 407 Who are you");
	opts.proxy_password = "secret";
	connect_with(f, opts);
	assert_int_equal(describe(f, "x", CALL(0), NULL), TEMPORAL_OK);
	assert_string_equal(proxy.asked, f->target);
	assert_int_equal(proxy.served, 1);
	rpc_channel_unref(f->channel);
	f->channel = NULL;
	shutdown(proxy.listener, SHUT_RDWR);
	pthread_join(proxy.thread, NULL);
	close(proxy.listener);
}

static void want_interval(struct rpc_task *task)
{
	struct release *began = (struct release *)(void *)task;

	rpc_channel_work(began->fixture->channel, RPC_TICK_WORK);
	atomic_store(&began->done, 1);
}

/* At an interval the system wakes us for many bytes alone; what is left of a record is few. */
static void half_a_record_at_an_interval_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct proxy proxy = { 0 };
	struct rpc_connect_opts opts = trusting(&ca);
	struct release began = { .task = { .run = want_interval }, .fixture = f };

	proxy_start(&proxy);
	tls_server_start(f, false);
	opts.proxy = proxy.address;
	opts.proxy_user = "ann";
	opts.proxy_password = "secret";
	opts.read_interval_ms = INTERVAL_MS;
	connect_with(f, opts);
	rpc_loop_post(f->client_loop, &began.task);
	wait_for(&began.done, 1);
	for (int i = 0; i < 8; i++) { /* the fourth of four comes in pieces, amid an interval */
		atomic_store(&proxy.in_pieces, i % 4 == 3);
		assert_int_equal(describe(f, "slow 40",
					 CALL(.retry = RPC_RETRY_NONE, .timeout_ms = 4000), NULL),
			TEMPORAL_OK);
	}
	rpc_channel_unref(f->channel);
	f->channel = NULL;
	shutdown(proxy.listener, SHUT_RDWR);
	pthread_join(proxy.thread, NULL);
	close(proxy.listener);
}

#define WITH_FIXTURE(test_) cmocka_unit_test_setup_teardown(test_, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(calls_pass_through_tls),
		WITH_FIXTURE(the_name_can_be_overridden),
		WITH_FIXTURE(wrong_certificates_are_refused),
		WITH_FIXTURE(clear_and_tls_do_not_mix),
		WITH_FIXTURE(clients_show_their_certificates),
		WITH_FIXTURE(bad_options_are_refused),
		WITH_FIXTURE(https_means_tls),
		WITH_FIXTURE(calls_pass_through_a_proxy),
		WITH_FIXTURE(half_a_record_at_an_interval_is_waited_for),
	};

	return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
