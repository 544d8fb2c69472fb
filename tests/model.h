/* SPDX-License-Identifier: MIT
 * model: what the model fuzzers of the record layer share: a stream whose every byte is known, and the peer's end of TLS. */
#ifndef STARTTLS_TEST_MODEL_H
#define STARTTLS_TEST_MODEL_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

/* Byte i of either stream. */
static inline uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static inline void fill_pattern(uint8_t *bytes, size_t n, size_t from)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = pattern(from + i);
}

static inline bool is_pattern(const uint8_t *bytes, size_t n, size_t from)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != pattern(from + i))
			return false;
	return true;
}

/* A server with a certificate of its own, which nobody checks. */
static inline SSL_CTX *make_server(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());
	X509 *cert = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	SSL_CTX_use_certificate(server, cert);
	SSL_CTX_use_PrivateKey(server, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	return server;
}

#endif
