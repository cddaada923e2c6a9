/*
 * http_server.c: the listener of the Nexus HTTP API, on libmicrohttpd, which has one thread for all
 * its connections.
 *
 *   its thread:     request read -> posted to the loop, connection suspended
 *   the loop's:     served; when the answer may leave, the connection is resumed
 *   its thread:     answer written
 *
 * An exchange belongs to one of the two at a time. `stopping` alone is shared: once it is set, its
 * thread answers what comes in by itself, and nothing is posted to the loop any more.
 */
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "server/frontend/frontend.h"
#include "server/nexus/http.h"

#define CONNECTIONS_MAX  256
#define CONNECTION_BYTES (64 * 1024) /* of a request without its body */
#define IDLE_S           60
#define BODY_FIRST       4096

struct web_exchange {
	struct nexus_exchange exchange; /* first */
	struct nexus_http *http;
	struct MHD_Connection *connection;
	struct rpc_task task;
	char *body;
	size_t len, capacity;
	bool too_large, done;
	/* loop */
	struct web_exchange *next, *prev;
};

struct nexus_http {
	struct server *server;
	struct rpc_loop *loop;
	struct MHD_Daemon *daemon;
	uint16_t port;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	bool stopping;   /* under the lock, as is */
	unsigned posted; /* exchanges that the loop has */
	/* loop */
	struct web_exchange *exchanges; /* not answered yet */
};

/* ---- The loop's thread ---- */

static void answered(struct nexus_exchange *exchange)
{
	struct web_exchange *web = (struct web_exchange *)(void *)exchange;

	*(web->prev ? &web->prev->next : &web->http->exchanges) = web->next;
	if (web->next)
		web->next->prev = web->prev;
	web->done = true;
	struct nexus_http *http = web->http;
	MHD_resume_connection(web->connection);
	pthread_mutex_lock(&http->lock);
	http->posted--;
	pthread_cond_signal(&http->idle);
	pthread_mutex_unlock(&http->lock);
}

static void serve(struct rpc_task *task)
{
	struct web_exchange *web =
		(struct web_exchange *)(void *)((char *)task - offsetof(struct web_exchange, task));
	struct nexus_http *http = web->http;

	web->next = http->exchanges;
	if (web->next)
		web->next->prev = web;
	http->exchanges = web;
	frontend_serve(&web->exchange.request, nexus_http_serve);
}

void nexus_http_drain(struct nexus_http *http)
{
	if (!http)
		return;
	pthread_mutex_lock(&http->lock);
	http->stopping = true;
	pthread_mutex_unlock(&http->lock);
	while (http->exchanges) {
		struct nexus_exchange *exchange = &http->exchanges->exchange;

		nexus_call_abandon(exchange->call);
		exchange->request.ops->fail(
			&exchange->request, TEMPORAL_UNAVAILABLE, "the server is stopping", NULL);
	}
}

/* ---- The library's thread ---- */

static enum MHD_Result take_header(
	void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	nexus_exchange_header(user, name, value);
	return MHD_YES;
}

static bool take_body(struct web_exchange *web, const char *data, size_t size)
{
	if (web->too_large || size > NEXUS_HTTP_BODY_MAX - web->len) {
		web->too_large = true;
		return true;
	}
	if (size > web->capacity - web->len) {
		size_t capacity = web->capacity ? web->capacity * 2 : BODY_FIRST;

		if (capacity < web->len + size)
			capacity = web->len + size;
		char *grown = mem_realloc(web->body, capacity);
		if (!grown)
			return false;
		web->body = grown;
		web->capacity = capacity;
	}
	memcpy(web->body + web->len, data, size);
	web->len += size;
	return true;
}

static enum MHD_Result answer_plainly(
	struct MHD_Connection *connection, unsigned status, const char *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_NO;

	if (response) {
		MHD_add_response_header(response, "Content-Type", "application/json");
		result = MHD_queue_response(connection, status, response);
		MHD_destroy_response(response);
	}
	return result;
}

static enum MHD_Result answer(struct web_exchange *web)
{
	const struct nexus_exchange *exchange = &web->exchange;
	struct MHD_Response *response = MHD_create_response_from_buffer(exchange->out_body.len,
		(void *)(uintptr_t)exchange->out_body.ptr, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < exchange->n_out; i++)
		MHD_add_response_header(response, exchange->out[i].name, exchange->out[i].value);
	result = MHD_queue_response(web->connection, exchange->status, response);
	MHD_destroy_response(response);
	return result;
}

/* False: the server is stopping. */
static bool post(struct web_exchange *web)
{
	struct nexus_http *http = web->http;

	pthread_mutex_lock(&http->lock);
	bool going = !http->stopping;
	if (going) {
		http->posted++;
		MHD_suspend_connection(web->connection);
		rpc_loop_post(http->loop, &web->task);
	}
	pthread_mutex_unlock(&http->lock);
	return going;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **own)
{
	struct web_exchange *web = *own;

	if (!web)
		return MHD_NO;
	if (!web->connection) { /* its headers are there */
		web->connection = connection;
		web->exchange.method = arena_strdup(&web->exchange.arena, method);
		MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &web->exchange);
		return web->exchange.method ? MHD_YES : MHD_NO;
	}
	if (*size) {
		bool taken = take_body(web, data, *size);

		*size = 0;
		return taken ? MHD_YES : MHD_NO;
	}
	if (web->done)
		return answer(web);
	if (web->too_large)
		return answer_plainly(connection, 413, "{\"message\":\"request body too large\"}");
	web->exchange.body = (struct str){ web->body, web->len };
	return post(web) ? MHD_YES
			 : answer_plainly(connection, 503, "{\"message\":\"service unavailable\"}");
}

/* The request's line, before the library takes the path apart: escapes matter to us. */
static void *on_line(void *user, const char *line, struct MHD_Connection *connection)
{
	struct nexus_http *http = user;
	struct web_exchange *web = mem_zalloc(sizeof(*web));

	if (!web)
		return NULL;
	web->http = http;
	web->task.run = serve;
	nexus_exchange_init(&web->exchange, http->server, answered);
	web->exchange.url = arena_strdup(&web->exchange.arena, line);
	if (web->exchange.url)
		return web;
	nexus_exchange_finish(&web->exchange);
	mem_free(web);
	return NULL;
}

static void on_end(void *user, struct MHD_Connection *connection, void **own,
	enum MHD_RequestTerminationCode code)
{
	struct web_exchange *web = *own;

	if (!web)
		return;
	nexus_exchange_finish(&web->exchange);
	mem_free(web->body);
	mem_free(web);
	*own = NULL;
}

/* ---- Start and stop ---- */

/* The library's thread takes over the mask: signals are the program's business. */
static struct MHD_Daemon *start_daemon(struct nexus_http *http, const struct sockaddr *address)
{
	sigset_t all, before;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;

	if (address->sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http,
		MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_URI_LOG_CALLBACK, on_line, http,
		MHD_OPTION_NOTIFY_COMPLETED, on_end, http, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

struct nexus_http *nexus_http_start(struct server *server, struct rpc_loop *loop, const char *host,
	uint16_t port, struct temporal_error *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM },
			*found = NULL;
	struct nexus_http *http = mem_zalloc(sizeof(*http));
	char service[8];

	if (!http) {
		error_no_memory(err, "the HTTP listener");
		return NULL;
	}
	http->server = server;
	http->loop = loop;
	pthread_mutex_init(&http->lock, NULL);
	pthread_cond_init(&http->idle, NULL);
	snprintf(service, sizeof(service), "%u", port);
	if (str_empty(host))
		host = "127.0.0.1";
	if (getaddrinfo(host, service, &hints, &found) == 0)
		http->daemon = start_daemon(http, found->ai_addr);
	if (found)
		freeaddrinfo(found);
	if (!http->daemon) {
		error_set(err, TEMPORAL_UNAVAILABLE, "cannot listen for HTTP on %s:%u", host, port);
		nexus_http_stop(http);
		return NULL;
	}
	http->port = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	return http;
}

uint16_t nexus_http_port(const struct nexus_http *http)
{
	return http ? http->port : 0;
}

void nexus_http_stop(struct nexus_http *http)
{
	if (!http)
		return;
	pthread_mutex_lock(&http->lock);
	while (http->posted)
		pthread_cond_wait(&http->idle, &http->lock);
	pthread_mutex_unlock(&http->lock);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	pthread_cond_destroy(&http->idle);
	pthread_mutex_destroy(&http->lock);
	mem_free(http);
}
