/* SPDX-License-Identifier: MIT
 * tls_session: one session: handshake, open, seal, close (RFC 8446, RFC 5246).
 *
 * The error queue belongs to the host's thread as well, and SSL_get_error() judges by whatever lies
 * there. So results are told apart by our own flags (starved, close_notify seen), and the queue is
 * put back as it was. */
#include "tls_local.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { HANDSHAKE_MAX = 256 * 1024 }; /* bytes of the peer's */

static void address_text(struct tls *t, const struct sockaddr *addr, unsigned *port)
{
	if (addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, t->address,
				  sizeof t->address);
		else
			inet_ntop(AF_INET6, &in6->sin6_addr, t->address, sizeof t->address);
		*port = ntohs(in6->sin6_port);
		return;
	}
	inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, t->address,
		  sizeof t->address);
	*port = ntohs(((const struct sockaddr_in *)(const void *)addr)->sin_port);
}

/* The name goes out as SNI; an address never does (RFC 6066 section 3). */
static bool name_peer(struct tls *t)
{
	const char *sni = t->asked;
	struct in6_addr probe;
	size_t i;

	for (i = 0; i < t->context->verdict.n_options; i++)
		if (t->context->verdict.options[i].name)
			sni = t->context->verdict.options[i].name;
	if (inet_pton(AF_INET, sni, &probe) == 1 || inet_pton(AF_INET6, sni, &probe) == 1)
		return true;
	return SSL_set_tlsext_host_name(t->ssl, sni) == 1;
}

/* A copy: OpenSSL forbids to resume a session again once one who did has ended without
 * close_notify, or with an alert. */
static bool resume_as_guest(struct tls *t, const struct tls_session *resume)
{
	SSL_SESSION *copy = SSL_SESSION_dup((const SSL_SESSION *)resume);
	bool taken = copy && SSL_set_session(t->ssl, copy) == 1;

	t->guest = true;
	SSL_SESSION_free(copy);
	return taken;
}

static bool session_start(struct tls *t, const struct tls_session *resume)
{
	SSL_SESSION *resumed;
	BIO *bio;

	t->ssl = SSL_new(t->context->ctx);
	if (!t->ssl || !name_peer(t))
		return false;
	bio = bio_for(t);
	if (!bio)
		return false;
	SSL_set_bio(t->ssl, bio, bio);
	if (SSL_set_app_data(t->ssl, t) != 1)
		return false;
	SSL_set_connect_state(t->ssl);
	if (resume && !resume_as_guest(t, resume))
		return false;
	resumed = resume ? NULL : context_session(t->context, t->peer_key);
	if (resumed) {
		SSL_set_session(t->ssl, resumed);
		SSL_SESSION_free(resumed);
	}
	return true;
}

struct tls *tls_new(const struct tls_setup *setup, const struct tls_wire *wire, const char **why)
{
	struct errors *hosts;
	struct tls_context *context = context_for(setup->verdict, why);
	struct tls *t = context ? calloc(1, sizeof *t) : NULL;
	int saved = errno;
	unsigned port;

	if (!t) {
		if (context)
			*why = "out of memory";
		return NULL;
	}
	t->context = context;
	t->wire = *wire;
	address_text(t, setup->addr, &port);
	t->asked = setup->asked ? setup->asked : t->address;
	snprintf(t->peer_key, sizeof t->peer_key, "%s %u %s", t->address, port, t->asked);
	hosts = errors_aside();
	if (!session_start(t, setup->resume)) {
		*why = "out of memory for TLS";
		tls_free(t);
		t = NULL;
	}
	errors_back(hosts);
	errno = saved;
	return t;
}

/* struct tls_session is a SSL_SESSION that nobody else shall know to be one. */
struct tls_session *tls_session_of(struct tls *t)
{
	return t && !context_dead() ? (struct tls_session *)SSL_get1_session(t->ssl) : NULL;
}

struct tls_session *tls_session_more(struct tls_session *s)
{
	if (s && !context_dead())
		SSL_SESSION_up_ref((SSL_SESSION *)s);
	return s;
}

void tls_session_free(struct tls_session *s)
{
	if (!context_dead())
		SSL_SESSION_free((SSL_SESSION *)s);
}

void tls_free(struct tls *t)
{
	int saved = errno;

	if (t && !context_dead())
		SSL_free(t->ssl);
	free(t);
	errno = saved;
}

size_t tls_record_length(struct span in)
{
	size_t n;

	if (in.n < TLS_HEADER)
		return 0;
	if (in.at[0] < SSL3_RT_CHANGE_CIPHER_SPEC || in.at[0] > SSL3_RT_APPLICATION_DATA ||
	    in.at[1] != SSL3_VERSION_MAJOR)
		return in.n; /* not TLS: what looks like a length is text */
	n = TLS_HEADER + ((size_t)in.at[3] << 8 | in.at[4]);
	return n <= TLS_RECORD_MAX ? n : in.n < TLS_RECORD_MAX ? in.n : TLS_RECORD_MAX;
}

void tls_feed(struct tls *t, struct span record)
{
	t->in = record;
}

static enum tls_result broken(struct tls *t)
{
	why_from_openssl(t);
	return TLS_BROKEN;
}

/* OpenSSL asks verify_peer() about a certificate; where there is none (anonymous ciphers) it asks
 * nobody. */
static bool is_authenticated(struct tls *t)
{
	if (!(t->context->verdict.needs & (NEED_CHAIN | NEED_NAME | NEED_PIN)) ||
	    SSL_get0_peer_certificate(t->ssl))
		return true;
	why_say(t, "the server showed no certificate");
	return false;
}

/* OpenSSL bounds messages, not their number: HelloRequests are skipped as they come (RFC 5246
 * section 7.4.1.1). A chain of certificates has 100 KiB there, and everything else is small. */
static bool is_endless(struct tls *t)
{
	t->shaken += t->in.n;
	if (t->shaken > HANDSHAKE_MAX)
		why_say(t, "the server sent a TLS handshake without end");
	return t->shaken > HANDSHAKE_MAX;
}

enum tls_result tls_handshake(struct tls *t)
{
	struct errors *hosts;
	enum tls_result result = TLS_DONE;
	int saved = errno;

	if (t->why[0] || context_dead() || is_endless(t))
		return TLS_BROKEN;
	hosts = errors_aside();
	t->starved = false;
	if (SSL_do_handshake(t->ssl) != 1)
		result = t->starved && !t->stuck ? TLS_MORE : broken(t);
	else if (!is_authenticated(t))
		result = TLS_BROKEN;
	errors_back(hosts);
	errno = saved;
	return result;
}

static void send_key_update(struct tls *t)
{
	if (!SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED))
		return;
	if (SSL_do_handshake(t->ssl) != 1)
		why_from_openssl(t);
	else if (t->wire.rekeyed)
		t->wire.rekeyed(t->wire.of);
}

enum tls_result tls_open(struct tls *t, void *plain, size_t room, size_t *got)
{
	struct errors *hosts;
	enum tls_result result = TLS_DONE;
	int saved = errno;

	if (t->why[0] || context_dead())
		return TLS_BROKEN;
	hosts = errors_aside();
	t->starved = false;
	if (SSL_read_ex(t->ssl, plain, room, got) != 1) {
		*got = 0;
		/* A fatal alert sets that flag, too (RFC 8446 section 6.2). */
		if (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN && !ERR_peek_error())
			result = TLS_CLOSED;
		else
			result = t->starved && !t->stuck ? TLS_MORE : broken(t);
	}
	/* A KeyUpdate that the peer asks for is sent now, and not with the next record: processes
	 * that share the session shall agree on when that was (record_share.c). */
	if (!t->notified && SSL_get_key_update_type(t->ssl) != SSL_KEY_UPDATE_NONE)
		send_key_update(t);
	/* A look at the queue is dear, and a record that could be opened has put nothing there. */
	if (result != TLS_DONE || hosts || t->why[0])
		errors_back(hosts);
	errno = saved;
	return result;
}

enum tls_result tls_seal(struct tls *t, const void *plain, size_t n)
{
	int saved = errno;
	size_t done;

	if (t->why[0] || context_dead())
		return TLS_BROKEN;
	/* The host's errors are not put aside: that costs more than the encryption of a line. They
	 * are lost when sealing fails, which is for want of memory, for what the wire does not take
	 * is no error of OpenSSL's. */
	if (SSL_write_ex(t->ssl, plain, n, &done) != 1) {
		broken(t);
		if (!t->stuck)
			errors_back(NULL);
	}
	errno = saved;
	return t->why[0] ? TLS_BROKEN : TLS_DONE;
}

void tls_keep_buffers(struct tls *t, bool keep)
{
	if (context_dead())
		return;
	if (keep)
		SSL_clear_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS);
	else
		SSL_set_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS);
}

void tls_notify(struct tls *t)
{
	struct errors *hosts;
	int saved = errno;

	if (t->notified || t->why[0] || context_dead() || !SSL_is_init_finished(t->ssl))
		return;
	t->notified = true;
	hosts = errors_aside();
	SSL_shutdown(t->ssl);
	errors_back(hosts);
	errno = saved;
}

void tls_update_key(struct tls *t)
{
	struct errors *hosts;

	if (!context_dead() && SSL_version(t->ssl) >= TLS1_3_VERSION) {
		hosts = errors_aside();
		send_key_update(t);
		errors_back(hosts);
	}
}

bool tls_awaits_ticket(const struct tls *t)
{
	return !context_dead() && SSL_version(t->ssl) >= TLS1_3_VERSION && !t->tickets;
}

const char *tls_why(const struct tls *t)
{
	return t->why[0] || !context_dead() ? t->why : "the program has shut OpenSSL down";
}

const char *tls_version(const struct tls *t)
{
	switch (SSL_version(t->ssl)) {
	case TLS1_3_VERSION:
		return "1.3";
	case TLS1_2_VERSION:
		return "1.2";
	default:
		return "old";
	}
}

const char *tls_cipher(const struct tls *t)
{
	const char *name = SSL_CIPHER_get_name(SSL_get_current_cipher(t->ssl));

	return name ? name : "none";
}

const char *tls_pin(const struct tls *t)
{
	return *t->pin ? t->pin : NULL;
}

const char *tls_unverified(const struct tls *t)
{
	return *t->unverified ? t->unverified : NULL;
}

time_t tls_expires(const struct tls *t)
{
	struct errors *hosts;
	time_t end = t->expires;
	X509 *leaf;

	if (end || context_dead())
		return end;
	hosts = errors_aside();
	leaf = SSL_get0_peer_certificate(t->ssl);
	end = leaf ? verify_expires(leaf) : 0;
	errors_back(hosts);
	return end;
}
