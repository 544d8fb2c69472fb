/* SPDX-License-Identifier: MIT
 * tls_why: what OpenSSL reports, as one English sentence with its remedy. The sentences go into
 * logs and into the app's own protocol, so none of them holds a byte that the peer chose
 * (CVE-2024-10977). */
#include "tls_local.h"
#include <stdarg.h>
#include <stdio.h>

struct sentence {
	int code;
	const char *text;
};

static const struct sentence certificate[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED,
	 "the server's certificate has expired; have it renewed there"},
	{X509_V_ERR_CERT_NOT_YET_VALID,
	 "the server's certificate is not valid yet; check the clocks of both hosts"},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	 "the server's certificate is self-signed; if it is the right one, name it with `ca FILE` "
	 "or pin its key"},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	 "the server's certificate ends in a root that is not trusted here; if it is the right "
	 "one, name it with `ca FILE`"},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	 "no trust anchor here has signed the server's certificate; name its CA with `ca FILE`, or "
	 "let the server send its "
	 "intermediate certificates"},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
	 "an issuer in the server's chain is not trusted here; name its CA with `ca FILE`"},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
	 "no trust anchor here has signed the server's certificate; name its CA with `ca FILE`, or "
	 "let the server send its "
	 "intermediate certificates"},
	{X509_V_ERR_CERT_REVOKED, "the server's certificate is revoked"},
	{X509_V_ERR_INVALID_PURPOSE,
	 "the server's certificate is not meant for servers (extended key usage)"},
	{X509_V_ERR_INVALID_CA, "a certificate in the server's chain is no CA certificate"},
	{X509_V_ERR_EE_KEY_TOO_SMALL,
	 "the server's key is too short for this host's security level; have it replaced"},
	{X509_V_ERR_CA_KEY_TOO_SMALL,
	 "the key of the server's CA is too short for this host's security level"},
	{X509_V_ERR_CA_MD_TOO_WEAK, "the server's chain is signed with a digest that is too weak "
				    "for this host's security level"},
	{X509_V_ERR_CERT_CHAIN_TOO_LONG, "the server's certificate chain is too long"},
};

static const struct sentence reasons[] = {
	{SSL_R_WRONG_VERSION_NUMBER,
	 "the server's answer is not TLS; nothing between here and there may speak for it"},
	{SSL_R_HTTP_REQUEST, "the server's answer is not TLS"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "the server speaks only versions of TLS older than this host "
				     "or the rule's `min` allows; update it"},
	{SSL_R_VERSION_TOO_LOW, "the server speaks only versions of TLS older than this host or "
				"the rule's `min` allows; update it"},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the server speaks only versions of TLS older than "
					     "this host or the rule's `min` allows; update it"},
	{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
	 "the server found nothing in common (ciphers, versions), or wants a client certificate: "
	 "`cert` and `key` in the rule"},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
	 "the server wants a client certificate: put `cert` and `key` into the rule"},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA,
	 "the server does not trust the CA of our client certificate"},
	{SSL_R_TLSV1_UNRECOGNIZED_NAME,
	 "the server does not know the name it was asked for; check the rule's `name`"},
	{SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY,
	 "the server asks for stronger ciphers than we offer; check the rule's `ciphers`"},
	{SSL_R_NO_CIPHERS_AVAILABLE,
	 "no cipher is left to offer; check the rule's `ciphers` and `min`"},
	{SSL_R_NO_PROTOCOLS_AVAILABLE,
	 "no TLS version is left to offer; check the rule's `min` and this host's openssl.cnf"},
	{SSL_R_DH_KEY_TOO_SMALL, "the server's Diffie-Hellman parameters are too small for this "
				 "host's security level; update it"},
	{SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
	 "a record was damaged or tampered with on its way"},
	{SSL_R_BAD_SIGNATURE,
	 "the server's signature is wrong: it does not hold the key of its certificate"},
	{SSL_R_PACKET_LENGTH_TOO_LONG, "the server sent a record longer than TLS allows"},
	{SSL_R_RENEGOTIATION_MISMATCH, "the server asks for renegotiation, which is not allowed"},
};

static const char *look_up(const struct sentence *s, size_t n, int code)
{
	for (; n; s++, n--)
		if (s->code == code)
			return s->text;
	return NULL;
}

void why_say(struct tls *t, const char *fmt, ...)
{
	va_list args;

	if (t->why[0])
		return;
	va_start(args, fmt);
	vsnprintf(t->why, sizeof t->why, fmt, args);
	va_end(args);
}

void why_certificate(struct tls *t, long result)
{
	const char *text =
		look_up(certificate, sizeof certificate / sizeof *certificate, (int)result);

	if (text)
		why_say(t, "%s", text);
	else
		why_say(t, "the server's certificate does not verify: %s",
			X509_verify_cert_error_string(result));
}

void why_from_openssl(struct tls *t)
{
	unsigned long e = ERR_peek_last_error();
	int reason = ERR_GET_REASON(e);
	const char *text = NULL;

	if (t->stuck)
		return why_say(t, "the connection was lost while sending");
	if (e && ERR_GET_LIB(e) == ERR_LIB_SSL) {
		if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
			return why_certificate(t, SSL_get_verify_result(t->ssl));
		text = look_up(reasons, sizeof reasons / sizeof *reasons, reason);
	}
	if (text)
		return why_say(t, "%s", text);
	if (e && ERR_GET_LIB(e) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
		return why_say(t, "the server ended TLS with the alert \"%s\"",
			       SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	if (e && ERR_reason_error_string(e))
		return why_say(t, "TLS failed: %s", ERR_reason_error_string(e));
	why_say(t, "TLS failed");
}
