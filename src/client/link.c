/*
 * link.c: what one process has of a client: a loop, the loop's thread, a channel, its identity.
 *
 * A fork copies the memory of a link but not its thread, and its sockets are shared with the
 * parent, so a child must not touch them: it makes a link of its own and only keeps the old one's
 * memory. Called by connection.c, under the lock of all links.
 *
 * The identity says process and host, so it is the link's and not the client's: in the server's
 * lists a child is another one than its parent.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "client/connection.h"

#define THREAD_NAME           "temporal-rpc"
#define CLIENT_NAME           "temporal-c"
#define SUPPORTED_SERVERS     ">=1.0.0 <2.0.0"
#define OUR_HEADERS           5
#define HEADER(name_, value_) ((struct rpc_header){ (name_), (value_), strlen(value_) })

/* The form of all SDKs: pid@host. */
static void set_identity(struct client_link *link, const char *chosen)
{
	char host[256] = "localhost";

	if (chosen) {
		snprintf(link->identity, sizeof(link->identity), "%s", chosen);
		return;
	}
	if (gethostname(host, sizeof(host)) != 0)
		snprintf(host, sizeof(host), "localhost");
	host[sizeof(host) - 1] = '\0';
	snprintf(link->identity, sizeof(link->identity), "%ld@%s", (long)link->pid, host);
}

/* Ours first, so that the user's replace them. */
static struct rpc_header *collect_headers(
	const struct temporal_client_opts *opts, struct arena *arena, size_t *n)
{
	struct rpc_header *all = arena_array(arena, OUR_HEADERS + opts->n_headers, sizeof(*all));

	if (!all)
		return NULL;
	all[(*n)++] = HEADER("client-name", CLIENT_NAME);
	all[(*n)++] = HEADER("client-version", TEMPORAL_VERSION);
	all[(*n)++] = HEADER("supported-server-versions", SUPPORTED_SERVERS);
	all[(*n)++] = HEADER("temporal-namespace", opts->namespace_);
	if (opts->api_key) {
		const char *value = arena_printf(arena, "Bearer %s", opts->api_key);

		if (!value)
			return NULL;
		all[(*n)++] = HEADER("authorization", value);
	}
	for (size_t i = 0; i < opts->n_headers; i++)
		all[(*n)++] = HEADER(opts->headers[i].name, opts->headers[i].value);
	return all;
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

/*
 * Options become rpc's; an API key asks for TLS unless that is refused, as the key would go in
 * clear.
 */
static struct rpc_channel *connect_channel(const struct temporal_client_opts *from,
	struct rpc_loop *loop, const struct rpc_header *headers, size_t n_headers,
	struct temporal_error *err)
{
	static const struct temporal_tls_opts no_tls;
	static const struct temporal_proxy_opts no_proxy;
	const struct temporal_tls_opts *tls = from->tls ? from->tls : &no_tls;
	const struct temporal_proxy_opts *proxy = from->proxy ? from->proxy : &no_proxy;
	struct rpc_connect_opts opts = {
		.target = from->target,
		.tls = from->tls || (from->api_key && !from->no_tls),
		.no_compression = from->no_compression,
		.ca_pem = tls->ca_pem,
		.cert_pem = tls->cert_pem,
		.key_pem = tls->key_pem,
		.ca_pem_len = length(tls->ca_pem),
		.cert_pem_len = length(tls->cert_pem),
		.key_pem_len = length(tls->key_pem),
		.server_name = tls->server_name,
		.authority = from->authority,
		.proxy = proxy->address,
		.proxy_user = proxy->user,
		.proxy_password = proxy->password,
		.keep_alive_ms = from->keep_alive_ms,
		.keep_alive_timeout_ms = from->keep_alive_timeout_ms,
		.connect_timeout_ms = from->connect_timeout_ms,
		.dns_refresh_ms = from->dns_refresh_ms,
		.read_interval_ms = from->read_interval_ms,
		.max_receive_size = (size_t)from->max_receive_bytes,
		.headers = headers,
		.n_headers = n_headers,
	};

	return rpc_channel_new(loop, &opts, err);
}

/* Opening does not connect: that is done with the first call. Headers are copied by the channel. */
static struct rpc_channel *open_channel(
	const struct temporal_client *client, struct rpc_loop *loop, struct temporal_error *err)
{
	const struct rpc_transport *transport = &client->transport;
	struct rpc_channel *channel = NULL;
	struct rpc_header *headers;
	struct arena scratch;
	size_t n = 0;

	arena_init(&scratch, 1024, ARENA_NO_BUDGET);
	headers = collect_headers(&client->opts, &scratch, &n);
	if (!headers)
		error_no_memory(err, "a client's headers");
	else if (transport->open)
		channel = transport->open(transport->user, loop, headers, n, err);
	else
		channel = connect_channel(&client->opts, loop, headers, n, err);
	arena_finish(&scratch);
	return channel;
}

/* What was set since the client connected holds for the new channel, too. */
static enum temporal_code set_headers(struct rpc_channel *channel,
	const struct client_header *headers, struct temporal_error *err)
{
	for (; headers; headers = headers->next) {
		struct rpc_header header = { headers->name, headers->value,
			length(headers->value) };
		enum temporal_code code = rpc_channel_set_header(channel, &header, err);

		if (code)
			return code;
	}
	return TEMPORAL_OK;
}

static bool count_requests(
	const struct temporal_client *client, struct client_link *link, struct temporal_error *err)
{
	if (!client->opts.metrics)
		return true;
	link->metrics = client_metrics_new(client->opts.metrics, client->opts.namespace_);
	if (!link->metrics) {
		error_no_memory(err, "a client's metrics");
		return false;
	}
	rpc_channel_observe(link->channel, client_metrics_observer(link->metrics));
	return true;
}

struct rpc_channel *client_link_channel(
	struct temporal_client *client, struct rpc_loop *loop, struct temporal_error *err)
{
	struct rpc_channel *channel = open_channel(client, loop, err);

	if (!channel || !set_headers(channel, client->headers, err))
		return channel;
	rpc_channel_unref(channel);
	return NULL;
}

/* The thread is started before the channel, which is the loop's from its first moment. */
struct client_link *client_link_new(struct temporal_client *client, struct temporal_error *err)
{
	struct client_link *link = mem_zalloc(sizeof(*link));

	if (!link) {
		error_no_memory(err, "a client's connection");
		return NULL;
	}
	link->pid = getpid();
	pthread_mutex_init(&link->lock, NULL);
	client_workers_init(&link->workers);
	set_identity(link, client->opts.identity);
	link->loop = rpc_loop_new(err);
	if (!link->loop)
		goto fail;
	if (client->opts.no_thread ? rpc_loop_adopt(link->loop, err)
				   : rpc_loop_start(link->loop, THREAD_NAME, err))
		goto fail;
	link->channel = client_link_channel(client, link->loop, err);
	if (!link->channel || !count_requests(client, link, err))
		goto fail;
	return link;
fail:
	client_link_free(link);
	return NULL;
}

/*
 * The channel before its loop. Of links of another process only the memory is ours: their sockets
 * are shared with it, and their thread is not here.
 */
void client_link_free(struct client_link *link)
{
	while (link) {
		struct client_link *older = link->older;

		if (link->pid == getpid()) {
			rpc_channel_unref(link->channel);
			rpc_loop_free(link->loop);
			client_metrics_free(link->metrics);
			pthread_mutex_destroy(&link->lock);
			client_workers_finish(&link->workers);
		}
		mem_free(link);
		link = older;
	}
}
