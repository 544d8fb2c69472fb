/* SPDX-License-Identifier: MIT
 * io: the checks of the kernel's import_iovec() and copy_msghdr(), then the engine.
 *
 * Where the app's memory is missing (memory.h): sending fails with EFAULT, as from the kernel; receiving takes what there is room for, for
 * the kernel would not have noticed if the peer had said no more than that. */
#include "io.h"
#include "engine_open.h"
#include "memory.h"
#include "real.h"
#include "slot.h"
#include "table.h"
#include <errno.h>
#include <limits.h>

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

/* 0, or the errno for an array of pieces that are too many (which one depends on the system call) or that is not there. */
static int check_array(const struct iovec *iov, size_t count, int too_many)
{
	if (count > IOV_MAX)
		return too_many;
	return memory_readable(iov, count * sizeof(*iov)) ? 0 : EFAULT;
}

/* And for pieces of which one has a "negative" length. */
static int check_receiving(const struct iovec *iov, size_t count, int too_many)
{
	int error = check_array(iov, count, too_many);

	for (size_t i = 0; i < count && !error; i++)
		if (iov[i].iov_len > SSIZE_MAX)
			error = EINVAL;
	return error;
}

/* And whose bytes are not there. */
static int check_sending(const struct iovec *iov, size_t count, int too_many)
{
	int error = check_array(iov, count, too_many), missing = 0;

	for (size_t i = 0; i < count && !error; i++)
		if (iov[i].iov_len > SSIZE_MAX)
			error = EINVAL;
		else if (!memory_readable(iov[i].iov_base, iov[i].iov_len))
			missing = EFAULT; /* a negative length behind it counts more */
	return error ? error : missing;
}

static bool empty(const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		if (iov[i].iov_len)
			return false;
	return true;
}

/* fd may turn out to be something else by now: a number that was closed behind our back, and used again for what is no socket. */
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

/* Receive into the pieces that are there: those before the first bad one, or what there is of the very first. */
static ssize_t receive_within(int fd, struct msghdr *msg, int flags)
{
	struct iovec *iov = msg->msg_iov, part;
	size_t count = msg->msg_iovlen, i, there = 0;
	ssize_t n;

	for (i = 0; i < count; i++)
		if ((there = memory_writable(iov[i].iov_base, iov[i].iov_len)) < iov[i].iov_len)
			break;
	if (i == count)
		return receive(fd, msg, flags);
	if (!i && !there)
		return fail(EFAULT);
	part = (struct iovec){iov->iov_base, there};
	msg->msg_iov = i ? iov : &part;
	msg->msg_iovlen = i ? i : 1;
	n = receive(fd, msg, flags);
	msg->msg_iov = iov;
	msg->msg_iovlen = count;
	return n;
}

/* With MSG_TRUNC a stream's bytes are thrown away, not stored (tcp(7)). */
static bool stores(int flags)
{
	return !(flags & MSG_TRUNC) || flags & MSG_PEEK;
}

/* The pieces of msg are the app's, msg itself and the array of the pieces need not be. */
static ssize_t receive_checked(int fd, struct msghdr *msg, int flags)
{
	return stores(flags) ? receive_within(fd, msg, flags) : receive(fd, msg, flags);
}

ssize_t io_recvmsg(int fd, struct msghdr *msg, int flags)
{
	int error = memory_writable(msg, sizeof(*msg)) < sizeof(*msg)
			    ? EFAULT
			    : check_receiving(msg->msg_iov, msg->msg_iovlen, EMSGSIZE);

	return error ? fail(error) : receive_checked(fd, msg, flags);
}

ssize_t io_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	int error = memory_readable(msg, sizeof(*msg))
			    ? check_sending(msg->msg_iov, msg->msg_iovlen, EMSGSIZE)
			    : EFAULT;

	return error ? fail(error) : transmit(fd, msg, flags);
}

/* A program that reads little at a time finds most of it decrypted already. 0: it is not that simple. */
static size_t receive_waiting(int fd, void *bytes, size_t n)
{
	struct conn *c = table_peek(fd);

	return c && n && memory_writable(bytes, n) == n ? engine->receive_waiting(c, fd, bytes, n)
							: 0;
}

__attribute__((noinline)) static ssize_t receive_bytes(int fd, void *bytes, size_t n, int flags)
{
	struct iovec iov = {bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return n > SSIZE_MAX ? fail(EINVAL) : receive_checked(fd, &msg, flags);
}

ssize_t io_receive(int fd, void *bytes, size_t n, int flags)
{
	size_t got = flags & ~(MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL)
			     ? 0
			     : receive_waiting(fd, bytes, n);

	return got ? (ssize_t)got : receive_bytes(fd, bytes, n, flags);
}

ssize_t io_transmit(int fd, const void *bytes, size_t n, int flags)
{
	struct iovec iov = {(void *)bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n > SSIZE_MAX)
		return fail(EINVAL);
	return memory_readable(bytes, n) ? transmit(fd, &msg, flags) : fail(EFAULT);
}

ssize_t io_read(int fd, void *bytes, size_t n)
{
	return n ? io_receive(fd, bytes, n, 0) : 0;
}

ssize_t io_readv(int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	int error = check_receiving(iov, (size_t)count, EINVAL);

	if (error)
		return fail(error);
	return empty(iov, count) ? 0 : receive_checked(fd, &msg, 0);
}

ssize_t io_writev(int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	int error = check_sending(iov, (size_t)count, EINVAL);

	if (error)
		return fail(error);
	return empty(iov, count) ? 0 : transmit(fd, &msg, 0);
}
