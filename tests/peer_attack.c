// SPDX-License-Identifier: MIT
// peer_attack: what no honest server, or somebody between, sends inside TLS: before the answer to MAIL, once.
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

const char attacks[] = "before the answer to MAIL: text alert tamper replay cut huge keyupdates tickets endless renegotiate";

/* Words in the clear, as if TLS were over. */
static bool say_text(struct session *s)
{
	static const char text[] = "250 2.1.0 ok\r\n250 2.1.5 ok\r\n";

	wire_send(s, text, sizeof text - 1);
	return true;
}

/* close_notify that nobody sealed: a truncation, if it is believed. */
static bool say_alert(struct session *s)
{
	static const unsigned char alert[] = {21, 3, 3, 0, 2, 1, 0};

	wire_send(s, alert, sizeof alert);
	return true;
}

static bool send_twice(struct session *s, bool flip)
{
	static const char reply[] = "250 2.1.0 ok\r\n";
	unsigned char copy[4096];
	char *sealed;
	long n;

	SSL_write(s->ssl, reply, sizeof reply - 1);
	n = BIO_get_mem_data(SSL_get_wbio(s->ssl), &sealed);
	if (n <= 0 || n > (long)sizeof copy)
		abort();
	memcpy(copy, sealed, (size_t)n);
	if (flip) {
		copy[n - 1] ^= 1;
		return wire_send(s, copy, (size_t)n);
	}
	return tls_flush(s, false) && wire_send(s, copy, (size_t)n);
}

static bool tamper(struct session *s)
{
	return send_twice(s, true);
}

static bool replay(struct session *s)
{
	return send_twice(s, false);
}

/* Half a record, and the end. */
static bool cut(struct session *s)
{
	static const char reply[] = "250 2.1.0 ok\r\n";

	SSL_write(s->ssl, reply, sizeof reply - 1);
	tls_flush(s, true);
	shutdown(s->fd, SHUT_WR);
	return false;
}

static bool say_huge(struct session *s)
{
	static unsigned char record[5 + 65535] = {23, 3, 3, 255, 255};

	wire_send(s, record, sizeof record);
	return true;
}

/* As many as OpenSSL will make, each to be answered with one. */
static bool update_keys(struct session *s)
{
	for (int i = 0; i < 200; i++)
		if (!SSL_key_update(s->ssl, SSL_KEY_UPDATE_REQUESTED) || SSL_do_handshake(s->ssl) != 1 || !tls_flush(s, false))
			return false;
	return true;
}

static bool give_tickets(struct session *s)
{
	for (int i = 0; i < 200; i++)
		if (!SSL_new_session_ticket(s->ssl) || SSL_do_handshake(s->ssl) != 1 || !tls_flush(s, false))
			return false;
	return true;
}

/* KeyUpdates until nobody listens. */
static bool never_end(struct session *s)
{
	while (SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) && SSL_do_handshake(s->ssl) == 1 && tls_flush(s, false))
		continue;
	return false;
}

/* TLS 1.2: HelloRequest. */
static bool renegotiate(struct session *s)
{
	return SSL_renegotiate(s->ssl) && SSL_do_handshake(s->ssl) == 1 && tls_flush(s, false);
}

bool attack(struct session *s)
{
	static const struct {
		const char *name;
		bool (*run)(struct session *s);
	} all[] = {
		{"text", say_text}, {"alert", say_alert}, {"tamper", tamper}, {"replay", replay}, {"cut", cut},
		{"huge", say_huge}, {"keyupdates", update_keys}, {"tickets", give_tickets}, {"endless", never_end},
		{"renegotiate", renegotiate},
	};

	for (size_t i = 0; behave.attack && s->ssl && i < sizeof all / sizeof *all; i++)
		if (!strcmp(behave.attack, all[i].name))
			return all[i].run(s);
	return true;
}
