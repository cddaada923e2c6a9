/*
 * resolve.c: names to addresses. Literals and localhost never reach the system's resolver: it loads
 * libraries and starts threads, which a worker beside its server can do without.
 */
#include "rpc/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "rpc/loop_io.h"
#include "rpc/text.h"

struct rpc_resolve {
	uv_getaddrinfo_t request;
	char host[RPC_HOST_SIZE];
	void (*done)(void *user, const struct rpc_addresses *addresses,
		const struct temporal_error *err);
	void *user;
};

static enum temporal_code bad_target(const char *text, const char *what, struct temporal_error *err)
{
	return error_set(err, TEMPORAL_INVALID_ARGUMENT,
		"%s \"%s\": expected host:port or [address]:port", what, text);
}

/* Cuts at the colon before the port; a host with colons must be in brackets. */
static const char *find_port(const char *text, size_t *host_len)
{
	const char *colon = strrchr(text, ':');

	if (!colon || colon == text)
		return NULL;
	*host_len = (size_t)(colon - text);
	if (text[0] == '[')
		return colon[-1] == ']' && *host_len > 2 ? colon + 1 : NULL;
	return strchr(text, ':') == colon ? colon + 1 : NULL;
}

enum temporal_code rpc_target_parse(
	const char *text, const char *what, struct rpc_target *target, struct temporal_error *err)
{
	const char *start = text ? text : "";
	size_t host_len = 0;
	unsigned number;

	*target = (struct rpc_target){ .has_scheme = true };
	if (strncmp(start, "https://", 8) == 0) {
		target->https = true;
		start += 8;
	} else if (strncmp(start, "http://", 7) == 0) {
		start += 7;
	} else {
		target->has_scheme = false;
	}
	const char *port = find_port(start, &host_len);
	size_t port_len = port ? strcspn(port, "/") : 0;
	if (!port || port_len > 5 || !rpc_number_parse(port, port_len, &number) || number == 0 ||
		number > 65535)
		return bad_target(start, what, err);
	if (port[port_len] != '\0' && !(target->has_scheme && str_same(port + port_len, "/")))
		return bad_target(start, what, err);
	bool brackets = start[0] == '[';
	host_len -= brackets ? 2 : 0;
	if (host_len >= sizeof(target->host))
		return bad_target(start, what, err);
	memcpy(target->host, start + brackets, host_len);
	memcpy(target->port, port, port_len);
	if (target->host[strcspn(target->host, " /?#@\\\r\n\t")] != '\0')
		return bad_target(start, what, err);
	return TEMPORAL_OK;
}

static void add(struct rpc_addresses *addresses, const union rpc_address *address)
{
	if (addresses->n < RPC_ADDRESSES_MAX)
		addresses->list[addresses->n++] = *address;
}

static bool add_literal(struct rpc_addresses *addresses, const char *host, in_port_t port)
{
	union rpc_address v4 = { .v4 = { .sin_family = AF_INET, .sin_port = port } };
	union rpc_address v6 = { .v6 = { .sin6_family = AF_INET6, .sin6_port = port } };

	if (inet_pton(AF_INET, host, &v4.v4.sin_addr) == 1)
		add(addresses, &v4);
	else if (inet_pton(AF_INET6, host, &v6.v6.sin6_addr) == 1)
		add(addresses, &v6);
	else
		return false;
	return true;
}

void rpc_resolve_literal(const struct rpc_target *target, struct rpc_addresses *addresses)
{
	in_port_t port = htons((in_port_t)strtoul(target->port, NULL, 10));

	addresses->n = 0;
	if (str_same(target->host, "localhost")) {
		add_literal(addresses, "127.0.0.1", port);
		add_literal(addresses, "::1", port);
		return;
	}
	add_literal(addresses, target->host, port);
}

static void collect(struct rpc_addresses *addresses, const struct addrinfo *info)
{
	for (; info; info = info->ai_next) {
		union rpc_address address = { 0 };

		if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
			continue;
		if (info->ai_addrlen > sizeof(address))
			continue;
		memcpy(&address, info->ai_addr, info->ai_addrlen);
		add(addresses, &address);
	}
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
	struct rpc_resolve *resolve = request->data;
	struct rpc_addresses addresses = { .n = 0 };
	struct temporal_error err;

	collect(&addresses, info);
	uv_freeaddrinfo(info);
	if (!resolve->done) {
		mem_free(resolve);
		return;
	}
	if (status < 0)
		error_set(&err, TEMPORAL_UNAVAILABLE, "cannot resolve %s: %s", resolve->host,
			uv_strerror(status));
	else if (addresses.n == 0)
		error_set(&err, TEMPORAL_UNAVAILABLE, "cannot resolve %s: it has no address",
			resolve->host);
	resolve->done(resolve->user, &addresses, status < 0 || addresses.n == 0 ? &err : NULL);
	mem_free(resolve);
}

struct rpc_resolve *rpc_resolve_start(struct rpc_loop *loop, const struct rpc_target *target,
	void (*done)(void *user, const struct rpc_addresses *addresses,
		const struct temporal_error *err),
	void *user, struct temporal_error *err)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV
	};
	struct rpc_resolve *resolve = mem_zalloc(sizeof(*resolve));

	if (!resolve) {
		error_no_memory(err, "name resolution");
		return NULL;
	}
	resolve->request.data = resolve;
	resolve->done = done;
	resolve->user = user;
	memcpy(resolve->host, target->host, sizeof(resolve->host));
	int result = uv_getaddrinfo(rpc_loop_uv(loop), &resolve->request, on_resolved, target->host,
		target->port, &hints);
	if (result == 0)
		return resolve;
	error_set(err, TEMPORAL_UNAVAILABLE, "cannot resolve %s: %s", target->host,
		uv_strerror(result));
	mem_free(resolve);
	return NULL;
}

void rpc_resolve_abandon(struct rpc_resolve *resolve)
{
	if (!resolve)
		return;
	resolve->done = NULL;
	uv_cancel((uv_req_t *)&resolve->request);
}

bool rpc_address_is_loopback(const union rpc_address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
	return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

bool rpc_address_same(const union rpc_address *a, const union rpc_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}
