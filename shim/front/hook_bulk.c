/* SPDX-License-Identifier: MIT
 * hook_bulk: many messages or a whole file in one call. On a connection of ours they are loops. */
#include "hook.h"
#include "import.h"
#include "io.h"
#include "memory.h"
#include "rights.h"
#include "watch.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BILLION INT64_C(1000000000)

static int fail(int error)
{
	errno = error;
	return -1;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * BILLION + t.tv_nsec;
}

/* Is there a time-out, and when does it end? 0, or the errno for one that cannot be. */
static int read_timeout(const struct timespec *timeout, int64_t *end)
{
	*end = INT64_MAX;
	if (!timeout)
		return 0;
	if (!memory_readable(timeout, sizeof(*timeout)))
		return EFAULT;
	if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= BILLION)
		return EINVAL;
	if (__builtin_mul_overflow(timeout->tv_sec, BILLION, end) ||
	    __builtin_add_overflow(*end, timeout->tv_nsec + now_ns(), end))
		*end = INT64_MAX;
	return 0;
}

/* Another message after the first? Says how much time is left, as the kernel does. */
static bool has_time(struct timespec *timeout, int64_t end)
{
	int64_t left;

	if (!timeout)
		return true;
	left = end - now_ns();
	if (left < 0)
		left = 0;
	*timeout = (struct timespec){left / BILLION, left % BILLION};
	return left > 0;
}

/* An error of the connection comes before any message, even if none is asked for. */
static bool is_broken(int fd, int flags)
{
	struct msghdr none = {.msg_iovlen = 0};

	return !(flags & MSG_ERRQUEUE) && io_recvmsg(fd, &none, MSG_DONTWAIT) < 0 &&
	       errno != EAGAIN;
}

/* As recvmmsg(2), where the time is looked at between messages only, and where an error after the
 * first message is left to the next call to find. */
static SLOW int receive_many(int fd, struct mmsghdr *msgs, unsigned n, int flags,
			     struct timespec *timeout)
{
	int kernel_flags = flags & ~MSG_WAITFORONE, error;
	unsigned i = 0;
	int64_t end;
	ssize_t got;

	error = flags < 0 ? EINVAL : read_timeout(timeout, &end);
	if (error)
		return fail(error);
	if (is_broken(fd, flags))
		return -1;
	while (i < n) {
		if (memory_writable(msgs + i, sizeof(*msgs)) < sizeof(*msgs)) {
			errno = EFAULT;
			break;
		}
		got = io_recvmsg(fd, &msgs[i].msg_hdr, kernel_flags);
		if (got < 0)
			break;
		msgs[i++].msg_len = (unsigned)got;
		if (flags & MSG_WAITFORONE)
			kernel_flags |= MSG_DONTWAIT;
		if (!has_time(timeout, end))
			break;
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

/* As sendmmsg(2): the first message that goes only in part is the last one, and so is the
 * 1024th. */
static SLOW int send_many(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	unsigned i = 0;
	ssize_t sent;

	if (flags < 0)
		return fail(EINVAL);
	if (n > IOV_MAX)
		n = IOV_MAX;
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

/* Copy up to n bytes of `in` from *at on. What was not sent counts as not read, so *at ends where
 * the peer's copy ends. */
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

/* May it be read, from there on? As the kernel, in its order: from what cannot be read twice it
 * does not send, and apps then copy by hand. 0, or the errno. */
static int check_file(int in, const off_t *at, size_t n, off_t *here)
{
	int flags = real.fcntl(in, F_GETFL, NULL);
	struct stat file;
	off_t end;

	if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) == O_WRONLY)
		return EBADF;
	*here = lseek(in, 0, SEEK_CUR);
	if (*here < 0 && at)
		return errno; /* ESPIPE */
	if (*here < 0)
		return EINVAL;
	if (at)
		*here = *at;
	if (*here < 0 || n > SSIZE_MAX || __builtin_add_overflow(*here, (off_t)n, &end))
		return EINVAL;
	return n && (fstat(in, &file) < 0 || S_ISDIR(file.st_mode)) ? EINVAL : 0;
}

/* A socket opened for appending is nonsense, but the kernel asks. */
static bool appends(int out)
{
	return real.fcntl(out, F_GETFL, NULL) & O_APPEND;
}

/* As sendfile(2). */
static SLOW ssize_t send_file(int out, int in, off_t *at, size_t n)
{
	off_t here;
	ssize_t sent;
	int error;

	if (at && memory_writable(at, sizeof(*at)) < sizeof(*at))
		return fail(EFAULT);
	error = check_file(in, at, n, &here);
	if (error || appends(out))
		return fail(error ? error : EINVAL);
	sent = send_part(out, in, &here, n < IMPORT_MOST ? n : IMPORT_MOST);
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

/* "This descriptor cannot be spliced": apps then read and write. */
static SLOW ssize_t refuse_splice(int other, size_t n)
{
	if (!n)
		return 0;
	return fail(real.fcntl(other, F_GETFL, NULL) < 0 ? EBADF : EINVAL);
}

HOOK ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	if (table_has(in) || table_has(out))
		return refuse_splice(table_has(in) ? out : in, n);
	return real.splice(in, in_at, out, out_at, n, flags);
}
