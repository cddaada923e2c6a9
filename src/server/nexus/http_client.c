/*
 * http_client.c: outgoing requests, on libcurl. The library is loaded with the first one, since
 * most servers never make any, and so is the thread that drives all of them:
 *
 *   loop's thread:  queued, the thread is woken
 *   its thread:     sent, answered, posted to the loop
 *   loop's thread:  `done`, in an input of its own
 *
 * The lock guards the queue and `stopping`; a request belongs to its thread from the queue to the
 * post.
 */
#include "server/nexus/http_client.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/mem.h"

#define LIBRARY  "libcurl.so.4"
#define POLL_MS  1000
#define BODY_MAX NEXUS_HTTP_BODY_MAX

/* The header makes these macros, which check types; we need their addresses. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

/* What is used of the library. */
struct library {
	void *handle;
	__typeof__(curl_easy_init) *curl_easy_init;
	__typeof__(curl_easy_setopt) *curl_easy_setopt;
	__typeof__(curl_easy_cleanup) *curl_easy_cleanup;
	__typeof__(curl_easy_getinfo) *curl_easy_getinfo;
	__typeof__(curl_easy_strerror) *curl_easy_strerror;
	__typeof__(curl_slist_append) *curl_slist_append;
	__typeof__(curl_slist_free_all) *curl_slist_free_all;
	__typeof__(curl_multi_init) *curl_multi_init;
	__typeof__(curl_multi_add_handle) *curl_multi_add_handle;
	__typeof__(curl_multi_remove_handle) *curl_multi_remove_handle;
	__typeof__(curl_multi_perform) *curl_multi_perform;
	__typeof__(curl_multi_info_read) *curl_multi_info_read;
	__typeof__(curl_multi_poll) *curl_multi_poll;
	__typeof__(curl_multi_wakeup) *curl_multi_wakeup;
	__typeof__(curl_multi_cleanup) *curl_multi_cleanup;
};

#define FUNCTION(name_) \
	{ \
#name_, offsetof(struct library, name_) \
	}

static const struct {
	const char *name;
	size_t at;
} functions[] = {
	FUNCTION(curl_easy_init),
	FUNCTION(curl_easy_setopt),
	FUNCTION(curl_easy_cleanup),
	FUNCTION(curl_easy_getinfo),
	FUNCTION(curl_easy_strerror),
	FUNCTION(curl_slist_append),
	FUNCTION(curl_slist_free_all),
	FUNCTION(curl_multi_init),
	FUNCTION(curl_multi_add_handle),
	FUNCTION(curl_multi_remove_handle),
	FUNCTION(curl_multi_perform),
	FUNCTION(curl_multi_info_read),
	FUNCTION(curl_multi_poll),
	FUNCTION(curl_multi_wakeup),
	FUNCTION(curl_multi_cleanup),
};

struct nexus_client {
	struct server *server;
	struct rpc_loop *loop;
	struct library curl;
	CURLM *multi;
	pthread_t thread;
	bool started, broken;
	pthread_mutex_t lock;
	bool stopping;
	struct nexus_outgoing *queue, **queue_last; /* to be sent */
	/* loop */
	struct nexus_outgoing *all;
};

/* ---- Requests ---- */

struct nexus_outgoing *nexus_outgoing_new(struct server *server)
{
	struct nexus_outgoing *outgoing = mem_zalloc(sizeof(*outgoing));

	if (!outgoing) {
		server_no_memory(server);
		return NULL;
	}
	outgoing->server = server;
	arena_init(&outgoing->arena, 1024, ARENA_NO_BUDGET);
	return outgoing;
}

void nexus_outgoing_free(struct nexus_outgoing *outgoing)
{
	arena_finish(&outgoing->arena);
	mem_free(outgoing->in_body);
	mem_free(outgoing);
}

void nexus_outgoing_header(struct nexus_outgoing *outgoing, const char *name, const char *value)
{
	const char *copy = arena_strdup(&outgoing->arena, name);
	const char *text = arena_strdup(&outgoing->arena, value);

	if (!copy || !text) {
		server_no_memory(outgoing->server);
		return;
	}
	/* A line end would begin another header. */
	if (strpbrk(copy, "\r\n:") || strpbrk(text, "\r\n") ||
		outgoing->n_headers == NEXUS_HTTP_HEADERS_MAX)
		return;
	outgoing->headers[outgoing->n_headers++] = (struct nexus_header){ copy, text };
}

static void finish(struct nexus_outgoing *outgoing)
{
	if (outgoing->done)
		outgoing->done(outgoing);
	nexus_outgoing_free(outgoing);
}

void nexus_outgoing_send(struct nexus_outgoing *outgoing)
{
	struct server *server = outgoing->server;

	if (server->nexus_send) {
		server->nexus_send(server, outgoing);
		return;
	}
	snprintf(outgoing->error, sizeof(outgoing->error), "this server makes no requests");
	finish(outgoing);
}

/* ---- The library's thread ---- */

static void answered(struct rpc_task *task)
{
	struct nexus_outgoing *outgoing =
		(struct nexus_outgoing *)(void *)((char *)task -
						  offsetof(struct nexus_outgoing, task));
	struct nexus_client *client = outgoing->client;
	struct server *server = client->server;

	*(outgoing->prev ? &outgoing->prev->next : &client->all) = outgoing->next;
	if (outgoing->next)
		outgoing->next->prev = outgoing->prev;
	transition_begin(server);
	finish(outgoing);
	transition_end(server);
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct nexus_outgoing *outgoing = user;
	size_t len = size * n;

	if (len > BODY_MAX - outgoing->in_len)
		return 0;
	if (len > outgoing->in_capacity - outgoing->in_len) {
		size_t capacity = 2 * (outgoing->in_len + len);
		char *grown = mem_realloc(outgoing->in_body, capacity);

		if (!grown)
			return 0;
		outgoing->in_body = grown;
		outgoing->in_capacity = capacity;
	}
	memcpy(outgoing->in_body + outgoing->in_len, data, len);
	outgoing->in_len += len;
	return len;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	struct nexus_outgoing *outgoing = user;
	size_t len = size * n;
	const char *colon = memchr(data, ':', len);

	if (!colon || outgoing->n_in == NEXUS_HTTP_HEADERS_MAX)
		return len;
	size_t at = (size_t)(colon - data) + 1, end = len;
	while (at < end && data[at] == ' ')
		at++;
	while (end > at && (data[end - 1] == '\r' || data[end - 1] == '\n'))
		end--;
	char *name = arena_str(&outgoing->arena, (struct str){ data, (size_t)(colon - data) });
	char *value = arena_str(&outgoing->arena, (struct str){ data + at, end - at });
	for (char *c = name; c && *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	if (name && value)
		outgoing->in[outgoing->n_in++] = (struct nexus_header){ name, value };
	return len;
}

static void post(struct nexus_outgoing *outgoing)
{
	outgoing->task.run = answered;
	rpc_loop_post(outgoing->client->loop, &outgoing->task);
}

static void set_headers(struct nexus_client *client, struct nexus_outgoing *outgoing)
{
	struct library *curl = &client->curl;
	struct curl_slist *list = curl->curl_slist_append(NULL, "Expect:");
	struct curl_slist *accept = list ? curl->curl_slist_append(list, "Accept:") : NULL;

	/* The library would send these two by itself. */
	list = accept ? accept : list;
	for (size_t i = 0; i < outgoing->n_headers; i++) {
		const char *line = arena_printf(&outgoing->arena, "%s: %s",
			outgoing->headers[i].name, outgoing->headers[i].value);
		struct curl_slist *more = line ? curl->curl_slist_append(list, line) : NULL;

		list = more ? more : list;
	}
	outgoing->list = list;
	curl->curl_easy_setopt(outgoing->easy, CURLOPT_HTTPHEADER, list);
}

static bool begin(struct nexus_client *client, struct nexus_outgoing *outgoing)
{
	struct library *curl = &client->curl;
	CURL *easy = outgoing->easy = curl->curl_easy_init();

	if (!easy)
		return false;
	curl->curl_easy_setopt(easy, CURLOPT_URL, outgoing->url);
	curl->curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)outgoing->timeout_ms);
	curl->curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl->curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)outgoing->body.len);
	curl->curl_easy_setopt(
		easy, CURLOPT_POSTFIELDS, outgoing->body.len ? outgoing->body.ptr : "");
	curl->curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->curl_easy_setopt(easy, CURLOPT_WRITEDATA, outgoing);
	curl->curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->curl_easy_setopt(easy, CURLOPT_HEADERDATA, outgoing);
	curl->curl_easy_setopt(easy, CURLOPT_PRIVATE, outgoing);
	set_headers(client, outgoing);
	return curl->curl_multi_add_handle(client->multi, easy) == CURLM_OK;
}

static void end(struct nexus_client *client, struct nexus_outgoing *outgoing)
{
	if (outgoing->easy) {
		client->curl.curl_multi_remove_handle(client->multi, outgoing->easy);
		client->curl.curl_easy_cleanup(outgoing->easy);
	}
	client->curl.curl_slist_free_all(outgoing->list);
	outgoing->easy = outgoing->list = NULL;
}

static void take_results(struct nexus_client *client)
{
	struct library *curl = &client->curl;
	CURLMsg *message;
	int left;

	while ((message = curl->curl_multi_info_read(client->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;
		char *private = NULL;
		long status = 0;

		curl->curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
		curl->curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		struct nexus_outgoing *outgoing = (struct nexus_outgoing *)(void *)private;
		outgoing->status = code == CURLE_OK ? (unsigned)status : 0;
		outgoing->timed_out = code == CURLE_OPERATION_TIMEDOUT;
		snprintf(outgoing->error, sizeof(outgoing->error), "%s",
			curl->curl_easy_strerror(code));
		end(client, outgoing);
		post(outgoing);
	}
}

/* False: it is to stop. */
static bool take_queue(struct nexus_client *client)
{
	pthread_mutex_lock(&client->lock);
	struct nexus_outgoing *next = client->queue;
	bool going = !client->stopping;
	client->queue = NULL;
	client->queue_last = &client->queue;
	pthread_mutex_unlock(&client->lock);
	while (next) {
		struct nexus_outgoing *outgoing = next;

		next = outgoing->next_queued;
		if (going && begin(client, outgoing))
			continue;
		snprintf(outgoing->error, sizeof(outgoing->error), "the request cannot be made");
		end(client, outgoing);
		post(outgoing);
	}
	return going;
}

static void *run(void *user)
{
	struct nexus_client *client = user;
	int running;

	while (take_queue(client)) {
		client->curl.curl_multi_perform(client->multi, &running);
		take_results(client);
		client->curl.curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL);
	}
	return NULL;
}

/* ---- The loop's thread ---- */

static bool load(struct library *curl)
{
	curl->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!curl->handle)
		return false;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *function = dlsym(curl->handle, functions[i].name);

		if (!function)
			return false;
		memcpy((char *)curl + functions[i].at, &function, sizeof(function));
	}
	return true;
}

/* The library and the thread are there. */
static bool start(struct nexus_client *client)
{
	sigset_t every, before;

	if (client->started || client->broken)
		return client->started;
	client->broken = true;
	if (!load(&client->curl) || !(client->multi = client->curl.curl_multi_init()))
		return false;
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	client->started = pthread_create(&client->thread, NULL, run, client) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	client->broken = !client->started;
	return client->started;
}

static void send_out(struct server *server, struct nexus_outgoing *outgoing)
{
	struct nexus_client *client = server->nexus_client;

	if (!start(client)) {
		snprintf(outgoing->error, sizeof(outgoing->error),
			LIBRARY " cannot be loaded; expected it for requests by HTTP");
		finish(outgoing);
		return;
	}
	outgoing->client = client;
	outgoing->next = client->all;
	if (outgoing->next)
		outgoing->next->prev = outgoing;
	client->all = outgoing;
	pthread_mutex_lock(&client->lock);
	*client->queue_last = outgoing;
	client->queue_last = &outgoing->next_queued;
	pthread_mutex_unlock(&client->lock);
	client->curl.curl_multi_wakeup(client->multi);
}

struct nexus_client *nexus_client_new(struct server *server, struct rpc_loop *loop)
{
	struct nexus_client *client = mem_zalloc(sizeof(*client));

	if (!client)
		return NULL;
	client->server = server;
	client->loop = loop;
	client->queue_last = &client->queue;
	pthread_mutex_init(&client->lock, NULL);
	server->nexus_client = client;
	server->nexus_send = send_out;
	return client;
}

void nexus_client_stop(struct nexus_client *client)
{
	if (!client || !client->started)
		return;
	pthread_mutex_lock(&client->lock);
	client->stopping = true;
	pthread_mutex_unlock(&client->lock);
	client->curl.curl_multi_wakeup(client->multi);
	pthread_join(client->thread, NULL);
}

void nexus_client_free(struct nexus_client *client)
{
	if (!client)
		return;
	while (client->all) {
		struct nexus_outgoing *outgoing = client->all;

		client->all = outgoing->next;
		if (outgoing->easy)
			end(client, outgoing);
		nexus_outgoing_free(outgoing);
	}
	if (client->multi)
		client->curl.curl_multi_cleanup(client->multi);
	if (client->curl.handle)
		dlclose(client->curl.handle);
	pthread_mutex_destroy(&client->lock);
	mem_free(client);
}
