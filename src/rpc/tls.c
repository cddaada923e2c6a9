/*
 * tls.c: OpenSSL with a pair of memory BIOs. TLS 1.2 at least, ALPN h2 required, no renegotiation,
 * no compression, no session tickets; a client always verifies chain and host name. Any thread, one
 * at a time a session.
 */
#include "rpc/tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

struct rpc_tls_context {
	SSL_CTX *ctx;
	bool server;
};

struct rpc_tls {
	SSL *ssl;
	BIO *in, *out;
	bool server;
};

static const unsigned char alpn_h2[] = { 2, 'h', '2' };

/* The oldest error in OpenSSL's queue of this thread, which is emptied. */
static const char *openssl_reason(char *text, size_t size)
{
	unsigned long error = ERR_get_error();

	if (error == 0)
		snprintf(text, size, "unknown error");
	else if (ERR_reason_error_string(error))
		snprintf(text, size, "%s", ERR_reason_error_string(error));
	else
		ERR_error_string_n(error, text, size);
	ERR_clear_error();
	return text;
}

/* Certificates and keys. */

static BIO *open_pem(const char *text, size_t len)
{
	return len <= INT_MAX ? BIO_new_mem_buf(text, (int)len) : NULL;
}

/* Adds each certificate of the text to the store; at least one is expected. */
static enum temporal_code add_roots(
	X509_STORE *store, const char *text, size_t len, struct temporal_error *err)
{
	BIO *bio = open_pem(text, len);
	unsigned n = 0;

	if (!bio)
		return error_no_memory(err, "CA certificates");
	for (X509 *cert; (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)); n++) {
		X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	return n > 0 ? TEMPORAL_OK
		     : error_set(err, TEMPORAL_INVALID_ARGUMENT,
			       "CA certificates: expected at least one certificate in PEM form");
}

static enum temporal_code add_chain(SSL_CTX *ctx, BIO *bio, struct temporal_error *err)
{
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	if (!cert || SSL_CTX_use_certificate(ctx, cert) != 1) {
		X509_free(cert);
		ERR_clear_error();
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"certificate: expected a certificate in PEM form");
	}
	X509_free(cert);
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			return error_no_memory(err, "certificate chain");
		}
	}
	ERR_clear_error();
	return TEMPORAL_OK;
}

/* An encrypted key must not make OpenSSL ask on the terminal. */
static int no_password(char *out, int size, int write, void *user)
{
	return -1;
}

static enum temporal_code use_key(
	SSL_CTX *ctx, const struct rpc_tls_opts *opts, struct temporal_error *err)
{
	BIO *bio = open_pem(opts->key, opts->key_len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	enum temporal_code code = TEMPORAL_OK;

	if (!key)
		code = error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"private key: expected an unencrypted key in PEM form");
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		code = error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"private key: it does not belong to the certificate");
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return code;
}

static enum temporal_code use_identity(
	SSL_CTX *ctx, const struct rpc_tls_opts *opts, struct temporal_error *err)
{
	if (!opts->cert && !opts->key)
		return TEMPORAL_OK;
	if (!opts->cert || !opts->key)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"a certificate and its private key must be given together");
	BIO *bio = open_pem(opts->cert, opts->cert_len);
	if (!bio)
		return error_no_memory(err, "certificate");
	enum temporal_code code = add_chain(ctx, bio, err);
	BIO_free(bio);
	return code == TEMPORAL_OK ? use_key(ctx, opts, err) : code;
}

/* Contexts. */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned int in_len, void *user)
{
	for (unsigned i = 0; i < in_len; i += in[i] + 1U) {
		if (in[i] == 2 && in_len - i > 2 && memcmp(in + i + 1, "h2", 2) == 0) {
			*out = in + i + 1;
			*out_len = 2;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static struct rpc_tls_context *context_new(bool server, struct temporal_error *err)
{
	struct rpc_tls_context *context = mem_zalloc(sizeof(*context));

	if (context)
		context->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!context || !context->ctx) {
		error_no_memory(err, "TLS context");
		mem_free(context);
		return NULL;
	}
	context->server = server;
	SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(
		context->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(context->ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context->ctx, 0);
	return context;
}

struct rpc_tls_context *rpc_tls_client_context(
	const struct rpc_tls_opts *opts, struct temporal_error *err)
{
	struct rpc_tls_context *context = context_new(false, err);

	if (!context)
		return NULL;
	SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_alpn_protos(context->ctx, alpn_h2, sizeof(alpn_h2));
	enum temporal_code code = TEMPORAL_OK;
	if (opts->ca)
		code = add_roots(SSL_CTX_get_cert_store(context->ctx), opts->ca, opts->ca_len, err);
	else if (SSL_CTX_set_default_verify_paths(context->ctx) != 1)
		code = error_set(
			err, TEMPORAL_INTERNAL, "the system's root certificates cannot be read");
	if (code == TEMPORAL_OK)
		code = use_identity(context->ctx, opts, err);
	if (code == TEMPORAL_OK)
		return context;
	rpc_tls_context_free(context);
	return NULL;
}

struct rpc_tls_context *rpc_tls_server_context(
	const struct rpc_tls_opts *opts, struct temporal_error *err)
{
	if (!opts->cert || !opts->key) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"a TLS server needs a certificate and its private key");
		return NULL;
	}
	struct rpc_tls_context *context = context_new(true, err);
	if (!context)
		return NULL;
	SSL_CTX_set_alpn_select_cb(context->ctx, choose_alpn, NULL);
	enum temporal_code code = use_identity(context->ctx, opts, err);
	if (code == TEMPORAL_OK && opts->ca) {
		SSL_CTX_set_verify(
			context->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		code = add_roots(SSL_CTX_get_cert_store(context->ctx), opts->ca, opts->ca_len, err);
	}
	if (code == TEMPORAL_OK)
		return context;
	rpc_tls_context_free(context);
	return NULL;
}

void rpc_tls_context_free(struct rpc_tls_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ctx);
	mem_free(context);
}

/* Sessions. */

static bool is_address(const char *name)
{
	unsigned char buffer[16];

	return inet_pton(AF_INET, name, buffer) == 1 || inet_pton(AF_INET6, name, buffer) == 1;
}

/* SNI and the name that the certificate must have. */
static bool expect_name(SSL *ssl, const char *name)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	/* Not the macro SSL_set_tlsext_host_name, whose cast drops the const. */
	return SSL_set1_host(ssl, name) == 1 &&
	       SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		       (void *)(uintptr_t)name) == 1;
}

struct rpc_tls *rpc_tls_new(
	struct rpc_tls_context *context, const char *name, struct temporal_error *err)
{
	struct rpc_tls *tls = mem_zalloc(sizeof(*tls));
	SSL *ssl = tls ? SSL_new(context->ctx) : NULL;
	BIO *in = ssl ? BIO_new(BIO_s_mem()) : NULL, *out = in ? BIO_new(BIO_s_mem()) : NULL;

	if (!out) {
		BIO_free(in);
		SSL_free(ssl);
		mem_free(tls);
		error_no_memory(err, "TLS session");
		return NULL;
	}
	SSL_set_bio(ssl, in, out);
	*tls = (struct rpc_tls){ ssl, in, out, context->server };
	if (context->server) {
		SSL_set_accept_state(ssl);
		return tls;
	}
	SSL_set_connect_state(ssl);
	if (expect_name(ssl, name))
		return tls;
	error_set(
		err, TEMPORAL_INVALID_ARGUMENT, "TLS: \"%s\" cannot be the name of a server", name);
	rpc_tls_free(tls);
	return NULL;
}

void rpc_tls_free(struct rpc_tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	mem_free(tls);
}

enum temporal_code rpc_tls_receive(struct rpc_tls *tls, const uint8_t *data, size_t len)
{
	size_t n;

	return BIO_write_ex(tls->in, data, len, &n) == 1 && n == len ? TEMPORAL_OK
								     : TEMPORAL_NO_MEMORY;
}

static void describe_failure(struct rpc_tls *tls, struct temporal_error *err)
{
	long verified = SSL_get_verify_result(tls->ssl);
	char reason[120];

	if (verified != X509_V_OK)
		error_set(err, TEMPORAL_UNAVAILABLE, "TLS: the %s's certificate is refused: %s",
			tls->server ? "client" : "server", X509_verify_cert_error_string(verified));
	else
		error_set(err, TEMPORAL_UNAVAILABLE, "TLS handshake failed: %s",
			openssl_reason(reason, sizeof(reason)));
	ERR_clear_error();
}

enum rpc_tls_step rpc_tls_handshake(struct rpc_tls *tls, struct temporal_error *err)
{
	const unsigned char *alpn;
	unsigned alpn_len;

	ERR_clear_error();
	int result = SSL_do_handshake(tls->ssl);
	if (result == 1) {
		SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_len);
		if (alpn_len == 2 && memcmp(alpn, "h2", 2) == 0)
			return RPC_TLS_DONE;
		error_set(
			err, TEMPORAL_UNAVAILABLE, "TLS: the peer does not offer HTTP/2 (ALPN h2)");
		return RPC_TLS_ERROR;
	}
	int error = SSL_get_error(tls->ssl, result);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return RPC_TLS_MORE;
	describe_failure(tls, err);
	return RPC_TLS_ERROR;
}

enum rpc_tls_step rpc_tls_read(
	struct rpc_tls *tls, uint8_t *out, size_t cap, size_t *len, struct temporal_error *err)
{
	char reason[120];

	ERR_clear_error();
	if (SSL_read_ex(tls->ssl, out, cap, len) == 1)
		return RPC_TLS_DONE;
	switch (SSL_get_error(tls->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return RPC_TLS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		*err = (struct temporal_error){ .code = TEMPORAL_OK };
		return RPC_TLS_ERROR;
	default:
		error_set(err, TEMPORAL_UNAVAILABLE, "TLS: %s",
			openssl_reason(reason, sizeof(reason)));
		return RPC_TLS_ERROR;
	}
}

enum temporal_code rpc_tls_write(
	struct rpc_tls *tls, const uint8_t *data, size_t len, struct temporal_error *err)
{
	char reason[120];
	size_t n;

	ERR_clear_error();
	if (SSL_write_ex(tls->ssl, data, len, &n) == 1 && n == len)
		return TEMPORAL_OK;
	return error_set(
		err, TEMPORAL_UNAVAILABLE, "TLS: %s", openssl_reason(reason, sizeof(reason)));
}

size_t rpc_tls_pull(struct rpc_tls *tls, uint8_t *out, size_t cap)
{
	size_t n;

	return BIO_read_ex(tls->out, out, cap, &n) == 1 ? n : 0;
}

bool rpc_tls_has_output(const struct rpc_tls *tls)
{
	return BIO_ctrl_pending(tls->out) > 0;
}
