/*
 * access.h: who may call a server over the network: where it may listen without TLS, and the API
 * keys that a call has to show one of.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include <temporal/error.h>

struct temporal_server_opts;

#define ACCESS_KEYS_MAX 64

struct access {
	char *keys[ACCESS_KEYS_MAX]; /* owned */
	size_t n_keys;               /* 0: no key is asked for */
};

/* Copies the keys, and refuses what is not safe: a listener on another address than loopback's
 * without TLS, unless .allow_insecure; TLS without certificate or key. */
enum temporal_code access_init(struct access *access, const struct temporal_server_opts *opts,
	struct temporal_error *err) __attribute__((warn_unused_result));

void access_finish(struct access *access);

/* May a call of `path` with this authorization header (NULL: none) be served? Any thread. */
bool access_allows(const struct access *access, const char *path, const char *authorization);

#endif
