/* SPDX-License-Identifier: MIT
 * hook_bulk: many messages or a whole file in one call. On a connection of ours they are loops. */
#include "hook.h"
#include "io.h"
#include "memory.h"
#include "rights.h"
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
static SLOW int receive_many(int fd, struct mmsghdr *msgs, unsigned n, int flags,
			     const struct timespec *timeout)
{
	bool timed = timeout && memory_readable(timeout, sizeof(*timeout));
	int64_t end = timed ? now_ns() + timeout->tv_sec * INT64_C(1000000000) + timeout->tv_nsec
			    : INT64_MAX;
	int kernel_flags = flags & ~MSG_WAITFORONE;
	unsigned i = 0;
	ssize_t got;

	for (; i < n; i++) {
		if (i && timed && now_ns() >= end)
			break;
		if (memory_writable(msgs + i, sizeof(*msgs)) < sizeof(*msgs)) {
			errno = EFAULT;
			break;
		}
		got = io_recvmsg(fd, &msgs[i].msg_hdr, kernel_flags);
		if (got < 0)
			break;
		msgs[i].msg_len = (unsigned)got;
		if (flags & MSG_WAITFORONE)
			kernel_flags |= MSG_DONTWAIT;
	}
	return i || !n ? (int)i : -1;
}

HOOK int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	return table_has(fd) ? receive_many(fd, msgs, n, flags, timeout)
			     : real.recvmmsg(fd, msgs, n, flags, timeout);
}

static size_t length(const struct msghdr *msg)
{
	size_t n = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		n += msg->msg_iov[i].iov_len;
	return n;
}

/* As sendmmsg(2): the first message that goes only in part is the last one. */
static SLOW int send_many(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	unsigned i = 0;
	ssize_t sent;

	while (i < n) {
		if (memory_writable(msgs + i, sizeof(*msgs)) < sizeof(*msgs)) {
			errno = EFAULT;
			break;
		}
		sent = io_sendmsg(fd, &msgs[i].msg_hdr, flags);
		if (sent < 0)
			break;
		msgs[i].msg_len = (unsigned)sent;
		if ((size_t)sent < length(&msgs[i++].msg_hdr))
			break;
	}
	return i || !n ? (int)i : -1;
}

/* See send_early() in hook_io.c. */
static SLOW int send_many_early(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	if (!n || !memory_readable(msgs, sizeof(*msgs)) ||
	    !watch_would(fd, msgs->msg_hdr.msg_name, msgs->msg_hdr.msg_namelen))
		return real.sendmmsg(fd, msgs, n, flags);
	errno = EOPNOTSUPP;
	return -1;
}

/* From a descriptor that is not ours: what goes with the messages may be. */
static SLOW int send_many_other(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	for (unsigned i = 0; engine && i < n && memory_readable(msgs + i, sizeof(*msgs)); i++)
		if (!rights_settle(&msgs[i].msg_hdr))
			return -1;
	return flags & MSG_FASTOPEN ? send_many_early(fd, msgs, n, flags)
				    : real.sendmmsg(fd, msgs, n, flags);
}

HOOK int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	if (table_has(fd))
		return send_many(fd, msgs, n, flags);
	return engine || flags & MSG_FASTOPEN ? send_many_other(fd, msgs, n, flags)
					      : real.sendmmsg(fd, msgs, n, flags);
}

/* Copy up to n bytes of `in` from *at on. What was not sent counts as not read, so *at ends where the peer's copy ends. */
static ssize_t send_part(int out, int in, off_t *at, size_t n)
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
		sent = io_transmit(out, piece, (size_t)got, 0);
		if (sent > 0) {
			done += (size_t)sent;
			*at += sent;
		}
		if (sent < got)
			break;
	}
	return done ? (ssize_t)done : sent;
}

/* As sendfile(2), from files only: EINVAL for what cannot be read twice, as from the kernel, and apps then copy by hand. */
static SLOW ssize_t send_file(int out, int in, off_t *at, size_t n)
{
	off_t here;
	ssize_t sent;

	if (at && memory_writable(at, sizeof(*at)) < sizeof(*at)) {
		errno = EFAULT;
		return -1;
	}
	here = at ? *at : lseek(in, 0, SEEK_CUR);
	if (here < 0) {
		if (at || errno != EBADF)
			errno = EINVAL;
		return -1;
	}
	sent = send_part(out, in, &here, n);
	if (at)
		*at = here;
	else if (sent > 0)
		lseek(in, here, SEEK_SET);
	return sent;
}

HOOK ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
	return table_has(out) ? send_file(out, in, at, n) : real.sendfile(out, in, at, n);
}
HOOK_ALIAS(sendfile64, sendfile);

static SLOW ssize_t refuse_splice(void)
{
	errno = EINVAL; /* "this descriptor cannot be spliced": apps then read and write */
	return -1;
}

HOOK ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	return table_has(in) || table_has(out) ? refuse_splice()
					       : real.splice(in, in_at, out, out_at, n, flags);
}
