/* SPDX-License-Identifier: MIT
 * tls_show: what was agreed, and the peer's certificates, as lines for a person. For `starttls
 * probe`.
 *
 * Names in certificates are the peer's to choose: subjects are written by RFC 2253, which escapes
 * what is no ASCII and no text, other names as they are, with their length. */
#include "tls_local.h"
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

struct show {
	tls_fact *fact;
	void *of;
};

__attribute__((format(printf, 3, 4))) static void say(const struct show *s, const char *key,
						      const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	s->fact(s->of, key, text, strlen(text));
}

/* What was written to it, and its end. */
static void say_bio(const struct show *s, const char *key, BIO *bio)
{
	char *text = NULL;
	long n = bio ? BIO_get_mem_data(bio, &text) : 0;

	if (n > 0)
		s->fact(s->of, key, text, (size_t)n);
	BIO_free(bio);
}

/* --- key exchange */

static void show_group(const struct show *s, SSL *ssl)
{
	int group = (int)SSL_get_negotiated_group(ssl);
	const char *name = group ? SSL_group_to_name(ssl, group) : NULL;
	EVP_PKEY *key = NULL;

	if (SSL_CIPHER_get_kx_nid(SSL_get_current_cipher(ssl)) == NID_kx_rsa)
		say(s, "group",
		    "none: the key is sent under the certificate's, no forward secrecy");
	else if (name)
		say(s, "group", "%s", name);
	else if (SSL_get_peer_tmp_key(ssl, &key) && EVP_PKEY_get0_type_name(key))
		say(s, "group", "%s, %d bits", EVP_PKEY_get0_type_name(key),
		    EVP_PKEY_get_bits(key));
	else
		say(s, "group", "unknown");
	EVP_PKEY_free(key);
}

/* --- one certificate */

static void show_subject(const struct show *s, const char *key, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio && X509_NAME_entry_count(name))
		X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~XN_FLAG_DN_REV);
	else if (bio)
		BIO_puts(bio, "(empty)");
	say_bio(s, key, bio);
}

static void show_time(const struct show *s, const char *key, const ASN1_TIME *when)
{
	struct tm tm;
	char text[32];

	if (ASN1_TIME_to_tm(when, &tm) == 1 && strftime(text, sizeof text, "%FT%TZ", &tm))
		say(s, key, "%s", text);
	else
		say(s, key, "unreadable");
}

/* Whole days that are left; below 0 once it is over. */
static void show_days(const struct show *s, const ASN1_TIME *until)
{
	int days, seconds;

	if (ASN1_TIME_diff(&days, &seconds, NULL, until) == 1)
		say(s, "days-left", "%d", seconds < 0 ? days - 1 : days);
}

static void show_key(const struct show *s, X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	char curve[64];
	size_t n;

	if (!key || !EVP_PKEY_get0_type_name(key))
		say(s, "key", "unknown");
	else if (EVP_PKEY_get_group_name(key, curve, sizeof curve, &n) == 1)
		say(s, "key", "%s %s, %d bits", EVP_PKEY_get0_type_name(key), curve,
		    EVP_PKEY_get_bits(key));
	else
		say(s, "key", "%s, %d bits", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

static void put_address(BIO *bio, const char *before, const ASN1_OCTET_STRING *ip)
{
	int family = ASN1_STRING_length(ip) == 4 ? AF_INET : AF_INET6;
	char text[INET6_ADDRSTRLEN] = "unreadable";

	if (family == AF_INET || ASN1_STRING_length(ip) == 16)
		inet_ntop(family, ASN1_STRING_get0_data(ip), text, sizeof text);
	BIO_printf(bio, "%sIP:%s", before, text);
}

static void put_name(BIO *bio, const GENERAL_NAME *name, bool first)
{
	const char *between = first ? "" : ", ";

	if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI) {
		BIO_puts(bio, between);
		BIO_puts(bio, name->type == GEN_DNS     ? "DNS:"
			      : name->type == GEN_EMAIL ? "email:"
							: "URI:");
		BIO_write(bio, ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5));
	} else if (name->type == GEN_IPADD) {
		put_address(bio, between, name->d.ip);
	} else {
		BIO_puts(bio, between);
		GENERAL_NAME_print(bio, (GENERAL_NAME *)name);
	}
}

/* RFC 6125: where there are names of this kind, the subject's common name does not count. */
static void show_names(const struct show *s, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio && !names)
		BIO_puts(bio, "(none: only the subject's common name)");
	for (int i = 0; bio && i < sk_GENERAL_NAME_num(names); i++)
		put_name(bio, sk_GENERAL_NAME_value(names, i), i == 0);
	say_bio(s, "names", bio);
	GENERAL_NAMES_free(names);
}

static void show_certificate(const struct show *s, X509 *cert)
{
	show_subject(s, "subject", X509_get_subject_name(cert));
	show_subject(s, "issuer", X509_get_issuer_name(cert));
	show_time(s, "from", X509_get0_notBefore(cert));
	show_time(s, "until", X509_get0_notAfter(cert));
	show_days(s, X509_get0_notAfter(cert));
	show_key(s, cert);
}

static void show_leaf(const struct show *s, const struct tls *t, X509 *cert)
{
	struct tls_leaf leaf;

	show_names(s, cert);
	tls_leaf(t, &leaf);
	say(s, "pin", "sha256:%s", leaf.pin);
}

/* --- all */

void tls_show(const struct tls *t, tls_fact *fact, void *of)
{
	const struct show s = {fact, of};
	struct errors *hosts = errors_aside();
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
	int n = chain ? sk_X509_num(chain) : 0;

	say(&s, "tls", "%s", tls_version(t));
	say(&s, "cipher", "%s", tls_cipher(t));
	show_group(&s, t->ssl);
	if (!n)
		say(&s, "certificate", "none");
	for (int i = 0; i < n; i++) {
		say(&s, "certificate", "%d of %d", i + 1, n);
		show_certificate(&s, sk_X509_value(chain, i));
		if (i == 0)
			show_leaf(&s, t, sk_X509_value(chain, i));
	}
	errors_back(hosts);
}

/* --- what a rule may be made of */

static void pin_leaf(X509 *cert, char pin[static 65])
{
	unsigned char *spki = NULL, sum[EVP_MAX_MD_SIZE];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);

	if (n > 0 && EVP_Digest(spki, (size_t)n, sum, NULL, EVP_sha256(), NULL))
		for (int i = 0; i < 32; i++)
			snprintf(pin + 2 * i, 3, "%02x", sum[i]);
	OPENSSL_free(spki);
}

/* A host name, and nothing that would be something else in a policy. */
static bool is_host_name(const unsigned char *text, size_t n)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

	for (size_t i = 0; i < n; i++)
		if (!text[i] || !strchr(good, text[i]))
			return false;
	return n && *text != '.';
}

static void name_leaf(X509 *cert, char *to, size_t room)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !*to; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		size_t n = name->type == GEN_DNS ? (size_t)ASN1_STRING_length(name->d.ia5) : 0;

		if (n < room && is_host_name(ASN1_STRING_get0_data(name->d.ia5), n))
			snprintf(to, room, "%.*s", (int)n,
				 (const char *)ASN1_STRING_get0_data(name->d.ia5));
	}
	GENERAL_NAMES_free(names);
}

void tls_leaf(const struct tls *t, struct tls_leaf *leaf)
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);
	struct errors *hosts = errors_aside();

	*leaf = (struct tls_leaf){.self_signed = false};
	if (cert) {
		pin_leaf(cert, leaf->pin);
		name_leaf(cert, leaf->name, sizeof leaf->name);
		leaf->self_signed = X509_self_signed(cert, 0) == 1;
	}
	errors_back(hosts);
}
