/* SPDX-License-Identifier: MIT
 * tls: one TLS session over bytes that somebody else moves. No descriptor, no system call:
 * ciphertext comes in by tls_feed() and leaves through the wire's send(). tls_*.c are the only
 * files that know OpenSSL.
 *
 *   tls_feed ─► [one record] ─► tls_open ─► plaintext          plaintext ─► tls_seal ─► wire.send
 *
 * Contexts (CA, ciphers, sessions to resume) are kept per policy rule, in a library context of our
 * own, so the host's use of OpenSSL is not disturbed. The host's error queue is left as found and
 * errno is kept. Nothing blocks, except tls_new(), which reads CA and key files. Not
 * async-signal-safe. One caller per session at a time. */
#ifndef STARTTLS_TLS_H
#define STARTTLS_TLS_H

#include "../../policy/policy.h"
#include "span.h"
#include <time.h>

/* bytes; RFC 8446 5.1, RFC 5246 6.2.3 */
enum { TLS_PLAIN_MAX = 16384, TLS_HEADER = 5, TLS_RECORD_MAX = TLS_HEADER + 16384 + 2048 };

enum tls_result {
	TLS_DONE,
	TLS_MORE,   /* what was fed is used up: feed the next record */
	TLS_CLOSED, /* the peer sent close_notify */
	TLS_BROKEN, /* tls_why() has the sentence; the session is dead */
};

/* Where sealed bytes go. */
struct tls_wire {
	/* Take all of it, now or into a queue; false when that cannot be (the session is then
	 * broken). */
	bool (*send)(void *of, struct span sealed);
	/* A KeyUpdate of ours has just been sent: with the next record a new count begins (RFC 8446
	 * 4.6.3, 5.3). */
	void (*rekeyed)(void *of);
	void *of;
};

struct tls_setup {
	const struct verdict *verdict;    /* strings live for ever */
	const char *asked;                /* the name the app asked for, or NULL */
	const struct sockaddr *addr;      /* the peer */
	const struct tls_session *resume; /* this one and no other; the new session is not kept for
					   * others. NULL: one that was kept */
};

struct tls;
struct tls_session; /* what can be resumed */

/* The session of t as it is now, or NULL: there is none yet, or out of memory. And another
 * reference; and an end. NULL is allowed. */
struct tls_session *tls_session_of(struct tls *t);
struct tls_session *tls_session_more(struct tls_session *s);
void tls_session_free(struct tls_session *s);

/* Make ready what the sessions of this verdict share. False: *why is a sentence (static) about what
 * the policy names and cannot be used. */
bool tls_ready(const struct verdict *verdict, const char **why);

/* A new client session, or NULL: *why as above. The caller frees it. */
struct tls *tls_new(const struct tls_setup *setup, const struct tls_wire *wire, const char **why);
void tls_free(struct tls *t);

/* Length in bytes of the record at the start of `in`, header included; 0: fewer than TLS_HEADER
 * bytes; what is no record, or longer than one may be, is cut to what `in` holds, so that OpenSSL
 * sees it and names the error. */
size_t tls_record_length(struct span in);

/* Lend the next record; borrowed until the next call answers TLS_MORE. */
void tls_feed(struct tls *t, struct span record);

enum tls_result tls_handshake(struct tls *t);
/* Plaintext of what was fed: TLS_DONE with *got > 0 bytes. Call again until TLS_MORE. */
enum tls_result tls_open(struct tls *t, void *plain, size_t room, size_t *got);
/* Seal n (1 to TLS_PLAIN_MAX) bytes as one record. TLS_DONE or TLS_BROKEN. */
enum tls_result tls_seal(struct tls *t, const void *plain, size_t n);
/* Keep OpenSSL's buffers between records (true: while many are sent in a row) or give them back
 * after each (false: an idle connection shall cost nothing; the default). */
void tls_keep_buffers(struct tls *t, bool keep);
/* Send close_notify (RFC 8446 6.1), once; later calls do nothing. */
void tls_notify(struct tls *t);
/* Send KeyUpdate now (RFC 8446 4.6.3); nothing under TLS 1.2. */
void tls_update_key(struct tls *t);

/* TLS 1.3, and the peer has sent no ticket yet: it may still. */
bool tls_awaits_ticket(const struct tls *t);

/* One English sentence with its remedy, without anything the peer said; "" while nothing is wrong.
 * Owned by t. */
const char *tls_why(const struct tls *t);
const char *tls_version(const struct tls *t); /* "1.3"; static */
const char *tls_cipher(const struct tls *t);  /* "TLS_AES_256_GCM_SHA384"; static */
/* When the certificate that the peer has shown, now or in the session that is resumed, ends,
 * whether it was accepted or not; 0: it has shown none. */
time_t tls_expires(const struct tls *t);

/* Under a verdict that observes: the peer's key as in the policy ("sha256:9f86…"), and why `verify`
 * would not hold, or NULL: it would. Both NULL when the peer has shown no certificate in this
 * session. Owned by t. */
const char *tls_pin(const struct tls *t);
const char *tls_unverified(const struct tls *t);

/* --- for `starttls probe` */

/* Would `judge`, a session that was made but not begun, have believed the peer that `seen` is up
 * with? Else tls_why(judge) says why not. */
bool tls_judge(struct tls *judge, const struct tls *seen);

/* Tell what was agreed, and each certificate of the peer: fact() is called with the lines of
 * starttls(1), n bytes that the peer may have chosen, borrowed for the call. */
typedef void tls_fact(void *of, const char *key, const char *value, size_t n);
void tls_show(const struct tls *t, tls_fact *fact, void *of);

/* Of the peer's leaf: SHA-256 of its public key in hex ("" without a certificate), the first host
 * name in it that has no wildcard, cut to what a name may have ("": none), and whether it is signed
 * by itself. */
struct tls_leaf {
	char pin[65], name[256];
	bool self_signed;
};
void tls_leaf(const struct tls *t, struct tls_leaf *leaf);

/* fork() in a process with threads: nobody may be inside the shared parts. */
void tls_fork_prepare(void);
void tls_fork_done(void);

#endif
