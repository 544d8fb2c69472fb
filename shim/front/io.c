/* SPDX-License-Identifier: MIT
 * io: the kernel's checks (import.h), then the engine with as much of the app's memory as is there
 * (memory.h).
 *
 *   app's pieces  [ good ][ good ][ good | hole           the part: up to there
 *
 * The kernel finds a hole only when it comes to it. So receiving waits for bytes first, and fails
 * with EFAULT if they would have gone on into the hole; sending sends what is in front of it, in
 * units of its own, and fails with EFAULT if that is not even one. */
#include "io.h"
#include "engine_open.h"
#include "import.h"
#include "memory.h"
#include "real.h"
#include "slot.h"
#include "table.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
	UNIT = 16384,    /* sent or not as a whole: a TLS record */
	COPIED = 16,     /* pieces of which the last one can be cut */
	WAITING = 16384, /* more than that is never waiting */
};

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

static bool empty(const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		if (iov[i].iov_len)
			return false;
	return true;
}

/* fd may turn out to be something else by now: a number that was closed behind our back, and
 * used again for what is no socket. */
static bool is_stale(int fd, ssize_t result)
{
	if (result >= 0 || errno != ENOTSOCK)
		return false;
	slot_drop_stale(fd);
	return true;
}

static ssize_t receive(int fd, struct msghdr *msg, int flags)
{
	struct conn *c = table_take(fd);
	ssize_t n = c ? engine->receive(c, fd, msg, flags) : real.recvmsg(fd, msg, flags);

	return is_stale(fd, n) ? real.readv(fd, msg->msg_iov, (int)msg->msg_iovlen) : n;
}

static ssize_t transmit(int fd, const struct msghdr *msg, int flags)
{
	struct conn *c = table_take(fd);
	ssize_t n = c ? engine->transmit(c, fd, msg, flags) : real.sendmsg(fd, msg, flags);

	return is_stale(fd, n) ? real.writev(fd, msg->msg_iov, (int)msg->msg_iovlen) : n;
}

/* --- the app's memory */

/* What of a message's pieces can be used: those in front of the first byte that is not there, or
 * is more than one call moves. */
struct part {
	size_t pieces, last, bytes; /* last: how much of piece `pieces`, behind the whole ones */
	bool cut, hole;
};

static struct part find_part(const struct msghdr *msg, size_t (*there)(const void *, size_t))
{
	struct part p = {0};
	size_t wanted;

	for (; p.pieces < msg->msg_iovlen; p.pieces++) {
		const struct iovec *iov = &msg->msg_iov[p.pieces];

		wanted =
			IMPORT_MOST - p.bytes < iov->iov_len ? IMPORT_MOST - p.bytes : iov->iov_len;
		p.last = there(iov->iov_base, wanted);
		p.hole = p.last < wanted;
		p.cut = p.last < iov->iov_len;
		p.bytes += p.last;
		if (p.cut)
			break;
	}
	return p;
}

/* No more than n bytes of it. */
static void shorten(struct part *p, const struct msghdr *msg, size_t n)
{
	size_t i = 0;

	if (n >= p->bytes)
		return;
	p->bytes = n;
	while (n >= msg->msg_iov[i].iov_len)
		n -= msg->msg_iov[i++].iov_len;
	p->pieces = i;
	p->last = n;
}

/* Call what() with the part; of many pieces with the whole ones only. */
static ssize_t with_part(int fd, struct msghdr *msg, int flags, const struct part *p,
			 ssize_t (*what)(int, struct msghdr *, int))
{
	struct iovec copy[COPIED], *iov = msg->msg_iov;
	size_t count = msg->msg_iovlen;
	ssize_t n;

	if (p->pieces < COPIED) {
		memcpy(copy, iov, p->pieces * sizeof(*iov));
		copy[p->pieces] = (struct iovec){iov[p->pieces].iov_base, p->last};
		msg->msg_iov = copy;
	}
	msg->msg_iovlen = p->pieces < COPIED ? p->pieces + 1 : p->pieces;
	n = what(fd, msg, flags);
	msg->msg_iov = iov;
	msg->msg_iovlen = count;
	return n;
}

/* --- receiving */

/* Is more than n bytes to be had now? */
static bool overflows(int fd, size_t n)
{
	struct conn *c = table_take(fd);
	int have = 0;

	return (c ? engine->readable(c, fd, &have) : real.ioctl(fd, FIONREAD, &have)) == 0 &&
	       (size_t)have > n;
}

__attribute__((noinline, cold)) static ssize_t receive_part(int fd, struct msghdr *msg, int flags,
							    const struct part *p)
{
	char byte;
	struct iovec one = {&byte, 1};
	struct msghdr look = {.msg_iov = &one, .msg_iovlen = 1};
	ssize_t n = p->hole ? receive(fd, &look, flags | MSG_PEEK) : 0;

	if (n < 0)
		return -1;
	if (n > 0 && overflows(fd, p->bytes))
		return fail(EFAULT);
	return with_part(fd, msg, flags, p, receive);
}

/* With MSG_TRUNC a stream's bytes are thrown away, not stored (tcp(7)). */
static bool stores(int flags)
{
	return !(flags & MSG_TRUNC);
}

static size_t anywhere(const void *bytes, size_t n)
{
	(void)bytes;
	return n;
}

/* The pieces of msg are the app's, msg itself and the array of the pieces need not be. */
static ssize_t receive_checked(int fd, struct msghdr *msg, int flags)
{
	struct part p = find_part(msg, stores(flags) ? memory_writable : anywhere);

	return p.cut ? receive_part(fd, msg, flags, &p) : receive(fd, msg, flags);
}

ssize_t io_recvmsg(int fd, struct msghdr *msg, int flags)
{
	int error = import_receiving(msg, flags);

	return error ? fail(error) : receive_checked(fd, msg, flags);
}

/* A program that reads little at a time finds most of it decrypted already. 0: it is not that
 * simple. */
static size_t receive_waiting(int fd, void *bytes, size_t n)
{
	struct conn *c = table_peek(fd);

	return c && n && n <= WAITING && memory_writable(bytes, n) == n
		       ? engine->receive_waiting(c, fd, bytes, n)
		       : 0;
}

__attribute__((noinline)) static ssize_t receive_bytes(int fd, void *bytes, size_t n, int flags)
{
	struct iovec iov = {bytes, n < IMPORT_MOST ? n : IMPORT_MOST};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int error = import_range(bytes, iov.iov_len);

	return error ? fail(error) : receive_checked(fd, &msg, flags);
}

ssize_t io_receive(int fd, void *bytes, size_t n, int flags)
{
	size_t got = flags & ~(MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL)
			     ? 0
			     : receive_waiting(fd, bytes, n);

	return got ? (ssize_t)got : receive_bytes(fd, bytes, n, flags);
}

/* A stream socket names no sender. The kernel says so when the bytes are taken already. */
ssize_t io_receive_from(int fd, void *bytes, size_t n, int flags, socklen_t *len)
{
	ssize_t got = io_receive(fd, bytes, n, flags);

	if (got < 0)
		return got;
	if (memory_writable(len, sizeof(*len)) < sizeof(*len))
		return fail(EFAULT);
	if (*len > INT_MAX)
		return fail(EINVAL);
	*len = 0;
	return got;
}

ssize_t io_read(int fd, void *bytes, size_t n)
{
	size_t got = receive_waiting(fd, bytes, n);
	int error;

	if (got)
		return (ssize_t)got;
	error = import_range(bytes, n);
	if (error)
		return fail(error);
	return n ? receive_bytes(fd, bytes, n, 0) : 0;
}

ssize_t io_readv(int fd, const struct iovec *iov, int count, int flags)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	int error = import_pieces(iov, (size_t)count, EINVAL);

	if (error)
		return fail(error);
	return empty(iov, count) ? 0 : receive_checked(fd, &msg, flags);
}

/* --- sending */

static ssize_t transmit_msg(int fd, struct msghdr *msg, int flags)
{
	return transmit(fd, msg, flags);
}

/* A connection that takes nothing any more says so before it looks at the bytes. */
__attribute__((noinline, cold)) static ssize_t transmit_part(int fd, const struct msghdr *msg,
							     int flags, struct part *p)
{
	struct msghdr part = *msg;
	ssize_t n;

	if (p->hole)
		shorten(p, msg, p->bytes - p->bytes % UNIT);
	n = with_part(fd, &part, flags, p, transmit_msg);
	return n || !p->hole ? n : fail(EFAULT);
}

/* As receive_checked(). */
static ssize_t transmit_checked(int fd, const struct msghdr *msg, int flags)
{
	struct part p;

	if (flags & MSG_FASTOPEN)
		return fail(EISCONN);
	p = find_part(msg, memory_there);
	return p.cut ? transmit_part(fd, msg, flags, &p) : transmit(fd, msg, flags);
}

ssize_t io_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	int error = import_sending(msg, flags);
	const struct msghdr nothing = {.msg_iovlen = 0};

	if (error)
		return fail(error);
	error = import_control(msg);
	if (error)
		return transmit(fd, &nothing, flags) < 0 ? -1 : fail(error);
	return transmit_checked(fd, msg, flags);
}

ssize_t io_transmit_to(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
		       socklen_t len)
{
	struct iovec iov = {(void *)bytes, n < IMPORT_MOST ? n : IMPORT_MOST};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int error = import_range(bytes, iov.iov_len);

	if (!error)
		error = import_address(to, len);
	return error ? fail(error) : transmit_checked(fd, &msg, flags);
}

ssize_t io_transmit(int fd, const void *bytes, size_t n, int flags)
{
	return io_transmit_to(fd, bytes, n, flags, NULL, 0);
}

ssize_t io_write(int fd, const void *bytes, size_t n)
{
	int error = import_range(bytes, n);

	return error ? fail(error) : io_transmit(fd, bytes, n, 0);
}

ssize_t io_writev(int fd, const struct iovec *iov, int count, int flags)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	int error = import_pieces(iov, (size_t)count, EINVAL);

	if (error)
		return fail(error);
	return empty(iov, count) ? 0 : transmit_checked(fd, &msg, flags);
}
