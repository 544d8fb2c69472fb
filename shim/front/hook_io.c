/* SPDX-License-Identifier: MIT
 * hook_io: receiving and sending. */
#include "hook.h"
#include "io.h"
#include "watch.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

HOOK ssize_t read(int fd, void *bytes, size_t n)
{
	struct conn *c = table_get(fd);

	return c ? io_read(c, fd, bytes, n) : real.read(fd, bytes, n);
}
HOOK_ALIAS(__read, read);

HOOK ssize_t readv(int fd, const struct iovec *iov, int count)
{
	struct conn *c = table_get(fd);

	return c ? io_readv(c, fd, iov, count) : real.readv(fd, iov, count);
}

HOOK ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
	struct conn *c = table_get(fd);

	return c ? io_receive(c, fd, bytes, n, flags) : real.recv(fd, bytes, n, flags);
}

/* A stream socket names no sender. */
static ssize_t receive_from(struct conn *c, int fd, void *bytes, size_t n, int flags, socklen_t *len)
{
	ssize_t got = io_receive(c, fd, bytes, n, flags);

	if (got >= 0 && len)
		*len = 0;
	return got;
}

HOOK ssize_t recvfrom(int fd, void *bytes, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *len)
{
	struct conn *c = table_get(fd);
	struct sockaddr *addr = from.__sockaddr__;

	return c ? receive_from(c, fd, bytes, n, flags, addr ? len : NULL)
		 : real.recvfrom(fd, bytes, n, flags, addr, len);
}

HOOK ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct conn *c = table_get(fd);

	return c ? io_recvmsg(c, fd, msg, flags) : real.recvmsg(fd, msg, flags);
}

HOOK ssize_t write(int fd, const void *bytes, size_t n)
{
	struct conn *c = table_get(fd);

	return c ? io_transmit(c, fd, bytes, n, 0) : real.write(fd, bytes, n);
}
HOOK_ALIAS(__write, write);

HOOK ssize_t writev(int fd, const struct iovec *iov, int count)
{
	struct conn *c = table_get(fd);

	return c ? io_writev(c, fd, iov, count) : real.writev(fd, iov, count);
}

HOOK ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
	struct conn *c = table_get(fd);

	return c ? io_transmit(c, fd, bytes, n, flags) : real.send(fd, bytes, n, flags);
}
HOOK_ALIAS(__send, send);

/* MSG_FASTOPEN connects and sends in one call, which leaves no moment for TLS. Apps fall back to connect() when the kernel lacks
 * TCP Fast Open; so for destinations that would be ours, it does. */
static bool too_early(int fd, int flags, const struct sockaddr *addr, socklen_t len)
{
	return __builtin_expect(flags & MSG_FASTOPEN, 0) && watch_would(fd, addr, len);
}

static int refuse_fastopen(void)
{
	errno = EOPNOTSUPP;
	return -1;
}

HOOK ssize_t sendto(int fd, const void *bytes, size_t n, int flags, __CONST_SOCKADDR_ARG to,
		    socklen_t len)
{
	struct conn *c = table_get(fd);
	const struct sockaddr *addr = to.__sockaddr__;

	if (c)
		return io_transmit(c, fd, bytes, n, flags);
	return too_early(fd, flags, addr, len) ? refuse_fastopen() : real.sendto(fd, bytes, n, flags, addr, len);
}

HOOK ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct conn *c = table_get(fd);

	if (c)
		return io_sendmsg(c, fd, msg, flags);
	return too_early(fd, flags, msg->msg_name, msg->msg_namelen) ? -1
								      : real.sendmsg(fd, msg, flags);
}


/* The fortified twins: the compiler knew the size of the buffer, and libc would have checked it. */
extern ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room);
extern ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *bytes, size_t n, size_t room, int flags,
			      __SOCKADDR_ARG from, socklen_t *len);

HOOK ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room)
{
	struct conn *c;

	if (n > room)
		__chk_fail();
	c = table_get(fd);
	return c ? io_read(c, fd, bytes, n) : real.read(fd, bytes, n);
}

HOOK ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t room, int flags)
{
	struct conn *c;

	if (n > room)
		__chk_fail();
	c = table_get(fd);
	return c ? io_receive(c, fd, bytes, n, flags) : real.recv(fd, bytes, n, flags);
}

HOOK ssize_t __recvfrom_chk(int fd, void *bytes, size_t n, size_t room, int flags,
			    __SOCKADDR_ARG from, socklen_t *len)
{
	struct sockaddr *addr = from.__sockaddr__;
	struct conn *c;

	if (n > room)
		__chk_fail();
	c = table_get(fd);
	return c ? receive_from(c, fd, bytes, n, flags, addr ? len : NULL)
		 : real.recvfrom(fd, bytes, n, flags, addr, len);
}
