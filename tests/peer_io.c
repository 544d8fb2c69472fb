// SPDX-License-Identifier: MIT
// peer_io: bytes in and out. TLS runs over memory BIOs, so every byte passes wire_recv and wire_send: there it is journalled, dribbled
// and cut off in the middle of a handshake.
#include "peer.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_SHOWN = 400, RECORD_SHOWN = 12 }; /* bytes of one chunk in N.talk */

unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

uint32_t sum_add(uint32_t sum, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * 16777619U;
	return sum;
}

/* --- the journal */

static FILE *journal_open(const struct session *s, const char *kind)
{
	char path[4096];

	if (!behave.journal)
		return NULL;
	snprintf(path, sizeof path, "%s/%u.%s", behave.journal, s->number, kind);
	FILE *f = fopen(path, "we");
	if (f && strcmp(kind, "talk") != 0)
		setvbuf(f, NULL, _IONBF, 0); /* whole at any moment, for who looks on */
	return f;
}

static void journal_raw(FILE *f, const void *bytes, size_t n)
{
	if (f)
		fwrite(bytes, 1, n, f);
}

/* Text as it is, line by line; TLS records by their first bytes. */
static void journal_talk(const struct session *s, const char *who, const unsigned char *bytes, size_t n)
{
	bool text = isprint(bytes[0]) || isspace(bytes[0]);
	size_t shown = text ? TEXT_SHOWN : RECORD_SHOWN;

	if (!s->talk)
		return;
	fprintf(s->talk, text ? "%s " : "%s TLS", who);
	for (size_t i = 0; i < n && i < shown; i++) {
		if (!text)
			fprintf(s->talk, " %02x", bytes[i]);
		else if (bytes[i] == '\n' && i + 1 < n)
			fprintf(s->talk, "\n%s ", who);
		else if (isprint(bytes[i]))
			putc(bytes[i], s->talk);
		else if (!isspace(bytes[i]))
			fprintf(s->talk, "\\x%02x", bytes[i]);
	}
	fprintf(s->talk, n > shown ? " … (%zu bytes)\n" : "\n", n);
	fflush(s->talk);
}

/* --- the wire */

bool wire_send(struct session *s, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;

	journal_talk(s, "peer", from, n);
	while (n > 0) {
		ssize_t sent = send(s->fd, from, behave.dribble ? 1 : n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		from += sent;
		n -= (size_t)sent;
	}
	return true;
}

static size_t wire_recv(struct session *s, void *bytes, size_t n)
{
	ssize_t got;

	do
		got = recv(s->fd, bytes, n, 0);
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		if (!s->end)
			s->end = got == 0 ? "fin" : "reset";
		return 0;
	}
	journal_raw(s->wire, bytes, (size_t)got);
	journal_talk(s, "app ", bytes, (size_t)got);
	return (size_t)got;
}

/* --- misbehaving */

/* Say nothing more, but go on listening: the journal must hold what the app does then. */
static void stall(struct session *s)
{
	unsigned char bytes[4096];

	while (wire_recv(s, bytes, sizeof bytes) > 0)
		;
}

bool io_step(struct session *s, enum step step, const char *half)
{
	bool reset = behave.reset_at == step, close = behave.close_at == step, stalled = behave.stall_at == step;

	if (!reset && !close && !stalled)
		return true;
	if (half)
		io_say(s, half, strlen(half) / 2);
	if (stalled)
		stall(s);
	s->reset = reset;
	return false;
}

/* --- TLS over memory */

/* Send what OpenSSL has sealed: all, or the first half only. */
bool tls_flush(struct session *s, bool half)
{
	char *sealed;
	long n = BIO_get_mem_data(SSL_get_wbio(s->ssl), &sealed);
	bool ok = n <= 0 || wire_send(s, sealed, (size_t)(half ? n / 2 : n));

	(void)BIO_reset(SSL_get_wbio(s->ssl));
	return ok;
}

/* One OpenSSL call returned `result`: send what it made, and bring in more when it asks for more. */
static bool tls_again(struct session *s, int result)
{
	unsigned char bytes[16 * 1024];
	int error = SSL_get_error(s->ssl, result);
	bool sent = tls_flush(s, false);

	if (!sent || error != SSL_ERROR_WANT_READ)
		return false;
	size_t n = wire_recv(s, bytes, sizeof bytes);
	return n > 0 && BIO_write(SSL_get_rbio(s->ssl), bytes, (int)n) == (int)n;
}

static bool tls_misbehaves(struct session *s)
{
	static const unsigned char alert[] = {21, 3, 3, 0, 2, 2, 40}; /* fatal, handshake_failure */
	static const char garbage[] = "this is no ServerHello, and never was one\r\n";

	if (behave.inject_later)
		wire_send(s, behave.inject_later, strlen(behave.inject_later));
	if (behave.alert)
		wire_send(s, alert, sizeof alert);
	else if (behave.garbage)
		wire_send(s, garbage, sizeof garbage - 1);
	else
		return false;
	stall(s);
	return true;
}

static bool tls_handshake(struct session *s)
{
	unsigned char hello[16 * 1024];
	size_t n = s->in_end - s->in_at;

	if (n > 0)
		memcpy(hello, s->in + s->in_at, n);
	else
		n = wire_recv(s, hello, sizeof hello);
	s->in_at = s->in_end = 0;
	if (n == 0 || tls_misbehaves(s) || !io_step(s, STEP_HELLO, NULL))
		return false;
	BIO_write(SSL_get_rbio(s->ssl), hello, (int)n);
	for (;;) {
		int result = SSL_accept(s->ssl);

		if (BIO_ctrl_pending(SSL_get_wbio(s->ssl)) > 500 &&
		    (behave.reset_at == STEP_HANDSHAKE || behave.close_at == STEP_HANDSHAKE || behave.stall_at == STEP_HANDSHAKE)) {
			tls_flush(s, true);
			return io_step(s, STEP_HANDSHAKE, NULL);
		}
		if (result == 1)
			return tls_flush(s, false);
		if (!tls_again(s, result))
			return false;
	}
}

bool io_start_tls(struct session *s)
{
	if (!io_step(s, STEP_GO, NULL))
		return false;
	s->ssl = SSL_new(tls_context);
	if (!s->ssl)
		return false;
	SSL_set_bio(s->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (!tls_handshake(s)) {
		SSL_free(s->ssl);
		s->ssl = NULL;
		return false;
	}
	if (s->facts) {
		const char *sni = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
		fprintf(s->facts, "tls %s %s sni=%s\n", SSL_get_version(s->ssl), SSL_get_cipher_name(s->ssl), sni ? sni : "-");
	}
	return io_step(s, STEP_OPEN, NULL);
}

/* --- what the dialogue uses */

bool io_say(struct session *s, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;

	if (!s->ssl)
		return wire_send(s, bytes, n);
	if (behave.keyupdate_every > 0 && ++s->sends % behave.keyupdate_every == 0 && SSL_version(s->ssl) == TLS1_3_VERSION)
		SSL_key_update(s->ssl, SSL_KEY_UPDATE_REQUESTED);
	while (n > 0) {
		size_t part = n < 64 * 1024 ? n : 64 * 1024;
		int result = SSL_write(s->ssl, from, (int)part);

		if (result <= 0 ? !tls_again(s, result) : !tls_flush(s, false))
			return false;
		if (result > 0) {
			from += result;
			n -= (size_t)result;
		}
	}
	return true;
}

bool io_sayf(struct session *s, const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return io_say(s, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static size_t tls_recv(struct session *s, void *bytes, size_t n)
{
	for (;;) {
		int result = SSL_read(s->ssl, bytes, (int)n);

		if (result > 0) {
			journal_raw(s->tls, bytes, (size_t)result);
			tls_flush(s, false); /* the answer to a KeyUpdate */
			return (size_t)result;
		}
		if (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN && !s->end)
			s->end = "close_notify";
		if (!tls_again(s, result))
			return 0;
	}
}

size_t io_read(struct session *s, void *bytes, size_t n)
{
	size_t held = s->in_end - s->in_at;

	if (held == 0)
		return s->ssl ? tls_recv(s, bytes, n) : wire_recv(s, bytes, n);
	if (n > held)
		n = held;
	memcpy(bytes, s->in + s->in_at, n);
	s->in_at += n;
	return n;
}

bool io_line(struct session *s, char *line, size_t size)
{
	size_t n = 0;

	for (;;) {
		if (s->in_at == s->in_end) {
			s->in_at = s->in_end = 0;
			s->in_end = io_read(s, s->in, sizeof s->in);
			if (s->in_end == 0)
				return false;
		}
		char c = (char)s->in[s->in_at++];
		if (c == '\n')
			break;
		if (n + 1 < size)
			line[n++] = c;
	}
	if (n > 0 && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
	return true;
}

bool io_begin(struct session *s)
{
	s->wire = journal_open(s, "wire");
	s->tls = journal_open(s, "tls");
	s->talk = journal_open(s, "talk");
	s->facts = journal_open(s, "facts");
	return io_step(s, STEP_CONNECT, NULL);
}

/* Close as a server does: close_notify, FIN, then listen until the other end is finished too. With RST: at once. */
void io_finish(struct session *s)
{
	struct linger now = {1, 0};
	unsigned char bytes[4096];

	if (s->reset) {
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	} else {
		if (s->ssl && !behave.no_close_notify) {
			SSL_shutdown(s->ssl);
			tls_flush(s, false);
		}
		shutdown(s->fd, SHUT_WR);
		while (s->ssl ? tls_recv(s, bytes, sizeof bytes) : wire_recv(s, bytes, sizeof bytes))
			;
		stall(s);
	}
	if (s->facts)
		fprintf(s->facts, "end %s\n", s->end ? s->end : "none");
	close(s->fd);
	SSL_free(s->ssl);
	ERR_clear_error();
	FILE *files[] = {s->wire, s->tls, s->talk, s->facts};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i])
			fclose(files[i]);
}
