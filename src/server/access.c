/*
 * access.c: who may call a server over the network.
 *
 * A key is compared in a time that does not tell how much of it was right. What a client asks
 * before it has shown a key, and what watches a server, is served without one, as the official
 * server does. Filled before the loop's thread lives, read on it.
 */
#include "server/access.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include <temporal/server.h>

#include "base/error.h"
#include "base/mem.h"

#define KEY_MAX 4096 /* bytes */

static const char *const free_paths[] = {
	"/grpc.health.v1.Health/Check",
	"/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo",
};

static bool is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (!host || strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static enum temporal_code check(const struct temporal_server_opts *opts, struct temporal_error *err)
{
	const struct temporal_server_tls_opts *tls = opts->tls;

	if (tls && (!tls->cert_pem || !tls->key_pem))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"TLS wants a certificate and its private key; %s is missing",
			tls->cert_pem ? "the key" : "the certificate");
	if ((opts->port != 0 || opts->http_port != 0) && !tls && !opts->allow_insecure &&
		!is_loopback(opts->host))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"it would listen on %s without TLS; expected a certificate and a key, or "
			"to be told that this is meant",
			opts->host);
	return TEMPORAL_OK;
}

enum temporal_code access_init(
	struct access *access, const struct temporal_server_opts *opts, struct temporal_error *err)
{
	const char *const *key = opts->api_keys;
	enum temporal_code code = check(opts, err);

	for (; code == TEMPORAL_OK && key && *key; key++) {
		if (access->n_keys == ACCESS_KEYS_MAX)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT, "more than %d API keys",
				ACCESS_KEYS_MAX);
		if (!**key || strlen(*key) > KEY_MAX)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"an API key has %zu bytes; expected 1 to %d", strlen(*key),
				KEY_MAX);
		access->keys[access->n_keys] = mem_strdup(*key);
		if (!access->keys[access->n_keys])
			return error_no_memory(err, "an API key");
		access->n_keys++;
	}
	return code;
}

void access_finish(struct access *access)
{
	for (size_t i = 0; i < access->n_keys; i++) {
		explicit_bzero(access->keys[i], strlen(access->keys[i]));
		mem_free(access->keys[i]);
	}
	access->n_keys = 0;
}

/* Every byte of the key is looked at, whatever comes. */
static bool same(const char *key, const char *given, size_t given_len)
{
	size_t len = strlen(key);
	unsigned differ = len != given_len;

	for (size_t i = 0; i < len; i++) {
		unsigned char other = i < given_len ? (unsigned char)given[i] : 0;

		differ |= (unsigned)((unsigned char)key[i] ^ other);
	}
	return !differ;
}

bool access_allows(const struct access *access, const char *path, const char *authorization)
{
	static const char scheme[] = "Bearer ";
	bool allowed = false;

	if (access->n_keys == 0)
		return true;
	for (size_t i = 0; i < sizeof(free_paths) / sizeof(free_paths[0]); i++) {
		if (strcmp(path, free_paths[i]) == 0)
			return true;
	}
	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	authorization += sizeof(scheme) - 1;
	for (size_t i = 0; i < access->n_keys; i++)
		allowed |= same(access->keys[i], authorization, strlen(authorization));
	return allowed;
}
