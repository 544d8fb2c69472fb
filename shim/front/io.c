/* SPDX-License-Identifier: MIT
 * io: the checks of the kernel's import_iovec() and copy_msghdr(), then the engine. */
#include "io.h"
#include "engine_open.h"
#include "table.h"
#include <errno.h>
#include <limits.h>

static ssize_t fail(struct conn *c, int error)
{
	table_drop(c);
	errno = error;
	return -1;
}

/* False when a piece has a length that would be negative. *any: there is at least one byte. */
static bool sound(const struct iovec *iov, size_t count, bool *any)
{
	*any = false;
	for (size_t i = 0; i < count; i++) {
		if (iov[i].iov_len > SSIZE_MAX)
			return false;
		*any |= iov[i].iov_len > 0;
	}
	return true;
}

ssize_t io_receive(struct conn *c, int fd, void *bytes, size_t n, int flags)
{
	struct iovec iov = {bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return io_recvmsg(c, fd, &msg, flags);
}

ssize_t io_transmit(struct conn *c, int fd, const void *bytes, size_t n, int flags)
{
	struct iovec iov = {(void *)bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return io_sendmsg(c, fd, &msg, flags);
}

ssize_t io_read(struct conn *c, int fd, void *bytes, size_t n)
{
	struct iovec iov = {bytes, n};

	return io_readv(c, fd, &iov, 1);
}

ssize_t io_readv(struct conn *c, int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	bool any;

	if (count < 0 || count > IOV_MAX || !sound(iov, (size_t)count, &any))
		return fail(c, EINVAL);
	if (any)
		return engine->receive(c, fd, &msg, 0);
	table_drop(c);
	return 0;
}

ssize_t io_writev(struct conn *c, int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	bool any;

	if (count < 0 || count > IOV_MAX || !sound(iov, (size_t)count, &any))
		return fail(c, EINVAL);
	if (any)
		return engine->transmit(c, fd, &msg, 0);
	table_drop(c);
	return 0;
}

ssize_t io_recvmsg(struct conn *c, int fd, struct msghdr *msg, int flags)
{
	bool any;

	if (msg->msg_iovlen > IOV_MAX)
		return fail(c, EMSGSIZE);
	if (!sound(msg->msg_iov, msg->msg_iovlen, &any))
		return fail(c, EINVAL);
	return engine->receive(c, fd, msg, flags);
}

ssize_t io_sendmsg(struct conn *c, int fd, const struct msghdr *msg, int flags)
{
	bool any;

	if (msg->msg_iovlen > IOV_MAX)
		return fail(c, EMSGSIZE);
	if (!sound(msg->msg_iov, msg->msg_iovlen, &any))
		return fail(c, EINVAL);
	return engine->transmit(c, fd, msg, flags);
}

ssize_t io_transmit_all(int fd, const char *bytes, size_t n)
{
	struct conn *c;
	size_t done = 0;
	ssize_t sent = 0;

	while (done < n) {
		c = table_get(fd);
		if (!c) /* closed by another thread */
			errno = EBADF;
		sent = c ? io_transmit(c, fd, bytes + done, n - done, 0) : -1;
		if (sent <= 0)
			break;
		done += (size_t)sent;
	}
	return done || !n ? (ssize_t)done : sent;
}
