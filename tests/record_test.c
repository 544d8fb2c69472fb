/* SPDX-License-Identifier: MIT
 * record_test: a model fuzz of the record layer over a real TCP socket.
 *
 *   peer (OpenSSL in memory) ─ sealed ─► wire (cut anywhere) ─► kernel ─► record_receive ─► app
 *
 * The model knows which plaintext lies in records that have arrived whole, and from that what the app must see at every step: how many bytes,
 * which ones, EAGAIN, end of file or an error, and what poll, level- and edge-triggered epoll say. Random record sizes, cuts, read sizes, peeks, tickets,
 * KeyUpdates, closes and resets.
 *
 * record_test [SEEDS [FIRST]]: default 150 seeds for each TLS version. */
#include "model.h"
#include "record.h"
#include "sys.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { STEPS = 400, STREAM = 1 << 22, BIG = 100000, PIECES = 6 };

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

/* Byte i of either stream. */
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

static short ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	poll(&p, 1, 0);
	return p.revents;
}

static bool poll_says(int fd)
{
	return ready(fd, POLLIN) & (POLLIN | POLLHUP | POLLERR);
}

static bool epoll_says(int epfd)
{
	struct epoll_event e;

	return epoll_wait(epfd, &e, 1, 0) == 1 && e.events & (EPOLLIN | EPOLLHUP | EPOLLERR);
}

static bool something_to_read(const struct world *w)
{
	return available(w) || (!w->ended && w->reset);
}

/* What the app must be told by its event loop right now. */
static void look(struct world *w)
{
	bool must = available(w) || w->ended || (w->reset && w->ending != CUT),
	     due = w->idle && something_to_read(w), edge;
	bool readable = poll_says(w->fd), level = epoll_says(w->level);

	CHECK(w, readable || !must);
	CHECK(w,
	      level == readable ||
		      level ==
			      poll_says(
				      w->fd)); /* a timer of the kernel's may have brought something in between */
	edge = epoll_says(w->edge);
	CHECK(w, edge || !due);
	w->idle &= !edge;
}

static void check_end(struct world *w, ssize_t n, int error)
{
	CHECK(w, w->ending != OPEN);
	if (w->ending == GARBAGE || w->ending == RESET)
		CHECK(w, w->told || (n < 0 && (error == ECONNRESET || error == EPIPE)));
	else
		CHECK(w, n == 0);
	w->ended = true;
}

/* The app is a user of OpenSSL, too, and has or has not an error of its own in the thread's queue. */
static bool host_fails(struct world *w)
{
	bool fails = rnd(w, 2);

	ERR_clear_error();
	if (fails)
		ERR_raise(ERR_LIB_USER, 77);
	return fails;
}

static bool host_still(bool fails)
{
	return (!fails || ERR_GET_REASON(ERR_get_error()) == 77) && !ERR_get_error();
}

static void app_reads(struct world *w)
{
	static uint8_t bytes[BIG];
	static const unsigned sizes[] = {1, 1, 7, 512, 4096, 16384, BIG - 1};
	size_t n = 1 + rnd(w, sizes[rnd(w, 7)]), first = rnd(w, (unsigned)n), have = available(w),
	       here = arrived(w);
	struct iovec iov[2] = {{bytes, first}, {bytes + first, n - first}};
	bool peeking = rnd(w, 8) == 0, fails = host_fails(w);
	ssize_t got = record_receive(&w->rec, w->fd, iov, 2, 0, peeking);
	int error = errno;

	CHECK(w, host_still(fails));
	if (got > 0) {
		CHECK(w, is_pattern(bytes, (size_t)got, w->delivered));
		/* A reset throws away what the kernel still holds. */
		/* Reading makes room, so more may have come meanwhile. A reset throws away what the kernel still holds. */
		CHECK(w, (size_t)got >= (have < n ? have : n) || (w->reset && w->ending == RESET));
		CHECK(w, (size_t)got <= available(w));
		if (!peeking)
			w->delivered += (size_t)got;
		if ((size_t)got < n && !peeking && !w->reset)
			w->idle =
				true; /* "a short read means drained"; that does not hold for an end that is there already, on TCP either */
		return;
	}
	if (!(w->reset && w->ending == RESET))
		CHECK(w, have == 0);
	if (got < 0 && error == EAGAIN) {
		/* Taking bytes out of a full kernel buffer lets new ones in, at any moment. */
		bool over = ending_arrived(w) && (w->ending == NOTIFIED || w->reset),
		     spins = poll_says(w->fd);

		if (here == arrived(w)) {
			CHECK(w, !over);
			CHECK(w, !spins); /* or a level-triggered loop would */
		}
		w->idle = true;
		return;
	}
	check_end(w, got, error);
}

static void app_asks(struct world *w)
{
	size_t have = available(w), n;

	if (w->reset && w->ending == RESET)
		return;
	n = record_readable(&w->rec, w->fd);
	CHECK(w, n <= available(w));
	CHECK(w, n > 0 || have == 0);
}

/* Into pieces, of which some are empty. */
static void cut(struct world *w, struct iovec *iov, uint8_t *bytes, size_t n)
{
	int i, last = (int)rnd(w, PIECES);
	size_t part;

	for (i = 0; i < PIECES; i++) {
		part = i == last ? n : i > last || rnd(w, 4) == 0 ? 0 : rnd(w, (unsigned)n + 1);
		iov[i] = (struct iovec){part ? bytes : NULL, part};
		bytes += part;
		n -= part;
	}
}

static void app_writes(struct world *w)
{
	static uint8_t bytes[40 + BIG];
	size_t n = w->pending_write ? w->pending_write : 1 + rnd(w, rnd(w, 2) ? 100 : BIG - 1),
	       skip = rnd(w, 2) ? rnd(w, 40) : 0;
	ssize_t took;
	struct iovec iov[PIECES];
	bool fails;

	if (w->wrote + n > STREAM)
		return;
	memset(bytes, '-', skip);
	fill_pattern(bytes + skip, n, w->wrote);
	cut(w, iov, bytes, skip + n);
	fails = host_fails(w);
	took = record_transmit(&w->rec, w->fd, iov, PIECES, skip);
	CHECK(w, host_still(fails));
	if (took < 0) {
		CHECK(w, errno == EAGAIN || w->ended || w->reset || w->ending == GARBAGE);
		if (errno == EAGAIN)
			w->pending_write = n;
		else
			w->told = true;
		return;
	}
	CHECK(w, (size_t)took <= n);
	/* The write token: all accepted means nothing is left in user space. */
	if ((size_t)took == n)
		CHECK(w, !record_unsent(&w->rec));
	w->wrote += (size_t)took;
	w->pending_write = n - (size_t)took;
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

/* The held greeting is readable from the very end of the handshake. */
static void release_greeting(struct world *w)
{
	uint8_t bytes[64];

	fill_pattern(bytes, sizeof bytes, 0);
	if (rnd(w, 2)) {
		CHECK(w, record_prepend(&w->rec, span_of(bytes, sizeof bytes)));
		w->sealed = sizeof bytes;
		w->marks[w->n_marks++] = (struct mark){0, w->sealed};
		CHECK(w, ready(w->fd, POLLIN) & POLLIN);
	}
	record_settle(&w->rec, w->fd);
}

static void step(struct world *w)
{
	switch (rnd(w, 16)) {
	case 0:
	case 1:
	case 2:
		peer_data(w);
		break;
	case 3:
		peer_control(w);
		break;
	case 4:
	case 5:
	case 6:
		arrive(w, 1 + rnd(w, rnd(w, 2) ? 40 : 40000));
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		app_reads(w);
		break;
	case 11:
		app_asks(w);
		break;
	case 12:
	case 13:
		app_writes(w);
		break;
	case 14:
		peer_reads(w);
		break;
	default:
		if (rnd(w, 60) == 0)
			peer_ends(w);
	}
	end_on_wire(w);
	look(w);
}

/* At the end everything is delivered, and nothing before it was forgotten. */
static void wind_up(struct world *w)
{
	int i;

	if (w->ending == OPEN)
		peer_ends(w);
	for (i = 0; i < 20000 && !w->ended && !w->failure; i++) {
		if (arrived(w) < w->wire_at)
			poll(NULL, 0, 1); /* a closed window is probed by a timer */
		arrive(w, 50000);
		end_on_wire(w);
		app_reads(w);
		peer_reads(w);
		look(w);
	}
	CHECK(w, w->ended);
	if (w->ending != RESET)
		CHECK(w, w->delivered == w->sealed);
}

static bool run(unsigned seed, int version)
{
	struct world *w = calloc(1, sizeof *w);
	bool good;
	int i;

	w->seed = seed * 2654435761u + (unsigned)version;
	start(w, version);
	release_greeting(w);
	for (i = 0; i < STEPS && !w->failure; i++)
		step(w);
	wind_up(w);
	good = !w->failure;
	if (!good)
		printf("seed %u, TLS 0x%04x, ending %d: line %d: %s\n", seed, (unsigned)version,
		       (int)w->ending, w->line, w->failure);
	close(w->level);
	close(w->edge);
	record_free(&w->rec);
	close(w->fd);
	if (w->peer_fd >= 0)
		close(w->peer_fd);
	SSL_free(w->peer);
	free(w->wire);
	free(w);
	return good;
}

int main(int argc, char **argv)
{
	unsigned seeds = argc > 1 ? (unsigned)atoi(argv[1]) : 150,
		 first = argc > 2 ? (unsigned)atoi(argv[2]) : 1, passed = 0, failed = 0;
	const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	server = make_server();
	SSL_CTX_set_mode(server, SSL_MODE_ENABLE_PARTIAL_WRITE);
	for (unsigned seed = first; seed < first + seeds; seed++)
		for (int v = 0; v < 2; v++)
			*(run(seed, versions[v]) ? &passed : &failed) += 1;
	printf("%lu checks\n%u passed, %u failed\n", checks, passed, failed);
	return failed > 0;
}
