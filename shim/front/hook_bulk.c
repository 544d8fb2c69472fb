/* SPDX-License-Identifier: MIT
 * hook_bulk: many messages or a whole file in one call. On a connection of ours they are loops. */
#include "hook.h"
#include "io.h"
#include "watch.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* As recvmmsg(2), where the time is looked at between messages only, and where an error after the first message is left to the
 * next call to find. */
static int receive_many(struct conn *c, int fd, struct mmsghdr *msgs, unsigned n, int flags,
			const struct timespec *timeout)
{
	int64_t end = timeout ? now_ns() + timeout->tv_sec * INT64_C(1000000000) + timeout->tv_nsec
			      : INT64_MAX;
	int kernel_flags = flags & ~MSG_WAITFORONE;
	unsigned i = 0;
	ssize_t got;

	for (; i < n; i++) {
		if (i && timeout && now_ns() >= end)
			break;
		got = io_recvmsg(table_more(c), fd, &msgs[i].msg_hdr, kernel_flags);
		if (got < 0)
			break;
		msgs[i].msg_len = (unsigned)got;
		if (flags & MSG_WAITFORONE)
			kernel_flags |= MSG_DONTWAIT;
	}
	table_drop(c);
	return i || !n ? (int)i : -1;
}

HOOK int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	struct conn *c = table_get(fd);

	return c ? receive_many(c, fd, msgs, n, flags, timeout)
		 : real.recvmmsg(fd, msgs, n, flags, timeout);
}

static int send_many(struct conn *c, int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	unsigned i = 0;
	ssize_t sent;

	for (; i < n; i++) {
		sent = io_sendmsg(table_more(c), fd, &msgs[i].msg_hdr, flags);
		if (sent < 0)
			break;
		msgs[i].msg_len = (unsigned)sent;
	}
	table_drop(c);
	return i || !n ? (int)i : -1;
}

/* Like sendmsg: see hook_io.c about MSG_FASTOPEN. */
HOOK int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	struct conn *c = table_get(fd);

	if (c)
		return send_many(c, fd, msgs, n, flags);
	if (__builtin_expect(flags & MSG_FASTOPEN, 0) && n &&
	    watch_would(fd, msgs->msg_hdr.msg_name, msgs->msg_hdr.msg_namelen)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return real.sendmmsg(fd, msgs, n, flags);
}

/* Copy up to n bytes of `in` from *at on. What was not sent counts as not read, so *at ends where the peer's copy ends. */
static ssize_t send_part(struct conn *c, int out, int in, off_t *at, size_t n)
{
	char piece[16384]; /* one TLS record */
	size_t done = 0;
	ssize_t got, sent = 0;

	while (done < n) {
		got = pread(in, piece, n - done < sizeof(piece) ? n - done : sizeof(piece), *at);
		if (got <= 0) {
			sent = got;
			break;
		}
		sent = io_transmit(table_more(c), out, piece, (size_t)got, 0);
		if (sent > 0) {
			done += (size_t)sent;
			*at += sent;
		}
		if (sent < got)
			break;
	}
	table_drop(c);
	return done ? (ssize_t)done : sent;
}

/* As sendfile(2), from files only: EINVAL for what cannot be read twice, as from the kernel, and apps then copy by hand. */
static ssize_t send_file(struct conn *c, int out, int in, off_t *at, size_t n)
{
	off_t here = at ? *at : lseek(in, 0, SEEK_CUR);
	ssize_t sent;

	if (here < 0) {
		table_drop(c);
		if (at || errno != EBADF)
			errno = EINVAL;
		return -1;
	}
	sent = send_part(c, out, in, &here, n);
	if (at)
		*at = here;
	else if (sent > 0)
		lseek(in, here, SEEK_SET);
	return sent;
}

HOOK ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
	struct conn *c = table_get(out);

	return c ? send_file(c, out, in, at, n) : real.sendfile(out, in, at, n);
}
HOOK_ALIAS(sendfile64, sendfile);

static ssize_t refuse_splice(void)
{
	errno = EINVAL; /* "this descriptor cannot be spliced": apps then read and write */
	return -1;
}

HOOK ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	return table_has(in) || table_has(out) ? refuse_splice()
					       : real.splice(in, in_at, out, out_at, n, flags);
}
