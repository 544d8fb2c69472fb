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
#include "record_world.h"
#include <stdio.h>

enum { BIG = 100000, PIECES = 6 };

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
	/* A timer of the kernel's may have brought something in between. */
	CHECK(w, level == readable || level == poll_says(w->fd));
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
		/* Reading makes room, so more may have come meanwhile. A reset throws away what the kernel still holds. */
		CHECK(w, (size_t)got >= (have < n ? have : n) || (w->reset && w->ending == RESET));
		CHECK(w, (size_t)got <= available(w));
		if (!peeking)
			w->delivered += (size_t)got;
		/* "A short read means drained"; that does not hold for an end that is there already, on TCP either. */
		if ((size_t)got < n && !peeking && !w->reset)
			w->idle = true;
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
