/*
 * metrics_http.c: the endpoint: /metrics, /healthz and /readyz over HTTP, on libmicrohttpd, which
 * has one thread for all its connections.
 *
 * The library is loaded when the first endpoint is made, not linked: it brings a dozen others
 * along, and a worker without an endpoint should not carry them. It stays loaded.
 *
 * What comes in is hostile until shown otherwise: few connections, little memory for each, a short
 * time; no body is read, nothing of a request is kept or echoed.
 *
 * metrics_http_stop joins the thread, so no request is served once it returns.
 */
#include <dlfcn.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/metrics_internal.h"

#define LIBRARY          "libmicrohttpd.so.12"
#define CONNECTIONS_MAX  64
#define CONNECTION_BYTES (16 * 1024)
#define IDLE_S           10
#define TEXT_SLACK       4096 /* that the text may grow from one request to the next */
#define TEXT_TYPE        "text/plain; version=0.0.4; charset=utf-8"

struct metrics_http {
	struct temporal_metrics *metrics;
	struct MHD_Daemon *daemon;
	uint16_t port;
	size_t text_len; /* of /metrics, when it was asked for last; the library's thread */
};

/* ---- the library ---- */

/* The functions that are used of it, typed as its header does. */
#define FUNCTIONS(X_) \
	X_(MHD_start_daemon) \
	X_(MHD_stop_daemon) \
	X_(MHD_get_daemon_info) \
	X_(MHD_create_response_from_buffer_with_free_callback) \
	X_(MHD_add_response_header) \
	X_(MHD_queue_response) \
	X_(MHD_destroy_response)

#define DECLARE(name_) __typeof__(name_) *name_##_;
static struct {
	FUNCTIONS(DECLARE)
	bool loaded;
} mhd;
#undef DECLARE

/* Once a process. POSIX says that what dlsym gives can be a function's address; C does not, so its
 * bytes are copied. */
static void load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	void *symbol;

	if (!library)
		return;
	mhd.loaded = true;
#define FIND(name_) \
	symbol = dlsym(library, #name_); \
	memcpy(&mhd.name_##_, &symbol, sizeof(symbol)); \
	mhd.loaded = mhd.loaded && symbol;
	FUNCTIONS(FIND)
#undef FIND
}

/* ---- its thread ---- */

/* Takes the text over. */
static enum MHD_Result answer(
	struct MHD_Connection *connection, unsigned status, char *text, size_t len)
{
	struct MHD_Response *response =
		mhd.MHD_create_response_from_buffer_with_free_callback_(len, text, mem_free);
	enum MHD_Result result = MHD_NO;

	if (!response) {
		mem_free(text);
		return MHD_NO;
	}
	mhd.MHD_add_response_header_(response, "Content-Type", TEXT_TYPE);
	mhd.MHD_add_response_header_(response, "Cache-Control", "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		mhd.MHD_add_response_header_(response, "Allow", "GET, HEAD");
	result = mhd.MHD_queue_response_(connection, status, response);
	mhd.MHD_destroy_response_(response);
	return result;
}

static enum MHD_Result answer_line(
	struct MHD_Connection *connection, unsigned status, const char *line)
{
	char *text = mem_strdup(line);

	return text ? answer(connection, status, text, strlen(text)) : MHD_NO;
}

/*
 * Built once, into a buffer that has room for the last text and some more: series come slowly, and
 * only the first time, or after many of them, it has to be built again.
 */
static enum MHD_Result answer_metrics(struct metrics_http *http, struct MHD_Connection *connection)
{
	for (;;) {
		size_t size = http->text_len + TEXT_SLACK;
		char *text = mem_alloc(size);

		if (!text)
			return MHD_NO;
		http->text_len = metrics_text(http->metrics, text, size);
		if (http->text_len < size)
			return answer(connection, MHD_HTTP_OK, text, http->text_len);
		mem_free(text);
	}
}

static enum MHD_Result answer_health(
	struct temporal_metrics *metrics, struct MHD_Connection *connection, bool readiness)
{
	struct metrics_health health = metrics_health(metrics, clock_steady_ns());
	unsigned good = readiness ? health.ready : health.alive;
	bool well = good == health.probes && (!readiness || health.probes > 0);
	char line[96];

	snprintf(line, sizeof(line), "%s: %u of %u %s\n", well ? "ok" : "not ok", good,
		health.probes, readiness ? "ready" : "alive");
	return answer_line(connection, well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, line);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **own)
{
	struct metrics_http *http = user;

	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_line(
			connection, MHD_HTTP_METHOD_NOT_ALLOWED, "expected GET or HEAD\n");
	if (!*own) { /* its headers are there; an answer is due when all of it is */
		*own = http;
		return MHD_YES;
	}
	if (*size) { /* a body, which nobody asked for */
		*size = 0;
		return MHD_YES;
	}
	metrics_collect(http->metrics);
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(http, connection);
	if (strcmp(url, "/healthz") == 0 || strcmp(url, "/readyz") == 0)
		return answer_health(http->metrics, connection, url[1] == 'r');
	return answer_line(
		connection, MHD_HTTP_NOT_FOUND, "expected /metrics, /healthz or /readyz\n");
}

/* ---- start and stop ---- */

/* The library's thread takes over the mask: signals are the program's business. */
static struct MHD_Daemon *start_daemon(struct metrics_http *http, const struct sockaddr *address)
{
	sigset_t all, before;
	unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD;

	if (address->sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	struct MHD_Daemon *daemon = mhd.MHD_start_daemon_(flags, 0, NULL, NULL, on_request, http,
		MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

/* "host:port", "[v6]:port" or ":port" in its two parts; an empty host is this machine's own. */
static bool split(const char *address, char host[256], const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 256;
	char *end;

	if (len >= 256)
		return false;
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = '\0';
	if (!len)
		snprintf(host, 256, "127.0.0.1");
	*port = colon + 1;
	long number = strtol(*port, &end, 10);

	return **port >= '0' && **port <= '9' && !*end && number <= UINT16_MAX;
}

static enum temporal_code listen_on(
	struct metrics_http *http, const char *address, struct temporal_error *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM },
			*found = NULL;
	char host[256];
	const char *port;

	if (!split(address, host, &port))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"metrics: listen \"%s\": expected \"host:port\" or \":port\"", address);
	if (getaddrinfo(host, port, &hints, &found) == 0)
		http->daemon = start_daemon(http, found->ai_addr);
	if (found)
		freeaddrinfo(found);
	if (!http->daemon)
		return error_set(
			err, TEMPORAL_UNAVAILABLE, "metrics: cannot listen on %s", address);
	http->port = mhd.MHD_get_daemon_info_(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	return TEMPORAL_OK;
}

struct metrics_http *metrics_http_start(
	struct temporal_metrics *metrics, const char *address, struct temporal_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct metrics_http *http;

	pthread_once(&once, load);
	if (!mhd.loaded) {
		error_set(err, TEMPORAL_UNAVAILABLE, "metrics: %s cannot be loaded", LIBRARY);
		return NULL;
	}
	http = mem_zalloc(sizeof(*http));
	if (!http) {
		error_no_memory(err, "metrics");
		return NULL;
	}
	http->metrics = metrics;
	if (listen_on(http, address, err) == TEMPORAL_OK)
		return http;
	mem_free(http);
	return NULL;
}

uint16_t metrics_http_port(const struct metrics_http *http)
{
	return http ? http->port : 0;
}

void metrics_http_stop(struct metrics_http *http)
{
	if (!http)
		return;
	mhd.MHD_stop_daemon_(http->daemon);
	mem_free(http);
}
