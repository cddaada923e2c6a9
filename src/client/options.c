/*
 * options.c: what a client is told when it connects: checked, defaults filled in, copied.
 *
 * The copy lives in the client's arena and never changes, so any thread may read it, also in a
 * forked child.
 *
 * Checked before anything is copied, copied before anything is used. Nested options are pointers to
 * structs of this version's size: only the outer one may be older or newer (client_opts_copy()).
 */
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/intercept.h"

#define DEFAULT_TARGET            "localhost:7233"
#define DEFAULT_NAMESPACE         "default"
#define WORKER_HEARTBEAT_LEAST_MS 1000
#define WORKER_HEARTBEAT_MS       60000
#define READ_INTERVAL_MAX_MS      1000

/*
 * What HTTP/2 and gRPC allow: a header that is not would break the whole connection, and with it
 * the calls of others.
 */
enum temporal_code client_check_header(
	const char *name, const char *value, struct temporal_error *err)
{
	size_t len = name ? strlen(name) : 0;

	if (!len)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT, "a header has no name");
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-_.", c)))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"header \"%s\": names are of a-z, 0-9, '-', '_' and '.'", name);
	}
	if (len > 4 && strcmp(name + len - 4, "-bin") == 0)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"header \"%s\": binary headers are not supported here", name);
	if (strncmp(name, "grpc-", 5) == 0)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"header \"%s\": gRPC keeps such names", name);
	for (; value && *value; value++) {
		if (*value < ' ' || *value > '~')
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"header \"%s\": its value has to be printable ASCII", name);
	}
	return TEMPORAL_OK;
}

int64_t client_worker_heartbeat_ms(const struct temporal_client *client)
{
	int64_t interval_ms = client->opts.worker_heartbeat_interval_ms;

	if (interval_ms == TEMPORAL_OFF)
		return 0;
	return interval_ms ? interval_ms : WORKER_HEARTBEAT_MS;
}

/* One table for all, so that each is checked alike and named in the message. */
static enum temporal_code check_durations(
	const struct temporal_client_opts *opts, struct temporal_error *err)
{
	const struct {
		const char *name;
		int64_t value;
		int64_t least; /* TEMPORAL_OFF: may be off */
	} all[] = {
		{ "connect_timeout_ms", opts->connect_timeout_ms, 0 },
		{ "rpc_timeout_ms", opts->rpc_timeout_ms, 0 },
		{ "keep_alive_ms", opts->keep_alive_ms, TEMPORAL_OFF },
		{ "keep_alive_timeout_ms", opts->keep_alive_timeout_ms, 0 },
		{ "dns_refresh_ms", opts->dns_refresh_ms, TEMPORAL_OFF },
		{ "read_interval_ms", opts->read_interval_ms, 0 },
		{ "max_receive_bytes", opts->max_receive_bytes, 0 },
		{ "worker_heartbeat_interval_ms", opts->worker_heartbeat_interval_ms,
			TEMPORAL_OFF },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].value < all[i].least)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT, "%s is %lld: expected %s",
				all[i].name, (long long)all[i].value,
				all[i].least ? "0, TEMPORAL_OFF or more" : "0 or more");
	}
	if (opts->worker_heartbeat_interval_ms > 0 &&
		(opts->worker_heartbeat_interval_ms < WORKER_HEARTBEAT_LEAST_MS ||
			opts->worker_heartbeat_interval_ms > WORKER_HEARTBEAT_MS))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker_heartbeat_interval_ms is %lld: expected %d to %d, or TEMPORAL_OFF",
			(long long)opts->worker_heartbeat_interval_ms, WORKER_HEARTBEAT_LEAST_MS,
			WORKER_HEARTBEAT_MS);
	/* The answer to a keep-alive ping is read at the interval too. */
	int64_t wait_ms = opts->keep_alive_timeout_ms;
	int64_t most_ms =
		wait_ms && wait_ms <= READ_INTERVAL_MAX_MS ? wait_ms - 1 : READ_INTERVAL_MAX_MS;

	if (opts->read_interval_ms > most_ms)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"read_interval_ms is %lld: expected at most %d and less than "
			"keep_alive_timeout_ms",
			(long long)opts->read_interval_ms, READ_INTERVAL_MAX_MS);
	return TEMPORAL_OK;
}

/*
 * What excludes each other, and halves of pairs. The API key is checked as the header that it
 * becomes.
 */
static enum temporal_code check(const struct temporal_client_opts *opts, struct temporal_error *err)
{
	const struct temporal_tls_opts *tls = opts->tls;
	enum temporal_code code = check_durations(opts, err);

	if (code)
		return code;
	if (tls && opts->no_tls)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT, "tls and no_tls are both set");
	if (tls && !tls->cert_pem != !tls->key_pem)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"tls: %s is set without the other one: a client's certificate needs both "
			"cert_pem and key_pem",
			tls->cert_pem ? "cert_pem" : "key_pem");
	if (opts->proxy && str_empty(opts->proxy->address))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT, "proxy: address is not set");
	if (opts->n_headers && !opts->headers)
		return error_set(
			err, TEMPORAL_INVALID_ARGUMENT, "n_headers is set without headers");
	for (size_t i = 0; i < opts->n_headers; i++) {
		code = client_check_header(opts->headers[i].name, opts->headers[i].value, err);
		if (code)
			return code;
	}
	return client_check_header("authorization", opts->api_key, err);
}

/* Replaces the string by a copy of it; NULL stays. */
static void own(struct arena *arena, const char **text, bool *failed)
{
	if (!*text)
		return;
	*text = arena_strdup(arena, *text);
	if (!*text)
		*failed = true;
}

static void own_tls(struct arena *arena, const struct temporal_tls_opts **tls, bool *failed)
{
	struct temporal_tls_opts *copy = arena_memdup(arena, *tls, sizeof(**tls));

	*tls = copy;
	if (!copy) {
		*failed = true;
		return;
	}
	own(arena, &copy->ca_pem, failed);
	own(arena, &copy->cert_pem, failed);
	own(arena, &copy->key_pem, failed);
	own(arena, &copy->server_name, failed);
}

static void own_proxy(struct arena *arena, const struct temporal_proxy_opts **proxy, bool *failed)
{
	struct temporal_proxy_opts *copy = arena_memdup(arena, *proxy, sizeof(**proxy));

	*proxy = copy;
	if (!copy) {
		*failed = true;
		return;
	}
	own(arena, &copy->address, failed);
	own(arena, &copy->user, failed);
	own(arena, &copy->password, failed);
}

static void own_headers(struct arena *arena, struct temporal_client_opts *opts, bool *failed)
{
	struct temporal_header *copy =
		arena_memdup(arena, opts->headers, opts->n_headers * sizeof(*opts->headers));

	opts->headers = copy;
	if (!copy) {
		*failed = true;
		return;
	}
	for (size_t i = 0; i < opts->n_headers; i++) {
		own(arena, &copy[i].name, failed);
		own(arena, &copy[i].value, failed);
	}
}

/* A NULL-terminated list of pointers; NULL stays. */
static const void *own_list(struct arena *arena, const void *list, bool *failed)
{
	const void *const *items = list;
	size_t n = 0;

	while (items && items[n])
		n++;
	const void *copy = items ? arena_memdup(arena, items, (n + 1) * sizeof(*items)) : NULL;

	if (items && !copy)
		*failed = true;
	return copy;
}

/* The list is the one that the user gave: a plugin cannot bring others. */
static enum temporal_code apply_plugins(
	struct temporal_client_opts *opts, struct temporal_error *err)
{
	const struct temporal_plugin *const *each = opts->plugins;
	enum temporal_code code = TEMPORAL_OK;

	for (; each && *each && !code; each++) {
		if ((*each)->client)
			code = (*each)->client(opts, sizeof(*opts), (*each)->user, err);
	}
	return code;
}

/* Those that have functions for clients. */
static bool pick_interceptors(struct temporal_client *client)
{
	const struct temporal_interceptor *const *each = client->opts.interceptors;
	size_t n = 0, all = 0;

	while (each && each[all])
		all++;
	const struct temporal_interceptor **picked =
		arena_array(&client->arena, all + 1, sizeof(*picked));

	for (size_t i = 0; picked && i < all; i++) {
		if (each[i]->client)
			picked[n++] = each[i];
	}
	client->interceptors = n ? picked : NULL;
	return picked;
}

/*
 * Defaults are filled in before the copy, so that all strings are the arena's. `failed` collects
 * what memory was out for.
 */
enum temporal_code client_take_options(struct temporal_client *client,
	const struct temporal_client_opts *given, size_t size, struct temporal_error *err)
{
	struct temporal_client_opts *opts = &client->opts;
	struct arena *arena = &client->arena;
	bool failed = false;
	enum temporal_code code = client_opts_copy(opts, sizeof(*opts), given, size, err);

	const struct temporal_plugin *const *plugins = opts->plugins;
	if (!code)
		code = apply_plugins(opts, err);
	opts->plugins = plugins;
	if (!code)
		code = check(opts, err);
	if (code)
		return code;
	opts->interceptors = own_list(arena, opts->interceptors, &failed);
	opts->plugins = own_list(arena, opts->plugins, &failed);
	failed = failed || !pick_interceptors(client);
	if (!opts->target)
		opts->target = DEFAULT_TARGET;
	if (str_empty(opts->namespace_))
		opts->namespace_ = DEFAULT_NAMESPACE;
	own(arena, &opts->target, &failed);
	own(arena, &opts->namespace_, &failed);
	own(arena, &opts->identity, &failed);
	own(arena, &opts->api_key, &failed);
	own(arena, &opts->authority, &failed);
	if (opts->tls)
		own_tls(arena, &opts->tls, &failed);
	if (opts->proxy)
		own_proxy(arena, &opts->proxy, &failed);
	if (opts->n_headers)
		own_headers(arena, opts, &failed);
	return failed ? error_no_memory(err, "a client's options") : TEMPORAL_OK;
}
