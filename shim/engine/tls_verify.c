/* SPDX-License-Identifier: MIT
 * tls_verify: is the peer who the policy says it is? Called by OpenSSL inside the handshake, before
 * the peer's Finished is believed, so a wrong certificate is answered with an alert and no byte of
 * the app.
 *
 * Every layer of the policy that spoke must be content: its trust anchors, its name, its pins (RFC
 * 5280 6; RFC 6125 6.4; RFC 7469 2.4 for the pin's form). */
#include "tls_local.h"
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static bool is_address(const char *name)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

	ASN1_OCTET_STRING_free(ip);
	return ip;
}

/* The name that layer i of the verdict wants checked. */
static const char *name_of(const struct tls *t, size_t i)
{
	const char *name = t->context->verdict.options[i].name;

	return name ? name : t->asked;
}

static bool name_holds(struct tls *t, X509 *leaf, size_t i, int *error)
{
	const char *name = name_of(t, i);

	if (is_address(name)) {
		*error = X509_V_ERR_IP_ADDRESS_MISMATCH;
		if (X509_check_ip_asc(leaf, name, 0) == 1)
			return true;
		why_say(t,
			"the certificate is not for the address %s, and the program asked for no "
			"name that could be "
			"checked; put `name NAME` into the rule, or let the program connect by "
			"name",
			name);
		return false;
	}
	*error = X509_V_ERR_HOSTNAME_MISMATCH;
	if (X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
		return true;
	why_say(t,
		"the certificate is not for %s; connect by a name that it holds, or put `name "
		"NAME` into the rule",
		name);
	return false;
}

static bool pin_of(X509 *leaf, unsigned char sum[static SHA256_DIGEST_LENGTH])
{
	unsigned char *spki = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
	bool good = n > 0 && EVP_Digest(spki, (size_t)n, sum, NULL, EVP_sha256(), NULL);

	OPENSSL_free(spki);
	return good;
}

static bool pin_holds(struct tls *t, X509 *leaf, const struct rule_options *o, int *error)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	size_t i;

	*error = X509_V_ERR_APPLICATION_VERIFICATION;
	if (!pin_of(leaf, sum))
		return false;
	for (i = 0; i < o->n_pins; i++)
		if (memcmp(o->pins[i], sum, sizeof sum) == 0)
			return true;
	why_say(t, "the server's public key is none of those pinned; if it was changed on purpose, "
		   "add its new pin to the rule");
	return false;
}

/* The other layer's trust anchors over the same certificates. */
static bool chains_also(X509_STORE *anchors, X509_STORE_CTX *first, X509 *leaf, int *error)
{
	X509_STORE_CTX *second = X509_STORE_CTX_new();
	bool good =
		second &&
		X509_STORE_CTX_init(second, anchors, leaf, X509_STORE_CTX_get0_untrusted(first)) &&
		X509_STORE_CTX_set_default(second, "ssl_server");

	if (good) /* as strong as the first chain must be: what libssl asked for there */
		X509_VERIFY_PARAM_set_auth_level(
			X509_STORE_CTX_get0_param(second),
			X509_VERIFY_PARAM_get_auth_level(X509_STORE_CTX_get0_param(first)));
	good = good && X509_verify_cert(second) == 1;

	if (!good)
		*error = second ? X509_STORE_CTX_get_error(second) : X509_V_ERR_OUT_OF_MEM;
	if (*error == X509_V_OK && !good)
		*error = X509_V_ERR_UNSPECIFIED;
	X509_STORE_CTX_free(second);
	return good;
}

static bool peer_holds(struct tls *t, X509_STORE_CTX *store, int *error)
{
	const struct verdict *v = &t->context->verdict;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	size_t i;

	if (v->needs & NEED_CHAIN) {
		if (X509_verify_cert(store) != 1) {
			*error = X509_STORE_CTX_get_error(store);
			return false;
		}
		if (t->context->also && !chains_also(t->context->also, store, leaf, error))
			return false;
	}
	for (i = 0; i < v->n_options; i++) {
		if (v->options[i].needs & NEED_NAME && !name_holds(t, leaf, i, error))
			return false;
		if (v->options[i].needs & NEED_PIN && !pin_holds(t, leaf, &v->options[i], error))
			return false;
	}
	return true;
}

/* What would `verify` say, and `fingerprint`? Decides nothing. */
static void observe(struct tls *t, X509_STORE_CTX *store)
{
	size_t user = t->context->verdict.n_options - 1, n;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	unsigned char sum[SHA256_DIGEST_LENGTH];
	char why[WHY_MAX];
	int error = X509_V_OK;

	memcpy(why, t->why, sizeof why);
	*t->why = '\0';
	if (!chains_also(t->context->observed, store, leaf, &error))
		why_certificate(t, error);
	else
		name_holds(t, leaf, user, &error);
	memcpy(t->unverified, t->why, sizeof t->unverified);
	memcpy(t->why, why, sizeof why);
	if (!pin_of(leaf, sum))
		return;
	n = (size_t)snprintf(t->pin, sizeof t->pin, "sha256:");
	for (size_t i = 0; i < sizeof sum; i++)
		n += (size_t)snprintf(t->pin + n, sizeof t->pin - n, "%02x", sum[i]);
}

time_t verify_expires(const X509 *leaf)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) ? timegm(&tm) : 0;
}

int verify_peer(X509_STORE_CTX *store, void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);
	int error = X509_V_ERR_UNSPECIFIED;
	bool good = peer_holds(t, store, &error);

	(void)unused;
	if (t->context->observed)
		observe(t, store);
	t->expires = verify_expires(X509_STORE_CTX_get0_cert(store));
	X509_STORE_CTX_set_error(store, good ? X509_V_OK : error);
	return good;
}
