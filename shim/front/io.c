/* SPDX-License-Identifier: MIT
 * io: the checks of the kernel's import_iovec() and copy_msghdr(), then the engine. */
#include "io.h"
#include "engine_open.h"
#include "real.h"
#include "table.h"
#include <errno.h>
#include <limits.h>

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

/* 0, or the errno for pieces that are too many (which one depends on the system call) or have a "negative" length. */
static int check(const struct iovec *iov, size_t count, int too_many)
{
	if (count > IOV_MAX)
		return too_many;
	for (size_t i = 0; i < count; i++)
		if (iov[i].iov_len > SSIZE_MAX)
			return EINVAL;
	return 0;
}

static bool empty(const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		if (iov[i].iov_len)
			return false;
	return true;
}

ssize_t io_recvmsg(int fd, struct msghdr *msg, int flags)
{
	int error = check(msg->msg_iov, msg->msg_iovlen, EMSGSIZE);
	struct conn *c;

	if (error)
		return fail(error);
	c = table_take(fd);
	return c ? engine->receive(c, fd, msg, flags) : real.recvmsg(fd, msg, flags);
}

ssize_t io_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	int error = check(msg->msg_iov, msg->msg_iovlen, EMSGSIZE);
	struct conn *c;

	if (error)
		return fail(error);
	c = table_take(fd);
	return c ? engine->transmit(c, fd, msg, flags) : real.sendmsg(fd, msg, flags);
}

ssize_t io_receive(int fd, void *bytes, size_t n, int flags)
{
	struct iovec iov = {bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return io_recvmsg(fd, &msg, flags);
}

ssize_t io_transmit(int fd, const void *bytes, size_t n, int flags)
{
	struct iovec iov = {(void *)bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return io_sendmsg(fd, &msg, flags);
}

ssize_t io_read(int fd, void *bytes, size_t n)
{
	return n ? io_receive(fd, bytes, n, 0) : 0;
}

ssize_t io_readv(int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	int error = check(iov, (size_t)count, EINVAL);

	if (error)
		return fail(error);
	return empty(iov, count) ? 0 : io_recvmsg(fd, &msg, 0);
}

ssize_t io_writev(int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	int error = check(iov, (size_t)count, EINVAL);

	if (error)
		return fail(error);
	return empty(iov, count) ? 0 : io_sendmsg(fd, &msg, 0);
}
