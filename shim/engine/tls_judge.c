/* SPDX-License-Identifier: MIT
 * tls_judge: what would a rule have made of the certificates that another session was shown? For
 * `starttls probe`, which finishes its handshake with whoever is there, so that it can show the
 * chain, and asks afterwards.
 *
 * The answer is verify_peer()'s own, given the same things that libssl gives it
 * (ssl_verify_cert_chain()), so that the shim and the probe cannot differ; and nowhere in the shim
 * is there a way past it. */
#include "tls_local.h"
#include <openssl/x509_vfy.h>

static bool prepare(X509_STORE_CTX *store, const struct tls *judge, X509 *leaf,
		    STACK_OF(X509) * chain)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(judge->context->ctx), leaf, chain) !=
		    1 ||
	    X509_STORE_CTX_set_default(store, "ssl_server") != 1 ||
	    X509_STORE_CTX_set_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx(), judge->ssl) !=
		    1)
		return false;
	param = X509_STORE_CTX_get0_param(store);
	X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(judge->ssl));
	return X509_VERIFY_PARAM_set1(param, SSL_get0_param(judge->ssl)) == 1;
}

static bool believes(struct tls *judge, X509 *leaf, STACK_OF(X509) * chain)
{
	X509_STORE_CTX *store = X509_STORE_CTX_new();
	bool good = false;

	if (!store || !prepare(store, judge, leaf, chain)) {
		why_say(judge, "out of memory for TLS");
	} else if (!verify_peer(store, NULL)) {
		why_certificate(judge, X509_STORE_CTX_get_error(store));
	} else {
		good = true;
	}
	X509_STORE_CTX_free(store);
	return good;
}

bool tls_judge(struct tls *judge, const struct tls *seen)
{
	const struct verdict *v = &judge->context->verdict;
	X509 *leaf = SSL_get0_peer_certificate(seen->ssl);
	struct errors *hosts = errors_aside();
	bool good = true;

	if (SSL_version(seen->ssl) < v->min)
		why_say(judge, "the server speaks only versions of TLS older than the rule's `min` "
			       "allows; update it");
	else if (leaf)
		good = believes(judge, leaf, SSL_get_peer_cert_chain(seen->ssl));
	else if (v->needs & (NEED_CHAIN | NEED_NAME | NEED_PIN))
		why_say(judge, "the server showed no certificate");
	errors_back(hosts);
	return good && !judge->why[0];
}
