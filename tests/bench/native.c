/* SPDX-License-Identifier: MIT
 * native.c - the same program, ported to OpenSSL by hand: the bound a user could reach by
 * rewriting.
 *
 * One SSL_CTX, read-ahead over four records, partial writes, certificate and name checked. The
 * pieces of a writev are gathered into whole records. TCP_NODELAY only while we talk before the
 * workload, as a careful port would.
 */
#include "link.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define RECORD     16384u
#define READ_AHEAD 70000u /* four records and their frames */

static const bool upgrades = true;
static SSL_CTX *context;
static SSL_SESSION *latest; /* the newest ticket, when sessions are resumed */

static int session_came(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(latest);
	latest = session;
	return 1;
}

static void side_start(void)
{
	context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(context,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (peer.frugal)
		SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (peer.ca && SSL_CTX_load_verify_file(context, peer.ca) != 1)
		die("native: cannot read %s", peer.ca);
	if (!peer.resume)
		return;
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, session_came);
}

static void set_nodelay(struct link *l, int on)
{
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void expect_name(SSL *ssl)
{
	struct in_addr address;

	if (inet_pton(AF_INET, peer.host, &address) == 1) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), peer.host);
		return;
	}
	SSL_set1_host(ssl, peer.host);
	SSL_set_tlsext_host_name(ssl, peer.host);
}

static void secure_begin(struct link *l)
{
	SSL *ssl = SSL_new(context);

	SSL_set_fd(ssl, l->fd);
	expect_name(ssl);
	if (peer.resume && latest)
		SSL_set_session(ssl, latest);
	set_nodelay(l, 1);
	l->ssl = ssl;
}

/* What OpenSSL answered, in the words of a system call. */
static ssize_t result(struct link *l, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(l->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		l->events = POLLIN;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		l->events = POLLOUT;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_print_errors_fp(stderr);
		die("native: TLS failed");
	}
}

static bool secure_step(struct link *l)
{
	return result(l, SSL_connect(l->ssl)) > 0;
}

static ssize_t link_read(struct link *l, void *room, size_t n)
{
	if (l->ssl)
		return result(l, SSL_read(l->ssl, room, (int)n));
	l->events = POLLIN;
	return read(l->fd, room, n);
}

static ssize_t link_write(struct link *l, const void *bytes, size_t n)
{
	ssize_t done = 0;

	if (!l->ssl)
		return write(l->fd, bytes, n);
	done = result(l, SSL_write(l->ssl, bytes, (int)n));
	if (l->step == STEP_HANDSHAKE && done > 0)
		set_nodelay(l, 0);
	return done;
}

/* As many octets as make one record. */
static ssize_t link_writev(struct link *l, const struct iovec *pieces, int count)
{
	char record[RECORD];
	size_t n = 0;

	for (int i = 0; i < count && n < RECORD; i++) {
		size_t part = smaller(pieces[i].iov_len, RECORD - n);

		memcpy(record + n, pieces[i].iov_base, part);
		n += part;
	}
	return link_write(l, record, n);
}

static ssize_t link_sendmsg(struct link *l, const struct iovec *pieces, int count)
{
	return link_writev(l, pieces, count);
}

static bool link_pending(struct link *l)
{
	return SSL_has_pending(l->ssl);
}

static ssize_t stream_read(void *l, char *room, size_t n)
{
	return link_read(l, room, n);
}

static ssize_t stream_write(void *l, const char *bytes, size_t n)
{
	return link_write(l, bytes, n);
}

static FILE *link_fdopen(struct link *l, const char *mode)
{
	return fopencookie(l, mode,
			   (cookie_io_functions_t){.read = stream_read, .write = stream_write});
}

static void link_close(struct link *l)
{
	SSL_shutdown(l->ssl);
	SSL_free(l->ssl);
	close(l->fd);
}

#include "workloads.h"
