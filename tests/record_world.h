/* SPDX-License-Identifier: MIT
 * record_world.h: the world of record_test: a peer (OpenSSL in memory), the wire, the kernel, and what is known of all three.
 *
 *   peer ─ sealed ─► wire[ sent | wire_at … wire_n ) ─► kernel ─► the app's descriptor
 *   marks  once so many bytes have arrived, so much plaintext can be read
 *
 * Nothing here looks at what the record layer makes of it: that is record_test.c. */
#ifndef STARTTLS_TEST_RECORD_WORLD_H
#define STARTTLS_TEST_RECORD_WORLD_H

#include "model.h"
#include "record.h"
#include "sys.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { STEPS = 400, STREAM = 1 << 22 }; /* STREAM: bytes */

enum ending { OPEN, NOTIFIED, CUT, RESET, GARBAGE };

struct mark {
	size_t wire, plain; /* once `wire` bytes have arrived, `plain` bytes can be read */
};

struct world {
	unsigned seed;
	SSL *peer;
	BIO *peer_in, *peer_out;
	int fd, peer_fd, level, edge;
	struct record rec;
	uint8_t *wire;          /* sealed by the peer, not yet sent */
	size_t wire_n, wire_at; /* bytes sealed; bytes that are in the kernel */
	struct mark marks[STEPS * 8];
	size_t n_marks;
	size_t sealed, delivered; /* plaintext: peer to app */
	size_t wrote, peer_got;   /* plaintext: app to peer */
	size_t pending_write;     /* bytes of the app's current write that are still to be taken */
	enum ending ending;       /* how the peer ends its stream, once everything is on the wire */
	size_t ending_wire;       /* where on the wire */
	bool ended;               /* the app has seen it */
	bool told;                /* of a reset, by a write: the kernel tells once */
	bool reset;
	bool idle; /* an edge-triggered app has read until EAGAIN and waits for an edge */
	const char *failure;
	int line;
};

static SSL_CTX *server;
static unsigned long checks;

#define CHECK(w, condition) \
	do { \
		checks++; \
		if (!(condition) && !(w)->failure) { \
			(w)->failure = #condition; \
			(w)->line = __LINE__; \
		} \
	} while (0)

static unsigned rnd(struct world *w, unsigned n)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 8) % n;
}

/* --- the wire */

/* What the peer has sealed goes to the wire's queue. */
static void collect(struct world *w)
{
	int n;

	while ((n = BIO_read(w->peer_out, w->wire + w->wire_n, (int)(STREAM * 2 - w->wire_n))) > 0)
		w->wire_n += (size_t)n;
}

/* Up to n bytes of the queue arrive. */
static void arrive(struct world *w, size_t n)
{
	ssize_t sent;

	if (n > w->wire_n - w->wire_at)
		n = w->wire_n - w->wire_at;
	if (!n || w->reset)
		return;
	sent = send(w->peer_fd, w->wire + w->wire_at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		w->wire_at += (size_t)sent;
}

/* Bytes of the wire that the app's kernel has: with small buffers the rest still waits on the peer's side. */
static size_t arrived(const struct world *w)
{
	struct tcp_info info;
	socklen_t n = sizeof info;

	if (w->ended || getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ||
	    info.tcpi_bytes_received > w->wire_at)
		return w->wire_at;
	return (size_t)info.tcpi_bytes_received;
}

/* Plaintext that lies in records that have arrived whole and was not delivered. */
static size_t available(const struct world *w)
{
	size_t plain = 0, here = arrived(w);

	for (size_t i = w->n_marks; i-- > 0;)
		if (w->marks[i].wire <= here) {
			plain = w->marks[i].plain;
			break;
		}
	return plain > w->delivered ? plain - w->delivered : 0;
}

static bool ending_arrived(const struct world *w)
{
	return w->ending != OPEN && arrived(w) >= w->ending_wire;
}

/* --- what the peer does */

static void peer_data(struct world *w)
{
	static uint8_t bytes[16384];
	static const unsigned sizes[] = {1, 2, 40, 300, 1500, 9000, 16384};
	size_t n = 1 + rnd(w, sizes[rnd(w, 7)]);

	if (w->ending != OPEN || w->sealed + n > STREAM / 2)
		return;
	fill_pattern(bytes, n, w->sealed);
	SSL_write(w->peer, bytes, (int)n);
	w->sealed += n;
	collect(w);
	w->marks[w->n_marks++] = (struct mark){w->wire_n, w->sealed};
}

static void peer_control(struct world *w)
{
	if (w->ending != OPEN || SSL_version(w->peer) < TLS1_3_VERSION)
		return;
	if (rnd(w, 2))
		SSL_new_session_ticket(w->peer);
	else
		SSL_key_update(w->peer,
			       rnd(w, 2) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
	SSL_do_handshake(w->peer);
	collect(w);
}

static void peer_ends(struct world *w)
{
	if (w->ending != OPEN)
		return;
	w->ending = 1 + (enum ending)rnd(w, 4);
	if (w->ending == NOTIFIED) {
		SSL_shutdown(w->peer);
		collect(w);
	} else if (w->ending == GARBAGE) {
		memcpy(w->wire + w->wire_n, "\x17\x03\x03\x00\x20nothing that was ever sealed...",
		       37);
		w->wire_n += 37;
	}
	w->ending_wire = w->wire_n;
}

/* The ending that is no bytes happens once all bytes are there. */
static void end_on_wire(struct world *w)
{
	if (w->reset || !ending_arrived(w))
		return;
	w->reset = true;
	if (w->ending == RESET) {
		struct linger now = {1, 0};

		setsockopt(w->peer_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(w->peer_fd);
		w->peer_fd = -1;
	} else if (w->ending == CUT || rnd(w, 2)) {
		shutdown(w->peer_fd, SHUT_WR);
	}
}

static void peer_reads(struct world *w)
{
	static uint8_t sealed[65536], plain[16384];
	ssize_t n = w->peer_fd < 0
			    ? -1
			    : recv(w->peer_fd, sealed, 1 + rnd(w, sizeof sealed - 1), MSG_DONTWAIT);
	int got;

	if (n <= 0 || w->ending == GARBAGE)
		return;
	BIO_write(w->peer_in, sealed, (int)n);
	while ((got = SSL_read(w->peer, plain, sizeof plain)) > 0) {
		CHECK(w, is_pattern(plain, (size_t)got, w->peer_got));
		w->peer_got += (size_t)got;
	}
	if (w->ending == OPEN)
		CHECK(w, SSL_get_error(w->peer, got) == SSL_ERROR_WANT_READ);
	CHECK(w, w->peer_got <= w->wrote + 1); /* + 1: the write token */
	collect(w);
}

/* --- the beginning */

static void connect_pair(struct world *w)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	if (rnd(w, 3) == 0) {
		setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	}
	bind(listener, (struct sockaddr *)&a, sizeof a);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&a, &n);
	w->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (rnd(w, 3) == 0)
		setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (rnd(w, 3) == 0)
		setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	connect(w->fd, (struct sockaddr *)&a, sizeof a);
	w->peer_fd = accept(listener, NULL, NULL);
	close(listener);
}

static int watch(int fd, unsigned events)
{
	int epfd = epoll_create1(0);
	struct epoll_event e = {.events = events};

	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e);
	return epfd;
}

static void start(struct world *w, int version)
{
	static const struct verdict verdict = {.needs = NEED_TRY | NEED_TLS};
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct tls_setup setup = {.verdict = &verdict, .addr = (struct sockaddr *)&addr};
	struct tls_wire wire = record_wire(&w->rec);
	const char *why;
	bool up = false;

	connect_pair(w);
	w->level = watch(w->fd, EPOLLIN);
	w->edge = watch(w->fd, EPOLLIN | EPOLLET);
	w->wire = malloc(STREAM * 2);
	w->peer = SSL_new(server);
	SSL_set_min_proto_version(w->peer, version);
	SSL_set_max_proto_version(w->peer, version);
	w->peer_in = BIO_new(BIO_s_mem());
	w->peer_out = BIO_new(BIO_s_mem());
	SSL_set_bio(w->peer, w->peer_in, w->peer_out);
	SSL_set_accept_state(w->peer);
	record_init(&w->rec, false);
	w->rec.tls = tls_new(&setup, &wire, &why);
	do {
		uint8_t bytes[4096];
		ssize_t n;

		if (!up)
			up = record_handshake(&w->rec, w->fd, true) == TLS_DONE;
		n = recv(w->peer_fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n > 0)
			BIO_write(w->peer_in, bytes, (int)n);
		SSL_do_handshake(w->peer);
		collect(w);
		if (!up)
			arrive(w, 1 + rnd(w, 2000));
	} while (!up || !SSL_is_init_finished(w->peer));
}

#endif
