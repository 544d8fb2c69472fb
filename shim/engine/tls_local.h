/* SPDX-License-Identifier: MIT
 * tls_local: what the tls_*.c files share. Nobody else includes this, so nobody else sees
 * OpenSSL. */
#ifndef STARTTLS_TLS_LOCAL_H
#define STARTTLS_TLS_LOCAL_H

#include "tls.h"
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { WHY_MAX = 320, PEER_KEY_MAX = 320 };

/* What all sessions of one rule share. Made once, never freed. */
struct tls_context {
	struct tls_context *next;
	struct verdict verdict;
	SSL_CTX *ctx;
	X509_STORE *observed; /* what the user's `verify` would go by; NULL unless the verdict
			       * observes */
	X509_STORE *also; /* the second layer's trust anchors, when they are others than ctx's: both
			   * must verify; may be NULL */
};

struct tls {
	SSL *ssl;
	struct tls_context *context;
	struct tls_wire wire;
	struct span in;                 /* the record that is lent */
	size_t shaken;                  /* bytes that the handshake has been fed */
	bool starved;                   /* OpenSSL asked for more than was lent: not an error */
	bool stuck;                     /* the wire would not take it */
	unsigned tickets;               /* that have come */
	bool guest;                     /* it resumes another connection's session; its own is not
					 * kept */
	bool notified;                  /* close_notify is sent */
	time_t expires;                 /* the peer's certificate's end; 0: none seen in this
					 * handshake */
	const char *asked;              /* a name, or the address as text; in `address` or owned
					 * by the conn */
	char address[INET6_ADDRSTRLEN]; /* the peer's */
	char peer_key[PEER_KEY_MAX];    /* which sessions may be resumed with this peer */
	char why[WHY_MAX];
	/* tls.h, the functions of that name; empty for NULL */
	char pin[sizeof "sha256:" + 64], unverified[WHY_MAX];
};

/* tls_context.c: the context for a verdict, made at first use; NULL: *why. Thread-safe. */
struct tls_context *context_for(const struct verdict *v, const char **why);
/* A session to resume with this peer, or NULL; the caller frees it. TLS 1.3 tickets are given out
 * once (RFC 8446 C.4). */
SSL_SESSION *context_session(struct tls_context *context, const char *peer_key);
/* The host's exit() has taken OpenSSL down under us. */
bool context_dead(void);

/* tls_bio.c: a BIO that reads from t->in and writes to t->wire. */
BIO *bio_for(struct tls *t);

/* tls_verify.c: SSL_CTX_set_cert_verify_callback. The last argument is unused. */
int verify_peer(X509_STORE_CTX *store, void *unused);
/* notAfter of a certificate (RFC 5280 4.1.2.5); 0 when it cannot be told. */
time_t verify_expires(const X509 *leaf);

/* tls_errors.c: put the host's errors aside, around every use of OpenSSL, and back, with those
 * forgotten that have come meanwhile. NULL: there were none, or no memory for them. */
struct errors *errors_aside(void);
void errors_back(struct errors *hosts);

/* tls_why.c: put the sentence for what OpenSSL just reported into t->why, unless one is there: the
 * first reason wins. */
void why_from_openssl(struct tls *t);
/* The sentence for a certificate that does not verify (X509_V_ERR_…). */
void why_certificate(struct tls *t, long error);
void why_say(struct tls *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
