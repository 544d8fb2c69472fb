/* SPDX-License-Identifier: MIT
 * client.c - the plain program: what the shim, stunnel and nothing at all are measured with. It has
 * never heard of TLS.
 */
#include "link.h"

static const bool upgrades = false;

static void side_start(void) {}

static void secure_begin(struct link *l)
{
	(void)l;
}

static bool secure_step(struct link *l)
{
	(void)l;
	return true;
}

static ssize_t waiting(struct link *l, ssize_t n, short events)
{
	if (n < 0)
		l->events = events;
	return n;
}

static ssize_t link_read(struct link *l, void *room, size_t n)
{
	return waiting(l, read(l->fd, room, n), POLLIN);
}

static ssize_t link_write(struct link *l, const void *bytes, size_t n)
{
	return waiting(l, write(l->fd, bytes, n), POLLOUT);
}

static ssize_t link_writev(struct link *l, const struct iovec *pieces, int count)
{
	return waiting(l, writev(l->fd, pieces, count), POLLOUT);
}

static ssize_t link_sendmsg(struct link *l, const struct iovec *pieces, int count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};

	return waiting(l, sendmsg(l->fd, &message, 0), POLLOUT);
}

static bool link_pending(struct link *l)
{
	(void)l;
	return false;
}

static FILE *link_fdopen(struct link *l, const char *mode)
{
	return fdopen(dup(l->fd), mode);
}

static void link_close(struct link *l)
{
	close(l->fd);
}

#include "workloads.h"
