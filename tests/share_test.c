/* SPDX-License-Identifier: MIT
 * share_test: a model fuzz of one session in several processes (record_share.h).
 *
 *   peer (OpenSSL in memory) ─► kernel ─► worker 0 | worker 1 | worker 2        one session, forked after the handshake
 *        ◄──────────────────────────────────────┘ whose turn it is, at random
 *
 * Each step the peer seals something (data, a ticket, a KeyUpdate), the wire is cut anywhere, and a worker chosen at random reads or writes a random
 * number of bytes, or is killed. The streams must be whole and in order whoever reads and writes, and poll() must say so to all.
 *
 * share_test [SEEDS [FIRST]]: default 20 seeds for each TLS version. */
#include "model.h"
#include "record_share.h"
#include "sys.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { STEPS = 400, WORKERS = 3, WIRE = 1 << 22, MOST = 20000 };

/* What a worker is told to do, and what it answers. */
struct job {
	bool write;
	size_t n, at; /* bytes; where in the stream the first of them is */
	ssize_t done; /* bytes, or a negative errno */
	bool right;   /* they were the right ones */
};

struct world {
	unsigned seed;
	SSL *peer;
	BIO *peer_in, *peer_out;
	int fd, peer_fd;
	struct record rec;
	uint8_t *wire;
	size_t wire_n, wire_at;   /* bytes sealed; bytes that are in the kernel */
	size_t sealed, delivered; /* plaintext from the peer */
	size_t wrote, peer_got;   /* and to it */
	int worker[WORKERS];      /* a socket to each; -1: killed */
	pid_t pid[WORKERS];
};

static SSL_CTX *server;
static unsigned long checks, failures;

static void check(const struct world *w, bool ok, const char *what)
{
	checks++;
	if (ok)
		return;
	failures++;
	printf("share_test: seed %u: %s\n", w->seed, what);
}

static unsigned rnd(struct world *w, unsigned n)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 8) % n;
}

static void collect(struct world *w)
{
	int n;

	while ((n = BIO_read(w->peer_out, w->wire + w->wire_n, (int)(WIRE - w->wire_n))) > 0)
		w->wire_n += (size_t)n;
}

static void arrive(struct world *w, size_t n)
{
	ssize_t sent;

	if (n > w->wire_n - w->wire_at)
		n = w->wire_n - w->wire_at;
	sent = n ? send(w->peer_fd, w->wire + w->wire_at, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (sent > 0)
		w->wire_at += (size_t)sent;
}

static void peer_speaks(struct world *w)
{
	static uint8_t bytes[16384];
	static const unsigned sizes[] = {1, 40, 1500, 16384};
	size_t n = 1 + rnd(w, sizes[rnd(w, 4)]);

	if (rnd(w, 8) == 0 && SSL_version(w->peer) == TLS1_3_VERSION) {
		if (rnd(w, 2))
			SSL_new_session_ticket(w->peer);
		else
			SSL_key_update(w->peer, rnd(w, 2) ? SSL_KEY_UPDATE_REQUESTED
							  : SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(w->peer);
	} else if (w->wire_n + 2 * sizeof bytes < WIRE) {
		fill_pattern(bytes, n, w->sealed);
		SSL_write(w->peer, bytes, (int)n);
		w->sealed += n;
	}
	collect(w);
}

static void peer_listens(struct world *w)
{
	uint8_t bytes[16384];
	ssize_t n;
	int got;

	while ((n = recv(w->peer_fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		BIO_write(w->peer_in, bytes, (int)n);
	while ((got = SSL_read(w->peer, bytes, sizeof bytes)) > 0) {
		check(w, is_pattern(bytes, (size_t)got, w->peer_got),
		      "the peer gets what was written, in order");
		w->peer_got += (size_t)got;
	}
	check(w, SSL_get_error(w->peer, got) == SSL_ERROR_WANT_READ, "the peer's session holds");
	collect(w);
}

/* --- the workers */

static void work(struct record *rec, int fd, struct job *job)
{
	static uint8_t bytes[MOST];
	struct iovec piece = {bytes, job->n};

	if (job->write)
		fill_pattern(bytes, job->n, job->at);
	share_enter(rec);
	job->done = job->write ? record_transmit(rec, fd, &piece, 1, 0)
			       : record_receive(rec, fd, &piece, 1, 0, false);
	if (job->done < 0)
		job->done = -errno;
	share_exit(rec);
	job->right = job->write || job->done < 0 || is_pattern(bytes, (size_t)job->done, job->at);
}

static void be_worker(struct world *w, int orders)
{
	struct job job;
	int i;

	for (i = 0; i < WORKERS && w->worker[i]; i++)
		close(w->worker[i]); /* or the others would not see the end */
	record_own();
	share_enlist(&w->rec);
	while (read(orders, &job, sizeof job) == sizeof job) {
		work(&w->rec, w->fd, &job);
		if (write(orders, &job, sizeof job) != sizeof job)
			break;
	}
	_exit(0);
}

static void hire(struct world *w, int i)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		abort();
	w->pid[i] = fork();
	if (w->pid[i] == 0) {
		close(pair[0]);
		be_worker(w, pair[1]);
	}
	close(pair[1]);
	w->worker[i] = pair[0];
}

static void dismiss(struct world *w, int i, bool kill_it)
{
	if (w->worker[i] < 0)
		return;
	if (kill_it)
		kill(w->pid[i], SIGKILL);
	close(w->worker[i]);
	waitpid(w->pid[i], NULL, 0);
	w->worker[i] = -1;
}

static struct job order(struct world *w, int i, bool writing, size_t n)
{
	struct job job = {.write = writing, .n = n, .at = writing ? w->wrote : w->delivered};

	if (write(w->worker[i], &job, sizeof job) != sizeof job ||
	    read(w->worker[i], &job, sizeof job) != sizeof job)
		check(w, false, "the worker is there");
	return job;
}

static void step(struct world *w)
{
	static const unsigned sizes[] = {1, 100, 3000, MOST};
	int i = (int)rnd(w, WORKERS);
	size_t n = 1 + rnd(w, sizes[rnd(w, 4)]);
	struct job job;

	if (w->worker[i] < 0)
		return;
	job = order(w, i, rnd(w, 3) == 0, n);
	check(w, job.right, "a worker reads the right bytes");
	check(w, job.done > 0 || job.done == -EAGAIN,
	      "a worker reads and writes, or would have to wait");
	if (job.done > 0)
		*(job.write ? &w->wrote : &w->delivered) += (size_t)job.done;
}

/* --- one world */

static void connect_pair(struct world *w, struct sockaddr_in *at)
{
	socklen_t n = sizeof *at;
	int listener = socket(AF_INET, SOCK_STREAM, 0), small = 16384;

	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	if (bind(listener, (struct sockaddr *)at, n) < 0 || listen(listener, 1) < 0)
		abort();
	getsockname(listener, (struct sockaddr *)at, &n);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	w->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	if (connect(w->fd, (struct sockaddr *)at, n) < 0)
		abort();
	w->peer_fd = accept(listener, NULL, NULL);
	close(listener);
}

static void shake_hands(struct world *w, const struct sockaddr_in *at)
{
	static const struct verdict verdict = {.needs = NEED_TRY | NEED_TLS};
	struct tls_setup setup = {.verdict = &verdict, .addr = (const struct sockaddr *)at};
	struct tls_wire wire;
	const char *why = "";
	uint8_t bytes[4096];
	bool up = false;
	ssize_t n;

	record_init(&w->rec, false);
	wire = record_wire(&w->rec);
	w->rec.tls = tls_new(&setup, &wire, &why);
	while (!up || !SSL_is_init_finished(w->peer)) {
		up = up || record_handshake(&w->rec, w->fd, true) == TLS_DONE;
		n = recv(w->peer_fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n > 0)
			BIO_write(w->peer_in, bytes, (int)n);
		SSL_do_handshake(w->peer);
		collect(w);
		arrive(w, SIZE_MAX);
	}
	record_settle(&w->rec, w->fd);
}

/* Everything that was sealed is read in the end, by whoever is left. What was sent may take its time in the kernel, for its window was small. */
static void drain(struct world *w)
{
	struct job job = {.right = true};
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	int i = 0;

	while (w->worker[i] < 0)
		i++;
	while (w->delivered < w->sealed && job.right) {
		arrive(w, SIZE_MAX);
		check(w, poll(&p, 1, 10000) == 1,
		      "the kernel says readable while something is undelivered");
		job = order(w, i, false, MOST);
		check(w, job.right, "a worker reads the right bytes to the end");
		if (job.done > 0)
			w->delivered += (size_t)job.done;
		else if (job.done != -EAGAIN || !p.revents)
			break;
	}
	p.fd = w->peer_fd;
	do {
		order(w, i, true, 0); /* sends what the kernel would not take yet */
		peer_listens(w);
	} while (w->peer_got < w->wrote && poll(&p, 1, 10000) == 1);
	check(w, w->delivered == w->sealed, "all that was sealed is delivered");
	check(w, w->peer_got == w->wrote || w->peer_got == w->wrote + 1,
	      "all that was written arrives");
}

static void begin(struct world *w, int version)
{
	struct sockaddr_in at;

	connect_pair(w, &at);
	w->wire = malloc(WIRE);
	w->peer = SSL_new(server);
	SSL_set_max_proto_version(w->peer, version);
	w->peer_in = BIO_new(BIO_s_mem());
	w->peer_out = BIO_new(BIO_s_mem());
	SSL_set_bio(w->peer, w->peer_in, w->peer_out);
	SSL_set_accept_state(w->peer);
	shake_hands(w, &at);
}

static void end(struct world *w)
{
	share_leave(&w->rec);
	record_free(&w->rec);
	SSL_free(w->peer);
	free(w->wire);
	close(w->fd);
	close(w->peer_fd);
}

static void run(unsigned seed, int version)
{
	struct world w = {.seed = seed};
	int i;

	begin(&w, version);
	for (i = 0; i < WORKERS; i++) {
		check(&w, share_fork(&w.rec), "there is memory to share");
		hire(&w, i);
	}
	for (i = 0; i < STEPS; i++) {
		if (rnd(&w, 2))
			peer_speaks(&w);
		arrive(&w, rnd(&w, 4) ? 1 + rnd(&w, 20000) : 1 + rnd(&w, 30));
		step(&w);
		if (rnd(&w, 4) == 0) /* else writes are cut short */
			peer_listens(&w);
		if (i == STEPS / 2)
			dismiss(&w, (int)rnd(&w, WORKERS), true);
	}
	drain(&w);
	for (i = 0; i < WORKERS; i++)
		dismiss(&w, i, false);
	check(&w, !record_shared(&w.rec), "who is gone, killed or not, holds nothing");
	end(&w);
}

/* Two processes that seal under the same key and count, without knowing of one another, give the plaintext
 * away (RFC 8446 section 5.3): so where they cannot be told of one another, the child must not. */
static void run_without_memory(int version)
{
	struct world w = {.seed = 0};
	struct job mine = {.write = true, .n = 100};
	struct rlimit limit, none;
	int i;

	begin(&w, version);
	getrlimit(RLIMIT_AS, &limit);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_AS, &none);
	check(&w, !share_fork(&w.rec), "there is no memory to share");
	setrlimit(RLIMIT_AS, &limit);
	hire(&w, 0);
	for (i = 1; i < WORKERS; i++)
		w.worker[i] = -1;
	check(&w, order(&w, 0, true, 100).done == -EIO, "the child does not write");
	check(&w, order(&w, 0, false, 100).done == -EIO, "the child does not read");
	dismiss(&w, 0, false);
	work(&w.rec, w.fd, &mine);
	peer_listens(&w);
	check(&w, mine.done == 100 && w.peer_got == 100, "its parent does");
	end(&w);
}

int main(int argc, char **argv)
{
	unsigned seeds = argc > 1 ? (unsigned)atoi(argv[1]) : 20,
		 first = argc > 2 ? (unsigned)atoi(argv[2]) : 1, i;

	record_own();
	server = make_server();
	for (i = first; i < first + seeds; i++) {
		run(i, TLS1_3_VERSION);
		run(i, TLS1_2_VERSION);
	}
	run_without_memory(TLS1_3_VERSION);
	SSL_CTX_free(server);
	printf("%lu passed, %lu failed\n", checks - failures, failures);
	return failures ? 1 : 0;
}
