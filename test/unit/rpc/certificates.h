/*
 * certificates.h: certificates made on the spot, so that none expires in the repository.
 */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct identity {
	EVP_PKEY *key;
	X509 *cert;
	char cert_pem[4096], key_pem[4096];
};

static inline void pem_text(BIO *bio, char *out, size_t size)
{
	int len = BIO_read(bio, out, (int)size - 1);

	out[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static inline void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

/* A certificate for the names (as in "DNS:localhost"), or a CA when `names` is NULL; signed by
 * `issuer`, or by itself. */
static inline void identity_init(
	struct identity *identity, const char *names, const struct identity *issuer)
{
	X509_NAME *name;
	BIO *bio = BIO_new(BIO_s_mem());

	identity->key = EVP_EC_gen("P-256");
	identity->cert = X509_new();
	X509_set_version(identity->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(identity->cert), names ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(identity->cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(identity->cert), 86400);
	X509_set_pubkey(identity->cert, identity->key);
	name = X509_get_subject_name(identity->cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)(names ? "leaf" : "test CA"), -1, -1, 0);
	X509_set_issuer_name(
		identity->cert, X509_get_subject_name(issuer ? issuer->cert : identity->cert));
	if (names)
		add_extension(identity->cert, NID_subject_alt_name, names);
	else
		add_extension(identity->cert, NID_basic_constraints, "critical,CA:TRUE");
	X509_sign(identity->cert, issuer ? issuer->key : identity->key, EVP_sha256());
	PEM_write_bio_X509(bio, identity->cert);
	pem_text(bio, identity->cert_pem, sizeof(identity->cert_pem));
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, identity->key, NULL, NULL, 0, NULL, NULL);
	pem_text(bio, identity->key_pem, sizeof(identity->key_pem));
}

static inline void identity_finish(struct identity *identity)
{
	X509_free(identity->cert);
	EVP_PKEY_free(identity->key);
}

#endif
