/*
 * connection.c: the channel over HTTP/2: which link takes a call, when a new link is made, and when
 * an old one goes.
 *
 * Invariants
 * - A call in TRYING is either on a link (http2.link) or in the list of those that wait for one
 *   (http2.waiting).
 * - At most one link is being opened at a time, and only when calls wait. After a failure the next
 *   one is not begun before `retry_at_ns`; calls that come in between wait for it, those that
 *   waited for the failed one end with UNAVAILABLE and come again as their policy says.
 * - After GOAWAY a link keeps its calls to their end, and the next call opens a new one: that is
 *   what happens each five minutes with a real server, and no poll may notice.
 * - A link at the server's limit of streams is full; then another one is opened beside it.
 *
 * Loop's thread alone, but for rpc_channel_new.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "rpc/limits.h"
#include "rpc/link.h"
#include "rpc/tls.h"

struct connection {
	struct rpc_channel channel; /* first: ops cast */
	struct rpc_link_opts opts;
	char *authority, *server_name;
	int64_t dns_refresh_ns;
	struct rpc_link *links;
	unsigned n_links, n_opening;
	struct rpc_call *waiting, **waiting_tail;
	struct rpc_timer retry;
	int64_t retry_at_ns, backoff_ms;
	struct temporal_error failure; /* of the last attempt */
	struct rpc_timer refresh;
	struct rpc_resolve *resolve;
	bool closing;
};

static struct connection *connection_of(struct rpc_channel *channel)
{
	return (struct connection *)(void *)channel;
}

/* Waiting calls. */

static void wait_for_link(struct connection *c, struct rpc_call *call)
{
	call->http2.waiting = true;
	call->http2.next_waiting = NULL;
	*c->waiting_tail = call;
	c->waiting_tail = &call->http2.next_waiting;
}

static struct rpc_call *take_waiting(struct connection *c)
{
	struct rpc_call *call = c->waiting;

	if (!call)
		return NULL;
	c->waiting = call->http2.next_waiting;
	if (!c->waiting)
		c->waiting_tail = &c->waiting;
	call->http2.waiting = false;
	return call;
}

static void remove_waiting(struct connection *c, struct rpc_call *call)
{
	struct rpc_call **at = &c->waiting;

	while (*at != call)
		at = &(*at)->http2.next_waiting;
	*at = call->http2.next_waiting;
	if (c->waiting_tail == &call->http2.next_waiting)
		c->waiting_tail = at;
	call->http2.waiting = false;
}

/* Ends the calls that wait now; what they start anew waits for the next attempt. */
static void fail_waiting(struct connection *c, const struct temporal_error *err)
{
	struct rpc_call *call = c->waiting;
	const struct rpc_end end = {
		.code = err->code, .message = err->message, .transport = true
	};

	c->waiting = NULL;
	c->waiting_tail = &c->waiting;
	while (call) {
		struct rpc_call *next = call->http2.next_waiting;

		call->http2.waiting = false;
		rpc_call_end_try(call, &end);
		call = next;
	}
}

/* Links. */

static const struct rpc_link_events link_events;

static void open_link(struct connection *c)
{
	struct temporal_error err;
	struct rpc_link *link = rpc_link_new(c->channel.loop, &c->opts, &link_events, c, &err);

	if (!link) {
		fail_waiting(c, &err);
		return;
	}
	link->next = c->links;
	c->links = link;
	c->n_links++;
	c->n_opening++;
}

static void on_retry(struct rpc_timer *timer)
{
	struct connection *c =
		(struct connection *)(void *)((char *)timer - offsetof(struct connection, retry));

	if (c->waiting && c->n_opening == 0 && c->n_links < RPC_LINKS_MAX)
		open_link(c);
}

static void want_link(struct connection *c)
{
	if (c->n_opening > 0 || c->n_links >= RPC_LINKS_MAX || c->closing || c->retry.armed)
		return;
	if (rpc_now_ns() < c->retry_at_ns)
		rpc_timer_set(c->channel.loop, &c->retry, c->retry_at_ns, on_retry);
	else
		open_link(c);
}

static struct rpc_link *find_link(struct connection *c)
{
	for (struct rpc_link *link = c->links; link; link = link->next) {
		if (rpc_link_takes_calls(link))
			return link;
	}
	return NULL;
}

/* The call is with a link or waits for one; false when it can be neither. */
static bool place(struct connection *c, struct rpc_call *call, struct temporal_error *err)
{
	struct rpc_link *link;

	while ((link = find_link(c))) {
		enum temporal_code code = rpc_link_start(link, call, err);

		if (code == TEMPORAL_OK)
			return true;
		if (rpc_link_takes_calls(link))
			return false;
	}
	wait_for_link(c, call);
	want_link(c);
	return true;
}

static void place_waiting(struct connection *c)
{
	struct temporal_error err;

	while (c->waiting && find_link(c)) {
		struct rpc_call *call = take_waiting(c);

		if (!place(c, call, &err))
			rpc_call_end_try(call,
				&(struct rpc_end){ .code = err.code, .message = err.message });
	}
	if (c->waiting)
		want_link(c);
}

static void back_off(struct connection *c)
{
	int64_t spread_ms = c->backoff_ms * 2 / 5;
	int64_t wait_ms = c->backoff_ms - spread_ms / 2 +
			  (int64_t)rpc_channel_chance(&c->channel) % (spread_ms + 1);

	c->retry_at_ns = rpc_now_ns() + wait_ms * RPC_MS_NS;
	c->backoff_ms = c->backoff_ms * 8 / 5;
	if (c->backoff_ms > RPC_RECONNECT_MAX_MS)
		c->backoff_ms = RPC_RECONNECT_MAX_MS;
}

static void forget(struct connection *c, struct rpc_link *link)
{
	struct rpc_link **at = &c->links;

	while (*at && *at != link)
		at = &(*at)->next;
	if (*at)
		*at = link->next;
}

/* DNS: when the name no longer stands for the address of a link, the link is drained and a new one
 * takes the calls. */

static void on_refresh(struct rpc_timer *timer);

static void on_refreshed(
	void *user, const struct rpc_addresses *addresses, const struct temporal_error *err)
{
	struct connection *c = user;

	c->resolve = NULL;
	for (struct rpc_link *link = c->links, *next; link && !err; link = next) {
		bool still = link->state != RPC_LINK_OPEN;

		next = link->next;
		for (unsigned i = 0; i < addresses->n; i++)
			still |= rpc_address_same(&addresses->list[i], &link->peer);
		if (!still)
			rpc_link_drain(link);
	}
	if (c->links)
		rpc_timer_set(
			c->channel.loop, &c->refresh, rpc_now_ns() + c->dns_refresh_ns, on_refresh);
}

static void on_refresh(struct rpc_timer *timer)
{
	struct connection *c =
		(struct connection *)(void *)((char *)timer - offsetof(struct connection, refresh));
	const struct rpc_target *target = c->opts.proxy.host[0] ? &c->opts.proxy : &c->opts.target;

	if (c->resolve || !c->links)
		return;
	c->resolve = rpc_resolve_start(c->channel.loop, target, on_refreshed, c, NULL);
	if (!c->resolve)
		rpc_timer_set(c->channel.loop, timer, rpc_now_ns() + c->dns_refresh_ns, on_refresh);
}

static void watch_dns(struct connection *c)
{
	struct rpc_addresses literal;

	if (c->dns_refresh_ns <= 0 || c->refresh.armed || c->resolve)
		return;
	rpc_resolve_literal(c->opts.proxy.host[0] ? &c->opts.proxy : &c->opts.target, &literal);
	if (literal.n == 0)
		rpc_timer_set(
			c->channel.loop, &c->refresh, rpc_now_ns() + c->dns_refresh_ns, on_refresh);
}

/* Events of links. */

static void on_opened(struct rpc_link *link)
{
	struct connection *c = link->owner;

	c->n_opening--;
	link->counted_open = true;
	watch_dns(c);
	place_waiting(c);
}

static void on_changed(struct rpc_link *link)
{
	struct connection *c = link->owner;

	c->backoff_ms = RPC_RECONNECT_MIN_MS;
	c->retry_at_ns = 0;
	if (c->waiting)
		place_waiting(c);
}

static void on_over(struct rpc_link *link, const struct temporal_error *err)
{
	struct connection *c = link->owner;

	forget(c, link);
	if (!link->counted_open)
		c->n_opening--;
	if (!link->served)
		back_off(c);
	if (!err || link->counted_open) {
		if (c->waiting)
			want_link(c);
		return;
	}
	c->failure = *err;
	fail_waiting(c, &c->failure);
}

static void maybe_free(struct connection *c)
{
	if (!c->closing || c->n_links > 0)
		return;
	rpc_channel_finish(&c->channel);
	rpc_tls_context_free(c->opts.tls);
	mem_free(c->opts.proxy_authorization);
	mem_free(c->authority);
	mem_free(c->server_name);
	mem_free(c);
}

static void on_freed(struct rpc_link *link)
{
	struct connection *c = link->owner;

	c->n_links--;
	maybe_free(c);
}

static void on_no_gzip(struct rpc_link *link)
{
	struct connection *c = link->owner;

	c->opts.compress = false;
}

static const struct rpc_link_events link_events = {
	.opened = on_opened,
	.changed = on_changed,
	.over = on_over,
	.freed = on_freed,
	.no_gzip = on_no_gzip,
};

/* The channel's ops. */

static void fail_later(struct rpc_timer *timer)
{
	struct rpc_call *call =
		(struct rpc_call *)(void *)((char *)timer - offsetof(struct rpc_call, timer));
	struct connection *c = connection_of(call->channel);

	rpc_call_end_try(
		call, &(struct rpc_end){ .code = c->failure.code, .message = c->failure.message });
}

static void connection_start(struct rpc_channel *channel, struct rpc_call *call)
{
	struct connection *c = connection_of(channel);

	if (!place(c, call, &c->failure)) /* not from within start: at the loop's next turn */
		rpc_timer_set(channel->loop, &call->timer, rpc_now_ns(), fail_later);
}

static void connection_cancel(struct rpc_channel *channel, struct rpc_call *call)
{
	if (call->http2.waiting)
		remove_waiting(connection_of(channel), call);
	else
		rpc_link_cancel(call);
}

static void connection_destroy(struct rpc_channel *channel)
{
	struct connection *c = connection_of(channel);

	c->closing = true;
	rpc_timer_stop(&c->retry);
	rpc_timer_stop(&c->refresh);
	rpc_resolve_abandon(c->resolve);
	struct rpc_link *link = c->links;
	c->links = NULL;
	while (link) {
		struct rpc_link *next = link->next;

		rpc_link_close(link);
		link = next;
	}
	maybe_free(c);
}

static const struct rpc_channel_ops connection_ops = {
	.start = connection_start,
	.cancel = connection_cancel,
	.destroy = connection_destroy,
};

/* Making one. */

static int64_t duration_ns(int64_t value_ms, int64_t default_ms)
{
	if (value_ms == 0)
		value_ms = default_ms;
	if (value_ms < 0)
		return 0;
	return value_ms > INT64_MAX / 4 / RPC_MS_NS ? INT64_MAX / 4 : value_ms * RPC_MS_NS;
}

static enum temporal_code copy_proxy(
	struct connection *c, const struct rpc_connect_opts *opts, struct temporal_error *err)
{
	char plain[512];

	if (!opts->proxy)
		return TEMPORAL_OK;
	enum temporal_code code = rpc_target_parse(opts->proxy, "proxy", &c->opts.proxy, err);
	if (code != TEMPORAL_OK || !opts->proxy_user)
		return code;
	int len = snprintf(plain, sizeof(plain), "%s:%s", opts->proxy_user,
		opts->proxy_password ? opts->proxy_password : "");
	if (len >= (int)sizeof(plain) || strchr(opts->proxy_user, ':'))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"proxy user and password: expected no colon in the user and at most 510 "
			"bytes");
	c->opts.proxy_authorization = mem_zalloc(BASE64_SIZE((size_t)len) + 1);
	if (!c->opts.proxy_authorization)
		return error_no_memory(err, "proxy password");
	(void)base64_encode(c->opts.proxy_authorization, plain, (size_t)len, BASE64_PADDED);
	return TEMPORAL_OK;
}

static enum temporal_code copy_names(
	struct connection *c, const struct rpc_connect_opts *opts, struct temporal_error *err)
{
	const char *bare = strstr(opts->target, "://");
	const char *server_name = opts->server_name ? opts->server_name : c->opts.target.host;
	const char *authority = opts->authority ? opts->authority : opts->server_name;

	if (!authority)
		authority = bare ? bare + 3 : opts->target;
	c->authority = mem_strdup(authority);
	c->server_name = mem_strdup(server_name);
	if (!c->authority || !c->server_name)
		return error_no_memory(err, "client");
	c->authority[strcspn(c->authority, "/")] = '\0';
	if (!rpc_header_value_ok(c->authority, strlen(c->authority)))
		return error_set(
			err, TEMPORAL_INVALID_ARGUMENT, "authority: expected printable ASCII");
	c->opts.authority = c->authority;
	c->opts.server_name = c->server_name;
	return TEMPORAL_OK;
}

static enum temporal_code copy_tls(
	struct connection *c, const struct rpc_connect_opts *opts, struct temporal_error *err)
{
	const struct rpc_tls_opts tls = {
		opts->ca_pem,
		opts->cert_pem,
		opts->key_pem,
		opts->ca_pem_len,
		opts->cert_pem_len,
		opts->key_pem_len,
	};

	if (opts->tls && c->opts.target.has_scheme && !c->opts.target.https)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"target \"%s\": TLS was asked for, but it says http", opts->target);
	if (!opts->tls && !c->opts.target.https)
		return TEMPORAL_OK;
	c->opts.tls = rpc_tls_client_context(&tls, err);
	return c->opts.tls ? TEMPORAL_OK : (err ? err->code : TEMPORAL_INVALID_ARGUMENT);
}

static enum temporal_code copy_opts(
	struct connection *c, const struct rpc_connect_opts *opts, struct temporal_error *err)
{
	enum temporal_code code = rpc_target_parse(opts->target, "target", &c->opts.target, err);

	c->opts.connect_timeout_ns = duration_ns(opts->connect_timeout_ms, RPC_CONNECT_TIMEOUT_MS);
	c->opts.keep_alive_ns = duration_ns(opts->keep_alive_ms, RPC_KEEP_ALIVE_MS);
	c->opts.keep_alive_timeout_ns =
		duration_ns(opts->keep_alive_timeout_ms, RPC_KEEP_ALIVE_TIMEOUT_MS);
	c->dns_refresh_ns = duration_ns(opts->dns_refresh_ms, RPC_DNS_REFRESH_MS);
	c->opts.read_interval_ns = duration_ns(opts->read_interval_ms, 0);
	c->opts.work = &c->channel.work;
	c->opts.receive_max = opts->max_receive_size;
	c->opts.compress = !opts->no_compression;
	c->opts.compress_always = opts->compress_always;
	if (c->opts.connect_timeout_ns == 0)
		c->opts.connect_timeout_ns = INT64_MAX / 4;
	if (code == TEMPORAL_OK)
		code = copy_proxy(c, opts, err);
	if (code == TEMPORAL_OK)
		code = copy_names(c, opts, err);
	if (code == TEMPORAL_OK)
		code = copy_tls(c, opts, err);
	return code;
}

struct rpc_channel *rpc_channel_new(
	struct rpc_loop *loop, const struct rpc_connect_opts *opts, struct temporal_error *err)
{
	struct connection *c = mem_zalloc(sizeof(*c));

	if (!c) {
		error_no_memory(err, "client");
		return NULL;
	}
	c->waiting_tail = &c->waiting;
	c->backoff_ms = RPC_RECONNECT_MIN_MS;
	if (rpc_channel_init(&c->channel, &connection_ops, loop, opts->headers, opts->n_headers,
		    err) != TEMPORAL_OK) {
		mem_free(c);
		return NULL;
	}
	if (copy_opts(c, opts, err) == TEMPORAL_OK)
		return &c->channel;
	c->closing = true;
	maybe_free(c);
	return NULL;
}
