/* SPDX-License-Identifier: MIT
 * bulk.h - workloads of one connection, or one per thread: many octets up and down, by calls of every style.
 */
#ifndef BULK_H
#define BULK_H

#include "meter.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define MAX_IO 65536u

/* --- moving many octets; how a non-blocking program waits is a parameter: null for a blocking one
 */

typedef void wait_fn(struct link *l);

static void wait_poll(struct link *l)
{
	struct pollfd p = {.fd = l->fd, .events = l->events};

	if (poll(&p, 1, -1) < 0)
		die("poll");
}

static void wait_select(struct link *l)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(l->fd, &set);
	if (select(l->fd + 1, l->events & POLLIN ? &set : NULL, l->events & POLLOUT ? &set : NULL,
		   NULL, NULL) < 0)
		die("select");
}

static void wait_epoll(struct link *l)
{
	static int set = -1;
	struct epoll_event event = {.events = (uint32_t)l->events};
	int change = set < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (set < 0)
		set = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(set, change, l->fd, &event) || epoll_wait(set, &event, 1, -1) < 0)
		die("epoll");
}

static void say_number(struct link *l, const char *verb, uint64_t n)
{
	char line[64];

	snprintf(line, sizeof line, "%s %lu\r\n", verb, n);
	link_say(l, line);
}

static void await_reply(struct link *l, wait_fn *wait)
{
	while (!link_reply(l, '2')) {
		if (!wait)
			die("a blocking connection would block");
		wait(l);
	}
}

/* An error that is not "later" ends the run; "later" waits. */
static void wait_or_die(struct link *l, wait_fn *wait)
{
	if (errno != EAGAIN || !wait)
		die("input or output");
	wait(l);
}

static void upload(struct link *l, size_t size, uint64_t total, wait_fn *wait)
{
	uint64_t at = 0;

	say_number(l, "SINK", total);
	while (at < total) {
		ssize_t n = link_write(l, pattern_at(at), smaller(size, total - at));

		if (n > 0)
			at += (uint64_t)n;
		else
			wait_or_die(l, wait);
	}
	await_reply(l, wait);
}

static void download(struct link *l, size_t size, uint64_t total, wait_fn *wait)
{
	static _Thread_local char room[MAX_IO];
	uint64_t at = 0;

	say_number(l, "SOURCE", total);
	while (at < total) {
		ssize_t n = 0;

		l->events = POLLIN;
		if (wait && !link_pending(l))
			wait(l);
		n = link_read(l, room, smaller(size, total - at));
		if (n == 0)
			die("end of stream after %lu octets", at);
		if (n < 0) {
			wait_or_die(l, wait);
			continue;
		}
		if (!pattern_is(room, (size_t)n, at))
			die("wrong octets after %lu", at);
		at += (uint64_t)n;
	}
}

static void run_upload(const uint64_t *number)
{
	struct link l;

	link_open(&l);
	meter_begin();
	upload(&l, number[0], number[1], NULL);
	meter_end(number[1]);
	link_quit(&l);
}

static void run_download(const uint64_t *number)
{
	struct link l;

	link_open(&l);
	meter_begin();
	download(&l, number[0], number[1], NULL);
	meter_end(number[1]);
	link_quit(&l);
}

/* --- many pieces in one call */

#define MAX_PIECES 64

static int gather(struct iovec *pieces, int count, size_t size, uint64_t at, uint64_t total)
{
	int used = 0;

	for (; used < count && at < total; used++) {
		pieces[used].iov_base = (void *)pattern_at(at);
		pieces[used].iov_len = smaller(size, total - at);
		at += pieces[used].iov_len;
	}
	return used;
}

static void run_pieces(const uint64_t *number,
		       ssize_t (*send_pieces)(struct link *, const struct iovec *, int))
{
	struct iovec pieces[MAX_PIECES];
	uint64_t at = 0, total = number[2];
	struct link l;

	link_open(&l);
	meter_begin();
	say_number(&l, "SINK", total);
	while (at < total) {
		int count =
			gather(pieces, (int)smaller(number[0], MAX_PIECES), number[1], at, total);
		ssize_t n = send_pieces(&l, pieces, count);

		if (n <= 0)
			die("many pieces");
		at += (uint64_t)n;
	}
	await_reply(&l, NULL);
	meter_end(total);
	link_quit(&l);
}

static void run_writev(const uint64_t *number)
{
	run_pieces(number, link_writev);
}

static void run_sendmsg(const uint64_t *number)
{
	run_pieces(number, link_sendmsg);
}

/* --- stdio: small pieces up and down, then requests and replies */

static void stream_pings(FILE *in, FILE *out, uint64_t count)
{
	char line[128];

	while (count--) {
		fputs("PING\r\n", out);
		fflush(out);
		if (!fgets(line, sizeof line, in) || line[0] != '2')
			die("stdio: no reply");
	}
}

static void stream_up(FILE *in, FILE *out, uint64_t total)
{
	char line[128];

	fprintf(out, "SINK %lu\r\n", total);
	for (uint64_t at = 0, n = 0; at < total; at += n) {
		n = smaller(100, total - at);
		if (fwrite(pattern_at(at), 1, n, out) != n)
			die("stdio: fwrite");
	}
	fflush(out);
	if (!fgets(line, sizeof line, in) || line[0] != '2')
		die("stdio: octets were not accepted");
}

static void stream_down(FILE *in, FILE *out, uint64_t total)
{
	char room[100];

	fprintf(out, "SOURCE %lu\r\n", total);
	fflush(out);
	for (uint64_t at = 0, n = 0; at < total; at += n) {
		n = fread(room, 1, smaller(sizeof room, total - at), in);
		if (n == 0 || !pattern_is(room, n, at))
			die("stdio: wrong octets after %lu", at);
	}
}

static void run_stdio(const uint64_t *number)
{
	FILE *in = NULL, *out = NULL;
	struct link l;

	link_open(&l);
	in = link_fdopen(&l, "r");
	out = link_fdopen(&l, "w");
	if (!in || !out)
		die("fdopen");
	meter_begin();
	stream_up(in, out, number[0]);
	stream_down(in, out, number[0]);
	stream_pings(in, out, number[1]);
	meter_end(2 * number[0]);
	fclose(in);
	fclose(out);
	link_quit(&l);
}

/* --- one non-blocking connection in a loop of poll, select or epoll */

static void set_nonblocking(struct link *l)
{
	fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK);
}

static void pings(struct link *l, uint64_t count, wait_fn *wait)
{
	while (count--) {
		link_say(l, "PING\r\n");
		l->events = POLLIN;
		if (wait && !link_pending(l))
			wait(l);
		await_reply(l, wait);
	}
}

static void run_loop(const uint64_t *number, wait_fn *wait)
{
	struct link l;

	link_open(&l);
	set_nonblocking(&l);
	meter_begin();
	upload(&l, 16384, number[0], wait);
	download(&l, 16384, number[0], wait);
	pings(&l, number[1], wait);
	meter_end(2 * number[0]);
	link_quit(&l);
}

static void run_poll(const uint64_t *number)
{
	run_loop(number, wait_poll);
}

static void run_select(const uint64_t *number)
{
	run_loop(number, wait_select);
}

static void run_epoll(const uint64_t *number)
{
	run_loop(number, wait_epoll);
}

/* --- two threads, a connection each */

struct thread_work {
	struct link link;
	uint64_t total;
};

static void *thread_main(void *argument)
{
	struct thread_work *w = argument;

	upload(&w->link, 16384, w->total, NULL);
	download(&w->link, 16384, w->total, NULL);
	return NULL;
}

static void run_threads(const uint64_t *number)
{
	struct thread_work work[2];
	pthread_t thread[2];

	for (int i = 0; i < 2; i++) {
		work[i].total = number[0] / 2;
		link_open(&work[i].link);
	}
	meter_begin();
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, thread_main, &work[i]))
			die("no thread");
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	meter_end(2 * number[0]);
	for (int i = 0; i < 2; i++)
		link_quit(&work[i].link);
}

#endif
