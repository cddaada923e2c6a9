/*
 * tls.h: TLS without I/O: ciphertext and plaintext in and out of memory. OpenSSL is initialised
 * when the first context is made, so a process that speaks in the clear does not pay for it. A
 * session belongs to one thread at a time, a context to any.
 */
#ifndef RPC_TLS_H
#define RPC_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

struct rpc_tls;
struct rpc_tls_context;

/* Texts in PEM; NULL: none (for `ca` of a client: the system's roots; of a server: clients need no
 * certificate). */
struct rpc_tls_opts {
	const char *ca, *cert, *key;
	size_t ca_len, cert_len, key_len;
};

enum rpc_tls_step {
	RPC_TLS_DONE,
	RPC_TLS_MORE, /* more bytes of the peer are needed */
	RPC_TLS_ERROR,
};

/* INVALID_ARGUMENT for texts that are no certificates, or a key that does not fit. NULL on failure.
 */
struct rpc_tls_context *rpc_tls_client_context(const struct rpc_tls_opts *opts,
	struct temporal_error *err) __attribute__((warn_unused_result));
/* Certificate and key are needed. */
struct rpc_tls_context *rpc_tls_server_context(const struct rpc_tls_opts *opts,
	struct temporal_error *err) __attribute__((warn_unused_result));
void rpc_tls_context_free(struct rpc_tls_context *context);

/* A session of the context's side. `name`: the server that a client means to talk to; ignored on a
 * server. */
struct rpc_tls *rpc_tls_new(struct rpc_tls_context *context, const char *name,
	struct temporal_error *err) __attribute__((warn_unused_result));
void rpc_tls_free(struct rpc_tls *tls);

/* Ciphertext of the peer. NO_MEMORY or OK. */
enum temporal_code rpc_tls_receive(struct rpc_tls *tls, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));

/* Goes on with the handshake. An error names what is wrong with the peer's certificate or protocol
 * (ALPN must be h2). */
enum rpc_tls_step rpc_tls_handshake(struct rpc_tls *tls, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Plaintext from the peer. The peer's end of TLS is an error with code OK. */
enum rpc_tls_step rpc_tls_read(struct rpc_tls *tls, uint8_t *out, size_t cap, size_t *len,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Plaintext to the peer. */
enum temporal_code rpc_tls_write(struct rpc_tls *tls, const uint8_t *data, size_t len,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Takes ciphertext for the peer; 0: there is none. */
size_t rpc_tls_pull(struct rpc_tls *tls, uint8_t *out, size_t cap);
bool rpc_tls_has_output(const struct rpc_tls *tls);

#endif
