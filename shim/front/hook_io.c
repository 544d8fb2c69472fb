/* SPDX-License-Identifier: MIT
 * hook_io: receiving and sending. */
#include "hook.h"
#include "io.h"
#include "memory.h"
#include "rights.h"
#include "watch.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

HOOK ssize_t read(int fd, void *bytes, size_t n)
{
	return table_has(fd) ? io_read(fd, bytes, n) : real.read(fd, bytes, n);
}
HOOK_ALIAS(__read, read);

HOOK ssize_t readv(int fd, const struct iovec *iov, int count)
{
	return table_has(fd) ? io_readv(fd, iov, count, 0) : real.readv(fd, iov, count);
}

HOOK ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
	return table_has(fd) ? io_receive(fd, bytes, n, flags) : real.recv(fd, bytes, n, flags);
}

HOOK ssize_t recvfrom(int fd, void *bytes, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *len)
{
	struct sockaddr *addr = from.__sockaddr__;

	if (table_has(fd))
		return addr ? io_receive_from(fd, bytes, n, flags, len)
			    : io_receive(fd, bytes, n, flags);
	return real.recvfrom(fd, bytes, n, flags, addr, len);
}

HOOK ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	return table_has(fd) ? io_recvmsg(fd, msg, flags) : real.recvmsg(fd, msg, flags);
}

HOOK ssize_t write(int fd, const void *bytes, size_t n)
{
	return table_has(fd) ? io_write(fd, bytes, n) : real.write(fd, bytes, n);
}
HOOK_ALIAS(__write, write);

HOOK ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return table_has(fd) ? io_writev(fd, iov, count, 0) : real.writev(fd, iov, count);
}

HOOK ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
	return table_has(fd) ? io_transmit(fd, bytes, n, flags) : real.send(fd, bytes, n, flags);
}
HOOK_ALIAS(__send, send);

/* MSG_FASTOPEN connects and sends in one call, which leaves no moment for TLS. Apps fall back to
 * connect() when the kernel lacks TCP Fast Open; so for destinations that would be ours, it
 * does. */
static SLOW ssize_t send_early(int fd, const struct msghdr *msg, int flags)
{
	if (!memory_readable(msg, sizeof(*msg)) ||
	    !watch_would(fd, msg->msg_name, msg->msg_namelen))
		return real.sendmsg(fd, msg, flags);
	errno = EOPNOTSUPP;
	return -1;
}

static SLOW ssize_t send_early_to(int fd, const void *bytes, size_t n, int flags,
				  const struct sockaddr *addr, socklen_t len)
{
	struct iovec iov = {(void *)bytes, n};
	struct msghdr msg = {
		.msg_name = (void *)addr, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1};

	return send_early(fd, &msg, flags);
}

HOOK ssize_t sendto(int fd, const void *bytes, size_t n, int flags, __CONST_SOCKADDR_ARG to,
		    socklen_t len)
{
	const struct sockaddr *addr = to.__sockaddr__;

	if (table_has(fd))
		return io_transmit_to(fd, bytes, n, flags, addr, len);
	return flags & MSG_FASTOPEN ? send_early_to(fd, bytes, n, flags, addr, len)
				    : real.sendto(fd, bytes, n, flags, addr, len);
}

/* From a descriptor that is not ours: what goes with it may be. */
static SLOW ssize_t send_other(int fd, const struct msghdr *msg, int flags)
{
	if (engine && !rights_settle(msg))
		return -1;
	return flags & MSG_FASTOPEN ? send_early(fd, msg, flags) : real.sendmsg(fd, msg, flags);
}

HOOK ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (table_has(fd))
		return io_sendmsg(fd, msg, flags);
	return engine || flags & MSG_FASTOPEN ? send_other(fd, msg, flags)
					      : real.sendmsg(fd, msg, flags);
}

/* The fortified twins: the compiler knew the size of the buffer, and libc would have checked it. */
extern ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room);
extern ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *bytes, size_t n, size_t room, int flags,
			      __SOCKADDR_ARG from, socklen_t *len);

HOOK ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room)
{
	if (n > room)
		__chk_fail();
	return table_has(fd) ? io_read(fd, bytes, n) : real.read(fd, bytes, n);
}

HOOK ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t room, int flags)
{
	if (n > room)
		__chk_fail();
	return table_has(fd) ? io_receive(fd, bytes, n, flags) : real.recv(fd, bytes, n, flags);
}

HOOK ssize_t __recvfrom_chk(int fd, void *bytes, size_t n, size_t room, int flags,
			    __SOCKADDR_ARG from, socklen_t *len)
{
	struct sockaddr *addr = from.__sockaddr__;

	if (n > room)
		__chk_fail();
	if (table_has(fd))
		return addr ? io_receive_from(fd, bytes, n, flags, len)
			    : io_receive(fd, bytes, n, flags);
	return real.recvfrom(fd, bytes, n, flags, addr, len);
}
